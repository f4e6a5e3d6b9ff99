/* SPDX-License-Identifier: MIT
 * test_patch.c - patches sent to the actor `patch`: in force for the next message, refused in
 * words, listed, in their order, and nothing left of what was superseded. The actors patched are
 * the shipped ones, loaded from their source. */
#include <glob.h>

#include "asking.h"
#include "resident.h"

static int64_t hit(int64_t by)
{
	struct buf args = { 0 };

	pack_int(&args, by);
	ask(FROM_CONTROL, "counter", "hit", &args, 1);
	assert_int_equal(code, 0);
	return number;
}

static void call_text(const char *to, const char *what, const char *expected)
{
	struct buf args = { 0 };

	texts(&args, (const char *[]){ "arg1", "arg2" }, 2);
	ask(FROM_CONTROL, to, what, &args, 2);
	assert_string_equal(words, expected);
}

static const char *file_text(const char *path)
{
	static char text[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

/* --- what is right --------------------------------------------------------------------- */

static void worked_patches(void **state)
{
	int64_t total = hit(1);
	glob_t g;

	(void)state;
	assert_int_equal(glob(SOURCE_DIR "/patches/*.c", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 6);
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (!strstr(file_text(g.gl_pathv[i]), "migrate"))       /* see test_journal.py */
			in_force(file_text(g.gl_pathv[i]));
	globfree(&g);
	assert_true(hit(250) == total + 100);
	call_text("", "test", "arg1arg2arg1arg2");
	call_text("rpc", "test", "arg1arg2arg1arg2");
	ask(FROM_CONTROL, "", "total", &(struct buf){ 0 }, 0);
	assert_true(number == total + 100);
	ask(FROM_CONTROL, "counter", "reset", &(struct buf){ 0 }, 0);
	assert_true(number == total + 100);
	assert_true(hit(3) == 3);
}

static void functions(void **state)
{
	struct handler_info h;

	(void)state;
	eval(FROM_CONTROL, "rpc", "test", ANSWER("msg_str(m, 1)"), "f");
	assert_int_equal(code, 0);
	call_text("rpc", "test", "arg2");
	assert_int_equal(core_handler(actor_find("rpc"), "test", &h), 0);
	assert_string_equal(h.args, "arg1:str arg2:str");
	eval(FROM_CONTROL, "", "fresh", ANSWER("\"new\""), "f");
	assert_int_equal(code, 0);
	call_text("", "fresh", "new");
	assert_int_equal(core_handler(actor_find(""), "fresh", &h), 0);
	assert_int_equal(h.flags, ON_CLIENT);
	assert_string_equal(h.args, "...");
	eval(FROM_CONTROL, "echo", "fresh", ANSWER("\"new\""), "f");
	assert_int_equal(core_handler(actor_find("echo"), "fresh", &h), 0);
	assert_int_equal(h.flags, 0);
	eval(FROM_CONTROL, "nobody", "test", ANSWER("1"), "f");
	assert_int_equal(code, ACTOR_ENOENT);
	assert_non_null(strstr(words, "eval.c: error: there is no actor nobody here"));
	eval(FROM_CONTROL, "echo", "say", ANSWER("1"), "g");
	assert_non_null(strstr(words, "no function g"));
	eval(FROM_CONTROL, "echo", "say", "int x;\nint f = 5;\n", "f");
	assert_non_null(strstr(words, "eval.c:2: error: "));
	eval(FROM_CONTROL, "echo", "", ANSWER("1"), "f");
	assert_true(code < 0);
	eval(FROM_CONTROL, "patch", "list", ANSWER("1"), "f");
	assert_non_null(strstr(words, "part of the runtime itself"));
	eval(FROM_CONTROL, "echo", "say",
	     HEAD "#if 0\nint f(actor *self, const msg *m) { return 0; }\n", "f");
	assert_true(code < 0);
}

static void processes(void **state)
{
	int64_t before = hit(0);

	(void)state;
	in_force(HEAD "int process(actor *self) "
	              "{ return actor_send(self, actor_find(\"counter\"), \"hit\", 7); }\n");
	assert_true(hit(0) == before + 7);
	refused(HEAD "int process(actor *self) { return 9; }\n", "is refused",
	        "its process returned 9");
	refused("int process = 3;\n", "patch.c:1: ", "process is no function");
}

static void checks(void **state)
{
	(void)state;
	apply_from(FROM_CONTROL, "check", ANSWER("77") TABLE("counter", "hit", "by:int"));
	assert_int_equal(code, 0);
	assert_string_equal(words, "counter.hit");
	assert_int_not_equal(hit(0), 77);
	apply_from(FROM_CONTROL, "check", "int x");
	assert_int_equal(code, ACTOR_EARGS);
}

static void options(void **state)
{
	struct buf args = { 0 };

	(void)state;
	pack_text(&args, "int x = ;\n");
	pack_map(&args, 2);
	texts(&args, (const char *[]){ "file", "dir/my \"fix\".c", "note", "why" }, 4);
	ask(FROM_CONTROL, "patch", "apply", &args, 2);
	if (!strstr(words, "dir/my _fix_.c:1: error: "))
		fail_msg("%s", words);
	pack_text(&args, ANSWER("1") TABLE("echo", "one", ""));
	pack_map(&args, 2);
	texts(&args, (const char *[]){ "note", "because of that", "file", "one.c" }, 4);
	ask(FROM_CONTROL, "patch", "apply", &args, 2);
	assert_int_equal(code, 0);
	pack_text(&args, ANSWER("2") TABLE("echo", "one", ""));
	ask(FROM_CONTROL, "patch", "exec", &args, 1);
	assert_int_equal(code, 0);
	answers = 0;
	send_from(FROM_CONTROL, "patch", "list", "got_list", &args, 0);
	wait_for(1);
	assert_non_null(
		strstr(words, "state=superseded;targets=echo;handlers=echo.one;origin=control;"));
	assert_non_null(strstr(words, "file=one.c;note=because of that;"));
	assert_non_null(
		strstr(words, "state=probation;targets=echo;handlers=echo.one;origin=control;"));
}

/* --- what is wrong --------------------------------------------------------------------- */

static void wrong_targets(void **state)
{
	(void)state;
	refused(ANSWER("1") TABLE("nobody", "x", ""),
	        "patch.c:3: ", "there is no actor nobody here");
	refused(ANSWER("1") TABLE("nobody", "x", ""), "counter", "\"\" (the global table)");
	refused(ANSWER("1") TABLE("patch", "x", ""), "patch.c:3: ", "part of the runtime itself");
	refused(ANSWER("1") TABLE("counter", "hit", "by:str"), "patch.c:3: ", "counter.hit");
	refused(ANSWER("1") TABLE("counter", "x", "by:float"), "patch.c:3: ", "float");
	refused(ANSWER("1") "struct actor_type patch = { \"counter\", 4096, ON({ \"x\", \"\", f, 0 "
	                    "}) };",
	        "patch.c:3: ", "8 bytes here, the patch's .state is 4096");
	refused(ANSWER("1") "struct actor_type patch = { .name = \"counter\", .start = (void *)f "
	                    "};",
	        "patch.c:3: ", ".start");
}

static void wrong_tables(void **state)
{
	(void)state;
	refused(HEAD "int x;\n", "patch.c: ", "neither a table nor process");
	refused(HEAD "static int f(actor *a, const msg *m) { return 0; }\n",
	        "patch.c: ", "neither");
	refused("int patch;\n", "patch.c:1: ", "patch");
	refused("int patch(void) { return 0; }\n", "patch.c:1: ", "no struct actor_type");
	refused(HEAD "const struct actor_type patch;\n", "patch.c:2: ", ".name");
	refused(HEAD "const struct actor_type patch = { .name = (char *)1 };\n",
	        "patch.c:2: ", ".name");
	refused(HEAD "const struct actor_type patch = { .name = \"echo\" };\n",
	        "patch.c:2: ", "no handler");
	refused(HEAD "const struct actor_type patch = { .name = \"echo\", .on = (void *)8 };\n",
	        "patch.c:2: ", ".on is no table");
	refused(HEAD TABLE("echo", "x", "") "\n", "patch.c:2: ", "'f' undeclared");
	refused(HEAD "const struct actor_type patch = { .name = \"echo\", .on = ON({ \"x\", \"\", "
	             "0, 0 }) };",
	        "patch.c:2: ", "echo.x: its function");
	refused(HEAD "const struct actor_type patch = { .name = \"echo\", .on = ON({ \"x\", \"\", "
	        "(handler *)actor_state, 0 }) };", "patch.c:2: ", "echo.x: its function");
	refused(ANSWER("1") "const struct actor_type patch = { .name = \"echo\", .on = ON({ \"x\", "
	                    "0, f, 0 }) };",
	        "patch.c:3: ", "echo.x: its signature");
	refused(ANSWER("1") "static const struct actor_handler h[3] = { { \"x\", \"\", f, 0 }, { "
	                    "\"y\", \"\", "
	                    "f, 0 }, { (char *)-1, \"\", f, 0 } };\nconst struct actor_type patch "
	                    "= { \"echo\", 0, h };",
	        "patch.c:4: ", "handler 3");
	refused("const void *const patches[] = { (void *)8, 0 };\n", "patch.c:1: ", "patches");
	refused("const void *const patches[] = { 0 };\n", "patch.c: ", "neither");
	refused(ANSWER("1") TABLE("echo", "x",
	                          "") "const struct actor_type *const patches[] = { &patch, 0 };",
	        "patch.c:4: ", "both patch and patches");
	refused("char x, patch[100] = \"misaligned\", y;\n", "patch.c:1: ", "patch");
}

static void all_or_nothing(void **state)
{
	struct handler_info h;

	(void)state;
	refused(ANSWER("1") "const struct actor_type a = { \"echo\", 0, ON({ \"partly\", \"\", f, "
	                    "0 }) };\n"
	                    "const struct actor_type b = { \"counter\", 0, ON({ \"hit\", \"\", f, "
	                    "0 }) };\n"
	                    "const struct actor_type *const patches[] = { &a, &b, 0 };\n",
	        "patch.c:4: ", "counter.hit");
	assert_int_equal(core_handler(actor_find("echo"), "partly", &h), ACTOR_ENOENT);
}

static void who_may(void **state)
{
	static const char *const ways[] = { "apply", "check", "exec" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		apply_from(FROM_CLIENT, ways[i], ANSWER("1") TABLE("echo", "x", ""));
		assert_non_null(strstr(words, "clients cannot"));
		apply_from(FROM_REDIS, ways[i], ANSWER("1") TABLE("echo", "x", ""));
		assert_non_null(strstr(words, "--unsigned-patches"));
	}
	eval(FROM_REDIS, "echo", "x", ANSWER("1"), "f");
	assert_non_null(strstr(words, "--unsigned-patches"));
	patch_quiet();
	apply_from(FROM_CONTROL, "apply", ANSWER("1") TABLE("echo", "x", ""));
	assert_non_null(strstr(words, "stopping"));
}

/* --- many ------------------------------------------------------------------------------ */

static void in_their_order(void **state)
{
	char source[300];
	struct buf args = { 0 };
	int sent = 0;

	(void)state;
	answers = full = 0;
	for (; sent < 200; sent++) {
		snprintf(source, sizeof source, ANSWER("%d") TABLE("echo", "last", ""), sent);
		pack_text(&args, source);
		send_from(FROM_CONTROL, "patch", "apply", "got", &args, 1);
	}
	wait_for(sent);
	assert_true(full < sent);
	snprintf(source, sizeof source, ANSWER("%d") TABLE("echo", "last", ""), sent);
	in_force(source);
	ask(FROM_CONTROL, "echo", "last", &args, 0);
	assert_int_equal(number, sent);
}

static int code_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	int n = 0;

	while (fgets(line, sizeof line, f))
		n += strstr(line, " r-xp ") && strstr(line, " 00:00 0 \n");
	fclose(f);
	return n;
}

static void nothing_piles_up(void **state)
{
	/* sanitizers keep too much to tell by the memory: for them it is the mappings only */
	enum { ROUNDS = RESIDENT_NOISE_KB > 1 << 16 ? 2000 : 10000 };
	char source[300];
	long before = 0;
	int mappings = code_mappings();

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(source, sizeof source, ANSWER("%d") TABLE("echo", "often", ""), i);
		in_force(source);
		/* what is kept of each is small; buffers have their size by then */
		if (i == 1000)
			before = resident_kb();
	}
	print_message("RSS over %d patches: %+ld KiB\n", ROUNDS - 1000, resident_kb() - before);
	assert_true(code_mappings() < mappings + 10);   /* what a grace period has not freed yet */
	assert_true(resident_kb() - before < RESIDENT_NOISE_KB);
}

static void nesting_is_survived(void **state)
{
	enum { LEN = RESIDENT_NOISE_KB > 1 << 16 ? 200000 : 1000000 };
	static const char *const kinds[] = { "(", "{", "-", "1?", "({", "sizeof(" };
	char *source = malloc(LEN + 1);
	long before = resident_kb();

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const char *before_it = *kinds[k] == '{' ? "" : "int x=";
		size_t at = (size_t)sprintf(source, "void f(void) {%s", before_it);

		for (size_t len = strlen(kinds[k]); at + len <= LEN; at += len)
			strcpy(source + at, kinds[k]);
		refused(source, "patch.c:", "error");
	}
	free(source);
	in_force(ANSWER("1") TABLE("echo", "after", ""));
	assert_true(resident_kb() - before < RESIDENT_NOISE_KB + (8 << 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worked_patches),
		cmocka_unit_test(functions),
		cmocka_unit_test(processes),
		cmocka_unit_test(checks),
		cmocka_unit_test(options),
		cmocka_unit_test(wrong_targets),
		cmocka_unit_test(wrong_tables),
		cmocka_unit_test(all_or_nothing),
		cmocka_unit_test(in_their_order),
		cmocka_unit_test(nothing_piles_up),
		cmocka_unit_test(nesting_is_survived),
		cmocka_unit_test(who_may),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
