/* SPDX-License-Identifier: MIT
 * resolve.h - a host's addresses, without keeping the loop waiting. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "loop.h"

enum { RESOLVE_MOST = 8, RESOLVE_TEXT = 64 };

struct addresses { char text[RESOLVE_MOST][RESOLVE_TEXT]; int n; };    /* "10.0.0.1", "::1" */

struct resolve;
/* done(arg, addresses, NULL) or done(arg, NULL, why) once, on the loop's thread, unless
 * cancelled. */
struct resolve *resolve_start(struct loop *l, const char *host,
                              void (*done)(void *arg, const struct addresses *a, const char *error),
                              void *arg);
void resolve_cancel(struct resolve *r);         /* NULL is fine; not from done(), nor after it */

#endif
