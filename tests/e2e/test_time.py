#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Timers that come again, by a period, between two dates, by a crontab's line in the node's time
zone, while somebody sets the clock; and questions whose asker has given up."""

import datetime
import mmap
import os
import struct
import subprocess
import time
import unittest

from harness import EARGS, EFAIL, ETIME, HERE, Case, make_folder, source, until, vary, write_files

# The process sees the wall clock as many seconds ahead as a file says.
SHIFTED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	static volatile long long *ahead;
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (id != CLOCK_REALTIME || !getenv("CLOCK_AHEAD"))
		return rc;
	if (!ahead) {
		int fd = open(getenv("CLOCK_AHEAD"), O_RDONLY);
		ahead = mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	t->tv_sec += *ahead;
	return rc;
}
"""


class Periods(Case):
    actors = ("planner.c",)

    def test_every(self):
        self.caller.call("planner", "every", 5, "a value")
        self.assertEqual(self.caller.call("planner", "wait", 10)[1], "a value")
        self.assertEqual(self.caller.call("planner", "cancel")[0], 0)
        self.assertEqual(self.caller.call("planner", "cancel")[0], -2)
        self.assertIn(str(EARGS), self.refused(EFAIL, self.caller.call, "planner", "every", 0, ""))

    def test_a_patch_meets_it(self):
        self.caller.call("planner", "every", 5, "old")
        self.caller.call("planner", "wait", 2)
        patched = vary(source("planner.c"), "msg_str(m, 0), sizeof", '"new", sizeof')
        self.caller.eval("planner", "came", patched, "came")
        self.assertEqual(self.caller.call("planner", "wait", 2)[1], "new")
        self.caller.eval("planner", "came", source("planner.c"), "came")
        self.assertEqual(self.caller.call("planner", "cancel")[0], 0)

    def test_window(self):
        call = self.caller.call
        call("planner", "window", 10, "2006-01-02 15:04:05", "3006-01-02 15:04:05")
        self.assertGreaterEqual(call("planner", "wait", 3)[0], 3)
        self.assertEqual(call("planner", "cancel")[0], 0)
        soon = datetime.datetime.now() + datetime.timedelta(seconds=2)
        call("planner", "window", 10, str(soon)[:19], "")
        self.assertEqual(call("planner", "wait", 1), [1, "within"])
        self.assertGreaterEqual(time.time(), int(soon.timestamp()))
        self.assertEqual(call("planner", "cancel")[0], 0)
        for first, last, code in (("2006-01-02", "2006-01-03", ETIME), ("never", "", EARGS),
                                  ("2007-01-01", "2006-01-01", EARGS), ("2006-02-30", "", EARGS)):
            self.assertIn(str(code), self.refused(EFAIL, call, "planner", "window", 10, first,
                                                  last))

    def test_past_and_300_years_ahead(self):
        self.assertEqual(self.caller.call("planner", "far"), [True, 0, True])

    def test_lines_that_are_none(self):
        for line, words in (("* * * *", "there are 4"), ("61 * * * *", "minute: 61"),
                            ("0 0 30 2 *", "no such day"), ("", "five fields")):
            self.assertIn(str(EARGS), self.refused(EFAIL, self.caller.call, "planner", "cron",
                                                   line))
            self.runtime.err.wait("planner: no timer for came: .*" + words)

    def test_the_asker_gave_up(self):
        """A message that waits longer than its asker does is not handled, but counted."""
        def expired():
            return self.runtime.json("inspect")[0]["messages"]["expired"]
        self.caller.call("planner", "every", 5, "in time")
        self.caller.call("planner", "wait", 1)
        before = expired()
        blocker = '#include "actor.h"\nstatic int f(actor *self, const msg *m) { int64_t now = ' \
                  "actor_now(); (void)self; while (actor_now() < now + 600) ; " \
                  "return msg_reply(m, 1); }\n"
        self.caller.eval("planner", "block", blocker, "f")
        times = self.caller.call("planner", "cancel")[1]
        self.caller.send("planner", "block", id="block")
        # not by `inspect planner`, which waits for what only planner itself knows
        until(lambda: {"planner": "running"} in [{a["name"]: a["state"]}
                                                 for a in self.runtime.json("ps")], "it computes")
        done = self.runtime.actorctl("--timeout", "100", "call", "planner", "every", "5", "late")
        self.assertEqual(done.code, 5, done)
        self.assertEqual(self.caller.answer()["id"], "block")
        until(lambda: expired() == before + 1, "it is counted")
        self.assertEqual(self.caller.call("planner", "cancel")[1], times)


class Clock(Case):
    options = None

    def setUp(self):
        super().setUp()
        self.folder = write_files(make_folder(), {"shift.c": SHIFTED, "ahead": "\0" * 8})
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self.folder / "shift.so",
                        self.folder / "shift.c"], check=True)
        with open(self.folder / "ahead", "r+b") as f:
            self.ahead = mmap.mmap(f.fileno(), 8)

    def set_clock(self, moment):
        """UTC, as the runtime sees it from now on."""
        moment = datetime.datetime.fromisoformat(moment + "+00:00").timestamp()
        self.ahead[:] = struct.pack("q", round(moment - time.time()))

    def runtime_with(self, zone):
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return self.start(HERE / "actors/planner.c", "--time-zone", zone, redis="none", env={
            "TZ": "Asia/Tokyo", "LD_PRELOAD": str(self.folder / "shift.so"),
            "ASAN_OPTIONS": options, "CLOCK_AHEAD": str(self.folder / "ahead")})

    def waits(self, runtime, moment, n=1):
        """Somebody waits until the timer has come; meanwhile the clock is set."""
        client = runtime.actorctl
        if moment:
            self.set_clock(moment)
        done = client("--timeout", "8000", "call", "planner", "wait", str(n))
        self.assertEqual(done.code, 0, done)
        return done.out.split("\n")[0]

    def test_cron_in_the_zone_of_the_node_and_a_clock_that_is_set(self):
        self.set_clock("2026-03-29 00:29:58")
        runtime = self.runtime_with("CET-1CEST,M3.5.0,M10.5.0/3")
        def cron(line):
            done = runtime.actorctl("call", "planner", "cron", line)
            self.assertEqual(done.code, 0, done)
        cron("30 1 * * *")                              # local: an hour ahead
        self.assertEqual(self.waits(runtime, None), "1")
        cron("30 2 * * *")                              # is left out today: right after it
        self.assertEqual(self.waits(runtime, "2026-03-29 00:59:58"), "1")
        self.assertEqual(self.waits(runtime, "2026-03-30 00:29:58"), "2")
        self.assertEqual(self.waits(runtime, "2026-10-25 00:29:58"), "3")
        cron("*/15 * * * mon-fri")
        self.assertEqual(self.waits(runtime, "2026-11-23 05:14:58"), "1")
        self.assertEqual(runtime.json("inspect")[0]["time_zone"], "CET-1CEST,M3.5.0,M10.5.0/3")
        self.set_clock("2020-01-01 00:00:00")   # who waits for threads to end waits no less

    def test_a_zone_that_is_none_is_said(self):
        runtime = self.start(redis="none", listen="none", env={"TZ": "Europe/Berln"})
        runtime.err.wait('TZ: "Europe/Berln" is no time zone of this machine.*are UTC')
        self.assertEqual(runtime.json("inspect")[0]["time_zone"], "UTC")


if __name__ == "__main__":
    unittest.main()
