#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A Redis that speaks TLS only, Sentinels and a Cluster that do: nodes, actorctl and the Python
node reach them by rediss:// and its kin, and whose certificate is not taken is told why. All but
Python's part needs a build with hiredis 1.0 or newer."""

import json
import subprocess
import unittest

import redis

import test_cluster
import test_failover
import test_pymodule
from harness import (ANSWERS, HERE, Caller, Case, Lines, RedisServer, actorctl, free_port,
                     make_folder, run, running, until)

NONE = actorctl("--redis", "rediss://127.0.0.1:1", "ping").err
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


# What pymodule makes of a URL; a process, as it patches what its own imports.
CONNECT = """
import sys, redis
sys.path.insert(0, sys.argv[1])
from pymodule.link import connect
try:
    print(connect(sys.argv[2]).ping())
except (redis.RedisError, ValueError) as wrong:
    print(type(wrong).__name__, wrong)
"""


class Certificates:
    """Of an authority of their own: for servers of those names, and for who comes."""

    def __init__(self, names="DNS:localhost"):
        self.folder = make_folder()
        for name in "ca", "other":
            self.openssl("req", "-x509", *CURVE, "-days", "2", "-subj", "/CN=" + name,
                         "-addext", "keyUsage=critical,keyCertSign", "-keyout",
                         name + ".key", "-out", name + ".pem")
        for name, more in ("server", "subjectAltName=" + names), ("client", ""):
            self.openssl("req", *CURVE, "-subj", "/CN=" + name, "-keyout", name + ".key", "-out",
                         name + ".csr")
            (self.folder / "more").write_text("authorityKeyIdentifier=keyid\n" + more)
            self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                         "-CAcreateserial", "-days", "2", "-extfile", "more",
                         "-out", name + ".pem")
        self.settings = {"ssl": True, "ssl_check_hostname": False,
                         "ssl_ca_certs": self.folder / "ca.pem",
                         "ssl_certfile": self.folder / "client.pem",
                         "ssl_keyfile": self.folder / "client.key"}
        self.own = {"cert": "client.pem", "key": "client.key"}
        self.good = {"cacert": "ca.pem", **self.own}

    def openssl(self, *args):
        done = run(["openssl", *args], cwd=self.folder)
        if done.code:
            raise AssertionError(done)

    def query(self, **settings):
        return "?" + "&".join("%s=%s" % (k, self.folder / v if (self.folder / v).exists() else v)
                              for k, v in settings.items())

    def listen(self, port):
        # What is named is looked up by Redis, which then tries one address.
        return {"port": 0, "bind": "127.0.0.1 127.0.0.2 -::1", "tls-port": port, **{
            "tls-%s-file" % what: self.folder / name for what, name in (
                ("cert", "server.pem"), ("key", "server.key"), ("ca-cert", "ca.pem"))}}


class Secret(RedisServer):
    def __init__(self):
        self.certificates = Certificates()
        self.folder = self.certificates.folder
        self.plain = free_port()
        super().__init__()
        self.bare = "rediss://localhost:%d/1" % self.port
        self.url = self.of(**self.certificates.good)

    def of(self, host="localhost", port=None, **settings):
        return "rediss://%s:%d/1" % (host, port or self.port) + self.certificates.query(**settings)

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.plain), "--tls-port", str(self.port), "--bind",
             "127.0.0.1", "--save", "", "--appendonly", "no", "--tls-cert-file", "server.pem",
             "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        running.add(self.process)
        if Lines(self.process.stdout).wait("Ready to accept connections") is None:
            raise AssertionError("redis-server did not start")

    def client(self):
        return redis.Redis("localhost", self.port, 1, **self.certificates.settings)


class Watched(test_failover.Watched):
    """By Sentinels that name their masters, and speak TLS to them."""
    scheme, host = "rediss-sentinel", "localhost"
    sentinel_conf = "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes"

    def __init__(self, case):
        self.certificates = Certificates()
        self.settings = self.certificates.settings
        self.query = self.certificates.query(**self.certificates.good)
        super().__init__(case)

    def listen(self, port):
        return {**self.certificates.listen(port), "tls-replication": "yes",
                "replica-announce-ip": "localhost"}


class Cluster(test_cluster.Cluster):
    scheme, names = "rediss-cluster", "IP:127.0.0.1"

    def __init__(self, *args):
        self.certificates = Certificates(self.names)
        folder = self.certificates.folder
        self.settings = self.certificates.settings
        self.query = self.certificates.query(**self.certificates.good)
        self.cli = ["--tls", "--cacert", folder / "ca.pem", "--cert", folder / "client.pem",
                    "--key", folder / "client.key"]
        super().__init__(*args)

    def listen(self, port):
        return {**self.certificates.listen(port), "tls-replication": "yes", "tls-cluster": "yes"}


