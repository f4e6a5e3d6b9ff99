/* SPDX-License-Identifier: MIT
 * nodes.c - see nodes.h.
 *
 *   actord:{nodes}           sorted set: name, the moment (Redis's clock) until which it is there
 *   actord:{nodes}:NAME      hash with an expiry: identity, life, info
 *   actord:{nodes}:version   grows when any info changes
 *
 * The idea: one script, twice a second, says that we are there and answers who is, in one step; so
 * two that want one name cannot both get it, and all times are of one clock, Redis's. Only when the
 * version has grown are the others' infos read. Whoever changes says so on a channel, too, so that
 * nobody waits for a beat; when that is lost, the beat finds it.
 *
 * A name belongs to a state folder (its identity), not to a process: a restart takes it over at
 * once, another folder only when nobody was heard of under it for NODES_ALIVE_MS.
 *
 * Who is not on the list is gone only where it could have been heard. So each beat asks, too, how
 * late it is itself, by Redis's clock: when Redis stood still, refused writes (a failover), lost
 * the set, had its clock set, or when we slept, all are late, and whoever is first must not bury
 * the others. All that were known then stay for NODES_ALIVE_MS more.
 *
 * A beat does not wait for the answer of the one before, so that a Redis that is far, a second or
 * two, says in time that the name is ours; one that answers later than that is told of.
 *
 * The script writes first what Redis allows at its memory limit, so that a full Redis does not look
 * like nodes that died. The loop's thread. */
#include "nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core.h"

enum {
	FORGET_MS = 86400000,
	LATE_MS = NODES_ALIVE_MS - 2 * NODES_BEAT_MS,   /* since a beat: others may be later */
	BEATS_MOST = 2 * NODES_ALIVE_MS / NODES_BEAT_MS,        /* not answered yet */
	/* An answer to a beat, after which the name would not be ours until the next one comes. */
	SLOW_MS = NODES_ALIVE_MS - NODES_BEAT_MS,
	SLOW_BEATS = NODES_ALIVE_MS / NODES_BEAT_MS,    /* in a row; fewer: a stop, or a sleep */
};

struct node {
	struct node *next;
	char *name;
	struct buf info;
	bool here, known;               /* on the last list; its info has been read */
	bool before;                    /* was here when nobody was heard; nor since */
};

struct nodes {
	struct nodes_config c;
	struct node *first;
	struct buf info;                /* ours */
	char *key;
	char version[24];               /* that the infos we have are of */
	char life[24];
	bool up, joined, changed, leaving, left;
	unsigned beats, slow;           /* under way; answered too late, in a row */
	bool again;                     /* one is wanted behind these */
	struct loop_timer *timer;
	int64_t early_ms;               /* when it was found that nobody could be heard */
	int64_t ours_ms;                /* the last beat that was answered `here` was sent */
	int64_t doubted_ms;             /* what was sent before is no answer to that */
};

static const char beat_script[] =
	"local t = redis.call('TIME')"
	" local now = t[1] * 1000 + math.floor(t[2] / 1000)"
	" redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[7])"
	" local had = redis.call('HMGET', KEYS[2], 'identity', 'life')"
	" if had[1] and had[1] ~= ARGV[2] then return {'taken'} end"
	" if ARGV[5] ~= '' then"
	"  redis.call('HSET', KEYS[2], 'identity', ARGV[2], 'life', ARGV[3], 'info', ARGV[5])"
	"  redis.call('INCR', KEYS[3])"
	"  redis.call('PUBLISH', ARGV[6], ARGV[1])"
	" elseif had[2] ~= ARGV[3] then return {'again'} end"
	" local heard = redis.call('ZSCORE', KEYS[1], ARGV[1])"
	" local late = not heard or tonumber(heard) + ARGV[8] < now + ARGV[4]"
	" redis.call('PEXPIRE', KEYS[2], ARGV[4])"
	" redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[1])"
	/* said by a clock that was ahead (a failover, a Redis that was moved) */
	" local ahead = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now + ARGV[4], '+inf')"
	" for _, name in ipairs(ahead) do"
	"  redis.call('ZADD', KEYS[1], now + ARGV[4], name)"
	"  redis.call('PEXPIRE', KEYS[1] .. ':' .. name, ARGV[4]) end"
	" local out = redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')"
	" table.insert(out, 1, redis.call('GET', KEYS[3]) or '0')"
	" table.insert(out, 1, late and 'late' or 'here')"
	" return out";

