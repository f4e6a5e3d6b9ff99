/* SPDX-License-Identifier: MIT
 * fuzz_patch.c - broken sources by the thousand: mutants of the worked patches and of sources that
 * are known to crash the compiler or to hang it. Each is tried; what passes is compiled in this
 * process, which must come out of it whole, without a mutant refused that passed, and no larger.
 *
 *     fuzz-patch [MUTANTS [SEED]]      a run is its seed */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "patch/trial.h"
#include "../unit/resident.h"

enum { BASES_MAX = 64, TEXT_MAX = 1 << 16 };

static const char *const killers[] = {
	"int n(){\"\"1;}", "void f(void) { asm(\".globl\"); }", "int x __attribute__((aligned(",
	"#include<", "#include \"a.c\"\n", "#pragma comment(option, \"-dumpversion\")\n",
	"#define A A B\n#define B B A\nint A;\n", "int x=((((((((((1))))))))));",
	"int x = 1?1?1?1?2:3:4:5:6;", "int f(void){({({({1;});});});}", "int x = - - - - - 1;",
	"#define M0 1,1,1,1\n#define M1 M0 M0 M0 M0\n#define M2 M1 M1 M1 M1\nint a[] = { M2 };\n",
	"char a[1000] = { [0 ... 999] = 1, [0 ... 999] = 1 };", "int a[999999999];\n",
	"struct s { struct s *p; int b : 3, : 0; union { int i; float f; }; } s = { .b = 1 };",
	"int f(int n) { int a[n]; switch (n) { case 1 ... 5: default: goto x; } x: return 1; }",
	"_Static_assert(sizeof(_Generic(1, int: 1L, default: 2)) == 8, \"x\");",
	"#if 1 + (2 / 1) << 3 && defined(X) || __LINE__ > 0x7f\n#else\n#error no\n#endif\nint x;",
	"__label__ l; int f(void) { void *p = &&l; goto *p; l: return 0; }",
	"int x; asm(\"mov %0, %%eax; .rept 10; nop; .endr\" : \"=r\"(x) : \"0\"(1));",
};

static const char *const words[] = {
	"(", ")", "{", "}", "[", "]", ";", ",", "?", ":", "-", "*", "&", "&&", "=", "==", "...",
	".", "->", "#", "##", "\n#", "\"", "'", "\\", "\n", "/*", "*/", "//", "0", "1", "-1", "1e9",
	"0x7fffffffffffffff", "99999999999", "int ", "char ", "double ", "void ", "struct ",
	"union ", "enum ", "typedef ", "static ", "const ", "return ", "if (", "for (;;) ",
	"while (",
	"do ", "switch (", "case ", "default:", "goto ", "sizeof(", "typeof(", "_Generic(",
	"__attribute__((", "asm(\"", "_Static_assert(", "__builtin_", "__alignof__(", "({", "\"\"1",
	"#define X ", "#include \"actor.h\"\n", "#include <", "\n#if ", "\n#endif\n", "\n#pragma ",
	"__VA_ARGS__", "[0 ... 9] = ", "long double ", "unsigned ", ".globl", "\377", "\303\251",
};

static struct { char *text; size_t len; } base[BASES_MAX];
static size_t bases, mutants = 1500;
static uint64_t seed = 1, dice;
static char text[TEXT_MAX + 1];
static size_t len;

static size_t roll(size_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (size_t)((dice >> 11) % below);
}

static void add_base(const char *s, size_t n)
{
	assert_true(bases < BASES_MAX);
	base[bases].text = mem_string(s, n);
	base[bases++].len = n;
}

static void insert(size_t at, const char *s, size_t n)
{
	if (len + n > TEXT_MAX)
		return;
	memmove(text + at + n, text + at, len - at);
	memcpy(text + at, s, n);
	len += n;
}

static void cut(size_t at, size_t n)
{
	n = n < len - at ? n : len - at;
	memmove(text + at, text + at + n, len - at - n);
	len -= n;
}

