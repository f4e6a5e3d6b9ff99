#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Actors from outside the tree, run from source or as a shared object: deferred answers, questions
between actors, timers, lists and maps, headers of their own, and patches for them all."""

import subprocess
import unittest

from harness import (ANSWERS, EARGS, EFAIL, ENOENT, ETIME, HERE, Case, actord, make_folder, run,
                     source, until, vary, write_files)

GATE, DESK, SHAPES = source("gate.c"), source("desk/desk.c"), source("shapes.c")
TICKER = source("ticker.c")


LIBRARY = r"""
#include <stdio.h>
#include "actor.h"
#include "counter.h"
static int hits(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);
	char text[32];

	snprintf(text, sizeof text, "%d", (int)c->hits);
	return msg_reply(m, c->hits, text);
}
"""


class FromSource(Case):
    """Each file in a folder of its own, the desk with headers beside it."""

    actors = ("gate.c", "desk/desk.c", "ticker.c", "shapes.c")

    def test_deferred_answers(self):
        for i in range(10):
            self.caller.send("gate", "pass", id=i)
        ws = self.runtime.client()
        for i in range(5):
            ws.send({"tpc": "gate", "func": "pass", "cb": "callback", "id": i})
        self.assertEqual(ws.call("waiting", tpc="gate"), [15])
        other = self.runtime.caller()
        self.assertEqual(other.call("gate", "open", "you"), [15])
        order = []
        for i in range(10):
            answer = self.caller.answer()
            self.assertEqual((answer["id"], answer["args"][1:]), (i, ["you", 0.5]))
            order.append(answer["args"][0])
        for i in range(5):
            answer = ws.receive()
            self.assertEqual((answer["id"], answer["args"][1:]), (i, ["you", 0.5]))
            order.append(answer["args"][0])
        self.assertEqual(sorted(order), list(range(15)))

    def test_deferred_refusals(self):
        self.caller.send("gate", "pass", id=1)
        self.runtime.caller().call("gate", "refuse", "today")
        answer = self.caller.answer()
        self.assertEqual((answer["id"], answer["args"]), (1, []))
        self.assertEqual(answer["err"], {"code": EFAIL, "text": "closed for today"})

    def test_who_is_gone_is_answered_into_nothing(self):
        ws = self.runtime.client()
        for _ in range(20):
            ws.send({"tpc": "gate", "func": "pass", "cb": "callback"})
        self.assertEqual(ws.call("waiting", tpc="gate"), [20])
        ws.ws.sock.close()
        self.assertEqual(self.caller.call("gate", "open", "nobody"), [20])

    def test_answers_of_a_handler(self):
        self.assertEqual(self.caller.call("gate", "silent"), [])
        self.assertEqual(self.caller.call("gate", "twice"), [1])
        self.refused(-3, self.caller.call, "gate", "wrong")
        self.assertEqual(self.caller.db.llen(self.caller.ct), 0)

    def test_asks(self):
        total, = self.caller.call("counter", "hit", 0)
        self.assertEqual(self.caller.call("desk", "count", 5), ["told", 1, total + 5])
        self.assertEqual(self.caller.call("desk", "forward", 5), [total + 10])
        self.assertIn(str(EARGS), self.refused(EFAIL, self.caller.call, "desk", "misspell"))
        self.assertIn(str(ENOENT), self.refused(EFAIL, self.caller.call, "desk", "nobody"))
        self.assertIn(str(ENOENT), self.refused(EFAIL, self.caller.call, "desk", "pass_on",
                                                "nothing"))
        self.assertIn("-3", self.refused(EFAIL, self.caller.call, "desk", "pass_on", "wrong"))
        self.assertEqual(self.caller.call("desk", "pass_on", "silent"), ["told", 0, -1])

    def test_no_answer_in_time(self):
        self.assertIn(str(ETIME), self.refused(EFAIL, self.caller.call, "desk", "through", 50))
        # The late answer goes nowhere.
        self.assertEqual(self.caller.call("gate", "open", "late"), [1])
        self.caller.send("desk", "through", 10000, id="in time")
        other = self.runtime.caller()
        until(lambda: other.call("gate", "waiting") == [1], "one waits at the gate")
        self.assertEqual(other.call("gate", "open", "now"), [1])
        self.assertEqual(self.caller.answer()["args"], ["told", 3, 0])

    def test_many_asks_at_once(self):
        for i in range(90):
            self.caller.send("desk", "count", 1, id=i)
        totals = [self.caller.answer() for i in range(90)]
        self.assertEqual([t["id"] for t in totals], list(range(90)))
        numbers = [t["args"][2] for t in totals]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 90)))

    def test_timers(self):
        ticks, by = self.caller.call("ticker", "wait", 10)
        self.assertEqual(by, "shipped")
        self.assertGreaterEqual(ticks, 10)
        self.assertEqual(self.caller.call("ticker", "alarms")[:3], [2, 1, 3])
        for ms in 0, 1, 10, 50:
            late, = self.caller.call("ticker", "accuracy", ms)
            self.assertGreaterEqual(late, -1, ms)
        self.assertFalse([x for x in self.runtime.err.lines if "cancel answers" in x])

    def test_a_timer_meets_the_patch(self):
        """It was set by the old code and names the handler: the new code runs, and the next one."""
        patched = vary(TICKER, '"shipped"', '"patched"')
        self.caller.eval("ticker", "tick", patched, "tick")
        self.assertEqual(self.caller.call("ticker", "wait", 3)[1], "patched")
        self.caller.eval("ticker", "tick", TICKER, "tick")
        self.assertEqual(self.caller.call("ticker", "wait", 3)[1], "shipped")

    def test_a_caller_kept_waiting_meets_the_patch(self):
        self.caller.send("gate", "pass")
        other = self.runtime.caller()
        until(lambda: other.call("gate", "waiting") == [1], "one waits at the gate")
        other.eval("gate", "open", vary(GATE, "i, msg_str(m, 0), 0.5", '"patched"'), "open_all")
        other.call("gate", "open", "x")
        self.assertEqual(self.caller.answer()["args"], ["patched"])
        other.eval("gate", "open", GATE, "open_all")

    def test_a_patch_with_the_actors_header(self):
        patch = DESK.split("static int start")[0] + r"""