static const char leave_script[] =
	"if redis.call('HGET', KEYS[2], 'life') ~= ARGV[2] then return 0 end"
	" redis.call('DEL', KEYS[2])"
	" redis.call('ZREM', KEYS[1], ARGV[1])"
	" redis.call('INCR', KEYS[3])"
	" redis.call('PUBLISH', ARGV[3], ARGV[1])"
	" return 1";

static void beat(struct nodes *s);

/* Since so long the name is ours, and for NODES_ALIVE_MS what we have; or not any more. */
static void set_ours(struct nodes *s, int64_t since_ms)
{
	s->ours_ms = since_ms;
	core_lease_until(since_ms + NODES_ALIVE_MS);
}

/* --- the others --------------------------------------------------------------------------- */

static struct node *find(const struct nodes *s, const char *name)
{
	struct node *n = s->first;

	while (n && strcmp(n->name, name))
		n = n->next;
	return n;
}

static struct node *find_or_add(struct nodes *s, const char *name, size_t len)
{
	struct node *n = find(s, name);

	if (!n) {
		n = mem_alloc(sizeof *n);
		n->name = mem_string(name, len);
		n->next = s->first;
		s->first = n;
	}
	return n;
}

struct reading { struct nodes *s; char name[NAME_MAX_LEN + 1]; };

static void on_info(void *arg, const struct redis_reply *r)
{
	struct reading *x = arg;
	struct node *n = find(x->s, x->name);
	struct why why;

	if (n && n->here && r->type == REDIS_LIST && r->items == 2 &&
	    r->item[0].type == REDIS_STR && r->item[1].type == REDIS_STR &&
	    packed_check(r->item[1].str, r->item[1].len, 1, &why) == 1) {
		uint64_t life = strtoull(r->item[0].str, NULL, 10);

		n->known = true;
		buf_clear(&n->info);
		buf_add(&n->info, r->item[1].str, r->item[1].len);
		x->s->c.seen(x->s->c.arg, n->name, life,
		             (struct packed){ (uint8_t *)n->info.p,
		                              (uint8_t *)n->info.p + n->info.len });
	}
	mem_free(x);
}

static void read_info(struct nodes *s, const struct node *n)
{
	struct reading *x = mem_alloc(sizeof *x);
	struct buf key = { 0 };
	const char *argv[] = { "HMGET", NULL, "life", "info" };
	size_t len[] = { 5, 0, 4, 4 };

	x->s = s;
	snprintf(x->name, sizeof x->name, "%s", n->name);
	buf_printf(&key, "actord:{nodes}:%s", n->name);
	argv[1] = key.p;
	len[1] = key.len;
	if (s->c.port->command(s->c.port->link, on_info, x, 4, argv, len))
		mem_free(x);
	buf_fini(&key);
}

static void node_free(struct node *n)
{
	buf_fini(&n->info);
	mem_free(n->name);
	mem_free(n);
}

static void depart(struct nodes *s)
{
	struct node **at = &s->first, *n;

	while ((n = *at)) {
		if (n->here) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		s->c.gone(s->c.arg, n->name);
		node_free(n);
	}
}

/* Who is heard before the others does not bury them. */
static void nobody_was_heard(struct nodes *s)
{
	s->early_ms = boot_ms();
	for (struct node *n = s->first; n; n = n->next)
		n->before = true;
}

static bool heard_late(const struct nodes *s)
{
	return boot_ms() - s->ours_ms >= NODES_ALIVE_MS;
}

