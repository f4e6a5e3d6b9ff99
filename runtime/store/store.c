/* SPDX-License-Identifier: MIT
 * store.c - the actor `store`: keys and values that outlast the process, in LMDB.
 *
 *   put key:str value:any seconds:num?   kept for so long; for good without
 *   get key:str                          the value, or no values
 *   add key:str by:int                   the new total, kept as long as what was there: an int, or
 *                                        nothing
 *   delete key:str                       whether it was there
 *   prefix prefix:str most:int? after:str?   a map, in the order of the keys: the first `most`
 *                                        (1,000) that begin so and come after `after`
 *   save user:str?, load user:str        what sessions keep (core/keep.h): this user, or saves.h
 *
 * The idea: changes are gathered in one transaction, and a message to oneself, which comes behind
 * all that waits, commits them: one write to the disk for as many as came meanwhile. Who asked for
 * a change is answered after that: what was answered survives kill -9, and a loss of power.
 * About what sessions keep nobody waits for an answer: it is written at once, but GATHER_MS after
 * what was written before, or with the next change that is answered: a thousand that save ten times
 * a second cost 50 transactions. What is of a day goes from the disk when that is surely over.
 *
 * Invariants: a transaction is open only while `commit` is under way, or until the change that
 * found no room for it in the mailbox is done; an error in it is told to everyone whose change was
 * in it, and nothing of it is done. Reads see what is not yet committed.
 * A value that has a term is listed in `terms` by its end, so that finding what is over costs what
 * there is to remove.
 *
 * Threads: the actor's own, which blocks in the disk; no worker ever does. One process a folder
 * (the state's lock). The only file that knows LMDB. */
#include "store.h"

#include <errno.h>
#include <lmdb.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "be64.h"
#include "keep.h"
#include "log.h"
#include "message.h"
#include "ports.h"
#include "saves.h"

enum {
	KEY_MOST = 511 - 8,             /* of LMDB's 511, as `terms` has a date before it */
	LIST_FIRST = 1000, LIST_BYTES = 8 << 20, SWEEP_MOST = 1000, DAY_MS = 86400000,
	SWEEP_MS = 5000, GATHER_MS = 20, SHARES = 12, RETRY_MS = 1000, SAY_MS = 10000,
	HEAD = 8,                       /* a value begins with when it ends, ms UTC, 0: never */
};

struct write {                        /* that is in the transaction */
	msg_caller caller;              /* 0: nobody waits */
	bool says; int64_t value;       /* what it answers */
};

static struct {
	MDB_env *env;
	MDB_dbi values, terms;
	MDB_txn *txn;                   /* NULL: no changes */
	int error;                      /* the first in it, or why there is none */
	bool sent;                      /* `commit` is under way; else the mailbox is full */
	struct write *write; unsigned writes, room;
	struct buf saved;               /* users in it, each with a NUL */
	bool waiting;                   /* `write` will come for those in saves.h, */
	bool failed;                    /* and until then they wait, as they could not be written */
	struct buf bytes; int64_t said_ms, wrote_ms;
} store;

/* EIO: LMDB says so where a part of what it wrote fitted. */
static const char *words(int error)
{
	return error == MDB_MAP_FULL ? "the store is full"
	       : error == EIO ? "No space left on the device, or it cannot be written"
	                      : mdb_strerror(error);
}

/* --- keys and values ---------------------------------------------------------------------- */

static MDB_val val(const void *p, size_t len)
{
	return (MDB_val){ len, (void *)(uintptr_t)p };
}

/* NULL: it will do. */
static const char *wrong_key(const msg *m)
{
	return !msg_len(m, 0) ? "a key has one byte at least"
	       : msg_len(m, 0) > KEY_MOST ? "a key has 503 bytes at most" : NULL;
}

static MDB_val term_key(uint8_t space[KEY_MOST + 8], int64_t ends_ms, const MDB_val *key)
{
	put_be64(space, (uint64_t)ends_ms);
	memcpy(space + 8, key->mv_data, key->mv_size);
	return val(space, key->mv_size + 8);
}

/* --- transactions ------------------------------------------------------------------------- */

