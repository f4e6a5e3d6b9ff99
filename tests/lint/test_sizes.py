#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sizes that the house keeps: lines, files, functions. A pure table is no function."""
import statistics
import unittest

import tree

COLUMNS, FILE_LINES, FUNCTION_LINES, MEDIAN, P95 = 100, 600, 80, 12, 45
SOURCES = (".c", ".h", ".S", ".py")


class Sizes(unittest.TestCase):
    def nothing(self, found, what):
        if found:
            self.fail(what + ":\n" + "\n".join(found))

    def test_lines(self):
        long = [f"{path}:{number}: {width} columns"
                for path in tree.files(*SOURCES, "CMakeLists.txt")
                for number, line in enumerate(tree.text(path).splitlines(), 1)
                if (width := len(line.expandtabs(8))) > COLUMNS]
        self.nothing(long, f"lines over {COLUMNS} columns")

    def test_files(self):
        long = [f"{path}: {lines} lines" for path in tree.files(*SOURCES)
                if (lines := len(tree.text(path).splitlines())) > FILE_LINES]
        self.nothing(long, f"files over {FILE_LINES} lines")

    def test_functions(self):
        found = [(lines, path, first, name) for path in tree.files(".c", ".h")
                 for name, first, lines in tree.functions(path)]
        long = [f"{path}:{first}: {name}: {lines} lines"
                for lines, path, first, name in found if lines > FUNCTION_LINES]
        self.nothing(long, f"functions over {FUNCTION_LINES} lines")

    def test_distribution(self):
        lines = sorted(lines for path in tree.files(".c", ".h", under="runtime")
                       for _, _, lines in tree.functions(path))
        if len(lines) < 20:
            self.skipTest("too few functions to speak of a median")
        self.assertLessEqual(statistics.median(lines), MEDIAN, "median of the functions' lines")
        self.assertLessEqual(lines[len(lines) * 95 // 100], P95, "95th percentile of them")


if __name__ == "__main__":
    unittest.main()
