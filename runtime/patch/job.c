/* SPDX-License-Identifier: MIT
 * job.c - a job's work: a source made and put in force between two lines of the journal, a patch
 * taken back, the journal read. Everything but the answer; the compile thread. */
#include "job.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "explain.h"
#include "journal.h"
#include "json.h"
#include "listing.h"
#include "log.h"
#include "opinion.h"
#include "ports.h"
#include "slice.h"
#include "rolled.h"
#include "verdict.h"

static struct patch_source source_of(const struct job *j)
{
	return (struct patch_source){
		.text = j->text, .len = j->len, .file = j->file, .author = j->author,
		.note = j->note,
		.origin = origin_name(j->origin), .topic = j->topic, .handler = j->handler,
		.function = j->function, .probation = j->probation,
		.rollout = j->rollout,
	};
}

static int change_refused(struct job *j, const struct made *m, const char *words)
{
	return diagnose(&j->said, j->file, exported_line(&m->exam, &m->e, words), "%s", words);
}

/* Does its signature let it do that? */
static int within_terms(struct job *j, const struct made *m, struct why *why)
{
	if (!j->terms)
		return 0;
	if (m->e.process && strcmp(j->terms->actors, "*"))
		return why_set(why, ACTOR_EARGS, "it has a process, which may reach every actor, "
		               "and was signed for %.200s only", j->terms->actors);
	return keys_allow(j->terms, m->e.targets.p ? m->e.targets.p : "", why);
}

static void warn_of_one_way(struct job *j, const struct exported *e)
{
	for (int i = 0; i < e->n; i++) {
		const char *name = name_title(type_name(e->change[i].type));
		struct buf lost = { 0 };

		if (!e->change[i].migration || e->migration[i].back)
			continue;
		layout_names(e->layout[i], &lost);
		buf_printf(&j->warnings,
		           "%s%s: warning: it has no migrate_back for %s: it is not taken back by "
		           "itself when it fails, and when you take it back each %s loses its "
		           "state (%.*s) and begins anew", j->warnings.len ? "\n" : "", j->file,
		           name, name, (int)lost.len, lost.p);
		buf_fini(&lost);
	}
}

/* All its tables, or none; between two lines of the journal. */
static int put_in_force(struct job *j, struct made *m)
{
	struct patch_source s = source_of(j);
	struct before b;
	struct probation *p;
	struct why why;
	int64_t number;

	if (made_force(m, history_last() + 1, true, &why) < 0)
		return change_refused(j, m, why.text);
	if (rolled_same(j->builds, &m->e, &why) < 0 || within_terms(j, m, &why) < 0)
		return diagnose(&j->said, j->file, 0, "%s", why.text);
	if (j->kind == CHECK) {
		buf_add(&j->said, m->e.handlers.p, m->e.handlers.len);
		rolled_builds(&m->e, &j->made_for);
		return 0;
	}
	rolled_builds(&m->e, &j->made_for);
	j->at.checked = now_ns();
	number = history_intent(&s, &m->e, &b, &why);
	if (number < 0)
		return diagnose(&j->said, j->file, 0, "%s: nothing was changed", why.text);
	j->number = (uint32_t)number;
	/* not before: what a full disk refuses need not be signed anew */
	if (j->terms && keys_spend(j->terms, &why) < 0) {
		mem_free(b.was);
		history_refused(j->number, why.text);
		return diagnose(&j->said, j->file, 0, "%s", why.text);
	}
	j->table = m->e.n > 0;
	p = watched_begin(j->probation, m->code, j->number, m->e.change, m->e.n);
	j->at.written = now_ns();
	if (made_force(m, j->number, false, &why) < 0) {
		mem_free(b.was);
		if (p)
			probation_end(p, false);
		history_refused(j->number, why.text);
		return change_refused(j, m, why.text);
	}
	j->at.forced = now_ns();
	history_laid(j->number, &b);
	if (p)
		history_tried(j->number, true);
	watched_add(j->number, p);
	if (!m->e.process)
		history_done(j->number, true, NULL);
	warn_of_one_way(j, &m->e);
	buf_printf(&j->line, "%u in force: %.*s", j->number, (int)m->e.handlers.len,
	           m->e.handlers.p);
	return 0;
}

