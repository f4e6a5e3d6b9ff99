/* SPDX-License-Identifier: MIT
 * due.c - the calls of one client whose answers are to come: a hash table by ask, which costs
 * nothing while there are none. Records of calls like most are used again. The session's thread. */
#include "due.h"

enum { BUCKETS_FIRST = 16, BYTES = 64, SPARE_MOST = 4096 };

struct due_call {
	struct due_call *next;          /* in its bucket */
	int64_t ask;
	enum encoding enc;
	uint32_t cb_len, id_len;
	char bytes[];                   /* cb, NUL, id: BYTES at least */
};

static struct due_call *record(struct due_spare *spare, size_t bytes)
{
	struct due_call *c = spare->first;

	if (bytes > BYTES || !c)
		return mem_alloc(sizeof *c + (bytes > BYTES ? bytes : BYTES));
	spare->first = c->next;
	spare->count--;
	return c;
}

void due_free(struct due_call *c, struct due_spare *spare)
{
	if (spare->count == SPARE_MOST || c->cb_len + 1 + c->id_len > BYTES) {
		mem_free(c);
		return;
	}
	c->next = spare->first;
	spare->first = c;
	spare->count++;
}

void due_spare_fini(struct due_spare *spare)
{
	for (struct due_call *c = spare->first, *next; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	*spare = (struct due_spare){ 0 };
}

static struct due_call **bucket(const struct due *d, int64_t ask)
{
	return &d->bucket[(uint64_t)ask * 0x9e3779b97f4a7c15u >> 32 & (d->size - 1)];
}

static void put(struct due *d, struct due_call *c)
{
	struct due_call **at = bucket(d, c->ask);

	c->next = *at;
	*at = c;
}

static void grow(struct due *d)
{
	struct due old = *d;

	d->size = old.size ? 2 * old.size : BUCKETS_FIRST;
	d->bucket = mem_alloc(d->size * sizeof(struct due_call *));
	for (uint32_t i = 0; i < old.size; i++)
		for (struct due_call *c = old.bucket[i], *next; c; c = next) {
			next = c->next;
			put(d, c);
		}
	mem_free(old.bucket);
}

void due_add(struct due *d, struct due_spare *spare, const struct envelope *e, int64_t ask)
{
	size_t id_len = e->id.at ? (size_t)(e->id.end - e->id.at) : 0;
	struct due_call *c = record(spare, e->cb.len + 1 + id_len);

	c->ask = ask;
	c->enc = e->enc;
	c->cb_len = (uint32_t)e->cb.len;
	c->id_len = (uint32_t)id_len;
	if (e->cb.len)
		memcpy(c->bytes, e->cb.p, e->cb.len);
	c->bytes[c->cb_len] = 0;
	if (id_len)
		memcpy(c->bytes + c->cb_len + 1, e->id.at, id_len);
	if (d->count >= d->size)
		grow(d);
	put(d, c);
	d->count++;
}

struct due_call *due_take(struct due *d, int64_t ask)
{
	struct due_call **at = d->size ? bucket(d, ask) : NULL, *c;

	while (at && *at && (*at)->ask != ask)
		at = &(*at)->next;
	if (!at || !*at)
		return NULL;
	c = *at;
	*at = c->next;
	d->count--;
	return c;
}

struct envelope due_request(const struct due_call *c)
{
	const uint8_t *id = (const uint8_t *)c->bytes + c->cb_len + 1;

	return (struct envelope){
		.enc = c->enc, .cb = { c->bytes, c->cb_len },
		.id = { c->id_len ? id : NULL, id + c->id_len },
	};
}

void due_fini(struct due *d, struct due_spare *spare)
{
	for (uint32_t i = 0; i < d->size; i++)
		for (struct due_call *c = d->bucket[i], *next; c; c = next) {
			next = c->next;
			due_free(c, spare);
		}
	mem_free(d->bucket);
	*d = (struct due){ 0 };
}
