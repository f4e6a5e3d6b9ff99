#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Words: every source carries its licence, no room is named after nothing, nothing is left
undone, and no line knows the machine that it was written on."""
import re
import unittest

import tree

SOURCES = (".c", ".h", ".S", ".py", ".sh", "CMakeLists.txt", "Dockerfile")
LICENCE = "SPDX-License-Identifier: MIT"
EMPTY_NAMES = {"common", "util", "utils", "misc", "helper", "helpers", "manager"}
LIBRARIES = "lws|ev|event|evbuffer|redis|json|msgpack|tcc"      # whose names are not ours
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
REGISTRY = re.compile(r"\b(deb|registry|security|packages)\.(debian|npmjs|docker)\.(org|io|com)\b")


def scripts():
    return [path for path in tree.files(under="tools") + tree.files(under=".ci")
            if not path.suffix and tree.text(path).startswith("#!")]


def everything():
    return [path for path in tree.files() if (tree.TOP / path).stat().st_size < 1 << 20]


def hits(paths, pattern, read=tree.text):
    return [f"{path}:{number}: {line.strip()}" for path in paths
            for number, line in enumerate(read(path).splitlines(), 1) if pattern.search(line)]


class Words(unittest.TestCase):
    def nothing(self, found, what):
        if found:
            self.fail(what + ":\n" + "\n".join(map(str, found)))

    def test_licence(self):
        bare = [path for path in tree.files(*SOURCES) + scripts()
                if not any(LICENCE in line for line in tree.text(path).splitlines()[:3])]
        self.nothing(bare, "no SPDX line in the first three")

    def test_file_names(self):
        self.nothing([path for path in tree.files()
                      if EMPTY_NAMES & {word for part in path.parts
                                        for word in re.split(r"[._-]", part.lower())}],
                     "files named after nothing")

    def test_identifiers(self):
        empty = "|".join(sorted(EMPTY_NAMES))
        names = re.compile(rf"\b(?!(?:{LIBRARIES})_)(?:\w+_)?(?:{empty})(?:_\w+)?\b")
        self.nothing(hits(tree.files(".c", ".h"), names,
                          lambda path: re.sub(r"#\s*include.*", "", tree.code(path))),
                     "identifiers named after nothing")

    def test_unfinished(self):
        self.nothing(hits(everything(), UNFINISHED), "left undone")

    def test_machine(self):
        self.nothing(hits(everything(), REGISTRY), "hosts of package registries")
        above = str(tree.TOP.parent)
        if above not in ("/", "/tmp", "/root", "/home", "/src") and above.count("/") < 2:
            here = re.compile(rf"(^|[^\w.]){re.escape(above)}/")
            self.nothing(hits(everything(), here), "paths of this machine")

    def test_files_that_are_named_exist(self):
        """`core/send.c` in a text is the end of a file's path."""
        known = ["/" + str(path) for path in tree.files()]
        gone = [f"{path}: {name}" for path in tree.files("README.md")
                for name in re.findall(r"`(?:\.\./)*((?:\w+/)*\w+\.[chS])`", tree.text(path))
                if not any(file.endswith("/" + name) for file in known)]
        self.nothing(gone, "no such file")


if __name__ == "__main__":
    unittest.main()
