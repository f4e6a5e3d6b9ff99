/* SPDX-License-Identifier: MIT
 * ages.h - how long the oldest message of a mailbox has been there. The loop's thread. */
#ifndef AGES_H
#define AGES_H

#include "loop.h"

struct pairs;

/* Between the two: they are a second apart, or a tenth of the age. Where there are many actors a
 * second more for each 100,000. */
struct age { int64_t least_ms, most_ms; };

void ages_begin(struct loop *l);
void ages_end(void);

/* The message that is being handled counts, as it does in depth. False: none is there, or that is
 * not known. */
bool ages_of(const struct actor_info *a, struct age *out);
/* As oldest_ms and oldest_most_ms; null: false. */
void ages_pairs(const struct actor_info *a, struct pairs *p);
/* The oldest of all messages that wait. False: none waited when they were looked at. */
bool ages_oldest(struct age *out, struct actor_info *whose);
/* How long it had waited then, at least. Any thread. */
int64_t ages_longest_ms(void);

#endif
