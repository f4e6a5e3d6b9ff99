#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sessions: who is let in, the same user twice, rooms, and users by their names, over two nodes."""

import base64
import hmac
import json
import select
import time
import unittest

import websocket

from harness import (HERE, PATIENCE, Case, RedisServer, actord, close_code, make_folder, until,
                     write_files)

# "Try again later" (registered since) is unknown to python3-websocket.
websocket._abnf.VALID_CLOSE_STATUS += (1013,)

# A patch of the shipped login: by it nobody comes in whose name is not the proof, backwards.
BACKWARDS = """
#include "actor.h"
#include <string.h>
static int admit(actor *self, const msg *m)
{
	size_t n = msg_len(m, 0);
	(void)self;
	for (size_t i = 0; i < n; i++)
		if (n != msg_len(m, 1) || msg_str(m, 0)[i] != msg_str(m, 1)[n - 1 - i])
			return msg_fail(m, "it reads otherwise backwards");
	return 0;
}
const struct actor_type patch = {
	.name = "login",
	.on = ON({ "login", "user:str proof:str", admit, 0 }),
};
"""

# Has a doorkeeper spawned as it starts.
HOUSE = """
#include "actor.h"
static int admit(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, msg_str(m, 0));
}
static const struct actor_type porter = {
	.name = "porter", .on = ON({ "login", "user:str proof:str", admit, 0 }),
};
static int start(actor *self)
{
	return actor_spawn(self, &porter, "porter") ? 0 : -1;
}
const struct actor_type house = { .name = "house", .start = start };
"""

# Tells the garden who leaves, node or client.
HERALD = """
#include "actor.h"
static int start(actor *self)
{
	return actor_join(self, "beforeQuit", "left") | actor_join(self, "stopped", "left");
}
static int left(actor *self, const msg *m)
{
	return actor_send(self, actor_find("clients"), "room", "garden", "left", msg_str(m, 0));
}
const struct actor_type herald = {
	.name = "herald", .start = start, .on = ON({ "left", "who:str", left, 0 }),
};
"""


class Sessions(Case):
    options, threads = None, 1

    def login(self, runtime, user, proof="x"):
        client = runtime.client(login=False)
        client.login(user, proof)
        return client

    def refused_login(self, runtime, user, proof="x"):
        client = runtime.client(login=False)
        client.send({"func": "login", "args": [user, proof]})
        # What is sent behind a login that is refused is not looked at.
        client.send({"tpc": "echo", "func": "say", "args": [1], "cb": "callback"})
        frames, code = client.closed()
        self.assertEqual((frames, code), ([{"func": "loginback", "args": [1]}], 1008))


