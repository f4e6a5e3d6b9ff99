/* SPDX-License-Identifier: MIT
 * digest.c - SHA-256 by libsodium. No state: any thread. */
#include "digest.h"

#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>

void digest_of(const void *before, size_t before_len, const void *p, size_t len,
               unsigned char out[DIGEST])
{
	crypto_hash_sha256_state s;

	crypto_hash_sha256_init(&s);
	if (before)
		crypto_hash_sha256_update(&s, before, before_len);
	crypto_hash_sha256_update(&s, p, len);
	crypto_hash_sha256_final(&s, out);
}

void digest_hex(const unsigned char d[DIGEST], char hex[DIGEST_HEX])
{
	sodium_bin2hex(hex, DIGEST_HEX, d, DIGEST);
}

void digest_text(const void *p, size_t len, char hex[DIGEST_HEX])
{
	unsigned char d[DIGEST];

	digest_of(NULL, 0, p, len, d);
	digest_hex(d, hex);
}
