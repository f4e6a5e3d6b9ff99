/* SPDX-License-Identifier: MIT
 * peers.c - see peers.h.
 *
 * The idea: each name that some node announced leads to that node's proxy; one that several have
 * leads to a proxy of its own, which gives each message to the next of them. The core looks there
 * only when no actor here bears the name, so what is local stays local without a word from here.
 * While the actor of that name takes nothing more there, as that node says again and again, the
 * name leads to a proxy without room.
 *
 * Invariant: a name that still leads somewhere never leads nowhere in between, as senders do not
 * wait. A node once known stays known, as there may be frames for its inbox. */
#include "peers.h"

#include <search.h>
#include <stdlib.h>

#include "log.h"
#include "watches.h"

enum { PEERS_MOST = 4096, MAILBOX_COUNT = 8192, MAILBOX_BYTES = 8 << 20 };

struct full { struct peer *peer; uint64_t life; int64_t until_ms; };

struct host {
	char *name;
	struct peer **peer;             /* those that have it; */
	unsigned n, room, turn;
	struct full *full;              /* whose actor takes nothing more, as they said: */
	unsigned n_full;
	actor_id away;                  /* where the core sends it */
	struct host *next;              /* lost, too */
};

struct peers {
	struct peer_config c;
	void (*gate)(void *arg);
	void *arg;
	struct peer **peer;
	uint64_t *named;                /* the life whose names each has; 0: it has none */
	unsigned n, room;
	void *hosts;                    /* tree of struct host, by name */
	unsigned names;                 /* in it */
	unsigned full;                  /* so many words that an actor of these is */
	struct loop_timer *heal;        /* while there are any */
	struct host *lost;              /* of these, those that lead nowhere any more */
	actor *others;                  /* the proxy of names that several have */
	actor_id others_id;
	actor *shut;                    /* the proxy of names that nobody takes anything for */
	actor_id shut_id;
	struct early early;
	bool open;
};

/* --- names -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct host *)a)->name, ((const struct host *)b)->name);
}

static struct host *host_find(const struct peers *s, const char *name)
{
	const struct host key = { .name = (char *)(uintptr_t)name };
	struct host **at = tfind(&key, (void *const *)&s->hosts, by_name);

	return at ? *at : NULL;
}

static struct host *host_of(struct peers *s, const char *name, size_t len)
{
	char *own = mem_string(name, len);
	struct host *h = host_find(s, own);

	if (!h) {
		h = mem_alloc(sizeof *h);
		h->name = own;
		tsearch(h, &s->hosts, by_name);
		s->names++;
		return h;
	}
	mem_free(own);
	return h;
}

static uint64_t *named(const struct peers *s, const struct peer *p)
{
	unsigned i = 0;

	while (s->peer[i] != p)
		i++;
	return &s->named[i];
}

static void host_add(struct host *h, struct peer *p)
{
	if (h->n && h->peer[h->n - 1] == p)
		return;
	if (h->n == h->room) {
		h->room = h->room ? 2 * h->room : 2;
		h->peer = mem_resize(h->peer, h->room * sizeof(struct peer *));
	}
	h->peer[h->n++] = p;
}

static void host_drop(struct host *h, const struct peer *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (h->peer[i] != p)
			h->peer[n++] = h->peer[i];
	h->n = n;
}

static struct full *host_full(const struct host *h, const struct peer *p)
{
	for (unsigned i = 0; i < h->n_full; i++)
		if (h->full[i].peer == p)
			return &h->full[i];
	return NULL;
}

/* What an earlier life of its said counts no more; a later one's, once that is known. */
static bool host_is_full(const struct peers *s, const struct host *h, const struct peer *p)
{
	const struct full *f = host_full(h, p);

	return f && f->life == *named(s, p);
}

static bool host_takes(const struct peers *s, const struct host *h)
{
	unsigned i = 0;

	while (i < h->n && host_is_full(s, h, h->peer[i]))
		i++;
	return i < h->n;
}

static void host_room(struct host *h, struct peer *p, uint64_t life, bool room)
{
	struct full *f = host_full(h, p);

	if (room) {
		if (f && f->life == life)
			*f = h->full[--h->n_full];
		return;
	}
	if (!f) {
		h->full = mem_resize(h->full, (h->n_full + 1) * sizeof *h->full);
		f = &h->full[h->n_full++];
	}
	*f = (struct full){ p, life, now_ms() + ROOM_LASTS_MS };
}

static void drop(const void *node, VISIT when, void *p)
{
	if (when == postorder || when == leaf)
		host_drop(*(struct host *const *)node, p);
}

static void lead_host(const struct peers *s, struct host *h)
{
	actor_id to = !h->n ? 0 : !host_takes(s, h) ? s->shut_id
	              : h->n == 1 ? peer_proxy(h->peer[0]) : s->others_id;

	if (to != h->away && !core_set_away(h->name, to))
		h->away = to;
}

