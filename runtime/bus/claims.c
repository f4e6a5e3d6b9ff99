/* SPDX-License-Identifier: MIT
 * claims.c - see claims.h.
 *
 *   actord:{claim:NAME}         node and life of the holder, with an expiry: the lease
 *   actord:{claim:NAME}:token   the last token given; only grows, never expires; after a Redis that
 *                               has lost it by its clock, so that none is given twice
 *   actord:{claim:NAME}:data    hash of what holders put
 *
 * The idea: a lease alone does not keep a holder that was asleep from writing after it ended. So
 * each claim gives a greater number, and Redis, which both sides write through, compares it in the
 * same step as it writes: what bears an older one is refused, however late it comes. */
#include "claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "envelope.h"
#include "log.h"
#include "value.h"

enum { KEYS = 3, WORDS = 10 };

struct claim { struct claim *next; char *name; int64_t token; };

struct claims {
	actor *self;
	const struct redis_port *port;
	char *holder;                   /* as what we are known */
	struct claim *first;
	struct loop_timer *timer;
	unsigned leaving;               /* releases at the stop that Redis has not answered */
};

struct asked { struct claims *of; msg_caller caller; char *name; int64_t token; };

static const char claim_script[] =
	"local had = redis.call('GET', KEYS[1])"
	/* longer than a lease: of a clock that was set back, or of a failover to one behind */
	" if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then"
	"  redis.call('PEXPIRE', KEYS[1], ARGV[2]) end"
	" if had and had ~= ARGV[1] then return {0, had} end"
	" local t = had and redis.call('GET', KEYS[2])"
	" if not t then"
	"  local now = redis.call('TIME')"
	"  t = string.format('%.0f', math.max((tonumber(redis.call('GET', KEYS[2])) or 0) + 1,"
	"   now[1] * 1000 + math.floor(now[2] / 1000)))"
	"  redis.call('SET', KEYS[2], t) end"
	" redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"
	" return {tonumber(t), ARGV[1]}";
static const char renew_script[] =
	"if redis.call('GET', KEYS[2]) ~= ARGV[3] then"
	"  return redis.call('GET', KEYS[1]) or '' end"
	" redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"
	" return 1";
static const char put_script[] =
	"local last = redis.call('GET', KEYS[2])"
	" if last ~= ARGV[1] then return {0, last or '0'} end"
	" redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])"
	" return {1, last}";
static const char release_script[] =
	"if redis.call('GET', KEYS[2]) ~= ARGV[3] then return -1 end"
	" redis.call('INCR', KEYS[2])"
	" return redis.call('DEL', KEYS[1])";
static const char get_script[] = "return redis.call('HGET', KEYS[3], ARGV[1])";

static struct text text(const char *s)
{
	return (struct text){ s, strlen(s) };
}

/* --- Redis -------------------------------------------------------------------------------- */

static int run(struct claims *c, redis_fn *fn, void *arg, const char *script, const char *name,
               const struct text word[3])
{
	struct buf key[KEYS] = { { 0 } };
	const char *argv[WORDS] = { "EVAL", script, "3" };
	size_t len[WORDS];
	int n = 3 + KEYS, rc;

	buf_printf(&key[0], "actord:{claim:%s}%c", name, 0);
	buf_printf(&key[1], "actord:{claim:%s}:token%c", name, 0);
	buf_printf(&key[2], "actord:{claim:%s}:data%c", name, 0);
	for (int i = 0; i < KEYS; i++)
		argv[3 + i] = key[i].p;
	for (int i = 0; i < n; i++)
		len[i] = strlen(argv[i]);
	for (int i = 0; i < 3 && word[i].p; i++) {
		argv[n] = word[i].p;
		len[n++] = word[i].len;
	}
	rc = c->port->command(c->port->link, fn, arg, n, argv, len);
	for (int i = 0; i < KEYS; i++)
		buf_fini(&key[i]);
	return rc;
}

static void asked_free(struct asked *a)
{
	mem_free(a->name);
	mem_free(a);
}

static void done(struct asked *a, const struct buf *values, int code, const char *text)
{
	struct packed in = { NULL, NULL };

	if (values)
		in = (struct packed){ (uint8_t *)values->p, (uint8_t *)values->p + values->len };
	core_answer(a->of->self, a->caller, in, values ? 1 : 0, code, text);
	asked_free(a);
}

