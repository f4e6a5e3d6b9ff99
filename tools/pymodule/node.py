# SPDX-License-Identifier: MIT
"""A node beside the nodes in C: they find it, call its functions by the names of its topics, and
are called by theirs. What is sent is kept in Redis until it has been handled (runtime/bus/inbox.c,
peer.c, nodes.c have the other side of every key):

    actord:{nodes}            who is there, by a script twice a second; :NAME and :version beside it
    actord:{node:NAME}        a node's inbox, a stream of frames; :seen, how far its senders came
    actord:{TOPIC}            with streams=True: the stream that all nodes which host TOPIC share

Functions run one after the other, in the order in which each sender sent, in one greenlet; one that
asks lets the reader go on. A call that may have been run in an earlier life of this node runs with
`node.again` true.
"""

import itertools
import random
import time
import uuid

import gevent
import redis
from gevent.event import AsyncResult, Event
from gevent.queue import Queue
import msgpack

from . import rollout, wire
from .link import connect, publish
from .module import Module
from .wire import (ANSWER, ASK, CLIENT, DOWN, EFULL, ENOENT, ETIME, REFUSAL, SEND, TRACE, WATCH,
                   Refused)

BEAT_S, ALIVE_MS, FORGET_MS, CHANNEL = 0.5, 3000, 86400000, "actord:nodes"
BLOCK_MS, READ_FRAMES, PAUSE_S, PAUSE_MOST_S, ACK_EVERY = 2000, 32, 0.2, 1, 64
INBOX_MOST, WAITING_MOST, PATIENCE_S, NAME = 256, 16384, 5, "the node's name"

BEAT = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[6])
local had = redis.call('HMGET', KEYS[2], 'identity', 'life')
if had[1] and had[1] ~= ARGV[2] then return {'taken'} end
if had[2] ~= ARGV[3] then
  redis.call('HSET', KEYS[2], 'identity', ARGV[2], 'life', ARGV[3], 'info', ARGV[5])
  redis.call('INCR', KEYS[3])
  redis.call('PUBLISH', '%s', ARGV[1])
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[1])
local out = redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')
table.insert(out, 1, redis.call('GET', KEYS[3]) or '0')
table.insert(out, 1, 'here')
return out""" % CHANNEL

LEAVE = """
if redis.call('HGET', KEYS[2], 'life') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('INCR', KEYS[3])
redis.call('PUBLISH', '%s', ARGV[1])
return 1""" % CHANNEL

# The last entry's id, Redis's clock in ms, then senders and how far they came.
JOIN = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XDEL', KEYS[1], redis.call('XADD', KEYS[1], '*', 'f', ''))
end
local i, last = redis.call('XINFO', 'STREAM', KEYS[1]), '0-0'
for n = 1, #i, 2 do if i[n] == 'last-generated-id' then last = i[n + 1] end end
local t = redis.call('TIME')
local out = redis.call('HGETALL', KEYS[2])
table.insert(out, 1, string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
table.insert(out, 1, last)
return out"""

# In one step: no frame is known as seen that is still there, nor the other way round.
ACKNOWLEDGE = """
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
return 1"""

# Of a shared stream: acknowledged and gone.
SHARE_DONE = """
redis.call('XACK', KEYS[1], 'actord', ARGV[1])
return redis.call('XDEL', KEYS[1], ARGV[1])"""


def entry_id(text):
    ms, number = text.split(b"-" if isinstance(text, bytes) else "-")
    return int(ms), int(number)


class Peer:
    """Another node: what waits for it goes as one frame as soon as Redis has the frame before."""

    def __init__(self, node, name):
        self.node, self.name, self.key = node, name, "actord:{node:%s}" % name
        self.parts, self.more, self.sequence, self.here = [], Event(), 0, False
        self.life, self.topics = None, ()
        self.greenlet = gevent.spawn(self.write)

    def put(self, *parts):
        if len(self.parts) >= WAITING_MOST:
            raise Refused(EFULL, "%d messages wait for the node %s" % (len(self.parts), self.name))
        self.parts += parts
        self.more.set()

    def write(self):
        while True:
            self.more.wait()
            self.more.clear()
            parts, self.parts = self.parts, []
            self.sequence += 1
            data = wire.frame(self.node.topic, self.node.life, self.sequence, parts)
            while not self.fly(data):
                if not self.here:
                    self.node.complain("the node %s is gone; %d messages to it are lost" %
                                       (self.name, len(parts)))
                    break

    def fly(self, data):
        """True: Redis has it. The same frame again, where that is not known, is seen as such."""
        try:
            while self.here and self.node.db.xlen(self.key) > INBOX_MOST:
                gevent.sleep(0.01)
            there = self.node.db.xadd(self.key, {"f": data}, nomkstream=True)
            self.node.well(self.key)
            if not there:
                gevent.sleep(PAUSE_S)
            return there
        except redis.RedisError as wrong:
            gevent.sleep(self.node.wrong(self.key, wrong))
            return None


