/* SPDX-License-Identifier: MIT
 * test_compile.c - source to code: what is refused and in which words, what code may reach, what
 * pages it lies on, and that compiling leaves nothing behind. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "patch/box.h"
#include "patch/compile.h"
#include "resident.h"

static struct buf said;

static struct program *compile(const char *text)
{
	struct source s = { .text = text, .len = strlen(text), .file = "a.c" };

	buf_clear(&said);
	return program_compile(&s, &said);
}

/* What is said holds each of the words. */
static void expect_said(const char *first, const char *second)
{
	buf_add(&said, "", 1);
	if (!strstr(said.p, first) || !strstr(said.p, second))
		fail_msg("wanted `%s` and `%s` in: %s", first, second, said.p);
}

static void refused(const char *text, const char *first, const char *second)
{
	struct program *p = compile(text);

	if (p)
		fail_msg("compiled: %s", text);
	expect_said(first, second);
}

/* Runs the int process(void) of a source. */
static int value_of(const char *text)
{
	struct program *p = compile(text);
	int value;

	if (!p)
		fail_msg("%.*s", (int)said.len, said.p);
	assert_true(program_code(p, p->process));
	value = ((int (*)(void))(uintptr_t)p->process)();
	program_free(p);
	return value;
}

static void errors_have_file_and_line(void **state)
{
	(void)state;
	refused("int f(void)\n{\n\treturn x;\n}\n", "a.c:3: ", "'x' undeclared");
	refused("#include \"actor.h\"\nint f(void) { return 1 }\n", "a.c:2: ", "';'");
	refused("\n\n#error out of order\n", "a.c:3: ", "out of order");
	refused("#include \"actor.h\"\nint f(void) { return puts(\"x\"); }\n", "a.c:2: ", "puts");
	expect_said("a source may call", "actor.h");
}

static const char all_of_it[] =
	"#include \"actor.h\"\n#include <ctype.h>\n#include <float.h>\n#include <inttypes.h>\n"
	"#include <limits.h>\n#include <math.h>\n#include <stdarg.h>\n#include <stdbool.h>\n"
	"#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
	"#include <string.h>\n"
	"static double sum(int n, ...)\n"
	"{\n"
	"	va_list ap;\n"
	"	double d = 0;\n"
	"	va_start(ap, n);\n"
	"	while (n--) {\n"
	"		d += va_arg(ap, int);\n"
	"		d += va_arg(ap, double);\n"
	"		d += (double)va_arg(ap, long double);\n"
	"	}\n"
	"	va_end(ap);\n"
	"	return d;\n"
	"}\n"
	"static int down(const void *a, const void *b) { return *(int *)b - *(int *)a; }\n"
	"#define TRIPLE 1, 1.5, 2.0L\n"
	"int process(void)\n"
	"{\n"
	"	char b[64], *save;\n"
	"	int v[] = { 1, 3, 2 }, key = 2;\n"
	"	uint64_t u = strtoull(\"18446744073709551615\", 0, 10);\n"
	"	double d = u;\n"
	"	float f = u;\n"
	"	long double l = u;\n"
	"	struct big { char c[300]; } x = { { 1 } }, y = x;\n"
	"	if ((uint64_t)(d / 2) != 1ull << 63 || (uint64_t)(f / 2) != 1ull << 63) return 1;\n"
	"	if ((uint64_t)l != u || u != UINT64_MAX || LLONG_MAX != INT64_MAX) return 2;\n"
	"	snprintf(b, sizeof b, \"%\" PRId64 \" %.1f\", (int64_t)-5, sum(8, TRIPLE, TRIPLE,\n"
	"	         TRIPLE, TRIPLE, TRIPLE, TRIPLE, TRIPLE, TRIPLE));\n"
	"	if (strcmp(b, \"-5 36.0\")) return 3;\n"
	"	if (!isnan(NAN) || !isinf(-INFINITY) || isfinite(INFINITY)) return 4;\n"
	"	if (fabs(sin(M_PI)) > 1e-9 || fmodf(7, 4) != 3 || lround(2.5) != 3) return 5;\n"
	"	if (toupper('a') != 'A' || !isxdigit('f') || isdigit('x')) return 6;\n"
	"	qsort(v, 3, sizeof v[0], down);\n"
	"	if (v[0] != 3 || *(int *)bsearch(&key, v, 3, sizeof v[0], down) != 2) return 7;\n"
	"	strcpy(b, \"a,b\");\n"
	"	if (*strtok(b, \",\") != 'a' || *strtok(0, \",\") != 'b') return 8;\n"
	"	strcpy(b, \"a b\");\n"
	"	if (strcmp(strtok_r(b, \" \", &save), \"a\") || *save != 'b') return 9;\n"
	"	return y.c[0] != 1 || y.c[299];\n"
	"}\n";

