/* SPDX-License-Identifier: MIT
 * heirs.c - see heirs.h.
 *
 *   actord:{TOPIC}:dead    what HEIRS_DEATHS nodes died of: m, id, deaths, reason
 *
 *   actord:{TOPIC}         beside m: again 1, it may have been handled; suspect 2, as below
 *
 *      XPENDING -> of a dead node? -> suspects --one after the other, XCLAIM--> shared.c
 *                        |                ^         | several messages?
 *                        |                |         v
 *                        |                +-read--- an entry each, XADD, with suspect 1
 *                        | three deaths: -> :dead
 *
 * The idea: what a node had that is gone is claimed by who notices, and marked msg_again(); of two
 * that claim at once the first gets it. Only from the dead is anything claimed: a slow node keeps
 * what it has.
 *
 * A node reads many messages, and dies of one of them, or of none. So what it had are suspects, and
 * each is handed on when the one before it is acknowledged. Redis counts a delivery for that one
 * alone, so only what is being handled while its node dies has a death more. What goes on beside
 * it, freshly read, is a suspect of the next life.
 *
 * Of an entry of several messages it may be one that kills. So where a second node has died with
 * it, who is to hand it on takes it apart first, in one step: its messages come behind all that
 * waits, and are suspects for who reads them. Not sooner, as most nodes die of nothing they read,
 * and message by message is forty times slower.
 *
 * Invariants: what a node died with is handed on one entry at a time. The deliveries that Redis
 * counts of a suspect are the nodes that died with it, and one, while it is handed on; those from
 * before it was taken apart are told by its field. The loop's thread. */
#include "heirs.h"

#include <inttypes.h>
#include <stdio.h>

#include "log.h"

enum { CLAIM_MOST = 100, APART_MOST = 1000, APART_DEATHS = HEIRS_DEATHS - 1 };

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

/* What is ARGV[1]'s still, as it may have slept: the entry, and its deliveries. These are ARGV[3];
 * or, where that is '', one more, as ARGV[4] at most. */
static const char take_script[] =
	"local p = redis.pcall('XPENDING', KEYS[1], 'actord', ARGV[2], ARGV[2], 1)"
	" if p.err then return p end"
	" if #p == 0 or p[1][2] ~= ARGV[1] then return {} end"
	" local n = tonumber(ARGV[3])"
	" if not n then"
	"  n = p[1][4]"
	"  local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]"
	"  for i = 1, e and #e[2] or 0, 2 do if e[2][i] == 'suspect' then"
	"   n = math.max(n, tonumber(e[2][i + 1]) or 1) end end"
	"  n = math.min(n + 1, tonumber(ARGV[4]))"
	" end"
	" local taken = redis.pcall('XCLAIM', KEYS[1], 'actord', ARGV[1], 0, ARGV[2],"
	"  'RETRYCOUNT', n)"
	" if taken.err then return { err = 'REFUSED xclaim: ' .. taken.err } end"
	" if not taken[1] then return {} end"
	" return { taken[1], n }";

/* ARGV: whose it is still, id, where in its fields m its messages end, how many died. What is
 * behind the last of these is taken apart when it is handed on. */
static const char apart_script[] =
	"local p = redis.pcall('XPENDING', KEYS[1], 'actord', ARGV[2], ARGV[2], 1)"
	" if p.err then return p end"
	" if #p == 0 or p[1][2] ~= ARGV[1] then return 0 end"
	" local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]"
	" if not e then return redis.call('XACK', KEYS[1], 'actord', ARGV[2]) end"
	/* no entry's: behind it, where memory is full, XADD is allowed */
	" redis.call('XACK', KEYS[1], 'actord', '0-0')"
	" local m, done = '', 0"
	" for i = 1, #e[2], 2 do if e[2][i] == 'm' then m = m .. e[2][i + 1] end end"
	" local function add(to)"
	"  if to > done then redis.call('XADD', KEYS[1], '*', 'm', string.sub(m, done + 1, to),"
	"   'again', '1', 'suspect', ARGV[4]) end"
	"  done = to"
	" end"
	" for to in string.gmatch(ARGV[3], '%d+') do add(tonumber(to)) end"
	" add(#m)"
	" redis.call('XACK', KEYS[1], 'actord', ARGV[2])"
	" redis.call('XDEL', KEYS[1], ARGV[2])"
	" return 1";

/* Before it is buried; with it what is said of that. */
static const char look_script[] =
	"local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]"
	" return { e or {}, ARGV[1], ARGV[2], ARGV[3] }";

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

static void keep(struct shared *st, const struct redis_reply *e)
{
	if (shared_has(st, e->item[0].str) || is_suspect(st, e->item[0].str) || !shared_ours(st))
		return;
	suspect(last(st), e->item[0].str);
	heirs_go_on(st);
}

static bool is_part(const struct redis_reply *e)
{
	return shared_field(e, "suspect");
}

void heirs_read(struct shared *st, const struct redis_reply *e)
{
	if (is_part(e))
		keep(st, e);
	else
		shared_take(st, e, false);
}

