#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What outlasts: the actor `store`, and what sessions keep for themselves, on the disk, in Redis
and for a day, through kill -9 and on two nodes."""

import json
import os
import pathlib
import re
import shutil
import signal
import unittest

import harness
from harness import EFAIL, ENOENT, HERE, Case, ControlLine, RedisServer, make_folder, run, until

TEMP, LOCAL, SHARED, TODAY = range(4)
INT, NUM, STR, NONE = 1, 2, 4, 0


class Keep(Case):
    options = None

    def begin(self, *args, **more):
        return self.start(HERE / "actors/purse.c", *args, **more)

    def login(self, runtime, user):
        client = runtime.client(login=False)
        client.login(user, "x")
        return client

    def get(self, client, keep, key):
        return client.call("get", keep, key, tpc="purse")

    def number(self, client, keep, key):
        return self.get(client, keep, key)[1]

    def again(self, runtime, **more):
        """Killed, and started anew on what is left."""
        redis = runtime.command[runtime.command.index("--redis") + 1]
        runtime.kill()
        return self.begin(folder=runtime.folder, redis=redis, **more)


class Sessions(Keep):
    def test_where_things_are_kept(self):
        runtime = self.begin()
        ann, bob = self.login(runtime, "ann"), self.login(runtime, "bob")
        for keep in TEMP, LOCAL, SHARED, TODAY:
            self.assertEqual(self.get(ann, keep, "gold"), [NONE, 0, 0, "", "ann"])
            ann.call("set", keep, "gold", 10 + keep, tpc="purse")
            self.assertEqual(ann.call("add", keep, "gold", 5, tpc="purse"), [15 + keep])
            self.assertEqual(self.get(ann, keep, "gold"), [INT, 15 + keep, 15 + keep, "", "ann"])
            ann.call("set", keep, "name", "Ännchen", tpc="purse")
            self.assertEqual(self.get(ann, keep, "name"), [STR, 0, 0, "Ännchen", "ann"])
            ann.call("set", keep, "part", 0.5, tpc="purse")
            self.assertEqual(self.get(ann, keep, "part"), [NUM, 0, 0.5, "", "ann"])
            self.refused(EFAIL, ann.call, "add", keep, "name", 1, tpc="purse")
            ann.call("drop", keep, "part", tpc="purse")
            self.assertEqual(self.get(ann, keep, "part")[0], NONE)
            self.assertEqual(self.get(bob, keep, "gold")[0], NONE)
        # A second session of the same user: its own temporary things, the user's other ones.
        second = self.login(runtime, "ann")
        self.assertEqual([self.number(second, k, "gold") for k in range(4)], [0, 16, 17, 18])
        second.close()
        for wrong in "", "x" * 129:
            said = self.refused(EFAIL, ann.call, "set", LOCAL, wrong, 1, tpc="purse")
            self.assertIn("set: -1: a key has 1 to 128 bytes", said)
        said = self.refused(EFAIL, ann.call, "set", LOCAL, "big", "x" * 65536, tpc="purse")
        self.assertIn("the value of big takes 65541 bytes, 65536 may be", said)
        ann.call("set", LOCAL, "word", "x", tpc="purse")
        said = self.refused(EFAIL, ann.call, "add", LOCAL, "word", 1, tpc="purse")
        self.assertIn("add: -1: word is no int", said)

    def test_names_do_not_meet(self):
        """Users whose names begin alike share nothing on the disk, and find what they had."""
        runtime = self.begin()
        names = "ann", "ann/d", "ann/l", "ann//l", "/ann", "/", "user", "user/ann"
        keys = "gold", "/gold", "gold/l", "l/gold", "ann/lgold"
        for user in names:
            for key in keys:
                value = json.dumps([user, key])
                status, _ = runtime.post("purse/set", LOCAL, key, value, user=user)
                self.assertEqual(status, 200)
        for i in range(256):
            self.assertEqual(runtime.post("purse/set", TODAY, "k", i, user="ann/%d" % i)[0], 200)
        # What the store answers was written behind all that.
        self.assertEqual(runtime.json("call", "store", "put", "here", "1")[0]["args"], [])
        for again in range(2):
            for user in names:
                for key in keys:
                    status, answer = runtime.post("purse/get", LOCAL, key, user=user)
                    self.assertEqual((status, answer["args"][3]), (200, json.dumps([user, key])))
            runtime = self.again(runtime) if not again else runtime
        self.assertEqual(runtime.json("call", "store", "get", "user/ann/lgold")[0]["args"],
                         ['["ann", "gold"]'])

    def test_a_name_with_a_zero_byte(self):
        client = self.begin().client(login=False)
        client.send({"func": "login", "args": ["ann\0", "x"]})
        frames, code = client.closed()
        self.assertEqual(([f["args"] for f in frames], code), ([[1]], 1008))

    def test_kill_9(self):
        runtime = self.begin("--node", "one")
        ann = self.login(runtime, "ann")
        for i in range(100):
            ann.call("add", LOCAL, "gold", 1, tpc="purse")
            ann.call("add", TODAY, "hits", 1, tpc="purse")
        ann.call("set", LOCAL, "gone", 1, tpc="purse")
        ann.call("drop", LOCAL, "gone", tpc="purse")
        # What the store answers was written behind all that.
        self.assertEqual(runtime.json("call", "store", "put", "here", "1")[0]["args"], [])
        runtime = self.again(runtime)
        ann = self.login(runtime, "ann")
        self.assertEqual([self.number(ann, k, "gold") for k in (TEMP, LOCAL)], [0, 100])
        self.assertEqual(self.number(ann, TODAY, "hits"), 100)
        self.assertEqual(self.get(ann, LOCAL, "gone")[0], NONE)

    def test_loaded_before_the_first_call(self):
        runtime = self.begin()
        for i in range(30):
            ann = self.login(runtime, "ann")
            # Right behind the login, and right behind the end of the session before.
            self.assertEqual(ann.call("add", LOCAL, "times", 1, tpc="purse"), [i + 1])
            self.assertEqual(ann.call("add", SHARED, "times", 1, tpc="purse"), [i + 1])
            ann.close()

    def test_shared_by_two_nodes(self):
        redis = RedisServer()
        self.addCleanup(redis.stop)
        one, two = [self.begin("--node", name, redis=redis.url) for name in ("one", "two")]
        hear = lambda: redis.client().pubsub_numsub("clients")[0][1]
        until(lambda: hear() == 2, "both have subscribed")
        here, there = self.login(one, "ann"), self.login(two, "ann")
        for i in range(20):
            here.call("add", SHARED, "gold", 1, tpc="purse")
            there.call("add", SHARED, "gold", 1, tpc="purse")
        here.call("set", SHARED, "title", "queen", tpc="purse")
        for client in here, there:
            until(lambda: self.number(client, SHARED, "gold") == 40, "both have the sum")
            until(lambda: self.get(client, SHARED, "title")[3] == "queen", "and the title")
        hash_of = {k.decode(): json.loads(v)
                   for k, v in redis.client().hgetall("actord:user:ann").items()}
        self.assertEqual(hash_of, {"gold": 40, "title": "queen"})
        there.call("drop", SHARED, "title", tpc="purse")
        until(lambda: self.get(here, SHARED, "title")[0] == NONE, "it is gone here too")
        # At the same time, and while somebody logs in: all end with what Redis has.
        late = self.begin("--node", "three", redis=redis.url)
        until(lambda: hear() == 3, "so has the third")
        for i in range(200):
            for client in here, there:
                client.send({"tpc": "purse", "func": "add", "args": [SHARED, "gold", 1]})
            if i == 100:
                late = self.login(late, "ann")
        for client in here, there, late:
            until(lambda: self.number(client, SHARED, "gold") == 440, "all have the sum")
        self.assertEqual(redis.client().hget("actord:user:ann", "gold"), b"440")
        # What others write there is taken when it is told of; what is no number is not added to.
        redis.client().hset("actord:user:ann", "gold", "dust")
        here.call("add", SHARED, "gold", 1, tpc="purse")
        until(lambda: self.get(here, SHARED, "gold")[3] == "dust", "it is what Redis has")

    def test_what_changed_while_redis_was_away(self):
        """The other nodes' words of it are lost; and nothing can be set here meanwhile."""
        redis = RedisServer()
        self.addCleanup(redis.stop)
        runtime = self.begin("--node", "one", redis=redis.url)
        ann = self.login(runtime, "ann")
        for key in "gold", "lost", "local":
            ann.call("set", SHARED, key, 1, tpc="purse")
        until(lambda: redis.client().hlen("actord:user:ann") == 3, "Redis has it")
        redis.stop()
        runtime.err.wait("lost redis")
        for call in ("set", SHARED, "local", 2), ("add", SHARED, "gold", 1), ("drop", SHARED,
                                                                             "lost"):
            why = self.refused(EFAIL, ann.call, *call, tpc="purse")
            self.assertIn("Redis is away", why)
        self.assertEqual([self.number(ann, SHARED, k) for k in ("gold", "lost", "local")], [1] * 3)
        ann.call("set", LOCAL, "local", 2, tpc="purse")
        runtime.process.send_signal(signal.SIGSTOP)
        redis.start()
        redis.client().hset("actord:user:ann", mapping={"gold": 7, "local": 5, "new": '"x"'})
        runtime.process.send_signal(signal.SIGCONT)
        for key, kind, number in (("gold", INT, 7), ("local", INT, 5), ("lost", NONE, 0),
                                  ("new", STR, 0)):
            until(lambda: self.get(ann, SHARED, key)[:2] == [kind, number], key + " is as there")

    def test_redis_refuses_it(self):
        """A change that it did not take is taken back; who sets more is told why, and one line
        says it, however many there were."""
        redis = RedisServer()
        self.addCleanup(redis.stop)
        runtime = self.begin("--node", "one", redis=redis.url)
        ann = self.login(runtime, "ann")
        ann.call("set", SHARED, "gold", 1, tpc="purse")
        until(lambda: redis.client().hget("actord:user:ann", "gold") == b"1", "Redis has it")
        redis.client().config_set("min-replicas-to-write", 1)
        for i in range(100):
            ann.send({"tpc": "purse", "func": "set", "args": [SHARED, "gold", 100 + i]})

        def refusal():
            try:
                ann.call("set", SHARED, "gold", 2, tpc="purse")
            except harness.Refused as error:
                return error.text
            return None

        until(lambda: "NOREPLICAS" in (refusal() or ""), "its reason is told")
        until(lambda: self.number(ann, SHARED, "gold") == 1, "it is as Redis has it")
        said = [line for line in runtime.err.lines if "gold of ann was not written" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn("NOREPLICAS", said[0])
        redis.client().config_set("min-replicas-to-write", 0)
        until(lambda: refusal() is None, "it goes on")
        until(lambda: redis.client().hget("actord:user:ann", "gold") == b"2", "and is written")

    def test_redis_refuses_to_say(self):
        """What it has instead is not known: it is asked until it is."""
        redis = RedisServer()
        self.addCleanup(redis.stop)
        runtime = self.begin("--node", "one", redis=redis.url)
        ann = self.login(runtime, "ann")
        ann.call("set", SHARED, "gold", 1, tpc="purse")
        until(lambda: redis.client().hget("actord:user:ann", "gold") == b"1", "Redis has it")
        db = redis.client()
        refused = lambda: {entry["object"]: int(entry["count"]) for entry in db.acl_log()}
        db.execute_command("ACL", "SETUSER", "default", "-hset", "-hget", "-hgetall")
        ann.call("set", SHARED, "gold", 2, tpc="purse")
        until(lambda: refused().get("hgetall", 0) > 1, "it is asked again and again")
        db.execute_command("ACL", "SETUSER", "default", "+@all")
        until(lambda: self.number(ann, SHARED, "gold") == 1, "it is as Redis has it")

    def test_redis_does_not_say_at_a_login(self):
        """It is asked again, and one line says so, however often that was."""
        redis = RedisServer()
        self.addCleanup(redis.stop)
        runtime = self.begin("--node", "one", redis=redis.url)
        db = redis.client()
        db.set("actord:user:ann", "not a hash")
        ann = self.login(runtime, "ann")
        self.assertEqual(self.number(ann, SHARED, "gold"), 0)
        asked = lambda: db.info("commandstats")["cmdstat_hgetall"]["failed_calls"]
        until(lambda: asked() > 1, "it was asked again")
        db.delete("actord:user:ann")
        db.hset("actord:user:ann", "gold", 5)
        until(lambda: self.number(ann, SHARED, "gold") == 5, "it is as Redis has it")
        runtime.end()
        said = [line for line in runtime.err.all() if "could not be read" in line]
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], "what ann shares .*actord:user:ann.*WRONGTYPE")

    def test_redis_stands_still(self):
        """More is set than may wait for it: what is left out is read when there is room again."""
        redis = RedisServer()
        self.addCleanup(redis.stop)
        runtime = self.begin("--node", "one", redis=redis.url)
        clients = [self.login(runtime, "u%d" % i) for i in range(20)]
        db = redis.client()
        pid = db.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            for number in range(1000):
                for client in clients:
                    client.send({"tpc": "purse", "func": "set", "args": [SHARED, "gold", number]})
            self.assertIsNotNone(runtime.err.wait("too many questions wait"))
        finally:
            os.kill(pid, signal.SIGCONT)
        for i, client in enumerate(clients):
            until(lambda: self.number(client, SHARED, "gold")
                  == int(db.hget("actord:user:u%d" % i, "gold")), "it is as Redis has it")
        said = [line for line in runtime.err.lines if "too many questions" in line]
        self.assertEqual(len(said), 1, said)

    def test_without_redis(self):
        runtime = self.start(HERE / "actors/purse.c", redis="none")
        ann = self.login(runtime, "ann")
        self.refused(EFAIL, ann.call, "set", SHARED, "gold", 1, tpc="purse")
        ann.call("set", LOCAL, "gold", 1, tpc="purse")


