#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Children of actors from source: restarts, strategies, monitors, and a node that gives up."""

import unittest

from harness import (EFAIL, HERE, Case, ControlLine, Runtime, actord, make_folder, until,
                     write_files)

CLAN = HERE / "actors/clan.c"


class Clan(Case):
    actors = ("clan.c",)

    def look(self, name):
        done = self.runtime.actorctl("--json", "inspect", name)
        return self.runtime.json("inspect", name)[0] if not done.code else None

    def hire(self, *names):
        for name in names:
            self.caller.call("clan", "hire", name, 40)
        self.addCleanup(lambda: [self.runtime.actorctl("call", "clan", "dismiss", name)
                                 for name in names])

    def gone(self, name):
        until(lambda: self.look(name) is None, name + " is gone")

    def test_a_family(self):
        self.hire("ann", "bob")
        self.assertEqual(self.caller.call("ann", "work", 2), [42])
        clan, ann = self.look("clan"), self.look("ann")
        self.assertEqual((clan["parent"], clan["children"]), (None, ["ann", "bob"]))
        self.assertEqual((ann["parent"], ann["children"], ann["restarts"]), ("clan", [], 0))
        self.refused(EFAIL, self.caller.call, "clan", "hire", "ann", 1)
        self.refused(EFAIL, self.caller.call, "clan", "hire", "a nn", 1)
        self.refused(EFAIL, self.caller.call, "clan", "hire", "n" * 10000, 1)

    def test_one_for_all(self):
        self.hire("cat", "dan")
        self.caller.call("cat", "work", 2)
        self.caller.call("dan", "work", 3)
        watch, = self.caller.call("clan", "watch", "dan")
        self.runtime.actorctl("send", "dan", "trip")
        until(lambda: self.caller.call("clan", "last") ==
              [watch, "dan: trip failed: EFAIL"], "the elder has heard")
        until(lambda: (self.look("cat") or {}).get("restarts") == 1, "both are back")
        until(lambda: (self.look("dan") or {}).get("restarts") == 1, "both are back")
        self.assertEqual(self.caller.call("cat", "work", 0), [40])
        self.assertEqual(self.caller.call("dan", "work", 0), [40])
        letter = [x for x in self.runtime.json("inspect")[0]["dead_letters"]
                  if x["actor"] == "dan"][-1]
        self.assertEqual((letter["handler"], letter["reason"], letter["args"]),
                         ("trip", "trip failed: EFAIL", []))

    def test_a_refusal_is_none(self):
        self.hire("eve")
        self.caller.call("eve", "work", 2)
        self.runtime.actorctl("send", "eve", "refuse")
        self.assertEqual(self.caller.call("eve", "work", 0), [42])
        self.refused(EFAIL, self.caller.call, "eve", "trip")
        self.assertEqual(self.caller.call("eve", "work", 0), [42])

    def test_who_leaves_is_gone(self):
        self.hire("fay")
        self.assertEqual(self.caller.call("fay", "leave"), [0])
        self.gone("fay")
        self.refused(EFAIL, self.caller.call, "clan", "dismiss", "fay")
        self.hire("gil")
        self.caller.call("clan", "dismiss", "gil")
        self.gone("gil")


class TooMany(Case):
    options, actors = ("--max-actors", "300"), ("crowd.c",)

    def test_no_more_actors(self):
        born, why = self.caller.call("crowd", "bear", 1000)
        self.assertGreater(born, 200)
        self.assertEqual(why, "there are 300 actors, as many as this node takes "
                              "(actord --max-actors)")
        self.assertEqual(self.caller.call("crowd", "bear", 1), [0, why])
        # What is there goes on; nothing is left of them when their parent has ended.
        self.assertEqual(self.caller.call("echo", "say", 1), [1])
        self.assertEqual(self.runtime.json("inspect")[0]["actors"], 300)
        self.assertEqual(self.runtime.actorctl("stop", "crowd").code, 0)
        until(lambda: self.runtime.json("inspect")[0]["actors"] == 299 - born, "all are gone")
        self.assertIn("--max-actors N", actord("--help").out)


class FirstStart(Case):
    """With what it is started the node is whole, or it is not there."""

    options = None
    source = """
    #include "actor.h"
    static int start(actor *self)
    {
        actor_log(self, "waits");
        while (%s)
            ;
        return %s;
    }
    const struct actor_type %s = { .name = "%s", .start = start, .where = ACTOR_THREAD,
                                   .budget_ms = 60000, .on = ON({ 0, 0, 0, 0 }) };
    """

    def setUp(self):
        super().setUp()
        self.folder = make_folder()

    def actor(self, name, waits, rc):
        text = self.source % (waits, rc, name, name)
        return write_files(self.folder, {name + ".c": text}) / (name + ".c")

    def test_the_global_table(self):
        """It has no name, and a start all the same."""
        text = self.source % ("0", "0", "global", "")
        file = write_files(self.folder, {"global.c": text.replace(".where = ACTOR_THREAD,", "")})
        self.start(file / "global.c", listen="none", redis="none")

    def test_one_fails(self):
        folder = make_folder()
        done = actord("--state", folder / "s", "--control", folder / "c", "--listen", "none",
                      "--redis", "none", self.actor("flaky", "0", "ACTOR_EFAIL"))
        self.assertEqual((done.code, done.out), (1, ""), done)
        self.assertIn("actord: actor flaky: its start failed: EFAIL; the log has more\n", done.err)

    def test_one_takes_its_time(self):
        waits = self.actor("waiter", '!actor_alive(actor_find("key"))', "0")
        runtime = Runtime(waits, redis="none", ready=False)
        self.addCleanup(lambda: runtime.process.poll() is None and runtime.stop())
        runtime.err.wait("waits", 30)
        runtime.actorctl("ping")
        self.assertEqual(runtime.out.lines, [])
        done = runtime.actorctl("start", self.actor("key", "0", "0"))
        self.assertEqual(done.code, 0, done)
        runtime.wait_ready()


class TooOften(unittest.TestCase):
    def test_the_node_ends(self):
        runtime = Runtime(CLAN, redis="none")
        self.addCleanup(runtime.kill)
        line = ControlLine(runtime.control) # a tool would take of the ten seconds
        self.addCleanup(line.close)
        trip = line.request("trip", tpc="clan", cb="")
        for n in range(1, 11):
            line.raw(trip)
            until(lambda: [a["restarts"]
                           for a in line.call("inspect_actor", "clan")["args"]] == [n],
                  "it is back")
        line.raw(trip)
        self.assertEqual(runtime.process.wait(20), 1)
        said = [x for x in runtime.err.all() if x.startswith("actord: ")]
        self.assertEqual(said, ["actord: actors of the node were restarted 10 times in 10 s, that "
                                "is too often; the last is clan: trip failed: EFAIL"])


if __name__ == "__main__":
    unittest.main()
