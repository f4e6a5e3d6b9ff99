#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `actorctl inspect` says of an actor: what it holds, whom it waits for, what it costs;
and of patches."""

import unittest

from harness import Case, ControlLine, make_folder, until
from test_journal import HEAD, TABLE, Journal, hit

SHAKY = """#include "actor.h"
struct shaky { long hits; char who[8]; };
static int breaks(actor *self, const msg *m)
{
	struct shaky *s = actor_state(self);

	s->hits = msg_int(m, 0);
	s->who[0] = 'x';
	return -1;
}
static int deep(int *at) { return *at; }
static int faults(actor *self, const msg *m)
{
	return msg_reply(m, deep((int *)(long)msg_int(m, 0)));
}
static int fine(actor *self, const msg *m)
{
	return msg_reply(m, msg_int(m, 1));
}
const struct actor_type shaky = {
	.name = "shaky", .state = sizeof(struct shaky),
	.on = ON({ "breaks", "n:int", breaks, 0 }, { "faults", "at:int", faults, 0 },
	         { "fine", "what:str n:int", fine, 0 }),
};
"""


class Inspect(Case):
    actors = ("museum.c",)

    def look(self, name="museum"):
        return self.runtime.json("inspect", name)[0]

    def test_fields(self):
        fields = {f["field"]: f["value"] for f in self.look()["fields"]}
        self.assertEqual(fields, {
            "visits": -7, "small": -1, "tiny": 200, "open": True, "share": 0.5,
            "title": "open day", "at.x": 3, "at.y": -4, "rooms": [1, 2, 3], "colour": 1,
            "motto": "0x0", "bit": 5, "low": -2})
        self.runtime.json("call", "counter", "hit", "41")
        self.assertEqual([f for f in self.look("counter")["fields"] if f["field"] == "hits"],
                         [{"field": "hits", "type": "long int", "value": 41}])
        text = self.runtime.actorctl("inspect", "museum").out
        self.assertRegex(text, r"title +char\[12\] +open day")

    def test_timers(self):
        timers = sorted(self.look()["timers"], key=lambda t: t["due_in_ms"])
        self.assertEqual([(t["handler"], t["every_ms"]) for t in timers],
                         [("later", 3600000), ("later", 0)])
        self.assertTrue(0 < timers[0]["due_in_ms"] <= 3600000, timers)

    def test_times_of_handlers(self):
        self.runtime.json("call", "museum", "pause", "20")
        loop = [h for h in self.look()["handlers"] if h["name"] == "pause"][0]
        self.assertEqual((loop["calls"], loop["failures"], loop["patch"]), (1, 0, 0))
        for key in "mean_us", "p50_us", "p99_us", "max_us":
            self.assertTrue(15000 < loop[key] < 60e6, loop)

    def test_family(self):
        self.runtime.json("call", "museum", "bear", "annex")
        seen = self.look()
        for key in "children", "links", "monitors":
            self.assertEqual(seen[key], ["annex"], key)
        annex = self.look("annex")
        self.assertEqual((annex["parent"], annex["links"], annex["monitored_by"]),
                         ("museum", ["museum"], ["museum"]))

    def test_waits_in_a_circle(self):
        for name in "ring1", "ring2":
            self.runtime.json("call", "museum", "bear", name)
        self.runtime.actorctl("send", "ring1", "ask", "ring2")
        self.assertEqual([(w["asked"], w["then"]) for w in until(
            lambda: self.look("ring1")["waits_for"], "it waits")], [("ring2", "later")])
        self.assertIsNone(self.look("ring1")["waits_in_a_circle"])
        self.runtime.actorctl("send", "ring2", "ask", "ring1")
        circle = until(lambda: self.look("ring1")["waits_in_a_circle"], "a circle")
        self.assertEqual(circle, "ring1 > ring2 > ring1")
        self.assertEqual(self.look("ring2")["keeps_waiting"], ["ring1"])
        age = self.look("ring1")["waits_for"][0]
        self.assertTrue(0 <= age["age_ms"] <= 60000 and 0 < age["left_ms"] <= 60000, age)

    def test_one_that_is_stuck(self):
        """It cannot say what only it knows; the rest comes all the same."""
        self.runtime.json("call", "museum", "bear", "busy")
        line = ControlLine(self.runtime.control)        # no tool has to start meanwhile
        self.addCleanup(line.close)
        for ms in 3000, 1:
            line.raw(line.request("loop", ms, tpc="busy", cb=""))
        seen = until(lambda: [x for x in line.call("inspect_actor", "busy")["args"]
                              if (x["running"] or {}).get("for_ms", 0) > 0], "it runs")[0]
        self.assertEqual((seen["activity"], seen["running"]["handler"]), ("running", "loop"))
        self.assertIsNone(seen["fields"])
        self.assertIsNone(seen["timers"])
        self.assertEqual(seen["mailbox"]["waiting"], 2)
        until(lambda: self.look("busy")["fields"], "it is done", 20)


class Node(Case):
    actors = ("museum.c",)

    def test_memory_by_owner_and_time_by_thread(self):
        node, = self.runtime.json("inspect")
        kinds = [t["type"] for t in node["types"]]
        sizes = [t["memory_bytes"] for t in node["types"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertIn("museum", kinds)
        for row in node["types"]:
            self.assertEqual(row["memory_bytes"], row["state_bytes"] + row["mailbox_bytes"] +
                             row["allocated_bytes"], row)
        of, memory = node["types"][kinds.index("museum")], node["memory"]
        self.assertGreaterEqual(of["state_bytes"],
                                self.runtime.json("inspect", "museum")[0]["state_bytes"])
        self.assertGreaterEqual(memory["states_bytes"],
                                sum(t["state_bytes"] for t in node["types"]))
        self.assertGreater(memory["resident_bytes"], memory["states_bytes"])
        self.assertGreaterEqual(memory["redis_bytes"], 0)
        self.assertGreater(memory["clients_bytes"], 0)

        def of_clients():
            return self.runtime.json("inspect")[0]["memory"]["clients_bytes"]
        clients = [self.runtime.client() for _ in range(10)]    # others may be just going
        until(lambda: of_clients() > memory["clients_bytes"], "their bytes", 30)
        most = of_clients()
        for client in clients:
            client.ws.close()
        until(lambda: of_clients() < most, "they are gone", 30)

        def spent():
            return sum(w["cpu_ms"] for w in self.runtime.json("inspect")[0]["workers"]
                       if w["name"].startswith("worker"))

        before = spent()
        self.runtime.json("call", "museum", "pause", "30")
        until(lambda: spent() > before, "the worker's time is counted")


class Crashes(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = make_folder() / "shaky.c"
        path.write_text(SHAKY)
        cls.runtime.json("start", path)

    def test_an_actor_that_failed(self):
        before = len(self.runtime.json("crash", "list"))
        self.runtime.json("send", "shaky", "breaks", "7")
        until(lambda: len(self.runtime.json("crash", "list")) > before, "it is reported")
        row = self.runtime.json("crash", "list")[-1]
        self.assertEqual((row["actor"], row["handler"], row["ended"]),
                         ("shaky", "breaks", "actor"))
        one, = self.runtime.json("crash", "show", row["number"])
        self.assertEqual({f["field"]: f["value"] for f in one["fields"]}, {"hits": 7, "who": "x"})
        self.assertEqual((one["message"]["args"], one["message"]["origin"]), ([7], "control"))
        self.assertLessEqual({"number", "time", "type", "patch", "reason", "restarts", "waiting",
                              "state_bytes", "failed_messages", "last_messages"}, set(one))
        line = self.runtime.err.wait(r"shaky\.breaks failed: EARGS .*crash %d: hits=7, "
                                     r"who=\"x\"; 0 wait" % row["number"])
        self.assertIsNotNone(line)
        self.assertRegex(self.runtime.actorctl("crash", "show", row["number"]).out,
                         r"fields\n +FIELD +TYPE +VALUE\n +hits +long int +7")

    def test_a_fault(self):
        self.assertEqual(self.runtime.actorctl("call", "shaky", "faults", "16").code, 1)
        row = [c for c in self.runtime.json("crash", "list") if c["handler"] == "faults"][-1]
        self.assertEqual(row["ended"], "message")
        self.assertRegex(row["reason"], r"shaky\.c:11 in deep\(\).*shaky\.c:14 in faults\(\)")

    def crash(self, n):
        """Its report."""
        before = len(self.runtime.json("crash", "list"))
        self.runtime.json("send", "shaky", "breaks", n)
        until(lambda: len(self.runtime.json("crash", "list")) > before, "it is reported")
        number = self.runtime.json("crash", "list")[-1]["number"]
        return self.runtime.json("crash", "show", number)[0]

    def test_what_it_did_before(self):
        """From the first failure on the messages that went well are noted, too."""
        self.crash("1")
        for i, what in enumerate(("short", "x" * 150, "y" * 5000)):
            self.assertEqual(self.runtime.json("call", "shaky", "fine", what, str(i)),
                             [{"args": [i]}])
        one = self.crash("2")
        self.assertEqual([(m["handler"], m["args"], m["from"]) for m in one["last_messages"][-3:]],
                         [("fine", args, "node")
                          for args in (["short", 0], ["x" * 150, 1], [])])
        self.assertTrue(all(0 <= m["ago_ms"] < 60e3 for m in one["last_messages"][-3:]), one)
        for i in range(20):
            self.runtime.json("call", "shaky", "fine", "many", str(i))
        last = self.crash("3")["last_messages"]
        # Of eight, one of which is what it failed at.
        self.assertEqual([m["args"] for m in last], [["many", i] for i in range(13, 20)])

    def test_none(self):
        for args, code, words in ((["99999"], 3, "actorctl crash list"),
                                  (["x"], 2, "actorctl crash list"), (["0"], 2, "crash list")):
            self.assertIn(words, self.fails(self.runtime.actorctl("crash", "show", *args), code))


class Patches(Journal):
    def in_force(self):
        return [int(p.split()[0]) for p in self.r.json("nodes")[0]["patches"]]

    def test_later_ones_hide_none_that_is_in_force(self):
        self.begin()
        self.apply(hit(10))
        self.apply(hit(100))
        for _ in range(70):
            last = self.apply(HEAD + TABLE % "often")
        self.assertEqual(self.in_force(), [2, last])
        self.again(killed=True)
        self.assertEqual(self.in_force(), [2, last])
        self.revert(2)
        self.assertEqual(self.in_force(), [1, last])
        shown = self.r.json("inspect")[0]["patches"]
        self.assertEqual([p["number"] for p in shown][:2], [1, last - 31])


if __name__ == "__main__":
    unittest.main()
