#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A patch on probation: what it does leaves when its handler has returned, or not at all; what
fails is taken back at once and by itself, and not taken again; what does well is confirmed."""

import os
import pathlib
import re
import resource
import signal
import sys
import threading
import unittest

from harness import ACTORD, EFAIL, HERE, Case, make_folder, until

SANITIZERS = re.compile("Sanitizer:")
SANITIZED = re.search(rb"__[at]san_init", pathlib.Path(ACTORD).read_bytes()) is not None

COUNTER = '#include "actor.h"\n#include "counter.h"\n'
TALLY = '#include "actor.h"\n#include "tally.h"\n'


def hit(body, state=True):
    return COUNTER + """
static int f(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);
	int64_t by = msg_int(m, 0);

	c->hits += by;
	%s
}
const struct actor_type patch = { .name = "counter", .state = sizeof(struct counter),
	.on = ON({ "hit", "by:int", f, ON_CLIENT }) };
""" % body


def add(body, more="", start=""):
    """A patch of tally.add, which writes before it comes to the body."""
    return TALLY + more + """
static int f(actor *self, const msg *m)
{
	struct tally *l = actor_state(self);
	int64_t by = msg_int(m, 0);

	l->sum += by;
	actor_send(self, actor_find("book"), "write", -l->sum);
	actor_send(self, actor_find("book"), "write", -l->sum - 1);
	%s
}
const struct actor_type patch = { .name = "tally", .state = sizeof(struct tally),
	.on = ON({ "add", "by:int", f, ON_CLIENT }) };
