# SPDX-License-Identifier: MIT
"""The control socket itself: its protocol, what hostile and clumsy clients do to it, whose it is,
where it stands, and actorctl's wait."""

import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from harness import (ACTORCTL, ACTORD, EARGS, ENOENT, PATIENCE, Case, ControlLine, Runtime,
                     make_folder, run, until, write_files)

SLOW = r"""
/* slow: keeps callers waiting until it is told to let go; answers as much as it is asked for. */
#include "actor.h"
#include <string.h>

struct slow { msg_caller kept[4096]; int count; };

static int keep(actor *self, const msg *m)
{
	struct slow *s = actor_state(self);

	s->kept[s->count++ % 4096] = msg_defer(m);
	return 0;
}

static int let_go(actor *self, const msg *m)
{
	struct slow *s = actor_state(self);
	int i;

	for (i = 0; i < s->count && i < 4096; i++)
		actor_answer(self, s->kept[i], i);
	s->count = 0;
	return msg_reply(m, i);
}

static int much(actor *self, const msg *m)
{
	static char x[65536];
	msg_out *o = msg_values(self);
	int i;

	memset(x, 'x', sizeof x);
	out_list(o, (unsigned)msg_int(m, 0));
	for (i = 0; i < msg_int(m, 0); i++)
		out_text(o, x, sizeof x);
	return msg_reply_out(m, o);
}

const struct actor_type slow = {
	.name = "slow", .state = sizeof(struct slow),
	.on = ON({ "keep", "", keep, 0 }, { "let_go", "", let_go, 0 },
	           { "much", "n:int", much, 0 }),
};
"""