# A small file system for --state of the one that is started, with something on it to be removed.
SMALL = 'mount -t tmpfs -o size=3m tmpfs "$0" && head -c 1M /dev/zero >"$0/ballast" && exec "$@"'
TROUBLE = re.compile(harness.TROUBLE.pattern.replace("Z error |", ""))


class FullDisk(Keep):
    @unittest.skipUnless(run(["unshare", "-m", "true"]).code == 0, "needs to mount")
    def test_full_disk(self):
        folder = make_folder()
        (folder / "state").mkdir()
        runtime = self.begin(folder=folder, redis="none", stop=False,
                             prefix=("unshare", "-m", "sh", "-c", SMALL, folder / "state"))
        self.addCleanup(runtime.stop, trouble=TROUBLE)
        ann = self.login(runtime, "ann")
        ann.call("set", LOCAL, "gold", 1, tpc="purse")
        done, count = None, 0
        while not done or done.code == 0:
            done = runtime.actorctl("call", "store", "put", "k%d" % count, '"%s"' % ("x" * 50000))
            count += 1
            self.assertLess(count, 200)
        self.assertEqual(done.code, 1)
        self.assertIn("No space left", done.err)
        # The node goes on, and so does reading; what a session keeps is tried again.
        self.assertEqual(runtime.json("call", "store", "get", "k0")[0]["args"], ["x" * 50000])
        self.assertEqual(ann.call("add", LOCAL, "gold", 1, tpc="purse"), [2])
        (pathlib.Path("/proc/%d/root" % runtime.pid) / str(folder)[1:] / "state/ballast").unlink()
        until(lambda: runtime.actorctl("call", "store", "put", "more", "1").code == 0, "room again")
        until(lambda: runtime.json("call", "store", "get", "user/ann/lgold")[0]["args"] == [2],
              "what was kept is written", 20)


