/* SPDX-License-Identifier: MIT
 * kept.c - values by key. What has gone stays in the list until nobody waits for word of it: the
 * disk and Redis are told of it later, and may have to be told once more. */
#include "kept.h"

#include <time.h>

#include "ports.h"

static int today(void)
{
	time_t now = (time_t)(wall_ms() / 1000);
	struct tm t;

	localtime_r(&now, &t);
	return (t.tm_year + 1900) * 10000 + (t.tm_mon + 1) * 100 + t.tm_mday;
}

struct kept *kept_find(const struct kept_list *l, enum client_keep keep, const char *key)
{
	struct kept *k = l->first;

	while (k && (k->keep != keep || strcmp(k->key, key) != 0))
		k = k->next;
	return k;
}

bool kept_is_there(const struct kept *k)
{
	return k && !k->gone && (k->keep != KEEP_TODAY || k->day == today());
}

bool kept_is_on_disk(const struct kept *k)
{
	return k->keep == KEEP_LOCAL || k->keep == KEEP_TODAY;
}

static void drop(struct kept_list *l, struct kept **at)
{
	struct kept *k = *at;

	*at = k->next;
	buf_fini(&k->value);
	mem_free(k);
	l->count--;
}

void kept_drop_all(struct kept_list *l)
{
	while (l->first)
		drop(l, &l->first);
}

void kept_drop_gone(struct kept_list *l, bool saved)
{
	for (struct kept **at = &l->first, *k; (k = *at);)
		if (kept_is_there(k) || k->dirty || k->unwritten || (!saved && kept_is_on_disk(k)))
			at = &k->next;
		else
			drop(l, at);
}

struct kept *kept_make(struct kept_list *l, enum client_keep keep, const char *key)
{
	struct kept *k = kept_find(l, keep, key);
	size_t len = strlen(key);

	if (!k && l->count >= KEEP_MOST)
		kept_drop_gone(l, false);
	if (k || l->count >= KEEP_MOST)
		return k;
	k = mem_alloc(sizeof *k + len + 1);
	k->keep = keep;
	k->gone = true;
	memcpy(k->key, key, len);
	k->next = l->first;
	l->first = k;
	l->count++;
	return k;
}

struct buf *kept_rewrite(struct kept *k)
{
	buf_clear(&k->value);
	k->gone = false;
	k->day = k->keep == KEEP_TODAY ? today() : 0;
	return &k->value;
}

void kept_write(struct kept *k, struct packed value)
{
	buf_add(kept_rewrite(k), value.at, (size_t)(value.end - value.at));
}

struct value kept_read(const struct kept *k)
{
	struct packed p = { (uint8_t *)k->value.p, (uint8_t *)k->value.p + k->value.len };
	struct value v = { .type = VALUE_NULL };

	packed_next(&p, &v);
	return v;
}

bool kept_add(struct kept *k, int64_t by, int64_t *total)
{
	struct value v = { .type = VALUE_INT };

	if (kept_is_there(k))
		v = kept_read(k);
	if (v.type != VALUE_INT || __builtin_add_overflow(v.i, by, total))
		return false;
	pack_int(kept_rewrite(k), *total);
	return true;
}
