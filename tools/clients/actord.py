# SPDX-License-Identifier: MIT
"""actord.py: calls to the actors of a node over a WebSocket, as futures. Wants Debian's
python3-websocket, and python3-msgpack for encoding="msgpack".

    from actord import Client
    with Client("ws://127.0.0.1:8080/", user="ann") as node:
        total, = node.call("counter", "hit", 1).result()
        node.on("news", print)                              # what actors push

When the connection is lost, calls under way fail with Lost (nobody knows whether they were done)
and a new one is tried, later and later; calls made meanwhile wait for it. So it is where a node
has too much to do for a login (1013); a login that it refuses is final. What is pushed is handled
on the client's own thread: a handler must not wait for a call's result; what it raises is printed.
A future may be cancelled: its answer is passed over. Nobody who calls waits for the socket: what it
does not take waits for it on another thread, and a call whose time is over is not sent."""

import concurrent.futures
import json
import queue
import random
import selectors
import socket
import threading
import time
import traceback

import websocket

FIRST_S, LAST_S, LOOK_S, CONNECT_S, TIMEOUT_S = 0.25, 10, 0.25, 10, 30
REFUSED, REPLACED = 1008, 4001          # at login; the same user has logged in elsewhere
EARGS, ETIME = -1, -4                   # as in actor.h
UNSENT_MOST, UNSENT_BYTES = 10000, 16 << 20     # that wait for the socket; then send() says no
# A link that went silent is found out in half a minute.
KEEPALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
             (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
             (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
             (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
             (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)]


class Refused(Exception):
    """An answer with err, none in time, or a login that was refused. code: actor.h's, or the
    close code of the login."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code, self.text = code, text


class Lost(Exception):
    """The connection was lost with the call under way, or the client was closed."""


class Call:
    """data: what is to be sent; None once nobody waits for it."""

    def __init__(self, actor, handler, data, timeout, opcode):
        self.future, self.name, self.data = concurrent.futures.Future(), (actor, handler), data
        self.timeout, self.end, self.sent = timeout, time.monotonic() + timeout, False
        self.opcode = opcode

    def settle(self, values=None, error=None):
        self.data = None
        if not self.future.set_running_or_notify_cancel():
            return                              # nobody wants to know any more
        if error:
            self.future.set_exception(error)
        else:
            self.future.set_result(values)


class Connection(websocket.WebSocket):
    """What is sent goes out on a thread of its own, in its order."""

    def __init__(self, **more):
        super().__init__(**more)
        self.unsent = queue.SimpleQueue()       # bytes, call; a false call at the end
        self._lock, self._bytes = threading.Lock(), 0   # all those bytes
        self.writer = threading.Thread(target=self._write, daemon=True)

    def say(self, call):
        size = len(call.data or "") if call else 0
        with self._lock:
            self._bytes += size
        self.unsent.put((size, call))

    def full(self):
        return self.unsent.qsize() > UNSENT_MOST or self._bytes > UNSENT_BYTES

    def pong(self, payload=b""):
        self.say(Call(None, None, payload, 0, websocket.ABNF.OPCODE_PONG))

    def send_close(self, status=websocket.STATUS_NORMAL, reason=b""):
        self.say(Call(None, None, status.to_bytes(2, "big") + reason, 0,
                      websocket.ABNF.OPCODE_CLOSE))

    def _write(self):
        try:
            while (waits := self.unsent.get())[1]:
                size, call = waits
                data = call.data
                if data is not None:
                    self.send(data, call.opcode)
                with self._lock:
                    self._bytes -= size
        except (OSError, ValueError, websocket.WebSocketException):
            pass                                # the reader hears of it too

    def cut(self):
        """Wakes whoever waits for the socket."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass                                # there is none, or no more


class Client:
    def __init__(self, url: str, user: str = "guest", proof: str = "", *, encoding: str = "json",
                 timeout: float = TIMEOUT_S, **options):
        """timeout: seconds until a call is refused with ETIME. options go to
        websocket.create_connection()."""
        self.url, self.login, self.timeout = url, [user, proof], timeout
        self.options = {"timeout": CONNECT_S, "sockopt": KEEPALIVE, **options}
        self._pack, self._unpack, self._opcode = json.dumps, json.loads, websocket.ABNF.OPCODE_TEXT
        if encoding == "msgpack":
            import msgpack
            self._pack, self._unpack = msgpack.packb, msgpack.unpackb
            self._opcode = websocket.ABNF.OPCODE_BINARY
        self._lock = threading.Lock()           # of all below
        self._calls, self._count = {}, 0        # by id
        self._socket, self._ready, self._over = None, None, None    # ready: a socket, logged in
        self._handlers, self._ended = {}, threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def call(self, actor: str, handler: str, *args) -> concurrent.futures.Future:
        """A future of the answer's values, a list. Its exception is Refused or Lost."""
        with self._lock:
            self._count += 1
            number = self._count
        message = {"tpc": actor, "func": handler, "args": args, "cb": "answer", "id": number}
        call = Call(actor, handler, None, self.timeout, self._opcode)
        try:
            call.data = self._pack(message)
        except (TypeError, ValueError, OverflowError) as wrong:
            call.settle(error=Refused(EARGS, "it cannot be sent: %s" % wrong))
            return call.future
        with self._lock:
            over, ready = self._over, self._ready
            if not over:
                self._calls[number], call.sent = call, bool(ready)
        if over:
            call.settle(error=over)
        elif ready:
            ready.say(call)
        return call.future

    def send(self, actor: str, handler: str, *args) -> bool:
        """Wants no answer; without a connection, or behind too much that is not sent yet, it is
        dropped, and False returned."""
        data = self._pack({"tpc": actor, "func": handler, "args": args})
        with self._lock:
            ready = self._ready
        if not ready or ready.full():
            return False
        ready.say(Call(actor, handler, data, self.timeout, self._opcode))
        return True

    def on(self, func: str, handler) -> "Client":
        self._handlers[func] = handler
        return self

    def close(self):
        """What waits fails with Lost, at once. A handler may call it."""
        self._give_up(Lost("the client is closed"))
        with self._lock:
            connection = self._socket
        if connection:
            connection.cut()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    # --- the connection's thread reads, and never waits until something is sent ---

    def _live(self):
        wait = FIRST_S
        while not self._ended.is_set():
            try:
                self._connection()
            except (OSError, websocket.WebSocketException):
                pass
            except (ValueError, TypeError, LookupError, AttributeError):
                traceback.print_exc()           # what it says has no sense: no node of ours
            with self._lock:
                wait, self._ready, connection = FIRST_S if self._ready else wait, None, self._socket
                self._socket = None
                lost = [i for i, call in self._calls.items() if call.sent]
                lost = [self._calls.pop(i) for i in lost]
            if connection:
                connection.say(None)
                connection.writer.join(LOOK_S)  # the answer to a close may still go out
                connection.cut()
                connection.shutdown()
            for call in lost:
                call.settle(error=Lost("the connection was lost"))
            end = time.monotonic() + wait * random.uniform(0.5, 1.5)
            while time.monotonic() < end and not self._ended.wait(LOOK_S):
                self._look_late()
            wait = min(2 * wait, LAST_S)
        self._give_up(Lost("the client is closed"))

    def _give_up(self, why):
        with self._lock:
            self._over = self._over or why
            left, self._calls = list(self._calls.values()), {}
        self._ended.set()
        for call in left:
            call.settle(error=self._over)

    def _look_late(self):
        now = time.monotonic()
        with self._lock:
            late = [i for i, call in self._calls.items() if call.end <= now]
            late = [self._calls.pop(i) for i in late]
        for call in late:
            call.settle(error=Refused(ETIME, "%s.%s has not answered in %g s"
                                      % (*call.name, call.timeout)))

    def _connection(self):
        """One, from its beginning to its end."""
        connection = websocket.create_connection(self.url, class_=Connection, **self.options)
        connection.settimeout(None)
        connection.writer.start()
        with self._lock:
            self._socket = connection
        login = self._pack({"func": "login", "args": self.login})
        connection.say(Call(None, "login", login, self.timeout, self._opcode))
        refused, looked = False, time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(connection.sock, selectors.EVENT_READ)
            while not self._ended.is_set():
                if time.monotonic() > looked + LOOK_S:
                    self._look_late()
                    looked = time.monotonic()
                if not self._has_more(connection, selector):
                    continue
                kind, data = self._receive(connection, refused)
                if kind == websocket.ABNF.OPCODE_CLOSE:
                    self._closed(data, refused)
                    return
                if kind in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
                    refused |= self._take(self._unpack(data), connection)

    def _receive(self, connection, refused):
        try:
            return connection.recv_data(control_frame=True)
        except (OSError, websocket.WebSocketException):
            if refused:
                self._closed(b"", refused)
            raise

    @staticmethod
    def _has_more(connection, selector):
        pending = getattr(connection.sock, "pending", None)     # TLS has read ahead
        return (pending and pending()) or selector.select(LOOK_S)

    def _closed(self, data, refused):
        code, reason = int.from_bytes(data[:2], "big"), data[2:].decode(errors="replace")
        if refused or code == REPLACED:
            self._give_up(Refused(code or REFUSED, reason or "the login was refused"))

    def _take(self, message, connection):
        """True: the login was refused; why comes with the close."""
        if message["func"] == "loginback" and not self._ready:
            if message["args"] != [0]:
                return True
            with self._lock:
                for call in self._calls.values():
                    if not call.sent:
                        call.sent = True
                        connection.say(call)
                self._ready = connection
            return False
        with self._lock:
            call = self._calls.pop(message.get("id"), None)
        if call and message.get("err"):
            call.settle(error=Refused(message["err"]["code"], message["err"]["text"]))
        elif call:
            call.settle(message["args"])
        elif message["func"] in self._handlers:
            try:
                self._handlers[message["func"]](*message["args"])
            except Exception:                   # the connection's thread outlives it
                traceback.print_exc()
        return False
