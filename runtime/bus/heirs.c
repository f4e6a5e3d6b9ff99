/* SPDX-License-Identifier: MIT
 * heirs.c - see heirs.h.
 *
 *   actord:{TOPIC}:dead    what HEIRS_DEATHS nodes died of: m, id, deaths, reason
 *
 *      XPENDING -> of a dead node? -> suspects --one after the other, XCLAIM--> shared.c
 *                        | three deaths: -> :dead
 *
 * The idea: what a node had that is gone is claimed by who notices, and marked msg_again(); of two
 * that claim at once the first gets it. Only from the dead is anything claimed: a slow node keeps
 * what it has.
 *
 * A node reads many messages, and dies of one of them, or of none. So what it had are suspects, and
 * each is handed on when the one before it is acknowledged. Redis counts a delivery for that one
 * alone, so only what is being handled while its node dies has a death more. What goes on beside
 * it, freshly read, is a suspect of the next life. The loop's thread. */
#include "heirs.h"

#include <inttypes.h>
#include <stdio.h>

#include "log.h"

enum { CLAIM_MOST = 100 };

struct suspect { struct suspect *next; char id[SHARED_ID_LEN]; };

/* From ARGV[2] to ARGV[1], without a count; ids, of which those that were its are answered. */
static const char claim_script[] =
	"local out = {}"
	" for i = 3, #ARGV do"
	"  local p = redis.call('XPENDING', KEYS[1], 'actord', ARGV[i], ARGV[i], 1)[1]"
	"  if p and p[2] == ARGV[2] then"
	"   redis.call('XCLAIM', KEYS[1], 'actord', ARGV[1], 0, ARGV[i], 'JUSTID')"
	"   table.insert(out, ARGV[i]) end"
	" end"
	" return out";

/* What is ARGV[1]'s still, as it may have slept; '': a delivery more. */
static const char take_script[] =
	"local p = redis.pcall('XPENDING', KEYS[1], 'actord', ARGV[2], ARGV[2], 1)"
	" if p.err then return p end"
	" if #p == 0 or p[1][2] ~= ARGV[1] then return {} end"
	" local claim = { 'XCLAIM', KEYS[1], 'actord', ARGV[1], 0, ARGV[2] }"
	" if ARGV[3] ~= '' then"
	"  table.insert(claim, 'RETRYCOUNT') table.insert(claim, ARGV[3]) end"
	" local taken = redis.pcall(unpack(claim))"
	" if taken.err then return { err = 'REFUSED xclaim: ' .. taken.err } end"
	" return taken";

static const char dead_script[] =
	"local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]"
	" if not e then return redis.call('XACK', KEYS[1], 'actord', ARGV[1]) end"
	/* no entry's: behind it, where memory is full, XADD is allowed */
	" redis.call('XACK', KEYS[1], 'actord', '0-0')"
	" local m = ''"
	" for i = 1, #e[2], 2 do if e[2][i] == 'm' then m = m .. e[2][i + 1] end end"
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
	st->share->settled(st, false);
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

/* --- suspects ----------------------------------------------------------------------------- */

static void suspect(struct suspect **at, const char *id)
{
	struct suspect *x = mem_alloc(sizeof *x);

	snprintf(x->id, sizeof x->id, "%s", id);
	x->next = *at;
	*at = x;
}

static struct suspect **last(struct shared *st)
{
	struct suspect **at = &st->suspects;

	while (*at)
		at = &(*at)->next;
	return at;
}

static bool is_suspect(const struct shared *st, const char *id)
{
	const struct suspect *x = st->suspects;

	while (x && strcmp(x->id, id))
		x = x->next;
	return x;
}

static void drop_first(struct shared *st)
{
	struct suspect *x = st->suspects;

	st->suspects = x->next;
	mem_free(x);
}

void heirs_forget(struct shared *st)
{
	while (st->suspects)
		drop_first(st);
	st->trying[0] = 0;
}

static void on_taken(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++)
		shared_take(st, &r->item[i], true);
	if (r->type == REDIS_ERROR)
		shared_say(st->share, st->key, r->str);
}

