#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A node's inbox: what comes in it is handed on in order, and what a node dies of ends there."""

import unittest
from threading import Thread

import msgpack

from harness import EFULL, ETIME, until
from test_nodes import ACTORS, Nodes


class InOrder(Nodes):
    """One sender's messages and questions, by frames that are written here."""

    INBOX = "actord:{node:beta}"
    OURS = "actord:{node:mallory}"
    SEND, ASK, ANSWER, REFUSAL, CLIENT = *range(4), 7

    def setUp(self):
        super().setUp()
        self.db = self.server.client()
        self.addCleanup(self.db.close)
        self.db.xdel(self.OURS, self.db.xadd(self.OURS, {"f": b""}))
        self.beta = self.node("beta", "sink.c")
        self.sequence = 0

    def write(self, *parts):
        self.sequence += 1
        self.db.xadd(self.INBOX, {"f": b"".join(
            msgpack.packb(x) for x in ([1, "mallory", 1, self.sequence], *parts))})

    def answers(self, count):
        """So many parts that came back: number to kind and the rest; without words of room."""
        def look():
            found = {}
            for _, fields in self.db.xrange(self.OURS):
                parts = msgpack.Unpacker(raw=False)
                parts.feed(fields[b"f"])
                found.update({p[1]: [p[0], *p[2:]] for p in list(parts)[1:] if p[1] >> 63 == 0})
            return len(found) == count and found
        return until(look, "%d answers" % count, 60)

    def test_no_question_overtakes_what_was_sent_before(self):
        """More comes at once than a mailbox takes: what waits for room is not passed."""
        self.write([self.SEND, "sink", "slow", 1, 1, 200],
                   *([self.SEND, "sink", "put", 1, n] for n in range(2, 2501)),
                   [self.ASK, 1, 60000, "sink", "told"])
        self.write([self.SEND, "sink", "put", 1, 2501], [self.ASK, 2, 0, "sink", "told"])
        self.assertEqual(self.answers(2), {1: [self.ANSWER, 2500, 0, 0],
                                           2: [self.ANSWER, 2501, 0, 0]})
        until(lambda: self.db.xlen(self.INBOX) == 0, "all is handled")

    def test_a_later_build_may_say_more(self):
        """What is not known is passed over, with what stands ahead of it: that is for no other."""
        for n in range(3):
            self.write([self.CLIENT, True], [99, {"a": [1]}, "x"],
                       [self.SEND, "sink", "put", 1, n + 1], [1 << 63],
                       [self.ASK, n + 1, 60000, "sink", "told"], [99])
        self.assertEqual(self.answers(3), {n: [self.ANSWER, n, 0, 0] for n in (1, 2, 3)})
        self.assertEqual(len([x for x in self.beta.err.lines if "parts of kind 99" in x]), 1)
        self.assertEqual(self.beta.json("inspect")[0]["redis"]["refused"], 9)

    def test_its_deadline_runs_while_it_waits(self):
        self.write([self.SEND, "sink", "slow", 1, 1, 3000],
                   *([self.SEND, "sink", "put", 1, n] for n in range(2, 1501)),
                   [self.ASK, 1, 1, "sink", "told"], [self.SEND, "sink", "put", 1, 1501])
        kind, code, text = self.answers(1)[1]
        self.assertEqual((kind, code), (self.REFUSAL, ETIME))
        self.write([self.ASK, 2, 0, "sink", "told"])
        self.assertEqual(self.answers(2)[2], [self.ANSWER, 1501, 0, 0])

    def test_answers_for_one_node_are_bounded(self):
        """As long as that node's inbox takes none: behind 64 MiB who asks is refused. All of it
        goes as one frame, which Redis would not take from 512 MiB on."""
        self.db.delete(self.OURS)
        self.db.set(self.OURS, "no stream")
        for n in range(1, 91):
            self.write([self.ASK, n, 600000, "echo", "say", "x" * (1 << 20)])
        until(lambda: self.db.xlen(self.INBOX) == 0, "all are asked", 60)
        with self.db.pipeline() as at_once:
            at_once.delete(self.OURS)
            at_once.xadd(self.OURS, {"f": b""}, id="1-1")
            at_once.xdel(self.OURS, "1-1")
            at_once.execute()
        found = self.answers(90).values()
        refused = [x for x in found if x[0] == self.REFUSAL]
        self.assertTrue(all(x[1:] == [EFULL, "too much waits for your node"] for x in refused))
        self.assertIn(len(found) - len(refused), (64, 65, 66))


class Others(Nodes):
    """Nodes that are written here."""

    def setUp(self):
        super().setUp()
        self.db = self.server.client()
        self.addCleanup(self.db.close)

    def here(self, name, life, *topics):
        self.db.xadd("actord:{node:%s}" % name, {"f": b""})
        self.db.hset("actord:{nodes}:" + name, mapping={
            "identity": name, "life": life, "info": msgpack.packb({"topics": topics})})
        self.db.zadd("actord:{nodes}", {name: (self.db.time()[0] + 3600) * 1000})
        self.db.incr("actord:{nodes}:version")


