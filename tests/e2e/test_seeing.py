#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Seeing what runs: metrics, readiness, top, log; and stopping an actor."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import (ACTORCTL, ANSWERS, HERE, PATIENCE, Case, Runtime, clean_env, deadline,
                     free_port, make_folder, run, source, until)

CHATTY = """#include "actor.h"
static int talk(actor *self, const msg *m)
{
	for (int64_t i = 0; i < msg_int(m, 1); i++)
		actor_log(self, "%s", msg_str(m, 0));
	return 0;
}
const struct actor_type chatty = {
	.name = "chatty", .budget_ms = 60000, .on = ON({ "talk", "text:str times:int", talk, 0 })
};
"""
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\})? (\S+)$')


def samples(runtime):
    """What a scrape finds: {name{labels}: value}."""
    status, headers, body = runtime.get("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for line in body.decode().splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            assert (name + (labels or "")) not in found, line
            found[name + (labels or "")] = float(value)
    return found


class Metrics(Case):
    actors = ("texts.c",)
    options = ("--node", "here")

    def test_counts(self):
        key = 'actord_handler_%s_total{type="counter",handler="hit"}'
        before = samples(self.runtime)
        for _ in range(10):
            self.runtime.json("call", "counter", "hit", "1")
        after = samples(self.runtime)
        self.assertEqual(after[key % "calls"], before[key % "calls"] + 10)
        self.assertEqual(after[key % "failures"], before[key % "failures"])
        self.assertGreaterEqual(after["actord_messages_handled_total"],
                                before["actord_messages_handled_total"] + 10)
        self.assertEqual(before['actord_build_info{version="%s",node="here"}'
                                % self.runtime.ready["version"]], 1)
        self.assertEqual(after["actord_actors"], self.runtime.json("inspect")[0]["actors"])
        self.assertGreater(after["process_resident_memory_bytes"], 1e6)

    def test_clients_and_redis(self):
        before = samples(self.runtime)
        client = self.runtime.client()
        self.runtime.caller().call("rpc", "test", "a", "b")
        self.assertEqual(samples(self.runtime)["actord_clients"], before["actord_clients"] + 1)
        self.assertEqual(before["actord_redis_up"], 1)
        until(lambda: samples(self.runtime)["actord_redis_answered_total"] >
              before["actord_redis_answered_total"], "Redis's figures are of the last second")
        client.ws.close()

    def test_histogram(self):
        self.runtime.json("call", "counter", "hit", "1")
        name = 'actord_handler_duration_seconds_%s{type="counter",handler="hit"'
        seen = samples(self.runtime)
        buckets = [(key, seen[key]) for key in seen if key.startswith(name % "bucket")]
        self.assertEqual([float(re.search('le="(.*)"', key).group(1)) for key, _ in buckets],
                         [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, float("inf")])
        counts = [count for _, count in buckets]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(counts[-1], seen[name % "count" + "}"])
        self.assertGreaterEqual(counts[-1], 1)
        self.assertGreater(seen[name % "sum" + "}"], 0)

    def test_patches(self):
        key = 'actord_patches{state="%s"}'
        before = samples(self.runtime)
        self.assertEqual(len([x for x in before if x.startswith("actord_patches{")]), 10)
        path = HERE / "../../patches/counter_cap.c"
        number = self.runtime.actorctl("patch", "apply", path).out.strip()
        after = samples(self.runtime)
        self.assertEqual(after[key % "probation"], before[key % "probation"] + 1)
        self.runtime.actorctl("patch", "revert", number)
        self.assertEqual(samples(self.runtime)[key % "reverted"], before[key % "reverted"] + 1)

    def test_no_instances_in_labels(self):
        labels = {name for text in samples(self.runtime)
                  for name in re.findall(r'([a-z]+)="', text)}
        self.assertEqual(labels, {"version", "node", "worker", "type", "handler", "le", "state"})


class Top(Case):
    actors = ("slow.c",)

    def top(self, *args, during=()):
        """The refreshes from before the first of the calls until after the last."""
        command = [ACTORCTL, "--control", self.runtime.control, "--json", "top", "-d", "300", *args]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
            tool.stdout.readline()
            lines = []
            for call in during:
                self.runtime.actorctl("call", *call)
            last = '"handler":"%s"' % during[-1][1]
            while len(lines) < 2 or (len(lines) < 8 and last not in str(lines)):
                lines.append(tool.stdout.readline())
            tool.send_signal(signal.SIGINT)
            lines += tool.stdout.readlines()
            self.assertEqual(tool.wait(10 * PATIENCE), 0, tool.stderr.read())
        return [json.loads(line) for line in lines]

    def row(self, objects, handler, kind="slow"):
        rows = [r for o in objects for r in o["handlers"]
                if (r["type"], r["handler"]) == (kind, handler)]
        return max(rows, key=lambda r: r["per_s"], default=None)

    def test_finds_the_slow_one(self):
        calls = [("slow", "quick"), ("slow", "work", "40"), ("slow", "fails")]
        # Once more where a refresh came between the beginning and the end of the work.
        nothing = {"mean_us": 0}
        seen = until(lambda: [one for one in [self.top("--sort", "cpu", during=calls)]
                              if (self.row(one, "work") or nothing)["mean_us"] > 0],
                     "all of it in one", 30)[0]
        for one in seen:
            self.assertLessEqual({"snapshot", "window_ms", "actors", "waiting", "per_s", "failed",
                                  "dead_letters", "cpu", "handlers", "mailboxes", "running"},
                                 set(one))
            self.assertGreaterEqual(one["window_ms"], 290)
        work, quick = self.row(seen, "work"), self.row(seen, "quick")
        # It takes 40 ms, or longer where others have the processors.
        self.assertTrue(39000 <= work["mean_us"] <= 60e6, work)
        self.assertTrue(39000 <= work["p99_us"] <= 60e6, work)
        self.assertGreater(work["cpu"], 0)
        self.assertGreater(quick["per_s"], 0)
        self.assertEqual(self.row(seen, "fails")["failed"], 1)
        for one in seen:
            busy = [row["cpu"] for row in one["handlers"]]
            self.assertEqual(busy, sorted(busy, reverse=True))

    def test_filter_rows_and_errors(self):
        seen = self.top("--filter", "node.", "--rows", "1", during=[("slow", "quick")])
        self.assertTrue(all([r["type"] for r in one["handlers"]] == ["node"] for one in seen))
        for args, words in ((["--sort", "x"], "rate, cpu"), (["--rows", "0"], "1 to"),
                            (["--nonsense"], "--help"), (["word"], "--help"), (["-n"], "value")):
            done = self.runtime.actorctl("top", *args)
            self.assertEqual(done.code, 2, done)
            self.assertIn(words, done.err)

    def test_mailboxes_and_what_runs(self):
        pipe = self.runtime.redis().pipeline()
        for _ in range(9):
            pipe.rpush("slow", json.dumps({"func": "work", "args": [400]}))
        pipe.execute()
        until(lambda: self.runtime.json("inspect", "slow")[0]["mailbox"]["waiting"] > 7, "all wait")
        one, = self.runtime.json("top", "-n", "1", "-d", "200")
        self.assertEqual(one["mailboxes"][0]["mailbox"], "slow")
        self.assertGreater(one["mailboxes"][0]["waiting"], 3)
        # On a loaded machine the node's own answer may be long under way too.
        self.assertIn(("slow", "work"), [(r["actor"], r["handler"]) for r in one["running"]])
        self.assertGreater(one["waiting"], 3)
        self.runtime.json("--timeout", "20000", "call", "slow", "quick")

    def test_only_what_is_busy(self):
        """What has happened before the window, and what has not at all, is not among it."""
        self.runtime.actorctl("call", "slow", "fails")
        seen = self.top(during=[("slow", "quick")])
        self.assertIn("quick", str(seen))
        for row in (r for one in seen for r in one["handlers"]):
            self.assertGreater(row["per_s"] + row["cpu"] + row["failed"] + row["waiting"], 0, row)
            self.assertNotEqual((row["type"], row["handler"]), ("slow", "fails"))

    def test_text(self):
        done = self.runtime.actorctl("top", "-n", "2", "-d", "50")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.out.count("messages/s"), 2)
        self.assertIn("MEAN US", done.out)
        self.assertRegex(done.out, r"(?m)^worker 0 \d+ %  ")
        self.assertNotIn("\033", done.out)

    def test_memory(self):
        done = self.runtime.actorctl("top", "-n", "1", "-d", "50", "--sort", "memory")
        self.assertRegex(done.out, r"(?m)^TYPE +ACTORS +WAITING +MEMORY ")
        one, = self.runtime.json("top", "-n", "1", "-d", "50", "--sort", "memory")
        sizes = [t["memory_bytes"] for t in one["types"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertIn("slow", [t["type"] for t in one["types"]])
        threads = {t["thread"] for t in one["threads"]}
        self.assertLessEqual({"worker 0", "io", "gateway"}, threads)

    def test_keys(self):
        ours, theirs = pty.openpty()
        tool = subprocess.Popen([ACTORCTL, "--control", self.runtime.control, "top", "-d", "50"],
                                stdin=theirs, stdout=theirs, stderr=theirs,
                                env=clean_env(self.folder, {"TERM": "xterm"}))
        self.addCleanup(tool.kill)
        os.close(theirs)
        said = b""

        def say(keys, pattern):
            nonlocal said
            os.write(ours, keys)
            end = deadline(10)
            while not re.search(pattern, said):
                self.assertLess(time.monotonic(), end, said[-2000:])
                if select.select([ours], [], [], 0.1)[0]:
                    said += os.read(ours, 65536)
            said = b""

        say(b"", b"messages/s")
        say(b"b", b"ALLOCATED")
        say(b"c", b"MEAN US")
        say(b"i", b"inspect: ")
        say(b"slow\n", rb"waits for[^Z]*a key goes on")
        say(b" ", b"messages/s")
        say(b"/", b"only what has: ")
        say(b"node.\n", b"messages/s")
        say(b"s", b"stop: ")
        say(b"nobody\n", b"no actor named `nobody`")
        say(b" ", b"messages/s")
        os.write(ours, b"q")
        self.assertEqual(tool.wait(10 * PATIENCE), 0)
        os.close(ours)

    def test_a_window_that_changes(self):
        ours, theirs = pty.openpty()
        def window(lines, columns):
            fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        window(50, 200)
        tool = subprocess.Popen([ACTORCTL, "--control", self.runtime.control, "top", "-d", "20"],
                                stdin=theirs, stdout=theirs, stderr=theirs,
                                env=clean_env(self.folder, {"TERM": "xterm"}))
        self.addCleanup(tool.kill)
        os.close(theirs)
        said = b""

        def seen(screen, what):
            """A whole screen that is so."""
            nonlocal said
            def look():
                nonlocal said
                if select.select([ours], [], [], 0.1)[0]:
                    said += os.read(ours, 65536)
                    *screens, said = said.split(b"\033[J")
                    return any(screen(re.sub(rb"\033\[[0-9;]*[A-Za-z]", b"", s).decode()
                                      .split("\r\n")) for s in screens)
            until(look, what)

        def wide(lines):
            return len(lines) > 5 and any("worker 0" in x and len(x) > 50 for x in lines)
        seen(wide, "a large one")
        window(5, 50)
        seen(lambda lines: len(lines) == 5 and 0 < len(lines[1]) <= 50, "a small one")
        window(50, 200)
        seen(wide, "a large one again")
        os.write(ours, b"q")
        self.assertEqual(tool.wait(10 * PATIENCE), 0)
        os.close(ours)

    def test_ends_by_ctrl_c(self):
        with subprocess.Popen([ACTORCTL, "--control", self.runtime.control, "top", "-d", "20"],
                              stdout=subprocess.PIPE) as tool:
            self.assertIn(b"messages/s", tool.stdout.readline())
            tool.send_signal(signal.SIGINT)
            tool.stdout.read()
            self.assertEqual(tool.wait(10 * PATIENCE), 0)


class Log(Case):
    actors = ("slow.c",)

    def test_lines(self):
        self.runtime.actorctl("send", "slow", "fails")
        self.runtime.err.wait(r"slow\.fails failed")
        found = self.runtime.json("log", "slow", "--level", "warn")
        self.assertEqual(set(found[0]), {"time", "level", "from", "text"})
        self.assertIn("slow.fails failed: EFAIL: as it should", found[-1]["text"])
        self.assertEqual(found[-1]["level"], "warn")
        self.assertEqual(self.runtime.actorctl("log", "--level", "error").out, "")
        shown = self.runtime.actorctl("log", "-n", "2").out.splitlines()
        self.assertEqual(shown, self.runtime.err.lines[-2:])
        self.assertTrue(all(x["from"] == "bus" for x in self.runtime.json("log", "bus")))

    def test_follows(self):
        with subprocess.Popen([ACTORCTL, "--control", self.runtime.control, "log", "-f", "-n", "1"],
                              stdout=subprocess.PIPE) as tool:
            tool.stdout.readline()
            for _ in range(3):
                self.runtime.actorctl("send", "slow", "fails")
                self.assertIn(b"slow.fails failed", tool.stdout.readline())
            tool.send_signal(signal.SIGINT)
            self.assertEqual(tool.wait(10 * PATIENCE), 0)

    def test_levels_of_types(self):
        folder = make_folder()
        (folder / "chatty.c").write_text(CHATTY)
        self.assertEqual(self.runtime.actorctl("start", folder / "chatty.c").code, 0)
        self.runtime.json("call", "chatty", "talk", "one", "1")
        self.assertEqual(len(self.runtime.json("log", "chatty")), 1)
        self.assertEqual(self.runtime.json("log", "level", "chatty", "warn"),
                         [{"type": "chatty", "level": "warn", "left_out": 0}])
        self.runtime.json("call", "chatty", "talk", "two", "3")
        self.assertEqual(self.runtime.json("log", "level"),
                         [{"type": "chatty", "level": "warn", "left_out": 3}])
        self.runtime.json("log", "level", "chatty", "info")
        self.runtime.json("call", "chatty", "talk", "flood", "20000")
        found = self.runtime.json("log", "chatty", "-n", "512")
        self.assertNotIn("two", [x["text"] for x in found])
        # The rest of the flood is counted, and said in the next second.
        until(lambda: self.runtime.json("call", "chatty", "talk", "after", "1") and any(
            "lines of actors were left out" in x["text"] for x in self.runtime.json("log")),
            "what was left out is said")

    def test_levels_that_are_none(self):
        for args, code in ((["slow", "loud"], 1), (["nobody", "info"], 3), (["slow"], 2)):
            self.assertEqual(self.runtime.actorctl("log", "level", *args).code, code)

    def test_refused(self):
        for args, words in ((["--level", "loud"], "debug, info"), (["-n", "0"], "1 to 512"),
                            (["a", "b"], "--help"), (["-x"], "--help")):
            done = self.runtime.actorctl("log", *args)
            self.assertEqual(done.code, 2, done)
            self.assertIn(words, done.err)


class Stop(Case):
    actors = ("slow.c",)

    def gone(self, name):
        return self.runtime.actorctl("inspect", name).code == 3

    def test_stop(self):
        self.assertEqual(self.runtime.actorctl("stop", "slow").code, 0)
        until(lambda: self.gone("slow"), "slow has ended")
        self.assertEqual(self.runtime.actorctl("call", "slow", "quick").code, 3)
        done = self.runtime.actorctl("stop", "slow")
        self.assertEqual(done.code, 3)
        self.assertIn("actorctl ps", done.err)

    def test_not_the_runtime(self):
        for name in "node", "patch", "bus":
            done = self.runtime.actorctl("stop", name)
            self.assertEqual(done.code, 1)
            self.assertIn(name + " is part of the runtime", done.err)
        self.assertEqual(self.runtime.json("stop", "echo"), [{"stopped": True}])


class Start(Case):
    def test_a_source(self):
        folder = make_folder()
        path = folder / "visitor.c"
        path.write_text(source("slow.c").replace("slow", "visitor"))
        done = self.runtime.actorctl("start", path)
        self.assertEqual((done.code, done.out), (0, "started\n"), done)
        self.assertEqual(self.runtime.json("call", "visitor", "quick"), [{"args": ["at once"]}])
        done = self.runtime.actorctl("start", path)
        self.assertEqual(done.code, 1, done)
        self.assertIn("visitor", done.err)
        # From then on it is like any other: patched, stopped, started again by its name.
        self.caller.eval("visitor", "quick", ANSWERS % 5, "answers")
        self.assertEqual(self.runtime.json("call", "visitor", "quick"), [{"args": [5]}])
        self.assertEqual(self.runtime.actorctl("stop", "visitor").code, 0)
        until(lambda: self.runtime.actorctl("inspect", "visitor").code == 3, "it has ended")
        self.assertEqual(self.runtime.json("start", "visitor"), [{"started": True}])
        self.assertEqual(self.runtime.json("call", "visitor", "quick"), [{"args": [5]}])

    def test_refused(self):
        folder = make_folder()
        for name, text, code, words in (
                ("broken.c", "int x = ;\n", 1, "broken.c:1: "),
                ("empty.c", "int x;\n", 1, "empty"), ("text.txt", "x", 1, "neither in .c nor .so"),
                ("object.so", "x", 1, "object.so")):
            (folder / name).write_text(text)
            done = self.runtime.actorctl("start", folder / name)
            self.assertEqual(done.code, code, done)
            self.assertIn(words, done.err)
        self.assertIn("name an ACTOR.c", self.fails(
            self.runtime.actorctl("start", folder / "none.c"), 2))
        self.assertIn("part of the runtime", self.fails(self.runtime.actorctl("start", "node"), 1))
        self.assertIn("No such file", self.fails(self.runtime.actorctl("start", "nobody"), 3))
        self.assertIn("or - for stdin", self.fails(
            self.runtime.actorctl("patch", "apply", folder / "none.c"), 2))
        self.assertEqual(self.runtime.actorctl("ping").code, 0)


class Help(Case):
    actors = ("museum.c",)

    def complete(self, *words):
        script = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _actorctl
                    printf '%s\\n' "${COMPREPLY[@]}" """
        done = run(["bash", "-c", script, "bash", HERE / "../../tools/completions/actorctl.bash",
                    ACTORCTL, "--control", self.runtime.control, *words], cwd=self.folder)
        self.assertEqual((done.code, done.err), (0, ""))
        return done.out.split()

    def test_completion(self):
        self.assertEqual(self.complete("ins"), ["inspect"])
        self.assertIn("apply", self.complete("patch", ""))
        # who completes a word waits for half a second, and then has none
        until(lambda: self.complete("inspect", "coun") == ["counter"], "an actor")
        until(lambda: self.complete("call", "counter", "") == ["hit"], "a handler")
        self.assertEqual(self.complete("--js"), ["--json"])
        self.assertEqual(self.complete("crash", "s"), ["show"])
        self.assertEqual(self.complete("top", "--so"), ["--sort"])
        self.assertEqual(self.complete("help", "ins"), ["inspect"])
        number = self.caller.exec(ANSWERS % 1 + 'const struct actor_type patch = { .name = "echo", '
                                  '.on = ON({ "answers", "", answers, 0 }) };\n')[0]
        until(lambda: str(number) in self.complete("patch", "show", ""), "a patch")

    def test_completion_runs_no_name(self):
        """Names are whatever somebody gave them: a shell must not take them for its own words."""
        name = "$(touch${IFS}touched)"
        self.assertEqual(self.runtime.actorctl("call", "museum", "bear", name).code, 0)
        found = until(lambda: self.complete("inspect", "$"), "its name")
        self.assertFalse((self.folder / "touched").exists())
        self.assertEqual("".join(found).replace("\\", ""), name)

    def complete_in_zsh(self, *words):
        script = '''compadd() { [ "$1" = -- ] && shift; print -l -- "$@" }; _files() { }
                    file=$1; shift; words=("$@"); CURRENT=$#; set --; source $file'''
        done = run(["zsh", "-f", "-c", script, "zsh", HERE / "../../tools/completions/_actorctl",
                    ACTORCTL, "--control", self.runtime.control, *words])
        self.assertEqual((done.code, done.err), (0, ""))
        return done.out.split()

    def test_completion_in_zsh(self):
        self.assertIn("inspect", self.complete_in_zsh("ins"))
        self.assertIn("apply", self.complete_in_zsh("patch", ""))
        until(lambda: "counter" in self.complete_in_zsh("trace", ""), "an actor")
        until(lambda: self.complete_in_zsh("call", "counter", "") == ["hit"], "a handler")
        self.assertIn("--redis", self.complete_in_zsh("--r"))
        self.assertIn("--sort", self.complete_in_zsh("top", "--so"))
        self.assertIn("show", self.complete_in_zsh("crash", ""))

    def test_every_command_has_help_and_is_in_the_man_page(self):
        page = self.runtime.actorctl("--man").out
        names = self.runtime.actorctl("--commands").out.splitlines()
        self.assertIn("top", names)
        for name in names:
            with self.subTest(name):
                done = self.runtime.actorctl(*name.split(), "--help")
                self.assertEqual(done.code, 0)
                self.assertIn("actorctl", done.out)
                self.assertIn(".SS %s " % name.replace("-", "\\-"), page)
                self.assertEqual([x for x in done.out.splitlines() if len(x) > 80], [])
                self.assertEqual(self.runtime.actorctl("help", *name.split()).out, done.out)
        for args in ((), ("patch",), ("patch", "apply")):
            done = self.runtime.actorctl("help", *args)
            self.assertEqual(done.code, 0)
            self.assertIn("patch apply", done.out)
            self.assertEqual([x for x in done.out.splitlines() if len(x) > 80], [])

    def test_misspelt(self):
        for args, words in ((["insepct"], "did you mean `inspect`?"),
                            (["patch", "aply", "x.c"], "did you mean `patch apply`?"),
                            (["help", "trce"], "did you mean `trace`?"),
                            (["top", "--sotr", "cpu"], "did you mean `--sort`?"),
                            (["--jsno", "ping"], "did you mean `--json`?"),
                            (["patch"], "actorctl help patch"),
                            (["--json=yes", "ping"], "takes no value"),
                            (["nothing-like-it"], "`nothing-like-it`; see")):
            with self.subTest(args):
                self.assertIn(words, self.fails(self.runtime.actorctl(*args), 2))


class Readiness(unittest.TestCase):
    def test_waits_for_redis(self):
        port = free_port()
        runtime = Runtime(redis="redis://127.0.0.1:%d/0" % port, ready=False)
        runtime.wait_ready()
        status, _, body = runtime.get("/readyz")
        self.assertEqual((status, body), (503, b'{"status":"Redis does not answer"}\n'))
        self.assertEqual(runtime.get("/healthz")[0], 200)
        self.assertEqual(samples(runtime)["actord_redis_up"], 0)
        runtime.stop()

    def test_alone(self):
        runtime = Runtime(redis="none")
        self.assertEqual(runtime.get("/readyz")[0], 200)
        self.assertNotIn("actord_redis_up", samples(runtime))
        runtime.stop()


if __name__ == "__main__":
    unittest.main()
