/* SPDX-License-Identifier: MIT
 * test_base.c - buffers, errors in words, log lines of many threads, clocks, random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "base.h"
#include "log.h"
#include "memory.h"
#include "ports.h"

/* --- base ------------------------------------------------------------------------ */
static void why_takes_words_and_gives_code(void **state)
{
	struct why why = { "" };
	char long_text[1000];

	(void)state;
	assert_int_equal(why_set(&why, ACTOR_ENOENT, "no %s", "cat"), ACTOR_ENOENT);
	assert_string_equal(why.text, "no cat");
	assert_int_equal(why_set(NULL, ACTOR_EARGS, "nobody asked"), ACTOR_EARGS);
	memset(long_text, 'x', sizeof long_text);
	long_text[sizeof long_text - 1] = 0;
	why_set(&why, ACTOR_EFAIL, "%s", long_text);
	assert_int_equal(strlen(why.text), sizeof why.text - 1);
}

static void errors_have_names(void **state)
{
	static const char *const names[] = { "OK", "EARGS", "ENOENT", "EFULL", "ETIME", "EFAIL",
	                                     "ENOMEM", "EUNKNOWN" };
	int i;

	(void)state;
	for (i = 0; i < (int)ARRAY_LEN(names); i++)
		assert_string_equal(error_name(-i), names[i]);
}

static void buffers_grow(void **state)
{
	struct buf b = { 0 };
	int i;

	(void)state;
	buf_add(&b, NULL, 0);
	assert_int_equal(b.len, 0);
	for (i = 0; i < 10000; i++)
		buf_printf(&b, "%04d", i);
	buf_text(&b, "end");
	assert_int_equal(b.len, 40003);
	assert_memory_equal(b.p + 4 * 1234, "1234", 4);
	assert_memory_equal(b.p + 40000, "end", 3);
	buf_fini(&b);
	assert_null(b.p);
	assert_int_equal(b.cap, 0);
}

static void a_cleared_buffer_keeps_little(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_reserve(&b, 1000);
	buf_clear(&b);
	assert_true(b.cap >= 1000);
	buf_reserve(&b, 4 << 20);
	b.len = 4 << 20;
	buf_clear(&b);
	assert_int_equal(b.cap, 0);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void memory_is_zeroed_and_copied(void **state)
{
	char *p = mem_alloc(100), *s = mem_string("a\0b", 3);
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	assert_memory_equal(s, "a\0b", 4);
	mem_free(p);
	mem_free(s);
	s = mem_string(NULL, 0);
	assert_string_equal(s, "");
	mem_free(s);
	mem_free(NULL);
}

/* Bytes that one actor gets, in blocks of a size. */
static size_t most_of(size_t size)
{
	_Atomic uint64_t total = 0;
	struct memory *m = NULL;
	size_t n = 0;

	while (n < 100 << 20 && memory_alloc(&m, &total, size, 0))
		n++;
	assert_true(total <= 64 << 20);
	memory_drop(&m);
	assert_int_equal(total, 0);
	return n;
}

/* What it may have is counted by what it costs the process. */
static void an_actors_memory_has_an_end(void **state)
{
	(void)state;
	assert_in_range(most_of(0), 1, 1 << 20);
	assert_in_range(most_of(1), 1, 1 << 20);
	assert_int_equal(most_of(60 << 20), 1);
	assert_int_equal(most_of(64 << 20), 0);
	for (size_t size = SIZE_MAX; size > SIZE_MAX - 100; size--)
		assert_int_equal(most_of(size), 0);
}

/* --- log --------------------------------------------------------------------------- */
static int saved_stderr, log_pipe[2];

static int catch_log(void **state)
{
	(void)state;
	saved_stderr = dup(STDERR_FILENO);
	return pipe(log_pipe) != 0 || dup2(log_pipe[1], STDERR_FILENO) < 0;
}

static int release_log(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(log_pipe[0]);
	return close(log_pipe[1]);
}

/* What one write(2) brought. */
static char *caught(char *to, size_t size)
{
	ssize_t n = read(log_pipe[0], to, size - 1);

	assert_true(n > 0);
	to[n] = 0;
	return to;
}

static void a_line_is_one_line(void **state)
{
	char text[3 * PIPE_BUF];

	(void)state;
	errno = ENOTTY;
	log_line(LOG_INFO, "bus", "two\nlines, \033[31mred, \xc2\x9b, %s\x7f", "\xc3\xa4\xc2\xa0");
	assert_int_equal(errno, ENOTTY);
	assert_string_equal(caught(text, sizeof text) + 24,
	                    " info  bus: two\\nlines, \\x1b[31mred, \\x9b, "
	                    "\xc3\xa4\xc2\xa0\\x7f\n");
	assert_int_equal(text[4], '-');
	assert_int_equal(text[10], 'T');
	assert_int_equal(text[19], '.');
	assert_int_equal(text[23], 'Z');
}

static void a_long_line_is_cut(void **state)
{
	static const char fill[] = { 'a', 1, '\n' };
	char text[3 * PIPE_BUF], big[2 * PIPE_BUF + 1];
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(fill); i++) {
		memset(big, fill[i], sizeof big - 1);
		big[sizeof big - 1] = 0;
		log_line(LOG_ERROR, "bus", "%s", big);
		n = strlen(caught(text, sizeof text));
		assert_true(n <= PIPE_BUF && n > PIPE_BUF - 40);
		assert_ptr_equal(strchr(text, '\n'), text + n - 1);
		if (fill[i] != 'a')
			assert_non_null(strstr(text, "[cut]\n"));
	}
}

