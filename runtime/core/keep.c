/* SPDX-License-Identifier: MIT
 * keep.c - what sessions keep, in memory.
 *
 *   KEEP_TEMP    the session's own, gone with it
 *   KEEP_LOCAL   the user's, on this node: the actor `store` has it on disk
 *   KEEP_TODAY   the same, but of a local day: after midnight it is as if never set
 *   KEEP_SHARED  the user's, in the Redis hash actord:user:NAME, JSON texts, on all nodes
 *
 * The idea: a user's things are loaded when its first session logs in, before that is answered, so
 * reading is a look into memory and never waits. What is set is marked and the store is told once
 * that there is something; it takes what is marked when it comes to it, however often it was set
 * meanwhile. A user's record goes with the last session, when all of it is on the disk.
 *
 * What is shared is set here at once, too, but Redis decides: who hears of a change reads it there.
 * As nobody hears of one while the link is lost, all is read when it is back.
 * Answers come in its order; none is taken before that to the last change of our own.
 *
 * Locks, in this order: a shard (sessions by number) or the table (users by name), then the
 * user's. None is held while something is sent, and nothing blocks under them. Any thread. */
#include "keep.h"

#include <pthread.h>
#include <stdio.h>

#include "json.h"
#include "keyed.h"
#include "log.h"
#include "registry.h"

enum { SHARDS = 64, BUCKETS = 256 };

struct user {
	struct user *next;              /* in its bucket */
	pthread_mutex_t lock;           /* of all below, but sessions and stale */
	struct keyed_list kept;
	unsigned sessions;              /* under the table's lock, as is stale */
	bool stale;                     /* see keep_stale() */
	bool loaded, queued;            /* queued: in saves.h, or in the store's hands */
	bool unread;                    /* the disk did not say what it has */
	char name[];
};

struct client {
	struct client *next;
	actor_ref session;
	struct user *user;              /* a guest's is its own, and has just a name */
	bool guest;                     /* see keep_guest() */
	struct keyed_list kept;         /* KEEP_TEMP */
};

struct shard {
	pthread_mutex_t lock;
	struct client **bucket;
	uint32_t size, count;
};

static struct shard shards[SHARDS] = {
	[0 ... SHARDS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER },
};
static struct { pthread_mutex_t lock; struct user **bucket; uint32_t size, count; } users = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* --- users -------------------------------------------------------------------------------- */

static struct user **place(const char *name)
{
	struct user **at;

	if (!users.bucket)
		users.bucket = mem_alloc((users.size = BUCKETS) * sizeof(struct user *));
	at = &users.bucket[text_hash(name, strlen(name)) & (users.size - 1)];
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void users_grow(void)
{
	struct user **old = users.bucket;
	uint32_t size = users.size;

	users.size *= 2;
	users.bucket = mem_alloc(users.size * sizeof(struct user *));
	for (uint32_t i = 0; i < size; i++)
		for (struct user *u = old[i], *next; u; u = next) {
			struct user **at = place(u->name);

			next = u->next;
			u->next = *at;
			*at = u;
		}
	mem_free(old);
}

/* Locked, by name; NULL: not here. Then let_go(). */
static struct user *take(const char *name)
{
	struct user *u;

	pthread_mutex_lock(&users.lock);
	u = *place(name);
	if (u)
		pthread_mutex_lock(&u->lock);
	else
		pthread_mutex_unlock(&users.lock);
	return u;
}

static struct user *user_new(const char *name)
{
	size_t len = strlen(name);
	struct user *u = mem_alloc(sizeof *u + len + 1);

	pthread_mutex_init(&u->lock, NULL);
	memcpy(u->name, name, len);
	return u;
}

static void user_free(struct user *u)
{
	pthread_mutex_destroy(&u->lock);
	keyed_drop_all(&u->kept);
	mem_free(u);
}

/* And frees it, where nobody needs it any more. */
static void let_go(struct user *u)
{
	struct user **at;

	pthread_mutex_unlock(&u->lock);
	if (!u->sessions && !u->queued) {
		at = place(u->name);
		*at = u->next;
		users.count--;
		user_free(u);
		if (!users.count) {
			mem_free(users.bucket);
			users.bucket = NULL;
		}
	}
	pthread_mutex_unlock(&users.lock);
}

static struct user *join_user(const char *name, bool *is_loaded)
{
	struct user **at, *u;

