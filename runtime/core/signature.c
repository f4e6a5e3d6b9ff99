/* SPDX-License-Identifier: MIT
 * signature.c - reads what handlers take and interns it by its canonical text.
 *
 *   text "by:int who:str? ..."  ->  canonical "int str? ..."  ->  slots[hash] -> id -> by_id[id]
 *
 * Invariants: an id once given means the same for ever, and what by_id points to never changes.
 * Writers hold one lock; signature_get takes none (acquire here pairs with release in intern). */
#include "signature.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../actor.h"

enum { SIGNATURES_MAX = 65535, SLOTS = 1 << 17 };

static const char *const param_names[] = {
	"int", "num", "str", "bytes", "bool", "list", "map", "any",
};
static const char *const value_names[] = {
	"null", "int", "num", "bool", "str", "bytes", "list", "map", "too large an int",
};

static const struct signature *_Atomic by_id[SIGNATURES_MAX + 1];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint16_t slots[SLOTS];   /* under the lock: ids, 0 is free */
static unsigned last_id;        /* under the lock */

struct word { const char *p; size_t len; };

const char *param_name(enum param_type t)
{
	return t < ARRAY_LEN(param_names) ? param_names[t] : "?";
}

const char *value_name(enum value_type t)
{
	return t < ARRAY_LEN(value_names) ? value_names[t] : "?";
}

/* --- reading ------------------------------------------------------------------ */
static struct word next_word(const char **text)
{
	struct word w;

	*text += strspn(*text, " \t\r\n");
	w.p = *text;
	w.len = strcspn(*text, " \t\r\n");
	*text += w.len;
	return w;
}

static size_t name_length(struct word w)
{
	size_t n = 0;

	while (n < w.len && (w.p[n] == '_' || (w.p[n] >= '0' && w.p[n] <= '9' && n > 0) ||
	                     ((w.p[n] | 32) >= 'a' && (w.p[n] | 32) <= 'z')))
		n++;
	return n;
}

static int find_type(struct word w)
{
	unsigned t;

	for (t = 0; t < ARRAY_LEN(param_names); t++)
		if (strlen(param_names[t]) == w.len && memcmp(param_names[t], w.p, w.len) == 0)
			return (int)t;
	return -1;
}

static int read_param(struct signature *s, struct word w, struct why *why)
{
	size_t n = name_length(w);
	struct word of = { w.p + n + 1, w.len - n - 1 };
	bool optional = w.len > 0 && w.p[w.len - 1] == '?';
	int type, shown = w.len > 64 ? 64 : (int)w.len;

	if (s->rest)
		return why_set(why, ACTOR_EARGS, "'...' must come last, but '%.*s' follows", shown,
		               w.p);
	if (n == 0 || n >= w.len || w.p[n] != ':')
		return why_set(why, ACTOR_EARGS, "'%.*s' is no parameter: write name:type, as in"
		               " by:int", shown, w.p);
	of.len -= optional;
	type = find_type(of);
	if (type < 0)
		return why_set(why, ACTOR_EARGS, "'%.*s': there is no type '%.*s' (types are int,"
		               " num, str, bytes, bool, list, map, any)", shown, w.p,
		               of.len > 64 ? 64 : (int)of.len, of.p);
	if (!optional && s->min < s->max)
		return why_set(why, ACTOR_EARGS, "'%.*s' must be there, but a parameter before it"
		               " may be absent: put '?' behind its type too", shown, w.p);
	if (s->max == PARAM_MAX)
		return why_set(why, ACTOR_EARGS, "more than %d parameters: pass a list", PARAM_MAX);
	s->type[s->max++] = (uint8_t)type;
	s->min += !optional;
	return 0;
}

/* The longest, 32 times "bytes? " and "...", fits into text. */
static void write_text(struct signature *s)
{
	char *to = s->text;
	int i;

	for (i = 0; i < s->max; i++)
		to += sprintf(to, "%s%s%s", i ? " " : "", param_names[s->type[i]],
		              i < s->min ? "" : "?");
	if (s->rest)
		sprintf(to, "%s...", i ? " " : "");
}

