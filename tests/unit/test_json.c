/* SPDX-License-Identifier: MIT
 * test_json.c - JSON to packed values and back, what is refused, and where it says the fault is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "actor.h"
#include "json.h"
#include "seeded.h"

static struct why why;

/* One packed value as JSON, in static memory. */
static const char *written(const void *p, size_t len)
{
	static struct buf out;
	struct packed in = { p, (const uint8_t *)p + len };

	out.len = 0;
	assert_int_equal(json_write(&out, &in), 0);
	assert_ptr_equal(in.at, in.end);
	buf_add(&out, "", 1);
	return out.p;
}

static void texts_come_back(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "null", "null" }, { " true ", "true" }, { "false", "false" },
		{ "0", "0" }, { "-0", "0" }, { "9223372036854775807", "9223372036854775807" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "3.0", "3.0" }, { "3e0", "3.0" }, { "-0.0", "-0.0" }, { "0.1", "0.1" },
		{ "1e300", "1e+300" }, { "123456789.125", "123456789.125" },
		{ "0.30000000000000004", "0.30000000000000004" }, { "5e-324",
		  "4.94065645841247e-324" },
		{ "\"\"", "\"\"" }, { "\"\\u00e4\\ud83d\\ude00\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "\"\\u0000\\u001f\\n\\t\\r\\b\\f\\/\\\\\\\"\"",
		  "\"\\u0000\\u001f\\n\\t\\r\\b\\f/\\\\\\\"\"" },
		{ "[]", "[]" }, { "{}", "{}" }, { "[[],{}]", "[[],{}]" },
		{ "18446744073709551615", "18446744073709551615" },
		{ "18446744073709551616", "1.8446744073709552e+19" },
		{ "-9223372036854775809", "-9.223372036854778e+18" },   /* no int, then */
		{ "[9223372036854775808,5,-5,2.5,1e3]", "[9223372036854775808,5,-5,2.5,1000.0]" },
		{ "{\"1\":[123456789012345678901234567890,\"\\\"-2\"],\"b\":1152921504606846977}",
		  "{\"1\":[1.2345678901234568e+29,\"\\\"-2\"],\"b\":1152921504606846977}" },
		{ "{\"z\":1,\"a\":[1,{\"\":null}]}", "{\"z\":1,\"a\":[1,{\"\":null}]}" },
	};
	struct buf b = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		b.len = 0;
		assert_int_equal(json_read(cases[i].in, strlen(cases[i].in), &b, &why), 0);
		assert_int_equal(packed_check(b.p, b.len, 1, &why), 1);
		assert_string_equal(written(b.p, b.len), cases[i].out);
	}
	buf_fini(&b);
}

static void refusals_say_where(void **state)
{
	static const struct { const char *in, *says; } cases[] = {
		{ "", "line 1" }, { "nul", "line 1, column" }, { "[1,]", "line 1" },
		{ "{\"a\"}", "line 1" },
		{ "[1,\n 2,\n x]", "line 3, column 2" }, { "1 2", "end of file expected" },
		{ "{\"a\":1,\"a\":2}", "duplicate" },
		{ "1e999", "overflow" }, { "NaN", "line 1" }, { "[Infinity]", "line 1" },
		{ "01", "line 1" },
		{ "\"\\ud800\"", "Unicode" }, { "\"\\udc00x\"", "Unicode" },
		{ "\"\xff\"", "line 1" },
		{ "\"\xed\xa0\x80\"", "line 1" }, { "\"a\nb\"", "line 1" }, { "'a'", "line 1" },
		{ "\"abc", "line 1" }, { "\"abc\\", "line 1" }, { "{\"\\u0000\":1}", "NUL" },
		{ "]", "line 1" }, { "\xef\xbb\xbf{}", "line 1" },
	};
	struct buf b = { 0 };
	size_t i;

	(void)state;
	buf_text(&b, "before");
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(json_read(cases[i].in, strlen(cases[i].in), &b, &why),
		                 ACTOR_EARGS);
		if (strstr(why.text, cases[i].says) == NULL)
			fail_msg("%s says: %s", cases[i].in, why.text);
		assert_int_equal(b.len, 6);
		assert_int_equal(json_read(cases[i].in, strlen(cases[i].in), &b, NULL),
		                 ACTOR_EARGS);
	}
	buf_fini(&b);
}

