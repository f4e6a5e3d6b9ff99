/* SPDX-License-Identifier: MIT
 * builds.c - a digest for each type that a patch has to do with.
 *
 * Threads: any, behind one lock. Types live for ever, and so do their digests. */
#include "builds.h"

#include <pthread.h>

struct build { struct type *type; char hex[SEAL_DIGEST_HEX]; char *layout; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct build *builds;
static size_t count;

static void describe(void *arg, const struct handler_info *h)
{
	if (!h->version)
		buf_printf(arg, "%s(%s) %d\n", h->name, h->args, h->flags);
}

static struct build *find(const struct type *type)
{
	for (size_t i = 0; i < count; i++)
		if (builds[i].type == type)
			return &builds[i];
	return NULL;
}

static struct build *add(struct type *type, const void *made_from, size_t len)
{
	builds = mem_resize(builds, (count + 1) * sizeof *builds);
	builds[count] = (struct build){ .type = type };
	seal_digest_hex(made_from, len, builds[count].hex);
	return &builds[count++];
}

/* A header that its source includes changes the layout, but not the source. */
void builds_note(struct type *type, const void *made_from, size_t len, const char *layout)
{
	struct buf text = { 0 };
	struct build *b;

	buf_add(&text, made_from, len);
	buf_text(&text, layout ? layout : "");
	pthread_mutex_lock(&lock);
	if (!find(type)) {
		b = add(type, text.p, text.len);
		b->layout = layout ? mem_string(layout, strlen(layout)) : NULL;
	}
	pthread_mutex_unlock(&lock);
	buf_fini(&text);
}

const char *builds_layout(struct type *type)
{
	struct build *b;
	const char *layout;

	pthread_mutex_lock(&lock);
	b = find(type);
	layout = b ? b->layout : NULL;
	pthread_mutex_unlock(&lock);
	return layout;
}

void builds_of(struct type *type, char hex[SEAL_DIGEST_HEX])
{
	struct buf text = { 0 };
	struct build *b;

	pthread_mutex_lock(&lock);
	b = find(type);
	if (!b) {
		buf_printf(&text, "%s %zu\n", type_name(type), type_state(type));
		core_handlers(type, describe, &text);
		b = add(type, text.p, text.len);
		buf_fini(&text);
	}
	memcpy(hex, b->hex, SEAL_DIGEST_HEX);
	pthread_mutex_unlock(&lock);
}

void builds_moved(struct type *next, struct type *type, const char *layout)
{
	char hex[SEAL_DIGEST_HEX];
	struct build *b;

	builds_of(type, hex);
	pthread_mutex_lock(&lock);
	b = add(next, "", 0);
	memcpy(b->hex, hex, SEAL_DIGEST_HEX);
	b->layout = layout ? mem_string(layout, strlen(layout)) : NULL;
	pthread_mutex_unlock(&lock);
}
