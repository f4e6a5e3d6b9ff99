/* SPDX-License-Identifier: MIT
 * watched.h - the patches on probation, and the terms of it in words.
 *
 * The compile thread's alone, but for the terms. */
#ifndef WATCHED_H
#define WATCHED_H

#include "core.h"

/* What a patch gets that says nothing: "messages=1000,seconds=60,faults=0,state=65536", any of
 * them, or "off" (messages 0). For the node, before it takes any. Negative with why. */
int  watched_default(const char *text, struct why *why);
/* The whole of what `text` (NULL: nothing) comes to. Gives. NULL with why. */
char *watched_words(const char *text, struct why *why);

struct watched {
	uint32_t number;
	struct probation *p;
	/* It has failed, and could not be taken back: so often, not again before. */
	int tries;
	int64_t again_ms;
};
/* Borrows the words, which are right. Before the change is in force. NULL: it is on none. */
struct probation *watched_begin(const char *words, struct code *code, uint32_t number,
				const struct change *c, int n);
void watched_add(uint32_t number, struct probation *p);         /* takes p; NULL is fine */
uint32_t        watched_count(void);
struct watched *watched_at(uint32_t i);
void            watched_remove(uint32_t i);             /* its place is the last one's */
/* Of a patch on probation; false: it is on none. */
bool watched_info(uint32_t number, struct probation_info *out);

#endif
