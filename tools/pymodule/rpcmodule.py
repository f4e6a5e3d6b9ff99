# SPDX-License-Identifier: MIT
"""RPC over Redis: calls are popped from the list of the module's topic, or heard on its channel;
the answer goes to the caller's topic in the encoding of the call."""

import itertools

import gevent
import redis
from gevent.event import AsyncResult

from . import rollout
from .link import connect, publish
from .module import Module
from .wire import (EARGS, ETIME, Refused, decode, encode, is_json, trace_key, trace_of,
                   tracing)

RPC_TOPIC = "pyRpc"
ANSWER = "__answer__"           # the callback of ask()
PAUSE_S, BLOCK_S = 0.2, 1
ANSWER_EXPIRE_S = 3600          # of a list that an answer made and nobody reads


class RPCModule(Module):
    """conf: url=, or what redis.Redis() takes (see link.py); topic=, else RPC_TOPIC."""

    def __init__(self, **conf):
        Module.__init__(self, conf.pop("topic", RPC_TOPIC))
        self.conf = conf
        self.db = connect(**conf)
        self._numbers, self._asks = itertools.count(1), {}

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
        number, waiting = next(self._numbers), AsyncResult()
        self._asks[number] = waiting
        try:
            self.db.rpush(topic, encode({"func": f, "ct": self.topic, "cb": ANSWER, "args": args,
                                         "id": number, **trace_key()}, True))
            return waiting.get(timeout=timeout)
        except gevent.Timeout:
            raise Refused(ETIME, "%s.%s has not answered in %g s" % (topic, f, timeout)) from None
        finally:
            del self._asks[number]

    def send_patch(self, source, to="*", timeout=10):
        """C source to a group of nodes, a node, or all, also those that come later: the
        patch's number on each; see rollout.py."""
        return rollout.send(self.db, source, to, timeout)

    # --- being called ---

    def Run(self):
        gevent.spawn(self._hear)
        while not self.closeSig:
            try:
                item = self.db.blpop(self.topic, timeout=BLOCK_S)
            except redis.RedisError as wrong:
                self.complain("%s; I try again" % wrong)
                self.sleep(PAUSE_S)
                continue
            if item:
                self._take(item[1])

    def _hear(self):
        while not self.closeSig:
            try:
                with self.db.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(self.topic)
                    while not self.closeSig:
                        said = channel.get_message(timeout=BLOCK_S)
                        if said:
                            self._take(said["data"])
            except redis.RedisError:
                self.sleep(PAUSE_S)     # Run() says it

    def _take(self, data):
        try:
            message = decode(data)
            with tracing(trace_of(message)):
                self._handle(message, is_json(data))
        except ValueError as wrong:
            self.complain("a message was refused: %s" % wrong)
        except redis.RedisError as wrong:
            self.complain("an answer was lost: %s" % wrong)

    def _handle(self, m, as_json):
        f, args, wrong = m.get("func"), m.get("args") or [], m.get("err")
        if f == ANSWER:
            self._settle(m.get("id"), args, wrong)
            return
        if not f:
            raise ValueError("it has no func")
        answer = {"func": m.get("cb"), "args": [], **trace_key()}
        try:
            if wrong:
                raise Refused(EARGS, "%s answered: %s" % (f, wrong))
            answer["args"] = [self.app.call(f, args)]
        except Refused as refused:
            self.complain("%s was refused: %s" % (f, refused.text))
            answer["err"] = {"code": refused.code, "text": refused.text}
        if m.get("cb") and m.get("ct"):
            if "id" in m:
                answer["id"] = m["id"]
            self._answer(m["ct"], answer, as_json)

    def _answer(self, topic, answer, as_json):
        try:
            data = encode(answer, as_json)
        except (TypeError, ValueError, OverflowError) as wrong:
            answer.update(args=[], err={"code": EARGS, "text": "the answer: %s" % wrong})
            data = encode(answer, as_json)
        if not publish(self.db, topic, data) and self.db.rpush(topic, data) == 1:
            self.db.expire(topic, ANSWER_EXPIRE_S)

    def _settle(self, number, args, wrong):
        waiting = self._asks.get(number)
        if waiting and wrong:
            waiting.set_exception(Refused(wrong.get("code"), wrong.get("text")))
        elif waiting:
            waiting.set(args)