class Store(Keep):
    def call(self, runtime, func, *args):
        return runtime.json("call", "store", func, *args)[0]["args"]

    def test_values(self):
        runtime = self.start()
        for value in ("1", '"text"', "[1,[2,{\"a\":null}]]", "null", "true", "0.5"):
            self.assertEqual(self.call(runtime, "put", "k", value), [])
            self.assertEqual(self.call(runtime, "get", "k"), [json.loads(value)])
        self.assertEqual(self.call(runtime, "delete", "k"), [1])
        self.assertEqual(self.call(runtime, "delete", "k"), [0])
        self.assertEqual(self.call(runtime, "get", "k"), [])
        self.assertEqual(self.call(runtime, "add", "n", "5"), [5])
        self.assertEqual(self.call(runtime, "add", "n", "-7"), [-2])
        for wrong in (["put", "", "1"], ["put", "x" * 504, "1"], ["put", "k", "1", "0"],
                      ["put", "k", "1", "-1"]):
            self.assertEqual(runtime.actorctl("call", "store", *wrong).code, 1, wrong)

    def test_prefix(self):
        runtime = self.start()
        for i in range(30):
            self.call(runtime, "put", "list/%02d" % i, str(i))
        self.call(runtime, "put", "lisp", "0")
        self.call(runtime, "put", "listen", "0")
        whole = {"list/%02d" % i: i for i in range(30)}
        self.assertEqual(self.call(runtime, "prefix", "list/"), [whole])
        pages, after = {}, ""
        while True:
            page, = self.call(runtime, "prefix", "list/", "7", after)
            if not page:
                break
            self.assertLessEqual(len(page), 7)
            pages.update(page)
            after = max(page)
        self.assertEqual(pages, whole)
        self.assertEqual(self.call(runtime, "prefix", "none"), [{}])

    def test_terms_and_kill_9(self):
        runtime = self.start()
        self.call(runtime, "put", "short", "1", "0.2")
        self.call(runtime, "put", "long", "2", "3600")
        self.call(runtime, "put", "made good", "3", "0.2")
        self.call(runtime, "put", "made good", "4")
        until(lambda: self.call(runtime, "get", "short") == [], "its time is over")
        runtime.kill()
        runtime = self.start(folder=runtime.folder)
        self.assertEqual([self.call(runtime, "get", k) for k in ("short", "long", "made good")],
                         [[], [2], [4]])

    def test_what_is_added_to_keeps_its_term(self):
        runtime = self.start()
        line = ControlLine(runtime.control)
        self.addCleanup(line.close)

        def added():
            line.call("put", "tries", 1, 1, tpc="store")
            return line.call("add", "tries", 1, tpc="store")["args"] == [2]

        until(added, "added within the term", 60)
        until(lambda: self.call(runtime, "get", "tries") == [], "its time is over")

    def test_removed_while_it_runs(self):
        """Nothing is said to be kept that is gone with the process."""
        runtime = self.begin(redis="none", stop=False)
        self.addCleanup(runtime.stop, trouble=TROUBLE)
        ann = self.login(runtime, "ann")
        self.call(runtime, "put", "k", "1")
        shutil.rmtree(runtime.state)
        self.assertIn("removed", self.fails(runtime.actorctl("call", "store", "put", "k", "2"), 1))
        self.assertEqual(self.call(runtime, "get", "k"), [1])
        ann.call("set", LOCAL, "gold", 1, tpc="purse")
        self.assertIsNotNone(runtime.err.wait("to be kept could not be written: .* removed"))
        patch = HERE / "../../patches/counter_cap.c"
        self.assertIn("has been removed: a patch would be gone",
                      self.fails(runtime.actorctl("patch", "apply", patch), 6))

    def test_not_for_clients(self):
        runtime = self.start()
        client = runtime.client()
        for func, args in ("get", ["k"]), ("put", ["k", 1]), ("prefix", [""]):
            self.refused(ENOENT, client.call, func, *args, tpc="store")


if __name__ == "__main__":
    unittest.main()
