/* SPDX-License-Identifier: MIT
 * streams.c - see streams.h.
 *
 *   actord:{TOPIC}         stream, field m: one message or several in a row; group `actord`, from 0
 *   actord:{TOPIC}:dead    what STREAMS_DEATHS nodes died of: m, id, deaths, reason
 *
 * The idea: a consumer a node, under the node's name. What it read is its own until it is handled;
 * then it is acknowledged and removed, in one step. What a node had that is gone, or had itself in
 * its last life, is claimed by who notices, and marked msg_again(); of two that claim at once Redis
 * gives it to the first, as the claim makes it young. Only from the dead is anything claimed: a
 * slow node keeps what it has.
 *
 *      XREADGROUP -> delivery -> messages -> intake ... all handled -> XACK + XDEL
 *      XPENDING -> of a dead node? -> XCLAIM --------^    | three deaths: -> :dead
 *
 * Invariants: an entry is in one delivery at a time. What could not be acknowledged, as the link
 * was lost, is acknowledged when it is back, and not handled again. The loop's thread. */
#include "streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "value.h"

enum {
	READ_ENTRIES = 64, READ_MS = 2000, PAUSE_MS = 1000, LOOK_MS = 10000, SAY_MS = 5000,
	HELD_SOME = 512, DELIVERIES_MOST = 1024, LOOK_FIRST_MS = 3100,
	CLAIM_MOST = 100, CLAIM_IDLE_MS = 1000, ID_LEN = 44, UNBLOCK_MS = 3,
};

struct stream {
	struct streams *of;
	struct topic *topic;
	char *key, *dead;
	enum { NEW, ASKED, READY } state;
	struct delivery *first;         /* under way, or not acknowledged yet */
	bool bad;                       /* its key is no stream, which has been said */
	bool heir;                      /* what our last life had has been claimed */
	char cursor[ID_LEN + 1];        /* how far our own of before were looked at */
};

struct delivery {
	struct delivery *next;
	struct stream *stream;
	char id[ID_LEN];
	unsigned open;          /* messages that are not handled; while it is split, 1 more */
	bool acking;
};

struct streams {
	struct streams_config c;
	const struct redis_port *port, *commands;
	struct stream **stream;         /* as many as there are topics */
	unsigned n, room, turn, open;
	unsigned window;                /* topics from turn on that are read */
	bool up, reading, stale, quiet, paused;
	const struct topic *skipped;    /* one that is not read, as it has too much */
	struct loop_timer *again, *look;
	struct buf bytes;
	int64_t said_ms, up_ms;
};

static void say(struct streams *s, const char *about, const char *text)
{
	if (now_ms() - s->said_ms < SAY_MS)
		return;
	s->said_ms = now_ms();
	log_line(LOG_WARN, "bus", "%s: %s", about, text);
}

/* --- acknowledging ------------------------------------------------------------------------ */

static const char ack_script[] =
	"redis.call('XACK', KEYS[1], 'actord', ARGV[1])"
	" redis.call('XDEL', KEYS[1], ARGV[1])"
	" return 1";

static void forget(struct delivery *d)
{
	struct delivery **at = &d->stream->first;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	d->stream->of->open--;
	mem_free(d);
}

static void on_acked(void *arg, const struct redis_reply *r)
{
	struct delivery *d = arg;
	struct streams *s = d->stream->of;

	d->acking = false;
	if (r->type == REDIS_GONE)
		return;                 /* streams_up() does it again */
	if (r->type == REDIS_ERROR) {
		say(s, d->stream->key, r->str);
		loop_timer_set(s->look, PAUSE_MS);
		if (!strstr(r->str, "WRONGTYPE"))
			return;         /* no replica, no disk: on_look() does */
	}
	forget(d);
	streams_go(s);
}

static void ack(struct delivery *d)
{
	const char *argv[] = { "EVAL", ack_script, "1", d->stream->key, d->id };

	d->acking = !wire_words(d->stream->of->commands, on_acked, d, ARRAY_LEN(argv), argv);
}

