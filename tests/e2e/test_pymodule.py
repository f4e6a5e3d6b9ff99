#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tools/pymodule's Node beside ours: calls both ways by name, refusals, patches, and what becomes
of messages when it is killed."""

import json
import subprocess
import threading
import unittest

import msgpack
import redis

from harness import ENOENT, HERE, Case, Lines, RedisServer, Refused, running, until


class Python:
    """A process of pymodule_node.py."""

    def __init__(self, test, name="python", url=None):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", HERE / "pymodule_node.py", url or test.runtime.redis_url, name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.add(self.process)
        test.addCleanup(self.end)
        self.said, self.complained = Lines(self.process.stdout), Lines(self.process.stderr)
        self.said.wait("running")

    def do(self, method, *args):
        at = len(self.said.lines)
        self.process.stdin.write(json.dumps([method, *args]).encode() + b"\n")
        self.process.stdin.flush()
        self.said.wait(r'^\["%s"' % method, after=at)
        mine = '["%s"' % method
        return next(json.loads(x) for x in self.said.lines[at:] if x.startswith(mine))[1:]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """It leaves, so that the next test's need not wait until it is taken for gone."""
        try:
            self.process.stdin.close()
            self.process.wait(20)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.kill()
        for stream in self.process.stdin, self.process.stdout, self.process.stderr:
            try:
                stream.close()
            except BrokenPipeError:
                pass
        running.discard(self.process)


