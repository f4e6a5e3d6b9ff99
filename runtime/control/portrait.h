/* SPDX-License-Identifier: MIT
 * portrait.h - what `actorctl inspect NAME` and `actorctl ps` say of actors. */
#ifndef PORTRAIT_H
#define PORTRAIT_H

#include "core.h"

void portrait_actor(const struct actor_info *a, struct buf *out);      /* appends one map */
/* Appends a list of maps, and how many more there are. */
void portrait_rows(struct buf *out);

#endif
