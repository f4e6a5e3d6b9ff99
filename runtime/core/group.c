/* SPDX-License-Identifier: MIT
 * group.c - joining, leaving, publishing, picking. One lock, held for a look-up or a new list, and
 * never while something is sent. */
#include "group.h"

#include <pthread.h>

enum { BUCKETS = 256, MEMBERS_MAX = 1 << 20, MEMBERS_FIRST = 4 };

struct member { _Atomic uint64_t id; _Atomic(const char *) then; };     /* id 0: it has left */

/* Under the lock, but for what `at` had when it was held. A full one is followed by one with room
 * for as many again as are still here: so joining costs the same however many there are. */
struct members {
	_Atomic uint32_t holds;
	uint32_t n, room;
	uint32_t left;                  /* of the n */
	uint32_t mask, *index;          /* hash of ids: member + 1; 0: none */
	struct member at[];
};

struct group {
	struct group *next;             /* in its bucket; a group is for good */
	struct name *name;
	struct members *members;        /* NULL: none */
	_Atomic uint32_t turn;
};

static struct {
	pthread_mutex_t lock;
	struct group *bucket[BUCKETS];
} groups = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- the list ----------------------------------------------------------------- */

static void drop(struct members *m)
{
	if (!m || atomic_fetch_sub(&m->holds, 1) != 1)
		return;
	mem_free(m->index);
	mem_free(m);
}

static bool is_here(const struct member *m)
{
	uint64_t id = LOAD(&m->id);

	return id && LOAD_ACQUIRE(&cell_at((uint32_t)id)->gen) == id >> 32;
}

/* Under the lock; the group is made if a name is given. */
static struct group *find(const struct name *n, struct name *made)
{
	struct group **at, *g;

	at = &groups.bucket[name_index(n) % BUCKETS];
	for (g = *at; g && g->name != n; g = g->next)
		;
	if (g || !made)
		return g;
	g = mem_alloc(sizeof *g);
	g->name = made;
	g->next = *at;
	return *at = g;
}

/* The members now, *n of them, held; NULL: none. */
static struct members *hold(const char *group, struct group **found, uint32_t *n)
{
	struct name *name = group ? name_find(group, strlen(group)) : NULL;
	struct members *m = NULL;
	struct group *g;

	*n = 0;
	if (!name)
		return NULL;
	pthread_mutex_lock(&groups.lock);
	g = find(name, NULL);
	if (g && (m = g->members)) {
		atomic_fetch_add(&m->holds, 1);
		*n = m->n;
	}
	pthread_mutex_unlock(&groups.lock);
	*found = g;
	return m;
}

/* Where the index has it, or would. The lock, as for all below. */
static uint32_t *place(struct members *m, uint64_t id)
{
	uint32_t i = (uint32_t)(id * 0x9e3779b97f4a7c15 >> 32) & m->mask;

	while (m->index[i] && LOAD(&m->at[m->index[i] - 1].id) != id)
		i = (i + 1) & m->mask;
	return &m->index[i];
}

static void append(struct members *m, uint64_t id, const char *then)
{
	uint32_t n = m->n, *index = place(m, id);

	STORE(&m->at[n].id, id);
	STORE(&m->at[n].then, then);
	*index = n + 1;
	m->n = n + 1;
}

/* Those who are here, with room for as many again. */
static void renew(struct group *g)
{
	struct members *old = g->members, *m;
	uint32_t n = old ? old->n : 0, room = MEMBERS_FIRST, size = 1;

	for (uint32_t i = 0; i < n; i++)
		room += 2 * is_here(&old->at[i]);
	while (size < 2 * room)
		size *= 2;
	m = mem_alloc(sizeof *m + room * sizeof m->at[0]);
	m->holds = 1;
	m->room = room;
	m->mask = size - 1;
	m->index = mem_alloc(size * sizeof *m->index);
	for (uint32_t i = 0; i < n && m->n < room; i++)
		if (is_here(&old->at[i]))
			append(m, LOAD(&old->at[i].id), LOAD(&old->at[i].then));
	g->members = m;
	drop(old);
}

static int join(struct group *g, uint64_t id, const char *then)
{
	uint32_t at = g->members ? *place(g->members, id) : 0;

	if (at) {
		STORE(&g->members->at[at - 1].then, then);
		return 0;
	}
	if (!g->members || g->members->n == g->members->room)
		renew(g);
	if (g->members->n >= MEMBERS_MAX)
		return ACTOR_ENOMEM;
	append(g->members, id, then);
	return 0;
}

/* False: it was not there. */
static bool leave(struct group *g, uint64_t id)
{
	struct members *m = g->members;
	uint32_t at = m ? *place(m, id) : 0;

	if (!at)
		return false;
	STORE(&m->at[at - 1].id, 0);
	if (++m->left > m->n / 2)
		renew(g);
	return true;
}

