/* SPDX-License-Identifier: MIT
 * loop.c - the I/O thread's loop over libevent.
 *
 * The idea: one event_base, and on it a home, timers, and what the rooms watch. Two events are
 * made active by whoever has something for this thread: `earlier` (core's first timer moved) and
 * `posted` (the post list is no longer empty). libevent writes its eventfd while it holds its lock,
 * which the thread that this wakes waits for next: two switches more, each time. So who makes an
 * actor ready from elsewhere rings a bell of our own; and while watched descriptors are read nobody
 * need, as the home is looked at behind that, before anything is written: what workers have
 * answered meanwhile goes with the same writes (actor-bench redis-low).
 *
 * Invariant: what the home leaves undone is done in the next turn, so that actors on the loop
 * cannot keep descriptors waiting.
 *
 * Threads: `posts` has a lock; loop_stop(), loop_post() and the wakes come from any thread;
 * all else belongs to the thread that runs the loop. Does not retry, time out or limit. */
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <unistd.h>

#include "bell.h"
#include "log.h"
#include "loop.h"
#include "moments.h"
#include "ports.h"
#include "posts.h"
#include "slice.h"

enum { ACCEPT_AGAIN_MS = 100, LONGEST_US = 1 << 30 };

struct loop_signal {
	struct loop_signal *next;
	struct event *event;
	int signo;
	void (*fn)(void *arg, int signo);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct home *home;
	struct event *earlier, *posted, *late, *heard;
	struct bell bell;
	struct loop_timer *ready;       /* the home is looked at */
	bool looking, expects;          /* that is set; something is answered soon */
	struct moments moments;
	struct loop_timer *due;         /* core's */
	const struct loop_timer *running;       /* NULL: none, or it was freed meanwhile */
	struct loop_signal *signals;
	struct posts posts;
};

struct loop_timer {
	struct timer timer;             /* first: a timer is its loop_timer */
	struct loop *loop;
	struct event *soon;             /* NULL: was never set to 0 */
	void (*fn)(void *arg);
	void *arg;
};

struct loop_watch {
	struct loop *loop;
	struct event *readable, *writable;
	bool wants_write, asked;        /* writable is set; it was asked for, at the turn's end */
	void (*ready)(void *arg, bool write);
	void *arg;
};

struct loop_listener {
	struct evconnlistener *listener;
	struct loop_timer *again;
	void (*accepted)(void *arg, int fd);
	void *arg;
};

/* --- the home, core's timers, posts ------------------------------------------------------- */

static _Thread_local const struct loop *here;   /* that this thread runs */

/* At the end of this turn; by on_ready() itself: of the next. */
static void look(struct loop *l)
{
	if (!l->looking)
		loop_timer_set(l->ready, 0);
	l->looking = true;
}

static void wake(void *arg)
{
	struct loop *l = arg;

	if (here == l)
		look(l);
	else
		bell_ring(&l->bell);
}

static void on_ready(void *arg)
{
	struct loop *l = arg;
	bool more;

	if (l->expects)
		bell_await(&l->bell, l->home);
	l->expects = false;
	bell_heard(&l->bell);
	more = home_run(l->home);
	l->looking = false;
	if (more)
		look(l);
}

static void on_heard(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	look(arg);
}

void loop_expect(struct loop *l)
{
	l->expects = l->looking;
}

static void earlier(void *arg)
{
	event_active(((struct loop *)arg)->earlier, 0, 0);
}

static void arm(struct loop *l)
{
	int64_t due_ns = core_next_timer(), us = (due_ns - now_ns()) / 1000 + 1;

	if (due_ns == INT64_MAX)
		loop_timer_set(l->due, -1);
	else
		loop_timer_set_us(l->due, us < 0 ? 0 : us < LONGEST_US ? us : LONGEST_US);
}

static void on_earlier(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	arm(arg);
}

static void on_due(void *arg)
{
	core_run_timers();
	arm(arg);
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	if (posts_add(&l->posts, fn, arg))
		event_active(l->posted, 0, 0);
}

