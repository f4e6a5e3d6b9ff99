# SPDX-License-Identifier: MIT
"""A node in Python: modules are greenlets, a manager has the table of functions.

    import pymodule                                 # before what makes sockets: it patches them
    from pymodule import ModuleManager, Node, RPCModule

    app = ModuleManager()
    app.register("add", lambda a, b: a + b)
    app.run(RPCModule(url=URL, topic="pyRpc"),      # lists and channels, in JSON or in msgpack
            Node("python", url=URL, topics=["sums"]))   # actors call it by name, and it calls them
    app["python"].ask("counter", "hit", 1)          # -> [1]

Module, ModuleManager and RPCModule have the names and the shape of the gevent modules of actord's
ancestor: a program written for those runs when it imports these. Needs Debian's python3-gevent,
python3-redis and python3-msgpack.
"""

from gevent import monkey

monkey.patch_all()

from .module import Module, ModuleManager
from .node import Node
from .rpcmodule import RPCModule
from .wire import EARGS, EFAIL, EFULL, ENOENT, ETIME, Refused

__all__ = ["Module", "ModuleManager", "Node", "RPCModule", "Refused",
           "EARGS", "EFAIL", "EFULL", "ENOENT", "ETIME"]
