#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Patches sent once to many nodes: who gets them, who comes later, who refuses, and that each node
is told of as what it is."""

import json
import threading
import time
import unittest

import msgpack

from harness import (HERE, PATIENCE, Caller, Case, ControlLine, RedisServer, actorctl, make_folder,
                     redis_cli, source, until, vary)

CAP = HERE / "../../patches/counter_cap.c"
SAYS = ('#include "actor.h"\n'
        "static int f(actor *self, const msg *m) { (void)self; return msg_reply(m, %s); }\n"
        'const struct actor_type patch = { .name = "echo", .on = ON({ "says", "", f, 0 }) };\n')


class Rollouts(Case):
    options = None

    def setUp(self):
        super().setUp()
        self.server = RedisServer()
        self.addCleanup(self.server.stop)
        self.files = make_folder()

    def node(self, name, *args, takes="--unsigned-patches", **more):
        return self.start("--node", name, takes, *args, redis=self.server.url, listen="none",
                          **more)

    def file(self, text):
        path = self.files / ("%d.c" % len(list(self.files.iterdir())))
        path.write_text(text)
        return path

    def roll(self, runtime, path, *args, group="*", code=0):
        """The id, and of each node its outcome."""
        done = runtime.actorctl("--json", "patch", "apply", path, "--group", group, *args)
        return self.outcome(done, code)

    def outcome(self, done, code=0):
        self.assertEqual(done.code, code, done)
        said = json.loads(done.out)
        return said["rollout"], {row["node"]: row for row in said["nodes"]}

    def says(self, runtime):
        done = runtime.actorctl("call", "echo", "says")
        return int(done.out) if done.code == 0 else None

    def knows(self, runtime, count):
        until(lambda: len(runtime.json("nodes")) == count, "%d nodes are known" % count)

    def rollout_of(self, runtime, name):
        return next((n["rollout"] for n in runtime.json("nodes") if n["name"] == name), None)


class Reach(Rollouts):
    def test_a_group_and_who_comes_later(self):
        a = self.node("alpha")
        b = self.node("beta", "--group", " blue , canary ")
        self.knows(a, 2)
        first, nodes = self.roll(a, self.file(SAYS % 1), "--note", "all of them")
        self.assertEqual({n: (x["patch"], x["state"]) for n, x in nodes.items()},
                         {"alpha": (1, "probation"), "beta": (1, "probation")})
        second, nodes = self.roll(a, self.file(SAYS % 2), group="canary")
        self.assertEqual(list(nodes), ["beta"])
        third, nodes = self.roll(b, self.file(SAYS % 3), group="alpha")
        self.assertEqual(list(nodes), ["alpha"])
        self.assertEqual((self.says(a), self.says(b)), (3, 2))
        # One that is new takes what is for it; one that comes back what it has not had.
        folder = b.folder
        b.stop()
        fourth, nodes = self.roll(a, self.file(SAYS % 4), group="canary")
        self.assertEqual(nodes, {})
        began = time.monotonic()
        b = self.node("beta", "--group", "blue,canary", folder=folder)
        c = self.node("gamma")
        until(lambda: self.rollout_of(c, "beta") == fourth, "beta has caught up")
        until(lambda: self.says(c) == 1, "gamma has what is for all")
        self.assertLess(time.monotonic() - began, 20 * PATIENCE)
        self.assertEqual(self.says(b), 4)
        self.assertEqual([p["number"] for p in b.json("patch", "list")], [1, 2, 3])
        # Who runs what, by anybody: two have the same source in force, told by its digest.
        until(lambda: self.rollout_of(b, "gamma") == first, "gamma has said so")
        rows = {n["name"]: n for n in b.json("nodes")}
        self.assertEqual(rows["beta"]["groups"], ["blue", "canary"])
        self.assertRegex(rows["gamma"]["patches"][0], r"^1 echo\.says [0-9a-f]{8}$")
        table = b.actorctl("nodes").out
        self.assertIn("blue, canary", table)
        self.assertNotIn("[", table)
        # Taken back wherever it is: in its own place, and not brought to who comes after.
        rollout, nodes = self.outcome(a.actorctl("--json", "patch", "revert", fourth, "--group",
                                                 "canary"))
        self.assertEqual(nodes["beta"]["state"], "reverted")
        self.assertEqual(self.says(b), 2)
        self.assertEqual([r["id"] for r in a.json("patch", "rollouts")],
                         [first, second, third, rollout])
        self.assertEqual(a.json("patch", "rollouts")[0]["note"], "all of them")
        self.assertEqual({r["node"] for r in c.json("patch", "rollouts", first)},
                         {"alpha", "beta", "gamma"})
        new = self.node("delta", "--group", "canary")
        until(lambda: self.rollout_of(new, "delta") == rollout, "delta has caught up")
        self.assertEqual(self.says(new), 2)
        table = a.actorctl("patch", "rollouts", rollout).out
        self.assertRegex(table, r"delta +- +absent")

    def test_by_redis_cli(self):
        a, b = self.node("alpha"), self.node("beta")
        redis_cli(self.server.url, "-x", "xadd", "actord:{rollouts}", "*", "for", "*", "ct",
                  "outcomes", "cb", "heard", "source", stdin=(SAYS % 5).encode())
        caller = Caller(self.server.client())
        caller.ct = "outcomes"
        said = [caller.answer() for _ in (a, b)]
        self.assertEqual({m["func"] for m in said}, {"heard"})
        self.assertEqual({(m["args"][0]["node"], m["args"][0]["patch"]) for m in said},
                         {("alpha", 1), ("beta", 1)})
        self.assertEqual((self.says(a), self.says(b)), (5, 5))

    def test_by_redis_cli_refused(self):
        """What does not say for whom is for nobody, and each node says so."""
        a, b = self.node("alpha"), self.node("beta")
        caller = Caller(self.server.client())
        for fields, why in ((("for", "*"), "it has no field `source`"),
                            (("fro", "alpha"), "it has no field `for`.*'[*]' is all nodes"),
                            (("for", ""), "it has no field `for`"),
                            (("for", "", "for", "alpha"), "it has no field `for`"),
                            (("for", "alpha,beta"), "its field `for` is a list")):
            with self.subTest(fields):
                given = fields if "source" in why else (*fields, "source", SAYS % 5)
                caller.db.execute_command("XADD", "actord:{rollouts}", "*", "ct", caller.ct, "cb",
                                          "heard", *given)
                said = [caller.answer()["args"][0] for _ in (a, b)]
                self.assertEqual({x["node"] for x in said}, {"alpha", "beta"})
                for x in said:
                    self.assertEqual(x["state"], "refused")
                    self.assertRegex(x["why"], why)
        self.assertEqual((a.json("patch", "list"), b.json("patch", "list")), ([], []))
        line = ControlLine(a.control)
        self.addCleanup(line.close)
        for to in {}, {"for": ""}:      # as another tool than ours might
            self.assertRegex(line.call("rollout", SAYS % 5, to, tpc="bus")["err"]["text"],
                             "no field `for`")

    def test_what_has_come_comes_again(self):
        """Redis has lost how far the node was; what it has it does not take twice."""
        a = self.node("alpha")
        counts = ('#include "actor.h"\nint process(actor *self)\n'
                  '{ return actor_send(self, actor_find("counter"), "hit", 1); }\n')
        first, _ = self.roll(a, self.file(counts))
        second, _ = self.roll(a, self.file(SAYS % 7))
        third, _ = self.outcome(a.actorctl("--json", "patch", "revert", second, "--group", "*"))
        db = self.server.client()
        a.kill()
        db.delete("actord:{rollouts}:seen", "actord:{rollouts}:" + first,
                  "actord:{rollouts}:" + third)
        a = self.node("alpha", folder=a.folder)
        until(lambda: self.rollout_of(a, "alpha") == third, "it has caught up")
        self.assertEqual(len(a.json("patch", "list")), 2)
        self.assertIsNone(self.says(a))
        self.assertEqual([(r["patch"], r["state"]) for i in (first, third)
                          for r in a.json("patch", "rollouts", i)], [(1, "ran"), (2, "reverted")])

    def test_redis_loses_what_is_in_force(self):
        """As in a failover: whoever has it puts it back, for those that come later."""
        a = self.node("alpha")
        first, _ = self.roll(a, self.file(SAYS % 1), "--note", "kept")
        self.server.stop()
        self.server.start()
        self.assertTrue(a.err.wait("rollout %s was lost by Redis" % first))
        b = self.node("beta")
        until(lambda: self.says(b) == 1, "it has come to beta")
        self.assertEqual([(r["id"], r["note"]) for r in b.json("patch", "rollouts")],
                         [(first, "kept")])
        self.assertEqual(len(a.json("patch", "list")), 1)

    def test_redis_loses_it_while_its_sender_waits(self):
        a = self.node("alpha")
        db = self.server.client()
        db.hset("actord:{nodes}:slow", mapping={"identity": "s", "life": 7,
                                                "info": msgpack.packb({"groups": []})})
        db.incr("actord:{nodes}:version")

        def with_slow(done):            # who is there, and takes nothing
            db.zadd("actord:{nodes}", {"slow": db.time()[0] * 1000 + 3000})
            return done()

        def sent():
            return db.xrange("actord:{rollouts}")
        until(lambda: with_slow(lambda: len(a.json("nodes")) == 2), "it is there")
        run = threading.Thread(target=a.actorctl, args=(
            "--timeout", "60000", "patch", "apply", self.file(SAYS % 1), "--group", "*"))
        run.start()
        self.addCleanup(run.join)
        first = until(lambda: with_slow(sent), "it is sent")
        db.delete("actord:{rollouts}")
        again = until(lambda: with_slow(sent), "it is sent again")
        self.assertEqual(first, again)
        db.zrem("actord:{nodes}", "slow")

    def test_one_that_was_away_for_long(self):
        """It takes what has come meanwhile one behind the other, not one every half second."""
        a, b = self.node("alpha"), self.node("beta")
        self.knows(a, 2)
        b.stop()
        db = self.server.client()
        for i in range(100):
            last = db.xadd("actord:{rollouts}", {"source": SAYS % i, "for": "beta"}).decode()
        b = self.node("beta", folder=b.folder)
        until(lambda: self.rollout_of(b, "beta") == last, "it has all", 20)
        self.assertEqual(self.says(b), 99)
        self.assertEqual(len(b.json("patch", "list")), 100)


class Refuse(Rollouts):
    def test_each_says_why(self):
        a = self.node("alpha")
        self.node("beta", takes="--unsigned-patches=no")
        c = self.node("gamma", HERE / "actors/ticker.c")
        self.knows(a, 3)
        done = a.actorctl("patch", "apply", self.file(SAYS % 1), "--group", "*")
        self.assertEqual(done.code, 6, done)
        self.assertRegex(done.out, r"beta +- +refused +patches are not taken from this Redis")
        self.assertRegex(done.out, r"alpha +1 +probation")
        # An empty variable of a script is not all nodes; a group without a node is no failure.
        for group, why in ("", "it is empty; write '[*]' for all nodes"), ("a,b", "is a list"):
            for args in ("apply", self.file(SAYS % 2)), ("revert", "1-1"):
                said = self.fails(a.actorctl("patch", *args, "--group", group), 2)
                self.assertRegex(said, "--group: .*" + why)
        done = a.actorctl("patch", "apply", self.file(SAYS % 2), "--group", "nobody")
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.err, "no node that is there now is in group `nobody`")
        # What does not compile here nobody gets; elsewhere it may be for an actor there.
        done = a.actorctl("patch", "apply", self.file(SAYS % "nothing"), "--group", "*")
        self.assertEqual(done.code, 6, done)
        self.assertRegex(done.err, r"\.c:2: error: .*nothing")
        self.assertIn("nothing was sent: this node, one of `*`, does not take it", done.err)
        self.assertEqual(len(a.json("patch", "rollouts")), 2)
        only = vary(SAYS % 1, '"echo"', '"ticker"')
        _, nodes = self.roll(c, self.file(only), code=6)
        self.assertEqual(nodes["gamma"]["state"], "probation")
        self.assertRegex(nodes["alpha"]["why"], "ticker")
        self.fails(a.actorctl("patch", "revert", "7", "--group", "*"), 2)
        self.assertRegex(self.fails(a.actorctl("patch", "rollouts", "1-0"), 3),
                         "no rollout 1-0; see `actorctl patch rollouts`")
        self.assertRegex(self.fails(a.actorctl("patch", "rollouts", "one"), 3), "no rollout one")
        self.server.client().set("actord:{rollouts}", "no stream")
        self.assertRegex(a.actorctl("patch", "rollouts", "1-0").err, "WRONGTYPE")

    def test_waits_for_each_and_loses_what_it_may(self):
        a, b = self.node("alpha"), self.node("beta")
        self.knows(a, 2)
        best = self.file(vary((HERE / "../../patches/counter_best.c").read_text(),
                              "int migrate_back", "static inline int unused"))
        done = a.actorctl("--json", "patch", "apply", best, "--group", "*",
                          "--wait", "--probation", "seconds=1")
        self.assertEqual(done.code, 0, done)
        first, *verdicts = map(json.loads, done.out.splitlines())
        self.assertEqual({v["node"]: v["state"] for v in verdicts},
                         {"alpha": "confirmed", "beta": "confirmed"})
        back = ("--json", "patch", "revert", first["rollout"], "--group", "*")
        _, nodes = self.outcome(b.actorctl(*back), 6)
        self.assertRegex(nodes["alpha"]["why"], "add --lose-changes")
        caller = Caller(self.server.client())
        redis_cli(self.server.url, "xadd", "actord:{rollouts}", "*", "for", "*", "ct", caller.ct,
                  "cb", "heard", "lose_changes", "0", "source", "//revert " + first["rollout"])
        for _ in a, b:
            self.assertRegex(caller.answer()["args"][0]["why"], "add --lose-changes")
        _, nodes = self.outcome(b.actorctl(*back, "--lose-changes"))
        self.assertEqual({x["state"] for x in nodes.values()}, {"reverted"})

    def test_one_that_does_not_answer(self):
        a, b = self.node("alpha"), self.node("beta")
        self.knows(a, 2)
        b.process.send_signal(19)
        done = a.actorctl("--timeout", str(int(300 * PATIENCE)), "--json", "patch", "apply",
                          self.file(SAYS % 1), "--group", "*")
        b.process.send_signal(18)
        first, nodes = self.outcome(done, 5)
        self.assertEqual(nodes["beta"]["state"], "not yet")
        until(lambda: len(a.json("patch", "rollouts", first)) == 2, "beta has taken it")

    def test_signed(self):
        secret, keys = self.files / "key", self.files / "keys"
        keys.write_text(actorctl("keygen", secret).out)
        a, b = (self.node(n, "--group", "blue", takes="--patch-keys=%s" % keys)
                for n in ("alpha", "beta"))
        self.knows(a, 2)

        def sign(path, *args):
            return self.file(actorctl("sign", path, "--key", secret, *args).out)
        done = a.actorctl("patch", "apply", CAP, "--group", "*")
        self.assertEqual(done.code, 6, done)
        self.assertRegex(done.err, "only signed patches")
        signed = sign(CAP, "--target", "blue", "--actors", "counter")
        first, nodes = self.roll(a, signed)
        self.assertEqual({x["state"] for x in nodes.values()}, {"probation"})
        _, nodes = self.roll(b, signed, group="alpha", code=6)
        self.assertRegex(nodes["alpha"]["why"], "taken before")
        back = self.file("//revert %s\n" % first)
        _, nodes = self.roll(b, sign(back, "--actors", "echo"), group="alpha", code=6)
        self.assertRegex(nodes["alpha"]["why"], "counter, and was signed for echo only")
        _, nodes = self.roll(a, sign(back))
        self.assertEqual({x["state"] for x in nodes.values()}, {"reverted"})

    def test_another_build(self):
        text = source("ticker.c")
        for name in "old", "new":
            (self.files / name).mkdir()
        (self.files / "old/ticker.c").write_text(text)
        (self.files / "new/ticker.c").write_text(text + "/* mended */\n")
        fix = self.file(vary(SAYS % 1, '"echo"', '"ticker"'))
        a = self.node("alpha", self.files / "old/ticker.c")
        b = self.node("beta", self.files / "new/ticker.c")
        self.knows(a, 2)
        _, nodes = self.roll(a, fix, code=6)
        self.assertEqual(nodes["alpha"]["state"], "probation")
        self.assertRegex(nodes["beta"]["why"], "stale.* another build of ticker")
        # By nobody's check: the first that has it in force says for which build it is.
        b.stop()
        db = self.server.client()
        late = db.xadd("actord:{rollouts}", {
            "for": "*", "source": vary(SAYS % 2, '"echo"', '"ticker"')})
        until(lambda: a.json("patch", "rollouts", late.decode()), "alpha has it")
        b = self.node("beta", self.files / "new/ticker.c", folder=b.folder)
        until(lambda: len(a.json("patch", "rollouts", late.decode())) == 2, "beta has seen it")
        self.assertEqual(b.json("patch", "list"), [])


if __name__ == "__main__":
    unittest.main()