class Nodes(Case):
    def setUp(self):
        super().setUp()
        self.db = redis.Redis.from_url(self.runtime.redis_url)
        self.addCleanup(self.db.close)

    def python(self, name="python"):
        node = Python(self, name)
        self.knows("sums", True)
        return node

    def knows(self, topic, wanted):
        until(lambda: any(topic in row["topics"] for row in self.runtime.json("nodes")) == wanted,
              "the nodes: %s" % topic)

    def tearDown(self):
        self.check_alive()

    def test_calls_both_ways(self):
        node = self.python()
        self.assertEqual(self.runtime.actorctl("call", "sums", "add", "2", "3").out, "5\n")
        self.assertEqual(self.runtime.actorctl("call", "sums", "two").out, "1\nzwei\n")
        before, = node.do("ask", "counter", "hit", 1)[0]
        self.assertEqual(node.do("ask", "counter", "hit", 2), [[before + 2]])
        done = self.runtime.actorctl("call", "sums", "hit", "4")    # it asks us back while we wait
        self.assertEqual(done.out, "%d\n" % (before + 6))

    def traced(self, number):
        """Which handlers here were run in that trace."""
        found = self.runtime.json("trace", "--id", number, "-n", "1")
        return {(e["actor"], e["handler"]) for e in found if e["kind"] == "handled"}

    def test_a_trace_goes_through(self):
        """From us through it and back to us; by a list or a stream, as text."""
        self.python()
        relay = self.runtime.folder / "relay_p.c"
        relay.write_text((HERE / "actors/relay.c").read_text().replace("NAME", "relay_p")
                         .replace("NEXT", "sums"))
        self.assertEqual(self.runtime.actorctl("start", relay).code, 0)
        self.caller.call("relay_p", "pass", 1, trace="a1")
        self.assertLessEqual({("relay_p", "pass"), ("counter", "hit"), ("relay_p", "passed")},
                             self.traced("a1"))
        parent = "00-0000000000000000%016x-00f067aa0ba902b7-01" % 0xa2
        for number, trace, send in (
                ("a2", parent, lambda data: self.db.rpush("old python", data)),
                ("a3", "a3", lambda data: self.db.xadd("actord:{sums}", {"m": data}))):
            send(json.dumps({"func": "hit", "args": [1], "ct": self.caller.ct, "cb": "c",
                             "trace": trace}))
            answer = self.caller.answer()
            self.assertEqual((answer["func"], len(answer["args"])), ("c", 1), answer)
            self.assertIn(number + "-", answer["trace"])
            self.assertIn(("counter", "hit"), self.traced(number))
        self.assertEqual(self.runtime.actorctl("stop", "relay_p").code, 0)

    def test_clients_do_not_reach_it(self):
        self.python()
        with self.assertRaises(Refused) as refused:
            self.runtime.client().call("add", 1, 2, tpc="sums")
        self.assertEqual(refused.exception.code, ENOENT, refused.exception.text)

    def test_refusals_both_ways(self):
        node = self.python()
        for call, words in ((["nothing"], "there is no function nothing here"),
                            (["add", "1"], "missing a required argument: 'b'"),
                            (["fails"], "fails: ValueError: as it was told to"),
                            (["odd"], "odd: its answer: ")):
            done = self.runtime.actorctl("call", "sums", *call)
            self.assertNotEqual(done.code, 0)
            self.assertIn(words, done.err)
        self.assertEqual(node.do("ask", "counter", "miss")[:2], ["refused", -2])
        self.assertEqual(node.do("ask", "counter", "hit", "many")[:2], ["refused", -1])
        self.assertEqual(node.do("ask", "nobody", "hit")[:2], ["refused", -2])
        self.assertEqual(self.runtime.actorctl("call", "sums", "add", "1", "1").out, "2\n")

    def test_patches(self):
        node = self.python()
        source = ('#include "actor.h"\n'
                  "static int f(actor *self, const msg *m) { return msg_reply(m, %s); }\n"
                  'const struct actor_type patch = '
                  '{ .name = "echo", .on = ON({ "from_python", "", f, 0 }) };\n')
        numbers, = node.do("send_patch", source % "42")
        self.assertEqual(list(numbers), [self.runtime.ready["node"]])
        self.assertEqual(node.do("ask", "echo", "from_python"), [[42]])
        refused, code, text = node.do("send_patch", source % "no_such_name")
        self.assertEqual((refused, code), ("refused", -1))
        self.assertIn("no_such_name", text)

    def test_bad_messages_end_nothing(self):
        node = self.python()
        for data in (b"", b"{", b"[]", b"\xdd\xff\xff\xff\xff", b'{"func":1}', b"[" * 100000,
                     b'{"args":[]}'):
            self.db.rpush("old python", data)
            self.db.publish("old python", data)
            self.db.xadd("actord:{node:python}", {"f": data})
            self.db.xadd("actord:{sums}", {"m": data})
        self.db.xadd("actord:{node:python}", {"g": b"x"})
        self.assertEqual(self.runtime.actorctl("call", "sums", "add", "1", "1").out, "2\n")
        self.db.rpush("old python", json.dumps({"func": "add", "args": None, "ct": "t", "cb": "c",
                                                "id": 7}))
        answer = json.loads(self.db.blpop("t", 10)[1])
        self.assertEqual((answer["func"], answer["id"], answer["err"]["code"]), ("c", 7, -1))
        node.complained.wait("a message was refused: ")

    def test_shared_stream(self):
        node = self.python()
        self.db.xadd("actord:{sums}", {"m": msgpack.packb({"func": "note", "args": [1]}) +
                                       msgpack.packb({"func": "note", "args": [2]})})
        node.said.wait(r'^\["note", 2, false\]')
        until(lambda: self.db.xlen("actord:{sums}") == 0, "the stream is empty")

    def test_killed(self):
        """Who waits hears of it at once; what was sent is handled by its next life, in order."""
        node = self.python()
        for n in range(5):
            self.assertEqual(self.runtime.actorctl("send", "sums", "hang" if n == 2 else "note",
                                                   str(n)).code, 0)
        node.said.wait(r'^\["hangs", 2, false\]')
        asked = []
        asking = threading.Thread(target=lambda: asked.append(
            self.runtime.actorctl("--timeout", "100000", "call", "sums", "add", "1", "1")))
        asking.start()
        until(lambda: self.db.xlen("actord:{node:python}") >= 2, "the question is in the inbox")
        node.kill()
        asking.join()
        self.assertIn("is gone", asked[0].err)
        self.knows("sums", False)
        again = self.python()
        again.said.wait(r'^\["note", 4, true\]')
        handled = [json.loads(x) for x in again.said.lines if "note" in x or "hung" in x]
        self.assertEqual(handled[-3:], [["hung", 2, True], ["note", 3, True], ["note", 4, True]])
        self.assertNotIn('["note", 0, true]', again.said.lines)

    def test_redis_is_away(self):
        """It says so once, and when that is over; and is called again."""
        server = RedisServer()
        self.addCleanup(server.stop)
        node = Python(self, "apart", server.url)
        server.stop()
        self.assertTrue(node.complained.wait("apart: Redis: .*I try again"))
        server.start()
        self.assertTrue(node.complained.wait("apart: Redis: well again", 30))
        db = server.client()
        self.addCleanup(db.close)
        db.rpush("old apart", json.dumps({"func": "add", "args": [1, 2], "ct": "t", "cb": "c"}))
        self.assertEqual(json.loads(db.blpop("t", 30)[1])["args"], [3])
        said = [x for x in node.complained.lines if "apart: Redis: " in x]
        self.assertEqual(len(said), 2, said)

    def test_monitors(self):
        node = self.python()
        self.write_actor()
        node.do("ask", "counter", "hit", 0)
        until(lambda: node.do("ask", "brief", "here") == [[1]], "the new actor is found")
        node.process.stdin.write(b'["monitor", "brief"]\n')
        node.process.stdin.flush()
        node.do("ask", "brief", "here")         # behind the wish to be told
        self.assertEqual(self.runtime.actorctl("stop", "brief").code, 0)
        node.said.wait(r'^\["down", "brief"')

    def write_actor(self):
        path = self.runtime.folder / "brief.c"
        path.write_text('#include "actor.h"\n'
                        "static int here(actor *self, const msg *m) { return msg_reply(m, 1); }\n"
                        'const struct actor_type brief = '
                        '{ .name = "brief", .on = ON({ "here", "", here, 0 }) };\n')
        done = self.runtime.actorctl("start", str(path))
        self.assertEqual(done.code, 0, done)

    def test_it_leaves(self):
        node = self.python()
        node.end()
        self.assertIn('["closed"]', [x.strip() for x in node.said.lines])
        self.knows("sums", False)


if __name__ == "__main__":
    unittest.main()
