# SPDX-License-Identifier: MIT
"""What goes over Redis: messages in JSON or in msgpack (CONTRACT of actord's README), and the
frames that nodes write into each other's inboxes (runtime/bus/frame.h)."""

import contextlib
import io
import json
import re

from gevent.local import local
import msgpack

EARGS, ENOENT, EFULL, ETIME, EFAIL = -1, -2, -3, -4, -5     # as in actor.h
MESSAGE_MOST = 16 << 20
SEND, ASK, ANSWER, REFUSAL, WATCH, DOWN, TRACE, CLIENT, UNWATCH = range(9)
FRAME_VERSION = 1


class Refused(Exception):
    """What was asked for was not done; code is one of actor.h's."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


def is_json(data):
    return data[:1] == b"{"


def decode(data):
    """A message. ValueError says what is wrong with it."""
    if len(data) > MESSAGE_MOST:
        raise ValueError("a message of %d bytes; %d are the most" % (len(data), MESSAGE_MOST))
    try:
        m = json.loads(data) if is_json(data) else msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, RecursionError, msgpack.UnpackException) as wrong:
        raise ValueError("neither JSON nor msgpack: %s" % wrong) from None
    if not isinstance(m, dict):
        raise ValueError("it is not a map")
    for key, kinds in (("func", str), ("cb", (str, type(None))), ("ct", (str, type(None))),
                       ("args", (list, type(None)))):
        if key in m and not isinstance(m[key], kinds):
            raise ValueError("%s is of the wrong type" % key)
    return m


def encode(message, as_json):
    return json.dumps(message).encode() if as_json else msgpack.packb(message)


def frame(node, life, sequence, parts):
    return b"".join(msgpack.packb(x) for x in [[FRAME_VERSION, node, life, sequence], *parts])


def unframe(data):
    """(node, life, sequence), parts. ValueError says what is wrong."""
    try:
        head, *parts = msgpack.Unpacker(io.BytesIO(data), strict_map_key=False)
        version, node, life, sequence = head
    except (ValueError, TypeError, msgpack.UnpackException) as wrong:
        raise ValueError("not a frame: %s" % wrong) from None
    if version != FRAME_VERSION:
        raise ValueError("a frame of version %s, not %d" % (version, FRAME_VERSION))
    words = {SEND: 3, ASK: 5, ANSWER: 2, REFUSAL: 4, WATCH: 3, DOWN: 4, TRACE: 5, CLIENT: 2,
             UNWATCH: 2}
    for part in parts:
        if not isinstance(part, list) or not part or len(part) < words.get(part[0], 1 << 30):
            raise ValueError("a part of no known form")
    return (node, life, sequence), parts


# --- traces: what a greenlet sends while it handles a traced call belongs to that trace ---

_here = local()                 # .link: trace, step, depth


@contextlib.contextmanager
def tracing(link):
    before, _here.link = getattr(_here, "link", None), link
    try:
        yield
    finally:
        _here.link = before


def trace_part():
    """What stands before a part that is sent now: nothing where nothing is traced."""
    link = getattr(_here, "link", None)
    return [[TRACE, *link, False]] if link else []


def trace_key():
    """The same for a message: its key `trace`, a traceparent."""
    link = getattr(_here, "link", None)
    return {"trace": "00-%032x-%016x-01" % link[:2]} if link else {}


def trace_of(message):
    """The link that a message brings: up to 16 hex digits, or a traceparent. None: it has none."""
    text = message.get("trace")
    if not isinstance(text, str):
        return None
    whole = re.fullmatch("[0-9a-f]{2}-[0-9a-f]{16}([0-9a-f]{16})-([0-9a-f]{16})-[0-9a-f]{2}", text)
    if not whole and not re.fullmatch("[0-9a-fA-F]{1,16}", text):
        return None
    trace, step = (int(x, 16) for x in whole.groups()) if whole else (int(text, 16), 0)
    return (trace, step, 0) if trace else None
