/* SPDX-License-Identifier: MIT
 * outbox.c - answers on their way.
 *
 * The idea: an answer is PUBLISHed, as one kind of caller subscribes to what it named; where
 * Redis says that nobody heard it, it goes onto the list of that name, as the other kind pops.
 * A letter lives from outbox_write() to Redis's last word on it, and is used again.
 *
 *      write -> send --up--> PUBLISH --nobody--> RPUSH (+ EXPIRE if that made the list) -> spare
 *                `--away--> queue --outbox_up()--^
 *
 * Who took the last answer from a list takes the next one there, too, most likely, so for it both
 * are said at once, by a script: a caller by lists waits for Redis once less (actor-bench
 * redis-low), and what Redis says of it wakes nobody while few are under way. Whether it does is
 * remembered by the hash of its name, as either way is right for anybody.
 *
 * Invariants: an answer is never sent twice, so one whose fate is unknown, as the link was lost
 * after it was written, is given up; but one that is sure (its question came by a stream, and is
 * not handled again) comes twice rather than not at all. What is queued is bounded; what is given
 * up is counted, and said once in a while. To one caller they go in order: none goes both ways at
 * once while one before it has still to be said the second time. Making the list and dating it is
 * one step (a script): between two, a list could have become somebody else's.
 *
 * The loop's thread only. Knows neither topics nor encodings. */
#include "outbox.h"

#include <stdio.h>

#include "log.h"

enum {
	SPARES_MOST = 4096, SAY_MS = 5000, EXPIRE_DIGITS = 16, CALLERS = 256,
	REST_MOST = 16,                 /* more under way: replies are read as they come */
};

/* All whose names have one hash. */
struct caller {
	bool pops;                      /* nobody was subscribed, the last time */
	unsigned published;             /* answers whose PUBLISH may be followed by an RPUSH */
};

struct letter {
	struct letter *next;
	struct outbox *of;
	struct caller *caller;
	size_t to;                      /* bytes of the topic's name, which bytes begins with */
	bool sure;
	struct buf bytes;
};

struct outbox {
	const struct redis_port *port;
	bool scripts;
	struct caller caller[CALLERS];
	void (*spare)(void *arg);
	void *arg;
	struct letter *writing;
	struct letter *spares;
	struct letter *first, **last;   /* what waits for Redis */
	unsigned spare_count, queued, under_way;
	size_t queued_bytes, under_way_bytes;
	uint64_t sent, dropped, unsaid;
	int64_t said_ms;
};

static const char push_script[] =
	"local n = redis.call('RPUSH', KEYS[1], ARGV[1])"
	" if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end"
	" return n";

/* The same behind a PUBLISH; negative: so many were subscribed. */
static const char both_script[] =
	"local n = redis.call('PUBLISH', KEYS[1], ARGV[1])"
	" if n > 0 then return -n end"
	" n = redis.call('RPUSH', KEYS[1], ARGV[1])"
	" if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end"
	" return n";

struct outbox *outbox_new(const struct redis_port *port, bool scripts, void (*spare)(void *arg),
                          void *arg)
{
	struct outbox *o = mem_alloc(sizeof *o);

	o->port = port;
	o->scripts = scripts;
	o->spare = spare;
	o->arg = arg;
	o->last = &o->first;
	o->said_ms = -SAY_MS;
	return o;
}

static void letters_free(struct letter *l)
{
	struct letter *next;

	for (; l; l = next) {
		next = l->next;
		buf_fini(&l->bytes);
		mem_free(l);
	}
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	letters_free(o->first);
	letters_free(o->spares);
	mem_free(o);
}

static void put_away(struct letter *l)
{
	struct outbox *o = l->of;

	if (o->spare_count >= SPARES_MOST) {
		l->next = NULL;
		letters_free(l);
		return;
	}
	buf_clear(&l->bytes);
	l->next = o->spares;
	o->spares = l;
	o->spare_count++;
}

static void drop(struct letter *l, const char *reason, size_t len)
{
	struct outbox *o = l->of;
	int64_t now = now_ms();

	o->dropped++;
	o->unsaid++;
	if (now - o->said_ms >= SAY_MS) {
		log_line(LOG_WARN, "bus", "%llu answers given up; the last, to %.*s: %.*s",
		         (unsigned long long)o->unsaid, (int)l->to, l->bytes.p, (int)len, reason);
		o->said_ms = now;
		o->unsaid = 0;
	}
	put_away(l);
}

