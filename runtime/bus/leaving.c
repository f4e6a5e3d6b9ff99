/* SPDX-License-Identifier: MIT
 * leaving.c - see leaving.h.
 *
 * The idea: each node is a consumer of the group; the last to leave deletes a stream that is empty.
 * The dead do not leave, so who leaves and is not the last looks who of those that stay is dead,
 * and ends their parts, too. Where nobody can say that yet, the whole is to be tried again: left()
 * hears that we are not through. The loop's thread. */
#include "leaving.h"

enum { OTHERS_MOST = 256 };

/* ARGV: whose part ends: ours, and those of nodes that are gone. Who else has one is answered. */
static const char leave_script[] =
	"local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])"
	" if groups.err then return {} end"
	" local goes, stay = {}, {}"
	" for _, name in ipairs(ARGV) do goes[name] = true end"
	" for _, c in ipairs(redis.pcall('XINFO', 'CONSUMERS', KEYS[1], 'actord')) do"
	"  if goes[c[2]] and c[4] == 0 then"
	"   redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'actord', c[2])"
	"  else table.insert(stay, c[2]) end"
	" end"
	" if #stay == 0 and #groups <= 1 and redis.call('XLEN', KEYS[1]) == 0 then"
	"  redis.call('DEL', KEYS[1]) end"
	" return stay";

/* How many of them are gone, of whom the first are put into gone; unsure: of some nobody knows. */
static int look_at(const struct shared *st, const struct redis_reply *names, const char **gone,
                   bool *unsure)
{
	int n = 0;

	for (size_t i = 0; i < names->items; i++) {
		int there = st->share->there(st->share->arg, names->item[i].str);

		*unsure = *unsure || there < 0;
		if (!there && n < OTHERS_MOST)
			gone[n++] = names->item[i].str;
	}
	return n;
}

static void left(struct shared *st, const struct redis_reply *r, bool through)
{
	if (r->type == REDIS_ERROR)
		shared_say(st->share, st->key, r->str);
	st->share->left(st, through && r->type == REDIS_LIST);
}

static void on_left_alone(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);

	if (st->state == LEAVING && r->type != REDIS_GONE)
		left(st, r, true);
}

static void on_left(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	const char *argv[5 + OTHERS_MOST] = { "EVAL", leave_script, "1", st->key,
	                                      st->share->node };
	bool unsure = false;
	int gone;

	if (st->state != LEAVING || r->type == REDIS_GONE)
		return;
	gone = r->type == REDIS_LIST ? look_at(st, r, argv + 5, &unsure) : 0;
	if (!gone)
		left(st, r, !unsure);
	else if (unsure)        /* all of them at once, then */
		left(st, r, false);
	else
		shared_tell(st, on_left_alone, 5 + gone, argv);
}

void leaving_begin(struct shared *st)
{
	const char *argv[] = { "EVAL", leave_script, "1", st->key, st->share->node };

	st->state = LEAVING;
	shared_tell(st, on_left, ARRAY_LEN(argv), argv);
}
