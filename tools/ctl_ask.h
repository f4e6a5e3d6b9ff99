/* SPDX-License-Identifier: MIT
 * ctl_ask.h - a question to an actor of the runtime, and printing what comes back. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include "ctl.h"
#include "ctl_link.h"

enum { DEFAULT_MS = 5000, LONG_MS = 30000 };

/* A question to an actor, and what it takes to print the answer. */
struct question {
	const char *to, *what;
	struct buf args;
	unsigned count;
	bool patch;                     /* a refusal means that the patch is rejected */
	struct link link;
	struct envelope answer;
};

int  patience_ms(const struct ctl *c, int otherwise);
void add_text(struct question *q, const char *s, size_t len);
/* Asks, and says what went wrong; CTL_DONE: q->answer has values. In either case q is to be
 * ended. */
int  ask(const struct ctl *c, struct question *q, int ms);
void question_end(struct question *q);

void print(struct buf *b);              /* takes what is in it */
/* A str as it is; on a terminal without what would drive it, but with its lines and tabs. */
void bare(struct buf *out, const struct ctl *c, const char *s, size_t len);
void print_values(const struct ctl *c, struct packed args);
void print_args_json(struct packed args);
/* The first value of an answer: a list of maps; an object a line, or a table. */
void print_rows(const struct ctl *c, struct packed args);
/* The second, if there is one, on stderr: how many rows more there are, or what to know of them. */
void print_besides(struct packed args);
/* Asks with these texts, and prints the answer's rows, and what is said besides. */
int  show_rows(const struct ctl *c, const char *to, const char *what, int argc, char **argv);
int  done(const struct ctl *c, const char *word);
/* 0, or CTL_USAGE, said. "-" is stdin. */
int  read_file(const struct ctl *c, const char *path, struct buf *out);

#endif