""" % body


DIVIDES = hit("return msg_reply(m, c->hits + 0 * (1 / by));")


class Probation(Case):
    options = None

    def begin(self, *args, **more):
        more.setdefault("folder", make_folder())
        self.r = self.start(*args, redis="none", listen="none", **more)
        self.folder = more["folder"]

    def apply(self, source, *args, code=0):
        path = self.folder / "patch.c"
        path.write_text(source)
        done = self.r.actorctl("patch", "apply", path, *args)
        self.assertEqual(done.code, code, done.err)
        return done.out if not code else done.out + done.err

    def call(self, *args, code=0):
        done = self.r.actorctl("--json", "call", *map(str, args))
        self.assertEqual(done.code, code, done.err)
        return done.out + done.err

    def value(self, *args):
        return self.r.json("call", *map(str, args))[0]["args"][0]

    def wait(self, number, code=0):
        done = self.r.actorctl("patch", "wait", str(number))
        self.assertEqual(done.code, code, done)
        return done.out.strip()

    def state(self, number):
        return {p["number"]: p["state"] for p in self.r.json("patch", "list")}[number]

    def top(self, handler):
        """What it says since the start of the one handler."""
        seen = self.r.json("call", "node", "top", "0", "rate", handler, "9")[0]["args"][0]
        row, = seen["handlers"]
        return row["patch"], row["state"]

    def events(self):
        return [(line["event"], line["patch"]) for line in self.r.json("patch", "log")[1:]]


class TakenBack(Probation):
    def test_the_blunder(self):
        """The worked patch that faults: taken back, quarantined, said, lifted."""
        self.begin()
        blunder = (HERE / "../../patches/counter_blunder.c").read_text()
        self.assertEqual(self.value("counter", "hit", 5), 5)
        self.assertEqual(self.top("counter.hit"), (0, ""))
        self.apply(blunder)
        self.assertEqual(self.state(1), "probation")
        self.assertEqual(self.value("counter", "hit", 5), 10)
        self.assertEqual(self.top("counter.hit"), (1, "probation"))
        said = self.call("counter", "hit", 0, code=1)
        self.assertIn("counter.hit of patch 1: a division by zero at ", said)
        self.assertRegex(self.wait(1, code=6), "^quarantined: counter.hit of patch 1: a division")
        self.assertEqual(self.value("counter", "hit", 0), 10)
        self.r.err.wait("1 is taken back, .* quarantine .*patch lift 1.*a division by zero")
        said = self.apply(blunder, code=6)
        self.assertIn("in quarantine since it was taken back as patch 1 (counter.hit of patch 1: "
                      "a division by zero", said)
        self.assertIn("actorctl patch lift 1", said)
        self.assertIn("quarantine", self.r.actorctl("patch", "check",
                                                    HERE / "../../patches/counter_blunder.c").err)
        shown = self.r.json("patch", "show", "1")[0]
        self.assertEqual(shown["state"], "quarantined")
        self.assertIn("a division by zero", shown["why"])
        self.assertEqual(self.r.actorctl("patch", "revert", "1").code, 1)
        self.assertIn('"state":"quarantined"', self.r.actorctl("--json", "inspect").out)
        self.assertEqual(self.events(), [("intent", 1), ("in force", 1), ("revert", 1),
                                         ("reverted", 1), ("quarantined", 1)])
        self.assertEqual(self.r.actorctl("patch", "lift", "2").code, 3)
        self.assertEqual(self.r.actorctl("patch", "lift", "1").code, 0)
        self.assertEqual(self.r.actorctl("patch", "lift", "1").code, 1)
        self.assertEqual(self.state(1), "reverted")
        self.apply(blunder)
        self.assertEqual(self.r.json("patch", "log", "--verify")[0]["lines"], 9)

    def test_quarantine_outlasts_a_restart(self):
        self.begin(stop=False)
        self.apply(DIVIDES)
        self.call("counter", "hit", 0, code=1)
        self.wait(1, code=6)
        self.r.kill()
        self.begin(folder=self.folder)
        self.assertEqual(self.state(1), "quarantined")
        self.assertIn("in quarantine", self.apply(DIVIDES, code=6))
        self.assertEqual(self.value("counter", "hit", 0), 0)

    def test_to_what_was_before(self):
        """Earlier patches are in force again; what a later patch has taken stays that."""
        self.begin()
        self.apply(hit("return msg_reply(m, c->hits + 1000);"))
        self.apply(DIVIDES)
        self.call("counter", "hit", 0, code=1)
        self.wait(2, code=6)
        self.assertEqual(self.value("counter", "hit", 0), 1000)
        self.assertEqual(self.state(1), "probation")
        two = hit("return msg_reply(m, 7);").replace(
            'ON(', 'ON({ "again", "by:int", g, 0 }, ').replace(
            "static int f(", "static int g(actor *self, const msg *m)\n"
            "{ (void)self; return msg_reply(m, 1 / msg_int(m, 0)); }\nstatic int f(")
        self.apply(two)
        self.apply(hit("return msg_reply(m, 8);"))
        self.call("counter", "again", 0, code=1)
        self.wait(3, code=6)
        self.call("counter", "again", 1, code=3)
        self.assertEqual(self.value("counter", "hit", 0), 8)
        self.assertEqual(self.state(4), "probation")

    def test_failures_and_time(self):
        self.begin()
        for _ in range(100):
            self.value("counter", "hit", 0)
        self.apply(hit("return by ? -5 : msg_reply(m, c->hits);"))
        for _ in range(30):
            self.r.actorctl("call", "counter", "hit", "1")
            if self.state(1) != "probation":
                break
        self.assertRegex(self.wait(1, code=6), r"quarantined: \d+ of its \d+ messages failed, "
                         "before it 0.0 of 100 did; the last: EFAIL")
        self.assertEqual(self.value("counter", "hit", 0), 0)       # no hit of those counted
        self.apply(hit("for (int64_t end = actor_now() + 200; by && actor_now() < end;)\n;\n"
                       "return msg_reply(m, c->hits);"))
        for n in range(30):
            self.r.actorctl("call", "counter", "hit", str(int(n > 8)))
            if self.state(2) != "probation":
                break
        # where others compute so much that 200 ms take a second, that is a fault
        self.assertRegex(self.wait(2, code=6), r"messages took longer than .* ms, before it 99"
                         "|longer under way than its 1000 ms")

    def test_refusals_are_business(self):
        self.begin()
        self.apply(hit('return msg_fail(m, "closed");'), "--probation", "messages=30")
        for _ in range(30):
            self.call("counter", "hit", 1, code=1)
        self.assertEqual(self.wait(1), "confirmed")

    def test_more_faults_than_its_terms_allow(self):
        self.begin("--probation", "faults=2")
        self.apply(DIVIDES)
        for _ in range(2):
            self.call("counter", "hit", 0, code=1)
        self.assertEqual(self.state(1), "probation")
        self.assertRegex(self.r.json("patch", "show", "1")[0]["probation"],
                         r"^2 of 1000 messages, 2 faults, 2 failures, \d+ s left$")
        self.call("counter", "hit", 0, code=1)
        self.wait(1, code=6)

    def test_no_way_back(self):
        self.begin(stop=False)
        migrates = COUNTER + """
