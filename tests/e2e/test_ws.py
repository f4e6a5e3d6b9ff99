#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""WebSocket and HTTP: the ancestor's scenario, the login, both encodings, what is refused and how
the connection ends, and that no connection ends because of a patch."""

import base64
import fcntl
import http.client
import json
import os
import socket
import struct
import tempfile
import threading
import unittest

import websocket

from harness import ANSWERS, EARGS, ENOENT, PATIENCE, Case, vary

GLOBAL = r"""
#include "actor.h"
#include <stdio.h>

static int test(actor *self, const msg *m)
{
	char text[256];

	(void)self;
	snprintf(text, sizeof text, "patched %s and %s", msg_str(m, 0), msg_str(m, 1));
	return msg_reply(m, text);
}
"""
GLOBAL_PATCH = GLOBAL + """
const struct actor_type patch = {
	.name = "",
	.on   = ON({ "test", "arg1:str arg2:str", test, ON_CLIENT }),
};
"""
MIB = 1 << 20


class Scenario(Case):
    options = None

    def test_ancestor(self):
        # The port is the ancestor's own; two runs of this test take turns.
        with open(os.path.join(tempfile.gettempdir(), "e2e-port-23456"), "w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            self.scenario(self.start(listen="127.0.0.1:23456"))

    def scenario(self, runtime):
        ws = websocket.create_connection("ws://127.0.0.1:23456", timeout=10 * PATIENCE)
        ws.send(json.dumps({"tpc": "login", "func": "login", "args": ["guid", "md5"], "cb": ""}))
        self.assertEqual(json.loads(ws.recv()), {"func": "loginback", "args": [0]})
        call = json.dumps({"tpc": "unknown", "func": "test", "args": ["arg1", "arg2"],
                           "cb": "callback"})

        def calls(number, burst, expected):
            for _ in range(number // burst):
                for _ in range(burst):
                    ws.send(call)
                for _ in range(burst):
                    self.assertEqual(json.loads(ws.recv()),
                                     {"func": "callback", "args": [expected]})
        calls(40, 5, "arg1arg2")
        calls(10, 10, "arg1arg2")
        runtime.caller().eval("", "test", GLOBAL, "test")
        calls(50, 10, "patched arg1 and arg2")
        runtime.caller().exec(vary(GLOBAL_PATCH, "patched", "again"))
        calls(50, 10, "again arg1 and arg2")
        ws.close()


class Calls(Case):
    def both(self):
        for encoding in "json", "msgpack":
            ws = self.runtime.client(encoding=encoding)
            yield ws
            ws.close()

    def test_encodings(self):
        values = ["text", "", "snow \u2603 \U0001f600", "a\0b", 1, -1, 2 ** 53, -2 ** 63,
                  2 ** 63 - 1, 0.5, -1e300, True, False, None, [], {}, [1, [2, ["three"]]],
                  {"a": {"b": [None, 1.5]}}]
        for ws in self.both():
            self.assertEqual(ws.call("say", *values, tpc="echo"), values)
            self.assertEqual(ws.call("say", tpc="echo"), [])
            self.assertEqual(ws.call("test", "a", "b"), ["ab"])

    def test_each_frame_has_its_own_encoding(self):
        ws = self.runtime.client()
        for encoding in "msgpack", "json", "msgpack":
            ws.encoding = encoding
            self.assertEqual(ws.call("say", encoding, tpc="echo"), [encoding])

    def test_id_comes_back(self):
        for ws in self.both():
            for number in 0, -7, 2 ** 62, "", "a string":
                ws.call("say", tpc="echo", id=number)
                self.refused(ENOENT, ws.call, "nothing", tpc="echo", id=number)

    def test_no_cb_no_answer(self):
        for ws in self.both():
            total = ws.call("hit", 0, tpc="counter")[0]
            ws.send({"tpc": "counter", "func": "hit", "args": [1]})
            ws.send({"tpc": "counter", "func": "hit", "args": [1], "cb": ""})
            self.assertEqual(ws.call("hit", 1, tpc="counter"), [total + 3])

    def test_order_of_one_client(self):
        ws = self.runtime.client()
        for i in range(1000):
            ws.send({"tpc": "echo", "func": "say", "args": [i], "cb": "callback"})
        self.assertEqual([ws.receive()["args"][0] for _ in range(1000)], list(range(1000)))

    def test_only_what_is_for_clients(self):
        ws = self.runtime.client()
        for tpc, func, args in (("rpc", "test", ["a", "b"]), ("rpc", "exec", ["x"]),
                                ("rpc", "callOther", ["test", "", "", ""]),
                                ("rpc", "eval", ["echo", "say", "x", "x"]), ("patch", "list", []),
                                ("patch", "apply", ["x"]), ("node", "ping", []),
                                ("bus", "refuse", ["rpc", "test", 1, "text"]),
                                ("bus", "answer", ["rpc", "test", "a", "b"])):
            with self.subTest("%s.%s" % (tpc, func)):
                self.refused(ENOENT, ws.call, func, *args, tpc=tpc)
        # Nor do lists of Redis: that topic is nobody's, so the global table answers.
        self.assertEqual(ws.call("test", "a", "b", tpc="list:somebody"), ["ab"])
        self.assertEqual(self.runtime.redis().exists("somebody"), 0)

    def test_a_patch_says_who_may_call(self):
        ws = self.runtime.client()
        source = ANSWERS % 5 + """
