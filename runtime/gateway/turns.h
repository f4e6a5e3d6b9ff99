/* SPDX-License-Identifier: MIT
 * turns.h - the loop that one of the gateway's threads turns, and who wakes it. */
#ifndef TURNS_H
#define TURNS_H

struct turns_config {
	void (*waits)(void *arg);       /* before the loop waits */
	void (*turn)(void *arg);        /* somebody has woken it */
	void *arg;                      /* of both; on the loop's thread */
};

struct turns;
struct turns *turns_new(const struct turns_config *c);  /* NULL: the kernel gives no more loops */
void *turns_loop(struct turns *t);      /* a struct ev_loop, for who has a plugin for it */
/* Any thread, until turns_free(): a call of the kernel's only where the loop waits. */
void turns_wake(struct turns *t);
void turns_leave(struct turns *t);      /* its thread: the loop is over */
void turns_free(struct turns *t);       /* when nobody turns it; NULL is fine */

#endif
