#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The ancestor's RPC scenario: its client subscribes to `test`, pushes calls on the list `rpc` and
publishes patches on the channel `rpc`. Two connections of Redis carry the two, and yet no call may
overtake the patch that was published before it."""

import json
import multiprocessing
import os
import unittest

import redis

from harness import PATIENCE, Caller, Case, Late, until, vary

ROUNDS = int(os.environ.get("E2E_ROUNDS") or 1000 / PATIENCE)

EXEC = r"""
#include "actor.h"
#include <stdio.h>

static int test(actor *self, const msg *m)
{
	char text[256];

	(void)self;
	snprintf(text, sizeof text, "%s%s%s%s", msg_str(m, 0), msg_str(m, 1), msg_str(m, 0),
	         msg_str(m, 1));
	return msg_reply(m, text);
}

const struct actor_type patch = {
	.name = "rpc",
	.on   = ON({ "test", "arg1:str arg2:str", test, 0 }),
};

int process(actor *self)
{
	actor_send(self, actor_find("counter"), "hit", 1);
	return 0;
}
"""

EVAL = r"""
#include "actor.h"
#include <stdio.h>

static int Test(actor *self, const msg *m)
{
	char text[256];

	(void)self;
	snprintf(text, sizeof text, "%s%s", msg_str(m, 1), msg_str(m, 0));
	return msg_reply(m, text);
}
"""

WHICH = r"""
#include "actor.h"

static int f(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, %d);
}
"""

SHIPPED, PATCHED, FIXED = "args: arg1, arg2.", "arg1arg2arg1arg2", "arg2arg1"


class Ancestor:
    """What the ancestor's script does, with its words."""

    def __init__(self, db):
        self.db = db
        self.pubsub = db.pubsub()
        self.pubsub.subscribe("test")
        assert self.pubsub.get_message(timeout=10)["type"] == "subscribe"

    def call(self, *args):
        self.db.rpush("rpc", json.dumps(
            {"func": "test", "ct": "test", "cb": "callback", "args": args}))

    def publish(self, func, *args):
        return self.db.publish("rpc", json.dumps({"func": func, "ct": "", "cb": "", "args": args}))

    def patch(self):
        return self.publish("exec", EXEC)

    def hotfix(self):
        return self.publish("eval", "rpc", "test", EVAL, "Test")

    def read(self):
        message = self.pubsub.get_message(timeout=10 * PATIENCE)
        assert message is not None, "no answer on the channel"
        return json.loads(message["data"])


def load(url, started, stop, count, wrong):
    """Another program: keeps 32 calls of `rpc` and `echo` under way until it is told to stop."""
    caller = Caller(redis.Redis.from_url(url))
    right = {"rpc": {SHIPPED, PATCHED, FIXED}, "echo": {"xyz"}}
    topics = {}
    for i in range(1 << 30):
        topic = ("rpc", "echo")[i % 2]
        args = ("arg1", "arg2") if topic == "rpc" else ("xyz",)
        topics[i] = topic
        caller.send(topic, "test" if topic == "rpc" else "say", *args, id=i)
        if len(topics) < 32 and not stop.is_set():
            continue
        while len(topics) > (0 if stop.is_set() else 31):
            answer = caller.answer()
            if answer.get("err") or answer["args"][0] not in right[topics.pop(answer["id"])]:
                wrong.value += 1
            count.value += 1
        if i > 100:
            started.set()
        if stop.is_set():
            return


