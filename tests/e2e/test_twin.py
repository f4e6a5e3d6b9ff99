#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The ancestor's gevent twin and we, exchanging calls both ways over lists: it calls `rpc` with its
own topic as `ct`; we call it by asking `list:TOPIC` from an actor that is run from source. Then
the same program with nothing changed but what it imports: tools/pymodule in the place of its
modules."""

import json
import subprocess
import unittest

from harness import ETIME, HERE, Case, Lines, Refused, running, source, vary

PEN_PAL = source("penpal.c")


class Twin(Case):
    actors = ("penpal.c",)
    program = "gevent_twin.py"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.twin = subprocess.Popen(
            ["/usr/bin/python3", HERE / cls.program, cls.runtime.redis_url, "pyRpc"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.add(cls.twin)
        cls.said = Lines(cls.twin.stdout)
        cls.addClassCleanup(cls.end_twin)
        cls.said.wait("running")

    @classmethod
    def end_twin(cls):
        cls.twin.kill()
        cls.twin.wait()
        cls.twin.stdin.close()
        running.discard(cls.twin)

    def tearDown(self):
        self.assertIsNone(self.twin.poll(), "the twin died")

    def twin_calls(self, *call):
        self.twin.stdin.write(json.dumps(call).encode() + b"\n")
        self.twin.stdin.flush()

    def test_it_calls_us(self):
        for i in range(200):
            self.twin_calls("rpc", "test", "callback", "arg1", "number %d" % i)
        for i in range(200):
            self.said.wait(r'^\["args: arg1, number %d\."\]$' % i)

    def test_we_call_it(self):
        self.assertEqual(self.caller.call("penpal", "ask", "left ", "right"), ["left right"])
        ws = self.runtime.client()
        self.assertEqual(ws.call("ask", "from a ", "browser", tpc="penpal"), ["from a browser"])
        for i in range(500):
            self.caller.send("penpal", "ask", "n", str(i), id=i)
        answers = [self.caller.answer() for _ in range(500)]
        self.assertEqual([(a["id"], a["args"]) for a in answers],
                         [(i, ["n%d" % i]) for i in range(500)])

    def test_both_ways_at_once(self):
        for i in range(200):
            self.caller.send("penpal", "ask", "both", str(i), id=i)
            self.twin_calls("rpc", "test", "callback", "both ways", str(i))
        answers = sorted((self.caller.answer() for _ in range(200)), key=lambda a: a["id"])
        self.assertEqual([a["args"] for a in answers], [["both%d" % i] for i in range(200)])
        for i in range(200):
            self.said.wait(r'^\["args: both ways, %d\."\]$' % i)

    def test_we_tell_it(self):
        self.caller.call("penpal", "tell", "news")
        self.said.wait(r'^\["news", 1, 2\.5\]$')

    def test_an_answer_without_values_is_a_list_all_the_same(self):
        """The twin dies of `"args": null`."""
        said = len(self.said.lines)
        self.twin_calls("echo", "say", "callback")
        self.said.wait(r"^\[\]$", after=said)

    def test_a_refusal_leaves_it_alive(self):
        self.twin_calls("rpc", "no such function", "callback", 1)
        self.twin_calls("rpc", "test", "callback", "only one")
        self.twin_calls("rpc", "test", "callback", "after", "refusals")
        self.said.wait(r'^\["args: after, refusals\."\]$')

    def test_nobody_answers(self):
        with self.assertRaises(Refused) as caught:
            self.caller.call("penpal", "ask_nobody")
        self.assertIn(str(ETIME), caught.exception.text)
        for _ in range(3):      # more, one after the other, than may wait at once
            self.assertEqual(self.caller.call("penpal", "ask_nobody_often", 10000), [10000])

    def test_a_patch_in_between(self):
        """An answer that was on its way meets the code that is in force when it comes."""
        patched = vary(PEN_PAL, "p->waiting[i], msg_str(m, 0))", 'p->waiting[i], "patched")')
        self.assertNotEqual(patched, PEN_PAL)
        for code, answer in (patched, "patched"), (PEN_PAL, "ab"):
            self.caller.eval("penpal", "answered", code, "answered")
            self.assertEqual(self.caller.call("penpal", "ask", "a", "b"), [answer])


class Package(Twin):
    program = "pymodule_twin.py"


if __name__ == "__main__":
    unittest.main()
