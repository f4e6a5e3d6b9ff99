/* SPDX-License-Identifier: MIT
 * bench_redis.c - workloads through Redis: calls by lists, and how soon a patch is met, or
 * taken back by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_dial.h"
#include "bench_node.h"

enum { FLIGHT = 256, PATCHES = 200, PATCHES_FIRST = 10, LOAD = 100000, MANY = 10000, BACKS = 1000 };

static void subscribe(redisContext *c, const char *channel)
{
	redisAppendCommand(c, "SUBSCRIBE %s", channel);
	freeReplyObject(bench_reply(c));
}

/* The next message of the channel; borrowed until *r is freed. */
static const char *message(redisContext *c, redisReply **r)
{
	*r = bench_reply(c);
	if ((*r)->type != REDIS_REPLY_ARRAY || (*r)->elements != 3)
		bench_fail("what came is no message of a channel");
	return (*r)->element[2]->str;
}

/* --- calls by a list, answers by a channel ------------------------------------------------ */

static void call(redisContext *c)
{
	redisAppendCommand(c, "RPUSH rpc %s",
			   "{\"func\":\"test\",\"ct\":\"bench\",\"cb\":\"back\",\"args\":[\"arg1\","
			   "\"arg2\"]}");
}

static void flush(redisContext *c, int replies)
{
	while (replies--)
		freeReplyObject(bench_reply(c));
}

int bench_redis_list(const struct bench_options *o)
{
	struct bench_node node;
	redisContext *to, *from;
	double began, until;
	int64_t n = 0;
	int unread = 0;

	bench_node_start(&node, o->workers);
	to = bench_dial(node.redis);
	from = bench_dial(node.redis);
	subscribe(from, "bench");
	for (int i = 0; i < FLIGHT; i++)
		call(to);
	flush(to, FLIGHT);
	began = bench_now();
	until = began + o->seconds;
	while (bench_now() < until) {
		redisReply *r;

		/* All answers that have come, then as many calls in their place, with one write. */
		do {
			if (!strstr(message(from, &r), "args: arg1, arg2."))
				bench_fail("a wrong answer: %s", r->element[2]->str);
			freeReplyObject(r);
			call(to);
			unread++;
			n++;
		} while (from->reader->pos < from->reader->len);
		flush(to, unread);
		unread = 0;
	}
	bench_print("redis-list", (double)n / (bench_now() - began), "calls/s", o,
		    "\"in_flight\":%d", FLIGHT);
	redisFree(to);
	redisFree(from);
	bench_node_stop(&node);
	return 0;
}

/* --- patches ------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Twenty lines, as one writes them. */
static const char twenty_lines[] =
	"#include \"actor.h\"\n"
	"#include <string.h>\n\n"
	"/* A patch of twenty lines, as one writes them: what changes, and nothing else. */\n"
	"static int test(actor *self, const msg *m)\n{\n"
	"\tconst char *first = msg_str(m, 0);\n"
	"\tconst char *second = msg_str(m, 1);\n\n"
	"\t(void)self;\n"
	"\tif (!strlen(first) || !strlen(second))\n"
	"\t\treturn msg_fail(m, \"two names\");\n"
	"\treturn msg_reply(m, \"patched %d\");\n}\n\n"
	"const struct actor_type patch = {\n"
	"\t.name = \"rpc\",\n"
	"\t.on = ON({ \"test\", \"arg1:str arg2:str\", test, 0 }),\n};\n";

/* Messages from an actor to another, so many a millisecond. */
static const char load_source[] =
	"#include \"actor.h\"\n"
	"static int heard(actor *self, const msg *m) { return 0; }\n"
	"static const struct actor_type drain = { .name = \"bench_drain\",\n"
	"\t.on = ON({ \"heard\", \"n:int\", heard, 0 }) };\n"
	"struct pump { actor_ref to; int64_t n; };\n"
	"static int tick(actor *self, const msg *m)\n{\n"
	"\tstruct pump *p = actor_state(self);\n\n"
	"\tfor (int i = 0; i < %d; i++)\n"
	"\t\tactor_send(self, p->to, \"heard\", p->n++);\n"
	"\treturn 0;\n}\n"
	"static int start(actor *self)\n{\n"
	"\tstruct pump *p = actor_state(self);\n\n"
	"\tp->to = actor_spawn(self, &drain, NULL);\n"
	"\treturn actor_every(self, 1, \"tick\") < 0;\n}\n"
	"static const struct actor_type pump = { .name = \"bench_pump\",\n"
	"\t.state = sizeof(struct pump), .start = start, .on = ON({ \"tick\", \"\", tick, 0 }) };\n"
	"int process(actor *self) { return !actor_spawn(self, &pump, NULL); }\n";

