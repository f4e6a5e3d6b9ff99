/* SPDX-License-Identifier: MIT
 * test_value.c - msgpack: what is written is read back, and no bytes whatever harm the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "actor.h"
#include "seeded.h"
#include "value.h"

#define CHECK(text, values) packed_check(text, sizeof(text) - 1, values, &why)

static struct why why;

/* A copy of just these bytes, so that a sanitizer sees a read behind them. */
static struct packed exact(const void *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, p, len);
	return (struct packed){ copy, copy + len };
}

static struct value first(const struct buf *b)
{
	struct packed in = { (uint8_t *)b->p, (uint8_t *)b->p + b->len };
	struct value v;

	assert_int_equal(packed_next(&in, &v), 1);
	return v;
}

static void ints_come_back(void **state)
{
	static const int64_t ints[] = { 0, 1, -1, -32, -33, 127, 128, 255, 256, -128, -129, 32767,
		-32768,
	                                65535, 65536, INT32_MAX, INT32_MIN, UINT32_MAX,
	                                (int64_t)UINT32_MAX + 1, INT64_MAX, INT64_MIN };
	struct buf b = { 0 };
	struct value v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(ints); i++) {
		b.len = 0;
		pack_int(&b, ints[i]);
		v = first(&b);
		assert_int_equal(v.type, VALUE_INT);
		assert_true(v.i == ints[i]);
		assert_true(v.num == (double)ints[i]);
		assert_int_equal(packed_check(b.p, b.len, 1, NULL), 1);
	}
	b.len = 0;
	pack_uint(&b, INT64_MAX);
	assert_int_equal(first(&b).type, VALUE_INT);
	b.len = 0;
	pack_uint(&b, UINT64_MAX);
	v = first(&b);
	assert_int_equal(v.type, VALUE_UINT);
	assert_true((uint64_t)v.i == UINT64_MAX);
	assert_true(v.num == 0x1p64);
	buf_fini(&b);
}

static void nums_come_back(void **state)
{
	static const double nums[] = { 0, -0.0, 1.5, -1e300, 5e-324, INFINITY, -INFINITY };
	struct buf b = { 0 };
	struct value v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(nums); i++) {
		b.len = 0;
		pack_num(&b, nums[i]);
		v = first(&b);
		assert_int_equal(v.type, VALUE_NUM);
		assert_memory_equal(&v.num, &nums[i], sizeof v.num);
	}
	b.len = 0;
	pack_num(&b, NAN);
	assert_true(isnan(first(&b).num));
	b.len = 0;
	buf_add(&b, "\xca\x3f\xc0\x00\x00", 5);          /* a float of 32 bits */
	assert_true(first(&b).num == 1.5);
	buf_fini(&b);
}

static void small_things_come_back(void **state)
{
	struct buf b = { 0 };
	struct packed in;
	struct value v;
	int i;

	(void)state;
	pack_null(&b);
	pack_text(&b, NULL);
	pack_bool(&b, false);
	pack_bool(&b, true);
	in = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	for (i = 0; i < 2; i++) {
		assert_int_equal(packed_next(&in, &v), 1);
		assert_int_equal(v.type, VALUE_NULL);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(packed_next(&in, &v), 1);
		assert_int_equal(v.type, VALUE_BOOL);
		assert_int_equal(v.i, i);
	}
	assert_int_equal(packed_next(&in, &v), 0);
	buf_fini(&b);
}

static void texts_and_bytes_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 31, 32, 255, 256, 65535, 65536, 1 << 20 };
	static char big[1 << 20];
	struct buf b = { 0 };
	struct value v;
	size_t i;

	(void)state;
	memset(big, 'x', sizeof big);
	big[0] = 0;
	for (i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		b.len = 0;
		if (i % 2)
			pack_str(&b, big, sizes[i / 2]);
		else
			pack_bytes(&b, big, sizes[i / 2]);
		v = first(&b);
		assert_int_equal(v.type, i % 2 ? VALUE_STR : VALUE_BYTES);
		assert_int_equal(v.len, sizes[i / 2]);
		assert_memory_equal(v.str, big, v.len);
		assert_int_equal(packed_check(b.p, b.len, 1, NULL), 1);
	}
	buf_fini(&b);
}