static int parse(struct signature *s, const char *text, struct why *why)
{
	struct word w;
	int failed;

	for (w = next_word(&text); w.len > 0; w = next_word(&text)) {
		if (w.len == 3 && memcmp(w.p, "...", 3) == 0 && !s->rest) {
			s->rest = true;
			continue;
		}
		failed = read_param(s, w, why);
		if (failed)
			return failed;
	}
	write_text(s);
	return 0;
}

/* --- interning ------------------------------------------------------------------ */
static unsigned hash(const char *text)
{
	uint64_t h = 14695981039346656037u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return (unsigned)(h >> 32) % SLOTS;
}

/* Under the lock. NULL when the table is full. */
static const struct signature *intern(const struct signature *s)
{
	unsigned slot = hash(s->text);
	struct signature *fresh;

	for (; slots[slot] != 0; slot = (slot + 1) % SLOTS)
		if (strcmp(signature_get(slots[slot])->text, s->text) == 0)
			return signature_get(slots[slot]);
	if (last_id == SIGNATURES_MAX)
		return NULL;
	fresh = mem_alloc(sizeof *fresh);
	*fresh = *s;
	fresh->id = slots[slot] = (uint16_t)++last_id;
	atomic_store_explicit(&by_id[fresh->id], fresh, memory_order_release);
	return fresh;
}

const struct signature *signature_read(const char *text, struct why *why)
{
	struct signature s = { 0 };
	const struct signature *found;

	if (parse(&s, text ? text : "", why) != 0)
		return NULL;
	pthread_mutex_lock(&lock);
	found = intern(&s);
	pthread_mutex_unlock(&lock);
	if (found == NULL)
		why_set(why, ACTOR_ENOMEM, "this process has seen %d different signatures and"
		        " can hold no more: restart it", SIGNATURES_MAX);
	return found;
}

const struct signature *signature_get(uint16_t id)
{
	return atomic_load_explicit(&by_id[id], memory_order_acquire);
}

void signature_param(const char *text, int i, char *name, size_t size)
{
	struct word w = { NULL, 0 };
	int at;

	for (at = 0; text != NULL && at <= i; at++)
		w = next_word(&text);
	if (w.len == 0 || w.p[0] == '.')
		snprintf(name, size, "value %d", i + 1);
	else
		snprintf(name, size, "%.*s", (int)name_length(w), w.p);
}

/* --- fitting ------------------------------------------------------------------ */
static bool fit_int(struct value *v)
{
	if (v->type == VALUE_INT)
		return true;
	if (v->type != VALUE_NUM || !(v->num >= -0x1p63 && v->num < 0x1p63) ||
	    v->num != (double)(int64_t)v->num)
		return false;
	v->type = VALUE_INT;
	v->i = (int64_t)v->num;
	v->num = (double)v->i;
	return true;
}

static bool fit_num(struct value *v)
{
	if (v->type != VALUE_NUM && v->type != VALUE_INT && v->type != VALUE_UINT)
		return false;
	v->type = VALUE_NUM;
	return true;
}

bool signature_fit(const struct signature *s, int i, struct value *v)
{
	if (i >= s->max)
		return s->rest;
	if (v->type == VALUE_NULL && i >= s->min)
		return true;
	switch ((enum param_type)s->type[i]) {
	case PARAM_INT: return fit_int(v);
	case PARAM_NUM: return fit_num(v);
	case PARAM_STR: return v->type == VALUE_STR;
	case PARAM_BYTES: return v->type == VALUE_BYTES;
	case PARAM_BOOL: return v->type == VALUE_BOOL;
	case PARAM_LIST: return v->type == VALUE_LIST;
	case PARAM_MAP: return v->type == VALUE_MAP;
	case PARAM_ANY: return true;
	}
	return false;
}
