/* SPDX-License-Identifier: MIT
 * patch.c - the actor `patch`: sources in, patches in force, and the outcome to the sender.
 *
 * The actor itself never compiles: its handlers keep the caller, put the job in a bounded queue and
 * return. One thread takes the jobs in their order: compiles, holds what came out against what
 * runs, puts all tables of it in force at once, and tells the actor by the message `done`. The
 * actor then runs the patch's process, if it has one, and answers. So patches come into force in
 * the order in which they were sent, and an answer means that every message sent after it meets the
 * new code.
 *
 *     apply, exec, eval, check            compile thread                      done
 *     caller kept, job -> waiting[] ->    try, compile, core_change ->        process, answer
 *
 * Threads: handlers on the pool, `run` on its own, with a stack for whatever passed the trial; what
 * both touch is behind `lock`. */
#include "patch.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "explain.h"
#include "exported.h"
#include "log.h"
#include "opinion.h"
#include "trial.h"

enum {
	WAITING_MAX = 64,
	NOTE_MAX = 1024,
	STACK = 2 * TRIAL_STACK,        /* of address space */
	STACK_KEPT = 64 << 10,
};
enum kind { APPLY, CHECK, EVAL };

struct job {
	struct job *next;
	enum kind kind;
	enum origin origin;
	msg_caller caller;
	char *text; size_t len;
	char *file, *note;
	char *topic, *handler, *function;       /* EVAL */
	/* what came of it */
	int code;                               /* 0, or an error with the diagnostics in said */
	struct buf said; /* of a CHECK that passed: the handlers it would change */
	struct buf warnings;                    /* of a CHECK that passed */
	struct buf line;                        /* for the log */
	uint32_t number;
	struct code *hold;                      /* as long as process is to run */
	int (*process)(actor *self);
};

struct jobs { struct job *first, **last; int n; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct jobs waiting, finished;
static bool quiet, stopping;
static pthread_t thread;
static struct patch_config config;
static uint32_t last_number;            /* the compile thread's */

static void jobs_push(struct jobs *l, struct job *j)
{
	j->next = NULL;
	if (!l->first)
		l->last = &l->first;
	*l->last = j;
	l->last = &j->next;
	l->n++;
}

static struct job *jobs_pop(struct jobs *l)
{
	struct job *j = l->first;

	if (j) {
		l->first = j->next;
		l->n--;
	}
	return j;
}

static void job_free(struct job *j)
{
	if (!j)
		return;
	code_drop(j->hold);
	mem_free(j->text);
	mem_free(j->file);
	mem_free(j->note);
	mem_free(j->topic);
	mem_free(j->handler);
	mem_free(j->function);
	buf_fini(&j->said);
	buf_fini(&j->warnings);
	buf_fini(&j->line);
	mem_free(j);
}

static const char *origin_name(enum origin o)
{
	switch (o) {
	case FROM_NODE: return "node";
	case FROM_CONTROL: return "control";
	case FROM_REDIS: return "redis";
	case FROM_CLIENT: return "client";
	}
	return "?";
}

/* --- the compile thread ---------------------------------------------------------------- */

static void free_program(void *arg)
{
	program_free(arg);
}

/* All its tables, or none. */
static int put_in_force(struct job *j, const struct exam *x, struct exported *e, struct code *code)
{
	bool check_only = j->kind == CHECK;
	struct why why;

	if (e->n && core_change(e->change, e->n, last_number + 1, code, check_only, &why) < 0)
		return diagnose(&j->said, j->file, exported_line(x, e, why.text), "%s", why.text);
	if (check_only) {
		buf_add(&j->said, e->handlers.p, e->handlers.len);
		return 0;
	}
	j->number = ++last_number;
	record_add(&(struct patch_info){ .number = j->number, .origin = origin_name(j->origin),
	                                 .bytes = j->len, .file = j->file, .note = j->note }, e);
	buf_printf(&j->line, "%u in force: %.*s", j->number, (int)e->handlers.len, e->handlers.p);
	return 0;
}

static int attempt(struct job *j, const struct source *s)
{
	struct exported e = { .n = 0 };
	struct program *p;
	struct exam x;
	struct code *code;
	int rc;

	if (trial_compile(s, &j->said) < 0 || !(p = program_compile(s, &j->said)))
		return ACTOR_EARGS;
	x = (struct exam){ s, p, &j->said };
	code = code_new(free_program, p);
	rc = j->kind == EVAL ? exported_function(&x, j->topic, j->handler, &e)
	                     : exported_read(&x, &e);
	if (!rc)
		rc = put_in_force(j, &x, &e, code);
	if (!rc && e.process && j->kind == APPLY) {
		j->process = e.process;
		j->hold = code;
	} else {
		code_drop(code);
	}
	exported_fini(&e);
	return rc;
}

static int work(struct job *j)
{
	struct source s = { .text = j->text, .len = j->len, .file = j->file,
	                    .function = j->function };
	int rc = attempt(j, &s);

	if (rc < 0) {
		explain(&s, &j->said);
	} else if (j->kind == CHECK) {
		opinion(&s, &j->warnings);
		explain(&s, &j->warnings);
	}
	return rc;
}

/* The actor takes all that is finished with any one `done`, so one that is refused is only late. */
static void tell(void)
{
	struct call done = { .to = actor_find("patch"), .what = "done", .origin = FROM_NODE };
	struct timespec pause = { .tv_nsec = 1000000 };

	while (core_send(NULL, &done, NULL) == ACTOR_EFULL)
		nanosleep(&pause, NULL);
}

/* The sender hears first, then the log. */
static void finish(struct job *j)
{
	enum log_level level = j->code ? LOG_WARN : LOG_INFO;
	const char *from = origin_name(j->origin);
	struct buf line = j->line;
	size_t bytes = j->len;

	if (j->code) {
		buf_add(&j->said, "", 1);
		buf_printf(&line, "refused: %.*s", (int)strcspn(j->said.p, "\n"), j->said.p);
		j->said.len--;
	}
	j->line = (struct buf){ 0 };
	mem_free(j->text);
	j->text = NULL;
	pthread_mutex_lock(&lock);
	jobs_push(&finished, j);
	pthread_mutex_unlock(&lock);
	tell();
	if (line.len)
		log_line(level, "patch", "%.*s (from %s, %zu bytes)", (int)line.len, line.p, from,
		         bytes);
	buf_fini(&line);
}

static struct job *next_job(void)
{
	struct job *j;