void streams_delivered(struct delivery *d)
{
	if (!--d->open)
		ack(d);
}

static void ack_again(struct streams *s)
{
	for (unsigned i = 0; i < s->n; i++)
		for (struct delivery *d = s->stream[i]->first; d; d = d->next)
			if (!d->open && !d->acking)
				ack(d);
}

/* --- entries ------------------------------------------------------------------------------ */

static struct delivery *find(const struct stream *st, const char *id)
{
	struct delivery *d = st->first;

	while (d && strcmp(d->id, id))
		d = d->next;
	return d;
}

/* One of several in a row; the rest is behind it. */
static bool hand_one(struct streams *s, struct delivery *d, struct packed *in, bool again)
{
	struct why why = { "" };
	int64_t size = in->end - in->at;

	if ((*in->at & 0xf0) == 0x80 || *in->at == 0xde || *in->at == 0xdf)
		size = packed_first(in->at, (size_t)size, MESSAGE_DEPTH, &why);
	if (size < 0) {
		say(s, d->stream->key, why.text);
		return false;
	}
	buf_clear(&s->bytes);
	buf_add(&s->bytes, in->at, (size_t)size);
	buf_add(&s->bytes, "", 1);
	in->at += size;
	d->open++;
	if (!s->c.entry(s->c.arg, d->stream->topic, s->bytes.p, (size_t)size, d, again))
		d->open--;
	return true;
}

static void take(struct streams *s, struct stream *st, const char *id, struct packed in, bool again)
{
	struct delivery *d = mem_alloc(sizeof *d);

	snprintf(d->id, sizeof d->id, "%s", id);
	d->stream = st;
	d->next = st->first;
	st->first = d;
	d->open = 1;
	s->open++;
	if (!again || !core_at_most_once(st->topic->ref))
		while (in.at < in.end && hand_one(s, d, &in, again))
			;
	streams_delivered(d);
}

/* [id, [field, value, ...]] */
static void take_entry(struct stream *st, const struct redis_reply *e, bool again)
{
	const struct redis_reply *fields = e->items == 2 ? &e->item[1] : NULL;
	struct packed in = { NULL, NULL };

	if (!fields || e->item[0].type != REDIS_STR || find(st, e->item[0].str))
		return;
	for (size_t i = 0; i + 1 < fields->items; i += 2)
		if (fields->item[i].type == REDIS_STR && !strcmp(fields->item[i].str, "m")) {
			in.at = (const uint8_t *)fields->item[i + 1].str;
			in.end = in.at + fields->item[i + 1].len;
		}
	if (in.at == in.end)
		say(st->of, st->key, "an entry has no messages in a field m, and is dropped");
	take(st->of, st, e->item[0].str, in, again);
}

/* --- reading ------------------------------------------------------------------------------ */

static struct stream *by_key(const struct streams *s, const char *key)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->stream[i]->key, key))
			return s->stream[i];
	return NULL;
}

static void see_topics(struct streams *s);

static void on_read(void *arg, const struct redis_reply *r)
{
	struct streams *s = arg;

	s->reading = s->stale = false;
	if (r->type == REDIS_GONE)
		return;
	s->turn += r->type == REDIS_NIL ? s->window : 1;
	if (r->type == REDIS_ERROR) {
		if (strncmp(r->str, "NOGROUP", 7))
			say(s, "the streams of topics cannot be read", r->str);
		for (unsigned i = 0; i < s->n; i++)
			s->stream[i]->state = NEW;
		s->paused = true;
		loop_timer_set(s->again, PAUSE_MS);
	}
	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++) {
		const struct redis_reply *one = &r->item[i];
		struct stream *st = one->items == 2 ? by_key(s, one->item[0].str) : NULL;

		for (size_t k = 0; st && k < one->item[1].items; k++)
			take_entry(st, &one->item[1].item[k], false);
	}
	if (r->type == REDIS_NIL)
		see_topics(s);
	streams_go(s);
}

static bool readable(struct streams *s, const struct stream *st)
{
	if (!st->topic->hosted || st->state != READY)
		return false;
	if (st->topic->held < HELD_SOME)
		return true;
	s->skipped = st->topic;
	return false;
}

