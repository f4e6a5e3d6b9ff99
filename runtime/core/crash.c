/* SPDX-License-Identifier: MIT
 * crash.c - see crash.h.
 *
 * The idea: all that a report says is copied at once, as the next message or a restart changes it:
 * the message, the state's bytes, how much waits. What the bytes mean (fields by name) is found out
 * when somebody looks, by who knows the layout of types.
 *
 * Threads: one lock, a leaf; reports are read as copies. Earlier messages of the actor are noted
 * only where its type has failed before (recall.h), as each would pay for it. */
#include "crash.h"

#include <pthread.h>
#include <stdio.h>

#include "json.h"
#include "log.h"
#include "ports.h"
#include "recall.h"

enum { CRASHES = 64, STATE_MOST = 4096, ARGS_MOST = 512, WINDOW_MS = 100, A_WINDOW = 16,
       LOGGED_A_SECOND = 10 };

struct report {
	struct crash c;
	char reason[512];
	unsigned char args[ARGS_MOST];
	unsigned char state[STATE_MOST];
	struct crash_before before[RECALLED_MOST];
	unsigned char before_args[RECALLED_MOST][RECALLED_BYTES];
	size_t before_len[RECALLED_MOST];
};

static struct {
	pthread_mutex_t lock;
	uint64_t n;                     /* ever noted; the last CRASHES of them are here */
	struct report *ring[CRASHES];
	int64_t window;
	int in_window;
} crashes = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int (*fields)(struct type *, const void *, size_t, struct buf *);

void core_set_fields(int (*of)(struct type *, const void *, size_t, struct buf *))
{
	fields = of;
}

/* --- noting ------------------------------------------------------------------------------- */

/* What it did before; from now on that is noted of its type. */
static void recollect(struct report *r, struct actor *a, const struct msg *m)
{
	struct recalled was[RECALLED_MOST];
	unsigned n = recall_before(a, m, was);
	struct buf args = { 0 };

	for (unsigned i = 0; i < n; i++) {
		unsigned count = recall_args(&was[i], &args);
		bool fits = args.len <= RECALLED_BYTES;

		r->before[i] = (struct crash_before){
			was[i].handler, type_title_at(was[i].from), now_ms() - was[i].at_ms,
			{ NULL, NULL }, fits ? count : 0 };
		r->before_len[i] = fits ? args.len : 0;
		if (r->before_len[i])
			memcpy(r->before_args[i], args.p, args.len);
		buf_clear(&args);
	}
	r->c.befores = n;
	buf_fini(&args);
	recall_begin(cell_type(a));
}

static void fill(struct report *r, struct actor *a, const struct msg *m,
		 const struct crash_about *about)
{
	struct type *type = cell_type(a);
	uint64_t head = LOAD(&a->head);
	struct buf args = { 0 };

	message_pack(m, 0, &args);
	r->c = (struct crash){
		.wall_ms = wall_ms(), .actor = type_title_of(a), .type = type->name, .of = type,
		.handler = about->handler, .from = type_title_at(m->from), .patch = about->patch,
		.origin = (enum origin)(m->flags >> MSG_ORIGIN_SHIFT), .ends = about->ends,
		.restarts = LOAD(&a->restarts), .waiting = HEAD_COUNT(head) - !!HEAD_COUNT(head),
		.bytes = (uint32_t)args.len, .count = args.len <= ARGS_MOST ? m->n : 0,
		.state_size = type->state,
	};
	if (args.len <= ARGS_MOST && args.len)
		memcpy(r->args, args.p, args.len);
	r->c.args = (struct packed){ r->args, r->args + (r->c.count ? args.len : 0) };
	r->c.state = r->state;
	memcpy(r->state, actor_state(a), type->state < STATE_MOST ? type->state : STATE_MOST);
	snprintf(r->reason, sizeof r->reason, "%s", about->reason);
	utf8_mend(r->reason, strlen(r->reason));
	r->c.reason = r->reason;
	buf_fini(&args);
	recollect(r, a, m);
}

static bool flood(void)
{
	int64_t window = now_ms() / WINDOW_MS;

	if (crashes.window != window)
		crashes.in_window = 0;
	crashes.window = window;
	return crashes.in_window++ >= A_WINDOW;
}