	pthread_mutex_lock(&users.lock);
	at = place(name);
	u = *at;
	if (!u) {
		u = *at = user_new(name);
		if (++users.count > users.size)
			users_grow();
	}
	u->sessions++;
	pthread_mutex_lock(&u->lock);
	*is_loaded = u->loaded;
	pthread_mutex_unlock(&u->lock);
	pthread_mutex_unlock(&users.lock);
	return u;
}

unsigned keep_users(void)
{
	unsigned n;

	pthread_mutex_lock(&users.lock);
	n = users.count;
	pthread_mutex_unlock(&users.lock);
	return n;
}

/* --- sessions ----------------------------------------------------------------------------- */

static uint64_t mix(actor_ref session)
{
	return (session * 0x9e3779b97f4a7c15u) >> 20;
}

static struct shard *shard_of(actor_ref session)
{
	return &shards[mix(session) % SHARDS];
}

static struct client **client_place(struct shard *s, actor_ref session)
{
	struct client **at = &s->bucket[mix(session) / SHARDS & (s->size - 1)];

	while (*at && (*at)->session != session)
		at = &(*at)->next;
	return at;
}

static void shard_grow(struct shard *s)
{
	struct shard old = *s;

	s->size = old.size ? 2 * old.size : 16;
	s->bucket = mem_alloc(s->size * sizeof(struct client *));
	for (uint32_t i = 0; i < old.size; i++)
		for (struct client *c = old.bucket[i], *next; c; c = next) {
			struct client **at = client_place(s, c->session);

			next = c->next;
			c->next = *at;
			*at = c;
		}
	mem_free(old.bucket);
}

static void enter(actor_ref session, struct user *user, bool guest)
{
	struct shard *s = shard_of(session);
	struct client *c = mem_alloc(sizeof *c), **at;

	c->session = session;
	c->user = user;
	c->guest = guest;
	pthread_mutex_lock(&s->lock);
	if (s->count >= s->size)
		shard_grow(s);
	at = client_place(s, session);
	c->next = *at;
	*at = c;
	s->count++;
	pthread_mutex_unlock(&s->lock);
}

bool keep_open(actor_ref session, const char *user)
{
	bool is_loaded;

	enter(session, join_user(user, &is_loaded), false);
	return !is_loaded;
}

void keep_guest(actor_ref who, const char *user)
{
	enter(who, user_new(user), true);
}

void keep_loaded(const char *name)
{
	struct user *u = take(name);

	if (!u)
		return;
	u->loaded = !u->unread;
	let_go(u);
}

void keep_unread(const char *name, bool unread)
{
	struct user *u = take(name);

	if (!u)
		return;
	u->unread = unread && !u->loaded;       /* what is here already is no worse for it */
	let_go(u);
}

void keep_close(actor_ref session)
{
	struct shard *s = shard_of(session);
	struct client **at, *c = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->size && (c = *(at = client_place(s, session)))) {
		*at = c->next;
		if (!--s->count) {
			mem_free(s->bucket);
			s->bucket = NULL;
			s->size = 0;
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (!c)
		return;
	keyed_drop_all(&c->kept);
	if (c->guest) {
		user_free(c->user);
	} else {
		pthread_mutex_lock(&users.lock);
		pthread_mutex_lock(&c->user->lock);
		c->user->sessions--;
		let_go(c->user);
	}
	mem_free(c);
}

/* Its shard and its user are locked; NULL: no such session, nothing is. A guest keeps nothing. */
static struct client *hold(actor_ref session, bool guest_too)
{
	struct shard *s = shard_of(session);
	struct client *c;

	pthread_mutex_lock(&s->lock);
	c = s->size ? *client_place(s, session) : NULL;
	c = c && c->guest && !guest_too ? NULL : c;
	if (c)
		pthread_mutex_lock(&c->user->lock);
	else
		pthread_mutex_unlock(&s->lock);
	return c;
}

static void drop(struct client *c)
{
	pthread_mutex_unlock(&c->user->lock);
	pthread_mutex_unlock(&shard_of(c->session)->lock);
}

static struct keyed *kept_of(struct client *c, enum client_keep keep, const char *key, bool made)
{
	struct keyed_list *l = keep == KEEP_TEMP ? &c->kept : &c->user->kept;

