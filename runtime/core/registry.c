/* SPDX-License-Identifier: MIT
 * registry.c - the table of names.
 *
 * A hash of chains that only ever grow at their heads: a reader follows pointers published with
 * release and never meets a change. Names are numbered in the order they came, in chunks that stay
 * where they are, so that a number is a reference. */
#include "registry.h"

#include <pthread.h>

#include "sync.h"

enum { BUCKETS = 1 << 16, CHUNK = 1 << 10, CHUNKS = NAMES_GIVEN / CHUNK };

struct name {
	struct name *next;              /* in its bucket; fixed before it is published */
	_Atomic uint64_t bearer, away;
	uint32_t index, hash;
	uint32_t len;
	bool foreign;
	char text[];
};

static _Atomic(struct name *) buckets[BUCKETS];
static _Atomic(_Atomic(struct name *) *) chunks[CHUNKS];
static _Atomic uint32_t count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*on_change)(void *);
static void *on_change_arg;

uint32_t text_hash(const char *s, size_t len)   /* FNV-1a */
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h;
}

static struct name *lookup(const char *text, size_t len, uint32_t hash)
{
	struct name *n = LOAD_ACQUIRE(&buckets[hash % BUCKETS]);

	while (n && (n->hash != hash || n->len != len || memcmp(n->text, text, len)))
		n = n->next;
	return n;
}

struct name *name_find(const char *text, size_t len)
{
	return lookup(text, len, text_hash(text, len));
}

static struct name *add(const char *text, size_t len, uint32_t hash)
{
	uint32_t index = LOAD(&count);
	struct name *n;

	if (index % CHUNK == 0)
		STORE_RELEASE(&chunks[index / CHUNK], mem_alloc(CHUNK * sizeof(struct name *)));
	n = mem_alloc(sizeof *n + len + 1);
	n->index = index;
	n->hash = hash;
	n->len = (uint32_t)len;
	n->foreign = len > 5 && !memcmp(text, "list:", 5);
	memcpy(n->text, text, len);
	n->next = LOAD(&buckets[hash % BUCKETS]);
	STORE_RELEASE(&LOAD(&chunks[index / CHUNK])[index % CHUNK], n);
	STORE_RELEASE(&buckets[hash % BUCKETS], n);     /* partner: lookup() */
	STORE_RELEASE(&count, index + 1);               /* partner: name_count() */
	return n;
}

static struct name *among(const char *text, size_t len, uint32_t most)
{
	uint32_t hash = text_hash(text, len);
	struct name *n = lookup(text, len, hash);

	if (n || len > NAME_MAX_LEN || memchr(text, 0, len))
		return n;
	pthread_mutex_lock(&lock);
	n = lookup(text, len, hash);
	if (!n && LOAD(&count) < most)
		n = add(text, len, hash);
	pthread_mutex_unlock(&lock);
	return n;
}

struct name *name_of(const char *text, size_t len)
{
	return among(text, len, NAMES_GIVEN);
}

struct name *name_asked(const char *text, size_t len)
{
	return among(text, len, NAMES_ASKED);
}

struct name *name_at(uint32_t index)
{
	if (index >= name_count())
		return NULL;
	return LOAD_ACQUIRE(&LOAD_ACQUIRE(&chunks[index / CHUNK])[index % CHUNK]);
}

uint32_t name_count(void)
{
	return LOAD_ACQUIRE(&count);
}

uint32_t name_index(const struct name *n)
{
	return n->index;
}

const char *name_text(const struct name *n)
{
	return n->text;
}

bool name_foreign(const struct name *n)
{
	return n->foreign;
}

uint64_t name_bearer(const struct name *n)
{
	return LOAD_ACQUIRE(&n->bearer);
}

uint64_t name_away(const struct name *n)
{
	return LOAD_ACQUIRE(&n->away);
}

void name_set_away(struct name *n, uint64_t proxy)
{
	STORE_RELEASE(&n->away, proxy);
}

bool name_bind(struct name *n, uint64_t id)
{
	uint64_t nobody = 0;

	return atomic_compare_exchange_strong(&n->bearer, &nobody, id);
}

void name_unbind(struct name *n, uint64_t id)
{
	atomic_compare_exchange_strong(&n->bearer, &id, 0);
}

void name_rebind(struct name *n, uint64_t from, uint64_t to)
{
	atomic_compare_exchange_strong(&n->bearer, &from, to);
}

void name_changed(void)
{
	if (on_change)
		on_change(on_change_arg);
}

void name_on_change(void (*fn)(void *), void *arg)
{
	on_change = fn;
	on_change_arg = arg;
}
