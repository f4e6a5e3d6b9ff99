#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""actorctl when all is not well: it answers while every worker is stuck, while the node starts and
stops, with Redis away and mailboxes full; and how the tool itself ends is nothing to the node."""

import json
import signal
import subprocess
import unittest

from harness import ACTORCTL, ANSWERS, HERE, PATIENCE, Case, Runtime, clean_env, until

MUSEUM = str(HERE / "actors" / "museum.c")
LOOKS = (("ping",), ("wait",), ("inspect",), ("inspect", "museum"), ("inspect", "counter"), ("ps",),
         ("top", "-n", "1", "-d", "20"), ("log", "-n", "5"), ("log", "level"), ("patch", "list"))


class Trouble(Case):
    options = None

    def look(self, runtime):
        for command in LOOKS:
            done = runtime.actorctl(*command)
            self.assertEqual(done.code, 0, (command, done))
            done = runtime.actorctl("--json", *command)
            self.assertEqual(done.code, 0, (command, done))
            for line in done.out.splitlines():
                json.loads(line)

    def stuck(self, runtime, ms, names=("left", "right")):
        """All workers inside a loop."""
        for name in names:
            self.assertEqual(runtime.actorctl("call", "museum", "bear", name).code, 0)
        for name in names:
            runtime.actorctl("send", name, "loop", str(ms))
        until(lambda: all((runtime.json("inspect", name)[0]["running"] or {}).get("for_ms", 0) > 100
                          for name in names), "both loop")

    def test_all_workers_stuck(self):
        runtime = self.start("--workers", "2", MUSEUM)
        self.stuck(runtime, 8000)
        for command in LOOKS:
            if command[0] != "patch":           # that actor is one of the pool's
                self.assertEqual(runtime.actorctl(*command).code, 0, command)
        done = runtime.actorctl("trace", "museum", "--for", "1")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(runtime.json("inspect", "left")[0]["activity"], "running")
        shown = runtime.json("inspect")[0]["workers"]
        self.assertEqual({w["handler"] for w in shown if w["actor"] in ("left", "right")}, {"loop"})

    def test_redis_away_and_start(self):
        runtime = Runtime(MUSEUM, redis="redis://127.0.0.1:1/0", ready=False)
        self.addCleanup(runtime.stop)
        self.runtimes.append(runtime)
        until(lambda: runtime.actorctl("ping").code == 0, "it answers before it is ready")
        self.assertEqual(runtime.actorctl("inspect").code, 0)
        runtime.wait_ready()
        self.look(runtime)
        self.assertEqual(runtime.json("inspect")[0]["warnings"], ["Redis does not answer"])
        self.assertEqual([n["self"] for n in runtime.json("nodes")], [True])
        for command in ("nodes",), ("dead", "list", "museum"), ("patch", "rollouts"):
            self.assertIn("Redis", runtime.actorctl(*command).err)

    def test_while_it_stops(self):
        runtime = self.start("--workers", "2", MUSEUM, stop=False)
        self.stuck(runtime, 3000, ("left",))
        runtime.process.send_signal(signal.SIGTERM)
        runtime.err.wait("stopping")
        for command in ("ping",), ("inspect",), ("ps",):
            done = runtime.actorctl(*command)
            self.assertIn(done.code, (0, 4), done)      # it may just have gone
        done = runtime.actorctl("patch", "apply", "-", stdin=(ANSWERS % 1).encode())
        self.assertIn(done.code, (1, 4, 6), done)
        runtime.stop(signal.SIGCONT)

    def test_full_mailboxes(self):
        runtime = self.start("--workers", "2", MUSEUM)
        runtime.actorctl("send", "museum", "loop", "5000")
        until(lambda: runtime.json("inspect", "museum")[0]["running"], "it loops")
        pipe = runtime.redis().pipeline()
        for _ in range(1100):
            pipe.rpush("museum", json.dumps({"func": "later", "args": []}))
        pipe.execute()
        until(lambda: runtime.json("inspect", "museum")[0]["mailbox"]["waiting"] >= 1024, "full")
        done = runtime.actorctl("call", "museum", "later")
        self.assertEqual(done.code, 1, done)
        self.assertIn("full", done.err)
        top, = runtime.json("top", "-n", "1", "-d", "20")
        self.assertEqual(top["mailboxes"][0]["mailbox"], "museum")
        self.assertEqual(runtime.json("inspect")[0]["mailboxes"]["fullest"], "museum")

    def test_names_with_control_characters(self):
        runtime = self.start(MUSEUM)
        wild, name = "a\033[31m\nb\x7f\u0085", "a\u0085b"
        self.assertEqual(runtime.actorctl("call", "museum", "bear", wild).code, 1)
        self.assertEqual(runtime.actorctl("call", "museum", "bear", name).code, 0)
        for command in (("ps",), ("inspect", name), ("inspect", "museum"), ("stop", wild),
                        ("trace", wild), ("start", wild), ("call", wild, wild)):
            done = runtime.actorctl(*command)
            for bad in "\033", "\x7f", "\u0085":
                self.assertNotIn(bad, done.out + done.err, command)
        done = runtime.actorctl("--json", "inspect", name)
        self.assertEqual(json.loads(done.out)["name"], name)

    def test_how_the_tool_ends(self):
        runtime = self.start(MUSEUM)
        base = [ACTORCTL, "--control", runtime.control]
        for how in signal.SIGINT, signal.SIGTERM, signal.SIGKILL:
            tool = subprocess.Popen([*base, "--timeout", "60000", "call", "museum", "loop", "1500"],
                                    env=clean_env(self.id()), stderr=subprocess.DEVNULL)
            until(lambda: runtime.json("inspect", "museum")[0]["running"], "it loops")
            tool.send_signal(how)
            self.assertEqual(tool.wait(10 * PATIENCE), -how)
        for command in "ps", "inspect", "log", "--man":
            tool = subprocess.Popen([*base, command], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            tool.stdout.close()
            self.assertNotEqual(tool.wait(10 * PATIENCE), None)
            tool.stderr.close()
        until(lambda: runtime.json("inspect", "museum")[0]["activity"] == "idle", "all is done")
        self.look(runtime)
        self.check_alive(runtime)

    def test_colour_only_for_people(self):
        runtime = self.start(MUSEUM)
        self.assertNotIn("\033", runtime.actorctl("inspect").out)
        script = ["script", "-qec", "%s --control %s inspect" % (ACTORCTL, runtime.control),
                  "/dev/null"]
        for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            done = subprocess.run(script, capture_output=True, stdin=subprocess.DEVNULL,
                                  env=clean_env(self.id(), {"TERM": "xterm", **more}))
            self.assertEqual(b"\033[1m" in done.stdout, coloured, done.stdout[:200])


if __name__ == "__main__":
    unittest.main()
