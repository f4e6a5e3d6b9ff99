/* SPDX-License-Identifier: MIT
 * group.c - joining, leaving, publishing, picking. One lock, held for a look-up or a new list, and
 * never while something is sent. */
#include "group.h"

#include <pthread.h>

enum { BUCKETS = 256, MEMBERS_MAX = 65536 };

struct member { uint64_t id; const char *then; };

struct members {
	_Atomic uint32_t holds;
	uint32_t n;
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
	if (m && atomic_fetch_sub(&m->holds, 1) == 1)
		mem_free(m);
}

static bool is_here(const struct member *m)
{
	return LOAD_ACQUIRE(&cell_at((uint32_t)m->id)->gen) == m->id >> 32;
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

/* The members now, held; NULL: none. */
static struct members *hold(const char *group, struct group **found)
{
	struct name *n = group ? name_find(group, strlen(group)) : NULL;
	struct members *m = NULL;
	struct group *g;

	if (!n)
		return NULL;
	pthread_mutex_lock(&groups.lock);
	g = find(n, NULL);
	if (g && (m = g->members))
		atomic_fetch_add(&m->holds, 1);
	pthread_mutex_unlock(&groups.lock);
	*found = g;
	return m;
}

/* Under the lock: those who are here without `self`, and it again if there is `then`. False: it
 * was not there. */
static bool renew(struct group *g, uint64_t self, const char *then)
{
	struct members *old = g->members, *m;
	uint32_t n = old ? old->n : 0;
	bool was = false;

	m = mem_alloc(sizeof *m + (n + 1) * sizeof m->at[0]);
	for (uint32_t i = 0; i < n; i++) {
		was |= old->at[i].id == self;
		if (old->at[i].id == self && then)
			m->at[m->n++] = (struct member){ self, then };
		else if (old->at[i].id != self && is_here(&old->at[i]))
			m->at[m->n++] = old->at[i];
	}
	if (then && !was)
		m->at[m->n++] = (struct member){ self, then };
	m->holds = 1;
	g->members = m;
	drop(old);
	return was;
}

int actor_join(actor *self, const char *group, const char *then)
{
	struct name *n = group ? name_of(group, strlen(group)) : NULL;
	struct name *what = then ? name_find(then, strlen(then)) : NULL;
	struct group *g;
	int rc = 0;

	if (!n)
		return ACTOR_EARGS;
	if (!what || table_find(type_table(cell_type(self)), then, strlen(then)) < 0)
		return ACTOR_ENOENT;
	pthread_mutex_lock(&groups.lock);
	g = find(n, n);
	if (g->members && g->members->n >= MEMBERS_MAX)
		rc = ACTOR_ENOMEM;
	else
		renew(g, cell_id(self), name_text(what));
	pthread_mutex_unlock(&groups.lock);
	return rc;
}

const char *group_then(actor *self, const char *group)
{
	const char *then = NULL;
	struct group *g;
	struct members *all = hold(group, &g);

	for (uint32_t i = 0; all && i < all->n; i++)
		if (all->at[i].id == cell_id(self))
			then = all->at[i].then;
	drop(all);
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
	was = g && renew(g, cell_id(self), NULL);
	pthread_mutex_unlock(&groups.lock);
	return was ? 0 : ACTOR_ENOENT;
}

/* --- to all ------------------------------------------------------------------- */

/* How many it was sent to. */
static int publish(struct worker *w, uint64_t from, const char *group, const struct arg *args,
                   unsigned n)
{
	struct group *g;
	struct members *all = hold(group, &g);
	int sent = 0;

	for (uint32_t i = 0; all && i < all->n; i++) {
		struct letter l = { .to = all->at[i].id, .what = all->at[i].then, .from = from,
		                    .origin = w->origin };
		struct arg copy[VALUES_MAX];

		memcpy(copy, args, n * sizeof *args);   /* each handler takes them in its way */
		sent += send_args(w, &l, copy, n, NULL) == 0;
	}
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

static uint32_t load_of(const struct member *m)
{
	return HEAD_COUNT(LOAD(&cell_at((uint32_t)m->id)->head));
}

/* By the highest of a hash of both: who comes or goes moves only the keys that are its own.
 * Source: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998. */
static uint32_t score(const struct member *m, uint32_t key)
{
	uint64_t x = ((uint64_t)key << 32 | (uint32_t)m->id) * 0x9e3779b97f4a7c15;

	x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
	return (uint32_t)(x >> 32);
}

static bool is_better(const struct member *a, const struct member *b, enum actor_choice by,
                      uint32_t key)
{
	return by == PICK_KEY ? score(a, key) > score(b, key)
	                      : by == PICK_IDLEST && load_of(a) < load_of(b);
}

actor_ref actor_pick(const char *group, enum actor_choice by, const char *key)
{
	struct group *g;
	struct members *all = hold(group, &g);
	const struct member *best = NULL;
	uint32_t hash = key ? text_hash(key, strlen(key)) : 0, first;
	actor_ref ref = 0;

	if (!all)
		return 0;
	first = atomic_fetch_add(&g->turn, 1);
	for (uint32_t i = 0; i < all->n; i++) {
		const struct member *m = &all->at[(first + i) % all->n];

		if (is_here(m) && (!best || is_better(m, best, by, hash)))
			best = m;
		if (best && by == PICK_TURN)
			break;
	}
	if (best)
		ref = best->id;
	drop(all);
	return ref;
}