static void lists_and_maps_come_back(void **state)
{
	static const uint32_t counts[] = { 0, 1, 15, 16, 65535, 65536 };
	struct buf b = { 0 };
	struct packed in;
	struct value v;
	uint32_t i, n;
	int map;

	(void)state;
	for (i = 0; i < 2 * ARRAY_LEN(counts); i++) {
		map = i % 2;
		b.len = 0;
		(map ? pack_map : pack_list)(&b, counts[i / 2]);
		for (n = 0; n < counts[i / 2] << map; n++)
			pack_int(&b, n);
		v = first(&b);
		assert_int_equal(v.type, map ? VALUE_MAP : VALUE_LIST);
		assert_int_equal(v.len, counts[i / 2]);
		assert_int_equal(packed_check(b.p, b.len, 1, NULL), 1);
		in = (struct packed){ v.inside, (uint8_t *)b.p + b.len };
		for (n = 0; packed_next(&in, &v) == 1; n++)
			assert_int_equal(v.i, n);
		assert_int_equal(n, counts[i / 2] << map);
	}
	buf_fini(&b);
}

static void refusals_say_why(void **state)
{
	(void)state;
	assert_int_equal(CHECK("\xdf\xff\xff\xff\xff", 1), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "declares more items than there are bytes"));
	assert_int_equal(CHECK("\x01\xdd\xff\xff\xff\xff\x01\x02", -1), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "byte 1: "));
	assert_int_equal(CHECK("\xc6\xff\xff\xff\xff", 1), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "end in the middle"));
	assert_int_equal(CHECK("\xd6\xff\x01\x02\x03\x04", 1), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "timestamps"));
	assert_int_equal(CHECK("\xc1", 1), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "0xc1"));
	assert_int_equal(CHECK("\xa2\xc3\x28", 1), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "UTF-8"));
	assert_int_equal(CHECK("\x01\x02\x03", 2), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "(2) end at byte 2 of 3"));
	assert_int_equal(CHECK("\x01", 3), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "2 of 3 values are missing"));
	assert_int_equal(CHECK("\x93\x01\x02", 1), ACTOR_EARGS);
	assert_int_equal(CHECK("", 0), 0);
	assert_int_equal(packed_check(NULL, 0, 0, &why), 0);
	assert_int_equal(packed_first(NULL, 0, 1, &why), ACTOR_EARGS);
	assert_int_equal(CHECK("\x01\x02\x03", -1), 3);
}

static void nesting_ends(void **state)
{
	struct buf b = { 0 };
	struct packed in;
	int depth;

	(void)state;
	for (depth = 0; depth <= MESSAGE_DEPTH + 1; depth++) {
		b.len = 0;
		while (b.len < (size_t)depth)
			pack_list(&b, 1);
		pack_null(&b);
		assert_int_equal(packed_check(b.p, b.len, 1, &why),
		                 depth <= VALUE_DEPTH ? 1 : ACTOR_EARGS);
		assert_int_equal(packed_first(b.p, b.len, MESSAGE_DEPTH, &why),
		                 depth <= MESSAGE_DEPTH ? depth + 1 : ACTOR_EARGS);
		in = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
		assert_int_equal(packed_skip(&in), 0);
	}
	assert_non_null(strstr(why.text, "nested too deep"));
	buf_fini(&b);
}

static void a_deep_bomb_is_passed_over(void **state)
{
	static uint8_t bomb[MESSAGE_MAX];
	struct packed in = { bomb, bomb + sizeof bomb };

	(void)state;
	memset(bomb, 0x91, sizeof bomb);
	assert_int_equal(packed_skip(&in), -1);
	bomb[sizeof bomb - 1] = 0xc0;
	in = (struct packed){ bomb, bomb + sizeof bomb };
	assert_int_equal(packed_skip(&in), 0);
	assert_ptr_equal(in.at, in.end);
	assert_int_equal(packed_check(bomb, sizeof bomb, 1, &why), ACTOR_EARGS);
}

static void ext_types_are_passed_over_whole(void **state)
{
	static const struct { const char *head; size_t head_len, size; } exts[] = {
		{ "\xd4", 1, 1 }, { "\xd5", 1, 2 }, { "\xd6", 1, 4 }, { "\xd7", 1, 8 }, { "\xd8", 1,
		  16 },
		{ "\xc7\x00", 2, 0 }, { "\xc7\x03", 2, 3 }, { "\xc8\x01\x00", 3, 256 },
		{ "\xc9\x00\x01\x00\x00", 5, 65536 },
	};
	struct buf b = { 0 };
	struct packed in;
	struct value v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(exts); i++) {
		b.len = 0;
		buf_add(&b, exts[i].head, exts[i].head_len);
		buf_reserve(&b, exts[i].size + 1);
		memset(b.p + b.len, 0xff, exts[i].size + 1);
		b.len += exts[i].size + 1;
		in = exact(b.p, b.len);
		assert_int_equal(packed_next(&in, &v), -1);
		in.at = in.end - b.len;
		assert_int_equal(packed_skip(&in), 0);
		assert_ptr_equal(in.at, in.end);
		in.at = in.end - b.len;
		in.end--;
		assert_int_equal(packed_skip(&in), -1);
		free((void *)(uintptr_t)(in.end + 1 - b.len));
	}
	buf_fini(&b);
}

