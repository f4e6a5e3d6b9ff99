/* SPDX-License-Identifier: MIT
 * suspects.c - see suspects.h.
 *
 *   actord:{node:NAME}:suspect   hash: upto (inbox.c), hand "ID NTH", life, deaths
 *
 * The letter has the form of those of shared streams (heirs.c), and stands with them. */
#include "suspects.h"

#include <inttypes.h>
#include <stdio.h>

#include "envelope.h"
#include "log.h"

/* A script that has begun by taking away may write on where memory is full. */
static const char note_script[] =
	"local h = redis.call('HMGET', KEYS[1], 'hand', 'life', 'deaths')"
	" redis.call('HDEL', KEYS[1], 'hand')"
	" if h[1] ~= ARGV[1] then h[3] = 0"
	" elseif h[2] ~= ARGV[2] then h[3] = h[3] + 1 end"
	" redis.call('HSET', KEYS[1], 'hand', ARGV[1], 'life', ARGV[2], 'deaths', h[3])"
	" return tonumber(h[3])";

static void on_noted(void *arg, const struct redis_reply *r)
{
	struct suspects *s = arg;

	if (r->type != REDIS_GONE)
		s->noted(s->arg, r->integer, r->type == REDIS_ERROR ? r->str : NULL);
}

void suspects_note(struct suspects *s, const struct id *id, unsigned nth, int64_t life_ms)
{
	char hand[64], life[24];
	const char *argv[] = { "EVAL", note_script, "1", s->key, hand, life };
	size_t len[ARRAY_LEN(argv)];

	snprintf(hand, sizeof hand, "%" PRIu64 "-%" PRIu64 " %u", id->ms, id->number, nth);
	snprintf(life, sizeof life, "%" PRId64, life_ms);
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = strlen(argv[i]);
	s->port->command(s->port->link, on_noted, s, ARRAY_LEN(argv), argv, len);
}

static void on_buried(void *arg, const struct redis_reply *r)
{
	struct suspects *s = arg;

	if (r->type != REDIS_GONE)
		s->buried(s->arg, r->type == REDIS_ERROR ? r->str : NULL);
}

void suspects_bury(struct suspects *s, const struct id *id, const struct part *part)
{
	struct envelope e = { .enc = ENC_MSGPACK, .tpc = { part->to, strlen(part->to) },
	                      .func = { part->what, strlen(part->what) },
	                      .args = part->args, .count = part->count };
	struct buf m = { 0 };
	char key[NAME_MAX_LEN + 24], at[48], deaths[16], reason[100];
	const char *argv[] = { "XADD", key, "*", "m", NULL, "id", at, "deaths", deaths,
	                       "reason", reason };
	size_t len[ARRAY_LEN(argv)];

	envelope_write(&m, &e);
	argv[4] = m.p;
	snprintf(key, sizeof key, "actord:{%s}:dead", part->to);
	snprintf(at, sizeof at, "%" PRIu64 "-%" PRIu64, id->ms, id->number);
	snprintf(deaths, sizeof deaths, "%d", SUSPECTS_DEATHS + 1);
	snprintf(reason, sizeof reason, "%d lives of its node ended while they had it, the last "
	         "%d of them nothing else", SUSPECTS_DEATHS + 1, SUSPECTS_DEATHS);
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = argv[i] == m.p ? m.len : strlen(argv[i]);
	log_line(LOG_WARN, "bus", "message %s for %s (%s) is put into %s: %s", at, part->to,
	         part->what, key, reason);
	s->port->command(s->port->link, on_buried, s, ARRAY_LEN(argv), argv, len);
	buf_fini(&m);
}