struct wide { int64_t more[3]; };
static int f(actor *self, const msg *m)
{ struct wide *w = actor_state(self); return msg_reply(m, w->more[2] + 1 / msg_int(m, 0)); }
int migrate(const void *from, void *to)
{ ((struct wide *)to)->more[2] = ((const struct counter *)from)->hits; return 0; }
const struct actor_type patch = { .name = "counter", .state = sizeof(struct wide),
	.on = ON({ "hit", "by:int", f, ON_CLIENT }) };
"""
        path = self.folder / "patch.c"
        path.write_text(migrates)
        done = self.r.actorctl("patch", "apply", path)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("it is not taken back by itself when it fails", done.err)
        self.call("counter", "hit", 0, code=1)
        self.assertEqual(self.wait(1), "in force: counter.hit of patch 1: a division by zero at "
                         "%s:6 in f()" % path)
        self.call("counter", "hit", 0, code=1)
        self.r.stop(trouble=SANITIZERS)


class Confirmed(Probation):
    def test_by_messages_by_time_or_never(self):
        self.begin()
        self.apply(hit("return msg_reply(m, 1);"), "--probation", "messages=3")
        for _ in range(3):
            self.value("counter", "hit", 0)
        self.assertEqual(self.wait(1), "confirmed")
        self.assertEqual(self.state(1), "confirmed")
        out = self.apply(hit("return msg_reply(m, 2);"), "--probation", "seconds=1", "--wait")
        self.assertEqual(out, "2\nconfirmed\n")
        self.apply(hit("return msg_reply(m, 1 / by);"), "--probation", "off")
        self.assertEqual(self.state(3), "in force")
        self.call("counter", "hit", 0, code=1)
        self.assertEqual(self.state(3), "in force")
        self.assertEqual(self.wait(3), "in force")
        self.assertIn("are no terms of a probation",
                      self.apply(hit("return 0;"), "--probation", "moons=3", code=6))

    def test_a_restart(self):
        """What was confirmed is so again; what was not begins its probation anew."""
        self.begin(stop=False)
        self.apply(hit("return msg_reply(m, 1);"), "--probation", "messages=1")
        self.value("counter", "hit", 0)
        self.wait(1)
        self.apply(add("return msg_reply(m, 1 / by);").replace("tally", "counter")
                   .replace("sum", "hits").replace('"add"', '"more"'))
        self.r.kill()
        self.begin(folder=self.folder)
        self.assertEqual((self.state(1), self.state(2)), ("confirmed", "probation"))
        self.call("counter", "more", 0, code=1)
        self.wait(2, code=6)


EVERYTHING = add("""
	l->sum += 1000;
	if (actor_ask(self, actor_find("echo"), "say", "back", 1000, 1) < 0)
		return msg_fail(m, "ask");
	if (actor_after(self, 0, "back") < 0 || actor_join(self, "some", "back"))
		return msg_fail(m, "after, join");
	if (!actor_spawn(self, &kid, "the-kid"))
		return msg_fail(m, "spawn: %s", actor_why(self));
	if (actor_send(self, actor_find("the-kid"), "hello"))
		return msg_fail(m, "the kid");
	if (actor_become(self, "odd") || actor_stash(self, m))
		return msg_fail(m, "become, stash");
	msg_reply(m, 99);
	return by / (by - 7);""", """
