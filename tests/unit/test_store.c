/* SPDX-License-Identifier: MIT
 * test_store.c - the store over the real LMDB: batches, and a disk that is full. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "running.h"

#include "keep.h"

#include "../../runtime/store/store.h"

enum { SMALL = 1 << 20, VALUE = 60000 };

static char folder[] = "/tmp/test-store-XXXXXX", store_folder[64];
static int refused, done;

/* --- LMDB, which has no memory for so many transactions that write -------------------------- */

enum { READ_ONLY = 0x20000 };
static atomic_int failing;
static atomic_bool blind;               /* nor those that read */

int __real_mdb_txn_begin(void *env, void *parent, unsigned flags, void **txn);
int __wrap_mdb_txn_begin(void *env, void *parent, unsigned flags, void **txn);

int __wrap_mdb_txn_begin(void *env, void *parent, unsigned flags, void **txn)
{
	if (!(flags & READ_ONLY) && atomic_load(&failing)) {
		atomic_fetch_sub(&failing, 1);
		return ENOMEM;
	}
	if ((flags & READ_ONLY) && atomic_load(&blind))
		return ENOMEM;
	return __real_mdb_txn_begin(env, parent, flags, txn);
}

/* --- time, which passes where a test lets it: no timer ends by itself ------------------------ */

static atomic_llong mono = 1000000000;

static int64_t mono_ns(void *arg)
{
	(void)arg;
	return atomic_load(&mono);
}

/* --- who asks it ---------------------------------------------------------------------------- */

/* n values of so many bytes each, under keys that begin with a letter. */
static int fill(actor *self, const msg *m)
{
	static char text[VALUE + 1];
	actor_ref store = actor_find("store");
	char key[32];

	memset(text, 'x', VALUE);
	text[msg_int(m, 2)] = 0;
	refused = done = 0;
	for (int i = 0; i < msg_int(m, 1); i++) {
		snprintf(key, sizeof key, "%s%d", msg_str(m, 0), i);
		if (actor_ask(self, store, "put", "filled", 20000, key, text) < 0)
			happened(0, "not asked");
	}
	return 0;
}

static int filled(actor *self, const msg *m)
{
	(void)self;
	if (msg_error(m))
		refused++;
	else
		done++;
	happened(msg_error(m), msg_error(m) ? msg_error_text(m) : "");
	return 0;
}

static int clean(actor *self, const msg *m)
{
	char key[32];

	for (int i = 0; i < msg_int(m, 1); i++) {
		snprintf(key, sizeof key, "%s%d", msg_str(m, 0), i);
		actor_ask(self, actor_find("store"), "delete", "filled", 20000, key);
	}
	return 0;
}

/* The store looks for what is over, for which LMDB has no memory, and then has something to put. */
static int sweep_and_put(actor *self, const msg *m)
{
	actor_ref store = actor_find("store");

	refused = done = 0;
	atomic_store(&failing, (int)msg_int(m, 1));
	actor_send(self, store, "sweep");
	if (actor_ask(self, store, "put", "filled", 20000, msg_str(m, 0), 1) < 0)
		happened(0, "not asked");
	return 0;
}

static int look(actor *self, const msg *m)
{
	return actor_ask(self, actor_find("store"), msg_str(m, 0), "filled", 20000, "a") < 0;
}

static int64_t total;

/* Session 7 sets what its user keeps, and looks for it on the disk. */
static int set(actor *self, const msg *m)
{
	client_add(self, 7, KEEP_LOCAL, msg_str(m, 0), 1, &total);
	return actor_ask(self, actor_find("store"), "get", "looked", 20000, "user/ann/ln") < 0;
}

static int looked(actor *self, const msg *m)
{
	if (msg_int(m, 0) == total)
		happened(msg_int(m, 0), "");
	else
		actor_ask(self, actor_find("store"), "get", "looked", 20000, "user/ann/ln");
	return 0;
}