static int version(actor *self, const msg *m)
{
	struct desk *d = actor_state(self);

	return msg_reply(m, "patched", DESK_SIZE, (int)sizeof *d, d->gate == actor_find("gate"));
}
const struct actor_type patch = {
	.name = "desk", .state = sizeof(struct desk), .on = ON({ "version", "", version, 0 }) };
"""
        size, state = self.caller.call("desk", "version")
        self.assertEqual(size, 100)
        self.caller.exec(patch)
        self.assertEqual(self.caller.call("desk", "version"), ["patched", 100, state, 1])
        path = self.folder / "sent.c"
        path.write_text(patch.replace('"patched"', '"again"'))
        self.assertEqual(self.runtime.actorctl("patch", "apply", path).code, 0)
        self.assertEqual(self.caller.call("desk", "version")[0], "again")

    def test_shapes(self):
        for encoding in "json", "msgpack":
            caller = self.runtime.caller(encoding)
            self.assertEqual(caller.call("shapes", "sum", [1, [2.5, "four"], {"k": True}, None]),
                             [1 + 2 + 4 + 1 + 1, 4])
            self.assertEqual(caller.call("shapes", "sum", {"a": 1, "b": [2]}), [5, 2])
            self.assertEqual(caller.call("shapes", "sum", []), [0, 0])
            self.assertEqual(caller.call("shapes", "types", None, 1, 1.5, True, "s", [], {}),
                             [["null", "int", "num", "bool", "str", "list", "map"]])
            self.assertEqual(caller.call("shapes", "build", 3, {"deep": [1]}),
                             [None, True, 2.5, {"a": [0, 1, 2], "two": {"deep": [1]}}])
            self.assertEqual(caller.call("shapes", "eight"),
                             [-1, 255, 1 << 62, 0.5, 2.5, "array", "literal", -3])
        self.assertEqual(self.runtime.caller("msgpack").call("shapes", "types", b"x"), [["bytes"]])

    def test_a_list_that_was_not_finished(self):
        with self.assertRaises(Exception):
            self.caller.call("shapes", "unfinished")
        self.check_alive()

    def test_process_runs_once_and_reaches_all(self):
        total, = self.caller.call("counter", "hit", 0)
        self.caller.exec('#include "actor.h"\nint process(actor *self)\n{\n'
                         '\tactor_log(self, "process of %s", actor_name(self));\n'
                         '\tactor_send(self, actor_find("counter"), "hit", 1);\n'
                         "\treturn 0;\n}\n")
        self.assertEqual(self.caller.call("counter", "hit", 0), [total + 1])
        self.runtime.err.wait("process of patch")

    def test_several_tables_in_one_patch(self):
        self.caller.exec(ANSWERS % 11 + """