static int back(actor *self, const msg *m)
{ return actor_send(self, actor_find("book"), "write", 555); }
static int hello(actor *self, const msg *m)
{ return actor_send(self, actor_find("book"), "write", 777); }
static const struct actor_type kid = { .name = "kid", .start = START,
	.on = ON({ "hello", "", hello, 0 }) };
""").replace("START", "begun").replace(
    "static const struct actor_type kid", "static int begun(actor *self)\n"
    "{ return actor_send(self, actor_find(\"book\"), \"write\", 666); }\n"
    "static const struct actor_type kid").replace(
    'ON({ "add",', 'ON({ "back", "...", back, 0 }, { "odd.add", "by:int", f, 0 }, { "add",')


class Drafts(Probation):
    actors = [HERE / "actors" / name for name in ("tally.c", "book.c")]

    def begin(self, *args, **more):
        super().begin(*args, *self.actors, **more)

    def book(self):
        return self.value("book", "read")

    def test_nothing_is_half_done(self):
        """All that a handler can do, then a fault: nothing of it has happened, and the code before
        it handles the message."""
        self.begin()
        self.assertEqual(self.value("tally", "add", 3), 3)
        self.apply(EVERYTHING)
        self.assertEqual(self.value("tally", "add", 7), 10)       # by the code before
        self.assertRegex(self.wait(1, code=6), "a division by zero")
        self.assertEqual(self.book(), [3, 10])
        names = [row["name"] for row in self.r.json("ps")]
        self.assertNotIn("the-kid", names)
        self.assertEqual(self.value("tally", "add", 1), 11)
        self.assertEqual(self.book(), [3, 10, 11])
        until(lambda: self.r.json("inspect", "tally")[0]["activity"] == "idle", "its rest")

    def test_in_order_once_it_returns(self):
        self.begin()
        self.apply(add("for (int i = 0; i < 500; i++)\n"
                       "\tactor_send(self, actor_find(\"book\"), \"write\", i);\n"
                       "return msg_reply(m, l->sum);"))
        self.assertEqual(self.value("tally", "add", 3), 3)
        self.assertEqual(self.book(), [-3, -4, *range(500)])
        self.assertEqual(self.state(1), "probation")

    def test_a_failure_undoes_too(self):
        self.begin()
        self.apply(add("return by ? -5 : msg_reply(m, l->sum);"))
        self.call("tally", "add", 4, code=1)
        self.assertEqual(self.value("tally", "add", 0), 0)
        self.assertEqual(self.book(), [0, -1])

    def test_a_large_state(self):
        """Over the size that is put back it is not, and show says so."""
        self.begin()
        self.apply(TALLY + """
struct book { int64_t line[4096]; int n; };
static int f(actor *self, const msg *m)
{ struct book *b = actor_state(self); b->line[b->n++] = msg_int(m, 0); return 0; }
const struct actor_type patch = { .name = "book", .state = sizeof(struct book),
	.on = ON({ "write", "line:int", f, 0 }) };
