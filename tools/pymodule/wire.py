# SPDX-License-Identifier: MIT
"""What goes over Redis: messages in JSON or in msgpack (CONTRACT of actord's README), and the
frames that nodes write into each other's inboxes (runtime/bus/frame.h)."""

import contextlib
import json
import re

from gevent.local import local
import msgpack

EARGS, ENOENT, EFULL, ETIME, EFAIL = -1, -2, -3, -4, -5     # as in actor.h
MESSAGE_MOST = 16 << 20
NAME_MOST, VALUES_MOST, DEPTH_MOST = 255, 255, 32           # runtime/core: bytes, values, lists
CODE_LEAST, NUMBER_MOST, MS_MOST = -(1 << 31) + 1, (1 << 64) - 1, (1 << 31) - 1
SEND, ASK, ANSWER, REFUSAL, WATCH, DOWN, TRACE, CLIENT, UNWATCH = range(9)
ROOM = NUMBER_MOST              # of an answer that is none
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
    except (ValueError, TypeError, RecursionError, MemoryError, msgpack.UnpackException) as wrong:
        raise ValueError("neither JSON nor msgpack: %s" % (wrong or "cut off")) from None
    return checked(m)


def checked(m):
    """What was unpacked is a message, or it is a ValueError."""
    if not isinstance(m, dict):
        raise ValueError("it is not a map")
    for key, kinds in (("func", str), ("cb", (str, type(None))), ("ct", (str, type(None))),
                       ("args", (list, type(None))), ("err", (dict, type(None))),
                       ("id", (str, int, float, type(None)))):
        if key in m and not isinstance(m[key], kinds):
            raise ValueError("%s is of the wrong type" % key)
    return m


def unpack_all(data, ends=None):
    """Values in a row: what is whole, then what is wrong with the rest, or None. Where each ends is
    appended to ends."""
    unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=max(len(data), 1))
    values = []
    try:
        unpacker.feed(data)
        for value in unpacker:
            values.append(value)
            if ends is not None:
                ends.append(unpacker.tell())
        rest = len(data) - unpacker.tell()
        return values, "%d bytes at its end are no value" % rest if rest else None
    except (ValueError, TypeError, RecursionError, MemoryError, msgpack.UnpackException) as wrong:
        return values, "behind %d values: %s" % (len(values), wrong)


def encode(message, as_json):
    """ValueError, TypeError or OverflowError: it cannot be said so."""
    if as_json:
        said = json.dumps(message, allow_nan=False)
        if "\\ud" in said:
            json.dumps(message, ensure_ascii=False).encode()     # half a surrogate pair is refused
        data = said.encode()
    else:
        data = msgpack.packb(message)
    if len(data) > MESSAGE_MOST:
        raise ValueError("a message of %d bytes; %d are the most" % (len(data), MESSAGE_MOST))
    return data


# --- frames and their parts ---

def text(words):
    """Words of people, in UTF-8 whatever they were."""
    return str(words).encode("utf-8", "replace").decode()


def check_value(value, depth=DEPTH_MOST):
    """Other nodes refuse a whole frame for what this refuses (ValueError)."""
    if isinstance(value, (list, tuple, dict)):
        if not depth:
            raise ValueError("lists in lists more than %d deep" % DEPTH_MOST)
        for one in value:
            check_value(one, depth - 1)
        if isinstance(value, dict):
            for one in value.values():
                check_value(one, depth - 1)
    elif isinstance(value, (msgpack.ExtType, msgpack.Timestamp)):
        raise ValueError("%s has no place in a message" % type(value).__name__)