static const struct actor_type one = { .name = "gate", .on = ON({ "both", "", answers, 0 }) };
static const struct actor_type two = { .name = "shapes", .on = ON({ "both", "", answers, 0 }) };
const struct actor_type *const patches[] = { &one, &two, 0 };
""")
        self.assertEqual(self.caller.call("gate", "both") + self.caller.call("shapes", "both"),
                         [11, 11])

    def test_what_a_patch_may_include_and_call(self):
        headers = ("stddef", "stdint", "stdbool", "stdarg", "limits", "float", "inttypes", "string",
                   "stdlib", "stdio", "ctype", "math")
        library = "".join("#include <%s.h>\n" % h for h in headers) + r"""
#include "actor.h"
#include "counter.h"
static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static int add(int n, ...)
{
	va_list ap;
	int sum = 0;

	va_start(ap, n);
	while (n--)
		sum += va_arg(ap, int);
	va_end(ap);
	return sum;
}
static int lib(actor *self, const msg *m)
{
	int numbers[] = { 3, 1, 2 }, key = 2, at;
	char text[64];
	bool yes = true;

	(void)self;
	qsort(numbers, 3, sizeof *numbers, by_value);
	snprintf(text, sizeof text, "%d%" PRId64 "%c%.2f", numbers[0], INT64_C(5), toupper('a'),
	         sqrt(2.0));
	at = (int)((int *)bsearch(&key, numbers, 3, sizeof key, by_value) - numbers);
	memmove(text + 1, text, strlen(text) + 1);
	return msg_reply(m, text, at,
	                 strtol("42", NULL, 10), add(3, 1, 2, 3), yes, strcmp("a", "b") < 0,
	                 INT_MAX, DBL_MAX > 1);
}
"""
        self.caller.eval("shapes", "lib", library, "lib")
        self.assertEqual(self.caller.call("shapes", "lib"),
                         ["115A1.41", 1, 42, 6, True, 1, 2 ** 31 - 1, 1])


class Replaced(Case):
    """An actor named on the command line stands in the place of the shipped one of its name."""

    actors = ("replaced/counter.c",)

    def test_counter(self):
        self.assertEqual(self.caller.call("counter", "hit", 5), [-5])
        self.refused(ENOENT, self.runtime.client().call, "hit", 1, tpc="counter")


class SharedObject(Case):
    options = None

    def build(self, name, source):
        folder = write_files(make_folder(), {name + ".c": source})
        subprocess.run(["gcc", "-std=gnu11", "-shared", "-fPIC", "-O2", "-Wall", "-Werror",
                        "-I", HERE / "../../runtime", "-o", folder / (name + ".so"),
                        folder / (name + ".c")],
                       check=True)
        return folder / (name + ".so")

    def test_it_runs_and_is_patched(self):
        runtime = self.start(self.build("gate", GATE), self.build("shapes", SHAPES))
        caller = runtime.caller()
        self.assertEqual(caller.call("shapes", "sum", [1, 2]), [3, 2])
        caller.send("gate", "pass")
        self.assertEqual(runtime.caller().call("gate", "open", "x"), [1])
        self.assertEqual(caller.answer()["args"], [0, "x", 0.5])
        caller.eval("gate", "waiting", ANSWERS % 99, "answers")
        self.assertEqual(caller.call("gate", "waiting"), [99])

    def test_libc_is_all_there(self):
        source = r"""