""", "--probation", "state=1024")
        self.call("book", "write", 1)
        self.assertIn("a state is larger than 1024 bytes, so it is not put back",
                      self.r.json("patch", "show", "1")[0]["probation"])
        self.assertEqual(self.book(), [1])

    def test_under_load(self):
        """Two streams of adds, of which the bad patch fails at one: each is counted once, in its
        order, round after round."""
        self.begin()
        total, rounds, each = 0, 10, 40

        def stream(start):
            for i in range(each):
                done = self.r.actorctl("call", "tally", "add", "1")
                answers.append((done.code, done.err))

        for n in range(rounds):
            answers = []
            threads = [threading.Thread(target=stream, args=(i,)) for i in range(2)]
            for t in threads:
                t.start()
            self.apply(add("return msg_reply(m, by / (l->sum %% 20)); /* %d */" % n))
            for t in threads:
                t.join()
            total += 2 * each
            self.assertEqual(set(answers), {(0, "")})
            self.wait(n + 1, code=6)
            self.assertEqual(self.value("tally", "add", 0), total)
        self.call("book", "clear")


CHANGES = """#include "actor.h"
static int change(actor *self, const msg *m)
{
	actor_ref who = msg_from(m);
	int64_t total;

	for (int keep = KEEP_TEMP; keep <= KEEP_TODAY; keep++) {
		client_set(self, who, (enum client_keep)keep, "gold", 99);
		client_set(self, who, (enum client_keep)keep, "name", "Eve");
		client_add(self, who, (enum client_keep)keep, "count", 5, &total);
		client_add(self, who, (enum client_keep)keep, "new", 5, &total);
		client_drop(self, who, (enum client_keep)keep, "part");
	}
	return msg_reply(m, 1 / msg_int(m, 0));
}
const struct actor_type patch = { .name = "purse",
	.on = ON({ "change", "by:int", change, ON_CLIENT }) };
