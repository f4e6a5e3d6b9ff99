/* SPDX-License-Identifier: MIT
 * test_loop.c - the I/O loop with real descriptors, threads, signals and timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/stream.h"
#include "ports.h"

enum { GIVE_UP_MS = 20000, LARGE = 3 << 20 };

static struct loop *loop;
static bool gave_up;

static void give_up(void *arg)
{
	(void)arg;
	gave_up = true;
	loop_stop(loop);
}

/* Until somebody stops the loop; nobody doing so is a failure. */
static void turn(void)
{
	struct loop_timer *t = loop_timer_new(loop, give_up, NULL);

	gave_up = false;
	loop_timer_set(t, GIVE_UP_MS);
	loop_run(loop);
	loop_timer_free(t);
	assert_false(gave_up);
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* --- posts -------------------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS = 20000 };

static int last_of[POSTERS], posts_seen;
static bool posts_in_order = true;

struct posted { int poster, number; };

static void take_post(void *arg)
{
	struct posted *p = arg;

	posts_in_order = posts_in_order && p->number == last_of[p->poster] + 1;
	last_of[p->poster] = p->number;
	free(p);
	if (++posts_seen == POSTERS * POSTS)
		loop_stop(loop);
}

static void *post_all(void *arg)
{
	for (int i = 1; i <= POSTS; i++) {
		struct posted *p = malloc(sizeof *p);

		*p = (struct posted){ (int)(intptr_t)arg, i };
		loop_post(loop, take_post, p);
	}
	return NULL;
}

