/* SPDX-License-Identifier: MIT
 * bench_low.c - one call at a time: what a caller waits for when nobody else calls. By lists, as
 * simple clients do, who wait for the answer before they call again, and between two nodes, where
 * the asker takes the time of each of its calls by the processor's counter (patches have no finer
 * clock). Bare programs of hiredis do the same: simple servers, who pop one, answer it, and pop
 * again, and a pair that adds to streams.
 *
 * All that is compared goes in turns, a slice each: where waking a thread is dear, as on virtual
 * machines, that price changes within seconds, and is most of what is measured. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "bench_dial.h"
#include "bench_pair.h"

enum { KEPT = 65536, WARM = 50, WARM_MS = 200, ROUNDS = 10 };

static const char load_source[] =
	"#include \"actor.h\"\n"
	"#include <stdlib.h>\n"
	"#define TEXT \"01234567890123456789012345678901\" \\\n"
	"	\"23456789012345678901234567890123\"\n"
	"enum { KEPT = 65536 };\n"
	"struct load { actor_ref to; msg_caller caller;\n"
	"	int64_t done, first, until_ms, began, took[KEPT]; };\n"
	"static int64_t ticks(void) { unsigned low, high;\n"
	"	__asm__ __volatile__(\"rdtsc\" : \"=a\"(low), \"=d\"(high));\n"
	"	return (int64_t)((unsigned long long)high << 32 | low); }\n"
	"static int ask(actor *self) {\n"
	"	struct load *l = actor_state(self);\n"
	"	l->began = ticks();\n"
	"	return actor_ask(self, l->to, \"echo\", \"answered\", 60000, TEXT) < 0; }\n"
	"static int run(actor *self, const msg *m) {\n"
	"	struct load *l = actor_state(self);\n"
	"	l->to = actor_find(\"sink\");\n"
	"	if (ask(self)) return msg_fail(m, \"not asked\");\n"
	"	l->caller = msg_defer(m); l->first = l->done;\n"
	"	l->until_ms = actor_now() + msg_int(m, 0); return 0; }\n"
	"static int answered(actor *self, const msg *m) {\n"
	"	struct load *l = actor_state(self);\n"
	"	if (msg_error(m))\n"
	"		return actor_refuse(self, l->caller, \"%s\", msg_error_text(m));\n"
	"	l->took[l->done++ % KEPT] = ticks() - l->began;\n"
	"	if (actor_now() < l->until_ms && !ask(self)) return 0;\n"
	"	return actor_answer(self, l->caller, l->done - l->first); }\n"
	"static int forget(actor *self, const msg *m) {\n"
	"	(void)m; ((struct load *)actor_state(self))->done = 0; return 0; }\n"
	"static int less(const void *a, const void *b) {\n"
	"	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;\n"
	"	return x < y ? -1 : x > y; }\n"
	"static int part(actor *self, const msg *m) {\n"
	"	struct load *l = actor_state(self);\n"
	"	int64_t n = l->done < KEPT ? l->done : KEPT;\n"
	"	qsort(l->took, n, sizeof *l->took, less);\n"
	"	return msg_reply(m, l->took[n * msg_int(m, 0) / 100]); }\n"
	"const struct actor_type load = { .name = \"load\", .state = sizeof(struct load),\n"
	"	.on = ON({ \"run\", \"ms:int\", run, 0 }, { \"answered\", \"...\", answered, 0 },\n"
	"	{ \"forget\", \"\", forget, 0 }, { \"part\", \"of_100:int\", part, 0 }) };\n";

/* One that is measured. */
struct series {
	const char *what;
	void (*call)(redisContext *to, redisContext *from);
	redisContext *to, *from;
	double took[KEPT];              /* us */
	int64_t calls;
	double seconds;
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double part_of_100(struct series *s, int part)
{
	int64_t n = s->calls < KEPT ? s->calls : KEPT;

	qsort(s->took, (size_t)n, sizeof *s->took, by_size);
	return n ? s->took[n * part / 100] : 0;
}

static double rate(const struct series *s)
{
	return (double)s->calls / s->seconds;
}

/* One call after the other, for so long; those before do not count. */
static void slice(struct series *s, double seconds)
{
	double began, at, now;

	for (int i = 0; i < WARM; i++)
		s->call(s->to, s->from);
	began = at = bench_now();
	do {
		s->call(s->to, s->from);
		now = bench_now();
		s->took[s->calls++ % KEPT] = (now - at) * 1e6;
		at = now;
	} while (now - began < seconds);
	s->seconds += now - began;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- by lists ----------------------------------------------------------------------------- */

static void push(redisContext *to, const char *command, const char *message)
{
	redisAppendCommand(to, command, message);
	freeReplyObject(bench_reply(to));
}

static void call(redisContext *to, const char *ct)
{
	char text[128];

	snprintf(text, sizeof text, "{\"func\":\"test\",\"ct\":\"%s\",\"cb\":\"back\","
	         "\"args\":[\"arg1\",\"arg2\"]}", ct);
	push(to, "RPUSH rpc %s", text);
}

static void expect(redisReply *r, size_t at)
{
	if (r->type != REDIS_REPLY_ARRAY || r->elements <= at ||
	    !strstr(r->element[at]->str, "args: arg1, arg2."))
		bench_fail("a wrong answer");
	freeReplyObject(r);
}

static void pop(redisContext *c, const char *command)
{
	redisAppendCommand(c, command);
	expect(bench_reply(c), 1);
}

static void popped(redisContext *to, redisContext *from)
{
	(void)from;
	call(to, "bench");
	pop(to, "BLPOP bench 10");
}

static void heard(redisContext *to, redisContext *from)
{
	call(to, "bench:heard");
	expect(bench_reply(from), 2);
}

static void bare_popped(redisContext *to, redisContext *from)
{
	(void)from;
	push(to, "RPUSH bare:ask %s", "args: arg1, arg2.");
	pop(to, "BLPOP bare:answer 10");
}

static void bare_heard(redisContext *to, redisContext *from)
{
	push(to, "RPUSH bare:ask:heard %s", "args: arg1, arg2.");
	expect(bench_reply(from), 2);
}

/* As simple servers do. */
static pid_t popping_process(const char *url, const char *take, const char *answer)
{
	pid_t pid = fork();
	redisContext *c;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c = bench_dial(url);
	for (;;) {
		redisReply *r;

		redisAppendCommand(c, take);
		r = bench_reply(c);
		if (r->type == REDIS_REPLY_ARRAY)
			push(c, answer, r->element[1]->str);
		freeReplyObject(r);
	}
}

static redisContext *subscriber(const char *url, const char *channel)
{
	redisContext *c = bench_dial(url);

	push(c, "SUBSCRIBE %s", channel);
	return c;
}

static void print_lists(const struct bench_options *o, struct series *bare, struct series *ours)
{
	bench_print("redis-low", rate(bare), "calls/s", o, "\"case\":\"bare, %s\",\"p50_us\":%.1f,"
	            "\"p99_us\":%.1f", bare->what, part_of_100(bare, 50), part_of_100(bare, 99));
	bench_print("redis-low", rate(ours), "calls/s", o, "\"case\":\"%s\",\"p50_us\":%.1f,"
	            "\"p99_us\":%.1f,\"of_bare\":%.2f", ours->what, part_of_100(ours, 50),
	            part_of_100(ours, 99), rate(ours) / rate(bare));
}

static void lists(const struct bench_options *o)
{
	static struct series
		bare = { .what = "by lists", .call = bare_popped },
		ours = { .what = "by lists", .call = popped },
		bare_by = { .what = "by a list, answers by a channel", .call = bare_heard },
		by = { .what = "by a list, answers by a channel", .call = heard };
	struct series *all[] = { &bare, &ours, &bare_by, &by };
	struct bench_node node;
	pid_t pid[2];

	bench_node_start(&node, o->workers);
	pid[0] = popping_process(node.redis, "BLPOP bare:ask 10", "RPUSH bare:answer %s");
	pid[1] = popping_process(node.redis, "BLPOP bare:ask:heard 10", "PUBLISH bare:heard %s");
	bare.to = ours.to = bare_by.to = by.to = bench_dial(node.redis);
	bare_by.from = subscriber(node.redis, "bare:heard");
	by.from = subscriber(node.redis, "bench:heard");
	for (int i = 0; i < ROUNDS; i++)
		for (size_t k = 0; k < ARRAY_LEN(all); k++)
			slice(all[k], o->seconds / ROUNDS);
	print_lists(o, &bare, &ours);
	print_lists(o, &bare_by, &by);
	end(pid[0]);
	end(pid[1]);
	redisFree(bare.to);
	redisFree(bare_by.from);
	redisFree(by.from);
	bench_node_stop(&node);
}

/* --- bare --------------------------------------------------------------------------------- */

struct side { char id[64]; const char *stream; };

/* Waits for one, and trims it away with the next command. */
static void take(redisContext *c, struct side *s)
{
	bool came;

	do {
		redisReply *r;

		redisAppendCommand(c, "XREAD COUNT 64 BLOCK 1000 STREAMS %s %s", s->stream, s->id);
		r = bench_reply(c);
		came = r->type == REDIS_REPLY_ARRAY;
		if (came)
			snprintf(s->id, sizeof s->id, "%s",
			         r->element[0]->element[1]->element[0]->element[0]->str);
		freeReplyObject(r);
	} while (!came);
}

static void add(redisContext *c, const char *to, const struct side *from)
{
	redisAppendCommand(c, "XADD %s * f %s", to, "012345678901234567890123456789012345678901"
	                   "23456789012345678901234567890123456789012345678901234567890");
	redisAppendCommand(c, "XTRIM %s MINID %s", from->stream, from->id);
	freeReplyObject(bench_reply(c));
	freeReplyObject(bench_reply(c));
}

static struct side back = { "0-0", "bare:back" };

static void bare_call(redisContext *to, redisContext *from)
{
	add(to, "bare:to", &back);
	take(from, &back);
}

static pid_t echo_process(const char *url)
{
	struct side side = { "0-0", "bare:to" };
	pid_t pid = fork();
	redisContext *in, *out;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	in = bench_dial(url);
	out = bench_dial(url);
	for (;;) {
		take(in, &side);
		add(out, "bare:back", &side);
	}
}

/* --- between nodes ------------------------------------------------------------------------ */

int bench_redis_low(const struct bench_options *o)
{
	static struct series bare = { .what = "by streams", .call = bare_call };
	double began = bench_now(), us, p50, seconds = 0;
	uint64_t first = __builtin_ia32_rdtsc();
	struct bench_pair p;
	char ms[16];
	int64_t n = 0;
	pid_t pid;

	lists(o);
	bench_pair_start(&p, load_source);
	pid = echo_process(p.a.redis);
	bare.to = bench_dial(p.a.redis);
	bare.from = bench_dial(p.a.redis);
	snprintf(ms, sizeof ms, "%d", WARM_MS);
	bench_begin(p.c, "run", ms);
	bench_asked(p.c, "load", "forget", "");
	snprintf(ms, sizeof ms, "%.0f", o->seconds * 1e3 / ROUNDS);
	for (int i = 0; i < ROUNDS; i++) {
		double at;

		slice(&bare, o->seconds / ROUNDS);
		at = bench_now();
		n += bench_asked(p.c, "load", "run", ms);
		seconds += bench_now() - at;
	}
	us = (double)(__builtin_ia32_rdtsc() - first) / ((bench_now() - began) * 1e6);
	p50 = (double)bench_asked(p.c, "load", "part", "50") / us;
	bench_print("redis-low", part_of_100(&bare, 50), "us", o, "\"case\":\"bare, by streams\","
	            "\"p99\":%.1f,\"calls_s\":%.0f", part_of_100(&bare, 99), rate(&bare));
	bench_print("redis-low", p50, "us", o, "\"p99\":%.1f,\"calls_s\":%.0f,\"of_bare\":%.2f",
	            (double)bench_asked(p.c, "load", "part", "99") / us, (double)n / seconds,
	            p50 / part_of_100(&bare, 50));
	end(pid);
	redisFree(bare.to);
	redisFree(bare.from);
	bench_pair_stop(&p);
	return 0;
}