/* Each leaves libtcc's variables in a state of its own: in an initializer, a _Generic, a sizeof, a
 * switch, among labels, cleanups, macros and #ifs. The next source must not notice. */
static void no_error_stays(void **state)
{
	static const char *const bad[] = {
		"struct s { int x; } *p = (struct s[]){ { y } };",
		"#include \"actor.h\"\nint f(actor *a, const msg *m) { return msg_reply(m, y); }",
		"int f(void) { return _Generic(y, int: 1); }",
		"int f(void) { return sizeof(y); }",
		"int f(int x) { switch (x) { case 1: { lab: goto lab2; y; } } }",
		"void g(int *); int f(void) { int z __attribute__((cleanup(g))); goto o; y; o:; }",
		"int f(void) { __label__ l; l: goto *&&l; y; }",
		"#define M(a, b) a ## b\nint M(x, y = M(", "#if 1\n#if 0\n#else\nint x", "\"", "'",
		"/*", "int f(void) { for (;;) { while (1) { do { y", "asm(\"nonsense\");",
		"#pragma pack(push, 1)\ny[1] =",
		"struct s { int a : 3; int b : y; };", "int a[y];", "typedef int t; t u = y;",
		"static int f(void) { int a[f()]; y; }",
		"#pragma comment(option, \"-dumpversion\")\n", "#pragma push_macro(\"X\")\ny =",
		"int memcpy(int x) { return x; }", "int no(void); int f(void) { return no(); }",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		if (compile(bad[i]) || !said.len)
			fail_msg("compiled: %s", bad[i]);
		assert_int_equal(value_of(all_of_it), 0);
	}
}

static void a_bomb_is_stopped(void **state)
{
	char text[2000] = "#define M0 x x x x x x x x x x x x x x x x\n";
	size_t at = strlen(text);
	int i;

	(void)state;
	for (i = 1; i < 9; i++)
		at += (size_t)sprintf(text + at, "#define M%d M%d M%d M%d M%d M%d M%d\n", i,
		                      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	strcpy(text + at, "int a[] = { M8 };\n");
	refused(text, "a.c:10: ", "memory full");
	assert_int_equal(value_of(all_of_it), 0);
}

static void a_handler_has_its_type(void **state)
{
	(void)state;
	refused("#include \"actor.h\"\nstatic int f(actor *a, int m) { return m; }\n"
	        "const struct actor_type x = { .name = \"x\", .on = ON({ \"f\", \"\", f, 0 }) };",
	        "a.c:3: ", "incompatible");
	refused("#include \"actor.h\"\nint f(actor *a, const msg *m) { struct { int x; } s; "
	        "return msg_reply(m, s); }\n", "a.c:2: ", "error");
}

static void all_unknown_symbols_are_named(void **state)
{
	(void)state;
	refused("int one(void);\nint two(void);\nint process(void) { return one() + two(); }\n",
	        "a.c:1: error: undefined symbol 'one'", "a.c:2: error: undefined symbol 'two'");
}

static void only_the_allowed_is_called(void **state)
{
	static const char *const names[] = { "system", "malloc", "free", "abort", "exit", "dlsym",
		"fopen", "printf", "open", "mmap", "memcpy_", "core_change", "mem_alloc" };
	char text[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(text, sizeof text, "void %s(void);\nint process(void) { %s(); return 0; }",
		         names[i], names[i]);
		refused(text, "a.c:1: error: undefined symbol", names[i]);
	}
	refused("long round(long x) { return x; }\n", "'round' defined twice", "make yours static");
}

static void only_the_carried_is_included(void **state)
{
	static const char *const names[] = {
		"\"/etc/passwd\"", "<unistd.h>", "\"../actor.h\"", "<stdatomic.h>",
		"\"CMakeLists.txt\"", "\"/proc/self/maps\"", "\"runtime/actor.h\"",
		"\"/dev/stdin\"",
	};
	char text[200], bare[100];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(text, sizeof text, "#include %s\nint x;\n", names[i]);
		snprintf(bare, sizeof bare, "'%.*s'", (int)strlen(names[i]) - 2, names[i] + 1);
		refused(text, bare, "a source may include actor.h, ");
		expect_said("a.c:1: ", "counter.h");
	}
	refused("int x;\n#include<", "a.c:2: ", "include");
	/* libtcc takes this for the standard input, which is not ours to read. */
	assert_int_equal(value_of("#include \"-\"\nint process(void) { return 3; }"), 3);
}