static void posts_of_many_threads(void **state)
{
	pthread_t thread[POSTERS];

	(void)state;
	for (intptr_t i = 0; i < POSTERS; i++)
		pthread_create(&thread[i], NULL, post_all, (void *)i);
	turn();
	for (int i = 0; i < POSTERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(posts_seen, POSTERS * POSTS);
	assert_true(posts_in_order);
}

/* --- timers and signals ------------------------------------------------------------------- */

static struct loop_timer *ticker;
static int ticks;

static void tick(void *arg)
{
	(void)arg;
	if (++ticks == 3)
		loop_stop(loop);
	else
		loop_timer_set(ticker, 2);
}

static void timers(void **state)
{
	struct loop_timer *never = loop_timer_new(loop, give_up, NULL);
	int64_t began = now_ns();

	(void)state;
	ticker = loop_timer_new(loop, tick, NULL);
	loop_timer_set(never, 1);
	loop_timer_set(never, -1);
	loop_timer_set(ticker, 5000);
	loop_timer_set(ticker, 2);
	turn();
	assert_int_equal(ticks, 3);
	assert_true(now_ns() - began >= 6000000);
	loop_timer_free(never);
	loop_timer_free(ticker);
}

static struct loop_timer *soon, *later;
static char order[8];

static void note_soon(void *arg)
{
	strcat(order, "s");
	if (strlen(order) < 3)
		loop_timer_set(soon, 0);        /* waits for the next turn, or descriptors starve */
	(void)arg;
}

static void note_later(void *arg)
{
	(void)arg;
	strcat(order, "l");
	loop_stop(loop);
}

static void a_timer_set_to_nothing_comes_at_the_end_of_the_turn(void **state)
{
	struct loop_timer *called_off = loop_timer_new(loop, give_up, NULL);

	(void)state;
	soon = loop_timer_new(loop, note_soon, NULL);
	later = loop_timer_new(loop, note_later, NULL);
	loop_timer_set(called_off, 0);
	loop_timer_set(later, 20);
	loop_timer_set(soon, 0);
	loop_timer_free(called_off);
	turn();
	assert_string_equal(order, "sssl");
	loop_timer_free(soon);
	loop_timer_free(later);
}

static struct loop_timer *freed;

static void free_itself(void *arg)
{
	(void)arg;
	loop_timer_free(freed);
	loop_stop(loop);
}

static void a_timer_may_free_itself(void **state)
{
	(void)state;
	for (int ms = 0; ms < 2; ms++) {
		freed = loop_timer_new(loop, free_itself, NULL);
		loop_timer_set(freed, ms);
		turn();
	}
}

/* --- descriptors of others ---------------------------------------------------------------- */

struct watched { struct loop_watch *watch; int fd, other; size_t sent, got; bool full; };

static void fill(struct watched *w)
{
	static const char bytes[4096];
	ssize_t n;

	while (w->sent < LARGE && (n = write(w->fd, bytes, sizeof bytes)) > 0)
		w->sent += (size_t)n;
	if (w->sent < LARGE) {
		w->full = true;
		loop_watch_write(w->watch, true);
	}
}

static void on_writing(void *arg, bool write)
{
	if (write)
		fill(arg);
}

static void on_reading(void *arg, bool write)
{
	struct watched *w = arg;
	char bytes[4096];
	ssize_t n = write ? 0 : read(w->other, bytes, sizeof bytes);

	w->got += n > 0 ? (size_t)n : 0;
	if (w->got >= LARGE)
		loop_stop(loop);
}

static void a_watch_reads_always_and_writes_when_asked(void **state)
{
	struct loop_watch *reader;
	struct watched w = { .sent = 0 };
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	w.fd = fd[0];
	w.other = fd[1];
	w.watch = loop_watch_new(loop, fd[0], on_writing, &w);
	reader = loop_watch_new(loop, fd[1], on_reading, &w);
	loop_watch_write(w.watch, true);
	loop_watch_write(w.watch, false);
	loop_watch_soon(w.watch);
	loop_watch_soon(w.watch);
	turn();
	assert_true(w.full);            /* so it was waited for, too */
	assert_true(w.got >= LARGE);
	loop_watch_free(w.watch);
	loop_watch_free(reader);
	close(fd[0]);
	close(fd[1]);
}

static int signal_seen;

static void on_signal(void *arg, int signo)
{
	(void)arg;
	signal_seen = signo;
	loop_stop(loop);
}

static void signals(void **state)
{
	(void)state;
	loop_signal(loop, SIGUSR1, on_signal, NULL);
	kill(getpid(), SIGUSR1);
	turn();
	assert_int_equal(signal_seen, SIGUSR1);
}

/* --- streams ------------------------------------------------------------------------------ */

struct end {
	struct loop_stream *stream;
	struct buf got;
	size_t want;                    /* stops the loop when so much is there */
	size_t eat;                     /* takes so much at a time; 0: all */
	int reads;
	bool ended, closed, free_when_read;
};

static size_t on_read(void *arg, const char *p, size_t len)
{
	struct end *e = arg;
	size_t used = e->eat && e->eat < len ? e->eat : len;

	e->reads++;
	buf_add(&e->got, p, used);
	if (e->free_when_read) {
		loop_stream_free(e->stream);
		e->stream = NULL;
	}
	if (e->got.len >= e->want)
		loop_stop(loop);
	return used;
}

static void on_closed(void *arg)
{
	struct end *e = arg;

	assert_false(e->closed);
	e->closed = true;
	loop_stop(loop);
}

static void on_ended(void *arg, const char *p, size_t len)
{
	struct end *e = arg;

	assert_false(e->closed || e->ended);
	buf_add(&e->got, p, len);
	e->ended = true;
	loop_stop(loop);
}

static const struct loop_stream_ops ops = { on_read, on_ended, on_closed };

static void pair(struct end *a, struct end *b)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	*a = (struct end){ .want = SIZE_MAX };
	*b = (struct end){ .want = SIZE_MAX };
	a->stream = loop_stream_new(loop, fd[0], &ops, a);
	b->stream = loop_stream_new(loop, fd[1], &ops, b);
}

static void unpair(struct end *a, struct end *b)
{
	loop_stream_free(a->stream);
	loop_stream_free(b->stream);
	buf_fini(&a->got);
	buf_fini(&b->got);
}

