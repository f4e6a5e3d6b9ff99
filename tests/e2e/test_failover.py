#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A Redis that Sentinels watch: nodes find the master by them, and go where it is after a
failover."""

import json
import signal
import subprocess
import unittest

import redis

from harness import (HERE, PATIENCE, Case, Lines, actorctl, free_port, make_folder, running, until,
                     write_files)

ACTORS = HERE / "actors"


class Watched:
    """A master, a replica and three Sentinels, all real."""
    scheme, host, query = "sentinel", "127.0.0.1", ""
    settings = {}                       # of clients
    sentinel_conf = ""

    def __init__(self, case):
        self.folder = make_folder()
        self.ports = [free_port() for _ in range(2)]
        self.process = {}
        case.addCleanup(self.end)
        for port in self.ports:
            self.redis(port)
        self.client(self.ports[1]).replicaof(self.host, self.ports[0])
        until(lambda: self.client(self.ports[0]).info("replication")["connected_slaves"] == 1,
              "the replica is there")
        self.sentinels = [free_port() for _ in range(3)]
        for port in self.sentinels:
            self.sentinel(port)
        asked = self.client(self.sentinels[0], 0)
        until(lambda: asked.sentinel_masters()["it"]["num-other-sentinels"] == 2 and
              asked.sentinel_masters()["it"]["num-slaves"] == 1, "they know of each other")
        self.url = self.of(free_port(), *self.sentinels)

    def of(self, *sentinels, db=1, host=None, query=None):
        return "%s://%s/it/%d%s" % (
            self.scheme, ",".join("%s:%d" % (host or self.host, p) for p in sentinels), db,
            self.query if query is None else query)

    def listen(self, port):
        return {"port": port, "bind": "127.0.0.1"}

    def client(self, port, db=1):
        return redis.Redis(self.host, port, db, **self.settings)

    def run(self, port, wanted, *args):
        process = subprocess.Popen(["redis-server", *args], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        running.add(process)
        self.process[port] = process
        if Lines(process.stdout).wait(wanted) is None:
            raise AssertionError("redis-server did not start: %r" % (args,))

    def redis(self, port):
        self.run(port, "Ready to accept", "--save", "",
                 "--dir", str(self.folder), "--repl-diskless-sync-delay", "0",
                 *(w for k, v in self.listen(port).items() for w in ["--" + k, *str(v).split()]))

    def sentinel(self, port):
        write_files(self.folder, {"%d.conf" % port: """
%s
%s
dir %s
sentinel monitor it %s %d 2
sentinel down-after-milliseconds it %d
sentinel failover-timeout it 4000
""" % ("\n".join("%s %s" % word for word in self.listen(port).items()), self.sentinel_conf,
       self.folder, self.host, self.ports[0], 500 * PATIENCE)})
        self.run(port, r"\+monitor", str(self.folder / ("%d.conf" % port)), "--sentinel")

    def master(self):
        asked = self.client(self.sentinels[0], 0)
        host, port = asked.sentinel_get_master_addr_by_name("it")
        del host
        return port

    def end(self):
        for process in self.process.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
            running.discard(process)


class Failover(Case):
    options, watched = None, Watched

    def node(self, name, actor, url):
        return self.start("--node", name, ACTORS / actor, redis=url, listen="none")

    def test_the_nodes_follow(self):
        watched = self.watched(self)
        a = self.node("alpha", "spring.c", watched.url)
        # By whatever any client takes, as far as that is known now.
        of = redis.Redis.from_url(a.ready["redis"].replace("rediss:", "redis:"))
        self.assertEqual(of.connection_pool.connection_kwargs["port"], watched.master())
        self.assertEqual(of.connection_pool.connection_kwargs["db"], 1)
        # One of those named is not there; and nobody has said that a write needs a replica.
        self.assertTrue(a.err.wait("connected to %s://" % watched.scheme))
        self.assertTrue(a.err.wait("may lose .*min-replicas-to-write 1"))
        self.assertIn("min-replicas-to-write", a.json("inspect")[0]["redis"]["warning"])
        self.assertRegex(a.actorctl("inspect").out, "warning +a failover may lose")
        master = watched.client(watched.master())
        master.config_set("min-replicas-to-write", 1)
        b = self.node("beta", "sink.c", watched.url)
        self.assertTrue(b.err.wait("may lose .* in the last 10 s, .*min-replicas-max-lag 1"))
        # It is looked at again, without a new connection.
        master.config_set("min-replicas-max-lag", 1)
        for node in a, b:
            self.assertTrue(node.err.wait("warned of a failover is no more", 20))
        self.assertNotIn("warning", a.json("inspect")[0]["redis"])
        before = len(a.err.lines)
        master.config_set("min-replicas-to-write", 0)
        self.assertTrue(a.err.wait("may lose .*min-replicas-to-write 1", 20, after=before))
        self.may_not_ask(watched, master)

        def told():
            done = a.actorctl("--json", "call", "sink", "told")
            return None if done.code else json.loads(done.out)["args"]
        until(lambda: told() == [0, 0, 0], "they reach each other")
        self.assertEqual(self.asked(watched.url, "beta"), "beta")
        old = watched.master()
        before = len(a.err.lines)
        watched.process[old].send_signal(signal.SIGSTOP)
        until(lambda: watched.master() != old, "a failover", 30)
        self.assertTrue(a.err.wait("lost %s://.*: (Sentinel says|no answer)" % watched.scheme, 30,
                                   after=before))
        self.assertTrue(a.err.wait("connected to %s://" % watched.scheme, 30, after=before))
        until(told, "they reach each other again", 30)
        self.assertEqual(self.run_more(a), 0)
        until(lambda: told() == [1000, 0, 0], "all have come", 30)
        # The old one, awake again, still takes itself for the master; nobody goes there.
        watched.process[old].send_signal(signal.SIGCONT)
        until(lambda: watched.client(old).ping(), "it answers")
        self.assertEqual(self.run_more(a), 0)
        until(lambda: told() == [2000, 0, 0], "all have come", 30)
        until(lambda: self.asked(watched.url, "beta") == "beta", "actorctl follows, too", 30)

    def may_not_ask(self, watched, master):
        """CONFIG GET, nor, then, INFO."""
        master.execute_command("ACL", "SETUSER", "lowly", "on", ">x", "~*", "&*", "+@all",
                               "-config")
        url = watched.url.replace("://", "://lowly:x@")
        for rights, words in ("+info", "as a write needs no replica"), \
                ("-info", "whether a write needs a replica cannot be seen"):
            master.execute_command("ACL", "SETUSER", "lowly", rights)
            node = self.start(redis=url, listen="none")
            self.assertTrue(node.err.wait("may lose .*" + words), words)
            node.stop()

    def asked(self, url, node):
        done = actorctl("--redis", url, "--node", node, "--json", "inspect")
        return None if done.code else json.loads(done.out)["node"]

    def run_more(self, runtime):
        return runtime.actorctl("--json", "call", "spring", "run", "sink", "1", "1000", "0").code

    def test_none_answers(self):
        url = "sentinel://127.0.0.1:%d/it" % free_port()
        runtime = self.start(redis=url, listen="none")
        self.assertTrue(runtime.err.wait("cannot be reached: the Sentinel at .* does not answer",
                                         20))
        done = runtime.actorctl("--redis", url, "ping")
        self.assertEqual(done.code, 4, done)
        self.assertIn("no Sentinel says where the master `it` is", done.err)


if __name__ == "__main__":
    unittest.main()
