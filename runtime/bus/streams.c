/* SPDX-License-Identifier: MIT
 * streams.c - see streams.h.
 *
 *   actord:{TOPIC}         stream, field m: one message or several in a row; group `actord`, from 0
 *
 * The idea: a consumer a node, under the node's name. What it read is its own until it is handled;
 * then it is acknowledged and removed, in one step (shared.c). What the dead had others claim
 * (heirs.c).
 *
 * Names come and go, and few are ever written to. So a name alone makes nothing in Redis: its
 * stream has a group once it has an entry, and goes when it is empty and nobody reads it any more:
 *
 *      EMPTY --an entry (news.c)--> ASKED --group, heirs--> READY
 *        ^                                                    | the name has gone,
 *        +----------------------- LEAVING <-------------------+ all is acknowledged
 *
 * Nothing is lost by that, as all groups begin at 0: an entry is either there when leave_script
 * looks, and then the stream stays; or it comes later, to a stream that is new, and is read from
 * the beginning by the next who has that name. A node that read on, as Redis told nobody of it,
 * hears NOGROUP, and is back at EMPTY.
 *
 * The loop's thread. */
#include "streams.h"

#include <stdio.h>
#include <stdlib.h>

#include "heirs.h"
#include "leaving.h"
#include "log.h"

enum {
	READ_ENTRIES = 64, READ_MS = 2000, TURN_MS = 50, PAUSE_MS = 1000, LOOK_MS = 10000,
	HELD_SOME = 512, DELIVERIES_MOST = 1024, LOOK_FIRST_MS = 3100, UNBLOCK_MS = 3,
	SAY_MS = 5000, REST_MS = 500,
};

struct streams {
	struct streams_config c;
	struct share share;
	const struct redis_port *port;
	struct news *news;
	struct shared **stream;
	unsigned n, room, turn;
	unsigned window;                /* streams from turn on that are read */
	unsigned reads, made;
	bool up, reading, stale, paused;
	const struct topic *skipped;    /* one that is not read, as it has too much */
	struct loop_timer *again, *look;
	int64_t up_ms;
	uint32_t lease;                 /* that was seen last; */
	int64_t rests_ms;               /* until then nothing is taken under it */
};

static void see_topics(struct streams *s);

static struct shared *by_key(const struct streams *s, const char *key)
{
	enum { BEFORE = sizeof "actord:{" - 1, AROUND = BEFORE + 1 };
	char name[NAME_MAX_LEN + 1];
	size_t len = strlen(key);
	struct topic *t;

	if (len <= AROUND || len - AROUND > NAME_MAX_LEN)
		return NULL;
	memcpy(name, key + BEFORE, len - AROUND);
	name[len - AROUND] = 0;
	t = topics_known(s->c.topics, name);
	return t ? t->stream : NULL;
}

/* --- reading ------------------------------------------------------------------------------ */

/* A stream or its group has gone, or cannot be read now: who has entries is heard of again. */
static void begin_again(struct streams *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->stream[i]->state == READY)
			s->stream[i]->state = EMPTY;
	see_topics(s);
}

/* Redis takes it for ours, and we did not take it: as what it gave to us and the link lost. */
static void read_missed(struct streams *s)
{
	s->share.missed = false;
	for (unsigned i = 0; i < s->n; i++) {
		struct shared *st = s->stream[i];

		if (st->missed && st->state == ASKED) {
			s->share.missed = true;         /* when it is READY */
			continue;
		}
		if (st->missed && st->state == READY)
			st->state = EMPTY;
		st->missed = false;
	}
	see_topics(s);
}

static void failed(struct streams *s, const struct redis_reply *r)
{
	if (strncmp(r->str, "NOGROUP", 7) && strncmp(r->str, "UNBLOCKED", 9)) {
		shared_say(&s->share, "the streams of topics cannot be read", r->str);
		s->paused = true;
		loop_timer_set(s->again, PAUSE_MS);
	}
	begin_again(s);
}

static void on_read(void *arg, const struct redis_reply *r)
{
	struct streams *s = arg;

	s->reading = s->stale = false;
	if (r->type == REDIS_GONE)
		return;
	s->turn += r->type == REDIS_NIL ? s->window : 1;
	if (r->type == REDIS_ERROR)
		failed(s, r);
	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++) {
		const struct redis_reply *one = &r->item[i];
		struct shared *st = one->items == 2 ? by_key(s, one->item[0].str) : NULL;

		for (size_t k = 0; st && k < one->item[1].items; k++)
			heirs_read(st, &one->item[1].item[k]);
	}
	streams_go(s);
}

