/* SPDX-License-Identifier: MIT
 * login_token: lets in who brings a token instead of a password (--login login_token, and
 * --token-key FILE with the secret that it is signed with): a JWT, HS256, whose `sub` is the user.
 * Who says another name than the token is refused; "-" takes the token's. */
#include <string.h>

#include "actor.h"

enum { PLACES = 1024, NAME_SIZE = 256, WAIT_MS = 8000 };

struct login_token {
	actor_ref proof;
	struct { int64_t ask; msg_caller caller; char user[NAME_SIZE]; } place[PLACES];
};

static int start(actor *self)
{
	((struct login_token *)actor_state(self))->proof = actor_find("proof");
	return 0;
}

static int place_of(const struct login_token *l, int64_t ask)
{
	for (int i = 0; i < PLACES; i++)
		if (l->place[i].ask == ask)
			return i;
	return -1;
}

static int admit(actor *self, const msg *m)
{
	struct login_token *l = actor_state(self);
	int i = place_of(l, 0);
	int64_t ask;

	if (msg_len(m, 0) >= NAME_SIZE)
		return msg_fail(m, "a name has %d bytes at most", NAME_SIZE - 1);
	ask = i < 0 ? ACTOR_EFULL
	            : actor_ask(self, l->proof, "token", "checked", WAIT_MS, msg_str(m, 1));
	if (ask < 0)
		return msg_fail_as(m, ACTOR_EFULL, "too many logins at once: try again");
	l->place[i].ask = ask;
	l->place[i].caller = msg_defer(m);
	memcpy(l->place[i].user, msg_str(m, 0), msg_len(m, 0) + 1);
	return 0;
}

static int checked(actor *self, const msg *m)
{
	struct login_token *l = actor_state(self);
	int i = msg_ask(m) ? place_of(l, msg_ask(m)) : -1;
	const char *user = i < 0 ? "" : l->place[i].user;

	if (i < 0)
		return 0;
	l->place[i].ask = 0;
	if (msg_error(m))
		return actor_refuse_as(self, l->place[i].caller, msg_error(m), "%s",
				       msg_error_text(m));
	if (strcmp(user, "-") && strcmp(user, msg_str(m, 0)))
		return actor_refuse(self, l->place[i].caller, "the token is for another user");
	return actor_answer(self, l->place[i].caller, msg_str(m, 0));
}

const struct actor_type login_token = {
	.name  = "login_token",
	.state = sizeof(struct login_token),
	.start = start,
	.on    = ON({ "login",   "user:str proof:str",   admit,   0 },
	            { "checked", "sub:str? claims:map?", checked, 0 }),
};
