/* SPDX-License-Identifier: MIT
 * store.h - what actors and sessions keep beyond a restart: the actor `store`. */
#ifndef STORE_H
#define STORE_H

#include "core.h"

struct store_config {
	const char *state;              /* a folder of this process alone; files go to its store/ */
	size_t most;                    /* bytes, 0: 16 GiB */
};
/* Opens the files and makes the actor, on a thread of its own. Negative with why. */
int  store_start(const struct store_config *c, struct why *why);
void store_stop(void);                  /* after core_stop */

#endif
