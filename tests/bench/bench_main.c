/* SPDX-License-Identifier: MIT
 * bench_main.c - actor-bench: every benchmark of the project, one JSON object a line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static const struct { const char *name, *what; workload *run;
} workloads[] = {
	{"ping-pong", "two actors, one ball: round trips/s", bench_ping_pong},
	{"ping-pong-pairs", "100 pairs: round trips/s", bench_ping_pong_pairs},
	{"ask-pairs", "100 pairs, questions with deadlines: answers/s", bench_ask_pairs},
	{"fan-in", "16 senders, one receiver: messages/s", bench_fan_in},
	{"ring", "10,000 actors, 100 tokens: hops/s", bench_ring},
	{"spawn", "1,000,000 actors made, one message each, gone: actors/s", bench_spawn},
	{"idle-memory", "bytes an idle actor that has handled one message, of 1,000,000",
	 bench_idle_memory},
	{"scrape", "ms, a scrape of /metrics at 1,000,000 actors, median; and one refresh of top",
	 bench_scrape},
	{"big", "1,000 actors, each asks random others: messages/s with answers", bench_big},
	{"trace", "% more time a message that is traced takes with a handler of 1 us; before it\n"
	 "                   one in 1,000, and handlers that do nothing", bench_trace_cost},
	{"fairness", "us, p99 from due to reply of a paced pair beside actors that compute 10 ms",
	 bench_fairness},
	{"redis-call", "256 questions under way from one node to another, and bare: calls/s",
	 bench_redis_call},
	{"redis-low", "us, p50 of a call between nodes, one at a time; before it, by lists",
	 bench_redis_low},
	{"redis-stream", "one way from one node to another, and bare: messages/s",
	 bench_redis_stream},
	{"redis-list", "RPC by Redis lists, 64 in flight, answers by a channel: calls/s",
	 bench_redis_list},
	{"patch-latency", "us, p50 from publish to the first answer by the new code",
	 bench_patch_latency},
	{"patch-swap", "ns a message more while two types that feed each other are swapped",
	 bench_patch_swap},
	{"patch-memory", "bytes of RSS that 10,000 patches in a row leave", bench_patch_memory},
	{"patch-back", "us, p99 from a fault of a patch to the first answer by the code before it",
	 bench_patch_back},
	{"ws-echo", "calls/s by WebSocket, beside a bare echo of libwebsockets; last: 100\n"
	 "                   connections, 16 in flight, msgpack", bench_ws_echo},
	{"ws-save", "us, p99 of 10,000 calls/s by 1,000 sessions, each kept on the disk",
	 bench_ws_save},
};

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

long bench_memory(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t len = strlen(key);
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, key, len) && line[len] == ':')
			kib = atol(line + len + 1);
	if (f)
		fclose(f);
	return kib;
}

double bench_cpu(int pid)
{
	unsigned long user = 0, kernel = 0;
	char path[32], line[1024] = "";
	const char *at;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "r");
	at = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
	if (f)
		fclose(f);
	if (at)
		sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

void bench_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("actor-bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void bench_print(const char *name, double value, const char *unit, const struct bench_options *o,
                 const char *more, ...)
{
	va_list ap;

	printf("{\"workload\":\"%s\",\"value\":%.*f,\"unit\":\"%s\",\"workers\":%d", name,
	       value < 1000 ? 3 : 0, value, unit, o->workers);
	if (more) {
		putchar(',');
		va_start(ap, more);
		vprintf(more, ap);
		va_end(ap);
	}
	puts("}");
	fflush(stdout);
}

static void usage(FILE *to)
{
	fputs("usage: actor-bench WORKLOAD [--workers N] [--seconds S]\n\n"
	      "Prints one JSON object a line, the headline figure last. Workloads:\n", to);
	for (size_t i = 0; i < ARRAY_LEN(workloads); i++)
		fprintf(to, "  %-16s %s\n", workloads[i].name, workloads[i].what);
	fputs("\n  --trace N     any of the core's workloads with one in N messages traced\n"
	      "  --workers N   threads of the pool (2)\n  --seconds S   how long to measure "
	      "(2)\n",
	      to);
}

static int bad(const char *fmt, const char *what)
{
	fprintf(stderr, fmt, what);
	fputs("; see actor-bench --help\n", stderr);
	return 2;
}

static int run(const char *name, const struct bench_options *o)
{
	for (size_t i = 0; i < ARRAY_LEN(workloads); i++)
		if (!strcmp(name, workloads[i].name))
			return workloads[i].run(o);
	return bad("actor-bench: there is no workload %s", name);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"workers", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 's'},
		{"trace", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct bench_options o = { .workers = 2, .seconds = 2 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'w': o.workers = atoi(optarg); break;
		case 's': o.seconds = atof(optarg); break;
		case 't': o.trace = atol(optarg); break;
		case 'h': usage(stdout); return 0;
		case 'V': puts("actor-bench " ACTORD_VERSION); return 0;
		default: return 2;
		}
	if (o.workers < 1 || o.workers > 64)
		return bad("actor-bench: %s", "--workers takes 1 to 64");
	if (!(o.seconds > 0 && o.seconds <= 3600))
		return bad("actor-bench: %s", "--seconds takes a number above 0, at most 3600");
	if (optind + 1 != argc)
		return bad("actor-bench: %s", "name one workload");
	return run(argv[optind], &o);
}
