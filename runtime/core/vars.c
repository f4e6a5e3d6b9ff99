/* SPDX-License-Identifier: MIT
 * vars.c - public variables of actors.
 *
 * A variable is one of the source's, so all actors of a type have it in common. It is set by the
 * thread of the actor that was named, between two of its messages, by an order that overtakes what
 * waits; others of the type may see it change while they run.
 *
 * Threads: any may look and have one set. */
#include "vars.h"

#include "send.h"

static int none(const struct type *t, const char *name, struct why *why)
{
	struct buf has = { 0 };
	struct offer o;

	for (size_t i = 0; core_offer(i, &o); i++)
		if (o.type == t->name && o.kind != 'f')
			buf_printf(&has, "%s%s", has.len ? ", " : "", o.name);
	why_set(why, ACTOR_ENOENT, "%s has no variable %.64s (it has %.*s)", type_title(t), name,
	        (int)(has.len ? has.len : 4), has.len ? has.p : "none");
	buf_fini(&has);
	return ACTOR_ENOENT;
}

static bool find(const struct type *t, const char *name, struct offer *out)
{
	for (size_t i = 0; core_offer(i, out); i++)
		if (out->type == t->name && out->kind != 'f' && !strcmp(out->name, name))
			return true;
	return false;
}

int core_var(actor_ref ref, const char *name, struct offer *out, struct why *why)
{
	struct worker *w = worker_acquire();
	struct target t;
	int rc = target_find(ref, &t, why);

	if (!rc && !find(cell_type(t.cell), name, out))
		rc = none(cell_type(t.cell), name, why);
	worker_release(w);
	return rc;
}

double core_var_get(const struct offer *v)
{
	uint64_t bits = LOAD((_Atomic uint64_t *)v->at);
	double d;

	memcpy(&d, &bits, sizeof d);
	return v->kind == 'd' ? d : (double)(int64_t)bits;
}

int core_var_set(actor_ref ref, const struct offer *v, double to, struct why *why)
{
	struct worker *w;
	struct target t;
	uint64_t bits;
	int rc;

	if (!(to >= v->least && to <= v->most) || (v->kind == 'i' && to != (double)(int64_t)to))
		return why_set(why, ACTOR_EARGS, "%s takes %s from %.15g to %.15g, not %.15g",
		               v->name, v->kind == 'i' ? "an int" : "a number", v->least, v->most,
		               to);
	memcpy(&bits, &to, sizeof bits);
	w = worker_acquire();
	rc = target_find(ref, &t, why);
	if (!rc)
		post_order(w, (uint64_t)t.gen << 32 | cell_index(t.cell),
		           &(struct order){ FN_SET, 0, bits, v->name });
	worker_release(w);
	return rc;
}

void vars_set(struct actor *a, const struct msg *m)
{
	struct offer v;
	double to;
	uint64_t bits = m->corr;

	if (!find(cell_type(a), order_text(m), &v))
		return;
	memcpy(&to, &bits, sizeof to);
	if (v.kind == 'i')
		bits = (uint64_t)(int64_t)to;
	STORE((_Atomic uint64_t *)v.at, bits);
}