	return made ? keyed_make(l, keep, key) : keyed_find(l, keep, key);
}

/* --- from and to the disk, and Redis ------------------------------------------------------ */

/* On disk a key begins with l, or with d and the day: "dhits" has [20060102, 5]. */
void keep_found(const char *name, const char *key, size_t len, struct packed value)
{
	enum client_keep keep = *key == 'd' ? KEEP_TODAY : KEEP_LOCAL;
	struct value list, day = { .i = 0 };
	char text[KEEP_KEY_MOST + 1] = "";
	struct user *u = len > 1 && len <= sizeof text && memchr("dl", *key, 2) ? take(name) : NULL;
	struct keyed *k;

	if (!u)
		return;
	memcpy(text, key + 1, len - 1);
	if (keep == KEEP_TODAY && (packed_next(&value, &list) < 1 ||
	                           packed_next(&value, &day) < 1 || !keyed_is_today((int)day.i)))
		value.at = NULL;
	k = value.at ? keyed_make(&u->kept, keep, text) : NULL;
	if (k && !k->dirty)
		keyed_write(k, value);
	let_go(u);
}

/* False: there are KEEP_MOST already. */
static bool take_shared(struct user *u, const char *key, const struct value *text)
{
	struct keyed *k = text ? keyed_make(&u->kept, KEEP_SHARED, key)
	                      : keyed_find(&u->kept, KEEP_SHARED, key);
	struct buf b = { 0 };

	if (!k || k->unwritten)
		return k || !text;
	k->gone = !text;
	if (text) {
		json_or_text(text->str, text->len, &b);
		keyed_write(k, packed_of(&b));
		buf_fini(&b);
	}
	return true;
}

static void say_left_out(const char *name, unsigned n)
{
	if (n)
		log_line(LOG_WARN, "keep", "%u values of the user %s in Redis are not here: of "
		         "each kind a user has %d at most; remove some from actord:user:%s",
		         n, name, KEEP_MOST, name);
}

void keep_shared(const char *name, const char *key, const char *text, size_t len)
{
	struct user *u = strlen(key) <= KEEP_KEY_MOST ? take(name) : NULL;
	struct value v = { .type = VALUE_STR, .str = text, .len = len };
	bool taken;

	if (!u)
		return;
	taken = take_shared(u, key, text ? &v : NULL);
	let_go(u);
	say_left_out(name, !taken);
}

void keep_shared_all(const char *name, struct packed fields, size_t count)
{
	struct user *u = take(name);
	struct value key, text;
	char word[KEEP_KEY_MOST + 1];
	unsigned left_out = 0;

	if (!u)
		return;
	for (struct keyed *k = u->kept.first; k; k = k->next)
		if (k->keep == KEEP_SHARED)
			take_shared(u, k->key, NULL);
	for (; count > 1 && packed_next(&fields, &key) > 0 && packed_next(&fields, &text) > 0;
	     count -= 2)
		if (key.type == VALUE_STR && key.len <= KEEP_KEY_MOST && text.type == VALUE_STR) {
			memcpy(word, key.str, key.len);
			word[key.len] = 0;
			left_out += !take_shared(u, word, &text);
		}
	let_go(u);
	say_left_out(name, left_out);
}

void keep_names(struct buf *out)
{
	pthread_mutex_lock(&users.lock);
	for (uint32_t i = 0; users.bucket && i < users.size; i++)
		for (struct user *u = users.bucket[i]; u; u = u->next) {
			u->stale = true;
			buf_add(out, u->name, strlen(u->name) + 1);
		}
	pthread_mutex_unlock(&users.lock);
}

bool keep_stale(const char *name, bool stale)
{
	struct user *u = take(name);
	bool is_new = u && u->stale != stale;

	if (!u)
		return false;
	u->stale = stale;
	let_go(u);
	return is_new;
}

bool keep_is_here(const char *name)
{
	struct user *u = take(name);

	if (u)
		let_go(u);
	return u;
}

void keep_written(const char *name, const char *key, const int64_t *total)
{
	struct user *u = take(name);
	struct keyed *k = u ? keyed_find(&u->kept, KEEP_SHARED, key) : NULL;

	if (!u)
		return;
	if (k && k->unwritten && !--k->unwritten && total)
		pack_int(keyed_rewrite(k), *total);
	let_go(u);
}

void keep_changes(const char *name, void (*each)(void *arg, const char *key, struct packed value),
		  void *arg)
{
	struct user *u = take(name);
	struct buf b = { 0 };
	const char *p, *key;
	uint32_t len;

	if (!u)
		return;
	keyed_take_dirty(&u->kept, &b);
	let_go(u);
	for (p = b.p; p && p < b.p + b.len; p += len) {
		key = p;
		p += strlen(key) + 1;
		memcpy(&len, p, sizeof len);
		p += sizeof len;
		each(arg, key, len ? (struct packed){ (const uint8_t *)p, (const uint8_t *)p + len }
		                   : (struct packed){ NULL, NULL });
	}
	buf_fini(&b);
}

bool keep_saved(const char *name, bool saved)
{
	struct user *u = take(name);
	bool more = false;

	if (!u)
		return false;
	for (struct keyed *k = u->kept.first; k; k = k->next) {
		k->dirty |= !saved && keyed_is_on_disk(k);
		keyed_wait(k, k->dirty);
		more |= k->dirty;
	}
	u->queued = more;
	if (saved && u->loaded)
		keyed_drop_gone(&u->kept, true);
	let_go(u);
	return more;
}

/* --- for client.c ------------------------------------------------------------------------- */

static void mark(struct client *c, struct keyed *k, struct keep_task *t)
{
	snprintf(t->user, sizeof t->user, "%s", c->user->name);
	t->tell = k->keep == KEEP_SHARED;
	k->unwritten += t->tell;
	if (keyed_is_on_disk(k)) {
		keyed_wait(k, k->dirty = true);
		t->save = !c->user->queued;
		c->user->queued = true;
	}
}

void keep_not_queued(const char *name)
{
	struct user *u = take(name);

	if (!u)
		return;
	u->queued = false;
	let_go(u);
}

/* What is set without a look at what was there would take its place on the disk. */
static bool is_unread(const struct client *c, enum client_keep keep)
{
	return c && c->user->unread && (keep == KEEP_LOCAL || keep == KEEP_TODAY);
}

int keep_write(actor_ref who, enum client_keep keep, const char *key, struct packed value,
               struct keep_task *t)
{
	struct client *c = hold(who, false);
	bool unread = is_unread(c, keep);
	struct keyed *k = c && !unread ? kept_of(c, keep, key, true) : NULL;