/* For programs: one line, whatever is in it, with the same keys. */
static void formats(void **state)
{
	char text[3 * PIPE_BUF], big[PIPE_BUF];

	(void)state;
	log_set_format(LOG_LOGFMT);
	log_line(LOG_INFO, "bus", "a \"b\"\n\\ \x01\xc2\x9b\xff");
	assert_string_equal(caught(text, sizeof text) + 29,
	                    " level=info from=bus text=\"a \\\"b\\\"\\n\\\\ \\u0001\\u009b?\"\n");
	assert_memory_equal(text, "time=20", 7);
	log_line(LOG_WARN, "a b=\n", "%s", "");
	assert_non_null(strstr(caught(text, sizeof text), " from=\"a b=\\n\" text=\"\"\n"));
	log_set_format(LOG_JSON);
	memset(big, '"', sizeof big - 1);
	big[sizeof big - 1] = 0;
	log_line(LOG_ERROR, "bus", "%s", big);
	assert_true(strlen(caught(text, sizeof text)) <= PIPE_BUF);
	assert_memory_equal(text, "{\"time\":\"20", 11);
	assert_string_equal(text + strlen(text) - 9, "\"[cut]\"}\n");
	log_line(LOG_INFO, "bus", "x");
	assert_string_equal(caught(text, sizeof text) + 34,
	                    ",\"level\":\"info\",\"from\":\"bus\",\"text\":\"x\"}\n");
	log_set_format(LOG_TEXT);
}

static void levels_filter(void **state)
{
	char text[PIPE_BUF];

	(void)state;
	log_line(LOG_DEBUG, "bus", "not by default");
	log_set_level(LOG_ERROR);
	log_line(LOG_WARN, "bus", "not now");
	log_line(LOG_ERROR, "bus", "this");
	assert_string_equal(caught(text, sizeof text) + 24, " error bus: this\n");
	log_set_level(LOG_DEBUG);
	log_line(LOG_DEBUG, "bus", "and this");
	assert_string_equal(caught(text, sizeof text) + 24, " debug bus: and this\n");
}

enum { LOGGERS = 4, LINES = 200 };

static void *log_much(void *letter)
{
	char text[1000];
	int i;

	memset(text, *(char *)letter, sizeof text);
	for (i = 0; i < LINES; i++)
		log_line(LOG_INFO, "many", "%.*s", 1 + i * 4, text);
	return NULL;
}

/* Each line has one letter only, and all of one thread's come in their order. */
static void check_line(const char *line, int *counts)
{
	const char *text = strstr(line, "many: ") + 6;
	size_t len = strspn(text, (const char[]){ *text, 0 });

	assert_in_range(*text, 'a', 'a' + LOGGERS - 1);
	assert_int_equal(len, 1 + counts[*text - 'a'] * 4);
	assert_int_equal(text[len], '\n');
	counts[*text - 'a']++;
}

