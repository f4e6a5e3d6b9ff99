/* SPDX-License-Identifier: MIT
 * ages.c - see ages.h.
 *
 * The idea: messages carry no time, as each would pay for it. But a mailbox numbers them: so many
 * have left it, so many are there (struct cell_info). Once a second the number of the newest is
 * noted for each mailbox that is not empty. Who is still there later has waited since before that
 * note; who has a higher number came after it. Where a mailbox has no room for notes any more, the
 * one goes that tells least.
 *
 * Invariant: notes are in the order of mailboxes' cells, in which core_cells() passes by, so a walk
 * goes past the old ones and the new ones at once. */
#include "ages.h"

#include <stdlib.h>

#include "ports.h"
#include "rows.h"
#include "sync.h"

enum { TICK_MS = 1000, SLICE = 16384, PAUSE_MS = 1, CELLS_A_TICK = 100000, NOTES = 16,
       MAILBOXES_MOST = 65536 };

/* It was looked at between at_ms and late_ms after that. */
struct note { uint32_t newest, late_ms; int64_t at_ms; };

/* note[0]: what came before it is gone, or it was empty then. */
struct mailbox { actor_id id; uint32_t n; struct note note[NOTES]; };

struct notes { struct mailbox *of; size_t n, cap; };

static struct {
	struct loop_timer *timer;
	struct notes now, next;         /* next: under way */
	uint32_t at;                    /* the walk's, 0: it has not begun */
	size_t passed;                  /* of now, by the walk */
	int64_t begun_ms, last_ms;      /* the walk, and the one before it; */
	int64_t first_ms;               /* the first of all */
	actor_id whose, whose_next;     /* has the oldest; 0: nobody */
	int64_t longest_next_ms;
} ages;
static _Atomic int64_t longest_ms;

static uint32_t cell_of(actor_id id) { return (uint32_t)id; }

/* --- what notes tell ------------------------------------------------------------------------ */

/* Was message `number` there at that moment? Numbers go round. */
static bool there(const struct note *n, uint32_t number)
{
	return (int32_t)(n->newest - number) >= 0;
}

static struct age age_of(const struct mailbox *m, uint32_t gone, int64_t at_ms)
{
	uint32_t i = 0;

	while (i < m->n && !there(&m->note[i], gone + 1))
		i++;
	return (struct age){ i < m->n ? at_ms - m->note[i].at_ms - m->note[i].late_ms : 0,
	                     at_ms - m->note[i ? i - 1 : 0].at_ms };
}

/* --- noting --------------------------------------------------------------------------------- */

/* Of what is gone the last note is enough. */
static void forget(struct mailbox *m, uint32_t gone)
{
	uint32_t i = 0;

	while (i + 1 < m->n && !there(&m->note[i + 1], gone + 1))
		i++;
	m->n -= i;
	memmove(m->note, m->note + i, m->n * sizeof *m->note);
}

/* The one whose neighbours are the closest, for how long ago that is. */
static void thin_out(struct mailbox *m, int64_t at_ms)
{
	uint32_t least = 1;
	double gap, smallest = 0;

	for (uint32_t i = 1; i + 1 < m->n; i++) {
		gap = (double)(m->note[i + 1].at_ms - m->note[i - 1].at_ms) /
		      (double)(at_ms - m->note[i - 1].at_ms + 1);
		if (i == 1 || gap < smallest)
			smallest = gap, least = i;
	}
	m->n--;
	memmove(m->note + least, m->note + least + 1, (m->n - least) * sizeof *m->note);
}

/* As it was at the last walk; else it was empty then, or one too many. */
static struct mailbox before(const struct cell_info *c)
{
	int64_t at_ms = ages.now.n < MAILBOXES_MOST ? ages.last_ms : ages.first_ms;
	struct mailbox m = { .id = c->id, .n = 1, .note = { { c->gone, 0, at_ms } } };

	while (ages.passed < ages.now.n && cell_of(ages.now.of[ages.passed].id) < cell_of(c->id))
		ages.passed++;
	if (ages.passed < ages.now.n && ages.now.of[ages.passed].id == c->id)
		return ages.now.of[ages.passed];
	return m;
}