static void mutate(void)
{
	const char *word = words[roll(sizeof words / sizeof *words)];
	size_t at = roll(len + 1), n = roll(40), from = roll(len + 1), other = roll(bases);
	char part[64];

	switch (roll(9)) {
	case 0: insert(at, word, strlen(word)); break;
	case 1: cut(at, 1 + n); break;
	case 2: len = at; break;
	case 3: /* nested */
		for (size_t times = roll(20) ? roll(30) : roll(20000); times-- > 0;)
			insert(at, word, strlen(word));
		break;
	case 4: /* said twice */
		n = n < len - from ? n : len - from;
		memcpy(part, text + from, n);
		insert(at, part, n);
		break;
	case 5: /* a piece of another */
		from = roll(base[other].len + 1);
		n = roll(base[other].len - from + 1);
		insert(at, base[other].text + from, n);
		break;
	case 6: /* a word in a word's place */
		cut(at, strlen(word));
		insert(at < len ? at : len, word, strlen(word));
		break;
	default:
		if (at < len)
			text[at] = roll(3) ? (char)(32 + roll(95)) : (char)roll(256);
	}
}

static void make(uint64_t number)
{
	size_t of;

	dice = (seed * 0x9e3779b97f4a7c15u) ^ (number * 0xd1342543de82ef95u) ^ 0x5851f42d4c957f2du;
	roll(2);
	of = roll(bases);
	len = base[of].len;
	memcpy(text, base[of].text, len);
	for (size_t times = 1 + roll(roll(3) ? 2 : 6); times-- > 0;)
		mutate();
	text[len] = 0;
}

static struct { size_t passed, refused, crashed, hung; } came;

static void judge(uint64_t number, const struct buf *said, int rc)
{
	if (!rc)
		came.passed++;
	else if (strstr(said->p, "the compiler hung"))
		came.hung++;
	else if (strstr(said->p, "the compiler crashed"))
		came.crashed++;
	else if (said->len > 1 && !strstr(said->p, "tried out"))
		came.refused++;
	else
		fail_msg("mutant %zu of seed %zu: %s", (size_t)number, (size_t)seed, said->p);
}

static void nothing_gets_through(void **state)
{
	struct source s = { .text = text, .file = "mutant.c" };
	struct buf said = { 0 };
	long before = 0;

	(void)state;
	for (uint64_t i = 0; i < mutants; i++) {
		struct program *p;

		make(i);
		s.len = len;
		buf_clear(&said);
		p = trial_compile(&s, &said);
		buf_add(&said, "", 1);
		judge(i, &said, p ? 0 : ACTOR_EARGS);
		program_free(p);
		if (i == mutants / 2)
			before = resident_kb();
	}
	buf_fini(&said);
	print_message("seed %zu: %zu passed, %zu refused, %zu crashed and %zu hung the trial; "
	              "RSS of the second half %+ld KB\n", (size_t)seed, came.passed, came.refused,
	              came.crashed, came.hung, resident_kb() - before);
	assert_true(resident_kb() - before < RESIDENT_NOISE_KB);
}

static int start(void **state)
{
	struct why why;
	glob_t g;

	(void)state;
	if (glob(SOURCE_DIR "/patches/*.c", 0, NULL, &g))
		return -1;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		FILE *f = fopen(g.gl_pathv[i], "r");

		len = fread(text, 1, TEXT_MAX, f);
		fclose(f);
		add_base(text, len);
	}
	globfree(&g);
	for (size_t i = 0; i < sizeof killers / sizeof *killers; i++)
		add_base(killers[i], strlen(killers[i]));
	return trial_start(&why);
}

static int stop(void **state)
{
	(void)state;
	trial_stop();
	while (bases)
		mem_free(base[--bases].text);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_gets_through) };

	if (argc > 1)
		mutants = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, start, stop);
}
