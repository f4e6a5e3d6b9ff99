#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What Redis let a node do at first it lets it do no more: a key of its own is another's, a right
is gone, its answers come late."""

import json
import os
import pathlib
import queue
import signal
import socket
import threading
import time
import unittest

import msgpack
import redis

from harness import HERE, Case, RedisServer, until

SINK = HERE / "actors" / "sink.c"
INBOX = "actord:{node:beta}"


def frame(n):
    """The nth of a node that nobody has heard of."""
    parts = [1, "mallory", 1, n], [0, "sink", "put", 3, n]
    return b"".join(msgpack.packb(x) for x in parts)


class Far:
    """A way to Redis on which all takes so many seconds, in each direction."""

    def __init__(self, port):
        self.to, self.seconds = port, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.ends = [self.socket]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                here, _ = self.socket.accept()
            except OSError:             # closed
                return
            there = socket.create_connection(("127.0.0.1", self.to))
            self.ends += [here, there]
            for come, go in (here, there), (there, here):
                way = queue.Queue()
                threading.Thread(target=self.take, args=(come, way), daemon=True).start()
                threading.Thread(target=self.give, args=(go, way), daemon=True).start()

    def close(self):
        for end in self.ends:
            end.close()

    def take(self, come, way):
        data = b"?"
        while data:
            try:
                data = come.recv(65536)
            except OSError:
                data = b""
            way.put((time.monotonic() + self.seconds, data))

    @staticmethod
    def give(go, way):
        data = b"?"
        while data:
            due, data = way.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                go.sendall(data) if data else go.shutdown(socket.SHUT_RDWR)
            except OSError:
                break


class Refused(Case):
    def setUp(self):
        super().setUp()
        self.server = RedisServer()
        self.addCleanup(self.server.stop)

    def came(self, runtime, count):
        """So many, once each and in order; what was given to us in vain may be marked so."""
        def look():
            done = runtime.actorctl("--json", "call", "sink", "told")
            return not done.code and json.loads(done.out)["args"][:2] == [count, 0]
        until(look, "%d messages have come" % count, 20)

    def put(self, db, n):
        """The nth message to the sink on each way from Redis."""
        db.rpush("sink", json.dumps({"func": "put", "args": [1, n]}))
        db.xadd("actord:{sink}", {"m": msgpack.packb({"func": "put", "args": [2, n]})})
        db.xadd(INBOX, {"f": frame(n)})

    def test_its_beat(self):
        """What was let in is refused: it is said what rests, and when it goes on. Nothing is
        lost."""
        db = self.server.client()
        db.execute_command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all")
        b = self.start("--node", "beta", SINK,
                       redis=self.server.url.replace("://", "://limited:pw@"))
        self.put(db, 1)
        self.came(b, 3)
        for n, error, break_, heal in (
                (2, "WRONGTYPE", ("SET", "actord:{nodes}", "?"), ("DEL", "actord:{nodes}")),
                (3, "NOPERM|can't run", ("ACL", "SETUSER", "limited", "-zadd"),
                 ("ACL", "SETUSER", "limited", "+zadd"))):
            with self.subTest(error):
                after = len(b.err.lines)
                db.execute_command(*break_)
                line = b.err.wait(r"messages from Redis rest \(lists, streams, other nodes'\): "
                                  "[^;]*(%s).*goes on by itself" % error, after=after)
                self.assertNotIn("user_script", line)
                self.put(db, n)
                status, _, body = b.get("/readyz")
                self.assertEqual(status, 503)
                self.assertIn(b"messages from Redis rest", body)
                shown = b.json("inspect")[0]
                self.assertFalse(shown["ready"])
                self.assertIn("messages from Redis rest", shown["warnings"][0])
                self.assertIn("Redis refuses", b.actorctl("nodes").err)
                db.execute_command(*heal)
                self.assertTrue(b.err.wait("messages from Redis go on", after=after))
                self.came(b, 3 * n)
                self.assertEqual(b.get("/readyz")[0], 200)
                self.assertTrue(b.json("inspect")[0]["ready"])

    def test_a_script_runs_for_long(self):
        """There is nothing to delete, nor rights to give."""
        b = self.start("--node", "beta", SINK, listen="none", redis=self.server.url)
        db, other = self.server.client(), self.server.client()
        db.config_set("busy-reply-threshold", 100)
        run = threading.Thread(daemon=True, target=lambda: self.assertRaises(
            redis.RedisError, other.eval, "while true do end", 0))
        run.start()
        line = b.err.wait("messages from Redis rest .*: BUSY", 30)
        self.assertNotIn("delete", line)
        self.assertIn("all goes on by itself", line)
        db.script_kill()
        run.join()
        self.assertTrue(b.err.wait("messages from Redis go on"))

    def test_its_disk_is_bad(self):
        """That is for who has that disk; there is nothing to delete, nor rights to give."""
        b = self.start("--node", "beta", SINK, listen="none", redis=self.server.url)
        db, pid = self.server.client(), self.server.process.pid
        db.config_set("save", "3600 1000000")
        db.config_set("rdb-key-save-delay", 100000000)
        db.bgsave()
        child, = until(pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text,
                       "it saves").split()
        os.kill(int(child), signal.SIGKILL)
        line = b.err.wait("messages from Redis rest .*: MISCONF", 30)
        self.assertNotIn("delete what", line)
        self.assertIn("when Redis can write to its disk again", line)
        db.config_set("stop-writes-on-bgsave-error", "no")
        self.assertTrue(b.err.wait("messages from Redis go on"))

    def test_it_is_far(self):
        """Two seconds to Redis and back: all is as ever, if later. Nearly three are too many, as a
        node is gone after three: that is said, and when it is over."""
        far = Far(self.server.port)
        self.addCleanup(far.close)
        b = self.start("--node", "beta", SINK, listen="none",
                       redis="redis://127.0.0.1:%d/1" % far.port)
        db = self.server.client()
        far.seconds = 1
        self.put(db, 1)
        self.came(b, 3)
        after = len(b.err.lines)
        far.seconds = 1.35
        self.assertTrue(b.err.wait(r"messages from Redis rest .*: Redis takes \d\.\d s to answer",
                                   30, after=after))
        self.assertIn("answers too late", b.json("inspect")[0]["warnings"][0])
        self.put(db, 2)
        far.seconds = 0.1
        self.assertTrue(b.err.wait("messages from Redis go on", 20, after=after))
        self.came(b, 6)

    def test_its_inbox(self):
        b = self.start("--node", "beta", SINK, listen="none", redis=self.server.url)
        db = self.server.client()
        for _ in range(2):
            after = len(b.err.lines)
            db.set(INBOX + ":seen", "?")
            db.delete(INBOX)
            self.assertTrue(b.err.wait("other nodes cannot reach this one: WRONGTYPE", after=after))
            self.assertIn("other nodes cannot", b.json("inspect")[0]["warnings"][0])
            self.assertIn("other nodes cannot", b.actorctl("nodes").err)
            db.delete(INBOX + ":seen")
            self.assertTrue(b.err.wait("other nodes can reach this one", after=after))
            self.assertEqual(b.json("inspect")[0]["warnings"], [])
        self.assertNotIn("user_script", "".join(b.err.lines))


if __name__ == "__main__":
    unittest.main()
