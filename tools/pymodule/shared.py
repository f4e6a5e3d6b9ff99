# SPDX-License-Identifier: MIT
"""The streams that all nodes which host a topic share (runtime/bus/streams.c has the keys): a
consumer a node, under its name. What a node had that is gone, or this one in its last life, is
claimed and handled with `node.again` true; what DEATHS nodes died of is put aside.

As in runtime/bus/heirs.c: an entry of several messages that two nodes died with is taken apart
before it is handled again, into entries whose `suspect` says how many died; each time that one is
begun is one more."""

import time
from itertools import accumulate, chain

import msgpack
import redis

from . import link, wire
from .wire import EARGS, ENOENT, Refused

GROUP, READ_MOST, BLOCK_MS, CLAIM_MOST, APART_MOST = "actord", 64, 2000, 100, 1000
LOOK_S, LOOK_FIRST_S, DEATHS, APART_DEATHS, ASIDE_MOST = 10, 3.1, 3, 2, 10000

# An XACK of no entry first: behind a write that is allowed at the memory limit others are, too.
MAKE = """
redis.pcall('XACK', KEYS[1], 'actord', '0-0')
return redis.pcall('XGROUP', 'CREATE', KEYS[1], 'actord', '0', 'MKSTREAM')"""

# ARGV: the entry, how many letters are kept, whether it may have been handled before; then of each
# letter m, deaths, reason.
DONE = """
redis.call('XACK', KEYS[1], 'actord', '0-0')
local full = ARGV[4] and redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[2])
for i = 4, full and 0 or #ARGV, 3 do
redis.call('XADD', KEYS[2], '*', 'm', ARGV[i], 'id', ARGV[1], 'deaths', ARGV[i + 1], 'reason',
 ARGV[i + 2], 'again', ARGV[3]) end
redis.call('XACK', KEYS[1], 'actord', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
return full and 1 or 0"""

# The three of heirs.c. From ARGV[2] to ARGV[1], without a count: ids; those that were its.
CLAIM = """
local out = {}
for i = 3, #ARGV do
local p = redis.call('XPENDING', KEYS[1], 'actord', ARGV[i], ARGV[i], 1)[1]
if p and p[2] == ARGV[2] then
redis.call('XCLAIM', KEYS[1], 'actord', ARGV[1], 0, ARGV[i], 'JUSTID')
table.insert(out, ARGV[i]) end
end
return out"""

# What is ARGV[1]'s still, and its deliveries: ARGV[3]; '': one more, as ARGV[4] at most.
TAKE = """
local p = redis.call('XPENDING', KEYS[1], 'actord', ARGV[2], ARGV[2], 1)
if #p == 0 or p[1][2] ~= ARGV[1] then return {} end
local n = tonumber(ARGV[3])
if not n then
n = p[1][4]
local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
for i = 1, e and #e[2] or 0, 2 do if e[2][i] == 'suspect' then
n = math.max(n, tonumber(e[2][i + 1]) or 1) end end
n = math.min(n + 1, tonumber(ARGV[4]))
end
local taken = redis.call('XCLAIM', KEYS[1], 'actord', ARGV[1], 0, ARGV[2], 'RETRYCOUNT', n)
if not taken[1] then return {} end
return { taken[1], n }"""

# ARGV: whose it is still, the entry, where in its fields m its messages end, how many died.
APART = """
local p = redis.call('XPENDING', KEYS[1], 'actord', ARGV[2], ARGV[2], 1)
if #p == 0 or p[1][2] ~= ARGV[1] then return 0 end
local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not e then return redis.call('XACK', KEYS[1], 'actord', ARGV[2]) end
redis.call('XACK', KEYS[1], 'actord', '0-0')
local m, done = '', 0
for i = 1, #e[2], 2 do if e[2][i] == 'm' then m = m .. e[2][i + 1] end end
local function add(to)
if to > done then redis.call('XADD', KEYS[1], '*', 'm', string.sub(m, done + 1, to),
 'again', '1', 'suspect', ARGV[4]) end
done = to
end
for to in string.gmatch(ARGV[3], '%d+') do add(tonumber(to)) end
add(#m)
redis.call('XACK', KEYS[1], 'actord', ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1"""