static void answer(actor *self, const struct write *c, int error)
{
	uint8_t space[16];
	struct buf b = { (char *)space, 0, sizeof space };

	if (!c->caller)
		return;
	if (c->says && !error)
		pack_int(&b, c->value);
	core_answer(self, c->caller, (struct packed){ space, space + b.len }, b.len > 0,
	            error ? ACTOR_EFAIL : 0, error ? words(error) : NULL);
}

static void save_due(void);

static void write_after(actor *self, int ms)
{
	if (!store.waiting)
		store.waiting = actor_after(self, ms, "write") > 0;
}

/* What sessions keep is tried again, not with others' changes: those may be what makes room. */
static void after(actor *self, bool saved)
{
	const char *user = store.saved.p, *end = user + store.saved.len;

	store.failed |= !saved && user < end;
	for (; user < end; user += strlen(user) + 1)
		if (keep_saved(user, saved))
			saves_add(user);
	if (saves_any())
		write_after(self, saved ? GATHER_MS : RETRY_MS);
	buf_clear(&store.saved);
	store.wrote_ms = now_ms();
}

static int commit(actor *self, const msg *m)
{
	int error;

	(void)m;
	if (!store.txn)
		return 0;
	if (!store.failed)
		save_due();
	error = store.error;
	if (error)
		mdb_txn_abort(store.txn);
	else
		error = mdb_txn_commit(store.txn);
	store.txn = NULL;
	store.error = 0;
	if (error && now_ms() - store.said_ms > SAY_MS) {
		log_line(LOG_ERROR, "store", "what was to be kept could not be written: %s",
		         words(error));
		store.said_ms = now_ms();
	}
	for (unsigned i = 0; i < store.writes; i++)
		answer(self, &store.write[i], error);
	store.writes = 0;
	after(self, !error);
	return 0;
}

static int settle(actor *self)
{
	return store.sent ? 0 : commit(self, NULL);
}

static MDB_txn *writing(actor *self)
{
	if (store.txn)
		return store.txn;
	store.error = mdb_txn_begin(store.env, NULL, 0, &store.txn);
	if (store.error)
		store.txn = NULL;
	else
		store.sent = !actor_send(self, actor_self(self), "commit");
	return store.txn;
}

static MDB_txn *reading(MDB_txn **own)
{
	*own = NULL;
	if (store.txn)
		return store.txn;
	return mdb_txn_begin(store.env, NULL, MDB_RDONLY, own) ? NULL : *own;
}

/* The change is answered with the others; where there can be none, at once. */
static int changed(actor *self, const msg *m, bool says, int64_t value)
{
	struct write c = { msg_defer(m), says, value };

	if (!store.txn) {
		answer(self, &c, store.error);
		return 0;
	}
	if (store.writes == store.room) {
		store.room = store.room ? 2 * store.room : 64;
		store.write = mem_resize(store.write, store.room * sizeof *store.write);
	}
	store.write[store.writes++] = c;
	return settle(self);
}

static void note(int error)
{
	if (error && error != MDB_NOTFOUND && !store.error)
		store.error = error;
}

/* --- one value ---------------------------------------------------------------------------- */

/* The packed value, of a key whose term is not over; borrowed until the transaction ends. */
static bool look(MDB_txn *txn, MDB_val key, struct packed *out)
{
	MDB_val v;
	int64_t ends;

	if (!txn || mdb_get(txn, store.values, &key, &v) || v.mv_size < HEAD)
		return false;
	ends = get_be64(v.mv_data);
	if (ends && ends <= wall_ms())
		return false;
	out->at = (const uint8_t *)v.mv_data + HEAD;
	out->end = (const uint8_t *)v.mv_data + v.mv_size;
	return true;
}

static bool forget(MDB_val key)
{
	uint8_t space[KEY_MOST + 8];
	MDB_val v, term;

	if (mdb_get(store.txn, store.values, &key, &v))
		return false;
	if (get_be64(v.mv_data)) {
		term = term_key(space, get_be64(v.mv_data), &key);
		note(mdb_del(store.txn, store.terms, &term, NULL));
	}
	note(mdb_del(store.txn, store.values, &key, NULL));
	return true;
}

