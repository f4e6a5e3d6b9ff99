/* SPDX-License-Identifier: MIT
 * exports.c - actor.h's functions, for compiled sources to be linked with.
 *
 * EXPORTS is all there is to say of each: what is called, by a door (guard.c) or bare, and what a
 * door's caller lends, which is looked at before anything of the runtime's is. So a bad pointer is
 * a fault of the message that brought it. Bare are those that only read what the caller lends, and
 * those that write a text with the caller's format first: what faults in these is the caller's
 * anyway. */
#include <pthread.h>
#include <stdio.h>

#include "guard.h"
#include "keep.h"
#include "life.h"
#include "undo.h"

enum { TEXT_MAX = 512, PAGE = 4096, SITE_MAX = 8 };

/* --- what the caller lends ---------------------------------------------------------------- */

#define LENDS static inline __attribute__((always_inline)) LENT void

/* Faults, with p's address if p is none at all. */
static LENT COLD void is_none(const void *p)
{
	guard_touch(p);
	guard_touch(NULL);
}

LENDS lends_self_or_null(const actor *self)
{
	if (self && unlikely(!cell_is(self)))
		is_none(self);
}

LENDS lends_self(const actor *self)
{
	if (unlikely(!self || !cell_is(self)))
		is_none(self);
}

LENDS lends_message(const msg *m)
{
	if (unlikely(!msg_is(m)))
		is_none(m);
}

/* Not one that was sent already either. */
LENDS lends_out(const msg_out *o)
{
	if (unlikely(!o || (o != worker_self->outs && !life_has_out(worker_self, o))))
		is_none(o);
}

LENDS lends_text(const char *s)
{
	guard_probe(s);
}

LENDS lends_text_or_null(const char *s)
{
	if (s)
		guard_probe(s);
}

LENDS lends_bytes(const void *p, size_t len)
{
	const volatile char *at = p;

	for (size_t i = 0; i < len && len <= MESSAGE_MAX; i += PAGE)
		(void)at[i];
	if (len && len <= MESSAGE_MAX)          /* else it will not be read */
		(void)at[len - 1];
}

/* What is written is at most a value that is kept. */
LENDS lends_room(void *p, size_t size)
{
	volatile char *at = p;

	if (size > KEEP_VALUE_MOST + 1)
		size = KEEP_VALUE_MOST + 1;
	for (size_t i = 0; i < size; i += PAGE)
		at[i] = at[i];
	if (size)
		at[size - 1] = at[size - 1];
}

/* The texts among a call's values, and that the others are there. */
LENDS lends_values(const struct actor_site *s, const uint64_t *values)
{
	const volatile uint64_t *v = values;

	if (unlikely((unsigned)s->n > SITE_MAX))
		is_none(s);
	for (int i = 0; i < s->n; i++) {
		uint64_t value = v[i];

		if (s->types[i] == 's' && value)
			guard_probe((const char *)(uintptr_t)value);
	}
}

/* A table whose type may have to be made first, or a type's name. */
LENDS lends_type(const void *type, int by_name)
{
	const struct actor_type *t = type;

	guard_probe(by_name ? type : t->name);
	for (const struct actor_handler *on = by_name ? NULL : t->on; on && on->name; on++) {
		guard_probe(on->name);
		lends_text_or_null(on->args);
	}
	for (const struct actor_offer *o = by_name ? NULL : t->offers; o && o->name; o++)
		guard_probe(o->name);
}

/* --- by no door ----------------------------------------------------------------------------- */

/* The same functions by doors, for the texts when they are whole. */
static int (*door_fail)(const msg *, int, const char *, ...);
static int (*door_refuse)(actor *, msg_caller, int, const char *, ...);
static void (*door_log)(actor *, const char *, ...);
static void (*door_free)(actor *, void *);

/* What came behind fmt, as text; what a bad format reads is read here, where no door is open. */
#define WRITE(text, fmt)                                                                           \
	do {                                                                                       \
		va_list ap_;                                                                       \
                                                                                                   \
		va_start(ap_, fmt);                                                                \
		vsnprintf(text, sizeof(text), fmt, ap_);                                           \
		va_end(ap_);                                                                       \
	} while (0)

static int fail(const msg *m, int code, const char *fmt, ...)
{
	char text[TEXT_MAX];

	lends_message(m);
	lends_text(fmt);
	WRITE(text, fmt);
	return door_fail(m, code, "%s", text);
}

static int refuse(actor *self, msg_caller to, int code, const char *fmt, ...)
{
	char text[TEXT_MAX];

	lends_self_or_null(self);
	lends_text(fmt);
	WRITE(text, fmt);
	return door_refuse(self, to, code, "%s", text);
}