uint64_t crash_note(struct actor *a, const struct msg *m, const struct crash_about *about)
{
	struct report *r = NULL, **place;
	uint64_t number = 0;

	pthread_mutex_lock(&crashes.lock);
	if (!flood()) {
		number = ++crashes.n;
		place = &crashes.ring[number % CRASHES];
		r = *place;
		*place = NULL;
	}
	pthread_mutex_unlock(&crashes.lock);
	if (!number)
		return 0;
	if (!r)
		r = mem_alloc(sizeof *r);
	fill(r, a, m, about);
	r->c.number = number;
	pthread_mutex_lock(&crashes.lock);
	place = &crashes.ring[number % CRASHES];
	if (!*place) {
		*place = r;
		r = NULL;
	}
	pthread_mutex_unlock(&crashes.lock);
	mem_free(r);                    /* others were faster, by a whole ring */
	return number;
}

/* --- looking ------------------------------------------------------------------------------ */

static bool copy(uint64_t number, struct report *out)
{
	const struct report *r;
	bool found;

	pthread_mutex_lock(&crashes.lock);
	r = crashes.ring[number % CRASHES];
	found = r && r->c.number == number;
	if (found)
		*out = *r;
	pthread_mutex_unlock(&crashes.lock);
	if (!found)
		return false;
	out->c.args = (struct packed){ out->args, out->args + (out->c.count ? out->c.bytes : 0) };
	out->c.state = out->state;
	out->c.reason = out->reason;
	out->c.before = out->before;
	for (unsigned i = 0; i < out->c.befores; i++)
		out->before[i].args = (struct packed){
			out->before_args[i], out->before_args[i] + out->before_len[i] };
	return true;
}

uint64_t core_crash_count(void)
{
	uint64_t n;

	pthread_mutex_lock(&crashes.lock);
	n = crashes.n;
	pthread_mutex_unlock(&crashes.lock);
	return n;
}

bool core_crash(uint64_t number, void (*look)(void *arg, const struct crash *c), void *arg)
{
	struct report *r = mem_alloc(sizeof *r);
	bool found = number > 0 && copy(number, r);

	if (found)
		look(arg, &r->c);
	mem_free(r);
	return found;
}

int core_crash_fields(const struct crash *c, struct buf *rows)
{
	size_t len = c->state_size < STATE_MOST ? c->state_size : STATE_MOST;

	return fields ? fields(c->of, c->state, len, rows) : -1;
}

/* A row has field, type and value, in this order. */
static void say_field(struct packed *rows, struct buf *out)
{
	struct value v;

	packed_next(rows, &v);
	packed_skip(rows);
	packed_next(rows, &v);
	buf_printf(out, "%s%.*s=", out->len ? ", " : "", (int)v.len, v.str);
	for (int i = 0; i < 3; i++)
		packed_skip(rows);
	if (json_write(out, rows) != 0)
		buf_text(out, "?");
}

static void say(void *arg, const struct crash *c)
{
	struct buf rows = { 0 }, *out = arg;
	int n = core_crash_fields(c, &rows);
	struct packed at = packed_of(&rows);
	struct buf state = { 0 };

	for (; n > 0 && state.len < 200; n--)
		say_field(&at, &state);
	buf_printf(out, "; crash %llu", (unsigned long long)c->number);
	if (state.len)
		buf_printf(out, ": %.*s%s", (int)state.len, state.p, n > 0 ? ", ..." : "");
	buf_printf(out, "; %u wait", c->waiting);
	buf_fini(&state);
	buf_fini(&rows);
}

void crash_log(const char *line, uint64_t number)
{
	static _Atomic int64_t second;
	static _Atomic uint32_t logged, left_out;
	int64_t now = now_ms() / 1000;
	struct buf more = { 0 };
	uint32_t left;

	if (LOAD(&second) != now) {
		STORE(&second, now);
		STORE(&logged, 0);
	}
	if (atomic_fetch_add(&logged, 1) >= LOGGED_A_SECOND) {
		atomic_fetch_add(&left_out, 1);
		return;
	}
	left = atomic_exchange(&left_out, 0);
	if (left)
		buf_printf(&more, "; %u like it not logged", left);
	core_crash(number, say, &more);
	if (more.len)
		log_line(LOG_WARN, "actor", "%s (%.*s)", line, (int)more.len - 2, more.p + 2);
	else
		log_line(LOG_WARN, "actor", "%s", line);
	buf_fini(&more);
}
