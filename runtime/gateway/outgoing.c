/* SPDX-License-Identifier: MIT
 * outgoing.c - frames that wait for a client to take them.
 *
 * One stretch of bytes: new frames are put behind, what was handed over or dropped is passed at the
 * front and moved out of the way only when that is cheap. Frames are never cut. No state. */
#include "outgoing.h"

#include "frames.h"

enum { AT_ONCE = 65536, KEPT = 2048 };

void outgoing_add(struct outgoing *o, const void *bytes, size_t len, bool text)
{
	frames_add(&o->frames, bytes, len, text);
}

void outgoing_ping(struct outgoing *o)
{
	buf_add(&o->frames, "\x89\x01?", 3);    /* libwebsockets tells nobody of an empty pong */
}

size_t outgoing_waiting(const struct outgoing *o)
{
	return o->frames.len - o->at;
}

size_t outgoing_next(const struct outgoing *o, const char **frames)
{
	size_t n = outgoing_waiting(o);

	if (!n)
		return 0;
	*frames = o->frames.p + o->at;
	return frames_cut(*frames, n, AT_ONCE);
}

void outgoing_handed(struct outgoing *o, size_t bytes)
{
	o->at += bytes;
}

unsigned outgoing_drop(struct outgoing *o, size_t most)
{
	unsigned n = 0;
	size_t first;

	while (outgoing_waiting(o) > most) {
		first = frames_cut(o->frames.p + o->at, outgoing_waiting(o), 0);
		if (first == outgoing_waiting(o))
			break;
		o->at += first;
		n++;
	}
	return n;
}

void outgoing_trim(struct outgoing *o)
{
	size_t left = outgoing_waiting(o);

	if (!left && o->frames.cap > KEPT)
		buf_fini(&o->frames);
	else if (left && (o->at < AT_ONCE || o->at < left))
		return;
	else if (left)
		memmove(o->frames.p, o->frames.p + o->at, left);
	o->frames.len = left;
	o->at = 0;
}

void outgoing_fini(struct outgoing *o)
{
	buf_fini(&o->frames);
	o->at = 0;
}
