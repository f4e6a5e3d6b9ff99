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

from harness import EARGS, EFAIL, ENOENT, HERE, Case, Lines, RedisServer, Refused, running, until


class Python:
    """A process of pymodule_node.py."""

    def __init__(self, test, *name, url=None):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", HERE / "pymodule_node.py", url or test.runtime.redis_url,
             *(name or ["python"])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.add(self.process)
        test.addCleanup(self.end)
        self.said, self.complained = Lines(self.process.stdout), Lines(self.process.stderr)
        self.said.wait("running")

    def tell(self, *words):
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()

    def do(self, method, *args):
        at = len(self.said.lines)
        self.tell(method, *args)
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

    def python(self, *name):
        node = Python(self, *name)
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
        for data in (b"", b"{", b"[]", b"\xdd\xff\xff\xff\xff", b"\xdd\x05\xf5\xe1\x00" * 30,
                     b"\x81\x90\x01", b'{"func":1}', b"[" * 100000, b'{"args":[]}',
                     b'{"func":"add","err":"x"}', b'{"func":"add","id":[1]}',
                     b'{"func":"__answer__:1","err":"x"}', b'{"func":"times_out"}',
                     b'{"func":"odd","ct":"no","cb":"c"}', b'{"func":"x","ct":"\\ud800","cb":"c"}',
                     b'{"func":"__answer__","id":[1],"args":[]}'):
            self.db.rpush("old python", data)
            self.db.publish("old python", data)
            self.db.xadd("actord:{node:python}", {"f": data})
            self.db.xadd("actord:{sums}", {"m": data})
        self.db.xadd("actord:{node:python}", {"g": b"x"})
        mine, life = self.runtime.ready["node"], 1
        for head in ([1, "x", "life", 1], [1, mine, 1, "s"], [1, mine, life, 1 << 60],
                     [1, [], 1, 1]):
            self.db.xadd("actord:{node:python}", {"f": msgpack.packb(head)})
        for part in ([0, 1, 2], [1, [], 0, "sums", "add"], [6, "a", "b", "c", 1]):
            self.db.xadd("actord:{node:python}", {"f": msgpack.packb([1, "forger", 1, 1]) +
                                                  msgpack.packb(part)})
        self.assertEqual(self.runtime.actorctl("call", "sums", "add", "1", "1").out, "2\n")
        self.answers(node)
        self.db.rpush("old python", json.dumps({"func": "add", "args": None, "ct": "t", "cb": "c",
                                                "id": 7}))
        answer = json.loads(self.db.blpop("t", 10)[1])
        self.assertEqual((answer["func"], answer["id"], answer["err"]["code"]), ("c", 7, -1))
        node.complained.wait("a message was refused: ")

    def test_a_later_build_may_say_more(self):
        node, ours = self.python(), "actord:{node:mallory}"
        at = self.db.xadd(ours, {"f": b""})
        for n in 1, 2:
            self.db.xadd("actord:{node:python}", {"f": b"".join(msgpack.packb(x) for x in (
                [1, "mallory", 1, n], [7, True], [99, {"a": [1]}],
                [1, n, 5000, "sums", "add", n, 2], [1 << 63]))})
            (at, answer), = self.db.xread({ours: at}, block=10000)[0][1]
            parts = msgpack.Unpacker()
            parts.feed(answer[b"f"])
            self.assertEqual(list(parts)[1:], [[2, n, n + 2]])
        self.assertEqual(len([x for x in node.complained.lines if "parts of kind 99" in x]), 1)

    def test_what_ends_a_greenlet_or_a_process(self):
        """Ends the call, with an error, whichever way it came."""
        node = self.python()
        for func in "exits", "leaves":
            data = json.dumps({"func": func, "args": [], "ct": "t", "cb": "c"})
            for send in (lambda: self.db.rpush("old python", data),
                         lambda: self.db.publish("old python", data),
                         lambda: self.db.xadd("actord:{sums}", {"m": data})):
                send()
                self.assertEqual(json.loads(self.db.blpop("t", 10)[1])["err"]["code"], EFAIL)
            self.assertIn("Exit", self.runtime.actorctl("call", "sums", func).err)
        self.answers(node)
        self.assertEqual(self.runtime.actorctl("call", "sums", "add", "1", "1").out, "2\n")
        self.assertIn("handlers have names", self.runtime.actorctl("call", "sums", "").err)

    def answers(self, node):
        """By list, channel and stream, in the encoding of the call."""
        ways = {"list": lambda data: self.db.rpush("old python", data),
                "channel": lambda data: self.db.publish("old python", data),
                "stream": lambda data: self.db.xadd("actord:{sums}", {"m": data})}
        for way, send in ways.items():
            for encode, decode in (msgpack.packb, msgpack.unpackb), (json.dumps, json.loads):
                for func, args in ("add", [3]), ("odd", []), ("nan", []):
                    send(encode({"func": func, "args": [1, 2][:2 * len(args)], "ct": "t",
                                 "cb": "c", "id": way}))
                    answer = decode(self.db.blpop("t", 10)[1])
                    self.assertEqual((answer["func"], answer["id"]), ("c", way))
                    if func == "add":
                        self.assertEqual(answer["args"], args)
                    elif func == "odd" or encode is json.dumps:     # msgpack has a NaN
                        self.assertEqual((answer["args"], answer["err"]["code"]), ([], -1))

    def test_what_cannot_be_sent(self):
        """Is refused to who sends it, and nobody else's messages are lost for it."""
        node = self.python()
        deep = []
        for _ in range(40):
            deep = [deep]
        for call in (["send_odd", "counter", "hit"], ["send", "counter", "x" * 300],
                     ["send", "counter", "hit", *range(300)], ["ask", "echo", "say", deep],
                     ["ask", "echo", "say", 1 << 64]):
            said = node.do(*call)
            self.assertEqual(said[:2], ["refused", -1], call)
        self.assertEqual(node.do("ask", "echo", "say", [[1]]), [[[[1]]]])
        for func in "half", "huge":             # an answer is an error, then
            self.assertEqual(self.runtime.actorctl("call", "sums", func).code, 1)
            for encoding in "json", "msgpack":
                self.refused(EARGS, self.runtime.caller(encoding).call, "old python", func)
        self.assertEqual(self.caller.call("old python", "add", 1, 2), [3])

    def test_its_own_topics(self):
        node = self.python()
        self.assertEqual(node.do("ask", "sums", "add", 1, 2), [[3]])
        self.assertEqual(node.do("ask", "sums", "nothing")[:2], ["refused", -2])
        self.assertEqual(node.do("send", "sums", "note", 5), [None])
        node.said.wait(r'^\["note", 5, false\]')

    def test_asks_by_lists(self):
        """A function may ask; and who else has the topic hears no answer that is not for it."""
        node = self.python()
        other = Python(self, "other", "old python")
        other.tell("ask_list", "a list that nobody pops", "say")
        self.assertEqual(node.do("ask_list", "echo", "say", "mine"), [["mine"]])
        for send, answers in (self.db.rpush, 1), (self.db.publish, 2):
            send("old python", json.dumps({"func": "through_list", "args": ["echo", "say", 7],
                                           "ct": "t", "cb": "c"}))
            for _ in range(answers):
                self.assertEqual(json.loads(self.db.blpop("t", 10)[1])["args"], [7])
        other.said.wait(r'^\["ask_list", "refused", -4')
        self.db.delete("a list that nobody pops")

    def test_what_others_say_of_themselves(self):
        """May be anything: the node stays."""
        node = self.python()
        for number, info in enumerate((b"\xc1", b"\x01", b"\x81\xa6topics\x01", b"")):
            name = b"odd\xff%d" % number if number == 1 else b"odd%d" % number
            self.db.hset(b"actord:{nodes}:" + name, mapping={"life": "x", "info": info})
            self.db.zadd("actord:{nodes}", {name: 1 << 50})
        self.db.incr("actord:{nodes}:version")
        node.complained.wait("the node odd0: what it says")
        self.db.zrem("actord:{nodes}", "odd0", b"odd\xff1", "odd2", "odd3")
        self.assertEqual(self.runtime.actorctl("call", "sums", "add", "2", "3").out, "5\n")
        self.assertEqual(node.do("ask", "echo", "say", 1), [[1]])

    def test_its_inbox_is_gone(self):
        node = self.python()
        self.db.delete("actord:{node:python}", "actord:{node:python}:seen")
        until(lambda: self.db.exists("actord:{node:python}"), "it is made again")
        self.assertEqual(self.runtime.actorctl("call", "sums", "add", "2", "3").out, "5\n")
        self.assertEqual(node.do("ask", "echo", "say", 1), [[1]])

    def test_its_name_is_taken(self):
        """It lets go of the inbox, and comes back when the name is free."""
        node = self.python()
        self.db.hset("actord:{nodes}:python", mapping={"identity": "another's", "life": "1"})
        self.db.persist("actord:{nodes}:python")
        node.complained.wait("another node has the name python")
        frame = msgpack.packb([1, "old friend", 1, 1]) + msgpack.packb([0, "sums", "note", 9])
        self.db.xadd("actord:{node:python}", {"f": frame})
        self.assertEqual(node.do("ask", "sums", "add", 1, 1), [[2]])
        self.assertEqual(self.db.xlen("actord:{node:python}"), 1)
        self.db.delete("actord:{nodes}:python")
        node.said.wait(r'^\["note", 9, true\]')

    def test_redis_comes_back_empty(self):
        """Who is back before the others does not take them for gone."""
        server = RedisServer()
        self.addCleanup(server.stop)
        db = server.client()
        self.addCleanup(db.close)
        self.befriend(db)
        node = Python(self, "apart", url=server.url)
        until(lambda: node.do("send", "far", "first") == [None], "it sees its friend")
        server.stop()
        node.complained.wait("apart: .*I try again")
        self.assertEqual(node.do("send", "far", "second"), [None])
        server.start()
        db.xadd("actord:{node:friend}", {"f": b""})
        far = until(lambda: db.xrange("actord:{node:friend}")[1:], "what was sent")
        self.assertIn(b"first", far[0][1][b"f"])
        self.assertIn(b"second", b"".join(e[1][b"f"] for e in until(
            lambda: len(db.xrange("actord:{node:friend}")) > 2 and
            db.xrange("actord:{node:friend}"), "all that was sent")[1:]))

    def befriend(self, db):
        """A node that hosts `far`, as far as what it says of itself goes."""
        db.hset("actord:{nodes}:friend", mapping={
            "life": "1", "info": msgpack.packb({"topics": ["far"]})})
        db.zadd("actord:{nodes}", {"friend": 1 << 50})
        db.incr("actord:{nodes}:version")

    def test_shared_stream_of_one_that_died(self):
        node = self.python()
        self.db.xadd("actord:{sums}", {"m": msgpack.packb({"func": "hang", "args": [1]})})
        node.said.wait(r'^\["hangs", 1, false\]')
        other = self.python("other")
        node.kill()
        other.said.wait(r'^\["hung", 1, true\]')
        until(lambda: self.db.xlen("actord:{sums}") == 0, "the stream is empty")

    def test_close(self):
        """Ends what waits, sends what was said, finishes what is run; a function may call it."""
        node = self.python()
        before, = node.do("ask", "counter", "hit", 0)[0]
        self.befriend(self.db)
        until(lambda: node.do("send", "far", "it") == [None], "it sees its friend")
        node.tell("later", "ask", "far", "it")
        node.tell("later", "ask_list", "a list that nobody pops", "say")
        self.db.xadd("actord:{node:friend}", {"f": b""})
        for _ in range(100):
            node.tell("send", "counter", "hit", 1)
        node.end()
        self.assertEqual(node.said.lines[-1], '["closed"]')
        node.said.wait(r'^\["ask", "refused", -2')
        node.said.wait(r'^\["ask_list", "refused", -2')
        self.assertIn(b"far", b"".join(e[1][b"f"] for e in self.db.xrange("actord:{node:friend}")))
        self.db.zrem("actord:{nodes}", "friend")
        self.db.delete("a list that nobody pops", "actord:{node:friend}")
        until(lambda: self.runtime.actorctl("call", "counter", "hit", "0").out ==
              "%d\n" % (before + 100), "all has arrived")
        self.knows("sums", False)
        node = self.python()
        self.assertEqual(self.runtime.actorctl("send", "sums", "shut").code, 0)
        node.said.wait(r'^\["shut"\]')
        self.knows("sums", False)

    def test_shared_stream(self):
        node = self.python()
        self.db.xadd("actord:{sums}", {"m": msgpack.packb({"func": "note", "args": [1]}) +
                                       msgpack.packb({"func": "note", "args": [2]})})
        node.said.wait(r'^\["note", 2, false\]')
        until(lambda: self.db.xlen("actord:{sums}") == 0, "the stream is empty")

    def test_redis_is_full(self):
        """Who comes then joins all the same, and drains a stream that nobody has read yet."""
        self.db.delete("actord:{sums}")
        self.db.xadd("actord:{sums}", {"m": msgpack.packb({"func": "note", "args": [1]})})
        self.db.config_set("maxmemory", 1)
        self.addCleanup(self.db.config_set, "maxmemory", 0)
        node = self.python("late")
        node.said.wait(r'^\["note", 1, false\]')
        until(lambda: self.db.xlen("actord:{sums}") == 0, "the stream is empty")
        self.db.config_set("maxmemory", 0)

    def test_what_of_a_stream_is_not_handled(self):
        """It is a dead letter, as of a node in C, unless whoever asked can be told."""
        node = self.python()
        self.db.delete("actord:{sums}:dead")    # of other tests

        def note(n, func="note"):
            return msgpack.packb({"func": func, "args": [n]})
        good, later = note(1), note(1, "later")
        for m, bad, reason in ((good + later, later, b"no function later"),
                               (good + b"\xc0" + good, b"\xc0", b"not a map"),
                               (good + b"\xc1" + good, b"\xc1" + good, b"behind 1 values"),
                               (b'{"func":', b'{"func":', b"Expecting value"),
                               (msgpack.packb({"func": "add", "args": [1]}), None, b"add")):
            with self.subTest(m):
                name = self.db.xadd("actord:{sums}", {"m": m})
                (_, dead), = until(lambda: self.db.xrange("actord:{sums}:dead"), "it is there")
                until(lambda: self.db.xlen("actord:{sums}") == 0, "the stream is empty")
                self.assertEqual((dead[b"m"], dead[b"id"]), (bad or m, name))
                self.assertIn(reason, dead[b"reason"])
                row, = self.runtime.json("dead", "list", "sums")
                again = self.runtime.actorctl("dead", "retry", "sums", row["id"])
                self.assertEqual(again.code, dead[b"deaths"] == b"0", again)
                until(lambda: (self.db.xlen("actord:{sums}:dead"),
                               self.db.xlen("actord:{sums}")) == (1, 0), "it is there again")
                self.db.delete("actord:{sums}:dead")
        # Those that are messages can be sent again, whatever stands beside them.
        self.db.xadd("actord:{sums}", {"m": later + b"\xc0" + later + b"\xc1"})
        until(lambda: self.db.xlen("actord:{sums}:dead") == 2, "each kind is a letter")
        self.db.xadd("actord:{sums}", {"other": "x"})
        until(lambda: self.db.xlen("actord:{sums}:dead") == 3, "so is an entry without any")
        self.assertEqual([(e[b"m"], e[b"deaths"]) for _, e in self.db.xrange("actord:{sums}:dead")],
                         [(later * 2, b""), (b"\xc0\xc1", b"0"),
                          (msgpack.packb({"other": "x"}), b"0")])
        self.db.delete("actord:{sums}:dead")
        # Where it cannot be put aside the rest is not handled again; all fields m are meant.
        self.db.set("actord:{sums}:dead", "a key of another type")
        self.db.execute_command("XADD", "actord:{sums}", "*", "m", note(11), "m",
                                '{"func": "later"}', "m", later, "again", 1)
        node.said.wait(r'^\["note", 11, true\]')
        node.complained.wait("sums.*WRONGTYPE")
        self.db.delete("actord:{sums}:dead")
        until(lambda: self.db.xlen("actord:{sums}:dead"), "it is put aside")
        self.assertEqual(len([x for x in node.said.lines if x.startswith('["note", 11')]), 1)
        self.db.delete("actord:{sums}:dead")
        self.db.xadd("actord:{sums}", {"m": msgpack.packb({"func": "later", "ct": "t", "cb": "c"})})
        self.assertIn(b"no function later", self.db.blpop("t", 10)[1])

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
        node = Python(self, "apart", url=server.url)
        server.stop()
        self.assertTrue(node.complained.wait("apart: Redis: .*I try again"))
        server.start()
        self.assertTrue(node.complained.wait("apart: Redis: well again", 30))
        db = server.client()
        self.addCleanup(db.close)
        db.rpush("old apart", json.dumps({"func": "add", "args": [1, 2], "ct": "t", "cb": "c"}))
        self.assertEqual(json.loads(db.blpop("t", 30)[1])["args"], [3])
        for module in "apart", "old apart":
            node.complained.wait("^%s: Redis: well again" % module, 30)
            said = [x for x in node.complained.lines if x.startswith(module + ": Redis: ")]
            self.assertEqual(len(said), 2, said)

    def test_monitors(self):
        node = self.python()
        self.write_actor()
        node.do("ask", "counter", "hit", 0)
        until(lambda: node.do("ask", "brief", "here") == [[1]], "the new actor is found")
        node.tell("monitor", "brief")
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


FULL = """
import time
from pymodule import peer

now = 0
time.monotonic = lambda: now
there = object.__new__(peer.Peer)
there.life, there.full = b"7", {}
for now in range(100):
    there.came_room("long", 7, False)
    there.came_room("short %d" % now, 7, False)
assert there.is_full("long") and there.is_full("short 99") and not there.is_full("short 90")
assert len(there.full) < 10, there.full
there.came_room("long", 6, True)        # late, of an earlier life
assert there.is_full("long")
there.came_room("long", 7, True)
assert not there.is_full("long")
"""


class Full(unittest.TestCase):
    def test_what_is_said_no_more_is_forgotten(self):
        """Names without end become full, and end; nobody says of them that there is room."""
        subprocess.run(["/usr/bin/python3", "-c", FULL], cwd=HERE.parents[1] / "tools", check=True)


if __name__ == "__main__":
    unittest.main()