static bool readable(struct streams *s, const struct shared *st)
{
	if (!st->topic->hosted || st->state != READY || st->full)
		return false;
	if (st->topic->held < HELD_SOME)
		return true;
	s->skipped = st->topic;
	return false;
}

static bool in_read(const struct streams *s, const struct shared *st)
{
	return s->skipped == st->topic || (s->reading && st->read == s->reads);
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
	s->reads++;
	for (; s->made && i < s->n && n < MOST; i++) {
		struct shared *st = s->stream[(s->turn + i) % s->n];

		if (!readable(s, st))
			continue;
		st->read = s->reads;
		argv[FIXED + n++] = st->key;
	}
	if (!n)
		return;
	s->window = i < s->n ? i : 1;
	for (int k = 0; k < n; k++)
		argv[FIXED + n + k] = ">";
	snprintf(count, sizeof count, "%d", READ_ENTRIES);
	snprintf(ms, sizeof ms, "%d", i < s->n ? TURN_MS : READ_MS);    /* turn by turn */
	s->reading = !wire_words(s->port, on_read, s, FIXED + 2 * n, argv);
}

static void await(struct streams *s, struct shared *st)
{
	if (!st->topic->hosted || s->share.quiet)
		news_leave(s->news, &st->awaited);
	else if (s->up && st->state == EMPTY && !st->rests)
		news_await(s->news, &st->awaited, st->key);
}

/* --- groups ------------------------------------------------------------------------------- */

/* Where memory is full no group is made, so that nobody would drain what fills it: behind a write
 * that is allowed there, here of nothing, others are, too. */
static const char group_script[] =
	"redis.pcall('XACK', KEYS[1], 'actord', '0-0')"
	" return redis.pcall('XGROUP', 'CREATE', KEYS[1], 'actord', '0')";

static void on_known(void *arg, const struct redis_reply *r)
{
	(void)r;                /* a Redis before 6.2 knows who has read, which does as well */
	shared_told(arg);
}

static void set_made(struct shared *st, bool made)
{
	st->share->streams->made += made - st->made;
	st->made = made;
}

static void say_trouble(struct shared *st, enum trouble trouble, const char *text)
{
	if (st->trouble == trouble)
		return;
	if (trouble == FINE)
		log_line(LOG_INFO, "bus", "messages for %s come by the stream %s again",
		         st->topic->name, st->key);
	else
		log_line(LOG_WARN, "bus", "no messages for %s come by the stream %s: %s",
		         st->topic->name, st->key, text);
	st->trouble = trouble;
}

static void refused(struct shared *st, const char *text)
{
	struct streams *s = st->share->streams;

	st->state = EMPTY;
	if (strstr(text, "requires the key to exist") || !strncmp(text, "NOGROUP", 7)) {
		await(s, st);           /* handled elsewhere */
		return;
	}
	say_trouble(st, REFUSED, text);
	st->rests = true;
	loop_timer_set(s->look, PAUSE_MS);
}

static void on_group(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	struct streams *s = st->share->streams;
	const char *argv[] = { "XGROUP", "CREATECONSUMER", st->key, "actord", s->c.node };

	if (r->type == REDIS_GONE || st->state != ASKED)
		return;
	if (r->type == REDIS_ERROR && strncmp(r->str, "BUSYGROUP", 9)) {
		refused(st, r->str);
		return;
	}
	set_made(st, true);
	shared_tell(st, on_known, ARRAY_LEN(argv), argv);
	heirs_own(st);
}

static void on_came(void *arg, const char *key)
{
	struct streams *s = arg;
	struct shared *st = by_key(s, key);
	const char *argv[] = { "EVAL", group_script, "1", key };

	if (!st || !st->awaited.at)
		return;
	news_leave(s->news, &st->awaited);
	st->state = ASKED;
	shared_tell(st, on_group, ARRAY_LEN(argv), argv);
}

static void on_inherited(struct shared *st, const char *refusal)
{
	if (refusal) {
		refused(st, refusal);
		return;
	}
	say_trouble(st, FINE, NULL);
	st->state = READY;
	heirs_go_on(st);
	heirs_claim(st);
	streams_changed(st->share->streams);
}

