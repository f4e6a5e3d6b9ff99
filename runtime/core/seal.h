/* SPDX-License-Identifier: MIT
 * seal.h - what libsodium does for us: signatures, digests, password hashes. No state, any thread;
 * before the first of these somebody calls seal_begin(), as often as one likes. */
#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_KEY = 32, SEAL_SECRET = 64, SEAL_LEN = 64, SEAL_DIGEST = 32, SEAL_PASSWORD = 128,
       SEAL_DIGEST_HEX = 2 * SEAL_DIGEST + 1 };

bool seal_begin(void);                  /* false: the kernel gives no random numbers */
void seal_random(void *out, size_t n);
/* Ed25519 (RFC 8032): a new pair, the public half of a secret, a signature, and does it fit? */
void seal_pair(uint8_t key[SEAL_KEY], uint8_t secret[SEAL_SECRET]);
void seal_key_of(const uint8_t secret[SEAL_SECRET], uint8_t key[SEAL_KEY]);
void seal_sign(uint8_t out[SEAL_LEN], const void *p, size_t len, const uint8_t secret[SEAL_SECRET]);
bool seal_fits(const uint8_t seal[SEAL_LEN], const void *p, size_t len,
	       const uint8_t key[SEAL_KEY]);
/* SHA-256 of one after the other; the first may be NULL. */
void seal_digest(const void *before, size_t before_len, const void *p, size_t len,
		 uint8_t out[SEAL_DIGEST]);
/* n bytes as 2n digits and small letters, with a NUL; and of a text the digest so. */
void seal_hex(const void *p, size_t n, char *out);
void seal_digest_hex(const void *p, size_t len, char hex[SEAL_DIGEST_HEX]);
/* Is this the HMAC-SHA-256 (RFC 2104) of that? In the same time whatever differs. */
bool seal_mac_fits(const void *key, size_t key_len, const void *p, size_t len,
		   const uint8_t mac[SEAL_DIGEST]);
/* Argon2id (RFC 9106) as text with its salt, at so many passes over so much memory; false: there is
 * no memory. And does the password fit it? */
bool seal_password(char out[SEAL_PASSWORD], const char *text, size_t len, unsigned passes,
		   size_t memory);
bool seal_password_fits(const char *hash, const char *text, size_t len);
/* Base64 with its padding (RFC 4648, 4), and as URLs have it, without (5): *got bytes into out,
 * which has size; false: it is none, or too long. */
bool seal_base64(const char *text, size_t len, void *out, size_t size, size_t *got);
bool seal_base64url(const char *text, size_t len, void *out, size_t size, size_t *got);

#endif