static int read_nested(int depth, bool map, int depth_max)
{
	struct buf text = { 0 }, out = { 0 };
	int i, failed;

	for (i = 0; i < depth; i++)
		buf_text(&text, map ? "{\"]\\\"\":" : "[\"{\\\"\",");
	buf_text(&text, "1");
	for (i = 0; i < depth; i++)
		buf_text(&text, map ? "}" : "]");
	failed = json_read_deep(text.p, text.len, depth_max, &out, &why);
	buf_fini(&text);
	buf_fini(&out);
	return failed;
}

static void nesting_ends(void **state)
{
	int map;

	(void)state;
	for (map = 0; map < 2; map++) {
		assert_int_equal(read_nested(VALUE_DEPTH, map, VALUE_DEPTH), 0);
		assert_int_equal(read_nested(VALUE_DEPTH + 1, map, VALUE_DEPTH), ACTOR_EARGS);
		assert_non_null(strstr(why.text, "nested too deep"));
		assert_int_equal(read_nested(MESSAGE_DEPTH, map, MESSAGE_DEPTH), 0);
		assert_int_equal(read_nested(1000000, map, MESSAGE_DEPTH), ACTOR_EARGS);
	}
}

/* Two bytes of text can be a quarter of a kilobyte in jansson's tree. */
static void a_tree_too_large_is_refused(void **state)
{
	struct buf text = { 0 }, out = { 0 };

	(void)state;
	buf_text(&text, "[{}");
	while (text.len < 4 << 20)
		buf_text(&text, ",{}");
	buf_text(&text, "]");
	assert_int_equal(json_read(text.p, text.len, &out, &why), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "too many values"));
	text.len = 0;
	buf_text(&text, "[1");
	while (text.len < 1 << 20)
		buf_text(&text, ",1");
	buf_text(&text, "]");
	assert_int_equal(json_read(text.p, text.len, &out, &why), 0);
	assert_int_equal(packed_check(out.p, out.len, 1, &why), 1);
	buf_fini(&text);
	buf_fini(&out);
}

#define WRITES(bytes, text) assert_string_equal(written(bytes, sizeof(bytes) - 1), text)

static void what_json_lacks(void **state)
{
	(void)state;
	WRITES("\xcb\x7f\xf8\0\0\0\0\0\0", "null");                /* NaN */
	WRITES("\xcb\xff\xf0\0\0\0\0\0\0", "null");                /* -infinity */
	WRITES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
	WRITES("\xc4\x00", "\"\"");
	WRITES("\xc4\x01\xff", "\"/w==\"");
	WRITES("\xc4\x02\xff\xfe", "\"//4=\"");
	WRITES("\xc4\x03\xff\xfe\xfd", "\"//79\"");
	WRITES("\xc4\x04\x00\x01\x02\x03", "\"AAECAw==\"");
	WRITES("\xa3\x61\xff\xc3", "\"a??\"");
	WRITES("\x85\x05\x01\xc0\x02\xc3\x03\x91\xa1\x61\x04\xc4\x01\xff\x05",
	       "{\"5\":1,\"null\":2,\"true\":3,\"list\":4,\"/w==\":5}");
}

/* Quoted anew at each depth, a key in a key in a key would take 2^32 bytes. */
static void keys_in_keys_stay_small(void **state)
{
	struct buf b = { 0 };
	int i;

	(void)state;
	for (i = 0; i < VALUE_DEPTH; i++)
		pack_map(&b, 1);
	pack_text(&b, "\"");
	for (i = 0; i < VALUE_DEPTH; i++)
		pack_null(&b);
	assert_int_equal(packed_check(b.p, b.len, 1, &why), 1);
	assert_string_equal(written(b.p, b.len), "{\"map\":null}");
	buf_fini(&b);
}