	pthread_mutex_lock(&lock);
	while (!waiting.first && !stopping)
		pthread_cond_wait(&more, &lock);
	j = jobs_pop(&waiting);
	pthread_mutex_unlock(&lock);
	return j;
}

/* The compiler's first run touches its memory for the first time: no patch should pay for that. */
static void warm_up(void)
{
	static const char text[] = "#include \"actor.h\"\n"
	        "int process(actor *self) { return actor_after(self, 1, \"x\", 1) < 0; }";
	struct source s = { .text = text, .len = sizeof text - 1, .file = "warm-up.c" };
	struct buf said = { 0 };

	program_free(program_compile(&s, &said));
	if (said.len)
		log_line(LOG_ERROR, "patch", "the compiler does not work: %.*s", (int)said.len,
		         said.p);
	buf_fini(&said);
}

/* What a deeply nested source has touched goes back. */
static void release_stack(void)
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

static void *run(void *arg)
{
	struct job *j;

	(void)arg;
	warm_up();
	while ((j = next_job())) {
		j->code = work(j);
		finish(j);
		core_grace();
		release_stack();
	}
	return NULL;
}

/* --- the actor: taking jobs ------------------------------------------------------------ */

static char *text_at(const msg *m, int i)
{
	return mem_string(msg_str(m, i), msg_len(m, i));
}

/* May this come from there? False: refused, the sender has been told. */
static bool allowed_from(const msg *m)
{
	enum origin o = msg_origin(m);

	if (o == FROM_CLIENT)
		msg_fail(m, "clients cannot send patches");
	else if (o == FROM_REDIS && !config.unsigned_redis)
		msg_fail(m, "unsigned patches are not taken from this Redis: start actord with "
		            "--unsigned-patches, or send the patch with actorctl");
	else
		return true;
	return false;
}

static int put(actor *self, const msg *m, struct job *j)
{
	static const struct packed nothing;
	bool full, refused;

	j->origin = msg_origin(m);
	pthread_mutex_lock(&lock);
	refused = quiet;
	full = waiting.n >= WAITING_MAX;
	if (!refused && !full) {
		j->caller = msg_defer(m);
		jobs_push(&waiting, j);
		pthread_cond_signal(&more);
	}
	pthread_mutex_unlock(&lock);
	if (!refused && !full)
		return 0;
	job_free(j);
	if (refused)
		return msg_fail(m, "the node is stopping: it takes no more patches");
	return core_answer(self, msg_defer(m), nothing, 0, ACTOR_EFULL,
	                   "as many patches are waiting already as may: try again later");
}

static void option(struct job *j, const struct msg_item *key, const struct msg_item *value)
{
	char **to = NULL;

	if (key->type == MSG_STR && key->len == 4 && !memcmp(key->str, "file", 4))
		to = &j->file;
	else if (key->type == MSG_STR && key->len == 4 && !memcmp(key->str, "note", 4))
		to = &j->note;
	if (!to || value->type != MSG_STR || !value->len || value->len > NOTE_MAX)
		return;
	mem_free(*to);
	*to = mem_string(value->str, value->len);
}

static struct job *job_new(const msg *m, enum kind kind, int source, const char *file)
{
	struct job *j = mem_alloc(sizeof *j);

