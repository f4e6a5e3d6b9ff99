/* SPDX-License-Identifier: MIT
 * json.h - JSON text to packed values (jansson reads it) and back. */
#ifndef JSON_H
#define JSON_H

#include "value.h"

/* One JSON value of any kind, appended to out in msgpack, VALUE_DEPTH deep at most. A key that
 * comes twice, a number beyond a double, a lone surrogate, bytes behind the value:
 * ACTOR_EARGS with why, which names line and column; out is as it was. NaN is no JSON. An integer
 * from -2^63 to 2^64-1 is read exactly, one beyond these as a num. */
int json_read(const char *text, size_t len, struct buf *out, struct why *why);
/* The same to another depth, at most MESSAGE_DEPTH: that of a whole message. */
int json_read_deep(const char *text, size_t len, int depth, struct buf *out, struct why *why);
/* What is no JSON is appended as a str. */
void json_or_text(const char *text, size_t len, struct buf *out);

/* Appends the next packed value as JSON: a number as short as it reads back the same, bytes as
 * base64, control characters escaped, NaN and infinities as null, keys that are no str as str (of a
 * list or map the word alone). 0, or -1 at the end and where the bytes are no value; out is as it
 * was then. */
int json_write(struct buf *out, struct packed *in);
/* Quoted and escaped; bytes that are no UTF-8 as `?`. */
void json_text(struct buf *out, const char *s, size_t len);

#endif