static void not_even_tried(void **state)
{
	struct source nul = { .text = "int x;\n\0y", .len = 9, .file = "a.c" };
	struct source big = { .len = 10000000, .file = "a.c" };
	char *text = malloc(big.len);

	(void)state;
	refused("", "a.c:1: ", "empty");
	refused(" \n\t\n", "a.c:1: ", "empty");
	buf_clear(&said);
	assert_null(program_compile(&nul, &said));
	expect_said("a.c:2: ", "NUL");
	memset(text, '\n', big.len);
	big.text = text;
	buf_clear(&said);
	assert_null(program_compile(&big, &said));
	expect_said("a.c:1048577: ", "10000000 bytes, at most 1048576");
	refused("char a[100000000];\n", "a.c: error: its code and data", "at most 67108864");
	free(text);
}

static void the_offered_works(void **state)
{
	(void)state;
	assert_int_equal(value_of(all_of_it), 0);
}

static void statics_are_reached(void **state)
{
	static const char text[] = "struct actor;\nstruct msg;\n"
	        "static int seven(struct actor *a, const struct msg *m) { return 7; }\n"
	        "static int data;\n";
	struct source s = { .text = text, .len = sizeof text - 1, .file = "e.c" };
	struct program *p;

	(void)state;
	s.function = "seven";
	buf_clear(&said);
	p = program_compile(&s, &said);
	assert_non_null(p);
	assert_true(program_data(p, p->function, 8));
	assert_true(program_code(p, *(void *const *)p->function));
	program_free(p);
	s.function = "data";
	assert_null(program_compile(&s, &said));
	expect_said("e.c:4: ", "incompatible");
	s.function = "eight";
	buf_clear(&said);
	assert_null(program_compile(&s, &said));
	expect_said("e.c: ", "no function eight");
	s.function = "seven; int x";
	buf_clear(&said);
	assert_null(program_compile(&s, &said));
	expect_said("e.c: ", "no function seven; int x");
}

/* How the page is mapped that this address lies on: "r-xp". */
static void page_of(const void *at, char mode[5])
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512], m[5];

	*mode = 0;
	while (fgets(line, sizeof line, f)) {
		assert_int_equal(sscanf(line, "%lx-%lx %4s", &from, &to, m), 3);
		if ((uintptr_t)at >= from && (uintptr_t)at < to)
			strcpy(mode, m);
		if (strchr(m, 'w') && strchr(m, 'x'))
			fail_msg("writable and executable: %s", line);
	}
	fclose(f);
}

