/* SPDX-License-Identifier: MIT
 * store.c - the actor `store`: keys and values that outlast the process (disk.h).
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
 * in it, and nothing of it is done. Reads see what is not yet committed; one that fails is an
 * error, never "not there".
 *
 * Threads: the actor's own, which blocks in the disk; no worker ever does. */
#include "store.h"

#include <math.h>
#include <sched.h>

#include "disk.h"
#include "keep.h"
#include "log.h"
#include "message.h"
#include "ports.h"
#include "saves.h"

enum {
	LIST_FIRST = 1000, LIST_BYTES = 8 << 20, SWEEP_MOST = 1000, DAY_MS = 86400000,
	SWEEP_MS = 5000, GATHER_MS = 20, SHARES = 12, RETRY_MS = 1000, SAY_MS = 10000,
};

struct write {                          /* that is in the transaction */
	msg_caller caller;              /* 0: nobody waits */
	bool says; int64_t value;       /* what it answers */
};

static struct {
	int error;                      /* why there is no transaction */
	bool sent;                      /* `commit` is under way; else the mailbox is full */
	struct write *write; unsigned writes, room;
	struct buf saved;               /* users in it, each with a NUL */
	bool waiting;                   /* `write` will come for those in saves.h, */
	bool failed;                    /* and until then they wait, as they could not be written */
	struct buf bytes; int64_t said_ms, wrote_ms;
} store;

/* NULL: it will do. */
static const char *wrong_key(const msg *m)
{
	return !msg_len(m, 0) ? "a key has one byte at least"
	       : msg_len(m, 0) > DISK_KEY_MOST ? "a key has 503 bytes at most" : NULL;
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
	            error ? ACTOR_EFAIL : 0, error ? disk_words(error) : NULL);
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

static void complain(const char *what, int error)
{
	if (now_ms() - store.said_ms <= SAY_MS)
		return;
	log_line(LOG_ERROR, "store", "%s: %s", what, disk_words(error));
	store.said_ms = now_ms();
}

static int commit(actor *self, const msg *m)
{
	int error;

	(void)m;
	if (!disk_changes())
		return 0;
	if (!store.failed)
		save_due();
	error = disk_commit();
	if (error)
		complain("what was to be kept could not be written", error);
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

static bool writing(actor *self)
{
	if (disk_changes())
		return true;
	store.error = disk_begin();
	if (store.error)
		return false;
	store.sent = !actor_send(self, actor_self(self), "commit");
	return true;
}

/* The change is answered with the others; where there can be none, at once. */
static int changed(actor *self, const msg *m, bool says, int64_t value)
{
	struct write c = { msg_defer(m), says, value };

	if (!disk_changes()) {
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

/* --- one value ---------------------------------------------------------------------------- */

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
		disk_put(msg_str(m, 0), msg_len(m, 0), store.bytes.p, store.bytes.len, ends);
	}
	return changed(self, m, false, 0);
}

/* After a read: 0, or its refusal. */
static int read_whole(const msg *m)
{
	int error = disk_unread();

	if (!error)
		return 0;
	complain("what is kept could not be read", error);
	return msg_fail(m, "%s", disk_words(error));
}

static int get(actor *self, const msg *m)
{
	struct packed p = { NULL, NULL };
	bool is;
	int rc;

	disk_read_begin();
	is = disk_find(msg_str(m, 0), msg_len(m, 0), &p, NULL);
	rc = read_whole(m);
	if (!rc)
		core_answer(self, msg_defer(m), p, is, 0, NULL);
	disk_read_end();
	return rc;
}

static int add(actor *self, const msg *m)
{
	const char *key = msg_str(m, 0);
	struct value v = { .type = VALUE_INT };
	struct packed p;
	int64_t total = 0, ends_ms = 0;

	if (wrong_key(m))
		return msg_fail(m, "%s", wrong_key(m));
	if (writing(self)) {
		if (disk_find(key, msg_len(m, 0), &p, &ends_ms))
			packed_next(&p, &v);
		if (v.type != VALUE_INT || __builtin_add_overflow(v.i, msg_int(m, 1), &total))
			return msg_fail(m, "%s is no int that this can be added to", key);
		buf_clear(&store.bytes);
		pack_int(&store.bytes, total);
		disk_put(key, msg_len(m, 0), store.bytes.p, store.bytes.len, ends_ms);
	}
	return changed(self, m, true, total);
}

static int delete(actor *self, const msg *m)
{
	bool was = false;

	if (writing(self))
		was = disk_drop(msg_str(m, 0), msg_len(m, 0));
	return changed(self, m, true, was);
}

/* --- many --------------------------------------------------------------------------------- */

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
	int rc;

	if (msg_count(m) > 1 && msg_int(m, 1) >= 0 && msg_int(m, 1) < UINT32_MAX)
		l.most = (unsigned)msg_int(m, 1);
	disk_read_begin();
	disk_each(msg_str(m, 0), msg_len(m, 0), l.after, list_one, &l);
	disk_read_end();
	rc = read_whole(m);
	pack_map(&map, l.n);
	buf_add(&map, pairs.p, pairs.len);
	if (!rc)
		core_answer(self, msg_defer(m), packed_of(&map), 1, 0, NULL);
	buf_fini(&pairs);
	buf_fini(&map);
	return rc;
}

