/* SPDX-License-Identifier: MIT
 * stop.h - how a node ends, as long as its loop turns. The loop's thread. */
#ifndef STOP_H
#define STOP_H

#include "bus/bus.h"
#include "gateway/gateway.h"

struct stop;
struct stop *stop_new(struct loop *l);
/* Takes nothing new from now on; loop_stop() when all is done, or its time is over. Borrows both;
 * NULL: there is none. */
void stop_begin(struct stop *s, struct gateway *g, struct bus *b);
/* A signal more: ends a wait, unless it is the one that began the stop. */
void stop_hurry(struct stop *s);
void stop_free(struct stop *s);

#endif
