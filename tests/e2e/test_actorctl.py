#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""actorctl as people and scripts use it: every command, every exit code, text and --json, how words
become arguments, and that it answers while every worker is stuck."""

import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import time
import unittest

from harness import (ACTORCTL, HERE, PATIENCE, Case, Runtime, actorctl, clean_env, make_folder,
                     run, source, until, vary, write_files)

PATCH = r"""
#include "actor.h"

static int motto(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, "patched");
}

const struct actor_type patch = { .name = "texts", .on = ON({ "motto", "", motto, 0 }) };
"""

class Commands(Case):
    actors = ("texts.c",)
    options = ("--node", "here")

    def say(self, *args, code=0):
        done = self.runtime.actorctl(*args)
        self.assertEqual(done.code, code, (args, done))
        return done.out if code == 0 else done.err

    def call(self, handler, *args):
        text = self.say("call", "texts", handler, *args)
        self.assertEqual(self.runtime.json("call", "texts", handler, *args)[0].keys(), {"args"})
        return text

    def values(self, *args):
        found, = self.runtime.json("call", *args)
        return found["args"]

    def test_ping_and_wait(self):
        self.say("ping")
        self.say("wait")
        self.assertTrue(self.runtime.json("ping"))
        self.assertTrue(self.runtime.json("wait"))

    def test_call(self):
        self.assertEqual(self.say("call", "rpc", "test", "a", "b"), "args: a, b.\n")
        self.assertEqual(self.values("rpc", "test", "a", "b"), ["args: a, b."])
        self.assertEqual(self.say("call", "echo", "say"), "")
        self.assertEqual(self.values("echo", "say"), [])
        self.assertEqual(self.say("call", "", "test", "a", "b"), "ab\n")

    def test_words_become_arguments(self):
        for word in ("text", "", "5", "null", '"quoted"', "[1]", "snow \u2603", "two\nlines", "-x",
                     "--json"):
            self.assertEqual(self.values("--", "texts", "str", word) if word.startswith("-")
                             else self.values("texts", "str", word), [word])
        for handler, word, value in (
                ("int", "5", 5), ("int", "-5", -5), ("int", "3.0", 3),
                                     ("int", str(2 ** 63 - 1), 2 ** 63 - 1),
                ("num", "5", 5), ("num", "-2.5", -2.5), ("num", "1e3", 1000),
                                     ("bool", "true", True),
                ("list", "[1,[2]]", [1, [2]]), ("map", '{"a":{"b":null}}', {"a": {"b": None}}),
                ("any", "5", 5), ("any", "null", None), ("any", '"5"', "5"),
                                     ("any", "text", "text"),
                ("any", "[1", "[1"), ("rest", "true", True), ("rest", "yes", "yes"),
                                     ("rest", "", "")):
            with self.subTest(handler=handler, word=word):
                self.assertEqual(self.values("texts", handler, word), [value])
        self.assertEqual(self.values("texts", "rest", "1", "a", "[2]"), [1, "a", [2]])
        self.assertEqual(self.values("texts", "opt", "1", "2"), ["1", 2])
        for handler, word in (("int", "x"), ("int", "1.5"), ("int", '"5"'), ("bool", "1"),
                              ("bool", "yes"),
                              ("list", "{}"), ("map", "x"), ("num", "")):
            with self.subTest(handler=handler, word=word):
                self.assertTrue(self.say("call", "texts", handler, word,
                                         code=self.arguments(handler, word)))

    def arguments(self, handler, word):
        """No JSON at all may count as usage (2); JSON of another type the actor refuses (1)."""
        code = self.runtime.actorctl("call", "texts", handler, word).code
        self.assertIn(code, (1, 2))
        return code

    def test_files_as_arguments(self):
        folder = write_files(make_folder(), {"text": "line 1\nline \u2603\n",
                                             "list.json": "[1, 2]", "empty": ""})
        self.assertEqual(self.values("texts", "str", "@%s" % (folder / "text")),
                         ["line 1\nline \u2603\n"])
        self.assertEqual(self.values("texts", "str", "@%s" % (folder / "empty")), [""])
        self.assertEqual(self.values("texts", "list", "@%s" % (folder / "list.json")), [[1, 2]])
        text = self.say("call", "texts", "str", "@%s" % (folder / "missing"), code=2)
        self.assertIn("missing", text)

    def test_how_answers_are_printed(self):
        self.assertEqual(self.call("rest", "text", "5", "2.5", "true", "null", '[1,"a"]',
                                   '{"k":"v"}', '"5"'),
                         'text\n5\n2.5\ntrue\nnull\n[1,"a"]\n{"k":"v"}\n5\n')

    def test_send(self):
        before = self.values("counter", "hit", "0")[0]
        self.assertEqual(self.say("send", "counter", "hit", "7"), "")
        self.assertEqual(self.values("counter", "hit", "0"), [before + 7])
        self.say("send", "counter", "hit", "x", code=self.runtime.actorctl("send", "counter",
                                                                           "hit", "x").code)
        self.say("send", "nobody", "hit", "1", code=3)
        self.say("send", "counter", "nothing", code=3)

    def test_exit_codes(self):
        self.assertIn("not today", self.say("call", "texts", "refuse", "today", code=1))
        for usage in ([], ["nonsense"], ["call"], ["call", "echo"], ["patch"],
                      ["patch", "nonsense"],
                      ["patch", "apply"], ["--nonsense", "ping"], ["ping", "extra"], ["--timeout"],
                      ["--timeout", "x", "ping"], ["inspect", "a", "b"], ["var", "get", "arena"],
                      ["--timeout", "-5", "ping"]):
            with self.subTest(usage):
                self.assertTrue(self.say(*usage, code=2))
        for missing in (["call", "nobody", "hit"], ["call", "echo", "nothing"],
                        ["inspect", "nobody"]):
            with self.subTest(missing):
                self.assertIn(missing[-1] if missing[0] == "inspect" else missing[1],
                              self.say(*missing, code=3))
        for command in ["ping"], ["inspect"], ["call", "echo", "say"]:
            done = actorctl("--control", self.folder / "nothing.sock", *command)
            self.assertIn("nothing.sock", self.fails(done, 4))
        done = self.runtime.actorctl("--timeout", "100", "call", "texts", "never")
        self.fails(done, 5)
        done = actorctl("--control", self.folder / "nothing.sock", "--timeout", "100", "wait")
        self.assertIn(done.code, (4, 5))
        self.assertTrue(done.err)

    def test_a_socket_that_nobody_serves(self):
        path = self.folder / "dead.sock"
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(path))
        self.fails(actorctl("--control", path, "ping"), 4)

    def test_later_commands_are_usage_errors(self):
        text = self.say("--help")
        for command in ("ping", "wait", "inspect", "ps", "call", "send", "patch check",
                        "patch apply", "patch list"):
            self.assertRegex(text, r"\b%s\b" % command)
        for command in (["patch", "revert", "1"], ["var", "get", "a.b"], ["top"], ["trace", "echo"],
                        ["keygen"], ["sign", "x"], ["stop", "echo"], ["start", "x.c"]):
            with self.subTest(command):
                if not re.search(r"\b%s\b" % command[-2 if len(command) > 2 else 0], text):
                    self.say(*command, code=2)

    def test_version(self):
        self.assertRegex(self.say("--version"), r"\d+\.\d+")

    def test_inspect(self):
        text = self.say("inspect")
        for word in "workers", "actors", "patches", "redis", "clients":
            self.assertRegex(text, r"(?i)\b%s" % word)
        whole = self.runtime.json("inspect")
        self.assertTrue(all(isinstance(x, dict) for x in whole))
        for name, kind in ("counter", "counter"), ("texts", "texts"), ("rpc", "rpc"):
            found, = self.runtime.json("inspect", name)
            self.assertLessEqual({"name", "type", "state", "handlers", "mailbox"}, found.keys())
            self.assertEqual((found["name"], found["type"]), (name, kind))
            self.assertIsInstance(found["state"], str)
            self.assertIn(name, self.say("inspect", name))
        found, = self.runtime.json("inspect", "texts")
        self.assertIn("refuse", json.dumps(found["handlers"]))
        self.assertIn("what:str", json.dumps(found["handlers"]))

    def test_ps(self):
        rows = self.runtime.json("ps")
        names = [row["name"] for row in rows]
        for name in "rpc", "counter", "echo", "patch", "texts":
            self.assertIn(name, names)
            self.assertRegex(self.say("ps"), r"(?m)\b%s\b" % name)
        self.assertEqual(len({tuple(sorted(row)) for row in rows}), 1,
                         "one set of keys in every row")

    def test_clients_are_seen(self):
        ws = [self.runtime.client() for _ in range(3)]
        self.assertRegex(self.say("inspect"), r"(?m)^clients +listen .* connected 3\b")
        for w in ws:
            w.close()

    def test_patches(self):
        good = write_files(make_folder(), {"good.c": PATCH}) / "good.c"
        before = self.runtime.json("patch", "list")
        self.say("patch", "check", good)
        self.assertEqual(self.runtime.json("patch", "list"), before)
        self.assertEqual(self.values("texts", "motto"), ["shipped"])
        applied, = self.runtime.json("patch", "apply", good)
        self.assertEqual(self.values("texts", "motto"), ["patched"])
        listed = self.runtime.json("patch", "list")
        self.assertEqual(len(listed), len(before) + 1)
        self.assertIn("texts.motto", json.dumps(listed[-1]) + json.dumps(listed[0]))
        self.assertIn("texts", self.say("patch", "list"))
        text = self.say("patch", "apply", good)
        self.assertRegex(text, r"\d")
        found, = self.runtime.json("inspect", "texts")
        number = max(int(n) for n in re.findall(r"\d+", text))
        self.assertIn(str(number), json.dumps(found["handlers"]))
        # What other ways brought is in the list too.
        self.caller.exec(PATCH)
        self.assertEqual(len(self.runtime.json("patch", "list")), len(before) + 3)

    def test_rejected_patches(self):
        folder = write_files(make_folder(), {
            "syntax.c": vary(PATCH, "return msg_reply", "return\n\nmsg_reply(]"),
            "symbol.c": "int nobody_has_this(void);\n"
                        "int x(void) { return nobody_has_this(); }\n" + PATCH,
            "state.c": vary(PATCH, '"texts",', '"texts", .state = 99,'), "empty.c": "",
            "actor.c": vary(PATCH, '"texts"', '"nobody"')})
        for name, words in (("syntax.c", r"syntax\.c:\d+: "), ("symbol.c", "nobody_has_this"),
                            ("state.c", "99"),
                            ("empty.c", "."), ("actor.c", "nobody")):
            for command in "check", "apply":
                with self.subTest(name=name, command=command):
                    done = self.runtime.actorctl("patch", command, folder / name)
                    self.assertRegex(self.fails(done, 6), words)
                    self.assertEqual(done.out, "")
                    done = self.runtime.actorctl("--json", "patch", command, folder / name)
                    self.fails(done, 6)
                    self.assertTrue(json.loads(done.out or done.err))
        self.assertIn("missing.c", self.say("patch", "apply", folder / "missing.c", code=2))

    def test_errors_in_json(self):
        keys = set()
        for command, code in ((["call", "nobody", "x"], 3), (["call", "texts", "refuse", "x"], 1),
                              (["inspect", "nobody"], 3)):
            done = self.runtime.actorctl("--json", *command)
            self.fails(done, code)
            line, = (done.out or done.err).splitlines()
            keys.add(tuple(sorted(json.loads(line))))
        self.assertEqual(len(keys), 1, keys)

    def test_control_in_the_environment(self):
        done = run([ACTORCTL, "ping"], env={"ACTORD_CONTROL": self.runtime.control})
        self.assertEqual(done.code, 0, done)

    def test_big_words_and_answers(self):
        folder = write_files(make_folder(), {"big": "x" * (10 << 20)})
        self.assertEqual(self.say("call", "texts", "str", "@%s" % (folder / "big")),
                         "x" * (10 << 20) + "\n")

    def test_stdout_that_is_closed(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([ACTORCTL, "--control", self.runtime.control, "ps"], stdout=write,
                              stderr=subprocess.PIPE)
        os.close(write)
        self.assertNotEqual(done.returncode, 0)

    def test_many_at_once(self):
        many = [subprocess.Popen([ACTORCTL, "--control", self.runtime.control, "call", "echo",
                                  "say", str(i)],
                                 stdout=subprocess.PIPE) for i in range(40)]
        for i, one in enumerate(many):
            self.assertEqual(one.communicate()[0], b"%d\n" % i)

    def test_launcher(self):
        launcher = HERE / "../../tools/actorctl"
        if not launcher.exists() or not (HERE / "../../build/actorctl").exists():
            self.skipTest("no build/ in the tree")
        done = run([launcher, "--control", self.runtime.control, "ping"], cwd="/")
        self.assertEqual(done.code, 0, done)


class Terminal(Case):
    """What a person sees over ssh, at 80 columns."""

    actors = ("texts.c", "slow.c")

    def shown(self, *args, columns=80, **env):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        command = [ACTORCTL, "--control", self.runtime.control, *args]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs,
                              env=clean_env(self.folder, {"TERM": "xterm", **env})) as tool:
            os.close(theirs)
            said = b""
            try:
                while more := os.read(ours, 65536):
                    said += more
            except OSError:             # the other end is closed
                pass
        os.close(ours)
        self.assertEqual(tool.returncode, 0, said)
        return said.decode()

    def test_80_columns(self):
        self.runtime.actorctl("send", "slow", "fails")
        self.runtime.err.wait(r"slow\.fails failed")
        self.caller.exec(PATCH)
        for command in ("inspect", "inspect texts", "inspect rpc", "ps", "nodes", "top -n 1 -d 10",
                        "top -n 1 -d 10 --sort memory", "patch list", "patch log", "log level"):
            for columns in 80, 100:
                with self.subTest(command=command, columns=columns):
                    text = re.sub("\033\\[[0-9;]*[A-Za-z]", "",
                                  self.shown(*command.split(), columns=columns))
                    self.assertEqual([x for x in text.splitlines() if len(x) > columns], [])
        # Names and figures are told whole.
        self.assertIn("login_password ", self.shown("ps"))
        self.assertRegex(self.shown("inspect", "slow"), r"(?m)^  fails .* 1 .* [\d.]+ *\r$")

    def test_colour(self):
        self.assertIn("\033[1m", self.shown("inspect"))
        for env in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
            self.assertNotIn("\033", self.shown("inspect", **env))
        self.assertIn("\033[1m", self.shown("inspect", NO_COLOR=""))
        self.assertNotIn("\033", self.runtime.actorctl("inspect").out)


class Stuck(Case):
    options = None

    def object(self, folder, name, text):
        write_files(folder, {name + ".c": text.replace("stuck", name)})
        subprocess.run(["gcc", "-shared", "-fPIC", "-I", HERE / "../../runtime", "-o",
                        folder / (name + ".so"), folder / (name + ".c")], check=True)
        return folder / (name + ".so")

    def test_every_worker(self):
        folder = make_folder()
        objects = [self.object(folder, "stuck%d" % i, source("stuck.c")) for i in range(2)]
        let_go = pathlib.Path(folder / "let go")
        runtime = self.start("--workers", "2", *objects, env={"E2E_LET_GO": str(let_go)})
        self.addCleanup(let_go.touch)
        ws, caller = runtime.client(), runtime.caller()
        sent = time.monotonic()
        for i in range(2):
            caller.send("stuck%d" % i, "hold")
            runtime.err.wait("stuck%d: holding" % i)
        held = time.monotonic()
        good = write_files(make_folder(), {"good.c": vary(PATCH, '"texts"', '"echo"')}) / "good.c"
        through = ("--redis", runtime.redis_url, "--node", runtime.json("inspect")[0]["node"])
        looks = ["ping", "wait", "inspect", "inspect stuck0", "ps", "nodes", "top -n 1 -d 10",
                 "log -n 1", "log level", "crash list", "dead list echo", "patch list", "patch log"]
        does = ["patch check %s" % good, "patch apply %s" % good, "patch show 1", "patch revert 1",
                "trace stuck0 --for 1", "send stuck0 hold", "stop echo"]
        for way, commands in ((), looks + does), (through, looks):
            for command in commands:
                done = actorctl("--control", runtime.control, *way, *command.split())
                self.assertEqual(done.code, 0, (command, done))
        until(lambda: runtime.actorctl("inspect", "echo").code == 3, "echo has ended")
        self.assertEqual(runtime.actorctl("start", "echo").code, 0)
        # How long the first message has been there, as far as a look a second tells.
        until(lambda: runtime.json("inspect", "stuck1")[0]["mailbox"]["oldest_ms"] > 0, "an age")
        before = time.monotonic()
        state, = runtime.json("inspect", "stuck1")
        after = time.monotonic()
        self.assertEqual(state["state"], "running")
        self.assertLessEqual(state["mailbox"]["oldest_ms"] - 1, (after - sent) * 1000)
        self.assertGreaterEqual(state["mailbox"]["oldest_most_ms"] + 1, (before - held) * 1000)
        boxes = runtime.json("top", "-n", "1", "-d", "10")[0]["mailboxes"]
        self.assertGreater({b["mailbox"]: b["oldest_ms"] for b in boxes}["stuck1"], 0)
        self.assertRegex(runtime.get("/metrics")[2].decode(),
                         r"\nactord_mailbox_oldest_seconds [0-9.]*[1-9]")
        self.assertIn("stuck0", runtime.actorctl("inspect").out)
        self.assertEqual(runtime.get("/healthz")[0], 200)
        self.assertEqual(runtime.actorctl("--timeout", "200", "call", "stuck0", "hold").code, 5)
        self.assertEqual(caller.db.llen(caller.ct), 0)
        let_go.touch()
        self.assertEqual([caller.answer()["args"] for _ in range(2)], [["free"]] * 2)
        self.assertEqual(ws.call("test", "a", "b"), ["ab"])

    LOOKS = ("ping", "inspect", "inspect late", "inspect echo", "ps", "nodes", "log -n 1",
             "top -n 1 -d 10", "log level", "crash list", "dead list echo", "var get arena.speed",
             "patch list", "patch show 1", "patch log")

    def looks(self, runtime, also=(), ended=lambda: False):
        """Each answers, or says why not: (command, exit status, words)."""
        trace = subprocess.Popen([ACTORCTL, "--control", runtime.control, "trace", "late", "--for",
                                  "1"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for command, code, words in (*((x, 0, "") for x in self.LOOKS), *also):
            done = runtime.actorctl(*command.split())
            if ended():
                break
            self.assertEqual(done.code, code, (command, done))
            self.assertIn(words, done.err)
            self.assertNotIn("wait already", done.err)
        said = trace.communicate(timeout=30 * PATIENCE)[1]
        self.assertTrue(trace.returncode == 0 or ended(), said)

    def test_before_it_is_ready_full_and_while_it_stops(self):
        late = vary(source("stuck.c"), "const struct actor_type stuck = {", """
