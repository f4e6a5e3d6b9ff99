/* SPDX-License-Identifier: MIT
 * patch.c - the actor `patch`: sources in, patches in force, and the outcome to the sender.
 *
 * The actor lives on the compile thread, which is its home: between two jobs it has its turns, and
 * outside of turns, where it is a thread like any other, a job is done. So from the message to the
 * answer of a patch no thread has to be woken but this one and the trial.
 *
 * Its handlers never compile: they keep the caller, put the job in a bounded queue and return. Jobs
 * are done in their order: the source is compiled, held against what runs, all tables of it put in
 * force at once, and the actor told by the message `done`. It then runs the patch's process, if it
 * has one, and answers. So patches come into force in the order in which they were sent, and an
 * answer means that every message sent after it meets the new code.
 *
 *     turn: apply, exec, eval, check      no turn                             turn: done
 *     caller kept, job -> waiting ->      try, compile, core_change ->        process, answer
 *
 * Threads: handlers and jobs on the compile thread, which has a stack for whatever passed the
 * trial; what others put in goes through the tray. During a compile its messages wait (list, show
 * and log, too). A process that does not come back holds up patches and the verdicts on those that
 * are on probation, and nobody else. */
#include "patch.h"

#include <pthread.h>
#include <stdio.h>

#include "job.h"
#include "journal.h"
#include "keys.h"
#include "log.h"
#include "patience.h"
#include "ports.h"
#include "tray.h"
#include "trial.h"
#include "verdict.h"

