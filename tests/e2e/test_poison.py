#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A message that kills the nodes that handle it, among others in one entry of a topic's stream: it
alone is put aside, and what it was in the way of is handled; nothing again that is not marked."""

import re
import unittest

from harness import until
from test_pymodule import HERE, Python
from test_streams import Streams, key, message

SUMS = HERE / "actors" / "sums.c"
LINE = re.compile(r'(note|poison)\W+(\d+)\W+(0|1|true|false)\b')


def handled(lines):
    """(function, number, again) of each that a node said."""
    return [(m[1], int(m[2]), m[3] in ("1", "true")) for m in map(LINE.search, lines) if m]


class Poison(Streams):
    def setUp(self):
        super().setUp()
        self.asked = self.node("asked")
        self.folders = {}

    def begin(self, name, kind):
        """A life of that node: it, and the lines that it says."""
        if kind == "Python":
            life = Python(self, name, url=self.server.url)
            return life, life.said
        life = self.node(name, SUMS, folder=self.folders.get(name))
        self.folders[name] = life.folder
        return life, life.err

    def letters(self):
        return self.asked.json("dead", "list", "sums")

    def lives(self, *nodes):
        """What each of four handles, of whom three are killed over it; the fourth is killed when it
        has handled it as a dead letter that is sent again."""
        poison, said = message("poison", 1), []
        self.db.xadd(key("sums"), {"m": message("note", 0) + poison + message("note", 2)})
        self.db.xadd(key("sums"), {"m": message("note", 3)})
        self.db.xadd(key("sums"), {"m": message("note", 4) + message("note", 5)})
        for node in nodes[:3]:
            life, lines = self.begin(*node)
            lines.wait(r"poison\W+1\b", 40)
            life.kill()
            said.append(handled(lines.all()))
        life, lines = self.begin(*nodes[3])
        until(lambda: self.db.xlen(key("sums")) == 0, "the stream is empty", 40)
        said.append(handled(lines.lines))
        (_, letter), = self.db.xrange(key("sums") + ":dead")
        self.assertEqual((letter[b"m"], letter[b"deaths"]), (poison, b"3"))
        self.assertRegex(letter[b"reason"].decode(),
                         "^3 nodes died while they had it, the last was %s$" % nodes[2][0])
        row, = self.letters()
        self.assertEqual(self.asked.actorctl("dead", "retry", "sums", row["id"]).code, 0)
        lines.wait(r"poison\W+1\b")
        self.assertEqual(self.letters(), [])
        life.kill()
        self.assertEqual(handled(lines.all())[len(said[3]):], [("poison", 1, True)])
        self.db.delete(key("sums"))
        return said

    def check(self, said):
        self.assertEqual(said[0], [("note", 0, False), ("poison", 1, False)])
        again = [x for life in said[1:] for x in life]
        self.assertEqual([x for x in again if not x[2]], [])
        self.assertEqual(sorted(x[1] for x in again), [0, 0, 1, 1, 2, 3, 4, 5])

    def test_one_node_that_is_started_again(self):
        self.check(self.lives(*[("alpha", "C")] * 4))

    def test_one_after_the_other(self):
        self.check(self.lives(*[(name, "C") for name in ("alpha", "beta", "gamma", "delta")]))

    def test_nodes_in_python(self):
        self.check(self.lives(*[("alpha", "Python")] * 3, ("beta", "Python")))

    def test_of_both_kinds(self):
        self.check(self.lives(("alpha", "C"), ("beta", "Python"), ("gamma", "C"),
                              ("delta", "Python")))

    def test_a_node_that_died_of_something_else(self):
        """What it had is handled as it was sent, an entry as a whole."""
        for kind in "C", "Python":
            self.db.delete(key("sums"))
            self.db.xgroup_create(key("sums"), "actord", "0", mkstream=True)
            for n in 1, 3:
                self.db.xadd(key("sums"), {"m": message("note", n) + message("note", n + 1)})
            self.db.xreadgroup("actord", "old", {key("sums"): ">"})
            life, lines = self.begin(kind, kind)
            lines.wait(r"note\W+4\b", 40)
            self.assertEqual(handled(lines.lines),
                             [("note", n, True) for n in range(1, 5)])
            self.assertEqual(self.db.xinfo_stream(key("sums"))["entries-added"], 2)
            life.kill()

    def test_letters_that_nobody_died_of(self):
        """Sent again they are marked only if they came so: what is refused was not handled."""
        node = self.node("alpha", SUMS)
        for again in b"0", b"1":
            self.db.xadd(key("sums"), {"m": message("later", 7), "again": again})
            for _ in range(2):
                row, = until(self.letters, "it is a dead letter")
                (_, letter), = self.db.xrange(key("sums") + ":dead")
                self.assertEqual((letter[b"deaths"], letter.get(b"again")), (b"", again))
                self.assertEqual(self.asked.actorctl("dead", "retry", "sums", row["id"]).code, 0)
                until(lambda: [x["id"] for x in self.letters()] not in ([], [row["id"]]),
                      "it is one again")
            self.db.delete(key("sums") + ":dead")
        for deaths, again in (b"", False), (b"3", True):
            self.db.xadd(key("sums") + ":dead", {"m": message("note", 8), "deaths": deaths})
            row, = self.letters()
            at = len(node.err.lines)
            self.assertEqual(self.asked.actorctl("dead", "retry", "sums", row["id"]).code, 0)
            self.assertIsNotNone(node.err.wait("note 8 %d" % again, after=at))

    def test_what_died_three_times_untried(self):
        """As of a node that did not take entries apart: nobody knows of which message. A Redis that
        is full does not keep one from it."""
        self.db.xgroup_create(key("sums"), "actord", "0", mkstream=True)
        at = self.db.xadd(key("sums"), {"m": message("note", 1) + message("note", 2)})
        self.db.xreadgroup("actord", "old", {key("sums"): ">"})
        self.db.xclaim(key("sums"), "actord", "old", 0, [at], retrycount=3)
        node = self.node("alpha", SUMS)
        self.db.config_set("maxmemory", 1)
        self.empty("sums")
        self.db.config_set("maxmemory", 0)
        self.assertEqual(handled(node.err.lines), [("note", 1, True), ("note", 2, True)])
        self.assertEqual(self.letters(), [])


if __name__ == "__main__":
    unittest.main()
