#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""actorctl through Redis: any node that uses it, looked at by all who may use that Redis, changed
only where unsigned patches are taken from there."""

import signal
import unittest

from harness import (ANSWERS, EFAIL, ENOENT, Case, RedisServer, Runtime, actorctl, make_folder,
                     until)


class Remote(Case):
    options = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = RedisServer()
        cls.addClassCleanup(cls.server.stop)
        cls.open = Runtime("--node", "open", "--unsigned-patches", redis=cls.server.url)
        cls.addClassCleanup(cls.open.stop)
        cls.shut = Runtime("--node", "shut", redis=cls.server.url)
        cls.addClassCleanup(cls.shut.stop)

    def ctl(self, node, *args, **more):
        return actorctl("--redis", self.server.url, "--node", node, *args, **more)

    def test_reads(self):
        for node, runtime in ("open", self.open), ("shut", self.shut):
            self.assertEqual(self.ctl(node, "ping").out, "pong\n")
            self.assertEqual(self.ctl(node, "wait").code, 0)
            self.assertRegex(self.ctl(node, "inspect").out, r"node +%s\n" % node)
            self.assertIn("hit", self.ctl(node, "inspect", "counter").out)
            self.assertIn("counter", self.ctl(node, "ps").out)
            self.assertIn("messages/s", self.ctl(node, "top", "-n", "1", "-d", "50").out)
            self.assertIn("bus: connected", self.ctl(node, "log").out)
            self.assertEqual(self.ctl(node, "patch", "list").code, 0)
            self.assertEqual(runtime.actorctl("ping").code, 0)

    def test_every_command(self):
        """Each of the tool's table, with what it says where that is not its success."""
        fix = make_folder() / "fix.c"
        fix.write_text(ANSWERS % 8 + 'const struct actor_type patch = { .name = "rpc", '
                       '.on = ON({ "answers", "", answers, 0 }) };\n')
        number = self.open.json("patch", "apply", str(fix))[0]["patch"]
        old, new, key = str(number), str(number + 1), "%s/key" % fix.parent
        uses = {
            "help": "", "ping": "", "wait": "", "inspect": "rpc", "ps": "", "nodes": "",
            "dead list": "jobs", "dead show": ("jobs 1-0", 3, "no dead letter"),
            "dead retry": ("jobs 1-0", 3, "no dead letter"),
            "top": "-n 1 -d 10", "trace": "counter --for 1", "log": "-n 1", "log level": "",
            "crash list": "", "crash show": ("77", 3, "no crash"),
            "stop": "arena", "start": "arena", "call": "counter hit 0", "send": "counter hit 0",
            "var get": "arena.speed", "var set": "arena.speed 9",
            "patch check": str(fix), "patch apply": str(fix), "patch rollouts": "",
            "patch list": "", "patch show": old, "patch log": "", "patch revert": new,
            "patch wait": (new, 6, ""), "patch lift": (old, 1, "not in quarantine"),
            "keygen": key, "sign": "%s --key %s" % (fix, key),
        }
        looks = {"inspect", "ps", "nodes", "dead list", "dead show", "top", "trace", "log",
                 "log level", "crash list", "crash show", "patch rollouts", "patch list",
                 "patch log"}            # which a node that takes nothing from there shows, too
        names = actorctl("--commands").out.splitlines()
        self.assertEqual(set(names), set(uses))
        for name in names:
            with self.subTest(name):
                use = uses[name]
                args, code, words = use if isinstance(use, tuple) else (use, 0, "")
                for node in ("open", "shut") if name in looks else ("open",):
                    done = self.ctl(node, *name.split(), *args.split())
                    self.assertEqual(done.code, code, done)
                    self.assertIn(words, done.err)
                if name == "stop":
                    until(lambda: self.ctl("open", "inspect", "arena").code == 3, "it has ended")

    def test_calls_that_node(self):
        before, = self.open.json("call", "counter", "hit", "0")[0]["args"]
        self.assertEqual(self.ctl("open", "call", "counter", "hit", "5").out, "%d\n" % (before + 5))
        self.assertEqual(self.ctl("open", "call", "counter", "nothing").code, 3)
        self.assertEqual(self.ctl("shut", "call", "counter", "hit", "0").out, "0\n")

    def test_what_is_no_topic(self):
        """Whoever may use Redis calls topics, and not the runtime's own rooms."""
        reaches = ["store", "put", "login/ann", "forged"], ["store", "delete", "kept"], \
            ["proof", "hash", "x"], ["node", "stop", "echo"], ["bus", "command", "DBSIZE"]
        self.shut.json("call", "store", "put", "kept", "1")
        caller = self.shut.caller()
        for room, handler, *args in reaches:
            self.assertIn("topic", self.refused(EFAIL, caller.call, "actord:control:shut", "pass",
                                                room, handler, 1000, *args, via="publish"))
            for way in (("call", 5000), ("send",)) if room != "bus" else ():
                self.assertIn("topic", self.refused(
                    EFAIL, caller.call, "actord:control:shut", way[0], room, handler, args,
                    *way[1:], via="publish"))
        self.assertEqual(self.shut.json("call", "store", "get", "kept")[0]["args"], [1])
        self.assertEqual(self.shut.json("call", "store", "get", "login/ann")[0]["args"], [])
        self.assertEqual(self.ctl("shut", "dead", "list", "echo").code, 0)
        self.assertNotIn("only", self.ctl("shut", "dead", "retry", "echo", "1-1").err)
        self.assertEqual(self.ctl("shut", "call", "clients", "users").code, 0)
        self.assertEqual(self.ctl("open", "call", "store", "get", "kept").code, 0)

    def test_what_is_no_topic_by_call_other(self):
        caller = self.shut.caller()
        caller.send("rpc", "callOtherNR", "put", "store", "by-rpc", 1, cb="heard")
        self.assertEqual(caller.answer()["err"]["code"], EFAIL)
        caller.send("rpc", "callOther", "get", "store", caller.ct, "got", "by-rpc", cb="")
        self.assertEqual(caller.answer()["err"]["code"], ENOENT)
        self.assertEqual(self.shut.json("call", "store", "get", "by-rpc")[0]["args"], [])

    def test_any_node(self):
        self.assertEqual(actorctl("--redis", self.server.url, "ping").code, 0)

    def test_changes(self):
        fix = '#include "actor.h"\nstatic int say(actor *self, const msg *m) ' \
              '{ (void)self; return msg_reply(m, 7); }\n' \
              'const struct actor_type patch = { .name = "echo", ' \
              '.on = ON({ "say", "...", say, 0 }) };\n'
        done = self.ctl("open", "patch", "apply", "-", stdin=fix.encode())
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.ctl("open", "call", "echo", "say").out, "7\n")
        done = self.ctl("shut", "patch", "apply", "-", stdin=fix.encode())
        self.assertEqual(done.code, 6, done)
        self.assertIn("unsigned", done.err)
        for command in ("stop echo", "start echo", "var set arena.speed 9", "log level echo none",
                        "patch revert 1", "patch lift 1"):
            with self.subTest(command):
                done = self.ctl("shut", *command.split())
                self.assertNotEqual(done.code, 0, done)
                self.assertIn("--unsigned-patches", done.err)
        self.assertEqual(self.ctl("shut", "call", "echo", "say", "x").out, "x\n")

    def test_who_is_not_there(self):
        done = self.ctl("gone", "ping")
        self.assertEqual(done.code, 3, done)
        self.assertIn("no node `gone`", done.err)
        self.assertIn("nodes", done.err)
        # Its channels are heard in all databases of that Redis.
        elsewhere = self.server.url.rsplit("/", 1)[0] + "/5"
        done = actorctl("--redis", elsewhere, "nodes")
        self.assertEqual(done.code, 4, done)
        self.assertIn("no runtime uses database 5 of that Redis", done.err)
        done = actorctl("--redis", elsewhere, "--node", "open", "ping")
        self.assertEqual(done.code, 3, done)
        self.assertIn("no node `open` in database 5", done.err)
        self.assertEqual(actorctl("--redis", "redis://127.0.0.1:1", "ping").code, 4)
        self.assertEqual(actorctl("--redis", "gopher://x", "ping").code, 2)
        self.assertEqual(actorctl("--node", "open", "ping").code, 2)
        self.assertEqual(self.server.client().keys("actord:answers:*"), [])

    def test_a_wrong_password_is_not_shown(self):
        done = actorctl("--redis", self.server.url.replace("//", "//:secret@"), "ping")
        self.assertEqual(done.code, 4, done)
        self.assertNotIn("secret", done.err)


class Still(Case):
    """Something stands still: no answer in time, and no advice to do what has just been done."""
    options = None

    def setUp(self):
        super().setUp()
        self.server = RedisServer()
        self.addCleanup(self.server.stop)
        self.node = self.start("--node", "alpha", redis=self.server.url)

    def stop(self, process):
        process.send_signal(signal.SIGSTOP)
        self.addCleanup(process.send_signal, signal.SIGCONT)

    def late(self, place, *args):
        done = actorctl("--timeout", "300", *place, *args)
        self.assertIn("no answer in time", self.fails(done, 5))
        self.assertNotIn("actorctl ", done.err.replace("actorctl: ", ""))
        self.assertNotIn("temporarily", done.err)

    def test_a_node(self):
        self.stop(self.node.process)
        for command in "inspect", "nodes":
            self.late(("--control", self.node.control), command)
            self.late(("--redis", self.server.url, "--node", "alpha"), command)

    def test_redis(self):
        self.stop(self.server.process)
        for node in (), ("--node", "alpha"):
            for command in "ping", "nodes":
                self.late(("--redis", self.server.url, *node), command)


if __name__ == "__main__":
    unittest.main()