class Busy(Others):
    """One actor handles something for long, and much waits for it."""

    INBOX = "actord:{node:beta}"

    def setUp(self):
        super().setUp()
        self.beta = self.node("beta", "sink.c", "blocker.c")
        self.assertEqual(self.beta.actorctl("send", "sink", "wait", "0", "1", "penpal").code, 0)

    def write(self, count):
        """So many messages for it, and each 10th for its idle neighbour, a frame each."""
        pipe, sequence = self.db.pipeline(), 0
        for n in range(1, count + 1):
            parts = [[0, "sink", "put", 1, n]] + [[0, "blocker", "busy", 0]] * (n % 10 == 0)
            for part in parts:
                sequence += 1
                pipe.xadd(self.INBOX, {"f": b"".join(map(msgpack.packb, (
                    [1, "mallory", 1, sequence], part)))})
        pipe.execute()

    def test_it_holds_up_nobody_else(self):
        """Others there are reached as ever; who sends to it is told that it is full."""
        alpha = self.node("alpha", "spring.c")
        self.reach(alpha, "sink")
        self.write(3000)
        run = Thread(target=lambda: got.append(self.call(alpha, "spring", "run", "sink", 2, 20000,
                                                         0)))
        got, sent = [], []
        run.start()
        self.addCleanup(run.join)
        def refused():          # here it may be full before, for the flood
            done = alpha.actorctl("send", "sink", "put", "3", str(len(sent) + 1))
            if not done.code:
                sent.append(done)
            return "its mailbox, on another node, is full" in done.err
        until(refused, "it is refused", 30)
        self.assertGreater(self.db.xlen(self.INBOX), 3000)
        for _ in range(20):
            self.assertEqual(self.call(alpha, "blocker", "busy", 0), ["done"])
        self.assertEqual(self.beta.actorctl("start", ACTORS / "penpal.c").code, 0)
        run.join()
        self.assertEqual(got[0][0], 20000)
        self.came(self.beta, 23001 + len(sent))
        until(lambda: self.db.xlen(self.INBOX) == 0, "all is handled")

    def test_senders_are_told_as_long_as_it_is_full(self):
        """But for those that are gone, whose inbox nobody reads."""
        ours, full = "actord:{node:mallory}", msgpack.packb([2, (1 << 64) - 1, 0, "sink"])
        gone = "actord:{node:mary}"
        self.db.xadd(gone, {"f": b""})
        self.write(2300)
        self.db.xadd(self.INBOX, {"f": msgpack.packb([1, "mary", 1, 1]) +
                                  msgpack.packb([0, "sink", "put", 2, 1])})

        def said():
            self.here("mallory", 1)
            return sum(f[b"f"].count(full) for _, f in self.db.xrange(ours)) > 4
        until(said, "it is said")
        self.beta.kill()
        self.assertEqual(self.db.xlen(gone), 1)

    def test_what_was_handled_behind_it_is_not_handled_again(self):
        self.write(3000)
        until(lambda: self.db.xlen(self.INBOX) < 3150, "its neighbour's have left the stream")
        self.beta.kill()
        beta = self.node("beta", "sink.c", "blocker.c", folder=self.beta.folder)
        until(lambda: self.db.xlen(self.INBOX) == 0, "all is handled")
        self.assertEqual(self.call(beta, "sink", "told"), [3000, 0, 3000])
        self.assertFalse([x for x in beta.err.lines if "came after" in x])


class Full(Others):
    """Who says that an actor takes no more, by frames that are written here."""

    ANSWER, ROOM = 2, (1 << 64) - 1

    def setUp(self):
        super().setUp()
        self.alpha = self.node("alpha")
        self.sequences, self.turn = {}, 0

    def says(self, name, life, *topics):
        """It is there, and has these."""
        self.turn += 1
        turn = "turn%d" % self.turn
        self.here(name, life, turn, *topics)
        self.reach(self.alpha, turn)

    def room(self, name, life, there):
        """A frame of its; it has been read."""
        sequence = self.sequences[name, life] = self.sequences.get((name, life), 0) + 1
        inbox = "actord:{node:alpha}"
        self.db.xadd(inbox, {"f": msgpack.packb([1, name, life, sequence]) +
                             msgpack.packb([self.ANSWER, self.ROOM, there, "hers"])})
        until(lambda: self.db.xlen(inbox) == 0, "it is handled")

    def taken(self):
        sent = self.alpha.actorctl("send", "hers", "put")
        if sent.code:
            self.assertIn("its mailbox, on another node, is full", sent.err)
        return not sent.code

    def refused(self, name, life):
        def look():
            self.room(name, life, 0)
            return not self.taken()
        until(look, "it is refused")

    def test_whose_actor_it_is_no_more(self):
        self.says("mallory", 1, "hers")
        self.says("mary", 1, "hers")
        self.room("mallory", 1, 0)
        self.says("mallory", 1)
        self.assertTrue(self.taken())
        self.room("mallory", 1, 1)
        self.says("mallory", 1, "hers")
        self.says("mary", 1)
        self.assertTrue(self.taken())
        self.refused("mallory", 1)
        self.room("mallory", 1, 1)
        self.assertTrue(self.taken())

    def test_who_says_so_no_more(self):
        """A failover may lose the word that there is room again."""
        self.says("mallory", 1, "hers")
        self.refused("mallory", 1)

        def taken():
            self.says("mallory", 1, "hers")         # it lives
            return self.taken()
        until(taken, "it is not refused for ever", 20)

    def test_an_earlier_life_said_so(self):
        self.says("mallory", 2, "hers")
        self.room("mallory", 1, 0)
        self.assertTrue(self.taken())
        self.room("mallory", 3, 0)
        self.assertTrue(self.taken())
        self.refused("mallory", 2)
        self.says("mallory", 3, "hers")
        self.assertTrue(self.taken())
        self.refused("mallory", 3)


