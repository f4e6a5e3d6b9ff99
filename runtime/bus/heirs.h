/* SPDX-License-Identifier: MIT
 * heirs.h - what a stream's dead readers left, and what we ourselves had before. The loop's
 * thread. */
#ifndef HEIRS_H
#define HEIRS_H

#include "shared.h"

enum { HEIRS_DEATHS = 3 };      /* so many nodes may die of a message; then it is a dead letter */

void heirs_claim(struct shared *st);    /* from nodes that are gone; some of it, where it is much */
/* An entry that nobody had before: handed on, or kept as a suspect. */
void heirs_read(struct shared *st, const struct redis_reply *entry);
/* What we had in an earlier life, or what Redis gave us as the link was lost: all there is before
 * the stream is read, as then what is ours is under way here. Then share's inherited(),
 * with what Redis says where it would not tell. */
void heirs_own(struct shared *st);
void heirs_go_on(struct shared *st);    /* one was acknowledged, or may be tried again */
void heirs_forget(struct shared *st);   /* what was claimed and waits */

#endif