static void lead(const void *node, VISIT when, void *arg)
{
	struct host *h = *(struct host *const *)node;
	struct peers *s = arg;

	if (when != postorder && when != leaf)
		return;
	lead_host(s, h);
	if (!h->n && !h->away) {
		h->next = s->lost;
		s->lost = h;
	}
}

static void host_free(void *at)
{
	struct host *h = at;

	if (h->away)
		core_set_away(h->name, 0);
	mem_free(h->peer);
	mem_free(h->full);
	mem_free(h->name);
	mem_free(h);
}

/* Who says no more that an actor is full has said that it is not, and Redis has lost that. */
static void heal_host(const void *node, VISIT when, void *arg)
{
	struct host *h = *(struct host *const *)node;
	struct peers *s = arg;
	int64_t now = now_ms();
	unsigned had = h->n_full;

	if (when != postorder && when != leaf)
		return;
	for (unsigned i = h->n_full; i-- > 0; )
		if (h->full[i].until_ms <= now)
			h->full[i] = h->full[--h->n_full];
	if (h->n_full != had)
		lead_host(s, h);
	s->full += h->n_full;
}

static void heal(void *arg)
{
	struct peers *s = arg;

	s->full = 0;
	twalk_r(s->hosts, heal_host, s);
	if (s->full)
		loop_timer_set(s->heal, ROOM_TELL_MS);
}

/* Where each name leads now. Those that nobody has any more are forgotten. */
static void lead_all(struct peers *s)
{
	struct host *h;

	twalk_r(s->hosts, lead, s);
	while ((h = s->lost)) {
		s->lost = h->next;
		tdelete(h, &s->hosts, by_name);
		s->names--;
		host_free(h);
	}
}

/* How many names the node announces; they stand in the list. */
static size_t topics_of(struct packed info, struct packed *list)
{
	struct value map, key, v;

	if (packed_next(&info, &map) != 1 || map.type != VALUE_MAP)
		return 0;
	for (size_t i = 0; i < map.len; i++) {
		bool topics = packed_next(&info, &key) == 1 && key.type == VALUE_STR &&
		              key.len == 6 && !memcmp(key.str, "topics", 6);

		*list = info;
		packed_skip(&info);
		if (topics && packed_next(list, &v) == 1 && v.type == VALUE_LIST)
			return v.len;
	}
	return 0;
}

static void add_topics(struct peers *s, struct peer *p, struct packed list, size_t n)
{
	struct value name;

	for (; n; n--)
		if (packed_next(&list, &name) == 1 && name.type == VALUE_STR && name.len &&
		    name.len <= NAME_MAX_LEN)
			host_add(host_of(s, name.str, name.len), p);
}

/* --- nodes -------------------------------------------------------------------------------- */

static void on_gate(void *arg)
{
	struct peers *s = arg;
	bool open = true;

	for (unsigned i = 0; i < s->n; i++)
		open = open && peer_open(s->peer[i]);
	if (open != s->open)
		core_set_room(s->others, open ? MAILBOX_COUNT : 0);
	s->open = open;
	s->gate(s->arg);
}

struct peer *peers_find(const struct peers *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(peer_name(s->peer[i]), name))
			return s->peer[i];
	return NULL;
}

struct peer *peers_get(struct peers *s, const char *name)
{
	struct peer *p = peers_find(s, name);
	struct why why = { "" };

	if (p || s->n == PEERS_MOST)
		return p;
	p = peer_new(&s->c, name, &why);
	if (!p) {
		log_line(LOG_ERROR, "bus", "node %s: %s", name, why.text);
		return NULL;
	}
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 8;
		s->peer = mem_resize(s->peer, s->room * sizeof(struct peer *));
		s->named = mem_resize(s->named, s->room * sizeof *s->named);
	}
	s->named[s->n] = 0;
	s->peer[s->n++] = p;
	return p;
}

void peers_seen(struct peers *s, const char *name, uint64_t life, struct packed info)
{
	struct peer *p = peers_get(s, name);
	struct packed list = info;
	uint64_t *had;
	size_t n;

	if (!p)
		return;
	n = topics_of(info, &list);
	peer_here(p, life);
	had = named(s, p);
	if (!n && *had && *had != life) /* its inbox is not open yet, then it says what it has */
		return;
	*had = n ? life : 0;
	twalk_r(s->hosts, drop, p);
	add_topics(s, p, list, n);
	lead_all(s);
}

void peers_gone(struct peers *s, const char *name)
{
	struct peer *p = peers_find(s, name);
	struct why why;

	if (!p)
		return;
	twalk_r(s->hosts, drop, p);
	lead_all(s);
	*named(s, p) = 0;
	why_set(&why, 0, "the node %s is gone", name);
	peer_gone(p, why.text);
}

