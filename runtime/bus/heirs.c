/* SPDX-License-Identifier: MIT
 * heirs.c - see heirs.h.
 *
 *   actord:{TOPIC}:dead    what HEIRS_DEATHS nodes died of: m, id, deaths, reason
 *
 *      XPENDING -> of a dead node? -> XCLAIM --> shared.c    | three deaths: -> :dead
 *
 * The idea: what a node had that is gone is claimed by who notices, and marked msg_again(); of two
 * that claim at once Redis gives it to the first, as the claim makes it young. Only from the dead
 * is anything claimed: a slow node keeps what it has. The loop's thread. */
#include "heirs.h"

#include <inttypes.h>
#include <stdio.h>

#include "log.h"

enum { CLAIM_MOST = 100, CLAIM_IDLE_MS = 1000 };

static const char dead_script[] =
	"local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]"
	" if not e then return redis.call('XACK', KEYS[1], 'actord', ARGV[1]) end"
	" local m = ''"
	" for i = 1, #e[2], 2 do if e[2][i] == 'm' then m = e[2][i + 1] end end"
	" redis.call('XADD', KEYS[2], '*', 'm', m, 'id', ARGV[1], 'deaths', ARGV[2],"
	" 'reason', ARGV[3])"
	" redis.call('XACK', KEYS[1], 'actord', ARGV[1])"
	" redis.call('XDEL', KEYS[1], ARGV[1])"
	" return 1";

static void on_buried(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	if (r->type != REDIS_ERROR)
		return;
	shared_say(st->share, st->dead, r->str);
	st->share->settled(st->share->streams, false);
}

static void bury(struct shared *st, const char *id, int64_t deaths, const char *last)
{
	char number[24], reason[400];
	const char *argv[] = { "EVAL", dead_script, "2", st->key, st->dead, id, number, reason };

	snprintf(number, sizeof number, "%" PRId64, deaths);
	snprintf(reason, sizeof reason, "%s nodes died while they had it, the last was %.200s",
	         number, last);
	log_line(LOG_WARN, "bus", "%s: message %s is put into %s: %s", st->topic->name, id,
	         st->dead, reason);
	shared_tell(st, on_buried, ARRAY_LEN(argv), argv);
}

static void on_claimed(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++)
		shared_take(st, &r->item[i], true);
}

/* Given to this very life as the link was lost: nobody died of it, its deliveries stay as many. */
static void take_back(struct shared *st, const char *id, int64_t deliveries)
{
	char number[24];
	const char *node = st->share->node;
	const char *argv[] = { "XCLAIM", st->key, "actord", node, "0", id, "RETRYCOUNT", number };

	snprintf(number, sizeof number, "%" PRId64, deliveries);
	shared_tell(st, on_claimed, ARRAY_LEN(argv), argv);
}

/* [id, consumer, idle, deliveries] each, of one consumer: that is dead, or is us. */
static void revive(struct shared *st, const struct redis_reply *r, bool own)
{
	enum { FIXED = 5 };
	char idle[16];
	const char *argv[FIXED + CLAIM_MOST] = { "XCLAIM", st->key, "actord", st->share->node,
	                                         idle };
	int n = FIXED;

	snprintf(idle, sizeof idle, "%d", own ? 0 : CLAIM_IDLE_MS);
	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++) {
		const struct redis_reply *e = r->item[i].item;

		if (r->item[i].items != 4 || e[0].type != REDIS_STR || shared_has(st, e[0].str))
			continue;
		if (own && st->heir)
			take_back(st, e[0].str, e[3].integer);
		else if (e[3].integer >= HEIRS_DEATHS)
			bury(st, e[0].str, e[3].integer, e[1].str);
		else if (n < FIXED + CLAIM_MOST)
			argv[n++] = e[0].str;
	}
	if (n > FIXED)
		shared_tell(st, on_claimed, n, argv);
}

static void on_pending(void *arg, const struct redis_reply *r)
{
	revive(shared_told(arg), r, false);
}

static void on_consumers(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	const struct redis_reply *list =
		r->type == REDIS_LIST && r->items == 4 ? &r->item[3] : NULL;

	for (size_t i = 0; list && list->type == REDIS_LIST && i < list->items; i++) {
		char most[16];
		const char *who = list->item[i].items == 2 ? list->item[i].item[0].str : NULL;
		const char *argv[] = { "XPENDING", st->key, "actord", "-", "+", most, who };

		if (!who || st->share->there(st->share->arg, who))
			continue;
		snprintf(most, sizeof most, "%d", CLAIM_MOST);
		shared_tell(st, on_pending, ARRAY_LEN(argv), argv);
	}
}

void heirs_claim(struct shared *st)
{
	const char *argv[] = { "XPENDING", st->key, "actord" };

	shared_tell(st, on_consumers, ARRAY_LEN(argv), argv);
}

static void look_on(struct shared *st);

static void on_own(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	if (r->type == REDIS_GONE || st->state != ASKED)
		return;
	revive(st, r, true);
	if (r->type == REDIS_LIST && r->items == CLAIM_MOST) {
		snprintf(st->cursor, sizeof st->cursor, "(%s", r->item[CLAIM_MOST - 1].item[0].str);
		look_on(st);
		return;
	}
	st->heir = true;
	st->share->inherited(st);
}

static void look_on(struct shared *st)
{
	char most[16];
	const char *argv[] = { "XPENDING", st->key, "actord", st->cursor, "+", most,
	                       st->share->node };

	snprintf(most, sizeof most, "%d", CLAIM_MOST);
	shared_tell(st, on_own, ARRAY_LEN(argv), argv);
}

void heirs_own(struct shared *st)
{
	snprintf(st->cursor, sizeof st->cursor, "-");
	look_on(st);
}
