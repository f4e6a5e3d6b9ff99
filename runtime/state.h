/* SPDX-License-Identifier: MIT
 * state.h - the folder of what must outlast a restart: found or made, locked, and the node's
 * name in it. */
#ifndef STATE_H
#define STATE_H

#include "base.h"

struct state;
/* path NULL: the user's own. NULL with why: in use by another runtime, or not writable by whom. */
struct state *state_open(const char *path, struct why *why);
const char   *state_path(const struct state *s);
/* The name kept there, made at the first call. NULL with why. */
const char   *state_node(struct state *s, struct why *why);
/* What tells this folder from any other that bears the same node's name, kept there likewise. */
const char   *state_identity(struct state *s, struct why *why);
void          state_close(struct state *s);

#endif
