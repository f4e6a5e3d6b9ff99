/* SPDX-License-Identifier: MIT
 * lists.c - pops what others push for our topics.
 *
 * The idea: a single BLMPOP waits on all lists at once and brings many messages of one of them; a
 * Redis that has none (before 7.0) is asked with BLPOP, a message at a time. It waits WAIT_S at
 * most, so that a dead connection is noticed. waited.h says on which, where there are many.
 *
 * What was published before it must be handled first, but comes on a connection of its own: so
 * the channels are read before a batch is handed on. Redis may still write to that connection a
 * moment later (of a PUBLISH and an RPUSH that it read at once the last is written first: 137 of
 * 1,000 overtook), or write it in pieces. So when it ends in the middle of a message, or the
 * batch is for an actor that has barriers, the batch is kept until all that was published before
 * is known to be read. Where the batch before was for such an actor, the pop is followed by a
 * PUBLISH to ourselves, its echo, which Redis carries out as soon as the pop is done: so it comes
 * behind them, and mostly before the batch. Else a beat is sent, and Redis waited for once more.
 *
 * Invariants: one pop at a time; batches are handed on in the order in which they came; a topic
 * with many messages held is not popped. What was popped is handed on whatever happens, as no one
 * else has it.
 *
 * The loop's thread only. Knows no encoding. */
#include "lists.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "waited.h"

enum {
	WAIT_S = 2,
	COUNT_FIRST = 32, COUNT_MOST = 256,     /* messages a pop */
	BATCH_SMALL = 256 << 10, BATCH_LARGE = 4 << 20,         /* bytes: more at a time, fewer */
	HELD_SOME = 512,        /* of one topic: the rest stays with Redis */
	BATCHES_MOST = 4,       /* waiting for their beat */
	UNBLOCK_MS = 3, PAUSE_MS = 1000, SHUN_MS = 10000, SAY_MS = 10000,
};

struct batch {
	struct batch *next;
	struct topic *topic;
	int64_t echo, beat;     /* one of them is waited for; echo 0: beat */
	struct buf bytes;       /* of each message: its length, itself, a NUL */
};

struct typing { struct lists *of; struct topic *topic; };

struct lists {
	struct lists_config c;
	const struct redis_port *port;
	bool popping, paused, quiet, old;
	bool stale;                     /* what is waited on is not what should be */
	bool careful, deaf;             /* the last batch was for barriers; echoes go to nobody */
	int64_t echoes, echo;           /* said so far; the last pop's: its number, or 0 */
	int64_t heard, beat;            /* the last of the echoes; of the beats */
	int count;
	unsigned pops;
	struct waited *waited;
	unsigned words;                 /* of the pop that is being composed */
	const struct topic *skipped;    /* one that is not waited on, as it has too many */
	const char **argv;
	size_t *len;
	unsigned room;
	unsigned typing;                /* keys that are asked whether they are lists */
	struct batch *first, **last;
	unsigned batches;
	struct loop_timer *again;
	int64_t shun_until_ms, said_ms;
};

/* --- handing on --------------------------------------------------------------------------- */

static void hand_on(struct lists *l)
{
	struct batch *b = l->first;
	const char *p = b->bytes.p, *end = p + b->bytes.len;
	size_t len;

	l->first = b->next;
	if (!l->first)
		l->last = &l->first;
	l->batches--;
	core_gather();
	for (; p < end; p += len + 1) {
		memcpy(&len, p, sizeof len);
		p += sizeof len;
		l->c.message(l->c.arg, b->topic, p, len);
	}
	core_gathered();
	if (b->topic)
		b->topic->uses--;
	buf_fini(&b->bytes);
	mem_free(b);
}

/* What waits for nothing any more; there may be room for others then. */
static void hand_on_ready(struct lists *l)
{
	const struct batch *before = l->first;

	while (l->first && (l->first->echo ? l->first->echo <= l->heard
	                                   : l->first->beat <= l->beat))
		hand_on(l);
	if (l->first != before)
		lists_go(l);
}