static void on_posted(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	posts_run(&((struct loop *)arg)->posts);
}

static void run(struct loop *l, struct loop_timer *t)
{
	l->running = t;
	t->fn(t->arg);
	l->running = NULL;
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd, (void)what;
	run(t->loop, t);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct timer *x;

	(void)fd, (void)what;
	while ((x = moments_take(&l->moments)))
		run(l, (struct loop_timer *)x);
}

/* --- the loop ----------------------------------------------------------------------------- */

static void logged(int severity, const char *text)
{
	static const enum log_level level[] = { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

	log_line(level[severity & 3], "loop", "%s", text);
}

/* libevent's own timers only tell the next turn: the real ones are moments.c's. */
static struct event_base *base_new(void)
{
	event_set_log_callback(logged);
	event_set_mem_functions(mem_alloc, mem_resize, mem_free);       /* it never returns NULL */
	return evthread_use_pthreads() == 0 ? event_base_new() : NULL;
}

struct loop *loop_new(struct why *why)
{
	struct loop *l = mem_alloc(sizeof *l);

	l->base = base_new();
	if (bell_init(&l->bell) || !l->base || moments_init(&l->moments)) {
		why_set(why, ACTOR_ENOMEM, "the event loop cannot start: %s", strerror(errno));
		if (l->base)
			event_base_free(l->base);
		bell_fini(&l->bell);
		mem_free(l);
		return NULL;
	}
	posts_init(&l->posts);
	l->earlier = event_new(l->base, -1, 0, on_earlier, l);
	l->posted = event_new(l->base, -1, 0, on_posted, l);
	l->late = event_new(l->base, l->moments.fd, EV_READ | EV_PERSIST | EV_ET, on_late, l);
	event_add(l->late, NULL);
	l->heard = event_new(l->base, l->bell.fd, EV_READ | EV_PERSIST | EV_ET, on_heard, l);
	event_add(l->heard, NULL);
	l->ready = loop_timer_new(l, on_ready, l);
	l->due = loop_timer_new(l, on_due, l);
	l->home = home_new("io", wake, l);
	core_set_loop(l->home);
	core_on_earlier_timer(earlier, l);
	earlier(l);
	return l;
}

struct home *loop_home(struct loop *l)
{
	return l->home;
}

void loop_run(struct loop *l)
{
	home_enter(l->home);
	slice_prompt();
	here = l;
	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
	here = NULL;
	home_leave(l->home);
}

void loop_stop(struct loop *l)
{
	event_base_loopexit(l->base, NULL);
}

static void signals_free(struct loop_signal *s)
{
	struct loop_signal *next;

	for (; s; s = next) {
		next = s->next;
		event_free(s->event);
		mem_free(s);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	core_on_earlier_timer(NULL, NULL);
	core_set_loop(NULL);
	signals_free(l->signals);
	home_free(l->home);
	event_free(l->earlier);
	event_free(l->posted);
	event_free(l->late);
	event_free(l->heard);
	bell_fini(&l->bell);
	loop_timer_free(l->ready);
	loop_timer_free(l->due);
	event_base_free(l->base);
	moments_fini(&l->moments);
	posts_fini(&l->posts);
	mem_free(l);
}

/* --- timers and signals ------------------------------------------------------------------- */

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct loop_timer *t = mem_alloc(sizeof *t);

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	return t;
}

void loop_timer_set(struct loop_timer *t, int ms)
{
	if (ms >= 0) {
		loop_timer_set_us(t, ms * INT64_C(1000));
		return;
	}
	moments_clear(&t->loop->moments, &t->timer);
	if (t->soon)
		event_del(t->soon);
}

/* One that is set to 0 by its own fn again waits for the next turn, so that descriptors come in
 * between. */
void loop_timer_set_us(struct loop_timer *t, int64_t us)
{
	static const struct timeval next_turn;

	loop_timer_set(t, -1);
	if (us > 0) {
		moments_set(&t->loop->moments, &t->timer, us);
		return;
	}
	if (!t->soon)
		t->soon = event_new(t->loop->base, -1, 0, on_soon, t);
	if (t->loop->running == t)
		event_add(t->soon, &next_turn);
	else
		event_active(t->soon, EV_TIMEOUT, 0);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	moments_clear(&t->loop->moments, &t->timer);
	if (t->soon)
		event_free(t->soon);
	if (t->loop->running == t)
		t->loop->running = NULL;
	mem_free(t);
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)signo, (void)what;
	s->fn(s->arg, s->signo);
}

