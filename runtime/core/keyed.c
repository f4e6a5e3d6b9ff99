/* SPDX-License-Identifier: MIT
 * keyed.c - values by key. What has gone stays in the list until nobody waits for word of it: the
 * disk and Redis are told of it later, and may have to be told once more. What is of a day that is
 * over nobody has to be told of: it takes no place from what is set today. */
#include "keyed.h"

#include <time.h>

#include "ports.h"
#include "sync.h"

static _Atomic size_t waiting;

static int today(void)
{
	time_t now = (time_t)(wall_ms() / 1000);
	struct tm t;

	localtime_r(&now, &t);
	return (t.tm_year + 1900) * 10000 + (t.tm_mon + 1) * 100 + t.tm_mday;
}

struct keyed *keyed_find(const struct keyed_list *l, enum client_keep keep, const char *key)
{
	struct keyed *k = l->first;

	while (k && (k->keep != keep || strcmp(k->key, key) != 0))
		k = k->next;
	return k;
}

bool keyed_is_today(int day)
{
	return day == today();
}

bool keyed_is_there(const struct keyed *k)
{
	return k && !k->gone && (k->keep != KEEP_TODAY || keyed_is_today(k->day));
}

bool keyed_is_on_disk(const struct keyed *k)
{
	return k->keep == KEEP_LOCAL || k->keep == KEEP_TODAY;
}

void keyed_wait(struct keyed *k, bool waits)
{
	size_t bytes = waits ? sizeof *k + strlen(k->key) + k->value.cap : 0;

	if (bytes != k->waits)
		atomic_fetch_add(&waiting, bytes - k->waits);
	k->waits = bytes;
}

size_t keyed_waiting(void)
{
	return LOAD(&waiting);
}

static void drop(struct keyed_list *l, struct keyed **at)
{
	struct keyed *k = *at;

	keyed_wait(k, false);
	*at = k->next;
	l->count[k->keep]--;
	buf_fini(&k->value);
	mem_free(k);
}

void keyed_drop_all(struct keyed_list *l)
{
	while (l->first)
		drop(l, &l->first);
}

void keyed_drop_gone(struct keyed_list *l, bool saved)
{
	int day = today();

	for (struct keyed **at = &l->first, *k; (k = *at);)
		if ((k->keep == KEEP_TODAY && k->day != day) ||
		    (k->gone && !k->dirty && !k->unwritten && (saved || !keyed_is_on_disk(k))))
			drop(l, at);
		else
			at = &k->next;
}

struct keyed *keyed_make(struct keyed_list *l, enum client_keep keep, const char *key)
{
	struct keyed *k = keyed_find(l, keep, key);
	size_t len = strlen(key);

	if (!k && l->count[keep] >= KEEP_MOST)
		keyed_drop_gone(l, false);
	if (k || l->count[keep] >= KEEP_MOST)
		return k;
	k = mem_alloc(sizeof *k + len + 1);
	k->keep = keep;
	k->gone = true;
	memcpy(k->key, key, len);
	k->next = l->first;
	l->first = k;
	l->count[keep]++;
	return k;
}

struct buf *keyed_rewrite(struct keyed *k)
{
	buf_clear(&k->value);
	k->gone = false;
	k->day = k->keep == KEEP_TODAY ? today() : 0;
	return &k->value;
}

void keyed_write(struct keyed *k, struct packed value)
{
	buf_add(keyed_rewrite(k), value.at, (size_t)(value.end - value.at));
}

void keyed_forget(struct keyed *k)
{
	keyed_rewrite(k);
	k->gone = true;
}

struct value keyed_read(const struct keyed *k)
{
	struct packed p = packed_of(&k->value);
	struct value v = { .type = VALUE_NULL };

	packed_next(&p, &v);
	return v;
}

bool keyed_add(struct keyed *k, int64_t by, int64_t *total)
{
	struct value v = { .type = VALUE_INT };

	if (keyed_is_there(k))
		v = keyed_read(k);
	if (v.type != VALUE_INT || __builtin_add_overflow(v.i, by, total))
		return false;
	pack_int(keyed_rewrite(k), *total);
	return true;
}

void keyed_take_dirty(struct keyed_list *l, struct buf *out)
{
	for (struct keyed *k = l->first; k; k = k->next) {
		uint32_t len;
		size_t at;

		if (!k->dirty)
			continue;
		k->dirty = false;
		buf_add(out, k->keep == KEEP_TODAY ? "d" : "l", 1);
		buf_add(out, k->key, strlen(k->key) + 1);
		at = out->len;
		buf_add(out, (char[sizeof len]){ 0 }, sizeof len);
		if (!k->gone && k->keep == KEEP_TODAY) {
			pack_list(out, 2);
			pack_int(out, k->day);
		}
		if (!k->gone)
			buf_add(out, k->value.p, k->value.len);
		len = (uint32_t)(out->len - at - sizeof len);
		memcpy(out->p + at, &len, sizeof len);
	}
}
