/* SPDX-License-Identifier: MIT
 * acks.c - see acks.h.
 *
 * The idea: batches leave from the front, when all that was handed on of one has been handled. One
 * script trims the stream and notes what was seen, in one step: between two, a frame could be known
 * as seen that is still there, and be lost with a restart, or the other way round be handled twice.
 * One script at a time; what becomes handled meanwhile goes with the next. When that is, the inbox
 * says: nobody waits for it. A process whose name another has taken while it slept trims nothing:
 * whoever opened the inbox last is noted there. */
#include "acks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct progress { struct sender *sender; uint64_t life, last; };

struct batch {
	struct batch *next;
	struct id last;
	unsigned open;                  /* parts that are not handled; and while it is read, 1 */
	struct progress *progress;
	unsigned n, room;
};

struct acks {
	const struct redis_port *port;
	const char *key, *seen, *life;
	struct senders *senders;
	void (*handled)(void *arg, const char *trouble, bool others);
	void *arg;
	struct id acked, to_ack;
	struct batch *first, **end;
	unsigned n, untold;
	bool up, acking;
};

static const char ack_script[] =
	"local life = redis.call('HGET', KEYS[2], '\\0life')"
	" if life and life ~= ARGV[2] then return -1 end"
	" redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])"
	" for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end"
	" return 1";

bool id_read(struct id *id, const char *s)
{
	char *end;

	id->ms = strtoull(s, &end, 10);
	if (end == s || *end != '-')
		return false;
	s = end + 1;
	id->number = strtoull(s, &end, 10);
	return end != s && !*end;
}

bool id_after(const struct id *a, const struct id *b)
{
	return a->ms > b->ms || (a->ms == b->ms && a->number > b->number);
}

/* --- telling Redis ------------------------------------------------------------------------ */

/* Nobody knows whether that was heard, or it was refused. It is said again, when the link is back
 * or a little later, also where nothing more comes: the sender may be waiting until the stream is
 * shorter. */
static void unheard(struct acks *a)
{
	a->acked = (struct id){ 0, 0 };
	for (struct sender *s = senders_first(a->senders); s; s = s->next)
		s->dirty = s->dirty || s->done_last;
}

static void on_acked(void *arg, const struct redis_reply *r)
{
	struct acks *a = arg;
	bool others = r->type == REDIS_INT && r->integer < 0;

	a->acking = false;
	a->up = a->up && !others;
	if (r->type == REDIS_GONE || r->type == REDIS_ERROR || others)
		unheard(a);
	if (r->type == REDIS_ERROR || others)
		a->handled(a->arg, others ? "another runtime has opened it" : r->str, others);
}

static unsigned dirty(const struct acks *a)
{
	unsigned n = 0;

	for (const struct sender *s = senders_first(a->senders); s; s = s->next)
		n += s->dirty;
	return n;
}

/* All senders at once: what is trimmed away has to be known as seen. */
void acks_tell(struct acks *a)
{
	enum { FIRST = 7 };
	unsigned n = FIRST, senders;
	char id[48], (*words)[48];
	const char **argv;
	size_t *len;

	if (a->acking || !a->up || !id_after(&a->to_ack, &a->acked))
		return;
	senders = dirty(a);
	argv = mem_alloc((FIRST + 2 * senders) * sizeof *argv);
	len = mem_alloc((FIRST + 2 * senders) * sizeof *len);
	words = mem_alloc((senders + 1) * sizeof *words);
	snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, a->to_ack.ms, a->to_ack.number + 1);
	memcpy(argv, (const char *[]){ "EVAL", ack_script, "2", a->key, a->seen, id, a->life },
	       FIRST * sizeof *argv);
	for (struct sender *s = senders_first(a->senders); s; s = s->next) {
		char *word = words[(n - FIRST) / 2];

		if (!s->dirty)
			continue;
		s->dirty = false;
		snprintf(word, sizeof *words, "%" PRIu64 " %" PRIu64, s->done_life, s->done_last);
		argv[n++] = s->name;
		argv[n++] = word;
	}
	for (unsigned i = 0; i < n; i++)
		len[i] = strlen(argv[i]);
	a->acking = !redis_later(a->port, on_acked, a, (int)n, argv, len);
	mem_free(words);
	mem_free(len);
	mem_free(argv);
	if (!a->acking) {
		unheard(a);
		return;
	}
	a->acked = a->to_ack;
	a->untold = 0;
}

/* --- batches ------------------------------------------------------------------------------ */

static void batch_free(struct batch *b)
{
	mem_free(b->progress);
	mem_free(b);
}

static void leave(struct acks *a, struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct sender *s = b->progress[i].sender;

		s->done_life = b->progress[i].life;
		s->done_last = b->progress[i].last;
		s->dirty = true;
	}
	if (id_after(&b->last, &a->to_ack)) {
		a->to_ack = b->last;
		a->untold++;
	}
	a->first = b->next;
	if (!a->first)
		a->end = &a->first;
	a->n--;
	batch_free(b);
}

struct batch *acks_begin(struct acks *a)
{
	struct batch *b = mem_alloc(sizeof *b);

	b->open = 1;
	*a->end = b;
	a->end = &b->next;
	a->n++;
	return b;
}

void acks_close(struct acks *a, struct batch *b)
{
	if (--b->open)
		return;
	while (a->first && !a->first->open)
		leave(a, a->first);
	a->handled(a->arg, NULL, false);
}

void batch_open(struct batch *b)
{
	b->open++;
}

void batch_note(struct batch *b, struct sender *s)
{
	unsigned i = 0;

	while (i < b->n && b->progress[i].sender != s)
		i++;
	if (i == b->room) {
		b->room = b->room ? 2 * b->room : 2;
		b->progress = mem_resize(b->progress, b->room * sizeof *b->progress);
	}
	b->progress[i] = (struct progress){ s, s->life, s->last };
	b->n += i == b->n;
}

void batch_last(struct batch *b, const struct id *id)
{
	b->last = *id;
}

/* --- the face ----------------------------------------------------------------------------- */

struct acks *acks_new(const struct redis_port *port, const char *key, const char *seen,
                      const char *life, struct senders *senders,
                      void (*handled)(void *arg, const char *trouble, bool others), void *arg)
{
	struct acks *a = mem_alloc(sizeof *a);

	*a = (struct acks){ .port = port, .key = key, .seen = seen, .life = life,
	                    .senders = senders, .handled = handled, .arg = arg };
	a->end = &a->first;
	return a;
}

void acks_free(struct acks *a)
{
	struct batch *b;

	if (!a)
		return;
	while ((b = a->first)) {
		a->first = b->next;
		batch_free(b);
	}
	mem_free(a);
}

unsigned acks_count(const struct acks *a)
{
	return a->n;
}

unsigned acks_untold(const struct acks *a)
{
	return a->untold;
}

bool acks_idle(const struct acks *a)
{
	return !a->first && !a->acking && (!a->up || !id_after(&a->to_ack, &a->acked));
}

void acks_up(struct acks *a)
{
	a->up = true;
	acks_tell(a);
}

void acks_down(struct acks *a)
{
	if (a->acking)
		unheard(a);
	a->up = a->acking = false;
}

void acks_anew(struct acks *a)
{
	a->acked = a->to_ack = (struct id){ 0, 0 };
	for (struct batch *b = a->first; b; b = b->next)
		b->last = a->acked;
}
