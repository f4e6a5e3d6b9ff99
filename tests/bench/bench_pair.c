/* SPDX-License-Identifier: MIT
 * bench_pair.c - two nodes that share a Redis, and beside them, in the same run, two bare programs
 * that do the same with hiredis alone: messages packed into XADD, XREAD, XTRIM, and nothing else.
 *
 * The load is an actor on one node, which asks or tells one on the other; both are given as source.
 * What the two processes and Redis compute a message is told beside, as that also says something
 * where others compute, too.
 * The bare pair packs what there is to send into one entry, as the nodes do, of messages of the
 * same size, and reads over them by their length. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "bench_dial.h"
#include "bench_pair.h"

enum { FLIGHT = 256, SIZE = 101, PACK = 64, AHEAD = 64, WARM = 50000, FOUND_S = 20 };

static const char load_source[] =
	"#include \"actor.h\"\n"
	"#define TEXT \"01234567890123456789012345678901\" \\\n"
	"	\"23456789012345678901234567890123\"\n"
	"struct load { actor_ref to; int64_t done; };\n"
	"static int start(actor *self) {\n"
	"	((struct load *)actor_state(self))->to = actor_find(\"sink\"); return 0; }\n"
	"static int ask(actor *self) {\n"
	"	struct load *l = actor_state(self);\n"
	"	int64_t rc = actor_ask(self, l->to, \"echo\", \"answered\", 60000, TEXT);\n"
	"	return rc < 0 ? -1 : 0; }\n"
	"static int begin(actor *self, const msg *m) {\n"
	"	for (int64_t i = msg_int(m, 0); i > 0; i--) if (ask(self) < 0)\n"
	"		return msg_fail(m, \"not asked\");\n"
	"	return 0; }\n"
	"static int answered(actor *self, const msg *m) {\n"
	"	if (msg_error(m)) { actor_log(self, \"%s\", msg_error_text(m)); return 0; }\n"
	"	((struct load *)actor_state(self))->done++; ask(self); return 0; }\n"
	"static int flood(actor *self, const msg *m) {\n"
	"	struct load *l = actor_state(self);\n"
	"	for (int i = 0; i < 256; i++)\n"
	"		switch (actor_send(self, l->to, \"put\", TEXT)) { case 0: break;\n"
	"		case ACTOR_ENOENT: return msg_fail(m, \"nobody there\");\n"
	"		default: actor_after(self, 1, \"flood\"); return 0; }\n"
	"	actor_send(self, actor_self(self), \"flood\"); return 0; }\n"
	"static int told(actor *self, const msg *m) {\n"
	"	return msg_reply(m, ((struct load *)actor_state(self))->done); }\n"
	"const struct actor_type load = { .name = \"load\", .state = sizeof(struct load),\n"
	"	.start = start, .on = ON({ \"begin\", \"n:int\", begin, 0 },\n"
	"	{ \"answered\", \"...\", answered, 0 }, { \"flood\", \"\", flood, 0 },\n"
	"	{ \"told\", \"\", told, 0 }) };\n";

static const char sink_source[] =
	"#include \"actor.h\"\n"
	"struct sink { int64_t n; };\n"
	"static int echo(actor *self, const msg *m) { (void)self;\n"
	"	return msg_reply(m, msg_str(m, 0)); }\n"
	"static int put(actor *self, const msg *m) { (void)m;\n"
	"	((struct sink *)actor_state(self))->n++; return 0; }\n"
	"static int told(actor *self, const msg *m) {\n"
	"	return msg_reply(m, ((struct sink *)actor_state(self))->n); }\n"
	"const struct actor_type sink = { .name = \"sink\", .state = sizeof(struct sink),\n"
	"	.mailbox = { 32767, 16 << 20, 0 },\n"
	"	.on = ON({ \"echo\", \"s:str\", echo, 0 }, { \"put\", \"s:str\", put, 0 },\n"
	"	{ \"told\", \"\", told, 0 }) };\n";

/* --- Redis -------------------------------------------------------------------------------- */

/* Of both processes and of Redis, in seconds. */
struct cost { double pair, redis; };

static struct cost cost_of(pid_t a, pid_t b, pid_t redis)
{
	return (struct cost){ bench_cpu(a) + bench_cpu(b), bench_cpu(redis) };
}

struct result { double rate; struct cost each; };       /* a second; us a message */

static struct result result(int64_t n, double seconds, struct cost before, struct cost after)
{
	double us = n ? 1e6 / (double)n : 0;

	return (struct result){ (double)n / seconds, { us * (after.pair - before.pair),
	                                               us * (after.redis - before.redis) } };
}