class Named(Cluster):
    """Of masters that are known by a name."""
    host, names = "localhost", "DNS:localhost"

    def listen(self, port):
        return {**super().listen(port), "cluster-announce-hostname": "localhost",
                "cluster-preferred-endpoint-type": "hostname"}


encrypting = unittest.skipIf("hiredis 1.0" in NONE, NONE.strip())


@encrypting
class Encrypted(Case):
    options = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Secret()
        cls.addClassCleanup(cls.server.stop)

    def told(self, node):
        done = node.actorctl("--json", "call", "sink", "told")
        return None if done.code else json.loads(done.out)["args"]

    def test_calls_patches_and_nodes(self):
        url = self.server.url
        a = self.start("--node", "alpha", "--unsigned-patches", HERE / "actors/spring.c",
                       redis=url, listen="none")
        self.assertEqual(a.ready["redis"], self.server.bare)    # as any client takes it
        caller = Caller(self.server.client(), "msgpack")
        for size in 0, 1, 16383, 16384, 16385, 3 << 20:         # around what one record holds
            self.assertEqual(caller.call("echo", "say", "x" * size), ["x" * size])
        for n in range(50):     # what was published is read empty before what is popped
            caller.send("rpc", "eval", "rpc", "of", ANSWERS % n, "answers", via="publish", cb="")
            self.assertEqual(caller.call("rpc", "of"), [n])
        self.start("--node", "beta", HERE / "actors/sink.c", redis=url, listen="none")
        until(lambda: self.told(a) == [0, 0, 0], "they reach each other")
        for total in 1000, 2000:
            done = a.actorctl("call", "spring", "run", "sink", "1", "1000", "0")
            self.assertEqual(done.code, 0, done)
            until(lambda: self.told(a) == [total, 0, 0], "all have come", 30)
            if total == 1000:
                before = len(a.err.lines)
                self.server.stop()
                self.assertTrue(a.err.wait("lost rediss://localhost", 30, after=before))
                self.server.start()
                self.assertTrue(a.err.wait("connected to rediss://localhost", 30, after=before))
                until(lambda: self.told(a), "they reach each other again", 30)

    def test_tools(self):
        url = self.server.url
        node = self.start("--node", "gamma", redis=url, listen="none")
        for _ in range(3):
            done = actorctl("--redis", url, "--node", "gamma", "call", "counter", "hit", "1")
            self.assertEqual(done.code, 0, done)
        python = test_pymodule.Python(self, url=url)
        until(lambda: any("sums" in row["topics"] for row in node.json("nodes")), "it is found")
        self.assertEqual(node.actorctl("call", "sums", "add", "2", "3").out, "5\n")
        self.assertEqual(python.do("ask", "counter", "hit", 1), [[4]])

    def ping(self, **settings):
        """What becomes of it where no node is."""
        return actorctl("--redis", self.server.of(**settings), "ping").err

    def test_who_is_believed(self):
        own, good = self.server.certificates.own, self.server.certificates.good
        for settings in good, {"verify": "none", **own}, \
                {**good, "host": "127.0.0.1", "sni": "localhost"}, \
                {**good, "host": "127.0.0.1", "verify": "ca"}:
            self.assertIn("no runtime is on that Redis", self.ping(**settings), settings)
        for words, settings in (
                ("its certificate is not taken: self.signed certificate in certificate chain",
                 {}),
                ("its certificate is not taken: ", {**own, "cacert": "other.pem"}),
                ("its certificate is not taken: IP address mismatch",
                 {**good, "host": "127.0.0.1"}),
                ("its certificate is not taken: host.?name mismatch", {**good, "sni": "remote"}),
                ("TLS: wrong version number", {**good, "port": self.server.plain}),
                ("cacert=nothing: No such file", {"cacert": "nothing"}),
                ("cacert=.*client.key: ", {"cacert": "client.key"}),
                ("key=.*server.key: key values mismatch", {**good, "key": "server.key"})):
            self.assertRegex(self.ping(**settings), words, settings)

    def test_a_node_says_why(self):
        for words, url in (
                ("cannot be reached: its certificate is not taken: ", self.server.bare),
                ("cannot be reached: TLS: .*alert.*certificate", self.server.of(cacert="ca.pem"))):
            node = self.start(redis=url, listen="none")
            self.assertTrue(node.err.wait(words), words)


def refusals(made):
    """What becomes of a URL of such servers: words, and settings of the URL."""
    own, good = made.certificates.own, made.certificates.good
    return (("certificate is not taken: .*self.signed", {**own}),
            ("certificate is not taken: ", {**own, "cacert": "other.pem"}),
            ("certificate is not taken: host.?name mismatch", {**good, "sni": "remote"}),
            ("alert.*certificate", {"cacert": "ca.pem"}))


