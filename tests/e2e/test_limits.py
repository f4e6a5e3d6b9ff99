#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What one client, one address and all of them may cost, and what becomes of who takes more:
rates, numbers, sizes, time to log in and between messages, what is not read; and TLS."""

import contextlib
import json
import re
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest

import websocket

from harness import (ACTORD, HERE, PATIENCE, Case, actord, close_code, deadline, make_folder, run,
                     until, write_files)

# "Try again later" (registered since) is unknown to python3-websocket.
websocket._abnf.VALID_CLOSE_STATUS += (1013,)
SAY = {"tpc": "echo", "func": "say", "args": ["x"], "cb": "callback"}


class Limited(Case):
    def code(self, ws):
        return ws.closed()[1]

    def metric(self, runtime, name):
        text = runtime.get("/metrics")[2].decode()
        return float(re.search(r"^actord_%s (\S+)$" % name, text, re.M).group(1))


class Rates(Limited):
    options = ("--client-rate", "50", "--address-rate", "150")

    def test_a_client_and_an_address(self):
        ws = self.runtime.client()
        for _ in range(200):
            try:
                ws.send(SAY)
            except (OSError, websocket.WebSocketException):
                break
        self.assertEqual(self.code(ws), 1008)
        crowd = [self.runtime.client(login=False) for _ in range(20)]
        for one in crowd:                       # each within its own rate, but not together
            try:
                for i in range(45):
                    one.send(SAY if i else {"func": "login", "args": ["guid", "md5"]})
            except (OSError, websocket.WebSocketException):
                pass
        self.assertEqual(self.first_code(crowd), 1013)
        self.assertGreaterEqual(self.metric(self.runtime, "clients_limited_total"), 2)
        # A second later there is room again.
        until(self.calls, "room for one more call", 20)

    def first_code(self, crowd):
        """With which code the first of them is closed; what comes before is read."""
        ends, left = deadline(20), {one.ws.sock: one.ws for one in crowd}
        while left and time.monotonic() < ends:
            for sock in select.select(list(left), [], [], 1)[0]:
                try:
                    frame = left[sock].recv_frame()
                except (OSError, websocket.WebSocketException):
                    left.pop(sock)              # cut off, as what it sent was not read any more
                    continue
                if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                    return int.from_bytes(frame.data[:2], "big")
        return None

    def calls(self):
        try:
            ws = self.runtime.client()
            ws.call("say", 1, tpc="echo")
            ws.close()
            return True
        except (OSError, websocket.WebSocketException):
            return False


class RatesOnThreads(Rates):
    """An address has one rate, whichever threads its connections live on."""
    options = (*Rates.options, "--ws-threads", "2")


class Posts(Limited):
    """A call by POST counts as a message of its address, and as a client while it lasts."""
    options = None

    def status(self, runtime):
        return runtime.post("echo/say", 1)[0]

    def test_rate(self):
        runtime = self.start("--address-rate", "1", redis="none")
        self.assertEqual(self.status(runtime), 200)
        until(lambda: self.status(runtime) == 429, "one within a second is too many")
        self.assertGreaterEqual(self.metric(runtime, "clients_limited_total"), 1)
        until(lambda: self.status(runtime) == 200, "a second later there is room again")

    def test_max_clients(self):
        for option in "--max-clients", "--max-address-clients":
            runtime = self.start(option, "1", redis="none")
            self.assertEqual(self.status(runtime), 200)
            ws = runtime.client()
            self.assertEqual(self.status(runtime), 503)
            ws.close()
            until(lambda: self.status(runtime) == 200, "its place is free")


class Logins(Limited):
    """Who guesses is soon out; who comes in is never counted."""
    options = None

    def login(self, runtime, proof, source="127.0.0.1"):
        """None: let in; else how the connection was closed: 1008 behind a loginback, else 1013."""
        host, port = runtime.listen.rsplit(":", 1)
        ws = runtime.client(login=False, socket=socket.create_connection(
            (host, int(port)), timeout=10 * PATIENCE, source_address=(source, 0)))
        ws.send({"func": "login", "args": ["ali", proof]})
        frame = ws.ws.recv_frame()
        said = json.loads(frame.data) if frame.opcode == 1 else None
        if said:
            self.assertEqual(said["func"], "loginback")
            frame = ws.ws.recv_frame() if said["args"] == [1] else None
        ws.ws.shutdown()
        if not frame:
            return None
        self.assertEqual(close_code(frame.data), 1008 if said else 1013)
        return close_code(frame.data), frame.data[2:].decode()

    def barred(self, runtime):
        """Nobody is asked about a right password either, nor is it called wrong. A guess each time,
        as one is given back in each second."""
        self.login(runtime, "1")
        right, posted = self.login(runtime, "sesame"), runtime.post("echo/say", 1, user="ali")[0]
        return right and (right[0], "too many" in right[1], posted) == (1013, True, 429)

    def test_guesses(self):
        runtime = self.start(HERE / "actors/login.c", "--login-rate", "1:5", redis="none")
        for _ in range(50):
            self.assertIsNone(self.login(runtime, "sesame"))
        self.assertNotIn("too many", self.login(runtime, "0")[1])
        until(lambda: "too many" in self.login(runtime, "1")[1], "guesses are not asked about")
        until(lambda: self.barred(runtime), "nobody is", 20)
        self.assertIsNone(self.login(runtime, "sesame", "127.0.0.2"))
        self.assertGreaterEqual(self.metric(runtime, "clients_limited_total"), 3)
        until(lambda: self.login(runtime, "sesame") is None, "a guess may be made again", 20)


class Numbers(Limited):
    options = None

    def test_max_clients(self):
        for threads in "1", "2":
            self.max_clients(self.start("--max-clients", "3", "--ws-threads", threads,
                                        redis="none"))

    def max_clients(self, runtime):
        inside = [runtime.client() for _ in range(3)]
        self.assertEqual(self.code(runtime.client(login=False)), 1013)
        inside.pop().close()
        until(lambda: self.metric(runtime, "clients") == 2, "a place")
        self.assertEqual(runtime.client().call("say", 1, tpc="echo"), [1])
        self.assertEqual(self.metric(runtime, "clients_turned_away_total"), 1)

    def test_of_an_address(self):
        runtime = self.start("--max-address-clients", "2", "--ws-threads", "2", redis="none")
        for _ in range(2):
            runtime.client()
        self.assertEqual(self.code(runtime.client(login=False)), 1013)
        host, port = runtime.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), source_address=("127.0.0.2", 0)) as s:
            ws = websocket.create_connection("ws://%s/" % runtime.listen, socket=s)
            ws.send(json.dumps({"func": "login", "args": ["guid", "md5"]}))
            self.assertEqual(json.loads(ws.recv())["args"], [0])

    def test_max_message(self):
        runtime = self.start("--max-message", "2000", redis="none")
        ws = runtime.client()
        self.assertEqual(ws.call("say", "x" * 1800, tpc="echo"), ["x" * 1800])
        ws.send({**SAY, "args": ["x" * 2000]})
        self.assertEqual(self.code(ws), 1009)

    def begin(self, ws, size, sent, pieces=False):
        """The head of a frame so long, or of the first of many, and so much of it."""
        head = struct.pack("!BBQ", 0x01 if pieces else 0x81, 0xff, sent if pieces else size)
        ws.ws.sock.sendall(head + b"\0\0\0\0" + b" " * sent)

    def test_too_long(self):
        """Told at the head; and who sends on all the same is heard out, or would not hear why."""
        runtime = self.start(redis="none")
        for size in (16 << 20) + 1, 1 << 62:
            for sent in 1000, 3 << 20:
                ws = runtime.client(login=False)
                self.begin(ws, size, sent)
                self.assertEqual(self.code(ws), 1009, (size, sent))

    def test_before_login(self):
        """What has not logged in may be long, too, and is answered; behind a login it waits."""
        runtime = self.start(redis="none")
        long = {**SAY, "args": ["x" * 3000000], "cb": "back", "id": 7}
        ws = runtime.client(login=False)
        ws.send(long)
        answer = ws.receive()
        self.assertEqual((answer["func"], answer["id"]), ("back", 7))
        self.assertIn("log in", answer["err"]["text"])
        self.assertEqual(self.code(ws), 1008)
        ws = runtime.client(login=False)
        ws.send({"func": "login", "args": ["guid", "x" * 2000000]})
        ws.send(long)
        self.assertEqual(ws.receive()["args"], [0])
        self.assertEqual(ws.receive()["args"], ["x" * 3000000])

    def test_long_messages_before_login(self):
        """They have a bound for all together, however they come, which who goes gives back."""
        runtime = self.start(redis="none")

        def told():
            return runtime.json("inspect")[0]["memory"]["clients_bytes"]
        before, crowd = told(), []
        for i in range(6):
            crowd.append(runtime.client(login=False))
            with contextlib.suppress(OSError):
                self.begin(crowd[-1], 15 << 20, 14 << 20, pieces=i % 2)
        told_so = select.select([ws.ws.sock for ws in crowd], [], [], 20 * PATIENCE)[0]
        self.assertEqual({self.code(ws) for ws in crowd if ws.ws.sock in told_so}, {1013})
        self.assertLess(told() - before, 80 << 20)
        self.assertEqual(runtime.client().call("say", "x" * 60000, tpc="echo"), ["x" * 60000])
        for ws in crowd:
            ws.ws.shutdown()
        until(lambda: self.metric(runtime, "clients") == 1, "all have gone", 30)
        ws = runtime.client(login=False)
        ws.send({**SAY, "args": ["x" * 3000000]})
        self.assertIn("log in", ws.receive()["err"]["text"])

    def test_each_frame_counts(self):
        """A message may have any number of frames, but they have a rate."""
        runtime = self.start("--client-rate", "50", redis="none")
        ws = runtime.client()
        ws.ws.sock.sendall(b"\x01\x80\0\0\0\0" + b"\0\x80\0\0\0\0" * 500)
        until(lambda: self.metric(runtime, "clients_limited_total") == 1, "it is over its rate")

    def test_large_frames_count_as_their_message(self):
        """As browsers send long messages."""
        runtime = self.start("--client-rate", "10", redis="none")
        ws = runtime.client()
        text = json.dumps({**SAY, "args": ["x" * 2000000], "cb": "back"}).encode()
        for at in range(0, len(text), 131072):
            part = text[at:at + 131072]
            head = (0 if at else 1) | (0x80 if at + len(part) == len(text) else 0)
            ws.ws.sock.sendall(struct.pack("!BBQ", head, 0xff, len(part)) + b"\0\0\0\0" + part)
        self.assertEqual(ws.receive()["args"], ["x" * 2000000])

    def test_posts_of_nobody(self):
        """Who calls is settled before a long body is read: nobody's is never taken."""
        runtime = self.start(HERE / "actors/login.c", redis="none")

        def told():
            return runtime.json("inspect")[0]["memory"]["clients_bytes"]
        before, (host, port) = told(), runtime.listen.rsplit(":", 1)
        for login in b"", b"Authorization: Basic YWxpOm9wZW4=\r\n":
            with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
                s.sendall(b"POST /call/echo/say HTTP/1.1\r\nHost: x\r\n" + login +
                          b"Content-Length: 9000000\r\n\r\n[")
                answer = b""
                while not answer.endswith(b"}\n"):
                    answer += s.recv(1000)
                self.assertIn(b" 401 ", answer)
                self.assertIn(b"connection: close", answer.lower())
                s.sendall(b" " * (1 << 20))     # goes nowhere, and resets nothing
                self.assertLess(told() - before, 512 << 10)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
            s.sendall(b"POST /call/echo/say HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
                      b"Authorization: Basic YWxpOnNlc2FtZQ==\r\n\r\n[1" + b" " * 8999997)
            until(lambda: told() - before > 8 << 20, "ali may")
            s.sendall(b"]")
            self.assertIn(b" 200 ", s.recv(100))

    def test_connections_of_an_address(self):
        """They count from when they come, whatever is said on them, or nothing."""
        runtime = self.start("--max-address-clients", "3", redis="none")
        host, port = runtime.listen.rsplit(":", 1)
        inside = [runtime.client() for _ in range(3)]
        crowd = []
        for i in range(60):
            s = socket.create_connection((host, int(port)), timeout=10 * PATIENCE)
            self.addCleanup(s.close)
            crowd.append(s)
            with contextlib.suppress(OSError):
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" if i % 2 else b"")
        ended = [s for s in crowd[16:] if self.ends(s)]
        self.assertEqual(len(ended), 44)
        self.assertEqual(inside[0].call("say", 1, tpc="echo"), [1])
        for s in crowd:
            s.close()
        until(lambda: self.admits(runtime), "there is room again")
        self.assertEqual(self.metric(runtime, "clients"), 3)

    def ends(self, s):
        try:
            return s.recv(1) == b""
        except ConnectionError:
            return True

    def admits(self, runtime):
        try:
            return runtime.get("/healthz")[0] == 200
        except OSError:
            return False

    def test_descriptors_run_out(self):
        """The soft limit is raised to the hard one at the start: that is what must be low."""
        runtime = self.start(redis="none", prefix=("prlimit", "--nofile=160:160"))
        ws = runtime.client()
        host, port = runtime.listen.rsplit(":", 1)
        crowd = []
        try:
            for _ in range(300):
                crowd.append(socket.create_connection((host, int(port)), timeout=10 * PATIENCE))
            self.assertIsNotNone(runtime.err.wait("descriptors have run out"))
            self.assertEqual(ws.call("say", 1, tpc="echo"), [1])
            self.assertEqual(runtime.actorctl("ping").code, 0)
        finally:
            for s in crowd:
                s.close()
        again = until(lambda: self.admitted(runtime), "a new client is let in", 30)
        self.assertEqual(again.call("say", 2, tpc="echo"), [2])
        self.assertGreater(self.metric(runtime, "clients_turned_away_total"), 0)

    def test_no_descriptor_for_anybody(self):
        done = run(["prlimit", "--nofile=64:64", ACTORD, "--redis", "none", "--listen",
                    "127.0.0.1:0", "--state", make_folder() / "s", "--control",
                    make_folder() / "c"], env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.assertEqual((done.code, "no client could be let in" in done.err), (2, True), done)

    def admitted(self, runtime):
        try:
            return runtime.client()
        except (OSError, websocket.WebSocketException):
            return None


class Deadlines(Limited):
    SHORT = str(max(1, round(0.4 * PATIENCE)))  # s; others log in within that
    options = ("--login-timeout", SHORT, "--idle-timeout", "3", "--handshake-timeout", SHORT,
               "--ping-interval", "1")

    def test_no_login(self):
        self.assertEqual(self.code(self.runtime.client(login=False)), 1008)

    def test_silence(self):
        ws = self.runtime.client()
        kinds = []
        while websocket.ABNF.OPCODE_CLOSE not in kinds:
            frame = ws.ws.recv_frame()
            kinds.append(frame.opcode)
            if frame.opcode == websocket.ABNF.OPCODE_PING:
                ws.ws.pong(frame.data)
        self.assertEqual(int.from_bytes(frame.data[:2], "big"), 1008)
        self.assertIn(websocket.ABNF.OPCODE_PING, kinds)

    def test_no_pong(self):
        ws = self.runtime.client()
        self.assertIsNone(self.code_without_pongs(ws))
        self.assertGreaterEqual(self.metric(self.runtime, "clients_lost_total"), 1)

    def code_without_pongs(self, ws):
        try:
            while True:
                frame = ws.ws.recv_frame()
                if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                    return int.from_bytes(frame.data[:2], "big")
        except (OSError, websocket.WebSocketException):
            return None

    def test_slow_handshakes(self):
        """Nothing, a part of the request, a byte now and then: each is given up."""
        host, port = self.runtime.listen.rsplit(":", 1)
        for begin in b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websoc":
            with self.subTest(begin), socket.create_connection((host, int(port))) as s:
                s.settimeout(20 * PATIENCE)
                s.sendall(begin)
                while s.recv(4096):
                    pass

    def test_oversized_handshakes(self):
        host, port = self.runtime.listen.rsplit(":", 1)
        for begin in (b"GET /" + b"x" * 100000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000,
                      b"GET / HTTP/1.1\r\nCookie: " + b"x" * 100000, b"\0" * 100000):
            with self.subTest(begin[:20]), socket.create_connection((host, int(port))) as s:
                s.settimeout(20 * PATIENCE)
                try:
                    s.sendall(begin)
                    while s.recv(4096):
                        pass
                except ConnectionError:
                    pass
        self.assertEqual(self.runtime.get("/healthz")[0], 200)


class Unread(Limited):
    options = None

    def flood(self, runtime, count):
        """A client that asks for much and reads nothing."""
        ws = runtime.client()
        text = "x" * 50000
        try:
            for i in range(count):
                ws.send({**SAY, "args": [i, text]})
        except (OSError, websocket.WebSocketException):
            pass
        return ws

    def test_close(self):
        runtime = self.start("--max-unread", "100000", redis="none")
        deaf = self.flood(runtime, 400)
        until(lambda: self.metric(runtime, "clients_overflown_total") == 1, "given up", 30)
        until(lambda: self.metric(runtime, "clients") == 0, "closed", 30)
        deaf.ws.shutdown()
        self.assertEqual(runtime.client().call("say", 1, tpc="echo"), [1])

    def test_bytes(self):
        """What waits for a client is told, by name, and given back."""
        runtime = self.start(redis="none")

        def told():
            return runtime.json("inspect")[0]["memory"]["clients_bytes"]
        before = told()
        deaf = self.flood(runtime, 160)
        until(lambda: told() > before + (1 << 19), "much waits for it", 60)
        self.assertGreater(self.metric(runtime, "clients_bytes"), 1 << 19)
        deaf.ws.shutdown()
        until(lambda: told() < before + (1 << 18), "they are given back", 60)
        # So is a posted call's body, of which a part is there.
        host, port = runtime.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
            s.sendall(b"POST /call/echo/say HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n"
                      b"Authorization: Basic Z3VpZDptZDU=\r\n\r\n")
            s.sendall(b" " * 3000000)
            until(lambda: told() > before + 2900000, "the body waits for its rest", 60)
        until(lambda: told() < before + (1 << 18), "it is given back", 60)

    def test_drop_oldest(self):
        """The newest answers are those that come, in their order, once it reads."""
        runtime = self.start("--max-unread", "100000", "--when-unread", "drop-oldest",
                             redis="none")
        deaf = self.flood(runtime, 400)
        until(lambda: self.metric(runtime, "client_dropped_total") > 0, "dropped", 30)
        seen = []
        while 399 not in seen:
            seen.append(deaf.receive()["args"][0])
        self.assertEqual(seen, sorted(set(seen)))
        self.assertLess(len(seen), 400)
        self.assertEqual(runtime.client().call("say", 1, tpc="echo"), [1])


class Flood(Limited):
    """A full mailbox holds the socket of who fills it: what it sends waits there, in its order."""
    SWALLOW = """
#include "actor.h"
static int take(actor *self, const msg *m)
{
	int64_t end = actor_now() + 1;

	(void)self;
	while (actor_now() < end)
		;
	return msg_reply(m, msg_len(m, 0));
}
const struct actor_type swallow = {
	.name = "swallow", .mailbox = { .bytes = 1 << 20 },
	.on = ON({ "take", "text:str", take, ON_CLIENT }),
};
"""
    COUNT, SIZE = 1000, 120000
    # On their way at most: 1 MiB in the mailbox, the rest in what the kernel lets pile up.
    ON_THE_WAY = 80 << 20

    @classmethod
    def setUpClass(cls):
        cls.actors = (write_files(make_folder(), {"swallow.c": cls.SWALLOW}) / "swallow.c",)
        super().setUpClass()

    def test_it(self):
        flood, other = self.runtime.client(), self.runtime.client()
        sent = [0]

        def send():
            for i in range(self.COUNT):
                flood.send({"tpc": "swallow", "func": "take", "args": ["x" * self.SIZE],
                            "cb": "took", "id": i})
                sent[0] = i + 1
        sender = threading.Thread(target=send)
        sender.start()
        for i in range(self.COUNT):
            answer = flood.receive()
            self.assertEqual((answer["id"], answer["args"]), (i, [self.SIZE]))
            self.assertLess((sent[0] - i) * self.SIZE, self.ON_THE_WAY)
            if i % 100 == 0:
                self.assertEqual(other.call("say", i, tpc="echo"), [i])
        sender.join()
        self.assertEqual(self.metric(self.runtime, "client_refused_total"), 0)


class Tls(Limited):
    @classmethod
    def setUpClass(cls):
        cls.folder = make_folder()
        cls.cert, cls.key = str(cls.folder / "cert.pem"), str(cls.folder / "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", cls.key, "-out", cls.cert], check=True, capture_output=True)
        cls.options = ("--tls-cert", cls.cert, "--tls-key", cls.key)
        super().setUpClass()

    def connect(self, **more):
        return websocket.create_connection(
            "wss://%s/" % self.runtime.listen, timeout=10 * PATIENCE,
            sslopt={"ca_certs": self.cert, **more})

    def test_calls(self):
        ws = self.connect()
        ws.send(json.dumps({"func": "login", "args": ["guid", "md5"]}))
        self.assertEqual(json.loads(ws.recv())["args"], [0])
        for size in 1, 5000, 20000, 300000, 5 << 20:
            text = "x" * size
            ws.send(json.dumps({**SAY, "args": [text]}))
            self.assertEqual(json.loads(ws.recv())["args"], [text], size)
        for i in range(1000):
            ws.send(json.dumps({**SAY, "args": [i]}))
        self.assertEqual([json.loads(ws.recv())["args"][0] for _ in range(1000)],
                         list(range(1000)))
        ws.close()

    def test_https(self):
        context = ssl.create_default_context(cafile=self.cert)
        host, port = self.runtime.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname=host) as s:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                got = b""
                while more := s.recv(65536):
                    got += more
        self.assertIn(b"200 OK", got)
        self.assertTrue(got.endswith(b'{"status":"ok"}\n'))

    def test_no_old_versions_and_no_plain(self):
        with self.assertRaises((ssl.SSLError, OSError)):
            self.connect(ssl_version=ssl.PROTOCOL_TLSv1_1, cert_reqs=ssl.CERT_NONE)
        with self.assertRaises((OSError, websocket.WebSocketException)):
            websocket.create_connection("ws://%s/" % self.runtime.listen, timeout=5 * PATIENCE)
        self.connect().close()

    def test_what_does_not_fit(self):
        other, secret = str(self.folder / "other.key"), str(self.folder / "secret.key")
        make = ["openssl", "genpkey", "-algorithm", "RSA"]
        for more in ["-out", other], ["-aes128", "-pass", "pass:word", "-out", secret]:
            subprocess.run(make + more, check=True, capture_output=True)
        for options, word in (((self.cert, self.cert), "--tls-key"),
                              (("/nowhere", self.key), "/nowhere"),
                              ((self.cert, "/nowhere"), "/nowhere"),
                              ((self.key, self.key), "--tls-cert " + self.key + ": no start line"),
                              ((self.cert, other), "--tls-key " + other + ": key"),
                              ((self.cert, secret), "without a passphrase")):
            with self.subTest(options):
                done = actord("--tls-cert", options[0], "--tls-key", options[1], "--redis", "none",
                              "--state", str(make_folder() / "s"), "--listen", "127.0.0.1:0",
                              "--control", str(make_folder() / "c"))
                self.assertEqual(done.code, 2, done)
                self.assertIn(word, done.err)
                self.assertNotIn("Enter", done.err)     # nobody is asked
        self.assertEqual(actord("--tls-cert", self.cert).code, 2)


if __name__ == "__main__":
    unittest.main()