class Node(Module):
    """A node named `name` that hosts `topics` (its name, where there are none): a message to one
    calls the function of the app that it names. streams: also from the topics' shared streams.
    conf: url=, or what redis.Redis() takes; see link.py."""

    def __init__(self, name, topics=(), streams=False, **conf):
        Module.__init__(self, name)
        self.db = connect(**conf)
        self.topics, self.streams, self.again = list(topics) or [name], streams, False
        self.joined = Event()
        self.life, self.identity = time.time_ns() >> 10, uuid.uuid4().hex
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.key = "actord:{node:%s}" % name
        self.keys = ["actord:{nodes}", "actord:{nodes}:%s" % name, "actord:{nodes}:version"]
        self._version, self._peers, self._turn = None, {}, itertools.count()
        self._numbers, self._asks, self._watches = itertools.count(1), {}, {}
        self._came, self._done, self._work = {}, {}, Queue()
        self._helpers, self._troubles = [], {}

    # --- trouble: a line when it begins, and when it is over ---

    def wrong(self, what, why):
        """Seconds until it is tried again: longer each time, and not for all at once."""
        if isinstance(why, (redis.ConnectionError, redis.TimeoutError)):
            what = "Redis"
        tries = self._troubles[what] = self._troubles.get(what, 0) + 1
        if tries == 1:
            self.complain("%s: %s; I try again" % (what, why))
        return min(PAUSE_S * 2 ** min(tries - 1, 8), PAUSE_MOST_S) * random.uniform(0.5, 1)

    def well(self, what):
        for name in "Redis", what:
            if self._troubles.pop(name, 0):
                self.complain("%s: well again" % name)

    # --- calling ---

    def send(self, to, what, *args):
        """At least once. Refused where no node has an actor of that name, or too much waits."""
        self._host(to).put(*wire.trace_part(), [SEND, to, what, *args])

    def ask(self, to, what, *args, timeout=PATIENCE_S):
        """The list of the answer's values, or Refused: at once where its node is gone."""
        peer, number, waiting = self._host(to), next(self._numbers), AsyncResult()
        self._asks[number] = peer, waiting
        try:
            peer.put(*wire.trace_part(), [ASK, number, int(timeout * 1000), to, what, *args])
            return waiting.get(timeout=timeout)
        except gevent.Timeout:
            raise Refused(ETIME, "%s.%s has not answered in %g s" % (to, what, timeout)) from None
        finally:
            del self._asks[number]

    def monitor(self, to, callback):
        """callback(name, reason), once, when that actor or its node has ended."""
        peer, number = self._host(to), next(self._numbers)
        self._watches[number] = peer, to, callback
        peer.put([WATCH, number, to])

    def send_patch(self, source, to="*", timeout=10):
        """C source to a group of nodes, a node, or all, also those that come later: the
        patch's number on each; see rollout.py."""
        return rollout.send(self.db, source, to, timeout)

    def _host(self, to):
        hosts = [p for p in self._peers.values() if p.here and to in p.topics]
        if not hosts:
            raise Refused(ENOENT, "no node has an actor %s (this one has looked %s)" %
                          (to, "since " + self.since if self.joined.is_set() else "for none yet"))
        return hosts[next(self._turn) % len(hosts)]

    # --- who is there ---

    def _info(self):
        return msgpack.packb({"since": self.since, "version": "python", "patches": [],
                              "topics": self.topics})

    def _beat(self):
        said = self.db.eval(BEAT, 3, *self.keys, self.topic, self.identity, self.life, ALIVE_MS,
                            self._info(), FORGET_MS)
        if said[0] == b"taken":
            return False
        names = {name.decode() for name in said[2:]} - {self.topic}
        if said[1] != self._version or names != {p.name for p in self._peers.values() if p.here}:
            self._version = said[1]
            self._look(names)
        return True

    def _look(self, names):
        for name in names:
            life, info = self.db.hmget("actord:{nodes}:%s" % name, "life", "info")
            if info:
                self._seen(name, life, msgpack.unpackb(info, strict_map_key=False))
        for peer in self._peers.values():
            if peer.here and peer.name not in names:
                peer.here = False
                self._refuse(peer, "the node %s is gone" % peer.name)

    def _peer(self, name):
        if name not in self._peers:
            self._peers[name] = Peer(self, name)
        return self._peers[name]

    def _seen(self, name, life, info):
        peer = self._peer(name)
        if peer.here and peer.life != life:
            self._refuse(peer, "the node %s was started again" % name)
        peer.here, peer.life, peer.topics = True, life, tuple(info.get("topics") or ())

    def _refuse(self, peer, reason):
        for of, waiting in list(self._asks.values()):
            if of is peer:
                waiting.set_exception(Refused(ENOENT, reason))
        for number, (of, name, callback) in list(self._watches.items()):
            if of is peer:
                del self._watches[number]
                gevent.spawn(callback, name, reason)

    # --- its life ---

    def Run(self):
        before = self._join()
        if before is None:
            return
        self._helpers = [gevent.spawn(f) for f in (self._worker, lambda: self._reader(*before))]
        if self.streams:
            self._helpers += [gevent.spawn(self._sharer, topic) for topic in self.topics]
        while self.sleep(BEAT_S):
            try:
                if not self._beat():
                    raise redis.RedisError("another node has the name %s" % self.topic)
                self.well(NAME)
            except redis.RedisError as wrong:
                self.wrong(NAME, wrong)

    def _open(self):
        """Makes the inbox where there is none: its last id, Redis's clock, how far senders came."""
        return self.db.eval(JOIN, 2, self.key, self.key + ":seen")

    def _join(self):
        """The inbox first, then the name: nobody sends to an inbox that is not there."""
        while not self.closeSig:
            try:
                said = self._open()
                if self._beat():
                    words = [w.split() for w in said[3::2]]
                    self._came = {name.decode(): (int(life), int(last))
                                  for name, (life, last) in zip(said[2::2], words)}
                    self._done = dict(self._came)
                    self.joined.set()
                    self.well(NAME)
                    return entry_id(said[0]), int(said[1])
                raise redis.RedisError("another node has the name %s" % self.topic)
            except redis.RedisError as wrong:
                self.sleep(self.wrong(NAME, wrong))
        return None

    def onDestroy(self):
        gevent.killall(self._helpers + [p.greenlet for p in self._peers.values()])
        try:
            self.db.eval(LEAVE, 3, *self.keys, self.topic, self.life)
        except redis.RedisError:
            pass                        # it is gone when its time is over

    # --- what comes ---

    def _reader(self, before, joined_ms):
        at, lost = b"0-0", False
        while not self.closeSig:
            try:
                if lost and entry_id(self._open()[0]) < entry_id(at):
                    at = b"0-0"         # Redis has lost it all
                lost = False
                said = self.db.xread({self.key: at}, READ_FRAMES, BLOCK_MS)
                self.well(self.key)
            except redis.RedisError as wrong:
                lost = True
                self.sleep(self.wrong(self.key, wrong))
                continue
            for name, fields in (said[0][1] if said else ()):
                at = name
                again = entry_id(name) <= before
                try:
                    self._frame(name, fields[b"f"], again, joined_ms)
                except (KeyError, ValueError, TypeError) as wrong:
                    self.complain("a frame was refused: %s" % wrong)

    def _frame(self, name, data, again, joined_ms):
        (node, life, sequence), parts = wire.unframe(data)
        was = self._came.get(node)
        if was and was[0] == life and sequence <= was[1]:
            return
        self._came[node] = life, sequence
        peer = self._peer(node)
        calls, client, link = [], False, None
        for part in parts:
            if part[0] == TRACE:
                link = tuple(part[1:4])
                continue
            if client and part[0] == ASK:
                peer.put([REFUSAL, part[1], ENOENT, "clients cannot call functions in Python"])
            elif part[0] in (SEND, ASK) and not client:
                late = part[0] == ASK and again and part[2] and \
                    entry_id(name)[0] + part[2] < joined_ms     # whoever asked has given up
                calls += [] if late else [(part, link)]
            elif not client:
                self._came_part(peer, part)
            client = part[0] == CLIENT  # what is behind it a client has called
            link = link if client else None
        self._work.put((name, node, life, sequence, peer, calls, again))

    def _came_part(self, peer, part):
        kind, number = part[:2]
        waiting = self._asks.get(number, (None, None))[1]
        if kind == ANSWER and waiting:
            waiting.set(part[2:])
        elif kind == REFUSAL and waiting:
            waiting.set_exception(Refused(part[2], part[3]))
        elif kind == DOWN and number in self._watches:
            _, name, callback = self._watches.pop(number)
            gevent.spawn(callback, name, part[3])
        elif kind == WATCH and part[2] not in self.topics:
            peer.put([DOWN, number, part[2], "there is no such actor there"])

    def _worker(self):
        held = 0
        while True:
            name, node, life, sequence, peer, calls, self.again = self._work.get()
            for part, link in calls:
                with wire.tracing(link):
                    self._run_part(peer, part)
            self._done[node] = life, sequence
            held += 1
            if held == ACK_EVERY or self._work.empty():
                held = 0
                self._acknowledge(name)

    def _run_part(self, peer, part):
        asked = part[0] == ASK
        to, what, *args = part[3:] if asked else part[1:]
        try:
            if to not in self.topics:
                raise Refused(ENOENT, "there is no actor %s on the node %s" % (to, self.topic))
            answer = self.app.call(what, args)
            values = list(answer) if isinstance(answer, tuple) else \
                [] if answer is None else [answer]
            msgpack.packb(values)       # what cannot be sent is this call's fault
            part = [ANSWER, part[1], *values]
        except Refused as wrong:
            if not asked:
                self.complain("%s was refused: %s" % (what, wrong.text))
            part = [REFUSAL, part[1], wrong.code, wrong.text]
        except (TypeError, ValueError, OverflowError) as wrong:
            part = [REFUSAL, part[1], wire.EARGS, "%s: its answer: %s" % (what, wrong)]
        if asked:
            peer.parts += [*wire.trace_part(), part]    # answers always go: questions bound them
            peer.more.set()

    def _acknowledge(self, name):
        ms, number = entry_id(name)
        seen = [w for node, (life, last) in self._done.items()
                for w in (node, "%d %d" % (life, last))]
        try:
            self.db.eval(ACKNOWLEDGE, 2, self.key, self.key + ":seen", "%d-%d" % (ms, number + 1),
                         *seen)
        except redis.RedisError as wrong:
            self.complain("handled, but not acknowledged: %s" % wrong)

    # --- shared streams ---

    def _sharer(self, topic):
        key, at = "actord:{%s}" % topic, "0"    # first what an earlier life of this node had
        while not self.closeSig:
            try:
                self.db.xgroup_create(key, "actord", "0", mkstream=True)
            except redis.ResponseError:
                pass                    # it is there
            except redis.RedisError as wrong:
                self.sleep(self.wrong(key, wrong))
                continue
            at = self._share(key, at)

    def _share(self, key, at):
        try:
            said = self.db.xreadgroup("actord", self.topic, {key: at}, 64, BLOCK_MS)
            entries = said[0][1] if said else []
            for name, fields in entries:
                self.again = at != ">"
                for m in self._messages(key, fields or {}):
                    with wire.tracing(wire.trace_of(m)):
                        self._shared(key, m)
                self.db.eval(SHARE_DONE, 1, key, name)
            self.well(key)
            return at if at != ">" and entries else ">"
        except redis.RedisError as wrong:
            self.sleep(self.wrong(key, wrong))
            return "0"

    def _messages(self, key, fields):
        data = fields.get(b"m", b"")
        try:
            if wire.is_json(data):
                return [wire.decode(data)]
            unpacker = msgpack.Unpacker(strict_map_key=False)
            unpacker.feed(data)
            return [wire.decode(msgpack.packb(m)) for m in unpacker]
        except (ValueError, msgpack.UnpackException) as wrong:
            self.complain("%s: an entry was refused: %s" % (key, wrong))
            return []

    def _shared(self, key, m):
        answer = {"func": m.get("cb"), "args": [], **wire.trace_key()}
        if "id" in m:
            answer["id"] = m["id"]
        try:
            value = self.app.call(m.get("func") or "", m.get("args") or [])
            answer["args"] = [value]
        except Refused as wrong:
            self.complain("%s was refused: %s" % (key, wrong.text))
            answer["err"] = {"code": wrong.code, "text": wrong.text}
        if m.get("cb") and m.get("ct"):
            data = wire.encode(answer, False)
            if not publish(self.db, m["ct"], data):
                self.db.rpush(m["ct"], data)
