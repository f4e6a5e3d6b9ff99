/* SPDX-License-Identifier: MIT
 * ctl_live.h - what the live commands have in common: options of their own, one connection that
 * they ask again and again, a pause that Ctrl-C ends. */
#ifndef CTL_LIVE_H
#define CTL_LIVE_H

#include "ctl.h"
#include "ctl_link.h"

/* One of text, number (least to most) and flag is set. */
struct live_option {
	const char *name;               /* "--sort" */
	const char **text;
	int64_t *number, least, most;
	bool *flag;
};

/* Words behind a command: its options (o ends with a NULL name) and at most one word more, into
 * *word, which may be NULL: none is taken. CTL_DONE, or CTL_USAGE, said. */
int live_options(const struct ctl *c, const char *command, const struct live_option *o, int argc,
                 char **argv, const char **word);

struct live {
	const struct ctl *ctl;
	struct link link;
	struct buf args;
	unsigned count;
	struct envelope answer;         /* until the next question */
};

/* Connects. CTL_DONE, or what is wrong, said. */
int  live_open(struct live *l, const struct ctl *c);
/* Asks the actor `node` with what is in args, which is empty after that. */
int  live_ask(struct live *l, const char *what);
void live_close(struct live *l);

void live_text(struct live *l, const char *s);
void live_int(struct live *l, int64_t v);

/* Waits so long, or until Ctrl-C or, with keys, a key: that, or 0. */
int  live_pause(int ms, bool keys);
bool live_ended(void);          /* Ctrl-C came */
/* Ctrl-C is noticed, and not the end; on a terminal (keys) each key comes at once. */
void live_begin(bool keys);
void live_end(void);            /* the terminal as it was */

#endif
