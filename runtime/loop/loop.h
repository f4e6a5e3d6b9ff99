/* SPDX-License-Identifier: MIT
 * loop.h - the I/O thread's loop: descriptors, timers, signals, and a home for the actors that live
 * on it. All of libevent is behind this file, but for the buffers of stream.c.
 *
 * Everything but loop_stop(), loop_post() and loop_home() is called on the loop's own thread (the
 * one that calls loop_run(), or before it does). */
#ifndef LOOP_H
#define LOOP_H

#include "core.h"

struct loop;
struct loop_timer;

/* Makes a home named "io" and drives core's timers. Gives; NULL with why. */
struct loop *loop_new(struct why *why);
struct home *loop_home(struct loop *l);
void         loop_run(struct loop *l);          /* until loop_stop() */
void         loop_stop(struct loop *l);         /* any thread */
void         loop_free(struct loop *l);
/* fn(arg) on the loop's thread, soon; from any thread. */
void         loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* What was handed to a worker in this turn is answered at once, most likely: the loop waits for
 * that, some microseconds at most, before it writes, and sleeps. */
void loop_expect(struct loop *l);

/* fn once in ms, again if it calls loop_timer_set; in 0: at the end of this turn. Gives; off. */
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *t, int ms);      /* replaces what was set; below 0: off */
void loop_timer_set_us(struct loop_timer *t, int64_t us);       /* the same */
void loop_timer_free(struct loop_timer *t);

/* fn whenever that signal came, until loop_free(). */
void loop_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo), void *arg);

/* A descriptor that somebody else reads and writes: ready(arg, false) when it can be read, always;
 * ready(arg, true) once after loop_watch_write(), when it can be written, or after _soon(), at the
 * end of this turn, whether it can or not. Borrows fd, which outlives the watch. Gives. */
struct loop_watch;
struct loop_watch *loop_watch_new(struct loop *l, int fd, void (*ready)(void *arg, bool write),
                                  void *arg);
void loop_watch_write(struct loop_watch *w, bool on);
void loop_watch_read(struct loop_watch *w, bool on);    /* off: until it is on again */
void loop_watch_soon(struct loop_watch *w);
void loop_watch_free(struct loop_watch *w);     /* at any time, by ready too */

/* A listening socket: accepted(arg, fd) takes each new connection. Takes fd. */
struct loop_listener;
struct loop_listener *loop_listen(struct loop *l, int fd,
                                  void (*accepted)(void *arg, int fd), void *arg);
void loop_listener_free(struct loop_listener *s);

#endif
