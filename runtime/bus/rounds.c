/* SPDX-License-Identifier: MIT
 * rounds.c - see rounds.h.
 *
 * The idea: what would wait on many keys is asked of one key after the other, without waiting; the
 * first that has something is the answer. After a round in which none had anything there is a
 * pause, which doubles up to the most, so an idle node costs Redis a command a topic and pause, and
 * one with many topics no more than one command at a time.
 *
 *      BLMPOP 2 n KEYS LEFT COUNT c            -> LMPOP 1 KEY LEFT COUNT c
 *      BLPOP KEYS 2                            -> LPOP KEY
 *      XREADGROUP ... BLOCK ms STREAMS KEYS >s -> XREADGROUP ... STREAMS KEY >
 *      XREAD ... BLOCK ms STREAMS KEYS IDS     -> XREAD ... STREAMS KEY ID
 *
 * Invariants: one command of ours at a time, so nothing is popped that nobody asked for; whoever
 * stops it gets what is on its way; a round is gone through to its end, however short the wait is
 * to be, so no key is left out. The loop's thread. */
#include "rounds.h"

#include <stdlib.h>

#include "../actor.h"

enum { WAIT_MS = 2000, WORDS_MOST = 12 };
enum { READ = 6, READ_GROUP = 9 };      /* where the keys of XREAD and XREADGROUP begin */

struct rounds {
	const struct redis_port *port;
	struct redis_port own;
	struct loop_timer *next;
	int pause_ms, most_ms;
	/* what waits; fn NULL: nothing */
	redis_fn *fn;
	void *arg;
	struct buf words;               /* of each its length, itself, a NUL */
	int argc, first, n;             /* the keys: of the words from first on so many */
	int at;                         /* the one that is asked */
	int64_t until_ms;
	bool asking, stop;
};

static const char *word(const struct rounds *r, int i, size_t *len)
{
	const char *p = r->words.p;

	for (memcpy(len, p, sizeof *len); i--; memcpy(len, p, sizeof *len))
		p += sizeof *len + *len + 1;
	return p + sizeof *len;
}

static void finish(struct rounds *r, const struct redis_reply *reply)
{
	redis_fn *fn = r->fn;

	r->fn = NULL;
	loop_timer_set(r->next, -1);
	if (reply->type == REDIS_LIST || reply->type == REDIS_STR)
		r->pause_ms = 1;
	fn(r->arg, reply);
}

/* An LPOP's answer as BLPOP gives it. */
static void finish_text(struct rounds *r, const struct redis_reply *reply)
{
	struct redis_reply item[2] = { { .type = REDIS_STR }, *reply };
	const struct redis_reply both = { .type = REDIS_LIST, .item = item, .items = 2 };

	item[0].str = word(r, r->first + r->at, &item[0].len);
	finish(r, &both);
}

static void ask(struct rounds *r);

static void on_next(void *arg)
{
	static const struct redis_reply nil = { .type = REDIS_NIL };
	struct rounds *r = arg;

	if (!r->fn || r->asking)
		return;
	if (r->stop || (!r->at && now_ms() >= r->until_ms))
		finish(r, &nil);
	else
		ask(r);
}

static void on_reply(void *arg, const struct redis_reply *reply)
{
	struct rounds *r = arg;

	r->asking = false;
	if (!r->fn)
		return;
	if (reply->type == REDIS_STR) {
		finish_text(r, reply);
	} else if (reply->type != REDIS_NIL) {
		finish(r, reply);
	} else if (++r->at < r->n || r->stop) {
		on_next(r);
	} else {
		r->at = 0;
		loop_timer_set(r->next, r->pause_ms);
		r->pause_ms = 2 * r->pause_ms < r->most_ms ? 2 * r->pause_ms : r->most_ms;
	}
}

static int add(struct rounds *r, const char **argv, size_t *len, int n, int from, int to)
{
	for (; from < to; from++, n++)
		argv[n] = word(r, from, &len[n]);
	return n;
}