static int start(actor *self)
{
	hold(self, 0);
	return 0;
}

const struct actor_type stuck = { .start = start,""")
        late = vary(late, 'return msg_reply(m, "free")', 'return m ? msg_reply(m, "free") : 0')
        folder = make_folder()
        good = write_files(folder, {"good.c": vary(PATCH, '"texts"', '"echo"')}) / "good.c"
        let_go = pathlib.Path(folder / "let go")
        self.addCleanup(let_go.touch)
        runtime = Runtime("--workers", "2", self.object(folder, "late", late), ready=False,
                          env={"E2E_LET_GO": str(let_go)})
        self.runtimes.append(runtime)
        self.addCleanup(lambda: runtime.process.poll() is None and runtime.kill())
        runtime.err.wait("late: holding")
        self.assertEqual(runtime.actorctl("patch", "apply", good).code, 0)
        self.looks(runtime, (("call echo say x", 0, ""), ("stop counter", 0, "")))
        self.assertEqual(runtime.actorctl("--timeout", "200", "wait").code, 5)
        self.assertEqual(runtime.out.lines, [])
        let_go.touch()
        runtime.wait_ready()
        self.assertEqual(runtime.actorctl("wait").code, 0)
        let_go.unlink()
        said = len(runtime.err.lines)
        runtime.actorctl("send", "late", "hold")
        runtime.err.wait("late: holding", after=said)
        pipe = runtime.redis().pipeline()
        for _ in range(1100):
            pipe.rpush("late", '{"func":"hold","args":[]}')
        pipe.execute()
        until(lambda: runtime.json("inspect", "late")[0]["mailbox"]["waiting"] >= 1024, "full")
        self.looks(runtime, (("call late hold", 1, "full"), ("call echo say x", 0, "")))
        runtime.process.send_signal(signal.SIGTERM)
        runtime.err.wait("stopping")
        stopping = "the node is stopping"
        # 4 s after the signal all ends, which on a loaded machine may be before this does.
        self.looks(runtime, (("patch apply %s" % good, 6, stopping), ("start echo", 1, stopping),
                             ("patch check %s" % good, 6, stopping),
                             ("patch revert 1", 1, stopping)),
                   lambda: "stopping before all is done" in runtime.tail())
        let_go.touch()
        runtime.stop()


if __name__ == "__main__":
    unittest.main()
