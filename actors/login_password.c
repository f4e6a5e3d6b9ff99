/* SPDX-License-Identifier: MIT
 * login_password: lets in who knows the password that was set for the name (--login
 * login_password). What a client sends as its password, mostly a hash, is never kept: the store
 * has an argon2id hash of it under login/NAME.
 *
 *   actorctl call login_password set ann 5f4dcc3b5aa765d61d8327deb882cf99
 *   actorctl call login_password remove ann
 *
 * An attempt has a place here while the store and `proof` are asked. Who finds none gets
 * ACTOR_EFULL, whose attempt takes too long ACTOR_ETIME: these are no refusals, and such clients
 * try again. */
#include <stdio.h>
#include <string.h>

#include "actor.h"

enum {
	PLACES = 256, NAME_SIZE = 256, PROOF_SIZE = 256,
	WAIT_MS = 12000,                /* longer than who asks us waits */
};

struct attempt {
	int64_t ask;                    /* 0: a free place */
	msg_caller caller;
	char user[NAME_SIZE], proof[PROOF_SIZE];
};
struct login_password {
	actor_ref store, proof;
	struct attempt attempt[PLACES];
};

static int start(actor *self)
{
	struct login_password *l = actor_state(self);

	l->store = actor_find("store");
	l->proof = actor_find("proof");
	return 0;
}

static struct attempt *attempt_of(actor *self, int64_t ask)
{
	struct login_password *l = actor_state(self);

	for (int i = 0; i < PLACES; i++)
		if (l->attempt[i].ask == ask)
			return &l->attempt[i];
	return 0;
}

static const char *key_of(const char *user, char key[NAME_SIZE + 8])
{
	snprintf(key, NAME_SIZE + 8, "login/%s", user);
	return key;
}

static int crowded(const msg *m)
{
	return msg_fail_as(m, ACTOR_EFULL, "too many logins at once: try again");
}

/* A new attempt, with what it is about; or why there is none. */
static int begin(actor *self, const msg *m, struct attempt **at)
{
	struct attempt *a = *at = attempt_of(self, 0);

	if (msg_len(m, 0) >= NAME_SIZE || msg_len(m, 1) >= PROOF_SIZE || !msg_len(m, 0))
		return msg_fail(m, "a name and a password have 1 to %d bytes", NAME_SIZE - 1);
	if (!a)
		return crowded(m);
	memcpy(a->user, msg_str(m, 0), msg_len(m, 0) + 1);
	memcpy(a->proof, msg_str(m, 1), msg_len(m, 1) + 1);
	return 0;
}

/* -1: whoever is asked has no room. */
static int under_way(const msg *m, struct attempt *a, int64_t ask)
{
	if (ask < 0)
		return crowded(m);
	a->ask = ask;
	a->caller = msg_defer(m);
	return 0;
}

static void end(struct attempt *a)
{
	memset(a, 0, sizeof *a);
}

static int refuse(actor *self, struct attempt *a, int code, const char *why)
{
	actor_refuse_as(self, a->caller, code, "%s", why);
	end(a);
	return 0;
}

/* --- a login: store.get, then proof.check -------------------------------------------------- */

static int admit(actor *self, const msg *m)
{
	struct login_password *l = actor_state(self);
	char key[NAME_SIZE + 8];
	struct attempt *a;
	int rc = begin(self, m, &a);

	return rc ? rc : under_way(m, a, actor_ask(self, l->store, "get", "found", WAIT_MS,
						   key_of(a->user, key)));
}

static int found(actor *self, const msg *m)
{
	struct login_password *l = actor_state(self);
	struct attempt *a = msg_ask(m) ? attempt_of(self, msg_ask(m)) : 0;
	const char *hash = msg_type(m, 0) == MSG_STR ? msg_str(m, 0) : "";
	int64_t ask;

	if (!a)
		return 0;
	if (msg_error(m))
		return refuse(self, a, ACTOR_ETIME, "the store does not answer: try again");
	ask = actor_ask(self, l->proof, "check", "checked", WAIT_MS, hash, a->proof);
	if (ask < 0)
		return refuse(self, a, ACTOR_EFULL, "too many logins at once: try again");
	a->ask = ask;
	return 0;
}

static int checked(actor *self, const msg *m)
{
	struct attempt *a = msg_ask(m) ? attempt_of(self, msg_ask(m)) : 0;

	if (!a)
		return 0;
	if (msg_error(m))
		return refuse(self, a, msg_error(m), msg_error_text(m));
	actor_answer(self, a->caller);
	end(a);
	return 0;
}

/* --- a new password: proof.hash, then store.put -------------------------------------------- */

static int set(actor *self, const msg *m)
{
	struct login_password *l = actor_state(self);
	struct attempt *a;
	int rc = begin(self, m, &a);

	return rc ? rc : under_way(m, a, actor_ask(self, l->proof, "hash", "hashed", WAIT_MS,
						   a->proof));
}

static int hashed(actor *self, const msg *m)
{
	struct login_password *l = actor_state(self);
	struct attempt *a = msg_ask(m) ? attempt_of(self, msg_ask(m)) : 0;
	char key[NAME_SIZE + 8];
	int64_t ask;

	if (!a)
		return 0;
	if (msg_error(m))
		return refuse(self, a, msg_error(m), msg_error_text(m));
	ask = actor_ask(self, l->store, "put", "checked", WAIT_MS, key_of(a->user, key),
			msg_str(m, 0));
	if (ask < 0)
		return refuse(self, a, ACTOR_EFULL, "the store is busy: try again");
	a->ask = ask;
	return 0;
}

static int drop(actor *self, const msg *m)
{
	struct login_password *l = actor_state(self);
	char key[NAME_SIZE + 8];

	if (msg_len(m, 0) >= NAME_SIZE)
		return msg_fail(m, "a name has 1 to %d bytes", NAME_SIZE - 1);
	return actor_send(self, l->store, "delete", key_of(msg_str(m, 0), key));
}

const struct actor_type login_password = {
	.name  = "login_password",
	.state = sizeof(struct login_password),
	.start = start,
	.on    = ON({ "login",   "user:str proof:str", admit,   0 },
	            { "set",     "user:str proof:str", set,     0 },
	            { "remove",  "user:str",           drop,    0 },
	            { "found",   "hash:any?",          found,   0 },
	            { "checked", "...",                checked, 0 },
	            { "hashed",  "hash:str?",          hashed,  0 }),
};
