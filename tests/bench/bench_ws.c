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

enum {
	TURNS = 3, ARGS = 16, SPREAD_CONNECTIONS = 10000, SPREAD_RATE = 5000,
	SESSIONS = 1000, SAVES_RATE = 10 * SESSIONS, PAIRS = 9,
};

struct load { double value, p50_us, p99_us, cpu_us, bytes; };
struct echo { pid_t pid; char listen[64]; };

/* --- programs beside this one ------------------------------------------------------------- */

/* Runs tests/bench-NAME, argv[0] is given; its stdout. */
static FILE *start(const char *name, char **argv, pid_t *pid)
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
	FILE *f = start("ws_echo", argv, &e->pid);

	if (!fgets(line, sizeof line, f) || sscanf(line, "listen=%63s", e->listen) != 1)
		bench_fail("the bare echo did not start");
	fclose(f);
}

static void echo_stop(const struct echo *e)
{
	kill(e->pid, SIGTERM);
	waitpid(e->pid, NULL, 0);
}

static double field(const char *line, const char *key)
{
	char quoted[32];
	const char *at;

	snprintf(quoted, sizeof quoted, "\"%s\":", key);
	at = strstr(line, quoted);
	return at ? atof(at + strlen(quoted)) : 0;
}

struct kind {
	const char *name; int connections, in_flight; bool json; int rate;
	const char *handler;            /* of the actor saver, each connection a user; NULL: echo */
};

static struct load load(const struct kind *k, pid_t pid, const char *listen, double seconds)
{
	char text[5][24], line[1024] = "", *argv[ARGS] = {
		NULL, "--pid", text[0], "--rate", text[1], (char *)(uintptr_t)listen,
		text[2], text[3], text[4], k->json ? "json" : "msgpack",
	};
	char *saver[] = {
		NULL, "--pid", text[0], "--rate", text[1], "--users", (char *)(uintptr_t)listen,
		text[2], text[3], text[4], "msgpack", "saver", (char *)(uintptr_t)k->handler, NULL,
	};
	int status;
	pid_t child;
	FILE *f;

	snprintf(text[0], sizeof text[0], "%d", pid);
	snprintf(text[1], sizeof text[1], "%d", k->rate);
	snprintf(text[2], sizeof text[2], "%d", k->connections);
	snprintf(text[3], sizeof text[3], "%d", k->in_flight);
	snprintf(text[4], sizeof text[4], "%.3f", seconds);
	f = start("ws_load", k->handler ? saver : argv, &child);
	if (!fgets(line, sizeof line, f))
		bench_fail("%s: the load failed", k->name);
	fclose(f);
	waitpid(child, &status, 0);
	if (status)
		bench_fail("%s: calls were lost or failed: %s", k->name, line);
	return (struct load){ field(line, "value"), field(line, "p50_us"), field(line, "p99_us"),
		              field(line, "cpu_us"), field(line, "connection_bytes") };
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

/* --- what sessions keep ------------------------------------------------------------------- */

static const char saver_source[] =
	"#include \"actor.h\"\n"
	"static int keep(actor *self, const msg *m) {\n"
	"	return client_add(self, msg_from(m), KEEP_LOCAL, \"n\", 1, 0); }\n"
	"static int hold(actor *self, const msg *m) {\n"
	"	return client_add(self, msg_from(m), KEEP_TEMP, \"n\", 1, 0); }\n"
	"const struct actor_type saver = { .name = \"saver\", .on = ON(\n"
	"	{ \"keep\", \"text:str\", keep, ON_CLIENT },\n"
	"	{ \"hold\", \"text:str\", hold, ON_CLIENT }) };\n";

static struct load save(const struct bench_options *o, const char *path, const char *what)
{
	struct kind k = { "saves", SESSIONS, 1, false, SAVES_RATE, what };
	struct bench_node node;
	struct load l;

	bench_node_start_with(&node, o->workers, NULL, path);
	l = load(&k, node.pid, node.listen, o->seconds);
	bench_node_stop(&node);
	return l;
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sessions that change something of theirs ten times a second each: the same calls to the same
 * actor, whose handler sets what goes to the disk, or what stays in memory. A p99 differs from the
 * next by more than what is asked for, so what counts is the ratio of two that follow each other at
 * once, in turn the one or the other first: its middle, and between what half of them lie. */
int bench_ws_save(const struct bench_options *o)
{
	struct load kept[PAIRS], held[PAIRS];
	double ratio[PAIRS];
	struct bench_options brief = *o;
	char folder[] = "/tmp/actor-bench-ws-XXXXXX", path[64];
	FILE *f;

	if (!mkdtemp(folder))
		bench_fail("cannot make a folder");
	snprintf(path, sizeof path, "%s/saver.c", folder);
	f = fopen(path, "w");
	if (!f || fputs(saver_source, f) < 0 || fclose(f))
		bench_fail("cannot write %s", path);
	brief.seconds = o->seconds / 2;
	for (int i = 0; i < PAIRS; i++) {
		for (int k = 0; k < 2; k++)
			if ((i + k) % 2)
				kept[i] = save(&brief, path, "keep");
			else
				held[i] = save(&brief, path, "hold");
		ratio[i] = kept[i].p99_us / held[i].p99_us;
	}
	unlink(path);
	rmdir(folder);
	qsort(held, PAIRS, sizeof *held, by_p99);
	qsort(kept, PAIRS, sizeof *kept, by_p99);
	qsort(ratio, PAIRS, sizeof *ratio, by_number);
	bench_print("ws-save", kept[PAIRS / 2].p99_us, "us", o,
	            "\"sessions\":%d,\"saves\":%.0f,\"p50_us\":%.0f,\"cpu_us\":%.2f,"
	            "\"not_saved_p99_us\":%.0f,\"not_saved_p50_us\":%.0f,\"not_saved_cpu_us\":%.2f,"
	            "\"of_not_saved\":%.3f,\"of_not_saved_half\":[%.3f,%.3f],\"pairs\":%d",
	            SESSIONS, kept[PAIRS / 2].value, kept[PAIRS / 2].p50_us,
	            kept[PAIRS / 2].cpu_us, held[PAIRS / 2].p99_us, held[PAIRS / 2].p50_us,
	            held[PAIRS / 2].cpu_us, ratio[PAIRS / 2], ratio[PAIRS / 4],
	            ratio[PAIRS - 1 - PAIRS / 4], PAIRS);
	return 0;
}

/* --- all of them -------------------------------------------------------------------------- */

int bench_ws_echo(const struct bench_options *o)
{
	speed(&(struct kind){ "one at a time, 100", 100, 1, false, 0, NULL }, o);
	speed(&(struct kind){ "one at a time, 1000", 1000, 1, false, 0, NULL }, o);
	spread(&(struct kind){ "mostly idle", SPREAD_CONNECTIONS, 1, false, SPREAD_RATE, NULL }, o);
	speed(&(struct kind){ "16 in flight, json", 100, 16, true, 0, NULL }, o);
	speed(&(struct kind){ "16 in flight, msgpack", 100, 16, false, 0, NULL }, o);
	return 0;
}
