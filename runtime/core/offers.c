/* SPDX-License-Identifier: MIT
 * offers.c - variables and functions that actors' sources give to patches by name.
 *
 * A list that only grows, as types are for ever. A name stands for one thing in the whole node,
 * because to a patch it is a symbol. It knows no actor: vars.c does.
 *
 * Threads: adding is behind the lock of types; any may look. */
#include "offers.h"

#include <ctype.h>

#include "registry.h"
#include "sync.h"

enum { OFFERS_MAX = 1024 };
#define INT_EXACT 9007199254740992.0    /* 2^53: a range is of doubles */

static struct offer offers[OFFERS_MAX];
static _Atomic size_t count;

bool core_offer(size_t i, struct offer *out)
{
	if (i >= LOAD_ACQUIRE(&count))
		return false;
	*out = offers[i];
	return true;
}

static const char *taken_by(const char *name)
{
	struct offer o;

	for (size_t i = 0; core_offer(i, &o); i++)
		if (!strcmp(o.name, name))
			return o.type;
	return NULL;
}

static bool symbol(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

static int check(const char *type, const struct actor_offer *o, struct why *why)
{
	const char *other = taken_by(o->name);

	if (!symbol(o->name) || strlen(o->name) > NAME_MAX_LEN)
		return why_set(why, ACTOR_EARGS, "%s offers `%.64s`, which is no name in C", type,
		               o->name);
	if (other)
		return why_set(why, ACTOR_EARGS,
		               "%s offers %s, a name that %s has for something of its own: to "
		               "patches it is one symbol, so call it otherwise", type, o->name,
		               other);
	if (!o->at || !strchr("idf", o->kind) || !o->kind || !(o->least <= o->most) ||
	    (o->kind == 'i' && (o->least < -INT_EXACT || o->most > INT_EXACT)))
		return why_set(why, ACTOR_EARGS,
		               "%s offers %s: write OFFER_VAR(name, least, most), an int within "
		               "2^53, or OFFER_FUNCTION(name)",
		               type, o->name);
	return 0;
}

int offers_add(const char *type, const struct actor_offer *o, struct why *why)
{
	size_t n = LOAD(&count);

	for (size_t i = 0; o && o[i].name; i++) {
		if (check(type, &o[i], why) < 0)
			return ACTOR_EARGS;
		if (n + i == OFFERS_MAX)
			return why_set(why, ACTOR_ENOMEM, "%d offers are the limit", OFFERS_MAX);
		offers[n + i] = (struct offer){
			name_text(name_of(o[i].name, strlen(o[i].name))), o[i].at, o[i].kind,
			o[i].least, o[i].most, type };
		for (size_t k = 0; k < i; k++)
			if (offers[n + k].name == offers[n + i].name)
				return why_set(why, ACTOR_EARGS, "%s offers %s twice", type,
				               o[i].name);
	}
	while (o && o->name)
		o++, n++;
	STORE_RELEASE(&count, n);
	return 0;
}
