# SPDX-License-Identifier: MIT
"""A patch for many nodes, sent once (runtime/bus/rollout.h has the keys): each takes it from a
stream and notes there what became of it."""

import json
import time

import gevent
import msgpack

from .wire import EARGS, ETIME, Refused

KEY = "actord:{rollouts}"
NODES = "actord:{nodes}"
LOOK_S = 0.05


def expected(db, to):
    """The nodes of that group that are there; those in Python take no C."""
    names = set()
    for name in db.zrange(NODES, 0, -1):
        info = db.hget("%s:%s" % (NODES, name.decode()), "info")
        groups = info and msgpack.unpackb(info, strict_map_key=False).get("groups")
        if groups is not None and (to in ("*", name.decode()) or to in groups):
            names.add(name.decode())
    return names


def send(db, source, to="*", timeout=10):
    """The number that the patch has on each node of the group that is there, by the node's name.
    Refused, with each reason, where one refuses it, or does not answer in time; others have it in
    force then, and those that come later take it all the same. to: one group, one node, or `*`."""
    if not to or "," in to:
        raise Refused(EARGS, "`%s` is no group and no node; '*' is all nodes" % to)
    rollout, end = db.xadd(KEY, {"source": source, "for": to}).decode(), time.monotonic() + timeout
    db.publish("actord:nodes", b"")
    while True:
        said = {name.decode(): json.loads(outcome)
                for name, outcome in db.hgetall("%s:%s" % (KEY, rollout)).items()}
        open_ = expected(db, to) - set(said)
        refused = ["%s: %s" % (name, x["why"]) for name, x in sorted(said.items()) if x["why"]]
        if not open_ and refused:
            raise Refused(EARGS, "\n".join(refused))
        if not open_:
            return {name: x["patch"] for name, x in said.items()}
        if time.monotonic() > end:
            raise Refused(ETIME, "the rollout %s has not been taken in %g s by %s%s"
                          % (rollout, timeout, ", ".join(sorted(open_)),
                             "".join("\n" + x for x in refused)))
        gevent.sleep(LOOK_S)
