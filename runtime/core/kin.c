/* SPDX-License-Identifier: MIT
 * kin.c - the records of kin.h. */
#include "kin.h"

#include "guard.h"

#include <stdio.h>

_Thread_local struct why kin_why;
/* Where kin_why is empty; words: its own, that last. */
static _Thread_local struct { const char *by, *words; int rc; } refusal;

/* Why it takes nothing, where it can say that itself: a proxy. Now: its cell may be another's. */
static const char *shut(const struct actor *a)
{
	const struct type *type = cell_type(a);

	return type->shut ? type->shut((struct actor *)(uintptr_t)a) : NULL;
}

int kin_refused(const struct actor *by, int rc)
{
	kin_why.text[0] = 0;
	refusal.by = type_title_of(by);
	refusal.words = rc == ACTOR_EFULL ? shut(by) : NULL;
	refusal.rc = rc;
	return rc;
}

const char *kin_words(void)
{
	if (kin_why.text[0])
		return kin_why.text;
	if (refusal.words)
		why_set(&kin_why, 0, "%s: try again later", refusal.words);
	else if (refusal.rc == ACTOR_EFULL)
		why_set(&kin_why, 0, "the mailbox of %s is full: try again later", refusal.by);
	else if (refusal.rc)
		why_set(&kin_why, 0, "%s has just ended", refusal.by);
	return kin_why.text;
}

struct kin *kin_of(struct actor *a)
{
	if (!a->kin)
		a->kin = mem_alloc(sizeof *a->kin);
	return a->kin;
}

void kin_free(struct actor *a)
{
	struct kin *k = a->kin;

	if (!k)
		return;
	a->kin = NULL;
	mem_free(k->times);
	mem_free(k->monitors);
	mem_free(k->watchers);
	mem_free(k->links);
	mem_free(k->state);
	memory_drop(&k->memory);
	buf_fini(&k->init);
	mem_free(k);
}

const char *kin_reason(const struct actor *a)
{
	return a->kin && *a->kin->reason ? a->kin->reason : "stopped";
}

void kin_end(struct actor *a, uint8_t cause)
{
	if (!LOAD(&a->stopping))
		STORE(&a->stopping, cause);
}

void kin_fail(struct actor *a, const char *fmt, ...)
{
	struct kin *k;
	va_list ap;

	if (LOAD(&a->stopping) || cell_type(a)->native)
		return;
	k = kin_of(a);
	va_start(ap, fmt);
	vsnprintf(k->reason, sizeof k->reason, fmt, ap);
	va_end(ap);
	utf8_mend(k->reason, strlen(k->reason));
	STORE(&a->stopping, END_FAILED);
}

/* --- children ---------- */

void kin_bear(struct actor *parent, struct actor *child)
{
	struct kin *k = kin_of(parent);
	uint32_t i = cell_index(child);

	STORE(&child->parent, cell_id(parent));
	child->bond = BOND_UP;
	child->cycles = false;
	child->elder = k->youngest;
	child->younger = 0;
	*(k->youngest ? &cell_at(k->youngest)->younger : &k->oldest) = i;
	k->youngest = i;
}

void kin_part(struct kin *k, struct actor *child)
{
	*(child->elder ? &cell_at(child->elder)->younger : &k->oldest) = child->younger;
	*(child->younger ? &cell_at(child->younger)->elder : &k->youngest) = child->elder;
	child->bond = BOND_PARTED;
}

/* --- memory ---------- */

/* Of the patch whose handler runs, or 0. */
static uint32_t version_now(void)
{
	struct guard *g = worker_self ? LOAD(&worker_self->guard) : NULL;

	return g && LOAD(&g->seq) & 1 ? g->version : 0;
}

void *actor_alloc(actor *self, size_t size)
{
	return memory_alloc(&kin_of(self)->memory, &cell_type(self)->allocated, size,
			    version_now());
}

void actor_free(actor *self, void *p)
{
	if (p && self->kin && self->kin->memory)
		memory_give_back(self->kin->memory, p);
}
