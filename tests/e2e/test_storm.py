#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All that clients do wrong, at once, against one node: short of descriptors, its disk full (where
we may mount one). Who behaves is answered all the while; what must be ended is ended by the node;
and when they have gone, nothing is left of them, and memory is what it was before.

What comes is drawn from E2E_SEED, printed at the start. STORM_SECONDS makes it long (tools/test
--long: an hour); then each round tells of itself on stderr."""

import base64
import collections
import json
import os
import random
import re
import socket
import struct
import sys
import threading
import time
import unittest
from errno import ENOTCONN

import msgpack
import websocket

import harness
from harness import ENOENT, HERE, PATIENCE, SEED, Case, Refused, make_folder, run, until
from test_rfc6455 import BINARY, CLOSE, CONT, PING, TEXT, Raw, frame

SECONDS = float(os.environ.get("STORM_SECONDS", 0))
THREADS = 3
WARM = 30 if SECONDS else 3             # rounds until buffers have grown
ROUND = 6 if SECONDS else 1             # how often a thread does each thing in a round
HELD = 10                               # of a thread, at once
DESCRIPTORS = 200
LOCAL = 1                               # see actor.h
TROUBLE = re.compile(harness.TROUBLE.pattern.replace("Z error |", ""))
CAN_MOUNT = run(["unshare", "-m", "true"]).code == 0
SMALL = 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'
HELLO = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
CALL = b'{"tpc":"echo","func":"say","cb":"c","args":%s}'
PACKED = msgpack.packb({"tpc": "echo", "func": "say", "cb": "c", "args": [1, "two", {"3": 4.5}]})


class Storm:
    """One thread's share."""

    def __init__(self, address, number):
        self.address, self.rng = address, random.Random("%d/%d" % (SEED, number))
        self.held, self.counts, self.error = [], collections.Counter(), None

    def round(self):
        acts = [getattr(self, a) for a in dir(self) if a.startswith("do_")] * ROUND
        self.rng.shuffle(acts)
        try:
            for act in acts:
                self.one(act)
        except Exception as error:              # of the test: told by the thread that waits
            self.error = "%s: %r" % (act.__name__, error)

    def one(self, act):
        try:
            outcome = act()
        except (EOFError, OSError) as error:
            if not isinstance(error, (EOFError, ConnectionError)) and error.errno != ENOTCONN:
                raise
            outcome = "cut"                     # no place, or no descriptor
        self.counts["%s %s" % (act.__name__[3:], outcome or "left")] += 1
        while len(self.held) > HELD:
            self.drop(self.held.pop(self.rng.randrange(len(self.held))))

    def drop(self, s):
        if self.rng.random() < 0.5:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    def connect(self):
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=20 * PATIENCE)

    def client(self, name=None):
        """Logged in, under a name that nobody had."""
        raw = Raw(self.address, login=False)
        try:
            raw.send(frame(TEXT, json.dumps({"func": "login", "args": [
                name or "u%x" % self.rng.getrandbits(64), "md5"]}).encode()))
            if b"loginback" not in raw.receive()[1]:
                raise AssertionError("no login")
        except BaseException:
            raw.close()
            raise
        return raw

    def says(self, *frames):
        """What the node must end: how it did."""
        raw = self.client()
        try:
            try:
                for data in frames:
                    raw.send(data)
            except ConnectionError:
                pass
            return raw.rest()[1] or "cut"
        finally:
            self.drop(raw.sock)

    def asks(self, data):
        """A request, or something like it: the status of what comes back."""
        with self.connect() as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            got = s.recv(65536)
            while s.recv(65536):
                pass
            return got.split(b" ")[1].decode() if got.startswith(b"HTTP/1.") else "cut"

    def mutated(self, data):
        out = bytearray(data)
        for _ in range(self.rng.randint(1, 4)):
            at = self.rng.randrange(len(out))
            way = self.rng.randrange(4)
            if way == 0:
                out[at] ^= 1 << self.rng.randrange(8)
            elif way == 1:
                out[at:at] = self.rng.randbytes(self.rng.randint(1, 9))
            elif way == 2:
                del out[at:at + self.rng.randint(1, len(out) // 2)]
            else:
                out[at:at] = out[:at]
            out = out or bytearray(1)
        return bytes(out)

    def handshake(self, data):
        """Of what may have become a client, or waits for more of its request."""
        s = self.connect()
        s.sendall(data)
        self.held.append(s)

    # --- handshakes and requests ---

    def do_slow_handshake(self):
        self.handshake(HELLO[:self.rng.randrange(len(HELLO))])

    def do_mutated_handshake(self):
        self.handshake(self.mutated(HELLO))

    def do_oversized_handshake(self):
        size = self.rng.choice((13000, 20000, 200000))
        return self.asks(HELLO.replace(b"Host: x", b"Host: " + b"x" * size))

    def do_garbage(self):
        return self.asks(self.rng.choice((b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"\0" * 50,
                                          b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"\r\n\r\n" * 99,
                                          b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n",
                                          self.rng.randbytes(self.rng.randint(1, 3000)))))

    def do_get(self):
        path = self.rng.choice((b"/", b"/metrics", b"/../../etc/passwd", b"/%00", b"/debug/stacks",
                                b"/" + b"a" * 3000, b"/call/echo/say", b"/%zz"))
        return self.asks(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)

    def do_post(self):
        body = self.rng.choice((b"[1]", b"[" * 9999, b'{"a":1', b"", self.mutated(b'["x",[1,2]]')))
        length = self.rng.choice((len(body), len(body), 16 << 20, (16 << 20) + 1, -1, 1 << 62))
        login = base64.b64encode(b"u%x:p" % self.rng.getrandbits(64))
        more = self.rng.choice((b"", b"", b"Transfer-Encoding: chunked\r\n",
                                b"Expect: 100-continue\r\n"))
        self.handshake(b"POST /call/echo/say HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n"
                       b"Content-Length: %d\r\n%s\r\n%s" % (login, length, more, body))

    # --- frames ---

    def do_wrong_mask(self):
        data = bytearray(frame(TEXT, CALL % b"[1]"))
        data[self.rng.randrange(2, 6)] ^= 0x80
        return self.says(bytes(data))

    def do_reserved(self):
        return self.says(frame(self.rng.choice((TEXT, BINARY, PING)), b"x",
                               rsv=self.rng.randint(1, 7)))

    def do_opcode(self):
        return self.says(frame(self.rng.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15)), b"x"))

    def do_length(self):
        return self.says(frame(BINARY, b"x" * 5000,
                               length=self.rng.choice((1 << 25, 4 << 30, 1 << 63, (1 << 64) - 1))))

    def do_close(self):
        return self.says(frame(CLOSE, self.rng.randbytes(self.rng.randrange(126))))

    def do_fragments(self):
        """Of a message without an end, and pings between."""
        raw, n = self.client(), self.rng.randint(1, 50)
        raw.send(b"".join(frame(CONT if i else TEXT, b"a" * 999, fin=False) + frame(PING, b"p")
                          for i in range(n)))
        self.held.append(raw.sock)

    def do_mutated_frames(self):
        raw = self.client()
        raw.send(self.mutated(frame(TEXT, CALL % b'["x"]') * 3 + frame(PING, b"p")))
        self.held.append(raw.sock)

    # --- messages ---

    def do_numbers(self):
        number = self.rng.choice((b"NaN", b"1e400", b"-Infinity", b"1" + b"0" * 400, b"01", b".5"))
        return self.says(frame(TEXT, CALL % b"[%s]" % number))

    def do_texts(self):
        return self.says(frame(TEXT, CALL % self.rng.choice((
            b'["\\ud800"]', b'["\\udc00\\ud800"]', b'[{"a":1,"a":2}]', b'["\t"]', b'["\xc0\xaf"]',
            b"[" * 100000 + b"]" * 100000, b'[{"a":' * 50000, b"[1,]", b"['x']"))))

    def do_msgpack(self):
        return self.says(frame(BINARY, b"\x84" + msgpack.packb(
            {"tpc": "echo", "func": "say", "cb": "c"})[1:] + b"\xa4args" + self.rng.choice((
                b"\xdd\xff\xff\xff\xff", b"\x91\xdf\xff\xff\xff\xff", b"\x91\xc6\x7f\xff\xff\xff",
                b"\x91" * 50000, b"\x91\xc1", b"\x91\xa1\xff"))))

    def do_mutated_messages(self):
        raw = self.client()
        for _ in range(9):
            try:
                raw.send(frame(BINARY, self.mutated(PACKED)) if self.rng.random() < 0.5 else
                         frame(TEXT, self.mutated(CALL % b'["x",{"y":[1.5,null]}]')))
            except ConnectionError:
                break
        self.held.append(raw.sock)

    def do_logins(self):
        raw = Raw(self.address, login=False)
        try:
            raw.send(frame(TEXT, json.dumps(self.rng.choice((
                {"func": "login", "args": []}, {"func": "login", "args": [1, 2]},
                {"func": "login", "args": ["x" * 60000, "y"]}, {"func": "say", "args": [1]},
                {"func": "login", "args": ["", ""]}, [], "login", {}))).encode()))
            return raw.rest()[1] or "cut"
        finally:
            self.drop(raw.sock)

    def do_forbidden(self):
        raw = self.client()
        for tpc in "rpc", "patch", "node", "bus", "gateway", "login", "store", "clients", "none":
            raw.send(frame(TEXT, json.dumps({"tpc": tpc, "func": self.rng.choice((
                "exec", "eval", "apply", "put", "stop", "close")), "args": ["x"], "cb": "c"})
                .encode()))
            err = json.loads(raw.receive()[1])["err"]
            if err["code"] != ENOENT:
                raise AssertionError("%s answers %r" % (tpc, err))
        self.held.append(raw.sock)

    # --- too much ---

    def do_open_and_drop(self):
        for _ in range(30):
            s = self.connect()
            s.sendall(HELLO[:self.rng.choice((0, 30, len(HELLO)))])
            self.drop(s)

    def do_crowd(self):
        """More than there are descriptors."""
        crowd = []
        try:
            for _ in range(DESCRIPTORS):
                crowd.append(self.connect())
        finally:
            for s in crowd:
                self.drop(s)

    def do_unread(self):
        raw = self.client()
        raw.sock.settimeout(0.05)
        try:
            for _ in range(20):
                raw.send(frame(TEXT, CALL % (b'["%s"]' % (b"x" * 200000))))
        except TimeoutError:
            pass                                # the node reads no more
        self.held.append(raw.sock)

    def do_keep(self):
        """On the full disk. What many users keep waits for it in memory: see test_keep.py."""
        raw = self.client("keeps%d" % self.rng.randrange(64))
        for i in range(5):
            raw.send(frame(TEXT, json.dumps({"tpc": "purse", "func": "set", "cb": "c", "args": [
                LOCAL, "k%d" % i, "v" * self.rng.randrange(3000)]}).encode()))
            raw.receive()
        self.held.append(raw.sock)


