#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A Redis Cluster of three masters: what nodes send each other and what programs send them, while
slots move from master to master, a master is gone for a while, or a replica takes its place."""

import json
import logging
import signal
import subprocess
import unittest
import uuid

import msgpack
import redis

from harness import (ANSWERS, HERE, PATIENCE, Caller, Case, Lines, actorctl, free_port,
                     make_folder, pack, run, running, until)
from test_pymodule import Python

ACTORS = HERE / "actors"
logging.getLogger("redis.cluster").disabled = True      # it prints each redirect that it follows


class Cluster:
    """Three masters, which keep what they have."""
    scheme, host, query = "cluster", "127.0.0.1", ""
    settings, cli = {}, ()              # of clients; of redis-cli

    def __init__(self, case, timeout_ms=3000):
        self.process, self.bus, self.folder = {}, {}, make_folder()
        self.timeout_ms = int(timeout_ms)
        case.addCleanup(self.end)
        self.ports = [free_port() for _ in range(3)]
        for port in self.ports:
            self.start(port)
        done = run(["redis-cli", *self.cli, "--cluster", "create",
                    *("127.0.0.1:%d" % p for p in self.ports), "--cluster-yes"])
        if done.code:
            raise AssertionError(done)
        until(lambda: all(self.whole(p) for p in self.ports), "all know of all")
        self.url = self.of(free_port(), *self.ports)

    def of(self, *ports, host=None, query=None):
        return "%s://%s%s" % (self.scheme,
                              ",".join("%s:%d" % (host or self.host, p) for p in ports),
                              self.query if query is None else query)

    def listen(self, port):
        return {"port": port, "bind": "127.0.0.1"}

    def start(self, port):
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        self.process[port] = process = subprocess.Popen(
            ["redis-server", "--save", "",
             *(w for k, v in self.listen(port).items() for w in ["--" + k, *str(v).split()]),
             "--appendonly", "yes", "--appendfsync", "always", "--dir", str(folder),
             "--cluster-enabled", "yes", "--cluster-node-timeout", str(self.timeout_ms),
             "--repl-diskless-sync-delay", "0",
             "--cluster-port", str(self.bus.setdefault(port, free_port()))],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        running.add(process)
        if Lines(process.stdout).wait("Ready to accept") is None:
            raise AssertionError("redis-server did not start")

    def kill(self, port):
        self.process[port].kill()
        self.process[port].wait()
        running.discard(self.process[port])

    def end(self):
        for port in self.process:
            self.kill(port)

    def node(self, port):
        return redis.Redis(self.host, port, **self.settings)

    def whole(self, port):
        db = self.node(port)
        info = db.execute_command("CLUSTER INFO")
        flags = [n["flags"] for n in db.execute_command("CLUSTER NODES").values()]
        return info["cluster_state"] == "ok" and len(flags) == len(self.process) and \
            not [f for f in flags if "fail" in f]

    def client(self):
        return redis.RedisCluster(self.host, self.ports[0], **self.settings)

    def replicate(self, master):
        """A new server, which has all that the master has: its port."""
        port = free_port()
        self.start(port)
        name = self.node(master).execute_command("CLUSTER MYID").decode()
        done = run(["redis-cli", *self.cli, "--cluster", "add-node", "127.0.0.1:%d" % port,
                    "127.0.0.1:%d" % master, "--cluster-slave", "--cluster-master-id", name])
        if done.code:
            raise AssertionError(done)
        until(lambda: all(self.whole(p) for p in self.process), "all know of it")
        self.until_copied(master)
        return port

    def until_copied(self, master):
        def is_copied():
            info = self.node(master).info("replication")
            return info["connected_slaves"] and \
                info["slave0"]["offset"] == info["master_repl_offset"]
        until(is_copied, "the replica has it all", 30)

    def slot(self, key):
        return self.node(self.ports[-1]).execute_command("CLUSTER KEYSLOT", key)

    def owner(self, key):
        slot = self.slot(key)
        return next(row[2][1] for row in self.node(self.ports[-1]).execute_command("CLUSTER SLOTS")
                    if row[0] <= slot <= row[1])

    def move(self, key, halfway=lambda: None):
        """The slot of key goes to another master. Halfway there its keys have gone already, but it
        has not: so Redis says ASK, and then MOVED."""
        slot, old = self.slot(key), self.owner(key)
        new = next(p for p in self.ports if p != old)
        name = {p: self.node(p).execute_command("CLUSTER MYID").decode() for p in self.ports}
        self.node(new).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", name[old])
        self.node(old).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", name[new])
        while keys := self.node(old).execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            self.node(old).execute_command("MIGRATE", "127.0.0.1", new, "", 0, 5000, "KEYS", *keys)
        halfway()
        for port in new, *(p for p in self.ports if p != new):
            self.node(port).execute_command("CLUSTER SETSLOT", slot, "NODE", name[new])


class Clustered(Case):
    options, timeout_ms, made = None, 3000, Cluster

    def setUp(self):
        super().setUp()
        self.cluster = self.made(self, self.timeout_ms)
        self.db = self.cluster.client()

    def node(self, name, *actors, redis=None):
        return self.start("--node", name, "--unsigned-patches", *(ACTORS / a for a in actors),
                          redis=redis or self.cluster.url, listen="none")

    def told(self, runtime):
        done = runtime.actorctl("--json", "call", "sink", "told")
        return None if done.code else json.loads(done.out)["args"]

    def is_lost(self, runtime, port):
        self.assertTrue(runtime.err.wait("lost %s://.*: the master %s:%d" % (
            self.cluster.scheme, self.cluster.host, port), 30))

    def run_more(self, runtime, count):
        done = runtime.actorctl("--json", "--timeout", "30000", "call", "spring", "run", "sink",
                                "1", str(count), "0")
        self.assertEqual(done.code, 0, done)


class Messages(Clustered):
    def test_node_to_node(self):
        a, b = self.node("alpha", "spring.c"), self.node("beta", "sink.c")
        until(lambda: self.told(a) == [0, 0, 0], "they reach each other")
        for key in "actord:{node:beta}", "actord:{node:alpha}", "actord:{nodes}":
            total = self.told(a)[0]
            self.cluster.move(key, lambda: self.run_more(a, 1000))
            self.run_more(a, 1000)
            until(lambda: self.told(a) == [total + 2000, 0, 0], "all have come", 30)
        # All of that was no reason to drop the links; a master that dies is one.
        lost = "lost %s" % self.cluster.scheme
        self.assertFalse([x for x in a.err.lines + b.err.lines if lost in x])
        port = self.cluster.owner("actord:{node:beta}")
        self.cluster.kill(port)
        self.is_lost(a, port)
        before = len(a.err.lines)
        self.cluster.start(port)
        self.assertTrue(a.err.wait("connected to %s://" % self.cluster.scheme, 30, after=before))
        until(lambda: self.told(a) == [6000, 0, 0], "they reach each other again", 30)
        self.run_more(a, 1000)
        until(lambda: self.told(a) == [7000, 0, 0], "all have come", 30)

    def answers(self, topic, expected, **more):
        """On a list; or on a channel, whichever master that is heard at, and then on no list."""
        caller = Caller(self.db)
        self.assertEqual(caller.call(topic, "test", "x", "y", **more), expected)
        for port in self.cluster.ports:
            ct = uuid.uuid4().hex       # what one heard may come to the next master later
            heard = self.cluster.node(port).pubsub()
            heard.subscribe(ct)
            self.assertEqual(heard.get_message(timeout=10 * PATIENCE)["type"], "subscribe")
            self.db.rpush(topic, pack({"func": "test", "args": ["x", "y"], "cb": "back",
                                       "ct": ct}, "json"))
            answer = heard.get_message(timeout=10 * PATIENCE)
            self.assertEqual(json.loads(answer["data"])["args"], expected)
            heard.close()
            self.assertFalse(self.db.exists(ct))

    def test_a_name_that_is_no_tag(self):
        """Its stream and that of its dead letters would be in two slots: it has none."""
        node = self.start("--node", "alpha", "--topic", "}x", listen="none", redis=self.cluster.url)
        self.assertTrue(node.err.wait("actord:{}x} is in another slot than the keys beside it"))
        self.assertEqual(Caller(self.db).call("}x", "test", "x", "y"), ["args: x, y."])

    def test_programs_and_patches(self):
        node = self.node("alpha")
        self.assertIn(int(node.ready["redis"].split(":")[2].split("/")[0]), self.cluster.ports)
        self.answers("rpc", ["args: x, y."])
        self.cluster.move("rpc", lambda: self.answers("rpc", ["args: x, y."]))
        self.answers("rpc", ["args: x, y."])
        caller = Caller(self.db, "msgpack")
        for n in range(3):
            self.db.xadd("actord:{echo}", {"m": pack(
                {"func": "say", "args": [n], "cb": "back", "ct": caller.ct}, "msgpack")})
            self.assertEqual(caller.answer()["args"], [n])
        until(lambda: not self.db.xlen("actord:{echo}"), "they are acknowledged")
        caller.exec('#include "actor.h"\n'
                    "static int doubled(actor *self, const msg *m)\n"
                    "{ (void)self; return msg_reply(m, 2 * msg_int(m, 0)); }\n"
                    'const struct actor_type patch = { .name = "echo",\n'
                    '\t.on = ON({ "say", "...", doubled, 0 }) };\n')
        self.assertEqual(caller.call("echo", "say", 21), [42])
        fix = node.folder / "fix.c"
        fix.write_text(ANSWERS % 7 + 'const struct actor_type patch = { .name = "echo",\n'
                       '\t.on = ON({ "seven", "", answers, 0 }) };\n')
        done = node.actorctl("patch", "apply", fix, "--group", "*")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(caller.call("echo", "seven"), [7])
        self.db.set("echo", "no list")
        self.assertTrue(node.err.wait("the Redis key echo is a string"))
        self.assertEqual(caller.call("rpc", "test", "x", "y"), ["args: x, y."])
        self.assertFalse([x for x in node.err.lines if ", no list:" in x and " echo " not in x])

    def through(self, *args, **more):
        """actorctl by way of the Cluster."""
        return actorctl("--redis", self.cluster.url, *args, **more)

    def test_tools(self):
        self.fails(self.through("ping"), 4)
        node = self.node("alpha")
        self.fails(self.through("--node", "nobody", "ping"), 3)
        for args in (), ("--node", "alpha"):
            until(lambda: not self.through(*args, "ping").code, "the node is heard")
        for total in range(5):          # the answers' list is a new one each time: at any master
            done = self.through("call", "counter", "hit", "1")
            self.assertEqual((done.code, done.out), (0, "%d\n" % (total + 1)), done)
        python = Python(self, url=self.cluster.url)
        until(lambda: any("sums" in row["topics"] for row in node.json("nodes")), "it is found")
        self.assertEqual(node.actorctl("call", "sums", "add", "2", "3").out, "5\n")
        self.assertEqual(python.do("ask", "counter", "hit", 2), [[7]])
        caller = Caller(self.db)
        for n in range(3):              # by its list, its channel and its stream
            self.assertEqual(caller.call("old python", "add", n, 1), [n + 1])
            self.assertEqual(caller.call("old python", "add", n, 2, via="publish"), [n + 2])
            self.db.xadd("actord:{sums}", {"m": pack(
                {"func": "add", "args": [n, 3], "cb": "back", "ct": caller.ct}, "msgpack")})
            self.assertEqual(msgpack.unpackb(self.db.blpop(caller.ct, 10)[1])["args"], [n + 3])
            notes = [pack({"func": "note", "args": [[n, m]]}, "msgpack") for m in range(2)]
            self.db.execute_command("XADD", "actord:{sums}", "*", "m", notes[0], "m", notes[1])
            for m in range(2):
                python.said.wait(r'^\["note", \[%d, %d\]' % (n, m))
            for key in "actord:{node:python}", "actord:{nodes}", "actord:{sums}":
                self.cluster.move(key)
            self.assertEqual(node.actorctl("call", "sums", "add", "2", n).out, "%d\n" % (n + 2))
        self.assertEqual(list(python.do("send_patch", ANSWERS % 9 + 'const struct actor_type patch'
                                        ' = { .name = "echo",\n\t.on = ON({ "nine", "", answers,'
                                        ' 0 }) };\n')[0]), ["alpha"])
        self.assertEqual(python.do("ask", "echo", "nine"), [[9]])


class Failover(Clustered):
    timeout_ms = 1000 * PATIENCE

    def setUp(self):
        super().setUp()
        self.port = self.cluster.ports[0]
        self.replica = self.cluster.replicate(self.port)
        self.name = next(n for n in map("beta{}".format, range(100)) if self.owner(n) == self.port)

    def owner(self, name):
        return self.cluster.owner("actord:{node:%s}" % name)

    def two_nodes(self):
        a = self.node("alpha", "spring.c")
        self.node(self.name, "sink.c")
        until(lambda: self.told(a) == [0, 0, 0], "they reach each other")
        self.run_more(a, 1000)
        until(lambda: self.told(a) == [1000, 0, 0], "all have come", 30)
        self.cluster.until_copied(self.port)
        return a

    def test_a_replica_takes_over(self):
        a = self.two_nodes()
        # Nobody has said that a write needs the replica.
        self.assertTrue(a.err.wait("may lose .*min-replicas-to-write 1"))
        self.assertIn("min-replicas-to-write", a.json("inspect")[0]["redis"]["warning"])
        before = len(a.err.lines)
        self.cluster.kill(self.port)
        self.is_lost(a, self.port)
        until(lambda: self.owner(self.name) == self.replica, "a failover", 60)
        self.assertTrue(a.err.wait("connected to %s://" % self.cluster.scheme, 60, after=before))
        until(lambda: self.told(a) == [1000, 0, 0], "they reach each other again", 30)
        self.run_more(a, 1000)
        until(lambda: self.told(a) == [2000, 0, 0], "all have come", 30)
        # The new master has no replica that could take over, until the old one is that.
        self.assertNotIn("warning", a.json("inspect")[0]["redis"])
        before = len(a.err.lines)
        self.cluster.start(self.port)
        self.assertTrue(a.err.wait("a failover of .*:%d may lose" % self.replica, 30, after=before))

    def test_a_master_that_stood_still(self):
        """Awake again it takes what stands in its sockets, before it hears that it is none."""
        for port in self.port, self.replica:
            self.cluster.node(port).config_set("min-replicas-to-write", 1)
            self.cluster.node(port).config_set("min-replicas-max-lag", 1)
        a = self.two_nodes()
        self.assertNotIn("warning", a.json("inspect")[0]["redis"])
        old = self.cluster.process[self.port]
        old.send_signal(signal.SIGSTOP)
        self.run_more(a, 1000)
        until(lambda: self.owner(self.name) == self.replica, "a failover", 60)
        old.send_signal(signal.SIGCONT)
        until(lambda: self.told(a) == [2000, 0, 0], "all have come", 60)


if __name__ == "__main__":
    unittest.main()