int64_t bench_asked(redisContext *c, const char *topic, const char *func, const char *args)
{
	redisReply *r;
	long long n = 0;
	const char *at;

	redisAppendCommand(c, "RPUSH %s {\"func\":\"%s\",\"args\":[%s],\"ct\":\"bench\","
	                   "\"cb\":\"b\"}", topic, func, args);
	freeReplyObject(bench_reply(c));
	redisAppendCommand(c, "BLPOP bench 10");
	r = bench_reply(c);
	if (r->type != REDIS_REPLY_ARRAY)
		bench_fail("%s does not answer", topic);
	at = strstr(r->element[1]->str, "\"args\":[");
	if (strstr(r->element[1]->str, "\"err\":"))
		n = -1;
	else if (at)
		sscanf(at, "\"args\":[%lld", &n);
	freeReplyObject(r);
	return n;
}

void bench_begin(redisContext *c, const char *func, const char *args)
{
	double until = bench_now() + FOUND_S;

	while (bench_asked(c, "load", func, args) < 0)
		if (bench_now() > until)
			bench_fail("the nodes do not find each other");
}

static int64_t warm(redisContext *c, const char *counter)
{
	int64_t n;

	do
		n = bench_asked(c, counter, "told", "");
	while (n < WARM);
	return n;
}

/* --- two nodes ---------------------------------------------------------------------------- */

static void write_source(char path[96], const char *name, const char *source)
{
	FILE *f;

	snprintf(path, 96, "/tmp/actor-bench-pair-%d", (int)getpid());
	mkdir(path, 0700);
	snprintf(path, 96, "/tmp/actor-bench-pair-%d/%s.c", (int)getpid(), name);
	f = fopen(path, "w");
	if (!f || fputs(source, f) < 0 || fclose(f))
		bench_fail("cannot write %s", path);
}

void bench_pair_start(struct bench_pair *p, const char *load_is)
{
	char sink[96], load[96];

	write_source(sink, "sink", sink_source);
	write_source(load, "load", load_is);
	bench_node_start_with(&p->a, 1, NULL, sink);
	bench_node_start_with(&p->b, 1, p->a.redis, load);
	unlink(sink);
	unlink(load);
	*strrchr(load, '/') = 0;
	rmdir(load);
	p->c = bench_dial(p->a.redis);
}

void bench_pair_stop(struct bench_pair *p)
{
	redisFree(p->c);
	bench_node_stop(&p->b);
	bench_node_stop(&p->a);
}

static struct result nodes(const struct bench_options *o, const char *first, const char *args,
                           const char *counter)
{
	struct bench_pair p;
	struct cost before, after;
	double began;
	pid_t redis;
	int64_t n;

	bench_pair_start(&p, load_source);
	redis = bench_redis_pid(p.c);
	bench_begin(p.c, first, args);
	n = warm(p.c, counter);
	before = cost_of(p.a.pid, p.b.pid, redis);
	began = bench_now();
	usleep((useconds_t)(o->seconds * 1e6));
	n = bench_asked(p.c, counter, "told", "") - n;
	began = bench_now() - began;
	after = cost_of(p.a.pid, p.b.pid, redis);
	bench_pair_stop(&p);
	return result(n, began, before, after);
}

/* --- bare --------------------------------------------------------------------------------- */

/* All that an XREAD's reply holds, counted; the id of the last goes to id. */
static int count(const redisReply *r, char id[64])
{
	const redisReply *entries;
	int n = 0;

	if (r->type != REDIS_REPLY_ARRAY || !r->elements)
		return 0;
	entries = r->element[0]->element[1];
	for (size_t i = 0; i < entries->elements; i++) {
		const redisReply *e = entries->element[i];
		const char *p = e->element[1]->element[1]->str;
		const char *end = p + e->element[1]->element[1]->len;

		for (; p < end; p += 1 + (unsigned char)*p)
			n++;
		snprintf(id, 64, "%s", e->element[0]->str);
	}
	return n;
}

static void add(redisContext *c, const char *stream, int n)
{
	static char frame[1024 * (SIZE + 1)];

	if (!frame[0])
		for (int i = 0; i < 1024; i++)
			frame[i * (SIZE + 1)] = SIZE;
	redisAppendCommand(c, "XADD %s * f %b", stream, frame, (size_t)n * (SIZE + 1));
}