static int attempt(struct job *j)
{
	struct patch_source s = source_of(j);
	struct made m;
	struct why why;
	int rc;

	if (verdict_allows(j->text, j->len, &why) < 0)
		return diagnose(&j->said, j->file, 0, "%s", why.text);
	rc = made_from(&m, &s, &j->at, &j->said);
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

static void become(char **to, const char *text)
{
	mem_free(*to);
	*to = mem_string(text, strlen(text));
}

/* What a signature covers of an eval besides its function is the source's first line. */
static int check_eval(struct job *j)
{
	const char *const parts[] = { j->topic, j->handler, j->function };
	struct buf line = { 0 };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		buf_text(&line, i ? "," : "//eval [");
		json_text(&line, parts[i], strlen(parts[i]));
	}
	buf_text(&line, "]");
	if (j->len <= line.len || memcmp(j->text, line.p, line.len) || j->text[line.len] != '\n')
		rc = diagnose(&j->said, j->file, 1, "a signature covers what an eval replaces by "
		              "the source's first line, which would have to be %.*s",
		              (int)line.len, line.p);
	buf_fini(&line);
	return rc;
}

/* From here on the job is the source behind the terms, and says what they say. Where no key is
 * known a signature is what it looks like to C: comments. */
static int check_signature(struct job *j)
{
	struct signed_terms t;
	const char *source;
	struct why why;
	size_t len;

	if (!keys_given() || !signed_looks(j->text, j->len))
		return 0;
	if (keys_check(j->text, j->len, &t, &source, &len, &why) < 0)
		return diagnose(&j->said, j->file, 0, "%s", why.text);
	j->terms = mem_alloc(sizeof t);
	*j->terms = t;
	memmove(j->text, source, len);
	j->text[len] = 0;
	j->len = len;
	become(&j->file, *t.file ? t.file : "patch.c");
	become(&j->author, t.author);
	become(&j->note, t.note);
	return j->kind == EVAL ? check_eval(j) : 0;
}

/* From now on they are whole. */
static int check_probation(struct job *j)
{
	struct why why;
	char *whole = watched_words(j->probation, &why);

	if (!whole)
		return diagnose(&j->said, j->file, 0, "%s", why.text);
	mem_free(j->probation);
	j->probation = whole;
	return 0;
}

/* Its signature, if it has one, has been checked. */
static int make(struct job *j)
{
	int rc = check_probation(j);
	struct source s;

	if (!rc)
		rc = attempt(j);
	s = (struct source){ .text = j->text, .len = j->len, .file = j->file,
	                     .function = j->function };
	if (rc < 0) {
		explain(&s, &j->said);
	} else if (j->kind == CHECK && !j->rollout) {
		opinion(&s, &j->warnings);
		explain(&s, &j->warnings);
	}
	return rc;
}

/* --- rollouts ------------------------------------------------------------------------- */

/* 1: it is here already, as it came before; negative: and was left out. */
static int came_before(struct job *j)
{
	uint32_t number = rolled_find(j->rollout);

	if (!number)
		return 0;
	j->number = number;
	switch (history_state(number)) {
	case PATCH_APPLIED: case PATCH_RAN: case PATCH_REVERTED:
		j->table = true;
		return 1;
	default:
		return diagnose(&j->said, j->file, 0, "it came before, as patch %u, and is %s",
		                number, history_word(number));
	}
}

static void add_targets(void *arg, const struct journal_line *l)
{
	char *targets = journal_text(l->fields, "targets");

	buf_printf(arg, "%s%c", targets ? targets : "", 0);
	mem_free(targets);
}