/* Most of those in m have ended without leaving: who publishes or picks saw that. */
static COLD void tidy(struct group *g, const struct members *m)
{
	pthread_mutex_lock(&groups.lock);
	if (g->members == m)
		renew(g);
	pthread_mutex_unlock(&groups.lock);
}

int actor_join(actor *self, const char *group, const char *then)
{
	struct name *n = group ? name_of(group, strlen(group)) : NULL;
	struct name *what = then ? name_find(then, strlen(then)) : NULL;
	int rc;

	if (!n)
		return ACTOR_EARGS;
	if (!what || table_find(type_table(cell_type(self)), then, strlen(then)) < 0)
		return ACTOR_ENOENT;
	pthread_mutex_lock(&groups.lock);
	rc = join(find(n, n), cell_id(self), name_text(what));
	pthread_mutex_unlock(&groups.lock);
	return rc;
}

const char *group_then(actor *self, const char *group)
{
	struct name *n = group ? name_find(group, strlen(group)) : NULL;
	const char *then = NULL;
	struct group *g;
	uint32_t at;

	if (!n)
		return NULL;
	pthread_mutex_lock(&groups.lock);
	g = find(n, NULL);
	at = g && g->members ? *place(g->members, cell_id(self)) : 0;
	if (at)
		then = LOAD(&g->members->at[at - 1].then);
	pthread_mutex_unlock(&groups.lock);
	return then;
}

int actor_leave(actor *self, const char *group)
{
	struct name *n = group ? name_find(group, strlen(group)) : NULL;
	struct group *g;
	bool was;

	if (!n)
		return ACTOR_ENOENT;
	pthread_mutex_lock(&groups.lock);
	g = find(n, NULL);
	was = g && leave(g, cell_id(self));
	pthread_mutex_unlock(&groups.lock);
	return was ? 0 : ACTOR_ENOENT;
}

/* --- to all ------------------------------------------------------------------- */

/* How many it was sent to. */
static int publish(struct worker *w, uint64_t from, const char *group, const struct arg *args,
                   unsigned n)
{
	struct group *g;
	uint32_t many, gone = 0;
	struct members *all = hold(group, &g, &many);
	int sent = 0;

	for (uint32_t i = 0; i < many; i++) {
		struct letter l = { .to = LOAD(&all->at[i].id), .what = LOAD(&all->at[i].then),
		                    .from = from, .origin = w->origin };
		struct arg copy[VALUES_MAX];

		memcpy(copy, args, n * sizeof *args);   /* each handler takes them in its way */
		sent += send_args(w, &l, copy, n, NULL) == 0;
		gone += !is_here(&all->at[i]);
	}
	if (gone > many / 2)
		tidy(g, all);
	drop(all);
	return sent;
}

int actor_publish_(actor *self, const char *group, const struct actor_site *s,
                   const uint64_t *values)
{
	struct worker *w = worker_acquire();
	struct arg args[16];
	int sent;

	args_of_site(args, s->types, values, s->n);
	sent = publish(w, cell_id(self), group, args, (unsigned)s->n);
	worker_release(w);
	return sent;
}

int core_publish(actor *self, const char *group, struct packed in, unsigned count)
{
	struct worker *w = worker_acquire();
	struct arg args[VALUES_MAX];
	int sent = args_of_packed(args, in, count, NULL);

	if (!sent)
		sent = publish(w, self ? cell_id(self) : 0, group, args, count);
	worker_release(w);
	return sent;
}

/* --- to one ------------------------------------------------------------------- */

static uint32_t load_of(uint64_t id)
{
	return HEAD_COUNT(LOAD(&cell_at((uint32_t)id)->head));
}

/* By the highest of a hash of both: who comes or goes moves only the keys that are its own.
 * Source: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998. */
static uint32_t score(uint64_t id, uint32_t key)
{
	uint64_t x = ((uint64_t)key << 32 | (uint32_t)id) * 0x9e3779b97f4a7c15;

	x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
	return (uint32_t)(x >> 32);
}

static bool is_better(uint64_t a, uint64_t b, enum actor_choice by, uint32_t key)
{
	return by == PICK_KEY ? score(a, key) > score(b, key)
	                      : by == PICK_IDLEST && load_of(a) < load_of(b);
}

actor_ref actor_pick(const char *group, enum actor_choice by, const char *key)
{
	uint32_t hash = key ? text_hash(key, strlen(key)) : 0, first, many, gone = 0;
	struct group *g;
	struct members *all = hold(group, &g, &many);
	actor_ref best = 0;

	if (!all)
		return 0;
	first = atomic_fetch_add(&g->turn, 1);
	for (uint32_t i = 0; i < many && !(best && by == PICK_TURN); i++) {
		const struct member *m = &all->at[(first + i) % many];
		uint64_t id = LOAD(&m->id);

		if (!is_here(m))
			gone++;
		else if (!best || is_better(id, best, by, hash))
			best = id;
	}
	if (gone > many / 2)
		tidy(g, all);
	drop(all);
	return best;
}
