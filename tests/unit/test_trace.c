/* SPDX-License-Identifier: MIT
 * test_trace.c - traces: what is noted, what begins one, and that marked messages are as others. */
#include "running.h"

#include <stdlib.h>
#include <string.h>

static actor_ref second, third;

/* What `first` is told to send on, `second` takes, and tells third. */
static int on_go(actor *self, const msg *m)
{
	char text[5000];
	int64_t n = msg_int(m, 0);

	memset(text, 'a' + (int)(n % 26), (size_t)n);
	text[n] = 0;
	return actor_ask(self, second, "take", "taken", 20000, text, n, 1, 2, 3) > 0 ? 0 : -1;
}

static int on_taken(actor *self, const msg *m)
{
	(void)self;
	happened(msg_error(m) ? msg_error(m) : msg_int(m, 0), "taken");
	return 0;
}

static int on_take(actor *self, const msg *m)
{
	const char *text = msg_str(m, 0);
	size_t n = msg_len(m, 0);
	bool right = (int64_t)n == msg_int(m, 1) && msg_int(m, 4) == 3 && strlen(text) == n;

	for (size_t i = 0; i < n; i++)
		right &= text[i] == 'a' + (int)(n % 26);
	actor_send(self, third, "hear", (int64_t)n);
	return msg_reply(m, right ? (int64_t)n : -1);
}

static int on_hear(actor *self, const msg *m)
{
	(void)self, (void)m;
	return 0;
}

static int on_stop(actor *self, const msg *m)
{
	(void)m;
	actor_stop(self, second);
	return 0;
}

/* The ball goes with one value, and with two, in turn; whatever they are marked with, they come as
 * they were sent. */
static int on_ball(actor *self, const msg *m)
{
	int64_t n = msg_int(m, 0);

	if (msg_count(m) == 2 && msg_int(m, 1) != 2 * n)
		happened(-1, "spoilt");
	if (n == 0)
		happened(0, "over");
	else if (n % 2)
		actor_send(self, msg_from(m), "ball", n - 1);
	else
		actor_send(self, msg_from(m), "ball", n - 1, 2 * (n - 1));
	return 0;
}

static int on_serve(actor *self, const msg *m)
{
	return actor_send(self, second, "ball", msg_int(m, 0));
}

static const struct actor_type first_type = {
	.name = "first", .on = ON({ "go", "n:int", on_go, 0 }, { "taken", "...", on_taken, 0 },
	                          { "stop", "", on_stop, 0 }, { "ball", "...", on_ball, 0 },
	                          { "serve", "n:int", on_serve, 0 }),
}, second_type = {
	.name = "second", .on = ON({ "take", "text:str n:int ...", on_take, 0 },
	                          { "ball", "...", on_ball, 0 }),
}, third_type = {
	.name = "third", .on = ON({ "hear", "n:int", on_hear, 0 },
	                         { "any", "...", on_hear, 0 }),
};

static int make(void **state)
{
	if (group_setup(state) < 0)
		return -1;
	spawn(add(&first_type), "one");
	spawn(add(&second_type), "two");
	spawn(add(&third_type), "three");
	second = actor_find("two");
	third = actor_find("three");
	return 0;
}

static void tell(const char *to, const char *what, const struct buf *values, unsigned count)
{
	struct call c = { .to = actor_find(to), .what = what, .count = count,
	                  .args = { (uint8_t *)values->p, (uint8_t *)values->p + values->len } };
	struct why why = { "" };

	assert_int_equal(core_send(NULL, &c, &why), 0);
}

static void tell_int(const char *to, const char *what, int64_t n)
{
	struct buf b = { 0 };

	pack_int(&b, n);
	tell(to, what, &b, 1);
	buf_fini(&b);
}

static void go(int64_t n)
{
	tell_int("one", "go", n);
}

static struct trace_reader *reader;

static int begin(const struct trace_query *q)
{
	struct why why = { "" };
	int trace = core_trace_begin(q, &why);

	if (trace < 0)
		fail_msg("%s", why.text);
	core_trace_reader_free(reader);
	reader = core_trace_reader(core_trace_id(trace));
	return trace;
}

static void end(int trace)
{
	core_trace_end(trace);
	core_trace_reader_free(reader);
	reader = NULL;
}

/* --- reading ------------------------------------------------------------------------------ */

struct seen { int sent, handled, lost; uint64_t trace[64]; int traces; char said[4096]; };

static void see(void *arg, const struct trace_event *e)
{
	struct seen *s = arg;
	int i = 0;

	s->sent += e->kind == TRACE_SENT;
	s->handled += e->kind == TRACE_HANDLED;
	s->lost += e->kind == TRACE_LOST;
	while (i < s->traces && s->trace[i] != e->trace)
		i++;
	if (i == s->traces && s->traces < 64)
		s->trace[s->traces++] = e->trace;
	if (e->kind == TRACE_HANDLED && strlen(s->said) < sizeof s->said - 100)
		sprintf(s->said + strlen(s->said), "%s.%s;", e->actor, e->handler);
}

