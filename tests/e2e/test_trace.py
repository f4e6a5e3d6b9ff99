#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a message sets off, as `actorctl trace` shows it."""

import json
import signal
import subprocess
import unittest

from harness import ACTORCTL, HERE, PATIENCE, Case, Lines, RedisServer, Runtime, clean_env, \
    make_folder, until


class Tracing(Case):
    def trace(self, *args, raw=False, at=None):
        """A trace that has begun."""
        at = at or self.runtime
        command = [ACTORCTL, "--control", at.control, *([] if raw else ["--json"]),
                   "trace", *args]
        tool = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=clean_env(at.folder))
        self.addCleanup(tool.wait)
        self.addCleanup(tool.kill)
        tool.said, tool.told = Lines(tool.stdout), Lines(tool.stderr)
        tool.told.wait("tracing")
        return tool

    def events(self, tool):
        lines = tool.said.all(30)
        self.assertEqual(tool.wait(10 * PATIENCE), 0, tool.told.lines)
        return [json.loads(line) for line in lines]


class Trace(Tracing):
    actors = ("slow.c", "texts.c")

    def test_from_redis_to_the_last_actor(self):
        tool = self.trace("rpc", "-n", "1")
        self.caller.call("rpc", "callOther", "hit", "counter", self.caller.ct, "cb", 3)
        seen = self.events(tool)
        self.assertEqual(len({e["trace"] for e in seen}), 1)
        handled = {e["actor"] + "." + e["handler"]: e for e in seen if e["kind"] == "handled"}
        self.assertLessEqual({"rpc.callOther", "counter.hit", "rpc.answered"}, set(handled))
        root, hit = handled["rpc.callOther"], handled["counter.hit"]
        self.assertEqual((root["from"], root["origin"], root["parent"]), ("bus", "redis", None))
        self.assertEqual(root["args"][:2], ["hit", "counter"])
        self.assertGreater(hit["took_us"], 0)
        self.assertGreater(hit["wait_us"], 0)
        sent = {e["step"]: e for e in seen if e["kind"] == "sent"}
        self.assertEqual(sent[hit["step"]]["parent"], root["step"])
        self.assertEqual(sent[hit["step"]]["args"], [3])
        self.assertEqual(set(sent) | {root["step"]},
                         {e["step"] for e in seen if e["kind"] == "handled"})

    def test_as_a_tree(self):
        tool = self.trace("counter", "--handler", "hit", "--arg", "by=77", "-n", "1", raw=True)
        self.runtime.json("call", "counter", "hit", "5")
        total, = self.runtime.json("call", "counter", "hit", "77")[0]["args"]
        lines = tool.said.all(30)
        self.assertRegex(lines[0], "^[0-9a-f]{16}$")
        self.assertRegex(lines[1], r"^counter\.hit\(77\) from node  took [0-9.]+ us$")
        self.assertRegex(lines[2], r"^└ answers\(%d\) to node.called  waited [0-9.]+ us  took "
                         % total)
        self.assertEqual(tool.wait(10 * PATIENCE), 0)

    def test_by_a_number(self):
        """Exactly, also beyond 2^63; and 5.0 is 5."""
        for word, other, value in ((str(2 ** 64 - 1), str(2 ** 64 - 2), 2 ** 64 - 1),
                                   ("5.0", "6", 5)):
            tool = self.trace("texts", "--arg", "1=" + word, "-n", "1")
            for said in other, str(value):
                self.assertEqual(self.runtime.json("call", "texts", "any", said),
                                 [{"args": [int(said)]}])
            self.assertEqual({e["args"][0] for e in self.events(tool) if e["args"]}, {value})

    def test_refusals_and_slowness_are_seen(self):
        tool = self.trace("slow", "-n", "2")
        self.runtime.actorctl("call", "slow", "fails")
        self.runtime.actorctl("call", "slow", "work", "30")
        seen = self.events(tool)
        handled = {e["handler"]: e for e in seen if e["kind"] == "handled"}
        self.assertEqual(handled["fails"]["result"], "EFAIL")
        self.assertGreater(handled["work"]["took_us"], 29000)
        answers = [e for e in seen if e["kind"] == "sent" and e["answer"]]
        self.assertIn("error", [e["result"] for e in answers])
        self.assertTrue(any("as it should" in str(e["args"]) for e in answers))

    def test_a_client_and_a_type(self):
        tool = self.trace("counter", "--from", "session", "-n", "1")
        client = self.runtime.client()
        client.call("hit", 1, tpc="counter")
        seen = self.events(tool)
        root = [e for e in seen if e["kind"] == "handled" and not e["parent"]][0]
        self.assertIn(("counter", "hit"), {(e["actor"], e["handler"]) for e in seen})
        self.assertIn("client", {e["origin"] for e in seen}, root)

    def test_of_one_client(self):
        """By the user that it logged in as, and by no other."""
        tool = self.trace("counter", "--client", "ada", "-n", "1")
        for user in "bob", "ada":
            client = self.runtime.client(login=False)
            client.login(user, "hash")
            client.call("hit", 7 if user == "ada" else 3, tpc="counter")
        seen = self.events(tool)
        sent = {e["step"] for e in seen if e["kind"] == "sent"}
        root, = [e for e in seen if e["kind"] == "handled" and e["step"] not in sent]
        self.assertEqual((root["args"], root["origin"]), ([7], "client"))

    def test_an_id_from_outside(self):
        """Given by who calls, whichever way, it is found afterwards; and others' traces meet it."""
        tool = self.trace("counter", "--handler", "hit", "-n", "1")
        parent = "00-0000000000000000%016x-00f067aa0ba902b7-01"
        self.caller.call("counter", "hit", 1, trace="a1")
        self.runtime.caller("msgpack").call("counter", "hit", 2, trace=parent % 0xa2)
        self.runtime.client().call("hit", 3, tpc="counter", trace="a3")
        self.assertEqual(self.runtime.post("counter/hit", 4, traceparent=parent % 0xa4)[0], 200)
        for number, origin, other in ((1, "redis", None), (2, "redis", "00f067aa0ba902b7"),
                                      (3, "client", None), (4, "client", "00f067aa0ba902b7")):
            seen = self.events(self.trace("--id", "a%d" % number))
            self.assertEqual({e["trace"] for e in seen}, {"%016x" % (0xa0 + number)})
            sent = [e for e in seen if e["kind"] == "sent" and e["handler"] == "hit"]
            self.assertEqual([(e["args"], e["parent"]) for e in sent], [([number], other)])
            hit, = [e for e in seen if e["kind"] == "handled" and e["handler"] == "hit"]
            self.assertEqual((hit["step"], hit["origin"]), (sent[0]["step"], origin))
        self.assertEqual({e["trace"] for e in self.events(tool)}, {"%016x" % 0xa1})
        # Somebody else's key of that name is passed over.
        for other in 5, ["a"], "no hex", "", "0", None:
            self.caller.call("counter", "hit", 1, trace=other)
        for other in "no hex", "x" * 300:
            self.assertEqual(self.runtime.post("counter/hit", 1, traceparent=other)[0], 200)

    def test_ends_with_its_tool(self):
        """Ctrl-C, and a tool that is killed: the node notices."""
        for how in signal.SIGINT, signal.SIGKILL:
            tools = [self.trace("counter") for _ in range(8)]
            done = self.runtime.actorctl("trace", "counter", "--for", "1")
            self.assertEqual(done.code, 1, done)
            self.assertIn("8 traces", done.err)
            for tool in tools:
                tool.send_signal(how)
                tool.wait(10 * PATIENCE)
                self.assertEqual(tool.returncode, 0 if how == signal.SIGINT else -how)
            until(lambda: self.runtime.actorctl("trace", "counter", "--for", "1").code == 0,
                  "what a killed tool left has ended", 20)

    def test_what_came_before_it_is_ended(self):
        """Also what the tool had not looked at yet."""
        tool = self.trace("counter")
        for _ in range(2):              # the second begins where the first is written down
            self.caller.call("counter", "hit", 1)
        tool.send_signal(signal.SIGINT)
        self.assertGreater(len(self.events(tool)), 0)

    def test_its_time_is_over_while_calls_come(self):
        """None begins behind it, and that it is over is no failure."""
        tool = self.trace("counter", "--for", "1", "-n", "1000000")
        until(lambda: self.caller.call("counter", "hit", 1) and tool.poll() is not None,
              "it ends by itself, while calls come", 20)
        self.assertGreater(len(self.events(tool)), 0)
        self.assertNotIn("no trace", "".join(tool.told.lines))

    def test_who_does_not_read_on(self):
        """The tool's stdout is closed: it ends, and what it traced with it."""
        tool = subprocess.Popen([ACTORCTL, "--control", self.runtime.control, "trace", "counter"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        Lines(tool.stderr).wait("tracing")
        tool.stdout.close()
        self.runtime.actorctl("call", "counter", "hit", "1")
        self.assertNotEqual(tool.wait(20 * PATIENCE), None)

    def test_refused(self):
        for args, code, words in (
                (["--id", "x"], 2, "hex digits"), (["--id", "5", "echo"], 2, "--id"),
                (["nobody"], 3, "actorctl ps"), (["counter", "--handler", "x"], 3, "inspect"),
                (["counter", "--arg", "by=1"], 2, "number"), (["-n", "0"], 2, "1 to"),
                (["counter", "--arg", "5"], 2, "NAME=VALUE"), (["--x"], 2, "--help")):
            done = self.runtime.actorctl("trace", *args)
            self.assertEqual(done.code, code, done)
            self.assertIn(words, done.err)

    def test_a_patch_meanwhile(self):
        """Handlers that come by a patch while a trace is under way are traced, too."""
        tool = self.trace("echo", "--handler", "say", "-n", "2")
        self.runtime.actorctl("call", "echo", "say", "1")
        self.caller.eval("echo", "say", '#include "actor.h"\nstatic int say(actor *self, '
                         'const msg *m) { (void)self; return msg_reply(m, 2); }\n', "say")
        self.assertEqual(self.runtime.json("call", "echo", "say", "1"), [{"args": [2]}])
        # The node looks at new tables when it is read, every 100 ms: a call or two may pass it.
        until(lambda: self.runtime.actorctl("call", "echo", "say", "1") and
              tool.poll() is not None, "two traces")
        self.assertEqual(len({e["trace"] for e in self.events(tool)}), 2)


class Nodes(Tracing):
    """One tree, wherever it is asked for, of what happens on three nodes."""

    options = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = RedisServer()
        cls.addClassCleanup(cls.server.stop)
        folder = make_folder()
        relay = (HERE / "actors/relay.c").read_text()
        cls.node = {}
        for name, last in ("alpha", "relay_b"), ("beta", "relay_c"), ("gamma", "nobody"):
            actor = folder / ("relay_%s.c" % name[0].replace("g", "c"))
            actor.write_text(relay.replace("NAME", actor.stem).replace("NEXT", last))
            cls.node[name] = Runtime("--node", name, actor, redis=cls.server.url)
            cls.addClassCleanup(cls.node[name].stop)
            cls.addClassCleanup(cls.node[name].forget_clients)
        for name in "alpha", "beta":
            until(lambda: {"actord:control:beta", "relay_c"} <= {
                t for n in cls.node[name].json("nodes") for t in n["topics"]}, "they are known")

    def test_from_a_client_to_the_last_node_and_back(self):
        tool = self.trace("relay_a", "-n", "1", at=self.node["alpha"], raw=True)
        self.assertEqual(self.node["alpha"].client().call("pass", 2, tpc="relay_a"), [102])
        shown = tool.said.all(30)
        self.assertEqual(tool.wait(10 * PATIENCE), 0, tool.told.lines)
        for line, pattern in zip(shown[1:], (
                r"relay_a\.pass\(2\) from session  took [^ ]+ [um]s",
                r"└ relay_b\.pass\(2\)  waited .* took .*  on beta",
                r"  └ relay_c\.pass\(2\)  waited .* took .*  on gamma",
                r"    └ answers\(102\) to relay_b\.passed  waited .* took .*  on beta",
                r"      └ answers\(102\) to relay_a\.passed  waited .* took [^ ]+ [um]s",
                r"        └ answers\(102\) to session\.answer  waited .* took [^ ]+ [um]s")):
            self.assertRegex(line, "^%s$" % pattern, "\n".join(shown))
        self.assertEqual(len(shown), 7, shown)

    def test_an_id_is_found_at_any_node(self):
        self.assertEqual(self.node["alpha"].caller().call("relay_a", "pass", 3, trace="beef"),
                         [103])
        for name, node in self.node.items():
            with self.subTest(name):
                seen = self.events(self.trace("--id", "beef", "-n", "1", at=node))
                handled = {(e["node"], e["actor"], e["handler"]) for e in seen
                           if e["kind"] == "handled"}
                self.assertLessEqual({("alpha", "relay_a", "pass"), ("beta", "relay_b", "pass"),
                                      ("gamma", "relay_c", "pass"),
                                      ("beta", "relay_b", "passed"),
                                      ("alpha", "relay_a", "passed")}, handled)
                ended = {e["step"] for e in seen if e["kind"] == "handled"}
                self.assertEqual([e for e in seen if e["kind"] == "sent" and
                                  e["step"] not in ended], [])

    def test_a_refusal_comes_back(self):
        tool = self.trace("relay_b", "--handler", "pass", "-n", "1", at=self.node["beta"])
        caller = self.node["alpha"].caller()
        self.assertIn("no such message", self.refused(-5, caller.call, "relay_a", "pass", -1))
        seen = self.events(tool)
        self.assertEqual({e["node"] for e in seen}, {"alpha", "beta", "gamma"})
        passed = [e for e in seen if e["kind"] == "handled" and e["handler"] == "passed"]
        self.assertEqual([e["node"] for e in passed], ["beta", "alpha"])


if __name__ == "__main__":
    unittest.main()
