/* SPDX-License-Identifier: MIT
 * ctl_guess.h - the word that was meant by one that is misspelt. */
#ifndef CTL_GUESS_H
#define CTL_GUESS_H

#include "base.h"

struct guess { const char *word, *meant; size_t cost; };

/* For a word of at most GUESS_LONGEST bytes; a longer one is not guessed at. */
enum { GUESS_LONGEST = 31 };
struct guess guess_begin(const char *word);
/* One that there is. Borrows it. */
void guess_offer(struct guess *g, const char *name);
/* " (did you mean `inspect`?)", or "". In static memory. */
const char *guess_words(const struct guess *g);

#endif
