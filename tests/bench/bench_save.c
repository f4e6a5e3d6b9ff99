/* SPDX-License-Identifier: MIT
 * bench_save.c - how much later calls are answered while sessions save.
 *
 * 1,000 sessions, each a user, call the same actor ten times a second each. In one run of one node
 * short phases alternate: the handler sets what goes to the disk, or what stays in memory. A p99
 * differs from the next one's several times over with the machine's mood, which lasts longer than a
 * phase, so phases go in pairs, one of each kind, first the one or the other as a seed has it.
 *
 * Told are the p99 of all calls of each kind, their ratio, and between what it lies in 95 of 100
 * draws of as many pairs, with repetition (the bootstrap: Efron, 1979). What takes the processor
 * for over a hundredth of the time, and is not ours, decides that p99 (threads of the kernel's,
 * 1.5 ms at a time), so the same is told of the quieter phases: of those of each kind the one at a
 * quarter, by their p99. And in how many pairs the saving phase had the larger p99. The beginning
 * of a phase does not count (SETTLE_NS in ws_load.c). SEED=N repeats an order.
 * A saving that was made bad (fdatasync on a worker, fifty times a second) had 2.6 [2.4, 2.9] of
 * the quieter phases' p99, one that took its processor for 0.4 ms at a time 1.8 [1.6, 1.9]. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "bench_node.h"
#include "bench_ws.h"

enum {
	SESSIONS = 1000, RATE = 10 * SESSIONS, IN_FLIGHT = 16,
	PAIRS = 60, PHASES = 2 * PAIRS, DRAWS = 1000,
	STEPS = 400, BUCKETS = 14 * STEPS,      /* a bucket is a 400th of e: 0.25 % */
};
enum kind { HELD, KEPT };

static const char source[] =
	"#include \"actor.h\"\n"
	"static int keep(actor *self, const msg *m) {\n"
	"	return client_add(self, msg_from(m), KEEP_LOCAL, \"n\", 1, 0); }\n"
	"static int hold(actor *self, const msg *m) {\n"
	"	return client_add(self, msg_from(m), KEEP_TEMP, \"n\", 1, 0); }\n"
	"const struct actor_type saver = { .name = \"saver\", .on = ON(\n"
	"	{ \"keep\", \"text:str\", keep, ON_CLIENT },\n"
	"	{ \"hold\", \"text:str\", hold, ON_CLIENT }) };\n";

struct histogram { uint32_t calls, of[BUCKETS]; };

/* order[i]: enum kind, '0' or '1'. pair[i]: of each kind. */
struct run {
	unsigned seed;
	char order[PHASES + 1];
	struct histogram pair[PAIRS][2];
	double phase_p99[PAIRS][2];
};

static unsigned bucket(uint32_t us)
{
	unsigned i = (unsigned)(log1p(us) * STEPS);

	return i < BUCKETS ? i : BUCKETS - 1;
}

