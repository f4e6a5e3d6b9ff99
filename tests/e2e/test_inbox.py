#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A node's inbox: what comes in it is handed on in order, and what a node dies of ends there."""

import unittest

import msgpack

from harness import ETIME, until
from test_nodes import Nodes


class InOrder(Nodes):
    """One sender's messages and questions, by frames that are written here."""

    INBOX = "actord:{node:beta}"
    OURS = "actord:{node:mallory}"
    SEND, ASK, ANSWER, REFUSAL = range(4)

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
        """So many parts that came back: number to kind and the rest."""
        def look():
            found = {}
            for _, fields in self.db.xrange(self.OURS):
                parts = msgpack.Unpacker(raw=False)
                parts.feed(fields[b"f"])
                found.update({p[1]: [p[0], *p[2:]] for p in list(parts)[1:]})
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

    def test_its_deadline_runs_while_it_waits(self):
        self.write([self.SEND, "sink", "slow", 1, 1, 3000],
                   *([self.SEND, "sink", "put", 1, n] for n in range(2, 1501)),
                   [self.ASK, 1, 1, "sink", "told"], [self.SEND, "sink", "put", 1, 1501])
        kind, code, text = self.answers(1)[1]
        self.assertEqual((kind, code), (self.REFUSAL, ETIME))
        self.write([self.ASK, 2, 0, "sink", "told"])
        self.assertEqual(self.answers(2)[2], [self.ANSWER, 1501, 0, 0])


if __name__ == "__main__":
    unittest.main()
