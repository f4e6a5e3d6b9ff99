/* SPDX-License-Identifier: MIT
 * exports.c - actor.h's functions, for compiled sources to be linked with.
 *
 * They are called by doors (guard.c), but for those that only read what the caller lends, and those
 * that write a text with the caller's format first: what faults in these is the caller's. */
#include <pthread.h>
#include <stdio.h>

#include "guard.h"
#include "undo.h"

enum { TEXT_MAX = 512 };

/* The same functions, for the texts when they are whole. */
static int (*door_fail)(const msg *, const char *, ...) = msg_fail;
static int (*door_refuse)(actor *, msg_caller, const char *, ...) = undo_refuse;
static void (*door_log)(actor *, const char *, ...) = actor_log;

static int fail(const msg *m, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return door_fail(m, "%s", text);
}

static int refuse(actor *self, msg_caller to, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return door_refuse(self, to, "%s", text);
}

static void log_it(actor *self, const char *fmt, ...)
{
	char text[4 * TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	door_log(self, "%s", text);
}

static void *state_of(actor *self)
{
	void *state = actor_state(self);

	if (worker_self && draft_is_open(worker_self))
		draft_state(state);
	return state;
}

static void touch_self(const actor *self)
{
	if (self)
		guard_touch(self);
}

/* The texts among a call's values are read before anything is locked. */
static void probe(const struct actor_site *s, const uint64_t *values)
{
	for (int i = 0; i < s->n; i++)
		if (s->types[i] == 's' && values[i])
			guard_probe((const char *)(uintptr_t)values[i]);
}

static int send_to(actor *self, actor_ref to, const char *what, struct actor_site *s,
		   const uint64_t *v)
{
	touch_self(self);
	guard_probe(what);
	probe(s, v);
	return actor_send_(self, to, what, s, v);
}

static int publish(actor *self, const char *what, const struct actor_site *s, const uint64_t *v)
{
	touch_self(self);
	guard_probe(what);
	probe(s, v);
	return actor_publish_(self, what, s, v);
}

static int64_t ask(actor *self, actor_ref to, const char *what, struct actor_site *s,
		   const char *then, int ms, const uint64_t *v)
{
	touch_self(self);
	guard_probe(what);
	guard_probe(then);
	probe(s, v);
	return undo_asked(self, actor_ask_(self, to, what, s, then, ms, v));
}

static int64_t after(actor *self, int64_t ms, const char *what, struct actor_site *s,
		     const uint64_t *v)
{
	touch_self(self);
	guard_probe(what);
	probe(s, v);
	return undo_timed(self, actor_after_(self, ms, what, s, v));
}

static int64_t window(actor *self, int64_t ms, const char *first, const char *last,
		      const char *what, struct actor_site *s, const uint64_t *v)
{
	touch_self(self);
	guard_probe(what);
	if (first)
		guard_probe(first);
	if (last)
		guard_probe(last);
	probe(s, v);
	return undo_timed(self, actor_window_(self, ms, first, last, what, s, v));
}

static int64_t cron(actor *self, const char *when, const char *what, struct actor_site *s,
		    const uint64_t *v)
{
	touch_self(self);
	guard_probe(when);
	guard_probe(what);
	probe(s, v);
	return undo_timed(self, actor_cron_(self, when, what, s, v));
}

static int reply(const msg *m, const struct actor_site *s, const uint64_t *v)
{
	guard_touch(m);
	probe(s, v);
	return msg_reply_(m, s, v);
}

static int answer(actor *self, msg_caller to, const struct actor_site *s, const uint64_t *v)
{
	touch_self(self);
	probe(s, v);
	return undo_answer(self, to, s, v);
}

static int64_t ask_out(actor *self, actor_ref to, const char *what, const char *then, int ms,
		       msg_out *o)
{
	return undo_asked(self, actor_ask_out(self, to, what, then, ms, o));
}

static void add_str(msg_out *o, const char *s)
{
	guard_touch(o);
	if (s)
		guard_probe(s);
	out_str(o, s);
}

static int64_t kept_int(actor_ref who, enum client_keep keep, const char *key)
{
	guard_probe(key);
	return client_int(who, keep, key);
}

static double kept_num(actor_ref who, enum client_keep keep, const char *key)
{
	guard_probe(key);
	return client_num(who, keep, key);
}

static enum msg_type kept_type(actor_ref who, enum client_keep keep, const char *key)
{
	guard_probe(key);
	return client_type(who, keep, key);
}

static void touch_room(const char *out, size_t size)
{
	if (!size)
		return;
	guard_touch(out);
	guard_touch(out + size - 1);
}

static size_t kept_str(actor_ref who, enum client_keep keep, const char *key, char *out,
		       size_t size)
{
	guard_probe(key);
	touch_room(out, size);
	return client_str(who, keep, key, out, size);
}

static size_t user_of(actor_ref who, char *out, size_t size)
{
	touch_room(out, size);
	return client_user(who, out, size);
}

static int keep_value(actor *self, actor_ref who, enum client_keep keep, const char *key,
		      const struct actor_site *s, const uint64_t *v)
{
	touch_self(self);
	guard_probe(key);
	probe(s, v);
	return undo_client_set(self, who, keep, key, s, v);
}

static int keep_sum(actor *self, actor_ref who, enum client_keep keep, const char *key, int64_t by,
		    int64_t *total)
{
	touch_self(self);
	guard_probe(key);
	if (total)
		guard_touch(total);
	return undo_client_add(self, who, keep, key, by, total);
}

static int keep_none(actor *self, actor_ref who, enum client_keep keep, const char *key)
{
	touch_self(self);
	guard_probe(key);
	return undo_client_drop(self, who, keep, key);
}

static void (*door_free)(actor *, void *) = undo_free;

/* What is no block of memory is the caller's fault. */
static void free_it(actor *self, void *p)
{
	if (!p)
		return;
	guard_touch((const char *)p - sizeof(uint64_t));
	if (!undo_may_free(p))
		guard_touch(NULL);
	else
		door_free(self, p);
}

static actor_ref find(const char *name)
{
	guard_probe(name);
	return actor_find(name);
}

static int forward(const msg *m, actor_ref to, const char *what)
{
	guard_touch(m);
	guard_probe(what);
	return msg_forward(m, to, what);
}

#define EXPORT(name) { #name, (void *)(uintptr_t)name }
#define EXPORT_BY(name, fn) { #name, (void *)(uintptr_t)fn }

const struct export core_exports[] = {
	EXPORT(msg_count),
	EXPORT(msg_type),
	EXPORT(msg_int),
	EXPORT(msg_num),
	EXPORT(msg_str),
	EXPORT(msg_len),
	EXPORT(msg_from),
	EXPORT(msg_error),
	EXPORT(msg_error_text),
	EXPORT(msg_ask),
	EXPORT(msg_again),
	EXPORT(msg_items),
	EXPORT(msg_next),
	EXPORT_BY(msg_defer, undo_defer),
	EXPORT_BY(msg_fail, fail),
	EXPORT_BY(msg_forward, forward),
	EXPORT(msg_values),
	EXPORT(out_null),
	EXPORT(out_int),
	EXPORT(out_num),
	EXPORT(out_bool),
	EXPORT_BY(out_str, add_str),
	EXPORT(out_text),
	EXPORT(out_room),
	EXPORT(out_bytes),
	EXPORT(out_list),
	EXPORT(out_map),
	EXPORT(out_value),
	EXPORT(actor_send_out),
	EXPORT_BY(actor_ask_out, ask_out),
	EXPORT(msg_reply_out),
	EXPORT_BY(actor_answer_out, undo_answer_out),
	EXPORT_BY(actor_state, state_of),
	EXPORT_BY(actor_alloc, undo_alloc),
	EXPORT_BY(actor_free, free_it),
	EXPORT(actor_name),
	EXPORT(actor_self),
	EXPORT_BY(actor_find, find),
	EXPORT(actor_alive),
	EXPORT(actor_is_topic),
	EXPORT_BY(actor_refuse, refuse),
	EXPORT_BY(client_int, kept_int),
	EXPORT_BY(client_num, kept_num),
	EXPORT_BY(client_str, kept_str),
	EXPORT_BY(client_type, kept_type),
	EXPORT_BY(client_user, user_of),
	EXPORT_BY(client_set_, keep_value),
	EXPORT_BY(client_add, keep_sum),
	EXPORT_BY(client_drop, keep_none),
	EXPORT_BY(actor_become, undo_become),
	EXPORT_BY(actor_stash, undo_stash),
	EXPORT_BY(actor_unstash, undo_unstash),
	EXPORT_BY(actor_join, undo_join),
	EXPORT_BY(actor_leave, undo_leave),
	EXPORT(actor_pick),
	EXPORT_BY(actor_publish_, publish),
	EXPORT_BY(actor_cancel, undo_cancel),
	EXPORT(actor_now),
	EXPORT_BY(actor_log, log_it),
	EXPORT_BY(actor_spawn_, undo_spawn),
	EXPORT(actor_stop),
	EXPORT(actor_drain),
	EXPORT(actor_parent),
	EXPORT_BY(actor_monitor, undo_monitor),
	EXPORT_BY(actor_demonitor, undo_demonitor),
	EXPORT_BY(actor_link, undo_link),
	EXPORT_BY(actor_unlink, undo_unlink),
	EXPORT(actor_why),
	EXPORT_BY(actor_send_, send_to),
	EXPORT_BY(actor_ask_, ask),
	EXPORT_BY(actor_after_, after),
	EXPORT_BY(actor_window_, window),
	EXPORT_BY(actor_cron_, cron),
	EXPORT_BY(msg_reply_, reply),
	EXPORT_BY(actor_answer_, answer),
	{NULL, NULL},
};

/* What no door is for. */
#define BARE(fn) (void *)(uintptr_t)fn
static void *const bare[] = {
	BARE(msg_count),   BARE(msg_type),  BARE(msg_int),
	BARE(msg_num),     BARE(msg_str),   BARE(msg_len),
	BARE(msg_from),    BARE(msg_error), BARE(msg_error_text),
	BARE(msg_ask),     BARE(msg_items), BARE(msg_next),
	BARE(msg_again),   BARE(state_of), BARE(actor_now),
	BARE(fail),        BARE(refuse),    BARE(log_it),
	BARE(free_it),     NULL,
};

static const struct export *doors, *text_doors;

static void make_doors(void)
{
	static const struct export texts[] = {
		EXPORT(msg_fail), EXPORT_BY(actor_refuse, undo_refuse), EXPORT(actor_log),
		EXPORT_BY(actor_free, undo_free), { NULL, NULL },
	};
	static void *const none[] = { NULL };

	text_doors = guard_doors(texts, none);
	door_fail = (int (*)(const msg *, const char *, ...))(uintptr_t)text_doors[0].addr;
	door_refuse =
		(int (*)(actor *, msg_caller, const char *, ...))(uintptr_t)text_doors[1].addr;
	door_log = (void (*)(actor *, const char *, ...))(uintptr_t)text_doors[2].addr;
	door_free = (void (*)(actor *, void *))(uintptr_t)text_doors[3].addr;
	doors = guard_doors(core_exports, bare);
}

const struct export *core_doors(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_doors);
	return doors;
}
