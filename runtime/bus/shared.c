/* SPDX-License-Identifier: MIT
 * shared.c - see shared.h.
 *
 *      entry -> delivery -> messages -> intake ... all handled -> XACK + XDEL
 *                  |
 *                  +-- nobody of that name is here (any more) -> XADD + XACK + XDEL: back
 *                  |   (what of it that is)
 *                  +-- no message, or none that its actor takes, and nobody asked who could be
 *                  |   told -> XADD to :dead + XACK + XDEL (what of it that is, a letter of each
 *                  |   kind)
 *                  +-- the lease has lapsed before it was handled -> missed: others may have it
 *                      by now; what Redis says is ours still is taken once more
 *
 * Invariants: an entry is in one delivery at a time. What could not be acknowledged, as the link
 * was lost or Redis would not, is acknowledged when it can be, and not handled again. An entry
 * that came as its actor went is no message to nobody: it goes back to the stream, for another
 * node, or for the next of that name. Both are one step in Redis, and may be said twice. */
#include "shared.h"

#include <stdio.h>

#include "envelope.h"
#include "log.h"
#include "value.h"

enum { SAY_MS = 5000 };
/* Dead letters of a topic, beyond which none is added of what nobody died of: who misspells a
 * handler does not fill Redis. */
#define ASIDE_MOST "10000"

static void say(int64_t *said_ms, const char *about, const char *text)
{
	if (now_ms() - *said_ms < SAY_MS)
		return;
	*said_ms = now_ms();
	log_line(LOG_WARN, "bus", "%s: %s", about, text);
}

void shared_say(struct share *s, const char *about, const char *text)
{
	say(&s->said_ms, about, text);
}

bool shared_tell(struct shared *st, redis_fn *fn, int argc, const char **argv)
{
	bool told = !wire_words(st->share->commands, fn, st, argc, argv);

	st->commands += told;
	return told;
}

struct shared *shared_told(void *arg)
{
	struct shared *st = arg;

	st->commands--;
	return st;
}

/* --- acknowledging ------------------------------------------------------------------------ */

static const char ack_script[] =
	"redis.call('XACK', KEYS[1], 'actord', ARGV[1])"
	" redis.call('XDEL', KEYS[1], ARGV[1])"
	" return 1";

/* ARGV: id, what goes back, again, whose it has to be still, how many letters are kept; what is set
 * aside, why: that may be sent again, and that may not (deaths 0). 2: it is not, as there are so
 * many. */
static const char part_script[] =
	"local p = redis.pcall('XPENDING', KEYS[1], 'actord', ARGV[1], ARGV[1], 1)"
	" if p.err and not string.find(p.err, 'NOGROUP') then return p end"
	" if #p == 1 and p[1][2] ~= ARGV[4] then return 0 end"
	" local done, aside = 1, ARGV[6] ~= '' or ARGV[8] ~= ''"
	" if #p == 1 then"
	/* no entry's: behind a write that is allowed at the memory limit others are, too */
	"  redis.call('XACK', KEYS[1], 'actord', '0-0')"
	"  local full = aside and redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[5])"
	"  for i, deaths in ipairs({ '', '0' }) do"
	"   local m, why = ARGV[4 + 2 * i], ARGV[5 + 2 * i]"
	"   if m ~= '' and full then done = 2"
	"   elseif m ~= '' then redis.call('XADD', KEYS[2], '*', 'm', m, 'id', ARGV[1],"
	"    'deaths', deaths, 'reason', why, 'again', ARGV[3]) end"
	"  end"
	"  if ARGV[2] ~= '' then"
	"   redis.call('XADD', KEYS[1], '*', 'm', ARGV[2], 'again', ARGV[3]) end"
	" end"
	" redis.call('XACK', KEYS[1], 'actord', ARGV[1])"
	" redis.call('XDEL', KEYS[1], ARGV[1])"
	" return done";

static bool has_aside(const struct delivery *d)
{
	return d->whole.m.len || d->broken.m.len;
}

static void forget(struct delivery *d)
{
	struct delivery **at = &d->stream->first;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	d->stream->share->open--;
	buf_fini(&d->rest);
	buf_fini(&d->whole.m);
	buf_fini(&d->whole.why);
	buf_fini(&d->broken.m);
	buf_fini(&d->broken.why);
	mem_free(d);
}

static void on_acked(void *arg, const struct redis_reply *r)
{
	struct delivery *d = arg;
	struct shared *st = d->stream;
	struct share *s = st->share;
	bool taken = r->type != REDIS_ERROR;

	d->acking = false;
	if (r->type == REDIS_GONE)
		return;                 /* shared_ack_again() */
	if (!taken)
		shared_say(s, st->key, r->str);
	else if (r->type == REDIS_INT && r->integer == 2)
		say(&s->dropped_ms, st->dead, "it has " ASIDE_MOST " letters already, so what else "
		    "cannot be handled is dropped; see actorctl dead list");
	if (taken || (!has_aside(d) && strstr(r->str, "WRONGTYPE")))     /* of st->dead: again */
		forget(d);
	s->settled(st, taken);
}

