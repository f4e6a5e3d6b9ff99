#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Patches that mean no good, or come at a bad moment: each is told why, and the runtime serves
on."""

import pathlib
import signal
import threading
import unittest

from harness import HERE, Case, write_files

EFAIL = -5
HEAD = '#include "actor.h"\n'
HIT = HEAD + """static int hit(actor *self, const msg *m) { return msg_reply(m, %s); }
const struct actor_type patch = { .name = "counter", .on = ON({ "hit", "by:int", hit, 0 }) };
"""
SPAWNS = HEAD + """static const struct actor_type kid = { .name = "kid", .on = ON({ 0 }) };
int process(actor *self)
{
	int64_t n = 0;

	while (n >= 0)
		n += actor_spawn(self, &kid, NULL) != 0;
	return 0;
}
"""
BLOCKS = HEAD + """static int pause_for_ever(void)
{
	long rc;

	__asm__ volatile("syscall" : "=a"(rc) : "a"(34L) : "rcx", "r11", "memory");
	return rc != 0;
}
static int hit(actor *self, const msg *m) { while (pause_for_ever()) ; return 0; }
const struct actor_type patch = { .name = "counter", .on = ON({ "hit", "by:int", hit, 0 }) };
"""


class BadPatches(Case):
    def apply(self, text, code=0, runtime=None):
        path = write_files(self.folder, {"%x.c" % hash(text): text}) / ("%x.c" % hash(text))
        done = (runtime or self.runtime).actorctl("patch", "apply", str(path))
        self.assertEqual(done.code, code, done)
        return done.err if code else int(done.out)

    def test_two_for_one_handler_at_once(self):
        numbers, threads = {}, []

        def send(i):
            numbers[self.apply(HIT % (1000 + i))] = 1000 + i

        for i in range(8):
            threads.append(threading.Thread(target=send, args=(i,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(numbers), 8)
        newest = max(numbers)
        self.assertEqual(self.caller.call("counter", "hit", 1), [numbers[newest]])
        states = {p["number"]: p["state"] for p in self.runtime.json("patch", "list")}
        self.assertEqual({states[n] for n in numbers if n != newest}, {"superseded"})
        done = self.runtime.actorctl("patch", "revert", str(min(numbers)))
        self.assertEqual(done.code, 1)
        self.assertIn("is superseded: counter.hit is patch %d's by now" % newest, done.err)

    def test_the_global_table_has_a_name_in_words(self):
        patch = (pathlib.Path(__file__).parents[2] / "patches/global_test.c").read_text()
        first, second = self.apply(patch), self.apply(patch + "/* again */\n")
        done = self.runtime.actorctl("patch", "revert", str(first))
        self.assertEqual(done.code, 1)
        self.assertIn("the global table.test is patch %d's by now" % second, done.err)

    def test_what_cannot_be_taken_back(self):
        for number, code, says in (("0", 3, "0 is what the node started with"),
                                   ("4711", 3, "there is no patch 4711, the newest is"),
                                   ("4294967296", 3, "there is no such patch")):
            done = self.runtime.actorctl("patch", "revert", number)
            self.assertEqual(done.code, code, done)
            self.assertIn(says, done.err)

    def test_it_stops_itself(self):
        error = self.apply(HEAD + "int process(actor *self)\n"
                           "{ return actor_stop(self, actor_self(self)); }\n", code=6)
        self.assertIn("its process returned -1", error)
        runtime = self.start()
        self.apply(HEAD + """static int hit(actor *self, const msg *m)
{ return actor_stop(self, actor_self(self)); }
const struct actor_type patch = { .name = "counter", .on = ON({ "hit", "by:int", hit, 0 }) };
""", runtime=runtime)
        runtime.actorctl("call", "counter", "hit", "1")
        done = runtime.actorctl("call", "counter", "hit", "1")
        self.assertEqual(done.code, 3, done)
        self.assertIn("counter", done.err)
        self.assertEqual(runtime.caller().call("echo", "say", "still"), ["still"])

    def test_it_spawns_without_end(self):
        runtime = self.start()
        error = self.apply(SPAWNS, code=6, runtime=runtime)
        self.assertIn("its process failed: ", error)
        self.assertIn("longer under way than its 1000 ms", error)
        self.assertEqual(runtime.caller().call("echo", "say", "still"), ["still"])
        self.apply(HIT % 7, runtime=runtime)

    def test_it_blocks_in_a_system_call(self):
        runtime = self.start("--workers", "2")
        number = self.apply(BLOCKS, runtime=runtime)
        caller, others = runtime.caller(), runtime.caller()
        caller.send("counter", "hit", 1)
        self.assertEqual(others.call("echo", "say", "still"), ["still"])
        answer = caller.answer()
        self.assertEqual(answer["err"]["code"], EFAIL, answer)
        self.assertIn("counter.hit of patch %d: longer under way" % number, answer["err"]["text"])

    def test_while_it_drains(self):
        runtime = self.start("--workers", "2", HERE / "actors/slow.c")
        runtime.actorctl("send", "slow", "work", "2000")
        runtime.process.send_signal(signal.SIGTERM)
        runtime.err.wait("stopping")
        error = self.apply(HIT % 8, code=6, runtime=runtime)
        self.assertIn("the node is stopping: it takes no more patches", error)


if __name__ == "__main__":
    unittest.main()
