/* SPDX-License-Identifier: MIT
 * test_opinion.c - warnings of a compiler of this machine, in our words, in time, and no trace of
 * it left. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "patch/opinion.h"

static struct buf said;

static const char *of(const char *text, size_t len)
{
	struct source s = { .text = text, .len = len, .file = "my \"fix\".c" };

	buf_clear(&said);
	opinion(&s, &said);
	buf_add(&said, "", 1);
	return said.p;
}

static void warnings_are_ours(void **state)
{
	static const char text[] = "#include \"actor.h\"\n#include \"counter.h\"\n"
	        "int process(actor *self)\n{\n\tint unused;\n\treturn 0;\n}\n";

	(void)state;
	assert_string_equal(of(text, sizeof text - 1),
	                    "my \"fix\".c:5: warning: unused variable 'unused' "
	                    "[-Wunused-variable]");
}

static void good_patches_have_none(void **state)
{
	static char text[65536];
	glob_t g;

	(void)state;
	assert_int_equal(glob(SOURCE_DIR "/patches/*.c", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		FILE *f = fopen(g.gl_pathv[i], "r");
		size_t len = fread(text, 1, sizeof text, f);

		fclose(f);
		assert_string_equal(of(text, len), "");
	}
	globfree(&g);
}

/* Nothing is left in the folder for temporary files. */
static void no_trace(void **state)
{
	char folder[] = "/tmp/test-opinion-XXXXXX", pattern[64];
	glob_t g;

	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("TMPDIR", folder, 1);
	of("int x;", 6);
	snprintf(pattern, sizeof pattern, "%s/*", folder);
	assert_int_equal(glob(pattern, 0, NULL, &g), GLOB_NOMATCH);
	setenv("TMPDIR", "/nowhere", 1);
	assert_string_equal(of("int f(void) { int x; return 0; }", 32), "");
	unsetenv("TMPDIR");
	assert_int_equal(rmdir(folder), 0);
}

static void one_that_takes_long(void **state)
{
	struct timespec from, to;
	char text[4096];
	size_t at = (size_t)sprintf(text, "#define M0 1+1+1+1+1+1+1+1\n");

	(void)state;
	for (int i = 1; i < 12; i++)
		at += (size_t)sprintf(text + at, "#define M%d M%d M%d M%d M%d M%d M%d M%d\n", i,
		                      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	at += (size_t)sprintf(text + at, "M11\n");
	clock_gettime(CLOCK_MONOTONIC, &from);
	of(text, at);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec <= OPINION_MS / 1000 + 2);
}

static void no_compiler(void **state)
{
	char *path = mem_string(getenv("PATH"), strlen(getenv("PATH")));

	(void)state;
	setenv("PATH", "/nowhere::bin:/dev", 1);
	assert_string_equal(of("int f(void) { int x; return 0; }", 32), "");
	setenv("PATH", path, 1);
	mem_free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warnings_are_ours),
		cmocka_unit_test(good_patches_have_none),
		cmocka_unit_test(no_trace),
		cmocka_unit_test(one_that_takes_long),
		cmocka_unit_test(no_compiler),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_fini(&said);
	return failed;
}
