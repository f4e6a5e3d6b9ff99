/* SPDX-License-Identifier: MIT
 * clients.h - the actor `clients`: rooms, and users by their names. */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "session.h"

/* all: those of each of the gateway's n threads, whose keepers are there; borrowed. It lives with
 * the first. Negative with why. */
int clients_setup(struct sessions *const *all, int n, struct why *why);

#endif
