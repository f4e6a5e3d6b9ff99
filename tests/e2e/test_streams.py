#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Topics as streams: what programs XADD is handled at least once, by one of the nodes that host the
topic, and is gone from Redis when it has been; what a node had that died is for another, marked."""

import json
import os
import random
import signal
import unittest

import msgpack

from harness import EFAIL, EFULL, ENOENT, HERE, Caller, Case, RedisServer, make_folder, pack, until

SINK, BLOCKER, GATE, ROOMS, ONCE, HURRY, NARROW = (HERE / "actors" / x for x in (
    "sink.c", "blocker.c", "gate.c", "rooms.c", "once.c", "hurry.c", "narrow.c"))

PATCH = '''#include "actor.h"
int process(actor *self)
{
	long end = actor_now() + %d;
	while (actor_now() < end)
		;
	actor_log(self, "patched %d");
	return 0;
}'''


def key(topic):
    return "actord:{%s}" % topic


def message(func, *args, **more):
    return msgpack.packb({"func": func, "args": list(args), **more})


class Streams(Case):
    options = None

    def setUp(self):
        super().setUp()
        self.server = RedisServer()
        self.addCleanup(self.server.stop)
        self.db = self.server.client()
        self.addCleanup(self.db.close)

    def node(self, name, *actors, **more):
        more.setdefault("listen", "none")
        return self.start("--node", name, *actors, redis=self.server.url, **more)

    def redis(self, runtime, name):
        return runtime.json("inspect")[0]["redis"][name]

    def empty(self, topic):
        """All has been handled and is gone."""
        until(lambda: not self.db.exists(key(topic)) or self.db.xlen(key(topic)) == 0 and
              self.db.xpending(key(topic), "actord")["pending"] == 0, topic + " is empty", 30)

    def told(self, runtime):
        done = runtime.actorctl("--json", "--timeout", "20000", "call", "sink", "told")
        self.assertEqual(done.code, 0, done)
        return json.loads(done.out)["args"]

    def busy(self, runtime):
        """The sink is in a handler."""
        until(lambda: any(w["actor"] == "sink" for w in runtime.json("inspect")[0]["workers"]),
              "the sink is busy")


class Handled(Streams):
    def test_one_several_and_json(self):
        node = self.node("alpha", SINK)
        db, caller = self.db, Caller(self.server.client(), "msgpack")
        db.xadd(key("echo"), {"m": message("say", "x", ct=caller.ct, cb="back", id=7)})
        self.assertEqual(caller.answer(), {"func": "back", "args": ["x"], "id": 7})
        db.xadd(key("sink"), {"m": b"".join(message("put", 1, n + 1) for n in range(100))})
        db.xadd(key("echo"), {"m": pack({"func": "say", "args": [1], "ct": caller.ct,
                                         "cb": "json"}, "json")})
        self.assertEqual(caller.answer()["func"], "json")
        for topic in "echo", "sink":
            self.empty(topic)
        self.assertEqual(self.told(node), [100, 0, 0])

    def test_sent_before_anybody_was_there(self):
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        node = self.node("alpha", SINK)
        self.empty("sink")
        self.assertEqual(self.told(node), [1, 0, 0])

    def test_two_share_the_work(self):
        nodes = [self.node(n, SINK) for n in ("alpha", "beta")]
        pipe = self.db.pipeline()
        for n in range(2000):
            pipe.xadd(key("sink"), {"m": message("put", 1, n)})
        pipe.execute()
        self.empty("sink")
        counts = [self.told(n)[0] for n in nodes]
        self.assertEqual(sum(counts), 2000)
        self.assertTrue(all(counts), counts)

    def test_more_than_a_mailbox_takes(self):
        node = self.node("alpha", SINK)
        for n in range(100):
            self.db.xadd(key("sink"), {"m": b"".join(message("put", 1, n * 100 + i + 1)
                                                     for i in range(100))})
        self.empty("sink")
        self.assertEqual(self.told(node), [10000, 0, 0])

    def test_any_code_is_an_answer(self):
        """Also one that the runtime uses for its own: once, and its message has been handled."""
        caller = Caller(self.db, "msgpack")
        self.node("alpha", SINK)
        for code in -100, -1:
            self.db.xadd(key("sink"), {"m": message("fail", code, ct=caller.ct, cb="back")})
            self.assertEqual(caller.answer()["err"]["code"], code)
        self.empty("sink")

    def test_a_barrier_that_has_no_room(self):
        """That it says so is its answer: it has been handled, and is not handled again."""
        node, caller = self.node("alpha", NARROW), Caller(self.db, "msgpack")
        self.db.xadd(key("narrow"), {"m": message("take")})
        self.db.xadd(key("narrow"), {"m": message("take", ct=caller.ct, cb="back")})
        self.assertEqual(caller.answer()["err"]["code"], EFULL)
        self.empty("narrow")
        self.assertEqual(node.json("call", "narrow", "told")[0]["args"], [2])

    @unittest.skipUnless(os.environ.get("FAULTS_LONG"), "half a minute: tools/test --long")
    def test_whoever_asked_gives_up_and_redis_stands_still(self):
        """What waits could be another's meanwhile, so it is not handled; and it is not taken for
        handled, though nobody waits for its answer any more."""
        node, caller = self.node("alpha", SINK), Caller(self.db, "msgpack")
        self.db.xadd(key("sink"), {"m": message("slow", 1, 1, 37000)})
        self.busy(node)
        self.db.xadd(key("sink"), {"m": message("put", 1, 2, ct=caller.ct, cb="back")})
        self.assertIn("no answer", caller.answer(40)["err"]["text"])
        self.db.execute_command("CLIENT", "PAUSE", 4000)
        self.empty("sink")
        self.assertEqual(self.told(node), [2, 0, 1])

    @unittest.skipUnless(os.environ.get("FAULTS_LONG"), "half a minute: tools/test --long")
    def test_whoever_asked_gives_up(self):
        """Its sender hears that there is no answer; the message is handled all the same."""
        node, caller = self.node("alpha", SINK), Caller(self.db, "msgpack")
        self.db.xadd(key("sink"), {"m": message("slow", 1, 1, 33000)})
        self.busy(node)
        self.db.xadd(key("sink"), {"m": message("put", 1, 2, ct=caller.ct, cb="back")})
        self.assertIn("no answer", caller.answer(40)["err"]["text"])
        self.assertEqual(self.db.xlen(key("sink")), 2)
        self.empty("sink")
        self.assertEqual(self.told(node), [2, 0, 0])

    def test_what_redis_will_not_acknowledge_now(self):
        """It has been handled: that is said again, and it is not handled again."""
        node = self.node("alpha", SINK)
        self.db.xadd(key("sink"), {"m": message("slow", 1, 1, 300)})
        self.busy(node)
        self.db.config_set("min-replicas-to-write", 1)
        self.assertEqual(self.told(node), [1, 0, 0])
        node.err.wait("NOREPLICAS", 10)
        self.db.config_set("min-replicas-to-write", 0)
        self.empty("sink")
        self.assertEqual(self.told(node), [1, 0, 0])

    def test_more_than_can_be_followed(self):
        """Of 16,384 messages at once the node learns when they have been handled. What comes
        behind them is no less kept in Redis until it has been."""
        node, caller, pipe = self.node("alpha", BLOCKER, GATE), Caller(self.db), self.db.pipeline()
        self.assertEqual(node.actorctl("send", "blocker", "until", "sink").code, 0)
        for i in range(2):
            caller.send("gate", "pass", id=i)
        for n in 16382, 1:
            pipe.xadd(key("blocker"), {"m": message("busy", 0) * n})
        until(lambda: len(node.json("inspect", "gate")[0]["keeps_waiting"]) == 2, "both wait", 30)
        pipe.execute()
        until(lambda: node.json("inspect", "blocker")[0]["mailbox"]["waiting"] >= 1 + 2 * 16382,
              "all are in its mailbox", 30)
        self.assertEqual(self.db.xlen(key("blocker")), 2)
        self.assertEqual(node.actorctl("start", SINK).code, 0)
        self.empty("blocker")


class Patches(Streams):
    def node(self, *args, **more):
        return super().node("alpha", HURRY, "--unsigned-patches", **more)

    def patches(self, ms, numbers):
        for n in numbers:
            self.db.xadd(key("rpc"), {"m": message("exec", PATCH % (ms, n))})

    def done(self, node):
        return [int(x.split("patched ")[1]) for x in node.err.lines if "patched " in x]

    @unittest.skipUnless(os.environ.get("FAULTS_LONG"), "half a minute: tools/test --long")
    def test_behind_many(self):
        """Its sender hears what became of it, and until then it is in Redis."""
        node, caller = self.node(), Caller(self.db, "msgpack")
        self.assertEqual(node.actorctl("call", "hurry", "some", "36", PATCH % (900, 0)).code, 0)
        self.db.xadd(key("rpc"), {"m": message("exec", PATCH % (0, 1), ct=caller.ct, cb="back")})
        answer = caller.answer(60)
        self.assertNotIn("err", answer)
        self.assertGreater(answer["args"][0], 0)
        self.empty("rpc")
        self.assertEqual(self.done(node), [0] * 36 + [1])

    def test_where_no_more_may_wait(self):
        """It is taken when there is room."""
        node = self.node()
        self.assertEqual(node.actorctl("call", "hurry", "go", "100", PATCH % (20, 0)).code, 0)
        node.err.wait("patched 0")
        self.patches(0, range(1, 21))
        until(lambda: self.redis(node, "taken") > 20, "one was refused, and is tried again", 30)
        self.assertEqual(node.actorctl("call", "hurry", "rest").code, 0)
        self.empty("rpc")
        self.assertEqual(sorted(set(self.done(node))), list(range(21)))
        self.assertEqual([x for x in node.err.lines if "(crash" in x], [])

    def test_where_the_mailbox_is_full(self):
        """It is taken when there is room."""
        node, caller = self.node(), Caller(self.db, "msgpack")
        self.assertEqual(node.actorctl("call", "hurry", "some", "3", PATCH % (900, 0)).code, 0)
        self.db.rpush("hurry", message("fill", "x" * (1 << 20), ct=caller.ct, cb="full"))
        self.assertGreater(caller.answer()["args"][0], 30)
        self.patches(0, [1])
        node.err.wait("patched 1")
        self.empty("rpc")

    def test_at_a_stop(self):
        """Those that are not begun are in Redis for the next life."""
        node = self.node()
        self.patches(300, range(12))
        node.err.wait("patched 1")
        node.stop()
        left = self.db.xlen(key("rpc"))
        self.assertGreater(left, 0)
        again = self.node(folder=node.folder)
        self.empty("rpc")
        self.assertEqual(self.done(node) + self.done(again), list(range(12)))
        self.assertEqual(len(self.done(again)), left)


class ComeAndGo(Streams):
    """Actors whose names are there for a while."""

    def rooms(self, runtime, what, first, n):
        self.assertEqual(runtime.actorctl("call", "rooms", what, str(first), str(n)).code, 0)

    def said(self, *nodes):
        return sum(n.json("call", "rooms", "told")[0]["args"][0] for n in nodes)

    def test_they_leave_nothing(self):
        """No key in Redis, nothing in their own node, nothing in the others."""
        a, b = self.node("alpha", ROOMS), self.node("beta")
        until(lambda: self.redis(b, "elsewhere") == self.redis(a, "topics"), "they are met")
        names, keys = self.redis(a, "topics"), set(self.db.keys())
        written = {key("room:%d" % n) for n in range(0, 2000, 20)}
        for turn in 1, 2:
            self.rooms(a, "open", 0, 2000)
            until(lambda: self.redis(b, "elsewhere") == names + 2000, "all are there")
            for k in written:
                self.db.xadd(k, {"m": message("say")})
            until(lambda: self.said(a) == turn * len(written), "all is said", 30)
            self.assertEqual({k.decode() for k in set(self.db.keys()) - keys}, written)
            self.rooms(a, "close", 0, 2000)
            until(lambda: self.redis(a, "topics") == names and self.redis(a, "streams") == 0,
                  "nobody knows them", 30)
            until(lambda: self.redis(b, "elsewhere") == names, "nobody elsewhere")
            self.assertEqual(set(self.db.keys()), keys)

    def test_written_to_while_nobody_has_the_name(self):
        node = self.node("alpha", ROOMS)
        for n in 1, 2, 3:
            self.db.xadd(key("room:7"), {"m": message("say") * 2})
            self.rooms(node, "open", 7, 1)
            until(lambda: self.said(node) == 2 * n, "it is read from the beginning")
            self.rooms(node, "close", 7, 1)
            until(lambda: not self.db.exists(key("room:7")), "it is removed")

    def test_what_others_use_stays(self):
        """Another reader of the group, another group, entries: each keeps a stream."""
        node = self.node("alpha", ROOMS)
        for n in range(4):
            self.db.xadd(key("room:%d" % n), {"m": message("say")})
        self.db.xgroup_create(key("room:0"), "actord", 0)
        self.db.xgroup_createconsumer(key("room:0"), "actord", "beta")
        self.db.xgroup_create(key("room:1"), "others", 0)
        self.rooms(node, "open", 0, 4)
        beta = self.node("beta", SINK)
        until(lambda: self.said(node) == 4, "all is said")
        self.rooms(node, "close", 0, 4)
        until(lambda: not self.db.exists(key("room:2"), key("room:3")), "two are removed")
        self.assertTrue(self.db.exists(key("room:0")) and self.db.exists(key("room:1")))
        beta.stop()
        until(lambda: "beta" not in node.actorctl("nodes").out, "it is gone")
        self.rooms(node, "open", 0, 2)
        for n in 0, 1:
            self.db.xadd(key("room:%d" % n), {"m": message("say")})
        until(lambda: self.said(node) == 6, "all is said")
        self.rooms(node, "close", 0, 2)
        until(lambda: not self.db.exists(key("room:0")), "nobody else is there any more")
        self.assertTrue(self.db.exists(key("room:1")))

    def test_more_dead_than_are_looked_at_at_once(self):
        node = self.node("alpha", ROOMS)
        self.db.xadd(key("room:0"), {"m": message("say")})
        self.db.xgroup_create(key("room:0"), "actord", 0)
        for n in range(600):
            self.db.xgroup_createconsumer(key("room:0"), "actord", "dead%d" % n)
        self.rooms(node, "open", 0, 1)
        until(lambda: self.said(node) == 1, "it is said")
        self.rooms(node, "close", 0, 1)
        until(lambda: not self.db.exists(key("room:0")), "nobody is there")

    def test_what_was_never_taken_goes_back(self):
        """Redis gave it to a node that did not hear of it, and whose name went then: the next one
        who has the name gets it while that node lives."""
        a, b = self.node("alpha", ROOMS), self.node("beta", ROOMS)
        self.rooms(a, "open", 7, 1)
        self.db.xadd(key("room:7"), {"m": message("say")})
        until(lambda: self.said(a) == 1, "it reads that stream")
        self.empty("room:7")
        with self.db.pipeline() as at_once:
            at_once.xadd(key("room:7"), {"m": message("say") * 2})
            at_once.xreadgroup("actord", "alpha", {key("room:7"): ">"})
            at_once.execute()
        self.assertEqual(self.db.xpending(key("room:7"), "actord")["pending"], 1)
        self.rooms(a, "close", 7, 1)
        self.rooms(b, "open", 7, 1)
        until(lambda: self.said(b) == 2, "the other node has it")
        self.assertEqual(b.json("call", "rooms", "told")[0]["args"], [2, 2])
        self.rooms(b, "close", 7, 1)
        until(lambda: not self.db.exists(key("room:7")), "nothing is left")

    def test_written_to_at_any_moment(self):
        """While two nodes' actors of these names come and go: each message is handled once, or
        was in a mailbox whose actor ended, which its sender is told."""
        nodes, rooms, sent = [self.node(n, ROOMS) for n in ("alpha", "beta")], 8, 0
        caller, told = Caller(self.server.client(), "msgpack"), Caller(self.server.client())
        for _ in range(150):
            pipe = self.db.pipeline()
            for _ in range(random.randrange(30)):
                room, many = random.randrange(rooms), random.choice((1, 1, 3))
                pipe.xadd(key("room:%d" % room), {"m": b"".join(
                    message("say", ct=caller.ct, cb="back", id=sent + i) for i in range(many))})
                sent += many
            pipe.execute()
            told.call("rooms", random.choice(("open", "close")), random.randrange(rooms),
                      random.randrange(1, 4))
        for node in nodes:
            self.rooms(node, "open", 0, rooms)
        answers = [caller.answer(30) for _ in range(sent)]
        self.assertEqual(sorted(x["id"] for x in answers), list(range(sent)))
        ended = [x["err"]["code"] for x in answers if x.get("err")]
        self.assertEqual(set(ended) - {ENOENT}, set())
        self.assertEqual(self.said(*nodes) + len(ended), sent)
        self.assertGreater(len(answers), 2 * len(ended))
        for n in range(rooms):
            self.empty("room:%d" % n)


class Died(Streams):
    def test_another_node_takes_it(self):
        a = self.node("alpha", SINK)
        self.db.xadd(key("sink"), {"m": message("slow", 1, 1, 600000) + message("put", 1, 2)})
        self.busy(a)
        b = self.node("beta")
        a.kill()
        b.stop()
        b = self.node("beta", SINK, folder=b.folder)
        # It is too slow for us, too: only that it came, as it was sent.
        self.busy(b)
        b.kill()
        self.assertEqual(self.db.xlen(key("sink")), 1)

    def test_no_memory_and_no_room_for_dead_letters(self):
        """Memory that is full does not keep one from being moved there; what has no place there
        stays where it is."""
        a = self.node("alpha", SINK)
        at = self.db.xadd(key("sink"), {"m": message("slow", 1, 1, 600000)})
        self.busy(a)
        b = self.node("beta", SINK)
        until(lambda: self.redis(b, "streams") == 1, "beta reads it, too")
        self.db.xclaim(key("sink"), "actord", "alpha", 0, [at], retrycount=3)
        self.db.set(key("sink") + ":dead", "no stream")
        self.db.config_set("maxmemory", 1)
        a.kill()
        b.err.wait("actord:{sink}:dead: .*WRONGTYPE", 30)
        self.assertEqual(self.db.xlen(key("sink")), 1)
        self.db.delete(key("sink") + ":dead")
        until(lambda: self.db.exists(key("sink") + ":dead"), "it is buried", 30)
        self.db.config_set("maxmemory", 0)
        self.empty("sink")

    def test_marked_when_it_comes_again(self):
        a = self.node("alpha", HERE / "actors" / "sink.c")
        self.db.xadd(key("sink"), {"m": message("slow", 2, 1, 600000)})
        self.busy(a)
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        until(lambda: self.db.xpending(key("sink"), "actord")["pending"] == 2, "both are read")
        a.kill()
        first = self.db.xrange(key("sink"))[0][0]
        self.db.xdel(key("sink"), first)
        a = self.node("alpha", SINK, folder=a.folder)
        self.empty("sink")
        self.assertEqual(self.told(a), [1, 0, 1])

    def test_wanted_at_most_once(self):
        """What such a type's node had when it died is a dead letter, and who asked is told."""
        a, b = self.node("alpha", ONCE), self.node("beta")
        self.db.xadd(key("once"), {"m": message("note", 1, 600000)})
        a.err.wait("noted 1")
        caller = Caller(self.server.client(), "msgpack")
        self.db.xadd(key("once"), {"m": message("note", 2, 0, ct=caller.ct, cb="back") +
                                   message("note", 3, 0)})
        until(lambda: self.db.xpending(key("once"), "actord")["pending"] == 2, "both are read")
        b.stop()
        a.kill()
        b = self.node("beta", ONCE, folder=b.folder)
        answer = caller.answer(30)
        self.assertEqual(answer["err"]["code"], EFAIL)
        self.assertIn("once.note may have been handled before", answer["err"]["text"])
        self.empty("once")
        self.db.xadd(key("once"), {"m": message("note", 4, 0)})
        b.err.wait("noted 4")
        letters = b.json("inspect")[0]["dead_letters"]
        self.assertEqual([(x["actor"], x["handler"], x["args"]) for x in letters],
                         [("once", "note", [n, ms]) for n, ms in ((1, 600000), (2, 0), (3, 0))])
        self.assertTrue(all("at most once" in x["reason"] for x in letters), letters)
        self.assertEqual(len([x for x in b.err.lines if "noted" in x]), 1)

    def test_a_lost_link_is_no_death(self):
        """Redis gave it to the node, which never heard of it; as often as that may be."""
        node = self.node("alpha", SINK)
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        self.empty("sink")
        node.process.send_signal(signal.SIGSTOP)
        self.db.client_kill_filter(_type="normal", skipme=True)
        at = self.db.xadd(key("sink"), {"m": message("slow", 1, 2, 600000)})
        self.db.xreadgroup("actord", "alpha", {key("sink"): ">"})
        self.db.xclaim(key("sink"), "actord", "alpha", 0, [at], retrycount=3)
        node.process.send_signal(signal.SIGCONT)
        self.busy(node)
        row, = self.db.xpending_range(key("sink"), "actord", "-", "+", 2)
        self.assertEqual(row["times_delivered"], 3)
        self.assertFalse(self.db.exists(key("sink") + ":dead"))
        node.kill()

    def test_what_three_die_of(self):
        """It alone is buried, and not what they had just read besides."""
        poison = message("slow", 1, 1, 600000)
        self.db.xadd(key("sink"), {"m": poison})
        for i in range(20):
            self.db.xadd(key("sink"), {"m": message("put", 2, i + 1)})
        folder = make_folder()
        for _ in range(3):
            node = self.node("alpha", SINK, folder=folder)
            self.busy(node)
            node.kill()
        node = self.node("alpha", SINK, folder=folder)
        self.empty("sink")
        (at, dead), = self.db.xrange(key("sink") + ":dead")
        self.assertEqual(dead[b"m"], poison)
        self.assertRegex(dead[b"reason"], rb"^3 nodes died while they had it, the last was alpha$")
        self.assertEqual(self.told(node), [20, 0, 20])
        row, = node.json("dead", "list", "sink")
        self.assertEqual((row["id"], row["deaths"]), (at.decode(), 3))
        self.assertEqual(node.json("dead", "show", "sink", row["id"])[0]["args"], [1, 1, 600000])
        self.db.xadd(key("sink") + ":dead", {"m": message("put", 1, 1), "id": "1-1",
                                             "deaths": 3, "reason": "test"})
        last = node.json("dead", "list", "sink")[1]["id"]
        self.assertEqual(node.actorctl("dead", "retry", "sink", last).code, 0)
        self.empty("sink")
        self.assertEqual(self.told(node), [21, 0, 21])
        self.assertEqual(len(node.json("dead", "list", "sink")), 1)
        self.assertEqual(node.actorctl("dead", "retry", "sink", "9-9").code, 3)
        self.assertEqual(node.actorctl("dead", "list", "nobody").out, "")


if __name__ == "__main__":
    unittest.main()
