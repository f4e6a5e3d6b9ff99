#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What breaks around the runtime, and the runtime itself: Redis killed in mid-traffic and back
again, the runtime killed with -9, ports and folders that are taken, signals while there is work."""

import json
import os
import select
import signal
import socket
import stat
import threading
import unittest

import redis

from harness import (ACTORD, ANSWERS, HERE, PATIENCE, Caller, Case, Late, RedisServer, Refused,
                     Runtime, actord, free_port, make_folder, run, source, until, vary,
                     write_files)

class Traffic(threading.Thread):
    """Calls through Redis, one at a time, on through every loss of the connection."""

    def __init__(self, db):
        super().__init__(daemon=True)
        self.db, self.over, self.answered, self.lost, self.wrong = db, threading.Event(), 0, 0, []
        self.news = threading.Condition()
        self.start()

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            try:
                caller = Caller(self.db)
                caller.send("echo", "say", number)
                answer = self.db.blpop([caller.ct], timeout=1)
                if answer is None:
                    self.lost += 1
                    continue
                if json.loads(answer[1])["args"] != [number]:
                    self.wrong.append(answer)
            except redis.RedisError:
                self.over.wait(0.01)
                continue
            with self.news:
                self.answered += 1
                self.news.notify_all()

    def wait(self, more, seconds=30):
        with self.news:
            target = self.answered + more
            if not self.news.wait_for(lambda: self.answered >= target, seconds * PATIENCE):
                raise Late("%d of %d answers" % (self.answered, target))

    def end(self):
        self.over.set()
        self.join(10 * PATIENCE)


def ended(pid, seconds=10):
    """Waits for the end of a process that is no child of ours."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds * PATIENCE)[0])
    finally:
        os.close(fd)


class Faults(Case):
    options = None

    def check_traffic(self, traffic):
        traffic.wait(50)
        self.assertEqual(traffic.wrong, [])

    def few_lines(self, runtime, before):
        self.assertLess(len(runtime.err.lines) - before, 40, runtime.tail(60))

    def traffic(self, db):
        traffic = Traffic(db)
        self.addCleanup(traffic.end)
        traffic.wait(50)
        return traffic


class Embedded(Faults):
    def redis_pid(self, runtime):
        pid = runtime.redis().info()["process_id"]
        with open("/proc/%d/stat" % pid) as f:
            parent = int(f.read().rsplit(")", 1)[1].split()[1])
        self.assertEqual(parent, runtime.pid, "not a child of the runtime")
        return pid

    def test_killed_in_mid_traffic(self):
        runtime = self.start(stop=False)
        traffic, ws = self.traffic(runtime.redis()), runtime.client()
        runtime.caller().eval("", "kept", ANSWERS % 4, "answers")
        for _ in range(3):
            pid, before = self.redis_pid(runtime), len(runtime.err.lines)
            os.kill(pid, signal.SIGKILL)
            # Who does not need Redis does not notice.
            self.assertEqual(ws.call("kept"), [4])
            self.assertEqual(runtime.actorctl("call", "echo", "say", "x").code, 0)
            self.check_traffic(traffic)
            self.few_lines(runtime, before)
            self.assertNotEqual(self.redis_pid(runtime), pid)
            until(lambda: runtime.redis().publish("echo", "{") == 1, "subscribed again")
            self.check_alive(runtime)
        traffic.end()
        self.assertEqual(ws.call("kept"), [4])
        runtime.stop()

    def test_hangs_and_goes_on(self):
        runtime = self.start()
        traffic, ws = self.traffic(runtime.redis()), runtime.client()
        pid = self.redis_pid(runtime)
        os.kill(pid, signal.SIGSTOP)
        for i in range(50):
            self.assertEqual(ws.call("test", "a", "b"), ["ab"])
        self.assertEqual(runtime.actorctl("ping").code, 0)
        os.kill(pid, signal.SIGCONT)
        self.check_traffic(traffic)
        traffic.end()
        self.check_alive(runtime)

    def test_ends_with_the_runtime(self):
        for with_signal in signal.SIGTERM, signal.SIGINT, signal.SIGKILL:
            runtime = self.start(stop=False)
            pid = self.redis_pid(runtime)
            if with_signal == signal.SIGKILL:
                runtime.kill()
            else:
                runtime.stop(with_signal)
            self.assertTrue(ended(pid), "redis-server outlived %s" % with_signal)

    def test_runtime_killed_and_started_again(self):
        first = self.start(stop=False, redis_port=free_port())
        traffic = self.traffic(first.redis())
        first.kill()
        self.assertTrue(os.path.exists(first.control), "a stale socket was to be left")
        second = self.start(folder=first.folder,
                            redis_port=first.redis_url.split(":")[-1].split("/")[0])
        # Same password, same port: its clients come back by themselves.
        self.assertEqual(second.redis_url, first.redis_url)
        self.check_traffic(traffic)
        traffic.end()
        self.check_alive(second)

    def test_killed_again_and_again(self):
        folder = make_folder()
        for _ in range(5):
            runtime = self.start(stop=False, folder=folder)
            runtime.caller().send("echo", "say", 1)
            runtime.kill()
        runtime = self.start(folder=folder)
        self.check_alive(runtime)