/* What is common to all that went wrong. True: it did. */
static bool went_wrong(struct asked *a, const struct redis_reply *r)
{
	if (r->type == REDIS_GONE)
		done(a, NULL, ACTOR_EFAIL, "Redis is away");
	else if (r->type == REDIS_ERROR)
		done(a, NULL, ACTOR_EFAIL, r->str);
	return r->type == REDIS_GONE || r->type == REDIS_ERROR;
}

/* --- those we hold ------------------------------------------------------------------------ */

static struct claim **find(struct claims *c, const char *name)
{
	struct claim **at = &c->first;

	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static void drop(struct claim **at)
{
	struct claim *x = *at;

	*at = x->next;
	mem_free(x->name);
	mem_free(x);
}

static void hold(struct claims *c, const char *name, int64_t token)
{
	struct claim **at = find(c, name);

	if (!*at) {
		*at = mem_alloc(sizeof **at);
		(*at)->name = mem_string(name, strlen(name));
	}
	(*at)->token = token;
	loop_timer_set(c->timer, CLAIMS_RENEW_MS);
}

static void on_renewed(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;
	struct claim **at = find(a->of, a->name);
	struct buf b = { 0 };

	if (r->type == REDIS_STR && *at && (*at)->token == a->token) {
		log_line(LOG_WARN, "bus", "the claim of %s is lost: %s%.*s", a->name,
		         r->len ? "it is now of the node " : "Redis has forgotten it",
		         (int)strcspn(r->str, " "), r->str);
		drop(at);
		pack_text(&b, a->name);
		core_publish(NULL, "claim lost",
		             (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len }, 1);
		buf_fini(&b);
	}
	asked_free(a);
}

static struct asked *asked_new(struct claims *c, const char *name, int64_t token)
{
	struct asked *a = mem_alloc(sizeof *a);

