/* SPDX-License-Identifier: MIT
 * frames.c - WebSocket frames as a server writes them, one after the other in a buffer.
 *
 * Made here and not by the library, so that many leave in one write. Never split: the library may
 * put a pong between two writes. Final frames without mask only (RFC 6455, 5.2). No state. */
#include "frames.h"

enum { TEXT = 0x81, BINARY = 0x82, LEN16 = 126, LEN64 = 127 };

static size_t head_size(uint8_t len7)
{
	return len7 < LEN16 ? 2 : len7 == LEN16 ? 4 : 10;
}

void frames_add(struct buf *out, const void *bytes, size_t len, bool text)
{
	uint8_t head[10] = { text ? TEXT : BINARY };
	size_t n;

	head[1] = (uint8_t)(len < LEN16 ? len : len < 65536 ? LEN16 : LEN64);
	n = head_size(head[1]);
	for (size_t i = 2; i < n; i++)
		head[i] = (uint8_t)(len >> 8 * (n - 1 - i));
	buf_reserve(out, n + len);
	buf_add(out, head, n);
	buf_add(out, bytes, len);
}

static size_t frame_size(const uint8_t *p)
{
	size_t n = head_size(p[1]), len = 0;

	if (n == 2)
		return n + p[1];
	for (size_t i = 2; i < n; i++)
		len = len << 8 | p[i];
	return n + len;
}

size_t frames_cut(const char *frames, size_t len, size_t most)
{
	const uint8_t *p = (const uint8_t *)frames;
	size_t n, more;

	if (len <= most)
		return len;
	for (n = frame_size(p); n < len; n += more) {
		more = frame_size(p + n);
		if (n + more > most)
			break;
	}
	return n;
}
