# SPDX-License-Identifier: MIT
"""A node beside the nodes in C: they find it, call its functions by the names of its topics, and
are called by theirs. What is sent is kept in Redis until it has been handled (runtime/bus/inbox.c,
peer.c, nodes.c have the other side of every key):

    actord:{nodes}            who is there, by a script twice a second; :NAME and :version beside it
    actord:{node:NAME}        a node's inbox, a stream of frames; :seen, how far its senders came
    actord:{TOPIC}            with streams=True: the stream that all nodes which host TOPIC share

Functions run one after the other, in the order in which each sender sent; one that asks lets the
reader go on. A call that may have been run in an earlier life of this node runs with `node.again`
true. What computes for over ALIVE_MS without letting others run (gevent.sleep(0)) keeps the node
from saying that it is there: others take it for gone until it does.
"""

import contextlib
import itertools
import random
import time
import traceback
import uuid

import gevent
import redis
from gevent.event import AsyncResult, Event
from gevent.local import local
from gevent.lock import RLock
from gevent.queue import Queue
import msgpack

from . import rollout, wire
from .link import Linked
from .peer import Peer, Sender
from .shared import Shared
from .wire import (ANSWER, ASK, CLIENT, DOWN, EFAIL, EFULL, ENOENT, ETIME, MS_MOST, REFUSAL, ROOM,
                   SEND, TRACE, UNWATCH, WATCH, Refused)

BEAT_S, ALIVE_MS, FORGET_MS, CHANNEL = 0.5, 3000, 86400000, "actord:nodes"
BLOCK_MS, READ_FRAMES, ACK_EVERY, PEERS_MOST = 2000, 32, 64, 1024
PATIENCE_S, FINISH_S, NAME, NAME_MOST = 5, 5, "the node's name", 240

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

# The last entry's id, Redis's clock in ms, then senders and how far they came. Where memory is full
# it may write as it has taken away before.
JOIN = """
redis.call('HDEL', KEYS[2], '')
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


def entry_id(text):
    ms, number = text.split(b"-" if isinstance(text, bytes) else "-")
    return int(ms), int(number)


class Taken(redis.RedisError):
    """Another process has this node's name."""


