/* SPDX-License-Identifier: MIT
 * leaving.h - how a node's part in a stream ends, and the stream with the last one. The loop's
 * thread. */
#ifndef LEAVING_H
#define LEAVING_H

#include "shared.h"

/* Of what st brought nothing is under way; back: what is pending for us goes back to the stream,
 * for others. share's left() is called when Redis has answered. */
void leaving_begin(struct shared *st, bool back);

#endif