const struct actor_type patch = { .name = "echo", .on = ON({ "secret", "...", answers, %s }) };
"""
        self.caller.exec(source % "0")
        self.refused(ENOENT, ws.call, "secret", tpc="echo")
        self.assertEqual(self.caller.call("echo", "secret"), [5])
        self.caller.exec(source % "ON_CLIENT")
        self.assertEqual(ws.call("secret", tpc="echo"), [5])

    def test_new_global_handler_is_for_clients(self):
        ws = self.runtime.client()
        self.refused(ENOENT, ws.call, "fresh")
        self.caller.eval("", "fresh", ANSWERS % 9, "answers")
        self.assertEqual(ws.call("fresh", "any", 1, None), [9])
        self.assertEqual(ws.call("fresh", tpc="no such topic"), [9])

    def test_refusals_say_why(self):
        for ws in self.both():
            self.assertIn("nothing", self.refused(ENOENT, ws.call, "nothing", tpc="echo"))
            text = self.refused(EARGS, ws.call, "hit", "one", tpc="counter")
            self.assertIn("counter.hit", text)
            self.assertIn("int", text)
            self.assertIn("str", text)
            for args in [], [1, 2], [1.5], [None], [True], [[1]], [1e300]:
                self.refused(EARGS, ws.call, "hit", *args, tpc="counter")
            total = ws.call("hit", 0, tpc="counter")[0]
            self.assertEqual(ws.call("hit", 3.0, tpc="counter"), [total + 3])

    def test_big_messages(self):
        for ws in self.both():
            for size in 125, 126, 65535, 65536, 300000, 15 * MIB:
                text = "x" * size
                self.assertEqual(ws.call("say", text, tpc="echo"), [text], size)

    def test_fragments(self):
        ws = self.runtime.client()
        text = json.dumps({"tpc": "echo", "func": "say", "cb": "callback", "args": ["in parts"]})
        for i, byte in enumerate(text.encode()):
            last = i == len(text) - 1
            ws.ws.send_frame(websocket.ABNF.create_frame(
                bytes([byte]), 0 if i else websocket.ABNF.OPCODE_TEXT, int(last)))
            if i == len(text) // 2:
                ws.ws.ping("in between")
        self.assertEqual(ws.receive()["args"], ["in parts"])

    def test_answers_to_the_gone_go_nowhere(self):
        for _ in range(50):
            ws = self.runtime.client()
            for _ in range(20):
                ws.send({"tpc": "echo", "func": "say", "args": ["x" * 1000], "cb": "callback"})
            ws.ws.sock.close()
        self.check_alive()


class Login(Case):
    def ended(self, ws, code):
        frames, got = ws.closed()
        self.assertEqual(got, code)
        return frames

    def test_wrong_first_messages(self):
        for encoding in "json", "msgpack":
            for call in ({"func": "test", "args": ["a", "b"]}, {"tpc": "echo", "func": "say"},
                         {"tpc": "counter", "func": "hit", "args": [1]}):
                with self.subTest("%s %s" % (encoding, call)):
                    ws = self.runtime.client(login=False, encoding=encoding)
                    ws.send({**call, "cb": "callback", "id": 77})
                    answer, = self.ended(ws, 1008)
                    self.assertEqual((answer["func"], answer["args"], answer["id"]),
                                     ("callback", [], 77))
                    self.assertLess(answer["err"]["code"], 0)
                    self.assertIn("login", answer["err"]["text"])
        self.assertEqual(self.caller.call("counter", "hit", 0), [0])

    def test_refused(self):
        for args in [], ["guid"], [1, 2]:
            with self.subTest(args):
                ws = self.runtime.client(login=False)
                ws.send({"func": "login", "args": args})
                answer, = self.ended(ws, 1008)
                self.assertEqual((answer["func"], answer["args"]), ("loginback", [1]))

    def test_calls_right_behind_the_login(self):
        ws = self.runtime.client(login=False)
        ws.send({"func": "login", "args": ["guid", "md5"], "cb": "", "tpc": "login"})
        ws.send({"tpc": "echo", "func": "say", "args": [1], "cb": "callback"})
        self.assertEqual(ws.receive(), {"func": "loginback", "args": [0]})
        self.assertEqual(ws.receive(), {"func": "callback", "args": [1]})

    def test_login_has_an_id_too(self):
        ws = self.runtime.client(login=False)
        ws.send({"func": "login", "args": ["guid", "md5"], "id": "first"})
        self.assertEqual(ws.receive(), {"func": "loginback", "args": [0], "id": "first"})


class Frames(Case):
    """What is malformed or too big ends its own connection, with the code that says why."""

    def ends(self, code, *frames, login=True):
        ws = self.runtime.client(login=login)
        for kind, data in frames:
            ws.ws.send_frame(websocket.ABNF.create_frame(data, kind))
        _, got = ws.closed()
        self.assertEqual(got, code, frames)

    def test_malformed_json(self):
        text = websocket.ABNF.OPCODE_TEXT
        for data in (b"", b"x", b"{", b"{}", b"[]", b"1", b'"login"', b'{"func":1}',
                     b"{'func':'x'}",
                     b'{"func":"test","args":{}}', b'{"func":"test","args":["a","b"]} {}',
                     b'{"func":"test","func":"test","args":[]}', b'{"func":"test","id":[1]}',
                     b'{"func":"test","args":' + b"[" * 100000, b'{"func":"\\ud800"}'):
            with self.subTest(data[:40]):
                self.ends(1007, (text, data))
                self.ends(1007, (text, data), login=False)
        self.check_alive()

    def test_a_call_that_breaks_the_schema(self):
        """Its caller can be told, and stays."""
        for encoding in "json", "msgpack":
            ws = self.runtime.client(encoding=encoding)
            words = self.refused(EARGS, ws.call, "say", *range(300), tpc="echo")
            self.assertIn("args holds 300 values", words)
            ws.send({"func": "say", "tpc": "echo", "args": {"a": 1}, "cb": "callback"})
            self.assertEqual(ws.receive()["err"]["code"], EARGS)
            self.assertEqual(ws.call("say", 1, tpc="echo"), [1])

    def test_text_that_is_no_utf8(self):
        for data in b"\xff\xfe", b'{"func":"\xc3("}', b'{"func":"te\xed\xa0\x80st"}':
            with self.subTest(data):
                self.ends(1007, (websocket.ABNF.OPCODE_TEXT, data))
        self.check_alive()

    def test_malformed_msgpack(self):
        binary = websocket.ABNF.OPCODE_BINARY
        for data in (b"", b"\xc1", b"\x90", b"\x80", b"\x01", b"\xdf\xff\xff\xff\xff",
                     b"\xdd\xff\xff\xff\xff", b"\x81\xa4func", b"\x81\xa4func\x01",
                     b"\x81\xa4func\xdb\xff\xff\xff\xff",
                     b"\x82\xa4func\xa1x\xa4args\xdd\x7f\xff\xff\xff",
                     b"\x82\xa4func\xa1x\xa4args" + b"\x91" * 100000 + b"\xc0",
                     b"\x81\xa4func\xa4test\x00"):
            with self.subTest(data[:40]):
                self.ends(1007, (binary, data))
        self.check_alive()

    def test_noise(self):
        for i in range(200):
            ws = self.runtime.client(login=i % 2 == 0)
            kind = self.random.choice((websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY))
            ws.ws.send_frame(websocket.ABNF.create_frame(
                self.random.randbytes(self.random.randrange(1, 400)), kind))
            self.assertEqual(ws.closed()[1], 1007)
        self.check_alive()

    def test_garbage_instead_of_frames(self):
        for garbage in (b"\0" * 1000, b"\xff" * 1000, self.random.randbytes(4096),
                        b"GET / HTTP/1.1\r\n\r\n" * 10):
            for hello in b"", self.hello():
                with socket.create_connection(self.address(), timeout=10 * PATIENCE) as s:
                    try:
                        s.sendall(hello + garbage)
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(65536):
                            pass
                    except OSError:
                        pass
        self.check_alive()

    def test_too_big(self):
        for parts in [17 * MIB], [10 * MIB, 10 * MIB], [MIB] * 17:
            with self.subTest(parts):
                self.assertEqual(self.flood(parts), 1009)
        self.check_alive()

    def test_a_frame_of_100_mb(self):
        before = self.memory()
        self.assertEqual(self.flood([100 * MIB]), 1009)
        self.check_alive()
        self.assertLess(self.memory() - before, 80 * MIB)

    def memory(self):
        with open("/proc/%d/statm" % self.runtime.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def address(self):
        host, port = self.runtime.listen.rsplit(":", 1)
        return host, int(port)

    def hello(self, **more):
        key = base64.b64encode(self.random.randbytes(16)).decode()
        head = {"Host": self.runtime.listen, "Upgrade": "websocket", "Connection": "Upgrade",
                "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13", **more}
        return ("GET / HTTP/1.1\r\n" + "".join("%s: %s\r\n" % h for h in head.items())
                + "\r\n").encode()

    def flood(self, parts):
        """One message in frames of these sizes; the code of the close, read while it is sent."""
        ws = self.runtime.client()
        sock, codes = ws.ws.sock, []

        def listen():
            frames, code = ws.closed()
            codes.append(code)
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            for i, size in enumerate(parts):
                last = 0x80 if i == len(parts) - 1 else 0
                head = struct.pack("!BBQ", last | (0 if i else 2), 0xff, size) + b"\0\0\0\0"
                sock.sendall(head)
                for _ in range(size // MIB):
                    sock.sendall(b"x" * MIB)
        except (ConnectionError, OSError):
            pass
        listener.join(20 * PATIENCE)
        ws.ws.shutdown()
        self.assertEqual(len(codes), 1, "the connection never ended")
        return codes[0]

    def test_a_client_that_never_reads(self):
        """It costs its own connection at most, not the others' answers."""
        deaf = self.runtime.client()
        deaf.ws.sock.settimeout(1)
        text = json.dumps({"tpc": "echo", "func": "say", "args": ["x" * 100000], "cb": "callback"})
        try:
            for _ in range(2000):
                deaf.ws.send(text)
        except (OSError, websocket.WebSocketException):
            pass
        self.check_alive()
        self.assertLess(self.memory(), 600 * MIB)
        deaf.ws.sock.close()


