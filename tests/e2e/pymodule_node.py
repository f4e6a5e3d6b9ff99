#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A node in Python for test_pymodule.py: NAME hosts the topic `sums`.

Usage: pymodule_node.py REDIS-URL NAME [LIST]. Lines of JSON on stdin, [method, arguments...], are
methods of its Node; what they return, or how they were refused, comes as a line of JSON on
stdout."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

from pymodule import ModuleManager, Node, Refused, RPCModule, shared

import gevent
from gevent.event import Event
from gevent.fileobject import FileObject


def say(*words):
    print(json.dumps(words), flush=True)


def main():
    app, node = ModuleManager(), Node(sys.argv[2], url=sys.argv[1], topics=["sums"], streams=True)
    lists = RPCModule(url=sys.argv[1], topic=(sys.argv[3:] or ["old " + sys.argv[2]])[0])
    shared.LOOK_S, shared.LOOK_FIRST_S = 1, 0       # for what dead nodes had: a test need not wait

    def fails():
        raise ValueError("as it was told to")

    def leaves():
        raise gevent.GreenletExit

    def hang(n):
        say("hangs", n, node.again)
        if not node.again:
            Event().wait()              # until it is killed
        say("hung", n, node.again)

    def poison(n):
        say("poison", n, node.again)
        Event().wait()                  # until it is killed

    def times_out():
        with gevent.Timeout(0.01):
            Event().wait()

    def do(method, *args):
        try:
            if method == "monitor":
                node.monitor(*args, lambda *words: say("down", *words))
            elif method == "send_odd":
                node.send(*args, object())
            elif method == "later":
                begun = Event()
                gevent.spawn(lambda: (begun.set(), do(*args)))
                begun.wait()
            elif method == "ask_list":
                say(method, lists.ask(*args, timeout=1))
            else:
                say(method, getattr(node, method)(*args))
        except Refused as refused:
            say(method, "refused", refused.code, refused.text)

    def shut():
        app.close()
        say("shut")

    app.register("times_out", times_out)
    app.register("shut", shut)
    app.register("nan", lambda: float("nan"))
    app.register("through_list", lambda *call: lists.ask(*call)[0])
    app.register("add", lambda a, b: a + b)
    app.register("two", lambda: (1, "zwei"))
    app.register("odd", object)
    app.register("half", lambda: "\ud800")
    app.register("huge", lambda: "x" * (16 << 20))
    app.register("fails", fails)
    app.register("exits", lambda: sys.exit(3))
    app.register("leaves", leaves)
    app.register("hang", hang)
    app.register("poison", poison)
    app.register("note", lambda n: say("note", n, node.again))
    app.register("hit", lambda by: node.ask("counter", "hit", by)[0])
    app.register("pass", lambda by: node.ask("counter", "hit", by)[0])
    app.run(node, lists)
    node.joined.wait()
    say("running")
    for line in FileObject(sys.stdin.buffer):
        do(*json.loads(line))
    app.close()
    say("closed")


main()
