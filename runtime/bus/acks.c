/* SPDX-License-Identifier: MIT
 * acks.c - see acks.h.
 *
 * The idea: batches leave from the front, when all that was handed on of one has been handled. One
 * script trims the stream and notes what was seen, in one step: between two, a frame could be known
 * as seen that is still there, and be lost with a restart, or the other way round be handled twice.
 * One script at a time; what becomes handled meanwhile goes with the next. When that is, the inbox
 * says: nobody waits for it. A process whose name another has taken while it slept trims nothing:
 * whoever opened the inbox last is noted there.
 *
 *      first (one part is with a busy actor) -> handled -> open -> handled -> handled, last of its
 *                                               swept              swept       sender: it stays
 *
 * An actor that is busy for long holds up the front, and nobody else: where many wait behind it,
 * those that are handled are swept out of the stream, so its length tells what is not. The next
 * life then finds holes, and is told how far they may be (a sender's gone_last).
 *
 * Invariant: no frame is swept that may come again. A sender repeats the last one it wrote, until
 * Redis has it; so that stays until the next one of its sender's has been read. A double of one
 * that is open stays, too, as it may be the only copy that Redis has (a failover), and is swept
 * with it, not later. Nor is anything, while what is at the front may be missing in Redis, as what
 * was read behind it then may be the only copy of it. */
#include "acks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

enum { SWEEP_AT = 64, SWEPT_ONCE = 512 };

/* sender NULL: nothing of it was handed on. */
struct entry { struct id id; struct sender *sender; uint64_t life, last, sequence; };
/* An entry of another batch, read later, with a frame of this one's: that stays open behind it. */
struct twin { struct twin *next; struct batch *of; struct id id; };

struct batch {
	TAILQ_ENTRY(batch) all, closed;
	struct id last;
	unsigned open;                  /* parts that are not handled; and while it is read, 1 */
	bool is_closed;
	struct entry *entry;
	unsigned n, room;
	struct twin *twins;
};

struct acks {
	const struct redis_port *port;
	const char *key, *seen, *life;
	struct senders *senders;
	void (*handled)(void *arg, const char *trouble, bool others);
	void *arg;
	struct id acked, to_ack;
	TAILQ_HEAD(, batch) all, closed;        /* that are not handled; that are, behind those */
	unsigned n, n_closed, untold;
	unsigned sweep_at;              /* so many closed ones are worth a look */
	unsigned lost;                  /* of the first, Redis has lost these, or may have */
	struct id *swept;               /* to be taken out of the stream, */
	unsigned n_swept, room_swept, telling;  /* and of them, those in the script under way */
	bool up, acking;
};

static const char ack_script[] =
	"local life = redis.call('HGET', KEYS[2], '\\0life')"
	" if life and life ~= ARGV[2] then return -1 end"
	" redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])"
	" local ids = {}"
	" for id in string.gmatch(ARGV[3], '%S+') do ids[#ids + 1] = id end"
	" if ids[1] then redis.call('XDEL', KEYS[1], unpack(ids)) end"
	" for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end"
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
	a->telling = 0;
	for (struct sender *s = senders_first(a->senders); s; s = s->next)
		s->dirty = s->dirty || s->done_last || s->gone_last;
}

/* Redis has swept what it was told to. */
static void heard(struct acks *a)
{
	if (!a->telling)
		return;
	a->n_swept -= a->telling;
	memmove(a->swept, a->swept + a->telling, a->n_swept * sizeof *a->swept);
	a->telling = 0;
}