class Login(Sessions):
    def test_an_actor_of_ones_own(self):
        runtime = self.start(HERE / "actors/login.c", HERE / "actors/club.c")
        self.refused_login(runtime, "ali", "open")
        ali = self.login(runtime, "ali", "sesame")
        other = self.login(runtime, "kassim", "sesame")
        other.call("whisper", "Ali Baba", "hush", tpc="club")
        self.assertEqual(ali.receive(), {"func": "whispered", "args": ["hush"]})

    def test_a_patch_of_it(self):
        runtime = self.start()
        first = self.login(runtime, "otto", "x")
        runtime.caller().exec(BACKWARDS)
        self.refused_login(runtime, "otto", "x")
        self.login(runtime, "anna", "anna")
        self.assertEqual(first.call("say", 1, tpc="echo"), [1])

    def test_nobody_there(self):
        """Said at the start, as whoever misspells it thinks that it runs."""
        runtime = self.start("--login", "nobody")
        self.assertTrue(runtime.err.wait("--login nobody: there is no actor of that name"))
        self.refused_login(runtime, "ali")
        runtime = self.start("--login", "counter")
        self.assertTrue(runtime.err.wait("--login counter: that actor has no handler `login`"))

    def test_who_comes_later(self):
        """Of an actor that others spawn, or that lives on another node, nothing of the kind."""
        folder = write_files(make_folder(), {"house.c": HOUSE})
        redis = RedisServer()
        self.addCleanup(redis.stop)
        nodes = [self.start("--node", "one", "--login", "porter", folder / "house.c",
                            redis=redis.url)]
        until(lambda: "porter" in nodes[0].json("nodes")[0]["topics"], "others can know it")
        nodes.append(self.start("--node", "two", "--login", "porter", redis=redis.url))
        for node in nodes:
            self.login(node, "ann")
        for node in nodes:
            node.end()
            self.assertEqual([line for line in node.err.all() if "--login" in line], [])

    def test_overload_is_no_refusal(self):
        """Who could not be asked about tries again: nobody has said that it may not come in."""
        folder = write_files(make_folder(), {"crowded.c": CROWDED})
        runtime = self.start("--login", "crowded", folder / "crowded.c")
        for user, codes in (("full", [1013, 503]), ("memory", [1013, 503]), ("late", [1013, 503]),
                            ("no", [1008, 401])):
            client = runtime.client(login=False)
            client.send({"func": "login", "args": [user, "x"]})
            frames, code = client.closed()
            self.assertEqual([f["args"] for f in frames], [[1]] if user == "no" else [])
            self.assertEqual([code, runtime.post("echo/say", 1, user=user)[0]], codes)
        self.login(runtime, "ann", "x")

    def test_calls_wait_for_it(self):
        """What comes in one go with the login is answered behind it, in its order."""
        runtime = self.start()
        for _ in range(50):
            client = runtime.client(login=False)
            client.send({"func": "login", "args": ["me", "x"]})
            for i in range(20):
                client.send({"tpc": "echo", "func": "say", "args": [i], "cb": "back"})
            self.assertEqual(client.receive(), {"func": "loginback", "args": [0]})
            got = [client.receive()["args"][0] for _ in range(20)]
            self.assertEqual(sorted(got), list(range(20)))
            client.close()


CROWDED = """
#include "actor.h"
#include <string.h>

static int login(actor *self, const msg *m)
{
	const char *user = msg_str(m, 0);

	(void)self;
	return !strcmp(user, "full")     ? ACTOR_EFULL
	       : !strcmp(user, "memory") ? ACTOR_ENOMEM
	       : !strcmp(user, "late")   ? ACTOR_ETIME
	       : !strcmp(user, "no")     ? msg_fail(m, "not today") : 0;
}

const struct actor_type crowded = {
	.name = "crowded",
	.on   = ON({ "login", "user:str proof:str", login, 0 }),
};
"""


