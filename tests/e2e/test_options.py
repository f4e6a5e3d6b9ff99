#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""actord's options: on the command line, in the environment and in a file, which of them wins, and
how it ends where one makes no sense."""

import json
import os
import socket
import subprocess
import unittest

import redis

from harness import (ACTORCTL, ACTORD, Case, Lines, actord, clean_env, free_port, make_folder, run,
                     running, write_files)


class Options(Case):
    options = None

    def ends(self, *args, env=None, word):
        """Exit 2, one line that names what is wrong, nothing on stdout."""
        folder = make_folder()
        done = actord("--state", folder / "s", "--control", folder / "c", *args,
                      env={"ACTORD_LISTEN": "127.0.0.1:0", "ACTORD_REDIS": "none", **(env or {})})
        self.assertEqual(done.code, 2, (args, done))
        self.assertEqual(done.out, "")
        self.assertEqual(len(done.err.splitlines()), 1, done.err)
        self.assertIn(word, done.err)

    def test_version_and_help(self):
        self.assertRegex(actord("--version").out, r"^actord \d+\.\d+")
        done = actord("--help")
        self.assertEqual(done.code, 0, done)
        for option in ("listen", "redis", "redis-bind", "redis-port", "topic", "control",
                       "workers", "state", "node",
                       "unsigned-patches", "allow-origin", "config"):
            self.assertIn("--" + option, done.out)

    def test_usage(self):
        for args, word in (
                (["--nonsense"], "nonsense"), (["--listen"], "listen"),
                           (["--listen", "nonsense"], "--listen"),
                (["--listen", "127.0.0.1:99999"], "99999"),
                           (["--listen", "127.0.0.1:"], "--listen"),
                (["--listen", "300.0.0.1:0"], "300.0.0.1"), (["--workers", "0"], "workers"),
                (["--workers", "x"], "workers"), (["--workers", "-1"], "workers"),
                (["--workers", "100000"], "workers"), (["--redis", "nonsense"], "nonsense"),
                (["--redis", "http://127.0.0.1"], "http"),
                           (["--redis", "redis://127.0.0.1:x/0"], "--redis"),
                (["--redis", "redis://127.0.0.1:6379/x"], "redis"),
                           (["--redis", "embedded/x"], "--redis"),
                (["--redis-port", "99999"], "99999"), (["--redis-port", "x"], "redis-port"),
                (["--config", "/nonexistent"], "/nonexistent"), (["--node", ""], "node"),
                (["--node", "n" * 241], "--node: a node's name has 1 to 240 bytes"),
                (["--allow-origin", "a.example"], "a.example"),
                (["--allow-origin", "http://a.example,https://b.example/"], "b.example/"),
                (["--files", "/nonexistent"], "--files /nonexistent: No such"),
                (["--files", "/etc/passwd"], "--files /etc/passwd: Not a directory"),
                (["--time-zone", "Europe/Berln"], '--time-zone: "Europe/Berln" is no time zone'),
                (["--time-zone", "../../../etc/localtime"], "--time-zone"),
                (["--time-zone", ""], "--time-zone"), (["--time-zone", "CET-99"], "CET-99"),
                (["--time-zone", "CET-1CEST,garbage"], "CET-1CEST,garbage"),
                (["--group", "a,,b"], "--group: a name has 1 to"),
                (["--group", ","], "--group"),
                (["--group", "a b"], "--group: a name has no spaces"),
                (["--group", "a,*"], "* means all nodes"),
                (["--group", ",".join("g%d" % i for i in range(23))], "22 groups at most"),
                (["--topic", ""], "topic"), (["--control", "/" + "x" * 200], "control")):
            with self.subTest(args):
                self.ends(*args, word=word)
        self.ends(env={"ACTORD_WORKERS": "x"}, word="ACTORD_WORKERS")

    def test_what_is_not_spoken(self):
        """What this build does not speak it does not pretend to (TLS with an old hiredis; with a
        newer one it is the file that is wrong)."""
        self.ends("--redis", "rediss://127.0.0.1:1/0?cacert=/no%20rediss", word="rediss")
        self.ends("--redis", "cluster://127.0.0.1:1/2", word="database 0")

    def test_fail_fast(self):
        url = "redis://127.0.0.1:%d" % free_port()
        done = actord("--state", make_folder() / "s", "--control", make_folder() / "c", "--listen",
                      "none", "--redis", url, "--fail-fast")
        self.assertEqual(done.code, 2, done)
        self.assertRegex(done.err, r"actord: --redis redis://127.* refused; start it, or leave")
        self.assertEqual(done.out, "")

    def test_config_file(self):
        folder = make_folder()
        for text, line in (("nonsense = 1\n", 1), ("workers\n", 1), ("workers = x\n", 1),
                           ("listen 127.0.0.1:0\n", 1), ("# fine\n\n= 5\n", 3),
                           ("group = a # no comment\n", 1)):
            write_files(folder, {"c.conf": text})
            with self.subTest(text):
                self.ends("--config", folder / "c.conf", word="c.conf:%d" % line)

    def test_log_formats(self):
        for word in "logfmt", "json":
            runtime = self.start("--log-format", word)
            runtime.stop()
            lines = runtime.err.all()
            self.assertTrue(lines)
            for line in lines:
                if word == "json":
                    self.assertEqual(list(json.loads(line)), ["time", "level", "from", "text"])
                else:
                    self.assertRegex(line, r'^time=\S+Z level=[a-z]+ from=\S+ text=".*"$')

    def test_who_wins(self):
        """The environment over the file, the command line over both."""
        file = write_files(make_folder(), {"c.conf": """
# a comment, and an empty line

topic = from_file
node=file
  allow-origin   =   http://a.example
