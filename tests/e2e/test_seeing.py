#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Seeing what runs: metrics, readiness."""

import re
import unittest

from harness import Case, Runtime, free_port, until

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\})? (\S+)$')


def samples(runtime):
    """What a scrape finds: {name{labels}: value}."""
    status, headers, body = runtime.get("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for line in body.decode().splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            assert (name + (labels or "")) not in found, line
            found[name + (labels or "")] = float(value)
    return found


class Metrics(Case):
    actors = ("texts.c",)
    options = ("--node", "here")

    def test_counts(self):
        key = 'actord_handler_%s_total{type="counter",handler="hit"}'
        before = samples(self.runtime)
        for _ in range(10):
            self.runtime.json("call", "counter", "hit", "1")
        after = samples(self.runtime)
        self.assertEqual(after[key % "calls"], before[key % "calls"] + 10)
        self.assertEqual(after[key % "failures"], before[key % "failures"])
        self.assertGreaterEqual(after["actord_messages_handled_total"],
                                before["actord_messages_handled_total"] + 10)
        self.assertEqual(before['actord_build_info{version="%s",node="here"}'
                                % self.runtime.ready["version"]], 1)
        self.assertEqual(after["actord_actors"], self.runtime.json("inspect")[0]["actors"])
        self.assertGreater(after["process_resident_memory_bytes"], 1e6)

    def test_clients_and_redis(self):
        before = samples(self.runtime)
        client = self.runtime.client()
        self.runtime.caller().call("rpc", "test", "a", "b")
        self.assertEqual(samples(self.runtime)["actord_clients"], before["actord_clients"] + 1)
        self.assertEqual(before["actord_redis_up"], 1)
        until(lambda: samples(self.runtime)["actord_redis_answered_total"] >
              before["actord_redis_answered_total"], "Redis's figures are of the last second")
        client.ws.close()

    def test_no_instances_in_labels(self):
        labels = {name for text in samples(self.runtime) for name in re.findall(r'([a-z]+)="', text)}
        self.assertEqual(labels, {"version", "node", "worker", "type", "handler"})


class Readiness(unittest.TestCase):
    def test_waits_for_redis(self):
        port = free_port()
        runtime = Runtime(redis="redis://127.0.0.1:%d/0" % port, ready=False)
        runtime.wait_ready()
        status, _, body = runtime.get("/readyz")
        self.assertEqual((status, body), (503, b'{"status":"Redis does not answer"}\n'))
        self.assertEqual(runtime.get("/healthz")[0], 200)
        self.assertEqual(samples(runtime)["actord_redis_up"], 0)
        runtime.stop()

    def test_alone(self):
        runtime = Runtime(redis="none")
        self.assertEqual(runtime.get("/readyz")[0], 200)
        self.assertNotIn("actord_redis_up", samples(runtime))
        runtime.stop()


if __name__ == "__main__":
    unittest.main()