/* {"func":"exec","args":["..."]} */
static void publish_exec(redisContext *to, const char *source)
{
	char out[8192];
	size_t n = (size_t)snprintf(out, sizeof out, "{\"func\":\"exec\",\"cb\":\"done\","
	                            "\"ct\":\"bench-done\",\"args\":[\"");

	for (const char *p = source; *p && n < sizeof out - 8; p++)
		if (*p == '\n' || *p == '\t')
			n += (size_t)snprintf(out + n, 3, "\\%c", *p == '\n' ? 'n' : 't');
		else
			n += (size_t)snprintf(out + n, 3, "%s%c",
			                      strchr("\"\\", *p) ? "\\" : "", *p);
	snprintf(out + n, sizeof out - n, "\"]}");
	redisAppendCommand(to, "PUBLISH rpc %s", out);
}

/* What the sender of a patch is told. */
static void expect_done(redisContext *from)
{
	redisReply *r;

	if (strstr(message(from, &r), "\"err\""))
		bench_fail("the patch was refused: %s", r->element[2]->str);
	freeReplyObject(r);
}

/* A patch, and a call right behind it, on the same connection, the outcome and the answer on
 * another. us until the new code's answer. */
static double patch(redisContext *to, redisContext *from, int i)
{
	char source[1024], expected[32];
	double began;
	redisReply *r;

	snprintf(source, sizeof source, twenty_lines, i);
	snprintf(expected, sizeof expected, "patched %d\"", i);
	began = bench_now();
	publish_exec(to, source);
	call(to);
	flush(to, 2);
	expect_done(from);
	if (!strstr(message(from, &r), expected))
		bench_fail("the call behind patch %d did not meet it: %s", i, r->element[2]->str);
	freeReplyObject(r);
	return (bench_now() - began) * 1e6;
}

/* A call alone, us. */
static double call_takes(redisContext *to, redisContext *from)
{
	double all[PATCHES];

	for (int i = 0; i < PATCHES; i++) {
		double began = bench_now();
		redisReply *r;

		call(to);
		flush(to, 1);
		message(from, &r);
		freeReplyObject(r);
		all[i] = (bench_now() - began) * 1e6;
	}
	qsort(all, PATCHES, sizeof *all, by_size);
	return all[PATCHES / 2];
}

static double took[PATCHES];

static void patch_often(redisContext *to, redisContext *from)
{
	for (int i = -PATCHES_FIRST; i < PATCHES; i++) {
		double us = patch(to, from, i + PATCHES_FIRST);

		if (i >= 0)
			took[i] = us;
	}
	qsort(took, PATCHES, sizeof *took, by_size);
}

enum { STAGES = 5 };
static const char *const stage_name[STAGES] = {
	"waiting", "compile", "checks", "journal", "switch",
};

/* The medians of what the node's log says of each patch: `...; us: waiting 20, compile 210, ...`;
 * what is left of the whole, but for the call behind it, is Redis and the way to and from the actor
 * `patch`. */
static void print_stages(const struct bench_node *n, const struct bench_options *o,
                         double call_us)
{
	double *at[STAGES], sum = 0;
	char path[128], line[4096];
	int count = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/log", n->folder);
	f = fopen(path, "r");
	for (int i = 0; i < STAGES; i++)
		at[i] = calloc(PATCHES, sizeof **at);
	while (f && count < PATCHES && fgets(line, sizeof line, f)) {
		const char *us = strstr(line, "; us: ");

		for (int i = 0; us && i < STAGES; i++) {
			const char *word = strstr(us, stage_name[i]);

			at[i][count] = word ? atof(word + strlen(stage_name[i])) : 0;
		}
		count += us != NULL;
	}
	if (f)
		fclose(f);
	for (int i = 0; i < STAGES; i++) {
		qsort(at[i], (size_t)count, sizeof **at, by_size);
		sum += at[i][count / 2];
	}
	bench_print("patch-latency", took[PATCHES / 2] - sum - call_us, "us", o,
	            "\"case\":\"the way to the actor and back\",\"call\":%.0f,"
	            "\"waiting\":%.0f,\"compile\":%.0f,"
	            "\"checks\":%.0f,\"journal\":%.0f,\"switch\":%.0f", call_us, at[0][count / 2],
	            at[1][count / 2], at[2][count / 2], at[3][count / 2], at[4][count / 2]);
	for (int i = 0; i < STAGES; i++)
		free(at[i]);
}

