#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nodes that share a Redis: they find each other, actors call actors of other nodes as if they were
here, and what happens to both when a node, a link or a Redis goes."""

import concurrent.futures
import json
import random
import socket
import subprocess
import threading
import time
import unittest

import msgpack

from harness import (EARGS, EFAIL, ENOENT, HERE, Caller, Case, RedisServer, actord, make_folder,
                     until)

ACTORS = HERE / "actors"


class Nodes(Case):
    options = None

    def setUp(self):
        super().setUp()
        self.server = RedisServer()
        self.addCleanup(self.server.stop)

    def node(self, name, *actors, **more):
        more.setdefault("listen", "none")
        return self.start("--node", name, *(ACTORS / a for a in actors), redis=self.server.url,
                          **more)

    def pair(self):
        a = self.node("alpha", "spring.c")
        b = self.node("beta", "sink.c")
        self.reach(a, "sink")
        return a, b

    def reach(self, runtime, name):
        until(lambda: any(name in n["topics"] for n in runtime.json("nodes")),
              name + " is known to " + runtime.folder.name)

    def call(self, runtime, *args, **more):
        """An answer by way of actorctl: from inside that node."""
        done = runtime.actorctl("--json", "--timeout", "20000", "call", *map(str, args), **more)
        if done.code:
            raise AssertionError(done)
        return json.loads(done.out)["args"]

    def came(self, runtime, count):
        """So many messages have come to the sink there, once each and in order."""
        def look():
            done = runtime.actorctl("--json", "call", "sink", "told")
            return not done.code and json.loads(done.out)["args"] == [count, 0, 0]
        until(look, "%d messages have come" % count, 60)

    def watched(self, runtime, count):
        def look():         # None: it did not answer in time
            found = runtime.json("inspect", "sink")[0]["monitored_by"]
            return found is not None and len(found) == count
        until(look, "%d watch it" % count, 30)


class Found(Nodes):
    def test_who_is_there(self):
        a = self.node("alpha", "spring.c")
        self.assertEqual([n["name"] for n in a.json("nodes")], ["alpha"])
        b = self.node("beta", "sink.c")
        self.reach(a, "sink")
        rows = a.json("nodes")
        self.assertEqual([n["name"] for n in rows], ["alpha", "beta"])
        self.assertEqual([n["self"] for n in rows], [True, False])
        self.assertIn("spring", rows[0]["topics"])
        self.assertNotIn("sink", rows[0]["topics"])
        self.assertRegex(rows[1]["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(rows[1]["patches"], [])
        b.stop()
        until(lambda: len(a.json("nodes")) == 1, "beta has left")
        table = a.actorctl("nodes").out
        self.assertIn("alpha", table)
        self.assertIn("NAME", table.upper())

    def test_two_with_one_name(self):
        a = self.node("alpha")
        second = actord("--node", "alpha", "--redis", self.server.url, "--listen", "none",
                        "--state", make_folder() / "state", "--control",
                        make_folder() / "control")
        self.assertEqual(second.code, 2, second)
        self.assertIn("--node alpha: another runtime has it", second.err)
        self.assertEqual(self.call(a, "echo", "say", "1"), [1])
        a.kill()
        again = self.start("--node", "alpha", redis=self.server.url, listen="none",
                           folder=a.folder)
        self.assertEqual([n["name"] for n in again.json("nodes")], ["alpha"])


class Called(Nodes):
    def test_send_and_ask(self):
        a, b = self.pair()
        self.assertEqual(self.call(a, "sink", "told"), [0, 0, 0])
        self.assertEqual(self.call(a, "spring", "run", "sink", 1, 20000, 0)[0], 20000)
        self.came(b, 20000)
        self.assertEqual(self.call(a, "spring", "ask", "sink", "told", 5000), [20000, 0, 0])
        with self.assertRaisesRegex(AssertionError, "sink.*no handler.*nothing"):
            self.call(a, "sink", "nothing")
        with self.assertRaisesRegex(AssertionError, "no actor named .nobody"):
            self.call(a, "nobody", "told")
        db = self.server.client()
        until(lambda: db.xlen("actord:{node:beta}") == 0, "the inbox is empty")

    def test_a_slow_one_slows_its_senders(self):
        a, b = self.pair()
        sent, refused = self.call(a, "spring", "run", "sink", 1, 30000, 0)
        del refused
        self.call(a, "spring", "run", "sink", 1, 3000, 1, seconds=60)
        self.came(b, sent + 3000)

    def test_its_inbox_is_lost(self):
        """By FLUSHALL, DEL or an eviction, while the link stays: it is made again, and said."""
        a, b = self.pair()
        db = self.server.client()
        self.assertEqual(self.call(a, "spring", "run", "sink", 1, 10, 0), [10, 0])
        self.came(b, 10)
        until(lambda: db.xlen("actord:{node:beta}") == 0, "the inbox is empty")
        self.assertEqual(db.delete("actord:{node:beta}"), 1)
        self.assertEqual(self.call(a, "spring", "ask", "sink", "told", 30000), [10, 0, 0])
        b.err.wait("Redis has lost actord:{node:beta}")

    def test_its_node_dies(self):
        a, b = self.pair()
        self.call(a, "spring", "watch", "sink")
        b.process.kill()
        with self.assertRaisesRegex(AssertionError, "-2: the node beta is gone"):
            self.call(a, "spring", "ask", "sink", "never", 60000)
        self.assertEqual(self.call(a, "spring", "wait"), ["sink: the node beta is gone"])
        with self.assertRaisesRegex(AssertionError, "no actor named"):
            self.call(a, "sink", "told")
        b.kill()

    def test_an_earlier_life_asked(self):
        """The answer to a question of a node's earlier life is not taken for one to this life's."""
        a, b = self.pair()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            def ask(number):
                asked = pool.submit(self.call, a, "spring", "ask", "sink", "never", 60000)
                until(lambda: self.call(b, "sink", "nevers") == [number], "the sink is asked")
                return asked
            first = ask(1)
            a.kill()
            self.assertRaises(AssertionError, first.result)
            a = self.node("alpha", "spring.c", folder=a.folder)
            self.reach(a, "sink")
            second = ask(2)
            self.assertEqual(self.call(b, "sink", "freed"), [1])
            self.assertEqual(self.call(a, "sink", "nevers"), [2])
            self.assertEqual(self.call(b, "sink", "freed"), [2])
            self.assertEqual(second.result(), [2])

    def test_watched_no_more(self):
        """A monitor that is taken back, or whose actor or node has ended, is none there either."""
        a, b = self.pair()
        number, = self.call(a, "spring", "watch", "sink")
        self.watched(b, 1)
        self.assertEqual(self.call(a, "spring", "unwatch", number), [0])
        self.watched(b, 0)
        for _ in range(20):
            self.assertEqual(self.call(a, "spring", "glance", "sink"), [0])
        self.call(a, "spring", "watch", "sink")
        self.watched(b, 1)
        a.kill()
        until(lambda: len(b.json("nodes")) == 1, "alpha is gone")
        a = self.node("alpha", "spring.c", folder=a.folder)
        self.watched(b, 0)
        self.reach(a, "sink")
        self.call(a, "spring", "watch", "sink")
        self.watched(b, 1)
        self.assertEqual(a.actorctl("stop", "spring").code, 0)
        self.watched(b, 0)

    def test_it_ends_there(self):
        a, b = self.pair()
        self.call(a, "spring", "watch", "sink")
        self.call(b, "sink", "end")
        self.assertRegex(self.call(a, "spring", "wait")[0], "^sink: ")


class Clients(Nodes):
    def test_clients_and_programs_reach_other_nodes(self):
        a = self.node("alpha", listen="127.0.0.1:0")
        b = self.node("beta", "sink.c")
        self.reach(a, "sink")
        fix = ('#include "actor.h"\n'
               "static int open_(actor *s, const msg *m) { (void)s; return msg_reply(m, %s); }\n"
               "const struct actor_type patch = { .name = \"sink\", .on = ON("
               "{ \"open\", \"n:int\", open_, ON_CLIENT }) };\n" % "msg_int(m, 0) + 1")
        path = make_folder() / "fix.c"
        path.write_text(fix)
        self.assertEqual(b.actorctl("patch", "apply", path).code, 0)
        client = a.client()
        self.assertEqual(client.call("open", 41, tpc="sink"), [42])
        # Only what clients may call is there for them, on the other node as here.
        for func in ("told", "put", "none"):
            self.assertRegex(self.refused(ENOENT, client.call, func, tpc="sink"),
                             "sink has no handler %s that clients may call" % func)
        self.assertRegex(self.refused(EARGS, client.call, "open", "x", tpc="sink"), "wants int")
        self.refused(ENOENT, client.call, "routed", tpc="bus")
        self.assertEqual(client.call("test", "a", "b", tpc="nobody"), ["ab"])
        # And a program by way of a node's rpc.
        caller = Caller(self.server.client())
        a.actorctl("send", "rpc", "callOther", "told", "sink", caller.ct, "heard")
        self.assertEqual(caller.answer()["args"], [0, 0, 0])
        b.kill()
        self.assertRegex(self.refused(ENOENT, client.call, "open", 1, tpc="sink"),
                         "the node beta is gone|has no handler open")


    def test_who_calls_from_another_node(self):
        a = self.node("alpha", "spring.c", listen="127.0.0.1:0")
        b = self.node("beta", "purse.c", listen="127.0.0.1:0")
        self.reach(a, "purse")
        self.reach(b, "clients")
        ann, bob = (a.client(login=False) for _ in "ab")
        for client, name in ((ann, "ann"), (bob, "bob")):
            client.login(name, "md5")
        for client, name in ((ann, "ann"), (bob, "bob"), (ann, "ann")):
            self.assertEqual(client.call("get", 0, "k", tpc="purse")[4], name)
        # It can be pushed to, then and later; what it keeps is not there.
        for client, name in ((bob, "bob"), (ann, "ann")):
            client.send({"func": "push", "args": ["hi " + name], "tpc": "purse", "cb": "cb"})
            client.send({"func": "later", "tpc": "purse"})
            came = sorted((m["func"], m["args"]) for m in (client.receive() for _ in range(3)))
            self.assertEqual(came, [("cb", [0, ""]), ("pushed", [name]),
                                    ("pushed", ["hi " + name])])
        self.assertRegex(self.refused(EFAIL, ann.call, "set", 0, "k", 1, tpc="purse"), "set: -2")
        # An actor that asks from there can be answered, and no more.
        rc, why = self.call(a, "spring", "ask", "purse", "push", 10000)
        self.assertEqual(rc, ENOENT)
        self.assertRegex(why, "has no reference here")
        # Wherever its sessions are, they end together; and nobody else's.
        there = b.client(login=False)
        there.login("ann", "md5")
        self.assertEqual(self.call(a, "clients", "close", "ann", "enough"), [1])
        self.assertEqual([client.closed() for client in (ann, there)], [([], 1008)] * 2)
        self.assertEqual(bob.call("get", 0, "k", tpc="purse")[4], "bob")


class Bad(Nodes):
    """Whoever writes to Redis can write anything into an inbox."""

    INBOX = "actord:{node:beta}"

    def frame(self, sequence, *parts, node="mallory", life=1):
        return b"".join(msgpack.packb(x) for x in ([1, node, life, sequence], *parts))

    def test_frames_that_are_none(self):
        a, b = self.pair()
        db = self.server.client()
        noise = [b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"{}",
                 msgpack.packb([2, "mallory", 1, 1]), self.frame(0), self.frame(1, [99]),
                 self.frame(2, [0, "sink"]), self.frame(3, [0, "sink", "put", b"x" * 100]),
                 self.frame(4, [0, "nobody", "put", 1, 1]),
                 self.frame(5, [1, 1, -5, "sink", "told"]), self.frame(6, [2, 1 << 60, 1]),
                 self.frame(7, [0, "x" * 5000, "put", 1, 1]),
                 self.frame(8, [0, "sink", "put", 1, 1])[:-1]]
        for bytes_ in noise:
            db.xadd(self.INBOX, {"f": bytes_})
        db.xadd(self.INBOX, {"other": "field", "and": "more"})
        until(lambda: db.xlen(self.INBOX) == 0, "all of it is gone")
        self.assertTrue(b.err.wait("was refused"))
        self.call(a, "spring", "run", "sink", 1, 1000, 0)
        self.came(b, 1000)

    def test_forged_sequences(self):
        a, b = self.pair()
        db = self.server.client()
        self.call(a, "spring", "run", "sink", 1, 100, 0)
        self.came(b, 100)
        # What has come is not acknowledged at once.
        seen = until(lambda: db.hget(self.INBOX + ":seen", "alpha"), "it is acknowledged")
        life = int(seen.split()[0])
        for sequence in (1 << 63, 1, 5000, (1 << 64) - 1):
            db.xadd(self.INBOX, {"f": self.frame(sequence, node="alpha", life=life)})
        db.xadd(self.INBOX, {"f": self.frame(1, node="alpha", life=life + 1)})
        self.call(a, "spring", "run", "sink", 1, 1000, 0)
        self.came(b, 1100)
        self.assertTrue(b.err.wait("or it is forged"))

    def test_watches_before_their_node_is_known(self):
        """Which life of a node watches says its frame, which may come before that life is known."""
        _, b = self.pair()
        db = self.server.client()

        def watch(life, sequence):
            frame = self.frame(sequence, [4, sequence, "sink"], life=life)
            db.xadd(self.INBOX, {"f": frame})

        def live(life):
            db.hset("actord:{nodes}:mallory", mapping={
                "identity": "m", "life": life, "info": msgpack.packb({"topics": ["of%d" % life]})})
            db.zadd("actord:{nodes}", {"mallory": (db.time()[0] + 3600) * 1000})
            db.incr("actord:{nodes}:version")
            self.reach(b, "of%d" % life)
        watch(7, 1)
        self.watched(b, 1)
        live(7)
        watch(7, 2)
        self.watched(b, 2)
        watch(8, 1)
        self.watched(b, 1)
        live(8)
        watch(8, 2)
        self.watched(b, 2)
        live(9)
        self.watched(b, 0)
        db.zrem("actord:{nodes}", "mallory")

    def test_keys_of_other_types(self):
        """In place of each of ours: it is said which, what needs none goes on, and all does when
        it has gone."""
        db = self.server.client()
        caller = Caller(db)
        reach, rollouts = "other nodes cannot reach this one: .*actord", "rollouts cannot be read: "
        for name, words in (("{nodes}:beta", reach), ("{nodes}:version", reach),
                            ("{node:beta}", reach), ("{node:beta}:seen", reach),
                            ("{rollouts}", rollouts), ("{rollouts}:seen", rollouts)):
            with self.subTest(name):
                db.flushdb()
                db.rpush("actord:" + name, "not what it should be")
                b = self.node("beta", "sink.c")
                self.assertTrue(b.err.wait(words))
                self.assertEqual(caller.call("sink", "told"), [0, 0, 0])
                self.assertEqual(db.delete("actord:" + name), 1)
                db.xadd("actord:{sink}", {"m": msgpack.packb({"func": "put", "args": [1, 1]})})
                until(lambda: caller.call("sink", "told") == [1, 0, 0], "all goes on", 20)
                until(lambda: b.json("nodes")[0]["topics"], "it is announced")
                b.stop()

    def test_redis_is_full(self):
        a, b = self.pair()
        db = self.server.client()
        self.call(a, "spring", "run", "sink", 1, 100, 0)
        self.came(b, 100)
        db.config_set("maxmemory", 1)
        run = threading.Thread(target=self.call, args=(a, "spring", "run", "sink", 1, 60000, 0))
        run.start()
        self.addCleanup(run.join)
        # Nobody is taken for dead for it, and senders are told that there is no room.
        self.assertTrue(a.err.wait("node beta: Redis takes no messages for it: OOM"))
        self.assertEqual(len(a.json("nodes")), 2)
        done = a.actorctl("send", "sink", "put", "2", "1")
        self.assertEqual(done.code, 1, done)
        self.assertIn("Redis is out of memory (OOM) and takes nothing for its node", done.err)
        with self.assertRaisesRegex(AssertionError, r"Redis is out of memory \(OOM\)"):
            self.call(a, "spring", "ask", "sink", "told", 1000)
        db.config_set("maxmemory", 0)
        run.join()
        self.came(b, 60100)


class Odd(Nodes):
    """What stands where a Redis should, names that are not meant well, clocks that differ."""

    def listen(self, serve):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        connections = []

        def served(connection):
            try:
                serve(connection)
            except OSError:
                pass                    # it was hung up on

        def accept():
            try:
                while True:
                    connections.append(server.accept()[0])
                    threading.Thread(target=served, args=(connections[-1],), daemon=True).start()
            except OSError:
                for connection in connections:
                    connection.close()
        threading.Thread(target=accept, daemon=True).start()
        return "redis://127.0.0.1:%d/0" % server.getsockname()[1]

    def stays_up(self, url, words):
        """It says why it has no Redis, serves who is here, and ends when it is told to."""
        runtime = self.start(redis=url, listen="none")
        self.assertTrue(runtime.err.wait("cannot be reached: .*" + words, 30))
        self.assertEqual(runtime.actorctl("call", "echo", "say", "1").out, "1\n")

    def test_no_redis_there(self):
        def http(connection):
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        def hangs_up(connection):
            connection.close()

        def errors(connection):
            while connection.recv(4096):
                connection.sendall(b"-ERR this is no Redis for you\r\n" * 8)

        def endless(begin, more):
            def serve(connection):
                connection.recv(100)
                connection.sendall(begin)
                while True:
                    connection.sendall(more)
            return serve
        noise = random.randbytes(1 << 16)
        cases = (
            (http, "Protocol error"), (hangs_up, "closed|reset"), (errors, "no Redis for you"),
            (endless(b"\xff", noise), "Protocol error"),
            (endless(b"", b"*1\r\n" * 9999), "nested|no Redis sends"),
            (endless(b"+", b"x" * 99999), "no Redis sends"),
            (endless(b"*2000000000\r\n", b":1\r\n" * 9999), "no Redis sends"),
            (endless(b"$4000000000000000000\r\n", noise), "no Redis sends"))
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            list(pool.map(lambda case: self.stays_up(self.listen(case[0]), case[1]), cases))

    def test_one_that_answers_slowly(self):
        """Each piece of what either side says comes 20 ms late: nothing is lost by it."""
        def through(source, to):
            try:
                while True:
                    data = source.recv(1 << 16)
                    if not data:
                        break
                    threading.Event().wait(0.02)
                    to.sendall(data)
            except OSError:
                pass
            to.close()

        def serve(connection):
            redis = socket.create_connection(("127.0.0.1", self.server.port))
            threading.Thread(target=through, args=(redis, connection), daemon=True).start()
            through(connection, redis)
        a = self.node("alpha", "spring.c")
        b = self.start("--node", "beta", ACTORS / "sink.c", listen="none",
                       redis=self.listen(serve)[:-1] + "1")
        self.reach(a, "sink")
        self.call(a, "spring", "run", "sink", 1, 2000, 0)
        self.came(b, 2000)

    def test_one_that_allows_little(self):
        """A user without streams: said once, and lists go on."""
        db = self.server.client()
        db.execute_command("ACL", "SETUSER", "little", "on", ">pw", "~*", "&*", "+@all", "-xadd",
                           "-xreadgroup", "-xgroup")
        url = self.server.url.replace("redis://", "redis://little:pw@")
        runtime = self.start(redis=url, listen="none")
        self.assertTrue(runtime.err.wait("other nodes cannot reach this one: "
                                         ".*(NOPERM|can't run|no permission)"))
        self.assertEqual(Caller(db).call("counter", "hit", 3), [3])
        self.assertLess(len(runtime.err.lines), 10)

    def test_one_that_lets_us_publish_nothing(self):
        """Not even to ourselves, which calls of what has barriers wait for otherwise."""
        db = self.server.client()
        db.execute_command("ACL", "SETUSER", "silent", "on", ">pw", "~*", "&*", "+@all", "-publish")
        runtime = self.start(redis=self.server.url.replace("redis://", "redis://silent:pw@"),
                             listen="none")
        for count in range(1, 6):
            db.rpush("rpc", json.dumps({"func": "callOtherNR", "args": ["hit", "counter", 1]}))
            until(lambda: runtime.json("call", "counter", "hit", "0")[0]["args"] == [count],
                  "call %d by the list" % count)

    def test_names_with_braces_and_without_end(self):
        a = self.node("al{p}ha", "spring.c")
        b = self.node("}be{ta", "sink.c")
        self.reach(a, "sink")
        self.call(a, "spring", "run", "sink", 1, 100, 0)
        self.came(b, 100)
        for name in "}", "{}", "x{sink}y", "x" * 300:
            with self.assertRaisesRegex(AssertionError, "no actor named|name"):
                self.call(a, name, "told")
        huge = "x" * (10 << 20)
        caller = Caller(self.server.client())
        # As whom to call by way of rpc, as the topic of an answer, as a key beside ours.
        for error in (self.refused(EFAIL, caller.call, "rpc", "callOtherNR", "told", huge),
                      self.refused(EFAIL, caller.call, "rpc", "callOtherNR", huge, "echo")):
            self.assertIn("there is no such actor or handler", error)
            self.assertLess(len(error), 1000)
        self.refused(EFAIL, caller.call, "rpc", "callOther", "told", "sink", huge, "cb")
        caller.db.rpush(huge, "{}")
        caller.db.xadd("actord:{%s}" % huge, {"m": b"{}"})
        caller.db.xadd("actord:{node:beta}", {"f": self.frame_to(huge)})
        self.assertEqual(caller.call("sink", "told"), [100, 0, 0])

    def test_names_of_our_own_streams(self):
        """An actor that is called as the runtime's own keys are takes nothing from them."""
        a = self.node("alpha", "spring.c", "crowd.c")
        b = self.node("beta", "sink.c")
        self.reach(a, "sink")
        for name in "node:beta", "node:alpha", "rollouts", "nodes", "claim:x":
            self.assertEqual(self.call(a, "crowd", "name", name, 1), [1])
        self.assertTrue(a.err.wait(r"actord:\{node:beta\} is the runtime's own"))
        self.call(a, "spring", "run", "sink", 1, 2000, 0)
        self.came(b, 2000)
        self.assertEqual(Caller(self.server.client()).call("node:beta", "hit"), [1])
        self.assertEqual(self.server.client().keys("actord:*:dead"), [])

    def frame_to(self, name):
        return b"".join(msgpack.packb(x) for x in ([1, "mallory", 1, 1], [0, name, "put", 1, 1]))

    def test_clocks_an_hour_apart(self):
        """All times that nodes have in common are Redis's."""
        so = make_folder() / "ahead.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", str(so), "-"], check=True,
                       input=AHEAD.encode())
        env = {"LD_PRELOAD": str(so)}
        if actord("--version", env=env).code:
            self.skipTest("this build cannot be given another clock")
        a = self.node("alpha", "spring.c")
        b = self.node("beta", "sink.c", "spring.c", env=env)
        self.reach(a, "sink")
        since = sorted(n["since"][:13] for n in b.json("nodes"))
        if since[0] == since[1]:
            self.skipTest("this build does not take another clock")
        self.call(a, "spring", "run", "sink", 1, 1000, 0)
        self.came(b, 1000)
        token, = self.call(b, "spring", "bus", "claim", "jobs")
        self.assertLessEqual(token, time.time() * 1000)
        with self.assertRaisesRegex(AssertionError, "claimed by the node beta"):
            self.call(a, "spring", "bus", "claim", "jobs")
        b.kill()
        until(lambda: len(a.json("nodes")) == 1, "beta is gone")
        self.node("beta", "sink.c", env=env, folder=b.folder)
        self.reach(a, "sink")
        self.assertEqual(self.call(a, "sink", "told"), [0, 0, 0])


AHEAD = r"""
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, t);

	t->tv_sec += clock == CLOCK_REALTIME ? 3600 : 0;
	return rc;
}
"""


if __name__ == "__main__":
    unittest.main()
