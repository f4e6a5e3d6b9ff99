/* SPDX-License-Identifier: MIT
 * listing.c - the journal's lines as values. No state. */
#include "listing.h"

#include "journal.h"
#include "watched.h"

enum { LISTED = 10000, LOGGED = 1000 };

struct rows_out { struct buf *out; struct buf rows; uint32_t n, skip; };

static void copy_field(struct buf *out, struct packed map, const char *name)
{
	struct packed at;

	pack_text(out, name);
	if (packed_find(map, name, &at))
		buf_add(out, at.at, (size_t)(at.end - at.at));
	else
		pack_text(out, "");
}

static const char *const row_fields[] = {
	"targets", "handlers", "origin", "time", "bytes", "file", "note", "author", "sha256",
};

/* source: with it, and three fields more that the caller adds. */
static void pack_row(struct buf *out, uint32_t n, struct packed map, bool source)
{
	pack_map(out, 2 + (uint32_t)ARRAY_LEN(row_fields) + (source ? 4 : 0));
	pack_text(out, "number");
	pack_uint(out, n);
	pack_text(out, "state");
	pack_text(out, history_word(n));
	for (size_t i = 0; i < ARRAY_LEN(row_fields); i++)
		copy_field(out, map, row_fields[i]);
	if (source)
		copy_field(out, map, "source");
}

static void list_line(void *arg, const struct journal_line *l)
{
	struct rows_out *o = arg;
	uint32_t n = (uint32_t)journal_int(l->fields, "patch");

	if (!journal_is(l->fields, "intent") || n <= o->skip)
		return;
	pack_row(&o->rows, n, l->fields, false);
	o->n++;
}

static int answer_rows(struct rows_out *o, journal_fn *each, struct why *why)
{
	struct journal_end end;
	int rc = journal_each(each, o, &end, why);

	if (!rc) {
		pack_list(o->out, o->n);
		buf_add(o->out, o->rows.p, o->rows.len);
	}
	buf_fini(&o->rows);
	return rc;
}

int listing_all(struct buf *out, struct why *why)
{
	uint32_t all = history_last();
	struct rows_out o = { .out = out, .skip = all > LISTED ? all - LISTED : 0 };

	return answer_rows(&o, list_line, why);
}

struct reason { uint32_t number; struct buf *out; };

static void reason_line(void *arg, const struct journal_line *l)
{
	struct reason *r = arg;
	struct value v = packed_get(l->fields, "why");

	if ((uint32_t)journal_int(l->fields, "patch") != r->number || v.type != VALUE_STR)
		return;
	buf_clear(r->out);
	buf_add(r->out, v.str, v.len);
}

void listing_reason(uint32_t number, struct buf *out)
{
	struct reason r = { number, out };
	struct journal_end end;

	journal_each(reason_line, &r, &end, NULL);
}

/* How far its probation is, in words; "" when it is on none. */
static void say_probation(uint32_t number, struct buf *out)
{
	struct probation_info i;

	if (!watched_info(number, &i))
		return;
	buf_printf(out, "%lu of %u messages, %lu faults, %lu failures, %lld s left",
		   (unsigned long)i.messages, i.terms.messages, (unsigned long)i.faults,
		   (unsigned long)i.failures, (long long)(i.left_ms + 999) / 1000);
	if (i.large)
		buf_printf(out, "; a state is larger than %u bytes, so it is not put back",
			   i.terms.state);
}

static void pack_buf(struct buf *out, const char *name, struct buf *text)
{
	pack_text(out, name);
	pack_str(out, text->len ? text->p : "", text->len);
	buf_fini(text);
}

static void show_line(void *arg, const struct journal_line *l)
{
	uint32_t number = (uint32_t)journal_int(l->fields, "patch");
	struct buf reason = { 0 }, probation = { 0 };

	pack_row(arg, number, l->fields, true);
	listing_reason(number, &reason);
	pack_buf(arg, "why", &reason);
	say_probation(number, &probation);
	pack_buf(arg, "probation", &probation);
	pack_text(arg, "memory");
	pack_uint(arg, core_patch_memory(number));
}

int listing_one(uint32_t number, struct buf *out, struct why *why)
{
	if (history_known(number, why) < 0)
		return ACTOR_ENOENT;
	return journal_line_at(history_place(number), show_line, out, why);
}

static void log_row(void *arg, const struct journal_line *l)
{
	static const char *const fields[] = {
		"line", "time", "event", "patch", "handlers", "origin", "author", "note", "why",
	};
	struct rows_out *o = arg;

	if (journal_int(l->fields, "line") <= (int64_t)o->skip)
		return;
	pack_map(&o->rows, (uint32_t)ARRAY_LEN(fields));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		copy_field(&o->rows, l->fields, fields[i]);
	o->n++;
}

int listing_log(struct buf *out, struct why *why)
{
	struct rows_out o = { .out = out };
	uint64_t lines = journal_lines();

	o.skip = lines > LOGGED ? (uint32_t)(lines - LOGGED) : 0;
	return answer_rows(&o, log_row, why);
}