static void read_on(struct streams *s)
{
	char count[16], ms[16];
	const char *argv[WIRE_WORDS_MOST] = { "XREADGROUP", "GROUP", "actord", s->c.node, "COUNT",
	                                      count, "BLOCK", ms, "STREAMS" };
	enum { FIXED = 9, MOST = (WIRE_WORDS_MOST - FIXED) / 2 };
	unsigned i = 0;
	int n = 0;

	s->skipped = NULL;
	for (; i < s->n && n < MOST; i++) {
		const struct stream *st = s->stream[(s->turn + i) % s->n];

		if (readable(s, st))
			argv[FIXED + n++] = st->key;
	}
	if (!n)
		return;
	s->window = i < s->n ? i : 1;
	for (int k = 0; k < n; k++)
		argv[FIXED + n + k] = ">";
	snprintf(count, sizeof count, "%d", READ_ENTRIES);
	snprintf(ms, sizeof ms, "%d", s->n > MOST ? 50 : READ_MS);      /* turn by turn */
	s->reading = !wire_words(s->port, on_read, s, FIXED + 2 * n, argv);
}

/* --- groups ------------------------------------------------------------------------------- */

static void look_at_own(struct stream *st);

static void on_group(void *arg, const struct redis_reply *r)
{
	struct stream *st = arg;

	if (r->type == REDIS_GONE || st->state != ASKED)
		return;
	if (r->type == REDIS_ERROR && strncmp(r->str, "BUSYGROUP", 9)) {
		st->state = NEW;        /* see_topics() tries again, now and then */
		if (!st->bad)
			log_line(LOG_WARN, "bus", "no messages for %s come by the stream %s: %s",
			         st->topic->name, st->key, r->str);
		st->bad = true;
		return;
	}
	if (st->bad)
		log_line(LOG_INFO, "bus", "messages for %s come by the stream %s again",
		         st->topic->name, st->key);
	st->bad = false;
	snprintf(st->cursor, sizeof st->cursor, "-");
	look_at_own(st);
}

static void make_group(struct stream *st)
{
	const char *argv[] = { "XGROUP", "CREATE", st->key, "actord", "0", "MKSTREAM" };

	if (!wire_words(st->of->commands, on_group, st, ARRAY_LEN(argv), argv))
		st->state = ASKED;
}

static char *key_of(const struct topic *t, const char *behind)
{
	struct buf b = { 0 };

	buf_printf(&b, "actord:{%s}%s", t->name, behind);
	return b.p;
}

static void see_topics(struct streams *s)
{
	while (s->n < topics_count(s->c.topics)) {
		struct stream *st = mem_alloc(sizeof *st);

		if (s->n == s->room) {
			s->room = s->room ? 2 * s->room : 16;
			s->stream = mem_resize(s->stream, s->room * sizeof(struct stream *));
		}
		st->of = s;
		st->topic = topics_get(s->c.topics, s->n);
		st->key = key_of(st->topic, "");
		st->dead = key_of(st->topic, ":dead");
		s->stream[s->n++] = st;
	}
	for (unsigned i = 0; s->up && i < s->n; i++)
		if (s->stream[i]->state == NEW && s->stream[i]->topic->hosted)
			make_group(s->stream[i]);
}

/* --- from the dead ------------------------------------------------------------------------ */

static const char dead_script[] =
	"local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]"
	" redis.call('XACK', KEYS[1], 'actord', ARGV[1])"
	" if not e then return 0 end"
	" local m = ''"
	" for i = 1, #e[2], 2 do if e[2][i] == 'm' then m = e[2][i + 1] end end"
	" redis.call('XADD', KEYS[2], '*', 'm', m, 'id', ARGV[1], 'deaths', ARGV[2],"
	" 'reason', ARGV[3])"
	" redis.call('XDEL', KEYS[1], ARGV[1])"
	" return 1";

static void on_buried(void *arg, const struct redis_reply *r)
{
	struct stream *st = arg;

	if (r->type == REDIS_ERROR)
		say(st->of, st->dead, r->str);
}