static void on_acked(void *arg, const struct redis_reply *r)
{
	struct acks *a = arg;
	bool others = r->type == REDIS_INT && r->integer < 0;

	a->acking = false;
	a->up = a->up && !others;
	if (r->type == REDIS_GONE || r->type == REDIS_ERROR || others)
		unheard(a);
	else
		heard(a);
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

static bool has_news(const struct acks *a)
{
	return id_after(&a->to_ack, &a->acked) || (a->n_swept && !a->lost);
}

/* How far that sender's are handled; and swept, from there on with holes. */
static void put_words(char *word, size_t size, const struct sender *s)
{
	int n = snprintf(word, size, "%" PRIu64 " %" PRIu64, s->done_life, s->done_last);

	if (s->gone_last && (s->gone_life != s->done_life || s->gone_last > s->done_last))
		snprintf(word + n, size - (size_t)n, " %" PRIu64 " %" PRIu64, s->gone_life,
		         s->gone_last);
}

static void put_swept(struct acks *a, struct buf *out)
{
	a->telling = a->lost ? 0 : a->n_swept < SWEPT_ONCE ? a->n_swept : SWEPT_ONCE;
	for (unsigned i = 0; i < a->telling; i++)
		buf_printf(out, "%" PRIu64 "-%" PRIu64 " ", a->swept[i].ms, a->swept[i].number);
	buf_add(out, "", 1);
}

/* All senders at once: what is trimmed away has to be known as seen. */
void acks_tell(struct acks *a)
{
	enum { FIRST = 8 };
	unsigned n = FIRST, senders;
	char id[48], (*words)[96];
	struct buf swept = { 0 };
	const char **argv;
	size_t *len;

	if (a->acking || !a->up || !has_news(a))
		return;
	senders = dirty(a);
	put_swept(a, &swept);
	argv = mem_alloc((FIRST + 2 * senders) * sizeof *argv);
	len = mem_alloc((FIRST + 2 * senders) * sizeof *len);
	words = mem_alloc((senders + 1) * sizeof *words);
	snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, a->to_ack.ms, a->to_ack.number + 1);
	memcpy(argv, (const char *[]){ "EVAL", ack_script, "2", a->key, a->seen, id, a->life,
	                               swept.p }, FIRST * sizeof *argv);
	for (struct sender *s = senders_first(a->senders); s; s = s->next) {
		char *word = words[(n - FIRST) / 2];

		if (!s->dirty)
			continue;
		s->dirty = false;
		put_words(word, sizeof *words, s);
		argv[n++] = s->name;
		argv[n++] = word;
	}
	for (unsigned i = 0; i < n; i++)
		len[i] = strlen(argv[i]);
	a->acking = !redis_later(a->port, on_acked, a, (int)n, argv, len);
	mem_free(words);
	mem_free(len);
	mem_free(argv);
	buf_fini(&swept);
	if (!a->acking) {
		unheard(a);
		return;
	}
	a->acked = a->to_ack;
	a->untold = a->n_swept > a->telling;
}

/* --- batches ------------------------------------------------------------------------------ */

static void batch_free(struct batch *b)
{
	struct twin *t;

	while ((t = b->twins)) {
		b->twins = t->next;
		mem_free(t);
	}
	mem_free(b->entry);
	mem_free(b);
}

static void sweep_entry(struct acks *a, const struct id *id)
{
	if (a->n_swept == a->room_swept) {
		a->room_swept = a->room_swept ? 2 * a->room_swept : SWEEP_AT;
		a->swept = mem_resize(a->swept, a->room_swept * sizeof *a->swept);
	}
	a->swept[a->n_swept++] = *id;
}

/* Its sender writes it no more. */
static bool is_followed(const struct entry *e)
{
	return !e->sender || e->life != e->sender->life || e->last < e->sender->last;
}

static bool may_go(const struct batch *b)
{
	unsigned i = 0;

	while (i < b->n && is_followed(&b->entry[i]))
		i++;
	return i == b->n;
}

static void take_out(struct acks *a, struct batch *b)
{
	TAILQ_REMOVE(&a->all, b, all);
	if (b->is_closed)
		TAILQ_REMOVE(&a->closed, b, closed);
	a->n_closed -= b->is_closed;
	a->n--;
	batch_free(b);
}

/* True: that was the last. */
static bool drop_hold(struct acks *a, struct batch *b)
{
	if (--b->open)
		return false;
	if (b != TAILQ_FIRST(&a->all)) {
		TAILQ_INSERT_TAIL(&a->closed, b, closed);
		b->is_closed = true;
		a->n_closed++;
	}
	return true;
}

static void sweep_batch(struct acks *a, struct batch *b)
{
	for (const struct twin *t = b->twins; t; t = t->next) {
		sweep_entry(a, &t->id);
		drop_hold(a, t->of);
	}
	for (unsigned i = 0; i < b->n; i++) {
		const struct entry *e = &b->entry[i];
		struct sender *s = e->sender;

		sweep_entry(a, &e->id);
		if (!s || (e->life != s->life && s->gone_life == s->life) ||
		    (e->life == s->gone_life && e->last < s->gone_last))
			continue;
		s->gone_life = e->life;
		s->gone_last = e->last;
		s->dirty = true;
	}
	a->untold++;
	take_out(a, b);
}

