/* SPDX-License-Identifier: MIT */
#ifndef DESK_H
#define DESK_H
#include "desk_size.h"
struct desk {
	actor_ref gate, counter, nobody;
	msg_caller kept[DESK_SIZE];
	int64_t asked[DESK_SIZE];
};

static inline int desk_slot(struct desk *d, int64_t asked)
{
	int i;

	for (i = 0; i < DESK_SIZE && d->asked[i] != asked; i++)
		;
	return i;
}
#endif