static void look_at(void *arg, const struct cell_info *c)
{
	struct notes *next = &ages.next;
	struct mailbox *m;
	struct age age;

	(void)arg;
	if (!c->depth || next->n == MAILBOXES_MOST)
		return;
	if (next->n == next->cap) {
		next->cap = next->cap ? 2 * next->cap : 64;
		next->of = mem_resize(next->of, next->cap * sizeof *next->of);
	}
	m = &next->of[next->n++];
	*m = before(c);
	forget(m, c->gone);
	age = age_of(m, c->gone, ages.begun_ms);
	if (age.least_ms > ages.longest_next_ms) {
		ages.longest_next_ms = age.least_ms;
		ages.whose_next = c->id;
	}
	if (m->n == NOTES)
		thin_out(m, ages.begun_ms);
	m->note[m->n++] = (struct note){ c->gone + c->depth,
	                                 (uint32_t)(now_ms() - ages.begun_ms), ages.begun_ms };
}

static void begin(void)
{
	ages.begun_ms = now_ms();
	ages.passed = ages.next.n = 0;
	ages.longest_next_ms = 0;
	ages.whose_next = 0;
}

static void end(void)
{
	struct notes old = ages.now;

	ages.now = ages.next;
	ages.next = old;
	ages.whose = ages.whose_next;
	STORE(&longest_ms, ages.longest_next_ms);
	ages.last_ms = ages.begun_ms;
}

static void on_tick(void *arg)
{
	uint32_t cells;

	(void)arg;
	if (!ages.at)
		begin();
	if (core_cells(&ages.at, SLICE, look_at, NULL)) {
		loop_timer_set(ages.timer, PAUSE_MS);
		return;
	}
	cells = ages.at;
	ages.at = 0;
	end();
	loop_timer_set(ages.timer, TICK_MS + (int)(cells / CELLS_A_TICK) * TICK_MS);
}

/* --- who asks ------------------------------------------------------------------------------- */

static int by_cell(const void *id, const void *mailbox)
{
	const struct mailbox *m = mailbox;
	uint32_t x = cell_of(*(const actor_id *)id), y = cell_of(m->id);

	return (x > y) - (x < y);
}

bool ages_of(const struct actor_info *a, struct age *out)
{
	const struct mailbox *m = NULL;

	if (!a->depth || !ages.timer)
		return false;
	if (ages.now.n)
		m = bsearch(&a->id, ages.now.of, ages.now.n, sizeof *m, by_cell);
	if (m && m->id == a->id)
		*out = age_of(m, a->gone, now_ms());
	else if (ages.now.n < MAILBOXES_MOST)   /* it was empty */
		*out = (struct age){ 0, now_ms() - ages.last_ms };
	else
		return false;
	return true;
}

void ages_pairs(const struct actor_info *a, struct pairs *p)
{
	struct age age;
	bool known = ages_of(a, &age);

	if (known) {
		pairs_int(p, "oldest_ms", age.least_ms);
		pairs_int(p, "oldest_most_ms", age.most_ms);
	} else {
		pack_null(pairs_key(p, "oldest_ms"));
		pack_null(pairs_key(p, "oldest_most_ms"));
	}
}

bool ages_oldest(struct age *out, struct actor_info *whose)
{
	return ages.whose && core_inspect(ages.whose, whose) == 0 && ages_of(whose, out);
}

int64_t ages_longest_ms(void)
{
	return LOAD(&longest_ms);
}

/* --- its life ------------------------------------------------------------------------------- */

void ages_begin(struct loop *l)
{
	ages.first_ms = ages.last_ms = now_ms();
	ages.timer = loop_timer_new(l, on_tick, NULL);
	loop_timer_set(ages.timer, TICK_MS);
}

void ages_end(void)
{
	loop_timer_free(ages.timer);
	mem_free(ages.now.of);
	mem_free(ages.next.of);
	memset(&ages, 0, sizeof ages);
}