static void sweep(struct acks *a)
{
	struct batch *b = TAILQ_FIRST(&a->closed), *next;

	for (; b && !a->lost; b = next) {
		next = TAILQ_NEXT(b, closed);
		if (may_go(b))
			sweep_batch(a, b);
	}
	a->sweep_at = SWEEP_AT + 2 * a->n_closed;
}

static void leave(struct acks *a, struct batch *b)
{
	for (const struct twin *t = b->twins; t; t = t->next)
		drop_hold(a, t->of);
	for (unsigned i = 0; i < b->n; i++) {
		struct sender *s = b->entry[i].sender;

		if (!s)
			continue;
		s->done_life = b->entry[i].life;
		s->done_last = b->entry[i].last;
		s->dirty = true;
	}
	if (id_after(&b->last, &a->to_ack)) {
		a->to_ack = b->last;
		a->untold++;
	}
	a->lost -= a->lost > 0;
	take_out(a, b);
}

struct batch *acks_begin(struct acks *a)
{
	struct batch *b = mem_alloc(sizeof *b);

	b->open = 1;
	TAILQ_INSERT_TAIL(&a->all, b, all);
	a->n++;
	return b;
}

void acks_close(struct acks *a, struct batch *b)
{
	if (!drop_hold(a, b))
		return;
	while ((b = TAILQ_FIRST(&a->all)) && !b->open)
		leave(a, b);
	if (a->n_closed >= a->sweep_at)
		sweep(a);
	a->handled(a->arg, NULL, false);
}

void batch_open(struct batch *b)
{
	b->open++;
}

void batch_entry(struct batch *b, const struct id *id, struct sender *s)
{
	if (b->n == b->room) {
		b->room = b->room ? 2 * b->room : 1;
		b->entry = mem_resize(b->entry, b->room * sizeof *b->entry);
	}
	b->entry[b->n++] = (struct entry){ *id, s, s ? s->life : 0, s ? s->last : 0,
	                                   s ? s->read : 0 };
	b->last = *id;
}

static bool has(const struct batch *b, const struct sender *s, uint64_t life, uint64_t sequence)
{
	for (unsigned i = 0; i < b->n; i++)
		if (b->entry[i].sender == s && b->entry[i].life == life &&
		    b->entry[i].sequence == sequence)
			return true;
	return false;
}

void acks_double(struct acks *a, struct batch *b, const struct id *id, const struct sender *s,
                 uint64_t life, uint64_t sequence)
{
	struct batch *first = TAILQ_FIRST(&a->all);
	struct twin *t;

	while (first && !(first->open && has(first, s, life, sequence)))
		first = TAILQ_NEXT(first, all);
	if (!first) {
		sweep_entry(a, id);
		a->untold++;
	}
	if (!first || first == b)
		return;
	t = mem_alloc(sizeof *t);
	*t = (struct twin){ first->twins, b, *id };
	first->twins = t;
	batch_open(b);
}

/* --- the face ----------------------------------------------------------------------------- */

struct acks *acks_new(const struct redis_port *port, const char *key, const char *seen,
                      const char *life, struct senders *senders,
                      void (*handled)(void *arg, const char *trouble, bool others), void *arg)
{
	struct acks *a = mem_alloc(sizeof *a);

	*a = (struct acks){ .port = port, .key = key, .seen = seen, .life = life,
	                    .senders = senders, .handled = handled, .arg = arg,
	                    .sweep_at = SWEEP_AT };
	TAILQ_INIT(&a->all);
	TAILQ_INIT(&a->closed);
	return a;
}

void acks_free(struct acks *a)
{
	struct batch *b;

	if (!a)
		return;
	while ((b = TAILQ_FIRST(&a->all)))
		take_out(a, b);
	mem_free(a->swept);
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
	return !a->n && !a->acking && (!a->up || !has_news(a));
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
	struct batch *b;

	a->acked = a->to_ack = (struct id){ 0, 0 };
	a->n_swept = a->telling = 0;
	a->lost = a->n;
	TAILQ_FOREACH(b, &a->all, all)
		b->last = a->acked;
}