class Passwords(Sessions):
    def call(self, runtime, *args):
        done = runtime.actorctl("call", "login_password", *args)
        self.assertEqual(done.code, 0, done)

    def test_passwords(self):
        runtime = self.start("--login", "login_password")
        self.refused_login(runtime, "ann", "secret")
        self.call(runtime, "set", "ann", "secret")
        self.call(runtime, "set", "bob", "geheim")
        for wrong in ("ann", "geheim"), ("ann", ""), ("bob", "secret"), ("eve", "secret"), \
                ("ann", "x" * 300), ("x" * 300, "secret"):
            self.refused_login(runtime, *wrong)
        ann = self.login(runtime, "ann", "secret")
        self.call(runtime, "set", "ann", "another")
        self.refused_login(runtime, "ann", "secret")
        self.assertEqual(ann.call("say", 1, tpc="echo"), [1])
        # Nothing of a password is on the disk but its hash, which outlasts a kill.
        kept = runtime.json("call", "store", "get", "login/ann")[0]["args"][0]
        self.assertRegex(kept, r"^\$argon2id\$")
        runtime.kill()
        runtime = self.start("--login", "login_password", folder=runtime.folder)
        self.login(runtime, "ann", "another")
        self.call(runtime, "remove", "bob")
        until(lambda: not self.enters(runtime, "bob", "geheim"), "he is removed")

    def enters(self, runtime, user, proof):
        client = runtime.client(login=False)
        client.send({"func": "login", "args": [user, proof]})
        return client.receive()["args"] == [0]

    def test_a_name_is_never_cut(self):
        runtime = self.start()
        self.login(runtime, "n" * 255, "")
        self.refused_login(runtime, "n" * 256, "")

    def test_many_at_once(self):
        runtime = self.start("--login", "login_password")
        self.call(runtime, "set", "ann", "secret")
        clients = [runtime.client(login=False) for _ in range(6)]
        for i, client in enumerate(clients):
            client.send({"func": "login", "args": ["ann", "secret" if i % 2 else "wrong"]})
            client.send({"tpc": "echo", "func": "say", "args": [i], "cb": "back"})
        for i, client in enumerate(clients):
            self.assertEqual(client.receive()["args"], [(i + 1) % 2])
            if i % 2:
                self.assertEqual(client.receive()["args"], [i])

    def test_too_many_at_once(self):
        """Who finds no place there is told to come again, and not that the password is wrong."""
        runtime = self.start("--login", "login_password", "--login-timeout", "0")
        self.call(runtime, "set", "ann", "secret")
        clients = {c.ws.sock: c for c in (runtime.client(login=False) for _ in range(300))}
        for client in clients.values():
            client.send({"func": "login", "args": ["ann", "secret"]})
        said = set()
        while not said & {1008, 1013}:
            ready = select.select(list(clients), [], [], 10 * PATIENCE)[0]
            self.assertTrue(ready, "nobody hears anything")
            for sock in ready:
                frame = clients.pop(sock).ws.recv_frame()
                said.add(close_code(frame.data) if frame.opcode == 8 else frame.data)
        self.assertEqual({x for x in said if isinstance(x, int)}, {1013})
        runtime.kill()                  # the others' passwords need not be finished


class Tokens(Sessions):
    KEY = b"0123456789abcdef0123456789abcdef"

    def token(self, claims, key=KEY, alg="HS256", **more):
        def part(raw):
            return base64.urlsafe_b64encode(raw).rstrip(b"=")
        said = b".".join(part(json.dumps(x).encode()) for x in (dict(more, alg=alg), claims))
        return (said + b"." + part(hmac.digest(key, said, "sha256"))).decode()

    def test_tokens(self):
        key = make_folder() / "key"
        key.write_bytes(self.KEY + b"\n")
        runtime = self.start("--login", "login_token", "--token-key", key, HERE / "actors/club.c")
        now = time.time()
        good = self.token({"sub": "ann", "exp": now + 600, "nbf": now - 60, "role": [1, {"a": 2}]})
        self.login(runtime, "ann", good)
        ann = self.login(runtime, "-", good)            # the token's name
        self.login(runtime, "bob", self.token({"sub": "bob"})) \
            .send({"tpc": "club", "func": "whisper", "args": ["ann", "hush"]})
        self.assertEqual(ann.receive()["args"], ["hush"])
        head, body, sign = good.split(".")
        other = self.token({"sub": "eve"}).split(".")[1]
        for wrong in ("", "x", "..", good + "x", good[:-1], head + "." + other + "." + sign,
                      head + "." + body + ".", body + "." + head + "." + sign,
                      self.token({"sub": "ann"}, key=b"another"),
                      self.token({"sub": "ann"}, alg="none"),
                      self.token({"sub": "ann"}, alg="HS512"),
                      self.token({"sub": "ann", "exp": now - 1}),
                      self.token({"sub": "ann", "exp": "tomorrow"}),
                      self.token({"sub": "ann", "nbf": now + 600}), self.token({"sub": 7}),
                      self.token({"sub": "ann", "nbf": "later"}), self.token({"sub": "ann\0x"}),
                      self.token({"sub": "ann"}, crit=["exp"], typ="JWT"),
                      self.token({}), self.token(["ann"]), self.token({"sub": "bob"})):
            self.refused_login(runtime, "ann", wrong)

    def test_keys_that_are_none(self):
        short = make_folder() / "key"
        short.write_bytes(b"short")
        for key, says in (short, "32 bytes"), (short.parent / "none", "No such file"):
            done = actord("--listen", "127.0.0.1:0", "--redis", "none", "--state",
                          make_folder() / "state", "--control", short.parent / "sock",
                          "--token-key", key)
            self.assertEqual(done.code, 2)
            self.assertRegex(done.err, "--token-key.*" + says)


