#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""RFC 6455 with frames made by hand, in the order of the Autobahn fuzzing client's cases 1 to 7, 9
and 10. That suite wants its messages back as they are; here a message is a call of echo.say whose
size is what the case asks for, so that what comes back tells that it came whole.

Sizes of 9.* are small unless RFC6455_LONG is set (tools/test --long sets it)."""

import base64
import http.client
import json
import os
import socket
import struct
import unittest

from harness import PATIENCE, Case

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LONG = bool(os.environ.get("RFC6455_LONG"))
KIB, MIB = 1 << 10, 1 << 20
HEAD, TAIL = b'{"tpc":"echo","func":"say","cb":"c","args":["', b'"]}'
ANSWER = b'{"func":"c","args":["%s"]}'


def message(size, filler=b"*"):
    """A call of this many bytes; and its answer."""
    text = (filler * (size // len(filler) + 1))[:size - len(HEAD) - len(TAIL)]
    return HEAD + text + TAIL, ANSWER % text


def called(text):
    return HEAD + text + TAIL, ANSWER % text


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, length=None):
    n = len(payload) if length is None else length
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += struct.pack("!BH", bit | 126, n)
    else:
        head += struct.pack("!BQ", bit | 127, n)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    key = int.from_bytes(mask * (len(payload) // 4 + 1), "big") >> \
        8 * (len(mask) * (len(payload) // 4 + 1) - len(payload))
    mixed = (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")
    return head + mask + mixed


class Raw:
    """A client whose frames are the test's."""

    def __init__(self, address, login=True, subprotocols=None):
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=10 * PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                           "Sec-WebSocket-Version: 13\r\n%s\r\n" % (address, key,
                           "Sec-WebSocket-Protocol: %s\r\n" % subprotocols if subprotocols
                           else "")).encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise AssertionError(head)
        if login:
            self.send(frame(TEXT, b'{"func":"login","args":["guid","md5"]}'))
            if b"loginback" not in self.receive()[1]:
                raise AssertionError("no login")

    def more(self):
        got = self.sock.recv(1 << 20)
        if not got:
            raise EOFError
        self.buffer += got

    def send(self, data, chop=None):
        for i in range(0, len(data), chop or len(data) or 1):
            self.sock.sendall(data[i:i + (chop or len(data))])

    def receive(self):
        """The next frame: opcode and payload. EOFError at the end."""
        def need(n):
            while len(self.buffer) < n:
                self.more()
        need(2)
        first, n = self.buffer[0], self.buffer[1]
        if first & 0x70 or not first & 0x80 or n & 0x80:
            raise AssertionError("a server's frame begins %r" % self.buffer[:2])
        at = 2
        if n >= 126:
            at = 4 if n == 126 else 10
            need(at)
            n = int.from_bytes(self.buffer[2:at], "big")
            if n < (126 if at == 4 else 65536):
                raise AssertionError("a length of %d in %d bytes" % (n, at))
        need(at + n)
        payload, self.buffer = self.buffer[at:at + n], self.buffer[at + n:]
        return first & 15, payload

    def rest(self):
        """Frames until the end; the code of the close (None: cut off)."""
        frames = []
        try:
            while True:
                opcode, payload = self.receive()
                if opcode == CLOSE:
                    code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                    return frames, code
                frames.append((opcode, payload))
        except (EOFError, ConnectionError):
            return frames, None

    def close(self):
        self.sock.close()


class Rfc6455(Case):
    def open(self, **more):
        raw = Raw(self.runtime.listen, **more)
        self.addCleanup(raw.close)
        return raw

    def passes(self, *frames, answers=None, chop=None, raw=None):
        raw = raw or self.open()
        for data in frames:
            raw.send(data, chop)
        for answer in answers or ():
            self.assertEqual(raw.receive()[1], answer)
        return raw

    def fails(self, codes, *frames, chop=None):
        """The connection is failed with one of the codes (None: just dropped); what comes before
        are answers that were due. Gives those."""
        raw = self.open()
        try:
            for data in frames:
                raw.send(data, chop)
        except ConnectionError:
            pass
        before, code = raw.rest()
        self.assertIn(code, codes)
        return before


