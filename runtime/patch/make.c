/* SPDX-License-Identifier: MIT
 * make.c - compile, then look at what the source exports. Nothing is in force yet. */
#include "make.h"

#include "builds.h"
#include "ports.h"
#include "trial.h"

int made_from(struct made *m, const struct patch_source *s, struct stages *at, struct buf *said)
{
	struct stages unread;
	int rc;

	at = at ? at : &unread;

	*m = (struct made){ .source = { .text = s->text, .len = s->len, .file = s->file,
	                                .function = s->function } };
	m->program = trial_compile(&m->source, said);
	if (!m->program)
		return ACTOR_EARGS;
	at->compiled = now_ns();
	m->code = program_hold(m->program);
	m->exam = (struct exam){ &m->source, m->program, said };
	rc = s->function ? exported_function(&m->exam, s->topic, s->handler, &m->e)
	                 : exported_read(&m->exam, &m->e);
	if (rc)
		made_drop(m);
	return rc;
}

int made_force(const struct made *m, uint32_t number, bool check_only, struct why *why)
{
	const struct exported *e = &m->e;
	int rc = core_change(e->change, e->n, number, m->code, check_only, why);

	for (int i = 0; i < e->n && !rc && !check_only; i++)
		if (e->change[i].migration)
			builds_moved(core_type(type_name(e->change[i].type)), e->change[i].type,
			             e->layout[i]);
	return rc;
}

void made_drop(struct made *m)
{
	exported_fini(&m->e);
	code_drop(m->code);
}

const struct actor_handler *made_handler(const struct made *m, const struct type *type,
                                         const char *name)
{
	for (int i = 0; i < m->e.n; i++)
		for (const struct actor_handler *h = m->e.change[i].on;
		     m->e.change[i].type == type && h->name; h++)
			if (!strcmp(h->name, name))
				return h;
	return NULL;
}