class Node(Linked):
    """A node named `name` that hosts `topics` (its name, where there are none): a message to one
    calls the function of the app that it names. streams: also from the topics' shared streams.
    conf: url=, or what redis.Redis() takes; see link.py."""

    def __init__(self, name, topics=(), streams=False, **conf):
        if not 0 < len(name.encode()) <= NAME_MOST:
            raise ValueError("a node's name has 1 to %d bytes" % NAME_MOST)
        Linked.__init__(self, name, **conf)
        self.topics, self.streams = list(topics) or [name], streams
        self.joined = Event()
        self.life, self.identity = time.time_ns() >> 10, uuid.uuid4().hex
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.key = "actord:{node:%s}" % name
        self.keys = ["actord:{nodes}", "actord:{nodes}:%s" % name, "actord:{nodes}:version"]
        self.sequences = {}             # of peers that were forgotten
        self._version, self._peers, self._turn, self._back = None, {}, itertools.count(), None
        # From anywhere: no answer to an earlier life's question is taken for one to this one's.
        self._numbers = itertools.count(random.getrandbits(31) + 1)
        self._asks, self._watches = {}, {}
        self._senders, self._done, self._unsaid, self._work = {}, {}, None, Queue()
        self._one, self._mine = RLock(), local()        # one function at a time; .again
        self._acking = RLock()
        self._helpers, self._busy, self._still, self._left = [], 0, Event(), False
        self._still.set()

    @property
    def again(self):
        return getattr(self._mine, "again", False)

    # --- calling ---

    def send(self, to, what, *args):
        """At least once. Refused where no node has an actor of that name, or too much waits."""
        peer, data = self._host(to), wire.part([SEND], args, [to, what])
        if peer:
            peer.put(data)
        else:
            self._work.put((None, None, None, [([SEND, to, what, *args], wire.link())], False))

    def ask(self, to, what, *args, timeout=PATIENCE_S):
        """The list of the answer's values, or Refused: at once where its node is gone. What this
        node hosts itself is called at once, too, by a function or by anybody."""
        peer, number, waiting = self._host(to), next(self._numbers), AsyncResult()
        if not peer:
            return self.run_function(what, list(args), False, timeout)
        ms = max(1, min(int(timeout * 1000), MS_MOST))
        data = wire.part([ASK, number, ms], args, [to, what])
        self._asks[number] = peer, waiting
        try:
            peer.put(data)
            if not waiting.wait(timeout) and not waiting.ready():
                raise Refused(ETIME, "%s.%s has not answered in %g s" % (to, what, timeout))
            return waiting.get(block=False)
        finally:
            del self._asks[number]

    def monitor(self, to, callback):
        """callback(name, reason), once, when that actor or its node has ended. Its number is for
        demonitor(); 0: it is of this node, which ends when its program does."""
        peer, number = self._host(to, False), next(self._numbers)
        if not peer:
            return 0
        peer.put(wire.part([WATCH, number], names=[to]))
        self._watches[number] = peer, to, callback
        return number

    def demonitor(self, number):
        peer = self._watches.pop(number, [None])[0]
        if peer:
            peer.put(wire.part([UNWATCH, number]), always=True)

    def send_patch(self, source, to="*", timeout=10):
        """C source to a group of nodes, a node, or all, also those that come later: the
        patch's number on each; see rollout.py."""
        return rollout.send(self.db, source, to, timeout)

    def _host(self, to, room=True):
        """None: this node itself. room: it has to take more there."""
        if self._left:
            raise Refused(ENOENT, "the node %s has left" % self.topic)
        if to in self.topics:
            return None
        hosts = [p for p in self._peers.values() if p.here and to in p.topics]
        if to.startswith("list:"):
            raise Refused(ENOENT, "%s: lists are an RPCModule's: call() and ask()" % to)
        if not hosts:
            raise Refused(ENOENT, "no node has an actor %s (this one has looked %s)" %
                          (to, "since " + self.since if self.joined.is_set() else "for none yet"))
        free = [p for p in hosts if not room or not p.is_full(to)]
        if not free:
            raise Refused(EFULL, "%s: its mailbox, on another node, is full, and more waits for "
                          "it: try again later" % to)
        return free[next(self._turn) % len(free)]

    # --- who is there ---

    def _info(self):
        return msgpack.packb({"since": self.since, "version": "python", "patches": [],
                              "topics": self.topics})

    def is_early(self):
        """While Redis was away nobody could be heard: who is back first does not bury the rest."""
        return self._back is not None and time.monotonic() < self._back + ALIVE_MS / 1000

    def is_there(self, name):
        return name in self._peers and self._peers[name].here

    def _beat(self):
        begin = time.monotonic()
        said = self.db.eval(BEAT, 3, *self.keys, self.topic, self.identity, self.life, ALIVE_MS,
                            self._info(), FORGET_MS)
        if said[0] == b"taken":
            raise Taken("another node has the name %s" % self.topic)
        if NAME in self._troubles or "Redis" in self._troubles or \
                time.monotonic() - begin > BEAT_S:
            self._back = time.monotonic()
        self.well(NAME)
        here = {p.name for p in self._peers.values() if p.here}
        names = {name.decode(errors="replace") for name in said[2:]} - {self.topic}
        if self.is_early():
            names |= here
        if said[1] != self._version or names != here:
            self._look(names)
            self._version = said[1]

    def _look(self, names):
        for name in names:
            life, info = self.db.hmget("actord:{nodes}:%s" % name, "life", "info")
            values, wrong = wire.unpack_all(info or b"")
            topics = values[0].get("topics") or [] if values and isinstance(values[0], dict) else ()
            if isinstance(topics, list):
                self._seen(name, life, topics)
            elif info:
                self._trouble("the node %s: what it says of itself has no sense" % name, wrong)
        for peer in self._peers.values():
            if peer.here and peer.name not in names:
                peer.here = False
                self._refuse(peer, "the node %s is gone" % peer.name)

    def _trouble(self, what, wrong):
        if what not in self._troubles:
            self._troubles[what] = 1
            self.complain("%s: %s" % (what, wrong or "no map"))

    def _peer(self, name):
        if name not in self._peers:
            if len(self._peers) >= PEERS_MOST:
                self._forget()
            self._peers[name] = Peer(self, name)
        return self._peers[name]

    def _forget(self):
        """One that is gone, and that nothing waits for."""
        for peer in self._peers.values():
            if not peer.here and peer.rest.is_set():
                del self._peers[peer.name]
                peer.end()
                return
        raise ValueError("there are too many nodes")

    def _seen(self, name, life, topics):
        peer = self._peer(name)
        if peer.here and peer.life != life:
            self._refuse(peer, "the node %s was started again" % name)
        peer.here, peer.life, peer.topics = True, life, topics

    def _refuse(self, peer, reason):
        """What waits for an answer of that peer, or (None) of any."""
        for of, waiting in list(self._asks.values()):
            if of is peer or not peer:
                waiting.set_exception(Refused(ENOENT, reason))
        for number, (of, name, callback) in list(self._watches.items()):
            if of is peer:
                del self._watches[number]
                gevent.spawn(callback, name, reason)

    # --- its life ---

    def Run(self):
        while not self.closeSig:
            try:
                before = self._join()
                self._helpers = [gevent.spawn(self._worker), gevent.spawn(self._reader, *before)]
                if self.streams:
                    self._helpers += [gevent.spawn(Shared(self, t).run) for t in self.topics]
                self._live()
            except Taken as wrong:
                self._put_down()
                self.sleep(self.wrong(NAME, wrong))
            except (redis.RedisError, ValueError) as wrong:     # not joined yet
                self.sleep(self.wrong(NAME, wrong))

    def _live(self):
        while self.sleep(BEAT_S):
            try:
                self._beat()
                self._acknowledge()
            except Taken:
                raise
            except (redis.RedisError, ValueError) as wrong:
                self.wrong(NAME, wrong)

    def _put_down(self):
        """Another has the name, and with it the inbox: from now on nothing is taken from that."""
        self.joined.clear()
        gevent.killall(self._helpers)
        self._helpers, self._unsaid, self._work = [], None, Queue()
        self._refuse(None, "another node has the name %s" % self.topic)

    def _open(self):
        """Makes the inbox where there is none: its last id, Redis's clock, how far senders came."""
        return self.db.eval(JOIN, 2, self.key, self.key + ":seen")

    def _join(self):
        """The inbox first, then the name: nobody sends to an inbox that is not there."""
        said = self._open()
        self._beat()
        words = [w.split() for w in said[3::2]]
        self._senders = {name.decode(): Sender(int(life), int(last))
                         for name, (life, last) in zip(said[2::2], words)}
        self.joined.set()
        return entry_id(said[0]), int(said[1])

    def onDestroy(self):
        """What is being run is finished, and what was said goes, in FINISH_S; then it leaves."""
        helpers = [h for h in self._helpers if h is not gevent.getcurrent()]
        if len(helpers) == len(self._helpers):  # else a function of ours ends the app
            self._still.wait(FINISH_S)
        gevent.killall(helpers)
        self._left = True
        self._refuse(None, "the node %s has left" % self.topic)
        end = time.monotonic() + FINISH_S
        for peer in self._peers.values():
            if not peer.rest.wait(max(0, end - time.monotonic())):
                self.complain("%d messages to the node %s are lost" %
                              (len(peer.parts) + 1, peer.name))
            peer.end()
        try:
            self._acknowledge()
            self.db.eval(LEAVE, 3, *self.keys, self.topic, self.life)
        except redis.RedisError:
            pass                        # it is gone when its time is over

    @contextlib.contextmanager
    def handling(self):
        """What should be finished before the node leaves."""
        self._busy += 1
        self._still.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._still.set()

    # --- what comes ---

    def _reader(self, before, joined_ms):
        at, look = b"0-0", False
        while True:
            try:
                if look and entry_id(self._open()[0]) < entry_id(at):
                    at = b"0-0"         # Redis has lost it all
                said = self.db.xread({self.key: at}, READ_FRAMES, BLOCK_MS)
                look = not said         # what is gone looks like what nothing comes by
                self.well(self.key)
            except redis.RedisError as wrong:
                look = True
                self.sleep(self.wrong(self.key, wrong))
                continue
            for at, fields in (said[0][1] if said else ()):
                try:
                    self._frame(at, fields[b"f"], entry_id(at) <= before, joined_ms)
                except (KeyError, ValueError, Refused) as wrong:
                    self.complain("a frame was refused: %s" % wrong)

    def _frame(self, name, data, again, joined_ms):
        (node, life, sequence), parts, wrong = wire.unframe(data)
        sender = self._senders.setdefault(node, Sender())
        if not sender.is_new(life, sequence):
            return
        peer = self._peer(node)
        calls, client, link = [], False, None
        for part in parts:
            kind = part[0]
            if kind == TRACE:
                link = tuple(part[1:4])
                continue
            if wire.is_unknown(part):
                self._trouble("the node %s writes parts of kind %d" % (node, kind),
                              "they are not known here, and passed over")
            elif client and kind == ASK:
                peer.put(wire.refusal(part[1], Refused(
                    ENOENT, "clients cannot call functions in Python")), always=True)
            elif kind in (SEND, ASK) and not client:
                late = kind == ASK and again and part[2] and \
                    entry_id(name)[0] + part[2] < joined_ms     # whoever asked has given up
                calls += [] if late else [(part, link)]
            elif not client:
                self._came_part(peer, life, part)
            client = kind == CLIENT     # what is behind it a client has called
            link = link if client else None
        self._work.put((name, (node, sender.life, sender.last), peer, calls, again))
        if wrong:
            self.complain("the rest of a frame of the node %s was refused: %s" % (node, wrong))

    def _came_part(self, peer, life, part):
        kind, number = part[:2]
        of, waiting = self._asks.get(number, (None, None))
        if kind == ANSWER and of is peer:
            waiting.set(part[2:])
        elif kind == REFUSAL and of is peer:
            waiting.set_exception(Refused(part[2], part[3]))
        elif kind == DOWN and self._watches.get(number, [None])[0] is peer:
            _, name, callback = self._watches.pop(number)
            gevent.spawn(callback, name, part[3])
        elif kind == ANSWER and number == ROOM:
            peer.came_room(part[3], life, part[2])
        elif kind == WATCH and part[2] not in self.topics:
            peer.put(wire.part([DOWN, number, wire.text(part[2]), "there is no such actor there"]),
                     always=True)

    def _worker(self):
        held = 0
        while not self.closeSig:
            name, came, peer, calls, again = self._work.get()
            with self.handling():
                for part, link in calls:
                    with wire.tracing(link):
                        self._run_part(peer, part, again)
                if not name:
                    continue
                node, *seen = came
                self._done[node], self._unsaid = seen, name
                held += 1
                if held >= ACK_EVERY or self._work.empty() or self.closeSig:
                    held = 0
                    self._try_acknowledge()

    def run_function(self, what, args, again, timeout=None):
        """The list of its values: of a tuple each, of None none. Refused says what was wrong."""
        if not self._one.acquire(timeout=timeout):
            raise Refused(ETIME, "%s: what is being run took over %g s" % (what, timeout))
        before, self._mine.again = self.again, again
        try:
            value = self.app.call(what, args)
        finally:
            self._mine.again = before
            self._one.release()
        return list(value) if isinstance(value, tuple) else [] if value is None else [value]

    def _run_part(self, peer, part, again):
        asked = part[0] == ASK
        to, what, *args = part[3:] if asked else part[1:]
        try:
            if to not in self.topics:
                raise Refused(ENOENT, "there is no actor %s on the node %s" % (to, self.topic))
            values = self.run_function(what, args, again)
            answer = self._answer(part[1], what, values) if asked else None
        except Refused as wrong:
            if not asked:
                self.complain("%s was refused: %s" % (what, wrong.text))
            answer = wire.refusal(part[1], wrong) if asked else None
        except Exception as wrong:      # the next message finds a worker
            self.complain(traceback.format_exc())
            answer = wire.refusal(part[1], Refused(EFAIL, wrong)) if asked else None
        if answer:
            peer.put(answer, always=True)

    @staticmethod
    def _answer(number, what, values):
        try:
            return wire.part([ANSWER, number], values)
        except Refused as wrong:
            raise Refused(wrong.code, "%s: its answer: %s" % (what, wrong.text)) from None

    def _try_acknowledge(self):
        try:
            self._acknowledge()
            self.well("handled, but not acknowledged")
        except redis.RedisError as wrong:
            self.wrong("handled, but not acknowledged", wrong)  # with a beat, then

    def _acknowledge(self):
        with self._acking:
            self._acknowledge_one()

    def _acknowledge_one(self):
        name, seen = self._unsaid, dict(self._done)
        if not name:
            return
        ms, number = entry_id(name)
        words = [w for node, of in seen.items() for w in (node, "%d %d" % tuple(of))]
        self.db.eval(ACKNOWLEDGE, 2, self.key, self.key + ":seen", "%d-%d" % (ms, number + 1),
                     *words)
        if self._unsaid == name:
            self._unsaid = None
        for node, of in seen.items():
            if self._done.get(node) is of:
                del self._done[node]
