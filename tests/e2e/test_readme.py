#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What README.md shows is run as it stands: its files are in the tree or are put where it says,
its commands are typed into one shell, and what they print is what it shows. (test_docker.py
does its four docker lines.) Also the quickstart, both as a script's step and on a terminal."""

import io
import os
import pathlib
import pty
import re
import signal
import subprocess
import unittest

import harness

TOP = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.M | re.S)
MARK = "--- done "


def blocks(kind):
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    return [(name, body) for found, name, body in BLOCK.findall(readme) if found == kind]


def steps(body):
    """(command, the lines that it prints) of a console block."""
    for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
        command, *lines = part.splitlines()
        yield command, lines


def expected(line):
    """The pattern of a line that README shows; of `ready`, whose values differ, the keys."""
    if line.startswith("ready "):
        return r"ready\b.*" + ".*".join(rf"\b{key}=\S+" for key in re.findall(r"(\w+)=", line))
    return ".*".join(map(re.escape, line.split("…")))


def figures(line):
    """The pattern of a line whose numbers, and so the widths of columns, differ."""
    words = [re.sub(r"\d[\d.]*", lambda _: "@", word) for word in line.split()]
    words = ["(us|ms)" if word in ("us", "ms") else re.escape(word).replace("@", r"[\d.]+")
             for word in words]
    return " *" + " +".join(words)


class Shell:
    def __init__(self, env):
        self.errors = (pathlib.Path(env["HOME"]) / "stderr").open("w+b")
        self.process = subprocess.Popen(["bash"], cwd=TOP, env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        self.out, self.at = harness.Lines(self.process.stdout), 0

    def type(self, command):
        """Its lines, and its exit status."""
        self.process.stdin.write(f"{command}\necho '{MARK}'$?\n".encode())
        self.process.stdin.flush()
        status = self.out.wait("^" + MARK, 30, after=self.at)
        end = self.out.lines.index(status, self.at)
        lines, self.at = self.out.lines[self.at:end], end + 1
        return lines, int(status[len(MARK):])

    def type_and_wait(self, command, pattern):
        """For what goes to the background: its first line."""
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        line = self.out.wait("^" + pattern, 30, after=self.at)
        self.at = self.out.lines.index(line, self.at) + 1

    def close(self):
        self.process.stdin.write(b"kill %1 2>/dev/null; wait\n")
        self.process.stdin.close()
        self.process.wait(20 * harness.PATIENCE)
        self.process.stdout.close()
        self.errors.close()

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-4000:]


class Readme(unittest.TestCase):
    def test_sources_are_those_of_the_tree(self):
        shown = [(name, body) for name, body in blocks("c") if not name.startswith("~")]
        self.assertGreaterEqual(len(shown), 2)
        for name, body in shown:
            self.assertIn(body, (TOP / name).read_text(encoding="utf-8"), name)

    def test_links(self):
        readme = (TOP / "README.md").read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)\)", readme):
            self.assertTrue((TOP / link).exists(), link)

    def test_commands(self):
        home = harness.make_folder()
        for name, body in blocks("c"):
            if name.startswith("~/"):
                (home / name[2:]).write_text(body, encoding="utf-8")
        env = harness.clean_env(home, {
            "ACTORD_LISTEN": "127.0.0.1:0", "ACTORD_REDIS_PORT": "0",
            "ACTORD_STATE": str(home / "state"), "ACTORD_CONTROL": str(home / "control.sock")})
        shell = Shell(env)
        self.addCleanup(shell.close)
        done = 0
        for kind, body in blocks("console"):
            pattern = figures if kind == "figures" else expected
            for command, lines in steps(body):
                done += 1
                with self.subTest(command):
                    self.check(shell, command, lines, pattern)
        self.assertGreater(done, 8)

    def check(self, shell, command, lines, pattern):
        if command.endswith("&"):
            self.assertEqual(len(lines), 1)
            shell.type_and_wait(command, pattern(lines[0]))
            return
        got, status = shell.type(command)
        self.assertEqual(status, 0, f"{command}: {got}\n{shell.stderr()}")
        self.assertEqual(len(got), len(lines), f"{command}: {got}, README has {lines}")
        for have, want in zip(got, lines):
            self.assertRegex(have, "^" + pattern(want) + "$")


class Quickstart(unittest.TestCase):
    command = [str(TOP / "tools/quickstart")]

    def test_as_a_step_of_a_script(self):
        done = harness.run(self.command, seconds=300)
        self.assertEqual(done.code, 0, done)
        for total in 250, 500, 600, 700:
            self.assertRegex(done.out, rf"\[{total}\]")
        self.assertIn("All is as it should be", done.out)

    def test_on_a_terminal_it_stays_until_told(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(self.command, stdin=theirs, stdout=theirs, stderr=theirs,
                                   start_new_session=True,
                                   env=harness.clean_env(harness.make_folder()))
        harness.running.add(process)
        os.close(theirs)
        lines = harness.Lines(Terminal(ours))
        self.assertIsNotNone(lines.wait("All is as it should be", 300))
        url = re.search(r"redis=(\S+)", lines.wait("^ready")).group(1)
        listen = re.search(r"listen=(\S+)", lines.wait("^ready")).group(1)
        self.assertEqual(harness.redis_cli(url, "ping"), "PONG")
        self.assertEqual(harness.http_get(listen, "/healthz")[0], 200)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20 * harness.PATIENCE), 0)
        harness.running.discard(process)
        with self.assertRaises(OSError):
            harness.http_get(listen, "/healthz")
        lines.join(10)

    def test_usage(self):
        for tool in "quickstart", "test":
            done = harness.run([TOP / "tools" / tool, "--version"])
            self.assertRegex(done.out, rf"^{tool} \d+\.\d+\.\d+\n$")
            self.assertIn(tool, harness.run([TOP / "tools" / tool, "--help"]).out)
            self.assertEqual(harness.run([TOP / "tools" / tool, "--nonsense"]).code, 2)


class Terminal(io.FileIO):
    """The lines of a pseudo terminal, whose end is an error."""

    def __next__(self):
        try:
            line = self.readline()
        except OSError:
            line = b""
        if not line:
            raise StopIteration
        return line.replace(b"\r", b"")


if __name__ == "__main__":
    unittest.main()
