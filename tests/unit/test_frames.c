/* SPDX-License-Identifier: MIT
 * test_frames.c - frames as RFC 6455 writes them, and how many go out at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/gateway/frames.h"

static void heads(void **state)
{
	static const struct { size_t len; bool text; uint8_t head[10]; size_t n; } want[] = {
		{ 0, true, { 0x81, 0 }, 2 },
		{ 125, false, { 0x82, 125 }, 2 },
		{ 126, true, { 0x81, 126, 0, 126 }, 4 },
		{ 65535, false, { 0x82, 126, 0xff, 0xff }, 4 },
		{ 65536, true, { 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0 }, 10 },
	};
	static char bytes[65536];

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct buf b = { 0 };

		frames_add(&b, bytes, want[i].len, want[i].text);
		assert_int_equal(b.len, want[i].n + want[i].len);
		assert_memory_equal(b.p, want[i].head, want[i].n);
		assert_memory_equal(b.p + want[i].n, bytes, want[i].len);
		buf_fini(&b);
	}
}

static void all_that_fits(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		frames_add(&b, "eight by", 8, true);
	assert_int_equal(frames_cut(b.p, b.len, 1000), 100);
	assert_int_equal(frames_cut(b.p, b.len, 100), 100);
	assert_int_equal(frames_cut(b.p, b.len, 99), 90);
	assert_int_equal(frames_cut(b.p, b.len, 10), 10);
	buf_fini(&b);
}

static void never_less_than_a_frame(void **state)
{
	static char bytes[100000];
	struct buf b = { 0 };

	(void)state;
	frames_add(&b, bytes, sizeof bytes, false);
	frames_add(&b, bytes, 300, false);
	frames_add(&b, bytes, sizeof bytes, false);
	assert_int_equal(frames_cut(b.p, b.len, 65536), 100010);
	assert_int_equal(frames_cut(b.p + 100010, b.len - 100010, 65536), 304);
	assert_int_equal(frames_cut(b.p + 100314, b.len - 100314, 65536), 100010);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
		cmocka_unit_test(all_that_fits),
		cmocka_unit_test(never_less_than_a_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