static void keep(MDB_val key, const void *packed, size_t len, int64_t ends_ms)
{
	MDB_val v = { HEAD + len, NULL }, term, nothing = val("", 0);
	uint8_t space[KEY_MOST + 8];
	int error;

	if (store.error)
		return;
	forget(key);
	error = mdb_put(store.txn, store.values, &key, &v, MDB_RESERVE);
	note(error);
	if (error)
		return;
	put_be64(v.mv_data, (uint64_t)ends_ms);
	memcpy((uint8_t *)v.mv_data + HEAD, packed, len);
	if (ends_ms) {
		term = term_key(space, ends_ms, &key);
		note(mdb_put(store.txn, store.terms, &term, &nothing, 0));
	}
}

static int put(actor *self, const msg *m)
{
	double seconds = msg_num(m, 2);
	int64_t ends = 0;

	if (wrong_key(m))
		return msg_fail(m, "%s", wrong_key(m));
	if (msg_count(m) > 2 && !(seconds > 0 && seconds < 1e10))
		return msg_fail(m, "seconds is how long it is kept: more than 0, below 1e10");
	if (msg_count(m) > 2)
		ends = wall_ms() + (int64_t)ceil(seconds * 1000);
	if (writing(self)) {
		buf_clear(&store.bytes);
		message_pack_one(m, 1, &store.bytes);
		keep(val(msg_str(m, 0), msg_len(m, 0)), store.bytes.p, store.bytes.len, ends);
	}
	return changed(self, m, false, 0);
}

static int get(actor *self, const msg *m)
{
	struct packed p = { NULL, NULL };
	MDB_txn *own;
	bool is = look(reading(&own), val(msg_str(m, 0), msg_len(m, 0)), &p);

	core_answer(self, msg_defer(m), p, is, 0, NULL);
	mdb_txn_abort(own);
	return 0;
}

static int add(actor *self, const msg *m)
{
	MDB_val key = val(msg_str(m, 0), msg_len(m, 0));
	struct value v = { .type = VALUE_INT };
	struct packed p;
	int64_t total = 0, ends_ms = 0;

	if (wrong_key(m))
		return msg_fail(m, "%s", wrong_key(m));
	if (writing(self)) {
		if (look(store.txn, key, &p)) {
			ends_ms = get_be64(p.at - HEAD);
			packed_next(&p, &v);
		}
		if (v.type != VALUE_INT || __builtin_add_overflow(v.i, msg_int(m, 1), &total))
			return msg_fail(m, "%s is no int that this can be added to", msg_str(m, 0));
		buf_clear(&store.bytes);
		pack_int(&store.bytes, total);
		keep(key, store.bytes.p, store.bytes.len, ends_ms);
	}
	return changed(self, m, true, total);
}

static int delete(actor *self, const msg *m)
{
	bool was = false;

	if (writing(self) && !store.error)
		was = forget(val(msg_str(m, 0), msg_len(m, 0)));
	return changed(self, m, true, was);
}

/* --- many --------------------------------------------------------------------------------- */

typedef bool each_fn(void *arg, const char *key, size_t len, struct packed value);

/* In order, until each says false. */
static void each_of(MDB_txn *txn, const char *prefix, size_t len, const char *after,
                    each_fn *each, void *arg)
{
	MDB_val key = val(after, strlen(after)), v;
	MDB_cursor *c;
	int error;

	if (!txn || mdb_cursor_open(txn, store.values, &c))
		return;
	if (strcmp(after, prefix) < 0)
		key = val(prefix, len);
	error = key.mv_size ? mdb_cursor_get(c, &key, &v, MDB_SET_RANGE)
	                    : mdb_cursor_get(c, &key, &v, MDB_FIRST);
	for (; !error; error = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
		const uint8_t *p = v.mv_data;
		int64_t ends = get_be64(p);

		if (key.mv_size < len || memcmp(key.mv_data, prefix, len) != 0)
			break;
		if (ends && ends <= wall_ms())
			continue;
		if (!each(arg, key.mv_data, key.mv_size,
		          (struct packed){ p + HEAD, p + v.mv_size }))
			break;
	}
	mdb_cursor_close(c);
}

struct listing { struct buf *out; unsigned n, most; const char *after; };

