/* SPDX-License-Identifier: MIT
 * thread.h - actors that say where they run: on the I/O loop, or on a thread of their own. */
#ifndef THREAD_H
#define THREAD_H

#include "home.h"

void thread_init(void);                 /* from now on actors are born where their type says */
bool thread_is(uint8_t home);           /* one that ends with its actor */
int  thread_count(void);                 /* of actors' own, now */
bool thread_ended_all(int64_t until_ms); /* false: one is still there then, and named in the log */

#endif
