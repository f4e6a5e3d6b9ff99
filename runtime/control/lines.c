/* SPDX-License-Identifier: MIT
 * lines.c - see lines.h. The log keeps its last LOG_KEPT lines; who follows asks for those after
 * the last that it has seen. */
#include "lines.h"

#include "actor.h"
#include "log.h"
#include "rows.h"

/* Is the line about this name? The runtime says `NAME.HANDLER failed`, `NAME: start failed` of an
 * actor in a line of its own. */
static bool about(const struct log_kept *k, const char *name)
{
	const char *text = k->line + k->text;
	size_t n = strlen(name);

	if (!n || strncmp(k->room, name, sizeof k->room - 1) == 0)
		return true;
	return strncmp(text, name, n) == 0 && text[n] && strchr(".: ", text[n]);
}

static bool wanted(const struct log_kept *k, const struct lines_query *q, enum log_level least)
{
	return k->level >= least && about(k, q->name);
}

static void line_row(struct rows *out, struct log_kept *k)
{
	struct pairs p = { 0 };

	utf8_mend(k->line, strlen(k->line));
	utf8_mend(k->room, strlen(k->room));
	pack_str(pairs_key(&p, "time"), k->line, LOG_TIME);
	pairs_text(&p, "level", log_level_name(k->level));
	pairs_text(&p, "from", k->room);
	pairs_text(&p, "text", k->line + k->text);
	rows_add(out, &p);
}

static int read_level(const char *name, struct why *why)
{
	for (int i = LOG_DEBUG; i < LOG_NONE; i++)
		if (strcmp(log_level_name((enum log_level)i), name) == 0)
			return i;
	return why_set(why, ACTOR_EARGS, "`%.64s` is no level; those are debug, info, warn, "
		       "error (and, of a type, none)",
		       name);
}

/* Where the last `most` that are wanted begin. */
static uint64_t begin(const struct lines_query *q, enum log_level least, uint64_t newest,
                      struct log_kept *k)
{
	uint64_t number = newest, oldest = log_oldest();
	int64_t found = 0;

	for (; number >= oldest && found < q->most; number--)
		found += log_read(number, k) && wanted(k, q, least);
	return number;
}

int lines_answer(const struct lines_query *q, struct buf *out, struct why *why)
{
	int level = read_level(q->level, why);
	uint64_t newest = log_newest(), oldest, at, missed = 0;
	struct log_kept *k;
	struct rows rows = { 0 };
	struct pairs p = { 0 };

	if (level < 0)
		return level;
	if (q->most < 1 || q->most > LOG_KEPT)
		return why_set(why, ACTOR_EARGS, "1 to %d lines are kept", LOG_KEPT);
	k = mem_alloc(sizeof *k);
	at = q->after < 0 ? begin(q, (enum log_level)level, newest, k) : (uint64_t)q->after;
	if (at > newest)
		at = newest;
	oldest = log_oldest();
	if (q->after >= 0 && at + 1 < oldest) {
		missed = oldest - 1 - at;
		at = oldest - 1;
	}
	while (at < newest && rows.n < (unsigned)q->most)
		if (!log_read(++at, k))
			missed++;
		else if (wanted(k, q, (enum log_level)level))
			line_row(&rows, k);
	mem_free(k);
	pairs_uint(&p, "next", at);
	pairs_uint(&p, "missed", missed);
	rows_close(&rows, pairs_key(&p, "lines"));
	pairs_close(&p, out);
	return 0;
}

/* --- levels ------------------------------------------------------------------------- */

int lines_level(const char *type, const char *level, struct why *why)
{
	int least = strcmp(level, "none") == 0 ? LOG_NONE : read_level(level, why);

	if (least < 0)
		return least;
	return log_set_type(type, (enum log_level)least) ? 0 :
		why_set(why, ACTOR_ENOMEM, "%d types have a level of their own already", LOG_TYPES);
}

static void level_row(void *arg, const char *type, enum log_level least, uint64_t left_out)
{
	struct pairs p = { 0 };

	pairs_text(&p, "type", type);
	pairs_text(&p, "level", least == LOG_NONE ? "none" : log_level_name(least));
	pairs_uint(&p, "left_out", left_out);
	rows_add(arg, &p);
}

void lines_levels(struct buf *out)
{
	struct rows rows = { 0 };

	log_types(level_row, &rows);
	rows_close(&rows, out);
}