enum {
	STACK = 2 * TRIAL_STACK,        /* of address space */
	OWED_MS = 2, OWED_MOST = 16,
	SAY_MS = 5000,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t brought_back = PTHREAD_COND_INITIALIZER;
static bool back;
static pthread_t thread;
static struct patch_config config;

/* The compile thread's alone. */
static struct home *home;
static struct jobs finished, watching;  /* watching: WAITs */
static int64_t came_ns;                 /* what its turns bring; 0: that is not known */
static int owed;                        /* jobs after which pay() was not called */

/* --- the compile thread ---------------------------------------------------------------- */

/* From any thread: the actor has got something to do. */
static void wake(void *arg)
{
	(void)arg;
	tray_wake();
}

/* The actor's turns. */
static void have_turns(void)
{
	came_ns = tray_woken_ns();
	home_enter(home);
	while (home_run(home))
		;
	home_leave(home);
}

/* The actor takes all that is finished with any one `done`, so one that is refused is only late. */
static void tell(void)
{
	struct call done = { .to = actor_find("patch"), .what = "done", .origin = FROM_NODE };

	while (core_send(NULL, &done, NULL) == ACTOR_EFULL)
		have_turns();
}

static void ran_before(uint32_t number, int (*process)(actor *self), struct code *code)
{
	struct job *j = mem_alloc(sizeof *j);

	j->kind = APPLY;
	j->number = number;
	j->process = process;
	j->hold = code;
	j->table = j->again = true;
	jobs_push(&finished, j);
	tell();
}

static int bring_back(void)
{
	struct why why;
	int rc = revert_bring_back(ran_before, &why);

	if (rc < 0)
		log_line(LOG_ERROR, "patch", "what was in force is not brought back: %s", why.text);

	pthread_mutex_lock(&lock);
	back = true;
	pthread_cond_broadcast(&brought_back);
	pthread_mutex_unlock(&lock);
	return rc;
}

/* The sender hears first, then the log. */
static void finish(struct job *j)
{
	enum log_level level = j->code ? LOG_WARN : LOG_INFO;
	const char *from = origin_name(j->origin);
	struct buf line = j->line, times = { 0 };
	size_t bytes = j->len;

	if (j->code && j->kind <= LIFT) {
		buf_add(&j->said, "", 1);
		buf_printf(&line, "refused: %.*s", (int)strcspn(j->said.p, "\n"), j->said.p);
		j->said.len--;
	}
	j->line = (struct buf){ 0 };
	job_times(j, &times);
	mem_free(j->text);
	j->text = NULL;
	jobs_push(&finished, j);
	tell();
	have_turns();
	if (line.len)
		log_line(level, "patch", "%.*s (from %s, %zu bytes%.*s)", (int)line.len, line.p,
		         from, bytes, (int)times.len, times.len ? times.p : "");
	buf_fini(&line);
	buf_fini(&times);
}

/* --- probation ------------------------------------------------------------------------- */

/* To the group `patches`, and who waits for it. */
static void told(uint32_t number, const char *word, const char *why)
{
	struct jobs left = { 0 };
	struct buf args = { 0 };
	struct job *j;

	pack_int(&args, number);
	pack_text(&args, word);
	pack_text(&args, why);
	core_publish(NULL, "patches", packed_of(&args), 3);
	buf_fini(&args);
	while ((j = jobs_pop(&watching))) {
		if (j->number != number) {
			jobs_push(&left, j);
			continue;
		}
		buf_clear(&j->out);
		buf_clear(&j->warnings);
		pack_text(&j->out, word);
		buf_text(&j->warnings, why);
		finish(j);
	}
	while ((j = jobs_pop(&left)))
		jobs_push(&watching, j);
}

/* To the disk goes what was written, to the kernel what was freed. Both interrupt other processors:
 * so only when nothing has come for a moment, and whoever was answered has his answer. */
static void pay(void)
{
	journal_settle();
	core_grace();
	job_release_stack();
	owed = 0;
}

/* False: the end. *j NULL: there is none. */
static bool next_job(struct job **j)
{
	int64_t ms = verdict_next_ms();
	bool ended;

	if (!owed || owed == OWED_MOST || !tray_wait(OWED_MS)) {
		pay();
		tray_wait(ms);
	}
	owed++;
	verdict_look(told);             /* whoever came to its code waits */
	have_turns();
	*j = tray_take(&ended);
	return !ended;
}

static void *run(void *arg)
{
	struct job *j;

	(void)arg;
	job_warm_up();
	while (next_job(&j)) {
		if (!j)
			continue;
		if (j->kind == ASIDE) {
			j->aside(j->aside_arg);
			job_free(j);
			continue;
		}
		j->code = j->kind == BRING_BACK ? bring_back() : job_work(j);
		if (j->waits)
			jobs_push(&watching, j);
		else
			finish(j);
		verdict_look(told);             /* it may have superseded one */
		trial_ready();
	}
	pay();
	while ((j = jobs_pop(&watching)))
		finish(j);
	verdict_close();
	return NULL;
}

/* --- the actor: taking jobs ------------------------------------------------------------ */

/* Why this may not come from there; NULL: it may. Whether a signature holds the compile thread
 * finds out. */
static const char *barred(enum origin o, bool is_signed)
{
	if (o == FROM_CLIENT)
		return "clients cannot send patches";
	if (o == FROM_REDIS && !config.unsigned_redis && !keys_given())
		return "patches are not taken from this Redis: start actord with --patch-keys "
		       "and sign them, or with --unsigned-patches, or send them with actorctl";
	if (o == FROM_REDIS && !config.unsigned_redis && !is_signed)
		return "only signed patches are taken from this Redis: send what `actorctl sign "
		       "FILE --key KEY` prints (of a file that is all of `//revert NUMBER`, for a "
		       "revert), or use actorctl where the runtime is";
	return NULL;
}

/* False: refused, the sender has been told; and as he may not have asked, the log, now and then. */
static bool allowed_from(const msg *m, bool is_signed)
{
	static int64_t said_ms = -SAY_MS;
	const char *why = barred(msg_origin(m), is_signed);

	if (!why)
		return true;
	msg_fail(m, "%s", why);
	if (now_ms() - said_ms >= SAY_MS) {
		said_ms = now_ms();
		log_line(LOG_WARN, "patch", "refused: %s (from %s)", why,
		         origin_name(msg_origin(m)));
	}
	return false;
}

static int put(actor *self, const msg *m, struct job *j)
{
	int rc;

	(void)self;
	j->origin = msg_origin(m);
	j->at.taken = came_ns ? came_ns : now_ns();
	rc = tray_put(j);
	if (!rc) {
		j->caller = msg_defer(m);       /* it is this thread that takes it */
		return 0;
	}
	job_free(j);
	if (rc != ACTOR_EFULL)
		return msg_fail(m, "the node is stopping: it takes no more patches");
	return msg_fail_as(m, ACTOR_EFULL,
	                   "as many patches are waiting already as may: try again later");
}

static int take(actor *self, const msg *m, enum kind kind)
{
	struct job *j;

	if (!allowed_from(m, signed_looks(msg_str(m, 0), msg_len(m, 0))))
		return 0;
	j = job_new(m, kind, 0, "patch.c");
	job_options(j, m);
	return put(self, m, j);
}

static int apply(actor *self, const msg *m)
{
	return take(self, m, APPLY);
}

static int check(actor *self, const msg *m)
{
	return take(self, m, CHECK);
}

static int eval(actor *self, const msg *m)
{
	struct job *j;

	if (!allowed_from(m, signed_looks(msg_str(m, 2), msg_len(m, 2))))
		return 0;
	j = job_new(m, EVAL, 2, "eval.c");
	j->topic = job_text(m, 0);
	j->handler = job_text(m, 1);
	j->function = job_text(m, 3);
	return put(self, m, j);
}

/* --- the actor: what there has been ---------------------------------------------------- */

static int number_of(const msg *m, struct job *j)
{
	int64_t n = msg_int(m, 0);

	j->number = (uint32_t)n;
	return n >= 0 && n <= UINT32_MAX ? 0 : ACTOR_ENOENT;
}

static int number_given(actor *self, const msg *m, struct job *j)
{
	static const struct packed nothing;

	if (!number_of(m, j))
		return put(self, m, j);
	job_free(j);
	return core_answer(self, msg_defer(m), nothing, 0, ACTOR_ENOENT, "there is no such patch");
}

static int revert(actor *self, const msg *m)
{
	struct job *j;

	if (!allowed_from(m, false))
		return 0;
	j = job_new(m, REVERT, -1, "");
	job_options(j, m);
	return number_given(self, m, j);
}

static int lift(actor *self, const msg *m)
{
	struct job *j;

	if (!allowed_from(m, false))
		return 0;
	j = job_new(m, LIFT, -1, "");
	job_options(j, m);
	return number_given(self, m, j);
}

static int await_verdict(actor *self, const msg *m)
{
	return number_given(self, m, job_new(m, WAIT, -1, ""));
}

static int show(actor *self, const msg *m)
{
	return number_given(self, m, job_new(m, SHOW, -1, ""));
}

static int list(actor *self, const msg *m)
{
	return put(self, m, job_new(m, LIST, -1, ""));
}

static int log_lines(actor *self, const msg *m)
{
	return put(self, m, job_new(m, msg_int(m, 0) ? VERIFY : LOG, -1, ""));
}

/* --- the actor: what came of them ------------------------------------------------------ */

static void answer(actor *self, struct job *j)
{
	bool warned = j->warnings.len > 0;
	struct buf out = { 0 };

	if (!j->caller) {
		job_free(j);
		return;
	}
	buf_add(&j->said, "", 1);
	if (j->out.len)
		buf_add(&out, j->out.p, j->out.len);
	else if (j->kind == CHECK)
		pack_text(&out, j->said.p);
	else
		pack_int(&out, j->number);
	if (warned)
		pack_str(&out, j->warnings.p, j->warnings.len);
	core_answer(self, j->caller, packed_of(&out), 1 + warned, j->code, j->said.p);
	buf_fini(&out);
	job_free(j);
}

/* Then the compile thread has it again, before all others. */
static void run_process(actor *self, struct job *j)
{
	struct why why;
	int rc = core_run(self, j->process, j->hold, &why);
	struct buf words = { 0 };

	if (rc && *why.text)
		buf_printf(&words, "its process failed: %s", why.text);
	else if (rc)
		buf_printf(&words, "its process returned %d", rc);
	j->failed = rc ? mem_string(words.p, words.len) : NULL;
	j->kind = PROCESSED;
	j->process = NULL;
	j->at = (struct stages){ 0 };
	buf_fini(&words);
	tray_put_first(j);
}

static int done(actor *self, const msg *m)
{
	struct job *j;

	(void)m;
	while ((j = jobs_pop(&finished)))
		if (j->process)
			run_process(self, j);
		else
			answer(self, j);
	return 0;
}

static const struct actor_type patch_type = {
	.name = "patch",
	.mailbox = { .bytes = 32 << 20 },
	.on   = ON({ "apply", "source:str options:map?", apply, ON_BARRIER | ON_TEXT },
	           { "check", "source:str options:map?", check, 0 },
	           { "exec",  "source:str", apply, ON_BARRIER },
	           { "eval",  "topic:str handler:str source:str function:str", eval, ON_BARRIER },
	           { "revert", "number:int options:map?", revert, ON_BARRIER },
	           { "lift",  "number:int options:map?", lift, ON_BARRIER },
	           { "wait",  "number:int", await_verdict, 0 },
	           { "list",  "", list, 0 },
	           { "show",  "number:int", show, 0 },
	           { "log",   "verify:bool?", log_lines, 0 },
	           { "done",  "", done, 0 }),
};

bool patch_takes(handler *fn)
{
	const struct actor_handler *h = patch_type.on;

	while (h->name && (h->fn != fn || !(h->flags & ON_BARRIER)))
		h++;
	return h->name;
}

/* --- its life -------------------------------------------------------------------------- */

static int start_thread(struct why *why)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	err = pthread_attr_setstacksize(&attr, STACK);
	err = err ? err : pthread_create(&thread, &attr, run, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		return why_set(why, ACTOR_ENOMEM, "no thread for the compiler: %s", strerror(err));
	pthread_setname_np(thread, "compile");
	return 0;
}

int patch_start(const struct patch_config *c, struct why *why)
{
	static const struct type_options options = { .native = true, .topic = true };
	struct spawn spawn = { .type = core_type("patch"), .name = "patch" };
	struct keys_config keys = { c->keys, c->state, c->node, c->groups };
	struct why reason;
	int rc;

	config = *c;
	tray_open();
	back = false;
	owed = 0;
	if (watched_default(c->probation, &reason) < 0)
		return why_set(why, ACTOR_EARGS, "--probation: %s", reason.text);
	core_on_probation(tray_wake);
	if (keys_open(&keys, &reason) < 0)
		return why_set(why, ACTOR_EARGS, "--patch-keys: %s", reason.text);
	if (history_open(c->state, why) < 0)
		return ACTOR_EFAIL;
	if (!spawn.type)
		spawn.type = core_add_type(&patch_type, &options, NULL, why);
	if (!spawn.type)
		return ACTOR_EFAIL;
	home = spawn.home = home_new("patch", wake, NULL);
	if (!home)
		return why_set(why, ACTOR_ENOMEM, "no home for the actor patch");
	rc = core_spawn(&spawn, &(actor_id){ 0 }, why);
	if (rc < 0 || (rc = trial_start(why)) < 0)
		return rc;
	return start_thread(why);
}

void patch_quiet(void)
{
	tray_close();
}

/* What waits is still done: it has been taken. */
bool patch_stop(int ms)
{
	struct job *j;
	bool ended;

	tray_end();
	if (!join_within(thread, ms)) {
		log_line(LOG_ERROR, "patch", "a patch does not come back: it is left behind");
		return false;
	}
	home_free(home);
	trial_stop();
	while ((j = jobs_pop(&finished)) || (j = tray_take(&ended)))
		job_free(j);
	history_close();
	keys_close();
	return true;
}

int patch_aside(void (*fn)(void *arg), void *arg, struct why *why)
{
	struct job *j = mem_alloc(sizeof *j);
	int rc;

	*j = (struct job){ .kind = ASIDE, .aside = fn, .aside_arg = arg };
	rc = tray_put(j);
	if (!rc)
		return 0;
	job_free(j);
	return rc == ACTOR_EFULL
		? why_set(why, ACTOR_EFAIL, "%d compiles wait already: try again later", TRAY_MOST)
		: why_set(why, ACTOR_EFAIL, "the node is stopping");
}

void patch_bring_back(void)
{
	struct job *j = mem_alloc(sizeof *j);

	j->kind = BRING_BACK;
	tray_put_first(j);
	pthread_mutex_lock(&lock);
	while (!back)
		pthread_cond_wait(&brought_back, &lock);
	pthread_mutex_unlock(&lock);
}

void patch_each(void (*each)(void *arg, const struct patch_info *p), void *arg)
{
	history_each(each, arg);
}