class Good(threading.Thread):
    """Who behaves: it was there before, and must be answered."""

    def __init__(self, runtime):
        super().__init__(daemon=True)
        self.clients = [runtime.client(), runtime.client(encoding="msgpack")]
        self.over, self.calls, self.worst, self.error = threading.Event(), 0, 0, None
        self.start()

    def run(self):
        try:
            while not self.over.wait(0.002):
                begun = time.monotonic()
                for client in self.clients:
                    if client.call("say", self.calls, "x", tpc="echo") != [self.calls, "x"]:
                        raise AssertionError("another answer")
                self.worst = max(self.worst, time.monotonic() - begun)
                self.calls += 2
        except (AssertionError, OSError, Refused, websocket.WebSocketException) as error:
            self.error = repr(error)


class Storms(Case):
    options = None

    def begin(self):
        prefix = ("prlimit", "--nofile=%d:%d" % (DESCRIPTORS, DESCRIPTORS))
        folder = make_folder()
        (folder / "state").mkdir()
        if CAN_MOUNT:
            prefix = ("unshare", "-m", "sh", "-c", SMALL, folder / "state", *prefix)
        # All have one address here, which would be barred: to go amid a login counts as a refusal.
        runtime = self.start(HERE / "actors/purse.c", "--login-rate", "0", redis="none",
                             stop=False, folder=folder, prefix=[str(p) for p in prefix])
        self.addCleanup(runtime.stop, trouble=TROUBLE)
        for i in range(1000 if CAN_MOUNT else 0):
            if runtime.actorctl("call", "store", "put", "k%d" % i, '"%s"' % ("x" * 100000)).code:
                break
        return runtime

    def memory(self, runtime, what):
        with open("/proc/%d/status" % runtime.pid) as f:
            return int(re.search(what + r":\s*(\d+) kB", f.read())[1]) << 10

    def descriptors(self, runtime):
        return len(os.listdir("/proc/%d/fd" % runtime.pid))

    def there(self, runtime):
        """Clients, what is allocated for connections, actors (each client is one), users."""
        node = runtime.json("inspect")[0]
        return (node["clients"]["connected"], node["memory"]["clients_bytes"], node["actors"],
                *runtime.json("call", "clients", "users")[0]["args"])

    def test_all_at_once(self):
        runtime = self.begin()
        good, storms = Good(runtime), [Storm(runtime.listen, i) for i in range(THREADS)]
        open_before, begun, rounds, before = self.descriptors(runtime), time.monotonic(), 0, 0
        there = self.there(runtime)
        print("E2E_SEED=%d" % SEED, file=sys.stderr, flush=True)
        while rounds < WARM + 1 or time.monotonic() - begun < SECONDS:
            threads = [threading.Thread(target=s.round) for s in storms]
            for t in threads:
                t.start()
            for t, s in zip(threads, storms):
                t.join()
                for held in s.held:
                    s.drop(held)
                s.held.clear()
            self.assertEqual([x.error for x in (*storms, good) if x.error], [])
            until(lambda: self.descriptors(runtime) <= open_before, "all have gone", 60)
            until(lambda: self.there(runtime) == there, "and nothing is left of them", 60)
            rounds += 1
            now = self.memory(runtime, "RssAnon")
            before = now if rounds <= WARM else before
            if SECONDS:
                print("%5.0f s %5d rounds %8d bad %8d good, worst %.0f ms; at rest %d KiB, %+d; "
                      "%d lines" % (time.monotonic() - begun, rounds,
                                    sum(sum(s.counts.values()) for s in storms), good.calls,
                                    good.worst * 1000, self.memory(runtime, "VmRSS") >> 10,
                                    (now - before) >> 10, len(runtime.err.lines)),
                      file=sys.stderr, flush=True)
        good.over.set()
        good.join()
        self.assertIsNone(good.error)
        counts = sum((s.counts for s in storms), collections.Counter())
        print(" ".join("%s=%d" % pair for pair in sorted(counts.items())), file=sys.stderr)
        self.assertIsNotNone(runtime.err.wait("descriptors have run out"))
        if CAN_MOUNT:
            self.assertIsNotNone(runtime.err.wait("No space left"))
        # What malloc keeps for itself, and what waits for the full disk, is in `before`.
        # Sanitizers keep what was freed, to catch who still uses it.
        with open("/proc/%d/maps" % runtime.pid) as f:
            self.assertLess(now - before, (300 if "san.so" in f.read() else 8) << 20)
        self.assertEqual(runtime.client().call("say", 1, tpc="echo"), [1])
        self.assertEqual(runtime.get("/healthz")[0], 200)
        self.assertEqual(runtime.actorctl("ping").code, 0)


if __name__ == "__main__":
    unittest.main()
