/* SPDX-License-Identifier: MIT
 * glance.c - see glance.h. Only looks: what is said is true of each thing and of no one moment. */
#include "glance.h"

#include <stdio.h>
#include <unistd.h>

#include "dead.h"
#include "ports.h"
#include "rows.h"

static int64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (f && fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void worker_row(void *arg, const struct worker_info *w)
{
	struct rows *r = arg;
	struct pairs p = { 0 };

	pairs_text(&p, "name", w->name);
	pairs_text(&p, "actor", w->actor);
	pairs_text(&p, "handler", w->handler);
	pairs_int(&p, "busy_ms", w->since_ns ? (now_ns() - w->since_ns) / 1000000 : 0);
	pairs_uint(&p, "handled", w->handled);
	pairs_uint(&p, "failed", w->failed);
	rows_add(r, &p);
}

struct mailboxes {
	actor_id self;
	uint32_t depth;
	uint64_t bytes, waiting;
	char fullest[NAME_MAX_LEN + 1];
};

static void weigh(void *arg, const struct actor_info *a)
{
	struct mailboxes *all = arg;
	uint32_t depth = a->depth - (a->id == all->self && a->depth);

	all->waiting += depth;
	all->bytes += a->bytes;
	if (depth <= all->depth)
		return;
	all->depth = depth;
	snprintf(all->fullest, sizeof all->fullest, "%s", a->name ? a->name : a->type);
}

static void add_mailboxes(struct pairs *out, actor_id self)
{
	struct mailboxes all = { .self = self };
	struct pairs p = { 0 };

	core_actors(weigh, &all);
	pairs_uint(&p, "waiting", all.waiting);
	pairs_uint(&p, "bytes", all.bytes);
	pairs_text(&p, "fullest", all.depth ? all.fullest : NULL);
	pairs_uint(&p, "fullest_waiting", all.depth);
	pairs_close(&p, pairs_key(out, "mailboxes"));
}

static void add_messages(struct pairs *out, const struct core_totals *t)
{
	struct pairs p = { 0 };

	pairs_uint(&p, "sent", t->sent);
	pairs_uint(&p, "handled", t->handled);
	pairs_uint(&p, "failed", t->failed);
	pairs_uint(&p, "refused", t->refused);
	pairs_uint(&p, "dead_letters", t->dead_letters);
	pairs_uint(&p, "late_answers", t->late_answers);
	pairs_uint(&p, "expired", t->expired);
	pairs_close(&p, pairs_key(out, "messages"));
}

void glance_node(const struct glance *g, struct buf *out)
{
	struct rows workers = { 0 };
	struct pairs p = { 0 };
	struct core_totals t;

	core_totals(&t);
	core_workers(worker_row, &workers);
	pairs_text(&p, "node", g->sources->node);
	pairs_text(&p, "version", ACTORD_VERSION);
	pairs_int(&p, "pid", getpid());
	pairs_int(&p, "uptime_ms", now_ms() - g->started_ms);
	pairs_int(&p, "memory_bytes", resident_bytes());
	pairs_bool(&p, "ready", g->ready);
	pairs_uint(&p, "actors", t.actors);
	rows_close(&workers, pairs_key(&p, "workers"));
	add_mailboxes(&p, g->self);
	add_messages(&p, &t);
	dead_letters(pairs_key(&p, "dead_letters"));
	if (g->sources->sections)
		p.n += g->sources->sections(g->sources->arg, &p.b);
	pairs_close(&p, out);
}
