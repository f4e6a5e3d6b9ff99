#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gevent_twin.py with tools/pymodule in the place of its own modules: what a program written for
the ancestor's gevent modules looks like here. Same use, same lines."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

from pymodule import ModuleManager, RPCModule

from gevent.fileobject import FileObject


def say(*args):
    print(json.dumps(args), flush=True)


def main():
    app, module = ModuleManager(), RPCModule(url=sys.argv[1], topic=sys.argv[2])
    app.register("test", lambda a, b: a + b)
    app.register("callback", say)
    app.run(module)
    say("running")
    for line in FileObject(sys.stdin.buffer):
        module.call(*json.loads(line))


main()