static void bury(struct stream *st, const char *id, int64_t deaths, const char *last)
{
	char number[24], reason[400];
	const char *argv[] = { "EVAL", dead_script, "2", st->key, st->dead, id, number, reason };

	snprintf(number, sizeof number, "%" PRId64, deaths);
	snprintf(reason, sizeof reason, "%s nodes died while they had it, the last was %.200s",
	         number, last);
	log_line(LOG_WARN, "bus", "%s: message %s is put into %s: %s", st->topic->name, id,
	         st->dead, reason);
	wire_words(st->of->commands, on_buried, st, ARRAY_LEN(argv), argv);
}

static void on_claimed(void *arg, const struct redis_reply *r)
{
	struct stream *st = arg;

	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++)
		take_entry(st, &r->item[i], true);
}

/* Given to this very life as the link was lost: nobody died of it, its deliveries stay as many. */
static void take_back(struct stream *st, const char *id, int64_t deliveries)
{
	char number[24];
	const char *node = st->of->c.node;
	const char *argv[] = { "XCLAIM", st->key, "actord", node, "0", id, "RETRYCOUNT", number };

	snprintf(number, sizeof number, "%" PRId64, deliveries);
	wire_words(st->of->commands, on_claimed, st, ARRAY_LEN(argv), argv);
}

/* [id, consumer, idle, deliveries] each, of one consumer: that is dead, or is us. */
static void revive(struct stream *st, const struct redis_reply *r, bool own)
{
	enum { FIXED = 5 };
	char idle[16];
	const char *argv[FIXED + CLAIM_MOST] = { "XCLAIM", st->key, "actord", st->of->c.node,
	                                         idle };
	int n = FIXED;

	snprintf(idle, sizeof idle, "%d", own ? 0 : CLAIM_IDLE_MS);
	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++) {
		const struct redis_reply *e = r->item[i].item;

		if (r->item[i].items != 4 || e[0].type != REDIS_STR || find(st, e[0].str))
			continue;
		if (own && st->heir)
			take_back(st, e[0].str, e[3].integer);
		else if (e[3].integer >= STREAMS_DEATHS)
			bury(st, e[0].str, e[3].integer, e[1].str);
		else if (n < FIXED + CLAIM_MOST)
			argv[n++] = e[0].str;
	}
	if (n > FIXED)
		wire_words(st->of->commands, on_claimed, st, n, argv);
}

static void on_pending(void *arg, const struct redis_reply *r)
{
	revive(arg, r, false);
}

static void on_consumers(void *arg, const struct redis_reply *r)
{
	struct stream *st = arg;
	const struct redis_reply *list =
		r->type == REDIS_LIST && r->items == 4 ? &r->item[3] : NULL;

	for (size_t i = 0; list && list->type == REDIS_LIST && i < list->items; i++) {
		char most[16];
		const char *who = list->item[i].items == 2 ? list->item[i].item[0].str : NULL;
		const char *argv[] = { "XPENDING", st->key, "actord", "-", "+", most, who };

		if (!who || st->of->c.there(st->of->c.arg, who))
			continue;
		snprintf(most, sizeof most, "%d", CLAIM_MOST);
		wire_words(st->of->commands, on_pending, st, ARRAY_LEN(argv), argv);
	}
}

static void claim_from_dead(struct stream *st)
{
	const char *argv[] = { "XPENDING", st->key, "actord" };

	wire_words(st->of->commands, on_consumers, st, ARRAY_LEN(argv), argv);
}

/* What we had in an earlier life, or what Redis gave us as the link was lost: all there is before
 * the stream is read, as then what is ours is under way here. */
static void on_own(void *arg, const struct redis_reply *r)
{
	struct stream *st = arg;

	if (r->type == REDIS_GONE || st->state != ASKED)
		return;
	revive(st, r, true);
	if (r->type == REDIS_LIST && r->items == CLAIM_MOST) {
		snprintf(st->cursor, sizeof st->cursor, "(%s", r->item[CLAIM_MOST - 1].item[0].str);
		look_at_own(st);
		return;
	}
	st->state = READY;
	st->heir = true;
	claim_from_dead(st);
	streams_changed(st->of);
}