void loop_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo), void *arg)
{
	struct loop_signal *s = mem_alloc(sizeof *s);

	s->next = l->signals;
	s->signo = signo;
	s->fn = fn;
	s->arg = arg;
	s->event = event_new(l->base, signo, EV_SIGNAL | EV_PERSIST, on_signal, s);
	event_add(s->event, NULL);
	l->signals = s;
}

/* --- descriptors of others ---------------------------------------------------------------- */

static void on_watched(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	(void)fd;
	if (what & EV_WRITE) {
		w->asked = w->wants_write = false;
	} else {
		bell_awake(&w->loop->bell);
		look(w->loop);
	}
	w->ready(w->arg, what & EV_WRITE);      /* may free w */
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, void (*ready)(void *arg, bool write),
                                  void *arg)
{
	struct loop_watch *w = mem_alloc(sizeof *w);

	w->loop = l;
	w->ready = ready;
	w->arg = arg;
	w->readable = event_new(l->base, fd, EV_READ | EV_PERSIST, on_watched, w);
	w->writable = event_new(l->base, fd, EV_WRITE, on_watched, w);
	event_add(w->readable, NULL);
	return w;
}

void loop_watch_write(struct loop_watch *w, bool on)
{
	if (w->wants_write == on)
		return;
	w->wants_write = on;
	(void)(on ? event_add(w->writable, NULL) : event_del(w->writable));
}

void loop_watch_read(struct loop_watch *w, bool on)
{
	(void)(on ? event_add(w->readable, NULL) : event_del(w->readable));
}

void loop_watch_soon(struct loop_watch *w)
{
	if (w->asked || w->wants_write)
		return;
	w->asked = true;
	event_active(w->writable, EV_WRITE, 0);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;
	event_free(w->readable);
	event_free(w->writable);
	mem_free(w);
}

/* --- listening ---------------------------------------------------------------------------- */

static void on_accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                        int size, void *arg)
{
	struct loop_listener *s = arg;

	(void)listener, (void)from, (void)size;
	s->accepted(s->arg, fd);
}

/* Out of descriptors: the connection stays in the queue and would be reported without end. */
static void on_refused(struct evconnlistener *listener, void *arg)
{
	struct loop_listener *s = arg;

	log_line(LOG_WARN, "loop", "cannot accept a connection: %s", strerror(errno));
	evconnlistener_disable(listener);
	loop_timer_set(s->again, ACCEPT_AGAIN_MS);
}

static void accept_again(void *arg)
{
	evconnlistener_enable(((struct loop_listener *)arg)->listener);
}

struct loop_listener *loop_listen(struct loop *l, int fd,
                                  void (*accepted)(void *arg, int fd), void *arg)
{
	struct loop_listener *s = mem_alloc(sizeof *s);

	evutil_make_socket_nonblocking(fd);
	s->accepted = accepted;
	s->arg = arg;
	s->again = loop_timer_new(l, accept_again, s);
	s->listener = evconnlistener_new(l->base, on_accepted, s,
	                                 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	evconnlistener_set_error_cb(s->listener, on_refused);
	return s;
}

void loop_listener_free(struct loop_listener *s)
{
	if (!s)
		return;
	evconnlistener_free(s->listener);
	loop_timer_free(s->again);
	mem_free(s);
}
