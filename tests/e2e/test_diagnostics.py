#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the sender of a patch gets to read: the line with a caret, names that are near, and from
`patch check` the warnings of a compiler beside the runtime."""

import shutil
import unittest

from harness import EARGS, HERE, Case

TYPO = """#include "actor.h"
int process(actor *self)
{
	return actor_sned(self, actor_find("echo"), "say", 1);
}
"""
CAP = (HERE / "../../patches/counter_cap.c").read_text()
SHOWN = """:4: error: implicit declaration of function 'actor_sned'; did you mean actor_send?"""
CARET = """
    4 |         return actor_sned(self, actor_find("echo"), "say", 1);
      |                ^~~~~~~~~~"""
UNUSED = '#include "actor.h"\nint process(actor *self)\n{\n\tint idle;\n\treturn 0;\n}\n'


class Diagnostics(Case):
    def check(self, text, *options):
        path = self.folder / "fix.c"
        path.write_text(text)
        return self.runtime.actorctl(*options, "patch", "check", path)

    def test_the_same_wherever_it_came_from(self):
        error = self.refused(EARGS, self.caller.exec, TYPO)
        self.assertIn("patch.c" + SHOWN, error)
        self.assertIn(CARET, error)
        done = self.check(TYPO)
        self.assertEqual(done.code, 6, done)
        self.assertIn("fix.c" + SHOWN, done.err)
        self.assertIn(CARET, done.err)

    def test_a_signature_that_differs(self):
        text = CAP.replace("by:int", "by:str")
        done = self.check(text)
        self.assertEqual(done.code, 6, done)
        self.assertRegex(done.err, r"fix.c:\d+: error: counter.hit takes \(by:int\), the new one "
                                   r"would take \(by:str\)")
        self.assertIn("^~~", done.err)

    @unittest.skipUnless(shutil.which("gcc") or shutil.which("clang"), "no compiler here")
    def test_warnings(self):
        done = self.check(UNUSED)
        self.assertEqual((done.code, done.out), (0, "process()\n"), done)
        self.assertIn("fix.c:4: warning: unused variable 'idle'", done.err)
        done = self.check(UNUSED, "--json")
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertIn('"warnings":"', done.out)
        done = self.check(CAP, "--json")
        self.assertEqual((done.code, done.out), (0, '{"ok":true}\n'), done)


if __name__ == "__main__":
    unittest.main()
