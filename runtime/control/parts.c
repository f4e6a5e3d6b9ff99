/* SPDX-License-Identifier: MIT
 * parts.c - see parts.h. A reader is kept for each asker and trace, as it tells what is new since
 * the last time; it goes when it was not asked for LEASE_MS. */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "ports.h"

enum {
	LEASE_MS = 5000, PARTS_MOST = 256,
	EVENTS_MOST = 20000,            /* of an answer */
};

struct part {
	char asker[NAME_MAX_LEN + 1];
	uint64_t id;
	struct trace_reader *reader;    /* NULL: nobody's */
	int64_t lease_ms;
};

struct parts { const char *node; struct part one[PARTS_MOST]; };

struct parts *parts_new(const char *node)
{
	struct parts *p = mem_alloc(sizeof *p);

	p->node = node;
	return p;
}

void parts_free(struct parts *p)
{
	for (int i = 0; p && i < PARTS_MOST; i++)
		core_trace_reader_free(p->one[i].reader);
	mem_free(p);
}

static void end(struct part *p)
{
	core_trace_reader_free(p->reader);
	p->reader = NULL;
}

static struct part *find(struct parts *p, const char *asker, uint64_t id)
{
	struct part *free = NULL;

	for (int i = 0; i < PARTS_MOST; i++) {
		struct part *one = &p->one[i];

		if (one->reader && one->id == id && strcmp(one->asker, asker) == 0)
			return one;
		if (!one->reader && !free)
			free = one;
	}
	if (!free)
		return NULL;
	snprintf(free->asker, sizeof free->asker, "%s", asker);
	free->id = id;
	free->reader = core_trace_reader(id);
	return free;
}

/* --- as values ---------------------------------------------------------------------- */

struct told { const char *node; struct rows *rows; };

static void id(struct pairs *p, const char *key, uint64_t v)
{
	char hex[17];

	snprintf(hex, sizeof hex, "%016llx", (unsigned long long)v);
	pairs_text(p, key, v ? hex : NULL);
}

static void tell(void *arg, const struct trace_event *e)
{
	static const char *const kinds[] = { "sent", "handled", "lost" };
	struct told *told = arg;
	struct rows *out = told->rows;
	struct pairs p = { 0 };

	if (out->n == EVENTS_MOST) {
		out->more++;
		return;
	}
	id(&p, "trace", e->trace);
	id(&p, "step", e->step);
	id(&p, "parent", e->parent);
	pairs_text(&p, "kind", kinds[e->kind]);
	pairs_text(&p, "actor", e->actor);
	pairs_text(&p, "handler", e->handler);
	pairs_text(&p, "from", e->from);
	pairs_bool(&p, "answer", e->answer);
	pairs_text(&p, "origin", e->kind == TRACE_HANDLED ? origin_name(e->origin) : NULL);
	pairs_text(&p, "node", told->node);
	pairs_text(&p, "worker", e->worker);
	pairs_int(&p, "at_us", e->at_ns / 1000);
	pairs_num(&p, "wait_us", (double)e->wait_ns / 1e3);
	pairs_num(&p, "took_us", (double)e->took_ns / 1e3);
	pairs_text(&p, "result", e->rc < 0 ? error_name(e->rc) : e->error ? "error" : "ok");
	pairs_list(&p, "args", e->args, e->args.at < e->args.end ? (int)e->count : 0);
	rows_add(out, &p);
}

uint64_t parts_read(struct parts *p, const char *asker, uint64_t id, struct rows *out)
{
	struct told told = { p->node, out };
	struct part *one = find(p, asker, id);
	uint64_t before = out->more, missed;

	if (!one)
		return 0;
	one->lease_ms = now_ms() + LEASE_MS;
	missed = core_trace_read(one->reader, tell, &told);
	return missed + out->more - before;
}

bool parts_look(struct parts *p)
{
	bool any = false;

	for (int i = 0; i < PARTS_MOST; i++) {
		if (p->one[i].reader && now_ms() > p->one[i].lease_ms)
			end(&p->one[i]);
		any |= p->one[i].reader != NULL;
	}
	return any;
}