void peers_room(struct peers *s, struct peer *p, const char *name, bool room)
{
	struct host *h = host_find(s, name);

	if (!h)
		return;
	host_room(h, p, peer_speaking(p), room);
	lead_host(s, h);
	if (!room && !s->full++)
		loop_timer_set(s->heal, ROOM_TELL_MS);
}

void peers_up(struct peers *s)
{
	for (unsigned i = 0; i < s->n; i++)
		peer_up(s->peer[i]);
}

void peers_busy(struct peers *s, bool busy)
{
	s->c.came = s->c.came || busy;
	if (s->c.busy == busy)
		return;
	s->c.busy = busy;
	for (unsigned i = 0; !busy && i < s->n; i++)
		peer_settled(s->peer[i]);
}

unsigned peers_names(const struct peers *s)
{
	return s->names;
}

void peers_info(const struct peers *s, struct peer_info *out)
{
	struct peer_info one;

	*out = (struct peer_info){ 0 };
	for (unsigned i = 0; i < s->n; i++) {
		peer_info(s->peer[i], &one);
		out->sent += one.sent;
		out->frames += one.frames;
		out->refused += one.refused;
		out->waiting += one.waiting;
		out->bytes += one.bytes;
	}
}

/* --- the proxy of what several have ------------------------------------------------------- */

static int take(actor *self, const msg *m, bool client)
{
	struct peers *s = *(struct peers **)actor_state(self);
	struct host *h = host_find(s, msg_str(m, 0));
	struct why why;

	for (unsigned i = 0; h && i < h->n; i++) {
		struct peer *p = h->peer[h->turn++ % h->n];

		if ((peer_open(p) && !host_is_full(s, h, p)) || i + 1 == h->n)
			return peer_take(p, self, m, client);
	}
	why_set(&why, 0, "no node has an actor named %s (any more)", msg_str(m, 0));
	core_answer(self, msg_defer(m), (struct packed){ NULL, NULL }, 0, ACTOR_ENOENT, why.text);
	return 0;
}

static int routed(actor *self, const msg *m)
{
	return take(self, m, false);
}

static int called(actor *self, const msg *m)
{
	return take(self, m, true);
}

static void unwatched(actor *self, actor_id who, int64_t number)
{
	struct peers *s = *(struct peers **)actor_state(self);

	for (unsigned i = 0; i < s->n; i++)
		if (peer_unwatch(s->peer[i], who, number))
			return;
	early_note(&s->early, who, number);
}

static const struct actor_type others_type = {
	.name = "peers",
	.state = sizeof(struct peers *),
	.on = ON({ "routed", "to:str what:str ...", routed, 0 },
	         { "called", "to:str what:str ...", called, 0 }),
};

/* Any thread. */
static const char *shut(actor *self)
{
	const struct peers *s = *(struct peers **)actor_state(self);

	return self == s->shut ? "its mailbox, on another node, is full, and more waits for it"
	                       : NULL;
}

static int make_proxy(struct peers *s, actor_id *id, struct why *why)
{
	static const struct type_options options = {
		.max_count = MAILBOX_COUNT, .max_bytes = MAILBOX_BYTES, .shut = shut,
		.proxy = true, .clients = true, .by_name = true, .native = true,
		.unwatched = unwatched,
	};
	struct spawn spawn = { .type = core_type("peers"), .home = loop_home(s->c.loop),
	                       .init = &s, .size = sizeof s };

	if (!spawn.type)
		spawn.type = core_add_type(&others_type, &options, NULL, why);
	return spawn.type ? core_spawn(&spawn, id, why) : ACTOR_EFAIL;
}

static int make_proxies(struct peers *s, struct why *why)
{
	if (make_proxy(s, &s->others_id, why) || make_proxy(s, &s->shut_id, why))
		return ACTOR_EFAIL;
	s->others = core_actor(s->others_id);
	s->shut = core_actor(s->shut_id);
	core_set_room(s->shut, 0);
	return 0;
}

/* --- the face ----------------------------------------------------------------------------- */

struct peers *peers_new(const struct peer_config *c, struct why *why)
{
	struct peers *s = mem_alloc(sizeof *s);

	s->c = *c;
	s->gate = c->gate;
	s->arg = c->arg;
	s->c.gate = on_gate;
	s->c.arg = s;
	s->c.early = &s->early;
	s->open = true;
	s->heal = loop_timer_new(c->loop, heal, s);
	if (make_proxies(s, why) == 0)
		return s;
	peers_free(s);
	return NULL;
}

void peers_free(struct peers *s)
{
	if (!s)
		return;
	loop_timer_free(s->heal);
	tdestroy(s->hosts, host_free);
	for (unsigned i = 0; i < s->n; i++)
		peer_free(s->peer[i]);
	mem_free(s->peer);
	mem_free(s->named);
	mem_free(s);
}
