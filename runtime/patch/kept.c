/* SPDX-License-Identifier: MIT
 * kept.c - a line of the journal, read. No state. */
#include "kept.h"

#include <stdio.h>

#include "seal.h"

void kept_take(void *arg, const struct journal_line *l)
{
	struct patch_kept *k = arg;
	struct packed map;
	struct value v;

	buf_add(&k->own, l->fields.at, (size_t)(l->fields.end - l->fields.at));
	map = packed_of(&k->own);
	v = packed_get(map, "source");
	if (v.type == VALUE_STR)
		k->source.text = v.str, k->source.len = v.len;
	packed_find(map, "on", &k->on);
	k->source.file = journal_text(map, "file");
	k->source.origin = journal_text(map, "origin");
	k->source.author = journal_text(map, "author");
	k->source.note = journal_text(map, "note");
	k->source.topic = journal_text(map, "topic");
	k->source.handler = journal_text(map, "handler");
	k->source.function = journal_text(map, "function");
	k->source.probation = journal_text(map, "probation");
}

void kept_free(struct patch_kept *k)
{
	const struct patch_source *s = &k->source;

	mem_free((char *)s->file);
	mem_free((char *)s->origin);
	mem_free((char *)s->author);
	mem_free((char *)s->note);
	mem_free((char *)s->topic);
	mem_free((char *)s->handler);
	mem_free((char *)s->function);
	mem_free((char *)s->probation);
	buf_fini(&k->own);
}

/* --- the list of handlers --------------------------------------------------------------- */

static void copy_text(char *out, size_t size, const struct value *v)
{
	snprintf(out, size, "%.*s", v->type == VALUE_STR ? (int)v->len : 0, v->str);
}

static bool walk_handlers(const struct walk *w, struct packed in, const char *type_title,
                          bool migrates)
{
	struct one one = { .type = core_type(type_title), .migrates = migrates };
	struct value list, v;

	snprintf(one.type_name, sizeof one.type_name, "%s", type_title);
	if (packed_next(&in, &list) != 1 || list.type != VALUE_LIST)
		return false;
	for (size_t i = 0; i < list.len; i++) {
		if (packed_next(&in, &v) != 1 || packed_next(&in, &v) != 1)
			return false;
		copy_text(one.name, sizeof one.name, &v);
		if (packed_next(&in, &v) != 1)
			return false;
		one.was = v.i;
		if (!w->each(w->arg, &one))
			return false;
	}
	return true;
}

bool kept_walk(const struct walk *w, struct packed on)
{
	struct value list, v;

	if (packed_next(&on, &list) != 1 || list.type != VALUE_LIST)
		return false;
	for (size_t i = 0; i < list.len; i++) {
		char type[NAME_MAX_LEN + 1], build[SEAL_DIGEST_HEX];
		struct packed handlers;

		v = packed_get(on, "type");
		copy_text(type, sizeof type, &v);
		v = packed_get(on, "build");
		copy_text(build, sizeof build, &v);
		if (w->type && !w->type(w->arg, type, build))
			return false;
		if (!packed_find(on, "on", &handlers) ||
		    !walk_handlers(w, handlers, type, journal_int(on, "migrates") != 0))
			return false;
		packed_skip(&on);
	}
	return true;
}
