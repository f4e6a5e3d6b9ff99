# SPDX-License-Identifier: MIT
"""The runtime as its users meet it: a process, a Redis, a WebSocket, a tool.

A test starts the real programs of $ACTORD_BUILD (default: build/ beside tests/), each with a
folder, a control socket and ports of its own, and speaks to them from outside only. Nothing
sleeps: whoever waits, waits for a line, a message or the end of a process, until a deadline.
What a runtime wrote to stderr is shown when a test fails, and no runtime may end with an error
logged or a sanitizer's report. Random input comes from one seed, printed with each failure;
E2E_SEED repeats it, E2E_PATIENCE stretches the deadlines (sanitizers are slow)."""

import atexit
import base64
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
import uuid

import msgpack
import redis
import websocket

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("ACTORD_BUILD") or HERE / "../../build").resolve()
ACTORD, ACTORCTL = str(BUILD / "actord"), str(BUILD / "actorctl")
PATIENCE = float(os.environ.get("E2E_PATIENCE", "1"))
SEED = int(os.environ.get("E2E_SEED") or random.SystemRandom().randrange(1 << 32))
ENOENT, EARGS, EFULL, ETIME, EFAIL = -2, -1, -3, -4, -5
TROUBLE = re.compile(r"Z error |ERROR: |WARNING: ThreadSanitizer|runtime error:|Sanitizer:")
running = set()


def kill_leftovers():
    for process in running:
        process.kill()


atexit.register(kill_leftovers)


class Late(AssertionError):
    """A deadline passed."""


def deadline(seconds):
    return time.monotonic() + seconds * PATIENCE