#include "actor.h"
#include <unistd.h>
static int pid(actor *self, const msg *m) { (void)self; return msg_reply(m, (int)getpid()); }
const struct actor_type os = { .name = "os", .on = ON({ "pid", "", pid, 0 }) };
"""
        runtime = self.start(self.build("os", source))
        self.assertEqual(runtime.caller().call("os", "pid"), [runtime.pid])


class CommandLine(Case):
    options = None
    # What a compiler needs, and this tree's own headers, are out of sight.
    BARE = """
for folder in /usr/include /usr/lib/gcc /usr/lib/*/tcc %s %s; do
	[ ! -d $folder ] || mount -t tmpfs none $folder || exit
done
for file in /usr/lib/*/libc.so /usr/lib/*/libc.a /usr/lib/*/crt1.o; do
	[ ! -f $file ] || mount --bind /dev/null $file || exit
done
[ ! -e /usr/include/stdio.h ] && exec "$@"
""" % (HERE.parents[1] / "runtime", HERE.parents[1] / "actors")

    @unittest.skipIf(run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]).code,
                     "may not mount")
    def test_no_compiler_and_no_headers(self):
        file = write_files(make_folder(), {"gate.c": GATE}) / "gate.c"
        runtime = self.start(file, prefix=["unshare", "-m", "sh", "-c", self.BARE, "sh"])
        self.assertEqual(runtime.caller().call("gate", "waiting"), [0])
        runtime.caller().eval("counter", "hits", LIBRARY, "hits")
        self.assertEqual(runtime.caller().call("counter", "hits"), [0, "0"])

    def ends(self, *files, folder=None):
        folder = make_folder()
        done = actord("--state", folder / "s", "--control", folder / "c", "--listen", "127.0.0.1:0",
                      "--redis", "none", *files)
        self.assertEqual(done.code, 2, done)
        self.assertEqual(done.out, "")
        return done.err

    def test_folder(self):
        folder = write_files(make_folder(), {"gate.c": GATE, "shapes.c": SHAPES,
                                             "notes.txt": "no actor"})
        caller = self.start(folder).caller()
        self.assertEqual(caller.call("gate", "waiting"), [0])
        self.assertEqual(caller.call("shapes", "sum", [1]), [1, 1])

    def test_relative_path(self):
        folder = write_files(make_folder(), {"gate.c": GATE})
        self.assertEqual(self.start("gate.c", cwd=folder).caller().call("gate", "waiting"), [0])

    def test_two_alike(self):
        one, two = (write_files(make_folder(), {"gate.c": GATE}) for _ in range(2))
        self.assertRegex(self.ends(one / "gate.c", two / "gate.c"), "gate")

    def test_what_does_not_compile(self):
        folder = write_files(make_folder(), {
            "gate.c": vary(GATE, "return msg_reply(m, i);", "return msg_reply(m, i)"),
            "other.c": GATE, "unknown.c": 'void unknown(void);\n', "dir.so/x": "",
                                             "noise.so": "noise",
            "other name.c": GATE, "gate.txt": GATE})
        self.assertRegex(self.ends(folder / "gate.c"), r"gate\.c:\d+: ")
        # Its table is to have the file's name.
        self.assertRegex(self.ends(folder / "other.c"), "other")
        for file in "unknown.c", "noise.so", "missing.c", "missing.so", "gate.txt", "missing":
            self.assertIn(file, self.ends(folder / file))

    def test_a_bad_table(self):
        for find, put in (("who:str", "who:text"), ('"open", ', '"pass", '), ('"waiting"', '""')):
            folder = write_files(make_folder(), {"gate.c": vary(GATE, find, put)})
            self.assertIn("gate", self.ends(folder / "gate.c"))


if __name__ == "__main__":
    unittest.main()