class Protocol(Case):
    options = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = write_files(make_folder(), {"slow.c": SLOW})
        cls.runtime = Runtime(folder / "slow.c", redis="none")
        cls.addClassCleanup(cls.runtime.stop)

    def setUp(self):
        self.runtimes = [self.runtime]

    def line(self):
        line = ControlLine(self.runtime.control)
        self.addCleanup(line.close)
        return line

    def tearDown(self):
        self.assertEqual(self.line().call("ping", id=1),
                         {"func": "answer", "args": ["pong"], "id": 1})
        self.assertEqual(self.runtime.actorctl("call", "echo", "say", "x").out, "x\n")

    def test_signals_that_others_send(self):
        """As log rotators do: there is nothing to do, and it goes on (tearDown)."""
        for number in signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM:
            self.runtime.process.send_signal(number)

    def test_nodes_without_redis(self):
        """It is shown, and that it can know of no other."""
        done = self.runtime.actorctl("--json", "nodes")
        row, = map(json.loads, done.out.splitlines())
        self.assertEqual((done.code, row["self"], row["version"] != ""), (0, True, True))
        self.assertEqual(list(row), ["name", "self", "since", "version", "groups", "topics",
                                     "patches", "rollout"])
        self.assertIn("without a Redis", done.err)
        self.assertIn(row["name"], self.runtime.actorctl("nodes").out)

    def test_looking_is_not_waiting(self):
        """The question itself is in no mailbox that the answer tells of."""
        node, = self.runtime.json("inspect")
        self.assertEqual({t["type"]: t["waiting"] for t in node["types"]}["node"], 0)
        self.assertEqual(node["mailboxes"]["fullest"], None)

    def test_one_message_a_line(self):
        line = self.line()
        for ident in 7, "seven", 2 ** 63 - 1, "":
            self.assertEqual(line.call("say", 1, "two", [3], tpc="echo", id=ident),
                             {"func": "answer", "args": [1, "two", [3]], "id": ident})
        self.assertEqual(line.call("say", tpc="echo", cb="other"), {"func": "other", "args": []})
        self.assertEqual(line.call("test", "a", "b", tpc="")["args"], ["ab"])
        answer = line.call("say", tpc="nobody", id=3)
        self.assertEqual((answer["err"]["code"], answer["id"], answer["args"]), (ENOENT, 3, []))
        self.assertIn("nobody", answer["err"]["text"])
        self.assertEqual(line.call("nothing", id=4)["err"]["code"], ENOENT)
        self.assertEqual(line.call("hit", "x", tpc="counter", id=5)["err"]["code"], EARGS)
        line.raw(b'\n\r\n{"func":"ping","cb":"a"}\r\n')
        self.assertEqual(line.read(), {"func": "a", "args": ["pong"]})

    def test_without_cb_nothing_comes(self):
        line = self.line()
        before = line.call("hit", 0, tpc="counter")["args"][0]
        line.raw(b'{"tpc":"counter","func":"hit","args":[3]}\n{"tpc":"nobody","func":"hit"}\n')
        self.assertEqual(line.call("hit", 0, tpc="counter", id=1),
                         {"func": "answer", "args": [before + 3], "id": 1})

    def test_answers_come_as_they_are_ready(self):
        line = self.line()
        line.send("keep", tpc="slow", id="late")
        self.assertEqual(line.call("ping", id="soon")["id"], "soon")
        line.send("let_go", tpc="slow", id="go")
        self.assertEqual({line.read()["id"] for _ in range(2)}, {"late", "go"})

    def test_who_sends_no_more_is_still_answered(self):
        """As `nc -N` does; what is answered later, too, and then the connection ends."""
        line = self.line()
        line.send("keep", tpc="slow", id="late")
        line.send("say", "x", tpc="echo", id="soon")
        line.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(line.read()["id"], "soon")
        self.line().call("let_go", tpc="slow", id=1)
        self.assertEqual(line.read()["id"], "late")
        self.assertEqual(line.read(), None)

    def test_the_last_line_without_an_end(self):
        for asked, found in ((b'{"func":"ping","cb":"a"}', {"func": "a", "args": ["pong"]}),
                             (b'{"func":"ping","cb', None)):
            line = self.line()
            line.raw(asked)
            line.socket.shutdown(socket.SHUT_WR)
            answer = line.read()
            if found:
                self.assertEqual(answer, found)
            else:
                self.assertEqual(answer["err"]["code"], EARGS)
            self.assertEqual(line.read(), None)

    def test_who_sends_no_more_and_goes(self):
        """Its place is free again at once, not when all is answered."""
        def descriptors():
            return len(os.listdir("/proc/%d/fd" % self.runtime.pid))
        other = self.line()
        other.call("ping")
        before = descriptors()
        for i in range(20):
            line = self.line()
            line.send("keep", tpc="slow", id=i)
            line.socket.shutdown(socket.SHUT_WR)
            other.call("ping")
            other.call("ping")              # meanwhile that was seen
            line.close()
        until(lambda: descriptors() <= before, "none holds a connection")
        other.call("let_go", tpc="slow", id=1)

    def test_garbage(self):
        line = self.line()
        for bad in (b"garbage", b"{", b"[]", b"null", b"{}", b'{"func":1}', b"\x00", b"[" * 100000,
                    b'{"func":"ping","args":5}', b"\x81\xa4func\xa4ping", b"\xff" * 100,
                    b'{"func":"p\xff","cb":"a"}', b'{"func":"ping"} x',
                    b'{"func":"ping","args":' + b"[" * 5000 + b"]" * 5000 + b"}"):
            with self.subTest(bad[:30]):
                line.raw(bad + b"\n")
                self.assertEqual(line.read()["err"]["code"], EARGS)
        line.raw(b'{"func":"ping","args":5,"cb":"mine","id":9}\n')
        answer = line.read()
        self.assertEqual((answer["func"], answer["id"], answer["err"]["code"]), ("mine", 9, EARGS))
        self.assertEqual(line.call("ping")["args"], ["pong"])

    def test_half_a_request(self):
        line = self.line()
        whole = line.request("say", "snow \u2603", tpc="echo", id=1)
        for byte in whole:
            line.raw(bytes([byte]))
        self.assertEqual(line.read()["args"], ["snow \u2603"])
        line.raw(whole[:20])
        line.close()

    def test_a_line_over_16_mib(self):
        line = self.line()
        answer = line.call("say", "x" * ((16 << 20) - 200), tpc="echo")
        self.assertEqual(len(answer["args"][0]), (16 << 20) - 200)
        line = self.line()
        try:
            for _ in range(17):
                line.raw(b"x" * (1 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertIn("16 MiB", line.read()["err"]["text"])
        self.assertIsNone(line.read())

    def test_a_thousand_at_once(self):
        line, many = self.line(), 5000
        line.raw(b"".join(line.request("say", i, tpc="echo", id=i) for i in range(many)))
        answers = [line.read() for _ in range(many)]
        self.assertEqual(sorted(a["id"] for a in answers), list(range(many)))
        self.assertTrue(all(a["args"] == [a["id"]] for a in answers))

    def test_questions_under_way_are_bounded(self):
        line, other, many, answers = self.line(), self.line(), 300, []
        line.raw(b"".join(line.request("keep", tpc="slow", id=i) for i in range(many)))
        while len(answers) < many:
            kept = until(lambda: other.call("let_go", tpc="slow")["args"][0], "it asks on")
            self.assertLessEqual(kept, 64)
            answers += [line.read()["id"] for _ in range(kept)]
        self.assertEqual(sorted(answers), list(range(many)))

    def test_a_client_that_never_reads(self):
        line, other = self.line(), self.line()
        before = other.call("inspect")["args"][0]["memory_bytes"]
        request, sent = line.request("much", 4, tpc="slow"), 0
        line.socket.setblocking(False)
        try:
            while sent < 100000 * len(request):
                sent += line.socket.send(request * 100)
        except BlockingIOError:
            pass
        self.assertLess(sent, 100000 * len(request), "it is no longer read from")
        self.assertEqual(other.call("ping")["args"], ["pong"])
        after = other.call("inspect")["args"][0]["memory_bytes"]
        self.assertLess(after - before, 125 << 20)     # of 25 GB that it asked for
        line.socket.settimeout(20 * PATIENCE)
        for _ in range(200):            # more than are under way at once
            answer = line.read()
            self.assertEqual([len(a) for a in answer["args"]], [4], answer.get("err"))

    def test_gone_with_questions_under_way(self):
        for _ in range(20):
            line = self.line()
            line.raw(b"".join(line.request("keep", tpc="slow", id=i) for i in range(20)))
            line.close()
        line = self.line()
        line.send("keep", tpc="slow", id="mine")
        until(lambda: line.call("inspect_actor", "slow")["args"][0]["activity"] == "idle",
              "slow has them all")
        line.send("let_go", tpc="slow", id="go")
        self.assertEqual({line.read()["id"] for _ in range(2)}, {"mine", "go"})

    def test_many_connections(self):
        lines = [self.line() for _ in range(300)]
        served = refused = 0
        for line in lines:
            try:
                answer = line.call("ping")
            except (BrokenPipeError, ConnectionResetError):
                answer = line.read()
            if "err" in answer:
                refused += 1
                self.assertIn("too many", answer["err"]["text"])
            else:
                served += 1
        self.assertGreaterEqual(served, 200)
        self.assertGreaterEqual(refused, 1)
        for line in lines:
            line.close()
        until(lambda: self.runtime.actorctl("ping").code == 0, "there is room again")

    def test_texts_of_a_command_line_by_the_protocol(self):
        line = self.line()
        self.assertEqual(line.call("call", "counter", "hit", ["0"], 1000)["args"][0].__class__, int)
        for args in ((), ("counter", "hit"), ("counter", "hit", [], 0),
                     ("counter", "hit", [], 10 ** 9), ("counter", "hit", "5", 1000),
                     ("echo", "say", ["1"] * 256, 1000)):
            with self.subTest(args):
                self.assertIn("err", line.call("call", *args))
        self.assertIn("err", line.call("called", 1))
        self.assertEqual(line.call("call", "slow", "keep", [], 100)["err"]["code"], -4)


ALONE = "--redis", "none", "--listen", "none"


class Place(Case):
    options = None

    def refusal(self, control, **more):
        done = run([ACTORD, *ALONE, "--state", make_folder() / "state", "--control", control],
                   **more)
        self.assertEqual(self.fails(done, 2).count("\n"), 1, done)
        self.assertIn(str(control), done.err)
        return done.err

    def test_it_is_private(self):
        runtime = self.start(redis="none")
        self.assertEqual(stat.S_IMODE(os.stat(runtime.control).st_mode), 0o600)

    def test_a_live_one_is_refused(self):
        runtime = self.start(redis="none")
        self.assertIn("already running", self.refusal(runtime.control))
        self.assertEqual(runtime.actorctl("ping").code, 0)

    def test_a_stale_one_is_taken_over(self):
        runtime = self.start(redis="none")
        runtime.process.kill()
        runtime.process.wait()
        self.assertTrue(os.path.exists(runtime.control))
        again = self.start(redis="none", folder=runtime.folder)
        self.assertEqual(again.actorctl("ping").code, 0)
        again.stop()
        self.assertFalse(os.path.exists(again.control))

    def test_what_cannot_be(self):
        folder = make_folder()
        (folder / "file").write_text("mine")
        self.refusal(folder / "file")
        self.assertEqual((folder / "file").read_text(), "mine")
        self.refusal(folder / "none" / "sock")
        done = run([ACTORD, *ALONE, "--state", folder / "state",
                    "--control", folder / ("x" * 120)])
        self.assertIn("107", self.fails(done, 2))

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
    def test_other_users_are_refused(self):
        runtime = self.start(redis="none")
        os.chmod(runtime.folder, 0o755)
        code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
                "print(s.recv(1000))")
        def other():
            return subprocess.run(["/usr/bin/python3", "-c", code, runtime.control], user=65534,
                                  group=65534, extra_groups=[], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        self.assertIn("PermissionError", other().stderr)
        os.chmod(runtime.control, 0o666)        # as if the mode had been lost
        done = other()
        self.assertNotIn("pong", done.stdout)
        self.assertIn("another user", done.stdout + done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
    def test_the_default_places(self):
        top = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", top, "/tmp/actord-54321"])
        os.chmod(top, 0o777)
        for program in ACTORD, ACTORCTL:
            subprocess.run(["cp", program, top], check=True)
        user = dict(user=54321, group=54321, extra_groups=[], cwd=top, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True)
        (top / "run").mkdir(mode=0o777)
        os.chown(top / "run", 54321, 54321)
        for extra, path in ({}, "/tmp/actord-54321/actord.sock"), \
                           ({"XDG_RUNTIME_DIR": str(top / "run")}, str(top / "run/actord.sock")):
            env = dict({"PATH": os.environ["PATH"], "HOME": str(top)}, **extra)
            runtime = subprocess.Popen([top / "actord", *ALONE], env=env, **user)
            try:
                self.assertIn("control=" + path, runtime.stdout.readline())
                done = subprocess.run([top / "actorctl", "ping"], env=env, **user)
                self.assertEqual((done.returncode, done.stdout), (0, "pong\n"), done)
                if not extra:
                    self.assertEqual(stat.S_IMODE(os.stat("/tmp/actord-54321").st_mode), 0o700)
                    env["XDG_RUNTIME_DIR"] = str(top / "run")
                    done = subprocess.run([top / "actorctl", "ping"], env=env, **user)
                    self.assertEqual(done.returncode, 0, done)
            finally:
                runtime.terminate()
                runtime.communicate()
        # Somebody else's folder in our place is used by neither.
        subprocess.run(["rm", "-rf", "/tmp/actord-54321"])
        os.mkdir("/tmp/actord-54321", 0o777)
        env = {"PATH": os.environ["PATH"], "HOME": str(top)}
        done = subprocess.run([top / "actord", *ALONE], env=env, **user)
        self.assertEqual(done.returncode, 2)
        self.assertIn("/tmp/actord-54321", done.stderr)


class Wait(Case):
    options = None

    def test_it_waits_for_one_that_is_yet_to_start(self):
        folder = make_folder()
        waiting = subprocess.Popen([ACTORCTL, "--control", folder / "control.sock", "wait"],
                                   stdout=subprocess.PIPE)
        self.start(redis="none", folder=folder)
        self.assertEqual(waiting.communicate(timeout=20 * PATIENCE), (b"ready\n", None))
        self.assertEqual(waiting.returncode, 0)

    def test_it_does_not_spin(self):
        before = os.times()
        done = run([ACTORCTL, "--control", make_folder() / "none", "--timeout", "600", "wait"])
        after = os.times()
        self.fails(done, 4)
        self.assertGreater(done.seconds, 0.5)
        self.assertLess(after.children_user + after.children_system
                        - before.children_user - before.children_system, 0.3 * PATIENCE)


if __name__ == "__main__":
    unittest.main()