/* Reads one lot, trims it away; how many messages. */
static int take(redisContext *c, const char *stream, char id[64], int unread)
{
	redisReply *r;
	int n;

	while (unread--)
		freeReplyObject(bench_reply(c));
	redisAppendCommand(c, "XREAD COUNT 64 BLOCK 1000 STREAMS %s %s", stream, id);
	r = bench_reply(c);
	n = count(r, id);
	freeReplyObject(r);
	if (n)
		redisAppendCommand(c, "XTRIM %s MINID %s", stream, id);
	return n;
}

static pid_t echo_process(const char *url)
{
	pid_t pid = fork();
	char id[64] = "0-0";
	redisContext *c;
	int unread = 0;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c = bench_dial(url);
	for (;;) {
		int n = take(c, "bare:to", id, unread);

		unread = n ? 2 : 0;
		if (n)
			add(c, "bare:back", n);
	}
}

static struct result bare_call(const char *url, double seconds)
{
	pid_t pid = echo_process(url);
	redisContext *c = bench_dial(url);
	pid_t redis = bench_redis_pid(c);
	struct cost before = cost_of(getpid(), pid, redis), after;
	char id[64] = "0-0";
	double began = bench_now();
	int64_t n = 0;
	int unread = 1;

	add(c, "bare:to", FLIGHT);
	while (bench_now() - began < seconds) {
		int got = take(c, "bare:back", id, unread);

		unread = got ? 2 : 0;
		n += got;
		if (got)
			add(c, "bare:to", got);
	}
	seconds = bench_now() - began;
	after = cost_of(getpid(), pid, redis);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	redisFree(c);
	return result(n, seconds, before, after);
}

/* Writes, and waits while the stream is full: room is written to at each read of it. */
static pid_t flood_process(const char *url, int room)
{
	pid_t pid = fork();
	redisContext *c;
	eventfd_t read;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c = bench_dial(url);
	for (;;) {
		redisReply *r;
		long long length;

		for (int i = 0; i < AHEAD; i++)
			add(c, "bare:one", PACK);
		redisAppendCommand(c, "XLEN bare:one");
		for (int i = 0; i < AHEAD; i++)
			freeReplyObject(bench_reply(c));
		r = bench_reply(c);
		length = r->integer;
		freeReplyObject(r);
		if (length > 1000)
			eventfd_read(room, &read);
	}
}

static struct result bare_stream(const char *url, double seconds)
{
	int room = eventfd(0, EFD_CLOEXEC);
	pid_t pid = flood_process(url, room);
	redisContext *c = bench_dial(url);
	pid_t redis = bench_redis_pid(c);
	struct cost before = cost_of(getpid(), pid, redis), after;
	char id[64] = "0-0";
	double began = bench_now();
	int64_t n = 0;
	int unread = 0;

	while (bench_now() - began < seconds) {
		int got = take(c, "bare:one", id, unread);

		unread = got ? 1 : 0;
		n += got;
		eventfd_write(room, 1);
	}
	seconds = bench_now() - began;
	after = cost_of(getpid(), pid, redis);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(room);
	redisFree(c);
	return result(n, seconds, before, after);
}

static struct result bare(const struct bench_options *o,
                          struct result (*run)(const char *url, double seconds))
{
	struct bench_node node;
	struct result all;

	bench_node_start(&node, 1);
	all = run(node.redis, o->seconds);
	bench_node_stop(&node);
	return all;
}

/* --- workloads ---------------------------------------------------------------------------- */

static void print(const struct bench_options *o, const char *name, const char *unit,
                  struct result alone, struct result r)
{
	char bare_name[32];

	snprintf(bare_name, sizeof bare_name, "%s-bare", name);
	bench_print(bare_name, alone.rate, unit, o, "\"pair_us\":%.2f,\"redis_us\":%.2f",
	            alone.each.pair, alone.each.redis);
	bench_print(name, r.rate, unit, o, "\"of_bare\":%.2f,\"pair_us\":%.2f,\"redis_us\":%.2f,"
	            "\"cpu_of_bare\":%.2f", r.rate / alone.rate, r.each.pair, r.each.redis,
	            (r.each.pair + r.each.redis) / (alone.each.pair + alone.each.redis));
}

int bench_redis_call(const struct bench_options *o)
{
	struct result alone = bare(o, bare_call);
	char in_flight[16];

	snprintf(in_flight, sizeof in_flight, "%d", FLIGHT);
	print(o, "redis-call", "calls/s", alone, nodes(o, "begin", in_flight, "load"));
	return 0;
}

int bench_redis_stream(const struct bench_options *o)
{
	struct result alone = bare(o, bare_stream);

	print(o, "redis-stream", "messages/s", alone, nodes(o, "flood", "", "sink"));
	return 0;
}
