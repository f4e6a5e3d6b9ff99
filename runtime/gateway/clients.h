/* SPDX-License-Identifier: MIT
 * clients.h - the actor `clients`: rooms, and users by their names. */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "core.h"

/* Its home is the sessions'. Negative with why. */
int clients_setup(struct home *home, struct why *why);

#endif