/* Not all of it has been handled, or it may be another's by now. */
static void ack_part(struct delivery *d)
{
	struct shared *st = d->stream;
	const struct redis_port *port = st->share->commands;
	const struct aside *w = &d->whole, *b = &d->broken;
	const char *argv[] = { "EVAL", part_script, "2", st->key, st->dead, d->id, d->rest.p,
	                       d->again ? "1" : "0", st->share->node, ASIDE_MOST,
	                       w->m.p, w->why.p, b->m.p, b->why.p };
	size_t len[] = { 4, sizeof part_script - 1, 1, strlen(st->key), strlen(st->dead),
	                 strlen(d->id), d->rest.len, 1, strlen(st->share->node),
	                 sizeof ASIDE_MOST - 1, w->m.len, w->why.len, b->m.len, b->why.len };
	d->acking = !port->command(port->link, on_acked, d, ARRAY_LEN(argv), argv, len);
}

static void ack(struct delivery *d)
{
	struct shared *st = d->stream;
	const char *argv[] = { "EVAL", ack_script, "1", st->key, d->id };

	if (d->rest.len || has_aside(d) || !core_lease_holds(d->lease))
		ack_part(d);
	else
		d->acking = !wire_words(st->share->commands, on_acked, d, ARRAY_LEN(argv), argv);
}

void shared_ack_again(struct shared *st)
{
	for (struct delivery *d = st->first; d; d = d->next)
		if (!d->open && !d->acking)
			ack(d);
}

static void miss(struct shared *st)
{
	st->missed = st->share->missed = true;
}

/* Whoever has no room has none at once, either. */
static void fill(struct shared *st)
{
	if (st->full)
		return;
	st->full = true;
	if (!st->share->quiet)
		shared_say(st->share, st->topic->name, "as many patches wait already as may: what "
		           "comes by the stream is tried again each second");
	st->share->settled(st, false);
}

void shared_delivered(struct delivery *d)
{
	if (--d->open)
		return;
	if (d->lapsed) {
		miss(d->stream);
		forget(d);
	} else if (d->refused) {
		fill(d->stream);
		forget(d);
	} else {
		ack(d);
	}
}

uint32_t shared_lease(const struct delivery *d)
{
	return d->lease;
}

void shared_lapsed(struct delivery *d)
{
	d->lapsed = true;
}

/* No room for it, or its node stops, so that whose it was has ended: it was not begun. */
bool shared_again(struct delivery *d, int code, bool passed)
{
	bool quiet = d->stream->share->quiet;
	bool again = passed ? code == ACTOR_EFULL || (code && quiet)
		     : code == ACTOR_ENOENT && quiet;

	d->refused |= again;
	return again;
}

void shared_returned(struct delivery *d, const char *bytes, size_t len)
{
	buf_add(&d->rest, bytes, len);
	shared_delivered(d);
}

/* --- entries ------------------------------------------------------------------------------ */

bool shared_has(const struct shared *st, const char *id)
{
	const struct delivery *d = st->first;

	while (d && strcmp(d->id, id))
		d = d->next;
	return d;
}

static bool named(const struct redis_reply *field, const char *name)
{
	return field[0].type == REDIS_STR && field[1].type == REDIS_STR &&
	       !strcmp(field->str, name);
}

const char *shared_field(const struct redis_reply *entry, const char *field)
{
	const struct redis_reply *f = entry->items == 2 ? &entry->item[1] : NULL;

	for (size_t i = 0; f && i + 1 < f->items; i += 2)
		if (named(&f->item[i], field))
			return f->item[i + 1].str;
	return NULL;
}

static bool is_again(const struct redis_reply *entry)
{
	const char *again = shared_field(entry, "again");

	return again && !strcmp(again, "1");
}

/* Who writes several fields m means them all. */
static bool next_field(const struct redis_reply *fields, struct piece *p)
{
	for (size_t i = p->field; i + 1 < fields->items; i += 2) {
		const struct redis_reply *m = &fields->item[i + 1];

		if (!named(&fields->item[i], "m") || !m->len)
			continue;
		p->behind.at = (const uint8_t *)m->str;
		p->behind.end = p->behind.at + m->len;
		p->field = i + 2;
		return true;
	}
	return false;
}

