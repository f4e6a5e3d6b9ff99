/* SPDX-License-Identifier: MIT
 * room.c - who is where, by name: a hash table of lists of seats.
 *
 * A seat is in two lists, its room's and its member's, so that telling a room and a member's end
 * cost what there is to do. Nobody leaves by name but by a seat of its own: of two members of one
 * name the end of one never takes the other.
 * No locks: a table is of one of the gateway's threads, or its owner has a lock (users.c). */
#include "room.h"

#include "registry.h"

struct room {
	struct room *next;              /* in its bucket */
	struct rooms *of;
	struct seat *first;
	unsigned count;
	uint32_t hash;
	char name[];
};

enum { BUCKETS_FIRST = 64 };

static struct room **place(const struct rooms *r, const char *name, uint32_t hash)
{
	struct room **at = &r->bucket[hash & (r->size - 1)];

	while (*at && ((*at)->hash != hash || strcmp((*at)->name, name) != 0))
		at = &(*at)->next;
	return at;
}

static void grow(struct rooms *r)
{
	struct rooms old = *r;

	r->size = old.size ? 2 * old.size : BUCKETS_FIRST;
	r->bucket = mem_alloc(r->size * sizeof(struct room *));
	for (uint32_t i = 0; i < old.size; i++)
		for (struct room *m = old.bucket[i], *next; m; m = next) {
			struct room **at = &r->bucket[m->hash & (r->size - 1)];

			next = m->next;
			m->next = *at;
			*at = m;
		}
	mem_free(old.bucket);
}

static struct room *find(const struct rooms *r, const char *name)
{
	return r->size ? *place(r, name, text_hash(name, strlen(name))) : NULL;
}

static struct room *find_or_make(struct rooms *r, const char *name)
{
	size_t len = strlen(name);
	struct room *m = find(r, name), **at;

	if (m)
		return m;
	if (r->count >= r->size)
		grow(r);
	m = mem_alloc(sizeof *m + len + 1);
	m->of = r;
	m->hash = text_hash(name, len);
	memcpy(m->name, name, len);
	at = place(r, name, m->hash);
	*at = m;
	r->count++;
	return m;
}

static void remove_room(struct room *m)
{
	struct rooms *r = m->of;

	*place(r, m->name, m->hash) = m->next;
	mem_free(m);
	if (!--r->count) {
		mem_free(r->bucket);
		*r = (struct rooms){ 0 };
	}
}

bool room_enter(struct rooms *r, const char *name, struct seat **seats, void *who)
{
	struct room *m = find_or_make(r, name);
	struct seat *s = *seats;

	while (s && s->room != m)
		s = s->next;
	if (s)
		return false;
	s = mem_alloc(sizeof *s);
	*s = (struct seat){ m->first, &m->first, *seats, m, who };
	if (s->next_in_room)
		s->next_in_room->link = &s->next_in_room;
	m->first = s;
	*seats = s;
	m->count++;
	return true;
}

/* at: in the member's list. */
static void vacate(struct seat **at)
{
	struct seat *s = *at;

	*at = s->next;
	*s->link = s->next_in_room;
	if (s->next_in_room)
		s->next_in_room->link = s->link;
	if (!--s->room->count)
		remove_room(s->room);
	mem_free(s);
}

bool room_leave(struct rooms *r, const char *name, struct seat **seats)
{
	struct room *m = find(r, name);

	while (m && *seats && (*seats)->room != m)
		seats = &(*seats)->next;
	if (!m || !*seats)
		return false;
	vacate(seats);
	return true;
}

void rooms_leave(struct seat **seats)
{
	while (*seats)
		vacate(seats);
}

struct seat *room_seats(const struct rooms *r, const char *name)
{
	struct room *m = find(r, name);

	return m ? m->first : NULL;
}

unsigned room_count(const struct rooms *r, const char *name)
{
	struct room *m = find(r, name);

	return m ? m->count : 0;
}
