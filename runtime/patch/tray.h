/* SPDX-License-Identifier: MIT
 * tray.h - what the compile thread has before it: jobs in their order, and what else it is woken
 * for. */
#ifndef TRAY_H
#define TRAY_H

#include "job.h"

enum { TRAY_MOST = 64 };        /* jobs */

void tray_open(void);
/* Any thread, all of these. Takes j: 0. Or does not: ACTOR_EFULL; ACTOR_EFAIL, it is closed. */
int  tray_put(struct job *j);
void tray_put_first(struct job *j);     /* before all others; also when it is full or closed */
void tray_close(void);                  /* takes only what reads: LIST, SHOW, LOG, VERIFY */
void tray_end(void);                    /* takes no more; when it is empty, that was all */
void tray_wake(void);                   /* there is something to do that is no job */

/* The compile thread. Until there is something; false: not within so many ms (below 0: ever). */
bool tray_wait(int64_t ms);
/* When it was woken first since this was asked last; 0: it was not. */
int64_t tray_woken_ns(void);
/* NULL: there is none; *ended: and there will be none. */
struct job *tray_take(bool *ended);

#endif
