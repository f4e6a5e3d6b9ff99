/* SPDX-License-Identifier: MIT
 * seal.c - see seal.h. The only file that knows libsodium. */
#include "seal.h"

#include <sodium.h>

_Static_assert(SEAL_LEN == crypto_sign_BYTES && SEAL_KEY == crypto_sign_PUBLICKEYBYTES &&
	       SEAL_SECRET == crypto_sign_SECRETKEYBYTES, "Ed25519's sizes");
_Static_assert(SEAL_DIGEST == crypto_hash_sha256_BYTES &&
	       SEAL_DIGEST == crypto_auth_hmacsha256_BYTES &&
	       SEAL_PASSWORD == crypto_pwhash_STRBYTES, "sizes of hashes");

bool seal_begin(void)
{
	return sodium_init() >= 0;
}

void seal_random(void *out, size_t n)
{
	randombytes_buf(out, n);
}

void seal_pair(uint8_t key[SEAL_KEY], uint8_t secret[SEAL_SECRET])
{
	crypto_sign_keypair(key, secret);
}

void seal_key_of(const uint8_t secret[SEAL_SECRET], uint8_t key[SEAL_KEY])
{
	crypto_sign_ed25519_sk_to_pk(key, secret);
}

void seal_sign(uint8_t out[SEAL_LEN], const void *p, size_t len, const uint8_t secret[SEAL_SECRET])
{
	crypto_sign_detached(out, NULL, p, len, secret);
}

bool seal_fits(const uint8_t seal[SEAL_LEN], const void *p, size_t len, const uint8_t key[SEAL_KEY])
{
	return !crypto_sign_verify_detached(seal, p, len, key);
}

void seal_digest(const void *before, size_t before_len, const void *p, size_t len,
		 uint8_t out[SEAL_DIGEST])
{
	crypto_hash_sha256_state s;

	crypto_hash_sha256_init(&s);
	if (before)
		crypto_hash_sha256_update(&s, before, before_len);
	crypto_hash_sha256_update(&s, p, len);
	crypto_hash_sha256_final(&s, out);
}

void seal_hex(const void *p, size_t n, char *out)
{
	sodium_bin2hex(out, 2 * n + 1, p, n);
}

void seal_digest_hex(const void *p, size_t len, char hex[SEAL_DIGEST_HEX])
{
	uint8_t d[SEAL_DIGEST];

	seal_digest(NULL, 0, p, len, d);
	seal_hex(d, sizeof d, hex);
}

bool seal_mac_fits(const void *key, size_t key_len, const void *p, size_t len,
		   const uint8_t mac[SEAL_DIGEST])
{
	uint8_t made[SEAL_DIGEST];
	crypto_auth_hmacsha256_state s;

	crypto_auth_hmacsha256_init(&s, key, key_len);
	crypto_auth_hmacsha256_update(&s, p, len);
	crypto_auth_hmacsha256_final(&s, made);
	return !crypto_verify_32(mac, made);
}

bool seal_password(char out[SEAL_PASSWORD], const char *text, size_t len, unsigned passes,
		   size_t memory)
{
	return !crypto_pwhash_str(out, text, len, passes, memory);
}

bool seal_password_fits(const char *hash, const char *text, size_t len)
{
	return !crypto_pwhash_str_verify(hash, text, len);
}

bool seal_base64(const char *text, size_t len, void *out, size_t size, size_t *got)
{
	return !sodium_base642bin(out, size, text, len, NULL, got, NULL,
	                          sodium_base64_VARIANT_ORIGINAL);
}

bool seal_base64url(const char *text, size_t len, void *out, size_t size, size_t *got)
{
	return !sodium_base642bin(out, size, text, len, NULL, got, NULL,
	                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}
