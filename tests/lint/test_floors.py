#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A file includes its own header and lower floors only, and each library's header comes in by
one door. The table beside this file, `floors`, says who lives where."""
import fnmatch
import pathlib
import re
import unittest

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
FOLDERS = ("runtime", "runtime/core", "runtime/loop", "runtime/bus", "runtime/gateway",
           "runtime/patch", "runtime/control")


def table():
    floors, doors, system, peers = [], {}, set(), []
    for line in tree.text("tests/lint/floors").splitlines():
        word, *rest = line.split("#")[0].split() or [""]
        if word == "floor":
            floors.append(rest)
        elif word == "door":
            doors[rest[0]] = rest[1]
        elif word == "system":
            system.update(rest)
        elif word == "peers":
            peers += rest
    return floors, doors, system, peers


FLOORS, DOORS, SYSTEM, PEERS = table()


def floor_of(path):
    stem = str(pathlib.Path(path).with_suffix(""))
    return next((n for n, stems in enumerate(FLOORS)
                 if any(fnmatch.fnmatchcase(stem, s) for s in stems)), None)


def includes(path):
    """(kind, name) of each include; read with literals in place, comments out."""
    source = re.sub(r"/\*.*?\*/|//[^\n]*", "", tree.text(path), flags=re.S)
    return INCLUDE.findall(source)


def resolve(path, name):
    for folder in (str(path.parent), *FOLDERS):
        found = (tree.TOP / folder / name).resolve()
        if found.is_file():
            return found.relative_to(tree.TOP)
    return None


class Floors(unittest.TestCase):
    sources = tree.files(".c", ".h", under="runtime")

    def nothing(self, found):
        if found:
            self.fail("\n" + "\n".join(found))

    def test_everyone_has_a_floor(self):
        self.nothing([f"{path}: has no floor in tests/lint/floors"
                      for path in self.sources if floor_of(path) is None])

    def test_down_only(self):
        wrong = []
        for path in self.sources:
            for kind, name in includes(path):
                target = resolve(path, name) if kind == '"' else None
                if target is None or target.with_suffix("") == path.with_suffix(""):
                    continue
                above, below = floor_of(path), floor_of(target)
                if above is not None and below is not None and below >= above:
                    wrong.append(f"{path} (floor {above}) includes {target} (floor {below})")
        self.nothing(wrong)

    def test_peers(self):
        wrong = []
        for path in self.sources:
            for kind, name in includes(path):
                target = resolve(path, name) if kind == '"' else None
                rooms = {str(p.parent) for p in (path, target) if p} & set(PEERS)
                if len(rooms) > 1:
                    wrong.append(f"{path} includes {target}: rooms are wired by node.c")
        self.nothing(wrong)

    def test_own_headers_exist(self):
        self.nothing([f"{path}: no file of the runtime is called \"{name}\""
                      for path in self.sources for kind, name in includes(path)
                      if kind == '"' and resolve(path, name) is None])

    def test_one_name(self):
        """No two headers share a name or a guard, whatever their rooms; a header's guard is its
        name. The C library's headers for patches are not ours to name."""
        seen, wrong = {}, []
        for path in self.sources:
            if path.suffix != ".h" or path.parent.name == "include":
                continue
            guard = re.search(r"^#ifndef (\w+)\n#define \1$", tree.text(path), re.M)
            if not guard or guard[1] != path.name.upper().replace(".", "_"):
                wrong.append(f"{path}: its guard is not its name")
            if path.name in seen:
                wrong.append(f"{path} and {seen[path.name]} share a name")
            seen[path.name] = path
        self.nothing(wrong)

    def test_one_door(self):
        wrong, users = [], {}
        for path in self.sources:
            for kind, name in includes(path):
                if kind == '"' or name in SYSTEM:
                    continue
                library = next((door for door in DOORS if fnmatch.fnmatchcase(name, door)), None)
                if library is None:
                    wrong.append(f"{path}: <{name}> is neither system nor door in the table")
                elif str(path) != DOORS[library]:
                    wrong.append(f"{path}: <{name}> comes in by {DOORS[library]} only")
                users.setdefault(library, set()).add(path)
        self.nothing(wrong)

    def test_actors_and_patches_see_only_the_api(self):
        sources = [path for folder in ("actors", "patches")
                   for path in tree.files(".c", ".h", under=folder)]
        self.nothing([f"{path}: \"{name}\" is neither actor.h nor an actor's header"
                      for path in sources for kind, name in includes(path)
                      if kind == '"' and name != "actor.h"
                      and not (tree.TOP / "actors" / name).is_file()])


if __name__ == "__main__":
    unittest.main()