static void log_it(actor *self, const char *fmt, ...)
{
	char text[4 * TEXT_MAX];

	lends_self_or_null(self);
	lends_text(fmt);
	WRITE(text, fmt);
	door_log(self, "%s", text);
}

static void *state_of(actor *self)
{
	void *state = actor_state(self);

	if (worker_self && draft_is_open(worker_self))
		draft_state(state);
	return state;
}

/* What is no block of memory is the caller's fault. */
static void free_it(actor *self, void *p)
{
	if (!p)
		return;
	lends_self_or_null(self);
	guard_touch((const char *)p - sizeof(uint64_t));
	if (!undo_may_free(p))
		guard_touch(NULL);
	else
		door_free(self, p);
}

/* --- the table ------------------------------------------------------------------------------ */

#define SELF               lends_self(self);
#define SELF_OR_NULL       lends_self_or_null(self);
#define MESSAGE            lends_message(m);
#define OUT                lends_out(o);
#define VALUES             lends_values(s, v);
#define TEXT(s)            lends_text(s);
#define TEXT_OR_NULL(s)    lends_text_or_null(s);
#define BYTES(p, len)      lends_bytes(p, len);
#define ROOM(p, size)      lends_room(p, size);
#define TYPE(type, is)     lends_type(type, is);

#define NOTHING
#define WHO      actor_ref who
#define KEY      enum client_keep keep, const char *key
#define SITE     const struct actor_site *s
#define SITE_RW  struct actor_site *s
#define V        const uint64_t *v

