/* SPDX-License-Identifier: MIT
 * bench_redis.c - workloads through Redis: calls by lists, and how soon a patch is met. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "bench_node.h"

enum { FLIGHT = 64, PATCHES = 100, PATCHES_FIRST = 10 };

static redisContext *dial(const char *url)
{
	char password[128] = "", host[64] = "";
	redisContext *c;
	redisReply *r;
	int port = 0, db = 0;

	if (sscanf(url, "redis://default:%127[^@]@%63[^:]:%d/%d", password, host, &port, &db) != 4)
		bench_fail("a Redis URL of an unknown shape");
	c = redisConnect(host, port);
	if (!c || c->err)
		bench_fail("cannot connect to Redis");
	r = redisCommand(c, "AUTH %s", password);
	if (!r || r->type == REDIS_REPLY_ERROR)
		bench_fail("Redis does not let us in");
	freeReplyObject(r);
	freeReplyObject(redisCommand(c, "SELECT %d", db));
	return c;
}

static redisReply *reply(redisContext *c)
{
	void *r = NULL;

	if (redisGetReply(c, &r) != REDIS_OK || !r)
		bench_fail("Redis: %s", c->errstr);
	return r;
}

static void subscribe(redisContext *c, const char *channel)
{
	redisAppendCommand(c, "SUBSCRIBE %s", channel);
	freeReplyObject(reply(c));
}

/* The next message of the channel; borrowed until *r is freed. */
static const char *message(redisContext *c, redisReply **r)
{
	*r = reply(c);
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
		freeReplyObject(reply(c));
}

int bench_redis_list(const struct bench_options *o)
{
	struct bench_node node;
	redisContext *to, *from;
	double began, until;
	int64_t n = 0;
	int unread = 0;

	bench_node_start(&node, o->workers);
	to = dial(node.redis);
	from = dial(node.redis);
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

/* --- from a patch to the first answer by the new code ------------------------------------- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* PUBLISH, and a call right behind it on the same connection. Microseconds until the new code's
 * answer. */
static double patch(redisContext *to, redisContext *from, int i)
{
	char source[512], expected[32];
	double began;
	int calls = 0;

	snprintf(source, sizeof source,
		 "#include \"actor.h\"\n\n"
		 "/* A patch of twenty lines, as one writes them: what changes, and nothing else. "
		 "*/\n"
		 "static int test(actor *self, const msg *m)\n{\n"
		 "\tconst char *first = msg_str(m, 0);\n\tconst char *second = msg_str(m, 1);\n\n"
		 "\t(void)self;\n\tif (!*first || !*second)\n\t\treturn msg_fail(m, \"two "
		 "names\");\n"
		 "\treturn msg_reply(m, \"patched %d\");\n}\n\n"
		 "const struct actor_type patch = {\n\t.name = \"rpc\",\n"
		 "\t.on = ON({ \"test\", \"arg1:str arg2:str\", test, 0 }),\n};\n",
		 i);
	snprintf(expected, sizeof expected, "patched %d\"", i);
	began = bench_now();
	redisAppendCommand(to, "PUBLISH patch %s", source);
	for (;;) {
		redisReply *r;
		bool met;

		call(to);
		calls++;
		flush(to, calls == 1 ? 2 : 1);
		met = strstr(message(from, &r), expected) != NULL;
		freeReplyObject(r);
		if (met)
			return (bench_now() - began) * 1e6;
		if (calls > 100000)
			bench_fail("patch %d never came into force", i);
	}
}

int bench_patch_latency(const struct bench_options *o)
{
	struct bench_node node;
	redisContext *to, *from;
	double took[PATCHES];

	bench_node_start(&node, o->workers);
	to = dial(node.redis);
	from = dial(node.redis);
	subscribe(from, "bench");
	for (int i = -PATCHES_FIRST; i < PATCHES; i++) {
		double us = patch(to, from, i + PATCHES_FIRST);

		if (i >= 0)
			took[i] = us;
	}
	qsort(took, PATCHES, sizeof *took, by_size);
	bench_print("patch-latency", took[PATCHES / 2], "us", o,
		    "\"p99\":%.1f,\"max\":%.1f,\"patches\":%d", took[PATCHES * 99 / 100 - 1],
		    took[PATCHES - 1], PATCHES);
	redisFree(to);
	redisFree(from);
	bench_node_stop(&node);
	return 0;
}