static void queue(struct letter *l)
{
	static const char full[] = "Redis is away, and too many wait already";
	struct outbox *o = l->of;

	if (o->queued >= OUTBOX_MOST || o->queued_bytes + l->bytes.len > OUTBOX_BYTES_MOST) {
		drop(l, full, sizeof full - 1);
		return;
	}
	l->next = NULL;
	*o->last = l;
	o->last = &l->next;
	o->queued++;
	o->queued_bytes += l->bytes.len;
}

/* --- to Redis ----------------------------------------------------------------------------- */

static void done(struct letter *l, const struct redis_reply *r)
{
	static const char gone[] = "Redis was lost before it said that it has it";
	struct outbox *o = l->of;

	o->under_way--;
	o->under_way_bytes -= l->bytes.len;
	if (r->type == REDIS_GONE && l->sure) {
		queue(l);
	} else if (r->type == REDIS_GONE) {
		drop(l, gone, sizeof gone - 1);
	} else if (r->type == REDIS_ERROR) {
		drop(l, r->str, r->len);
	} else {
		o->sent++;
		put_away(l);
	}
	o->spare(o->arg);
}

/* FNV-1a */
static struct caller *caller_of(struct outbox *o, const char *to, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)to[i]) * 16777619u;
	return &o->caller[(h ^ h >> 16) % CALLERS];
}

/* later: nobody waits for the reply. */
static int run(struct letter *l, bool later, const char *script, size_t script_len, redis_fn *fn)
{
	const struct redis_port *p = l->of->port;
	char expire[EXPIRE_DIGITS];
	const char *argv[] = { "EVAL", script, "1", l->bytes.p, l->bytes.p + l->to, expire };
	size_t len[] = { 4, script_len, 1, l->to, l->bytes.len - l->to, 0 };
	int err;

	len[5] = (size_t)snprintf(expire, sizeof expire, "%d", OUTBOX_EXPIRE_S);
	if (!later)
		return p->command(p->link, fn, l, 6, argv, len);
	err = redis_later(p, fn, l, 6, argv, len);
	redis_rest(p, true);
	return err;
}

static void on_pushed(void *arg, const struct redis_reply *r)
{
	struct letter *l = arg;

	l->caller->published--;
	done(l, r);
}

static void on_published(void *arg, const struct redis_reply *r)
{
	static const struct redis_reply gone = { .type = REDIS_GONE };
	struct letter *l = arg;

	l->caller->pops = l->of->scripts && r->type == REDIS_INT && !r->integer;
	if (r->type != REDIS_INT || r->integer)
		on_pushed(l, r);
	else if (run(l, false, push_script, sizeof push_script - 1, on_pushed))
		on_pushed(l, &gone);
}

static int publish(struct letter *l)
{
	const char *argv[] = { "PUBLISH", l->bytes.p, l->bytes.p + l->to };
	size_t len[] = { 7, l->to, l->bytes.len - l->to };
	int err = l->of->port->command(l->of->port->link, on_published, l, 3, argv, len);

	l->caller->published += !err;
	return err;
}

static void on_both(void *arg, const struct redis_reply *r)
{
	struct letter *l = arg;

	l->caller->pops = r->type == REDIS_INT && r->integer > 0;
	done(l, r);
}

static int go(struct letter *l)
{
	struct outbox *o = l->of;
	int err;

	l->caller = caller_of(o, l->bytes.p, l->to);
	err = l->caller->pops && !l->caller->published
	      ? run(l, o->under_way < REST_MOST, both_script, sizeof both_script - 1, on_both)
	      : publish(l);
	if (!err) {
		o->under_way++;
		o->under_way_bytes += l->bytes.len;
	}
	return err;
}

/* --- the face ----------------------------------------------------------------------------- */

struct buf *outbox_write(struct outbox *o, const char *to, size_t len)
{
	struct letter *l = o->spares;

	if (l) {
		o->spares = l->next;
		o->spare_count--;
	} else {
		l = mem_alloc(sizeof *l);
		l->of = o;
	}
	buf_add(&l->bytes, to, len);
	l->to = len;
	o->writing = l;
	return &l->bytes;
}

void outbox_send(struct outbox *o, bool sure)
{
	struct letter *l = o->writing;

	l->sure = sure;
	o->writing = NULL;
	if (o->first || go(l))
		queue(l);
}

void outbox_up(struct outbox *o)
{
	struct letter *l;

	while ((l = o->first) && !go(l)) {
		o->first = l->next;
		o->queued--;
		o->queued_bytes -= l->bytes.len;
	}
	if (!o->first)
		o->last = &o->first;
}

void outbox_info(const struct outbox *o, struct outbox_info *out)
{
	out->sent = o->sent;
	out->dropped = o->dropped;
	out->waiting = o->queued + o->under_way;
	out->bytes = o->queued_bytes + o->under_way_bytes;
}