"""}) / "c.conf"
        for env, args, topic in ({}, [], "from_file"), ({"ACTORD_TOPIC": "from_env"}, [],
                                                        "from_env"), \
                ({"ACTORD_TOPIC": "from_env"}, ["--topic", "from_line"], "from_line"):
            runtime = self.start("--config", file, *args, env=env, redis="none")
            names = [row["name"] for row in runtime.json("ps")]
            self.assertEqual([n for n in names if n and n.startswith("from")], [topic])
            runtime.client(origin="http://a.example").close()

    def test_all_from_the_environment(self):
        folder = make_folder()
        runtime = self.start(listen=None, redis=None, env={
            "ACTORD_LISTEN": "127.0.0.1:0", "ACTORD_REDIS": "embedded/3", "ACTORD_REDIS_PORT": "0",
            "ACTORD_WORKERS": "1", "ACTORD_REDIS_PASSWORD": "a-password of/its:own@"})
        self.assertEqual(redis.connection.parse_url(runtime.redis_url)["password"],
                         "a-password of/its:own@")
        self.assertEqual(redis.connection.parse_url(runtime.redis_url)["db"], 3)
        self.check_alive(runtime)
        self.assertTrue(folder.exists())

    def test_ready(self):
        port = free_port()
        runtime = self.start(listen="127.0.0.1:%d" % port)
        self.assertEqual(runtime.listen, "127.0.0.1:%d" % port)
        self.assertEqual(runtime.ready["control"], runtime.control)
        self.assertEqual(len(runtime.out.lines), 1)
        self.assertTrue(runtime.redis().ping())
        url = redis.connection.parse_url(runtime.redis_url)
        self.assertEqual((url["host"], url["db"]), ("127.0.0.1", 1))
        with self.assertRaises(redis.exceptions.AuthenticationError):
            redis.Redis(port=url["port"]).ping()

    def test_listen_on_all(self):
        runtime = self.start(listen="0.0.0.0:0")
        host, port = runtime.listen.rsplit(":", 1)
        self.assertEqual(host, "127.0.0.1")
        runtime.client().close()

    def test_listen_on_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        runtime = self.start(listen="[::1]:0")
        self.assertRegex(runtime.listen, r"^\[::1\]:\d+$")
        self.assertEqual(runtime.get("/healthz")[0], 200)

    def test_redis_bind(self):
        runtime = self.start("--redis-bind", "127.0.0.2")
        self.assertEqual(redis.connection.parse_url(runtime.redis_url)["host"], "127.0.0.2")
        self.check_alive(runtime)

    def test_a_state_too_deep_for_a_socket(self):
        """An embedded Redis whose socket's path would be too long is reached by its port."""
        deep = make_folder() / ("d" * 100)
        runtime = self.start("--state", deep)
        self.assertEqual(runtime.caller().call("rpc", "test", "a", "b"), ["args: a, b."])
        self.assertTrue(list(deep.rglob("redis.log")))
        self.assertFalse(list(deep.rglob("redis.sock")))

    def test_alone(self):
        runtime = self.start(redis="none", listen="none")
        self.assertEqual(runtime.actorctl("call", "rpc", "test", "a", "b").out, "args: a, b.\n")
        self.assertEqual(runtime.actorctl("inspect").code, 0)
        self.assertEqual(runtime.ready["redis"], "none")
        self.assertEqual(runtime.ready["listen"], "none")
        for command in ["dead", "list", "echo"], ["patch", "rollouts"]:
            self.assertIn("without a Redis", self.fails(runtime.actorctl(*command), 1))

    def test_one_worker_and_many(self):
        for workers in "1", "16":
            self.check_alive(self.start("--workers", workers))

    def test_defaults_of_control_and_state(self):
        home = make_folder()
        env = {"XDG_RUNTIME_DIR": str(home), "XDG_STATE_HOME": str(home / "states"),
               "HOME": str(home)}
        user = ["setpriv", "--reuid", "nobody", "--clear-groups"] if os.getuid() == 0 else []
        if user:
            # Everything on the way is to be reached by that user.
            home.chmod(0o777)
            if run([*user, ACTORD, "--version"]).code:
                self.skipTest("the build cannot be reached by an ordinary user")
        command = [*user, ACTORD, "--listen", "127.0.0.1:0", "--redis", "none"]
        process = subprocess.Popen(command, env=clean_env(home, env), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        running.add(process)
        Lines(process.stderr)
        line = Lines(process.stdout).wait("^ready")
        self.assertIn("control=%s" % (home / "actord.sock"), line)
        self.assertTrue((home / "states" / "actord").is_dir())
        self.assertEqual(run([*user, ACTORCTL, "ping"], env=env).code, 0)
        process.terminate()
        self.assertEqual(process.wait(10), 0)
        running.discard(process)

    def test_node_name_is_kept(self):
        first = self.start(stop=False)
        name = self.node_name(first)
        first.stop()
        second = self.start(folder=first.folder, stop=False)
        self.assertEqual(self.node_name(second), name)
        second.stop()
        other = self.start()
        self.assertNotEqual(self.node_name(other), name)
        self.assertEqual(self.node_name(self.start("--node", "chosen")), "chosen")

    def node_name(self, runtime):
        whole = {}
        for part in runtime.json("inspect"):
            whole.update(part)
        return whole["node"] if isinstance(whole["node"], str) else whole["node"]["name"]

    def test_reads_state_only_by_its_owner(self):
        runtime = self.start()
        for path in [runtime.state, *runtime.state.rglob("*")]:
            self.assertEqual(path.stat().st_mode & 0o022, 0, path)


if __name__ == "__main__":
    unittest.main()
