#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What one node sends to another while both, and the Redis between them, are killed and stopped at
random: nothing that was taken is lost, nothing comes twice but what is marked as coming again, and
what each sender sends comes in its order.

Beta stands in a network namespace of its own, where we may make one, so that its link is a link
that can be cut; else it is not cut. Redis drops those that do not read fast enough
(client-output-buffer-limit) and those that it is told to (CLIENT KILL).

The same with a master that fails over, as Sentinels say (it takes writes only while a replica has
them, min-replicas-to-write), and with a Cluster, whose slots move and whose masters are killed.

What was handled is written down outside, by the handler, before it returns; what was sent is known
to the sender, which counts what actor_send() took. A sender that is killed takes with it what Redis
did not have yet, so of it only a beginning must be there, without a gap. HISTORY_SECONDS lengthens
it, E2E_SEED repeats it."""

import json
import os
import random
import select
import shutil
import signal
import subprocess
import time
import unittest

from harness import HERE, SEED, Case, Lines, RedisServer, make_folder, running, until
from test_cluster import Cluster
from test_failover import Watched

SECONDS = float(os.environ.get("HISTORY_SECONDS", "6"))


class Wire:
    """Between this machine and a network namespace; only for root, and where that is allowed."""

    def __init__(self):
        self.name, number = "e2e-%d" % os.getpid(), os.getpid() % 16384
        self.here, self.there = ("10.%d.%d.%d" % (100 + number // 4096, number // 16 % 256,
                                                  number % 16 * 4 + i) for i in (1, 2))
        self.link = "e2e%d" % number
        self.is_there = os.geteuid() == 0 and bool(shutil.which("ip")) and self.make()

    def ip(self, *args):
        return subprocess.run(["ip", *args], stderr=subprocess.DEVNULL).returncode == 0

    def make(self):
        inside = ("-n", self.name)
        made = self.ip("netns", "add", self.name) and \
            self.ip("link", "add", self.link, "type", "veth", "peer", "eth0", "netns", self.name) \
            and self.ip("addr", "add", self.here + "/30", "dev", self.link) and \
            self.ip("link", "set", self.link, "up") and \
            self.ip(*inside, "addr", "add", self.there + "/30", "dev", "eth0") and \
            self.ip(*inside, "link", "set", "eth0", "up") and \
            self.ip(*inside, "link", "set", "lo", "up")
        if not made:
            self.end()
        return made

    def prefix(self):
        return ("ip", "netns", "exec", self.name) if self.is_there else ()

    def set(self, state):
        if not self.ip("link", "set", self.link, state):
            raise AssertionError("the link is not set " + state)

    def end(self):
        self.ip("link", "del", self.link)
        self.ip("netns", "del", self.name)


class Kept(RedisServer):
    """A Redis that keeps what it has: an append-only file, written through before it answers. (With
    everysec it answers up to two seconds before it writes, while the disk is slow.)"""

    def __init__(self, *addresses):
        self.folder, self.addresses = make_folder(), ["127.0.0.1", *addresses]
        super().__init__()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--protected-mode", "no",
             "--bind", *self.addresses,
             "--appendonly", "yes", "--appendfsync", "always", "--dir", str(self.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        running.add(self.process)
        if Lines(self.process.stdout).wait("Ready to accept connections") is None:
            raise AssertionError("redis-server did not start")


class Nodes(Case):
    """Of alpha sending to beta, and what all of these histories have in common."""

    options = None
    share = 1                   # of the time: where it is short, once is enough

    def setUp(self):
        super().setUp()
        self.wire = None
        self.url = self.make_redis()
        self.folder = make_folder()
        self.book = self.folder / "book"
        self.book.touch()
        so = self.folder / "ledger.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE",
                        "-I", str(HERE / "../../runtime"), "-o", str(so),
                        str(HERE / "actors/writes_down.c")], check=True)
        self.random = random.Random(SEED)
        self.who, self.sent = 0, {}
        self.nodes = {}
        self.folders = {"alpha": make_folder(), "beta": make_folder()}
        self.what = {"alpha": HERE / "actors/pump.c", "beta": so}
        self.addCleanup(self.end)
        self.up("beta")
        self.up("alpha")

    def up(self, name):
        self.nodes[name] = self.start(
            "--node", name, self.what[name], redis=self.url[name], listen="none", stop=False,
            prefix=self.wire.prefix() if self.wire and name == "beta" else (),
            folder=self.folders[name], env={"LEDGER": str(self.book)})
        if name == "alpha":
            self.who += 1
            done = self.nodes[name].actorctl("send", "pump", "start", self.who)
            self.assertEqual(done.code, 0, done)

    def end(self):
        for node in self.nodes.values():
            if node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
                node.stop()

    def pass_time(self, seconds):
        """Not waiting for anything: the pause is what is tried."""
        select.select([], [], [], seconds)

    def hold(self, process, seconds):
        process.send_signal(signal.SIGSTOP)
        try:
            self.pass_time(seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    # Each is something that goes wrong, and says what did.

    def kill_beta(self):
        return self.kill_node("beta")

    def kill_alpha(self):
        return self.kill_node("alpha")

    def kill_node(self, name):
        self.nodes[name].kill()
        self.up(name)
        return name + " killed"

    def stop_node(self):
        name, seconds = self.random.choice(["alpha", "beta"]), self.random.choice([0.5, 4])
        self.hold(self.nodes[name].process, seconds)
        return "%s stopped for %s s" % (name, seconds)

    def check(self, taken):
        expected, again = {}, 0
        for line in self.book.read_text().splitlines():
            who, n, marked = map(int, line.split())
            want = expected.setdefault(who, 1)
            again += marked
            if n == want:
                expected[who] = n + 1
            elif n > want:
                self.fail("sender %d: %d came, %d did not" % (who, n, want))
            elif not marked:
                self.fail("sender %d: %d came again and is not marked" % (who, n))
        self.assertEqual(expected.get(self.who, 1) - 1, taken)
        return sum(expected.values()) - len(expected), again

    def lines(self, who):
        return sum(line.startswith("%d " % who) for line in self.book.read_text().splitlines())

    def history(self):
        until(lambda: self.lines(1) > 100, "messages come")
        log, end = [], time.monotonic() + SECONDS * self.share
        try:
            while time.monotonic() < end:
                # Of its own kind comes first, as there may be no second.
                kinds = self.troubles()
                log.append((self.random.choice(kinds) if log else kinds[-1])())
                # Between two, some hundred messages go through.
                before = self.book.stat().st_size
                until(lambda: self.book.stat().st_size > before + 2000, "it goes on", 30)
            done = self.nodes["alpha"].actorctl("--json", "call", "pump", "stop")
            self.assertEqual(done.code, 0, done)
            taken = json.loads(done.out)["args"][0]
            until(lambda: max([int(x.split()[1]) for x in self.book.read_text().splitlines()
                               if x.startswith("%d " % self.who)] or [0]) >= taken,
                  "the last of %d has come" % taken, 30)
            handled, again = self.check(taken)
        except AssertionError as failed:
            raise AssertionError("E2E_SEED=%d HISTORY_SECONDS=%g: %s\n%s"
                                 % (SEED, SECONDS, ", ".join(log), failed)) from failed
        self.assertGreater(handled, 100)
        print("\n%s: %d messages handled, %d marked; %s; E2E_SEED=%d"
              % (self.id(), handled, again, ", ".join(log), SEED))


class OneRedis(Nodes):
    def make_redis(self):
        self.wire = Wire()
        self.addCleanup(self.wire.end)
        self.server = Kept(*[self.wire.here] * self.wire.is_there)
        self.addCleanup(self.server.stop)
        url = self.server.url
        there = url.replace("127.0.0.1", self.wire.here) if self.wire.is_there else url
        return {"alpha": url, "beta": there}

    def troubles(self):
        return [self.kill_beta, self.kill_beta, self.kill_alpha, self.stop_node, self.stop_node,
                self.stop_redis, self.drop] + [self.cut] * self.wire.is_there + [self.kill_redis]

    def kill_redis(self):
        self.server.stop()
        self.server.start()
        return "Redis killed"

    def stop_redis(self):
        seconds = self.random.choice([0.5, 4])
        self.hold(self.server.process, seconds)
        return "Redis stopped for %s s" % seconds

    def cut(self):
        seconds = self.random.choice([0.5, 5])
        self.wire.set("down")
        self.pass_time(seconds)
        self.wire.set("up")
        return "link cut for %s s" % seconds

    def drop(self):
        """Redis drops who is connected: all of a kind, or who has more than a little to read."""
        db = self.server.client()
        if self.random.random() < 0.5:
            kind = self.random.choice(["normal", "pubsub"])
            db.execute_command("CLIENT", "KILL", "TYPE", kind)
            return "the %s clients dropped" % kind
        # What one read brings is more than that, so each reader is cut off while it reads.
        db.config_set("client-output-buffer-limit", "normal 512 0 0 pubsub 512 0 0")
        self.pass_time(0.5)
        db.config_set("client-output-buffer-limit", "normal 0 0 0 pubsub 32mb 8mb 60")
        return "output buffers overrun"

    def test_history(self):
        self.history()


class Sentinels(Nodes):
    share = 1 if SECONDS >= 120 else 0.2

    def make_redis(self):
        self.watched = Watched(self)
        for port in self.watched.ports:
            self.watched.client(port).config_set("min-replicas-to-write", 1)
            self.watched.client(port).config_set("min-replicas-max-lag", 1)
        return {"alpha": self.watched.url, "beta": self.watched.url}

    def troubles(self):
        return [self.kill_beta, self.kill_alpha, self.stop_node, self.fail_over, self.fail_over]

    def fail_over(self):
        """The old master comes back, and is a replica of the new one before anything else."""
        old = self.watched.master()
        self.watched.process[old].send_signal(signal.SIGSTOP)
        until(lambda: self.watched.master() != old, "a failover", 30)
        self.watched.process[old].send_signal(signal.SIGCONT)
        # Slow Sentinels may go back to the old one in between.
        until(lambda: self.watched.client(self.watched.master()).info("replication")
              ["connected_slaves"] == 1, "the master has a replica", 30)
        return "failed over"

    def test_history(self):
        self.history()


class Clustered(Nodes):
    share = 1 if SECONDS >= 120 else 0.2

    def make_redis(self):
        self.cluster = Cluster(self)
        return {"alpha": self.cluster.url, "beta": self.cluster.url}

    def troubles(self):
        return [self.kill_beta, self.kill_alpha, self.stop_node, self.kill_master,
                self.stop_master, self.move, self.move]

    def move(self):
        key = "actord:{node:%s}" % self.random.choice(["alpha", "beta", "beta"])
        self.cluster.move(key, lambda: self.pass_time(self.random.choice([0, 0.2, 1])))
        return "a slot moved"

    def kill_master(self):
        port = self.random.choice(self.cluster.ports)
        self.cluster.kill(port)
        self.cluster.start(port)
        self.until_whole()
        return "a master killed"

    def until_whole(self):
        until(lambda: all(self.cluster.whole(p) for p in self.cluster.ports), "all are back", 60)

    def stop_master(self):
        # A longer one the others take for dead, for six seconds more at least.
        seconds = self.random.choice([0.5, 5]) if SECONDS >= 120 else 0.5
        self.hold(self.cluster.process[self.random.choice(self.cluster.ports)], seconds)
        self.until_whole()
        return "a master stopped for %s s" % seconds

    def test_history(self):
        self.history()


if __name__ == "__main__":
    unittest.main()