class External(Faults):
    def test_killed_and_started_in_mid_traffic(self):
        server = RedisServer()
        self.addCleanup(lambda: server.stop())
        runtime = self.start("--unsigned-patches", redis=server.url)
        traffic, ws = self.traffic(server.client()), runtime.client()
        before = len(runtime.err.lines)
        for _ in range(3):
            server.stop()
            for _ in range(200):
                self.assertEqual(ws.call("test", "a", "b"), ["ab"])
            self.assertEqual(runtime.actorctl("inspect").code, 0)
            server.start()
            self.check_traffic(traffic)
        self.few_lines(runtime, before)
        traffic.end()
        until(lambda: server.client().publish("echo", "{") == 1, "subscribed again")
        self.check_alive(runtime)
        self.assertEqual(ws.call("test", "a", "b"), ["ab"])

    def test_away_for_a_while(self):
        """Said once, not in a flood, and no spinning: the ancestor logs 493 MB in 5 s."""
        server = RedisServer()
        self.addCleanup(lambda: server.stop())
        runtime = self.start(redis=server.url)
        self.traffic(server.client()).end()
        before = len(runtime.err.lines)
        server.stop()
        runtime.err.wait("(?i)redis|bus", after=before)
        cpu = self.cpu(runtime)
        # Ten thousand calls by another way pass the time.
        ws = runtime.client()
        for _ in range(10):
            for _ in range(1000):
                ws.send({"tpc": "echo", "func": "say", "cb": "callback"})
            for _ in range(1000):
                ws.receive()
        self.few_lines(runtime, before)
        self.assertLess(self.cpu(runtime) - cpu, 5 * PATIENCE)
        server.start()
        self.assertEqual(Caller(server.client()).call("echo", "say", 1), [1])

    def cpu(self, runtime):
        with open("/proc/%d/stat" % runtime.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_not_there_at_first(self):
        server = RedisServer()
        server.stop()
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        runtime = self.start(redis=server.url)
        self.assertEqual(runtime.client().call("test", "a", "b"), ["ab"])
        server.start()
        self.assertEqual(Caller(server.client()).call("echo", "say", 1, seconds=20), [1])

    def test_messages_wait_while_the_runtime_is_away(self):
        server = RedisServer()
        self.addCleanup(server.stop)
        first = self.start(stop=False, redis=server.url)
        first.kill()
        caller = Caller(server.client())
        for i in range(100):
            caller.send("echo", "say", i)
        self.start(redis=server.url, folder=first.folder)
        self.assertEqual([caller.answer()["args"] for _ in range(100)], [[i] for i in range(100)])

    def test_a_stop_loses_nothing(self):
        """What was popped is answered before the end; what was not stays on the list."""
        server = RedisServer()
        self.addCleanup(server.stop)
        runtime = self.start(stop=False, redis=server.url)
        caller = Caller(server.client())
        pipe = caller.db.pipeline(transaction=False)
        for i in range(20000):
            pipe.rpush("echo", json.dumps({"func": "say", "args": [i], "ct": caller.ct, "cb": "c"}))
        pipe.execute()
        caller.answer()
        runtime.stop()
        left = caller.db.llen("echo")
        self.assertEqual(caller.db.llen(caller.ct) + 1 + left, 20000)
        self.start(redis=server.url, folder=runtime.folder)
        for _ in range(19999):
            caller.answer()
        self.assertEqual(caller.db.llen("echo"), 0)

    def test_patches_of_a_foreign_redis_need_leave(self):
        server = RedisServer()
        self.addCleanup(server.stop)
        runtime = self.start(redis=server.url)
        caller = Caller(server.client())
        for call in (lambda: caller.exec(ANSWERS % 1 + "int process(actor *s) { return 0; }"),
                     lambda: caller.eval("echo", "x", ANSWERS % 1, "answers"),
                     lambda: caller.call("patch", "apply", ANSWERS % 1)):
            with self.assertRaises(Refused) as caught:
                call()
            self.assertRegex(caught.exception.text, "unsigned")
        # Nor by a detour.
        caller.send("rpc", "callOther", "exec", "rpc", caller.ct, "c", ANSWERS % 1, cb="")
        self.assertRegex(caller.answer()["err"]["text"], "unsigned")
        path = write_files(make_folder(), {"p.c": ANSWERS % 8 + """
const struct actor_type patch = { .name = "echo", .on = ON({ "x", "", answers, 0 }) };
"""}) / "p.c"
        self.assertEqual(runtime.actorctl("patch", "apply", path).code, 0)
        self.assertEqual(caller.call("echo", "x"), [8])


class Taken(Faults):
    def one_line(self, done, *words):
        self.assertEqual(done.code, 2, done)
        self.assertEqual(done.out, "")
        self.assertEqual(len(done.err.splitlines()), 1, done.err)
        for word in words:
            self.assertRegex(done.err, word)

    def actord(self, *args, folder=None, redis="none"):
        folder = folder or make_folder()
        return actord("--state", folder / "state", "--control", folder / "control.sock",
                      "--redis", redis, *args)

    def test_listen(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = str(s.getsockname()[1])
            self.one_line(self.actord("--listen", "127.0.0.1:" + port), port, "in use")

    def test_redis_port(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = str(s.getsockname()[1])
            self.one_line(self.actord("--listen", "127.0.0.1:0", "--redis-port", port,
                                      redis="embedded"), port, "in use|taken")

    def test_default_redis_port(self):
        """Where nobody asked for 6379 another port will do, and ready says which."""
        try:
            taken = socket.create_server(("127.0.0.1", 6379))
            self.addCleanup(taken.close)
        except OSError:
            pass
        runtime = self.start(redis_port=None)
        self.assertNotIn(":6379/", runtime.redis_url)
        self.check_alive(runtime)

    def test_second_on_the_same_state_or_control(self):
        first = self.start()
        self.one_line(actord("--state", first.state, "--control", make_folder() / "c.sock",
                             "--listen",
                             "127.0.0.1:0", "--redis", "embedded", "--redis-port", "0"),
                      str(first.state))
        self.one_line(actord("--state", make_folder() / "s", "--control", first.control, "--listen",
                             "127.0.0.1:0", "--redis", "none"), first.control)
        self.check_alive(first)

    def test_state_that_cannot_be_written(self):
        file = make_folder() / "file"
        file.write_text("no folder")
        self.one_line(actord("--state", file / "state", "--control", make_folder() / "c",
                             "--listen",
                             "127.0.0.1:0", "--redis", "none"), str(file))

    @unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
    def test_state_of_somebody_else(self):
        folder = make_folder()
        folder.chmod(0o755)
        (folder / "state").mkdir(0o700)
        done = run(["setpriv", "--reuid", "nobody", "--clear-groups", ACTORD, "--state",
                    folder / "state",
                    "--control", make_folder() / "c.sock", "--listen", "127.0.0.1:0",
                    "--redis", "none"])
        self.one_line(done, "nobody", str(folder / "state"))


class Ends(Faults):
    def test_signals(self):
        for with_signal in signal.SIGTERM, signal.SIGINT:
            runtime = self.start(stop=False)
            ws = runtime.client()
            runtime.stop(with_signal)
            self.assertEqual(ws.closed()[1], 1001)
            self.assertFalse(os.path.exists(runtime.control))

    def test_with_a_caller_waiting(self):
        """Somebody's answer that never comes does not keep the runtime; he is told."""
        server = RedisServer()
        self.addCleanup(server.stop)
        runtime = self.start(HERE / "actors/gate.c", redis=server.url, stop=False)
        ws, caller = runtime.client(), runtime.caller()
        ws.send({"tpc": "gate", "func": "pass", "cb": "callback"})
        self.assertEqual(ws.call("test", "a", "b"), ["ab"])
        for via in "rpush", "publish":
            caller.send("gate", "pass", via=via, id=via)
        until(lambda: runtime.json("call", "gate", "waiting")[0]["args"] == [3], "taken")
        runtime.stop()
        answers = [caller.answer() for _ in range(2)]
        self.assertEqual({a["id"]: a["err"]["text"] for a in answers},
                         dict.fromkeys(("rpush", "publish"), "the node is stopping"))
        frames, code = ws.closed()
        self.assertEqual(code, 1001)
        self.assertTrue(all(f["func"] == "callback" and f["err"]["code"] < 0 for f in frames))

    def test_told_twice_at_once(self):
        """As timeout(1) does, or a launcher beside a terminal: what is under way is finished."""
        patient = vary(source("slow.c"), '.name = "slow",', '.name = "slow", .budget_ms = 60000,')
        folder = write_files(make_folder(), {"slow.c": patient})
        runtime = self.start(folder / "slow.c", "--workers", "1", stop=False)
        tool = threading.Thread(target=lambda: said.append(
            runtime.actorctl("call", "slow", "work", "700")))
        said = []
        tool.start()
        until(lambda: any(w["actor"] == "slow" for w in runtime.json("inspect")[0]["workers"]),
              "slow is busy")
        runtime.process.send_signal(signal.SIGINT)
        runtime.stop(signal.SIGTERM)
        tool.join()
        self.assertEqual((said[0].code, said[0].out), (0, "700\n"), said[0])
        self.assertFalse([x for x in runtime.err.lines if "before all is done" in x])

    def test_under_load(self):
        runtime = self.start(stop=False)
        traffic = self.traffic(runtime.redis(socket_timeout=5))
        ws = runtime.client()
        for i in range(2000):
            ws.send({"tpc": "echo", "func": "say", "args": [i], "cb": "callback"})
        runtime.stop()
        traffic.end()

    def test_at_once(self):
        """A signal while it is still starting: an orderly end all the same."""
        for _ in range(5):
            runtime = Runtime(ready=False)
            self.runtimes.append(runtime)
            runtime.err.wait("connected")
            runtime.stop()

    def test_files_it_leaves(self):
        runtime = self.start(stop=False)
        mode = os.stat(runtime.control).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        password = redis.connection.parse_url(runtime.redis_url)["password"]
        self.assertGreaterEqual(len(password), 16)
        holders = [p for p in runtime.state.rglob("*")
                   if p.is_file() and password.encode() in p.read_bytes()]
        self.assertTrue(holders)
        for holder in holders:
            self.assertEqual(stat.S_IMODE(holder.stat().st_mode) & 0o077, 0, holder)
        with open("/proc/%d/cmdline" % runtime.redis().info()["process_id"], "rb") as f:
            self.assertNotIn(password.encode(), f.read())
        runtime.stop()


if __name__ == "__main__":
    unittest.main()
