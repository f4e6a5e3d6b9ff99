/* SPDX-License-Identifier: MIT
 * outgoing.h - frames that wait for a client to take them. */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "base.h"

/* Zero is empty. Frames from `at` on wait; those before are handed over. */
struct outgoing { struct buf frames; size_t at; };

void   outgoing_add(struct outgoing *o, const void *bytes, size_t len, bool text);
void   outgoing_ping(struct outgoing *o);
size_t outgoing_waiting(const struct outgoing *o);      /* bytes */
/* The next whole frames, about 64 KiB; their bytes, 0: none. The caller hands them over, and says
 * so. */
size_t outgoing_next(const struct outgoing *o, const char **frames);
void   outgoing_handed(struct outgoing *o, size_t bytes);
/* Drops the oldest frames until `most` bytes wait, or one frame. How many went. */
unsigned outgoing_drop(struct outgoing *o, size_t most);
void   outgoing_trim(struct outgoing *o);               /* gives back what is not needed */
void   outgoing_fini(struct outgoing *o);

#endif