static int sweep(actor *self, const msg *m)
{
	(void)m;
	actor_after(self, SWEEP_MS, "sweep");
	if (saves_any())                /* who was to tell could not (saves.h) */
		write_after(self, GATHER_MS);
	if (!writing(self))
		return 0;
	disk_sweep(SWEEP_MOST);
	return settle(self);
}

/* --- what sessions keep: "user/NAME/KEY", "user//LENGTH:NAME/KEY" -------------------------- */

/* No name's keys are another's: a name has one byte at least, and one with a slash its length. */
static void user_key(struct buf *b, const char *user, const char *key)
{
	buf_clear(b);
	if (strchr(user, '/'))
		buf_printf(b, "user//%zu:%s/%s", strlen(user), user, key);
	else
		buf_printf(b, "user/%s/%s", user, key);
}

struct of_user { const char *user; struct buf key; };

static void save_one(void *arg, const char *key, struct packed value)
{
	struct of_user *s = arg;

	user_key(&s->key, s->user, key);
	if (s->key.len > DISK_KEY_MOST)
		return;         /* keep.c lets none be so long */
	if (value.at)
		disk_put(s->key.p, s->key.len, value.at, (size_t)(value.end - value.at),
		         *key == 'd' ? wall_ms() + 2ll * DAY_MS : 0);
	else
		disk_drop(s->key.p, s->key.len);
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
	return disk_changes() ? settle(self) : 0;
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

	(void)self;
	user_key(&u.key, u.user, "");
	disk_read_begin();
	disk_each(u.key.p, u.key.len, "", load_one, &u);
	disk_read_end();
	buf_fini(&u.key);
	return read_whole(m);
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

int store_start(const struct store_config *c, struct why *why)
{
	struct type_options options = { .max_count = 32767, .max_bytes = 32 << 20, .native = true };
	struct spawn s = { .name = "store" };
	actor_id id;

	store.said_ms = now_ms() - SAY_MS;
	if (disk_open(c->state, c->most, why))
		return ACTOR_EFAIL;
	s.type = core_type("store");
	if (!s.type)
		s.type = core_add_type(&store_type, &options, NULL, why);
	return s.type ? core_spawn(&s, &id, why) : ACTOR_EFAIL;
}

void store_stop(void)
{
	disk_close();
	mem_free(store.write);
	buf_fini(&store.saved);
	buf_fini(&store.bytes);
	memset(&store, 0, sizeof store);
}