class Patches(Case):
    CONNECTIONS, PATCHES = 100, 100

    def test_connections_stay_open(self):
        """100 connections call all the while 100 patches come; each sees the numbers only grow."""
        clients = [self.runtime.client(encoding=("json", "msgpack")[i % 2])
                   for i in range(self.CONNECTIONS)]
        self.caller.eval("", "generation", ANSWERS % 0, "answers")
        over, problems, calls = threading.Event(), [], [0]

        def call(mine):
            seen = dict.fromkeys(mine, 0)
            try:
                while not over.is_set():
                    for ws in mine:
                        number, = ws.call("generation")
                        assert number >= seen[ws], "%d after %d" % (number, seen[ws])
                        seen[ws] = number
                        calls[0] += 1
            except Exception as problem:
                problems.append(repr(problem))
        threads = [threading.Thread(target=call, args=(clients[i::4],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for i in range(1, self.PATCHES + 1):
            self.caller.eval("", "generation", ANSWERS % i, "answers")
        over.set()
        for thread in threads:
            thread.join(30 * PATIENCE)
        self.assertEqual(problems, [])
        self.assertGreater(calls[0], self.CONNECTIONS)
        for ws in clients:
            self.assertEqual(ws.call("generation"), [self.PATCHES])
            ws.close()


class Http(Case):
    options = ("--allow-origin", "https://friend.example,http://other.example:8000")

    def test_healthz(self):
        status, headers, body = self.runtime.get("/healthz")
        self.assertEqual(status, 200)
        self.assertTrue(body)

    def test_not_there(self):
        for path in "/nothing", "/healthz/more", "/../etc/passwd", "/" + "x" * 1000:
            with self.subTest(path[:30]):
                status, headers, body = self.runtime.get(path)
                self.assertEqual(status, 404)
                self.assertIn("json", headers["Content-Type"])
                self.assertIsInstance(json.loads(body), dict)
        try:
            self.assertEqual(self.runtime.get("/nothing%00")[0], 404)
        except http.client.RemoteDisconnected:
            pass                        # libwebsockets 4.3 does without an answer

    def connect(self, origin, **more):
        more.update({"origin": origin} if origin else {"suppress_origin": True})
        try:
            self.runtime.client(**more).close()
            return 101
        except websocket.WebSocketBadStatusException as refused:
            return refused.status_code

    def test_origin(self):
        own = "http://" + self.runtime.listen
        port = self.runtime.listen.rsplit(":", 1)[1]
        for origin in None, own, "https://friend.example", "http://other.example:8000":
            self.assertEqual(self.connect(origin), 101, origin)
        for origin in ("http://evil.example", "http://friend.example.evil.example", "null",
                       "http://other.example", "https://friend.example:1", "http://127.0.0.1:1",
                       "http://evil.example:" + port, own + "0", "friend.example"):
            self.assertEqual(self.connect(origin), 403, origin)

    def test_rebound_name(self):
        """A page whose own name leads here is not of this node."""
        port = self.runtime.listen.rsplit(":", 1)[1]
        for name, status in ("evil.example", 403), ("localhost", 101), ("friend.example", 403):
            host = "%s:%s" % (name, port)
            self.assertEqual(self.connect("http://" + host, host=host), status, host)
        self.assertEqual(self.connect("https://friend.example", host="friend.example"), 101)


if __name__ == "__main__":
    unittest.main()
