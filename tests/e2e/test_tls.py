#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A Redis that speaks TLS only: nodes, actorctl and the Python node reach it by rediss://, and
whose certificate is not taken is told why. Needs a build with hiredis 1.0 or newer."""

import json
import subprocess
import unittest

import redis

from harness import (ANSWERS, HERE, Caller, Case, Lines, RedisServer, actorctl, free_port,
                     make_folder, run, running, until)
from test_pymodule import Python

NONE = actorctl("--redis", "rediss://127.0.0.1:1", "ping").err
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Secret(RedisServer):
    """With certificates of an authority of its own: for `localhost`, and for who comes."""

    def __init__(self):
        self.folder = make_folder()
        for name in "ca", "other":
            self.openssl("req", "-x509", *CURVE, "-days", "2", "-subj", "/CN=" + name,
                         "-addext", "keyUsage=critical,keyCertSign", "-keyout",
                         name + ".key", "-out", name + ".pem")
        for name, more in ("server", "subjectAltName=DNS:localhost"), ("client", ""):
            self.openssl("req", *CURVE, "-subj", "/CN=" + name, "-keyout", name + ".key", "-out",
                         name + ".csr")
            (self.folder / "more").write_text("authorityKeyIdentifier=keyid\n" + more)
            self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                         "-CAcreateserial", "-days", "2", "-extfile", "more",
                         "-out", name + ".pem")
        self.plain = free_port()
        super().__init__()
        self.bare = "rediss://localhost:%d/1" % self.port
        self.url = self.of(cacert="ca.pem", cert="client.pem", key="client.key")

    def openssl(self, *args):
        done = run(["openssl", *args], cwd=self.folder)
        if done.code:
            raise AssertionError(done)

    def of(self, host="localhost", port=None, **settings):
        return "rediss://%s:%d/1?%s" % (host, port or self.port, "&".join(
            "%s=%s" % (k, self.folder / v if (self.folder / v).exists() else v)
            for k, v in settings.items()))

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
        return redis.Redis.from_url(
            self.bare, ssl_ca_certs=self.folder / "ca.pem", ssl_certfile=self.folder / "client.pem",
            ssl_keyfile=self.folder / "client.key")


@unittest.skipIf("hiredis 1.0" in NONE, NONE.strip())
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
        python = Python(self, url=url)
        until(lambda: any("sums" in row["topics"] for row in node.json("nodes")), "it is found")
        self.assertEqual(node.actorctl("call", "sums", "add", "2", "3").out, "5\n")
        self.assertEqual(python.do("ask", "counter", "hit", 1), [[4]])

    def ping(self, **settings):
        """What becomes of it where no node is."""
        return actorctl("--redis", self.server.of(**settings), "ping").err

    def test_who_is_believed(self):
        own = {"cert": "client.pem", "key": "client.key"}
        good = {"cacert": "ca.pem", **own}
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


if __name__ == "__main__":
    unittest.main()
