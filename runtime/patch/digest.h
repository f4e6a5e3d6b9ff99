/* SPDX-License-Identifier: MIT
 * digest.h - SHA-256, which names a source and chains the journal. Any thread. */
#ifndef DIGEST_H
#define DIGEST_H

#include "base.h"

enum { DIGEST = 32, DIGEST_HEX = 2 * DIGEST + 1 };

/* Of one after the other; the first may be NULL. */
void digest_of(const void *before, size_t before_len, const void *p, size_t len,
               unsigned char out[DIGEST]);
/* "9f86d0...", ends with NUL. */
void digest_hex(const unsigned char d[DIGEST], char hex[DIGEST_HEX]);
void digest_text(const void *p, size_t len, char hex[DIGEST_HEX]);

#endif
