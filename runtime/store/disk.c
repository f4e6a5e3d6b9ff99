/* SPDX-License-Identifier: MIT
 * disk.c - keys and values in LMDB. The only file that knows it.
 *
 *   values: key -> when it ends (8 bytes, ms UTC, 0: never), the packed value
 *   terms:  when it ends, key -> nothing
 *
 * Invariant: a value that ends is in `terms` by its end, in the same transaction, so that finding
 * what is over costs what there is to remove.
 *
 * Threads: one, the store's, but for disk_open() before it and disk_close() behind it. One process
 * a folder (the state's lock). */
#include "disk.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../actor.h"
#include "be64.h"
#include "ports.h"

enum { HEAD = 8 };                      /* bytes before a value: its end */

static struct {
	MDB_env *env;
	MDB_dbi values, terms;
	MDB_txn *change;                /* NULL: none */
	MDB_txn *look;                  /* of who reads while there is no change, or a failed one */
	int error;                      /* the change's first, */
	int unread;                     /* and that of what was read meanwhile, or without one */
} disk;

/* EIO: LMDB says so where a part of what it wrote fitted. */
const char *disk_words(int error)
{
	return error == MDB_MAP_FULL ? "the store is full"
	       : error == ENOENT ? "its file in the state folder has been removed"
	       : error == EIO ? "No space left on the device, or it cannot be written"
	                      : mdb_strerror(error);
}

static MDB_val val(const void *p, size_t len)
{
	return (MDB_val){ len, (void *)(uintptr_t)p };
}

static MDB_val term_key(uint8_t space[DISK_KEY_MOST + 8], int64_t ends_ms, const MDB_val *key)
{
	put_be64(space, (uint64_t)ends_ms);
	memcpy(space + 8, key->mv_data, key->mv_size);
	return val(space, key->mv_size + 8);
}

/* --- changes ------------------------------------------------------------------------------ */

int disk_begin(void)
{
	int error = mdb_txn_begin(disk.env, NULL, 0, &disk.change);

	if (error)
		disk.change = NULL;
	return error;
}

bool disk_changes(void)
{
	return disk.change != NULL;
}

/* What is written to a file without a name is gone with the process. */
static int removed(void)
{
	struct stat st;
	int fd;

	return !mdb_env_get_fd(disk.env, &fd) && !fstat(fd, &st) && !st.st_nlink ? ENOENT : 0;
}

int disk_commit(void)
{
	int error = disk.error ? disk.error : removed();

	if (error)
		mdb_txn_abort(disk.change);
	else
		error = mdb_txn_commit(disk.change);
	disk.change = NULL;
	disk.error = 0;
	return error;
}

/* Nor is a key of no bytes, which LMDB calls an error. */
static bool is_not_there(int error)
{
	return error == MDB_NOTFOUND || error == MDB_BAD_VALSIZE;
}

static void note(int error)
{
	if (error && error != MDB_NOTFOUND && !disk.error)
		disk.error = error;
}

static bool drop(MDB_val key)
{
	uint8_t space[DISK_KEY_MOST + 8];
	MDB_val v, term;
	int error = mdb_get(disk.change, disk.values, &key, &v);

	if (error) {
		note(is_not_there(error) ? 0 : error);
		return false;
	}
	if (get_be64(v.mv_data)) {
		term = term_key(space, get_be64(v.mv_data), &key);
		note(mdb_del(disk.change, disk.terms, &term, NULL));
	}
	note(mdb_del(disk.change, disk.values, &key, NULL));
	return true;
}

bool disk_drop(const void *key, size_t len)
{
	return !disk.error && drop(val(key, len));
}

void disk_put(const void *key, size_t len, const void *packed, size_t size, int64_t ends_ms)
{
	MDB_val k = val(key, len), v = { HEAD + size, NULL }, term, nothing = val("", 0);
	uint8_t space[DISK_KEY_MOST + 8];
	int error;

	if (disk.error)
		return;
	drop(k);
	error = mdb_put(disk.change, disk.values, &k, &v, MDB_RESERVE);
	note(error);
	if (error)
		return;
	put_be64(v.mv_data, (uint64_t)ends_ms);
	memcpy((uint8_t *)v.mv_data + HEAD, packed, size);
	if (ends_ms) {
		term = term_key(space, ends_ms, &k);
		note(mdb_put(disk.change, disk.terms, &term, &nothing, 0));
	}
}

