# SPDX-License-Identifier: MIT
"""actord.py: calls to the actors of a node over a WebSocket, as futures. Wants Debian's
python3-websocket.

    from actord import Client
    with Client("ws://127.0.0.1:8080/", user="ann") as node:
        total, = node.call("counter", "hit", 1).result(5)
        node.on("news", print)                              # what actors push

When the connection is lost, calls under way fail (nobody knows whether they were done) and a new
one is tried, later and later; calls made meanwhile wait for it. A refused login is final. What is
pushed is handled on the client's own thread: a handler must not wait for a call's result; what it
raises is printed. A future may be cancelled: its answer is passed over."""

import concurrent.futures
import json
import random
import socket
import threading
import traceback

import websocket

FIRST_S, LAST_S = 0.25, 10
REPLACED = 4001         # the same user has logged in elsewhere


class Refused(Exception):
    """An answer with err, or a login that was refused."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


class Lost(Exception):
    """The connection was lost with the call under way."""


def settle(future, values=None, error=None):
    if not future.set_running_or_notify_cancel():
        return                                  # nobody wants to know any more
    if error:
        future.set_exception(error)
    else:
        future.set_result(values)


class Client:
    def __init__(self, url, user="guest", proof="", **options):
        """options go to websocket.create_connection()."""
        self.url, self.login, self.options = url, [user, proof], options
        self._lock = threading.Lock()           # of all below
        self._calls, self._count = {}, 0        # by id: (future, text, sent)
        self._socket, self._ready, self._over = None, False, None
        self._handlers, self._ended = {}, threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def call(self, actor, handler, *args):
        """A future of the answer's values, a list."""
        future = concurrent.futures.Future()
        with self._lock:
            if self._over:
                future.set_exception(self._over)
                return future
            self._count += 1
            text = json.dumps({"tpc": actor, "func": handler, "args": args, "cb": "answer",
                               "id": self._count})
            self._calls[self._count] = [future, text, False]
            if self._ready:
                self._say(self._calls[self._count])
        return future

    def send(self, actor, handler, *args):
        """Wants no answer; without a connection it is dropped, and False returned."""
        with self._lock:
            try:
                if self._ready:
                    self._socket.send(json.dumps({"tpc": actor, "func": handler, "args": args}))
                return self._ready
            except (OSError, websocket.WebSocketException):
                return False

    def on(self, func, handler):
        self._handlers[func] = handler
        return self

    def close(self):
        self._ended.set()
        with self._lock:
            connection = self._socket
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)  # wakes the reader
        except (OSError, AttributeError):
            pass                                        # there is none, or no more
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _say(self, call):
        call[2] = True
        try:
            self._socket.send(call[1])
        except (OSError, websocket.WebSocketException):
            pass                                # the reader hears of it too

    def _live(self):
        wait = FIRST_S
        while not self._ended.is_set():
            try:
                wait = FIRST_S if self._connection() else wait
            except (OSError, websocket.WebSocketException):
                pass
            with self._lock:
                self._ready = False
                lost = [i for i, call in self._calls.items() if call[2]]
                lost = [self._calls.pop(i)[0] for i in lost]
            for future in lost:
                settle(future, error=Lost("the connection was lost"))
            if self._ended.wait(wait * random.uniform(0.5, 1.5)):
                break
            wait = min(2 * wait, LAST_S)
        self._give_up(Lost("the client is closed"))

    def _give_up(self, why):
        self._ended.set()
        with self._lock:
            self._over = self._over or why
            left, self._calls = [call[0] for call in self._calls.values()], {}
        for future in left:
            settle(future, error=self._over)

    def _connection(self):
        """One, from its beginning to its end. True: it was logged in."""
        ready = False
        connection = websocket.create_connection(self.url, **self.options)
        with self._lock:
            self._socket = connection
            connection.send(json.dumps({"func": "login", "args": self.login}))
        while not self._ended.is_set():
            kind, data = connection.recv_data()
            if kind == websocket.ABNF.OPCODE_CLOSE:
                code = int.from_bytes(data[:2], "big")
                if code == REPLACED or self._over:
                    self._give_up(Refused(code, data[2:].decode()))
                break
            ready = self._take(json.loads(data), ready)
        connection.shutdown()
        return ready

    def _take(self, message, ready):
        if message["func"] == "loginback" and not ready:
            with self._lock:
                if message["args"] != [0]:
                    self._over = Refused(1, "the login was refused")
                    return False
                self._ready = True
                for call in self._calls.values():
                    self._say(call)
            return True
        with self._lock:
            call = self._calls.pop(message.get("id"), None)
        if call and message.get("err"):
            settle(call[0], error=Refused(message["err"]["code"], message["err"]["text"]))
        elif call:
            settle(call[0], message["args"])
        elif message["func"] in self._handlers:
            try:
                self._handlers[message["func"]](*message["args"])
            except Exception:                   # the connection's thread outlives it
                traceback.print_exc()
        return ready
