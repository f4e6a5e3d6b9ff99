#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The container: README's four docker lines for real, then what the image promises. Uses the
engine that `docker` finds (tools/test may run this file under one); without any it skips.
Names and ports of the lines are replaced by ones of this run where they are taken."""

import json
import os
import re
import socket
import subprocess
import time
import unittest

import harness
from test_readme import TOP, blocks

PASSWORD = "secret"     # README's
TAG = "actord-test-%d" % os.getpid()
HARD = ["--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
HEALTHY_S = 30


def docker(*args, seconds=60, **more):
    env = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(["docker", *map(str, args)], capture_output=True, text=True,
                          timeout=seconds, env=env, **more)
    if done.returncode:
        raise AssertionError("docker %s: exit %d\n%s%s" % (
            " ".join(map(str, args)), done.returncode, done.stdout[-4000:], done.stderr[-4000:]))
    return done.stdout.strip()


def engine():
    try:
        return bool(docker("version", "--format", "{{.Server.Version}}"))
    except (AssertionError, OSError, subprocess.TimeoutExpired):
        return False


def port_or_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return port
        except OSError:
            return harness.free_port()


class Container:
    """One that runs, with both ports published on loopback, until the test ends."""

    def __init__(self, case, *options, network="bridge", args=()):
        case.count = getattr(case, "count", 0) + 1
        self.name = "%s-%s-%d" % (TAG, case._testMethodName, case.count)
        ports = ["-p", "127.0.0.1::8080", "-p", "127.0.0.1::6379"] if network == "bridge" else []
        case.addCleanup(docker, "rm", "-fv", self.name)
        docker("run", "-d", "--name", self.name, "--network", network, *ports, *options, TAG, *args)

    def exec(self, *args):
        return docker("exec", self.name, *args)

    def wait(self):
        self.exec("actorctl", "--timeout", "20000", "wait")
        return self

    def port(self, inside):
        return int(docker("port", self.name, inside).splitlines()[0].rsplit(":", 1)[1])

    def redis(self):
        return harness.redis.Redis(port=self.port(6379), password=PASSWORD)

    def look(self, template):
        return docker("inspect", "--format", template, self.name)

    def ready(self):
        return re.search(r"^ready.*$", docker("logs", self.name), re.M).group()


@unittest.skipUnless(engine(), "no Docker engine: `docker version` fails; see DOCKER_ENGINE")
class Docker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lines = [line for name, body in blocks("sh") if name == "docker"
                     for line in body.splitlines()]
        assert len(cls.lines) == 4, cls.lines
        docker("build", "--network=host", "-t", TAG, TOP, seconds=900)
        cls.addClassCleanup(docker, "rmi", TAG)
        size = int(docker("image", "inspect", "--format", "{{.Size}}", TAG))
        print("image: %.1f MB" % (size / 1e6), flush=True)

    def shell(self, line):
        env = {**os.environ, "DOCKER_BUILDKIT": "1"}
        done = subprocess.run(["bash", "-c", line], cwd=TOP, capture_output=True, text=True,
                              timeout=900, env=env)
        self.assertEqual(done.returncode, 0, "%s\n%s%s" % (line, done.stdout, done.stderr))
        return done.stdout

    def call(self, container, func, *args, topic="counter"):
        return harness.Caller(container.redis()).call(topic, func, *args)

    def assert_stops(self, container):
        begun = time.monotonic()
        docker("stop", container.name)
        seconds = time.monotonic() - begun
        self.assertEqual(container.look("{{.State.ExitCode}}"), "0",
                         docker("logs", container.name))
        self.assertLess(seconds, 2)

    def test_the_four_lines_of_the_readme(self):
        web, redis = port_or_free(8080), port_or_free(6379)
        name = TAG + "-readme"

        def ours(line):
            for word, of_this_run in (
                    ("-t actord ", f"-t {TAG} "), ("--name actord ", f"--name {name} "),
                    ("exec actord ", f"exec {name} "), ("-p 6379 ", f"-p {redis} "),
                    (":6379:", f":{redis}:"), (":8080:", f":{web}:")):
                line = line.replace(word, of_this_run)
            return re.sub(r" actord$", f" {TAG}", line)
        self.addCleanup(docker, "rm", "-fv", name)
        build, run, patch, inspect = map(ours, self.lines)
        self.shell(build)
        self.shell(run)
        docker("exec", name, "actorctl", "--timeout", "20000", "wait")
        caller = harness.Caller(harness.redis.Redis(port=redis, password=PASSWORD))
        self.assertEqual(caller.call("counter", "hit", 250), [250])
        client = harness.Client("127.0.0.1:%d" % web)
        self.addCleanup(client.close)
        self.assertEqual(client.call("hit", 250, tpc="counter"), [500])
        self.assertEqual(self.shell(patch).strip(), "1")
        harness.until(lambda: "counter" in docker("exec", name, "actorctl", "patch", "list"),
                      "the patch is listed")
        self.assertEqual(caller.call("counter", "hit", 250), [600])
        self.assertEqual(client.call("hit", 250, tpc="counter"), [700])
        self.assertTrue(self.shell(inspect).strip())

    def test_read_only_without_capabilities(self):
        box = Container(self, *HARD, "-e", "ACTORD_REDIS_PASSWORD=" + PASSWORD).wait()
        self.assertEqual(self.call(box, "hit", 7), [7])
        self.assertEqual(self.call(box, "exec", (TOP / "patches/counter_cap.c").read_text(),
                                   topic="rpc"), [1])
        self.assertEqual(self.call(box, "hit", 250), [107])
        with self.assertRaisesRegex(harness.Refused, "the compiler crashed on this source"):
            self.call(box, "exec", "void f(void) {int x=" + "(" * 900000, topic="rpc")
        self.assertNotEqual(box.exec("id", "-u"), "0")
        self.assertEqual(box.exec("actorctl", "call", "counter", "hit", "1"), "108")
        self.assertEqual(docker("diff", box.name), "")
        self.assert_stops(box)

    def test_becomes_healthy(self):
        box = Container(self, *HARD, "-e", "ACTORD_REDIS_PASSWORD=" + PASSWORD).wait()
        harness.until(lambda: box.look("{{.State.Health.Status}}") == "healthy",
                      "healthy: " + box.look("{{json .State.Health}}"), HEALTHY_S)

    def test_redis_wants_the_password(self):
        box = Container(self, "-e", "ACTORD_REDIS_PASSWORD=" + PASSWORD).wait()
        bare = harness.redis.Redis(port=box.port(6379))
        with self.assertRaises(harness.redis.AuthenticationError):
            bare.publish("patch", "int process(void) { return 0; }")

    def test_a_password_of_its_own_outlives_a_restart(self):
        box = Container(self, *HARD).wait()
        first = re.search(r"redis=redis://[^ :]*:([^@ ]{16,})@", box.ready())
        self.assertIsNotNone(first, box.ready())
        docker("restart", box.name)
        box.wait()
        self.assertEqual(re.findall(r"redis=redis://[^ :]*:([^@ ]+)@", docker("logs", box.name)),
                         [first.group(1)] * 2)

    def test_another_redis(self):
        server = harness.RedisServer()
        self.addCleanup(server.stop)
        web = harness.free_port()
        box = Container(self, *HARD, "-e", "ACTORD_REDIS=" + server.url,
                        "-e", "ACTORD_LISTEN=127.0.0.1:%d" % web, network="host").wait()
        self.assertEqual(harness.Caller(server.client()).call("echo", "say", "hello"), ["hello"])
        self.assertNotIn("redis-server", docker("top", box.name))
        self.assert_stops(box)

    def test_an_actor_from_outside(self):
        folder = harness.make_folder()
        folder.chmod(0o755)
        harness.write_files(folder, {"twice.c": TWICE})
        box = Container(self, *HARD, "-e", "ACTORD_REDIS_PASSWORD=" + PASSWORD,
                        "-v", "%s:/actors:ro" % folder, args=["/actors/twice.c"]).wait()
        self.assertEqual(self.call(box, "of", 21, topic="twice"), [42])
        state = json.loads(box.exec("actorctl", "--json", "inspect", "twice"))
        self.assertEqual(state["name"], "twice")

    def test_no_compiler_inside(self):
        box = Container(self, *HARD).wait()
        found = box.exec("sh", "-c", "command -v gcc cc tcc clang; ls /usr/include | head -3")
        self.assertEqual(found, "")


TWICE = """#include "actor.h"
static int of(actor *self, const msg *m) { (void)self; return msg_reply(m, 2 * msg_int(m, 0)); }
const struct actor_type twice = { .name = "twice", .on = ON({ "of", "n:int", of, 0 }) };
"""


if __name__ == "__main__":
    unittest.main()
