/* SPDX-License-Identifier: MIT
 * frames.h - WebSocket frames as a server writes them, one after the other in a buffer. */
#ifndef FRAMES_H
#define FRAMES_H

#include "base.h"

/* Appends one whole message as one frame. */
void frames_add(struct buf *out, const void *bytes, size_t len, bool text);
/* Of whole frames: how many bytes to send at once, `most` or, where it is larger, the first one. */
size_t frames_cut(const char *frames, size_t len, size_t most);

#endif
