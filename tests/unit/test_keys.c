/* SPDX-License-Identifier: MIT
 * test_keys.c - signed patches: made, read, and refused when anything about them is not as it was
 * signed, is late, is for another, or was there before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "actor.h"
#include "patch/keys.h"

static const char text[] = "#include \"actor.h\"\nint process(actor *self) { return 0; }\n";
static char folder[] = "/tmp/test-keys-XXXXXX", keys_file[64];
static uint8_t key[KEY_LEN], secret[SECRET_LEN], other_key[KEY_LEN], other_secret[SECRET_LEN];
static struct buf patch;
static struct signed_terms got;
static const char *source;
static size_t source_len;
static struct why why;

static struct signed_terms terms(const char *target, int seconds)
{
	struct signed_terms t = { .actors = "counter,rpc", .author = "Ada L.", .note = "a \"fix\"",
	                          .file = "fix.c", .expires_s = time(NULL) + seconds };

	strcpy(t.target, target);
	return t;
}

static void sign_by(const uint8_t by[SECRET_LEN], const char *target, int seconds)
{
	struct signed_terms t = terms(target, seconds);

	buf_clear(&patch);
	assert_int_equal(signed_make(&t, by, text, sizeof text - 1, &patch, &why), 0);
}

static int checked(void)
{
	return keys_check(patch.p, patch.len, &got, &source, &source_len, &why);
}

static void refused(const char *words)
{
	assert_int_equal(checked(), ACTOR_EARGS);
	if (!strstr(why.text, words))
		fail_msg("wanted `%s` in: %s", words, why.text);
}

static void what_is_signed_is_read(void **state)
{
	(void)state;
	sign_by(secret, "*", 60);
	assert_true(signed_looks(patch.p, patch.len));
	assert_false(signed_looks(text, sizeof text - 1));
	assert_int_equal(checked(), 0);
	assert_int_equal(source_len, sizeof text - 1);
	assert_memory_equal(source, text, source_len);
	assert_string_equal(got.author, "Ada L.");
	assert_string_equal(got.note, "a \"fix\"");
	assert_string_equal(got.file, "fix.c");
	assert_memory_equal(got.key, key, KEY_LEN);
}

static void terms_are_lines(void **state)
{
	struct signed_terms t = terms("*", 60);

	(void)state;
	strcpy(t.note, "a\n//for: *");
	assert_int_equal(signed_make(&t, secret, text, 5, &patch, &why), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "the note"));
}

static void every_bit_counts(void **state)
{
	(void)state;
	sign_by(secret, "*", 60);
	for (size_t i = 0; i < patch.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			patch.p[i] ^= (char)(1 << bit);
			assert_int_equal(checked(), ACTOR_EARGS);
			patch.p[i] ^= (char)(1 << bit);
		}
	for (size_t len = 0; len < patch.len; len++)
		assert_int_equal(keys_check(patch.p, len, &got, &source, &source_len, &why),
		                 ACTOR_EARGS);
	buf_text(&patch, "\n");
	refused("does not fit");
	patch.len--;
	assert_int_equal(checked(), 0);
}

static void who_and_when_and_where(void **state)
{
	(void)state;
	sign_by(other_secret, "*", 60);
	refused("have its line added there");
	sign_by(secret, "*", -1);
	refused("expired");
	sign_by(secret, "*", 0);
	refused("expired");
	sign_by(secret, "*", EXPIRES_MAX_S + 60);
	refused("more than 30 days");
	sign_by(secret, "elsewhere", 60);
	refused("it is for elsewhere; this node is here");
	sign_by(secret, "", 60);
	refused("it is for");
	sign_by(secret, "canary", 60);
	assert_int_equal(checked(), 0);
	sign_by(secret, "here", 60);
	assert_int_equal(checked(), 0);
}

static void which_actors(void **state)
{
	struct signed_terms t = terms("*", 60);

	(void)state;
	assert_int_equal(keys_allow(&t, "counter", &why), 0);
	assert_int_equal(keys_allow(&t, "rpc, counter", &why), 0);
	assert_int_equal(keys_allow(&t, "", &why), 0);
	assert_int_equal(keys_allow(&t, "counter, echo", &why), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "it changes echo, and was signed for counter,rpc only"));
	assert_int_equal(keys_allow(&t, "count", &why), ACTOR_EARGS);
	strcpy(t.actors, "*");
	assert_int_equal(keys_allow(&t, "counter, echo", &why), 0);
}

static void open_keys(void)
{
	struct keys_config c = { keys_file, folder, "here", "blue, canary" };

	if (keys_open(&c, &why))
		fail_msg("%s", why.text);
}

/* Also by one that has been started anew, after the line of another was cut short. */
static void once(void **state)
{
	char path[80];
	FILE *f;

	(void)state;
	sign_by(secret, "*", 60);
	assert_int_equal(checked(), 0);
	assert_int_equal(checked(), 0);
	assert_int_equal(keys_spend(&got, &why), 0);
	refused("taken before");
	keys_close();
	open_keys();
	refused("taken before");
	snprintf(path, sizeof path, "%s/nonces", folder);
	f = fopen(path, "a");
	fprintf(f, "99999999999 0123");
	fclose(f);
	sign_by(secret, "*", 60);
	assert_int_equal(checked(), 0);
	assert_int_equal(keys_spend(&got, &why), 0);
	keys_close();
	open_keys();
	refused("taken before");
}

