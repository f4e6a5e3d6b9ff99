#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A program like the ancestor's gevent node, run by test_twin.py: modules are greenlets, a app
has the table of functions, and the RPC module pops calls from the list of its topic and pushes each
function's value on the caller's list. As the ancestor's it knows JSON only, wants `args` to be a
list, and ends at the first message that is otherwise.

Usage: gevent_twin.py REDIS-URL TOPIC. Lines of JSON on stdin, [topic, function, callback, args...],
become calls; what comes to `callback` and `count` is written to stdout as lines of JSON."""

import gevent.monkey
gevent.monkey.patch_all()

import json
import sys

import gevent
import redis
from gevent.fileobject import FileObject


class ModuleManager:
    def __init__(self):
        self.functions, self.modules = {}, {}

    def register(self, name, function):
        self.functions[name] = function

    def dispatch(self, name, args):
        function = self.functions.get(name)
        return function(*args) if function else None

    def run(self, *modules):
        for module in modules:
            self.modules[module.topic] = module
            module.app = self
            module.start()


class RPCModule(gevent.Greenlet):
    def __init__(self, url, topic):
        super().__init__()
        self.db, self.topic, self.app = redis.Redis.from_url(url), topic, None

    def call(self, topic, function, callback, *args):
        self.db.rpush(topic, json.dumps(
            {"func": function, "ct": self.topic, "cb": callback, "args": args}))

    def _run(self):
        while True:
            _, data = self.db.blpop(self.topic)
            message = json.loads(data)
            function = message.get("func")
            if not function:
                continue
            value = self.app.dispatch(function, message["args"])
            callback, topic = message.get("cb"), message.get("ct")
            if callback and topic:
                self.call(topic, callback, "", value)


def say(*args):
    print(json.dumps(args), flush=True)


def main():
    app, module = ModuleManager(), RPCModule(*sys.argv[1:3])
    app.register("test", lambda a, b: a + b)
    app.register("callback", say)
    # An exception in the module is the end, as it is the ancestor's.
    module.link_exception(lambda _: say("died") or sys.exit(1))
    app.run(module)
    say("running")
    for line in FileObject(sys.stdin.buffer):
        module.call(*json.loads(line))


main()
