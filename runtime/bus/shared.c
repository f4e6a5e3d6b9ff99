/* SPDX-License-Identifier: MIT
 * shared.c - see shared.h.
 *
 *      entry -> delivery -> messages -> intake ... all handled -> XACK + XDEL
 *                  |
 *                  +-- nobody of that name is here (any more) -> XADD + XACK + XDEL: back
 *                      (what of it that is)
 *
 * Invariants: an entry is in one delivery at a time. What could not be acknowledged, as the link
 * was lost or Redis would not, is acknowledged when it can be, and not handled again. An entry
 * that came as its actor went is no message to nobody: it goes back to the stream, for another
 * node, or for the next of that name. Both are one step in Redis, and may be said twice. */
#include "shared.h"

#include <stdio.h>

#include "log.h"
#include "value.h"

enum { SAY_MS = 5000 };

void shared_say(struct share *s, const char *about, const char *text)
{
	if (now_ms() - s->said_ms < SAY_MS)
		return;
	s->said_ms = now_ms();
	log_line(LOG_WARN, "bus", "%s: %s", about, text);
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

static const char back_script[] =
	"if #redis.call('XPENDING', KEYS[1], 'actord', ARGV[1], ARGV[1], 1) == 1 then"
	"  redis.call('XADD', KEYS[1], '*', 'm', ARGV[2], 'again', ARGV[3]) end"
	" redis.call('XACK', KEYS[1], 'actord', ARGV[1])"
	" redis.call('XDEL', KEYS[1], ARGV[1])"
	" return 1";

static void forget(struct delivery *d)
{
	struct delivery **at = &d->stream->first;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	d->stream->share->open--;
	buf_fini(&d->rest);
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
	if (taken || strstr(r->str, "WRONGTYPE"))
		forget(d);
	s->settled(st, taken);
}

static void ack(struct delivery *d)
{
	struct shared *st = d->stream;
	const struct redis_port *port = st->share->commands;
	const char *argv[] = { "EVAL", back_script, "1", st->key, d->id, d->rest.p,
	                       d->again ? "1" : "0" };
	size_t len[] = { 4, sizeof back_script - 1, 1, strlen(st->key), strlen(d->id), d->rest.len,
	                 1 };

	if (d->rest.len) {
		d->acking = !port->command(port->link, on_acked, d, ARRAY_LEN(argv), argv, len);
		return;
	}
	argv[1] = ack_script;
	d->acking = !wire_words(port, on_acked, d, 5, argv);
}

void shared_ack_again(struct shared *st)
{
	for (struct delivery *d = st->first; d; d = d->next)
		if (!d->open && !d->acking)
			ack(d);
}

void shared_delivered(struct delivery *d)
{
	if (!--d->open)
		ack(d);
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

/* One of several in a row; the rest is behind it. */
static bool hand_one(struct delivery *d, struct packed *in)
{
	struct share *s = d->stream->share;
	struct why why = { "" };
	int64_t size = in->end - in->at;

	if ((*in->at & 0xf0) == 0x80 || *in->at == 0xde || *in->at == 0xdf)
		size = packed_first(in->at, (size_t)size, MESSAGE_DEPTH, &why);
	if (size < 0) {
		shared_say(s, d->stream->key, why.text);
		return false;
	}
	buf_clear(&s->bytes);
	buf_add(&s->bytes, in->at, (size_t)size);
	buf_add(&s->bytes, "", 1);
	in->at += size;
	d->open++;
	if (!s->entry(s->arg, d->stream->topic, s->bytes.p, (size_t)size, d, d->again))
		d->open--;
	return true;
}

static void deliver(struct shared *st, const char *id, struct packed in, bool again)
{
	struct delivery *d = mem_alloc(sizeof *d);

	snprintf(d->id, sizeof d->id, "%s", id);
	d->stream = st;
	d->next = st->first;
	st->first = d;
	d->open = 1;
	d->again = again;
	st->share->open++;
	if (!core_is_topic(st->topic->ref))
		buf_add(&d->rest, in.at, (size_t)(in.end - in.at));
	else if (!again || !core_at_most_once(st->topic->ref))
		while (in.at < in.end && hand_one(d, &in))
			;
	shared_delivered(d);
}

void shared_take(struct shared *st, const struct redis_reply *e, bool again)
{
	const struct redis_reply *fields = e->items == 2 ? &e->item[1] : NULL;
	struct packed in = { NULL, NULL };

	if (!fields || e->item[0].type != REDIS_STR || shared_has(st, e->item[0].str))
		return;
	for (size_t i = 0; i + 1 < fields->items; i += 2) {
		const struct redis_reply *name = &fields->item[i], *value = name + 1;

		if (name->type != REDIS_STR || value->type != REDIS_STR)
			continue;
		if (!strcmp(name->str, "m")) {
			in.at = (const uint8_t *)value->str;
			in.end = in.at + value->len;
		} else if (!strcmp(name->str, "again")) {
			again = again || !strcmp(value->str, "1");
		}
	}
	if (in.at == in.end)
		shared_say(st->share, st->key,
		           "an entry has no messages in a field m, and is dropped");
	deliver(st, e->item[0].str, in, again);
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
