/* SPDX-License-Identifier: MIT
 * digest.c - see digest.h. No state: any thread. */
#include "digest.h"

#include "seal.h"

void digest_of(const void *before, size_t before_len, const void *p, size_t len,
               unsigned char out[DIGEST])
{
	seal_digest(before, before_len, p, len, out);
}

void digest_hex(const unsigned char d[DIGEST], char hex[DIGEST_HEX])
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST; i++) {
		hex[2 * i] = digit[d[i] >> 4];
		hex[2 * i + 1] = digit[d[i] & 15];
	}
	hex[2 * DIGEST] = 0;
}

void digest_text(const void *p, size_t len, char hex[DIGEST_HEX])
{
	unsigned char d[DIGEST];

	digest_of(NULL, 0, p, len, d);
	digest_hex(d, hex);
}
