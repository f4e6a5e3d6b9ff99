/* SPDX-License-Identifier: MIT
 * news.c - see news.h.
 *
 * The idea: XREAD, unlike XREADGROUP, also waits on keys that are not there. So a name that nobody
 * has written to yet costs Redis no key. What it reads is thrown away: who is told makes the group,
 * and reads as one of it, from the beginning.
 *
 * Keys go through a queue: those that were asked for go to its end, so where they are more than one
 * command takes, all have their turn. Invariants: one read at a time; what is left while it is
 * under way may be told once more. The loop's thread. */
#include "news.h"

#include <stdio.h>

#include "log.h"

enum { READ_MS = 2000, TURN_MS = 50, PAUSE_MS = 1000, UNBLOCK_MS = 3, FIXED = 6,
       KEYS_MOST = (WIRE_WORDS_MOST - FIXED) / 2 };

struct news {
	struct news_config c;
	const struct redis_port *port;
	struct awaited *first, **last;
	unsigned n;
	bool up, reading, quiet, paused;
	bool stale;                     /* more are awaited than the read that waits has */
	bool said;                      /* what fails */
	bool late;                      /* and that CLIENT does */
	struct loop_timer *again;
};

static void go(struct news *n);

static void failed(struct news *n, const struct redis_reply *r)
{
	if (!strncmp(r->str, "WRONGTYPE", 9))
		n->c.odd(n->c.arg);
	else if (!n->said)
		log_line(LOG_WARN, "bus", "nobody hears when a stream begins: %s", r->str);
	n->said = n->said || strncmp(r->str, "WRONGTYPE", 9);
	n->paused = true;
	loop_timer_set(n->again, PAUSE_MS);
}

static void on_read(void *arg, const struct redis_reply *r)
{
	struct news *n = arg;

	n->reading = n->stale = false;
	if (r->type == REDIS_GONE)
		return;
	if (r->type == REDIS_ERROR)
		failed(n, r);
	else
		n->said = false;
	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++)
		if (r->item[i].items == 2 && r->item[i].item[0].type == REDIS_STR)
			n->c.came(n->c.arg, r->item[i].item[0].str);
	go(n);
}

/* The first goes to the end. */
static const char *turn(struct news *n)
{
	struct awaited *a = n->first;

	news_leave(n, a);
	news_await(n, a, a->key);
	return a->key;
}

static void go(struct news *n)
{
	const char *argv[FIXED + 2 * KEYS_MOST] = { "XREAD", "COUNT", "1", "BLOCK", NULL,
	                                            "STREAMS" };
	int keys = n->n < KEYS_MOST ? (int)n->n : KEYS_MOST;
	char ms[16];

	if (!n->up || n->reading || n->paused || n->quiet || !keys)
		return;
	n->reading = n->stale = true;   /* so news_await() leaves it to us */
	snprintf(ms, sizeof ms, "%d", n->n > KEYS_MOST ? TURN_MS : READ_MS);
	argv[4] = ms;
	for (int i = 0; i < keys; i++) {
		argv[FIXED + i] = turn(n);
		argv[FIXED + keys + i] = "0";
	}
	n->stale = false;
	n->reading = !wire_words(n->port, on_read, n, FIXED + 2 * keys, argv);
}

/* --- more to wait for --------------------------------------------------------------------- */

static void on_unblocked(void *arg, const struct redis_reply *r)
{
	struct news *n = arg;

	if (n->stale && r->type == REDIS_INT && !r->integer)
		loop_timer_set(n->again, UNBLOCK_MS);   /* it does not wait (yet) */
	if (r->type == REDIS_ERROR && !n->late)
		log_line(LOG_WARN, "bus", "the streams of new names are noticed late: %s", r->str);
	n->late = r->type == REDIS_ERROR;
}

static void unblock(struct news *n)
{
	n->stale = true;
	wire_unblock(n->c.wire, LINK_NEWS, on_unblocked, n);
}

static void on_again(void *arg)
{
	struct news *n = arg;

	n->paused = false;
	if (n->stale)
		unblock(n);
	go(n);
}

void news_await(struct news *n, struct awaited *a, const char *key)
{
	if (a->at)
		return;
	a->key = key;
	a->next = NULL;
	a->at = n->last;
	*n->last = a;
	n->last = &a->next;
	n->n++;
	if (n->reading && !n->stale)
		unblock(n);
	else if (!n->reading && !n->paused)
		loop_timer_set(n->again, 0);
}

void news_leave(struct news *n, struct awaited *a)
{
	if (!a->at)
		return;
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
	else
		n->last = a->at;
	a->at = NULL;
	n->n--;
}

/* --- the face ----------------------------------------------------------------------------- */

struct news *news_new(const struct news_config *c)
{
	struct news *n = mem_alloc(sizeof *n);

	n->c = *c;
	n->port = wire_port(c->wire, LINK_NEWS);
	n->last = &n->first;
	n->again = loop_timer_new(c->loop, on_again, n);
	return n;
}

void news_free(struct news *n)
{
	if (!n)
		return;
	loop_timer_free(n->again);
	mem_free(n);
}

void news_up(struct news *n)
{
	n->up = true;
	go(n);
}

void news_down(struct news *n)
{
	n->up = n->reading = n->stale = false;
}

void news_quiet(struct news *n)
{
	n->quiet = true;
	if (n->reading && !n->stale)
		unblock(n);
}

bool news_idle(const struct news *n)
{
	return !n->reading;
}
