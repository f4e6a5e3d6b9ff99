#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Topics as streams, where something is wrong: what is no message, what nobody takes, keys of other
types, rights that lack, a Redis that is full. What can be is handled; the rest is a dead letter."""

import json
import signal
import unittest

import msgpack

from harness import Caller, until
from test_streams import GATE, SINK, Streams, key, message

LATER = """#include "actor.h"
int later(actor *self, const msg *m) { return msg_reply(m); }"""


class Bad(Streams):
    def test_what_is_no_message(self):
        node = self.node("alpha")
        for m in (b"\xdd\xff\xff\xff\xff", b"\x81", b"{\"func\":", b"\x91\x01", b"\x80",
                  message("nothing"), message("say") + b"\xc1", b"\xff" * 1000,
                  b"\x81\xa1" * 5000):
            self.db.xadd(key("echo"), {"m": m})
        self.db.xadd(key("echo"), {"other": "x"})
        self.empty("echo")
        self.assertEqual(node.actorctl("call", "echo", "say", "still").out, "still\n")

    def test_what_is_no_message_among_others(self):
        """Those before and behind it are handled; it is a dead letter. Where it cannot be said
        where it ends, the rest is."""
        node = self.node("alpha", SINK)
        put = [message("put", 1, n) for n in range(8)]
        rest, wrong = b"\xc1" + put[7], put[7].replace(b"func", b"\xff\xff\xff\xff")
        ids = [self.db.xadd(key("sink"), fields) for fields in (
            {"m": put[1] + b"\xc0" + put[2] + b"\x05" + put[3]}, {"m": b"\x91\x01" + put[4]},
            {"m": put[5] + rest}, {"other": "x"}, {"m": wrong + put[6]})]
        self.empty("sink")
        self.assertEqual(self.told(node), [6, 0, 0])
        dead = {e[b"id"]: e for _, e in self.db.xrange(key("sink") + ":dead")}
        self.assertEqual({at: e[b"m"] for at, e in dead.items()}, dict(zip(ids, (
            b"\xc0\x05", b"\x91\x01", rest, msgpack.packb({"other": "x"}), wrong))))
        for at, reason in ((0, b"^message 2 of the entry is none: neither a map"),
                           (2, b"^message 2 of the entry is none: msgpack, byte 0: "),
                           (3, b"^the entry has no messages in a field m$")):
            self.assertRegex(dead[ids[at]][b"reason"], reason)
        rows = node.json("dead", "list", "sink")
        self.assertEqual([r["deaths"] for r in rows], [0] * 5)
        self.assertEqual({r["reason"] for r in rows},
                         {e[b"reason"].decode() for e in dead.values()})
        for r in rows:
            self.assertEqual(node.actorctl("dead", "show", "sink", r["id"]).code, 0)
            again = node.actorctl("dead", "retry", "sink", r["id"])
            self.assertEqual((again.code, "is no message" in again.err), (1, True))
        self.assertEqual(len(node.json("dead", "list", "sink")), 5)
        node.err.wait("sink: what of .* cannot be handled is put into actord:.sink.:dead: ")

    def test_what_its_actor_does_not_take(self):
        """Whoever asked is told; else it is a dead letter, and may be sent again once the actor
        takes it."""
        node = self.node("alpha", SINK, "--unsigned-patches")
        two = b'{"func":"put","args":[1,1]}{"func":"put","args":[1,2]}'
        for m, reason in ((message("later", 7), "no handler later"), (two, "JSON, line 1"),
                          (b'{"func":"put"', "JSON, line 1"), (b'{"args":[1]}', "func"),
                          (message("put", "x"), "put")):
            with self.subTest(m):
                self.db.xadd(key("sink"), {"m": m})
                self.empty("sink")
                row = node.json("dead", "list", "sink")[-1]
                self.assertIn(reason, row["reason"])
                again = node.actorctl("dead", "retry", "sink", row["id"])
                self.assertEqual(again.code, 0 if m[0] != ord("{") else 1, again)
                until(lambda: len(node.json("dead", "list", "sink")) == 1, "it is there again")
                self.db.delete(key("sink") + ":dead")
        self.db.xadd(key("sink"), {"m": message("later", 7, ct="answers", cb="cb")})
        self.assertIn(b"no handler later", self.db.blpop("answers", 10)[1])
        self.empty("sink")
        self.assertEqual(node.json("dead", "list", "sink"), [])
        self.db.xadd(key("sink"), {"m": message("later", 1)})
        row, = until(lambda: node.json("dead", "list", "sink"), "it is a dead letter")
        caller = Caller(self.server.client())
        caller.eval("sink", "later", LATER, "later")
        self.assertEqual(node.actorctl("dead", "retry", "sink", row["id"]).code, 0)
        self.empty("sink")
        self.assertEqual(node.json("dead", "list", "sink"), [])

    def test_those_that_can_be_sent_again(self):
        """Are a letter of their own, whatever stands beside them."""
        node = self.node("alpha", SINK, "--unsigned-patches")
        later = message("later")
        at = self.db.xadd(key("sink"), {"m": later + b"\xc0" + message("put", 1, 1) + later +
                                        b"\x05"})
        self.empty("sink")
        self.assertEqual(self.told(node), [1, 0, 0])
        letters = [e for _, e in self.db.xrange(key("sink") + ":dead")]
        self.assertEqual([(e[b"m"], e[b"id"], e[b"deaths"]) for e in letters],
                         [(later * 2, at, b""), (b"\xc0\x05", at, b"0")])
        self.assertIn(b"no handler later", letters[0][b"reason"])
        self.assertIn(b"message 2 of the entry is none", letters[1][b"reason"])
        whole, broken = (row["id"] for row in node.json("dead", "list", "sink"))
        Caller(self.db, "msgpack").eval("sink", "later", LATER, "later")
        self.assertEqual(node.actorctl("dead", "retry", "sink", whole).code, 0)
        self.assertEqual(node.actorctl("dead", "retry", "sink", broken).code, 1)
        self.empty("sink")
        self.assertEqual([row["id"] for row in node.json("dead", "list", "sink")], [broken])

    def test_many_are_not_kept(self):
        """Who misspells a handler does not fill Redis."""
        node, line = self.node("alpha", SINK), self.db.pipeline()
        for _ in range(10000):
            line.xadd(key("sink") + ":dead", {"m": "x", "id": "1-1", "deaths": "", "reason": "y"})
        line.execute()
        for n in range(2):
            self.db.xadd(key("sink"), {"m": message("later", n)})
        self.empty("sink")
        self.assertTrue(node.err.wait("dead: it has 10000 letters already, so what else"))
        self.assertEqual(self.db.xlen(key("sink") + ":dead"), 10000)

    def test_a_full_redis_is_drained_of_it(self):
        node = self.node("alpha", SINK)
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        self.empty("sink")
        node.process.send_signal(signal.SIGSTOP)
        self.addCleanup(node.process.send_signal, signal.SIGCONT)
        for n in range(3):
            self.db.xadd(key("sink"), {"m": message("put", 1, n + 2) + message("later")})
        self.db.config_set("maxmemory", 1)
        node.process.send_signal(signal.SIGCONT)
        self.empty("sink")
        self.assertEqual(self.db.xlen(key("sink") + ":dead"), 3)
        self.db.config_set("maxmemory", 0)
        self.assertEqual(self.told(node), [4, 0, 0])

    def test_a_full_redis_is_drained_of_what_nobody_reads_yet(self):
        """A first reader, which needs a group; and a last one, who goes."""
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        self.db.config_set("maxmemory", 1)
        self.addCleanup(self.db.config_set, "maxmemory", 0)
        node = self.node("alpha", SINK)
        self.empty("sink")
        self.assertEqual(self.told(node), [1, 0, 0])
        node.stop()
        until(lambda: not self.db.exists(key("sink")), "it leaves nothing")

    def test_several_fields(self):
        node = self.node("alpha", SINK)
        self.db.execute_command("XADD", key("sink"), "*", "m", message("put", 1, 1), "x", "y",
                                "m", message("put", 1, 2), "m", message("put", 1, 3))
        as_json = [json.dumps({"func": "put", "args": [1, n]}) for n in (4, 5)]
        self.db.execute_command("XADD", key("sink"), "*", "m", as_json[0], "m", as_json[1])
        self.empty("sink")
        self.assertEqual(self.told(node), [5, 0, 0])

    def test_a_key_of_another_type_in_its_place(self):
        self.db.set(key("echo"), "something else")
        node = self.node("alpha", SINK)
        node.err.wait("no messages for echo come by the stream.*WRONGTYPE")
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        self.empty("sink")
        caller = Caller(self.server.client(), "msgpack")
        self.assertEqual(caller.call("echo", "say", 1), [1])
        self.db.delete(key("echo"))
        node.err.wait("messages for echo come by the stream .* again", 30)
        self.db.xadd(key("echo"), {"m": message("say", "x", ct=caller.ct, cb="back")})
        self.assertEqual(caller.answer()["args"], ["x"])

    def test_a_user_who_may_not_all(self):
        """What is missing is said, and nothing is lost: it goes on when he may."""
        def let(*rights):
            self.db.execute_command("ACL", "SETUSER", "little", "on", ">pw", "~*", "&*", *rights)

        def node(**more):
            return self.start("--node", "alpha", SINK, listen="none", redis=url, **more)

        url = self.server.url.replace("redis://", "redis://little:pw@")
        let("+@all", "-xpending")
        alpha = node()
        self.db.xadd(key("sink"), {"m": message("put", 1, 1)})
        alpha.err.wait("no messages for sink come by the stream .*xpending")
        self.assertEqual(self.db.xlen(key("sink")), 1)
        let("+xpending")
        alpha.err.wait("messages for sink come by the stream .* again")
        self.empty("sink")
        self.assertEqual(self.told(alpha), [1, 0, 0])
        let("-xclaim", "-client")
        self.assertEqual(alpha.actorctl("start", GATE).code, 0)
        alpha.err.wait("the streams of new names are noticed late: .*client")
        self.db.xadd(key("sink"), {"m": message("slow", 1, 2, 600000)})
        self.busy(alpha)
        alpha.kill()
        alpha = node(folder=alpha.folder)
        alpha.err.wait("actord:.sink.: .*xclaim")
        self.assertEqual(self.db.xpending(key("sink"), "actord")["pending"], 1)
        let("+xclaim")
        self.busy(alpha)
        alpha.kill()

    def test_the_streams_are_deleted(self):
        node = self.node("alpha", SINK)
        for n in 1, 2:
            self.db.xadd(key("sink"), {"m": message("put", 1, n)})
            self.empty("sink")
            self.db.flushdb()
        self.db.xadd(key("sink"), {"m": message("put", 1, 3)})
        self.empty("sink")
        self.assertEqual(self.told(node), [3, 0, 0])


if __name__ == "__main__":
    unittest.main()
