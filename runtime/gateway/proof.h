/* SPDX-License-Identifier: MIT
 * proof.h - the actor `proof`: passwords and tokens, for the actors that let clients in. */
#ifndef PROOF_H
#define PROOF_H

#include "core.h"

/* token_key: a file with the secret that tokens are signed with, NULL: there are none. Negative
 * with why. */
int proof_start(const char *token_key, struct why *why);

#endif
