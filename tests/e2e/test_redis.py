#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The ways in through Redis: lists and channels, JSON and msgpack, where the answer goes, what of a
message is passed over and what is refused with which words."""

import json
import unittest

import msgpack

from harness import (EARGS, EFAIL, ENOENT, HERE, PATIENCE, Caller, Case, RedisServer, pack,
                     redis_cli, unpack, until, vary)

FAILS = r"""
#include "actor.h"

static int fails(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "no %s on %d", msg_str(m, 0), 7);
}
"""

TEXT_PATCH = r"""
#include "actor.h"
#include "counter.h"

static int hit(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);
	int64_t by = msg_int(m, 0);

	c->hits += by > 100 ? 100 : by;
	return msg_reply(m, c->hits);
}

const struct actor_type patch = {
	.name  = "counter",
	.state = sizeof(struct counter),
	.on    = ON({ "hit", "by:int", hit, ON_CLIENT }),
};
"""

class Ways(Case):
    options, actors = ("--node", "first"), ("diary.c",)

    def every_way(self):
        for encoding in "json", "msgpack":
            for via in "rpush", "publish":
                yield self.runtime.caller(encoding), via

    def subscribe(self, topic):
        pubsub = self.runtime.redis().pubsub()
        pubsub.subscribe(topic)
        self.assertEqual(pubsub.get_message(timeout=10 * PATIENCE)["type"], "subscribe")
        return pubsub

    def test_values(self):
        values = ["", "snow \u2603 \U0001f600", "a\0b", 0, -2 ** 63, 2 ** 63 - 1, 0.1, 1e300, True,
                  False, None, [], [[], [None]], {}, {"k": {"l": [1]}}, "x" * 100000]
        for caller, via in self.every_way():
            self.assertEqual(caller.call("echo", "say", *values, via=via), values)

    def test_bytes_in_msgpack(self):
        self.assertEqual(self.runtime.caller("msgpack").call("echo", "say", b"\0\xff"), [b"\0\xff"])

    def test_the_whole_answer(self):
        """Nothing in an answer but what the contract's table names, in the request's encoding."""
        for caller, via in self.every_way():
            first = b"{" if caller.encoding == "json" else b"\x80"
            for func, expected in (("test", {"func": "back", "args": ["args: a, b."], "id": "i"}),
                                   ("tset", {"func": "back", "args": [], "id": "i"})):
                caller.send("rpc", func, "a", "b", via=via, cb="back", id="i")
                raw = caller.db.blpop([caller.ct], timeout=10)[1]
                self.assertEqual(raw[0] & (0xff if first == b"{" else 0xf0), first[0])
                answer = unpack(raw)
                err = answer.pop("err", None)
                self.assertEqual(answer, expected)
                if func == "tset":
                    self.assertEqual((err["code"], sorted(err)), (ENOENT, ["code", "text"]))
                    self.assertIn("tset", err["text"])

    def test_no_args(self):
        for caller, via in self.every_way():
            for more in {"args": None}, {"args": []}, {}:
                message = {"func": "say", "ct": caller.ct, "cb": "back", **more}
                getattr(caller.db, via)("echo", pack(message, caller.encoding))
                self.assertEqual(caller.answer(), {"func": "back", "args": []})

    def test_unknown_keys(self):
        for caller, via in self.every_way():
            self.assertEqual(caller.call("echo", "say", 1, via=via, extra={"deep": [1, {"a": 2}]},
                                         tpc="something else", Func="no", pid="another"), [1])

    def test_white_space_before_json(self):
        caller = self.caller
        message = json.dumps({"func": "say", "args": [1], "ct": caller.ct, "cb": "back"}, indent=4)
        caller.db.rpush("echo", " \r\n\t" + message + "\n")
        self.assertEqual(caller.answer()["args"], [1])

    def test_refusals(self):
        self.caller.eval("echo", "fails", FAILS, "fails")
        for caller, via in self.every_way():
            self.refused(ENOENT, caller.call, "echo", "nothing", via=via)
            text = self.refused(EARGS, caller.call, "counter", "hit", "x", via=via)
            self.assertRegex(text, r"counter\.hit.*by.*int.*str")
            self.refused(EARGS, caller.call, "counter", "hit", via=via)
            self.refused(EARGS, caller.call, "counter", "hit", 1, 2, via=via)
            self.assertEqual(self.refused(EFAIL, caller.call, "echo", "fails", "bread", via=via),
                             "no bread on 7")

    def test_answer_by_subscription_or_list(self):
        for caller, via in self.every_way():
            db, ct = caller.db, caller.ct
            caller.send("echo", "say", "a", via=via)
            self.assertEqual(caller.answer()["args"], ["a"])
            pubsub = self.subscribe(ct)
            caller.send("echo", "say", "b", via=via)
            message = pubsub.get_message(timeout=10 * PATIENCE)
            self.assertEqual(unpack(message["data"])["args"], ["b"])
            # What follows on the same way has been answered: so nothing was pushed for this one.
            caller.send("echo", "say", "c", via=via)
            self.assertIsNotNone(pubsub.get_message(timeout=10 * PATIENCE))
            self.assertEqual(db.exists(ct), 0)
            pubsub.close()

    def test_a_list_made_by_the_answer_expires(self):
        caller = self.caller
        caller.send("echo", "say", 1)
        caller.send("echo", "say", 2)
        self.assertEqual(self.peek(caller, 2), [1, 2])
        self.assertGreaterEqual(caller.db.ttl(caller.ct), 3599)

    def peek(self, caller, number):
        """The answers on the list, left there; a later call, answered elsewhere, comes after."""
        after = self.runtime.caller()
        after.call("echo", "say", "after")
        after.call("echo", "say", "after")
        raw = caller.db.lrange(caller.ct, 0, -1)
        self.assertEqual(len(raw), number)
        return [unpack(r)["args"][0] for r in raw]

    def test_a_list_of_others_gets_no_expiry(self):
        caller = self.caller
        caller.db.rpush(caller.ct, "somebody's")
        caller.send("echo", "say", 1)
        self.assertEqual(self.runtime.caller().call("echo", "say", 2), [2])
        self.assertEqual(caller.db.lpop(caller.ct), b"somebody's")
        self.assertEqual(caller.answer()["args"], [1])
        caller.db.rpush(caller.ct, "somebody's")
        caller.send("echo", "say", 1)
        self.assertEqual(self.runtime.caller().call("echo", "say", 2), [2])
        self.assertEqual(caller.db.ttl(caller.ct), -1)

    def test_ct_that_is_hosted_here(self):
        for caller, via in self.every_way():
            before, = caller.call("counter", "hit", 0)
            for _ in range(20):
                caller.send("echo", "say", 2, via=via, ct="counter", cb="hit")
            self.assertEqual(self.in_order_behind(caller, via), [before + 40])
            self.assertEqual(caller.db.exists("counter"), 0)

    def in_order_behind(self, caller, via):
        """Asks the counter by way of the echo, behind what went that way before."""
        caller.call("echo", "say", 0, via=via)
        return caller.call("counter", "hit", 0)

    def test_own_broadcasts_are_passed_over(self):
        for encoding in "json", "msgpack":
            caller = self.runtime.caller(encoding)
            before, = caller.call("counter", "hit", 0)
            for pid in "first", "second", "first", "":
                caller.send("counter", "hit", 1, via="publish", pid=pid, cb="")
            self.assertEqual(caller.call("counter", "hit", 0, via="publish"), [before + 2])

    def test_no_answer_wanted(self):
        for caller, via in self.every_way():
            before, = caller.call("counter", "hit", 0)
            for more in {"cb": ""}, {"cb": None}, {"ct": ""}, {"ct": None}, {"cb": "", "ct": ""}:
                caller.send("counter", "hit", 1, via=via, **more)
                caller.send("counter", "hit", "wrong", via=via, **more)
            self.assertEqual(caller.call("counter", "hit", 0, via=via), [before + 5])
            self.assertEqual(caller.db.llen(caller.ct), 0)

    def test_order_and_number(self):
        for topic in "list", "channel":
            caller, start = self.runtime.caller("msgpack"), self.caller.call("diary", "read")
            pipe = caller.db.pipeline(transaction=False)
            last = start[0]
            for i in range(5000):
                message = msgpack.packb({"func": "note", "args": [last + i + 1]})
                pipe.rpush("diary", message) if topic == "list" else pipe.publish("diary", message)
            pipe.execute()
            self.assertEqual(self.caller.call(
                "diary", "read", via="rpush" if topic == "list" else "publish"), [last + 5000, 0])

    def test_many_callers(self):
        callers = [self.runtime.caller(("json", "msgpack")[i % 2]) for i in range(20)]
        for i in range(50):
            for n, caller in enumerate(callers):
                caller.send("echo", "say", n, i, id=i)
        for n, caller in enumerate(callers):
            self.assertEqual([caller.answer()["args"] for _ in range(50)],
                             [[n, i] for i in range(50)])
            self.assertEqual(caller.db.llen(caller.ct), 0)

    def test_big_message(self):
        for caller, via in self.every_way():
            text = "x" * (10 << 20)
            self.assertEqual(caller.call("echo", "say", text, via=via), [text])

    def test_call_other(self):
        self.caller.call("counter", "hit", 0)
        for caller, via in self.every_way():
            before, = caller.call("counter", "hit", 0)
            # Its own answer goes to the caller's list too, so the other's goes to a list beside.
            other = self.runtime.caller(caller.encoding)
            caller.send("rpc", "callOther", "hit", "counter", other.ct, "total", 5, via=via, cb="")
            answer = other.answer()
            self.assertEqual((answer["func"], answer["args"]), ("total", [before + 5]))
            caller.send("rpc", "callOtherNR", "hit", "counter", 7, via=via, cb="")
            caller.send("rpc", "callOther", "test", "no such topic", other.ct, "global", "a", "b",
                        via=via, cb="")
            answer = other.answer()
            self.assertEqual((answer["func"], answer["args"]), ("global", ["ab"]))
            self.assertEqual(caller.call("counter", "hit", 0), [before + 12])

    def test_call_other_hears_refusals(self):
        other = self.runtime.caller()
        self.caller.send("rpc", "callOther", "hit", "counter", other.ct, "total", "x", cb="")
        answer = other.answer()
        self.assertEqual((answer["func"], answer["err"]["code"]), ("total", EARGS))
        self.assertEqual(answer["err"]["text"], "counter.hit: argument 1 (by) wants int, got str")

    def test_too_many_calls_for_others(self):
        """Who waits at ct hears which call it was."""
        runtime = self.start()
        caller, other = runtime.caller(), runtime.caller()
        caller.eval("", "keeps_all", '#include "actor.h"\nstatic int f(actor *self, '
                    'const msg *m) { (void)self; msg_defer(m); return 0; }\n', "f")
        for _ in range(513):
            caller.send("rpc", "callOther", "keeps_all", "", other.ct, "total", cb="")
        self.assertEqual(other.answer(30)["err"]["text"],
                         ".keeps_all: too many calls for others are waiting")


class Without(Case):
    options = None

    def test_a_list(self):
        node = self.start(HERE / "actors" / "spring.c", redis="none", listen="none")
        self.assertIn("there is no Redis",
                      node.actorctl("call", "rpc", "callOtherNR", "hit", "list:q").err)
        done = node.actorctl("call", "spring", "ask", "list:q", "told", "1000")
        self.fails(done, 1)
        self.assertIn("list:q is a list of Redis, and there is no Redis", done.err)


class Text(Case):
    """A payload on topic `patch` that is no message is C source."""

    def test_redis_cli(self):
        for number, via in enumerate(("publish", "rpush")):
            by = 1000 * (number + 1)
            before, = self.caller.call("counter", "hit", 0)
            source = vary(TEXT_PATCH, "100", str(by)).encode()
            redis_cli(self.runtime.redis_url, "-x", via, "patch", stdin=source)
            # Later messages to `patch` wait for it.
            self.caller.call("patch", "list")
            self.assertEqual(self.caller.call("counter", "hit", 5 * by), [before + by])

    def test_a_bad_one_is_logged_with_its_line(self):
        redis_cli(self.runtime.redis_url, "-x", "publish", "patch",
                  stdin=vary(TEXT_PATCH, "(self);", "(self)").encode())
        self.assertRegex(self.runtime.err.wait(r"patch.*:\d+: "), r"patch.*:\d+: ")
        self.assertEqual(self.caller.call("echo", "say", 1), [1])

    def test_only_patch_takes_text(self):
        for topic in "echo", "rpc", "counter":
            redis_cli(self.runtime.redis_url, "rpush", topic, "int x;")
            self.assertEqual(self.caller.call("echo", "say", 1), [1])

    def test_patch_actor(self):
        number, = self.caller.call("patch", "apply", TEXT_PATCH)[:1]
        self.assertIsInstance(number, int)
        self.caller.call("patch", "check", TEXT_PATCH)
        listed = self.caller.call("patch", "list")
        self.assertIn(str(number), json.dumps(listed))


class Signatures(Case):
    """What fits a parameter of which type, on every way the same."""

    actors = ("typed.c",)

    VALUES = {"int": [0, -2 ** 63, 2 ** 63 - 1, 3.0, -1e15], "num": [0, 1.5, 2 ** 60, -1e300],
              "str": ["", "x"], "bytes": [b"", b"\0x"], "bool": [True, False], "list": [[], [1]],
              "map": [{}, {"a": 1}], "any": [1, "x", None, [], {}, False, b"x"]}
    WRONG = {"int": [1.5, 1e300, "1", True, None, [], {}],
             "num": ["1", True, None, [1], {}],
             "str": [1, None, True, ["x"], {}], "bytes": [1, None, []],
             "bool": [0, 1, "true", None],
             "list": [{}, "[]", None, 1], "map": [[], "{}", None, 1]}

    def test_every_type(self):
        ws = self.runtime.client()
        for encoding in "json", "msgpack":
            caller = self.runtime.caller(encoding)
            ws.encoding = encoding
            for fits, table in (True, self.VALUES), (False, self.WRONG):
                for kind, values in table.items():
                    for value in values:
                        if encoding == "json" and isinstance(value, bytes):
                            continue
                        with self.subTest(encoding, kind=kind, value=value):
                            for call in (lambda: caller.call("typed", kind, value),
                                         lambda: ws.call(kind, value, tpc="typed")):
                                if fits:
                                    self.assertEqual(call(), [1])
                                else:
                                    self.refused(EARGS, call)

    def test_optional_and_rest(self):
        call = self.caller.call
        self.assertEqual(call("typed", "opt", 1), [1, 0])
        self.assertEqual(call("typed", "opt", 1, None), [1, 0])
        self.assertEqual(call("typed", "opt", 1, 2), [1, 2])
        self.assertEqual(call("typed", "rest", "a"), [1])
        self.assertEqual(call("typed", "rest", "a", 1, None, [2]), [4])
        for args in [], [None], [1, 2, 3], [1, "x"]:
            self.refused(EARGS, call, "typed", "opt", *args)
        for args in [], [1]:
            self.refused(EARGS, call, "typed", "rest", *args)


class Many(Case):
    actors = "crowd.c", "courier.c"
    N = 5000

    def test_names(self):
        """A pop does not name them all; what comes for one that was quiet is found all the same,
        and a key that holds something else does not stop the others."""
        self.caller.db.hset("guest:7", "not", "a list")
        self.assertEqual(self.caller.call("crowd", "name", "guest:%lld", self.N), [self.N])
        for i in range(0, self.N, 3):
            self.caller.send("guest:%d" % i, "hit", id=i)
        self.assertEqual({self.caller.answer()["id"] for _ in range(0, self.N, 3)},
                         set(range(0, self.N, 3)))
        for i in self.N - 1, 0, 2500, 1:
            self.assertEqual(self.caller.call("guest:%d" % i, "hit"), [1])
        self.assertLess(until(self.pop_waits, "a pop waits"), 30000)
        self.caller.db.execute_command("ACL", "SETUSER", "default", "-exists")
        self.addCleanup(self.caller.db.execute_command, "ACL", "SETUSER", "default", "+exists")
        self.assertTrue(self.runtime.err.wait("refuses EXISTS"))
        for i in range(1, self.N, 1000):
            self.assertEqual(self.caller.call("guest:%d" % i, "hit"), [1])

    def pop_waits(self):
        """The bytes that its words take, or 0."""
        return max((int(c["argv-mem"]) for c in self.caller.db.client_list()
                    if c["cmd"] == "blmpop"), default=0)

    def test_commands_that_take_the_connection(self):
        for name in "SUNSUBSCRIBE", "sunsubscribe", "SSUBSCRIBE", "REPLCONF", "MONITOR", "BLPOP":
            self.assertIn("would take the connection",
                          self.refused(EFAIL, self.caller.call, "courier", "run", name, "ACK"))
        self.assertEqual(self.caller.call("courier", "run", "ECHO", "here"), ["here"])


class TwoNodes(Case):
    options = None

    def test_lists_go_to_one_and_channels_to_each(self):
        server = RedisServer()
        self.addCleanup(server.stop)
        nodes = [self.start("--node", name, redis=server.url) for name in ("one", "two")]
        caller = Caller(server.client())
        self.assertEqual(server.client().publish("counter",
                                                 pack({"func": "hit", "args": [100]}, "json")), 2)
        for _ in range(50):
            caller.send("counter", "hit", 1)
        for _ in range(50):
            caller.answer()
        totals = []
        for node in nodes:
            ws = node.client()
            totals += ws.call("hit", 0, tpc="counter")
        self.assertEqual(sum(totals), 250)
        self.assertTrue(all(t >= 100 for t in totals), totals)


if __name__ == "__main__":
    unittest.main()