/* --- keys that are no streams ------------------------------------------------------------- */

static void on_type(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	struct streams *s = st->share->streams;
	struct why why;

	if (r->type == REDIS_GONE)
		return;
	st->rests = r->type == REDIS_STR && strcmp(r->str, "stream") && strcmp(r->str, "none");
	if (st->rests) {
		news_leave(s->news, &st->awaited);
		why_set(&why, 0, "WRONGTYPE: that key is a %s", r->str);
		say_trouble(st, NO_STREAM, why.text);
	} else if (st->trouble == NO_STREAM) {
		say_trouble(st, FINE, NULL);
	}
	await(s, st);
}

static void ask_type(struct shared *st)
{
	const char *argv[] = { "TYPE", st->key };

	shared_tell(st, on_type, ARRAY_LEN(argv), argv);
}

static void on_odd(void *arg)
{
	struct streams *s = arg;

	for (unsigned i = 0; i < s->n; i++)
		if (s->stream[i]->awaited.at)
			ask_type(s->stream[i]);
}

/* --- names that come ---------------------------------------------------------------------- */

static void add(struct streams *s, struct topic *t)
{
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 16;
		s->stream = mem_resize(s->stream, s->room * sizeof(struct shared *));
	}
	t->stream = shared_new(&s->share, t);
	s->stream[s->n++] = t->stream;
}

static void see_topics(struct streams *s)
{
	for (unsigned i = 0; i < topics_count(s->c.topics); i++) {
		struct topic *t = topics_get(s->c.topics, i);

		if (t->hosted && !t->stream && !t->streamless)
			add(s, t);
	}
	for (unsigned i = 0; i < s->n; i++)
		await(s, s->stream[i]);
}

/* --- names that go ------------------------------------------------------------------------ */

static void on_left(struct shared *st, bool through)
{
	struct streams *s = st->share->streams;

	st->state = EMPTY;
	if (through || s->share.quiet)
		set_made(st, false);
	await(s, st);           /* its name may have come again */
}

/* True: it is forgotten. */
static bool swept(struct streams *s, struct shared *st)
{
	if ((st->topic->hosted && !s->share.quiet) || st->first || st->commands || in_read(s, st) ||
	    (st->suspects && !s->share.quiet))
		return false;
	if (st->made && s->up && (s->share.quiet || shared_ours(st)))
		leaving_begin(st, !s->share.quiet);
	if (st->made || s->share.quiet)
		return false;
	news_leave(s->news, &st->awaited);
	st->topic->stream = NULL;
	heirs_forget(st);
	shared_free(st);
	return true;
}

void streams_sweep(struct streams *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		struct shared *st = s->stream[i];

		if (!swept(s, st))
			s->stream[n++] = st;
	}
	s->n = n;
}

/* --- from the dead ------------------------------------------------------------------------ */

void streams_gone(struct streams *s)
{
	for (unsigned i = 0; s->up && !s->share.quiet && i < s->n; i++)
		if (s->stream[i]->state == READY && s->stream[i]->topic->hosted)
			heirs_claim(s->stream[i]);
}

/* What was refused may find room now. */
static void look_again(struct streams *s, struct shared *st)
{
	st->full = false;
	st->missed = s->share.missed = true;
}

/* There may be more than were claimed at once, and a claim may have come too early. */
static void on_look(void *arg)
{
	struct streams *s = arg;

	loop_timer_set(s->look, now_ms() - s->up_ms < LOOK_FIRST_MS ? LOOK_FIRST_MS : LOOK_MS);
	streams_gone(s);
	for (unsigned i = 0; i < s->n; i++) {
		shared_ack_again(s->stream[i]);
		if (s->up && !s->share.quiet)
			heirs_go_on(s->stream[i]);
		if (s->stream[i]->rests && s->up)
			ask_type(s->stream[i]);
		if (s->stream[i]->full)
			look_again(s, s->stream[i]);
	}
	streams_go(s);
}

static void on_settled(struct shared *st, bool taken)
{
	struct streams *s = st->share->streams;

	if (taken && !s->share.quiet)
		heirs_go_on(st);
	if (!taken)
		loop_timer_set(s->look, PAUSE_MS);      /* no replica, no disk: again then */
	streams_go(s);
}

