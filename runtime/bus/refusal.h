/* SPDX-License-Identifier: MIT
 * refusal.h - what Redis refuses of what goes to another node, in words for who sends, and for the
 * log. */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdint.h>

enum { REFUSAL_SAY_MS = 5000 };

/* Of one of its errors ("OOM command not allowed ..."): a literal, which any thread may keep. */
const char *refusal_words(const char *error);
/* A warning of that node, so often at most; *said_ms: when the last one was. detail may be NULL. */
void refusal_say(int64_t *said_ms, const char *node, const char *what, const char *detail);

#endif
