#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What looking at a crowd costs, from outside: a node with so many actors, scraped and looked at by
the real programs. Prints seconds (median, longest of ROUNDS) and the CPU that the workers spent on
it, an object a line. `actor-bench look` measures the same work alone.

usage: crowd.py [ACTORS]        1,000,000 unless said; actord from $ACTORD_BUILD, else build/"""
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "../e2e"))
from harness import Runtime, make_folder  # noqa: E402

ROUNDS = 11
MANY = """#include "actor.h"
static int make(actor *self, const msg *m)
{
	for (int64_t i = 0; i < msg_int(m, 0); i++)
		if (!actor_spawn(self, "many", NULL))
			return msg_fail(m, "%s", actor_why(self));
	return msg_reply(m, 1);
}
const struct actor_type many = {
	.name = "many", .budget_ms = 600000, .on = ON({ "make", "n:int", make, 0 }),
};
"""


def workers_ms(runtime):
    """CPU of the workers."""
    return sum(w["cpu_ms"] for w in runtime.json("inspect")[0]["workers"]
               if w["name"].startswith("worker "))


def measure(runtime, what, look):
    before, took = workers_ms(runtime), []
    for _ in range(ROUNDS):
        began = time.monotonic()
        look()
        took.append(time.monotonic() - began)
    print(json.dumps({"look": what, "median_s": round(statistics.median(took), 4),
                      "longest_s": round(max(took), 4),
                      "workers_cpu_ms": workers_ms(runtime) - before}), flush=True)


def main():
    actors = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    path = make_folder() / "many.c"
    path.write_text(MANY)
    runtime = Runtime("--workers", "2", path, redis="none")
    try:
        runtime.json("--timeout", "600000", "call", "many", "make", str(actors))
        for what, look in (("GET /metrics", lambda: runtime.get("/metrics")),
                           ("inspect", lambda: runtime.json("inspect")),
                           ("top, two looks 10 ms apart",
                            lambda: runtime.json("top", "-n", "1", "-d", "10")),
                           ("ps", lambda: runtime.json("ps")),
                           ("call echo", lambda: runtime.json("call", "echo", "say", "x"))):
            measure(runtime, what, look)
    finally:
        runtime.stop()


if __name__ == "__main__":
    main()
