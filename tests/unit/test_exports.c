/* SPDX-License-Identifier: MIT
 * test_exports.c - what compiled code lends to actor.h's functions: with each of them, as the
 * header declares it, a bad pointer in each place is the end of its message and of nothing else. */
#include <ctype.h>
#include <sys/mman.h>

#include "asking.h"
#include "guard.h"

enum { PARAMS = 8 };

/* A function of the header: a letter for each parameter, as lender.c has them. */
struct declared { const char *name; char kinds[PARAMS + 1]; };

static char kind_of(const char *param)
{
	static const struct { const char *type; char kind; } kinds[] = {
		{ "const actor *", 'A' }, { "actor *", 'A' }, { "const msg *", 'M' },
		{ "msg_out *", 'O' }, { "const char *", 'T' }, { "const void *", 'T' },
		{ "const struct actor_site *", 'S' }, { "struct actor_site *", 'S' },
		{ "const uint64_t *", 'V' }, { "char *", 'R' }, { "struct msg_items *", 'L' },
		{ "struct msg_item *", 'I' }, { "int64_t *", 'N' }, { "void *", 'P' },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strncmp(param, kinds[i].type, strlen(kinds[i].type)))
			return kinds[i].kind;
	if (strchr(param, '*'))
		fail_msg("a parameter of a new kind, for lender.c: %s", param);
	return '-';
}

/* "type name(parameters)", in place. False: the line declares no function. */
static bool declares(char *text, struct declared *d)
{
	char *open = strchr(text, '('), *name = open, *param, *rest = NULL;
	int n = 0;

	while (name > text && (isalnum((unsigned char)name[-1]) || name[-1] == '_'))
		name--;
	if (!open || name == text || !islower((unsigned char)*text) ||
	    !strncmp(text, "typedef", 7) || !strncmp(text, "static", 6) || open[1] == '*')
		return false;
	*open = 0;
	*d = (struct declared){ .name = name };
	*strchr(open + 1, ')') = 0;
	for (param = strtok_r(open + 1, ",", &rest); param; param = strtok_r(NULL, ",", &rest)) {
		param += strspn(param, " \t\n");
		assert_true(n < PARAMS);
		if (strcmp(param, "void") && strcmp(param, "..."))
			d->kinds[n++] = kind_of(param);
	}
	return true;
}

static void lend(const char *name, const void *function, const char *kinds, int bad, int64_t value)
{
	struct buf args = { 0 };

	pack_int(&args, (int64_t)(uintptr_t)function);
	pack_text(&args, kinds);
	pack_int(&args, bad);
	pack_int(&args, value);
	ask(FROM_CONTROL, "lender", "lend", &args, 4);
	if (bad < 0 && code)
		fail_msg("%s: with good arguments: %s", name, words);
	/* an address that is none may be a bus error, as the processor sees it */
	if (bad >= 0 && (code != ACTOR_EFAIL || (!strstr(words, "lender.lend: a bad pointer") &&
	                                         !strstr(words, "lender.lend: a bus error"))))
		fail_msg("%s: parameter %d of `%s` is %#llx: %d %s", name, bad, kinds,
		         (unsigned long long)value, code, words);
}

static char *nowhere;                   /* in the midst of pages that nobody may read */

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(name, *names))
		names++;
	return *names;
}

/* What only reads the message may read any memory. */
static bool is_exact(const char *name, char kind)
{
	static const char *const reads[] = {
		"msg_count", "msg_type", "msg_int", "msg_num", "msg_str", "msg_len", "msg_from",
		"msg_error", "msg_error_text", "msg_ask", "msg_again", "msg_items", "actor_state",
		NULL,
	};

	return !is_one_of(name, reads) && strchr("AMOP", kind);
}

static void walk(const struct declared *d, const void *function)
{
	const int64_t bad[] = { 64, INT64_MIN, (int64_t)(uintptr_t)nowhere };
	/* After these the message is not lend()'s to answer. */
	static const char *const answer[] = {
		"msg_defer", "msg_fail_as", "msg_forward", "actor_stash", NULL,
	};

	if (!is_one_of(d->name, answer))
		lend(d->name, function, d->kinds, -1, 0);
	for (int i = 0; d->kinds[i]; i++) {
		for (size_t k = 0; d->kinds[i] != '-' && k < ARRAY_LEN(bad); k++)
			lend(d->name, function, d->kinds, i, bad[k]);
		if (is_exact(d->name, d->kinds[i]))
			lend(d->name, function, d->kinds, i, 0);
	}
}

static const void *door(const char *name)
{
	const struct export *e = core_doors();

	while (e->name && strcmp(e->name, name))
		e++;
	if (!e->name)
		fail_msg("%s is in actor.h and cannot be called", name);
	return e->addr;
}

/* Declarations begin a line and end with `;`. */
static void every_function_and_every_pointer(void **state)
{
	FILE *f = fopen(SOURCE_DIR "/runtime/actor.h", "re");
	char line[256], text[1024] = "";
	size_t doors = 0, declared = 0;
	struct declared d;

	(void)state;
	guard_signals();                        /* cmocka took them for this test */
	nowhere = (char *)mmap(NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
		  (1 << 15);
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (!*text && !islower((unsigned char)*line))
			continue;
		assert_true(strlen(text) + strlen(line) < sizeof text);
		strcat(text, line);
		if (!strchr(text, ';') && !strchr(text, '{'))
			continue;
		if (!strchr(text, '{') && declares(text, &d)) {
			walk(&d, door(d.name));
			declared++;
		}
		*text = 0;
	}
	fclose(f);
	for (const struct export *e = core_doors(); e->name; e++)
		doors++;
	assert_int_equal(declared, doors);
}

static void ask_ints(const char *what, int64_t first, int64_t second, unsigned n)
{
	struct buf args = { 0 };

	pack_int(&args, first);
	if (n > 1)
		pack_int(&args, second);
	ask(FROM_CONTROL, "lender", what, &args, n);
}

static void misuses(void **state)
{
	(void)state;
	guard_signals();
	for (int kind = 0; kind < 5; kind++) {
		ask_ints("misuse", kind, 0, 1);
		if (code != ACTOR_EFAIL || !strstr(words, "lender.misuse: a bad pointer"))
			fail_msg("%d: %d %s", kind, code, words);
	}
}

static void too_large(int kind, int64_t len)
{
	ask_ints("write", kind, len, 2);
	if (code != ACTOR_EFAIL || !strstr(words, "a message is at most 16 MiB"))
		fail_msg("%d of %lld: %d %s", kind, (long long)len, code, words);
}

/* Lengths that came from somewhere. */
static void what_no_message_holds_is_refused(void **state)
{
	static const int64_t lengths[] = { -1, INT64_MIN, (16 << 20) + 1, 20ll << 30, 1ll << 32 };

	(void)state;
	guard_signals();
	for (int kind = 0; kind < 3; kind++)
		for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
			too_large(kind, lengths[i]);
	too_large(0, 16 << 20);                 /* with its head */
	too_large(3, 0);
	ask_ints("write", 0, 15 << 20, 2);
	assert_int_equal(code, 0);
	ask_ints("write", 1, 4, 2);
	assert_int_equal(code, 0);
	assert_string_equal(words, "text");
}

static int start_all(void **state)
{
	int rc = start(state);

	load(SOURCE_DIR "/tests/unit/lender.c", "lender");
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_function_and_every_pointer),
		cmocka_unit_test(misuses),
		cmocka_unit_test(what_no_message_holds_is_refused),
	};

	return cmocka_run_group_tests(tests, start_all, stop);
}
