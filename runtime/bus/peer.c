/* SPDX-License-Identifier: MIT
 * peer.c - another node, as seen from this one.
 *
 * The idea: a proxy stands for all actors of that node. What is sent to it is packed behind what
 * waits already, and all that waits goes as one frame into that node's inbox, a stream, as soon as
 * Redis has the frame before. So a frame is as large as the traffic is thick, a lone message waits
 * for nothing, and frames cannot overtake each other, whatever Redis answers.
 *
 * Where traffic is thick, a frame waits a little while actors handle what the inbox has read: their
 * answers, and what the answered ask next, are on their way; and while an eighth more than waits
 * here is still to be answered from there. A wait in vain is not tried again for a while.
 *
 *      proxy --routed--> writing --turn's end--> flying --XADD--> actord:{node:NAME}
 *                           ^                      | again, with the same sequence number:
 *                           +---- Redis has it ----+ a link lost, no memory, no inbox yet
 *
 * Backpressure: when too much waits here, or there is too much in the inbox (length.c), the proxy
 * takes no more: senders get ACTOR_EFULL, as of any full mailbox; behind 64 MiB of answers, askers.
 *
 * Invariants: a frame is given up only when the inbox does not exist and its node is not there. A
 * question is answered once: by its answer, or when the node is gone. The loop's thread. */
#include "peer.h"

#include <stdatomic.h>
#include <stdio.h>

#include "length.h"
#include "places.h"
#include "refusal.h"
#include "said.h"
#include "signature.h"
#include "watches.h"

enum {
	QUESTIONS_MOST = 16384, PATIENCE_MS = 600000,   /* of who asks without saying */
	WAITING_MOST = 1 << 20, ANSWERS_MOST = 64 << 20,        /* bytes behind what flies */
	MAILBOX_COUNT = 8192, MAILBOX_BYTES = 8 << 20,
	LENGTH_EVERY = 8,               /* so many frames, its length is looked at */
	LENGTH_MS = 5, AGAIN_MS = 50,
	HOLD_US = 2000, HOLD_BYTES = 64 << 10,  /* a frame waits so long at most, until so large, */
	THICK_16 = 64, HASTY = 64,      /* where 4 are in one; if in vain, so many do not */
};

struct question { struct place place; actor *holder; msg_caller caller; actor_id who; };
struct served { struct place place; struct peer *peer; uint64_t number; };

struct peer {
	struct peer_config *c;
	char *name, *key;               /* of its inbox */
	actor *self; actor_id id;       /* the proxy */
	uint64_t life;
	bool here, open, in_redis;      /* in_redis: what flies is under way there */
	struct length length;           /* of its inbox */
	const char *refused;            /* why Redis took none; NULL: it did */
	bool held;                      /* what is written waits for more */
	const char *_Atomic shut;       /* why it is not open, for who sends: others look */
	struct buf writing, flying;
	unsigned parts, flying_parts;
	unsigned usual_16, hasty;       /* parts of a frame, on average, times 16; see HASTY */
	uint64_t sequence, serial;
	struct places questions, served;
	struct watches watches;
	struct loop_timer *flush, *again;
	struct peer_info info;
	int64_t said_ms;
};

/* --- the gate ----------------------------------------------------------------------------- */

static void look_at_gate(struct peer *p)
{
	const char *why = p->refused ? p->refused
	                  : p->length.crowded ? "too much is in the inbox of its node"
	                  : p->writing.len >= WAITING_MOST ? "too much waits for its node" : NULL;
	bool open = !why;

	atomic_store(&p->shut, why);
	if (open == p->open)
		return;
	p->open = open;
	core_set_room(p->self, open ? MAILBOX_COUNT : 0);
	p->c->gate(p->c->arg);
}

static void on_length(void *arg)
{
	struct peer *p = arg;

	if (p->length.crowded)
		loop_timer_set(p->again, LENGTH_MS);
	look_at_gate(p);
}

/* --- frames ------------------------------------------------------------------------------- */

static void flush(void *arg);
static void on_added(void *arg, const struct redis_reply *r);

/* More comes soon, and is worth a wait. */
static bool expects(const struct peer *p)
{
	bool asked = p->c->came && p->questions.n > p->parts + p->parts / 8;

	return (p->c->busy || asked) && !p->hasty && p->usual_16 >= THICK_16 &&
	       p->writing.len < HOLD_BYTES;
}

static void flush_soon(struct peer *p)
{
	p->held = expects(p);
	if (p->writing.len && !p->flying.len)
		loop_timer_set_us(p->flush, p->held ? HOLD_US : 0);
}

/* A link that is down says so here; peer_up() sends it again. Where frames come and go in turns,
 * the reply can wait for what comes. */