/* --- the face ----------------------------------------------------------------------------- */

static void on_unblocked(void *arg, const struct redis_reply *r)
{
	struct streams *s = arg;

	if (s->stale && r->type == REDIS_INT && !r->integer)
		loop_timer_set(s->again, UNBLOCK_MS);   /* it does not wait (yet) */
	if (r->type == REDIS_ERROR)
		shared_say(&s->share, "the streams of new names are read late", r->str);
}

static void unblock(struct streams *s)
{
	wire_unblock(s->c.wire, LINK_STREAMS, on_unblocked, s);
}

static void on_again(void *arg)
{
	struct streams *s = arg;

	s->paused = now_ms() < s->rests_ms;
	if (s->paused)
		loop_timer_set(s->again, (int)(s->rests_ms - now_ms()) + 1);
	else if (s->lease == core_lease())
		s->share.lease = s->lease;
	if (s->stale)
		unblock(s);
	streams_go(s);
}

struct streams *streams_new(const struct streams_config *c)
{
	struct streams *s = mem_alloc(sizeof *s);

	s->c = *c;
	s->share = (struct share){
		.commands = wire_port(c->wire, LINK_COMMANDS), .node = c->node, .entry = c->entry,
		.there = c->there, .ours = c->ours, .arg = c->arg,
		.settled = on_settled, .inherited = on_inherited, .left = on_left,
		.streams = s, .said_ms = -SAY_MS, .dropped_ms = -SAY_MS,
	};
	s->port = wire_port(c->wire, LINK_STREAMS);
	s->news = news_new(&(struct news_config){ .loop = c->loop, .wire = c->wire,
	                                          .came = on_came, .odd = on_odd, .arg = s });
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
		s->stream[i]->topic->stream = NULL;
		heirs_forget(s->stream[i]);
		shared_free(s->stream[i]);
	}
	news_free(s->news);
	mem_free(s->stream);
	buf_fini(&s->share.bytes);
	mem_free(s);
}

/* After a lease that lapsed, others may claim what is ours until they have heard of us; and what
 * Redis said meanwhile is on its way here. */
static bool rested(struct streams *s)
{
	if (s->lease != core_lease()) {
		s->lease = core_lease();
		s->rests_ms = now_ms() + REST_MS;
		s->paused = true;
		loop_timer_set(s->again, REST_MS);
	}
	return s->share.lease == s->lease;
}

void streams_up(struct streams *s)
{
	s->up = true;
	s->up_ms = now_ms();
	if (!s->lease)
		s->lease = s->share.lease = core_lease();
	for (unsigned i = 0; i < s->n; i++) {
		s->stream[i]->state = EMPTY;
		s->stream[i]->rests = false;
		shared_ack_again(s->stream[i]);
	}
	loop_timer_set(s->look, LOOK_FIRST_MS);         /* who is dead can be said by then */
	rested(s);              /* the link was away for longer than the lease */
	see_topics(s);
	news_up(s->news);
}

void streams_down(struct streams *s)
{
	s->up = s->reading = s->stale = false;
	news_down(s->news);
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

static void look_for_missed(struct streams *s)
{
	if (!s->up || s->share.quiet || !s->c.ours(s->c.arg))
		return;
	if (!s->reading) {
		read_missed(s);
	} else if (!s->stale) {
		s->stale = true;
		unblock(s);
	}
}

void streams_go(struct streams *s)
{
	if (rested(s) && s->share.missed)
		look_for_missed(s);
	if (s->reading && s->skipped && s->skipped->held < HELD_SOME / 2) {
		s->skipped = NULL;
		streams_changed(s);
	} else if (s->up && !s->reading && !s->paused && !s->share.quiet &&
	           s->share.open < DELIVERIES_MOST && s->c.room(s->c.arg)) {
		read_on(s);
	}
}

void streams_quiet(struct streams *s)
{
	s->share.quiet = true;
	news_quiet(s->news);
	if (s->reading && !s->stale) {
		s->stale = true;
		unblock(s);
	}
}

bool streams_idle(const struct streams *s)
{
	return !s->share.open && !s->reading && news_idle(s->news) && (!s->up || !s->made);
}

unsigned streams_read(const struct streams *s)
{
	return s->made;
}
