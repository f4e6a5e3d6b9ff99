/* SPDX-License-Identifier: MIT
 * topic.c - which actors are topics of Redis, and what waits for each.
 *
 * The idea: every named actor is a topic, but for the global table and the runtime's own rooms; of
 * these `patch`, `clients` and what actorctl reaches a node by speak to the outside. Names come and
 * go: a topic whose actor has gone stays while messages under way point at it (`uses`). A name that
 * the runtime has a stream of is read from lists and channels only.
 *
 * The loop's thread only. Knows neither Redis nor what a message is. */
#include "topic.h"

#include <search.h>
#include <stdlib.h>

#include "log.h"

struct topics {
	void *tree;             /* of struct topic, by name */
	struct topic **all;
	unsigned n, room;
	bool cluster;
	bool said;              /* that a name has no stream: once, as such may come and go */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct topic *)a)->name, ((const struct topic *)b)->name);
}

struct topics *topics_new(bool cluster)
{
	struct topics *s = mem_alloc(sizeof *s);

	s->cluster = cluster;
	return s;
}

static void keep(void *node)
{
	(void)node;
}

static void drop(struct topic *t)
{
	while (t->first)
		topic_let_go(t);
	mem_free(t->name);
	mem_free(t);
}

void topics_free(struct topics *s)
{
	if (!s)
		return;
	tdestroy(s->tree, keep);
	for (unsigned i = 0; i < s->n; i++)
		drop(s->all[i]);
	mem_free(s->all);
	mem_free(s);
}

struct topic *topics_known(const struct topics *s, const char *name)
{
	const struct topic key = { .name = (char *)(uintptr_t)name };
	struct topic **at = tfind(&key, (void *const *)&s->tree, by_name);

	return at ? *at : NULL;
}

/* Is actord:{NAME} a key of ours, as a node's inbox is? To read it as a topic's would empty it. */
static bool has_our_stream(const char *name)
{
	return !strncmp(name, "node:", 5) || !strncmp(name, "claim:", 6) ||
	       !strcmp(name, "nodes") || !strcmp(name, "rollouts");
}

/* A stream and what goes with it are to be in one slot of a Cluster: an empty tag is none. */
static bool is_untagged(const struct topics *s, const char *name)
{
	return s->cluster && *name == '}';
}

static struct topic *add(struct topics *s, const char *name)
{
	struct topic *t = mem_alloc(sizeof *t);

	t->streamless = has_our_stream(name) || is_untagged(s, name);
	if (t->streamless && !s->said)
		log_line(LOG_WARN, "bus", "actord:{%s} is %s: what is sent to %s by stream does "
		         "not arrive; give the actor another name", name, is_untagged(s, name) ?
		         "in another slot than the keys beside it" : "the runtime's own", name);
	s->said = s->said || t->streamless;
	t->len = strlen(name);
	t->name = mem_string(name, t->len);
	t->ref = actor_find(name);
	t->last = &t->first;
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 16;
		s->all = mem_resize(s->all, s->room * sizeof *s->all);
	}
	s->all[s->n++] = t;
	tsearch(t, &s->tree, by_name);
	return t;
}

struct topic *topics_find(const struct topics *s, const char *name)
{
	struct topic *t = topics_known(s, name);

	return t && t->hosted ? t : NULL;
}

unsigned topics_count(const struct topics *s)
{
	return s->n;
}

struct topic *topics_get(const struct topics *s, unsigned i)
{
	return s->all[i];
}

static bool for_outside(const char *name)
{
	return name[0] && core_is_topic(actor_find(name));
}

static void see(void *arg, const char *name)
{
	struct topics *s = arg;
	struct topic *t = topics_known(s, name);

	if (!for_outside(name))
		return;
	t = t ? t : add(s, name);
	t->seen = true;
}

void topics_look(struct topics *s, void (*changed)(void *arg, struct topic *t), void *arg)
{
	for (unsigned i = 0; i < s->n; i++)
		s->all[i]->seen = false;
	core_names(see, s);
	for (unsigned i = 0; i < s->n; i++) {
		struct topic *t = s->all[i];

		if (t->seen != t->hosted) {
			t->hosted = t->seen;
			changed(arg, t);
		}
	}
}

unsigned topics_sweep(struct topics *s, bool (*used)(void *arg, const struct topic *t), void *arg)
{
	unsigned n = 0, going = 0;

	for (unsigned i = 0; i < s->n; i++) {
		struct topic *t = s->all[i];

		if (t->hosted || t->uses || t->stream || t->held || t->waiting || t->barrier ||
		    used(arg, t)) {
			s->all[n++] = t;
			going += !t->hosted;
		} else {
			tdelete(t, &s->tree, by_name);
			drop(t);
		}
	}
	s->n = n;
	return going;
}

bool topic_hold(struct topic *t, const char *bytes, size_t len, const struct held_as *as)
{
	struct held *h;

	/* What a stream brought is bounded there: it reads on only when there is room. */
	if (!as->delivery &&
	    (t->held >= HELD_MOST || (t->held && t->held_bytes + len > HELD_BYTES_MOST)))
		return false;
	h = mem_alloc(sizeof *h + len + 1);
	h->len = len;
	h->as = *as;
	memcpy(h->bytes, bytes, len);
	*t->last = h;
	t->last = &h->next;
	t->held++;
	t->held_bytes += len;
	return true;
}

void topic_let_go(struct topic *t)
{
	struct held *h = t->first;

	t->first = h->next;
	if (!t->first)
		t->last = &t->first;
	t->held--;
	t->held_bytes -= h->len;
	mem_free(h);
}
