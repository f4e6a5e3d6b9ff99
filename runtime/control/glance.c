/* SPDX-License-Identifier: MIT
 * glance.c - see glance.h. Only looks: what is said is true of each thing and of no one moment. */
#include "glance.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ages.h"
#include "census.h"
#include "dead.h"
#include "ports.h"
#include "rows.h"
#include "zone.h"

enum { TYPES_SHOWN = 10 };

int64_t glance_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t glance_resident_bytes(void)
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
	pairs_int(&p, "cpu_ms", w->cpu_ns / 1000000);
	pairs_uint(&p, "handled", w->handled);
	pairs_uint(&p, "failed", w->failed);
	rows_add(r, &p);
}

static void add_mailboxes(struct pairs *out, const struct census *c,
                          const struct census_type *all)
{
	struct pairs p = { 0 };
	struct actor_info a, b;
	struct age age = { 0, 0 };
	bool found = c->n && core_inspect(c->full[0].id, &a) == 0, old = ages_oldest(&age, &b);

	pairs_uint(&p, "waiting", all->waiting);
	pairs_uint(&p, "bytes", all->mailbox_bytes);
	pairs_text(&p, "fullest", !found ? NULL : a.name ? a.name : a.type);
	pairs_uint(&p, "fullest_waiting", found ? c->full[0].depth : 0);
	pairs_text(&p, "oldest_in", !old ? NULL : b.name ? b.name : b.type);
	pairs_int(&p, "oldest_ms", age.least_ms);
	pairs_close(&p, pairs_key(out, "mailboxes"));
}

/* Whose it is, as far as that is known: the rest is the allocator's, stacks, libraries. */
static void add_memory(struct pairs *out, const struct control_sources *s, const struct census *c,
                       const struct census_type *all)
{
	struct pairs p = { 0 };
	uint64_t allocated = 0;

	for (size_t i = 0; i < c->types; i++)
		allocated += core_allocated(c->type[i].of);
	pairs_int(&p, "resident_bytes", glance_resident_bytes());
	pairs_uint(&p, "states_bytes", all->state_bytes);
	pairs_uint(&p, "mailboxes_bytes", all->mailbox_bytes);
	pairs_uint(&p, "allocated_bytes", allocated);
	pairs_uint(&p, "code_bytes", core_code_bytes());
	if (s->memory)
		p.n += s->memory(s->arg, &p.b);
	pairs_close(&p, pairs_key(out, "memory"));
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
	const struct control_sources *s = g->sources;
	struct rows workers = { 0 };
	struct pairs p = { 0 };
	struct census_type all = census_all(g->census);
	struct core_totals t;

	core_counts(&t);
	core_workers(worker_row, &workers);
	pairs_text(&p, "node", s->node);
	pairs_text(&p, "version", ACTORD_VERSION);
	pairs_int(&p, "pid", getpid());
	pairs_int(&p, "uptime_ms", now_ms() - g->started_ms);
	pairs_text(&p, "time_zone", zone_name());
	pairs_int(&p, "memory_bytes", glance_resident_bytes());
	pairs_int(&p, "cpu_ms", glance_cpu_ns() / 1000000);
	pairs_bool(&p, "ready", g->ready && !(s->unready && s->unready(s->arg)));
	pairs_uint(&p, "actors", all.actors);
	rows_close(&workers, pairs_key(&p, "workers"));
	add_mailboxes(&p, g->census, &all);
	add_memory(&p, s, g->census, &all);
	census_rows(g->census, TYPES_SHOWN, pairs_key(&p, "types"));
	add_messages(&p, &t);
	dead_letters(pairs_key(&p, "dead_letters"));
	if (s->sections)
		p.n += s->sections(s->arg, &p.b);
	pairs_close(&p, out);
}