/* The signature must be for all that the patch had changed; that its changes may be lost it does
 * not cover. */
static int take_back_signed(struct job *j, uint32_t number)
{
	struct patch_source who = source_of(j);
	struct buf targets = { 0 };
	struct why why;
	int rc = 0;

	if (history_state(number) != PATCH_NONE)
		rc = journal_line_at(history_place(number), add_targets, &targets, &why);
	if (!rc && j->terms)
		rc = keys_allow(j->terms, targets.len ? targets.p : "", &why);
	if (!rc && j->terms)
		rc = keys_spend(j->terms, &why);
	buf_fini(&targets);
	if (!rc && !(j->rollout && history_state(number) == PATCH_REVERTED))
		rc = revert_patch(number, &who, j->lose && (j->rollout || !j->terms), &why);
	if (rc < 0)
		return diagnose(&j->said, j->file, 0, "%s", why.text);
	j->number = number;
	j->table = true;
	buf_printf(&j->line, "%u reverted%s%s", number, j->rollout ? " by rollout " : "",
	           j->rollout ? j->rollout : "");
	return 0;
}

/* What this node has of that rollout goes. A node that has nothing of it is what it is to be. */
static int take_back_rollout(struct job *j, const char *id)
{
	uint32_t number = rolled_find(id);

	buf_text(&j->reverts, id);
	return !number || j->kind == CHECK ? 0 : take_back_signed(j, number);
}

/* A source that is all of `//revert 3` is a revert, which can be signed so. */
static int make_or_take_back(struct job *j)
{
	char id[ROLLOUT_ID];
	unsigned long number;
	int rc = check_signature(j);

	if (rc || j->kind != APPLY || !rolled_reverts(j->text, j->len, id) || strchr(id, '-'))
		return rc ? rc : make(j);
	number = strtoul(id, NULL, 10);
	return take_back_signed(j, number > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)number);
}

/* What a rollout's sender is told, and the nodes that it reaches later. */
static void pack_rolled(struct job *j)
{
	const char *state = j->kind == CHECK ? "checked" : !j->number ? "absent" :
	                    !j->table ? "ran" : history_word(j->number);

	pack_map(&j->out, 4);
	pack_text(&j->out, "patch");
	pack_uint(&j->out, j->number);
	pack_text(&j->out, "state");
	pack_text(&j->out, state);
	pack_text(&j->out, "builds");
	pack_str(&j->out, j->made_for.len ? j->made_for.p : "", j->made_for.len);
	pack_text(&j->out, "reverts");
	pack_str(&j->out, j->reverts.len ? j->reverts.p : "", j->reverts.len);
}

static int make_rollout(struct job *j)
{
	char id[ROLLOUT_ID];
	int rc = came_before(j);

	if (!rc)
		rc = check_signature(j);
	if (!rc)
		rc = rolled_reverts(j->text, j->len, id) ? take_back_rollout(j, id) : make(j);
	if (rc < 0)
		return rc;
	pack_rolled(j);
	return 0;
}

static int take_back(struct job *j, struct why *why)
{
	struct patch_source who = source_of(j);
	int rc = revert_patch(j->number, &who, j->lose, why);

	if (!rc)
		buf_printf(&j->line, "%u reverted", j->number);
	return rc;
}

static int lift(struct job *j, struct why *why)
{
	struct patch_source who = source_of(j);
	int rc = verdict_lift(j->number, &who, why);

	if (!rc)
		buf_printf(&j->line, "%u is in quarantine no more", j->number);
	return rc;
}

/* After its process: where that failed its table goes too, unless that cannot be. What was taken
 * back meanwhile stays so. */