	j->kind = kind;
	j->text = text_at(m, source);
	j->len = msg_len(m, source);
	j->file = mem_string(file, strlen(file));
	j->note = mem_string("", 0);
	return j;
}

static int take(actor *self, const msg *m, enum kind kind)
{
	struct msg_items options = msg_items(m, 1);
	struct msg_item key, value;
	struct job *j;

	if (!allowed_from(m))
		return 0;
	j = job_new(m, kind, 0, "patch.c");
	while (msg_next(&options, &key) && msg_next(&options, &value))
		option(j, &key, &value);
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

	if (!allowed_from(m))
		return 0;
	j = job_new(m, EVAL, 2, "eval.c");
	j->topic = text_at(m, 0);
	j->handler = text_at(m, 1);
	j->function = text_at(m, 3);
	return put(self, m, j);
}

/* --- the actor: what came of them ------------------------------------------------------ */

static struct packed packed(const struct buf *b)
{
	return (struct packed){ (uint8_t *)b->p, (uint8_t *)b->p + b->len };
}

static void answer(actor *self, struct job *j)
{
	bool warned = j->warnings.len > 0;
	struct buf out = { 0 };

	if (!j->caller) {
		job_free(j);
		return;
	}
	buf_add(&j->said, "", 1);
	if (j->kind == CHECK)
		pack_text(&out, j->said.p);
	else
		pack_int(&out, j->number);
	if (warned)
		pack_str(&out, j->warnings.p, j->warnings.len);
	core_answer(self, j->caller, packed(&out), 1 + warned, j->code, j->said.p);
	buf_fini(&out);
	job_free(j);
}

static void run_process(actor *self, struct job *j)
{
	int rc = j->process(self);

	if (rc) {
		j->code = ACTOR_EFAIL;
		diagnose(&j->said, j->file, 0, "patch %u is in force, but its process returned %d",
		         j->number, rc);
		log_line(LOG_WARN, "patch", "%u: its process returned %d", j->number, rc);
	}
}

static int done(actor *self, const msg *m)
{
	struct job *j;

	(void)m;
	for (;;) {
		pthread_mutex_lock(&lock);
		j = jobs_pop(&finished);
		pthread_mutex_unlock(&lock);
		if (!j)
			return 0;
		if (j->process)
			run_process(self, j);
		answer(self, j);
	}
}

struct listing { struct buf out; uint32_t n; };

static void list_one(void *arg, const struct patch_info *p)
{
	struct listing *l = arg;
	time_t at = p->wall_ms / 1000;
	char when[32];
	struct tm tm;

	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	pack_map(&l->out, 9);
	pack_text(&l->out, "number");   pack_int(&l->out, p->number);
	pack_text(&l->out, "state");    pack_text(&l->out, p->state);
	pack_text(&l->out, "targets");  pack_text(&l->out, p->targets);
	pack_text(&l->out, "handlers"); pack_text(&l->out, p->handlers);
	pack_text(&l->out, "origin");   pack_text(&l->out, p->origin);
	pack_text(&l->out, "time");     pack_text(&l->out, when);
	pack_text(&l->out, "bytes");    pack_int(&l->out, (int64_t)p->bytes);
	pack_text(&l->out, "file");     pack_text(&l->out, p->file);
	pack_text(&l->out, "note");     pack_text(&l->out, p->note);
	l->n++;
}

static int list(actor *self, const msg *m)
{
	struct listing items = { 0 };
	struct buf out = { 0 };

	record_each(list_one, &items);
	pack_list(&out, items.n);
	buf_add(&out, items.out.p, items.out.len);
	core_answer(self, msg_defer(m), packed(&out), 1, 0, NULL);
	buf_fini(&items.out);
	buf_fini(&out);
	return 0;
}

static const struct actor_type patch_type = {
	.name = "patch",
	.mailbox = { .bytes = 32 << 20 },
	.on   = ON({ "apply", "source:str options:map?", apply, ON_BARRIER | ON_TEXT },
	           { "check", "source:str options:map?", check, 0 },
	           { "exec",  "source:str", apply, ON_BARRIER },
	           { "eval",  "topic:str handler:str source:str function:str", eval, ON_BARRIER },
	           { "list",  "", list, 0 },
	           { "done",  "", done, 0 }),
};

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
	static const struct type_options options = { .native = true };
	struct spawn spawn = { .type = core_type("patch"), .name = "patch" };
	int rc;

	config = *c;
	quiet = stopping = false;
	if (!spawn.type)
		spawn.type = core_add_type(&patch_type, &options, NULL, why);
	if (!spawn.type)
		return ACTOR_EFAIL;
	rc = core_spawn(&spawn, &(actor_id){ 0 }, why);
	if (rc < 0 || (rc = trial_start(why)) < 0)
		return rc;
	return start_thread(why);
}

void patch_quiet(void)
{
	pthread_mutex_lock(&lock);
	quiet = true;
	pthread_mutex_unlock(&lock);
}

/* What waits is still done: it has been taken. */
void patch_stop(void)
{
	struct job *j;

	pthread_mutex_lock(&lock);
	quiet = stopping = true;
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	trial_stop();
	while ((j = jobs_pop(&finished)))
		job_free(j);
}

void patch_each(void (*each)(void *arg, const struct patch_info *p), void *arg)
{
	record_each(each, arg);
}