class Twice(Sessions):
    def test_both(self):
        runtime = self.start(HERE / "actors/club.c")
        two = [self.login(runtime, "me") for _ in range(2)]
        two[0].send({"tpc": "club", "func": "whisper", "args": ["me", "both of you"]})
        for client in two:
            self.assertEqual(client.receive()["func"], "whispered")
        two[1].close()
        self.assertEqual(two[0].call("say", 1, tpc="echo"), [1])

    def test_refuse(self):
        runtime = self.start("--same-user", "refuse")
        first = self.login(runtime, "me")
        self.refused_login(runtime, "me")
        self.login(runtime, "you")
        self.assertEqual(first.call("say", 1, tpc="echo"), [1])
        first.close()
        until(lambda: self.may_come(runtime), "the first one's place is free")

    def may_come(self, runtime):
        client = runtime.client(login=False)
        client.send({"func": "login", "args": ["me", "x"]})
        return client.receive()["args"] == [0]

    def test_a_posted_call_is_nobodys_second_login(self):
        """It closes no WebSocket of its user, is refused for none, is not among the users, and
        nobody is told that it comes and goes."""
        for policy in "replace", "refuse":
            runtime = self.start("--same-user", policy, HERE / "actors/hall.c", redis="none")
            ann = self.login(runtime, "ann")
            self.assertEqual(ann.receive(), {"func": "welcome", "args": ["ann"]})
            for i in range(3):
                self.assertEqual(runtime.post("echo/say", i, user="ann"), (200, {"args": [i]}))
                self.assertEqual(ann.call("say", i, tpc="echo"), [i])
            self.assertEqual(runtime.json("call", "clients", "users")[0]["args"], [1])
            ann.close()
            # afterLogin and beforeQuit tell of the one who came to stay.
            told = until(lambda: self.who(runtime)[1] and self.who(runtime), "she is gone")
            self.assertEqual(told[:3], [1, 1, "ann"])

    def who(self, runtime):
        return runtime.json("call", "hall", "who")[0]["args"]

    def test_replace(self):
        runtime = self.start("--same-user", "replace", HERE / "actors/club.c")
        first = self.login(runtime, "me")
        other = self.login(runtime, "other")
        for _ in range(20):
            second = self.login(runtime, "me")
            self.assertEqual(first.closed(), ([], 4001))
            other.send({"tpc": "club", "func": "whisper", "args": ["me", "still you?"]})
            self.assertEqual(second.receive()["args"], ["still you?"])
            first = second