/* BARE(name, the function); DOOR(returns, name, parameters, what is lent, the call). */
#define EXPORTS(BARE, DOOR)                                                                        \
	BARE(msg_count, msg_count)                                                                 \
	BARE(msg_type, msg_type)                                                                   \
	BARE(msg_int, msg_int)                                                                     \
	BARE(msg_num, msg_num)                                                                     \
	BARE(msg_str, msg_str)                                                                     \
	BARE(msg_len, msg_len)                                                                     \
	BARE(msg_from, msg_from)                                                                   \
	BARE(msg_error, msg_error)                                                                 \
	BARE(msg_error_text, msg_error_text)                                                       \
	BARE(msg_ask, msg_ask)                                                                     \
	BARE(msg_again, msg_again)                                                                 \
	BARE(msg_items, msg_items)                                                                 \
	BARE(msg_next, msg_next)                                                                   \
	DOOR(msg_caller, msg_defer, (const msg *m), MESSAGE, undo_defer(m))                        \
	BARE(msg_fail_as, fail)                                                                    \
	DOOR(int, msg_forward, (const msg *m, actor_ref to, const char *what),                     \
	     MESSAGE TEXT(what), msg_forward(m, to, what))                                         \
	DOOR(int, msg_reply_, (const msg *m, SITE, V), MESSAGE VALUES, msg_reply_(m, s, v))        \
	DOOR(msg_out *, msg_values, (actor *self), SELF_OR_NULL, msg_values(self))                 \
	DOOR(void, out_null, (msg_out *o), OUT, out_null(o))                                       \
	DOOR(void, out_int, (msg_out *o, int64_t n), OUT, out_int(o, n))                           \
	DOOR(void, out_num, (msg_out *o, double n), OUT, out_num(o, n))                            \
	DOOR(void, out_bool, (msg_out *o, int n), OUT, out_bool(o, n))                             \
	DOOR(void, out_str, (msg_out *o, const char *s), OUT TEXT_OR_NULL(s), out_str(o, s))       \
	DOOR(void, out_text, (msg_out *o, const char *s, size_t len),                              \
	     OUT BYTES(s, len), out_text(o, s, len))                                               \
	DOOR(char *, out_room, (msg_out *o, size_t len), OUT, out_room(o, len))                    \
	DOOR(void, out_bytes, (msg_out *o, const void *p, size_t len),                             \
	     OUT BYTES(p, len), out_bytes(o, p, len))                                              \
	DOOR(void, out_list, (msg_out *o, unsigned items), OUT, out_list(o, items))                \
	DOOR(void, out_map, (msg_out *o, unsigned pairs), OUT, out_map(o, pairs))                  \
	DOOR(void, out_value, (msg_out *o, const msg *m, int i), OUT MESSAGE, out_value(o, m, i))  \
	DOOR(int, actor_send_out, (actor *self, actor_ref to, const char *what, msg_out *o),       \
	     SELF_OR_NULL TEXT(what) OUT, actor_send_out(self, to, what, o))                       \
	DOOR(int64_t, actor_ask_out,                                                               \
	     (actor *self, actor_ref to, const char *what, const char *then, int ms, msg_out *o),  \
	     SELF TEXT(what) TEXT(then) OUT,                                                       \
	     undo_asked(self, actor_ask_out(self, to, what, then, ms, o)))                         \
	DOOR(int, msg_reply_out, (const msg *m, msg_out *o), MESSAGE OUT, msg_reply_out(m, o))     \
	DOOR(int, actor_answer_out, (actor *self, msg_caller to, msg_out *o),                      \
	     SELF_OR_NULL OUT, undo_answer_out(self, to, o))                                       \
	BARE(actor_state, state_of)                                                                \
	DOOR(void *, actor_alloc, (actor *self, size_t size), SELF, undo_alloc(self, size))        \
	BARE(actor_free, free_it)                                                                  \
	DOOR(const char *, actor_name, (actor *self), SELF, actor_name(self))                      \
	DOOR(actor_ref, actor_self, (actor *self), SELF, actor_self(self))                         \
	DOOR(actor_ref, actor_find, (const char *name), TEXT(name), actor_find(name))              \
	DOOR(int, actor_alive, (WHO), NOTHING, actor_alive(who))                                   \
	DOOR(int, actor_is_topic, (WHO), NOTHING, actor_is_topic(who))                             \
	BARE(actor_refuse_as, refuse)                                                              \
	DOOR(int64_t, client_int, (WHO, KEY), TEXT(key), client_int(who, keep, key))               \
	DOOR(double, client_num, (WHO, KEY), TEXT(key), client_num(who, keep, key))                \
	DOOR(size_t, client_str, (WHO, KEY, char *out, size_t size),                               \
	     TEXT(key) ROOM(out, size), client_str(who, keep, key, out, size))                     \
	DOOR(enum msg_type, client_type, (WHO, KEY), TEXT(key), client_type(who, keep, key))       \
	DOOR(size_t, client_user, (WHO, char *out, size_t size),                                   \
	     ROOM(out, size), client_user(who, out, size))                                         \
	DOOR(int, client_set_, (actor *self, WHO, KEY, SITE, V),                                   \
	     SELF_OR_NULL TEXT(key) VALUES, undo_client_set(self, who, keep, key, s, v))           \
	DOOR(int, client_add, (actor *self, WHO, KEY, int64_t by, int64_t *total),                 \
	     SELF_OR_NULL TEXT(key) ROOM(total, total ? sizeof *total : 0),                        \
	     undo_client_add(self, who, keep, key, by, total))                                     \
	DOOR(int, client_drop, (actor *self, WHO, KEY),                                            \
	     SELF_OR_NULL TEXT(key), undo_client_drop(self, who, keep, key))                       \
	DOOR(int, actor_become, (actor *self, const char *mode),                                   \
	     SELF TEXT_OR_NULL(mode), undo_become(self, mode))                                     \
	DOOR(int, actor_stash, (actor *self, const msg *m), SELF MESSAGE, undo_stash(self, m))     \
	DOOR(int, actor_unstash, (actor *self), SELF, undo_unstash(self))                          \
	DOOR(int, actor_join, (actor *self, const char *group, const char *then),                  \
	     SELF TEXT(group) TEXT(then), undo_join(self, group, then))                            \
	DOOR(int, actor_leave, (actor *self, const char *group),                                   \
	     SELF TEXT(group), undo_leave(self, group))                                            \
	DOOR(actor_ref, actor_pick, (const char *group, enum actor_choice by, const char *key),    \
	     TEXT(group) TEXT_OR_NULL(key), actor_pick(group, by, key))                            \
	DOOR(int, actor_publish_, (actor *self, const char *group, SITE, V),                       \
	     SELF_OR_NULL TEXT(group) VALUES, actor_publish_(self, group, s, v))                   \
	DOOR(int, actor_cancel, (actor *self, int64_t timer), SELF, undo_cancel(self, timer))      \
	BARE(actor_now, actor_now)                                                                 \
	BARE(actor_log, log_it)                                                                    \
	DOOR(actor_ref, actor_spawn_,                                                              \
	     (actor *self, const void *type, int by_name, const char *name, SITE, V),              \
	     SELF_OR_NULL TYPE(type, by_name) TEXT_OR_NULL(name) VALUES,                           \
	     undo_spawn(self, type, by_name, name, s, v))                                          \
	DOOR(int, actor_stop, (actor *self, WHO), SELF_OR_NULL, actor_stop(self, who))             \
	DOOR(int, actor_drain, (actor *self, WHO, int ms),                                         \
	     SELF_OR_NULL, actor_drain(self, who, ms))                                             \
	DOOR(actor_ref, actor_parent, (actor *self), SELF, actor_parent(self))                     \
	DOOR(int64_t, actor_monitor, (actor *self, WHO, const char *then),                         \
	     SELF_OR_NULL TEXT(then), undo_monitor(self, who, then))                               \
	DOOR(int, actor_demonitor, (actor *self, int64_t number),                                  \
	     SELF, undo_demonitor(self, number))                                                   \
	DOOR(int, actor_link, (actor *self, actor_ref with), SELF_OR_NULL, undo_link(self, with))  \
	DOOR(int, actor_unlink, (actor *self, actor_ref with),                                     \
	     SELF_OR_NULL, undo_unlink(self, with))                                                \
	DOOR(const char *, actor_why, (actor *self), SELF_OR_NULL, actor_why(self))                \
	DOOR(int, actor_send_, (actor *self, actor_ref to, const char *what, SITE_RW, V),          \
	     SELF_OR_NULL TEXT(what) VALUES, actor_send_(self, to, what, s, v))                    \
	DOOR(int64_t, actor_ask_,                                                                  \
	     (actor *self, actor_ref to, const char *what, SITE_RW, const char *then, int ms, V),  \
	     SELF TEXT(what) TEXT(then) VALUES,                                                    \
	     undo_asked(self, actor_ask_(self, to, what, s, then, ms, v)))                         \
	DOOR(int64_t, actor_after_, (actor *self, int64_t ms, const char *what, SITE_RW, V),       \
	     SELF_OR_NULL TEXT(what) VALUES, undo_timed(self, actor_after_(self, ms, what, s, v))) \
	DOOR(int64_t, actor_window_,                                                               \
	     (actor *self, int64_t ms, const char *first, const char *last, const char *what,      \
	      SITE_RW, V),                                                                         \
	     SELF_OR_NULL TEXT_OR_NULL(first) TEXT_OR_NULL(last) TEXT(what) VALUES,                \
	     undo_timed(self, actor_window_(self, ms, first, last, what, s, v)))                   \
	DOOR(int64_t, actor_cron_, (actor *self, const char *when, const char *what, SITE_RW, V),  \
	     SELF_OR_NULL TEXT(when) TEXT(what) VALUES,                                            \
	     undo_timed(self, actor_cron_(self, when, what, s, v)))                                \
	DOOR(int, actor_answer_, (actor *self, msg_caller to, SITE, V),                            \
	     SELF_OR_NULL VALUES, undo_answer(self, to, s, v))