/* Until so many were handled. */
static void read_until(struct seen *s, int handled)
{
	struct timespec ms = { 0, 1000000 };

	for (int i = 0; i < 20000 && s->handled < handled; i++) {
		core_trace_read(reader, see, s);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
	}
	assert_int_equal(s->handled, handled);
}

/* --- tests -------------------------------------------------------------------------------- */

/* Four steps a tree: one.go, two.take, three.hear, one.taken, whatever a message's size. */
static void test_steps(void **state)
{
	static const int64_t sizes[] = { 0, 1, 30, 31, 80, 200, 400, 900, 1000, 1500, 4000 };
	int trace = begin(&(struct trace_query){ .type = core_type("first"), .handler = "go",
	                                         .arg = -1, .value = "", .most = 100 });
	struct seen s = { .sent = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		go(sizes[i]);
		expect_events((int64_t)i + 1);
		assert_int_equal(last, sizes[i]);
	}
	read_until(&s, 4 * (int)ARRAY_LEN(sizes));
	assert_int_equal(s.traces, ARRAY_LEN(sizes));
	assert_int_equal(s.sent, 3 * (int)ARRAY_LEN(sizes));
	assert_int_equal(s.lost, 0);
	assert_non_null(strstr(s.said, "two.take"));
	assert_non_null(strstr(s.said, "three.hear"));
	assert_non_null(strstr(s.said, "one.taken"));
	end(trace);
}

struct values { struct buf b; unsigned count; bool seen; };

static void compare(void *arg, const struct trace_event *e)
{
	struct values *v = arg;

	if (e->kind != TRACE_HANDLED)
		return;
	v->seen = true;
	assert_int_equal(e->count, v->count);
	assert_int_equal(e->args.end - e->args.at, v->b.len);
	assert_memory_equal(v->b.len ? (const void *)e->args.at : "", v->b.len ? v->b.p : "",
	                    v->b.len);
}

static void pack_kind(struct values *v, int kind)
{
	static const char text[100] = "a text that is longer than the slots of a message have room";

	v->count = kind == 9 ? 7 : kind > 0;
	switch (kind) {
	case 0: break;
	case 1: pack_null(&v->b); break;
	case 2: pack_bool(&v->b, true); break;
	case 3: pack_int(&v->b, INT64_MIN); break;
	case 4: pack_uint(&v->b, UINT64_MAX); break;
	case 5: pack_num(&v->b, -2.5e300); break;
	case 6: pack_str(&v->b, "short", 5); break;
	case 7: pack_bytes(&v->b, text, sizeof text); break;
	case 8: pack_list(&v->b, 1); pack_text(&v->b, text); break;
	case 9:
		for (int i = 0; i < 7; i++)
			pack_int(&v->b, i - 3);
	}
}

/* What a trace begins with is told with its values, whatever they are. */
static void test_values(void **state)
{
	int trace = begin(&(struct trace_query){ .type = core_type("third"), .handler = "any",
	                                         .arg = -1, .value = "", .most = 100 });
	struct timespec ms = { 0, 1000000 };

	(void)state;
	for (int kind = 0; kind < 10; kind++) {
		struct values v = { .seen = false };

		pack_kind(&v, kind);
		tell("three", "any", &v.b, v.count);
		for (int i = 0; i < 20000 && !v.seen; i++) {
			core_trace_read(reader, compare, &v);
			clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
		}
		assert_true(v.seen);
		buf_fini(&v.b);
	}
	end(trace);
}

static void is_whole(void *arg, const struct trace_event *e)
{
	struct packed at = e->args;
	struct value v = { .i = 0 }, twice = { .i = 0 };

	++*(uint64_t *)arg;
	assert_true(strcmp(e->handler, "ball") == 0 || strcmp(e->handler, "serve") == 0);
	if (e->kind == TRACE_HANDLED)
		return;
	assert_true(strcmp(e->actor, e->from) != 0 && e->parent && e->step);
	assert_true(e->count > 0 && packed_next(&at, &v) == 1);
	if (e->count == 2)
		assert_true(packed_next(&at, &twice) == 1 && twice.i == 2 * v.i);
}

/* Rings that are written faster than they are read: what is read is whole, the rest is counted. */
static void test_flood(void **state)
{
	enum { BALLS = 100000 };
	int trace = begin(&(struct trace_query){ .arg = -1, .value = "", .every = 1,
	                                         .most = INT64_MAX });
	uint64_t read = 0, missed = 0;
	bool over = false;

	(void)state;
	tell_int("one", "serve", BALLS);
	while (!over) {
		pthread_mutex_lock(&lock);
		over = events > 0;
		pthread_mutex_unlock(&lock);
		missed += core_trace_read(reader, is_whole, &read);
	}
	assert_string_equal(last_text, "over");
	missed += core_trace_read(reader, is_whole, &read);
	/* Each ball is sent and handled, but one in 65 or so begins a trace anew. */
	assert_in_range(read + missed, BALLS, 2 * BALLS + 10);
	assert_true(read > 0);
	end(trace);
}