static const struct actor_type filler_type = {
	.name = "filler",
	.on = ON({ "fill", "letter:str n:int bytes:int", fill, 0 }, { "filled", "...", filled, 0 },
	         { "clean", "letter:str n:int", clean, 0 }, { "look", "how:str n:int", look, 0 },
	         { "set", "key:str n:int", set, 0 }, { "looked", "...", looked, 0 },
	         { "sweep_and_put", "letter:str fail:int", sweep_and_put, 0 }),
};

static void tell(const char *what, const char *letter, int n, int bytes)
{
	struct call c = { .to = actor_find("filler"), .what = what, .count = bytes ? 3 : 2 };
	struct buf b = { 0 };
	int64_t until = events + n;
	struct why why = { "" };

	pack_text(&b, letter);
	pack_int(&b, n);
	if (bytes)
		pack_int(&b, bytes);
	c.args = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	if (core_send(NULL, &c, &why))
		fail_msg("%s", why.text);
	expect_events(until);
	buf_fini(&b);
}

static void all_are_answered(void **state)
{
	(void)state;
	tell("fill", "a", 500, 100);
	assert_int_equal(done, 500);
	tell("clean", "a", 500, 0);
}

/* What does not fit is an error to whom it does not fit, and the store goes on. */
static void a_full_store(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++)
		tell("fill", (char[]){ (char)('a' + i % 26), 0 }, 1, VALUE - 1);
	assert_int_equal(refused, 1);
	assert_string_equal(last_text, "the store is full");
	for (int i = 0; i < 26; i++)
		tell("clean", (char[]){ (char)('a' + i), 0 }, 1, 0);
	tell("fill", "z", 1, VALUE - 1);
	assert_int_equal(done, 1);
}

/* Who is told is whose change it was, and nobody later. */
static void an_error_is_of_its_change(void **state)
{
	(void)state;
	tell("sweep_and_put", "a", 1, 0);
	assert_int_equal(done, 1);
	tell("fill", "b", 1, 10);
	assert_int_equal(done, 1);
	atomic_store(&failing, 1000);
	tell("fill", "c", 1, 10);
	assert_int_equal(refused, 1);
	atomic_store(&failing, 0);
	tell("fill", "d", 1, 10);
	assert_int_equal(done, 1);
}

/* Not "there is nothing": who was told so would write over what is there. */
static void what_cannot_be_read_is_an_error(void **state)
{
	static const char *const how[] = { "get", "prefix", "load" };

	(void)state;
	for (int i = 0; i < 6; i++) {
		atomic_store(&blind, i < 3);
		refused = done = 0;
		tell("look", how[i % 3], 1, 0);
		assert_int_equal(refused, i < 3);
		if (i < 3)
			assert_string_equal(last_text, strerror(ENOMEM));
	}
}

/* With no time passing, so by no timer: it looks until it is there, or expect_events() gives up. */
static void what_is_set_after_quiet_is_written_at_once(void **state)
{
	(void)state;
	keep_open(7, "ann");
	keep_loaded("ann");
	for (int i = 0; i < 3; i++) {           /* first it does what was due since its start */
		atomic_fetch_add(&mono, 1000000000);
		tell("set", "n", 1, 0);
		assert_int_equal(last, i + 1);
	}
	keep_close(7);
}

static int begin(void **state)
{
	struct store_config c = { .state = folder, .most = SMALL };
	struct why why = { "" };

	ports.clock.mono_ns = mono_ns;
	if (!mkdtemp(folder) || group_setup(state))
		return -1;
	snprintf(store_folder, sizeof store_folder, "%s/store", folder);
	if (store_start(&c, &why)) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	spawn(add(&filler_type), "filler");
	return 0;
}

static int end(void **state)
{
	int rc = group_teardown(state);
	char path[100];

	store_stop();
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s.mdb", store_folder, i ? "data" : "lock");
		unlink(path);
	}
	rmdir(store_folder);
	return rc || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_are_answered, setup),
		cmocka_unit_test_setup(a_full_store, setup),
		cmocka_unit_test_setup(an_error_is_of_its_change, setup),
		cmocka_unit_test_setup(what_cannot_be_read_is_an_error, setup),
		cmocka_unit_test_setup(what_is_set_after_quiet_is_written_at_once, setup),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
