#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The core's protocols, every interleaving of them: spin looks through each NAME.pml here, which
must hold, and through each of its faults (the words in capitals of its opening comment), which
spin must find."""
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def search(model, fault=None):
    """What spin's verifier says at its end, after every state has been seen or an error found."""
    with tempfile.TemporaryDirectory() as folder:
        define = [f"-D{fault}"] if fault else []
        for command in (["spin", *define, "-a", model],
                        ["cc", "-O1", "-w", "-DSAFETY", "-DMEMLIM=2048", "-o", "pan", "pan.c"]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        found = subprocess.run(["./pan", "-m1000000"], cwd=folder, capture_output=True, text=True,
                               timeout=240)
    return found.stdout


@unittest.skipUnless(shutil.which("spin"), "spin is not installed")
class Models(unittest.TestCase):
    def each(self, name):
        model = HERE / f"{name}.pml"
        faults = re.findall(r"\b([A-Z]+_[A-Z_]+|BUFFERED):", model.read_text().split("*/")[0])
        self.assertTrue(faults)
        said = search(model)
        self.assertIn("errors: 0", said)
        self.assertNotIn("max search depth too small", said)
        self.assertNotIn("out of memory", said)
        for fault in faults:
            with self.subTest(fault=fault):
                self.assertIn("errors: 1", search(model, fault))

    def test_mailbox(self):
        self.each("mailbox")

    def test_lives(self):
        self.each("lives")

    def test_hold(self):
        self.each("hold")

    def test_reclaim(self):
        self.each("reclaim")

    def test_ring(self):
        self.each("ring")

    def test_hijack(self):
        self.each("hijack")

    def test_park(self):
        self.each("park")

    def test_switch(self):
        self.each("switch")


if __name__ == "__main__":
    unittest.main()
