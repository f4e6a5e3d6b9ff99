#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A patch that faults, sent as it stands: the caller is told where, all others are served, the
runtime lives."""

import threading
import unittest

from harness import HERE, Case

EFAIL, ENOENT = -5, -2
HALF_DONE = """#include "actor.h"
static int more(actor *self, const msg *m) { (void)self; return msg_reply(m, 1); }
static int x(actor *self, const msg *m) { (void)self; return msg_reply(m, 2); }
static const struct actor_type half = { .name = "half", .on = ON({ "x", "", x, 0 }) };
int process(actor *self)
{
	actor_send(self, actor_find("counter"), "hit", 7);
	actor_spawn(self, &half, "half-born");
	END
}
const struct actor_type patch = { .name = "echo", .on = ON({ "more", "", more, 0 }) };
"""
FAULT = (HERE / "../../patches/counter_blunder.c").read_text()


class Contain(Case):
    def line(self, text):
        return next(n for n, line in enumerate(FAULT.splitlines(), 1) if text in line)

    def test_told_where(self):
        caller = self.runtime.caller()
        before = caller.call("counter", "hit", 5)[0]
        caller.exec(FAULT + "/* told */\n")
        error = self.refused(EFAIL, caller.call, "counter", "hit", 0)
        self.assertIn("counter.hit of patch ", error)
        self.assertIn("a division by zero at patch.c:%d in share(), called at patch.c:%d in hit()"
                      % (self.line("return of / by"), self.line("msg_reply(")), error)
        self.assertEqual(caller.call("counter", "hit", 2), [before + 2])

    def test_a_loop_is_ended(self):
        caller, client = self.runtime.caller(), self.runtime.client()
        caller.exec(FAULT)
        over, count = threading.Event(), 0
        errors = []

        def loop():
            errors.append(self.refused(EFAIL, caller.call, "counter", "hit", -1))
            over.set()

        looping = threading.Thread(target=loop)
        looping.start()
        while not over.is_set():
            self.assertEqual(client.call("say", count, tpc="echo"), [count])
            count += 1
        looping.join()
        self.assertRegex(errors[0], r"longer under way than its 1000 ms at patch.c:(%d|%d) in share"
                         % (self.line("while (by == -1)"), self.line("while (by == -1)") + 1))
        self.assertGreater(count, 5)    # were they held up by the loop: 1, or 2

    def test_process(self):
        caller = self.runtime.caller()
        error = self.refused(EFAIL, caller.exec, '#include "actor.h"\n'
                             "int process(actor *self)\n{\n\treturn *(volatile int *)0;\n}\n")
        self.assertIn("a bad pointer (0) at patch.c:4 in process()", error)
        self.assertEqual(caller.call("echo", "say", 1), [1])

    def test_no_actor_and_no_message(self):
        """What actor.h wants, it wants of the caller: NULL is no actor, and nothing begun."""
        caller = self.runtime.caller()
        for call in ("out_int((msg_out *)0, 1)", "msg_reply_out((msg *)0, 0)",
                     "actor_name((actor *)0)", "actor_stash((actor *)0, 0)",
                     'actor_join((actor *)0, "x", "x")', "actor_alloc((actor *)0, 8)"):
            with self.subTest(call):
                error = self.refused(EFAIL, caller.exec, '#include "actor.h"\n'
                                     "int process(actor *self)\n{\n\t%s;\n\treturn 0;\n}\n" % call)
                self.assertIn("a bad pointer (0) at patch.c:4 in process()", error)
        self.assertEqual(caller.call("echo", "say", 1), [1])

    def test_a_process_that_fails_has_done_nothing(self):
        """What it sent does not leave, its table is taken back; one that does well does leave."""
        caller = self.runtime.caller()
        before = caller.call("counter", "hit", 0)[0]
        for n, end in enumerate(("return *(volatile int *)0;", "return 9;", "for (;;) ;",
                                 "return 0;")):
            source = HALF_DONE.replace("END", end)
            if end == "return 0;":
                caller.exec(source)
                continue
            error = self.refused(EFAIL, caller.exec, source)
            self.assertRegex(error, r"patch \d+ is refused: its process (failed: |returned 9)")
            self.assertEqual(caller.call("counter", "hit", 0), [before])
            self.refused(ENOENT, caller.call, "echo", "more")
            self.assertEqual(self.runtime.actorctl("call", "half-born", "x").code, 3)
            last = self.runtime.json("patch", "list")[-1]
            self.assertEqual(last["state"], "refused")
            self.assertIn("its process", self.runtime.json("patch", "show",
                                                           str(last["number"]))[0]["why"])
        self.assertEqual(caller.call("counter", "hit", 0), [before + 7])
        self.assertEqual(caller.call("echo", "more"), [1])
        self.assertEqual(caller.call("half-born", "x"), [2])
        self.assertEqual(caller.call("echo", "say", 1), [1])


if __name__ == "__main__":
    unittest.main()
