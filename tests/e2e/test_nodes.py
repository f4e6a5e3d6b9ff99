#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nodes that share a Redis: they find each other, actors call actors of other nodes as if they were
here, and what happens to both when a node, a link or a Redis goes."""

import json
import unittest

from harness import HERE, Case, RedisServer, actord, make_folder, until

ACTORS = HERE / "actors"


class Nodes(Case):
    options = None

    def setUp(self):
        super().setUp()
        self.server = RedisServer()
        self.addCleanup(self.server.stop)

    def node(self, name, *actors, **more):
        more.setdefault("listen", "none")
        return self.start("--node", name, *(ACTORS / a for a in actors), redis=self.server.url,
                          **more)

    def pair(self):
        a = self.node("alpha", "spring.c")
        b = self.node("beta", "sink.c")
        self.reach(a, "sink")
        return a, b

    def reach(self, runtime, name):
        until(lambda: any(name in n["topics"] for n in runtime.json("nodes")),
              name + " is known to " + runtime.folder.name)

    def call(self, runtime, *args, **more):
        """An answer by way of actorctl: from inside that node."""
        done = runtime.actorctl("--json", "--timeout", "20000", "call", *map(str, args), **more)
        if done.code:
            raise AssertionError(done)
        return json.loads(done.out)["args"]


class Found(Nodes):
    def test_who_is_there(self):
        a = self.node("alpha", "spring.c")
        self.assertEqual([n["name"] for n in a.json("nodes")], ["alpha"])
        b = self.node("beta", "sink.c")
        self.reach(a, "sink")
        rows = a.json("nodes")
        self.assertEqual([n["name"] for n in rows], ["alpha", "beta"])
        self.assertEqual([n["self"] for n in rows], [True, False])
        self.assertIn("spring", rows[0]["topics"])
        self.assertNotIn("sink", rows[0]["topics"])
        self.assertRegex(rows[1]["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(rows[1]["patches"], [])
        b.stop()
        until(lambda: len(a.json("nodes")) == 1, "beta has left")
        table = a.actorctl("nodes").out
        self.assertIn("alpha", table)
        self.assertIn("NAME", table.upper())

    def test_two_with_one_name(self):
        a = self.node("alpha")
        second = actord("--node", "alpha", "--redis", self.server.url, "--listen", "none",
                        "--state", make_folder() / "state", "--control",
                        make_folder() / "control")
        self.assertEqual(second.code, 2, second)
        self.assertIn("--node alpha: another runtime has it", second.err)
        self.assertEqual(self.call(a, "echo", "say", "1"), [1])
        a.kill()
        again = self.start("--node", "alpha", redis=self.server.url, listen="none",
                           folder=a.folder)
        self.assertEqual([n["name"] for n in again.json("nodes")], ["alpha"])


class Called(Nodes):
    def came(self, runtime, count):
        """So many messages have come to the sink there, once each and in order."""
        def look():
            done = runtime.actorctl("--json", "call", "sink", "told")
            return not done.code and json.loads(done.out)["args"] == [count, 0, 0]
        until(look, "%d messages have come" % count, 60)

    def test_send_and_ask(self):
        a, b = self.pair()
        self.assertEqual(self.call(a, "sink", "told"), [0, 0, 0])
        self.assertEqual(self.call(a, "spring", "run", "sink", 1, 20000, 0)[0], 20000)
        self.came(b, 20000)
        self.assertEqual(self.call(a, "spring", "ask", "sink", "told", 5000), [20000, 0, 0])
        with self.assertRaisesRegex(AssertionError, "sink.*no handler.*nothing"):
            self.call(a, "sink", "nothing")
        with self.assertRaisesRegex(AssertionError, "no actor named .nobody"):
            self.call(a, "nobody", "told")
        db = self.server.client()
        until(lambda: db.xlen("actord:{node:beta}") == 0, "the inbox is empty")

    def test_a_slow_one_slows_its_senders(self):
        a, b = self.pair()
        sent, refused = self.call(a, "spring", "run", "sink", 1, 30000, 0)
        del refused
        self.call(a, "spring", "run", "sink", 1, 3000, 1, seconds=60)
        self.came(b, sent + 3000)

    def test_its_node_dies(self):
        a, b = self.pair()
        self.call(a, "spring", "watch", "sink")
        b.process.kill()
        with self.assertRaisesRegex(AssertionError, "-2: the node beta is gone"):
            self.call(a, "spring", "ask", "sink", "never", 60000)
        self.assertEqual(self.call(a, "spring", "wait"), ["sink: the node beta is gone"])
        with self.assertRaisesRegex(AssertionError, "no actor named"):
            self.call(a, "sink", "told")
        b.kill()

    def test_it_ends_there(self):
        a, b = self.pair()
        self.call(a, "spring", "watch", "sink")
        self.call(b, "sink", "end")
        self.assertRegex(self.call(a, "spring", "wait")[0], "^sink: ")


if __name__ == "__main__":
    unittest.main()
