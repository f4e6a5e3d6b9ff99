#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Faults of concurrency, planted into copies of the core's sources, which our own checks must
find: the seeds, the stress under ThreadSanitizer, or the model that spin looks through.

A text that is no longer there says so: the fault is to be planted anew where its like is now."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/model"))
import test_models  # noqa: E402


def works(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


CORE = sorted((TOP / "runtime/core").glob("*.[cS]"))
FLAGS = ["-std=gnu11", "-g", "-O1", "-D_GNU_SOURCE", '-DACTORD_VERSION="0"', "-w",
         f"-I{TOP}/runtime", f"-I{TOP}/runtime/core"]
LIBRARIES = ["-lcmocka", "-ljansson", "-lsodium", "-lpthread", "-lm"]
FIXED = ["setarch", "-R"] if works("setarch", "-R", "true") else []    # TSan's memory map
WAYS = {        # name: flags, sources, what runs it, how often, environment
    "seeds": ([], ["tests/seed/test_seeds.c", "tests/seed/kit.c"], [], 1, {"SEEDS": "3000"}),
    "tsan": (["-fsanitize=thread"], ["tests/stress/test_stress.c"], FIXED, 6,
             {"TSAN_OPTIONS": "halt_on_error=1", "ROUNDS": "4000"}),
}
FAULTS = {      # name: file, text, what it is planted as, what finds it
    "the actor is touched after the step to idle": (
        "run.c", "if (likely(!(atomic_load(&a->waiters) |",
        "a->q = 0; if (likely(!(atomic_load(&a->waiters) |", ["tsan"]),
    "who waits for room does not look again": (
        "hold.c", "waits = !has_room(on, 0, self->kept.weight) &&", "waits = true &&",
        ["hold NO_SECOND_LOOK"]),
    "nor at its lane": (
        "hold.c", "&& !has_order(self);", ";", ["hold NO_LANE_LOOK"]),
    "an order does not wake who waits for room": (
        "post.c", "else if (unlikely(atomic_load(&a->held_on)))\n\t\tpost_held(w, a);", "",
        ["hold NO_WAKE"]),
    "the next place is taken without the fence": (
        "queue.c", "STORE(&victim->hijacked, 1);\n\tworker_heavy_fence();",
        "STORE(&victim->hijacked, 1);", ["hijack NO_HEAVY"]),
    "a full ring is spilled from where it begins by then": (
        "queue.c", "	uint32_t moved[RING / 2 + 1], n = RING / 2;\n",
        "	uint32_t moved[RING / 2 + 1], n = RING / 2;\n\n	first = LOAD_ACQUIRE(&p->first);\n",
        ["ring SPILL_LOOKS_AGAIN"]),
    "a table is freed without grace": (
        "worker.c", "static bool is_safe(const struct retired *r)\n{",
        "static bool is_safe(const struct retired *r)\n{\n\treturn r != NULL;",
        ["tsan", "reclaim NO_GRACE"]),
    "a stale message is run": (
        "run.c", "unlikely(m->gen != LOAD(&a->gen))", "0", ["seeds"]),
    "nobody lets go who waits when the owner rests": (
        "run.c", "if (atomic_load(&a->waiters))\n\t\thold_release(w, a);\n\treturn ",
        "return ", ["seeds"]),
}


def library():
    """msgpack's, as this Debian calls it."""
    new = works("cc", "-shared", "-o", os.devnull, "-lmsgpack-c")
    return "-lmsgpack-c" if new else "-lmsgpackc"


class Planted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.library = library()
        for way, (flags, sources, *_) in WAYS.items():
            (cls.folder / way).mkdir()
            for source in [*CORE, *(TOP / s for s in sources)]:
                cls.compile(way, source, cls.folder / way / f"{source.stem}.o")

    @classmethod
    def compile(cls, way, source, to):
        subprocess.run(["cc", *FLAGS, *WAYS[way][0], "-c", source, "-o", to], check=True)

    def found(self, way, planted=None):
        """Whether the program of that way fails; planted: an object in place of another."""
        flags, _, runner, times, extra = WAYS[way]
        objects = [p for p in (self.folder / way).glob("*.o")
                   if not (planted and p.name == planted.name)] + ([planted] if planted else [])
        program = self.folder / f"{way}.program"
        subprocess.run(["cc", *flags, *objects, self.library, *LIBRARIES, "-o", program],
                       check=True)
        for _ in range(times):
            try:
                run = subprocess.run([*runner, program], env={**os.environ, **extra},
                                     timeout=60, capture_output=True, text=True)
            except subprocess.TimeoutExpired:
                return "it does not end"
            if run.returncode:
                return next((line for line in (run.stdout + run.stderr).splitlines()
                             if line.startswith(("seed ", "SUMMARY", "[  ERROR"))),
                            f"exit status {run.returncode}")
        return None

    def finds(self, way, file, planted):
        if way not in WAYS:
            model, fault = way.split()
            path = TOP / f"tests/model/{model}.pml"
            said = shutil.which("spin") and test_models.search(path, fault)
            return "spin: errors: 1" if said and "errors: 1" in said else None
        source = self.folder / file
        source.write_text(planted)
        there = self.folder / "planted" / file.replace(".c", ".o")
        there.parent.mkdir(exist_ok=True)
        self.compile(way, source, there)
        return self.found(way, there)

    def test_planted(self):
        for name, (file, text, as_this, ways) in FAULTS.items():
            with self.subTest(fault=name):
                source = (TOP / "runtime/core" / file).read_text()
                self.assertEqual(source.count(text), 1, f"{file} is another where this belongs")
                planted = source.replace(text, as_this)
                found = {way: self.finds(way, file, planted) for way in ways}
                print(f"{name}:", *(f"{way}: {found[way]}" for way in ways), sep="\n    ")
                self.assertTrue(any(found.values()), "not found")


if __name__ == "__main__":
    unittest.main()
