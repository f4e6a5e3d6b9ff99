/* SPDX-License-Identifier: MIT
 * test_argument.c - words of a command line become values by what the handler takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "actor.h"
#include "control/argument.h"
#include "json.h"

/* What word becomes as argument i, as JSON; NULL: refused, why says so. */
static const char *read_as(const char *takes, int i, const char *word, struct why *why)
{
	static struct buf json;
	struct buf out = { 0 };
	struct packed in;
	int rc;

	buf_clear(&json);
	why->text[0] = 0;
	rc = argument_read(takes, i, word, strlen(word), &out, why);
	in = (struct packed){ (uint8_t *)out.p, (uint8_t *)out.p + out.len };
	if (rc == 0)
		assert_int_equal(json_write(&json, &in), 0);
	buf_add(&json, "", 1);
	assert_true(rc == 0 ? in.at == in.end : out.len == 0);
	buf_fini(&out);
	return rc == 0 ? json.p : NULL;
}

static void becomes(const char *takes, int i, const char *word, const char *json)
{
	struct why why;
	const char *got = read_as(takes, i, word, &why);

	assert_string_equal(got ? got : why.text, json);
}

static void refused(const char *takes, int i, const char *word, const char *named)
{
	struct why why;

	assert_null(read_as(takes, i, word, &why));
	assert_non_null(strstr(why.text, named));
}

static void a_str_takes_the_word(void **state)
{
	(void)state;
	becomes("s:str", 0, "text", "\"text\"");
	becomes("s:str", 0, "", "\"\"");
	becomes("s:str", 0, "5", "\"5\"");
	becomes("s:str?", 0, "null", "\"null\"");
	becomes("n:int s:str", 1, "\"quoted\"", "\"\\\"quoted\\\"\"");
}

static void others_take_json(void **state)
{
	(void)state;
	becomes("by:int", 0, "5", "5");
	becomes("by:int", 0, "-9223372036854775808", "-9223372036854775808");
	becomes("by:num", 0, "2.5", "2.5");
	becomes("on:bool", 0, "true", "true");
	becomes("l:list", 0, "[1, [2, null]]", "[1,[2,null]]");
	becomes("m:map", 0, "{\"a\": {}}", "{\"a\":{}}");
	becomes("by:int?", 0, "null", "null");
	refused("by:int", 0, "five", "by takes int");
	refused("by:int", 0, "", "by takes int");
	refused("a:str l:list", 1, "[1", "l takes list");
}

static void any_takes_text_where_it_is_no_json(void **state)
{
	(void)state;
	becomes("a:any", 0, "5", "5");
	becomes("a:any", 0, "\"5\"", "\"5\"");
	becomes("a:any", 0, "five", "\"five\"");
	becomes("a:any", 0, "[1", "\"[1\"");
	becomes("a:any", 0, "", "\"\"");
	becomes("a:any", 0, "1 2", "\"1 2\"");
	becomes("n:int ...", 1, "x", "\"x\"");
	becomes("...", 7, "true", "true");
	becomes("n:int", 1, "beyond", "\"beyond\"");
	becomes("no signature", 0, "text", "\"text\"");
}

static void bytes_take_base64(void **state)
{
	static const char *const words[] = {
		"\"\"", "\"AA==\"", "\"AAE=\"", "\"AAEC\"", "\"/+8AAQ==\"",
	};
	static const char *const none[] = {
		"\"A\"", "\"A===\"", "\"A*==\"", "\"AA=A\"", "\"====\"",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(words); i++)
		becomes("b:bytes", 0, words[i], words[i]);
	for (i = 0; i < ARRAY_LEN(none); i++)
		refused("b:bytes", 0, none[i], "base64");
	becomes("b:bytes?", 0, "null", "null");
	refused("b:bytes", 0, "AAEC", "b takes bytes");
}

static void base64_is_really_bytes(void **state)
{
	struct buf out = { 0 };
	struct packed in;
	struct value v;

	(void)state;
	assert_int_equal(argument_read("b:bytes", 0, "\"AP8Q\"", 6, &out, NULL), 0);
	in = (struct packed){ (uint8_t *)out.p, (uint8_t *)out.p + out.len };
	assert_int_equal(packed_next(&in, &v), 1);
	assert_int_equal(v.type, VALUE_BYTES);
	assert_int_equal(v.len, 3);
	assert_memory_equal(v.str, "\x00\xff\x10", 3);
	buf_fini(&out);
}

static void a_long_word_is_cut_in_the_error(void **state)
{
	char word[5000];
	struct why why;

	(void)state;
	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = 0;
	assert_null(read_as("by:int", 0, word, &why));
	assert_non_null(strstr(why.text, "xxx..."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_str_takes_the_word),
		cmocka_unit_test(others_take_json),
		cmocka_unit_test(any_takes_text_where_it_is_no_json),
		cmocka_unit_test(bytes_take_base64),
		cmocka_unit_test(base64_is_really_bytes),
		cmocka_unit_test(a_long_word_is_cut_in_the_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
