#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Where an actor runs: on a thread of its own, which may block, on the I/O loop, on the pool."""

import unittest

from harness import ANSWERS, EFAIL, HERE, Case, make_folder, until, write_files

SPINNER = """#include "actor.h"
static int spin(actor *self, const msg *m)
{
	while (msg_int(m, 0))
		;
	return msg_reply(m, 7);
}
const struct actor_type %s = { .name = "%s", .where = %s, .budget_ms = 50,
	.on = ON({ "spin", "on:int", spin, 0 }) };
"""


class Where(Case):
    options = ("--workers", "1")
    actors = ("blocker.c", "clerk.c")

    def home(self, name):
        return next(a["home"] for a in self.runtime.json("ps") if a["name"] == name)

    def test_homes(self):
        self.assertRegex(self.home("blocker"), r"^thread \d+$")
        self.assertEqual(self.home("clerk"), "io")
        self.assertEqual(self.home("echo"), "pool")

    def test_one_that_blocks_holds_up_nobody(self):
        lines, told = len(self.runtime.err.lines), make_folder() / "told.c"
        told.write_text(SPINNER % ("told", "told", "ACTOR_POOL"))
        for i in range(3):
            self.caller.send("blocker", "until", "told", id=i)
        busy = ("blocker", "until")
        until(lambda: busy in [(w["actor"], w["handler"])
                               for w in self.runtime.json("inspect")[0]["workers"]], "it blocks")
        other = self.runtime.caller()
        for i in range(5):
            self.assertEqual(other.call("echo", "say", i), [i])
            self.assertEqual(other.call("clerk", "say", str(i)), [str(i)])
        self.assertEqual(other.db.llen(self.caller.ct), 0)
        self.runtime.json("start", told)
        self.assertEqual([self.caller.answer()["id"] for _ in range(3)], [0, 1, 2])
        self.assertFalse([x for x in self.runtime.err.lines[lines:] if "has been in blocker" in x])

    def test_they_are_patched(self):
        for name, handler in ("blocker", "busy"), ("clerk", "say"):
            self.caller.eval(name, handler, ANSWERS % 42, "answers")
            args = [1] if name == "blocker" else ["x"]
            self.assertEqual(self.caller.call(name, handler, *args), [42])
            self.assertEqual(self.runtime.actorctl("patch", "revert", str(
                self.runtime.json("patch", "list")[-1]["number"])).code, 0)

    def test_clients(self):
        self.assertEqual(self.runtime.client().call("say", "hello", tpc="clerk"), ["hello"])


class Loops(Case):
    """One that never ends, of an actor on the I/O loop or on a thread of its own, while the pool
    has nothing to do."""
    options = None

    def test_they_are_ended(self):
        folder = write_files(make_folder(), {name + ".c": SPINNER % (name, name, where)
                                             for name, where in (("looper", "ACTOR_LOOP"),
                                                                 ("threader", "ACTOR_THREAD"))})
        runtime = self.start(folder / "looper.c", folder / "threader.c")
        caller = runtime.caller()
        for _ in range(5):
            for name in "looper", "threader":
                said = self.refused(EFAIL, caller.call, name, "spin", 1)
                self.assertRegex(said, "^%s.spin: longer under way than its 50 ms at "
                                 % name)
                self.assertEqual(caller.call(name, "spin", 0), [7])
        self.assertEqual(runtime.actorctl("stop", "threader").code, 0)
        self.refused(EFAIL, caller.call, "looper", "spin", 1)
        self.check_alive(runtime)


class Stop(Case):
    options = None
    actors = ()

    def test_in_the_middle_of_it(self):
        """A node that stops waits for what is under way, and no longer than it says."""
        runtime = self.start(HERE / "actors/blocker.c", redis="none")
        done = runtime.actorctl("send", "blocker", "busy", "700")
        self.assertEqual(done.code, 0, done)
        runtime.stop()


if __name__ == "__main__":
    unittest.main()
