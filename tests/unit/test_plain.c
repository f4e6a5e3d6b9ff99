/* SPDX-License-Identifier: MIT
 * test_plain.c - plain JSON is read to the same bytes that jansson's tree gives, and what is not
 * JSON is never taken. jansson is made to read a text by an escape in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "json.h"
#include "plain.h"

/* Taken, and the same bytes. */
static bool agrees(const char *text, size_t len)
{
	struct buf plain = { 0 }, whole = { 0 }, tree = { 0 };
	struct why why = { "" };
	bool taken = plain_read(text, len, VALUE_DEPTH - 1, &plain);

	if (taken) {
		buf_text(&whole, "[\"\\u0061\",");
		buf_add(&whole, text, len);
		buf_text(&whole, "]");
		if (json_read(whole.p, whole.len, &tree, &why))
			fail_msg("taken, though %s: %.*s", why.text, (int)len, text);
		if (tree.len != plain.len + 3 || memcmp(tree.p + 3, plain.p, plain.len))
			fail_msg("read otherwise: %.*s", (int)len, text);
	} else {
		assert_int_equal(plain.len, 0);
	}
	buf_fini(&plain);
	buf_fini(&whole);
	buf_fini(&tree);
	return taken;
}

static void what_is_plain(void **state)
{
	static const char *const texts[] = {
		"{}", "[]", " [ ] ", "null", "true", "false", "0", "-1", "\"\"", "\"text\"",
		"999999999999999999", "-999999999999999999", "\"snow \xe2\x98\x83\"", "\"\x7f\"",
		"{\"a\":1,\"b\":[1,2,{\"c\":null}]}", "\t[\n1\r, 2 ]", "[[[[[[]]]]]]",
		"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]", "{\"\":\"\"}",
		"{\"func\":\"say\",\"tpc\":\"echo\",\"args\":[\"x\",1],\"cb\":\"c\",\"id\":7}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!agrees(texts[i], strlen(texts[i])))
			fail_msg("not taken: %s", texts[i]);
}

static void what_is_not(void **state)
{
	static const char *const texts[] = {
		"", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
		"{a:1}", "{1:1}", "\"", "\"a", "\"\\n\"", "\"\t\"", "\"\xff\"", "\"\xed\xa0\x80\"",
		"\"\xc0\xaf\"", "01", "-", "-0", "+1", "1.0", "1e5", ".5", "1a", "0x1", "nul",
		"nulll",
		"True", "[1 2]", "1 2", "[]]", "{\"a\":1,\"a\":2}", "[{\"a\":1,\"b\":2,\"a\":1}]",
		"1000000000000000000", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]", "NaN", "'a'",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (agrees(texts[i], strlen(texts[i])))
			fail_msg("taken: %s", texts[i]);
	assert_false(agrees("\"a\0b\"", 5));
	assert_false(agrees("[1]\0", 4));
}

static void what_is_nearly(void **state)
{
	static const char base[] =
		"{\"tpc\":\"echo\",\"func\":\"say\",\"args\":[1,-20,\"x\xc3\xa4\","
		"[true,null],{\"k\":[{}],\"l\":false}],\"cb\":\"c\",\"id\":123456} ";
	static const char marks[] = "{}[]\",:0123456789-+.eEtfnu \\\t\n\x80\xff\0a";
	unsigned seed = (unsigned)time(NULL);
	int taken = 0;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 200000; i++) {
		char text[sizeof base];
		size_t len = sizeof base - 1;

		memcpy(text, base, sizeof base);
		for (int k = rand() % 4; k > 0; k--) {
			size_t at = (size_t)rand() % len;

			if (rand() % 3) {
				text[at] = marks[(size_t)rand() % (sizeof marks - 1)];
			} else {
				memmove(text + at, text + at + 1, len - at - 1);
				len--;
			}
		}
		taken += agrees(text, len);
	}
	assert_in_range(taken, 20000, 199999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_plain),
		cmocka_unit_test(what_is_not),
		cmocka_unit_test(what_is_nearly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