static void utf8_is_checked(void **state)
{
	static const char *const good[] = { "", "ascii, long enough for a whole word", "\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", "12345678\xc3\xa4hello there" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2",
		"\xc2\x41",
		"\xe0\x9f\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x92", "\xff", "\xfe",
		"12345678\xc3",
		"1234567\xc3", "\xc3\xa4\xa4" };
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++)
		assert_true(utf8_valid(good[i], strlen(good[i])));
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(utf8_valid(bad[i], strlen(bad[i])));
		strcpy(text, bad[i]);
		utf8_mend(text, strlen(text));
		assert_true(utf8_valid(text, strlen(text)));
		assert_int_equal(strlen(text), strlen(bad[i]));
	}
	strcpy(text, "a\xff\xc3\xa4\xc3");
	utf8_mend(text, strlen(text));
	assert_string_equal(text, "a?\xc3\xa4?");
}

/* Any bytes: nothing is read behind the end, and what packed_check() passed is read to its end. */
static void no_bytes_harm_the_reader(void **state)
{
	unsigned rounds = seeded_begin(__func__, 20000), i, n;
	uint8_t bytes[64];
	struct packed in;
	struct value v;
	size_t len;
	int values, got;

	(void)state;
	while (rounds-- > 0) {
		len = seeded(sizeof bytes);
		for (i = 0; i < len; i++)       /* heads more often than chance has them */
			bytes[i] = (uint8_t)(seeded(2) ? 0x80 + seeded(96) : seeded(256));
		in = exact(bytes, len);
		values = packed_check(in.at, len, -1, &why);
		assert_true(values >= 0 || (values == ACTOR_EARGS && why.text[0] != 0));
		for (n = 0; (int)n < values; n++)
			assert_int_equal(packed_skip(&in), 0);
		assert_true(values < 0 || in.at == in.end);
		in.at = in.end - len;
		while ((got = packed_next(&in, &v)) == 1)
			assert_true(in.at <= in.end);
		assert_true(values < 0 || got == 0);
		free((void *)(uintptr_t)(in.end - len));
	}
}

static void a_map_is_asked_by_key(void **state)
{
	/* {nil: 1, "a": [2, {"b": 3}], "b": "four", "a": 5} */
	static const char map[] = "\x84\xc0\x01\xa1" "a\x92\x02\x81\xa1" "b\x03\xa1" "b\xa4" "four"
	                          "\xa1" "a\x05";
	struct packed whole, found;
	struct value v;

	(void)state;
	for (size_t len = 0; len < sizeof map; len++) {
		whole = exact(map, len);
		v = packed_get(whole, "b");
		assert_int_equal(value_is_text(&v, "four"), len >= 18);
		assert_true(len >= 18 || v.type == VALUE_NULL);
		v = packed_get(whole, "c");
		assert_true(v.type == VALUE_NULL && v.len == 0 && *v.str == 0);
		free((void *)(uintptr_t)whole.at);
	}
	whole = (struct packed){ (const uint8_t *)map, (const uint8_t *)map + sizeof map - 1 };
	assert_true(packed_find(whole, "a", &found));   /* the first of two */
	assert_true(found.at == whole.at + 5 && found.end == whole.at + 11);
	assert_false(packed_find(whole, "fou", &found));
	assert_false(packed_find(found, "b", &found));  /* a list is no map */
	v = packed_get(whole, "b");
	assert_false(value_is_text(&v, "fou") || value_is_text(&v, "fourr"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ints_come_back),
		cmocka_unit_test(nums_come_back),
		cmocka_unit_test(small_things_come_back),
		cmocka_unit_test(texts_and_bytes_come_back),
		cmocka_unit_test(lists_and_maps_come_back),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(nesting_ends),
		cmocka_unit_test(a_deep_bomb_is_passed_over),
		cmocka_unit_test(ext_types_are_passed_over_whole),
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(no_bytes_harm_the_reader),
		cmocka_unit_test(a_map_is_asked_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
