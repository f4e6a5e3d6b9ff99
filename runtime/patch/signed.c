/* SPDX-License-Identifier: MIT
 * signed.c - a patch with a signature.
 *
 * It is a C source still: the terms stand above it in comments, so it travels wherever a source
 * may (a Redis payload, a message's argument, a file), and a person can read what was signed.
 *
 *     //actord-signature: 128 hex digits
 *     //actord-patch: 1
 *     //for: NODE or GROUP, or *
 *     //actors: counter,rpc, or *
 *     //author: ...
 *     //note: ...
 *     //file: fix.c
 *     //expires: 2026-11-22T23:00:00Z
 *     //nonce: 32 hex digits
 *     //key: 64 hex digits
 *     the source, to the end
 *
 * The signature covers every byte behind its own line, the version among them, so that there is
 * nothing about a patch that it does not cover. There is one spelling of each term: what is read is
 * written again and must be the same, or else two texts could have one signature.
 *
 * Threads: any. */
#include "signed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "actor.h"
#include "seal.h"

_Static_assert((int)SIGNATURE_LEN == (int)SEAL_LEN && (int)KEY_LEN == (int)SEAL_KEY &&
               (int)SECRET_LEN == (int)SEAL_SECRET, "Ed25519's sizes");

static const char first[] = "//actord-signature: ";
enum { FIRST_LEN = sizeof first - 1, HEAD_LEN = FIRST_LEN + 2 * SIGNATURE_LEN + 1 };

static void begin(void)
{
	if (!seal_begin())
		abort();        /* the kernel gives no random numbers */
}

void hex_add(struct buf *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%02x", p[i]);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_read(const char *text, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void signed_keys(uint8_t key[KEY_LEN], uint8_t secret[SECRET_LEN])
{
	begin();
	seal_pair(key, secret);
}

/* --- the terms as text ------------------------------------------------------------------ */

static void add_terms(const struct signed_terms *t, struct buf *out)
{
	time_t at = (time_t)t->expires_s;
	char when[32];
	struct tm tm;

	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	buf_printf(out, "//actord-patch: 1\n//for: %s\n//actors: %s\n//author: %s\n//note: %s\n"
	           "//file: %s\n//expires: %s\n//nonce: ", t->target, t->actors, t->author, t->note,
	           t->file, when);
	hex_add(out, t->nonce, NONCE_LEN);
	buf_text(out, "\n//key: ");
	hex_add(out, t->key, KEY_LEN);
	buf_text(out, "\n");
}

struct rest { const char *at, *end; };

/* The value of the next line, which must be `//NAME: VALUE`. */
static bool next_term(struct rest *r, const char *name, char value[TERM_MAX + 1])
{
	const char *nl = memchr(r->at, '\n', (size_t)(r->end - r->at));
	char prefix[32];
	size_t len = (size_t)snprintf(prefix, sizeof prefix, "//%s: ", name);
	size_t all = nl ? (size_t)(nl - r->at) : 0;

	if (all < len || all - len > TERM_MAX || memcmp(r->at, prefix, len))
		return false;
	memcpy(value, r->at + len, all - len);
	value[all - len] = 0;
	r->at = nl + 1;
	return true;
}

static bool read_time(const char *text, int64_t *out)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	*out = end && !*end ? (int64_t)timegm(&tm) : -1;
	return *out >= 0;
}

static bool read_terms(struct rest *r, struct signed_terms *t)
{
	char version[TERM_MAX + 1], expires[TERM_MAX + 1], nonce[TERM_MAX + 1], key[TERM_MAX + 1];

	return next_term(r, "actord-patch", version) && !strcmp(version, "1") &&
	       next_term(r, "for", t->target) && next_term(r, "actors", t->actors) &&
	       next_term(r, "author", t->author) && next_term(r, "note", t->note) &&
	       next_term(r, "file", t->file) && next_term(r, "expires", expires) &&
	       next_term(r, "nonce", nonce) && next_term(r, "key", key) &&
	       read_time(expires, &t->expires_s) && strlen(nonce) == 2 * NONCE_LEN &&
	       hex_read(nonce, t->nonce, NONCE_LEN) && strlen(key) == 2 * KEY_LEN &&
	       hex_read(key, t->key, KEY_LEN);
}

static bool spelled_alike(const struct signed_terms *t, const char *text, size_t len)
{
	struct buf again = { 0 };
	bool alike;

	add_terms(t, &again);
	alike = again.len == len && !memcmp(again.p, text, len);
	buf_fini(&again);
	return alike;
}

/* --- the whole ---------------------------------------------------------------------------- */

bool signed_looks(const char *text, size_t len)
{
	return len >= FIRST_LEN && !memcmp(text, first, FIRST_LEN);
}

int signed_read(const char *text, size_t len, struct signed_terms *t, const char **source,
                size_t *source_len, struct why *why)
{
	struct rest r = { text + HEAD_LEN, text + len };
	uint8_t signature[SIGNATURE_LEN];
	struct signed_terms terms;

	if (!signed_looks(text, len) || len < HEAD_LEN || text[HEAD_LEN - 1] != '\n' ||
	    !hex_read(text + FIRST_LEN, signature, SIGNATURE_LEN) || !read_terms(&r, &terms) ||
	    !spelled_alike(&terms, text + HEAD_LEN, (size_t)(r.at - text) - HEAD_LEN))
		return why_set(why, ACTOR_EARGS, "this is no signed patch as `actorctl sign` makes "
		               "them: it was cut or changed on its way; sign it again");
	begin();
	if (!seal_fits(signature, text + HEAD_LEN, len - HEAD_LEN, terms.key))
		return why_set(why, ACTOR_EARGS, "the signature does not fit: the patch was "
		               "changed after it was signed, or signed by another key; "
		               "sign it again");
	*t = terms;
	*source = r.at;
	*source_len = (size_t)(r.end - r.at);
	return 0;
}

static int one_line(const char *name, const char *value, struct why *why)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return why_set(why, ACTOR_EARGS,
			               "%s: a line has no line breaks or controls", name);
	return 0;
}

int signed_make(struct signed_terms *t, const uint8_t secret[SECRET_LEN], const char *source,
                size_t len, struct buf *out, struct why *why)
{
	uint8_t signature[SIGNATURE_LEN];
	struct buf covered = { 0 };

	if (one_line("the target", t->target, why) || one_line("the actors", t->actors, why) ||
	    one_line("the author", t->author, why) || one_line("the note", t->note, why) ||
	    one_line("the file's name", t->file, why))
		return ACTOR_EARGS;
	begin();
	seal_random(t->nonce, NONCE_LEN);
	seal_key_of(secret, t->key);
	add_terms(t, &covered);
	buf_add(&covered, source, len);
	seal_sign(signature, covered.p, covered.len, secret);
	buf_text(out, first);
	hex_add(out, signature, SIGNATURE_LEN);
	buf_text(out, "\n");
	buf_add(out, covered.p, covered.len);
	buf_fini(&covered);
	return 0;
}
