#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sources that crash the compiler, hang it, or eat memory: refused in words to whoever sent them,
while the runtime serves as before and the next patch is in force."""

import os
import pathlib
import re
import signal
import threading
import unittest

from harness import EARGS, Case, actord, make_folder, until, write_files

FINE = '#include "actor.h"\nint process(actor *self) { return 0; }\n'
CRASH = "void f(void) {int x=" + "(" * 900000
HANG = "char a[1000000] = {" + "[0 ... 999999] = 1," * 50000 + "};\n"
GCC = '#!/bin/sh\ngrep SigIgn /proc/$$/status >"$0.seen"\n'
PUBLIC = (1 << 31) - 1                  # 32 and 33 are the C library's
BOMB = "#define M0 1,1,1,1,1,1,1,1\n" + "".join(
    "#define M%d %s\n" % (i, "M%d " % (i - 1) * 8) for i in range(1, 12)) + "int a[] = { M11 };\n"


def children(pid):
    """The trial among the processes that it started."""
    out = []
    for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
        for child in (task / "children").read_text().split():
            try:
                if pathlib.Path("/proc/%s/cmdline" % child).read_bytes() == b"actord-trial\0":
                    out.append(int(child))
            except FileNotFoundError:
                pass
    return out


def ended(pid):
    """Its files are closed before it is a zombie, or nothing any more."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Trial(Case):
    def apply(self, source):
        return self.runtime.actorctl("patch", "apply", "-", stdin=source.encode())

    def refuses(self, source, words):
        done = self.apply(source)
        self.assertEqual(done.code, 6, done)
        self.assertIn(words, done.err)
        self.assertEqual(self.apply(FINE).code, 0)

    def test_through_the_control_socket(self):
        self.refuses(CRASH, "the compiler crashed on this source")
        self.refuses(HANG, "the compiler hung on this source")
        self.refuses(BOMB, "error: ")

    def test_through_redis(self):
        caller = self.runtime.caller()
        for source, words in (CRASH, "crashed"), (HANG, "hung"):
            error = self.refused(EARGS, caller.exec, source, seconds=30)    # of CPU 1
            self.assertIn("the compiler %s on this source" % words, error)
        caller.exec(FINE)

    def test_others_do_not_notice(self):
        """Calls are answered all the while that the compiler hangs."""
        over, count = threading.Event(), 0
        client = self.runtime.client()
        patcher = threading.Thread(target=lambda: (self.apply(HANG), over.set()))
        patcher.start()
        while not over.is_set():
            self.assertEqual(client.call("say", count, tpc="echo"), [count])
            count += 1
        patcher.join()
        self.assertGreater(count, 5)    # were they held up by the compiler: 1, or 2

    def test_a_trial_that_is_killed(self):
        first, = until(lambda: children(self.runtime.pid), "a trial process")
        os.kill(first, 9)
        until(lambda: ended(first), "its end")  # one that dies with a source is the source's fault
        self.assertEqual(self.apply(FINE).code, 0)
        self.assertNotIn(first, until(lambda: children(self.runtime.pid), "another"))

    def test_it_ends_with_its_runtime(self):
        runtime = self.start(stop=False)
        trial, = until(lambda: children(runtime.pid), "a trial process")
        runtime.kill()
        until(lambda: not os.path.exists("/proc/%d" % trial), "the end of the trial")

    def test_signals_of_its_processes(self):
        """What the runtime ignores (SIGUSR1, ...) they do not, unless they say so themselves."""
        def ignored(pid):
            status = pathlib.Path("/proc/%s/status" % pid).read_text()
            return int(re.search(r"SigIgn:\s*(\w+)", status)[1], 16) & PUBLIC

        folder = write_files(make_folder(), {"gcc": GCC})
        (folder / "gcc").chmod(0o755)
        runtime = self.start(env={"PATH": "%s:%s" % (folder, os.environ["PATH"])})
        trial, = until(lambda: children(runtime.pid), "a trial process")
        redis = runtime.redis().info("server")["process_id"]
        own = sum(1 << n - 1 for n in (signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM))
        self.assertEqual((ignored(trial), ignored(redis) & ~own), (0, 0))
        self.assertEqual(runtime.actorctl("patch", "check", "-", stdin=FINE.encode()).code, 0)
        seen = (folder / "gcc.seen").read_text().split()[1]
        self.assertEqual(int(seen, 16) & PUBLIC, 0)

    def test_headers_of_actors(self):
        """What an actor's folder brought can be included by what is tried."""
        write_files(self.folder, {"guest.h": "struct guest { int n; };\n", "guest.c": """
#include "actor.h"
#include "guest.h"
static int see(actor *self, const msg *m) { return msg_reply(m, 1); }
const struct actor_type guest = { .name = "guest", .state = sizeof(struct guest),
	.on = ON({ "see", "", see, 0 }) };
"""})
        runtime = self.start(self.folder / "guest.c")
        patch = FINE.replace("int process", '#include "guest.h"\nstruct guest g;\nint process')
        done = runtime.actorctl("patch", "apply", "-", stdin=patch.encode())
        self.assertEqual(done.code, 0, done)

    def test_an_actor_that_breaks_the_compiler(self):
        for text, words in (CRASH, "crashed"), (HANG, "hung"):
            write_files(self.folder, {"broken.c": text})
            done = actord("--redis", "none", "--listen", "none", "--state", make_folder(),
                          self.folder / "broken.c")
            self.assertEqual(done.code, 2, done)
            self.assertIn("broken.c: error: the compiler %s on this source" % words, done.err)


if __name__ == "__main__":
    unittest.main()
