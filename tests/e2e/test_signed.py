#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Signed patches through a Redis that is not the runtime's own: taken once, by the nodes that they
are for, when nobody touched them; unsigned ones are not taken at all."""

import unittest

from harness import (EARGS, EFAIL, ANSWERS, HERE, Case, RedisServer, actorctl, actord, make_folder,
                     redis_cli, until)

PATCHES = HERE / "../../patches"
CAP = PATCHES / "counter_cap.c"


class Keys:
    def __init__(self):
        self.folder = make_folder()
        self.secret, self.file = self.folder / "me.key", self.folder / "keys"
        done = actorctl("keygen", self.secret)
        assert done.code == 0 and str(self.secret) + " has the secret" in done.err, done
        self.file.write_text("# who may\n" + done.out)

    def sign(self, path, *options, secret=None):
        done = actorctl("sign", path, "--key", secret or self.secret, *options)
        assert done.code == 0, done
        return done.out


class Signed(Case):
    options = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server, cls.keys = RedisServer(), Keys()
        cls.addClassCleanup(cls.server.stop)

    def start(self, *args, **more):
        """One whose total of counter.hit(250) tells whether counter_cap.c is in force."""
        self.server.client().flushall()
        runtime = super().start("--patch-keys", self.keys.file, "--node", "here", "--group",
                                "blue,canary", *args, redis=self.server.url, **more)
        self.url = runtime.redis_url
        return runtime

    def capped(self, runtime):
        before, = runtime.caller().call("counter", "hit", 0)
        return runtime.caller().call("counter", "hit", 250) == [before + 100]

    def test_unsigned_is_refused(self):
        runtime = self.start()
        caller = runtime.caller()
        redis_cli(self.url, "-x", "publish", "patch", stdin=CAP.read_bytes())
        self.assertTrue(runtime.err.wait("refused: only signed patches are taken"))
        for call in (lambda: caller.exec(CAP.read_text()),
                     lambda: caller.call("patch", "apply", CAP.read_text()),
                     lambda: caller.call("patch", "check", CAP.read_text()),
                     lambda: caller.eval("echo", "x", ANSWERS % 1, "answers")):
            self.assertRegex(self.refused(EFAIL, call), "only signed patches are taken")
        redis_cli(self.url, "-x", "publish", "patch", stdin=CAP.read_bytes())
        self.assertFalse(self.capped(runtime))
        self.assertEqual(runtime.actorctl("patch", "apply", CAP).code, 0)
        self.assertTrue(self.capped(runtime))
        self.assertRegex(self.refused(EFAIL, caller.call, "patch", "revert", 1), "only signed")

    def signed_text(self, text, *options):
        path = self.keys.folder / "text.c"
        path.write_text(text)
        return self.keys.sign(path, *options)

    def test_an_eval(self):
        """Its first line says what it replaces, so the signature does."""
        runtime = self.start()
        caller = runtime.caller()
        text = '//eval ["echo","x","answers"]\n' + ANSWERS % 7
        for handler, more, says in (("y", (), r'would have to be //eval \["echo","y","answers"\]'),
                                    ("x", ("--actors", "counter"), "was signed for counter only"),
                                    ("x", ("--target", "you"), "it is for you")):
            self.assertRegex(self.refused(EARGS, caller.eval, "echo", handler,
                                          self.signed_text(text, *more), "answers"), says)
        signed = self.signed_text(text, "--actors", "echo")
        caller.eval("echo", "x", signed, "answers")
        self.assertEqual(caller.call("echo", "x"), [7])
        self.assertRegex(self.refused(EARGS, caller.eval, "echo", "x", signed, "answers"),
                         "taken before")
        self.assertRegex(self.refused(EARGS, caller.eval, "echo", "x",
                                      self.signed_text(ANSWERS % 8), "answers"), "first line")

    def test_a_revert(self):
        runtime = self.start()
        caller = runtime.caller()
        number, = caller.exec(self.keys.sign(CAP))
        back = "//revert %d\n" % number
        self.assertRegex(self.refused(EFAIL, caller.exec, back), "all of `//revert NUMBER`")
        self.assertRegex(self.refused(EARGS, caller.exec,
                                      self.signed_text(back, "--actors", "echo")),
                         "it changes counter, and was signed for echo only")
        self.assertRegex(self.refused(EARGS, caller.exec, self.signed_text("//revert 99")),
                         "there is no patch 99")
        self.assertTrue(self.capped(runtime))
        signed = self.signed_text(back, "--author", "Ada", "--actors", "counter")
        self.assertEqual(caller.exec(signed), [number])
        self.assertFalse(self.capped(runtime))
        self.assertRegex(self.refused(EARGS, caller.exec, signed), "taken before")
        line = [x for x in runtime.json("patch", "log") if x["event"] == "revert"][0]
        self.assertEqual((line["author"], line["origin"]), ("Ada", "redis"))

    def test_signed_as_a_message(self):
        runtime = self.start()
        number, = runtime.caller().exec(self.keys.sign(CAP, "--author", "Ada", "--note", "slow"))
        self.assertTrue(self.capped(runtime))
        row = [x for x in runtime.json("patch", "list") if x["number"] == number][0]
        self.assertEqual((row["author"], row["note"], row["file"], row["origin"]),
                         ("Ada", "slow", "counter_cap.c", "redis"))

    def test_signed_as_plain_text(self):
        runtime = self.start()
        redis_cli(self.url, "-x", "publish", "patch", stdin=self.keys.sign(CAP).encode())
        until(lambda: self.capped(runtime), "the patch in force")

    def test_once(self):
        runtime = self.start()
        signed = self.keys.sign(CAP)
        runtime.caller().call("patch", "check", signed)
        runtime.caller().exec(signed)
        error = self.refused(EARGS, runtime.caller().exec, signed)
        self.assertRegex(error, "it was taken before")
        runtime.kill()
        again = self.start(folder=runtime.folder)
        self.assertRegex(self.refused(EARGS, again.caller().exec, signed), "taken before")
        again.caller().exec(self.keys.sign(CAP))

    def test_changed(self):
        runtime = self.start()
        signed = self.keys.sign(CAP, "--actors", "counter")
        self.assertIn("? 100 :", signed)
        for old, new in (("? 100 :", "? 900 :"), ("//actors: counter", "//actors: *"),
                         ("//for: *", "//for: here"), ("\n//key", "\n//key ")):
            changed = signed.replace(old, new)
            self.assertNotEqual(changed, signed)
            self.assertRegex(self.refused(EARGS, runtime.caller().exec, changed), "sign it again")
        self.assertFalse(self.capped(runtime))
        runtime.caller().exec(signed)

    def test_by_another_key(self):
        runtime = self.start()
        signed = self.keys.sign(CAP, secret=Keys().secret)
        self.assertRegex(self.refused(EARGS, runtime.caller().exec, signed), "is none of")

    def test_for_whom(self):
        runtime = self.start()
        error = self.refused(EARGS, runtime.caller().exec, self.keys.sign(CAP, "--target", "you"))
        self.assertRegex(error, "it is for you; this node is here")
        for target in "here", "canary", "*":
            runtime.caller().exec(self.keys.sign(CAP, "--target=" + target))

    def test_what_it_may_change(self):
        runtime = self.start()
        error = self.refused(EARGS, runtime.caller().exec,
                             self.keys.sign(CAP, "--actors", "echo,rpc"))
        self.assertRegex(error, "it changes counter, and was signed for echo,rpc only")
        error = self.refused(EARGS, runtime.caller().exec,
                             self.keys.sign(PATCHES / "counter_report.c", "--actors", "counter"))
        self.assertRegex(error, "it has a process")
        runtime.caller().exec(self.keys.sign(CAP, "--actors", "rpc,counter"))

    def test_diagnostics_have_the_lines_of_the_file(self):
        runtime = self.start()
        path = self.keys.folder / "wrong.c"
        path.write_text("int a;\nint b = nothing;\n")
        error = self.refused(EARGS, runtime.caller().exec, self.keys.sign(path))
        self.assertIn("wrong.c:2: error: 'nothing' undeclared", error)

    def test_the_embedded_redis_takes_both(self):
        runtime = Case.start(self, "--patch-keys", self.keys.file)
        runtime.caller().exec(CAP.read_text())
        runtime.caller().exec(self.keys.sign(CAP))
        refusing = Case.start(self, "--patch-keys", self.keys.file, "--unsigned-patches=no")
        self.refused(EFAIL, refusing.caller().exec, CAP.read_text())
        refusing.caller().exec(self.keys.sign(CAP))

    def test_wrong_keys(self):
        done = actord("--redis", "none", "--patch-keys", "/nowhere/keys", "--state",
                      make_folder())
        self.assertEqual(done.code, 2, done)
        self.assertIn("--patch-keys: /nowhere/keys: ", done.err)

    def test_the_tool(self):
        done = actorctl("keygen", self.keys.secret)
        self.assertEqual(done.code, 2, done)
        self.assertIn("there is such a file", done.err)
        self.assertEqual(self.keys.secret.stat().st_mode & 0o777, 0o600)
        for args, words in (((CAP,), "usage"), ((CAP, "--key"), "needs a value"),
                            (("/nowhere.c", "--key", self.keys.secret), "/nowhere.c: "),
                            ((CAP, "--key", CAP), "is no key"),
                            ((CAP, "--key", self.keys.secret, "--expires", "1x"), "is no time"),
                            ((CAP, "--key", self.keys.secret, "--note", "a\nb"), "the note"),
                            ((CAP, "--what", "x"), "no option")):
            done = actorctl("sign", *args)
            self.assertEqual(done.code, 2, done)
            self.assertIn(words, done.err)


if __name__ == "__main__":
    unittest.main()