static char *large(void)
{
	char *p = mem_alloc(LARGE);

	for (size_t i = 0; i < LARGE; i++)
		p[i] = (char)(i * 2654435761u >> 13);
	return p;
}

static void much_both_ways_and_an_end(void **state)
{
	char *text = large();
	struct end a, b;

	(void)state;
	pair(&a, &b);
	loop_stream_write(a.stream, text, LARGE);
	loop_stream_write(b.stream, text, LARGE);
	assert_int_equal(loop_stream_waiting(a.stream), LARGE);
	a.want = LARGE;
	turn();
	loop_stream_end(a.stream);
	while (!a.closed || !b.closed) {
		turn();
		if (a.closed && a.stream) {
			loop_stream_free(a.stream);
			a.stream = NULL;
		}
	}
	assert_int_equal(b.got.len, LARGE);
	assert_int_equal(loop_stream_taken(b.stream), LARGE);
	assert_memory_equal(a.got.p, text, LARGE);
	assert_memory_equal(b.got.p, text, LARGE);
	unpair(&a, &b);
	mem_free(text);
}

static void what_was_not_used_comes_again(void **state)
{
	struct end a, b;

	(void)state;
	pair(&a, &b);
	b.eat = 2;
	b.want = 4;
	loop_stream_write(a.stream, "abcde", 5);
	b.want = 2;
	turn();
	assert_int_equal(b.got.len, 2);
	b.eat = 0;
	b.want = 6;
	loop_stream_write(a.stream, "f", 1);
	turn();
	assert_memory_equal(b.got.p, "abcdef", 6);
	unpair(&a, &b);
}

static void a_pause_holds_what_comes(void **state)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);
	struct end a, b;

	(void)state;
	pair(&a, &b);
	b.eat = 1;
	b.want = 1;
	loop_stream_write(a.stream, "abc", 3);
	turn();
	loop_stream_pause(b.stream, true);
	loop_stream_write(a.stream, "d", 1);
	loop_timer_set(t, 5);
	turn();
	assert_int_equal(b.reads, 1);
	b.eat = 0;
	b.want = 4;
	loop_stream_pause(b.stream, false);
	turn();
	assert_memory_equal(b.got.p, "abcd", 4);
	loop_timer_free(t);
	unpair(&a, &b);
}

static void who_sends_no_more_may_still_read(void **state)
{
	struct end a;
	char got[8];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	a = (struct end){ .want = SIZE_MAX, .eat = 2 };
	a.stream = loop_stream_new(loop, fd[0], &ops, &a);
	assert_int_equal(write(fd[1], "asked", 5), 5);
	assert_int_equal(shutdown(fd[1], SHUT_WR), 0);
	turn();
	assert_true(a.ended && !a.closed);
	assert_int_equal(a.got.len, 5);
	assert_memory_equal(a.got.p, "asked", 5);
	assert_false(loop_stream_gone(a.stream));
	loop_stream_write(a.stream, "answer", 6);
	loop_stream_end(a.stream);
	turn();
	assert_true(a.closed);
	assert_int_equal(read(fd[1], got, sizeof got), 6);
	close(fd[1]);
	assert_true(loop_stream_gone(a.stream));
	loop_stream_free(a.stream);
	buf_fini(&a.got);
}

static void freed_while_it_reads(void **state)
{
	struct end a, b;

	(void)state;
	pair(&a, &b);
	b.free_when_read = true;
	b.want = 1;
	loop_stream_write(a.stream, "x", 1);
	turn();
	assert_null(b.stream);
	while (!a.closed)
		turn();
	loop_stream_write(a.stream, "y", 1);
	assert_int_equal(loop_stream_waiting(a.stream), 0);
	unpair(&a, &b);
}

/* --- listening ---------------------------------------------------------------------------- */

static int accepted_count, accepted_want;

static void on_accepted(void *arg, int fd)
{
	(void)arg;
	close(fd);
	if (++accepted_count == accepted_want)
		loop_stop(loop);
}