void disk_sweep(unsigned most)
{
	MDB_val term, nothing;
	MDB_cursor *c;

	if (disk.error || mdb_cursor_open(disk.change, disk.terms, &c))
		return;
	while (most-- && !disk.error && !mdb_cursor_get(c, &term, &nothing, MDB_FIRST) &&
	       get_be64(term.mv_data) <= wall_ms()) {
		uint8_t key[DISK_KEY_MOST + 8];
		size_t len = term.mv_size - 8;

		memcpy(key, (uint8_t *)term.mv_data + 8, len);
		if (!drop(val(key, len)))
			note(mdb_cursor_del(c, 0));
	}
	mdb_cursor_close(c);
}

/* --- reads -------------------------------------------------------------------------------- */

/* Of a change that has failed nothing will be done: what was there before is read. */
void disk_read_begin(void)
{
	disk.unread = disk.change && !disk.error ? 0 :
	              mdb_txn_begin(disk.env, NULL, MDB_RDONLY, &disk.look);
	if (disk.unread)
		disk.look = NULL;
}

int disk_unread(void)
{
	return disk.unread;
}

/* A change that could not read what it is about is none. */
static void note_unread(int error)
{
	if (!error || is_not_there(error))
		return;
	disk.unread = disk.unread ? disk.unread : error;
	if (disk.change)
		note(error);
}

void disk_read_end(void)
{
	mdb_txn_abort(disk.look);
	disk.look = NULL;
}

/* False: it is over. */
static bool read_value(const MDB_val *v, struct packed *value, int64_t *ends_ms)
{
	const uint8_t *p = v->mv_data;
	int64_t ends = get_be64(p);

	if (ends && ends <= wall_ms())
		return false;
	*value = (struct packed){ p + HEAD, p + v->mv_size };
	if (ends_ms)
		*ends_ms = ends;
	return true;
}

bool disk_find(const void *key, size_t len, struct packed *value, int64_t *ends_ms)
{
	MDB_txn *txn = disk.look ? disk.look : disk.change;
	MDB_val k = val(key, len), v;
	int error;

	if (!txn)
		return false;
	error = mdb_get(txn, disk.values, &k, &v);
	note_unread(error);
	return !error && read_value(&v, value, ends_ms);
}

void disk_each(const char *prefix, size_t len, const char *after, disk_each_fn *each, void *arg)
{
	MDB_txn *txn = disk.look ? disk.look : disk.change;
	MDB_val key = val(after, strlen(after)), v;
	struct packed value;
	MDB_cursor *c;
	int error;

	if (!txn)
		return;
	error = mdb_cursor_open(txn, disk.values, &c);
	note_unread(error);
	if (error)
		return;
	if (strcmp(after, prefix) < 0)
		key = val(prefix, len);
	error = mdb_cursor_get(c, &key, &v, key.mv_size ? MDB_SET_RANGE : MDB_FIRST);
	for (; !error; error = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
		if (key.mv_size < len || memcmp(key.mv_data, prefix, len) != 0)
			break;
		if (read_value(&v, &value, NULL) && !each(arg, key.mv_data, key.mv_size, value))
			break;
	}
	note_unread(error);
	mdb_cursor_close(c);
}

/* --- its files ---------------------------------------------------------------------------- */

static int open_tables(void)
{
	MDB_txn *txn;
	int dead, error = mdb_reader_check(disk.env, &dead);

	error = error ? error : mdb_txn_begin(disk.env, NULL, 0, &txn);
	if (error)
		return error;
	error = mdb_dbi_open(txn, "values", MDB_CREATE, &disk.values);
	error = error ? error : mdb_dbi_open(txn, "terms", MDB_CREATE, &disk.terms);
	if (!error)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

int disk_open(const char *state, size_t most, struct why *why)
{
	struct buf folder = { 0 };
	int error;

	buf_printf(&folder, "%s/store%c", state, 0);
	error = mkdir(folder.p, 0700) && errno != EEXIST ? errno : 0;
	error = error ? error : mdb_env_create(&disk.env);
	error = error ? error : mdb_env_set_mapsize(disk.env, most ? most : 1ul << 34);
	error = error ? error : mdb_env_set_maxdbs(disk.env, 2);
	error = error ? error : mdb_env_open(disk.env, folder.p, MDB_NOTLS, 0600);
	error = error ? error : open_tables();
	if (error)
		why_set(why, ACTOR_EFAIL, "--state: %s: %s", folder.p, disk_words(error));
	buf_fini(&folder);
	return error ? ACTOR_EFAIL : 0;
}

void disk_close(void)
{
	mdb_txn_abort(disk.change);
	if (disk.env)
		mdb_env_close(disk.env);
	memset(&disk, 0, sizeof disk);
}