static void keep(struct lists *l, struct topic *t, int64_t echo, const struct redis_reply *values,
                 size_t n)
{
	struct batch *b = mem_alloc(sizeof *b);

	for (size_t i = 0; i < n; i++) {
		buf_add(&b->bytes, &values[i].len, sizeof values[i].len);
		buf_add(&b->bytes, values[i].str, values[i].len + 1);
	}
	b->topic = t;
	if (t)
		t->uses++;
	b->echo = echo;
	b->beat = echo ? 0 : wire_beat(l->c.wire);
	*l->last = b;
	l->last = &b->next;
	l->batches++;
}

static void adapt(struct lists *l, const struct redis_reply *values, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += values[i].len;
	if (bytes > BATCH_LARGE)
		l->count = l->count > 4 ? l->count / 4 : 1;
	else if (n == (size_t)l->count && bytes < BATCH_SMALL && l->count < COUNT_MOST)
		l->count *= 2;
}

static void see_barrier(void *arg, const struct handler_info *h)
{
	*(bool *)arg |= (h->flags & ON_BARRIER) != 0;
}

static bool has_barrier(const struct topic *t)
{
	struct actor_info info;
	bool found = false;

	if (t && !core_inspect(t->ref, &info))
		core_handlers(info.of, see_barrier, &found);
	return found;
}

/* Has all been read that was published before what a pop with this echo (0: none) brought? */
static bool caught_up(struct lists *l, int64_t echo)
{
	bool whole = (echo && echo <= l->heard) || wire_read_channels(l->c.wire);

	return (echo && echo <= l->heard) || (whole && !l->careful);
}

static void popped(struct lists *l, const struct redis_reply *key, const struct redis_reply *values,
                   size_t n)
{
	struct topic *t = topics_known(l->c.topics, key->str);
	int64_t echo = l->echo;         /* what is read now may begin the next pop */
	bool ready;

	l->careful = has_barrier(t);
	if (t)
		waited_brought(l->waited, t);
	ready = caught_up(l, echo);
	adapt(l, values, n);
	if (l->first || !ready) {
		keep(l, t, echo, values, n);
		return;
	}
	core_gather();
	for (size_t i = 0; i < n; i++)
		l->c.message(l->c.arg, t, values[i].str, values[i].len);
	core_gathered();
}

/* --- keys that are no lists --------------------------------------------------------------- */

static void pause_for(struct lists *l, int ms)
{
	l->paused = true;
	loop_timer_set(l->again, ms);
}

static void on_type(void *arg, const struct redis_reply *r)
{
	struct typing *asked = arg;
	struct lists *l = asked->of;
	struct topic *t = asked->topic;

	mem_free(asked);
	t->uses--;
	t->shunned = r->type == REDIS_STR && strcmp(r->str, "list") && strcmp(r->str, "none");
	if (t->shunned)
		log_line(LOG_WARN, "bus",
		         "the Redis key %s is a %s, no list: calls for %s come by PUBLISH only",
		         t->name, r->str, t->name);
	if (!--l->typing)
		pause_for(l, 0);
}

/* One such key would keep the others from being read. A Cluster's answers come in any order. */
static void look_for_others(struct lists *l)
{
	unsigned n = l->typing ? 0 : topics_count(l->c.topics);

	if (n)
		l->shun_until_ms = now_ms() + SHUN_MS;
	pause_for(l, PAUSE_MS);
	for (unsigned i = 0; i < n; i++) {
		struct topic *t = topics_get(l->c.topics, i);
		const char *argv[] = { "TYPE", t->name };
		size_t len[] = { 4, t->len };
		struct typing *ask;

		if (t->popped != l->pops)
			continue;
		ask = mem_alloc(sizeof *ask);
		*ask = (struct typing){ l, t };
		l->typing++;
		t->uses++;
		if (l->port->command(l->port->link, on_type, ask, 2, argv, len)) {
			l->typing--;
			t->uses--;
			mem_free(ask);
		}
	}
}

