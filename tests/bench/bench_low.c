/* SPDX-License-Identifier: MIT
 * bench_low.c - one call at a time: what a caller waits for when nobody else calls. By lists, as
 * simple clients do, who wait for the answer before they call again, and between two nodes, where
 * the asker takes the time of each of its calls by the processor's counter (patches have no finer
 * clock). A bare pair of hiredis programs does the same, in the same run. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "bench_dial.h"
#include "bench_pair.h"

enum { KEPT = 65536, WARM = 1000 };

static const char load_source[] =
	"#include \"actor.h\"\n"
	"#include <stdlib.h>\n"
	"#define TEXT \"01234567890123456789012345678901\" \\\n"
	"	\"23456789012345678901234567890123\"\n"
	"enum { KEPT = 65536 };\n"
	"struct load { actor_ref to; int64_t done, began, took[KEPT]; };\n"
	"static int64_t ticks(void) { unsigned low, high;\n"
	"	__asm__ __volatile__(\"rdtsc\" : \"=a\"(low), \"=d\"(high));\n"
	"	return (int64_t)((unsigned long long)high << 32 | low); }\n"
	"static int ask(actor *self) {\n"
	"	struct load *l = actor_state(self);\n"
	"	l->began = ticks();\n"
	"	return actor_ask(self, l->to, \"echo\", \"answered\", 60000, TEXT) < 0; }\n"
	"static int begin(actor *self, const msg *m) {\n"
	"	((struct load *)actor_state(self))->to = actor_find(\"sink\");\n"
	"	return ask(self) ? msg_fail(m, \"not asked\") : 0; }\n"
	"static int answered(actor *self, const msg *m) {\n"
	"	struct load *l = actor_state(self);\n"
	"	if (msg_error(m)) { actor_log(self, \"%s\", msg_error_text(m)); return 0; }\n"
	"	l->took[l->done++ % KEPT] = ticks() - l->began; ask(self); return 0; }\n"
	"static int told(actor *self, const msg *m) {\n"
	"	return msg_reply(m, ((struct load *)actor_state(self))->done); }\n"
	"static int less(const void *a, const void *b) {\n"
	"	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;\n"
	"	return x < y ? -1 : x > y; }\n"
	"static int part(actor *self, const msg *m) {\n"
	"	struct load *l = actor_state(self);\n"
	"	int64_t n = l->done < KEPT ? l->done : KEPT;\n"
	"	qsort(l->took, n, sizeof *l->took, less);\n"
	"	return msg_reply(m, l->took[n * msg_int(m, 0) / 100]); }\n"
	"const struct actor_type load = { .name = \"load\", .state = sizeof(struct load),\n"
	"	.on = ON({ \"begin\", \"\", begin, 0 }, { \"answered\", \"...\", answered, 0 },\n"
	"	{ \"told\", \"\", told, 0 }, { \"part\", \"of_100:int\", part, 0 }) };\n";

static double took[KEPT];       /* us */
static int64_t calls;

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double part_of_100(int part)
{
	int64_t n = calls < KEPT ? calls : KEPT;

	qsort(took, (size_t)n, sizeof *took, by_size);
	return n ? took[n * part / 100] : 0;
}

/* One call after the other, for so long; those before do not count. */
static double repeat(void (*call)(redisContext *to, redisContext *from), redisContext *to,
                     redisContext *from, double seconds)
{
	double began;

	for (int i = 0; i < WARM; i++)
		call(to, from);
	calls = 0;
	began = bench_now();
	while (bench_now() - began < seconds) {
		double at = bench_now();

		call(to, from);
		took[calls++ % KEPT] = (bench_now() - at) * 1e6;
	}
	return (double)calls / (bench_now() - began);
}

/* --- by lists ----------------------------------------------------------------------------- */

static void push(redisContext *to)
{
	redisAppendCommand(to, "RPUSH rpc %s", "{\"func\":\"test\",\"ct\":\"bench\","
	                   "\"cb\":\"back\",\"args\":[\"arg1\",\"arg2\"]}");
	freeReplyObject(bench_reply(to));
}

static void expect(redisReply *r, size_t at)
{
	if (r->type != REDIS_REPLY_ARRAY || r->elements <= at ||
	    !strstr(r->element[at]->str, "args: arg1, arg2."))
		bench_fail("a wrong answer");
	freeReplyObject(r);
}