static void fly(struct peer *p)
{
	bool lively = p->c->came;
	const char *argv[] = { "XADD", p->key, "NOMKSTREAM", "*", "f", p->flying.p };
	size_t len[] = { 4, strlen(p->key), 10, 1, 1, p->flying.len };

	p->c->came = false;
	p->in_redis = !redis_sure(p->c->port, on_added, p, 6, argv, len);
	if (p->in_redis && (p->info.frames % LENGTH_EVERY == 0 || p->length.crowded))
		length_ask(&p->length);
	p->c->going(p->c->going_arg);
	redis_rest(p->c->port, lively && !p->length.crowded);
}

static void landed(struct peer *p)
{
	p->info.frames++;
	p->info.sent += p->flying_parts;
	p->refused = NULL;
	buf_clear(&p->flying);
	if (expects(p))
		flush_soon(p);
	else
		flush(p);
	look_at_gate(p);
}

static void give_up(struct peer *p)
{
	p->info.refused += p->flying_parts;
	refusal_say(&p->said_ms, p->name, "it is gone with its inbox, what was under way is lost",
	            NULL);
	buf_clear(&p->flying);
	p->refused = NULL;
	flush(p);
	look_at_gate(p);
}

static void on_added(void *arg, const struct redis_reply *r)
{
	struct peer *p = arg;

	p->in_redis = false;
	if (r->type == REDIS_STR) {
		landed(p);
		return;
	}
	if (r->type == REDIS_GONE)
		return;
	if (r->type != REDIS_ERROR && !p->here) {
		give_up(p);
		return;
	}
	if (r->type == REDIS_ERROR)
		refusal_say(&p->said_ms, p->name, "Redis takes no messages for it", r->str);
	p->refused = r->type == REDIS_ERROR ? refusal_words(r->str) : "its node has no inbox yet";
	loop_timer_set(p->again, AGAIN_MS);
	look_at_gate(p);
}

static void flush(void *arg)
{
	struct peer *p = arg;
	struct buf empty = p->flying;

	if (p->flying.len || !p->writing.len)
		return;
	p->flying = p->writing;
	p->writing = empty;
	p->flying_parts = p->parts;
	p->usual_16 += p->parts - p->usual_16 / 16;
	p->hasty -= p->hasty > 0;
	p->parts = 0;
	fly(p);
}

static void on_flush(void *arg)
{
	struct peer *p = arg;

	if (p->writing.len && !p->flying.len && expects(p))
		p->hasty = HASTY;
	flush(p);
}

void peer_settled(struct peer *p)
{
	if (!expects(p))
		flush(p);
}

static void on_again(void *arg)
{
	struct peer *p = arg;

	if (p->flying.len && !p->in_redis)
		fly(p);
	if (p->length.crowded)
		length_ask(&p->length);
}

void peer_up(struct peer *p)
{
	if (p->flying.len)
		fly(p);
	else
		flush(p);
	if (p->length.crowded)
		length_ask(&p->length);
}

/* The buffer that the next part is appended to. */
static struct buf *next_part(struct peer *p)
{
	if (!p->writing.len) {
		if (p->in_redis)        /* this waits for the reply now */
			redis_rest(p->c->port, false);
		frame_begin(&p->writing, p->c->node, p->c->life, ++p->sequence);
	}
	if (!p->parts++ || (p->held && !expects(p)))
		flush_soon(p);
	return &p->writing;
}

/* The same, for what is said in m, or (m NULL) at once; with the trace that it belongs to. */
static struct buf *said_part(struct peer *p, const msg *m)
{
	struct buf *b = next_part(p);

	said_trace(b, m, "", "");
	return b;
}

/* --- what goes there ---------------------------------------------------------------------- */

static int refuse(actor *self, const msg *m, int code, const char *text)
{
	core_answer(self, msg_defer(m), (struct packed){ NULL, NULL }, 0, code, text);
	return 0;
}

static int watch(struct peer *p, const msg *m)
{
	const char *to = msg_str(m, 0);
	int64_t number = msg_int(m, 2);
	struct why why;

	if (early_take(p->c->early, msg_from(m), number))
		return 0;
	if (!p->here) {
		why_set(&why, 0, "the node %s is gone", p->name);
		core_down(msg_from(m), number, to, why.text);
		return 0;
	}
	part_watch(next_part(p), watches_begin(&p->watches, msg_from(m), number, to), to);
	return 0;
}

bool peer_unwatch(struct peer *p, actor_id who, int64_t number)
{
	uint64_t said = watches_end(&p->watches, who, number);

	if (said && p->here)
		part_unwatch(next_part(p), said);
	return said != 0;
}