/* us; of all calls of that kind in n pairs. */
static double p99(const struct run *r, const unsigned *pairs, unsigned n, enum kind kind)
{
	uint64_t calls = 0, above = 0;
	unsigned b = BUCKETS;

	for (unsigned i = 0; i < n; i++)
		calls += r->pair[pairs[i]][kind].calls;
	while (b && above * 100 <= calls) {
		b--;
		for (unsigned i = 0; i < n; i++)
			above += r->pair[pairs[i]][kind].of[b];
	}
	return expm1((b + 0.5) / STEPS);
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* us; of the phases of that kind in n pairs the p99 that a quarter of them stays below. */
static double quiet(const struct run *r, const unsigned *pairs, unsigned n, enum kind kind)
{
	double of[PAIRS];

	for (unsigned i = 0; i < n; i++)
		of[i] = r->phase_p99[pairs[i]][kind];
	qsort(of, n, sizeof *of, by_number);
	return of[n / 4];
}

typedef double measure(const struct run *r, const unsigned *pairs, unsigned n, enum kind kind);

static double ratio(measure *of, const struct run *r, const unsigned *pairs)
{
	return of(r, pairs, PAIRS, KEPT) / of(r, pairs, PAIRS, HELD);
}

struct judged { double kept, held, ratio, from, to; };

static struct judged judge(measure *of, const struct run *r)
{
	double drawn[DRAWS];
	unsigned pairs[PAIRS];
	struct judged j;

	for (unsigned i = 0; i < PAIRS; i++)
		pairs[i] = i;
	j.kept = of(r, pairs, PAIRS, KEPT);
	j.held = of(r, pairs, PAIRS, HELD);
	j.ratio = ratio(of, r, pairs);
	for (int i = 0; i < DRAWS; i++) {
		for (int k = 0; k < PAIRS; k++)
			pairs[k] = (unsigned)random() % PAIRS;
		drawn[i] = ratio(of, r, pairs);
	}
	qsort(drawn, DRAWS, sizeof *drawn, by_number);
	j.from = drawn[DRAWS / 40];
	j.to = drawn[DRAWS - 1 - DRAWS / 40];
	return j;
}

/* --- the run ------------------------------------------------------------------------------ */

static void draw_order(struct run *r)
{
	const char *seed = getenv("SEED");

	r->seed = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
	srandom(r->seed);
	for (int i = 0; i < PAIRS; i++)
		memcpy(r->order + 2 * i, random() & 1 ? "01" : "10", 3);
}

static void read_samples(struct run *r, const char *path)
{
	FILE *f = fopen(path, "r");
	uint32_t two[2];

	if (!f)
		bench_fail("cannot read %s", path);
	while (fread(two, sizeof two, 1, f) == 1)
		if (two[0] < PHASES) {
			struct histogram *h = &r->pair[two[0] / 2][r->order[two[0]] - '0'];

			h->calls++;
			h->of[bucket(two[1])]++;
		}
	fclose(f);
	for (unsigned i = 0; i < PAIRS; i++)
		for (enum kind kind = HELD; kind <= KEPT; kind++) {
			if (!r->pair[i][kind].calls)
				bench_fail("a phase without a call: more --seconds, please");
			r->phase_p99[i][kind] = p99(r, &i, 1, kind);
		}
}

static void load(const struct bench_node *node, struct run *r, double seconds,
                 const char *samples, char line[1024])
{
	char pid[16], rate[16], sessions[16], in_flight[16], time[16];
	char *argv[] = {
		NULL, "--pid", pid, "--rate", rate, "--users", "--order", r->order,
		"--other", "keep", "--samples", (char *)(uintptr_t)samples,
		(char *)(uintptr_t)node->listen, sessions, in_flight, time, "msgpack", "saver",
		"hold", NULL,
	};
	int status;
	pid_t child;
	FILE *f;

	snprintf(pid, sizeof pid, "%d", node->pid);
	snprintf(rate, sizeof rate, "%d", RATE);
	snprintf(sessions, sizeof sessions, "%d", SESSIONS);
	snprintf(in_flight, sizeof in_flight, "%d", IN_FLIGHT);
	snprintf(time, sizeof time, "%.3f", seconds);
	f = bench_ws_start("ws_load", argv, &child);
	if (!fgets(line, 1024, f))
		bench_fail("the load failed");
	fclose(f);
	waitpid(child, &status, 0);
	if (status)
		bench_fail("calls were lost or failed: %s", line);
	read_samples(r, samples);
}

static void run(struct run *r, const struct bench_options *o, char line[1024])
{
	char folder[] = "/tmp/actor-bench-ws-XXXXXX", path[64], samples[64];
	struct bench_node node;
	FILE *f;

	if (!mkdtemp(folder))
		bench_fail("cannot make a folder");
	snprintf(path, sizeof path, "%s/saver.c", folder);
	snprintf(samples, sizeof samples, "%s/samples", folder);
	f = fopen(path, "w");
	if (!f || fputs(source, f) < 0 || fclose(f))
		bench_fail("cannot write %s", path);
	bench_node_start_with(&node, o->workers, NULL, path);
	load(&node, r, PHASES * o->seconds / 4, samples, line);
	bench_node_stop(&node);
	unlink(samples);
	unlink(path);
	rmdir(folder);
}

int bench_ws_save(const struct bench_options *o)
{
	static struct run r;
	struct judged all, calm;
	unsigned larger = 0;
	char line[1024] = "";

	draw_order(&r);
	run(&r, o, line);
	for (int i = 0; i < PAIRS; i++)
		larger += r.phase_p99[i][KEPT] > r.phase_p99[i][HELD];
	all = judge(p99, &r);
	calm = judge(quiet, &r);
	bench_print("ws-save", all.kept, "us", o,
	            "\"sessions\":%d,\"saves\":%d,\"not_saved_p99_us\":%.0f,"
	            "\"of_not_saved\":%.3f,\"of_not_saved_95\":[%.3f,%.3f],"
	            "\"quiet_p99_us\":%.0f,\"quiet_not_saved_p99_us\":%.0f,"
	            "\"quiet_of_not_saved\":%.3f,\"quiet_of_not_saved_95\":[%.3f,%.3f],"
	            "\"pairs\":%d,\"pairs_larger\":%u,\"cpu_us\":%.2f,"
	            "\"not_saved_cpu_us\":%.2f,\"seed\":%u", SESSIONS, RATE, all.held, all.ratio,
	            all.from, all.to, calm.kept, calm.held, calm.ratio, calm.from, calm.to, PAIRS,
	            larger, bench_ws_field(line, "other_cpu_us"), bench_ws_field(line, "cpu_us"),
	            r.seed);
	return 0;
}
