/* SPDX-License-Identifier: MIT
 * asking.h - for tests of patches: a running core with the shipped actors, loaded from their
 * source, the actor `patch`, and a caller that waits: this thread is a home, its one actor asks. */
#ifndef ASKING_H
#define ASKING_H

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "patch/patch.h"

#define HEAD "#include \"actor.h\"\n"
#define TABLE(name, what, args)                                                                    \
	"const struct actor_type patch = { .name = \"" name "\", .on = ON({ \"" what "\", \"" args \
	"\", f, 0 }) };\n"
#define ANSWER(value)                                                                              \
	HEAD "static int f(actor *self, const msg *m) { return msg_reply(m, " value "); }\n"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static bool awake, patching;        /* patching: the trial is the compile thread's now */
static struct home *home;
static actor_id asker;
static int answers, full;
static int code;
static int64_t number;
static char words[4096];

static inline void wake(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	awake = true;
	pthread_cond_signal(&woken);
	pthread_mutex_unlock(&lock);
}

static inline int got(actor *self, const msg *m)
{
	(void)self;
	answers++;
	code = msg_error(m);
	full += code == ACTOR_EFULL;
	number = code ? 0 : msg_int(m, 0);
	*words = 0;
	if (code)
		snprintf(words, sizeof words, "%s", msg_error_text(m));
	else if (msg_count(m) && msg_type(m, 0) == MSG_STR)
		snprintf(words, sizeof words, "%s", msg_str(m, 0));
	return 0;
}

static inline int got_list(actor *self, const msg *m)
{
	struct msg_items list = msg_items(m, 0), pairs;
	struct msg_item item, key, value;
	size_t at = 0;

	(void)self;
	answers++;
	while (msg_next(&list, &item))
		for (pairs = item.items; msg_next(&pairs, &key) && msg_next(&pairs, &value);)
			if (value.type == MSG_STR && value.len < 200 && at < sizeof words - 400)
				at += (size_t)sprintf(words + at, "%.*s=%.*s;", (int)key.len,
				                      key.str, (int)value.len, value.str);
	return 0;
}

static inline int got_none(actor *self, const msg *m)
{
	(void)self, (void)m;
	return 0;
}

static const struct actor_type asker_type = {
	.name = "asker",
	.on   = ON({ "got", "...", got, 0 }, { "got_list", "patches:list", got_list, 0 },
	           { "got_none", "...", got_none, 0 }),
};

static inline void wait_for(int n)
{
	while (answers < n) {
		pthread_mutex_lock(&lock);
		while (!awake)
			pthread_cond_wait(&woken, &lock);
		awake = false;
		pthread_mutex_unlock(&lock);
		while (home_run(home))
			;
	}
}

static inline void send_from(enum origin origin, const char *to, const char *what, const char *then,
                      struct buf *args, unsigned count)
{
	struct call c = { .to = actor_find(to), .what = what, .origin = origin, .count = count };
	struct why why = { "" };

	c.args = (struct packed){ (uint8_t *)args->p, (uint8_t *)args->p + args->len };
	if (core_ask(core_actor(asker), &c, then, 60000, &why) < 0)
		fail_msg("%s.%s: %s", to, what, why.text);
	buf_fini(args);
}

static inline void ask(enum origin origin, const char *to, const char *what, struct buf *args,
                unsigned count)
{
	answers = 0;
	send_from(origin, to, what, "got", args, count);
	wait_for(1);
}

static inline void texts(struct buf *out, const char *const *text, int n)
{
	for (int i = 0; i < n; i++)
		pack_text(out, text[i]);
}

static inline void apply_from(enum origin origin, const char *handler_name, const char *source)
{
	struct buf args = { 0 };

	pack_text(&args, source);
	ask(origin, "patch", handler_name, &args, 1);
}

static inline void in_force(const char *source)
{
	apply_from(FROM_CONTROL, "apply", source);
	if (code)
		fail_msg("%s", words);
	assert_true(number > 0);
}

static inline void refused(const char *source, const char *first, const char *second)
{
	apply_from(FROM_CONTROL, "apply", source);
	if (!code || !strstr(words, first) || !strstr(words, second))
		fail_msg("wanted `%s` and `%s` in %d: %s", first, second, code, words);
}

static inline void eval(enum origin origin, const char *topic, const char *name, const char *source,
                 const char *function)
{
	struct buf args = { 0 };

	texts(&args, (const char *[]){ topic, name, source, function }, 4);
	ask(origin, "patch", "eval", &args, 4);
}

/* --- the runtime ----------------------------------------------------------------------- */

struct loading { const char *path; struct why *why; struct type *type; sem_t done; };

static inline void load_aside(void *arg)
{
	struct loading *l = arg;

	l->type = patch_load_source(l->path, l->why);
	sem_post(&l->done);
}

/* On the compile thread, once that has work, as the node does it. */
static inline struct type *load_source(const char *path, struct why *why)
{
	struct loading l = { .path = path, .why = why };

	if (!patching)
		return patch_load_source(path, why);
	sem_init(&l.done, 0, 0);
	if (!patch_aside(load_aside, &l, why))
		while (sem_wait(&l.done))
			;
	sem_destroy(&l.done);
	return l.type;
}

static inline void load(const char *path, const char *name)
{
	struct why why = { "" };
	struct spawn s = { .type = load_source(path, &why), .name = name };

	if (!s.type || core_spawn(&s, &(actor_id){ 0 }, &why) < 0)
		fail_msg("%s", why.text);
}

static inline int start(void **state)
{
	struct core_config c = { .workers = 2 };
	struct patch_config p = { .unsigned_redis = false };
	struct why why = { "" };
	struct spawn s = { .name = "asker" };

	(void)state;
	if (core_start(&c, &why) < 0)
		fail_msg("%s", why.text);
	s.home = home = home_new("test", wake, NULL);
	home_enter(home);
	load(SOURCE_DIR "/actors/arena.c", "arena");
	load(SOURCE_DIR "/actors/counter.c", "counter");
	load(SOURCE_DIR "/actors/echo.c", "echo");
	load(SOURCE_DIR "/actors/global.c", "");
	load(SOURCE_DIR "/actors/rpc.c", "rpc");
	s.type = core_add_type(&asker_type, &(struct type_options){ .native = true }, NULL, &why);
	if (!s.type || core_spawn(&s, &asker, &why) < 0)
		fail_msg("%s", why.text);
	while (home_run(home))
		;
	if (patch_start(&p, &why) < 0)
		fail_msg("%s", why.text);
	patching = true;
	return 0;
}

static inline int stop(void **state)
{
	(void)state;
	core_end(asker);
	while (home_run(home))
		;
	core_stop(5000);
	assert_true(patch_stop(60000));
	patching = false;
	home_leave(home);
	home_free(home);
	return 0;
}

#endif