static void no_page_is_writable_and_executable(void **state)
{
	struct program *p = compile("int data = 5, zero[3000], *both[] = { &data, zero };\n"
	                            "int process(void) { return data++; }\n");
	char mode[5];

	(void)state;
	assert_non_null(p);
	page_of(p->process, mode);
	assert_string_equal(mode, "r-xp");
	page_of(p->at + p->text, mode);
	assert_string_equal(mode, "rw-p");
	page_of(p->at + p->size - 1, mode);
	assert_string_equal(mode, "rw-p");
	assert_false(program_code(p, p->at + p->text));
	assert_false(program_data(p, p->at, 1));
	assert_false(program_data(p, p->at + p->size - 4, 8));
	assert_false(program_data(p, (void *)UINTPTR_MAX, 8));
	assert_false(program_string(p, NULL, 10));
	program_free(p);
}

static void compile_often(int times)
{
	for (int i = 0; i < times; i++) {
		program_free(compile("#include \"actor.h\"\n#include <math.h>\n"
		                     "int process(actor *self)\n"
		                     "{ return actor_send(self, 1, \"x\", 2); }"));
		assert_null(compile("#include \"actor.h\"\nint f(void) { return x; }"));
	}
}

static void nothing_is_left_behind(void **state)
{
	long before;

	(void)state;
	compile_often(200);
	before = resident_kb();
	compile_often(1000);
	assert_true(resident_kb() - before < RESIDENT_NOISE_KB);
}

/* --- what goes on from a header that was compiled before ------------------------------- */

enum {
	ROOM = 1 << 20,
	AROUND = 1 << 30,
	SOURCES_MOST = 64,
	SANITIZED = RESIDENT_NOISE_KB > 1 << 16,
};
static struct made { bool passed; size_t text; struct buf code, stab, str, said; }
	alone[SOURCES_MOST];
static char *room;

static struct made make(const char *text, size_t len, const char *function)
{
	struct source s = { .text = text, .len = len, .file = "a.c", .function = function };
	struct made m = { .passed = false };
	struct image i;

	m.passed = image_make(&s, room, ROOM, &i, &m.said);
	m.text = i.p.text;
	buf_add(&m.code, i.p.at, i.p.size);
	buf_add(&m.stab, i.stab.p, i.stab.len);
	buf_add(&m.str, i.str.p, i.str.len);
	image_drop(&i);
	return m;
}

static void made_free(struct made *m)
{
	buf_fini(&m->code);
	buf_fini(&m->stab);
	buf_fini(&m->str);
	buf_fini(&m->said);
}

static void assert_same(const struct buf *a, const struct buf *b, const char *what)
{
	if (a->len != b->len || (a->len && memcmp(a->p, b->p, a->len)))
		fail_msg("%s: %.*s\nand: %.*s", what, (int)a->len, a->p, (int)b->len, b->p);
}

/* Begin with actor.h in many ways, or do not; some fail while libtcc is in the middle of things. */
static const char *const beginnings[] = {
	"#include \"actor.h\"\nint process(actor *self) { return 0; }\n",
	"#include <stdio.h>\n#include <math.h>\n#include \"actor.h\"\n"
	"double f(void) { return M_PI; }\n",
	"/* a */ // b\n\t#  include <actor.h>\nint process(actor *self) { return x; }\n",
	"#include <stdint.h>\nint64_t f(void) { return 3; }\n",
	"#define actor other\n#include \"actor.h\"\nint f(other *self) { return 0; }\n",
	"int before;\n#include \"actor.h\"\nint f(actor *self) { return before; }\n",
	"actor *no_header;\n",
	"/* #include \"actor.h\" */ actor *no_header;\n",
	"/* #include \"actor.h\"\n",
	"#include \"actor.h\"",
	"#include \"actor.h\"\n#include \"actor.h\"\n#error out of order\n",
	"#include \"actor.h\"\n#include \"other.h\"\n",
	"#include \"actor.h\"\n#pragma comment(option, \"-dumpversion\")\nint x = ;\n",
	"#include \"actor.h\"\nint f(actor *self) { switch (1) { case 1: return msg_reply(self",
	"#include \"actor.h\"\nstatic int f(actor *self, const msg *m) { return undefined_(m); }\n"
	"int (*const g)(actor *, const msg *) = f;\n",
	"#include \"actor.h\"\nstatic int seven(actor *self, const msg *m) { return 7; }\n",
	"",
};

