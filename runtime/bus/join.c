/* SPDX-License-Identifier: MIT
 * join.c - see join.h.
 *
 * One script makes the stream, where it is not there, notes whose it is now, and reads what the
 * life before left: in one step, so nobody else can have opened it between. */
#include "join.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* last id, Redis's clock in ms, what was in hand ("" too: the life before did not get through what
 * it found), then senders and their words. HDEL: a full Redis takes the rest. */
static const char join_script[] =
	"redis.call('HDEL', KEYS[2], '\\0life') redis.call('HSET', KEYS[2], '\\0life', ARGV[1])"
	" if redis.call('EXISTS', KEYS[1]) == 0 then"
	" redis.call('XDEL', KEYS[1], redis.call('XADD', KEYS[1], '*', 'f', '')) end"
	" local i, last = redis.call('XINFO', 'STREAM', KEYS[1]), '0-0'"
	" for n = 1, #i, 2 do if i[n] == 'last-generated-id' then last = i[n + 1] end end"
	" local t = redis.call('TIME')"
	" local out = redis.call('HGETALL', KEYS[2])"
	" local hand, first = '-', redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]"
	" local upto = redis.call('HGET', KEYS[3], 'upto') or '0-0'"
	" local function at(id) local a, b = string.match(id, '(%d+)-(%d+)')"
	" return tonumber(a), tonumber(b) end"
	" if ARGV[2] == '1' and not first then redis.call('DEL', KEYS[3])"
	" elseif ARGV[2] == '1' then"
	" local a, b = at(first[1]) local c, d = at(upto)"
	" if a < c or (a == c and b <= d) then hand = redis.call('HGET', KEYS[3], 'hand') or ''"
	" else redis.call('DEL', KEYS[3]) end"
	" redis.call('HSET', KEYS[3], 'upto', last) end"
	" table.insert(out, 1, hand)"
	" table.insert(out, 1, string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))"
	" table.insert(out, 1, last)"
	" return out";

void join_ask(const struct redis_port *port, redis_fn *fn, void *arg, const struct join *j)
{
	const char *argv[] = { "EVAL", join_script, "3", j->key, j->seen, j->suspect, j->life,
	                       j->again ? "0" : "1" };

	wire_words(port, fn, arg, ARRAY_LEN(argv), argv);
}

/* Its life and how far it is handled; maybe also how far some behind that are gone (acks.c). */
static void remember(struct senders *all, const char *name, const char *words)
{
	struct sender *s = sender_of(all, name);
	char *end;

	s->life = s->done_life = strtoull(words, &end, 10);
	s->last = s->done_last = strtoull(end, &end, 10);
	s->gone_life = strtoull(end, &end, 10);
	s->gone_last = strtoull(end, NULL, 10);
}

/* hand: "-": nothing is suspect; "": all; "ID NTH": all but what is before that. */
static void read_hand(struct joined *j, const char *hand)
{
	j->suspect = strcmp(hand, "-") != 0;
	if (j->suspect && sscanf(hand, "%" SCNu64 "-%" SCNu64 " %u", &j->done.ms, &j->done.number,
	                         &j->done_nth) == 3 && j->done_nth)
		j->done_nth--;
}

bool join_read(const struct redis_reply *r, struct joined *out, struct senders *senders)
{
	struct joined j = { .redis_ms = 0 };

	if (r->type != REDIS_LIST || r->items < 3 || r->item[0].type != REDIS_STR ||
	    r->item[1].type != REDIS_STR || !id_read(&j.last, r->item[0].str))
		return false;
	j.redis_ms = strtoll(r->item[1].str, NULL, 10);
	read_hand(&j, r->item[2].type == REDIS_STR ? r->item[2].str : "-");
	for (size_t i = 3; senders && i + 1 < r->items; i += 2)
		if (r->item[i].type == REDIS_STR && *r->item[i].str &&
		    r->item[i].len <= NAME_MAX_LEN && r->item[i + 1].type == REDIS_STR)
			remember(senders, r->item[i].str, r->item[i + 1].str);
	*out = j;
	return true;
}