#define SAME(name, fn) \
	_Static_assert(__builtin_types_compatible_p(__typeof__(name), __typeof__(fn)), "actor.h");
#define WRAP(type, name, params, lends, call)                                                      \
	static LENT type by_##name params                                                          \
	{                                                                                          \
		lends return call;                                                                 \
	}                                                                                          \
	SAME(name, by_##name)
EXPORTS(SAME, WRAP)

/* --- the doors ------------------------------------------------------------------------------ */

#define AT(fn) (void *)(uintptr_t)(fn)
#define BARE_ROW(name, fn) { { #name, AT(fn) }, true },
#define DOOR_ROW(type, name, params, lends, call) { { #name, AT(by_##name) }, false },
static const struct { struct export e; bool bare; } rows[] = { EXPORTS(BARE_ROW, DOOR_ROW) };
enum { ROWS = ARRAY_LEN(rows) };

enum { FAIL, REFUSE, LOG, FREE, INNER };
static struct export doors[ROWS + 1];

static void make_doors(void)
{
	struct export all[INNER + ROWS] = {
		[FAIL] = { NULL, AT(msg_fail_as) }, [REFUSE] = { NULL, AT(undo_refuse) },
		[LOG] = { NULL, AT(actor_log) }, [FREE] = { NULL, AT(undo_free) },
	};
	char *at;

	for (int i = 0; i < ROWS; i++)
		all[INNER + i] = rows[i].e;
	at = guard_doors(all, ARRAY_LEN(all));
	if (!at)
		return;
	door_fail = (int (*)(const msg *, int, const char *, ...))(uintptr_t)(at +
		FAIL * GUARD_DOOR);
	door_refuse = (int (*)(actor *, msg_caller, int, const char *, ...))(uintptr_t)(
		at + REFUSE * GUARD_DOOR);
	door_log = (void (*)(actor *, const char *, ...))(uintptr_t)(at + LOG * GUARD_DOOR);
	door_free = (void (*)(actor *, void *))(uintptr_t)(at + FREE * GUARD_DOOR);
	for (int i = 0; i < ROWS; i++) {
		doors[i] = rows[i].e;
		if (!rows[i].bare)
			doors[i].addr = at + (INNER + i) * GUARD_DOOR;
	}
}

const struct export *core_doors(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_doors);
	return doors;
}