static int settle(struct job *j)
{
	struct patch_source who = { .origin = "node", .author = "process" };
	bool there = !j->table || history_state(j->number) == PATCH_APPLIED;
	struct why why;

	if (there && (!j->failed || j->again)) {
		history_done(j->number, j->table, j->failed);
		if (j->failed)
			log_line(LOG_WARN, "patch", "%u: %s", j->number, j->failed);
		return 0;
	}
	if (there && j->table && revert_patch(j->number, &who, false, &why) < 0) {
		history_done(j->number, true, j->failed);
		diagnose(&j->said, j->file, 0, "patch %u is in force, but %s; it cannot be taken "
		         "back: %s", j->number, j->failed, why.text);
		return ACTOR_EFAIL;
	}
	if (there)
		history_refused(j->number, j->failed);
	if (j->failed)
		diagnose(&j->said, j->file, 0, "patch %u is refused: %s", j->number, j->failed);
	return j->failed ? ACTOR_EFAIL : 0;
}

/* What became of it: that it is on probation no more, or is still. */
static int wait_for(struct job *j, struct why *why)
{
	struct probation_info i;

	if (history_known(j->number, why) < 0)
		return ACTOR_ENOENT;
	j->waits = watched_info(j->number, &i);
	pack_text(&j->out, history_word(j->number));
	listing_reason(j->number, &j->warnings);
	return 0;
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

static int64_t us(int64_t from, int64_t to)
{
	return (to - from) / 1000;
}

void job_times(const struct job *j, struct buf *out)
{
	const struct stages *at = &j->at;

	if (at->forced)
		buf_printf(out, "; us: waiting %lld, compile %lld, checks %lld, "
		           "journal %lld, switch %lld", (long long)us(at->taken, at->begun),
		           (long long)us(at->begun, at->compiled),
		           (long long)us(at->compiled, at->checked),
		           (long long)us(at->checked, at->written),
		           (long long)us(at->written, at->forced));
}

int job_work(struct job *j)
{
	struct why why = { "" };
	int rc = 0;

	j->at.begun = now_ns();
	switch (j->kind) {
	case APPLY: case CHECK: case EVAL:
		return j->rollout ? make_rollout(j) : make_or_take_back(j);
	case REVERT:     rc = take_back(j, &why); break;
	case LIFT:       rc = lift(j, &why); break;
	case PROCESSED:  return settle(j);
	case WAIT:       rc = wait_for(j, &why); break;
	case LIST:       rc = listing_all(&j->out, &why); break;
	case SHOW:       rc = listing_one(j->number, &j->out, &why); break;
	case LOG:        rc = listing_log(&j->out, &why); break;
	case VERIFY:     rc = verify(j, &why); break;
	case BRING_BACK: case ASIDE: break;
	}
	if (rc < 0)
		buf_text(&j->said, why.text);
	return rc;
}

/* --- the compile thread itself -------------------------------------------------------- */

enum { STACK_KEPT = 64 << 10 };

/* The compiler's first run touches its memory for the first time: no patch should pay for that. */
void job_warm_up(void)
{
	static const char text[] = "#include \"actor.h\"\n"
	        "int process(actor *self) { return actor_after(self, 1, \"x\", 1) < 0; }";
	struct source s = { .text = text, .len = sizeof text - 1, .file = "warm-up.c" };
	struct buf said = { 0 };

	slice_prompt();
	program_free(program_compile(&s, &said));
	if (said.len)
		log_line(LOG_ERROR, "patch", "the compiler does not work: %.*s", (int)said.len,
		         said.p);
	buf_fini(&said);
}

/* What a deeply nested source has touched goes back. */
void job_release_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0) - STACK_KEPT;
	pthread_attr_t attr;
	size_t size;
	void *low;

	if (pthread_getattr_np(pthread_self(), &attr))
		return;
	if (!pthread_attr_getstack(&attr, &low, &size) && here > (uintptr_t)low)
		madvise(low, (here - (uintptr_t)low) & ~(uintptr_t)4095, MADV_DONTNEED);
	pthread_attr_destroy(&attr);
}
