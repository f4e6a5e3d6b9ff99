#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nodes when Redis, or one of them, stood still: nobody alive is buried, and who slept takes
nothing in a name that may be another's by then."""

import signal
import time
import unittest

import msgpack

from harness import until
from test_nodes import ACTORS, Nodes


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


    def test_what_is_handled_is_refused(self):
        """For good: it is said again once a second, not as fast as Redis refuses it."""
        a, b = self.pair()
        db = self.server.client()
        self.addCleanup(db.close)
        db.execute_command("ACL", "SETUSER", "default", "-xtrim")
        self.call(a, "spring", "run", "sink", 1, 10, 0)
        self.came(b, 10)
        self.assertTrue(b.err.wait("that an inbox is handled was refused"))
        began = db.info("commandstats")["cmdstat_eval"]["calls"]
        self.beats(db, "alpha", "beta")
        self.assertLess(db.info("commandstats")["cmdstat_eval"]["calls"] - began, 100)
        db.execute_command("ACL", "SETUSER", "default", "+xtrim")
        until(lambda: db.xlen("actord:{node:beta}") == 0, "the inbox is empty")


class Asleep(Nodes):
    def noted(self, runtime):
        """Of each message that it handled: the number, and whether it may have been before."""
        found = (x.split("noted ")[1].split() for x in runtime.err.lines if "noted " in x)
        return [(int(n), bool(again)) for n, *again in found]

    def test_what_it_had_is_anothers(self):
        """What it had of a shared stream, in mailboxes and before them, others claimed as it slept:
        it handles none of that when it wakes, but what it had begun."""
        a, b = self.node("alpha", "logbook.c"), self.node("beta", "logbook.c")
        until(lambda: [n["topics"].count("logbook") for n in a.json("nodes")] == [1, 1], "both")
        db = self.server.client()
        self.addCleanup(db.close)
        key = "actord:{logbook}"
        with db.pipeline() as together:
            for n in range(200):
                together.xadd(key, {"m": msgpack.packb({"func": "note", "args": [n, 25]})})
            together.execute()
        until(lambda: len(self.noted(a)) > 5, "it has handled some")
        a.process.send_signal(signal.SIGSTOP)
        self.addCleanup(a.process.send_signal, signal.SIGCONT)
        until(lambda: db.xlen(key) == 0, "the other has handled all", 30)
        until(lambda: {n for n, _ in self.noted(a) + self.noted(b)} == set(range(200)), "all said")
        before, marked = self.noted(a), dict(self.noted(b))
        self.assertGreater(sum(marked.values()), 20)
        self.assertEqual([n for n in dict(before) if not marked.get(n, True)], [])
        a.process.send_signal(signal.SIGCONT)
        self.call(a, "logbook", "note", 200, 0)         # behind all that waits
        db.xadd(key, {"m": msgpack.packb({"func": "note", "args": [201, 0]})})
        until(lambda: db.xlen(key) == 0, "what is new is handled")
        more = set(self.noted(a)) - set(before) - {(200, False), (201, False)}
        self.assertLessEqual(len(more), 1)              # that was in hand

    def test_patches_it_had_are_anothers(self):
        """The same of patches, of which those behind the first wait for its outcome."""
        options = {"redis": self.server.url, "listen": "none"}
        a = self.start("--node", "alpha", "--unsigned-patches", **options)
        db = self.server.client()
        self.addCleanup(db.close)
        key = "actord:{rpc}"

        def done(node):
            return [int(x.split("patched ")[1]) for x in node.err.lines if "patched " in x]

        # Each takes a while, so that most are left when it is stopped.
        source = '#include "actor.h"\nint process(actor *self) { actor_log(self, "patched %d"); ' \
                 'for (int64_t end = actor_now() + 30; actor_now() < end; ) ; return 0; }'
        with db.pipeline() as together:
            for n in range(60):
                together.xadd(key, {"m": msgpack.packb({"func": "exec", "args": [source % n]})})
            together.execute()
        a.err.wait("patched 2")
        a.process.send_signal(signal.SIGSTOP)
        self.addCleanup(a.process.send_signal, signal.SIGCONT)
        self.assertGreater(db.xpending(key, "actord")["pending"], 20)
        b = self.start("--node", "beta", "--unsigned-patches", **options)
        until(lambda: db.xlen(key) == 0, "the other has handled all", 30)
        before = done(a)
        self.assertEqual(set(before + done(b)), set(range(60)))
        a.process.send_signal(signal.SIGCONT)
        b.end()
        db.xadd(key, {"m": msgpack.packb({"func": "exec", "args": [source % 60]})})
        until(lambda: 60 in done(a), "what is new is handled, behind all that waits")
        self.assertLessEqual(len(set(done(a)[len(before):]) - {60}), 1)     # that was in hand

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

    def test_what_its_read_was_given(self):
        """Entries of a shared stream, as it slept: once it is sure of its name it reads them
        again; where that was taken, they are the other's."""
        a = self.node("alpha", "spring.c")
        old = self.node("beta", "logbook.c")
        self.reach(a, "logbook")
        db = self.server.client()
        self.addCleanup(db.close)
        key = "actord:{logbook}"

        def write(*numbers):
            with db.pipeline() as together:
                for n in numbers:
                    together.xadd(key, {"m": msgpack.packb({"func": "note", "args": [n, 0]})})
                together.execute()

        def asleep(*numbers):
            write(0)
            until(lambda: db.xlen(key) == 0 and any(
                c["cmd"] == "xreadgroup" and "b" in c["flags"] for c in db.client_list()),
                  "it waits for entries")
            old.process.send_signal(signal.SIGSTOP)
            write(*numbers)
            until(lambda: len(a.json("nodes")) == 1, "beta is gone")

        def noted(runtime):
            return sorted(n for n, _ in self.noted(runtime))
        self.addCleanup(old.process.send_signal, signal.SIGCONT)
        asleep(1, 2)
        old.process.send_signal(signal.SIGCONT)
        until(lambda: db.xlen(key) == 0, "all is handled")
        until(lambda: noted(old) == [0, 1, 2], "each was noted once")
        self.reach(a, "logbook")
        asleep(*range(3, 13))
        new = self.node("beta", "logbook.c")
        self.reach(a, "logbook")
        old.process.send_signal(signal.SIGCONT)
        self.assertEqual(old.process.wait(30), 2)
        until(lambda: db.xlen(key) == 0, "all is handled")
        until(lambda: noted(new) == list(range(3, 13)), "the other noted each once")
        until(lambda: noted(old) == [0, 0, 1, 2], "it noted none of these")

    def test_its_link_was_lost(self):
        """For longer than its lease: it takes nothing before the others have heard of it again, who
        may claim what is its until then."""
        a = self.node("alpha", "spring.c")
        db = self.server.client()
        self.addCleanup(db.close)
        db.execute_command("ACL", "SETUSER", "lost", "on", ">x", "~*", "&*", "+@all")
        b = self.start("--node", "beta", ACTORS / "logbook.c", listen="none",
                       redis=self.server.url.replace("://", "://lost:x@"))
        self.reach(a, "logbook")
        key = "actord:{logbook}"
        db.xadd(key, {"m": msgpack.packb({"func": "note", "args": [1, 0]})})
        until(lambda: db.xlen(key) == 0, "it is handled")
        db.execute_command("ACL", "SETUSER", "lost", "off")
        db.execute_command("CLIENT", "KILL", "USER", "lost")
        until(lambda: len(a.json("nodes")) == 1, "beta is gone")
        db.xadd(key, {"m": msgpack.packb({"func": "note", "args": [2, 0]})})
        with self.server.client().monitor() as seen:
            db.execute_command("ACL", "SETUSER", "lost", "on")
            for said in seen.listen():
                if "BLOCK 2000 STREAMS actord:{node:beta}" in said["command"]:
                    joined = said["time"]
                if said["command"].startswith("XREADGROUP GROUP actord beta"):
                    break
        self.assertGreater(said["time"] - joined, 0.4)          # of Redis's clock
        until(lambda: self.noted(b) == [(1, False), (2, False)], "each was noted once")

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

        def says(turn, life, *topics):
            db.hset("actord:{nodes}:mallory", mapping={
                "identity": "m", "life": life, "info": msgpack.packb({
                    "since": str(turn), "topics": topics})})
            db.incr("actord:{nodes}:version")

        def heard(turn):
            db.zadd("actord:{nodes}", {"mallory": db.time()[0] * 1000 + 3000})
            return [n for n in a.json("nodes") if n.get("since") == str(turn)]
        for turn, (life, topics, code) in enumerate((
                (1, ["hers"], 0), (2, [], 0), (2, [], 0), (2, ["other"], 3), (2, [], 3))):
            says(turn, life, *topics)
            until(lambda: heard(turn), "it is heard")
            sent = a.actorctl("send", "hers", "put")
            self.assertEqual(sent.code, code, (life, topics, sent))


if __name__ == "__main__":
    unittest.main()