static void look_at_own(struct stream *st)
{
	char most[16];
	const char *argv[] = { "XPENDING", st->key, "actord", st->cursor, "+", most,
	                       st->of->c.node };

	snprintf(most, sizeof most, "%d", CLAIM_MOST);
	wire_words(st->of->commands, on_own, st, ARRAY_LEN(argv), argv);
}

void streams_gone(struct streams *s)
{
	for (unsigned i = 0; s->up && !s->quiet && i < s->n; i++)
		if (s->stream[i]->state == READY && s->stream[i]->topic->hosted)
			claim_from_dead(s->stream[i]);
}

/* There may be more than were claimed at once, and a claim may have come too early. */
static void on_look(void *arg)
{
	struct streams *s = arg;

	loop_timer_set(s->look, now_ms() - s->up_ms < LOOK_FIRST_MS ? LOOK_FIRST_MS : LOOK_MS);
	ack_again(s);
	streams_gone(s);
	see_topics(s);
}

/* --- the face ----------------------------------------------------------------------------- */

static void on_unblocked(void *arg, const struct redis_reply *r)
{
	struct streams *s = arg;

	if (s->stale && r->type == REDIS_INT && !r->integer)
		loop_timer_set(s->again, UNBLOCK_MS);   /* it does not wait (yet) */
}

static void unblock(struct streams *s)
{
	wire_unblock(s->c.wire, LINK_STREAMS, on_unblocked, s);
}

static void on_again(void *arg)
{
	struct streams *s = arg;

	s->paused = false;
	see_topics(s);
	if (s->stale)
		unblock(s);
	streams_go(s);
}

struct streams *streams_new(const struct streams_config *c)
{
	struct streams *s = mem_alloc(sizeof *s);

	s->c = *c;
	s->port = wire_port(c->wire, LINK_STREAMS);
	s->commands = wire_port(c->wire, LINK_COMMANDS);
	s->said_ms = -SAY_MS;
	s->again = loop_timer_new(c->loop, on_again, s);
	s->look = loop_timer_new(c->loop, on_look, s);
	return s;
}

void streams_free(struct streams *s)
{
	if (!s)
		return;
	loop_timer_free(s->again);
	loop_timer_free(s->look);
	for (unsigned i = 0; i < s->n; i++) {
		while (s->stream[i]->first)
			forget(s->stream[i]->first);
		mem_free(s->stream[i]->key);
		mem_free(s->stream[i]->dead);
		mem_free(s->stream[i]);
	}
	mem_free(s->stream);
	buf_fini(&s->bytes);
	mem_free(s);
}

void streams_up(struct streams *s)
{
	s->up = true;
	s->up_ms = now_ms();
	for (unsigned i = 0; i < s->n; i++)
		s->stream[i]->state = NEW;
	ack_again(s);
	loop_timer_set(s->look, LOOK_FIRST_MS);         /* who is dead can be said by then */
	see_topics(s);
}

void streams_down(struct streams *s)
{
	s->up = s->reading = s->stale = false;
}

void streams_changed(struct streams *s)
{
	see_topics(s);
	if (s->reading && !s->stale) {
		s->stale = true;
		unblock(s);
	}
	streams_go(s);
}

void streams_go(struct streams *s)
{
	if (s->reading && s->skipped && s->skipped->held < HELD_SOME / 2) {
		s->skipped = NULL;
		streams_changed(s);
	} else if (s->up && !s->reading && !s->paused && !s->quiet && s->open < DELIVERIES_MOST &&
	           s->c.room(s->c.arg)) {
		read_on(s);
	}
}

void streams_quiet(struct streams *s)
{
	s->quiet = true;
	if (s->reading && !s->stale) {
		s->stale = true;
		unblock(s);
	}
}

bool streams_idle(const struct streams *s)
{
	return !s->open && !s->reading;
}