class Handshake(Rfc6455):
    """Section 4.2: who is refused is told why, and may go on."""

    def answer(self, first="GET / HTTP/1.1", body="", **changed):
        headers = {"Host": self.runtime.listen, "Upgrade": "websocket", "Connection": "Upgrade",
                   "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
                   "Sec-WebSocket-Version": "13"}
        headers.update((k.replace("_", "-"), v) for k, v in changed.items())
        host, port = self.runtime.listen.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * PATIENCE) as s:
            s.sendall("\r\n".join([first, *("%s: %s" % pair for pair in headers.items()
                                            if pair[1] is not None), "", body]).encode())
            answer = http.client.HTTPResponse(s)
            answer.begin()
            return answer.status, answer.headers, answer.read() if answer.status > 101 else b""

    def test_refused(self):
        for version in "12", "8", "7, 8", "x" * 100, None:
            status, headers, body = self.answer(Sec_WebSocket_Version=version)
            self.assertEqual((status, headers["Sec-WebSocket-Version"]), (426, "13"), version)
            self.assertIn(b"Sec-WebSocket-Version: 13", body)
        twice = "A" * 22 + "==\r\nSec-WebSocket-Key: " + "A" * 22 + "=="
        for key in twice, "abc", "*" * 24, "A" * 24, "A" * 22 + "==A", "A" * 100, None:
            status, _, body = self.answer(Sec_WebSocket_Key=key)
            self.assertEqual((status, b"16 bytes" in body), (400, True), key)
        for changed in ({"first": "GET / HTTP/1.0"}, {"Connection": "close"}, {"Connection": None},
                        {"Host": None}):
            status, _, body = self.answer(**changed)
            self.assertEqual((status, b"HTTP/1.1" in body), (400, True), changed)
        status, headers, _ = self.answer(Sec_WebSocket_Version="8", Content_Length="4", body="ab")
        self.assertEqual((status, headers["Connection"]), (426, "close"))

    def test_other_upgrades(self):
        """HTTP/2 is not, so such a request is as any other (RFC 9110, 7.8)."""
        for to in "h2c", "H2C":
            status, _, body = self.answer("GET /healthz HTTP/1.1", Upgrade=to,
                                          Connection="Upgrade, HTTP2-Settings",
                                          HTTP2_Settings="AAMAAABkAAQAoAAAAAIAAAAA")
            self.assertEqual((status, body != b""), (200, True))
        self.assertEqual(self.answer(Upgrade="h3c")[0], 403)

    def test_taken(self):
        for changed in ({}, {"Upgrade": "WebSocket"}, {"Connection": "keep-alive, Upgrade"},
                        {"Sec_WebSocket_Key": "+/" * 11 + "=="}, {"first": "GET /a?b HTTP/1.1"},
                        {"Sec_WebSocket_Extensions": "permessage-deflate; a=b, x"}):
            status, headers, _ = self.answer(**changed)
            self.assertEqual((status, headers["Upgrade"].lower(), headers["Connection"].lower(),
                              headers["Sec-WebSocket-Extensions"]),
                             (101, "websocket", "upgrade", None), changed)
        status, headers, _ = self.answer(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
        self.assertEqual(headers["Sec-WebSocket-Accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


    def test_subprotocols(self):
        """We speak none; that ends no handshake, and no name goes back (4.2.2, 5.)."""
        for names in ("chat", "chat, superchat", " chat ,superchat", "actord", "a", "a" * 62,
                      "v10.stomp", "3gpp", "x, ?!/", "a, " + "b" * 123, "soap,", "!#$%&'*+-.^_`|~"):
            status, headers, _ = self.answer(Sec_WebSocket_Protocol=names)
            self.assertEqual((status, headers["Sec-WebSocket-Protocol"]), (101, None), names)
        status, headers, _ = self.answer(Sec_WebSocket_Protocol="a\r\nSec-WebSocket-Protocol: b")
        self.assertEqual((status, headers["Sec-WebSocket-Protocol"]), (101, None))
        for names in ("a b", "a=b", ", a", "?", '"a"', "\xe9", "1, a", "1.2", "1.2.3-x", "a" * 63,
                      "a, " + "b" * 124):
            status, _, body = self.answer(Sec_WebSocket_Protocol=names)
            self.assertEqual((status, b"Sec-WebSocket-Protocol" in body), (400, True), names)
        raw = self.open(subprotocols="chat, superchat")
        call, answer = called(b"x")
        self.passes(frame(TEXT, call), answers=[answer], raw=raw)


class Case1(Rfc6455):
    def test_framing(self):
        for kind in TEXT, BINARY:
            for size in 125, 126, 127, 128, 65535, 65536:
                for chop in None, 997:
                    call, answer = message(size)
                    with self.subTest(kind=kind, size=size, chop=chop):
                        self.passes(frame(kind, call), answers=[answer], chop=chop)

    def test_empty_messages_are_no_calls(self):
        for kind in TEXT, BINARY:
            self.fails([1007], frame(kind, b""))


class Case2(Rfc6455):
    def test_pings(self):
        for payload in b"", b"Hello, world!", b"\0\xff\xfe\xfd\xfc\xfb\0\xff", b"\xfe" * 125:
            for chop in None, 1:
                with self.subTest(payload=payload, chop=chop):
                    raw = self.passes(frame(PING, payload), chop=chop)
                    self.assertEqual(raw.receive(), (PONG, payload))

    def test_too_long(self):
        self.fails([1002, None], frame(PING, b"\xfe" * 126))

    def test_unsolicited_pongs(self):
        for payload in b"", b"unsolicited pong payload":
            raw = self.passes(frame(PONG, payload), frame(PING, b"ping payload"))
            self.assertEqual(raw.receive(), (PONG, b"ping payload"))

    def test_ten_pings(self):
        """2.10, 2.11: the library drops pings while a pong is pending, where the RFC (5.5.3) would
        have the last one answered. The first one is, and the connection goes on."""
        for chop in None, 1:
            raw = self.open()
            raw.send(b"".join(frame(PING, b"payload-%d" % i) for i in range(10)), chop)
            self.assertEqual(raw.receive(), (PONG, b"payload-0"))
            call, answer = called(b"after")
            raw.send(frame(TEXT, call))
            while (got := raw.receive()) != (TEXT, answer):
                self.assertEqual(got[0], PONG)


class Case3(Rfc6455):
    def test_reserved_bits(self):
        call, answer = called(b"Hello, world!")
        for rsv in range(1, 8):
            for kind in TEXT, BINARY, PING, CLOSE:
                with self.subTest(rsv=rsv, kind=kind):
                    payload = struct.pack("!H", 1000) if kind == CLOSE else call[:100]
                    before = self.fails([1002, None], frame(TEXT, call),
                                        frame(kind, payload, rsv=rsv), frame(PING))
                    self.assertNotIn((PONG, b""), before)
                    self.assertLessEqual(before.count((TEXT, answer)), 1)
            self.fails([1002, None], frame(TEXT, call, rsv=rsv), chop=1)


class Case4(Rfc6455):
    def test_reserved_opcodes(self):
        for opcode in 3, 4, 5, 6, 7, 11, 12, 13, 14, 15:
            for payload in b"", b"reserved opcode payload":
                with self.subTest(opcode=opcode):
                    before = self.fails([1002, None], frame(opcode, payload), frame(PING))
                    self.assertEqual(before, [])
            call, answer = called(b"Hello, world!")
            before = self.fails([1002, None], frame(TEXT, call), frame(opcode, b"x"), frame(PING))
            self.assertIn(before, ([], [(TEXT, answer)]))
            self.fails([1002, None], frame(TEXT, call), frame(opcode, b"x"), chop=1)


class Case5(Rfc6455):
    def test_control_frames_are_not_fragmented(self):
        for kind in PING, PONG:
            self.fails([1002, None], frame(kind, b"fragment1", fin=False),
                       frame(CONT, b"fragment2"))

    def test_fragments(self):
        call, answer = called(b"fragment1fragment2")
        for cut in 0, 1, 50, len(call):
            for chop in None, 1:
                self.passes(frame(TEXT, call[:cut], fin=False), frame(CONT, b"", fin=False),
                            frame(CONT, call[cut:]), answers=[answer], chop=chop)

    def test_ping_between(self):
        call, answer = called(b"fragment1fragment2")
        for chop in None, 1:
            raw = self.passes(frame(TEXT, call[:50], fin=False), frame(PING, b"ping"),
                              chop=chop)
            self.assertEqual(raw.receive(), (PONG, b"ping"))
            self.passes(frame(CONT, call[50:]), answers=[answer], raw=raw)

    def test_continuation_of_nothing(self):
        call, _ = called(b"x")
        for fin in True, False:
            self.fails([1002, None], frame(CONT, b"non-continuation payload", fin=fin),
                       frame(TEXT, call))
            self.fails([1002, None], frame(CONT, b"x", fin=fin), frame(TEXT, call), chop=1)

    def test_continuation_of_what_has_ended(self):
        """5.15 to 5.17."""
        call, answer = called(b"fragment1fragment2")
        for fin in True, False:
            before = self.fails([1002, None], frame(TEXT, call[:50], fin=False),
                                frame(CONT, call[50:]), frame(CONT, b"fragment3", fin=fin),
                                frame(TEXT, call))
            self.assertIn(before, ([], [(TEXT, answer)]))
            before = self.fails([1002, None], *2 * [frame(CONT, b"fragment1", fin=fin),
                                                    frame(TEXT, call)])
            self.assertEqual(before, [])

    def test_a_message_within_a_message(self):
        call, _ = called(b"x")
        self.fails([1002, None], frame(TEXT, call[:9], fin=False), frame(TEXT, call))
        self.fails([1002, None], frame(TEXT, call[:9], fin=False), frame(BINARY, call))

    def test_many_fragments_and_pings(self):
        call, answer = called(b"fragment" * 20)
        raw = self.open()
        parts = [call[i:i + 13] for i in range(0, len(call), 13)]
        for i, part in enumerate(parts):
            raw.send(frame(CONT if i else TEXT, part, fin=i == len(parts) - 1))
            if i % 4 == 1:
                raw.send(frame(PING, b"%d" % i))
                self.assertEqual(raw.receive(), (PONG, b"%d" % i))
        self.assertEqual(raw.receive(), (TEXT, answer))

    def test_pings_within_one_read(self):
        """5.20: two pings within fragments, all at once; for the second see test_ten_pings."""
        call, answer = called(b"fragment" * 5)
        raw = self.open()
        raw.send(frame(TEXT, call[:40], fin=False) + frame(CONT, call[40:50], fin=False) +
                 frame(PING, b"ping 1") + frame(CONT, call[50:60], fin=False) +
                 frame(PING, b"ping 2") + frame(CONT, call[60:]))
        got = [raw.receive(), raw.receive()]
        self.assertCountEqual(got, [(PONG, b"ping 1"), (TEXT, answer)])


class Case6(Rfc6455):
    VALID = ("Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!",
             "\u03ba\u1f79\u03c3\u03bc\u03b5",
             "\x7f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff", "\ud7ff",
             "\ue000", "\ufffd", "\ufdd0", "\ufff9\ufffa\ufffb\ufffc",
             *(chr(plane << 16 | end) for plane in range(17) for end in (0xfffe, 0xffff)))
    # In the order of the suite, 6.3 to 6.21.
    INVALID = (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
               b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
               b"\xce\xba\xe1\xbd", b"\xce\xba\xe1\xbd\xb9\xcf",
               b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80",
               b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf",
               b"\xf4\x90\x80\x80",
               *(b"\x80\xbf\x80\xbf\x80\xbf\x80"[:n] for n in range(1, 8)), b"\xbf",
               bytes(range(0x80, 0xc0)),
               *(bytes(x for first in range(a, b) for x in (first, 0x20))
                 for a, b in ((0xc0, 0xe0), (0xe0, 0xf0), (0xf0, 0xf8), (0xf8, 0xfc),
                              (0xfc, 0xfe))),
               b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80",
               b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf",
               b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf", b"\xdf\xef\xbf\xf0\x90\x80",
               b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
               b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf",
               b"\xfc\x80\x80\x80\x80\xaf",
               b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf",
               b"\xfc\x83\xbf\xbf\xbf\xbf",
               b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80",
               b"\xfc\x80\x80\x80\x80\x80",
               *(b"\xed" + x for x in (b"\xa0\x80", b"\xad\xbf", b"\xae\x80", b"\xaf\xbf",
                                      b"\xb0\x80", b"\xbe\x80", b"\xbf\xbf")),
               *(b"\xed" + x + b"\xed" + y
                 for x in (b"\xa0\x80", b"\xad\xbf", b"\xae\x80", b"\xaf\xbf")
                 for y in (b"\xb0\x80", b"\xbf\xbf")),
               b"\xc3\x28", b"\xe2\x28\xa1", b"\xf0\x28\x8c\xbc")

    def test_valid(self):
        for text in self.VALID:
            call, answer = called(text.encode())
            with self.subTest(text):
                self.passes(frame(TEXT, call), answers=[answer])
                raw = self.open()
                for i in range(len(call)):      # a byte a fragment
                    raw.send(frame(CONT if i else TEXT, call[i:i + 1], fin=i == len(call) - 1))
                self.assertEqual(raw.receive(), (TEXT, answer))

    def test_invalid(self):
        for data in self.INVALID:
            call, _ = called(data)
            with self.subTest(data):
                self.fails([1007], frame(TEXT, call))
                self.fails([1007], frame(TEXT, call, fin=False), frame(CONT, b""))
                # What it still sends when it is closed may cost it the close frame.
                self.fails([1007, None], *[frame(CONT if i else TEXT, call[i:i + 1],
                                                 fin=i == len(call) - 1)
                                           for i in range(len(call))])

    def test_incomplete_at_the_end(self):
        for data in b"\xce", b"\xe1\xbd", b"\xf0\x90\x80":
            self.fails([1007], frame(TEXT, HEAD + data))

    def test_fail_fast(self):
        """The bad bytes end it, before the message has ended (6.4)."""
        self.fails([1007], frame(TEXT, HEAD + b"\xf4\x90", fin=False))
        self.fails([1007], frame(TEXT, HEAD, fin=False), frame(CONT, b"\xff", fin=False))

    def test_fail_fast_within_a_frame(self):
        """6.4.3, 6.4.4: what has come of a frame is looked at 2 KiB at a time."""
        call, _ = called(b"x" * 2000 + b"\xf4\x90\x80\x80" + b"x" * 3000)
        self.fails([1007], frame(TEXT, call)[:4500])


class Case7(Rfc6455):
    def closing(self, payload=b""):
        return frame(CLOSE, payload)

    def test_closes(self):
        call, answer = called(b"before")
        raw = self.passes(frame(TEXT, call), answers=[answer])
        raw.send(self.closing(struct.pack("!H", 1000)))
        self.assertEqual(raw.rest(), ([], 1000))
        self.assertEqual(raw.rest(), ([], None))        # and it is the node that hangs up

    def test_closed_by_the_node(self):
        """Who answers its close is hung up on then; who does not, some seconds later (7.1.1)."""
        for behind in self.closing(struct.pack("!H", 1007)), b"":
            raw = self.open()
            raw.send(frame(TEXT, b"{"))
            self.assertEqual(raw.rest(), ([], 1007))
            raw.send(behind)
            self.assertEqual(raw.rest(), ([], None))

    def test_after_the_close(self):
        """7.1.2 to 7.1.5: neither pongs nor answers to what comes behind it."""
        call, _ = called(b"x")
        for behind in (self.closing(), frame(PING), frame(TEXT, call), frame(CONT, b"x")):
            raw = self.open()
            raw.send(self.closing(struct.pack("!H", 1000)) + behind)
            self.assertEqual(raw.rest(), ([], 1000))

    def test_within_fragments(self):
        raw = self.open()
        raw.send(frame(TEXT, HEAD, fin=False) + self.closing(struct.pack("!H", 1000)))
        self.assertEqual(raw.rest(), ([], 1000))

    def test_after_much(self):
        call, answer = message(256 * KIB)
        raw = self.open()
        raw.send(frame(TEXT, call))
        raw.send(self.closing(struct.pack("!H", 1000)))
        before, code = raw.rest()
        # With a part of the answer under way the library hangs up instead (4.1.6).
        self.assertIn(code, (1000, None))
        self.assertIn(before, ([], [(TEXT, answer)]))

    def test_payloads(self):
        raw = self.open()
        raw.send(self.closing())
        self.assertEqual(raw.rest()[0], [])
        for reason in b"", b"Hello World!", b"*" * 123, "\u00fc".encode():
            raw = self.open()
            raw.send(self.closing(struct.pack("!H", 1000) + reason))
            self.assertEqual(raw.rest(), ([], 1000))
        self.fails([1002, None], self.closing(b"a"))
        self.fails([1002, None], self.closing(struct.pack("!H", 1000) + b"*" * 124))

    def test_reason_that_is_no_utf8(self):
        self.fails([1007, 1002, None],
                   self.closing(struct.pack("!H", 1000) + b"\xce\xba\xed\xa0\x80edited"))

    def test_codes(self):
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
            with self.subTest(code):
                raw = self.open()
                raw.send(self.closing(struct.pack("!H", code)))
                self.assertIn(raw.rest(), (([], code), ([], 1000)))

    def test_codes_of_the_registry(self):
        """Libwebsockets 4.1 takes these for none."""
        for code in 1012, 1013, 1014:
            raw = self.open()
            raw.send(self.closing(struct.pack("!H", code)))
            self.assertIn(raw.rest(), (([], code), ([], 1000), ([], 1002)))

    def test_codes_that_are_none(self):
        for code in 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535:
            with self.subTest(code):
                self.fails([1002, None], self.closing(struct.pack("!H", code)))


class Case9(Rfc6455):
    SIZES = (64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB) if LONG \
        else (64 * KIB, 256 * KIB, MIB)

    def test_sizes(self):
        for size in self.SIZES:
            for kind in TEXT, BINARY:
                call, answer = message(size, b"BAsd7&jh23")
                with self.subTest(size=size, kind=kind):
                    self.passes(frame(kind, call), answers=[answer])

    def test_fragments(self):
        size = 4 * MIB if LONG else MIB
        call, answer = message(size, b"BAsd7&jh23")
        for piece in (64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB):
            if not LONG and piece < KIB:
                continue
            with self.subTest(piece=piece):
                data = b"".join(frame(CONT if i else TEXT, call[i:i + piece],
                                      fin=i + piece >= size) for i in range(0, size, piece))
                self.passes(data, answers=[answer])

    def test_chops(self):
        size = MIB if LONG else 128 * KIB
        call, answer = message(size, b"BAsd7&jh23")
        for chop in 64, 128, 256, 512, KIB, 2 * KIB:
            with self.subTest(chop=chop):
                self.passes(frame(TEXT, call), answers=[answer], chop=chop)

    def test_many_messages(self):
        for size in (100, 128, 256, KIB, 2 * KIB, 4 * KIB, 16 * KIB):
            call, answer = message(size)
            for kind in TEXT, BINARY:
                raw = self.open()
                for _ in range(1000 if LONG else 100):
                    raw.send(frame(kind, call))
                    self.assertEqual(raw.receive()[1], answer)


class Case10(Rfc6455):
    def test_auto_fragmentation(self):
        call, answer = message(65536)
        data = b"".join(frame(CONT if i else TEXT, call[i:i + 1300], fin=i + 1300 >= 65536)
                        for i in range(0, 65536, 1300))
        self.passes(data, answers=[answer])


class Lengths(Rfc6455):
    """What no case has. (That a client's frames are masked, 5.1, the library neither demands nor
    tells; what is masked wrongly is another text, and refused as such.)"""

    def test_masked_wrongly(self):
        call, _ = called(b"x")
        data = bytearray(frame(TEXT, call))
        for at in range(2, 6):
            data[at] ^= 0x80
        self.fails([1007], bytes(data))

    def test_four_gib(self):
        for length in 4 << 30, (1 << 63) - 1, 1 << 63, (1 << 64) - 1:
            with self.subTest(length):
                self.fails([1002, 1009, None], frame(BINARY, b"x" * 5000, length=length))
        self.check_alive()


if __name__ == "__main__":
    unittest.main()
