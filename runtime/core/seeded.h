/* SPDX-License-Identifier: MIT
 * seeded.h - the scheduler without threads; core_step() in core.h is its turn. */
#ifndef SEEDED_H
#define SEEDED_H

#include "cell.h"

void seeded_start(void);
bool seeded_stop(void);
/* What ports.choice chooses from: the ready actors, numbered below the n that it is given. */
struct actor *seeded_at(uint32_t i);

#endif
