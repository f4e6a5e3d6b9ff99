/* SPDX-License-Identifier: MIT
 * fuzz_signed.c - signed patches, changed: bits, bytes, lines left out, doubled, swapped, pieces of
 * one that was signed in another that was. None may be taken but as it was signed.
 *
 *     fuzz-signed [MUTANTS [SEED]]      a run is its seed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "patch/keys.h"

enum { BASES = 8, TEXT_MAX = 4096 };

static char folder[] = "/tmp/fuzz-signed-XXXXXX", keys_file[64];
static struct buf base[BASES];
static char text[TEXT_MAX];
static size_t len, mutants = 20000;
static uint64_t seed = 1, dice;

static size_t roll(size_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (size_t)((dice >> 11) % below);
}

/* Of the line that byte `at` is in; its length with the line's end. */
static size_t line_at(size_t at, size_t *begin)
{
	size_t end = at;

	for (*begin = at; *begin > 0 && text[*begin - 1] != '\n'; (*begin)--)
		;
	while (end < len && text[end] != '\n')
		end++;
	return end + (end < len) - *begin;
}

static void insert(size_t at, const char *s, size_t n)
{
	if (len + n > TEXT_MAX)
		return;
	memmove(text + at + n, text + at, len - at);
	memcpy(text + at, s, n);
	len += n;
}

static void mutate(void)
{
	static const char *const words[] = { "*", "\n", "//for: *\n", "//", " ", "0", "f", "\r\n",
		"//actors: *\n", "//expires: 2038-01-01T00:00:00Z\n", "//actord-patch: 1\n",
		"\377" };
	const char *word = words[roll(sizeof words / sizeof *words)];
	const struct buf *other = &base[roll(BASES)];
	size_t at = roll(len), n, begin;
	char line[TEXT_MAX];

	switch (roll(8)) {
	case 0: text[at] ^= (char)(1 << roll(8)); break;
	case 1: text[at] = (char)roll(256); break;
	case 2: insert(at, word, strlen(word)); break;
	case 3: len = at + 1; break;
	case 4:
		n = line_at(at, &begin);
		memmove(text + begin, text + begin + n, len - begin - n);
		len -= n;
		len += !len;
		break;
	case 5:
		n = line_at(at, &begin);
		memcpy(line, text + begin, n);
		line_at(roll(len), &begin);
		insert(begin, line, n);
		break;
	case 6: /* what is at the same place of another */
		n = line_at(at, &begin);
		if (begin + n <= other->len)
			memcpy(text + begin, other->p + begin, n);
		break;
	default: /* letters of hex that stand for the same */
		if (text[at] >= 'a' && text[at] <= 'f')
			text[at] = (char)(text[at] - 'a' + 'A');
	}
}

static bool is_base(void)
{
	for (int i = 0; i < BASES; i++)
		if (base[i].len == len && !memcmp(base[i].p, text, len))
			return true;
	return false;
}

static void none_is_taken(void **state)
{
	size_t source_len;
	struct signed_terms t;
	const char *source;
	struct why why;

	(void)state;
	for (uint64_t i = 0; i < mutants; i++) {
		const struct buf *b;

		dice = seed * 0x9e3779b97f4a7c15u ^ (i + 1) * 0xd1342543de82ef95u;
		roll(2);
		b = &base[roll(BASES)];
		len = b->len;
		memcpy(text, b->p, len);
		for (size_t times = 1 + roll(3); times-- > 0;)
			mutate();
		while (is_base())
			mutate();
		if (!keys_check(text, len, &t, &source, &source_len, &why))
			fail_msg("mutant %zu of seed %zu is taken:\n%.*s", (size_t)i, (size_t)seed,
			         (int)len, text);
		assert_true(strlen(why.text) > 10);
	}
	for (int i = 0; i < BASES; i++)
		assert_int_equal(keys_check(base[i].p, base[i].len, &t, &source, &source_len, &why),
		                 0);
	print_message("seed %zu: %zu mutants refused\n", (size_t)seed, mutants);
}

static int start(void **state)
{
	uint8_t key[2][KEY_LEN], secret[2][SECRET_LEN];
	struct keys_config c = { keys_file, folder, "here", "canary" };
	struct buf line = { 0 };
	struct why why;
	FILE *f;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(keys_file, sizeof keys_file, "%s/keys", folder);
	f = fopen(keys_file, "w");
	for (int i = 0; i < 2; i++) {
		signed_keys(key[i], secret[i]);
		buf_clear(&line);
		hex_add(&line, key[i], KEY_LEN);
		fprintf(f, "%.*s\n", (int)line.len, line.p);
	}
	fclose(f);
	buf_fini(&line);
	for (int i = 0; i < BASES; i++) {
		struct signed_terms t = { .target = "here", .author = "Ada", .file = "fix.c" };
		char source[80];

		t.expires_s = time(NULL) + 3600 + i % 3;
		snprintf(t.actors, sizeof t.actors, "%s", i % 2 ? "counter" : "*");
		snprintf(source, sizeof source, "int process(void) { return %d; }\n", i);
		if (signed_make(&t, secret[i % 2], source, strlen(source), &base[i], &why))
			return -1;
	}
	return keys_open(&c, &why);
}

static int stop(void **state)
{
	char path[80];

	(void)state;
	keys_close();
	for (int i = 0; i < BASES; i++)
		buf_fini(&base[i]);
	snprintf(path, sizeof path, "%s/nonces", folder);
	unlink(path);
	unlink(keys_file);
	return rmdir(folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(none_is_taken) };

	if (argc > 1)
		mutants = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, start, stop);
}