def part(head, values=(), names=()):
    """A part's bytes: head, names, values; or Refused. names: of an actor and of a handler."""
    try:
        if len(values) > VALUES_MOST:
            raise ValueError("%d values; %d are the most" % (len(values), VALUES_MOST))
        for name in names:
            if len(name.encode()) > NAME_MOST or "\0" in name:
                raise ValueError("a name has %d bytes at most, and no NUL" % NAME_MOST)
        check_value(values, DEPTH_MOST + 1)
        data = msgpack.packb([*head, *names, *values])
    except (TypeError, ValueError, OverflowError, AttributeError) as wrong:
        raise Refused(EARGS, "it cannot be sent: %s" % wrong) from None
    if len(data) > MESSAGE_MOST:
        raise Refused(EARGS, "a message of %d bytes; %d are the most" % (len(data), MESSAGE_MOST))
    return data


def fitting(code):
    """Other codes than errors' have no place in an answer."""
    return code if isinstance(code, int) and CODE_LEAST <= code < 0 else EFAIL


def refusal(number, refused):
    return part([REFUSAL, number, fitting(refused.code), text(refused.text)])


def sorry(refused):
    """The same in a message."""
    return {"args": [], "err": {"code": fitting(refused.code), "text": text(refused.text)}}


def frame(node, life, sequence, parts):
    """parts: the bytes of each."""
    return b"".join([msgpack.packb([FRAME_VERSION, node, life, sequence]), *parts])


def is_number(value):
    return type(value) is int and 0 <= value <= NUMBER_MOST


def is_unknown(part):
    """Of a kind that a later build has: it is passed over."""
    return part[0] > UNWATCH


def is_part(value):
    words = {SEND: 3, ASK: 5, ANSWER: 2, REFUSAL: 4, WATCH: 3, DOWN: 4, TRACE: 5, CLIENT: 2,
             UNWATCH: 2}
    if not isinstance(value, list) or not value or not is_number(value[0]) or \
            len(value) < words.get(value[0], 1):
        return False
    if is_unknown(value):
        return True
    kind, number = value[:2]
    return {SEND: lambda: all(isinstance(x, str) for x in value[1:3]),
            ASK: lambda: is_number(value[2]) and all(isinstance(x, str) for x in value[3:5]),
            REFUSAL: lambda: type(value[2]) is int and isinstance(value[3], str),
            TRACE: lambda: all(is_number(x) for x in value[1:4]),
            ANSWER: lambda: number != ROOM or (len(value) == 4 and is_number(value[2]) and
                                               isinstance(value[3], str)),
            DOWN: lambda: isinstance(value[3], str)}.get(kind, lambda: True)() and \
        (kind in (SEND, CLIENT) or is_number(number))


def unframe(data):
    """(node, life, sequence), the parts up to the first bad one, what is wrong with that or None.
    ValueError: it is no frame at all."""
    values, wrong = unpack_all(data)
    try:
        version, node, life, sequence = values.pop(0)
    except (ValueError, TypeError, IndexError):
        raise ValueError("not a frame: %s" % (wrong or "its head has the wrong words")) from None
    if version != FRAME_VERSION:
        raise ValueError("a frame of version %s, not %d" % (version, FRAME_VERSION))
    if not isinstance(node, str) or not node or len(node.encode()) > NAME_MOST or \
            not is_number(life) or not is_number(sequence) or not sequence:
        raise ValueError("its head does not say who wrote it")
    for i, value in enumerate(values):
        if not is_part(value):
            return (node, life, sequence), values[:i], "a part is of no known form"
    return (node, life, sequence), values, wrong


# --- traces: what a greenlet sends while it handles a traced call belongs to that trace ---

_here = local()                 # .link: trace, step, depth


@contextlib.contextmanager
def tracing(now):
    before, _here.link = link(), now
    try:
        yield
    finally:
        _here.link = before


def link():
    return getattr(_here, "link", None)


def traced(data):
    """A part that is sent now, behind the trace that it belongs to, if there is one."""
    here = link()
    return msgpack.packb([TRACE, *here[:2], min(here[2], 255), False]) + data if here else data


def trace_key():
    """The same for a message: its key `trace`, a traceparent."""
    here = link()
    return {"trace": "00-%032x-%016x-01" % here[:2]} if here else {}


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