static void what_has_expired_is_forgotten(void **state)
{
	struct stat st;
	char path[80], line[100];
	FILE *f;

	(void)state;
	keys_close();
	snprintf(path, sizeof path, "%s/nonces", folder);
	f = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fprintf(f, "%d 00112233445566778899aabbccddeeff\n", 1000 + i);
	fprintf(f, "%lld 00112233445566778899aabbccddeeff\n", (long long)time(NULL) + 60);
	fclose(f);
	open_keys();
	snprintf(line, sizeof line, "%lld 00112233445566778899aabbccddeeff\n",
	         (long long)time(NULL) + 60);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, strlen(line));
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* The clock that says so may be set back: what was spent meanwhile would be taken again. */
static void what_expired_lately_is_not(void **state)
{
	char path[80], line[100], is[100] = "";
	FILE *f;

	(void)state;
	keys_close();
	snprintf(path, sizeof path, "%s/nonces", folder);
	snprintf(line, sizeof line, "%lld 00112233445566778899aabbccddeeff\n",
	         (long long)time(NULL) - EXPIRES_MAX_S + 60);
	f = fopen(path, "w");
	fputs(line, f);
	fclose(f);
	open_keys();
	sign_by(secret, "*", 30);
	assert_int_equal(checked(), 0);
	assert_int_equal(keys_spend(&got, &why), 0);
	keys_close();
	open_keys();
	f = fopen(path, "r");
	assert_non_null(fgets(is, sizeof is, f));
	fclose(f);
	assert_string_equal(is, line);
}

static void files_of_keys(void **state)
{
	static const char *const bad[][2] = {
		{ "", "no key in it" }, { "# nothing\n\n", "no key in it" },
		{ "00\n", ":1: this is no public key" },
		{ "\n0123456789012345678901234567890123456789012345678901234567890123x\n", ":2: " },
	};
	struct keys_config c = { "/nowhere/keys", folder, "here", NULL };
	char path[80];

	(void)state;
	keys_close();
	assert_int_equal(keys_open(&c, &why), ACTOR_ENOENT);
	assert_non_null(strstr(why.text, "/nowhere/keys: "));
	keys_close();
	assert_false(keys_given());
	snprintf(path, sizeof path, "%s/bad", folder);
	c.file = path;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		FILE *f = fopen(path, "w");

		fputs(bad[i][0], f);
		fclose(f);
		assert_true(keys_open(&c, &why) < 0);
		if (!strstr(why.text, bad[i][1]))
			fail_msg("%s", why.text);
		keys_close();
	}
	unlink(path);
	open_keys();
}

static int start(void **state)
{
	struct buf line = { 0 };
	FILE *f;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	signed_keys(key, secret);
	signed_keys(other_key, other_secret);
	hex_add(&line, key, KEY_LEN);
	snprintf(keys_file, sizeof keys_file, "%s/keys", folder);
	f = fopen(keys_file, "w");
	fprintf(f, "# who may\n%.*s Ada\n\n", (int)line.len, line.p);
	fclose(f);
	buf_fini(&line);
	open_keys();
	return 0;
}

static int stop(void **state)
{
	char path[80];

	(void)state;
	keys_close();
	buf_fini(&patch);
	snprintf(path, sizeof path, "%s/nonces", folder);
	unlink(path);
	unlink(keys_file);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_signed_is_read),
		cmocka_unit_test(terms_are_lines),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(who_and_when_and_where),
		cmocka_unit_test(which_actors),
		cmocka_unit_test(once),
		cmocka_unit_test(what_has_expired_is_forgotten),
		cmocka_unit_test(what_expired_lately_is_not),
		cmocka_unit_test(files_of_keys),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
