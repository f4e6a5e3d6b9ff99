/* SPDX-License-Identifier: MIT
 * job.c - a job's work: a source made and put in force between two lines of the journal, a patch
 * taken
 * back, the journal read. Everything but the answer; the compile thread. */
#include "job.h"

#include "explain.h"
#include "journal.h"
#include "listing.h"
#include "opinion.h"

void job_free(struct job *j)
{
	if (!j)
		return;
	code_drop(j->hold);
	mem_free(j->text);
	mem_free(j->file);
	mem_free(j->note);
	mem_free(j->author);
	mem_free(j->topic);
	mem_free(j->handler);
	mem_free(j->function);
	buf_fini(&j->said);
	buf_fini(&j->warnings);
	buf_fini(&j->out);
	buf_fini(&j->line);
	mem_free(j);
}

const char *origin_name(enum origin o)
{
	switch (o) {
	case FROM_NODE: return "node";
	case FROM_CONTROL: return "control";
	case FROM_REDIS: return "redis";
	case FROM_CLIENT: return "client";
	}
	return "?";
}

static struct patch_source source_of(const struct job *j)
{
	return (struct patch_source){
		.text = j->text, .len = j->len, .file = j->file, .author = j->author,
		.note = j->note,
		.origin = origin_name(j->origin), .topic = j->topic, .handler = j->handler,
		.function = j->function,
	};
}

static int change_refused(struct job *j, const struct made *m, const char *words)
{
	return diagnose(&j->said, j->file, exported_line(&m->exam, &m->e, words), "%s", words);
}

/* All its tables, or none; between two lines of the journal. */
static int put_in_force(struct job *j, struct made *m)
{
	struct patch_source s = source_of(j);
	struct before b;
	struct why why;
	int64_t number;

	if (m->e.n && core_change(m->e.change, m->e.n, 0, m->code, true, &why) < 0)
		return change_refused(j, m, why.text);
	if (j->kind == CHECK) {
		buf_add(&j->said, m->e.handlers.p, m->e.handlers.len);
		return 0;
	}
	number = history_intent(&s, &m->e, &b, &why);
	if (number < 0)
		return diagnose(&j->said, j->file, 0, "%s: nothing was changed", why.text);
	j->number = (uint32_t)number;
	j->table = m->e.n > 0;
	if (j->table && core_change(m->e.change, m->e.n, j->number, m->code, false, &why) < 0) {
		mem_free(b.was);
		return change_refused(j, m, why.text);
	}
	history_laid(j->number, &b);
	if (!m->e.process)
		history_done(j->number, true, NULL);
	buf_printf(&j->line, "%u in force: %.*s", j->number, (int)m->e.handlers.len,
	           m->e.handlers.p);
	return 0;
}

static int attempt(struct job *j)
{
	struct patch_source s = source_of(j);
	struct made m;
	int rc = made_from(&m, &s, &j->said);

	if (rc < 0)
		return rc;
	rc = put_in_force(j, &m);
	if (!rc && m.e.process && j->kind == APPLY) {
		j->process = m.e.process;
		j->hold = m.code;
		m.code = NULL;
	}
	made_drop(&m);
	return rc;
}

static int make(struct job *j)
{
	struct source s = { .text = j->text, .len = j->len, .file = j->file,
	                    .function = j->function };
	int rc = attempt(j);

	if (rc < 0) {
		explain(&s, &j->said);
	} else if (j->kind == CHECK) {
		opinion(&s, &j->warnings);
		explain(&s, &j->warnings);
	}
	return rc;
}

static int take_back(struct job *j, struct why *why)
{
	struct patch_source who = source_of(j);
	int rc = revert_patch(j->number, &who, why);

	if (!rc)
		buf_printf(&j->line, "%u reverted", j->number);
	return rc;
}

static int verify(struct job *j, struct why *why)
{
	struct journal_end end;
	int rc = journal_each(NULL, NULL, &end, why);

	pack_map(&j->out, 3);
	pack_text(&j->out, "lines");
	pack_uint(&j->out, end.lines);
	pack_text(&j->out, "chain");
	pack_text(&j->out, end.chain);
	pack_text(&j->out, "file");
	pack_text(&j->out, journal_path());
	return rc;
}

int job_work(struct job *j)
{
	struct why why = { "" };
	int rc = 0;

	switch (j->kind) {
	case APPLY: case CHECK: case EVAL: return make(j);
	case REVERT:     rc = take_back(j, &why); break;
	case LIST:       rc = listing_all(&j->out, &why); break;
	case SHOW:       rc = listing_one(j->number, &j->out, &why); break;
	case LOG:        rc = listing_log(&j->out, &why); break;
	case VERIFY:     rc = verify(j, &why); break;
	case BRING_BACK: break;
	}
	if (rc < 0)
		buf_text(&j->said, why.text);
	return rc;
}