int bench_patch_latency(const struct bench_options *o)
{
	char source[sizeof load_source + 16];
	struct bench_node node;
	redisContext *to, *from;
	double idle, p99, max;

	bench_node_start(&node, o->workers);
	to = bench_dial(node.redis);
	from = bench_dial(node.redis);
	subscribe(from, "bench");
	subscribe(from, "bench-done");
	patch_often(to, from);
	print_stages(&node, o, call_takes(to, from));
	idle = took[PATCHES / 2];
	p99 = took[PATCHES * 99 / 100 - 1];
	max = took[PATCHES - 1];
	snprintf(source, sizeof source, load_source, LOAD / 1000);
	publish_exec(to, source);
	flush(to, 1);
	expect_done(from);
	patch_often(to, from);
	bench_print("patch-latency", took[PATCHES / 2], "us", o, "\"case\":\"while %d messages/s "
	            "flow\",\"p99\":%.1f,\"max\":%.1f", LOAD, took[PATCHES * 99 / 100 - 1],
	            took[PATCHES - 1]);
	bench_print("patch-latency", idle, "us", o, "\"p99\":%.1f,\"max\":%.1f,\"patches\":%d",
	            p99, max, PATCHES);
	redisFree(to);
	redisFree(from);
	bench_node_stop(&node);
	return 0;
}

/* --- 10,000 of them ----------------------------------------------------------------------- */

static long resident(const struct bench_node *n)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)n->pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "VmRSS:", 6))
			kib = atol(line + 6);
	if (f)
		fclose(f);
	return kib * 1024;
}

int bench_patch_memory(const struct bench_options *o)
{
	struct bench_node node;
	redisContext *to, *from;
	long first, before = 0;

	bench_node_start(&node, o->workers);
	to = bench_dial(node.redis);
	from = bench_dial(node.redis);
	subscribe(from, "bench");
	subscribe(from, "bench-done");
	patch(to, from, 0);
	first = resident(&node);
	for (int i = 1; i <= MANY; i++) {
		patch(to, from, i);
		if (i == MANY / 10)
			before = resident(&node);
	}
	bench_print("patch-memory", (double)(resident(&node) - first), "bytes", o,
	            "\"patches\":%d,\"of_the_last_nine_tenths\":%ld", MANY,
	            resident(&node) - before);
	redisFree(to);
	redisFree(from);
	bench_node_stop(&node);
	return 0;
}

/* --- from a fault to the answer of the code before ---------------------------------------- */

/* sent: commands before, whose replies are still to be read. */
static void call_until(redisContext *to, redisContext *from, int sent, const char *expected)
{
	for (int calls = 1;; calls++) {
		redisReply *r;
		bool met;

		call(to);
		flush(to, 1 + (calls == 1 ? sent : 0));
		met = strstr(message(from, &r), expected) != NULL;
		freeReplyObject(r);
		if (met)
			return;
		if (calls > 100000)
			bench_fail("%s never came", expected);
	}
}

static double back(redisContext *to, redisContext *from, int i)
{
	char source[512], expected[32];
	double began;
	redisReply *r;

	snprintf(source, sizeof source,
		 "#include \"actor.h\"\n"
		 "static int test(actor *self, const msg *m)\n{\n\t(void)self;\n"
		 "\tif (*msg_str(m, 0) == 'x')\n\t\treturn *(volatile int *)8;\n"
		 "\treturn msg_reply(m, \"patched %d\");\n}\n"
		 "const struct actor_type patch = {\n\t.name = \"rpc\",\n"
		 "\t.on = ON({ \"test\", \"arg1:str arg2:str\", test, 0 }),\n};\n",
		 i);
	snprintf(expected, sizeof expected, "patched %d\"", i);
	redisAppendCommand(to, "PUBLISH patch %s", source);
	call_until(to, from, 1, expected);
	began = bench_now();
	redisAppendCommand(to, "RPUSH rpc %s",
			   "{\"func\":\"test\",\"ct\":\"bench\",\"cb\":\"back\",\"args\":[\"x\","
			   "\"\"]}");
	flush(to, 1);
	if (!strstr(message(from, &r), "a bad pointer (0x8)"))
		bench_fail("it was to fault: %s", r->element[2]->str);
	freeReplyObject(r);
	call_until(to, from, 0, "args: arg1, arg2.");
	return (bench_now() - began) * 1e6;
}

int bench_patch_back(const struct bench_options *o)
{
	struct bench_node node;
	redisContext *to, *from;
	double times[BACKS];

	bench_node_start(&node, o->workers);
	to = bench_dial(node.redis);
	from = bench_dial(node.redis);
	subscribe(from, "bench");
	for (int i = -PATCHES_FIRST; i < BACKS; i++) {
		double us = back(to, from, i + PATCHES_FIRST);

		if (i >= 0)
			times[i] = us;
	}
	qsort(times, BACKS, sizeof *times, by_size);
	bench_print("patch-back", times[BACKS * 99 / 100 - 1], "us", o,
		    "\"p50\":%.1f,\"max\":%.1f,\"rounds\":%d", times[BACKS / 2], times[BACKS - 1],
		    BACKS);
	redisFree(to);
	redisFree(from);
	bench_node_stop(&node);
	return 0;
}
