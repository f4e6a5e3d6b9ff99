/* SPDX-License-Identifier: MIT
 * keys.h - whose signatures this node takes, and which it has taken already.
 *
 * One thread at a time, all but keys_given(). */
#ifndef KEYS_H
#define KEYS_H

#include "signed.h"

enum { EXPIRES_MAX_S = 30 * 86400 };    /* a signature that is valid for longer is not taken */

struct keys_config {
	const char *file;               /* --patch-keys; NULL: none are taken */
	const char *state;              /* the folder where nonces outlast a restart */
	const char *node, *groups;      /* whom patches here may be for; "a,b", NULL: none */
};

/* 0, or an error with why that names the file and line. Borrows the texts. */
int  keys_open(const struct keys_config *c, struct why *why);
void keys_close(void);
bool keys_given(void);                  /* was there a file? */
/* A signed patch that this node takes now: signed_read(), and its key is known, it has not
 * expired, is for this node, and was not taken before. ACTOR_EARGS with why. */
int  keys_check(const char *text, size_t len, struct signed_terms *t, const char **source,
                size_t *source_len, struct why *why);
/* Does it allow to change all of these, "counter, rpc"? ACTOR_EARGS with why. */
int  keys_allow(const struct signed_terms *t, const char *actors, struct why *why);
/* Never takes it again. ACTOR_EFAIL with why: that could not be noted down, so it must not be taken
 * now. */
int  keys_spend(const struct signed_terms *t, struct why *why);

#endif
