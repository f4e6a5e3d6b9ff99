# SPDX-License-Identifier: MIT
"""The other nodes: what is sent to them (runtime/bus/peer.c has the other side), and which of their
frames have come already (runtime/bus/senders.c)."""

import time
from collections import deque

import gevent
import redis
from gevent.event import Event

from . import wire
from .wire import EFULL, Refused

WAITING_MOST, WAITING_BYTES_MOST, FRAME_BYTES = 16384, 64 << 20, 256 << 10
INBOX_MOST, LOOK_EVERY, LOOK_S, PAUSE_S = 256, 16, 0.01, 0.2
TRUSTED, LIVES_MOST, ROOM_LASTS = 64, 4, 5


class Peer:
    """Another node: what waits for it goes as one frame as soon as Redis has the frame before. It
    is given up only when the node is gone and its inbox, too."""

    def __init__(self, node, name):
        self.node, self.name, self.key = node, name, "actord:{node:%s}" % name
        self.parts, self.bytes, self.more, self.rest = deque(), 0, Event(), Event()
        self.rest.set()                 # nothing waits, nothing is under way
        self.sequence, self.here, self.crowded = node.sequences.pop(name, 0), False, False
        self.life, self.topics = None, ()
        # Its actors that take nothing more, in which life, until: who ends first stands first.
        self.full = {}
        self.greenlet = gevent.spawn(self._write)

    def put(self, data, always=False):
        """A part's bytes. always: an answer, which questions bound. Refused: too much waits."""
        if not always and (len(self.parts) >= WAITING_MOST or self.bytes > WAITING_BYTES_MOST):
            raise Refused(EFULL, "%d messages wait for the node %s" % (len(self.parts), self.name))
        self.parts.append(wire.traced(data))
        self.bytes += len(self.parts[-1])
        self.rest.clear()
        self.more.set()

    def came_room(self, name, life, room):
        now, life = time.monotonic(), b"%d" % life
        if not room or self.full.get(name, (None, 0))[0] == life:
            self.full.pop(name, None)
        if not room:
            self.full[name] = life, now + ROOM_LASTS
        while self.full and next(iter(self.full.values()))[1] <= now:
            del self.full[next(iter(self.full))]

    def is_full(self, name):
        """What an earlier life of its said counts no more."""
        life, until = self.full.get(name, (None, 0))
        return life == self.life and time.monotonic() < until

    def _take(self):
        """As much as a frame has."""
        parts, size = [], 0
        while self.parts and (not parts or size + len(self.parts[0]) <= FRAME_BYTES):
            parts.append(self.parts.popleft())
            size += len(parts[-1])
        self.bytes -= size
        return parts

    def _write(self):
        while True:
            self.more.wait()
            parts = self._take()
            if not parts:
                self.more.clear()
                self.rest.set()
                continue
            self.sequence += 1
            if not self._fly(wire.frame(self.node.topic, self.node.life, self.sequence, parts)):
                self.node.complain("the node %s is gone with its inbox; %d messages to it are lost"
                                   % (self.name, len(parts)))

    def _fly(self, data):
        """Until Redis has it (True), or nobody is there to have it. The same frame again, where
        the first try's end is not known, is seen as such."""
        while True:
            try:
                if self.here and (self.crowded or self.sequence % LOOK_EVERY == 0):
                    self.crowded = self.node.db.xlen(self.key) > INBOX_MOST
                    if self.crowded:
                        gevent.sleep(LOOK_S)
                        continue
                there = self.node.db.xadd(self.key, {"f": data}, nomkstream=True)
                self.node.well(self.key)
                if there or not self.here:
                    return bool(there)
                gevent.sleep(PAUSE_S)
            except redis.RedisError as wrong:
                gevent.sleep(self.node.wrong(self.key, wrong))

    def end(self):
        self.node.sequences[self.name] = self.sequence
        self.greenlet.kill()


class Sender:
    """How far another node's frames have come. A sequence that is too high comes of frames that
    Redis lost, or of a forger: those before it are still waited for, until TRUSTED follow it."""

    def __init__(self, life=0, last=0):
        self.life, self.last, self.early, self.early_to, self.others = life, last, 0, 0, {}

    def is_new(self, life, sequence):
        if life != self.life:
            self.others[self.life] = self.last
            while len(self.others) > LIVES_MOST:
                del self.others[next(iter(self.others))]
            self.life, self.last = life, self.others.pop(life, 0)
            self.early = self.early_to = 0
        if sequence == self.last + 1:
            self.last = sequence
            return True
        if sequence <= self.last or self.early <= sequence <= self.early_to:
            return False
        self._came_early(sequence)
        return True

    def _came_early(self, sequence):
        if not self.early or sequence != self.early_to + 1:
            self.early = sequence
        self.early_to = sequence
        if sequence - self.early + 1 >= TRUSTED:
            self.last, self.early, self.early_to = sequence, 0, 0
