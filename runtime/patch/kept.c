/* SPDX-License-Identifier: MIT
 * kept.c - a line of the journal, read. No state. */
#include "kept.h"

void kept_take(void *arg, const struct journal_line *l)
{
	struct patch_kept *k = arg;
	struct packed map;
	struct value v;

	buf_add(&k->own, l->fields.at, (size_t)(l->fields.end - l->fields.at));
	map = (struct packed){ (uint8_t *)k->own.p, (uint8_t *)k->own.p + k->own.len };
	if (journal_field(map, "source", &v, NULL) && v.type == VALUE_STR)
		k->source.text = v.str, k->source.len = v.len;
	journal_field(map, "on", &v, &k->on);
	k->migrates = journal_int(map, "migrates") != 0;
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
