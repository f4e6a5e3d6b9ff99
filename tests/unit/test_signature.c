/* SPDX-License-Identifier: MIT
 * test_signature.c - what handlers take: reading, interning from many threads, fitting values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "actor.h"
#include "signature.h"

static struct why why;

static void texts_are_read(void **state)
{
	static const struct { const char *text, *canonical; int min, max; bool rest; } cases[] = {
		{ "", "", 0, 0, false },
		{ "  \t\n", "", 0, 0, false },
		{ "by:int", "int", 1, 1, false },
		{ "by:int who:str? tags:list? ...", "int str? list? ...", 1, 3, true },
		{ "...", "...", 0, 0, true },
		{ "a:int b:num c:str d:bytes e:bool f:list g:map h:any",
		  "int num str bytes bool list map any", 8, 8, false },
		{ " _x9:any?\r\n\tY:any? ", "any? any?", 0, 2, false },
	};
	const struct signature *s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		s = signature_read(cases[i].text, &why);
		assert_non_null(s);
		assert_string_equal(s->text, cases[i].canonical);
		assert_int_equal(s->min, cases[i].min);
		assert_int_equal(s->max, cases[i].max);
		assert_int_equal(s->rest, cases[i].rest);
		assert_ptr_equal(signature_get(s->id), s);
		assert_true(s->id > 0);
	}
	assert_ptr_equal(signature_read(NULL, &why), signature_read("", &why));
}

static void names_do_not_count(void **state)
{
	(void)state;
	assert_ptr_equal(signature_read("by:int who:str?", &why),
	                 signature_read("n:int  name:str?", NULL));
	assert_ptr_not_equal(signature_read("by:int", &why), signature_read("by:int?", &why));
	assert_ptr_not_equal(signature_read("by:int", &why), signature_read("by:int ...", &why));
	assert_ptr_not_equal(signature_read("by:int", &why), signature_read("by:num", &why));
}

static void errors_name_the_word(void **state)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "int", "'int' is no parameter: write name:type" },
		{ "by:int ?", "'?' is no parameter" },
		{ ":int", "':int' is no parameter" },
		{ "9a:int", "'9a:int' is no parameter" },
		{ "a-b:int", "'a-b:int' is no parameter" },
		{ "\xc3\xa4:int", "is no parameter" },
		{ "by:integer", "there is no type 'integer'" },
		{ "by:INT", "there is no type 'INT'" },
		{ "by:", "there is no type ''" },
		{ "by:?", "there is no type ''" },
		{ "by:int??", "there is no type 'int?'" },
		{ "a:int?b:int", "there is no type 'int?b:int'" },
		{ "a:int? b:str",
		  "'b:str' must be there, but a parameter before it may be absent" },
		{ "... a:int", "'...' must come last, but 'a:int' follows" },
		{ "... ...", "'...' must come last" },
		{ "a:int ....", "is no parameter" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(signature_read(cases[i].text, &why));
		if (strstr(why.text, cases[i].says) == NULL)
			fail_msg("'%s' says: %s", cases[i].text, why.text);
		assert_null(signature_read(cases[i].text, NULL));
	}
}

static void limits_hold(void **state)
{
	struct buf text = { 0 };
	const struct signature *s;
	char word[3000];
	int i;

	(void)state;
	for (i = 0; i < PARAM_MAX; i++)
		buf_text(&text, "a:bytes? ");
	buf_add(&text, "...", 4);
	s = signature_read(text.p, &why);
	assert_non_null(s);
	assert_int_equal(s->max, PARAM_MAX);
	assert_int_equal(strlen(s->text), PARAM_MAX * strlen("bytes? ") + 3);
	memcpy(text.p + text.len - 4, "z:any?", 7);
	assert_null(signature_read(text.p, &why));
	assert_non_null(strstr(why.text, "more than 32 parameters"));
	buf_fini(&text);
	memset(word, 'a', sizeof word - 1);
	word[sizeof word - 1] = 0;
	assert_null(signature_read(word, &why));
	word[1] = ':';
	assert_null(signature_read(word, &why));
}

static void parameters_have_names(void **state)
{
	static const char text[] = " by:int  who:str? ...";
	static const char *const names[] = { "by", "who", "value 3", "value 4" };
	char name[16], small[3];
	int i;

	(void)state;
	for (i = 0; i < (int)ARRAY_LEN(names); i++) {
		signature_param(text, i, name, sizeof name);
		assert_string_equal(name, names[i]);
	}
	signature_param(text, 1, small, sizeof small);
	assert_string_equal(small, "wh");
	signature_param("", 0, name, sizeof name);
	assert_string_equal(name, "value 1");
	assert_string_equal(param_name(PARAM_BYTES), "bytes");
	assert_string_equal(value_name(VALUE_NULL), "null");
	assert_string_equal(value_name(VALUE_MAP), "map");
	assert_string_equal(value_name((enum value_type)MSG_STR), "str");
}

/* --- fitting --------------------------------------------------------------------- */
static bool fits(const char *text, int i, struct value *v)
{
	return signature_fit(signature_read(text, NULL), i, v);
}

static struct value int_value(int64_t i)
{
	return (struct value){ .type = VALUE_INT, .i = i, .num = (double)i };
}

