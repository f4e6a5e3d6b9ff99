# SPDX-License-Identifier: MIT
"""The streams that all nodes which host a topic share (runtime/bus/streams.c has the keys): a
consumer a node, under its name. What a node had that is gone, or this one in its last life, is
claimed and handled with `node.again` true; what STREAMS_DEATHS nodes died of is put aside."""

import time
from itertools import chain

import msgpack
import redis

from . import link, wire
from .wire import EARGS, ENOENT, Refused

GROUP, READ_MOST, BLOCK_MS, CLAIM_MOST = "actord", 64, 2000, 100
CLAIM_IDLE_MS, LOOK_S, LOOK_FIRST_S, DEATHS, ASIDE_MOST = 1000, 10, 3.1, 3, 10000

# An XACK of no entry first: behind a write that is allowed at the memory limit others are, too.
MAKE = """
redis.pcall('XACK', KEYS[1], 'actord', '0-0')
return redis.pcall('XGROUP', 'CREATE', KEYS[1], 'actord', '0', 'MKSTREAM')"""

# ARGV: the entry, how many letters are kept; then of each letter m, deaths, reason.
DONE = """
redis.call('XACK', KEYS[1], 'actord', '0-0')
local full = ARGV[3] and redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[2])
for i = 3, full and 0 or #ARGV, 3 do
redis.call('XADD', KEYS[2], '*', 'm', ARGV[i], 'id', ARGV[1], 'deaths', ARGV[i + 1], 'reason',
 ARGV[i + 2]) end
redis.call('XACK', KEYS[1], 'actord', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
return full and 1 or 0"""

BURY = """
redis.call('XACK', KEYS[1], 'actord', '0-0')
local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not e then return redis.call('XACK', KEYS[1], 'actord', ARGV[1]) end
local m = ''
for i = 1, #e[2], 2 do if e[2][i] == 'm' then m = m .. e[2][i + 1] end end
redis.call('XADD', KEYS[2], '*', 'm', m, 'id', ARGV[1], 'deaths', ARGV[2], 'reason', ARGV[3])
redis.call('XACK', KEYS[1], 'actord', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
return 1"""


def entries_of(reply, **_):
    """All fields of each, in pairs: a name may stand there twice."""
    return [(one[0], list(zip(one[1][::2], one[1][1::2])) if one[1] else [])
            for one in reply or [] if one]


def streams_of(reply, **_):
    return [[key, entries_of(entries)] for key, entries in reply or []]


