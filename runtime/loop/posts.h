/* SPDX-License-Identifier: MIT
 * posts.h - what other threads want to be done on the loop's, in their order. */
#ifndef POSTS_H
#define POSTS_H

#include <pthread.h>

#include "base.h"

struct posts { pthread_mutex_t lock; struct post *first, **last; };

void posts_init(struct posts *s);
void posts_fini(struct posts *s);       /* what is in it is not done */
bool posts_add(struct posts *s, void (*fn)(void *arg), void *arg);      /* true: it was empty */
void posts_run(struct posts *s);        /* the loop's thread: what is in it now */

#endif
