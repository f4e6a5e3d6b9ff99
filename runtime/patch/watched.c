/* SPDX-License-Identifier: MIT
 * watched.c - a list, as short as the patches on probation are few. */
#include "watched.h"

#include <stdio.h>
#include <stdlib.h>

static struct probation_terms terms;
static struct watched *list;
static uint32_t count, room;

/* --- terms -------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	size_t at;
	unsigned long least, most;
} words[] = {
	{ "messages=", offsetof(struct probation_terms, messages), 1, 1000000000 },
	{ "seconds=", offsetof(struct probation_terms, seconds), 1, 30 * 86400 },
	{ "faults=", offsetof(struct probation_terms, faults), 0, 1000000000 },
	{ "state=", offsetof(struct probation_terms, state), 0, 64 << 20 },
};

static int no_terms(const char *text, struct why *why)
{
	return why_set(why, ACTOR_EARGS,
		       "\"%.100s\" are no terms of a probation: they are \"off\" or, say, "
		       "messages=1000,seconds=60,faults=0,state=65536",
		       text);
}

static bool one_term(const char **at, struct probation_terms *t)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i].word);
		unsigned long v;
		uint32_t v32;
		char *end;

		if (strncmp(*at, words[i].word, len) || (*at)[len] < '0' || (*at)[len] > '9')
			continue;
		v = strtoul(*at + len, &end, 10);
		if (v < words[i].least || v > words[i].most || (*end && *end != ','))
			return false;
		v32 = (uint32_t)v;
		memcpy((char *)t + words[i].at, &v32, sizeof v32);
		*at = end;
		return true;
	}
	return false;
}

/* Over what t has. */
static int read_terms(const char *text, struct probation_terms *t, struct why *why)
{
	const char *at = text;

	if (!strcmp(text, "off")) {
		t->messages = 0;
		return 0;
	}
	while (*at) {
		if (!one_term(&at, t) || (*at == ',' && !at[1]))
			return no_terms(text, why);
		at += *at == ',';
	}
	return 0;
}

int watched_default(const char *text, struct why *why)
{
	terms = (struct probation_terms){ 1000, 60, 0, 64 << 10 };
	return text ? read_terms(text, &terms, why) : 0;
}

char *watched_words(const char *text, struct why *why)
{
	struct probation_terms t = terms;
	char all[100] = "off";

	if (text && *text && read_terms(text, &t, why) < 0)
		return NULL;
	if (t.messages)
		snprintf(all, sizeof all, "messages=%u,seconds=%u,faults=%u,state=%u", t.messages,
			 t.seconds, t.faults, t.state);
	return mem_string(all, strlen(all));
}

/* --- the list ----------------------------------------------------------------------------- */

struct probation *watched_begin(const char *text, struct code *code, uint32_t number,
				const struct change *c, int n)
{
	struct probation_terms t = { 0 };

	if (!n || !text || read_terms(text, &t, NULL) < 0 || !t.messages)
		return NULL;
	return probation_begin(code, number, &t, c, n);
}

void watched_add(uint32_t number, struct probation *p)
{
	if (!p)
		return;
	if (count == room) {
		room = room ? 2 * room : 16;
		list = mem_resize(list, room * sizeof *list);
	}
	list[count++] = (struct watched){ .number = number, .p = p };
}

uint32_t watched_count(void)
{
	return count;
}

struct watched *watched_at(uint32_t i)
{
	return &list[i];
}

void watched_remove(uint32_t i)
{
	list[i] = list[--count];
	if (count)
		return;
	mem_free(list);
	list = NULL;
	room = 0;
}

bool watched_info(uint32_t number, struct probation_info *out)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i].number == number) {
			probation_at(list[i].p, out);
			return true;
		}
	return false;
}
