/* SPDX-License-Identifier: MIT
 * letters.c - the ring of dead letters, under one lock.
 *
 * Where a type drops what it has no room for, a flood of them comes: in each 100 ms so many are
 * kept, the rest is counted only (core_totals). */
#include "letters.h"

#include <pthread.h>
#include <stdio.h>

#include "ports.h"

enum { LETTERS = 256, VALUES_BYTES = 512, REASON_BYTES = 192, WINDOW_MS = 100, A_WINDOW = 64 };

struct letter_kept {
	int64_t wall_ms;
	const char *actor, *handler; /* interned */
	uint32_t count, len, whole;  /* values, their bytes here, and in the message */
	char reason[REASON_BYTES];
	uint8_t values[VALUES_BYTES];
};

static struct {
	pthread_mutex_t lock;
	uint64_t n; /* ever added; the last LETTERS of them are here */
	struct letter_kept ring[LETTERS];
	_Atomic int64_t window;
	_Atomic uint32_t in_window;
} letters = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool letters_flood(void)
{
	return LOAD(&letters.in_window) >= A_WINDOW &&
	       LOAD(&letters.window) == now_ms() / WINDOW_MS;
}

/* One more. In a flood nothing is written that other threads read. */
static bool kept_no_more(void)
{
	int64_t window = now_ms() / WINDOW_MS;

	if (LOAD(&letters.window) != window) {
		STORE(&letters.window, window);
		STORE(&letters.in_window, 0);
	}
	return LOAD(&letters.in_window) >= A_WINDOW ||
	       atomic_fetch_add(&letters.in_window, 1) >= A_WINDOW;
}

static const char *handler_of(const struct actor *a, const struct msg *m)
{
	struct table *tab = type_table(LOAD_ACQUIRE(&a->type));

	return m->fn < tab->n ? tab->entry[m->fn].name : "";
}

static void keep(const struct actor *a, const char *what, struct packed values, unsigned count,
                 const char *reason)
{
	struct letter_kept *k;

	pthread_mutex_lock(&letters.lock);
	k = &letters.ring[letters.n++ % LETTERS];
	k->wall_ms = wall_ms();
	k->actor = a ? type_title_of(a) : "";
	k->handler = what;
	k->whole = (uint32_t)(values.end - values.at);
	k->len = k->whole <= VALUES_BYTES ? k->whole : 0;
	k->count = k->len ? count : 0;
	if (k->len)
		memcpy(k->values, values.at, k->len);
	snprintf(k->reason, sizeof k->reason, "%s", reason);
	pthread_mutex_unlock(&letters.lock);
}

void letters_add_packed(const struct actor *a, const char *what, struct packed values,
                        unsigned count, const char *reason)
{
	if (!kept_no_more())
		keep(a, what, values, count, reason);
}

void letters_add_to(const struct actor *a, const char *what, const struct msg *m,
                    const char *reason)
{
	struct buf values = { 0 };

	if (kept_no_more())
		return;
	message_pack(m, 0, &values);
	keep(a, what, packed_of(&values), m->n, reason);
	buf_fini(&values);
}

void letters_add(const struct actor *a, const struct msg *m, const char *reason)
{
	letters_add_to(a, a ? handler_of(a, m) : "", m, reason);
}

void core_dead_letters(void (*each)(void *, const struct dead_letter *), void *arg)
{
	struct letter_kept *copy = mem_alloc(sizeof letters.ring);
	uint64_t n, i;

	pthread_mutex_lock(&letters.lock);
	n = letters.n;
	memcpy(copy, letters.ring, sizeof letters.ring);
	pthread_mutex_unlock(&letters.lock);
	for (i = n > LETTERS ? n - LETTERS : 0; i < n; i++) {
		const struct letter_kept *k = &copy[i % LETTERS];

		each(arg, &(struct dead_letter){ .number = i + 1,
		                                 .wall_ms = k->wall_ms,
		                                 .actor = k->actor,
		                                 .handler = k->handler,
		                                 .reason = k->reason,
		                                 .args = { k->values, k->values + k->len },
		                                 .count = k->count,
		                                 .bytes = k->whole });
	}
	mem_free(copy);
}
