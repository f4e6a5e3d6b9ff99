/* SPDX-License-Identifier: MIT
 * leaving.c - see leaving.h.
 *
 * The idea: each node is a consumer of the group; the last to leave deletes a stream that is empty.
 * The dead do not leave, so who leaves and is not the last looks who of those that stay is dead,
 * and ends their parts, too. Where nobody can say that yet, the whole is to be tried again: left()
 * hears that we are not through.
 *
 * What Redis takes for ours, and we never took, as a link was lost or a lease, goes back first: who
 * has the name next would wait for it as long as we live. The loop's thread. */
#include "leaving.h"

enum { OTHERS_MOST = 256 };

/* ARGV: whether what is pending for us goes back; whose part ends: ours, and those of nodes that
 * are gone. Who else has one, and nothing pending, is answered. */
static const char leave_script[] =
	"local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])"
	" if groups.err then return {} end"
	/* no entry's: behind it, where memory is full, XADD is allowed */
	" redis.call('XACK', KEYS[1], 'actord', '0-0')"
	" local at = ARGV[1] == '1' and '-'"
	" while at do"
	"  local some = redis.pcall('XPENDING', KEYS[1], 'actord', at, '+', 100, ARGV[2])"
	"  at = nil"
	"  for _, p in ipairs(some) do"
	"   local e = redis.call('XRANGE', KEYS[1], p[1], p[1])[1]"
	"   local f = e and e[2] or {}"
	"   if #f < 1000 then"            /* more do not fit into a command of a script's */
	"    table.insert(f, 'again') table.insert(f, '1')"
	"    if e then redis.call('XADD', KEYS[1], '*', unpack(f)) end"
	"    redis.call('XACK', KEYS[1], 'actord', p[1])"
	"    redis.call('XDEL', KEYS[1], p[1])"
	"   end"
	"   at = '(' .. p[1]"
	"  end"
	" end"
	" local goes, stay, free = {}, 0, {}"
	" for i = 2, #ARGV do goes[ARGV[i]] = true end"
	" for _, c in ipairs(redis.pcall('XINFO', 'CONSUMERS', KEYS[1], 'actord')) do"
	"  if goes[c[2]] and c[4] == 0 then"
	"   redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'actord', c[2])"
	"  else"
	"   stay = stay + 1"
	"   if c[4] == 0 then table.insert(free, c[2]) end"
	"  end"
	" end"
	" if stay == 0 and #groups <= 1 and redis.call('XLEN', KEYS[1]) == 0 then"
	"  redis.call('DEL', KEYS[1]) end"
	" return free";

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

static void on_left(void *arg, const struct redis_reply *r)
{
	struct shared *st = shared_told(arg);
	const char *argv[6 + OTHERS_MOST] = { "EVAL", leave_script, "1", st->key, "0",
	                                      st->share->node };
	bool unsure = false;
	int gone;

	if (st->state != LEAVING || r->type == REDIS_GONE)
		return;
	gone = r->type == REDIS_LIST ? look_at(st, r, argv + 6, &unsure) : 0;
	if (!gone)
		left(st, r, !unsure);
	else if (unsure)        /* all of them at once, then */
		left(st, r, false);
	else
		shared_tell(st, on_left, 6 + gone, argv);       /* there may be more */
}

void leaving_begin(struct shared *st, bool back)
{
	const char *argv[] = { "EVAL", leave_script, "1", st->key, back ? "1" : "0",
	                       st->share->node };

	st->state = LEAVING;
	shared_tell(st, on_left, ARRAY_LEN(argv), argv);
}