@encrypting
class Sentinels(test_failover.Failover):
    watched = Watched

    def test_who_is_believed(self):
        watched, plain = Watched(self), RedisServer()
        self.addCleanup(plain.stop)

        def url(ports=watched.sentinels, host=None, **settings):
            return watched.of(*ports, host=host, query=watched.certificates.query(**settings))
        good = watched.certificates.good
        for words, settings in *refusals(watched), \
                ("certificate is not taken: IP address mismatch", {**good, "host": "127.0.0.1"}), \
                ("TLS: wrong version number", {**good, "ports": [plain.port]}):
            done = actorctl("--redis", url(**settings), "ping")
            self.assertRegex(done.err, "no Sentinel says where the master.*" + words, settings)
            self.assertEqual(done.code, 4)
            node = self.start(redis=url(**settings), listen="none")
            self.assertTrue(node.err.wait("cannot be reached: the Sentinel at .*" + words), words)
        # From now on they say where the master is by an address, which the certificate does not.
        for port in watched.sentinels:
            watched.client(port, 0).execute_command("SENTINEL", "CONFIG", "SET",
                                                    "announce-hostnames", "no")
        done = actorctl("--redis", url(**good), "ping")
        self.assertRegex(done.err, "Redis at [0-9.:]+: .* not taken: IP address mismatch")
        node = self.start(redis=url(**good), listen="none")
        self.assertTrue(node.err.wait("cannot be reached: [0-9.:]+: .* not taken: IP address"))
        node = self.start("--node", "alpha", redis=url(**good, sni="localhost"), listen="none")
        self.assertTrue(node.err.wait("connected to rediss-sentinel://"))
        done = actorctl("--redis", url(**good, sni="localhost"), "--node", "alpha", "ping")
        self.assertEqual(done.code, 0, done)


@encrypting
class Masters(test_cluster.Messages):
    made = Cluster


@encrypting
class NamedMasters(test_cluster.Clustered):
    made = Named

    def test_who_is_believed(self):
        made, plain = self.cluster, RedisServer()
        self.addCleanup(plain.stop)

        def url(port=made.ports[0], host=None, **settings):
            return made.of(port, host=host, query=made.certificates.query(**settings))
        good = made.certificates.good
        for words, settings in *refusals(made), \
                ("certificate is not taken: IP address mismatch", {**good, "host": "127.0.0.1"}), \
                ("TLS: wrong version number", {**good, "port": plain.port}):
            done = actorctl("--redis", url(**settings), "ping")
            self.assertRegex(done.err, words, settings)
            self.assertEqual(done.code, 4)
            node = self.start(redis=url(**settings), listen="none")
            self.assertTrue(node.err.wait("cannot be reached: .*" + words), words)
        # It is met by its name, and then says where all masters are by addresses.
        for port in made.ports:
            made.node(port).config_set("cluster-preferred-endpoint-type", "ip")
        for done in actorctl("--redis", url(**good), "ping"), \
                actorctl("--redis", url(**good), "--node", "alpha", "ping"):
            self.assertRegex(done.err, "127.0.0.1:.* not taken: IP address mismatch")
        node = self.start(redis=url(**good), listen="none")
        self.assertTrue(node.err.wait("cannot be reached: the master 127.0.0.1:.* not taken: IP"))
        node = self.node("alpha", redis=url(**good, sni="localhost"))
        self.assertTrue(node.err.wait("connected to rediss-cluster://"))


@encrypting
class Replicas(test_cluster.Failover):
    made = Cluster
    test_a_master_that_stood_still = None       # as without TLS


class Python(unittest.TestCase):
    """The same URLs, wherever redis-py is."""

    def comes_of(self, url):
        return run(["/usr/bin/python3", "-c", CONNECT, HERE / "../../tools", url]).out

    def test_who_is_believed(self):
        for made in Watched(self), Cluster(self):
            good = made.certificates.good
            self.assertEqual(self.comes_of(made.url), "True\n")
            ports = made.sentinels if isinstance(made, Watched) else made.ports

            def url(host=None, made=made, ports=ports, **settings):
                return made.of(*ports, host=host, query=made.certificates.query(**settings))
            for settings in made.certificates.own, {**good, "host": "127.0.0.2"}, \
                    {**good, "cacert": "other.pem"}:
                self.assertRegex(self.comes_of(url(**settings)),
                                 "^(ConnectionError|MasterNotFoundError) ")
            self.assertEqual(self.comes_of(url(**good, verify="ca", host="127.0.0.2")), "True\n")
            for wrong in {"verify": "no"}, {"sni": "localhost"}:
                self.assertIn("ValueError", self.comes_of(url(**good, **wrong)))


if __name__ == "__main__":
    unittest.main()
