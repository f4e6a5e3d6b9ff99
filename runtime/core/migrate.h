/* SPDX-License-Identifier: MIT
 * migrate.h - actors whose state changes its shape. */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "table.h"

/* The owner, between two of its messages: a gets the newest shape of its type. */
void migrate_actor(struct actor *a);

#endif
