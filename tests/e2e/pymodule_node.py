#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A node in Python for test_pymodule.py: NAME hosts the topic `sums`.

Usage: pymodule_node.py REDIS-URL NAME. Lines of JSON on stdin, [method, arguments...], are methods
of its Node; what they return, or how they were refused, comes as a line of JSON on stdout."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

from pymodule import ModuleManager, Node, Refused, RPCModule

from gevent.event import Event
from gevent.fileobject import FileObject


def say(*words):
    print(json.dumps(words), flush=True)


def main():
    app, node = ModuleManager(), Node(sys.argv[2], url=sys.argv[1], topics=["sums"], streams=True)
    lists = RPCModule(url=sys.argv[1], topic="old " + sys.argv[2])

    def fails():
        raise ValueError("as it was told to")

    def hang(n):
        say("hangs", n, node.again)
        if not node.again:
            Event().wait()              # until it is killed
        say("hung", n, node.again)

    app.register("add", lambda a, b: a + b)
    app.register("two", lambda: (1, "zwei"))
    app.register("odd", object)
    app.register("fails", fails)
    app.register("hang", hang)
    app.register("note", lambda n: say("note", n, node.again))
    app.register("hit", lambda by: node.ask("counter", "hit", by)[0])
    app.register("pass", lambda by: node.ask("counter", "hit", by)[0])
    app.run(node, lists)
    node.joined.wait()
    say("running")
    for line in FileObject(sys.stdin.buffer):
        method, *args = json.loads(line)
        try:
            if method == "monitor":
                node.monitor(*args, lambda *words: say("down", *words))
            else:
                say(method, getattr(node, method)(*args))
        except Refused as refused:
            say(method, "refused", refused.code, refused.text)
    app.close()
    say("closed")


main()
