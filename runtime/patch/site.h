/* SPDX-License-Identifier: MIT
 * site.h - where the code that the trial's process makes comes to lie. The compile thread's. */
#ifndef SITE_H
#define SITE_H

#include <stddef.h>
#include <stdbool.h>

enum {
	SITE = 4 << 20,         /* bytes; a larger program is compiled once more, in process */
	SITE_READY = 32 << 10,  /* of it are there before the source comes */
};

/* SITE bytes of addresses that nothing lies at, the same until they are taken; NULL: none. */
char *site_at(void);
/* Its first size bytes can be written now, and are zero; false: the kernel has no memory. */
bool site_open(size_t size);
/* The pages of its first size bytes have an owner, who unmaps them; the next site is behind. */
void site_take(size_t size);
/* Somebody has written into it, or the process ends: the next one is elsewhere. */
void site_drop(void);

#endif