static bool is_early(const struct nodes *s)
{
	return boot_ms() - s->early_ms < NODES_ALIVE_MS || heard_late(s);
}

static void see(struct nodes *s, const struct redis_reply *name, size_t names, bool all)
{
	for (struct node *n = s->first; n; n = n->next)
		n->here = n->before && is_early(s);
	for (size_t i = 0; i < names; i++) {
		struct node *n;

		if (name[i].type != REDIS_STR || name[i].len > NAME_MAX_LEN ||
		    !strcmp(name[i].str, s->c.node))
			continue;
		n = find_or_add(s, name[i].str, name[i].len);
		n->here = true;
		n->before = false;
		if (all || !n->known)
			read_info(s, n);
	}
	depart(s);
}

/* --- the beat ----------------------------------------------------------------------------- */

struct beat { struct nodes *s; int64_t sent_ms; };

static void here(struct nodes *s, int64_t sent_ms, const struct redis_reply *r)
{
	bool first = !s->joined, again = heard_late(s), changed;

	s->joined = true;
	set_ours(s, sent_ms);
	if (r->items < 2 || r->item[1].type != REDIS_STR)
		return;
	changed = first || strcmp(s->version, r->item[1].str);
	snprintf(s->version, sizeof s->version, "%s", r->item[1].str);
	see(s, r->item + 2, r->items - 2, changed);
	if (first)
		s->c.joined(s->c.arg);
	else if (again)
		s->c.ours(s->c.arg);
}

static void heard(struct nodes *s, int64_t sent_ms, const struct redis_reply *r)
{
	int64_t took_ms = boot_ms() - sent_ms;

	if (*r->item[0].str == 'l')
		nobody_was_heard(s);
	if (took_ms >= SLOW_MS) {       /* it is of long ago */
		s->again = true;
		if (++s->slow >= SLOW_BEATS)
			s->c.slow(s->c.arg, took_ms);
		return;
	}
	s->slow = 0;
	if (sent_ms > s->doubted_ms)
		here(s, sent_ms, r);
}

static void on_beat(void *arg, const struct redis_reply *r)
{
	const struct beat b = *(struct beat *)arg;
	struct nodes *s = b.s;
	const char *said = r->type == REDIS_LIST && r->items ? r->item[0].str : "";

	mem_free(arg);
	s->beats -= s->beats > 0;
	if (r->type == REDIS_GONE || !s->up)
		return;
	if (r->type == REDIS_ERROR) {
		s->changed = true;
		s->c.failed(s->c.arg, r->str);
	} else if (!strcmp(said, "taken")) {
		set_ours(s, -NODES_ALIVE_MS);
		s->again = false;
		s->c.refused(s->c.arg, "another runtime has it; two need two names (--node NAME), "
		             "or one --state folder that they use one after the other");
	} else if (!strcmp(said, "again")) {
		s->changed = s->again = true;
	} else if (!strcmp(said, "here") || !strcmp(said, "late")) {
		heard(s, b.sent_ms, r);
	}
	if (s->again && !s->beats)
		beat(s);
}

static void beat(struct nodes *s)
{
	char alive[16], forget[16], late[16];
	const char *argv[] = { "EVAL", beat_script, "3", "actord:{nodes}", s->key,
	                       "actord:{nodes}:version", s->c.node, s->c.identity, s->life, alive,
	                       s->changed ? s->info.p : "", NODES_CHANNEL, forget,
	                       late };
	size_t len[ARRAY_LEN(argv)];
	struct beat *b;

	s->again = false;
	if (s->beats == BEATS_MOST || !s->up || s->leaving)
		return;
	snprintf(alive, sizeof alive, "%d", NODES_ALIVE_MS);
	snprintf(forget, sizeof forget, "%d", FORGET_MS);
	snprintf(late, sizeof late, "%d", LATE_MS);
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = i == 10 && s->changed ? s->info.len : strlen(argv[i]);
	s->changed = false;
	b = mem_alloc(sizeof *b);
	*b = (struct beat){ s, boot_ms() };
	if (s->c.port->command(s->c.port->link, on_beat, b, ARRAY_LEN(argv), argv, len))
		mem_free(b);
	else
		s->beats++;
}