static void threads_do_not_mix(void **state)
{
	char letters[LOGGERS + 1] = "abcd", line[2 * PIPE_BUF];
	int counts[LOGGERS] = { 0 }, i;
	pthread_t threads[LOGGERS];
	FILE *in = fdopen(dup(log_pipe[0]), "r");

	(void)state;
	for (i = 0; i < LOGGERS; i++)
		pthread_create(&threads[i], NULL, log_much, &letters[i]);
	for (i = 0; i < LOGGERS * LINES; i++) {
		assert_non_null(fgets(line, sizeof line, in));
		check_line(line, counts);
	}
	for (i = 0; i < LOGGERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(counts[i], LINES);
	}
	fclose(in);
}

/* --- ports --------------------------------------------------------------------------- */
static void clocks_go_forward(void **state)
{
	int64_t begin = now_ns(), last = begin, now;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		now = now_ns();
		assert_true(now >= last);
		last = now;
	}
	assert_true(now_ms() >= begin / 1000000);
	assert_true(wall_ms() > 1700000000000);
}

/* In a namespace whose boot was long ago, as after a machine's sleep: 0; or no such can be made. */
static int look_at_boot_clock(void)
{
	int fd = unshare(CLONE_NEWTIME) ? -1 : open("/proc/self/timens_offsets", O_WRONLY), status;
	bool made = fd >= 0 && dprintf(fd, "boottime 100000 0\n") > 0;
	pid_t child = made ? fork() : -1;

	if (child == 0)
		_exit(boot_ms() - now_ms() < 100000000);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 77;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void one_clock_goes_on_while_the_machine_sleeps(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(look_at_boot_clock());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

enum { DRAWERS = 4, DRAWS = 5000 };
static uint64_t drawn[DRAWERS][DRAWS];

static void *draw(void *into)
{
	uint64_t *to = into;
	int i;

	for (i = 0; i < DRAWS; i++)
		to[i] = random_u64();
	return NULL;
}

static void random_numbers_differ_between_threads(void **state)
{
	uint64_t *all = drawn[0];
	pthread_t threads[DRAWERS];
	int i;

	(void)state;
	for (i = 0; i < DRAWERS; i++)
		pthread_create(&threads[i], NULL, draw, drawn[i]);
	for (i = 0; i < DRAWERS; i++)
		pthread_join(threads[i], NULL);
	qsort(all, sizeof drawn / sizeof *all, sizeof *all, by_value);
	for (i = 1; i < DRAWERS * DRAWS; i++)
		assert_true(all[i] != all[i - 1]);
}

static void choices_are_even(void **state)
{
	int counts[7] = { 0 }, i;
	uint32_t n;

	(void)state;
	for (i = 0; i < 70000; i++) {
		n = ports.choice.pick(ports.choice.arg, 7);
		assert_true(n < 7);
		counts[n]++;
	}
	for (i = 0; i < 7; i++)         /* ten standard deviations */
		assert_in_range(counts[i], 9000, 11000);
	assert_int_equal(ports.choice.pick(ports.choice.arg, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(why_takes_words_and_gives_code),
		cmocka_unit_test(errors_have_names),
		cmocka_unit_test(buffers_grow),
		cmocka_unit_test(a_cleared_buffer_keeps_little),
		cmocka_unit_test(memory_is_zeroed_and_copied),
		cmocka_unit_test(an_actors_memory_has_an_end),
		cmocka_unit_test_setup_teardown(a_line_is_one_line, catch_log, release_log),
		cmocka_unit_test_setup_teardown(a_long_line_is_cut, catch_log, release_log),
		cmocka_unit_test_setup_teardown(formats, catch_log, release_log),
		cmocka_unit_test_setup_teardown(levels_filter, catch_log, release_log),
		cmocka_unit_test_setup_teardown(threads_do_not_mix, catch_log, release_log),
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(one_clock_goes_on_while_the_machine_sleeps),
		cmocka_unit_test(random_numbers_differ_between_threads),
		cmocka_unit_test(choices_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
