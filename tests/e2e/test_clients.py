#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The clients' module for Python (tools/clients/actord.py): calls as futures, what is pushed,
refusals, and a connection that comes back. The one for JavaScript is test_page's."""

import base64
import concurrent.futures
import contextlib
import hashlib
import io
import queue
import re
import signal
import socket
import sys
import unittest

from harness import EARGS, ENOENT, ETIME, HERE, PATIENCE, Case, free_port, until

sys.path.insert(0, str(HERE.parent.parent / "tools/clients"))
import actord  # noqa: E402


class Clients(Case):
    options = None
    SECONDS = 20 * PATIENCE

    def client(self, runtime, **more):
        client = actord.Client("ws://%s/" % runtime.listen, **more)
        self.addCleanup(client.close)
        return client

    def test_calls(self):
        runtime = self.start(HERE / "actors/club.c")
        with self.client(runtime, user="ann") as ann:
            futures = [ann.call("echo", "say", i, "ü") for i in range(500)]
            self.assertEqual([f.result(self.SECONDS) for f in futures],
                             [[i, "ü"] for i in range(500)])
            with self.assertRaises(actord.Refused) as refused:
                ann.call("echo", "nothing").result(self.SECONDS)
            self.assertEqual(refused.exception.code, ENOENT)
            news = queue.Queue()
            ann.on("whispered", news.put)
            bob = self.client(runtime, user="bob")
            bob.call("club", "whisper", "ann", "hush").result(self.SECONDS)
            self.assertEqual(news.get(timeout=self.SECONDS), "hush")
        with self.assertRaises(actord.Lost):
            ann.call("echo", "say").result(self.SECONDS)

    def test_what_its_user_does_wrong(self):
        """A handler that raises, and a future that was cancelled, end nothing."""
        runtime = self.start(HERE / "actors/club.c")
        news = queue.Queue()

        def raises(text):
            news.put(text)
            raise ValueError("of the handler")
        with self.client(runtime, user="ann") as ann:
            ann.on("whispered", raises)
            with contextlib.redirect_stderr(io.StringIO()) as said:
                for text in "once", "twice":
                    ann.call("club", "whisper", "ann", text).result(self.SECONDS)
                    self.assertEqual(news.get(timeout=self.SECONDS), text)
                gone = ann.call("echo", "say", 1)
                gone.cancel()
                self.assertEqual(ann.call("echo", "say", 2).result(self.SECONDS), [2])
            self.assertIn("ValueError: of the handler", said.getvalue())

    def test_msgpack(self):
        client = self.client(self.start(), encoding="msgpack")
        said = [1, "ü", b"\xff", None, {"a": [True]}, 1 << 63]
        self.assertEqual(client.call("echo", "say", *said).result(self.SECONDS), said)
        for wrong in object(), 1 << 64:
            with self.assertRaises(actord.Refused) as refused:
                client.call("echo", "say", wrong).result(self.SECONDS)
            self.assertEqual(refused.exception.code, EARGS)
        self.assertEqual(client.call("echo", "say", 2).result(self.SECONDS), [2])

    def test_many_at_once(self):
        """Who sends more than the sockets hold does not keep the answers from being read."""
        client, text = self.client(self.start(), timeout=self.SECONDS), "x" * 5000
        calls = [client.call("echo", "say", text, i) for i in range(3000)]
        for i, call in enumerate(calls):
            self.assertEqual(call.result(self.SECONDS), [text, i])

    def test_nobody_answers(self):
        runtime = self.start()
        runtime.caller().eval("", "silent", '#include "actor.h"\nstatic int f(actor *self, '
                              'const msg *m) { (void)self; msg_defer(m); return 0; }\n', "f")
        client = self.client(runtime, timeout=0.3)
        with self.assertRaises(actord.Refused) as refused:
            client.call("", "silent").result(self.SECONDS)
        self.assertEqual(refused.exception.code, ETIME)
        client.on("nothing", print).close()
        client.close()
        with actord.Client("ws://127.0.0.1:%d/" % free_port(), timeout=0.3) as nowhere:
            with self.assertRaises(actord.Refused):
                nowhere.call("echo", "say").result(self.SECONDS)

    def test_a_stopped_node(self):
        """Whatever the socket takes: who calls does not wait, and a call's time is what it was."""
        runtime = self.start()
        client = self.client(runtime, timeout=self.SECONDS)
        client.call("echo", "say", 1).result(self.SECONDS)
        client.timeout = 0.5
        runtime.process.send_signal(signal.SIGSTOP)
        try:
            calls = [client.call("echo", "none", "x" * (8 << 20)), client.call("echo", "say", 2)]
            for call in calls:
                with self.assertRaises(actord.Refused) as refused:
                    call.result(self.SECONDS)
                self.assertEqual(refused.exception.code, ETIME)
        finally:
            runtime.process.send_signal(signal.SIGCONT)
        client.timeout = self.SECONDS
        self.assertEqual(client.call("echo", "say", 3).result(self.SECONDS), [3])

    def proxy(self):
        """A client, and what it is connected to, which reads no more than the handshake."""
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = actord.Client("ws://127.0.0.1:%d/" % server.getsockname()[1])
            self.addCleanup(client.close)
            server.settimeout(self.SECONDS)
            proxy = server.accept()[0]
            self.addCleanup(proxy.close)
            proxy.settimeout(self.SECONDS)
            head = b""
            while b"\r\n\r\n" not in head:
                head += proxy.recv(1000)
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", head).group(1)
            proxy.sendall(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Accept: %s\r\n\r\n"
                          % base64.b64encode(hashlib.sha1(key + guid).digest()))
            said = b'{"func":"loginback","args":[0]}'
            proxy.sendall(b"\x81%c%s" % (len(said), said))
            return client, proxy

    def test_a_close_of_who_does_not_read(self):
        """As a proxy may, which then holds on: what was sent is lost at once."""
        client, proxy = self.proxy()
        call = client.call("echo", "say", "x" * (32 << 20))
        until(lambda: len(proxy.recv(1 << 16, socket.MSG_PEEK)) > 1000, "it sends")
        proxy.sendall(b"\x88\x02\x03\xe9")
        with self.assertRaises(actord.Lost):
            call.result(self.SECONDS)

    def test_sends_to_who_does_not_read(self):
        """What waits for the socket is bounded, in bytes too."""
        client, text = self.proxy()[0], "x" * (1 << 20)
        until(lambda: client.send("echo", "say", 1), "it is logged in")
        sent = 0
        while sent < 1000 and client.send("echo", "say", text):
            sent += 1
        self.assertIn(sent, range(16, 100))     # and what the sockets hold

    def test_a_restart(self):
        runtime = self.start()
        client = self.client(runtime)
        client.call("counter", "hit", 1).result(self.SECONDS)
        runtime.stop()
        # Some of these are sent to nobody: they fail. The others wait for the new node.
        calls = [client.call("counter", "hit", 1) for _ in range(20)]
        self.start(folder=runtime.folder, listen=runtime.listen)
        done, _ = concurrent.futures.wait(calls, self.SECONDS)
        self.assertEqual(len(done), 20)
        self.assertEqual({type(f.exception()) for f in calls} - {type(None), actord.Lost}, set())
        late = client.call("counter", "hit", 0).result(self.SECONDS)
        self.assertEqual(late, [sum(f.exception() is None for f in calls)])

    def test_a_refused_login(self):
        runtime = self.start(HERE / "actors/login.c")
        self.assertEqual(self.client(runtime, user="ann", proof="sesame")
                         .call("echo", "say", 1).result(self.SECONDS), [1])
        refused = self.client(runtime, user="ann", proof="wrong").call("echo", "say", 1)
        with self.assertRaises(actord.Refused) as caught:
            refused.result(self.SECONDS)
        self.assertEqual((caught.exception.code, caught.exception.text != "the login was refused"),
                         (1008, True), caught.exception.text)

    def test_the_same_user_elsewhere(self):
        runtime = self.start("--same-user", "replace")
        first = self.client(runtime, user="ann")
        first.call("echo", "say", 1).result(self.SECONDS)
        second = self.client(runtime, user="ann")
        second.call("echo", "say", 1).result(self.SECONDS)
        with self.assertRaises((actord.Refused, actord.Lost)):
            while True:                         # until it hears of its end; it does not come back
                first.call("echo", "say", 1).result(self.SECONDS)
        self.assertEqual(second.call("echo", "say", 2).result(self.SECONDS), [2])


if __name__ == "__main__":
    unittest.main()