static int listen_anywhere(struct sockaddr_un *name)
{
	socklen_t len = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(name, 0, sizeof *name);
	name->sun_family = AF_UNIX;     /* without a path the kernel chooses an abstract one */
	assert_int_equal(bind(fd, (struct sockaddr *)name, len), 0);
	len = sizeof *name;
	getsockname(fd, (struct sockaddr *)name, &len);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static void listening(void **state)
{
	struct sockaddr_un name;
	int listening_fd = listen_anywhere(&name), fd[3];
	struct loop_listener *s = loop_listen(loop, listening_fd, on_accepted, NULL);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);

	(void)state;
	accepted_want = 3;
	for (int i = 0; i < 3; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd[i], (struct sockaddr *)&name, len), 0);
	}
	turn();
	assert_int_equal(accepted_count, 3);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	loop_listener_free(s);
	assert_int_equal(fcntl(listening_fd, F_GETFD), -1);
}

/* --- an actor at home --------------------------------------------------------------------- */

static pthread_t ran_on;
static int64_t asked_ns, rang_ns;

static int ring(actor *self, const msg *m)
{
	(void)self;
	rang_ns = now_ns();
	ran_on = pthread_self();
	assert_int_equal(msg_int(m, 0), 7);
	loop_stop(loop);
	return 0;
}

static int ring_later(actor *self, const msg *m)
{
	(void)m;
	asked_ns = now_ns();
	return actor_after(self, 3, "ring", 7) < 0;
}

static const struct actor_type bell = {
	.name = "bell",
	.on = ON({ "ring", "number:int", ring, 0 }, { "ring_later", "", ring_later, 0 }),
};

static void *send_from_outside(void *arg)
{
	struct call c = { .to = actor_find("bell"), .what = arg };
	struct why why = { "" };
	struct buf seven = { 0 };

	if (strcmp(arg, "ring") == 0) {
		pack_int(&seven, 7);
		c.args = (struct packed){ (uint8_t *)seven.p, (uint8_t *)seven.p + seven.len };
		c.count = 1;
	}
	assert_int_equal(core_send(NULL, &c, &why), 0);
	buf_fini(&seven);
	return NULL;
}

static void an_actor_and_its_timer(void **state)
{
	struct why why = { "" };
	struct spawn s = { .type = core_add_type(&bell, NULL, NULL, &why), .name = "bell",
	                   .home = loop_home(loop) };
	pthread_t thread;
	actor_id id;

	(void)state;
	assert_int_equal(core_spawn(&s, &id, &why), 0);
	pthread_create(&thread, NULL, send_from_outside, (char[]){ "ring" });
	turn();
	pthread_join(thread, NULL);
	assert_true(pthread_equal(ran_on, pthread_self()));
	pthread_create(&thread, NULL, send_from_outside, (char[]){ "ring_later" });
	turn();
	pthread_join(thread, NULL);
	assert_true(rang_ns - asked_ns >= 2000000);    /* core counts whole milliseconds */
}

static int begin(void **state)
{
	struct core_config c = { .workers = 1 };
	struct why why = { "" };

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (core_start(&c, &why) < 0)
		return -1;
	loop = loop_new(&why);
	return loop ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	core_stop(1000);
	loop_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_of_many_threads), cmocka_unit_test(timers),
		cmocka_unit_test(a_timer_set_to_nothing_comes_at_the_end_of_the_turn),
		cmocka_unit_test(a_timer_may_free_itself),
		cmocka_unit_test(a_watch_reads_always_and_writes_when_asked),
		cmocka_unit_test(signals), cmocka_unit_test(much_both_ways_and_an_end),
		cmocka_unit_test(what_was_not_used_comes_again),
		cmocka_unit_test(a_pause_holds_what_comes), cmocka_unit_test(freed_while_it_reads),
		cmocka_unit_test(who_sends_no_more_may_still_read),
		cmocka_unit_test(listening), cmocka_unit_test(an_actor_and_its_timer),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
