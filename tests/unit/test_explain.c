/* SPDX-License-Identifier: MIT
 * test_explain.c - what a person gets to read: the line, a caret, names that are near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "patch/explain.h"

/* Of these bare words about a source; NULL: what the compiler says. */
static void explained(const char *text, const char *bare, const char *expected)
{
	struct source s = { .text = text, .len = strlen(text), .file = "a.c" };
	struct buf said = { 0 };

	if (bare)
		buf_text(&said, bare);
	else
		assert_null(program_compile(&s, &said));
	explain(&s, &said);
	buf_add(&said, "", 1);
	if (bare ? strcmp(said.p, expected) : !strstr(said.p, expected))
		fail_msg("wanted\n%s\nin\n%s", expected, said.p);
	buf_fini(&said);
}

static void lines_and_carets(void **state)
{
	(void)state;
	explained("int f(void)\n{\n\treturn x;\n}\n", "a.c:3: error: 'x' undeclared",
	          "a.c:3: error: 'x' undeclared\n    3 |         return x;\n"
	          "      |                ^");
	explained("int xx, \303\244x, x;", "a.c:1: error: redefinition of 'x'",
	          "a.c:1: error: redefinition of 'x'\n    1 | int xx, \303\244x, x;\n"
	          "      |             ^");
	explained("int a;\nint b\nint c;\n", "a.c:3: error: ';' expected (got \"c\")",
	          "a.c:3: error: ';' expected (got \"c\")\n    3 | int c;\n      |     ^");
	explained("a\nb", "a.c:2: error: identifier expected",
	          "a.c:2: error: identifier expected\n    2 | b");
	explained("on({ \"hit\", 1 })", "a.c:1: error: counter.hit takes (), the new one (int)",
	          "a.c:1: error: counter.hit takes (), the new one (int)\n"
	          "    1 | on({ \"hit\", 1 })\n      |       ^~~");
	explained("a", "a.c: error: nothing", "a.c: error: nothing");
	explained("a", "a.c:9: error: behind the end", "a.c:9: error: behind the end");
	explained("", "b.c:1: error: elsewhere", "b.c:1: error: elsewhere");
	explained("", "", "");
}

/* The compiler was a line ahead when it complained. */
static void the_line_is_found(void **state)
{
	(void)state;
	explained("int f(void)\n{\n\treturn oops\n\t;\n}\n", "a.c:4: error: 'oops' undeclared",
	          "a.c:3: error: 'oops' undeclared\n    3 |         return oops\n"
	          "      |                ^~~~");
}

static void near_names(void **state)
{
	static const char use[] = "#include \"actor.h\"\n#include \"counter.h\"\n"
	        "int f(actor *self, const msg *m)\n{\n\tstruct counter *c = actor_state(self);\n\t"
	        "%s;\n}\n";
	static const char *const pairs[][2] = {
		{ "return msg_repyl(m, 1)", "did you mean msg_reply?" },
		{ "return actor_sned(self, 1, \"x\")", "did you mean actor_send?" },
		{ "return (int)msg_itn(m, 0)", "did you mean msg_int?" },
		{ "return ACTOR_EARG", "did you mean ACTOR_EARGS?" },
		{ "return c->hist", "did you mean hits?" },
		{ "int total = 1; return totla", "did you mean total?" },
		{ "int strlne(const char *); return strlne(\"\")", "did you mean strlen?" },
	};
	char text[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		snprintf(text, sizeof text, use, pairs[i][0]);
		explained(text, NULL, pairs[i][1]);
	}
	explained("/* quuxe */ int x = quux;\n", "a.c:1: error: 'quux' undeclared",
	          "a.c:1: error: 'quux' undeclared\n    1 | /* quuxe */ int x = quux;\n"
	          "      |                     ^~~~");
}

static void mistakes_with_macros(void **state)
{
	static const char *const pairs[][2] = {
		{ "return actor_send(self, \"counter\", \"hit\", 1)", "actor_find(\"its name\")" },
		{ "return actor_ask(self, \"counter\", \"hit\", \"then\", 9) < 0", "actor_find(" },
		{ "struct { int x; } v = { 1 }; return msg_reply(m, v)", "see msg_out in actor.h" },
		{ "return msg_reply(m, actor_send(self, 1, \"x\", 1))", "into a variable first" },
		{ "return msg_reply(m, 1, 2, 3, 4, 5, 6, 7, 8, 9)", "eight_values_at_most" },
	};
	char text[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		snprintf(text, sizeof text, "#include \"actor.h\"\nint f(actor *self, const msg *m)"
		         "\n{\n\t%s;\n}\n", pairs[i][0]);
		explained(text, NULL, pairs[i][1]);
	}
}

static void only_so_many(void **state)
{
	struct source s = { .text = "x", .len = 1, .file = "a.c" };
	struct buf said = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_text(&said, i ? "\na.c:1: error: 'x'" : "a.c:1: error: 'x'");
	explain(&s, &said);
	buf_add(&said, "", 1);
	assert_non_null(strstr(said.p, "\n... and 980 more"));
	assert_true(said.len < 2000);
	buf_fini(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_and_carets),
		cmocka_unit_test(the_line_is_found),
		cmocka_unit_test(near_names),
		cmocka_unit_test(mistakes_with_macros),
		cmocka_unit_test(only_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
