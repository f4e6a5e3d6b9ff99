#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HTTP: files of a folder, calls by POST with the rights of clients, which pages may do what, and
who sees /debug/."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import select
import re
import socket
import time
import unittest

from harness import ENOENT, EARGS, PATIENCE, Case, make_folder, until, write_files

LOGIN = {"Authorization": "Basic " + base64.b64encode(b"guid:md5").decode()}
TOKEN = "a token that is long enough"
HUGE = 64 << 20


SHORT = max(1, round(PATIENCE))        # s


def rest(s):
    """All that still comes, to the end of the connection."""
    got = bytearray()
    with contextlib.suppress(ConnectionError):
        while more := s.recv(1 << 20):
            got += more
    return bytes(got)


def all_is_read(port):
    """Nothing that was sent to that port is still the kernel's (in state 01: connected)."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends, none = ":%04X" % int(port), "0" * 8
    return all((line[4].endswith(none) or not line[1].endswith(ends)) and
               (line[4].startswith(none) or not line[2].endswith(ends))
               for line in lines if line[3] == "01")


class Http(Case):
    def ask(self, method, path, body=None, headers=None, runtime=None):
        host, port = (runtime or self.runtime).listen.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=10 * PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class Files(Http):
    @classmethod
    def setUpClass(cls):
        folder = make_folder()
        write_files(folder, {
            "secret.txt": "do not tell", "www/index.html": "<p>own page</p>", "www/app.js": "1;\n",
            "www/deep/er/page.html": "deep", "www/deep/index.html": "index", "www/.hidden": "no",
            "www/.git/config": "no", "www/empty.css": "", "www/a b\u00fc.txt": "named"})
        (folder / "www/big.bin").write_bytes(bytes(range(256)) * 20000)
        os.mkfifo(folder / "www/pipe")
        with open(folder / "www/huge", "wb") as f:
            f.truncate(HUGE)
        cls.www = folder / "www"
        cls.options = ("--files", str(folder / "www"))
        super().setUpClass()

    def test_files(self):
        for path, kind, body in (
                ("/", "text/html", b"<p>own page</p>"), ("/app.js", "text/javascript", b"1;\n"),
                ("/deep/er/page.html", "text/html", b"deep"), ("/deep/", "text/html", b"index"),
                ("/empty.css", "text/css", b""), ("/a%20b%C3%BC.txt", "text/plain", b"named"),
                ("/app.js?version=2", "text/javascript", b"1;\n"),
                ("/big.bin", "application/octet-stream", bytes(range(256)) * 20000)):
            with self.subTest(path):
                status, headers, got = self.ask("GET", path)
                self.assertEqual((status, got), (200, body))
                self.assertIn(kind, headers["Content-Type"])
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                status, headers, got = self.ask("HEAD", path)
                self.assertEqual((status, got), (200, b""))
                self.assertEqual(int(headers["Content-Length"]), len(body))

    def raw(self, request):
        """As it stands: http.client would put some of these right."""
        host, port = self.runtime.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
            s.sendall(request)
            got = b""
            try:
                while more := s.recv(65536):
                    got += more
            except ConnectionError:
                pass
            return got

    def test_no_way_out(self):
        for path in ("/../secret.txt", "/deep/../../secret.txt", "/..%2fsecret.txt",
                     "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/....//secret.txt",
                     "//secret.txt", "/deep//..//..//secret.txt", "/.hidden", "/.git/config",
                     "/./.hidden", "/app.js/", "/deep", "/pipe", "/app.js%00.html",
                     "\\..\\secret.txt", "/..\\secret.txt", "/" + "../" * 40 + "etc/passwd",
                     "/" + "x" * 3000):
            with self.subTest(path[:60]):
                got = self.raw(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                               % path.encode())
                self.assertNotIn(b"do not tell", got)
                self.assertNotIn(b" 200 ", got.split(b"\r\n", 1)[0])
        self.assertEqual(self.ask("GET", "/healthz")[0], 200)

    def test_parts(self):
        big = bytes(range(256)) * 20000
        tag, modified = (self.ask("HEAD", "/big.bin")[1][k] for k in ("ETag", "Last-Modified"))
        for asked, first, last in (("0-0", 0, 0), ("1000-70000", 1000, 70000),
                                   ("5119000-", 5119000, 5119999), ("-300", 5119700, 5119999),
                                   ("-9999999", 0, 5119999), ("9-99999999999", 9, 5119999)):
            for same in {}, {"If-Range": tag}, {"If-Range": modified}:
                with self.subTest(asked, same=same):
                    status, headers, got = self.ask("GET", "/big.bin", None,
                                                    {"Range": "bytes=" + asked, **same})
                    self.assertEqual((status, got), (206, big[first:last + 1]))
                    self.assertEqual(headers["Content-Range"],
                                     "bytes %d-%d/%d" % (first, last, len(big)))
        for asked in "5120000-", "5120000-5120001", "-0", "99999999999999999999999-":
            status, headers, got = self.ask("GET", "/big.bin", None, {"Range": "bytes=" + asked})
            self.assertEqual((status, got), (416, b""), asked)
            self.assertEqual(headers["Content-Range"], "bytes */%d" % len(big))
        for asked in ("bytes=0-1,5-6", "bytes=2-1", "bytes=", "bytes=-", "bytes=x-", "bytes=0-1x",
                      "bytes=+1-2", "lines=0-1", "bytes=--1", "bytes=" + "0" * 100 + "-1"):
            status, _, got = self.ask("GET", "/big.bin", None, {"Range": asked})
            self.assertEqual((status, got == big), (200, True), asked)
        other = {"Range": "bytes=0-1", "If-Range": '"other"'}
        self.assertEqual(self.ask("GET", "/big.bin", None, other)[0], 200)
        self.assertEqual(self.ask("GET", "/empty.css", None, {"Range": "bytes=0-"})[0], 416)
        status, headers, _ = self.ask("HEAD", "/big.bin", None, {"Range": "bytes=0-0"})
        self.assertEqual((status, headers["Content-Length"]), (200, str(len(big))))

    def test_what_the_client_has(self):
        self.assertEqual(self.ask("GET", "/app.js")[1]["Accept-Ranges"], "bytes")
        headers = self.ask("GET", "/app.js")[1]
        tag, modified = headers["ETag"], headers["Last-Modified"]
        old = "Thu, 01 Jan 1970 00:00:00 GMT"
        for asked, status in (({"If-None-Match": tag}, 304), ({"If-None-Match": "*"}, 304),
                              ({"If-None-Match": '"a", W/%s' % tag}, 304),
                              ({"If-None-Match": '"other"'}, 200),
                              ({"If-None-Match": tag[:-1]}, 200),
                              ({"If-Modified-Since": modified}, 304),
                              ({"If-Modified-Since": old}, 200),
                              ({"If-Modified-Since": "yesterday"}, 200),
                              ({"If-Modified-Since": modified, "If-None-Match": '"x"'}, 200)):
            with self.subTest(asked):
                for method in "GET", "HEAD":
                    got, headers, body = self.ask(method, "/app.js", None, asked)
                    self.assertEqual((got, headers["ETag"]), (status, tag))
                    self.assertEqual(body, b"1;\n" if (got, method) == (200, "GET") else b"")
        write_files(self.www, {"changing.txt": "one"})
        first = self.ask("GET", "/changing.txt")[1]["ETag"]
        write_files(self.www, {"changing.txt": "other"})
        status, headers, got = self.ask("GET", "/changing.txt", None, {"If-None-Match": first})
        self.assertEqual((status, got), (200, b"other"))
        self.assertNotEqual(headers["ETag"], first)

    def test_unread(self):
        """Who takes nothing costs next to nothing, and is dropped; who takes little is served, for
        longer than a handshake may take, and meanwhile all others are."""
        runtime = self.start("--files", str(self.www), "--handshake-timeout", str(SHORT),
                             redis="none")
        host, port = runtime.listen.rsplit(":", 1)
        address, request = (host, int(port)), b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n"
        before, most, deaf = self.buffered(runtime), 0, []
        for _ in range(20):
            deaf.append(socket.create_connection(address, timeout=30 * PATIENCE))
            self.addCleanup(deaf[-1].close)
            deaf[-1].sendall(request)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            slow.settimeout(30 * PATIENCE)
            slow.connect(address)
            slow.sendall(request)
            ends, got = time.monotonic() + 5 * SHORT, 0
            while got < HUGE:
                more = slow.recv(8192 if time.monotonic() < ends else 1 << 20)
                self.assertTrue(more, "cut off after %d bytes" % got)
                got += len(more)
                if time.monotonic() < ends:
                    most = max(most, self.buffered(runtime))
        self.assertLess(most - before, 4 << 20)
        until(lambda: self.files_open(runtime) == 0, "those that take nothing are dropped", 30)
        for s in deaf:
            self.assertLess(len(rest(s)), HUGE)

    def buffered(self, runtime):
        text = self.ask("GET", "/metrics", runtime=runtime)[2].decode()
        return float(re.search(r"^actord_clients_bytes (\S+)$", text, re.M).group(1))

    def files_open(self, runtime):
        found = 0
        for fd in pathlib.Path("/proc/%d/fd" % runtime.pid).iterdir():
            with contextlib.suppress(FileNotFoundError):    # closed meanwhile
                found += os.readlink(fd).endswith("/huge")
        return found

    def test_shorter_by_now(self):
        """What was said of its length cannot be kept: the connection ends, and only that."""
        write_files(self.www, {"cut": "x" * (16 << 20)})
        host, port = self.runtime.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
            s.sendall(b"GET /cut HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(1000)
            os.truncate(self.www / "cut", 1000)
            self.assertLess(len(rest(s)), 16 << 20)
        self.assertEqual(self.ask("GET", "/cut")[2], b"x" * 1000)

    def test_one_behind_the_other(self):
        """Requests sent at once are answered in their order; behind a large file there may be
        none, but what comes of it is right."""
        host, port = self.runtime.listen.rsplit(":", 1)
        for paths in (b"/app.js", b"/deep/", b"/empty.css", b"/app.js"), (b"/huge", b"/app.js"):
            with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
                s.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % p for p in paths[:-1])
                          + b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % paths[-1])
                bodies = re.split(rb"HTTP/1.1 200 OK\r\n.*?\r\n\r\n", rest(s), flags=re.S)[1:]
            if paths[0] == b"/app.js":
                self.assertEqual(bodies, [b"1;\n", b"index", b"", b"1;\n"])
            else:
                self.assertEqual(bodies[0], bytes(len(bodies[0])))
            self.assertEqual(self.ask("GET", "/app.js")[2], b"1;\n")

    def test_keep_alive(self):
        host, port = self.runtime.listen.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=10 * PATIENCE)
        for i in range(20):
            for method, path, status in (("GET", "/big.bin", 200), ("HEAD", "/app.js", 200),
                                         ("GET", "/nothing", 404), ("GET", "/metrics", 200)):
                connection.request(method, path)
                answer = connection.getresponse()
                answer.read()
                self.assertEqual(answer.status, status)
            connection.request("POST", "/call/echo/say", json.dumps([i]), LOGIN)
            self.assertEqual(json.loads(connection.getresponse().read()), {"args": [i]})
        connection.close()


class Call(Http):
    options = ("--allow-origin", "https://friend.example")
    actors = ("slow.c",)

    def call(self, path, args=(), headers=LOGIN, body=None):
        data = json.dumps(list(args)) if body is None else body
        status, headers, got = self.ask("POST", "/call/" + path, data, headers)
        self.assertIn("application/json", headers["Content-Type"])
        return status, json.loads(got)

    def test_calls(self):
        self.assertEqual(self.call("echo/say", [1, "x", None, [2.5], {"k": True}]),
                         (200, {"args": [1, "x", None, [2.5], {"k": True}]}))
        self.assertEqual(self.call("echo/say", body=""), (200, {"args": []}))
        self.assertEqual(self.call("test", ["a", "b"]), (200, {"args": ["ab"]}))
        total = self.call("counter/hit", [0])[1]["args"][0]
        self.assertEqual(self.call("counter/hit", [3]), (200, {"args": [total + 3]}))
        text = "x" * 300000
        self.assertEqual(self.call("echo/say", [text]), (200, {"args": [text]}))

    def test_refusals(self):
        for path, args, status, code in (
                ("echo/nothing", [], 404, ENOENT), ("counter/hit", ["x"], 400, EARGS),
                ("rpc/exec", ["x"], 404, ENOENT), ("patch/list", [], 404, ENOENT)):
            with self.subTest(path):
                got, answer = self.call(path, args)
                self.assertEqual((got, answer["err"]["code"]), (status, code))
                self.assertTrue(answer["err"]["text"])
        for body in "{}", "1", "[", "[1] [2]", '"x"', "[NaN]", "\xff", "[1],\"func\":\"x\"":
            self.assertEqual(self.call("echo/say", body=body)[0], 400, body)
        self.assertEqual(self.call("echo/say", range(1000))[0], 400)

    def test_names(self):
        self.runtime.caller().exec('#include "actor.h"\nint process(actor *self)\n{ return '
                                   'actor_spawn(self, "counter", "a/\u00e9") ? 0 : -1; }\n')
        for path in "a%2F%C3%A9/hit", "a/%C3%A9/hit":
            self.assertEqual(self.call(path, [0]), (200, {"args": [0]}))
        status, _, body = self.ask("GET", "/" + "x" * 3000)
        self.assertEqual((status, b"2047" in body), (414, True))

    def test_a_body_that_is_too_long(self):
        """Told before it is sent."""
        host, port = self.runtime.listen.rsplit(":", 1)
        for length in "16777217", "99999999999999999999", "-1", "1e9":
            with self.subTest(length):
                connection = http.client.HTTPConnection(host, int(port), timeout=10 * PATIENCE)
                self.addCleanup(connection.close)
                connection.putrequest("POST", "/call/echo/say")
                connection.putheader("Content-Length", length)
                connection.endheaders()
                answer = connection.getresponse()
                self.assertEqual(answer.status, 413)
                self.assertIn(b"16 MiB", answer.read())

    def test_login(self):
        for headers in {}, {"Authorization": "Basic x"}, {"Authorization": "Digest x"}, \
                {"Authorization": "Basic " + base64.b64encode(b":proof").decode()}:
            with self.subTest(headers):
                self.assertEqual(self.call("echo/say", [1], headers)[0], 401)
        self.assertEqual(self.call("echo/say", [1], {"Authorization": "Bearer token"})[0], 200)
        self.assertIn("Basic", self.ask("POST", "/call/echo/say", "[]")[1]["WWW-Authenticate"])

    def test_methods(self):
        for method, path, status in (("POST", "/metrics", 405), ("PUT", "/call/echo/say", 405),
                                     ("DELETE", "/", 405), ("GET", "/call/echo/say", 404)):
            self.assertEqual(self.ask(method, path, None, LOGIN)[0], status, (method, path))
        self.assertEqual(self.ask("POST", "/metrics")[1]["Allow"], "GET, HEAD")
        for method in "FOO", "TRACE", "CONNECT", "G\x16", "PROPFIND":
            got = self.exchange(("%s / HTTP/1.1\r\nHost: x\r\n\r\n" % method, b""))
            head, body = got.split(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 501 ") and b"connection: close" in head, got)
            self.assertIn("content-length: %d" % len(body), head.decode())
            self.assertIn("method", json.loads(body)["error"])

    def test_other_pages(self):
        for origin, may in ((None, True), ("https://friend.example", True),
                            ("http://" + self.runtime.listen, True),
                            ("https://evil.example", False), ("null", False)):
            with self.subTest(origin):
                headers = {**LOGIN, **({"Origin": origin} if origin else {})}
                before = self.call("counter/hit", [0])[1]["args"][0]
                status, got, _ = self.ask("POST", "/call/counter/hit", "[1]", headers)
                self.assertEqual(status, 200 if may else 403)
                self.assertEqual(got["Access-Control-Allow-Origin"], origin if may else None)
                self.assertEqual(self.call("counter/hit", [0])[1]["args"][0], before + may)
                status, got, _ = self.ask("OPTIONS", "/call/counter/hit", None, headers)
                self.assertEqual(status, 204 if may else 403)
                self.assertEqual("Content-Length" in got, not may)
                if origin and may:
                    self.assertIn("POST", got["Access-Control-Allow-Methods"])
                    self.assertIn("authorization", got["Access-Control-Allow-Headers"])

    def test_rebound_name(self):
        """A page whose own name leads here calls nothing."""
        port = self.runtime.listen.rsplit(":", 1)[1]
        for name, may in ("evil.example", False), ("localhost", True):
            host = "%s:%s" % (name, port)
            headers = {**LOGIN, "Host": host, "Origin": "http://" + host}
            status, got, _ = self.ask("POST", "/call/counter/hit", "[1]", headers)
            self.assertEqual(status, 200 if may else 403)
            self.assertEqual(got["Access-Control-Allow-Origin"], headers["Origin"] if may else None)

    def test_bodies_that_do_not_come(self):
        host, port = self.runtime.listen.rsplit(":", 1)
        for head in (b"Content-Length: 100\r\n\r\n[", b"Content-Length: 99999999999\r\n\r\n[",
                     b"Content-Length: -1\r\n\r\n[", b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]"):
            with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
                s.sendall(b"POST /call/echo/say HTTP/1.1\r\nHost: x\r\n" + head)
        self.assertEqual(self.call("echo/say", [1])[0], 200)

    def test_more_than_the_body(self):
        """A second request, or just bytes, behind a call that is not answered yet."""
        host, port = self.runtime.listen.rsplit(":", 1)
        for login in LOGIN, {}:
            head = "".join(f"{k}: {v}\r\n" for k, v in dict(login, Host=host).items())
            post = f"POST /call/echo/say HTTP/1.1\r\n{head}Content-Length: 5\r\n\r\n[\"x\"]"
            get = f"GET /healthz HTTP/1.1\r\n{head}\r\n"
            for parts in ([post + "zzzz"], [post * 2], [post * 5], [post + get], [post, post * 2],
                          [post[:-2], post[-2:] + post]):
                with self.subTest(parts, login=bool(login)), \
                        socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
                    for part in parts:
                        s.sendall(part.encode())
                    self.assertEqual(self.ask("GET", "/healthz")[0], 200)
                self.assertEqual(self.ask("POST", "/call/echo/say", "[1]", LOGIN)[0], 200)

    def test_a_call_whose_head_came_with_another_request(self):
        """In two pieces, the first of which ends anywhere in the call."""
        host, port = self.runtime.listen.rsplit(":", 1)
        head = "".join(f"{k}: {v}\r\n" for k, v in dict(LOGIN, Host=host).items())
        body = '["%s"]' % ("y" * 6055)
        get = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        post = (f"POST /call/echo/say HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
                + body).encode()
        for cut in (*range(1, len(post) - len(body) + 40, 9), 1000, 4000, 6000):
            with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(get + post[:cut])
                self.assertEqual(s.recv(12), b"HTTP/1.1 200")
                try:
                    s.sendall(post[cut:])
                    s.shutdown(socket.SHUT_WR)
                    got = b""
                    while more := s.recv(65536):
                        got += more
                except OSError:                 # it was cut off, which is right, too
                    continue
                self.assertNotIn(b"HTTP/1.1 400", got)
        self.assertEqual(self.ask("POST", "/call/echo/say", "[1]", LOGIN)[0], 200)

    def test_bodies_that_nobody_reads(self):
        """Behind another request, which is where the library has them in a buffer of its own."""
        host, port = self.runtime.listen.rsplit(":", 1)
        for method, path, length, body in (("HEAD", "/", 4, "abcd"), ("OPTIONS", "/", 2, "[]"),
                                           ("PUT", "/x", 12, "abcdefghi"), ("POST", "/x", 3, "abc"),
                                           ("GET", "/healthz", 100, "a")):
            with self.subTest(method), \
                    socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
                s.sendall((f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n{method} {path} HTTP/1.1"
                           f"\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}").encode())
                got = b""
                while more := s.recv(65536):
                    got += more
                self.assertEqual(got.count(b"HTTP/1.1 "), 2)
                self.assertEqual(self.ask("GET", "/healthz")[0], 200)

    def test_bodies_have_one_bound(self):
        """What is too much is answered at once, and the rest of it goes nowhere."""
        host, port = self.runtime.listen.rsplit(":", 1)
        body = b'["%s"]' % (b"x" * (3 << 20))
        head = "".join(f"{k}: {v}\r\n" for k, v in dict(LOGIN, Host=host).items())
        post = f"POST /call/echo/none HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        all_of_them = [self.enterContext(socket.create_connection((host, int(port)),
                                                                  timeout=20 * PATIENCE))
                       for _ in range(14)]
        for s in all_of_them:
            s.sendall(post.encode() + body[:-1])
        until(lambda: all_is_read(port), "the node has all but the last bytes")
        said, told = [], select.select(all_of_them, [], [], 0)[0]
        for s in all_of_them:
            s.sendall(body[-1:] if s not in told else b"")
            said.append(s.recv(12)[-3:])
        self.assertEqual(set(said), {b"404", b"503"}, said)
        self.assertGreater(said.count(b"404"), 2)
        self.assertEqual(self.ask("POST", "/call/echo/say", "[1]", LOGIN)[0], 200)

    def exchange(self, *parts, runtime=None):
        """What stands behind each part; it is sent once that of the one before came. Then all."""
        host, port = (runtime or self.runtime).listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
            for part, wanted in parts:
                s.sendall(part.encode())
                got = b""
                while wanted and not got.endswith(wanted):
                    more = s.recv(1)
                    self.assertTrue(more, got)
                    got += more
            return rest(s)

    def post(self, *headers, login=LOGIN):
        return "\r\n".join(["POST /call/echo/say HTTP/1.1", "Host: x", *headers, *(
            "%s: %s" % pair for pair in login.items()), "", ""])

    def test_two_lengths(self):
        got = self.exchange((self.post("Content-Length: 5", "Transfer-Encoding: chunked")
                             + "5\r\n[\"x\"]\r\n0\r\n\r\n", b""))
        self.assertEqual((got.count(b"HTTP/1.1 "), got[9:12]), (1, b"400"))
        self.assertIn(b"not both", got)

    def test_asked_for_the_body(self):
        got = self.exchange((self.post("Expect: 100-continue", "Content-Length: 5"),
                             b"HTTP/1.1 100 Continue\r\n\r\n"),
                            ('["x"]', b'{"args":["x"]}\n'),
                            ("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b""))
        self.assertIn(b"200 OK", got)
        for length, login, status in (5, {}, b"401"), (99999999, LOGIN, b"413"):
            got = self.exchange((self.post("Expect: 100-continue", "Content-Length: %d" % length,
                                           login=login), b""))
            self.assertEqual((got.count(b"HTTP/1.1 "), got[9:12]), (1, status))

    def test_other_upgrades(self):
        """None is taken, each is answered once."""
        h2c = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAAA"
        got = self.exchange((self.post(*h2c, "Content-Length: 5") + '["x"]', b'{"args":["x"]}\n'),
                            ("GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % "\r\n".join(h2c),
                             b"\r\n\r\n"),
                            ("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                             "Upgrade: h3c\r\n\r\n", b""))
        self.assertEqual((got.count(b"HTTP/1.1 "), got.count(b"HTTP/1.1 403 ")), (1, 1), got)

    def test_long_headers(self):
        for name in "Cookie", "X-Long":
            self.assertEqual(self.call("echo/say", [1], {**LOGIN, name: "x" * 8192})[0], 200, name)

    def test_stopped_meanwhile(self):
        """A call whose body is still coming when the node ends is answered."""
        runtime = self.start()
        host, port = runtime.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
            s.sendall(self.post("Expect: 100-continue", "Content-Length: 5").encode())
            self.assertIn(b"100 Continue", s.recv(1000))
            runtime.process.terminate()
            got = rest(s)
        self.assertEqual(got[9:12], b"503", got)
        self.assertIn(b"the node is stopping", got)
        self.assertEqual(runtime.process.wait(10 * PATIENCE), 0)

    def test_gone_before_the_answer(self):
        host, port = self.runtime.listen.rsplit(":", 1)
        for _ in range(50):
            with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
                s.sendall(b"POST /call/echo/say HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                          b"Authorization: %s\r\n\r\n[]" % LOGIN["Authorization"].encode())
        self.assertEqual(self.call("echo/say", [1])[0], 200)


class Debug(Http):
    options = ("--debug-token", TOKEN, "--allow-origin", "https://friend.example")

    def test_pages(self):
        actors = json.loads(self.ask("GET", "/debug/actors")[2])
        self.assertIn("echo", [a["name"] for a in actors["actors"]])
        stacks = json.loads(self.ask("GET", "/debug/stacks")[2])
        self.assertIn("gateway", [w["name"] for w in stacks["workers"]])
        self.assertIn("gateway", [t["name"] for t in stacks["threads"]])
        self.assertEqual(self.ask("GET", "/debug/nothing")[0], 404)

    def test_who_may(self):
        """From behind a proxy, which says so, it is not this machine."""
        for path in "/debug/actors", "/debug/stacks":
            for by in {"X-Forwarded-For": "10.0.0.1"}, {"Forwarded": "for=10.0.0.1"}:
                self.assertEqual(self.ask("GET", path, None, by)[0], 403)
                for token, status in ((TOKEN, 200), (TOKEN[:-1] + "x", 403), ("", 403)):
                    headers = {**by, "Authorization": "Bearer " + token}
                    self.assertEqual(self.ask("GET", path, None, headers)[0], status)

    def test_rebound_name(self):
        for host, status in (("evil.example", 403), ("evil.example:8080", 403), ("localhost", 200),
                             ("[::1]:8080", 200), ("friend.example", 200)):
            for path in "/debug/actors", "/debug/stacks":
                self.assertEqual(self.ask("GET", path, None, {"Host": host})[0], status, host)
        headers = {"Host": "evil.example", "Authorization": "Bearer " + TOKEN}
        self.assertEqual(self.ask("GET", "/debug/actors", None, headers)[0], 200)

    def test_from_afar(self):
        """By an address of this machine that is not loopback, if it has one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("192.0.2.1", 9))
            except OSError:
                self.skipTest("no other address")
            address = s.getsockname()[0]
        if address.startswith("127."):
            self.skipTest("no other address")
        runtime = self.start(listen="0.0.0.0:0", redis="none")
        runtime.listen = "%s:%s" % (address, runtime.listen.rsplit(":", 1)[1])
        self.assertEqual(self.ask("GET", "/debug/actors", runtime=runtime)[0], 403)
        self.assertEqual(self.ask("GET", "/healthz", runtime=runtime)[0], 200)


if __name__ == "__main__":
    unittest.main()
