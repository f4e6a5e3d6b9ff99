/* SPDX-License-Identifier: MIT
 * bench_ws.c - calls by WebSocket clients, each case beside a bare echo of the same library.
 *
 * Three processes: the server that is measured, one at a time, and the load (ws_load). The node and
 * the echo take turns within one run, and medians are compared, as a machine's speed drifts. One at
 * a time is compared with the library's plain echo, several in flight with the batched one. The
 * node starts anew for each, so that memory is counted from the same point. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "bench_node.h"
#include "bench_ws.h"

enum { TURNS = 3, ARGS = 16, SPREAD_CONNECTIONS = 10000, SPREAD_RATE = 5000 };

struct load { double value, p50_us, p99_us, cpu_us, bytes; };
struct echo { pid_t pid; char listen[64]; };

/* --- programs beside this one ------------------------------------------------------------- */

FILE *bench_ws_start(const char *name, char **argv, pid_t *pid)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 64);
	int out[2];
	FILE *f;

	path[len < 0 ? 0 : len] = 0;
	sprintf(strrchr(path, '/') + 1, "tests/bench-%s", name);
	argv[0] = path;
	if (pipe(out) < 0 || (*pid = fork()) < 0)
		bench_fail("cannot start %s", path);
	if (*pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		execv(path, argv);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	if (!f)
		bench_fail("cannot read from %s", path);
	return f;
}

static void echo_start(struct echo *e, bool batched)
{
	char *argv[] = { NULL, batched ? "batched" : NULL, NULL }, line[128];
	FILE *f = bench_ws_start("ws_echo", argv, &e->pid);

	if (!fgets(line, sizeof line, f) || sscanf(line, "listen=%63s", e->listen) != 1)
		bench_fail("the bare echo did not start");
	fclose(f);
}

static void echo_stop(const struct echo *e)
{
	kill(e->pid, SIGTERM);
	waitpid(e->pid, NULL, 0);
}

double bench_ws_field(const char *line, const char *key)
{
	char quoted[32];
	const char *at;

	snprintf(quoted, sizeof quoted, "\"%s\":", key);
	at = strstr(line, quoted);
	return at ? atof(at + strlen(quoted)) : 0;
}

struct kind {
	const char *name; int connections, in_flight; bool json; int rate;
};

static struct load load(const struct kind *k, pid_t pid, const char *listen, double seconds)
{
	char text[5][24], line[1024] = "", *argv[ARGS] = {
		NULL, "--pid", text[0], "--rate", text[1], (char *)(uintptr_t)listen,
		text[2], text[3], text[4], k->json ? "json" : "msgpack",
	};
	int status;
	pid_t child;
	FILE *f;

	snprintf(text[0], sizeof text[0], "%d", pid);
	snprintf(text[1], sizeof text[1], "%d", k->rate);
	snprintf(text[2], sizeof text[2], "%d", k->connections);
	snprintf(text[3], sizeof text[3], "%d", k->in_flight);
	snprintf(text[4], sizeof text[4], "%.3f", seconds);
	f = bench_ws_start("ws_load", argv, &child);
	if (!fgets(line, sizeof line, f))
		bench_fail("%s: the load failed", k->name);
	fclose(f);
	waitpid(child, &status, 0);
	if (status)
		bench_fail("%s: calls were lost or failed: %s", k->name, line);
	return (struct load){
		bench_ws_field(line, "value"), bench_ws_field(line, "p50_us"),
		bench_ws_field(line, "p99_us"), bench_ws_field(line, "cpu_us"),
		bench_ws_field(line, "connection_bytes"),
	};
}

/* --- the cases ---------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = ((const struct load *)a)->value, y = ((const struct load *)b)->value;

	return x < y ? -1 : x > y;
}

static int by_p99(const void *a, const void *b)
{
	double x = ((const struct load *)a)->p99_us, y = ((const struct load *)b)->p99_us;

	return x < y ? -1 : x > y;
}

/* Of TURNS of each the middle one: by p99 where the rate is given, else by what was reached. */
static void measure(const struct kind *k, const struct bench_options *o, struct load *ours,
                    struct load *bare)
{
	int (*order)(const void *, const void *) = k->rate ? by_p99 : by_value;
	struct load us[TURNS], them[TURNS];

	for (int i = 0; i < TURNS; i++) {
		struct bench_node node;
		struct echo echo;

		echo_start(&echo, k->in_flight > 1);
		them[i] = load(k, echo.pid, echo.listen, o->seconds);
		echo_stop(&echo);
		bench_node_start(&node, o->workers);
		us[i] = load(k, node.pid, node.listen, o->seconds);
		bench_node_stop(&node);
	}
	qsort(us, TURNS, sizeof *us, order);
	qsort(them, TURNS, sizeof *them, order);
	*ours = us[TURNS / 2];
	*bare = them[TURNS / 2];
}

static void speed(const struct kind *k, const struct bench_options *o)
{
	struct load ours, bare;

	measure(k, o, &ours, &bare);
	bench_print("ws-echo", ours.value, "calls/s", o,
	            "\"case\":\"%s\",\"connections\":%d,\"in_flight\":%d,\"encoding\":\"%s\","
	            "\"p50_us\":%.0f,\"p99_us\":%.0f,\"cpu_us\":%.2f,\"bare\":%.0f,"
	            "\"bare_is\":\"%s\",\"of_bare\":%.3f", k->name, k->connections, k->in_flight,
	            k->json ? "json" : "msgpack", ours.p50_us, ours.p99_us, ours.cpu_us, bare.value,
	            k->in_flight > 1 ? "batched" : "plain", ours.value / bare.value);
}

/* Many connections of which few speak: what a message and a connection cost. */
static void spread(const struct kind *k, const struct bench_options *o)
{
	struct load ours, bare;

	measure(k, o, &ours, &bare);
	bench_print("ws-echo", ours.p99_us, "us", o,
	            "\"case\":\"%s\",\"connections\":%d,\"rate\":%d,\"p50_us\":%.0f,"
	            "\"p99_us\":%.0f,\"cpu_us\":%.2f,\"connection_bytes\":%.0f,"
	            "\"bare_p99_us\":%.0f,\"bare_cpu_us\":%.2f,\"bare_connection_bytes\":%.0f",
	            k->name, k->connections, k->rate, ours.p50_us, ours.p99_us, ours.cpu_us,
	            ours.bytes, bare.p99_us, bare.cpu_us, bare.bytes);
}

/* --- all of them -------------------------------------------------------------------------- */

int bench_ws_echo(const struct bench_options *o)
{
	speed(&(struct kind){ "one at a time, 100", 100, 1, false, 0 }, o);
	speed(&(struct kind){ "one at a time, 1000", 1000, 1, false, 0 }, o);
	spread(&(struct kind){ "mostly idle", SPREAD_CONNECTIONS, 1, false, SPREAD_RATE }, o);
	speed(&(struct kind){ "16 in flight, json", 100, 16, true, 0 }, o);
	speed(&(struct kind){ "16 in flight, msgpack", 100, 16, false, 0 }, o);
	return 0;
}