typedef void source_fn(const char *text, size_t len, const char *function, size_t i);

static void each_source(source_fn *each)
{
	glob_t g;
	size_t n = ARRAY_LEN(beginnings);

	for (size_t i = 0; i < n; i++)
		each(beginnings[i], strlen(beginnings[i]), i == n - 2 ? "seven" : NULL, i);
	assert_int_equal(glob(SOURCE_DIR "/patches/*.c", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		static char text[65536];
		FILE *f = fopen(g.gl_pathv[i], "r");
		size_t len = fread(text, 1, sizeof text, f);

		fclose(f);
		assert_true(n + i < SOURCES_MOST);
		each(text, len, NULL, n + i);
	}
	globfree(&g);
}

static void keep_alone(const char *text, size_t len, const char *function, size_t i)
{
	alone[i] = make(text, len, function);
}

static void same_as_alone(const char *text, size_t len, const char *function, size_t i)
{
	static const char own[] = "#include \"actor.h\"";
	const char *first = strstr(text, "#include");
	struct made m = make(text, len, function);

	assert_same(&alone[i].said, &m.said, "said");
	assert_int_equal(alone[i].passed, m.passed);
	assert_int_equal(alone[i].text, m.text);
	assert_same(&alone[i].code, &m.code, "code");
	if (m.passed && first && !strncmp(first, own, sizeof own - 1)) {        /* types in order */
		assert_same(&alone[i].stab, &m.stab, "stab");
		assert_same(&alone[i].str, &m.str, "str");
	}
	made_free(&m);
	image_ready();
}

static void going_on_is_the_same(void **state)
{
	(void)state;
	room = mmap(NULL, AROUND, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	munmap(room, AROUND);           /* what else is mapped meanwhile goes to its upper end */
	each_source(keep_alone);
	assert_true(alone[0].passed);
	assert_false(alone[2].passed);
	assert_true(alone[ARRAY_LEN(beginnings) - 2].passed);
	for (int i = 0; !SANITIZED && i < 2; i++) {
		image_ready();
		each_source(same_as_alone);
	}
	for (int i = 0; i < SOURCES_MOST; i++)
		made_free(&alone[i]);
}

void *box_malloc(size_t size);          /* libtcc's, see patch.cmake */

/* To its last byte, and none beyond. */
static void fill(void *arg)
{
	char *first = box_malloc(1), *last = NULL;

	for (size_t size = 1 << 20; size; size /= 2)
		for (char *p; (p = box_malloc(size));)
			last = p + size;
	while (box_malloc(0))
		;
	assert_in_range(last - first, 255 << 20, 256 << 20);
	for (size_t size = SIZE_MAX; size; size /= 2)
		assert_null(box_malloc(size));
	*(bool *)arg = true;
}

static void the_compilers_memory_has_an_end(void **state)
{
	bool filled = false;

	(void)state;
	assert_true(box_run(fill, &filled));
	assert_true(filled);
	assert_int_equal(value_of("int process(void) { return 7; }"), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_have_file_and_line),
		cmocka_unit_test(no_error_stays),
		cmocka_unit_test(a_bomb_is_stopped),
		cmocka_unit_test(a_handler_has_its_type),
		cmocka_unit_test(all_unknown_symbols_are_named),
		cmocka_unit_test(only_the_allowed_is_called),
		cmocka_unit_test(only_the_carried_is_included),
		cmocka_unit_test(not_even_tried),
		cmocka_unit_test(the_offered_works),
		cmocka_unit_test(statics_are_reached),
		cmocka_unit_test(no_page_is_writable_and_executable),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(going_on_is_the_same),
		cmocka_unit_test(the_compilers_memory_has_an_end),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_fini(&said);
	return failed;
}