/* The next is tried, or the same one again, later. */
static void tried(struct shared *st, const struct redis_reply *r)
{
	st->claiming = false;
	if (r->type == REDIS_ERROR && !strncmp(r->str, "NOGROUP", 7)) {
		heirs_forget(st);
	} else if (r->type == REDIS_ERROR) {
		shared_say(st->share, st->key, r->str);
		suspect(&st->suspects, st->trying);
		st->trying[0] = 0;
		st->share->settled(st, false);
	} else if (r->type != REDIS_GONE) {
		heirs_go_on(st);
	}
}

static bool is_several(const struct redis_reply *e)
{
	struct piece p = { 0 };

	while (e->items == 2 && p.nth < 2 && shared_piece(&e->item[1], &p))
		;
	return p.nth > 1;
}

static void on_apart(void *arg, const struct redis_reply *r)
{
	tried(shared_told(arg), r);
}

/* False: the link is down. */
static bool take_apart(struct shared *st, const struct redis_reply *e)
{
	struct buf ends = { 0 };
	struct piece p = { 0 };
	char deaths[16];
	const char *argv[] = { "EVAL", apart_script, "1", st->key, st->share->node,
	                       e->item[0].str, NULL, deaths };
	size_t end = 0;
	bool told;

	while (p.nth < APART_MOST && shared_piece(&e->item[1], &p))
		buf_printf(&ends, "%zu ", end += p.len);
	argv[6] = ends.p;
	snprintf(deaths, sizeof deaths, "%d", APART_DEATHS);
	told = shared_tell(st, on_apart, ARRAY_LEN(argv), argv);
	buf_fini(&ends);
	return told;
}

/* What take_script tells. NULL: it is not ours (any more). */
static const struct redis_reply *taken(const struct redis_reply *r, int64_t *deliveries)
{
	if (r->type != REDIS_LIST || r->items != 2)
		return NULL;
	*deliveries = r->item[1].integer;
	return &r->item[0];
}

static void on_tried(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	int64_t deliveries;
	const struct redis_reply *e = taken(r, &deliveries);
	bool apart = e && deliveries > APART_DEATHS && is_several(e);

	if (apart && shared_ours(st) && take_apart(st, e))
		return;
	if (e && !apart)
		shared_take(st, e, true);
	tried(st, r);
}

void heirs_go_on(struct shared *st)
{
	char most[16];
	const char *argv[] = { "EVAL", take_script, "1", st->key, st->share->node, st->trying, "",
	                       most };

	if (st->claiming || (st->trying[0] && shared_has(st, st->trying)))
		return;
	st->trying[0] = 0;
	if (!st->suspects || !shared_ours(st))
		return;
	snprintf(st->trying, sizeof st->trying, "%s", st->suspects->id);
	snprintf(most, sizeof most, "%d", HEIRS_DEATHS);
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

/* --- three deaths ------------------------------------------------------------------------- */

static void on_buried(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	if (r->type != REDIS_ERROR)
		return;
	shared_say(st->share, st->dead, r->str);
	st->share->settled(st, false);
}

/* [entry or [], id, deaths, last] */
static void on_looked(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	const struct redis_reply *e = r->item;
	char reason[400];

	if (r->type == REDIS_GONE)
		return;
	if (r->type != REDIS_LIST || r->items != 4) {
		shared_say(st->share, st->key, r->type == REDIS_ERROR ? r->str : "an odd answer");
		st->share->settled(st, false);
	} else if (is_several(e)) {     /* nobody knows of which */
		const char *argv[] = { "EVAL", claim_script, "1", st->key, st->share->node,
		                       e[3].str, e[1].str };

		shared_tell(st, on_claimed, ARRAY_LEN(argv), argv);
	} else {
		const char *argv[] = { "EVAL", dead_script, "2", st->key, st->dead, e[1].str,
		                       e[2].str, reason };

		snprintf(reason, sizeof reason, "%s nodes died while they had it, the last was "
		         "%.200s", e[2].str, e[3].str);
		log_line(LOG_WARN, "bus", "%s: message %s is put into %s: %s", st->topic->name,
		         e[1].str, st->dead, reason);
		shared_tell(st, on_buried, ARRAY_LEN(argv), argv);
	}
}

static void bury(struct shared *st, const char *id, int64_t deaths, const char *last)
{
	char number[24];
	const char *argv[] = { "EVAL", look_script, "1", st->key, id, number, last };

	snprintf(number, sizeof number, "%" PRId64, deaths);
	shared_tell(st, on_looked, ARRAY_LEN(argv), argv);
}

/* --- who had what ------------------------------------------------------------------------- */

/* As it was: with us, or before us. */
static void on_back(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	int64_t deliveries;
	const struct redis_reply *e = taken(r, &deliveries);

	if (e && (deliveries == 1 ? is_part(e) : deliveries > APART_DEATHS && is_several(e)))
		keep(st, e);
	else if (e)
		shared_take(st, e, true);
	if (r->type == REDIS_ERROR)
		shared_say(st->share, st->key, r->str);
}

/* Given to this very life, which lost its link or slept: nobody died of it, its deliveries stay as
 * many. */
static void take_back(struct shared *st, const char *id, int64_t deliveries)
{
	char number[24];
	const char *argv[] = { "EVAL", take_script, "1", st->key, st->share->node, id, number };

	snprintf(number, sizeof number, "%" PRId64, deliveries);
	shared_tell(st, on_back, ARRAY_LEN(argv), argv);
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