/* At once, or behind what is under way: many that change at once are one beat. */
static void beat_soon(struct nodes *s)
{
	if (s->beats)
		s->again = true;
	else
		beat(s);
}

static void on_timer(void *arg)
{
	struct nodes *s = arg;

	loop_timer_set(s->timer, NODES_BEAT_MS);
	beat(s);
}

/* --- the face ----------------------------------------------------------------------------- */

struct nodes *nodes_new(const struct nodes_config *c)
{
	struct nodes *s = mem_alloc(sizeof *s);
	struct buf key = { 0 };

	s->c = *c;
	buf_printf(&key, "actord:{nodes}:%s", c->node);
	s->key = mem_string(key.p, key.len);
	buf_fini(&key);
	snprintf(s->life, sizeof s->life, "%" PRIu64, c->life);
	s->ours_ms = s->doubted_ms = -NODES_ALIVE_MS;
	s->timer = loop_timer_new(c->loop, on_timer, s);
	return s;
}

void nodes_free(struct nodes *s)
{
	if (!s)
		return;
	for (struct node *n = s->first, *next; n; n = next) {
		next = n->next;
		node_free(n);
	}
	loop_timer_free(s->timer);
	buf_fini(&s->info);
	mem_free(s->key);
	mem_free(s);
}

void nodes_up(struct nodes *s)
{
	s->up = true;
	s->joined = false;
	s->changed = true;
	nobody_was_heard(s);
	loop_timer_set(s->timer, NODES_BEAT_MS);
	beat(s);
}

void nodes_down(struct nodes *s)
{
	s->up = s->again = false;
	s->beats = s->slow = 0;
	loop_timer_set(s->timer, -1);
}

void nodes_announce(struct nodes *s, struct packed info)
{
	size_t len = (size_t)(info.end - info.at);

	if (len == s->info.len && !memcmp(info.at, s->info.p, len))
		return;
	buf_clear(&s->info);
	buf_add(&s->info, info.at, len);
	s->changed = true;
	if (s->joined)
		beat_soon(s);
}

void nodes_look(struct nodes *s)
{
	if (s->joined)
		beat_soon(s);
}

static void on_left(void *arg, const struct redis_reply *r)
{
	(void)r;
	((struct nodes *)arg)->left = true;
}

void nodes_leave(struct nodes *s)
{
	const char *argv[] = { "EVAL", leave_script, "3", "actord:{nodes}", s->key,
	                       "actord:{nodes}:version", s->c.node, s->life, NODES_CHANNEL };
	size_t len[ARRAY_LEN(argv)];

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = strlen(argv[i]);
	if (!s->leaving && (!s->up || s->c.port->command(s->c.port->link, on_left, s,
	                                                 ARRAY_LEN(argv), argv, len)))
		s->left = true;
	s->leaving = true;
}

bool nodes_ours(const struct nodes *s)
{
	return !s->joined || !heard_late(s);
}

/* The next beat asks, not one at once: two that take it from each other do so no faster. */
void nodes_doubt(struct nodes *s)
{
	s->doubted_ms = boot_ms();
	set_ours(s, -NODES_ALIVE_MS);
}

int nodes_knows(const struct nodes *s, const char *name)
{
	return find(s, name) ? 1 : is_early(s) ? -1 : 0;
}

bool nodes_left(const struct nodes *s)
{
	return s->left;
}

void nodes_each(const struct nodes *s,
                void (*each)(void *arg, const char *name, struct packed info), void *arg)
{
	for (const struct node *n = s->first; n; n = n->next)
		if (n->known)
			each(arg, n->name, (struct packed){ (uint8_t *)n->info.p,
			                                    (uint8_t *)n->info.p + n->info.len });
}