class Rooms(Sessions):
    def test_over_two_nodes(self):
        redis = RedisServer()
        self.addCleanup(redis.stop)
        nodes = [self.start("--node", name, HERE / "actors/club.c", redis=redis.url)
                 for name in ("one", "two")]
        until(lambda: redis.client().pubsub_numsub("clients")[0][1] == 2, "both have subscribed")
        ann, bob = self.login(nodes[0], "ann"), self.login(nodes[1], "bob")
        cat = nodes[1].client(login=False, encoding="msgpack")
        cat.login("cat", "x")
        for client in ann, bob, cat:
            client.call("enter", "garden", tpc="club")
            client.call("enter", "garden", tpc="club")      # once is enough
        for count, node in zip([1, 2], nodes):
            caller = node.caller()
            until(lambda: node.json("call", "clients", "count", "garden")[0]["args"] == [count],
                  "they are in the room")
        self.assertEqual([c["args"] for c in self.speak(ann, bob, cat)], [["hello"]] * 3)
        ann.call("quit", "garden", tpc="club")
        bob.send({"tpc": "club", "func": "say", "args": ["garden", "she left?"]})
        self.assertEqual(cat.receive(), {"func": "said", "args": ["she left?"]})
        bob.receive()
        bob.send({"tpc": "club", "func": "whisper", "args": ["ann", "where are you?"]})
        self.assertEqual(ann.receive(), {"func": "whispered", "args": ["where are you?"]})
        ann.send({"tpc": "club", "func": "shout", "args": ["here"]})
        for client in ann, bob, cat:
            self.assertEqual(client.receive(), {"func": "shouted", "args": ["here"]})
        cat.close()
        until(lambda: nodes[1].json("call", "clients", "count", "garden")[0]["args"] == [1],
              "who is gone is in no room")

    def test_whose_actor_is_on_another_node(self):
        """A client that calls an actor elsewhere, which has it join a room."""
        redis = RedisServer()
        self.addCleanup(redis.stop)
        here = self.start("--node", "one", redis=redis.url)
        there = self.start("--node", "two", HERE / "actors/club.c", redis=redis.url)
        until(lambda: redis.client().pubsub_numsub("clients")[0][1] == 2, "both have subscribed")
        until(lambda: any("club" in n["topics"] for n in here.json("nodes")), "it is known")
        ann, bob = self.login(here, "ann"), self.login(there, "bob")
        for client in ann, bob:
            client.call("enter", "garden", tpc="club")
        self.assertEqual([c["args"] for c in self.speak(bob, ann)], [["hello"]] * 2)
        self.assertEqual(here.json("call", "clients", "count", "garden")[0]["args"], [1])
        ann.call("quit", "garden", tpc="club")
        bob.send({"tpc": "club", "func": "say", "args": ["garden", "she left?"]})
        bob.receive()
        until(lambda: here.json("call", "clients", "count", "garden")[0]["args"] == [0], "she has")

    def test_farewells_reach_the_other_node(self):
        """What handlers say as the node stops, and as its clients go, whether they hear it or not.
        """
        redis = RedisServer()
        self.addCleanup(redis.stop)
        herald = write_files(make_folder(), {"herald.c": HERALD}) / "herald.c"
        nodes = [self.start("--node", name, HERE / "actors/club.c", herald, redis=redis.url)
                 for name in ("one", "two")]
        until(lambda: redis.client().pubsub_numsub("clients")[0][1] == 2, "both have subscribed")
        ann = self.login(nodes[0], "ann")
        ann.call("enter", "garden", tpc="club")
        going = [self.login(nodes[1], "user %d" % i) for i in range(6)]
        nodes[1].stop(leaving=going[:3])
        heard = sorted(ann.receive()["args"][0] for _ in range(7))
        self.assertEqual(heard, ["two"] + ["user %d" % i for i in range(6)])
        self.assertNotIn("two", [n["name"] for n in nodes[0].json("nodes")])

    def speak(self, ann, *others):
        ann.send({"tpc": "club", "func": "say", "args": ["garden", "hello"]})
        return [client.receive() for client in (ann, *others)]

    def test_many(self):
        """Whoever is in the room hears everything, in order, and is told nothing twice."""
        runtime = self.start(HERE / "actors/club.c")
        clients = [runtime.client(encoding=("json", "msgpack")[i % 2]) for i in range(100)]
        for client in clients:
            client.send({"tpc": "club", "func": "enter", "args": ["all"]})
        until(lambda: runtime.json("call", "clients", "count", "all")[0]["args"] == [100], "all in",
              10 * PATIENCE)
        for i in range(50):
            clients[0].send({"tpc": "club", "func": "say", "args": ["all", str(i)]})
        for client in clients:
            self.assertEqual([client.receive()["args"][0] for _ in range(50)],
                             [str(i) for i in range(50)])
        # What is said once is encoded once for all of a thread, in each encoding.
        text = runtime.get("/metrics")[2].decode()
        for name, count in ("pushes", 100 * 50), ("encodings", 2 * 50 * self.threads):
            self.assertIn("actord_client_%s_total %d\n" % (name, count), text)


