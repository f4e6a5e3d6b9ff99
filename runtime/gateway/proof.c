/* SPDX-License-Identifier: MIT
 * proof.c - the actor `proof`: what passwords and tokens take of cryptography.
 *
 *   hash password:str             what to keep of a password: argon2id, its salt and cost in it
 *   check hash:str password:str   answers, or refuses; "" takes as long, and is refused
 *   token token:str               whom it is for (`sub`), and the map of all that it claims
 *
 * A token is a JWT signed by HS256 (RFC 7519, RFC 7515) with the key of --token-key; any other
 * algorithm, "none" above all, is refused, and so is one without `sub`, or whose `exp` has passed
 * or `nbf` is to come. Source of the cost of a hash: OWASP's Password Storage Cheat Sheet,
 * argon2id with 19 MiB and two passes.
 *
 * Threads: one of its own, as a hash takes tens of milliseconds, on purpose. A flood of logins
 * holds up other logins, and nothing else. */
#include "proof.h"

#include <errno.h>
#include <stdio.h>

#include "json.h"
#include "ports.h"
#include "seal.h"

enum { PASSES = 2, MEMORY = 19 << 20, KEY_LEAST = 32, KEY_MOST = 4096, TOKEN_MOST = 8192 };

static char no_hash[SEAL_PASSWORD];    /* of nothing anybody knows */
static unsigned char key[KEY_MOST];
static size_t key_len;

/* --- passwords ---------------------------------------------------------------------------- */

static int hash(actor *self, const msg *m)
{
	char out[SEAL_PASSWORD];

	(void)self;
	if (!seal_password(out, msg_str(m, 0), msg_len(m, 0), PASSES, MEMORY))
		return msg_fail(m, "there is no memory to hash a password");
	return msg_reply(m, out);
}

static int check(actor *self, const msg *m)
{
	bool known = msg_len(m, 0) && msg_len(m, 0) < sizeof no_hash;
	bool fits = (no_hash[0] || seal_password(no_hash, "", 0, PASSES, MEMORY)) &&
	            seal_password_fits(known ? msg_str(m, 0) : no_hash, msg_str(m, 1),
	                               msg_len(m, 1));

	(void)self;
	return !fits || !known ? msg_fail(m, "no such user, or a wrong password") : 0;
}

/* --- tokens ------------------------------------------------------------------------------- */

/* A part's bytes, into out, which is empty. */
static bool decode(const char *part, size_t len, struct buf *out)
{
	buf_reserve(out, len + 1);
	return seal_base64url(part, len, out->p, out->cap, &out->len);
}

/* The value of this key of a map, which was read by json_read(); VALUE_NULL: none. */
static struct value claim(const struct buf *map, const char *name)
{
	return packed_get(packed_of(map), name);
}

static bool read_part(const char *part, size_t len, struct buf *map)
{
	struct buf text = { 0 };
	struct why why;
	bool fine = decode(part, len, &text) && !json_read(text.p, text.len, map, &why);

	buf_fini(&text);
	return fine;
}

static bool says_hs256(const char *part, size_t len)
{
	struct buf map = { 0 };
	struct value alg = { .type = VALUE_NULL }, crit = alg;
	bool is;

	if (read_part(part, len, &map)) {
		alg = claim(&map, "alg");
		crit = claim(&map, "crit");     /* what we do not know, and would have to */
	}
	is = alg.type == VALUE_STR && alg.len == 5 && !memcmp(alg.str, "HS256", 5) &&
	     crit.type == VALUE_NULL;
	buf_fini(&map);
	return is;
}

static bool signed_well(const char *token, size_t len, const char *sign, size_t sign_len)
{
	struct buf said = { 0 };
	bool same;

	same = decode(sign, sign_len, &said) && said.len == SEAL_DIGEST &&
	       seal_mac_fits(key, key_len, token, len, (const uint8_t *)said.p);
	buf_fini(&said);
	return same;
}