static bool list_one(void *arg, const char *key, size_t len, struct packed value)
{
	struct listing *l = arg;

	if (len == strlen(l->after) && !memcmp(key, l->after, len))
		return true;
	if (l->n == l->most || l->out->len > LIST_BYTES)
		return false;
	l->n++;
	pack_str(l->out, key, len);
	buf_add(l->out, value.at, (size_t)(value.end - value.at));
	return true;
}

static int prefix(actor *self, const msg *m)
{
	struct buf pairs = { 0 }, map = { 0 };
	struct listing l = { &pairs, 0, LIST_FIRST, msg_count(m) > 2 ? msg_str(m, 2) : "" };
	MDB_txn *own;

	if (msg_count(m) > 1 && msg_int(m, 1) >= 0 && msg_int(m, 1) < UINT32_MAX)
		l.most = (unsigned)msg_int(m, 1);
	each_of(reading(&own), msg_str(m, 0), msg_len(m, 0), l.after, list_one, &l);
	mdb_txn_abort(own);
	pack_map(&map, l.n);
	buf_add(&map, pairs.p, pairs.len);
	core_answer(self, msg_defer(m),
	            (struct packed){ (uint8_t *)map.p, (uint8_t *)map.p + map.len }, 1, 0, NULL);
	buf_fini(&pairs);
	buf_fini(&map);
	return 0;
}

/* What is over, the oldest first. */
static int sweep(actor *self, const msg *m)
{
	MDB_val term, nothing;
	MDB_cursor *c;
	int n = 0;

	(void)m;
	actor_after(self, SWEEP_MS, "sweep");
	if (saves_any())                /* who was to tell could not (saves.h) */
		write_after(self, GATHER_MS);
	if (!writing(self) || store.error || mdb_cursor_open(store.txn, store.terms, &c))
		return store.txn ? settle(self) : 0;
	while (n++ < SWEEP_MOST && !mdb_cursor_get(c, &term, &nothing, MDB_FIRST) &&
	       get_be64(term.mv_data) <= wall_ms()) {
		uint8_t key[KEY_MOST + 8];
		size_t len = term.mv_size - 8;

		memcpy(key, (uint8_t *)term.mv_data + 8, len);
		if (!forget(val(key, len)))
			note(mdb_cursor_del(c, 0));
	}
	mdb_cursor_close(c);
	return settle(self);
}

/* --- what sessions keep: "user/NAME/KEY", "user//LENGTH:NAME/KEY" -------------------------- */

/* No name's keys are another's: a name has one byte at least, and one with a slash its length. */
static MDB_val user_key(struct buf *b, const char *user, const char *key)
{
	buf_clear(b);
	if (strchr(user, '/'))
		buf_printf(b, "user//%zu:%s/%s", strlen(user), user, key);
	else
		buf_printf(b, "user/%s/%s", user, key);
	return val(b->p, b->len);
}

struct of_user { const char *user; struct buf key; };

static void save_one(void *arg, const char *key, struct packed value)
{
	struct of_user *s = arg;
	MDB_val k = user_key(&s->key, s->user, key);

	if (k.mv_size > KEY_MOST)
		return;         /* keep.c lets none be so long */
	if (value.at)
		keep(k, value.at, (size_t)(value.end - value.at),
		     *key == 'd' ? wall_ms() + 2ll * DAY_MS : 0);
	else if (!store.error)
		forget(k);
}

/* Between shares who answers clients may go first: woken meanwhile it would wait for all of it, 0.4
 * ms of 200 users' (actor-bench ws-save). No more than SHARES times, as each may take a tick. */
static void save_due(void)
{
	size_t at = store.saved.len, share, next;
	struct of_user s = { .user = NULL };

	saves_take(&store.saved);
	share = (store.saved.len - at) / SHARES + 1;
	for (next = at + share; at < store.saved.len; at += strlen(s.user) + 1) {
		s.user = store.saved.p + at;
		keep_changes(s.user, save_one, &s);
		if (at < next)
			continue;
		next += share;
		sched_yield();
	}
	buf_fini(&s.key);
}

static int write(actor *self, const msg *m)
{
	if (store.failed)
		commit(self, m);
	store.failed = store.waiting = false;
	if (saves_any() && !writing(self))
		write_after(self, RETRY_MS);
	return store.txn ? settle(self) : 0;
}