class OnThreads:
    """With several threads for clients. Connections are dealt out in turn, so of three in a row
    each lives on another; nobody may notice."""

    threads = 3

    def start(self, *args, **more):
        return super().start("--ws-threads", str(self.threads), *args, **more)


class TwiceOnThreads(OnThreads, Twice):
    def at_once(self, runtime, count=12):
        clients = [runtime.client(login=False) for _ in range(count)]
        for client in clients:
            client.send({"func": "login", "args": ["me", "x"]})
        return clients, [self.outcome(client) for client in clients]

    @staticmethod
    def outcome(client):
        """What the login was answered, or what it was closed with instead."""
        try:
            return client.receive()["args"][0]
        except websocket.WebSocketConnectionClosedException as closed:
            return int(str(closed))

    def test_refuse_at_once(self):
        runtime = self.start("--same-user", "refuse", redis="none")
        clients, refused = self.at_once(runtime)
        self.assertEqual(sorted(refused), [0] + [1] * 11)
        inside = clients[refused.index(0)]
        self.assertEqual(inside.call("say", 1, tpc="echo"), [1])
        self.assertEqual([c.closed()[1] for c in clients if c is not inside], [1008] * 11)

    def test_replace_at_once(self):
        runtime = self.start("--same-user", "replace", redis="none")
        clients, came = self.at_once(runtime)
        self.assertLessEqual(set(came), {0, 4001})      # some are replaced before they are in
        until(lambda: self.clients(runtime, "user", "me", "hello") == 1, "the others are gone")
        self.assertEqual(self.clients(runtime, "close", "me", "enough"), 1)
        codes = [4001 if c == 4001 else client.closed()[1] for client, c in zip(clients, came)]
        self.assertEqual(sorted(codes), [1008] + [4001] * 11)
        until(lambda: self.clients(runtime, "users") == 0, "nobody is left")

    def clients(self, runtime, *args):
        return runtime.json("call", "clients", *args)[0]["args"][0]


class RoomsOnThreads(OnThreads, Rooms):
    def test_sums(self):
        """What `clients` answers is of all threads, as is what it does."""
        runtime = self.start(HERE / "actors/club.c", redis="none")
        clients = [self.login(runtime, "user %d" % (i // 2)) for i in range(6)]
        names = [t["name"] for t in json.loads(runtime.get("/debug/stacks")[2])["threads"]]
        self.assertLessEqual({"gateway", "gateway 1", "gateway 2"}, set(names))
        for client in clients[:5]:
            client.call("enter", "garden", tpc="club")
        for count, *asked in (5, "count", "garden"), (5, "room", "garden", "said", "a"), \
                (6, "all", "said", "b"), (2, "user", "user 1", "said", "c"), (3, "users"), \
                (0, "room", "cellar", "said", "d"), (0, "user", "user 7", "said", "e"), \
                (2, "close", "user 0", "enough"):
            self.assertEqual(runtime.json("call", "clients", *asked)[0]["args"], [count], asked)
        told = [[f["args"][0] for f in client.closed()[0]] for client in clients[:2]]
        told += [[client.receive()["args"][0] for _ in range(n)]
                 for client, n in zip(clients[2:], (3, 3, 2, 1))]
        self.assertEqual(told, [["a", "b"]] * 2 + [["a", "b", "c"]] * 2 + [["a", "b"], ["b"]])
        until(lambda: runtime.json("call", "clients", "count", "garden")[0]["args"] == [3],
              "who is gone is in no room")

    def test_the_end(self):
        runtime = self.start(HERE / "actors/gate.c", redis="none", stop=False)
        clients = [runtime.client() for _ in range(6)]
        for client in clients:
            client.send({"tpc": "gate", "func": "pass", "cb": "callback"})
            self.assertEqual(client.call("test", "a", "b"), ["ab"])
        runtime.stop()
        for frames, code in (client.closed() for client in clients):
            self.assertEqual(code, 1001)
            self.assertTrue(all(f["err"]["code"] < 0 for f in frames))


if __name__ == "__main__":
    unittest.main()
