#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The core's workloads, ours beside others': medians of runs that take turns, as a table.

usage: compare.py [--rounds N] [--seconds S] [--spike DIR] [--peers DIR] [WORKLOAD...]

DIR of --spike has build.sh and bench.c, DIR of --peers has `run`: without them only ours is run.
actor-bench is taken from $ACTORD_BUILD, else from build/. Two workers each. A cell is `-` where a
program does not have the workload, or failed. What a virtual machine's cores are to each other may
change within minutes: `limit flag` (round trips of a cache line, M/s) is run before each round, and
a round in which it is far from the others' says little."""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ACTORD_BUILD", TOP / "build"))
WORKLOADS = {   # unit; what is better; then the arguments of the spike and of each peer
    "ping-pong": ("round trips/s", max, {
        "spike": "pingpong 1 5000000", "go": "pingpong 1 2000000",
        "erlang": "pingpong 1 2000000", "caf": "pingpong 1 2000000",
        "limit": "pingpong 1 2000000 0"}),
    "ping-pong-pairs": ("round trips/s", max, {
        "spike": "pingpong 100 100000", "go": "pingpong 100 40000",
        "erlang": "pingpong 100 40000", "caf": "pingpong 100 40000",
        "limit": "pingpong 100 400000 0"}),
    "fan-in": ("messages/s", max, {
        "spike": "fanin 16 1000000", "go": "-cap 1024 fanin 16 500000",
        "erlang": "fanin 16 500000 off_heap", "caf": "fanin 16 500000 500000",
        "limit": "fanin 16 500000 0"}),
    "ring": ("hops/s", max, {
        "spike": "ring 10000 100 500000", "go": "ring 10000 100 100000",
        "erlang": "ring 10000 100 100000", "caf": "ring 10000 100 100000",
        "limit": "ring 10000 100 100000 1"}),
    "spawn": ("actors/s", max, {
        "spike": "spawn 1000000", "go": "spawn 1000000", "erlang": "spawn 1000000",
        "caf": "-p sharing spawn 1000000", "limit": "spawn 1000000"}),
    "idle-memory": ("bytes an actor", min, {
        "spike": "idle 1000000", "go": "-cap 1 idle 1000000", "erlang": "idle 1000000",
        "caf": "idle 1000000"}),
    "big": ("messages/s", max, {
        "spike": "big 1000 10000", "go": "-cap 1024 big 1000 2000", "erlang": "big 1000 2000",
        "caf": "-p sharing big 1000 2000", "limit": "big 1000 2000"}),
    "fairness": ("us, p99", min, {
        "spike": "lat 2 0 4 5", "go": "lat 2 0 4 10", "erlang": "lat 2 0 4 10",
        "caf": "-t 1 lat 2 0 4 10"}),
}
PEERS = ["go", "erlang", "caf"]


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300).stdout


def ours(workload, seconds):
    said = output(BUILD / "actor-bench", workload, "--workers", "2", "--seconds", str(seconds))
    return json.loads(said.splitlines()[-1])["value"]


def theirs(workload, *command):
    key = r"due_p99=(\S+)" if workload == "fairness" else r"RESULT \S+ (\S+)"
    found = re.search(key, output(*command))
    return float(found[1]) if found else None


def run(who, workload, options):
    try:
        if who == "ours":
            return ours(workload, 4 if workload == "fairness" else options.seconds)
        arguments = WORKLOADS[workload][2].get(who)
        if arguments is None:
            return None
        program = [options.built] if who == "spike" else [options.peers / "run", who]
        return theirs(workload, *program, *arguments.split())
    except (ValueError, IndexError, OSError, subprocess.TimeoutExpired):
        return None


def near(options):
    """Of a cache line between the cores, M round trips/s; None without the peers."""
    if not options.peers:
        return None
    said = output(options.peers / "run", "limit", "flag", "1000000")
    found = re.search(r"RESULT \S+ (\S+)", said)
    return float(found[1]) / 1e6 if found else None


def build_spike(folder, at):
    subprocess.run(["./build.sh", at / "spike"], cwd=folder, check=True)
    return at / "spike"


def shown(value):
    if value is None:
        return "-"
    return f"{value / 1e6:.2f}M" if value >= 1e6 else f"{value:,.0f}"


def ratio(better, mine, other):
    if not mine or not other:
        return "-"
    return f"{mine / other if better is max else other / mine:.2f}"


def row(name, median):
    unit, better, _ = WORKLOADS[name]
    best = better((median[p] for p in PEERS if median.get(p)), default=None)
    cells = [shown(median.get(who)) for who in ["ours", "spike", *PEERS, "limit"]]
    cells += [ratio(better, median.get("ours"), median.get("spike")),
              ratio(better, median.get("ours"), best)]
    return f"{name:16}" + "".join(f"{cell:>10}" for cell in cells) + f"  {unit}"


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--spike", type=pathlib.Path)
    parser.add_argument("--peers", type=pathlib.Path)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), metavar="WORKLOAD")
    options = parser.parse_args()
    if unknown := set(options.workloads) - set(WORKLOADS):
        parser.error(f"no such workload: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    who = ["ours", *["spike"] * bool(options.spike), *[*PEERS, "limit"] * bool(options.peers)]
    with tempfile.TemporaryDirectory() as folder:
        if options.spike:
            options.built = build_spike(options.spike, pathlib.Path(folder))
        got = {name: {w: [] for w in who} for name in options.workloads}
        flags = []
        for _ in range(options.rounds):
            flags.append(near(options))
            for name, by in got.items():
                for w in who:
                    by[w].append(run(w, name, options))
    print(f"{'':16}" + "".join(f"{w:>10}" for w in ["ours", "spike", *PEERS, "limit", "/ spike",
                                                    "/ best"]))
    for name, by in got.items():
        values = {w: [x for x in xs if x is not None] for w, xs in by.items()}
        print(row(name, {w: statistics.median(xs) for w, xs in values.items() if xs}), flush=True)
    if any(flags):
        print("limit flag, M/s:", *(f"{f:.1f}" for f in flags if f))


if __name__ == "__main__":
    main()