/* By value, with a limit. */
static void test_filter(void **state)
{
	int trace = begin(&(struct trace_query){ .type = core_type("first"), .handler = "go",
	                                         .arg = 0, .value = "7", .most = 2 });
	struct seen s = { .sent = 0 };

	(void)state;
	for (int i = 0; i < 30; i++) {
		go(i % 10);
		expect_events(i + 1);
	}
	read_until(&s, 8);
	assert_int_equal(s.traces, 2);
	assert_int_equal(core_trace_left(trace), 0);
	end(trace);
}

static void *look_on(void *over)
{
	while (!__atomic_load_n((int *)over, __ATOMIC_RELAXED))
		core_trace_look();
	return NULL;
}

/* Who looks for handlers that patches brought hides none of those that are looked at meanwhile. */
static void test_looks_hide_nothing(void **state)
{
	enum { GOES = 2000 };
	int trace = begin(&(struct trace_query){ .type = core_type("first"), .handler = "go",
	                                         .arg = -1, .value = "", .most = GOES });
	int over = 0;
	pthread_t looks;

	(void)state;
	assert_int_equal(pthread_create(&looks, NULL, look_on, &over), 0);
	for (int i = 0; i < GOES; i++) {
		go(1);
		expect_events(i + 1);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	pthread_join(looks, NULL);
	assert_int_equal(core_trace_left(trace), 0);
	end(trace);
}

static void count(void *arg, const struct trace_event *e)
{
	*(int *)arg += e->kind == TRACE_HANDLED && strcmp(e->handler, "go") == 0;
}

/* One in a hundred of all, taken where calls are timed; and none of it when it has ended. */
static void test_one_in_many(void **state)
{
	int trace = begin(&(struct trace_query){ .arg = -1, .value = "", .every = 100,
	                                         .most = 1000000 });
	struct seen s = { .sent = 0 };
	int n = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		go(5);
		expect_events(i + 1);
	}
	core_trace_read(reader, see, &s);
	/* 20,000 messages: about 200 traces, of one to four steps each. */
	assert_in_range(s.handled, 50, 2000);
	end(trace);
	trace = begin(&(struct trace_query){ .type = core_type("third"), .arg = -1, .value = "",
	                                     .most = 10 });
	go(5);
	expect_events(5001);
	core_trace_read(reader, count, &n);
	assert_int_equal(n, 0);
	end(trace);
}

static void test_limit(void **state)
{
	struct trace_query q = { .arg = -1, .value = "", .every = 1000, .most = 1 };
	int trace[TRACES_MAX];
	struct why why;

	(void)state;
	for (int i = 0; i < TRACES_MAX; i++)
		trace[i] = begin(&q);
	assert_int_equal(core_trace_begin(&q, &why), ACTOR_ENOMEM);
	for (int i = 0; i < TRACES_MAX; i++)
		end(trace[i]);
}

/* What an id from outside looks like, and goes on as. */
static void test_link(void **state)
{
	struct trace_link none = core_trace_link("no hex"), l = core_trace_link("beef"), here;
	char text[TRACE_TEXT];

	(void)state;
	assert_int_equal(none.trace, 0);
	assert_int_equal(core_trace_link(NULL).trace | core_trace_link("").trace, 0);
	assert_int_equal(core_trace_link("12345678901234567").trace, 0);
	assert_int_equal(l.trace, 0xbeef);
	l = (struct trace_link){ .trace = 0xfedcba9876543210, .step = 0x80 };
	core_trace_text(&l, text);
	assert_string_equal(text, "00-0000000000000000fedcba9876543210-0000000000000080-01");
	assert_true(core_trace_link(text).trace == l.trace && core_trace_link(text).step == 0x80);
	core_trace_enter(&l);           /* this thread is none that handles messages */
	assert_false(core_trace_here(&here));
	core_trace_leave();
}

/* A marked message whose actor ends first is lost, and who waits for its answer is told. Last. */
static void test_lost(void **state)
{
	int trace = begin(&(struct trace_query){ .type = core_type("first"), .arg = -1,
	                                         .value = "", .most = 100 });
	struct call c = { .to = actor_find("one"), .what = "stop" };
	struct timespec ms = { 0, 1000000 };
	struct seen s = { .sent = 0 };
	struct why why;

	(void)state;
	assert_int_equal(core_send(NULL, &c, &why), 0);
	UNTIL(!core_alive(second));
	go(5);                          /* refused: go fails, there is nobody */
	for (int i = 0; i < 20000 && !strstr(s.said, "go"); i++) {
		core_trace_read(reader, see, &s);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL);
	}
	assert_non_null(strstr(s.said, "one.go"));
	end(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_steps, setup),
		cmocka_unit_test_setup(test_values, setup),
		cmocka_unit_test_setup(test_flood, setup),
		cmocka_unit_test_setup(test_filter, setup),
		cmocka_unit_test_setup(test_looks_hide_nothing, setup),
		cmocka_unit_test_setup(test_one_in_many, setup),
		cmocka_unit_test_setup(test_limit, setup),
		cmocka_unit_test_setup(test_link, setup),
		cmocka_unit_test_setup(test_lost, setup),
	};

	return cmocka_run_group_tests(tests, make, group_teardown);
}
