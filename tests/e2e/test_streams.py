#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Topics as streams: what programs XADD is handled at least once, by one of the nodes that host the
topic, and is gone from Redis when it has been; what a node had that died is for another, marked."""

import json
import os
import signal
import unittest

import msgpack
import redis

from harness import HERE, Caller, Case, RedisServer, make_folder, pack, until

SINK, BLOCKER, GATE = (HERE / "actors" / x for x in ("sink.c", "blocker.c", "gate.c"))


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

    def empty(self, topic):
        """All has been handled and is gone."""
        until(lambda: self.db.xlen(key(topic)) == 0 and
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


class Bad(Streams):
    def test_what_is_no_message_is_dropped(self):
        node = self.node("alpha")
        for m in (b"\xdd\xff\xff\xff\xff", b"\x81", b"{\"func\":", b"\x91\x01", b"\x80",
                  message("nothing"), message("say") + b"\xc1", b"\xff" * 1000,
                  b"\x81\xa1" * 5000):
            self.db.xadd(key("echo"), {"m": m})
        self.db.xadd(key("echo"), {"other": "x"})
        self.empty("echo")
        self.assertEqual(node.actorctl("call", "echo", "say", "still").out, "still\n")

    def test_a_key_of_another_type_in_its_place(self):
        self.db.set(key("echo"), "something else")
        node = self.node("alpha", SINK)
        node.err.wait("no messages for echo come by the stream.*WRONGTYPE")
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        self.empty("sink")
        caller = Caller(self.server.client(), "msgpack")
        self.assertEqual(caller.call("echo", "say", 1), [1])
        self.db.delete(key("echo"))
        node.err.wait("messages for echo come by the stream .* again", 30)
        self.db.xadd(key("echo"), {"m": message("say", "x", ct=caller.ct, cb="back")})
        self.assertEqual(caller.answer()["args"], ["x"])

    def test_the_streams_are_deleted(self):
        node = self.node("alpha", SINK)
        self.db.flushdb()
        until(lambda: self.db.exists(key("sink")), "it is made again")
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        self.empty("sink")
        self.assertEqual(self.told(node), [1, 0, 0])


class Died(Streams):
    def test_another_node_takes_it(self):
        a = self.node("alpha", SINK)
        self.db.xadd(key("sink"), {"m": message("slow", 1, 1, 600000) + message("put", 1, 2)})
        self.busy(a)
        b = self.node("beta")
        a.kill()
        b.stop()
        b = self.node("beta", SINK, folder=b.folder)
        # It is too slow for us, too: only that it came, and how it is marked.
        self.busy(b)
        b.kill()
        self.assertEqual(self.db.xlen(key("sink")), 1)

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
        poison = message("slow", 1, 1, 600000)
        self.db.xadd(key("sink"), {"m": poison})
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
        self.assertEqual(self.told(node), [0, 0, 0])
        row, = node.json("dead", "list", "sink")
        self.assertEqual((row["id"], row["deaths"]), (at.decode(), 3))
        self.assertEqual(node.json("dead", "show", "sink", row["id"])[0]["args"], [1, 1, 600000])
        self.db.xadd(key("sink") + ":dead", {"m": message("put", 1, 1), "id": "1-1",
                                             "deaths": 3, "reason": "test"})
        last = node.json("dead", "list", "sink")[1]["id"]
        self.assertEqual(node.actorctl("dead", "retry", "sink", last).code, 0)
        self.empty("sink")
        self.assertEqual(self.told(node), [1, 0, 0])
        self.assertEqual(len(node.json("dead", "list", "sink")), 1)
        self.assertEqual(node.actorctl("dead", "retry", "sink", "9-9").code, 3)
        self.assertEqual(node.actorctl("dead", "list", "nobody").out, "")


if __name__ == "__main__":
    unittest.main()
