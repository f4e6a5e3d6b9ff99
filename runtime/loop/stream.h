/* SPDX-License-Identifier: MIT
 * stream.h - a connected socket on the loop: what comes is collected, what goes is kept until the
 * other side takes it. On the loop's thread. */
#ifndef STREAM_H
#define STREAM_H

#include "loop.h"

struct loop_stream;

/* read: bytes came; it says how many it used, the rest comes again with more behind it.
 * ended: the other side will send no more, but may still read: what it asked for can be answered,
 * then comes loop_stream_end(); p, len: what was not used. That it goes after that nobody says: see
 * loop_stream_gone(). closed: it is gone, or an error; nothing is called after it. */
struct loop_stream_ops {
	size_t (*read)(void *arg, const char *p, size_t len);
	void   (*ended)(void *arg, const char *p, size_t len);
	void   (*closed)(void *arg);
};

struct loop_stream *loop_stream_new(struct loop *l, int fd,     /* takes fd */
                                    const struct loop_stream_ops *ops, void *arg);
void   loop_stream_write(struct loop_stream *s, const void *p, size_t len);     /* copies */
size_t loop_stream_waiting(const struct loop_stream *s);        /* bytes written, not taken yet */
uint64_t loop_stream_taken(const struct loop_stream *s);        /* bytes, ever */
void   loop_stream_pause(struct loop_stream *s, bool paused);   /* reads no more until let go on */
bool   loop_stream_gone(const struct loop_stream *s);           /* it reads no more, either */
void   loop_stream_end(struct loop_stream *s);  /* closed() once all that was written is out */
void   loop_stream_free(struct loop_stream *s); /* at any time, by its own functions too */

#endif
