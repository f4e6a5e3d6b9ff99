#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What actors offer by name: variables that an operator sets within their range and that patches
have as C variables, functions that patches call; and an actor that a patch brings."""

import json
import unittest

from harness import HERE, Case, write_files

PATCHES = HERE / "../../patches"
USE = """#include "actor.h"
extern int64_t limit;
extern double factor;
int64_t twice(int64_t n);
static int get(actor *self, const msg *m) { limit++; return msg_reply(m, twice(limit), factor); }
const struct actor_type patch = { .name = "shop", .on = ON({ "get", "", get, 0 }) };
"""


class Vars(Case):
    actors = ("shop.c",)

    def ctl(self, *args, code=0):
        done = self.runtime.actorctl(*args)
        self.assertEqual(done.code, code, done.err)
        return done.err if code else done.out.strip()

    def file(self, name, text):
        return str(write_files(self.folder, {name: text}) / name)

    def test_get_and_set(self):
        self.assertEqual(self.ctl("var", "get", "arena.speed"), "9")
        self.assertEqual(self.ctl("var", "set", "arena.speed", "20"), "20")
        self.assertEqual(json.loads(self.ctl("--json", "var", "get", "arena.speed")),
                         {"name": "speed", "type": "int", "value": 20, "least": 0, "most": 40})
        self.assertEqual(self.ctl("var", "set", "shop.factor", "-0.25"), "-0.25")
        self.assertEqual(
            [(v["name"], v["type"], v["least"], v["most"])
             for v in self.runtime.json("inspect", "shop")[0]["variables"]],
            [("limit", "int", 0, 10), ("factor", "num", -0.5, 2)])
        self.assertEqual(self.runtime.json("inspect", "counter")[0]["variables"], [])

    def test_refused(self):
        before = self.ctl("var", "get", "shop.limit")
        for value in "11", "-1", "2.5", "nan", "inf", "1e30":
            self.assertIn("limit takes an int from 0 to 10",
                          self.ctl("var", "set", "shop.limit", value, code=1))
        for value in "", "x", "5 6":
            self.assertIn("limit takes a number from 0 to 10",
                          self.ctl("var", "set", "shop.limit", value, code=1))
        self.assertIn("shop has no variable twice (it has limit, factor)",
                      self.ctl("var", "get", "shop.twice", code=3))
        self.assertIn("no actor named `nobody`", self.ctl("var", "get", "nobody.x", code=3))
        self.assertIn("is no NAME.VAR", self.ctl("var", "get", "shop", code=2))
        self.assertEqual(self.ctl("var", "get", "shop.limit"), before)

    def test_patches_have_them(self):
        number = self.ctl("patch", "apply", self.file("use.c", USE))
        self.ctl("var", "set", "shop.limit", "3")
        self.ctl("var", "set", "shop.factor", "0.5")
        self.assertEqual(self.runtime.json("call", "shop", "get")[0], {"args": [8, 0.5]})
        self.assertEqual(self.ctl("var", "get", "shop.limit"), "4")
        self.ctl("patch", "revert", number)
        self.assertEqual(self.runtime.json("call", "shop", "get")[0], {"args": [4, 0.5]})
        self.ctl("patch", "apply", str(PATCHES / "arena_fast.c"))
        self.assertEqual(self.ctl("var", "get", "arena.speed"), "14")

    def test_not_to_be_replaced(self):
        source = USE.replace(".on = ON", ".offers = OFFERS(OFFER_VAR(x, 0, 1)), .on = ON").replace(
            "extern double", "static int64_t x; extern double")
        self.assertIn(".children or .offers",
                      self.ctl("patch", "apply", self.file("offers.c", source), code=6))
        path = self.file("none.c", USE.replace("twice", "thrice"))
        self.assertIn("undefined symbol 'thrice'", self.ctl("patch", "check", path, code=6))

    def test_a_new_actor(self):
        for greeted in 1, 2:    # a second time it is there already
            self.ctl("patch", "apply", str(PATCHES / "greeter.c"))
            self.assertEqual(self.runtime.json("call", "greeter", "hello", "you")[0],
                             {"args": ["hello", "you", greeted]})


if __name__ == "__main__":
    unittest.main()