"""


class Clients(Case):
    options = None

    def test_what_they_keep(self):
        """It is as it was, in memory and in Redis; and what comes after is kept."""
        runtime = self.start(HERE / "actors/purse.c")
        caller, client = runtime.caller(), runtime.client(login=False)
        client.login("ann", "x")

        def all_of():
            return [client.call("get", keep, key, tpc="purse")
                    for keep in range(4) for key in ("gold", "name", "count", "new", "part")]

        for keep in range(4):
            for key, value in ("gold", 7), ("name", "Ann"), ("count", 3), ("part", 0.5):
                client.call("set", keep, key, value, tpc="purse")
        before = all_of()
        for n in range(2):
            caller.exec(CHANGES + "/* %d */" % n)
            self.assertIn("a division by zero",
                          self.refused(EFAIL, client.call, "change", 0, tpc="purse"))
            self.assertEqual(all_of(), before)
            until(lambda: runtime.json("patch", "list")[-1]["state"] == "quarantined", "its end")
        client.call("set", 1, "gold", 8, tpc="purse")
        caller.exec(CHANGES + "/* well */")
        self.assertEqual(client.call("change", 1, tpc="purse"), [1])
        self.assertEqual(client.call("get", 2, "count", tpc="purse")[1], 8)
        shared = {b"gold": b"99", b"name": b'"Eve"', b"count": b"8", b"new": b"5"}
        until(lambda: runtime.redis().hgetall("actord:user:ann") == shared, "the hash in Redis")


class NotNow(Probation):
    def trials(self):
        """The process that sources are compiled in first."""
        tasks = pathlib.Path("/proc/%d/task" % self.r.process.pid).iterdir()
        children = [c for t in tasks for c in (t / "children").read_text().split()]
        return [int(c) for c in children if os.path.samefile("/proc/%s/exe" % c, ACTORD)]

    def test_what_cannot_be_taken_back_now_is_later(self):
        """There is no descriptor for the process that compiles what was in force before."""
        self.folder = make_folder()
        self.r = self.start(folder=self.folder)
        caller = self.r.caller()
        self.apply(hit("return msg_reply(m, c->hits);"))
        self.apply(DIVIDES)
        self.assertEqual(caller.call("counter", "hit", 1), [1])
        pid, what = self.r.process.pid, resource.RLIMIT_NOFILE
        was = resource.prlimit(pid, what)
        resource.prlimit(pid, what, (3, was[1]))
        for trial in self.trials():
            os.kill(trial, signal.SIGKILL)
        self.refused(EFAIL, caller.call, "counter", "hit", 0)
        self.r.err.wait("2 fails .*, but cannot be taken back now, which is tried again: .*"
                        "cannot be tried out now: no socket for the trial")
        resource.prlimit(pid, what, was)
        self.assertRegex(self.wait(2, code=6), "^quarantined: counter.hit of patch 2: a division")
        self.assertEqual((self.value("counter", "hit", 7), self.state(1)), (8, "probation"))


class Suspects(Probation):
    """What cannot be contained: a patch has written where the runtime keeps its own."""

    def crash(self, source, *terms):
        self.begin(stop=False)
        self.apply(hit("return msg_reply(m, 1);"), "--probation", "messages=1")
        self.value("counter", "hit", 0)
        self.wait(1)
        self.apply(source, *terms)
        self.r.actorctl("call", "counter", "hit", "0")
        self.r.process.wait(20)
        self.assertNotEqual(self.r.process.returncode, 0)
        self.r.kill()

    # actor.pending, in core/cell.h
    BAD = hit("((uint64_t *)self)[17] = 8;\n	actor_become(self, 0);\n"
              "	return msg_reply(m, 2);")

    def test_the_suspect_is_left_out(self):
        self.crash(self.BAD)
        self.begin(folder=self.folder)
        self.assertEqual((self.state(1), self.state(2)), ("confirmed", "suspect"))
        self.r.err.wait("2 is left out: the runtime died by signal 11 .SEGV. in its code")
        self.assertEqual(self.value("counter", "hit", 0), 1)
        self.assertIn("signal 11", self.r.json("patch", "show", "2")[0]["why"])
        self.assertEqual(self.r.json("patch", "log", "--verify")[0]["lines"],
                         len(self.events()) + 1)
        self.r.stop()
        self.begin(folder=self.folder)
        self.assertEqual((self.state(1), self.state(2)), ("confirmed", "suspect"))

    def test_the_suspect_is_known_until_the_journal_has_it(self):
        """A disk that is full at the next start: the one after that knows it still."""
        self.crash(self.BAD)
        size = (self.folder / "state" / "patches.journal").stat().st_size
        self.begin(folder=self.folder, stop=False,
                   prefix=(sys.executable, HERE / "no_room.py", str(size)))
        self.r.err.wait("2 is suspect, but the journal does not say so: .*No space left")
        self.assertEqual((self.state(1), self.state(2)), ("confirmed", "suspect"))
        self.r.kill()
        for _ in range(2):
            self.begin(folder=self.folder, stop=False)
            self.assertEqual((self.state(1), self.state(2)), ("confirmed", "suspect"))
            self.assertEqual(self.events().count(("suspect", 2)), 1)
            self.r.kill()

    HEAP = hit("""char *p = actor_alloc(self, 2000);

	for (int i = 0; i < 2000 + 64; i++)
		p[i] = 0x41;
	actor_free(self, p);
	return msg_reply(m, 2);""")

    @unittest.skipIf(SANITIZED, "a sanitizer has a heap of its own")
    def test_a_heap_that_is_none(self):
        """What the C library finds out when the memory is given back: on probation that is after
        the handler has returned, else within."""
        for terms, says in ((), "while it was on probation, and it had run last"), \
                (("--probation", "off"), "in its code"):
            self.crash(self.HEAP, *terms)
            self.begin(folder=self.folder)
            self.assertEqual((self.state(1), self.state(2)), ("confirmed", "suspect"))
            self.assertIn("signal 6 (ABRT) " + says, self.r.json("patch", "show", "2")[0]["why"])
            self.assertEqual(self.value("counter", "hit", 0), 1)
            self.assertEqual(self.r.actorctl("patch", "log", "--verify").code, 0)

    def test_kill_marks_nothing(self):
        self.begin(stop=False)
        self.apply(hit("return msg_reply(m, 1);"))
        self.value("counter", "hit", 0)
        for sig in 9, 11, 6:
            self.r.process.send_signal(sig)
            self.r.process.wait(20)
            self.r.kill()
            self.begin(folder=self.folder, stop=False)
            self.assertEqual(self.state(1), "probation")
        self.r.stop()


if __name__ == "__main__":
    unittest.main()
