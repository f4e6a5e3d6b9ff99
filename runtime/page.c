/* SPDX-License-Identifier: MIT
 * page.c - the page at `/`: its files, which travel inside the program, and what it shows.
 *
 * Nothing here is told to the page that /metrics does not tell, but for the names of actors and
 * the notes of patches. Which actors are busy is looked up among the first ones by name: a node
 * may have a million.
 * page_status() is called on one of the gateway's threads at a time; it takes no locks but those of
 * a look inside. */
#include "page.h"

#include <stdio.h>

#include "core.h"
#include "json.h"
#include "patch/patch.h"

enum { ACTORS_SHOWN = 40, NAMES_LOOKED = 2000, PATCHES_SHOWN = 12 };

/* Assembled by CMake from runtime/page and tools/clients; ends with a NULL name. */
struct page_carried { const char *name, *text; size_t len; };
extern const struct page_carried page_carried[];

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return !dot ? "text/plain" : strcmp(dot, ".html") == 0 ? "text/html; charset=utf-8"
	       : strcmp(dot, ".css") == 0 ? "text/css; charset=utf-8"
	                                  : "text/javascript; charset=utf-8";
}

int page_file(const char *path, struct buf *body, const char **type)
{
	const char *name = strcmp(path, "/") == 0 ? "index.html" : path + 1;

	for (const struct page_carried *f = page_carried; f->name; f++)
		if (strcmp(f->name, name) == 0) {
			buf_add(body, f->text, f->len);
			*type = type_of(f->name);
			return 200;
		}
	return 0;
}

/* --- what it shows ------------------------------------------------------------------------ */

struct rows { struct buf *out; unsigned n, looked; };

static void text_pair(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "\"%s\":", key);
	json_text(b, text, strlen(text));
}

static void actor_row(void *arg, const char *name)
{
	struct rows *r = arg;
	struct actor_info i;

	if (r->n >= ACTORS_SHOWN || r->looked++ >= NAMES_LOOKED ||
	    core_inspect(actor_find(name), &i))
		return;
	buf_text(r->out, r->n++ ? ",{" : "{");
	text_pair(r->out, "name", *name ? name : "global");
	buf_text(r->out, ",");
	text_pair(r->out, "home", i.home);
	buf_text(r->out, ",");
	text_pair(r->out, "state", i.state);
	buf_printf(r->out, ",\"mailbox\":%u,\"most\":%u,\"own\":%s}", i.depth, i.max_count,
	           type_native(i.of) ? "false" : "true");
}

struct latest { struct patch_info at[PATCHES_SHOWN]; char *text[PATCHES_SHOWN][2]; unsigned n; };

static void note_patch(void *arg, const struct patch_info *p)
{
	struct latest *l = arg;
	unsigned i = l->n++ % PATCHES_SHOWN;

	l->at[i] = *p;
	mem_free(l->text[i][0]);
	mem_free(l->text[i][1]);
	l->text[i][0] = mem_string(p->state, strlen(p->state));
	l->text[i][1] = mem_string(p->handlers, strlen(p->handlers));
}

/* The latest first. */
static void patch_rows(struct buf *out)
{
	struct latest l = { .n = 0 };
	unsigned shown;

	patch_each(note_patch, &l);
	shown = l.n < PATCHES_SHOWN ? l.n : PATCHES_SHOWN;
	buf_printf(out, "\"patches\":%u,\"latest\":[", history_last());
	for (unsigned k = 0; k < shown; k++) {
		unsigned i = (l.n - 1 - k) % PATCHES_SHOWN;

		buf_printf(out, "%s{\"number\":%u,", k ? "," : "", (unsigned)l.at[i].number);
		text_pair(out, "state", l.text[i][0]);
		buf_text(out, ",");
		text_pair(out, "handlers", l.text[i][1]);
		buf_text(out, "}");
	}
	for (unsigned i = 0; i < shown; i++) {
		mem_free(l.text[i][0]);
		mem_free(l.text[i][1]);
	}
	buf_text(out, "],");
}

void page_status(const struct page_node *n, struct buf *body)
{
	struct rows r = { .out = body };
	struct core_totals t;

	core_counts(&t);
	buf_text(body, "{");
	text_pair(body, "node", n->name);
	buf_text(body, ",\"version\":\"" ACTORD_VERSION "\",");
	text_pair(body, "redis", n->redis);
	buf_printf(body, ",\"clients\":%u,\"calls\":%llu,\"actors\":%u,\"waiting\":%u,"
	           "\"handled\":%llu,\"failed\":%llu,", n->clients,
	           (unsigned long long)n->calls, t.actors, t.waiting,
	           (unsigned long long)t.handled, (unsigned long long)t.failed);
	patch_rows(body);
	buf_text(body, "\"named\":[");
	core_names(actor_row, &r);
	buf_text(body, "]}\n");
}
