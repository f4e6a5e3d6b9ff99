# SPDX-License-Identifier: MIT
"""What is recorded of patches: reverts, show and log, restarts, kill -9 included, journals that
were cut, changed, of another version, or have no room left."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

from harness import ACTORCTL, HERE, TROUBLE, Case, make_folder, until, vary

HEAD = '#include "actor.h"\n#include "counter.h"\n'


def hit(factor, name="hit", args="by:int"):
    """A patch of counter.hit, which then adds so many times what it is told."""
    return HEAD + """
static int f(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);

	c->hits += %d * msg_int(m, 0);
	return msg_reply(m, c->hits);
}
const struct actor_type patch = { .name = "counter", .state = sizeof(struct counter),
	.on = ON({ "%s", "%s", f, 0 }) };
""" % (factor, name, args)


PROCESS = '#include "actor.h"\nint process(actor *self) { (void)self; %s; }\n'
TABLE = ('static int f(actor *self, const msg *m) { (void)self; return msg_reply(m, 1); }\n'
         'const struct actor_type patch = { .name = "echo", .on = ON({ "%s", "", f, 0 }) };\n')


class Journal(Case):
    options = None
    trouble = TROUBLE

    def setUp(self):
        super().setUp()
        self.folder = make_folder()
        self.file = self.folder / "state" / "patches.journal"

    def begin(self, *args, **more):
        self.r = self.start(*args, redis="none", listen="none", folder=self.folder, stop=False,
                            **more)
        self.addCleanup(self.end)

    def end(self):
        if self.r.process.poll() is None:
            self.r.stop(trouble=self.trouble)

    def apply(self, source, *args, code=0):
        path = self.folder / "patch.c"
        path.write_text(source)
        done = self.r.actorctl("patch", "apply", path, *args)
        self.assertEqual(done.code, code, done.err)
        return int(done.out) if not code else done.err

    def hit(self, by=1):
        done = self.r.actorctl("call", "counter", "hit", str(by))
        self.assertEqual(done.code, 0, done.err)
        return int(done.out)

    def states(self):
        return {p["number"]: p["state"] for p in self.r.json("patch", "list")}

    def revert(self, number, *args, code=0, says=""):
        done = self.r.actorctl("patch", "revert", str(number), *args)
        self.assertEqual(done.code, code, done.err)
        self.assertIn(says, done.err)

    def again(self, *args, killed=False, **more):
        self.r.kill() if killed else self.end()
        self.begin(*args, **more)


class Reverts(Journal):
    def test_newest_first_down_to_the_first(self):
        self.begin()
        for factor in 10, 100, 1000:
            self.apply(hit(factor))
        self.assertEqual(self.hit(), 1000)
        self.revert(1, code=1, says="superseded: counter.hit is patch 3's by now")
        self.revert(3)
        self.assertEqual(self.hit(), 1100)
        self.assertEqual(self.states(), {1: "superseded", 2: "probation", 3: "reverted"})
        self.revert(2)
        self.revert(1)
        self.assertEqual(self.hit(), 1101)
        self.assertEqual(set(self.states().values()), {"reverted"})
        self.revert(1, code=1, says="reverted already")
        self.revert(4, code=3, says="there is no patch 4, the newest is 3")
        self.revert(0, code=3, says="nothing before it")
        self.assertEqual(self.r.actorctl("patch", "revert", "x").code, 2)
        self.assertEqual(self.r.actorctl("patch", "revert", "99999999999").code, 3)

    def test_a_handler_that_came_goes_and_comes_again(self):
        self.begin()
        for i in 1, 2:
            self.assertEqual(self.apply(hit(2, "twice")), i)
            self.assertEqual(self.r.actorctl("call", "counter", "twice", "4").code, 0)
            self.revert(i)
            done = self.r.actorctl("call", "counter", "twice", "4")
            self.assertEqual(done.code, 3)
            self.assertIn("it has: hit", done.err)
        self.apply(hit(2, "twice", "by:int also:str?"))
        self.assertEqual(self.r.actorctl("call", "counter", "twice", "4", "x").code, 0)

    def test_what_still_comes_for_a_handler_that_went_harms_nobody(self):
        """Its message is a dead letter with the reason, its timer ends, the state stays."""
        self.begin()
        self.assertEqual(self.hit(5), 5)
        self.apply(vary(hit(2, "twice"), "c->hits += 2 * msg_int(m, 0);",
                        "actor_every(self, 20, \"twice\", 1);"))
        self.assertEqual(self.r.actorctl("call", "counter", "twice", "1").code, 0)
        self.revert(1)
        until(lambda: self.r.json("inspect")[0]["dead_letters"], "a dead letter")
        letter = self.r.json("inspect")[0]["dead_letters"][0]
        self.assertEqual((letter["actor"], letter["handler"], letter["reason"]), (
            "counter", "twice", "twice refused: it went with the patch that brought it"))
        self.assertEqual(self.r.json("inspect", "counter")[0]["timers"], [])
        self.assertEqual(self.hit(), 6)

    def test_a_process_cannot_be_taken_back(self):
        self.begin()
        self.apply(PROCESS % "return 0")
        self.assertEqual(self.states(), {1: "ran"})
        self.revert(1, code=1, says="only a process")

    def test_an_eval(self):
        self.begin()
        source = HEAD + "static int f(actor *s, const msg *m) { (void)s; return msg_reply(m, -5); }"
        for n in 1, 2:
            done = self.r.actorctl("call", "patch", "eval", "counter", "hit",
                                   source.replace("-5", str(-5 * n)), "f")
            self.assertEqual(done.code, 0, done.err)
        self.revert(2)
        self.assertEqual(self.hit(), -5)
        self.again()
        self.assertEqual(self.hit(), -5)


class Told(Journal):
    def test_show_list_and_log(self):
        self.begin()
        self.apply(hit(3), "--note", "ticket 4711", "--author", "ann")
        self.revert(1, "--author", "bob")
        shown = self.r.json("patch", "show", "1")[0]
        self.assertEqual(shown["source"], hit(3))
        self.assertEqual([shown[k] for k in ("author", "note", "state", "handlers")],
                         ["ann", "ticket 4711", "reverted", "counter.hit"])
        sha = subprocess.run(["sha256sum"], input=hit(3).encode(), capture_output=True).stdout
        self.assertEqual(shown["sha256"], sha.decode().split()[0])
        out = self.r.actorctl("patch", "show", "1").out
        self.assertIn("ticket 4711", out)
        self.assertTrue(out.endswith(hit(3)), out)
        log = self.r.json("patch", "log")
        self.assertEqual([l["event"] for l in log],
                         ["begin", "intent", "in force", "revert", "reverted"])
        self.assertEqual(log[3]["author"], "bob")
        self.assertEqual(self.r.json("patch", "log", "--verify")[0]["lines"], 5)
        self.assertEqual(self.r.actorctl("patch", "show", "9").code, 3)
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)


class Restarts(Journal):
    def test_what_was_in_force_is_so_again(self):
        for killed in False, True:
            self.folder = make_folder()
            self.begin()
            self.apply(hit(10))
            self.apply(hit(100))
            self.apply(hit(2, "twice"))
            self.apply(hit(1000))
            self.revert(4)
            before = self.states()
            self.again(killed=killed)
            self.assertEqual(self.states(), before)
            self.assertEqual(self.hit(), 100)
            self.assertEqual(self.r.actorctl("call", "counter", "twice", "1").out, "102\n")
            self.revert(2)
            self.assertEqual(self.hit(), 112)
            self.assertEqual(self.apply(hit(7)), 5)
            self.again(killed=killed)
            self.assertEqual(self.hit(), 7)
            self.revert(5)
            self.revert(1)
            self.assertEqual(self.hit(), 8)
            self.end()

    def test_a_process_runs_again(self):
        self.begin()
        self.apply(PROCESS % 'return actor_send(self, actor_find("counter"), "hit", 5)' +
                   TABLE % "more")
        self.apply(PROCESS % 'return actor_send(self, actor_find("counter"), "hit", 7)')
        self.assertEqual(self.hit(0), 12)
        self.again(killed=True)
        until(lambda: self.hit(0) == 5, "the process of the patch in force, and no other")
        self.assertEqual(self.states(), {1: "probation", 2: "ran"})

    def test_a_process_that_the_journal_has_no_room_for(self):
        """It is not run again, which is said; its table is in force."""
        self.begin()
        self.apply(PROCESS % "return 0" + TABLE % "more")
        self.end()
        self.begin(prefix=(sys.executable, HERE / "no_room.py", str(self.file.stat().st_size)))
        self.r.err.wait("1: its process is not run again: .*No space left on device")
        self.assertEqual(self.r.actorctl("call", "echo", "more").code, 0)
        self.r.kill()

    def test_the_suspect_of_a_crash_is_left_out(self):
        self.begin("--workers", "2")
        self.apply(hit(3))
        path = self.folder / "hang.c"
        path.write_text(PROCESS % "for (;;)" + TABLE % "more")
        hanging = subprocess.Popen([ACTORCTL, "--control", self.r.control, "patch",
                                    "apply", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: self.r.actorctl("call", "echo", "more").code == 0, "the table in force")
        self.again(killed=True)
        hanging.communicate()
        self.assertEqual(self.states(), {1: "probation", 2: "suspect"})
        self.assertEqual(self.r.actorctl("call", "echo", "more").code, 3)
        self.assertEqual(self.hit(), 3)
        self.r.err.wait("2 is left out: the runtime ended while it was about to come in force")
        self.again()
        self.assertEqual(self.states(), {1: "probation", 2: "suspect"})
        self.revert(2)
        self.assertEqual(self.states()[2], "reverted")

    def test_made_for_another_build(self):
        path = self.folder / "room.c"
        text = ('#include "actor.h"\nstatic int who(actor *s, const msg *m)\n'
                '{ (void)s; return msg_reply(m, "%s"); }\nconst struct actor_type room = '
                '{ .name = "room", .on = ON({ "who", "", who, 0 }) };\n')
        patch = text.replace("room =", "patch =")
        path.write_text(text % "one")
        self.begin(path)
        self.apply(hit(5))
        self.apply(patch % "patched")
        path.write_text(text % "two")
        self.again(path)
        self.assertEqual(self.states(), {1: "probation", 2: "stale"})
        self.r.err.wait("2 is stale and left out: it was made for another build of room")
        self.assertEqual(self.r.actorctl("call", "room", "who").out, "two\n")
        self.again()
        self.r.err.wait("2 is stale and left out: there is no actor type room any more")
        path.write_text(text % "one")
        self.again(path)
        self.assertEqual(self.r.actorctl("call", "room", "who").out, "patched\n")
        self.assertEqual(self.hit(), 5)


class Migrations(Journal):
    PATCHES = pathlib.Path(__file__).resolve().parents[2] / "patches"
    BEST = (PATCHES / "counter_best.c").read_text()

    def best(self):
        return int(self.r.actorctl("call", "counter", "best").out)

    def test_there_and_back(self):
        self.begin()
        self.apply(hit(10))
        self.assertEqual(self.hit(), 10)
        self.apply(self.BEST)
        self.assertEqual((self.hit(7), self.best()), (17, 7))
        said = self.apply(hit(3), code=6)
        self.assertIn("hits: was long int at byte 8, is long int at byte 0", said)
        self.revert(1, code=1, says="superseded")
        self.revert(2)
        self.assertEqual(self.hit(), 27)
        self.assertEqual(self.r.actorctl("call", "counter", "best").code, 3)
        self.revert(1)
        self.assertEqual(self.hit(), 28)
        self.apply(self.BEST)
        self.assertEqual((self.hit(2), self.best()), (30, 2))

    def test_several_at_once(self):
        """The worked patch: counter and echo, there, back, there again and over a restart."""
        def call(*words):
            return self.r.actorctl("call", *words).out.split()

        self.begin()
        self.assertEqual(self.hit(7), 7)
        self.apply((self.PATCHES / "tallies.c").read_text())
        self.assertEqual((self.hit(3), call("echo", "say", "a", "b")), (10, ["a", "b"]))
        self.assertEqual((call("counter", "calls"), call("echo", "calls")), (["1"], ["1"]))
        self.revert(1)
        self.assertEqual((self.hit(1), call("echo", "say", "c")), (11, ["c"]))
        for name in "counter", "echo":
            self.assertEqual(self.r.actorctl("call", name, "calls").code, 3)
        self.apply((self.PATCHES / "tallies.c").read_text())
        self.assertEqual((self.hit(1), call("counter", "calls")), (12, ["1"]))
        self.again(killed=True)
        self.assertEqual((self.hit(1), call("counter", "calls")), (1, ["1"]))

    def test_on_a_thread_of_its_own(self):
        """It does not rehearse: who cannot go over begins anew, in the new shape."""
        def add(by):
            return self.r.actorctl("call", "counter", "hit", str(by)).out

        path = self.folder / "counter.c"
        path.write_text('''#include "actor.h"
struct counter { int64_t hits; };
static int hit(actor *self, const msg *m)
{
	struct counter *c = actor_state(self);
	return msg_reply(m, c->hits += msg_int(m, 0));
}
const struct actor_type counter = { .name = "counter", .state = sizeof(struct counter),
	.where = ACTOR_THREAD, .on = ON({ "hit", "by:int", hit, ON_CLIENT }) };
''')
        picky = self.BEST.replace("b->hits = c->hits;", "b->hits = c->hits;\n\tif (c->hits == 7)"
                                  "\n\t\treturn 5;")
        self.begin(path)
        self.assertEqual(add(6), "6\n")
        self.apply(picky)
        self.assertEqual((add(2), self.best()), ("8\n", 2))
        self.revert(1)
        self.assertEqual(add(-1), "7\n")
        self.apply(picky)
        self.r.err.wait("counter ended .its state could not be taken over: counter.migrate "
                        "returned 5. and is to start again")
        self.assertEqual((add(4), self.best()), ("4\n", 4))

    def test_later_patches_and_restarts(self):
        self.begin()
        self.apply(hit(10))
        self.apply(self.BEST)
        later = self.BEST.replace("b->hits += by", "b->hits += 100 * by")
        self.apply(later)
        for killed in True, False:
            self.again(killed=killed)
            self.assertEqual(self.states(), {1: "superseded", 2: "superseded", 3: "probation"})
            self.assertEqual((self.hit(), self.best()), (100, 1))
        self.revert(2, code=1, says="superseded: counter.")
        self.revert(3)
        self.assertEqual(self.hit(), 101)
        self.revert(2)
        self.assertEqual(self.hit(), 111)
        self.again(killed=True)
        self.assertEqual(self.hit(), 10)

    def test_no_way_back(self):
        self.begin()
        self.hit(5)
        source = self.BEST.replace("int migrate_back", "static inline int unused")
        path = self.folder / "patch.c"
        path.write_text(source)
        done = self.r.actorctl("patch", "apply", path)
        self.assertEqual((done.code, done.out), (0, "1\n"))
        self.assertIn("loses its state (best, hits) and begins anew", done.err)
        self.revert(1, code=1, says="each would lose its state (best, hits, 16 bytes) and begin "
                    "anew; where that may be, add --lose-changes")
        self.assertEqual(self.hit(), 6)
        self.revert(1, "--lose-changes")
        self.assertEqual(self.hit(), 1)

    def test_refused(self):
        self.begin()
        self.apply(hit(2, "twice"))
        said = self.apply(self.BEST, code=6)
        self.assertIn("counter.twice is not in the patch", said)
        self.revert(1)
        said = self.apply(self.BEST.replace("int migrate(", "int move("), code=6)
        self.assertIn("best: is new, long int at byte 0", said)
        said = self.apply(self.BEST.replace("sizeof(struct best)", "16"), code=6)
        self.assertIn("cannot be seen", said)
        self.assertEqual(self.hit(), 1)


BOTH = """#include "actor.h"
struct counter { int64_t hits; };
struct best { int64_t best, hits; };
struct tally { int64_t sum; };
struct mean { int64_t n, sum; };
static int hit(actor *self, const msg *m)
{
	struct best *b = actor_state(self);
	return msg_reply(m, b->hits += msg_int(m, 0));
}
static int add(actor *self, const msg *m)
{
	struct mean *a = actor_state(self);
	a->n++;
	return msg_reply(m, a->sum += msg_int(m, 0), a->n);
}
static int c_there(const void *from, void *to)
{ ((struct best *)to)->hits = ((const struct counter *)from)->hits; return 0; }
static int c_back(const void *from, void *to)
{ ((struct counter *)to)->hits = ((const struct best *)from)->hits; return 0; }
static int t_there(const void *from, void *to)
{
	((struct mean *)to)->sum = ((const struct tally *)from)->sum;
	/* there */
	return 0;
}
static int t_back(const void *from, void *to)
{
	((struct tally *)to)->sum = ((const struct mean *)from)->sum;
	/* back */
	return 0;
}
static const struct actor_type one = { .name = "counter", .state = sizeof(struct best),
	.on = ON({ "hit", "by:int", hit, ON_CLIENT }), .migrate = c_there, .migrate_back = c_back };
