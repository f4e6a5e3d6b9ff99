/* SPDX-License-Identifier: MIT
 * crashes.c - see crashes.h. */
#include "crashes.h"

#include "ports.h"
#include "rows.h"

enum { KEPT = 64 };     /* looked for so far back */

static void add_time(struct pairs *p, int64_t ms)
{
	char text[WALL_TEXT];

	wall_text(ms, text);
	pairs_text(p, "time", text);
}

static void begin(struct pairs *p, const struct crash *c)
{
	pairs_uint(p, "number", c->number);
	add_time(p, c->wall_ms);
	pairs_text(p, "actor", c->actor);
	pairs_text(p, "handler", c->handler);
	pairs_uint(p, "patch", c->patch);
	pairs_text(p, "ended", c->ends ? "actor" : "message");
	pairs_text(p, "reason", c->reason);
}

static void row(void *arg, const struct crash *c)
{
	struct pairs p = { 0 };

	begin(&p, c);
	rows_add(arg, &p);
}

void crashes_list(struct buf *out)
{
	uint64_t newest = core_crash_count(), n = newest > KEPT ? newest - KEPT : 0;
	struct rows rows = { 0 };

	while (n++ < newest)
		core_crash(n, row, &rows);
	rows_close(&rows, out);
}

/* --- one --------------------------------------------------------------------------- */

static void add_message(struct pairs *out, const struct crash *c)
{
	struct pairs p = { 0 };

	pairs_text(&p, "handler", c->handler);
	pairs_list(&p, "args", c->args, (int)c->count);
	pairs_uint(&p, "bytes", c->bytes);
	pairs_text(&p, "from", *c->from ? c->from : NULL);
	pairs_text(&p, "origin", origin_name(c->origin));
	pairs_close(&p, pairs_key(out, "message"));
}

struct before { const struct crash *of; struct rows rows; };

static void letter(void *arg, const struct dead_letter *d)
{
	struct before *b = arg;
	struct pairs p = { 0 };

	/* Its own is the last, if it is among them. */
	if (strcmp(d->actor, b->of->actor) != 0 || d->wall_ms > b->of->wall_ms)
		return;
	add_time(&p, d->wall_ms);
	pairs_text(&p, "handler", d->handler);
	pairs_list(&p, "args", d->args, (int)d->count);
	pairs_text(&p, "reason", d->reason);
	rows_add(&b->rows, &p);
}

static void add_last(struct pairs *out, const struct crash *c)
{
	struct rows rows = { 0 };

	for (unsigned i = 0; i < c->befores; i++) {
		const struct crash_before *b = &c->before[i];
		struct pairs p = { 0 };

		pairs_int(&p, "ago_ms", b->ago_ms);
		pairs_text(&p, "handler", b->handler);
		pairs_list(&p, "args", b->args, (int)b->count);
		pairs_text(&p, "from", *b->from ? b->from : NULL);
		rows_add(&rows, &p);
	}
	rows_close(&rows, pairs_key(out, "last_messages"));
}

static void portrait(void *arg, const struct crash *c)
{
	struct before before = { .of = c };
	struct buf *out = arg, fields = { 0 };
	struct pairs p = { 0 };
	int n = core_crash_fields(c, &fields);

	core_dead_letters(letter, &before);
	begin(&p, c);
	pairs_text(&p, "type", c->type);
	pairs_uint(&p, "restarts", c->restarts);
	pairs_uint(&p, "waiting", c->waiting);
	add_message(&p, c);
	pairs_uint(&p, "state_bytes", c->state_size);
	pairs_list(&p, "fields", packed_of(&fields), n);
	add_last(&p, c);
	rows_close(&before.rows, pairs_key(&p, "failed_messages"));
	pairs_close(&p, out);
	buf_fini(&fields);
}

int crashes_show(int64_t number, struct buf *out, struct why *why)
{
	if (number > 0 && core_crash((uint64_t)number, portrait, out))
		return 0;
	return why_set(why, ACTOR_ENOENT, "there is no crash %lld (any more); `actorctl crash "
		"list` shows those that are kept", (long long)number);
}