	if (k && value.at)
		keyed_write(k, value);
	else if (k)
		keyed_forget(k);
	if (k)
		mark(c, k, t);
	if (c)
		drop(c);
	return k ? 0 : unread ? ACTOR_ETIME : c ? ACTOR_ENOMEM : ACTOR_ENOENT;
}

int keep_add(actor_ref who, enum client_keep keep, const char *key, int64_t by, int64_t *sum,
             struct keep_task *t)
{
	struct client *c = hold(who, false);
	bool unread = is_unread(c, keep);
	struct keyed *k = c && !unread ? kept_of(c, keep, key, true) : NULL;
	bool done = k && keyed_add(k, by, sum);

	if (done)
		mark(c, k, t);
	if (c)
		drop(c);
	return done ? 0 : !c ? ACTOR_ENOENT : unread ? ACTOR_ETIME : k ? ACTOR_EARGS : ACTOR_ENOMEM;
}

/* The value's head, and its text cut to fit into out. */
struct value keep_look(actor_ref who, enum client_keep keep, const char *key, char *out,
                       size_t size)
{
	struct value v = { .type = VALUE_NULL };
	struct client *c = hold(who, false);
	struct keyed *k = c ? kept_of(c, keep, key, false) : NULL;

	if (size)
		*out = 0;
	if (keyed_is_there(k))
		v = keyed_read(k);
	if (size && v.type == VALUE_STR) {
		size_t n = v.len < size - 1 ? v.len : size - 1;

		memcpy(out, v.str, n);
		out[n] = 0;
	}
	if (c)
		drop(c);
	return v;
}

size_t keep_user(actor_ref who, char *out, size_t size)
{
	struct client *c = hold(who, true);
	size_t len = c ? strlen(c->user->name) : 0;

	if (size)
		snprintf(out, size, "%s", c ? c->user->name : "");
	if (c)
		drop(c);
	return len;
}