static int save(actor *self, const msg *m)
{
	int64_t rest_ms = store.wrote_ms + GATHER_MS - now_ms();

	if (msg_count(m))
		saves_add(msg_str(m, 0));
	if (rest_ms <= 0 && !store.waiting && !store.failed)
		return write(self, m);
	write_after(self, rest_ms > 0 ? (int)rest_ms : GATHER_MS);
	return 0;
}

static bool load_one(void *arg, const char *key, size_t len, struct packed value)
{
	const struct of_user *u = arg;

	keep_found(u->user, key + u->key.len, len - u->key.len, value);
	return true;
}

static int load(actor *self, const msg *m)
{
	struct of_user u = { .user = msg_str(m, 0) };
	MDB_txn *own;

	(void)self;
	user_key(&u.key, u.user, "");
	each_of(reading(&own), u.key.p, u.key.len, "", load_one, &u);
	mdb_txn_abort(own);
	buf_fini(&u.key);
	return 0;
}

/* --- its life ----------------------------------------------------------------------------- */

static int begin(actor *self)
{
	store.waiting = false;
	write_after(self, GATHER_MS);
	return actor_after(self, SWEEP_MS, "sweep") < 0;
}

static void end(actor *self)
{
	write(self, NULL);
	commit(self, NULL);
}

static const struct actor_type store_type = {
	.name = "store", .where = ACTOR_THREAD, .start = begin, .stop = end,
	.on = ON({ "put",    "key:str value:any seconds:num?",    put,    0 },
	         { "get",    "key:str",                           get,    0 },
	         { "add",    "key:str by:int",                    add,    0 },
	         { "delete", "key:str",                           delete, 0 },
	         { "prefix", "prefix:str most:int? after:str?",   prefix, 0 },
	         { "save",   "user:str?",                         save,   0 },
	         { "write",  "",                                  write,  0 },
	         { "load",   "user:str",                          load,   0 },
	         { "commit", "",                                  commit, 0 },
	         { "sweep",  "",                                  sweep,  0 }),
};

static int open_tables(void)
{
	MDB_txn *txn;
	int dead, error = mdb_reader_check(store.env, &dead);

	error = error ? error : mdb_txn_begin(store.env, NULL, 0, &txn);
	if (error)
		return error;
	error = mdb_dbi_open(txn, "values", MDB_CREATE, &store.values);
	error = error ? error : mdb_dbi_open(txn, "terms", MDB_CREATE, &store.terms);
	if (!error)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

static int open_files(const struct store_config *c, struct why *why)
{
	struct buf folder = { 0 };
	int error;

	buf_printf(&folder, "%s/store%c", c->state, 0);
	error = mkdir(folder.p, 0700) && errno != EEXIST ? errno : 0;
	error = error ? error : mdb_env_create(&store.env);
	error = error ? error : mdb_env_set_mapsize(store.env, c->most ? c->most : 1ul << 34);
	error = error ? error : mdb_env_set_maxdbs(store.env, 2);
	error = error ? error : mdb_env_open(store.env, folder.p, MDB_NOTLS, 0600);
	error = error ? error : open_tables();
	if (error)
		why_set(why, ACTOR_EFAIL, "--state: %s: %s", folder.p, words(error));
	buf_fini(&folder);
	return error ? ACTOR_EFAIL : 0;
}

int store_start(const struct store_config *c, struct why *why)
{
	struct type_options options = { .max_count = 32767, .max_bytes = 32 << 20, .native = true };
	struct spawn s = { .name = "store" };
	actor_id id;

	store.said_ms = now_ms() - SAY_MS;
	if (open_files(c, why))
		return ACTOR_EFAIL;
	s.type = core_type("store");
	if (!s.type)
		s.type = core_add_type(&store_type, &options, NULL, why);
	return s.type ? core_spawn(&s, &id, why) : ACTOR_EFAIL;
}

void store_stop(void)
{
	if (store.env)
		mdb_env_close(store.env);
	mem_free(store.write);
	buf_fini(&store.saved);
	buf_fini(&store.bytes);
	memset(&store, 0, sizeof store);
}
