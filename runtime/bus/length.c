/* SPDX-License-Identifier: MIT
 * length.c - see length.h.
 *
 * The idea: a node takes out what it has handled, so what is there is under way, or waits for
 * actors that are busy. Few frames are no reason to wait, whatever their size; more are weighed by
 * Redis, as lone messages for one that is busy for long would else hold up all that is for the
 * others. A Redis that may not be asked for that (an ACL without MEMORY) makes few the limit. */
#include "length.h"

/* Crowded beyond; no longer, at half of it. */
enum { FEW = 256, MANY = 12288, BYTES_MOST = 16 << 20 };

static void look(struct length *l, bool crowded)
{
	l->crowded = crowded;
	l->looked(l->arg);
}

static void on_weighed(void *arg, const struct redis_reply *r)
{
	struct length *l = arg;

	if (r->type != REDIS_GONE)
		look(l, r->type == REDIS_ERROR ||
		        (r->type == REDIS_INT && r->integer > BYTES_MOST / (1 + l->crowded)));
}

static void on_counted(void *arg, const struct redis_reply *r)
{
	struct length *l = arg;
	const char *argv[] = { "MEMORY", "USAGE", l->key, "SAMPLES", "0" };
	size_t len[] = { 6, 5, strlen(l->key), 7, 1 };
	int64_t n = r->type == REDIS_INT ? r->integer * (1 + l->crowded) : 0;

	if (r->type == REDIS_GONE)
		return;
	if (n <= FEW || n > MANY)
		look(l, n > MANY);
	else
		redis_later(l->port, on_weighed, l, ARRAY_LEN(argv), argv, len);
	if (l->crowded)
		redis_rest(l->port, false);
}

void length_ask(struct length *l)
{
	const char *argv[] = { "XLEN", l->key };
	size_t len[] = { 4, strlen(l->key) };

	redis_later(l->port, on_counted, l, ARRAY_LEN(argv), argv, len);
	if (l->crowded)
		redis_rest(l->port, false);
}
