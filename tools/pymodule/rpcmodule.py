# SPDX-License-Identifier: MIT
"""RPC over Redis: calls are popped from the list of the module's topic, or heard on its channel;
the answer goes to the caller's topic in the encoding of the call. The list's calls are run one
after the other, as are the channel's, beside them. What ask() waits for comes by a topic of this
process alone: others with the same topic do not hear it, and a function may ask, too."""

import itertools
import uuid

import gevent
import redis
from gevent.event import AsyncResult

from . import link, rollout
from .wire import (EARGS, EFAIL, ENOENT, ETIME, Refused, decode, encode, is_json, sorry, trace_key,
                   trace_of, tracing)

RPC_TOPIC = "pyRpc"
ANSWER = "__answer__:"          # the callback of ask(), with its number: all echo that
BLOCK_S = 0.25                  # so long at most the module takes to end


class RPCModule(link.Linked):
    """conf: url=, or what redis.Redis() takes (see link.py); topic=, else RPC_TOPIC."""

    def __init__(self, **conf):
        link.Linked.__init__(self, conf.pop("topic", RPC_TOPIC), **conf)
        self._numbers, self._asks, self._readers = itertools.count(1), {}, []
        self._mine = "%s:answers:%s" % (self.topic, uuid.uuid4().hex)
        self._asking = False
        self.lua_scripts, self.alive = {}, True         # the ancestor's, for who subclasses this

    # --- calling ---

    def call(self, topic, f, callback, *args):
        """Onto the topic's list; the answer comes to the function `callback` of this app."""
        self.db.rpush(topic, encode({"func": f, "ct": self.topic, "cb": callback, "args": args,
                                     **trace_key()}, True))

    def callNR(self, topic, f, *args):
        """To everyone who hears the topic; no answer."""
        self.db.publish(topic, encode({"func": f, "args": args, **trace_key()}, True))

    def ask(self, topic, f, *args, timeout=5):
        """The answer's values, or Refused."""
        if self.closeSig:
            raise Refused(ENOENT, "the module %s is closed" % self.topic)
        if not self._asking:
            self._asking = True
            self._read(self._mine, self._answered)
        number, waiting = next(self._numbers), AsyncResult()
        self._asks[number] = waiting
        try:
            self.db.rpush(topic, encode({"func": f, "ct": self._mine, "cb": ANSWER + str(number),
                                         "args": args, "id": number, **trace_key()}, True))
            if not waiting.wait(timeout) and not waiting.ready():
                raise Refused(ETIME, "%s.%s has not answered in %g s" % (topic, f, timeout))
            return waiting.get(block=False)
        except redis.RedisError as wrong:
            raise Refused(EFAIL, "Redis: %s" % wrong) from wrong
        except (TypeError, ValueError, OverflowError) as wrong:
            raise Refused(EARGS, "it cannot be sent: %s" % wrong) from None
        finally:
            del self._asks[number]

    def send_patch(self, source, to="*", timeout=10):
        """C source to a group of nodes, a node, or all, also those that come later: the
        patch's number on each; see rollout.py."""
        return rollout.send(self.db, source, to, timeout)

    # --- being called ---

    def Run(self):
        self._readers.append(gevent.spawn(self._hear, self.topic, self._take))
        self._pop(self.topic, self._take)

    def onDestroy(self):
        gevent.killall([r for r in self._readers if r is not gevent.getcurrent()])
        for waiting in list(self._asks.values()):
            waiting.set_exception(Refused(ENOENT, "the module %s is closed" % self.topic))

    def _read(self, topic, take):
        self._readers += [gevent.spawn(f, topic, take) for f in (self._hear, self._pop)]

    def _pop(self, topic, take):
        while not self.closeSig:
            try:
                item = self.db.blpop(topic, timeout=BLOCK_S)
                self.well(topic)
            except redis.RedisError as wrong:
                self.sleep(self.wrong(topic, wrong))
                continue
            if item:
                take(item[1])

    def _hear(self, topic, take):
        while not self.closeSig:
            try:
                with self.db.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(topic)
                    self.well("the channel " + topic)
                    while not self.closeSig:
                        said = channel.get_message(timeout=BLOCK_S)
                        if said:
                            take(said["data"])
            except redis.RedisError as wrong:
                self.sleep(self.wrong("the channel " + topic, wrong))

    def _take(self, data):
        try:
            message = decode(data)
            with tracing(trace_of(message)):
                self._handle(message, is_json(data))
        except ValueError as wrong:
            self.complain("a message was refused: %s" % wrong)

    def _handle(self, m, as_json):
        f, args, wrong = m.get("func"), m.get("args") or [], m.get("err")
        if not f:
            raise ValueError("it has no func")
        answer = {"args": []}
        try:
            if wrong:
                raise Refused(EARGS, "%s answered: %s" % (f, wrong))
            answer["args"] = [self.app.call(f, args)]
        except Refused as refused:
            self.complain("%s was refused: %s" % (f, refused.text))
            answer = sorry(refused)
        if m.get("cb") and m.get("ct"):
            if "id" in m:
                answer["id"] = m["id"]
            self._answer(m["ct"], {"func": m["cb"], **answer, **trace_key()}, as_json)

    def _answer(self, topic, answer, as_json):
        try:
            data = encode(answer, as_json)
        except (TypeError, ValueError, OverflowError) as wrong:
            answer.update(sorry(Refused(EARGS, "the answer: %s" % wrong)))
            data = encode(answer, as_json)
        try:
            link.answer(self.db, topic, data)
        except redis.RedisError as wrong:
            self.complain("an answer was lost: %s" % wrong)

    def _answered(self, data):
        try:
            m = decode(data)
            number = int((m.get("func") or "")[len(ANSWER):])
        except ValueError as wrong:
            self.complain("an answer was refused: %s" % wrong)
            return
        waiting, wrong = self._asks.get(number), m.get("err")
        if waiting and wrong:
            waiting.set_exception(Refused(wrong.get("code"), wrong.get("text")))
        elif waiting:
            waiting.set(m.get("args") or [])
