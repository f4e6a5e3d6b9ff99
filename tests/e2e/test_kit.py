#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The kit for tests of actors, installed: an author has a compiler, pkg-config and no checkout."""

import os
import shutil
import subprocess
import unittest

from harness import BUILD, HERE, make_folder

TOP = HERE.parents[1]


class Kit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = make_folder()
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.folder / "usr"], check=True,
                       stdout=subprocess.DEVNULL)
        for file in "tests/seed/test_counter.c", "actors/counter.c", "actors/counter.h":
            shutil.copy(TOP / file, cls.folder)
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "actord-kit"], check=True, capture_output=True,
            text=True, env={**os.environ, "PKG_CONFIG_PATH": str(cls.folder / "usr/lib/pkgconfig")})
        cls.flags = flags.stdout.split()

    def build(self, program, *sources):
        done = subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", program, *sources,
                               *self.flags], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def run_it(self, program, **env):
        return subprocess.run([self.folder / program], capture_output=True, text=True,
                              env={**os.environ, **env})

    def test_the_example(self):
        self.build("test_counter", "test_counter.c", "counter.c")
        done = self.run_it("test_counter")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "200 seeds\n", ""))

    def test_it_finds_a_fault_and_says_how_to_see_it_again(self):
        good = (self.folder / "counter.c").read_text()
        fault = "if (c->hits > 1500) c->hits--;\n\treturn msg_reply"
        (self.folder / "faulty.c").write_text(good.replace("return msg_reply", fault))
        self.build("faulty", "test_counter.c", "faulty.c")
        failed = self.run_it("faulty")
        self.assertEqual(failed.returncode, 1)
        self.assertRegex(failed.stderr, r"^seed \d+, at \d+ ms: \d+ hits, the counter says \d+\n"
                                        r"replay: SEED=\d+ TRACE=1 ")
        seed = failed.stderr.split("SEED=")[1].split()[0]
        again = self.run_it("faulty", SEED=seed, TRACE="1")
        self.assertEqual(again.returncode, 1)
        self.assertIn(failed.stderr.splitlines()[0], again.stderr)
        self.assertIn("counter.hit", again.stdout)


if __name__ == "__main__":
    unittest.main()
