# SPDX-License-Identifier: MIT
"""The project's own files, and C source without what is no code in it; for the lint tests."""
import os
import pathlib
import re
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]


def tracked():
    """What git has; in a tree without git all that is no build."""
    if shutil.which("git"):
        names = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], capture_output=True,
                               text=True).stdout.split("\0")
        if names[0]:
            return [pathlib.Path(name) for name in names if name and (TOP / name).is_file()]
    found = []
    for folder, folders, names in os.walk(TOP):
        folders[:] = [f for f in folders if not re.match(r"(\.(?!ci$)|build|__pycache__)", f)]
        found += [pathlib.Path(folder, name).relative_to(TOP) for name in names]
    return found


FILES = sorted(tracked())


def files(*suffixes, under="."):
    """The project's files, relative to its top, by how they end and where they are."""
    return [path for path in FILES
            if path.name.endswith(suffixes or "") and path.is_relative_to(under)]


def text(path):
    return (TOP / path).read_text(encoding="utf-8")


LITERAL_OR_COMMENT = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(path):
    """C source with comments and literals blanked; line numbers stay."""
    def blank(match):
        found = match.group()
        return (found[0] if found[0] in "\"'" else " ") + "\n" * found.count("\n") + \
            (found[0] if found[0] in "\"'" else "")
    return LITERAL_OR_COMMENT.sub(blank, text(path))


DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)


def functions(path):
    """(name, first line, lines) of each function with a body in a C file."""
    source = DIRECTIVE.sub(lambda m: "\n" * m.group().count("\n"), code(path))
    depth = head = 0        # head: where what may be a function's first line begins
    begun = None
    for match in re.finditer(r"[{};]", source):
        at, sign = match.start(), match.group()
        if sign == "{":
            if depth == 0:
                begun = opening(source[head:at])
                first = line_of(source, head + leading(source[head:at]))
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth == 0 and begun:
                yield begun, first, line_of(source, at) - first + 1
            if depth == 0 and begun:
                begun, head = None, at + 1
        elif depth == 0:
            head = at + 1


def opening(before):
    """The name of the function that opens here, or None: a type, a table, a list of values."""
    before = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", before, flags=re.S).strip()
    name = re.search(r"(\w+)\s*\((?:[^()]|\([^()]*\)|\((?:[^()]|\([^()]*\))*\))*\)$", before)
    return name.group(1) if name and "=" not in before[:name.start()] else None


def leading(before):
    return len(before) - len(before.lstrip())


def line_of(source, at):
    return source.count("\n", 0, at) + 1
