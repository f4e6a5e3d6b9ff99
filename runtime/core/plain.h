/* SPDX-License-Identifier: MIT
 * plain.h - JSON that is plain, read straight into packed values. */
#ifndef PLAIN_H
#define PLAIN_H

#include "value.h"

/* One JSON value, appended to out in msgpack. False: it is not plain (or no JSON), and out is as it
 * was; json_read() knows. At most depth lists and maps in each other. */
bool plain_read(const char *text, size_t len, int depth, struct buf *out);

#endif