	a->of = c;
	a->name = mem_string(name, strlen(name));
	a->token = token;
	return a;
}

static void on_timer(void *arg)
{
	struct claims *c = arg;
	char lease[16], token[24];

	snprintf(lease, sizeof lease, "%d", CLAIMS_LEASE_MS);
	for (struct claim *x = c->first; x; x = x->next) {
		struct asked *a = asked_new(c, x->name, x->token);

		snprintf(token, sizeof token, "%" PRId64, x->token);
		if (run(c, on_renewed, a, renew_script, x->name,
		        (const struct text[]){ text(c->holder), text(lease), text(token) }))
			asked_free(a);
	}
	if (c->first)
		loop_timer_set(c->timer, CLAIMS_RENEW_MS);
}

/* --- what actors ask ---------------------------------------------------------------------- */

static void on_claimed(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;
	struct buf b = { 0 };
	struct why why;

	if (went_wrong(a, r))
		return;
	if (r->type != REDIS_LIST || r->items != 2 || !r->item[0].integer) {
		why_set(&why, 0, "%s is claimed by the node %.*s", a->name,
		        (int)strcspn(r->item[1].str, " "), r->item[1].str);
		done(a, NULL, ACTOR_EFAIL, why.text);
		return;
	}
	hold(a->of, a->name, r->item[0].integer);
	pack_int(&b, r->item[0].integer);
	done(a, &b, 0, NULL);
	buf_fini(&b);
}

static void on_put(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;
	struct why why;

	if (went_wrong(a, r))
		return;
	if (r->type == REDIS_LIST && r->items == 2 && r->item[0].integer) {
		done(a, NULL, 0, NULL);
		return;
	}
	why_set(&why, 0, "the token %" PRId64 " of %s is stale: the last given is %s", a->token,
	        a->name, r->type == REDIS_LIST && r->items == 2 ? r->item[1].str : "another");
	done(a, NULL, ACTOR_EFAIL, why.text);
}

static void on_got(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;
	struct buf b = { 0 };

	if (went_wrong(a, r))
		return;
	if (r->type != REDIS_STR || !utf8_valid(r->str, r->len)) {
		done(a, NULL, ACTOR_ENOENT, "nothing is kept under that key");
		return;
	}
	pack_str(&b, r->str, r->len);
	done(a, &b, 0, NULL);
	buf_fini(&b);
}

static void on_released(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;
	struct why why;

	if (went_wrong(a, r))
		return;
	if (r->type == REDIS_INT && r->integer < 0) {
		why_set(&why, 0, "the token %" PRId64 " of %s is stale: that claim is another's, "
		        "or was released", a->token, a->name);
		done(a, NULL, ACTOR_EFAIL, why.text);
		return;
	}
	done(a, NULL, 0, NULL);
}

static void ask(struct claims *c, const msg *m, redis_fn *fn, const char *script,
                const struct text word[3], int64_t token)
{
	struct asked *a = asked_new(c, msg_str(m, 2), token);

	a->caller = msg_defer(m);
	if (run(c, fn, a, script, a->name, word))
		done(a, NULL, ACTOR_EFAIL, "Redis is away");
}

/* Have the values behind to and what these types? The first is the name that is claimed. */
static bool shape(const msg *m, const char *types)
{
	int n = (int)strlen(types);

	for (int i = 0; i < n; i++)
		if (msg_type(m, 2 + i) != (types[i] == 'i' ? MSG_INT : MSG_STR))
			return false;
	return msg_count(m) == 2 + n;
}

static struct text value(const msg *m, int i)
{
	return (struct text){ msg_str(m, i), msg_len(m, i) };
}

static bool is_name(const msg *m)
{
	size_t len = msg_len(m, 2);

	return len && len <= NAME_MAX_LEN && strlen(msg_str(m, 2)) == len;
}

static void let_go(struct claims *c, const char *name, int64_t token)
{
	struct claim **at = find(c, name);

	if (*at && (*at)->token == token)
		drop(at);
}

bool claims_asked(struct claims *c, const msg *m, const char *what)
{
	static const char *const shape_of[][2] = {
		{ "claim", "s" }, { "put", "siss" }, { "get", "ss" }, { "release", "si" } };
	int64_t number = msg_int(m, 3);
	char lease_ms[16], number_is[24];
	struct text lease, token;
	size_t i = 0;

	while (i < ARRAY_LEN(shape_of) &&
	       (strcmp(what, shape_of[i][0]) || !shape(m, shape_of[i][1])))
		i++;
	if (i == ARRAY_LEN(shape_of))
		return false;
	if (!is_name(m)) {
		msg_fail_as(m, ACTOR_EARGS, "what is claimed has a name of 1 to %d bytes, none of "
		            "them NUL", NAME_MAX_LEN);
		return true;
	}
	snprintf(lease_ms, sizeof lease_ms, "%d", CLAIMS_LEASE_MS);
	snprintf(number_is, sizeof number_is, "%" PRId64, number);
	lease = text(lease_ms);
	token = text(number_is);
	switch (*what) {
	case 'c':
		ask(c, m, on_claimed, claim_script,
		    (const struct text[3]){ text(c->holder), lease }, 0);
		break;
	case 'p':
		ask(c, m, on_put, put_script,
		    (const struct text[]){ token, value(m, 4), value(m, 5) }, number);
		break;
	case 'g':
		ask(c, m, on_got, get_script, (const struct text[3]){ value(m, 3) }, 0);
		break;
	default:
		let_go(c, msg_str(m, 2), number);
		ask(c, m, on_released, release_script,
		    (const struct text[]){ text(c->holder), lease, token }, number);
	}
	return true;
}

/* --- the face ----------------------------------------------------------------------------- */

struct claims *claims_new(struct loop *l, actor *self, const struct redis_port *port,
                          const char *node)
{
	struct claims *c = mem_alloc(sizeof *c);
	struct buf b = { 0 };

	c->self = self;
	c->port = port;
	buf_printf(&b, "%s %016" PRIx64, node, random_u64());
	c->holder = mem_string(b.p, b.len);
	buf_fini(&b);
	c->timer = loop_timer_new(l, on_timer, c);
	return c;
}

static void on_left(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;

	(void)r;
	a->of->leaving--;
	asked_free(a);
}

static void release(struct claims *c, const struct claim *x)
{
	struct asked *a = asked_new(c, x->name, x->token);
	char token[24];

	snprintf(token, sizeof token, "%" PRId64, x->token);
	if (run(c, on_left, a, release_script, x->name,
	        (const struct text[]){ text(c->holder), text(""), text(token) }))
		asked_free(a);          /* without a link the lease ends by itself */
	else
		c->leaving++;
}

bool claims_leave(struct claims *c)
{
	while (c->first) {
		release(c, c->first);
		drop(&c->first);
	}
	return !c->leaving;
}

void claims_free(struct claims *c)
{
	if (!c)
		return;
	while (c->first)
		drop(&c->first);
	loop_timer_free(c->timer);
	mem_free(c->holder);
	mem_free(c);
}
