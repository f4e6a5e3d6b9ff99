/* SPDX-License-Identifier: MIT
 * asked.c - see asked.h. The C library's tree; each tree belongs to one thread. */
#include "asked.h"

#include <search.h>
#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
	int64_t x = ((const struct asked *)a)->number, y = ((const struct asked *)b)->number;

	return (x > y) - (x < y);
}

void asked_add(void **tree, struct asked *a)
{
	if (!tsearch(a, tree, by_number))
		abort();
}

void *asked_take(void **tree, int64_t number)
{
	struct asked key = { number };
	void *const *node = tfind(&key, tree, by_number);
	void *found = node ? *node : NULL;

	if (found)
		tdelete(&key, tree, by_number);
	return found;
}

void asked_free(void **tree, void (*each)(void *a))
{
	tdestroy(*tree, each);
	*tree = NULL;
}