LOOK = "return redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])"

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
        self.undone = {}        # handled, but Redis has not said that it knows: what is put aside
        self.suspects = set()   # claimed, and not begun
        self.looked = time.monotonic() + LOOK_FIRST_S - LOOK_S
        self.db.set_response_callback("XREADGROUP", streams_of)

    def run(self):
        lost = True
        while not self.node.closeSig:
            try:
                if lost:
                    self._begin()
                lost = False
                self._claim_from_dead()
                for name in sorted(self.suspects):
                    self._try(name)
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
        at = "-"
        while at and not self.node.closeSig:
            some = self._pending(self.node.topic, at)
            for name, deliveries in some:
                self._own(name, deliveries)
            at = b"(" + some[-1][0] if some else None
        self.heir = True

    def _claim_from_dead(self):
        if time.monotonic() < self.looked + LOOK_S or self.node.is_early():
            return
        self.looked = time.monotonic()
        for one in self.db.xpending(self.key, GROUP)["consumers"]:
            who = one["name"].decode(errors="replace")
            if who != self.node.topic and not self.node.is_there(who):
                self._revive(who)

    def _pending(self, who, at="-"):
        return [(one["message_id"], one["times_delivered"]) for one in
                self.db.xpending_range(self.key, GROUP, at, "+", CLAIM_MOST, who)]

    def _own(self, name, deliveries):
        """What our last life had; or what was given to this one as the link was lost: nobody died
        of that, its deliveries stay as many."""
        if name in self.undone:
            self._take([(name, ())], True)
        elif self.heir and name not in self.suspects:
            for fields, _ in self._taken(name, deliveries):
                if self._is_part(fields) if deliveries == 1 else self._is_apart(fields, deliveries):
                    self._try(name)
                else:
                    self._take([(name, fields)], True)
        elif deliveries >= DEATHS and not self.heir:
            self._bury(name, deliveries, self.node.topic)
        else:
            self._try(name)

    def _revive(self, who):
        some = self._pending(who)
        for name, deaths in some:
            if deaths >= DEATHS:
                self._bury(name, deaths, who)
        self._claim(who, [name for name, deaths in some if deaths < DEATHS])
        if len(some) == CLAIM_MOST:
            self.looked -= LOOK_S       # there may be more

    def _claim(self, who, names):
        self.suspects.update(self.db.eval(CLAIM, 1, self.key, self.node.topic, who, *names))

    def _taken(self, name, deliveries):
        """Its fields, and the deliveries; or nothing: it is not ours (any more)."""
        said = self.db.eval(TAKE, 1, self.key, self.node.topic, name, deliveries, DEATHS)
        return [(fields, said[1]) for _, fields in entries_of(said[:1])]

    @staticmethod
    def _is_part(fields):
        return any(key == b"suspect" for key, _ in fields)

    def _is_apart(self, fields, deliveries):
        """It is to be taken apart."""
        return deliveries > APART_DEATHS and len(self._parts(fields)) > 1

    def _parts(self, fields):
        return [part for key, value in fields if key == b"m" and value
                for part, *_ in self._messages(value)]

    def _try(self, name):
        """A node more may die of it. Where it is several messages nobody would know of which."""
        if self.node.closeSig:
            return
        for fields, deliveries in self._taken(name, ""):
            if self._is_apart(fields, deliveries):
                ends = accumulate(map(len, self._parts(fields)[:APART_MOST]))
                self.db.eval(APART, 1, self.key, self.node.topic, name, " ".join(map(str, ends)),
                             APART_DEATHS)
            else:
                self._take([(name, fields)], True)
        self.suspects.discard(name)

    def _bury(self, name, deaths, last):
        for _, fields in entries_of(self.db.eval(LOOK, 1, self.key, name)):
            if len(self._parts(fields)) > 1:
                self._claim(last, [name])
                return
        reason = "%d nodes died while they had it, the last was %s" % (deaths, last)
        self.node.complain("%s: message %s is put into %s:dead: %s" %
                           (self.key, name.decode(), self.key, reason))
        self.db.eval(BURY, 2, self.key, self.key + ":dead", name, deaths, reason)

    def _take(self, entries, again):
        for name, fields in entries:
            if self.node.closeSig:
                return          # it is our next life's
            if not again and self._is_part(fields):
                self._try(name)
                continue
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
            self.undone[name] = aside, again
        self._done(name, *self.undone[name])
        del self.undone[name]

    def _done(self, name, aside, again):
        """What is no message is a letter of its own: deaths 0, nobody sends it again."""
        letters = []
        for deaths, ones in (("", [x for x in aside if x[1] is not None]),
                             (0, [x for x in aside if x[1] is None])):
            if ones:
                letters += b"".join(part for part, _, _ in ones), deaths, ones[0][2]
        full = self.db.eval(DONE, 2, self.key, self.key + ":dead", name, ASIDE_MOST, int(again),
                            *letters)
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
