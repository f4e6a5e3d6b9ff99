#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What clients send wrong before they are clients, in crowds, and as messages; after each the node
works as before. (Frames: test_rfc6455.py; limits: test_limits.py; noise: test_ws.py.)"""

import json
import os
import socket
import struct
import sys
import time
import unittest

import msgpack
import websocket

from harness import ENOENT, PATIENCE, Case, until

# tools/test --long: 50,000 a round, which takes a minute, an hour of rounds.
CROWD_S = float(os.environ.get("CROWD_SECONDS", 0))
CROWD = 50000 if os.environ.get("RFC6455_LONG") else 2000
ROUND_S = 60 if CROWD_S else 0
HELLO = ("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


class BadClients(Case):
    def connect(self):
        host, port = self.runtime.listen.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=10 * PATIENCE)

    def status(self, hello):
        with self.connect() as s:
            try:
                s.sendall(hello.encode())
                s.shutdown(socket.SHUT_WR)
                got = s.recv(65536)
            except OSError:
                got = b""
            return int(got.split(b" ")[1]) if got.startswith(b"HTTP/1.") else None

    def memory(self):
        with open("/proc/%d/statm" % self.runtime.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def sanitized(self):
        with open("/proc/%d/maps" % self.runtime.pid) as f:
            return "san.so" in f.read()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.runtime.pid))

    def test_wrong_handshakes(self):
        self.assertEqual(self.status(HELLO), 101)
        for old, new in (("Upgrade: websocket", "Upgrade: h2c"),
                         ("Upgrade: websocket", "Upgrade: "),
                         ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
                         ("GET / HTTP/1.1", "POST / HTTP/1.1"), ("GET / HTTP/1.1", "GET"),
                         ("GET / HTTP/1.1", "\x16\x03\x01\x02\x00\x01\x00"),
                         ("GET / HTTP/1.1", "CONNECT evil.example:80 HTTP/1.1"),
                         ("GET / HTTP/1.1", "PRI * HTTP/2.0"), ("Host: x", "Host: " + "x" * 20000)):
            with self.subTest(new[:30]):
                self.assertNotEqual(self.status(HELLO.replace(old, new)), 101)
        self.check_alive()

    def crowd(self, act):
        begun, n = time.monotonic(), CROWD // 5
        for i in range(n):
            with self.connect() as s:
                act(s)
            if i % 50 == 49:                    # so that a round takes its time
                early = begun + ROUND_S / 5 * i / n - time.monotonic()
                time.sleep(max(0, early))

    def test_opened_and_dropped(self):
        """At each stage, by a reset and by a plain end; nothing of them is left."""
        def reset(s):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def hello(s):
            s.sendall(HELLO.encode())
            s.recv(4096)

        def half(s):
            s.sendall(HELLO[:60].encode())

        def hello_and_reset(s):
            hello(s)
            reset(s)

        acts = (lambda s: None, reset, half, hello, hello_and_reset)
        for act in acts:                        # once, so that buffers have grown
            self.crowd(act)
        stays = self.runtime.client()
        before, open_before, begun, rounds = self.memory(), self.descriptors(), time.monotonic(), 0
        while not rounds or time.monotonic() - begun < CROWD_S:
            for act in acts:
                self.crowd(act)
                self.assertEqual(stays.call("say", rounds, tpc="echo"), [rounds])
            rounds += 1
            if CROWD_S:
                print("%d connections in %.0f s, %+d KiB" % (rounds * CROWD, time.monotonic()
                      - begun, (self.memory() - before) >> 10), file=sys.stderr, flush=True)
        until(lambda: self.descriptors() <= open_before, "their descriptors are closed", 30)
        # Sanitizers keep what was freed, to catch who still uses it.
        self.assertLess(self.memory() - before, (300 if self.sanitized() else 8) << 20)
        self.check_alive()

    def test_numbers_that_are_none(self):
        for text in ("[NaN]", "[Infinity]", "[-Infinity]", "[1e400]", "[-1e400]", "[1" + "0" * 400
                     + "]", "[01]", "[1.]", "[.5]", "[+1]", "[0x10]", "[1e]", "[-]"):
            with self.subTest(text[:20]):
                ws = self.runtime.client()
                ws.ws.send('{"tpc":"echo","func":"say","cb":"c","args":%s}' % text)
                frames, code = ws.closed()
                self.assertEqual((frames, code), ([], 1007))

    def test_texts_and_depths(self):
        for text in ('["\\ud800"]', '["\\udc00"]', '["\\ud800\\u0041"]', '["\\ud800\\ud800"]',
                     '["\\x41"]', '["\\u12"]', '["\t"]', '["\n"]', '{"a":1,"a":2}',
                     '[{"a":1,"a":2}]', "[" * 100000 + "]" * 100000, '[{"a":' * 50000,
                     "[" * 40 + "]" * 40, "[1,]", "[,1]", "[1 2]", "['x']", "[1]]", "[tru]"):
            with self.subTest(text[:20]):
                ws = self.runtime.client()
                ws.ws.send('{"tpc":"echo","func":"say","cb":"c","args":%s}' % text)
                frames, code = ws.closed()
                self.assertEqual((frames, code), ([], 1007))
        self.check_alive()

    def test_hostile_msgpack(self):
        call = msgpack.packb({"tpc": "echo", "func": "say", "cb": "c"})
        before = self.memory()
        for args in (b"\xdd\xff\xff\xff\xff", b"\xdc\xff\xff", b"\x91\xdf\xff\xff\xff\xff",
                     b"\x91\xdb\xff\xff\xff\xffx", b"\x91\xc6\x7f\xff\xff\xff", b"\x91\xc1",
                     b"\x91\xc9\xff\xff\xff\xff\x01", b"\x91" * 50000, b"\x91\xa1\xff",
                     b"\x9f" + b"\xdd\x00\x10\x00\x00" * 15):
            with self.subTest(args[:8]):
                ws = self.runtime.client()
                ws.ws.send_binary(bytes([call[0] + 1]) + call[1:] + b"\xa4args" + args)
                frames, code = ws.closed()
                self.assertEqual((frames, code), ([], 1007))
        self.assertLess(self.memory() - before, 64 << 20)
        self.check_alive()

    def test_what_clients_may_not_call(self):
        ws = self.runtime.client()
        for tpc in "rpc", "patch", "node", "bus", "gateway", "login", "store":
            for func in "exec", "eval", "callOther", "apply", "stop", "login", "again", "put":
                self.refused(ENOENT, ws.call, func, "x", tpc=tpc)


if __name__ == "__main__":
    unittest.main()
