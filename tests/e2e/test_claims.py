#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Names that one node has for itself: a lease, and a token that what the holder writes bears."""
import signal
import time
import unittest

from harness import ControlLine, until
from test_nodes import Nodes


class Claimed(Nodes):
    def test_one_node_has_it(self):
        a, b = (self.node(n, "spring.c") for n in ("alpha", "beta"))
        first, = self.call(a, "spring", "bus", "claim", "jobs")
        self.assertEqual(self.call(a, "spring", "bus", "claim", "jobs"), [first])
        with self.assertRaisesRegex(AssertionError, "jobs is claimed by the node alpha"):
            self.call(b, "spring", "bus", "claim", "jobs")
        self.call(a, "spring", "bus", "put", "jobs", str(first), "key", "of alpha")
        # Alpha sleeps for longer than its lease; what it writes then is refused by its token.
        a.process.send_signal(signal.SIGSTOP)
        self.addCleanup(a.process.send_signal, signal.SIGCONT)
        second = int(until(lambda: b.actorctl("call", "spring", "bus", "claim", "jobs").out,
                           "the lease has ended"))
        self.assertGreater(second, first)
        self.call(b, "spring", "bus", "put", "jobs", str(second), "key", "of beta")
        a.process.send_signal(signal.SIGCONT)
        with self.assertRaisesRegex(AssertionError,
                                    f"token {first} of jobs is stale: .* is {second}"):
            self.call(a, "spring", "bus", "put", "jobs", str(first), "key", "of alpha")
        self.assertEqual(self.call(a, "spring", "bus", "get", "jobs", "key"), ["of beta"])
        self.assertEqual(self.call(a, "spring", "wait"), ["lost jobs"])
        self.call(b, "spring", "bus", "release", "jobs", str(second))
        third, = self.call(a, "spring", "bus", "claim", "jobs")
        self.assertGreater(third, second)
        for late in (("put", "jobs", str(second), "key", "late"), ("release", "jobs", str(second))):
            with self.assertRaisesRegex(AssertionError, f"token {second} of jobs is stale"):
                self.call(b, "spring", "bus", *late)
        self.assertEqual(self.call(a, "spring", "bus", "claim", "jobs"), [third])
        line = ControlLine(a.control)
        self.addCleanup(line.close)
        for name in ("", "n" * 256, "jobs\0"):
            self.assertIn("a name of 1 to 255 bytes",
                          line.call("bus", "claim", name, tpc="spring")["err"]["text"])
        line.call("bus", "put", "jobs", third, "key\0", "a\0b", tpc="spring")
        self.assertEqual(line.call("bus", "get", "jobs", "key\0", tpc="spring")["args"],
                         ["a\0b"])
        done = a.actorctl("call", "bus", "claim", "jobs")
        self.assertEqual(done.code, 3)
        self.assertIn("`bus` is asked by actors, from C", done.err)

    def test_a_stop_releases_what_is_held(self):
        """Nobody waits for a lease of who has gone; what another has by now stays his."""
        a, b, c = (self.node(n, "spring.c") for n in ("alpha", "beta", "gamma"))
        db = self.server.client()
        first = {name: self.call(a, "spring", "bus", "claim", name)[0]
                 for name in ("jobs", "mails")}
        db.mset({"actord:{claim:mails}": "gamma 1",
                 "actord:{claim:mails}:token": first["mails"] + 1})
        a.stop()
        self.assertFalse(db.exists("actord:{claim:jobs}"))
        self.assertEqual(db.get("actord:{claim:mails}"), b"gamma 1")
        self.assertEqual(int(db.get("actord:{claim:mails}:token")), first["mails"] + 1)
        second, = self.call(b, "spring", "bus", "claim", "jobs")
        self.assertGreater(second, first["jobs"])
        with self.assertRaisesRegex(AssertionError, "stale"):
            self.call(c, "spring", "bus", "put", "jobs", str(first["jobs"]), "key", "of alpha")

    def test_redis_forgets(self):
        """As after a restart without its file: no token is given a second time."""
        a, b = (self.node(n, "spring.c") for n in ("alpha", "beta"))
        db = self.server.client()
        first, = self.call(a, "spring", "bus", "claim", "jobs")
        db.delete("actord:{claim:jobs}", "actord:{claim:jobs}:token")
        second, = self.call(b, "spring", "bus", "claim", "jobs")
        self.assertGreater(second, first)
        with self.assertRaisesRegex(AssertionError, "stale"):
            self.call(a, "spring", "bus", "put", "jobs", str(first), "key", "of alpha")
        a.err.wait("the claim of jobs is lost: (it is now of the node beta|Redis has forgotten)")
        # A lease given by a clock that was ahead of today's ends all the same.
        b.kill()
        db.pexpire("actord:{claim:jobs}", 3600000)
        db.zadd("actord:{nodes}", {"beta": time.time() * 1000 + 3600000})
        until(lambda: "beta" not in a.actorctl("nodes").out, "beta is gone")
        until(lambda: a.actorctl("call", "spring", "bus", "claim", "jobs").out, "the lease ended")


if __name__ == "__main__":
    unittest.main()