static struct value num_value(double num)
{
	return (struct value){ .type = VALUE_NUM, .num = num };
}

static void each_type_takes_its_own(void **state)
{
	/* rows: enum param_type; columns: enum value_type up to MAP, then UINT */
	static const char *const takes[] = {
		"010000000", "011000001", "000010000", "000001000",
		"000100000", "000000100", "000000010", "111111111",
	};
	char text[16];
	struct value v;
	int p, t;

	(void)state;
	for (p = PARAM_INT; p <= PARAM_ANY; p++) {
		snprintf(text, sizeof text, "a:%s", param_name((enum param_type)p));
		for (t = VALUE_NULL; t <= VALUE_UINT; t++) {
			v = (struct value){ .type = (enum value_type)t, .num = 0.5 };
			if (fits(text, 0, &v) != (takes[p][t] == '1'))
				fail_msg("%s and %s", text, value_name((enum value_type)t));
		}
	}
}

static void ints_from_integral_nums(void **state)
{
	static const double good[] = { 3.0, -0.0, -0x1p63, 0x1.fffffffffffffp62 };
	static const double bad[] = { 3.5, 0x1p63, -0x1.0000000000001p63, 1e300, INFINITY,
		-INFINITY, NAN };
	struct value v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		v = num_value(good[i]);
		assert_true(fits("a:int", 0, &v));
		assert_int_equal(v.type, VALUE_INT);
		assert_true(v.i == (int64_t)good[i]);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		v = num_value(bad[i]);
		assert_false(fits("a:int", 0, &v));
	}
}

static void nums_from_any_number(void **state)
{
	struct value v = int_value(-3);

	(void)state;
	assert_true(fits("a:num", 0, &v));
	assert_int_equal(v.type, VALUE_NUM);
	assert_true(v.num == -3);
	v = (struct value){ .type = VALUE_UINT, .i = -1, .num = 0x1p64 };
	assert_true(fits("a:num", 0, &v));
	assert_int_equal(v.type, VALUE_NUM);
	v = int_value(3);
	assert_true(fits("a:any", 0, &v));
	assert_int_equal(v.type, VALUE_INT);
	v = num_value(3);
	assert_true(fits("...", 7, &v));
	assert_int_equal(v.type, VALUE_NUM);
}

static void absence_and_excess(void **state)
{
	struct value null = { .type = VALUE_NULL }, one = int_value(1);

	(void)state;
	assert_false(fits("a:int", 0, &null));
	assert_true(fits("a:int?", 0, &null));
	assert_int_equal(null.type, VALUE_NULL);
	assert_true(fits("a:any", 0, &null));
	assert_false(fits("a:int b:str?", 0, &null));
	assert_true(fits("a:int b:str?", 1, &null));
	assert_false(fits("a:int b:str?", 1, &one));
	assert_false(fits("a:int", 1, &one));
	assert_false(fits("", 0, &null));
	assert_true(fits("a:str ...", 1, &one));
}

/* --- interning --------------------------------------------------------------------- */
enum { READERS = 8, TEXTS = 512 };
static const struct signature *found[READERS][TEXTS];

/* Text number n, its digits being types. */
static void text_of(unsigned n, char *to)
{
	static const char digits[8][6] = { "int", "num", "str", "bytes", "bool", "list", "map",
		"any" };

	for (to[0] = 0; n > 0; n /= 8)
		to += sprintf(to, "p:%s ", digits[n % 8]);
}

static void *read_all(void *into)
{
	const struct signature **to = into;
	char text[64];
	unsigned n;

	for (n = 0; n < TEXTS; n++) {
		text_of(n, text);
		to[n] = signature_read(text, NULL);
		if (signature_get(to[n]->id) != to[n])
			to[n] = NULL;
	}
	return NULL;
}

static void threads_find_the_same(void **state)
{
	pthread_t threads[READERS];
	int i, n;

	(void)state;
	for (i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, read_all, found[i]);
	for (i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	for (n = 0; n < TEXTS; n++) {
		assert_non_null(found[0][n]);
		for (i = 1; i < READERS; i++)
			assert_ptr_equal(found[i][n], found[0][n]);
	}
}

/* Last of all: it leaves the table full. */
static void a_full_table_is_said(void **state)
{
	const struct signature *by_int = signature_read("by:int", NULL);
	char text[128];
	unsigned n;

	(void)state;
	for (n = 0; n <= 65535; n++) {
		text_of(n * 8 + 1, text);
		if (signature_read(text, &why) == NULL)
			break;
	}
	assert_in_range(n, 60000, 65535);
	assert_non_null(strstr(why.text, "65535 different signatures"));
	assert_null(signature_read(text, NULL));
	assert_ptr_equal(signature_read("x:int", &why), by_int);
	assert_ptr_equal(signature_get(by_int->id), by_int);
	assert_non_null(signature_get(65535));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read),
		cmocka_unit_test(names_do_not_count),
		cmocka_unit_test(errors_name_the_word),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(parameters_have_names),
		cmocka_unit_test(each_type_takes_its_own),
		cmocka_unit_test(ints_from_integral_nums),
		cmocka_unit_test(nums_from_any_number),
		cmocka_unit_test(absence_and_excess),
		cmocka_unit_test(threads_find_the_same),
		cmocka_unit_test(a_full_table_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
