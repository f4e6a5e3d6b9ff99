/* SPDX-License-Identifier: MIT
 * ctl_guess.c - see ctl_guess.h. The one with the fewest edits (optimal string alignment: a
 * character more, less, another, or two swapped), and at most one edit in three characters. A
 * beginning counts as one edit. */
#include "ctl_guess.h"

#include <stdio.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t edits(const char *a, const char *b)
{
	size_t d[GUESS_LONGEST + 1][GUESS_LONGEST + 1], la = strlen(a), lb = strlen(b);

	for (size_t i = 0; i <= la; i++)
		for (size_t k = 0; k <= lb; k++) {
			if (!i || !k) {
				d[i][k] = i + k;
				continue;
			}
			d[i][k] = least(d[i - 1][k - 1] + (a[i - 1] != b[k - 1]),
			                least(d[i - 1][k], d[i][k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1);
		}
	return d[la][lb];
}

struct guess guess_begin(const char *word)
{
	size_t len = strlen(word);

	return (struct guess){ word, NULL, len > GUESS_LONGEST ? 0 : len / 3 + 1 };
}

void guess_offer(struct guess *g, const char *name)
{
	size_t cost;

	if (g->cost <= 1 || strlen(name) > GUESS_LONGEST)
		return;
	cost = strncmp(name, g->word, strlen(g->word)) == 0 ? 1 : edits(g->word, name);
	if (cost >= g->cost)
		return;
	g->meant = name;
	g->cost = cost;
}

const char *guess_words(const struct guess *g)
{
	static char words[64];

	*words = 0;
	if (g->meant)
		snprintf(words, sizeof words, " (did you mean `%s`?)", g->meant);
	return words;
}