static const struct actor_type two = { .name = "tally", .state = sizeof(struct mean),
	.on = ON({ "add", "by:int", add, ON_CLIENT }), .migrate = t_there, .migrate_back = t_back };
const struct actor_type *const patches[] = { &one, &two, 0 };
"""


class SeveralMigrations(Journal):
    """Two actors change their shape in one patch: both do, or none does, there and back."""

    def begin(self, *args, **more):
        super().begin(HERE / "actors" / "tally.c", *args, **more)

    def add(self, by):
        return self.r.json("call", "tally", "add", str(by))[0]["args"]

    def test_there_and_back(self):
        self.begin()
        self.assertEqual((self.hit(5), self.add(7)), (5, [7]))
        self.apply(BOTH)
        self.assertEqual((self.hit(1), self.add(1)), (6, [8, 1]))
        self.again(killed=True)
        self.assertEqual((self.hit(1), self.add(1)), (1, [1, 1]))
        self.revert(1)
        self.assertEqual((self.hit(1), self.add(1)), (2, [2]))
        self.again(killed=True)
        self.assertEqual((self.hit(1), self.add(1)), (1, [1]))

    def test_beside_one_that_does_not(self):
        """The same patch replaces a handler of an actor whose state stays."""
        self.begin()
        self.hit(5)
        self.apply(BOTH.replace("struct mean { int64_t n, sum; };", "struct mean { int64_t sum; };")
                   .replace("a->n++;", "").replace(", a->n)", ", 77)"))
        self.assertEqual((self.hit(1), self.add(1)), (6, [1, 77]))
        self.revert(1)
        self.assertEqual((self.hit(1), self.add(1)), (7, [2]))

    def test_one_way(self):
        self.begin()
        self.assertEqual((self.hit(5), self.add(7)), (5, [7]))
        path = self.folder / "patch.c"
        path.write_text(BOTH.replace(", .migrate_back = t_back", "").replace(
            "static int t_back", "int unused"))
        done = self.r.actorctl("patch", "apply", path)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("no migrate_back for tally: it is not taken back by itself when it fails, "
                      "and when you take it back each tally loses its state (n, sum)", done.err)
        self.assertNotIn("for counter", done.err)
        self.revert(1, code=1, says="each would lose its state (n, sum, 16 bytes)")
        self.assertEqual((self.hit(1), self.add(1)), (6, [8, 1]))
        self.revert(1, "--lose-changes")
        self.assertEqual((self.hit(1), self.add(1)), (7, [1]))

    def test_one_that_cannot(self):
        """All is as it was: states, handlers, the other actor; and a restart knows."""
        self.begin()
        self.assertEqual((self.hit(5), self.add(7)), (5, [7]))
        for n, (body, says) in enumerate((
                ("return 5;", "migrate returned 5"),
                ("return *(volatile int *)0;", "tally.migrate: a bad pointer (0) at %s:24 in "
                 "t_there()"),
                ("return 1 / (int)((struct mean *)to)->n;", "a division by zero at %s:24"),
                ("for (;;) ;", "longer under way than its 1000 ms at %s:2")), 1):
            said = self.apply(BOTH.replace("/* there */", body), code=6)
            self.assertIn(says.replace("%s", str(self.folder / "patch.c")), said)
            self.assertEqual((self.hit(1), self.add(1)), (5 + n, [7 + n]))
            self.assertEqual(self.states()[n], "refused")
        self.assertIn("migrate returned 5", self.r.json("patch", "show", "1")[0]["why"])
        self.revert(1, code=1, says="was refused: there is nothing to take back")
        self.again(killed=True)
        self.assertEqual(set(self.states().values()), {"refused"})
        self.assertEqual((self.hit(1), self.add(1)), (1, [1]))

    def test_one_that_cannot_go_back(self):
        self.begin()
        self.assertEqual((self.hit(5), self.add(7)), (5, [7]))
        self.apply(BOTH.replace("/* back */", "return *(volatile int *)8;"))
        self.revert(1, code=1, says="tally.migrate: a bad pointer (0x8) at %s:30 in t_back()" %
                    (self.folder / "patch.c"))
        self.assertEqual((self.hit(1), self.add(1)), (6, [8, 1]))
        self.assertEqual(self.states(), {1: "probation"})
        self.again(killed=True)
        self.assertEqual(self.states(), {1: "probation"})
        self.assertEqual((self.hit(1), self.add(1)), (1, [1, 1]))

    def test_migrate_of_several(self):
        self.begin()
        said = self.apply(BOTH + "int migrate(const void *from, void *to)\n"
                          "{ return !from + !to; }\n", code=6)
        self.assertIn("of several each names its own in its table", said)


class Damage(Journal):
    """The runtime says what is wrong and serves on."""

    trouble = re.compile("Sanitizer")

    def damaged(self, change, says, keeps=0):
        self.begin()
        for factor in 10, 100:
            self.apply(hit(factor))
        data = change(self.file.read_bytes())
        self.file.write_bytes(data)
        done = self.r.actorctl("patch", "log", "--verify")
        self.assertEqual(done.code, 1)
        self.assertEqual(self.hit(), 100)
        self.r.kill()
        self.begin()
        self.r.err.wait(says)
        self.assertEqual(self.hit(), keeps)
        self.assertEqual(self.r.actorctl("patch", "log", "--verify").code, 0)
        self.apply(hit(9))
        self.again()
        self.assertEqual(self.hit(), 9)
        return done.err

    def test_a_flipped_bit(self):
        def flip(data):
            at = data.index(b"10 * msg_int")
            return data[:at] + b"5" + data[at + 1:]
        said = self.damaged(flip, "line 2: it has been changed.* put aside as .*aside-", 1)
        self.assertIn("line 2: it has been changed", said)
        self.assertEqual(len(list(self.file.parent.glob("patches.journal.aside-*"))), 1)

    def test_every_byte_counts(self):
        self.begin()
        self.apply(TABLE.join(['#include "actor.h"\n', ""]) % "x")
        self.end()
        data = self.file.read_bytes()
        for at in self.random.sample(range(len(data)), 12):
            self.file.write_bytes(data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) +
                                  data[at + 1:])
            self.begin()
            self.assertIsNotNone(self.r.err.wait("is put aside|is cut off"))
            self.assertEqual(self.r.actorctl("ping").code, 0)
            self.end()

    def test_cut_in_half(self):
        said = self.damaged(lambda data: data[:data.index(b'"patch":2') + 30],
                            "line 4 was not finished: it is cut off", 10)
        self.assertIn("lines", said)

    def test_a_page_that_never_reached_the_disk(self):
        """Of what was not synced a power cut leaves any pages: what is before them goes on."""
        def hole(data):
            at = data.index(b"100 * msg_int")
            return data[:at] + bytes(40) + data[at + 40:]
        self.damaged(hole, "line 4 was not finished: it is cut off", 10)
        kept, = self.file.parent.glob("patches.journal.aside-*")
        self.assertTrue(kept.read_bytes().startswith(b'{"line":4,'))
        self.assertIn(b'"in force","patch":2', kept.read_bytes())

    def test_of_another_version(self):
        self.damaged(lambda data: data.replace(b'"format":1', b'"format":2'),
                     "was not written by this version of actord", 1)

    def test_cut_under_a_running_runtime(self):
        self.begin()
        self.apply(hit(10))
        os.truncate(self.file, self.file.stat().st_size // 2)
        said = self.apply(hit(100), code=6)
        self.assertIn("has been changed by somebody else", said)
        self.assertIn("nothing was changed", said)
        self.assertEqual(self.hit(), 10)

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_a_full_disk(self):
        state = self.folder / "state"
        state.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", state]).returncode:
            self.skipTest("no mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", state])
        self.begin()
        self.apply(hit(10))
        (state / "filler").write_bytes(b"")
        with open(state / "filler", "wb", 0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        said = [self.apply(hit(100) + "/*%s*/" % ("x" * 5000), code=6)]
        self.assertIn("No space left on device", said[0])
        self.assertEqual(self.hit(), 10)
        self.assertEqual(self.r.actorctl("patch", "log", "--verify").code, 0)
        (state / "filler").unlink()
        self.apply(hit(100))
        self.again()
        self.assertEqual(self.hit(), 100)


if __name__ == "__main__":
    unittest.main()
