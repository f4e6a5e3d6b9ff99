#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nodes when Redis, or one of them, stood still: nobody alive is buried, and who slept takes
nothing in a name that may be another's by then."""

import signal
import time
import unittest

import msgpack

from harness import until
from test_nodes import Nodes


class Back(Nodes):
    def test_who_is_first_buries_nobody(self):
        """Redis was away, and the leases with it: who cannot have been heard of yet is there."""
        a, b = self.pair()
        db = self.server.client()
        self.addCleanup(db.close)
        for _ in range(5):
            b.process.send_signal(signal.SIGSTOP)
            self.server.stop()
            self.server.start()
            began = time.monotonic()
            until(lambda: db.zscore("actord:{nodes}", "alpha"), "alpha is back")
            names = [n["name"] for n in a.json("nodes")]
            early = time.monotonic() - began < 2.5
            b.process.send_signal(signal.SIGCONT)
            until(lambda: db.zscore("actord:{nodes}", "beta"), "beta is back")
            if early:
                break
            self.reach(a, "sink")
        if not early:
            self.skipTest("this machine is too busy for what takes less than 3 s")
        self.assertEqual(names, ["alpha", "beta"])

    def beats(self, db, *names):
        """Each has been answered: its next beat is there as well."""
        for _ in range(2):
            scores = {n: db.zscore("actord:{nodes}", n) for n in names}
            until(lambda: all(db.zscore("actord:{nodes}", n) != was for n, was in scores.items()),
                  "they have beaten")

    def test_redis_stands_still(self):
        """For longer than a node may be unheard of, while all links stay."""
        a, b = self.pair()
        db = self.server.client()
        self.addCleanup(db.close)
        self.call(a, "spring", "watch", "sink")
        db.execute_command("CLIENT", "PAUSE", 4000)
        db.ping()
        self.beats(db, "alpha", "beta")
        self.assertEqual([x for x in a.err.lines + b.err.lines if "is gone" in x], [])
        # It takes no writes, as in a failover with min-replicas-to-write; then it takes them again.
        db.config_set("min-replicas-to-write", 1)
        until(lambda: db.zcard("actord:{nodes}") == db.zcount(
            "actord:{nodes}", "-inf", db.time()[0] * 1000), "nobody's lease is left")
        db.config_set("min-replicas-to-write", 0)
        self.beats(db, "alpha", "beta")
        self.assertEqual([x for x in a.err.lines + b.err.lines if "is gone" in x], [])
        # Who dies is gone all the same.
        b.kill()
        self.assertEqual(self.call(a, "spring", "wait"), ["sink: the node beta is gone"])


class Asleep(Nodes):
    def test_its_name_was_taken(self):
        """It takes nothing in that name when it wakes, and ends."""
        a = self.node("alpha", "spring.c")
        old = self.node("beta", "logbook.c")
        self.reach(a, "logbook")
        old.process.send_signal(signal.SIGSTOP)
        self.addCleanup(old.process.send_signal, signal.SIGCONT)
        until(lambda: len(a.json("nodes")) == 1, "beta is gone")
        new = self.node("beta", "logbook.c")
        self.reach(a, "logbook")
        # What waits behind the first stays in the inbox meanwhile.
        for n in range(1, 21):
            sent = a.actorctl("send", "logbook", "note", n, 1500 if n == 1 else 0)
            self.assertEqual(sent.code, 0, sent)
        old.process.send_signal(signal.SIGCONT)
        self.assertEqual(old.process.wait(30), 2)
        self.assertTrue(new.err.wait("noted 20"))
        db = self.server.client()
        until(lambda: db.xlen("actord:{node:beta}") == 0, "the inbox is empty")
        self.assertEqual([x for x in old.err.lines if "noted" in x], [])
        self.assertEqual(len([x for x in new.err.lines if "noted" in x]), 20)

    def test_its_inbox_is_opened_by_another(self):
        """Who has the name opens it again; until then nothing is trimmed."""
        a, b = self.pair()
        db = self.server.client()
        seen = "actord:{node:beta}:seen"
        life = db.hget(seen, b"\0life")
        db.hset(seen, b"\0life", "7 0")
        self.call(a, "spring", "run", "sink", 1, 100, 0)
        self.came(b, 100)
        until(lambda: db.xlen("actord:{node:beta}") == 0, "the inbox is empty")
        self.assertEqual(db.hget(seen, b"\0life"), life)
        self.assertTrue(b.err.wait("another runtime has opened it"))

    def test_it_starts_again(self):
        """Before its inbox is open it says that it has nothing: what it had is sent to it all the
        same, and waits there."""
        a = self.node("alpha")
        db = self.server.client()
        db.xadd("actord:{node:mallory}", {"f": "her inbox"})

        def says(life, *topics):
            db.hset("actord:{nodes}:mallory", mapping={
                "identity": "m", "life": life, "info": msgpack.packb({
                    "since": str(life), "topics": topics})})
            db.incr("actord:{nodes}:version")

        def heard(life):
            db.zadd("actord:{nodes}", {"mallory": db.time()[0] * 1000 + 3000})
            return [n for n in a.json("nodes") if n.get("since") == str(life)]
        for life, topics, code in (1, ["hers"], 0), (2, [], 0), (2, ["other"], 3):
            says(life, *topics)
            until(lambda: heard(life) and heard(life)[0]["topics"] == topics, "it is heard")
            sent = a.actorctl("send", "hers", "put")
            self.assertEqual(sent.code, code, (life, topics, sent))


if __name__ == "__main__":
    unittest.main()