static bool is_time(const struct value *v)
{
	return v->type == VALUE_INT || v->type == VALUE_UINT || v->type == VALUE_NUM;
}

/* NULL: it holds, as far as its claims go. */
static const char *wrong_claim(const struct buf *map)
{
	struct value sub = claim(map, "sub"), exp = claim(map, "exp"), nbf = claim(map, "nbf");
	double now_s = (double)wall_ms() / 1000;

	if (sub.type != VALUE_STR || !sub.len || sub.len > NAME_MAX_LEN ||
	    memchr(sub.str, 0, sub.len))
		return "the token does not say whom it is for (sub)";
	if (exp.type != VALUE_NULL && !(is_time(&exp) && exp.num > now_s))
		return "the token's time is over";
	if (nbf.type != VALUE_NULL && !(is_time(&nbf) && nbf.num <= now_s))
		return "the token's time has not come";
	return NULL;
}

/* map: its claims. NULL, or why not. */
static const char *read_token(const char *text, size_t len, struct buf *map)
{
	const char *end = text + len, *body = memchr(text, '.', len), *sign;

	sign = body ? memchr(body + 1, '.', (size_t)(end - body - 1)) : NULL;
	if (!sign || len > TOKEN_MOST || !says_hs256(text, (size_t)(body - text)))
		return "this is no token (a JWT, HS256)";
	if (!signed_well(text, (size_t)(sign - text), sign + 1, (size_t)(end - sign - 1)))
		return "the token's signature is wrong";
	if (!read_part(body + 1, (size_t)(sign - body - 1), map))
		return "the token's claims cannot be read";
	return wrong_claim(map);
}

static int token(actor *self, const msg *m)
{
	struct buf out = { 0 }, map = { 0 };
	const char *no = key_len ? read_token(msg_str(m, 0), msg_len(m, 0), &map)
	                         : "this node has no key for tokens (--token-key)";
	int rc = no ? msg_fail(m, "%s", no) : 0;

	if (!no) {
		struct value sub = claim(&map, "sub");

		pack_str(&out, sub.str, sub.len);
		buf_add(&out, map.p, map.len);
		core_answer(self, msg_defer(m),
		            (struct packed){ (uint8_t *)out.p, (uint8_t *)out.p + out.len }, 2, 0,
		            NULL);
	}
	buf_fini(&out);
	buf_fini(&map);
	return rc;
}

/* --- its life ----------------------------------------------------------------------------- */

static const struct actor_type proof_type = {
	.name = "proof", .where = ACTOR_THREAD,
	.on = ON({ "hash",  "password:str",          hash,  0 },
	         { "check", "hash:str password:str", check, 0 },
	         { "token", "token:str",             token, 0 }),
};

/* Without what an editor leaves at the end. */
static int read_key(const char *path, struct why *why)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return why_set(why, ACTOR_EFAIL, "--token-key %s: %s", path, strerror(errno));
	key_len = fread(key, 1, sizeof key, f);
	fclose(f);
	while (key_len && (key[key_len - 1] == '\n' || key[key_len - 1] == '\r'))
		key_len--;
	if (key_len < KEY_LEAST)
		return why_set(why, ACTOR_EFAIL, "--token-key %s: a key has %d bytes at least: "
		               "openssl rand -hex 32", path, KEY_LEAST);
	return 0;
}

int proof_start(const char *token_key, struct why *why)
{
	struct type_options native = { .native = true };
	struct spawn s = { .name = "proof" };
	actor_id id;

	if (token_key && read_key(token_key, why))
		return ACTOR_EFAIL;
	if (!seal_begin())
		return why_set(why, ACTOR_EFAIL, "libsodium does not start");
	s.type = core_add_type(&proof_type, &native, NULL, why);
	return s.type ? core_spawn(&s, &id, why) : ACTOR_EFAIL;
}
