/* SPDX-License-Identifier: MIT
 * shards.c - see shards.h. Computes; asks nobody. */
#include "shards.h"

#include <stdio.h>

int shards_find(const struct shards *s, const char *host, int port)
{
	for (int i = 0; i < s->masters; i++)
		if (s->master[i].port == port && !strcmp(s->master[i].host, host))
			return i;
	return -1;
}

/* [first, last, [host, port, ...], replicas...]: the slots that it covers. */
static int64_t read_range(struct shards *s, const struct redis_reply *r, const char *asked)
{
	const struct redis_reply *e = r->item, *at = r->items > 2 ? &r->item[2] : NULL;
	const char *host;
	int port, m;

	if (!at || at->type != REDIS_LIST || at->items < 2 || e[0].integer < 0 ||
	    e[1].integer >= SLOTS)
		return 0;
	host = at->item[0].type == REDIS_STR && at->item[0].len ? at->item[0].str : asked;
	port = (int)at->item[1].integer;
	m = shards_find(s, host, port);
	if (m < 0 && s->masters == MASTERS_MOST)
		return 0;
	if (m < 0) {
		m = s->masters++;
		s->master[m].port = port;
		snprintf(s->master[m].host, sizeof s->master[m].host, "%s", host);
	}
	for (int64_t slot = e[0].integer; slot <= e[1].integer; slot++)
		s->at[slot] = (uint8_t)m;
	return e[1].integer - e[0].integer + 1;
}

int64_t shards_read(struct shards *s, const struct redis_reply *r, const char *asked)
{
	int64_t covered = 0;

	s->masters = 0;
	for (size_t i = 0; r->type == REDIS_LIST && i < r->items; i++)
		covered += read_range(s, &r->item[i], asked);
	return covered;
}
