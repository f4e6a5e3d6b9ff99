/* SPDX-License-Identifier: MIT
 * test_slots.c - the slots of keys, the keys of commands, and redirects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bus/slots.h"

static unsigned slot(const char *key)
{
	return slot_of(key, strlen(key));
}

/* As CLUSTER KEYSLOT of Redis 7.0.15 says. */
static void keys(void **state)
{
	(void)state;
	assert_int_equal(slot("123456789"), 0x31c3);
	assert_int_equal(slot("foo"), 12182);
	assert_int_equal(slot(""), 0);
	assert_int_equal(slot("{user1000}.following"), slot("user1000"));
	assert_int_equal(slot("actord:{rpc}:dead"), slot("rpc"));
	assert_int_equal(slot("foo{{bar}}zap"), slot("{bar"));
	assert_int_equal(slot("foo{bar}{zap}"), slot("bar"));
	assert_int_not_equal(slot("foo{}{bar}"), slot("bar"));
	assert_int_not_equal(slot("foo{bar"), slot("bar"));
}

static int key_in(const char *words)
{
	char text[200];
	const char *argv[20];
	size_t len[20];
	int n = 0;

	strcpy(text, words);
	for (char *p = strtok(text, " "); p; p = strtok(NULL, " ")) {
		argv[n] = p;
		len[n++] = strlen(p);
	}
	return slot_key(n, argv, len);
}

static void commands(void **state)
{
	(void)state;
	assert_int_equal(key_in("RPUSH k v"), 1);
	assert_int_equal(key_in("lmpop 1 k LEFT"), 2);
	assert_int_equal(key_in("XADD k NOMKSTREAM * f v"), 1);
	assert_int_equal(key_in("XGROUP CREATE k g 0"), 2);
	assert_int_equal(key_in("XREAD COUNT 1 BLOCK 5 STREAMS k 0"), 6);
	assert_int_equal(key_in("XREADGROUP GROUP g c STREAMS k >"), 5);
	assert_int_equal(key_in("XREAD STREAMS"), -1);
	assert_int_equal(key_in("EVAL script 2 k j"), 3);
	assert_int_equal(key_in("EVAL script 0 v"), -1);
	assert_int_equal(key_in("EVAL script"), -1);
	assert_int_equal(key_in("PUBLISH c v"), -1);
	assert_int_equal(key_in("DBSIZE"), -1);
}

static bool redirects(const char *text, struct redirect *r)
{
	const struct redis_reply e = { .type = REDIS_ERROR, .str = text, .len = strlen(text) };

	return slot_redirect(r, &e);
}

static void redirected(void **state)
{
	struct redirect r;

	(void)state;
	assert_true(redirects("MOVED 3999 10.0.0.1:6381", &r));
	assert_false(r.ask);
	assert_int_equal(r.slot, 3999);
	assert_string_equal(r.host, "10.0.0.1");
	assert_int_equal(r.port, 6381);
	assert_true(redirects("ASK 7 ::1:6381", &r));
	assert_true(r.ask);
	assert_string_equal(r.host, "::1");
	assert_true(redirects("MOVED 3999 :6381", &r));
	assert_string_equal(r.host, "");
	assert_false(redirects("MOVED 16384 a:1", &r));
	assert_false(redirects("MOVED x", &r));
	assert_false(redirects("MOVED 1", &r));
	assert_false(redirects("ERR", &r));
	assert_false(redirects("", &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(commands),
		cmocka_unit_test(redirected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
