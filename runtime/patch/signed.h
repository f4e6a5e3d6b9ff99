/* SPDX-License-Identifier: MIT
 * signed.h - a patch with a signature: made, read, checked. actorctl makes them, the node checks.
 * Any thread. */
#ifndef SIGNED_H
#define SIGNED_H

#include "base.h"

enum {
	KEY_LEN = 32, SECRET_LEN = 64, NONCE_LEN = 16, SIGNATURE_LEN = 64,
	TERM_MAX = 255,                 /* bytes of a text among the terms */
};

/* What a signature says besides the source. */
struct signed_terms {
	char target[TERM_MAX + 1];      /* the node or group that it is for; "*": any */
	char actors[TERM_MAX + 1];      /* "counter,rpc": all that it may change; "*": any */
	char author[TERM_MAX + 1], note[TERM_MAX + 1], file[TERM_MAX + 1];
	int64_t expires_s;              /* since 1970 */
	uint8_t nonce[NONCE_LEN], key[KEY_LEN];
};

/* Does it begin as a signed patch does? */
bool signed_looks(const char *text, size_t len);
/* Reads the terms and finds the source behind them, which is borrowed from text. 0, or ACTOR_EARGS
 * with why: it has not exactly the form that signed_make() gives, or the signature of that key does
 * not fit. Whose key it is, is not asked. */
int  signed_read(const char *text, size_t len, struct signed_terms *t, const char **source,
                 size_t *source_len, struct why *why);
/* Appends the signed patch; fills in nonce and key. ACTOR_EARGS with why: a term that is no
 * line. */
int  signed_make(struct signed_terms *t, const uint8_t secret[SECRET_LEN], const char *source,
                 size_t len, struct buf *out, struct why *why);
/* A new pair. */
void signed_keys(uint8_t key[KEY_LEN], uint8_t secret[SECRET_LEN]);
/* Bytes as small letters and digits, and back: exactly n bytes from 2n of them. */
void hex_add(struct buf *out, const uint8_t *p, size_t n);
bool hex_read(const char *text, uint8_t *out, size_t n);

#endif
