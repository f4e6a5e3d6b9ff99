/* SPDX-License-Identifier: MIT
 * journal.h - what was done with patches, a line of JSON each, chained by hash, never changed.
 *
 * Any thread. What is added has left the process when journal_add() returns, so that it outlives a
 * kill -9; it is on the disk soon after journal_settle(). */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "value.h"

struct journal_line {
	int64_t at;                     /* for journal_line_at() */
	struct packed fields;           /* a map */
};
typedef void journal_fn(void *arg, const struct journal_line *l);

struct journal_end { uint64_t lines; char chain[65]; };

/* Opens or begins the one in folder (NULL: one that nothing outlasts) and hands out its lines.
 * One that does not verify, or is of another version, is put aside, and said in the log; from a
 * line on that was not finished it is cut off, which is kept aside. Negative with why: there is
 * no writing there. */
int  journal_open(const char *folder, journal_fn *each, void *arg, struct why *why);
void journal_close(void);
/* False: a sync has failed, so no intent is taken; what is to be taken back is no such. */
bool journal_is_well(void);
/* fields: `"event":"intent","patch":3`. ACTOR_EFAIL with why: nothing was added. at may be NULL.
 * intent: only when there is room for a line of less than 4 KiB behind it, which is to say what
 * came of it, and with which both go to the disk. */
int  journal_add(const struct buf *fields, bool intent, int64_t *at, struct why *why);
void journal_settle(void);
/* It is on the disk when this returns 0. */
int  journal_sync(void);
int  journal_line_at(int64_t at, journal_fn *each, void *arg, struct why *why);
/* All lines, each held against the chain and the last against what was written last. Negative
 * with why, which names the line; the lines before it have been handed out. each may be NULL. */
int  journal_each(journal_fn *each, void *arg, struct journal_end *end, struct why *why);
const char *journal_path(void);
uint64_t journal_lines(void);

/* Of a line's fields: a text, given, or NULL; a number, or 0; is it of that event? */
char   *journal_text(struct packed map, const char *name);
int64_t journal_int(struct packed map, const char *name);
bool    journal_is(struct packed map, const char *event);

#endif