class Shared:
    """One topic's stream; run() is a greenlet's."""

    def __init__(self, node, topic):
        self.node, self.db, self.key = node, node.db, "actord:{%s}" % topic
        self.heir = False       # what our last life had has been claimed
        self.undone = {}        # handled, but Redis has not said that it knows; what is put aside
        self.looked = time.monotonic() + LOOK_FIRST_S - LOOK_S
        self.db.set_response_callback("XREADGROUP", streams_of)
        self.db.set_response_callback("XCLAIM", entries_of)

    def run(self):
        lost = True
        while not self.node.closeSig:
            try:
                if lost:
                    self._begin()
                lost = False
                self._claim_from_dead()
                said = self.db.xreadgroup(GROUP, self.node.topic, {self.key: ">"}, READ_MOST,
                                          BLOCK_MS)
                self.node.well(self.key)
                self._take(said[0][1] if said else [], False)
            except redis.RedisError as wrong:
                lost = True
                self.node.sleep(self.node.wrong(self.key, wrong))

    def _begin(self):
        try:
            self.db.eval(MAKE, 1, self.key)
        except redis.ResponseError as wrong:
            if "BUSYGROUP" not in str(wrong):
                raise
        if not self.heir:
            self._revive(self.node.topic, 0)
            self.heir = True
        at = "0"                # given to this life as the link was lost: nobody died of it
        while at:
            entries = self.db.xreadgroup(GROUP, self.node.topic, {self.key: at}, READ_MOST)[0][1]
            self._take(entries, True)
            at = entries[-1][0] if entries else None

    def _claim_from_dead(self):
        if time.monotonic() < self.looked + LOOK_S or self.node.is_early():
            return
        self.looked = time.monotonic()
        for one in self.db.xpending(self.key, GROUP)["consumers"]:
            who = one["name"].decode(errors="replace")
            if who != self.node.topic and not self.node.is_there(who):
                self._revive(who, CLAIM_IDLE_MS)

    def _revive(self, who, idle_ms):
        ids = []
        for one in self.db.xpending_range(self.key, GROUP, "-", "+", CLAIM_MOST, who):
            if one["times_delivered"] >= DEATHS:
                self._bury(one["message_id"], one["times_delivered"], who)
            else:
                ids.append(one["message_id"])
        if ids:
            self._take(self.db.xclaim(self.key, GROUP, self.node.topic, idle_ms, ids), True)

    def _bury(self, name, deaths, last):
        reason = "%d nodes died while they had it, the last was %s" % (deaths, last)
        self.node.complain("%s: message %s is put into %s:dead: %s" %
                           (self.key, name.decode(), self.key, reason))
        self.db.eval(BURY, 2, self.key, self.key + ":dead", name, deaths, reason)

    def _take(self, entries, again):
        for name, fields in entries:
            if self.node.closeSig:
                return          # it is our next life's
            with self.node.handling():
                self._entry(name, fields, again or (b"again", b"1") in fields)

    def _entry(self, name, fields, again):
        if name not in self.undone:
            aside = []          # what nobody handles, nor can be told that
            values = [value for key, value in fields if key == b"m" and value]
            if fields and not values:           # else it has been deleted
                aside.append((msgpack.packb(dict(fields), use_bin_type=False), None,
                              "the entry has no messages in a field m"))
            for part, m, wrong, as_json in chain(*map(self._messages, values)):
                with wire.tracing(wire.trace_of(m or {})):
                    wrong = wrong or self._handle(m, as_json, again)
                if wrong:
                    aside.append((part, m, wrong))
            self.undone[name] = aside
        self._done(name, self.undone[name])
        del self.undone[name]

    def _done(self, name, aside):
        """What is no message is a letter of its own: deaths 0, nobody sends it again."""
        letters = []
        for deaths, ones in (("", [x for x in aside if x[1] is not None]),
                             (0, [x for x in aside if x[1] is None])):
            if ones:
                letters += b"".join(part for part, _, _ in ones), deaths, ones[0][2]
        full = self.db.eval(DONE, 2, self.key, self.key + ":dead", name, ASIDE_MOST, *letters)
        if aside:
            where = "dropped, as there are %d in" % ASIDE_MOST if full else "put into"
            self.node.complain("%s: what of %s cannot be handled is %s %s:dead: %s" %
                               (self.key, name.decode(), where, self.key, aside[0][2]))

    @staticmethod
    def _messages(data):
        """Of each its bytes, itself or None, what is wrong with it or None, and whether in JSON."""
        as_json, ends = wire.is_json(data), [0]
        if as_json:
            values, wrong, ends = [data], None, [0, len(data)]
        else:
            values, wrong = wire.unpack_all(data, ends)
        for i, value in enumerate(values):
            part = data[ends[i]:ends[i + 1]]
            try:
                yield part, wire.decode(part) if as_json else wire.checked(value), None, as_json
            except ValueError as why:
                yield part, None, str(why), as_json
        if wrong:
            yield data[ends[-1]:], None, wrong, as_json

    def _handle(self, m, as_json, again):
        """Why it is not handled, where nobody asked who could be told."""
        told = m.get("cb") and m.get("ct")
        try:
            answer = {"args": self.node.run_function(m.get("func") or "", m.get("args") or [],
                                                     again)}
        except Refused as wrong:
            if not told and wrong.code in (EARGS, ENOENT):
                return wrong.text
            self.node.complain("%s was refused: %s" % (self.key, wrong.text))
            answer = wire.sorry(wrong)
        if told:
            self._answer(m, answer, as_json)
        return None

    def _answer(self, m, answer, as_json):
        answer.update({"func": m["cb"], **wire.trace_key()})
        if "id" in m:
            answer["id"] = m["id"]
        try:
            data = wire.encode(answer, as_json)
        except (TypeError, ValueError, OverflowError) as wrong:
            answer.update(wire.sorry(Refused(EARGS, "the answer: %s" % wrong)))
            data = wire.encode(answer, as_json)
        try:
            link.answer(self.db, m["ct"], data)
        except (redis.RedisError, ValueError) as wrong:
            self.node.complain("%s: an answer was lost: %s" % (self.key, wrong))