static void broken_bytes_leave_nothing(void **state)
{
	static const char *const broken[] = { "", "\x92\x01", "\x81\xa1\x61", "\x81\xc1\x01",
		"\xc1",
	                                      "\xd9", "\xd4\x01\x01", "\xdf\xff\xff\xff\xff" };
	char deep[MESSAGE_DEPTH + 2];
	struct buf out = { 0 };
	struct packed in;
	size_t i;

	(void)state;
	buf_text(&out, "before");
	for (i = 0; i < ARRAY_LEN(broken); i++) {
		in.at = (const uint8_t *)broken[i];
		in.end = in.at + strlen(broken[i]);
		assert_int_equal(json_write(&out, &in), -1);
		assert_int_equal(out.len, 6);
	}
	memset(deep, '\x91', sizeof deep);
	deep[sizeof deep - 1] = '\x01';
	in = (struct packed){ (uint8_t *)deep, (uint8_t *)deep + sizeof deep };
	assert_int_equal(json_write(&out, &in), -1);
	assert_int_equal(out.len, 6);
	buf_fini(&out);
}

static void quoting(void **state)
{
	struct buf out = { 0 };

	(void)state;
	json_text(&out, NULL, 0);
	json_text(&out, "a\"b\\\x01\x7f", 6);
	json_text(&out, "\0", 1);
	json_text(&out, "\xc3", 1);
	buf_add(&out, "", 1);
	assert_string_equal(out.p, "\"\"\"a\\\"b\\\\\\u0001\x7f\"\"\\u0000\"\"?\"");
	buf_fini(&out);
}

/* Every double reads back the same, as a num. */
static void nums_read_back_the_same(void **state)
{
	unsigned rounds = seeded_begin(__func__, 50000);
	struct buf packed = { 0 }, text = { 0 };
	struct packed in;
	struct value v;
	uint64_t bits;
	double num;

	(void)state;
	while (rounds-- > 0) {
		bits = seeded_u64();
		memcpy(&num, &bits, sizeof num);
		if (seeded(2))
			num = (int)seeded(UINT32_MAX) / (seeded(2) ? 100.0 : 1.0);
		if (!isfinite(num))
			continue;
		packed.len = text.len = 0;
		pack_num(&packed, num);
		in = (struct packed){ (uint8_t *)packed.p, (uint8_t *)packed.p + packed.len };
		assert_int_equal(json_write(&text, &in), 0);
		packed.len = 0;
		assert_int_equal(json_read(text.p, text.len, &packed, &why), 0);
		in = (struct packed){ (uint8_t *)packed.p, (uint8_t *)packed.p + packed.len };
		assert_int_equal(packed_next(&in, &v), 1);
		assert_int_equal(v.type, VALUE_NUM);
		assert_memory_equal(&v.num, &num, sizeof num);
	}
	buf_fini(&packed);
	buf_fini(&text);
}

/* Pieces of JSON in any order: it is read, or refused with words, and what was read is sound. */
static void no_text_harms_the_reader(void **state)
{
	static const char *const pieces[] = { "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\",
		"1", "-",
		"1.5e3", "null", "tru", "\"\\ud83d", "\\ude00\"", "\xc3\xa4", "\xff", " ", "\n",
		"\"b\":" };
	unsigned rounds = seeded_begin(__func__, 20000), n, good = 0;
	struct buf text = { 0 }, out = { 0 };
	char *exact;

	(void)state;
	while (rounds-- > 0) {
		text.len = out.len = 0;
		for (n = seeded(12); n > 0; n--)
			buf_text(&text, pieces[seeded(ARRAY_LEN(pieces))]);
		exact = mem_string(text.p, text.len);
		exact = mem_resize(exact, text.len);
		if (json_read(exact, text.len, &out, &why) == 0) {
			assert_int_equal(packed_check(out.p, out.len, 1, &why), 1);
			good++;
		} else {
			assert_true(why.text[0] != 0 && out.len == 0);
		}
		mem_free(exact);
	}
	assert_true(good > 0);
	buf_fini(&text);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_come_back),
		cmocka_unit_test(refusals_say_where),
		cmocka_unit_test(nesting_ends),
		cmocka_unit_test(a_tree_too_large_is_refused),
		cmocka_unit_test(what_json_lacks),
		cmocka_unit_test(keys_in_keys_stay_small),
		cmocka_unit_test(broken_bytes_leave_nothing),
		cmocka_unit_test(quoting),
		cmocka_unit_test(nums_read_back_the_same),
		cmocka_unit_test(no_text_harms_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