def until(probe, what, seconds=10):
    """For what announces itself to nobody (a port that opens again): tries until probe is true."""
    end = deadline(seconds)
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise Late("not in time: " + what)
        select.select([], [], [], 0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    atexit.register(shutil.rmtree, folder, True)
    return folder


class Lines(threading.Thread):
    """A stream's lines as they come."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.lines, self.closed = stream, [], False
        self.news = threading.Condition()
        self.start()

    def run(self):
        for raw in self.stream:
            with self.news:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.closed = True
            self.news.notify_all()
        self.stream.close()

    def wait(self, pattern, seconds=20, after=0):
        """The first line from number `after` on that has the pattern; None at the end."""
        def look():
            return next((x for x in self.lines[after:] if re.search(pattern, x)), None)
        with self.news:
            self.news.wait_for(lambda: look() or self.closed, seconds * PATIENCE)
            found = look()
            if found is None and not self.closed:
                raise Late("no line %r among %d" % (pattern, len(self.lines)))
            return found

    def all(self, seconds=10):
        """Every line, once the stream has ended."""
        self.join(seconds * PATIENCE)
        return self.lines


class Runtime:
    """One actord. `folder` given: a restart on what an earlier one left there."""

    def __init__(self, *args, redis="embedded/1", listen="127.0.0.1:0", folder=None, env=None,
                 ready=True, cwd=None, redis_port=0, prefix=()):
        self.folder = pathlib.Path(folder or make_folder())
        self.control, self.state = str(self.folder / "control.sock"), self.folder / "state"
        command = [*prefix, ACTORD, "--state", str(self.state), "--control", self.control]
        command += ["--listen", listen] if listen else []
        command += ["--redis", redis] if redis else []
        if redis and redis.startswith("embedded") and redis_port is not None:
            command += ["--redis-port", str(redis_port)]
        self.command = command + [str(a) for a in args]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=cwd, env=clean_env(self.folder, env))
        running.add(self.process)
        self.clients = []
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)
        if ready:
            self.wait_ready()

    def wait_ready(self):
        line = self.out.wait(r"^ready\b", 30)
        if line is None:
            raise AssertionError("actord ended with %s before it was ready:\n%s"
                                 % (self.process.wait(), self.tail()))
        self.ready = dict(w.split("=", 1) for w in line.split()[1:] if "=" in w)
        self.listen, self.redis_url = self.ready["listen"], self.ready["redis"]

    @property
    def pid(self):
        return self.process.pid

    def redis(self, **more):
        return redis.Redis.from_url(self.redis_url, **more)

    def caller(self, encoding="json"):
        return Caller(self.redis(), encoding)

    def client(self, **more):
        self.clients.append(Client(self.listen, **more))
        return self.clients[-1]

    def actorctl(self, *args, **more):
        return actorctl("--control", self.control, *args, **more)

    def json(self, *args):
        """What a command of actorctl says in JSON: the objects, one a line."""
        done = self.actorctl("--json", *args)
        if done.code:
            raise AssertionError("actorctl %s: exit %d: %s%s" % (args, done.code, done.out,
                                                                 done.err))
        return [json.loads(line) for line in done.out.splitlines()]

    def get(self, path, **headers):
        return http_get(self.listen, path, **headers)

    def post(self, path, *args, user="guid", **headers):
        """A call by HTTP: its status, and what was answered."""
        login = base64.b64encode(("%s:md5" % user).encode()).decode()
        status, _, body = http_get(self.listen, "/call/" + path, json.dumps(args).encode(),
                                   Authorization="Basic " + login, **headers)
        return status, json.loads(body)

    def tail(self, lines=40):
        return "\n".join(self.err.lines[-lines:])

    def kill(self):
        self.process.kill()
        self.process.wait(10 * PATIENCE)
        running.discard(self.process)

    def forget_clients(self):
        for client in self.clients:
            client.ws.shutdown()

    def end(self):
        """As stop(); its clients go when they are told to, so that nobody waits for them."""
        self.stop(leaving=self.clients)

    def stop(self, with_signal=signal.SIGTERM, trouble=TROUBLE, leaving=()):
        """Ends it as its users do; that must go well, and nothing may have gone wrong before."""
        if self.process in running:
            running.discard(self.process)
            self.process.send_signal(with_signal)
            for client in leaving:
                client.hang_up()
        try:
            code = self.process.wait(10 * max(PATIENCE, 1))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("still running 10 s after %s:\n%s" % (with_signal, self.tail()))
        bad = [x for x in self.err.all() if trouble.search(x)]
        if code or bad:
            raise AssertionError("exit %d, %d bad lines:\n%s\n--- the end:\n%s"
                                 % (code, len(bad), "\n".join(bad[:40]), self.tail()))


def clean_env(folder, more=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ACTORD_", "XDG_"))}
    env.update({"HOME": str(folder)}, **(more or {}))
    return env


class Exit:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __repr__(self):
        return "exit %d, stdout %r, stderr %r" % (self.code, self.out, self.err)


def run(command, seconds=30, env=None, stdin=None, cwd=None):
    begin = time.monotonic()
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, cwd=cwd,
                          timeout=seconds * PATIENCE, env=clean_env(tempfile.gettempdir(), env))
    return Exit(done.returncode, done.stdout.decode(errors="replace"),
                done.stderr.decode(errors="replace"), time.monotonic() - begin)


def actorctl(*args, **more):
    if PATIENCE > 1 and "--timeout" not in args:
        args = ["--timeout", "30000", *args]
    return run([ACTORCTL, *args], **more)


def actord(*args, **more):
    """For runs that end by themselves, with an error: what those leave unfreed is no leak."""
    more["env"] = {"ASAN_OPTIONS": "detect_leaks=0", **(more.get("env") or {})}
    return run([ACTORD, *args], **more)


def redis_cli(url, *args, stdin=None):
    done = run(["redis-cli", "-u", url, "--no-auth-warning", "-e", *args], stdin=stdin)
    if done.code:
        raise AssertionError(done)
    return done.out.strip()


def http_get(address, path, body=None, **headers):
    ask = urllib.request.Request("http://%s%s" % (address, path), body, headers)
    try:
        with urllib.request.urlopen(ask, timeout=10 * PATIENCE) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()


class Refused(Exception):
    """An answer with err."""

    def __init__(self, err):
        super().__init__(err["text"])
        self.code, self.text = err["code"], err["text"]


def pack(message, encoding):
    return msgpack.packb(message) if encoding == "msgpack" else json.dumps(message).encode()


def unpack(data):
    if data[:1] == b"{":
        return json.loads(data)
    return msgpack.unpackb(data, strict_map_key=False)


class Caller:
    """A program with a Redis client: it pushes or publishes, and pops answers from a list."""

    def __init__(self, db, encoding="json"):
        self.db, self.encoding = db, encoding
        self.ct, self.count = "answers:" + uuid.uuid4().hex, 0

    def send(self, topic, func, *args, via="rpush", cb="callback", **more):
        message = {"func": func, "args": list(args), "ct": self.ct, "cb": cb, **more}
        return getattr(self.db, via)(topic, pack(message, self.encoding))

    def answer(self, seconds=10):
        got = self.db.blpop([self.ct], timeout=int(max(1, seconds * PATIENCE)))
        if got is None:
            raise Late("no answer on " + self.ct)
        return unpack(got[1])

    def call(self, topic, func, *args, **more):
        """The values of the answer; an answer that was none of this call's is an error."""
        self.count += 1
        seconds = more.pop("seconds", 10)
        self.send(topic, func, *args, **{"id": self.count, **more})
        answer = self.answer(seconds)
        if "id" not in more and answer.get("id") != self.count:
            raise AssertionError("call %d got the answer %r" % (self.count, answer))
        if answer.get("err"):
            if answer["args"] != []:
                raise AssertionError("err and args at once: %r" % answer)
            raise Refused(answer["err"])
        return answer["args"]

    def exec(self, source, **more):
        return self.call("rpc", "exec", source, **more)

    def eval(self, topic, handler, source, function, **more):
        return self.call("rpc", "eval", topic, handler, source, function, **more)


class Client:
    """A WebSocket client."""

    def __init__(self, address, encoding="json", login=True, **more):
        self.encoding, self.count = encoding, 0
        self.ws = websocket.create_connection(
            "ws://%s/" % address, timeout=10 * PATIENCE, **more)
        if login:
            self.login()

    def send(self, message):
        data = pack(message, self.encoding)
        if self.encoding == "msgpack":
            self.ws.send_binary(data)
        else:
            self.ws.send(data.decode())

    def receive(self):
        kind, data = self.ws.recv_data()
        if kind == websocket.ABNF.OPCODE_CLOSE:
            raise websocket.WebSocketConnectionClosedException(close_code(data))
        expected = websocket.ABNF.OPCODE_BINARY if self.encoding == "msgpack" \
            else websocket.ABNF.OPCODE_TEXT
        if kind != expected:
            raise AssertionError("a %s client got a frame of kind %d" % (self.encoding, kind))
        return unpack(data)

    def login(self, *args):
        self.send({"func": "login", "args": list(args) or ["guid", "md5"]})
        answer = self.receive()
        if answer["func"] != "loginback" or answer["args"] != [0]:
            raise AssertionError("login answered %r" % answer)

    def call(self, func, *args, **more):
        self.count += 1
        self.send({"func": func, "args": list(args), "cb": "callback", "id": self.count, **more})
        answer = self.receive()
        if answer.get("id") != more.get("id", self.count) or answer["func"] != "callback":
            raise AssertionError("call %d got the answer %r" % (self.count, answer))
        if answer.get("err"):
            raise Refused(answer["err"])
        return answer["args"]

    def closed(self):
        """Everything that still comes, and the code it ends with (None: cut off)."""
        frames = []
        while True:
            try:
                # Not recv_data(), which answers a close and fails where nobody hears that.
                frame = self.ws.recv_frame()
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                return frames, None
            if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                return frames, close_code(frame.data)
            frames.append(unpack(frame.data))

    def hang_up(self):
        """Reads on until it is told to go, and goes."""
        try:
            while self.ws.connected and self.ws.recv_frame().opcode != websocket.ABNF.OPCODE_CLOSE:
                pass
        except (websocket.WebSocketException, OSError):
            pass
        self.ws.shutdown()

    def close(self):
        self.ws.close()


def close_code(data):
    return struct.unpack("!H", data[:2])[0] if len(data) >= 2 else 1005


class ControlLine:
    """A connection to the control socket that speaks lines of JSON."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20 * PATIENCE)
        until(lambda: self.socket.connect_ex(path) == 0, "the socket takes connections")
        self.lines = self.socket.makefile("rb")

    def raw(self, data):
        self.socket.sendall(data)

    def request(self, func, *args, **more):
        whole = dict({"func": func, "args": args, "cb": "answer"}, **more)
        return json.dumps(whole).encode() + b"\n"

    def send(self, *args, **more):
        self.raw(self.request(*args, **more))

    def read(self):
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            line = b""
        return json.loads(line) if line else None

    def call(self, *args, **more):
        self.send(*args, **more)
        return self.read()

    def close(self):
        self.lines.close()
        self.socket.close()


class RedisServer:
    """A Redis of the test's own, on a port that stays the same when it is started again."""

    def __init__(self):
        self.port, self.url = free_port(), None
        self.url = "redis://127.0.0.1:%d/1" % self.port
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        running.add(self.process)
        if Lines(self.process.stdout).wait("Ready to accept connections") is None:
            raise AssertionError("redis-server did not start")

    def client(self):
        return redis.Redis.from_url(self.url)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        running.discard(self.process)


class Case(unittest.TestCase):
    """With one runtime for the class, unless options is None."""

    options, actors = (), ()        # of actord; and of tests/e2e/actors

    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(SEED)
        cls.runtime = None
        if cls.options is not None:
            cls.folder = make_folder()
            cls.runtime = Runtime(*cls.options, *(HERE / "actors" / f for f in cls.actors))
            cls.addClassCleanup(cls.runtime.forget_clients)
            cls.addClassCleanup(cls.runtime.end)

    def setUp(self):
        self.runtimes = [self.runtime] if self.runtime else []
        if self.runtime:
            self.caller = self.runtime.caller()

    def start(self, *args, stop=True, **more):
        runtime = Runtime(*args, ready=False, **more)
        self.runtimes.append(runtime)
        self.addCleanup(runtime.forget_clients)
        if stop:
            self.addCleanup(lambda: runtime.process.poll() is None and runtime.end())
        runtime.wait_ready()
        return runtime

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for runtime in getattr(self, "runtimes", []):
                sys.stderr.write("--- %s: stderr of actord %d (E2E_SEED=%d):\n%s\n"
                                 % (self.id(), runtime.pid, SEED, runtime.tail()))
        return result

    def refused(self, code, call, *args, **more):
        """The words of the refusal, which must have this code."""
        with self.assertRaises(Refused) as caught:
            call(*args, **more)
        self.assertEqual(caught.exception.code, code, caught.exception.text)
        return caught.exception.text

    def fails(self, done, code):
        self.assertEqual(done.code, code, done)
        return done.err

    def check_alive(self, runtime=None):
        """Each way in still works: list, channel, WebSocket, HTTP, actorctl, a patch."""
        runtime = runtime or self.runtime
        for encoding in "json", "msgpack":
            caller = runtime.caller(encoding)
            for via in "rpush", "publish":
                text = uuid.uuid4().hex
                self.assertEqual(caller.call("echo", "say", text, via=via), [text])
        ws = runtime.client()
        self.assertEqual(ws.call("say", "still here", tpc="echo"), ["still here"])
        ws.close()
        self.assertEqual(runtime.get("/healthz")[0], 200)
        self.assertEqual(runtime.actorctl("ping").code, 0)
        number = uuid.uuid4().int % 1000000
        caller = runtime.caller()
        caller.eval("echo", "alive", ANSWERS % number, "answers")
        self.assertEqual(caller.call("echo", "alive"), [number])


# A function that answers a number, whatever it is asked.
ANSWERS = '#include "actor.h"\n' \
          "static int answers(actor *self, const msg *m) { (void)self; return msg_reply(m, %d); }\n"


def source(name):
    """An actor of tests/e2e/actors, for variants of it."""
    return (HERE / "actors" / name).read_text()


def vary(text, old, new):
    if old not in text:
        raise ValueError("no %r in %r" % (old, text))
    return text.replace(old, new)


def write_files(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
