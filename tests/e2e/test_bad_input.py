#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What no well-meaning program sends, each followed by proof that the system works as before: on
the list and the channel (the ancestor's module dies of the first malformed message), as patches,
and on the control socket. What WebSocket clients send wrong is in test_ws.py."""

import json
import re
import socket
import unittest

import msgpack

from harness import ANSWERS, EARGS, ENOENT, PATIENCE, Case, Refused, redis_cli, vary

TABLE = """
const struct actor_type patch = {
	.name = "counter",
	.on   = ON({ "hit", "by:int", hit, ON_CLIENT }),
};
"""
HIT = '#include "actor.h"\n' \
      "static int hit(actor *self, const msg *m) { return msg_reply(m, msg_int(m, 0)); }\n"


class Messages(Case):
    BAD = [
        b"", b" ", b"\0", b"x", b"{", b"}", b"{}", b"[]", b"null", b"1", b'"func"', b"{]", b"{{}",
        b"{\"func\"", b"{\"func\":", b"{\"func\":\"say\"", b"{\"func\":\"say\",}",
           b"{'func':'say'}",
        b'{"func":null}', b'{"func":1}', b'{"func":["say"]}', b'{"func":{}}', b'{"func":""}',
        b'{"func":"say","args":1}', b'{"func":"say","args":"x"}', b'{"func":"say","args":{"0":1}}',
        b'{"func":"say","cb":1,"ct":2}', b'{"func":"say","id":[1]}', b'{"func":"say","id":1.5}',
        b'{"func":"say"} trailing', b'{"func":"say"}{"func":"say"}', b'{"func":"say","func":"say"}',
        b'{"func":"say","args":[1e999]}', b'{"func":"say","args":[NaN]}',
           b'{"func":"say","args":[01]}',
        b'{"func":"say","args":[99999999999999999999999999]}', b'{"func":"s\\u0000ay"}',
        b'{"func":"say","args":["\\ud800"]}', b'{"func":"say","args":["\xff\xfe"]}',
        b'{"func":"say","args":' + b"[" * 1000000, b'{"a":' * 100000,
        b'{"func":"say","args":[' + b"[" * 100 + b"]" * 100 + b"]}",
        b'{"func":"' + b"x" * 100000 + b'"}', b'{"func":"say","args":[' + b"0," * 1000 + b"0]}",
        b"\xc1", b"\x90", b"\xc0", b"\x01", b"\xa3say", b"\x80", b"\x81", b"\x81\xa4func",
           b"\x81\xa4func\xc1",
        b"\x81\xa4func\x01", b"\x81\xa4func\xc0", b"\x81\x01\xa3say", b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
           b"\xc9\xff\xff\xff\xff\x01",
        b"\x82\xa4func\xa3say\xa4args\xdd\xff\xff\xff\xff",
           b"\x82\xa4func\xa3say\xa4args\xdf\xff\xff\xff\xff",
        b"\x82\xa4func\xa3say\xa4args\x92\x01", b"\x82\xa4func\xa3say\xa4args\x81\xa1k\x01",
        b"\x82\xa4func\xa3say\xa4args" + b"\x91" * 1000000, b"\x81\xa4func\xa3say\x00\x00",
        b"\x82\xa4func\xa3say\xa4args" + b"\x91" * 100 + b"\xc0",
        b"\x82\xa4func\xa3say\xa4args\x91\xd4\x01\x02", b"\x82\xa4func\xa3say\xa4args\x91\xa1\xff",
    ]

    def test_each_on_the_list_and_the_channel(self):
        caller = self.caller
        for topic in "echo", "rpc":
            for bad in self.BAD:
                for via in "rpush", "publish":
                    with self.subTest(topic=topic, via=via, bad=bad[:60]):
                        getattr(caller.db, via)(topic, bad)
                        self.assertEqual(caller.call("echo", "say", 1, via=via), [1])
        self.check_alive()

    def test_all_in_one_batch(self):
        pipe = self.caller.db.pipeline(transaction=False)
        for bad in self.BAD * 3:
            pipe.rpush("echo", bad)
            pipe.publish("echo", bad)
        pipe.execute()
        self.check_alive()

    def test_noise(self):
        """Whole messages with bytes changed, cut off or added, in both encodings."""
        pipe = self.caller.db.pipeline(transaction=False)
        call = {"func": "say", "args": [1, "x", None, [2.5], {"k": True}], "cb": "", "id": "i"}
        for i in range(3000):
            data = bytearray((json.dumps(call).encode(), msgpack.packb(call))[i % 2])
            for _ in range(self.random.randrange(1, 6)):
                at = self.random.randrange(len(data))
                how = self.random.randrange(4)
                if how == 0:
                    data[at] = self.random.randrange(256)
                elif how == 1:
                    del data[at:at + self.random.randrange(len(data))]
                elif how == 2:
                    data[at:at] = self.random.randbytes(self.random.randrange(1, 9))
                else:
                    data[at] ^= 1 << self.random.randrange(8)
                data = data or bytearray(b"{")
            getattr(pipe, ("rpush", "publish")[self.random.randrange(2)])("echo", bytes(data))
        pipe.execute()
        self.check_alive()

    def test_a_list_that_is_none(self):
        """The topic's key holds another type: said, waited out, and taken up when it is mended."""
        db = self.caller.db
        db.delete("counter")
        db.hset("counter", "not", "a list")
        self.assertEqual(self.caller.call("echo", "say", 1), [1])
        db.delete("counter")
        self.assertEqual(len(self.caller.call("counter", "hit", 0, seconds=30)), 1)

    def test_the_sender_is_told_where_it_can_be(self):
        for encoding in "json", "msgpack":
            caller = self.runtime.caller(encoding)
            text = self.refused(EARGS, caller.call, "echo", "say", args={"not": "a list"})
            self.assertIn("args", text)
            self.refused(ENOENT, caller.call, "echo", "no such handler")
            for args in ["text"], [1.5], [None], [], [1, 2]:
                self.refused(EARGS, caller.call, "counter", "hit", *args)

    def test_over_16_mib(self):
        big = json.dumps({"func": "say", "args": ["x" * (17 << 20)]})
        for via in "rpush", "publish":
            getattr(self.caller.db, via)("echo", big)
            self.assertEqual(self.caller.call("echo", "say", 1, via=via), [1])
        self.check_alive()

    def test_a_flood_of_errors_is_no_flood_of_lines(self):
        before = len(self.runtime.err.lines)
        pipe = self.caller.db.pipeline(transaction=False)
        for _ in range(20000):
            pipe.rpush("echo", b"{")
        pipe.execute()
        self.assertEqual(self.caller.call("echo", "say", 1, seconds=30), [1])
        self.assertLess(len(self.runtime.err.lines) - before, 2000)


class Patches(Case):
    """What is wrong with a source is said with its line; nothing of it comes into force."""
    MUCH = int(10e6 / PATIENCE)         # a sanitizer needs half a minute for each 10 MB

    def ways(self, source):
        """The words of the refusal, the same by each way that has an answer."""
        texts = []
        for call in (lambda: self.caller.exec(source),
                     lambda: self.caller.exec(source, via="publish"),
                     lambda: self.caller.call("patch", "apply", source),
                     lambda: self.caller.call("patch", "check", source)):
            with self.assertRaises(Refused) as caught:
                call()
            self.assertLess(caught.exception.code, 0)
            texts.append(caught.exception.text)
        redis_cli(self.runtime.redis_url, "-x", "publish", "patch", stdin=source.encode())
        path = self.folder / "bad.c"
        path.write_text(source)
        for command in "check", "apply":
            done = self.runtime.actorctl("patch", command, path)
            self.assertEqual(done.code, 6, done)
            texts.append(done.err)
        return texts

    def rejects(self, source, *patterns):
        total = self.caller.call("counter", "hit", 1)[0]
        for text in self.ways(source):
            for pattern in patterns:
                self.assertRegex(text, pattern)
        self.assertEqual(self.caller.call("counter", "hit", 1), [total + 1])
        self.check_alive()

    def test_syntax_error(self):
        # The compiler has read on to the next word: it names a line soon after.
        self.rejects(HIT + "\nint x = ;\n" + TABLE, r":[4-6]: ")
        self.rejects('#include "actor.h"\nint f(void) { return 1 }\n' + TABLE, r":2: ", r"';'")

    def test_undeclared_function(self):
        self.rejects(vary(HIT, "msg_int(m, 0)", "no_such_function(m)") + TABLE,
                     r":2: .*no_such_function")

    def test_unknown_symbol(self):
        self.rejects("int no_such_symbol(void);\n" + vary(HIT, "msg_int(m, 0)",
                                                                 "no_such_symbol()")
                     + TABLE, "no_such_symbol")

    def test_what_is_not_offered(self):
        for call in ("int system(const char *); int x(void) { return system(\"true\"); }",
                     "void *malloc(unsigned long); void *x(void) { return malloc(1); }",
                     "void abort(void); void x(void) { abort(); }",
                     'void *dlsym(void *, const char *); void *x(void) { return dlsym(0, "x"); }'):
            name = re.search(r"(\w+)\(", call).group(1)
            self.rejects(HIT + call + TABLE, name)

    def test_headers_that_are_not_offered(self):
        for header in ("<unistd.h>", "<stdatomic.h>", '"/etc/passwd"', '"../../etc/passwd"',
                       '"secret.h"'):
            self.rejects("#include %s\n" % header + HIT + TABLE, re.escape(header.strip('<>"')))

    def test_an_actor_that_is_not_there(self):
        self.rejects(HIT + vary(TABLE, '"counter"', '"nobody"'), "nobody")
        text = self.refused(ENOENT, self.caller.eval, "nobody", "hit", HIT, "hit")
        self.assertIn("nobody", text)

    def test_state_of_another_size(self):
        self.rejects(HIT + vary(TABLE, '"counter",', '"counter", .state = 4096,'), "counter",
                     "state", "4096", r"\b8\b")

    def test_another_signature(self):
        self.rejects(HIT + vary(TABLE, "by:int", "by:str"), r"counter\.hit", "int", "str")
        self.rejects(HIT + vary(TABLE, "by:int", "by:int n:int?"), r"counter\.hit")

    def test_signatures_that_are_none(self):
        for bad in "by:float", "by", "int", ":int", "a:int? b:int", "... a:int", "by:int,":
            self.rejects(HIT + vary(TABLE, '"hit", "by:int"', '"fresh", "%s"' % bad), "fresh")

    def test_nothing_in_it(self):
        for source in "", " ", "\n", "/* nothing */", "int x;", HIT:
            self.rejects(source)

    def test_tables_that_are_none(self):
        for table in ("int patch;", "int process;", "const struct actor_type patch;",
                      vary(TABLE, '"hit", "by:int", hit', '"fresh", "", 0'),
                      vary(TABLE, '"by:int"', "0"),
                      "const struct actor_type *const patches[] = { 0 };"):
            self.rejects(HIT + table)

    def test_two_handlers_of_one_name(self):
        self.rejects(HIT + vary(TABLE, "ON(", 'ON({ "hit", "by:int", hit, 0 }, '), "hit")

    def test_one_of_several_is_wrong(self):
        """All of a patch or nothing of it."""
        source = ANSWERS % 3 + """
#define PARTLY ON({ "partly", "...", answers, 0 })
static const struct actor_type one = { .name = "echo", .on = PARTLY };
static const struct actor_type two = { .name = "nobody", .on = PARTLY };
const struct actor_type *const patches[] = { &one, &two, 0 };
"""
        self.rejects(source, "nobody")
        self.refused(ENOENT, self.caller.call, "echo", "partly")

    def test_a_name_that_is_offered(self):
        self.rejects("#include <stddef.h>\nint memcpy(int x) { return x; }\n" + HIT + TABLE,
                     "memcpy")

    def test_10_mb(self):
        filling = "/* " + "x" * 76 + " */\n"
        self.rejects(HIT + filling * (self.MUCH // len(filling)) + "int x = ;\n" + TABLE, r":\d+: ")

    def test_10_mb_of_noise(self):
        noise = bytes(self.random.randrange(32, 127) for _ in range(100000)).decode()
        noise *= self.MUCH // 100000
        self.rejects(noise)

    def test_not_text(self):
        for source in "\0", "int x;\0int y", "\x01\x02\x03", "\u2603" * 1000:
            with self.assertRaises(Refused):
                self.caller.exec(source)
        redis_cli(self.runtime.redis_url, "-x", "publish", "patch",
                  stdin=self.random.randbytes(5000))
        self.check_alive()

    def test_wrong_arguments(self):
        for func, args in (("exec", []), ("exec", [1]), ("exec", [HIT, HIT]), ("eval", []),
                           ("eval", ["echo", "x", HIT]), ("eval", ["echo", "x", HIT, 1])):
            self.refused(EARGS, self.caller.call, "rpc", func, *args)
        for args in (["echo", "x", HIT, "no_such_function"], ["echo", "x", HIT, ""],
                     ["echo", "", HIT, "hit"], ["echo", "x", HIT, "hit; int y"],
                     ["echo", "x", "", "hit"],
                     ["rpc", "x" * 1000, HIT, "hit"], ["echo", "x", "int hit = 5;", "hit"]):
            with self.subTest(args[1:]), self.assertRaises(Refused):
                self.caller.eval(*args)
        self.check_alive()

    def test_the_runtimes_own_actors(self):
        for name in "patch", "bus", "node":
            with self.assertRaises(Refused):
                self.caller.exec(ANSWERS % 1 + 'const struct actor_type patch = { .name = "%s", '
                                 '.on = ON({ "list", "", answers, 0 }) };' % name)
        self.check_alive()


class ControlSocket(Case):
    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10 * PATIENCE)
        s.connect(self.runtime.control)
        return s

    def test_garbage(self):
        for garbage in (b"", b"\n", b"\n" * 10000, b"{", b"{\n", b"x\n", b"\0\n", b"{}\n", b"[]\n",
                        b'{"func":1}\n', b'{"func":"ping"', b"\xff" * 100000,
                        self.random.randbytes(10000),
                        b"[" * 1000000 + b"\n",
                        b'{"tpc":"echo","func":"say","args":[1],"cb":"x"}\n' * 1000):
            with self.connect() as s:
                try:
                    s.sendall(garbage)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except ConnectionError:
                    pass
        self.check_alive()

    def test_a_line_without_end(self):
        with self.connect() as s:
            try:
                for _ in range(40):
                    s.sendall(b"x" * (1 << 20))
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except ConnectionError:
                pass
        self.check_alive()

    def test_many_that_say_nothing(self):
        silent = [self.connect() for _ in range(100)]
        self.check_alive()
        for s in silent:
            s.close()
        self.check_alive()


if __name__ == "__main__":
    unittest.main()