static bool is_map(uint8_t first)
{
	return (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
}

/* Maps in a row; or JSON or text, which ends where its field does. Of what is no message those
 * behind it are told by msgpack, as far as it is whole. */
bool shared_piece(const struct redis_reply *fields, struct piece *p)
{
	struct packed *in = &p->behind;
	size_t left;

	if (in->at == in->end && !next_field(fields, p))
		return false;
	p->at = in->at;
	p->nth++;
	left = (size_t)(in->end - in->at);
	p->message = !is_map(*p->at) &&
		(envelope_is(p->at, left) || utf8_valid((const char *)p->at, left));
	if (p->message || packed_skip(in))
		in->at = in->end;
	else
		p->message = is_map(*p->at);
	p->len = (size_t)(in->at - p->at);
	return true;
}

static void hand_one(struct delivery *d, const uint8_t *bytes, size_t size)
{
	struct share *s = d->stream->share;

	buf_clear(&s->bytes);
	buf_add(&s->bytes, bytes, size);
	buf_add(&s->bytes, "", 1);
	d->open++;
	if (!s->entry(s->arg, d->stream->topic, s->bytes.p, size, d, d->again))
		d->open--;
}

static void keep_aside(struct delivery *d, struct aside *a, const void *bytes, size_t size,
                       const char *what)
{
	struct shared *st = d->stream;
	char text[sizeof(struct why) + 200];

	buf_add(&a->m, bytes, size);
	if (a->why.len)
		return;
	buf_text(&a->why, what);
	snprintf(text, sizeof text, "what of %s cannot be handled is put into %s: %s", d->id,
	         st->dead, what);
	shared_say(st->share, st->topic->name, text);
}

void shared_set_aside(struct delivery *d, const char *bytes, size_t len, bool good,
                      const char *why)
{
	keep_aside(d, good ? &d->whole : &d->broken, bytes, len, why);
	shared_delivered(d);
}

static void pass_over(struct delivery *d, const struct piece *p)
{
	struct why fault = { "neither a map, nor JSON or text" }, why;
	struct packed in = { p->at, p->at + p->len };

	if (packed_skip(&in))
		packed_first(p->at, p->len, MESSAGE_DEPTH, &fault);
	why_set(&why, 0, "message %u of the entry is none: %s", p->nth, fault.text);
	keep_aside(d, &d->broken, p->at, p->len, why.text);
}

/* Its fields are kept as a map. */
static void no_messages(struct delivery *d, const struct redis_reply *fields)
{
	struct buf map = { 0 };

	pack_map(&map, (uint32_t)fields->items / 2);
	for (size_t i = 0; i < fields->items / 2 * 2; i++)
		pack_str(&map, fields->item[i].str, fields->item[i].len);
	keep_aside(d, &d->broken, map.p, map.len, "the entry has no messages in a field m");
	buf_fini(&map);
}

/* False: there is nothing in any field m. */
static bool split(struct delivery *d, const struct redis_reply *fields)
{
	bool hosted = core_is_topic(d->stream->topic->ref);
	struct piece p = { 0 };

	while (shared_piece(fields, &p)) {
		if (!hosted)
			buf_add(&d->rest, p.at, p.len);
		else if (p.message)
			hand_one(d, p.at, p.len);
		else
			pass_over(d, &p);
	}
	return p.nth;
}

static void deliver(struct shared *st, const struct redis_reply *e, bool again)
{
	const struct redis_reply *fields = &e->item[1];
	struct delivery *d = mem_alloc(sizeof *d);

	snprintf(d->id, sizeof d->id, "%s", e->item[0].str);
	d->stream = st;
	d->next = st->first;
	st->first = d;
	d->open = 1;
	d->again = again;
	d->lease = core_lease();
	st->share->open++;
	if (!split(d, fields) && fields->items)         /* else it has been deleted */
		no_messages(d, fields);
	shared_delivered(d);
}

bool shared_ours(struct shared *st)
{
	const struct share *s = st->share;
	bool ours = s->lease == core_lease() && s->ours(s->arg);

	if (!ours)
		miss(st);
	return ours;
}

void shared_take(struct shared *st, const struct redis_reply *e, bool again)
{
	if (e->items == 2 && e->item[0].type == REDIS_STR && !shared_has(st, e->item[0].str) &&
	    shared_ours(st))
		deliver(st, e, again || is_again(e));
}

/* --- the face ----------------------------------------------------------------------------- */

static char *key_of(const struct topic *t, const char *behind)
{
	struct buf b = { 0 };

	buf_printf(&b, "actord:{%s}%s", t->name, behind);
	return b.p;
}

struct shared *shared_new(struct share *s, struct topic *t)
{
	struct shared *st = mem_alloc(sizeof *st);

	st->share = s;
	st->topic = t;
	st->key = key_of(t, "");
	st->dead = key_of(t, ":dead");
	return st;
}

void shared_free(struct shared *st)
{
	while (st->first)
		forget(st->first);
	mem_free(st->key);
	mem_free(st->dead);
	mem_free(st);
}