static int ask(struct peer *p, actor *self, const msg *m, bool client, int left_ms)
{
	struct question *q;
	msg_caller caller;
	struct why why;

	if (!p->here) {
		why_set(&why, 0, "the node %s is gone, which had %s", p->name, msg_str(m, 0));
		return refuse(self, m, ACTOR_ENOENT, why.text);
	}
	if (p->questions.n == QUESTIONS_MOST)
		return refuse(self, m, ACTOR_EFULL, "too many questions wait for that node");
	caller = msg_defer(m);
	if (!caller)
		return msg_fail(m, "too many questions wait for other nodes");
	q = places_make(&p->questions, sizeof *q);
	q->place.number = ++p->serial;
	q->holder = self;
	q->caller = caller;
	q->who = msg_from(m);
	places_add(&p->questions, &q->place);
	said_ask(next_part(p), m, client, q->place.number, left_ms);
	return 0;
}

int peer_take(struct peer *p, actor *self, const msg *m, bool client)
{
	int left_ms = core_left_ms(m), rc = 0;

	if (!*msg_str(m, 1))
		return left_ms ? refuse(self, m, ACTOR_ENOENT, "handlers have names") : watch(p, m);
	if (left_ms)
		rc = ask(p, self, m, client, left_ms);
	else
		said_send(next_part(p), m, client);
	if (p->writing.len >= WAITING_MOST)
		look_at_gate(p);
	return rc;
}

int peer_push(struct peer *p, const msg *m, const char *user)
{
	if (!peer_open(p))
		return msg_fail_as(m, ACTOR_EFULL, "too much waits for the node %s", p->name);
	if (msg_count(m) == VALUES_MAX)
		return msg_fail_as(m, ACTOR_EARGS, "%d values: put them in a list", VALUES_MAX - 2);
	said_push(next_part(p), m, user);
	if (p->writing.len >= WAITING_MOST)
		look_at_gate(p);
	return 0;
}

/* --- what comes from there ---------------------------------------------------------------- */

static actor_id settle(struct peer *p, struct question *q, const struct part *part,
                       const char *text)
{
	actor_id who = q->who;
	bool answer = part->kind == PART_ANSWER;

	core_answer(q->holder, q->caller, answer ? part->args : (struct packed){ NULL, NULL },
	            answer ? part->count : 0, answer ? 0 : part->code, text);
	places_drop(&p->questions, q);
	return who;
}

void peer_speaks(struct peer *p, uint64_t life)
{
	watches_life(&p->watches, life);
}

uint64_t peer_speaking(const struct peer *p)
{
	return p->watches.life;
}

actor_id peer_came(struct peer *p, const struct part *part)
{
	actor_id who = 0;
	char *text = part->kind == PART_ANSWER ? NULL : mem_string(part->text, part->len);
	struct place *at;

	if (part->kind == PART_DOWN)
		watches_down(&p->watches, part->number, text);
	else if ((at = places_take(&p->questions, part->number)))
		who = settle(p, (struct question *)at, part, text);
	mem_free(text);
	return who;
}

void peer_refuse(struct peer *p, const msg *m, uint64_t number, int code, const char *text)
{
	part_refusal(said_part(p, m), number, code, text);
}

int peer_ask(struct peer *p, actor *self, actor_ref to, struct places *served,
              const struct part *part, struct why *why)
{
	struct call c = { .to = to, .what = part->what, .args = part->args,
	                  .count = part->count, .client = part->client,
	                  .origin = part->client || *part->user ? FROM_CLIENT : FROM_REDIS };
	int64_t number = core_ask(self, &c, "answered", part->ms ? part->ms : PATIENCE_MS, why);
	struct served *s;

	if (number < 0)
		return (int)number;
	s = places_make(served, sizeof *s);
	s->place.number = (uint64_t)number;
	s->peer = p;
	s->number = part->number;
	places_add(served, &s->place);
	return 0;
}

void peer_answered(struct places *served, const msg *m)
{
	struct served *s = (struct served *)places_take(served, (uint64_t)msg_ask(m));

	if (!s)
		return;
	if (msg_error(m)) {
		peer_refuse(s->peer, m, s->number, msg_error(m), msg_error_text(m));
	} else if (s->peer->writing.len >= ANSWERS_MOST) {
		peer_refuse(s->peer, m, s->number, ACTOR_EFULL, "too much waits for your node");
	} else {
		part_answer(said_part(s->peer, m), s->number, (unsigned)msg_count(m));
		msg_pack(m, 0, &s->peer->writing);
	}
	places_drop(served, s);
}

void peer_watch(struct peer *p, actor *self, struct places *monitors, const struct part *part)
{
	if (part->kind == PART_UNWATCH)
		watches_cease(&p->watches, part->number);
	else if (watches_serve(&p->watches, p, self, monitors, part->number,
	                       actor_find(part->to)) < 0)
		part_down(next_part(p), part->number, part->to, "there is no such actor there");
}