class Rpc(Case):
    def expect(self, client, text, message=None):
        self.assertEqual(client.read(), {"func": "callback", "args": [text]}, message)

    def expect_patched(self, client, text, message):
        """A call meets the patch before it, unless that took more than 250 ms, which is said."""
        answer = client.read()
        if answer != {"func": "callback", "args": [text]}:
            self.overtaken(message)
            until(lambda: client.call("arg1", "arg2") or client.read()["args"] == [text], message)
        self.lines = len(self.runtime.err.lines)

    def overtaken(self, message):
        try:
            self.runtime.err.wait("behind it waits no longer", 2, after=self.lines)
        except Late:
            self.fail(message)

    def setUp(self):
        super().setUp()
        self.lines = len(self.runtime.err.lines)

    def test_scenario_under_load(self):
        client = Ancestor(self.runtime.redis())
        context = multiprocessing.get_context("spawn")
        started, stop = context.Event(), context.Event()
        count, wrong = context.Value("l", 0), context.Value("l", 0)
        other = context.Process(target=load, daemon=True,
                                args=(self.runtime.redis_url, started, stop, count, wrong))
        client.call("arg1", "arg2")
        self.expect(client, SHIPPED)
        other.start()
        self.addCleanup(other.kill)
        self.assertTrue(started.wait(30 * PATIENCE))
        before, last = count.value, SHIPPED
        for i in range(ROUNDS):
            client.call("arg1", "arg2")
            self.expect(client, last, "round %d, before the patch" % i)
            self.assertEqual(client.patch(), 1)
            client.call("arg1", "arg2")
            self.expect_patched(client, PATCHED, "round %d, after the patch" % i)
            self.assertEqual(client.hotfix(), 1)
            client.call("arg1", "arg2")
            self.expect_patched(client, FIXED, "round %d, after the hotfix" % i)
            last = FIXED
        during = count.value - before
        stop.set()
        other.join(30 * PATIENCE)
        self.assertEqual(other.exitcode, 0)
        self.assertEqual(wrong.value, 0, "answers of the load that were wrong, of %d" % count.value)
        self.assertGreater(during, ROUNDS / 10, "that was no load")
        # `process` ran once a patch.
        self.assertEqual(self.caller.call("counter", "hit", 0), [ROUNDS])

    def test_patch_and_call_in_one_pipeline(self):
        """Both leave in one write: nothing but the order of the two ways in decides."""
        db, caller = self.runtime.redis(), self.runtime.caller()
        for number in range(200):
            pipe = db.pipeline(transaction=False)
            pipe.publish("rpc", json.dumps({"func": "eval",
                                            "args": ["rpc", "which", WHICH % number, "f"]}))
            pipe.rpush("rpc", json.dumps({"func": "which", "ct": caller.ct, "cb": "callback"}))
            pipe.execute()
            if caller.answer().get("args") != [number]:
                self.overtaken("patch %d" % number)
            self.lines = len(self.runtime.err.lines)

    def test_calls_before_a_patch_in_one_push(self):
        """What one RPUSH holds keeps its order: calls before a patch meet the old code."""
        db, caller = self.runtime.redis(), self.runtime.caller()
        call = json.dumps({"func": "which", "ct": caller.ct, "cb": "callback"})
        caller.eval("rpc", "which", WHICH % 0, "f")
        for number in range(1, 41):
            patch = {"func": "eval", "args": ["rpc", "which", WHICH % number, "f"]}
            db.rpush("rpc", *[call] * 90, json.dumps(patch), call)
            answers = [caller.answer()["args"] for _ in range(91)]
            self.assertEqual(answers[:90], [[number - 1]] * 90, "before patch %d" % number)
            if answers[90] != [number]:
                self.overtaken("patch %d" % number)
            self.lines = len(self.runtime.err.lines)

    def test_sender_hears_the_outcome(self):
        number = self.caller.exec(EXEC, via="publish")[0]
        self.assertIsInstance(number, int)
        self.assertEqual(self.caller.eval("rpc", "test", EVAL, "Test")[0], number + 1)
        self.assertEqual(self.caller.call("rpc", "test", "arg1", "arg2"), [FIXED])


class OtherTopic(Case):
    options = ("--topic", "lobby")

    def test_topic_is_the_actors_name(self):
        self.assertEqual(self.caller.call("lobby", "test", "a", "b"), ["args: a, b."])
        source = vary(EXEC, '"rpc"', '"lobby"')
        self.caller.call("lobby", "exec", source)
        self.assertEqual(self.caller.call("lobby", "test", "a", "b"), ["abab"])


if __name__ == "__main__":
    unittest.main()
