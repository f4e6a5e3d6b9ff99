/* SPDX-License-Identifier: MIT
 * bench_pair.c - two nodes that share a Redis, and beside them, in the same run, two bare programs
 * that do the same with hiredis alone: messages packed into XADD, XREAD, XTRIM, and nothing else.
 *
 * The load is an actor on one node, which asks or tells one on the other; both are given as source.
 * The bare pair packs what there is to send into one entry, as the nodes do, of messages of the
 * same size, and reads over them by their length. */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "bench_node.h"

enum { FLIGHT = 256, SIZE = 101, PACK = 64, AHEAD = 64 };

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
	"	struct load *l = actor_state(self); (void)m;\n"
	"	for (int i = 0; i < 256; i++)\n"
	"		if (actor_send(self, l->to, \"put\", TEXT) < 0) {\n"
	"			actor_after(self, 1, \"flood\"); return 0; }\n"
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

static redisContext *dial(const char *url)
{
	char password[128] = "", host[64] = "";
	redisContext *c;
	int port = 0, db = 0;

	if (sscanf(url, "redis://default:%127[^@]@%63[^:]:%d/%d", password, host, &port, &db) != 4)
		bench_fail("a Redis URL of an unknown shape");
	c = redisConnect(host, port);
	if (!c || c->err)
		bench_fail("cannot connect to Redis");
	freeReplyObject(redisCommand(c, "AUTH %s", password));
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

/* What an actor tells of itself, an int. */
static int64_t told(redisContext *c, const char *topic)
{
	redisReply *r;
	long long n = 0;
	const char *at;

	redisAppendCommand(c, "RPUSH %s {\"func\":\"told\",\"ct\":\"bench\",\"cb\":\"b\"}", topic);
	freeReplyObject(reply(c));
	redisAppendCommand(c, "BLPOP bench 10");
	r = reply(c);
	if (r->type != REDIS_REPLY_ARRAY || !(at = strstr(r->element[1]->str, "\"args\":[")) ||
	    sscanf(at, "\"args\":[%lld", &n) != 1)
		bench_fail("%s does not answer", topic);
	freeReplyObject(r);
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

static double nodes(const struct bench_options *o, const char *first, const char *counter)
{
	struct bench_node a, b;
	char sink[96], load[96];
	redisContext *c;
	double began;
	int64_t n;

	write_source(sink, "sink", sink_source);
	write_source(load, "load", load_source);
	bench_node_start_with(&a, 1, NULL, sink);
	bench_node_start_with(&b, 1, a.redis, load);
	unlink(sink);
	unlink(load);
	*strrchr(load, '/') = 0;
	rmdir(load);
	c = dial(a.redis);
	usleep(300000);                 /* they have found each other */
	redisAppendCommand(c, "RPUSH load %s", first);
	freeReplyObject(reply(c));
	usleep(300000);
	n = told(c, counter);
	began = bench_now();
	usleep((useconds_t)(o->seconds * 1e6));
	n = told(c, counter) - n;
	began = bench_now() - began;
	redisFree(c);
	bench_node_stop(&b);
	bench_node_stop(&a);
	return (double)n / began;
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
		freeReplyObject(reply(c));
	redisAppendCommand(c, "XREAD COUNT 64 BLOCK 1000 STREAMS %s %s", stream, id);
	r = reply(c);
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
	c = dial(url);
	for (;;) {
		int n = take(c, "bare:to", id, unread);

		unread = n ? 2 : 0;
		if (n)
			add(c, "bare:back", n);
	}
}

static double bare_call(const char *url, double seconds)
{
	pid_t pid = echo_process(url);
	redisContext *c = dial(url);
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
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	redisFree(c);
	return (double)n / seconds;
}

static pid_t flood_process(const char *url)
{
	pid_t pid = fork();
	redisContext *c;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c = dial(url);
	for (;;) {
		redisReply *r;
		long long length;

		for (int i = 0; i < AHEAD; i++)
			add(c, "bare:one", PACK);
		redisAppendCommand(c, "XLEN bare:one");
		for (int i = 0; i < AHEAD; i++)
			freeReplyObject(reply(c));
		r = reply(c);
		length = r->integer;
		freeReplyObject(r);
		if (length > 1000)
			usleep(1000);
	}
}

static double bare_stream(const char *url, double seconds)
{
	pid_t pid = flood_process(url);
	redisContext *c = dial(url);
	char id[64] = "0-0";
	double began = bench_now();
	int64_t n = 0;
	int unread = 0;

	while (bench_now() - began < seconds) {
		int got = take(c, "bare:one", id, unread);

		unread = got ? 1 : 0;
		n += got;
	}
	seconds = bench_now() - began;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	redisFree(c);
	return (double)n / seconds;
}

static double bare(const struct bench_options *o, double (*run)(const char *url, double seconds))
{
	struct bench_node node;
	double rate;

	bench_node_start(&node, 1);
	rate = run(node.redis, o->seconds);
	bench_node_stop(&node);
	return rate;
}

/* --- workloads ---------------------------------------------------------------------------- */

int bench_redis_call(const struct bench_options *o)
{
	double alone = bare(o, bare_call), rate;

	bench_print("redis-call-bare", alone, "calls/s", o, "\"in_flight\":%d", FLIGHT);
	rate = nodes(o, "{\"func\":\"begin\",\"args\":[256]}", "load");
	bench_print("redis-call", rate, "calls/s", o, "\"in_flight\":%d,\"of_bare\":%.2f", FLIGHT,
	            rate / alone);
	return 0;
}

int bench_redis_stream(const struct bench_options *o)
{
	double alone = bare(o, bare_stream), rate;

	bench_print("redis-stream-bare", alone, "messages/s", o, NULL);
	rate = nodes(o, "{\"func\":\"flood\"}", "sink");
	bench_print("redis-stream", rate, "messages/s", o, "\"of_bare\":%.2f", rate / alone);
	return 0;
}