class Deadly(Nodes):
    INBOX = "actord:{node:beta}"

    def write(self, db, sequence, *parts):
        db.xadd(self.INBOX, {"f": b"".join(map(msgpack.packb, (
            [1, "mallory", 1, sequence], *parts)))})

    def busy(self, runtime):
        self.assertTrue(runtime.err.wait("has been in sink.slow"))

    def test_what_its_lives_end_of(self):
        """What a node dies of each time is put aside in the end; what stands beside it is not."""
        db = self.server.client()
        self.addCleanup(db.close)
        beta = self.node("beta", "sink.c")
        self.write(db, 1, [0, "sink", "put", 1, 1], [0, "sink", "slow", 1, 2, 600000],
                   [0, "sink", "put", 1, 2])
        self.write(db, 2, [0, "sink", "put", 1, 3])
        self.busy(beta)
        for _ in range(4):
            beta.kill()
            beta = self.node("beta", "sink.c", folder=beta.folder)
            self.busy(beta)
            self.assertFalse(db.exists("actord:{sink}:dead"))
        beta.kill()
        beta = self.node("beta", "sink.c", folder=beta.folder)
        until(lambda: db.xlen(self.INBOX) == 0, "all is handled")
        row, = beta.json("dead", "list", "sink")
        self.assertEqual((row["func"], row["deaths"]), ("slow", 3))
        self.assertEqual(row["reason"], "3 lives of its node ended while they had it, the last 2 "
                                        "of them nothing else")
        self.assertEqual(beta.json("dead", "show", "sink", row["id"])[0]["args"], [1, 2, 600000])
        # What came before it was handled by an earlier life.
        self.assertEqual(self.call(beta, "sink", "told")[0::2], [2, 2])
        self.write(db, 3, [0, "sink", "put", 1, 4])
        until(lambda: self.call(beta, "sink", "told")[0::2] == [3, 2], "the next one is handled")

    def test_wanted_at_most_once(self):
        """What such a type's node had in its inbox when it died is a dead letter; who asked is
        told."""
        db = self.server.client()
        self.addCleanup(db.close)
        ours = "actord:{node:mallory}"
        db.xdel(ours, db.xadd(ours, {"f": b""}))
        beta = self.node("beta", "once.c")
        self.write(db, 1, [0, "once", "note", 1, 600000])
        beta.err.wait("noted 1")
        self.write(db, 2, [0, "once", "note", 2, 0], [1, 7, 30000, "once", "note", 3, 0])
        beta.kill()
        beta = self.node("beta", "once.c", folder=beta.folder)
        until(lambda: db.xlen(self.INBOX) == 0, "the inbox is empty")
        letters = beta.json("inspect")[0]["dead_letters"]
        self.assertEqual([(x["actor"], x["handler"], x["args"][0]) for x in letters],
                         [("once", "note", n) for n in (1, 2, 3)])
        (_, fields), = db.xrange(ours)
        parts = msgpack.Unpacker(raw=False)
        parts.feed(fields[b"f"])
        self.assertEqual([p[1] for p in list(parts)[1:]], [7])
        self.assertIn(b"once.note may have been handled before", fields[b"f"])
        self.assertEqual([x for x in beta.err.lines if "noted" in x], [])

    def test_a_stop_is_no_death(self):
        db = self.server.client()
        self.addCleanup(db.close)
        self.write(db, 1, [0, "sink", "put", 1, 1])
        beta = self.node("beta", "sink.c")
        until(lambda: self.call(beta, "sink", "told")[0] == 1, "it is handled")
        self.assertTrue(db.exists(self.INBOX + ":suspect"))
        beta.stop()
        self.assertFalse(db.exists(self.INBOX + ":suspect"))


if __name__ == "__main__":
    unittest.main()