static void failed(struct lists *l, const struct redis_reply *r)
{
	if (!strncmp(r->str, "WRONGTYPE", 9)) {
		look_for_others(l);
		return;
	}
	if (!l->old && (strstr(r->str, "unknown command") || !strncmp(r->str, "NOPERM", 6))) {
		l->old = true;
		return;
	}
	if (now_ms() - l->said_ms >= SAY_MS)
		log_line(LOG_WARN, "bus", "lists cannot be read: %s", r->str);
	l->said_ms = now_ms();
	pause_for(l, PAUSE_MS);
}

/* --- popping ------------------------------------------------------------------------------ */

static void on_popped(void *arg, const struct redis_reply *r)
{
	struct lists *l = arg;

	l->popping = l->stale = false;
	if (r->type == REDIS_GONE)
		return;
	if (r->type == REDIS_ERROR)
		failed(l, r);
	else if (r->type == REDIS_LIST && r->items == 2 && r->item[1].type == REDIS_LIST)
		popped(l, &r->item[0], r->item[1].item, r->item[1].items);
	else if (r->type == REDIS_LIST && r->items == 2)
		popped(l, &r->item[0], &r->item[1], 1);
	if (!l->paused)                 /* behind what is answered at once */
		loop_timer_set(l->again, 0);
}

static void word(struct lists *l, const char *s, size_t len)
{
	if (l->words == l->room) {
		l->room = l->room ? 2 * l->room : 32;
		l->argv = mem_resize(l->argv, l->room * sizeof *l->argv);
		l->len = mem_resize(l->len, l->room * sizeof *l->len);
	}
	l->argv[l->words] = s;
	l->len[l->words++] = len;
}

static bool open_for(void *arg, struct topic *t)
{
	const struct lists *l = arg;

	if (t->shunned && now_ms() > l->shun_until_ms)
		t->shunned = false;
	return t->hosted && !t->shunned && t->held < HELD_SOME;
}

static void add_key(void *arg, struct topic *t)
{
	struct lists *l = arg;

	if (open_for(l, t)) {
		word(l, t->name, t->len);
		t->popped = l->pops;
	} else if (t->hosted && !t->shunned) {
		l->skipped = t;
	}
}

static void keys(struct lists *l)
{
	l->skipped = NULL;
	l->pops++;
	word(l, l->c.reply, strlen(l->c.reply));
	waited_each(l->waited, add_key, l);
}

/* It went to nobody: Redis does not let us. What waits for it waits for a beat. */
static void on_echoed(void *arg, const struct redis_reply *r)
{
	struct lists *l = arg;

	if (r->type == REDIS_GONE || (r->type == REDIS_INT && r->integer))
		return;
	l->deaf = true;
	for (struct batch *b = l->first; b; b = b->next)
		if (b->echo) {
			b->echo = 0;
			b->beat = wire_beat(l->c.wire);
		}
}

static void add_echo(struct lists *l)
{
	char number[24];
	const char *argv[] = { "PUBLISH", l->c.reply, number };
	size_t len[] = { 7, strlen(l->c.reply), 0 };

	l->echo = 0;
	if (!l->c.echoes || !l->careful || l->deaf)
		return;
	len[2] = (size_t)snprintf(number, sizeof number, "%lld", (long long)++l->echoes);
	if (!l->port->command(l->port->link, on_echoed, l, ARRAY_LEN(argv), argv, len))
		l->echo = l->echoes;
}