static void on_tried(void *arg, const struct redis_reply *r)
{
	struct shared *st = arg;

	st->claiming = false;
	on_taken(arg, r);
	if (r->type == REDIS_ERROR && !strncmp(r->str, "NOGROUP", 7)) {
		heirs_forget(st);
	} else if (r->type == REDIS_ERROR) {
		suspect(&st->suspects, st->trying);
		st->trying[0] = 0;
		st->share->settled(st, false);          /* again then */
	} else if (r->type != REDIS_GONE) {
		heirs_go_on(st);
	}
}

void heirs_go_on(struct shared *st)
{
	const char *argv[] = { "EVAL", take_script, "1", st->key, st->share->node, st->trying,
	                       "" };

	if (st->claiming || (st->trying[0] && shared_has(st, st->trying)))
		return;
	st->trying[0] = 0;
	if (!st->suspects || !shared_ours(st))
		return;
	snprintf(st->trying, sizeof st->trying, "%s", st->suspects->id);
	drop_first(st);
	st->claiming = true;            /* on_tried() may come at once */
	if (!shared_tell(st, on_tried, ARRAY_LEN(argv), argv))
		st->claiming = false;
	if (!st->suspects)
		heirs_claim(st);        /* there may be more than were claimed at once */
}

static void on_claimed(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	if (r->type == REDIS_ERROR)
		shared_say(st->share, st->key, r->str);
	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++)
		if (r->item[i].type == REDIS_STR)
			suspect(last(st), r->item[i].str);
	heirs_go_on(st);
}

/* --- who had what ------------------------------------------------------------------------- */

/* Given to this very life, which lost its link or slept: nobody died of it, its deliveries stay as
 * many. */
static void take_back(struct shared *st, const char *id, int64_t deliveries)
{
	char number[24];
	const char *argv[] = { "EVAL", take_script, "1", st->key, st->share->node, id, number };

	snprintf(number, sizeof number, "%" PRId64, deliveries);
	shared_tell(st, on_taken, ARRAY_LEN(argv), argv);
}

/* [id, consumer, idle, deliveries] each, of one consumer: that is dead, or is us. */
static void revive(struct shared *st, const struct redis_reply *r, bool own)
{
	enum { FIXED = 6 };
	const char *argv[FIXED + CLAIM_MOST] = { "EVAL", claim_script, "1", st->key,
	                                         st->share->node };
	int n = FIXED;

	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++) {
		const struct redis_reply *e = r->item[i].item;

		if (r->item[i].items != 4 || e[0].type != REDIS_STR || shared_has(st, e[0].str) ||
		    is_suspect(st, e[0].str))
			continue;
		if (own && st->heir)
			take_back(st, e[0].str, e[3].integer);
		else if (e[3].integer >= HEIRS_DEATHS)
			bury(st, e[0].str, e[3].integer, e[1].str);
		else if (own)
			suspect(last(st), e[0].str);
		else if (n < FIXED + CLAIM_MOST)
			argv[n++] = e[0].str;
		argv[FIXED - 1] = e[1].str;
	}
	if (n > FIXED)
		shared_tell(st, on_claimed, n, argv);
}

/* A stream that has gone has no heirs. */
static void say_error(struct shared *st, const struct redis_reply *r)
{
	if (r->type == REDIS_ERROR && strncmp(r->str, "NOGROUP", 7))
		shared_say(st->share, st->key, r->str);
}

static void on_pending(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	say_error(st, r);
	revive(st, r, false);
}

static void on_consumers(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	const struct redis_reply *list =
		r->type == REDIS_LIST && r->items == 4 ? &r->item[3] : NULL;

	say_error(st, r);
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
	if (r->type == REDIS_ERROR) {
		st->share->inherited(st, r->str);
		return;
	}
	revive(st, r, true);
	if (r->type == REDIS_LIST && r->items == CLAIM_MOST) {
		snprintf(st->cursor, sizeof st->cursor, "(%s", r->item[CLAIM_MOST - 1].item[0].str);
		look_on(st);
		return;
	}
	st->heir = true;
	st->share->inherited(st, NULL);
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
	if (!st->heir)
		heirs_forget(st);
	snprintf(st->cursor, sizeof st->cursor, "-");
	look_on(st);
}
