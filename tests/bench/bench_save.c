/* SPDX-License-Identifier: MIT
 * bench_save.c - how much later calls are answered while sessions save.
 *
 * 1,000 sessions, each a user, call the same actor ten times a second each. In one run of one node
 * short phases alternate: the handler sets what goes to the disk, or what stays in memory. A p99
 * differs from the next one's several times over with the machine's mood, which lasts longer than a
 * phase, so phases go in pairs, one of each kind, first the one or the other as a seed has it.
 *
 * "paired" is by how much p99 moves: the pairs' ratios, by Hodges and Lehmann's estimate, and
 * between what it lies by Wilcoxon's signed-rank test, in 95 of 100 runs. (A save that costs its
 * callers something does so in each phase, which has five writes to the disk; what else takes the
 * processor, threads of the kernel's, or another guest of the host, spoils single phases. The
 * shorter these are, the less: of 300 ms it lay between 0.78 and 1.04, where quarters of these had
 * 0.86 and 0.99.) Told besides are the p99 of all calls of each kind, which such things decide,
 * their ratio, and between what it lies in 95 of 100 draws of as many pairs, with repetition (the
 * bootstrap: Efron, 1979). The beginning of a phase does not count (SETTLE_NS in ws_load.c). A
 * saving that was made bad (a handler computed for half a millisecond, fifty times a second) had
 * 1.24 [1.03, 1.48] of paired in 36 s, and 0.62 [0.39, 1.02] of all calls.
 * SEED=N repeats an order; --seconds N takes 30 N s. */
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
	PHASE_MS = 160, PAIRS_MOST = 1000, DRAWS = 1000,
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

/* order[i]: enum kind, '0' or '1'. of[kind][bucket][pair]: calls. */
struct run {
	unsigned seed, pairs;
	char order[2 * PAIRS_MOST + 1];
	uint32_t calls[2][PAIRS_MOST];
	uint16_t of[2][BUCKETS][PAIRS_MOST];
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
		calls += r->calls[kind][pairs[i]];
	while (b && above * 100 <= calls) {
		b--;
		for (unsigned i = 0; i < n; i++)
			above += r->of[kind][b][pairs[i]];
	}
	return expm1((b + 0.5) / STEPS);
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double ratio(const struct run *r, const unsigned *pairs, unsigned n)
{
	return p99(r, pairs, n, KEPT) / p99(r, pairs, n, HELD);
}

struct judged { double ratio, from, to; };

static struct judged judge_all(const struct run *r, const unsigned *pairs)
{
	double drawn[DRAWS];
	unsigned draw[PAIRS_MOST];

	for (int i = 0; i < DRAWS; i++) {
		for (unsigned k = 0; k < r->pairs; k++)
			draw[k] = (unsigned)random() % r->pairs;
		drawn[i] = ratio(r, draw, r->pairs);
	}
	qsort(drawn, DRAWS, sizeof *drawn, by_number);
	return (struct judged){
		ratio(r, pairs, r->pairs), drawn[DRAWS / 40], drawn[DRAWS - 1 - DRAWS / 40],
	};
}

/* Of the means of any two, and of each with itself: the middle one, and as far from both ends as
 * the sum of ranks of n differences that are as often above 0 as below it lies in 95 of 100. */
static struct judged judge_pairs(const struct run *r, const unsigned *pairs)
{
	static double mean[PAIRS_MOST * (PAIRS_MOST + 1) / 2];
	double of[PAIRS_MOST], n = r->pairs, aside;
	size_t all = 0, least;

	for (unsigned i = 0; i < r->pairs; i++) {
		of[i] = log(ratio(r, pairs + i, 1));
		for (unsigned k = 0; k <= i; k++)
			mean[all++] = (of[i] + of[k]) / 2;
	}
	qsort(mean, all, sizeof *mean, by_number);
	aside = n * (n + 1) / 4 - 1.96 * sqrt(n * (n + 1) * (2 * n + 1) / 24);
	least = (size_t)fmax(0, aside);
	return (struct judged){ exp(mean[all / 2]), exp(mean[least]), exp(mean[all - 1 - least]) };
}

/* --- the run ------------------------------------------------------------------------------ */

static void draw_order(struct run *r)
{
	const char *seed = getenv("SEED");

	r->seed = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
	srandom(r->seed);
	for (unsigned i = 0; i < r->pairs; i++)
		memcpy(r->order + 2 * i, random() & 1 ? "01" : "10", 3);
}

static void read_samples(struct run *r, const char *path)
{
	FILE *f = fopen(path, "r");
	uint32_t two[2];

	if (!f)
		bench_fail("cannot read %s", path);
	while (fread(two, sizeof two, 1, f) == 1)
		if (two[0] < 2 * r->pairs) {
			int kind = r->order[two[0]] - '0';

			r->calls[kind][two[0] / 2]++;
			r->of[kind][bucket(two[1])][two[0] / 2]++;
		}
	fclose(f);
	for (unsigned i = 0; i < r->pairs; i++)
		if (!r->calls[HELD][i] || !r->calls[KEPT][i])
			bench_fail("a phase without a call: this machine is too busy");
}

static void load(const struct bench_node *node, struct run *r, const char *samples,
                 char line[1024])
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
	snprintf(time, sizeof time, "%.3f", 2 * r->pairs * PHASE_MS / 1e3);
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
	load(&node, r, samples, line);
	bench_node_stop(&node);
	unlink(samples);
	unlink(path);
	rmdir(folder);
}

int bench_ws_save(const struct bench_options *o)
{
	static struct run r;
	unsigned pairs[PAIRS_MOST];
	struct judged all, paired;
	char line[1024] = "";

	r.pairs = (unsigned)fmin(fmax(o->seconds * 15000 / PHASE_MS, 1), PAIRS_MOST);
	for (unsigned i = 0; i < r.pairs; i++)
		pairs[i] = i;
	draw_order(&r);
	run(&r, o, line);
	all = judge_all(&r, pairs);
	paired = judge_pairs(&r, pairs);
	bench_print("ws-save", p99(&r, pairs, r.pairs, KEPT), "us", o,
	            "\"sessions\":%d,\"saves\":%d,\"not_saved_p99_us\":%.0f,"
	            "\"of_not_saved\":%.3f,\"of_not_saved_95\":[%.3f,%.3f],"
	            "\"paired\":%.3f,\"paired_95\":[%.3f,%.3f],\"pairs\":%u,"
	            "\"cpu_us\":%.2f,\"not_saved_cpu_us\":%.2f,\"seed\":%u", SESSIONS, RATE,
	            p99(&r, pairs, r.pairs, HELD), all.ratio, all.from, all.to, paired.ratio,
	            paired.from, paired.to, r.pairs, bench_ws_field(line, "other_cpu_us"),
	            bench_ws_field(line, "cpu_us"), r.seed);
	return 0;
}