static void pop(struct lists *l)
{
	char wait[16], number[16], count[16];

	l->words = 0;
	word(l, l->old ? "BLPOP" : "BLMPOP", l->old ? 5 : 6);
	snprintf(wait, sizeof wait, "%d", WAIT_S);
	if (!l->old) {
		word(l, wait, strlen(wait));
		word(l, number, 0);
	}
	keys(l);
	if (l->old) {
		word(l, wait, strlen(wait));
	} else {
		l->len[2] = (size_t)snprintf(number, sizeof number, "%u", l->words - 3);
		word(l, "LEFT", 4);
		word(l, "COUNT", 5);
		word(l, count, (size_t)snprintf(count, sizeof count, "%d", l->count));
	}
	l->popping = !l->port->command(l->port->link, on_popped, l, (int)l->words, l->argv, l->len);
	add_echo(l);
}

/* --- waking a pop that waits -------------------------------------------------------------- */

static void on_unblocked(void *arg, const struct redis_reply *r)
{
	struct lists *l = arg;

	/* 0: it does not wait (yet) */
	if (l->stale && r->type == REDIS_INT && !r->integer)
		loop_timer_set(l->again, UNBLOCK_MS);
}

static void unblock(struct lists *l)
{
	wire_unblock(l->c.wire, LINK_LISTS, on_unblocked, l);
}

static void on_again(void *arg)
{
	struct lists *l = arg;

	l->paused = false;
	if (l->stale)
		unblock(l);
	else
		lists_go(l);
}

static void on_found(void *arg)
{
	lists_changed(arg);
}

/* --- the face ----------------------------------------------------------------------------- */

struct lists *lists_new(const struct lists_config *c)
{
	struct lists *l = mem_alloc(sizeof *l);

	l->c = *c;
	l->port = wire_port(c->wire, LINK_LISTS);
	l->count = COUNT_FIRST;
	l->last = &l->first;
	l->said_ms = -SAY_MS;
	l->again = loop_timer_new(c->loop, on_again, l);
	l->waited = waited_new(&(struct waited_config){
		.loop = c->loop, .port = wire_port(c->wire, LINK_COMMANDS), .topics = c->topics,
		.whole = !c->echoes, .open = open_for, .found = on_found, .arg = l });
	return l;
}

void lists_free(struct lists *l)
{
	if (!l)
		return;
	for (struct batch *b = l->first, *next; b; b = next) {
		next = b->next;
		buf_fini(&b->bytes);
		mem_free(b);
	}
	loop_timer_free(l->again);
	waited_free(l->waited);
	mem_free(l->argv);
	mem_free(l->len);
	mem_free(l);
}

void lists_go(struct lists *l)
{
	if (l->popping) {
		if (l->skipped && l->skipped->held < HELD_SOME / 2) {
			l->skipped = NULL;
			lists_changed(l);
		}
		return;
	}
	if (!l->quiet && !l->paused && l->batches < BATCHES_MOST && wire_up(l->c.wire) &&
	    l->c.room(l->c.arg))
		pop(l);
}

void lists_changed(struct lists *l)
{
	if (l->popping && !l->stale) {
		l->stale = true;
		unblock(l);
	}
	lists_go(l);
}

void lists_beat(struct lists *l, int64_t beat)
{
	l->beat = beat;
	hand_on_ready(l);
	lists_go(l);
}

bool lists_heard(struct lists *l, const char *bytes, size_t len)
{
	int64_t echo = 0;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] < '0' || bytes[i] > '9' || echo > l->echoes)
			return false;
		echo = 10 * echo + bytes[i] - '0';
	}
	if (echo > l->echoes)             /* not ours */
		return false;
	l->heard = echo > l->heard ? echo : l->heard;
	hand_on_ready(l);
	return true;
}

void lists_down(struct lists *l)
{
	while (l->first)
		hand_on(l);
	l->old = l->deaf = false;       /* another Redis may come */
	waited_down(l->waited);
	l->beat = 0;
}

void lists_quiet(struct lists *l)
{
	l->quiet = true;
	lists_changed(l);
}

bool lists_use(void *lists, const struct topic *t)
{
	const struct lists *l = lists;

	return t == l->skipped || t->front || (l->popping && t->popped == l->pops);
}

bool lists_idle(const struct lists *l)
{
	return l->quiet && !l->popping && !l->first;
}
