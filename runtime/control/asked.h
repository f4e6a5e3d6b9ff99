/* SPDX-License-Identifier: MIT
 * asked.h - questions under way, by their number: what to do when the answer comes. */
#ifndef ASKED_H
#define ASKED_H

#include <stdint.h>

/* The first member of what the asker keeps. A tree is a void * that begins NULL. */
struct asked { int64_t number; };

void  asked_add(void **tree, struct asked *a);          /* takes */
void *asked_take(void **tree, int64_t number);          /* gives; NULL: not asked, or answered */
void  asked_free(void **tree, void (*each)(void *a));   /* each takes */

#endif