static void popped(redisContext *to, redisContext *from)
{
	(void)from;
	push(to);
	redisAppendCommand(to, "BLPOP bench 10");
	expect(bench_reply(to), 1);
}

static void bare_popped(redisContext *to, redisContext *from)
{
	(void)from;
	redisAppendCommand(to, "RPUSH bare:ask %s", "args: arg1, arg2.");
	freeReplyObject(bench_reply(to));
	redisAppendCommand(to, "BLPOP bare:answer 10");
	expect(bench_reply(to), 1);
}

/* As simple servers do: one is popped, one is pushed. */
static pid_t popping_process(const char *url)
{
	pid_t pid = fork();
	redisContext *c;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c = bench_dial(url);
	for (;;) {
		redisReply *r;

		redisAppendCommand(c, "BLPOP bare:ask 10");
		r = bench_reply(c);
		if (r->type == REDIS_REPLY_ARRAY) {
			redisAppendCommand(c, "RPUSH bare:answer %s", r->element[1]->str);
			freeReplyObject(bench_reply(c));
		}
		freeReplyObject(r);
	}
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void heard(redisContext *to, redisContext *from)
{
	push(to);
	expect(bench_reply(from), 2);
}

static void print_lists(const struct bench_options *o, const char *which, double rate)
{
	bench_print("redis-low", rate, "calls/s", o, "\"case\":\"%s\",\"p50_us\":%.1f,"
	            "\"p99_us\":%.1f", which, part_of_100(50), part_of_100(99));
}

static void lists(const struct bench_options *o)
{
	struct bench_node node;
	redisContext *to, *from;
	pid_t pid;

	bench_node_start(&node, o->workers);
	to = bench_dial(node.redis);
	from = bench_dial(node.redis);
	pid = popping_process(node.redis);
	print_lists(o, "bare, by lists", repeat(bare_popped, to, from, o->seconds));
	end(pid);
	print_lists(o, "by lists", repeat(popped, to, from, o->seconds));
	redisAppendCommand(from, "SUBSCRIBE bench");
	freeReplyObject(bench_reply(from));
	print_lists(o, "by a list, answers by a channel", repeat(heard, to, from, o->seconds));
	redisFree(to);
	redisFree(from);
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

static double bare(const struct bench_options *o)
{
	struct bench_node node;
	redisContext *to, *from;
	double rate, p50;
	pid_t pid;

	bench_node_start(&node, 1);
	pid = echo_process(node.redis);
	to = bench_dial(node.redis);
	from = bench_dial(node.redis);
	rate = repeat(bare_call, to, from, o->seconds);
	p50 = part_of_100(50);
	bench_print("redis-low", p50, "us", o, "\"case\":\"bare, by streams\",\"p99\":%.1f,"
	            "\"calls_s\":%.0f", part_of_100(99), rate);
	end(pid);
	redisFree(to);
	redisFree(from);
	bench_node_stop(&node);
	return p50;
}

/* --- between nodes ------------------------------------------------------------------------ */

static double ticks_a_us(void)
{
	double began = bench_now();
	uint64_t first = __builtin_ia32_rdtsc();

	usleep(100000);
	return (double)(__builtin_ia32_rdtsc() - first) / ((bench_now() - began) * 1e6);
}

int bench_redis_low(const struct bench_options *o)
{
	double alone, rate, us = ticks_a_us(), p50;
	struct bench_pair p;
	int64_t n;

	lists(o);
	alone = bare(o);
	bench_pair_start(&p, load_source);
	bench_begin(p.c, "begin", "");
	while (bench_asked(p.c, "load", "told", "") < WARM)
		usleep(10000);
	n = bench_asked(p.c, "load", "told", "");
	rate = bench_now();
	usleep((useconds_t)(o->seconds * 1e6));
	n = bench_asked(p.c, "load", "told", "") - n;
	rate = (double)n / (bench_now() - rate);
	p50 = (double)bench_asked(p.c, "load", "part", "50") / us;
	bench_print("redis-low", p50, "us", o, "\"p99\":%.1f,\"calls_s\":%.0f,\"of_bare\":%.2f",
	            (double)bench_asked(p.c, "load", "part", "99") / us, rate, p50 / alone);
	bench_pair_stop(&p);
	return 0;
}