void peer_tell_down(struct places *monitors, const msg *m)
{
	uint64_t number = 0;
	struct peer *p = watches_served(monitors, msg_int(m, 0), &number);

	if (p)
		part_down(next_part(p), number, msg_str(m, 1), msg_str(m, 2));
}

void peer_tell_room(struct peer *p, const char *name, bool room)
{
	if (p->here && (room || !p->flying.len || p->in_redis)) /* else it is heaped up */
		part_room(next_part(p), name, room);
}

/* --- there and gone ----------------------------------------------------------------------- */

static void refuse_all(struct peer *p, const char *reason)
{
	struct part part = { .kind = PART_REFUSAL, .code = ACTOR_ENOENT };
	struct place *at;

	while ((at = places_any(&p->questions)))
		settle(p, (struct question *)at, &part, reason);
	watches_all_down(&p->watches, reason);
}

void peer_here(struct peer *p, uint64_t life)
{
	struct why why;

	if (p->life != life) {
		why_set(&why, 0, "the node %s was started again", p->name);
		refuse_all(p, why.text);
		watches_life(&p->watches, life);
	}
	p->here = true;
	p->life = life;
}

void peer_gone(struct peer *p, const char *reason)
{
	p->here = false;
	refuse_all(p, reason);
}

/* --- the proxy ---------------------------------------------------------------------------- */

static struct peer *peer_of(actor *self)
{
	return *(struct peer **)actor_state(self);
}

static int routed(actor *self, const msg *m)
{
	return peer_take(peer_of(self), self, m, false);
}

static int called(actor *self, const msg *m)
{
	return peer_take(peer_of(self), self, m, true);
}

static int answered(actor *self, const msg *m)
{
	peer_answered(&peer_of(self)->served, m);
	return 0;
}

static void unwatched(actor *self, actor_id who, int64_t number)
{
	struct peer *p = peer_of(self);

	if (!peer_unwatch(p, who, number))
		early_note(p->c->early, who, number);
}

/* Any thread. */
static const char *shut(actor *self)
{
	return atomic_load(&peer_of(self)->shut);
}

static const struct actor_type peer_type = {
	.name = "peer",
	.state = sizeof(struct peer *),
	.on = ON({ "routed", "to:str what:str ...", routed, 0 },
	         { "called", "to:str what:str ...", called, 0 },
	         { "answered", "...", answered, 0 }),
};

static int make_proxy(struct peer *p, struct why *why)
{
	static const struct type_options options = {
		.max_count = MAILBOX_COUNT, .max_bytes = MAILBOX_BYTES,
		.proxy = true, .clients = true, .by_name = true, .native = true,
		.unwatched = unwatched, .shut = shut,
	};
	struct spawn s = { .type = core_type("peer"), .home = loop_home(p->c->loop),
	                   .init = &p, .size = sizeof p };

	if (!s.type)
		s.type = core_add_type(&peer_type, &options, NULL, why);
	if (!s.type || core_spawn(&s, &p->id, why))
		return ACTOR_EFAIL;
	p->self = core_actor(p->id);
	return 0;
}

/* --- the face ----------------------------------------------------------------------------- */

struct peer *peer_new(struct peer_config *c, const char *name, struct why *why)
{
	struct peer *p = mem_alloc(sizeof *p);

	p->c = c;
	p->name = mem_string(name, strlen(name));
	p->key = frame_key(name, "");
	p->length = (struct length){ c->port, p->key, on_length, p, false };
	p->open = true;
	p->serial = random_u64() >> 33;         /* an earlier life's answers meet none of this */
	p->said_ms = -REFUSAL_SAY_MS;
	p->flush = loop_timer_new(c->loop, on_flush, p);
	p->again = loop_timer_new(c->loop, on_again, p);
	if (make_proxy(p, why) == 0)
		return p;
	peer_free(p);
	return NULL;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	loop_timer_free(p->flush);
	loop_timer_free(p->again);
	places_forget(&p->questions);
	watches_fini(&p->watches);
	places_forget(&p->served);
	buf_fini(&p->writing);
	buf_fini(&p->flying);
	mem_free(p->name);
	mem_free(p->key);
	mem_free(p);
}

const char *peer_name(const struct peer *p)
{
	return p->name;
}

actor_id peer_proxy(const struct peer *p)
{
	return p->id;
}

actor *peer_actor(const struct peer *p)
{
	return p->self;
}

struct places *peer_served(struct peer *p)
{
	return &p->served;
}

bool peer_open(const struct peer *p)
{
	return p->open;
}

void peer_info(const struct peer *p, struct peer_info *out)
{
	*out = p->info;
	out->waiting = p->parts + (p->flying.len ? p->flying_parts : 0);
	out->bytes = p->writing.len + p->flying.len;
}