/* The command for the key whose turn it is; so many words. */
static int compose(struct rounds *r, const char **argv, size_t *len)
{
	int key = r->first + r->at, n = 0;

	if (r->first == 3) {
		argv[0] = "LMPOP", argv[1] = "1", n = 2;
		len[0] = 5, len[1] = 1;
		n = add(r, argv, len, n, key, key + 1);
		return add(r, argv, len, n, r->first + r->n, r->argc);
	}
	if (r->first == 1) {
		argv[0] = "LPOP", len[0] = 4;
		return add(r, argv, len, 1, key, key + 1);
	}
	/* [XREADGROUP GROUP g consumer, or XREAD] COUNT n [BLOCK ms] STREAMS */
	n = add(r, argv, len, 0, 0, r->first - 3);
	n = add(r, argv, len, n, r->first - 1, r->first);
	n = add(r, argv, len, n, key, key + 1);
	return add(r, argv, len, n, key + r->n, key + r->n + 1);
}

static void ask(struct rounds *r)
{
	const char *argv[WORDS_MOST];
	size_t len[WORDS_MOST];
	int n = compose(r, argv, len);

	r->asking = !r->port->command(r->port->link, on_reply, r, n, argv, len);
	if (!r->asking)         /* it is away, and who waits is told of that soon */
		loop_timer_set(r->next, r->most_ms);
}

/* Where its keys begin, and how many there are. False: it waits for none. */
static bool keys(struct rounds *r, int argc, const char **argv)
{
	if (!strcmp(argv[0], "BLMPOP")) {
		r->first = 3;
		r->n = atoi(argv[2]);
	} else if (!strcmp(argv[0], "BLPOP")) {
		r->first = 1;
		r->n = argc - 2;
	} else {
		r->first = !strcmp(argv[0], "XREAD") ? READ : READ_GROUP;
		r->n = (argc - r->first) / 2;
		return !strncmp(argv[0], "XREAD", 5);
	}
	return true;
}

static int port_command(void *arg, redis_fn *fn, void *fn_arg, int argc, const char **argv,
                        const size_t *len)
{
	struct rounds *r = arg;

	if (r->fn || !keys(r, argc, argv))
		return r->port->command(r->port->link, fn, fn_arg, argc, argv, len);
	buf_clear(&r->words);
	for (int i = 0; i < argc; i++) {
		buf_add(&r->words, &len[i], sizeof len[i]);
		buf_add(&r->words, argv[i], len[i]);
		buf_add(&r->words, "", 1);
	}
	r->fn = fn;
	r->arg = fn_arg;
	r->argc = argc;
	r->at = 0;
	r->stop = false;
	r->until_ms = now_ms() + (r->first >= READ ? atoi(argv[r->first - 2]) : WAIT_MS);
	if (!r->asking)
		loop_timer_set(r->next, 0);
	return 0;
}

struct rounds *rounds_new(struct loop *l, const struct redis_port *port, int pause_ms)
{
	struct rounds *r = mem_alloc(sizeof *r);

	r->port = port;
	r->own = (struct redis_port){ .command = port_command, .link = r };
	r->next = loop_timer_new(l, on_next, r);
	r->pause_ms = 1;
	r->most_ms = pause_ms;
	return r;
}

void rounds_free(struct rounds *r)
{
	if (!r)
		return;
	rounds_down(r);
	loop_timer_free(r->next);
	buf_fini(&r->words);
	mem_free(r);
}

const struct redis_port *rounds_port(struct rounds *r)
{
	return &r->own;
}

void rounds_stop(struct rounds *r)
{
	r->stop = true;
	if (r->fn && !r->asking)
		loop_timer_set(r->next, 0);
}

void rounds_down(struct rounds *r)
{
	static const struct redis_reply gone = { .type = REDIS_GONE };

	if (r->fn)
		finish(r, &gone);
}
