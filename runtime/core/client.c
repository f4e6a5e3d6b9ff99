/* SPDX-License-Identifier: MIT
 * client.c - actor.h's client_*(): reading is a look into memory (keep.h), and setting is that and
 * a word to those who must know: the store, or, for Redis and the other nodes, the actor `clients`.
 * They are reached by their names; what is not there is an error. Any thread. */
#include <pthread.h>
#include <stdio.h>

#include "draft.h"
#include "json.h"
#include "keep.h"
#include "keyed.h"
#include "kin.h"
#include "message.h"
#include "ports.h"
#include "saves.h"
#include "worker.h"

/* Why what is shared cannot be set. until_ms 0: it can; the words are read under the lock. */
static struct { pthread_mutex_t lock; _Atomic int64_t until_ms; struct why why; } shut = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

void keep_shut(const char *reason, int ms)
{
	pthread_mutex_lock(&shut.lock);
	if (!reason) {
		STORE(&shut.until_ms, 0);
	} else if (!ms || LOAD(&shut.until_ms) != INT64_MAX) {
		why_set(&shut.why, 0, "%s", reason);
		STORE(&shut.until_ms, ms ? now_ms() + ms : INT64_MAX);
	}
	pthread_mutex_unlock(&shut.lock);
}

/* Redis decides, so what it is known not to take is not set here either. */
static int may_share(void)
{
	if (!actor_alive(actor_find("bus")))
		return why_set(&kin_why, ACTOR_ENOENT, "nothing is shared: there is no Redis");
	if (!LOAD(&shut.until_ms) || now_ms() >= LOAD(&shut.until_ms))
		return 0;
	pthread_mutex_lock(&shut.lock);
	kin_why = shut.why;
	pthread_mutex_unlock(&shut.lock);
	return ACTOR_EFAIL;
}

static int save(actor *self, const struct keep_task *t)
{
	actor_ref store = actor_find("store");
	int error = 0;

	if (draft_is_open(worker_self)) {
		error = actor_send(self, store, "save", t->user);
	} else if (saves_add(t->user) && (error = actor_send(self, store, "save"))) {
		saves_untold(t->user);
	}
	if (error)
		keep_not_queued(t->user);
	return error;
}

/* The hash in Redis, and the users' records on other nodes, by the actor `clients`. command: HSET,
 * HINCRBY, HDEL. */
static int share(actor *self, const struct keep_task *t, const char *command, const char *key,
                 struct packed value)
{
	struct buf b = { 0 };
	struct packed p = value;
	msg_out *o = msg_values(self);
	int error;

	out_str(o, t->user);
	out_str(o, key);
	out_str(o, command);
	if (value.at && !json_write(&b, &p))
		out_text(o, b.p, b.len);
	error = actor_send_out(self, actor_find("clients"), "share", o);
	if (error)
		keep_written(t->user, key, NULL);
	buf_fini(&b);
	return error;
}

/* Before anything is changed. */
static int key_fits(enum client_keep keep, const char *key)
{
	size_t len = strlen(key);

	if (!len || len > KEEP_KEY_MOST)
		return why_set(&kin_why, ACTOR_EARGS, "a key has 1 to %d bytes, not %zu",
		               KEEP_KEY_MOST, len);
	if (keep > KEEP_TODAY)
		return why_set(&kin_why, ACTOR_EARGS, "there is no such kind of keep: %d",
		               (int)keep);
	if ((keep == KEEP_LOCAL || keep == KEEP_TODAY) && keyed_waiting() > KEEP_WAITING_MOST)
		return why_set(&kin_why, ACTOR_EFULL, "too much waits for the disk: it is full, or "
		               "slow");
	return keep == KEEP_SHARED ? may_share() : 0;
}

/* An error of keep.h's, in words. */
static int say(int error, const char *key)
{
	switch (error) {
	case 0: return 0;
	case ACTOR_ENOENT: return why_set(&kin_why, error, "no client of this node, or it left");
	case ACTOR_ETIME: return why_set(&kin_why, error, "what the user keeps on this node's disk "
		                         "could not be read");
	case ACTOR_EARGS: return why_set(&kin_why, error, "%s is no int, or it would go beyond 64 "
		                         "bits", key);
	default: return why_set(&kin_why, error, "there are as many keys as may be, and %s is not "
		                "one of them", key);
	}
}

static void pack_arg(struct buf *b, const struct arg *a)
{
	switch (a->type) {
	case VALUE_INT: pack_int(b, (int64_t)a->bits); break;
	case VALUE_UINT: pack_uint(b, a->bits); break;
	case VALUE_BOOL: pack_bool(b, a->bits != 0); break;
	case VALUE_NUM: pack_num(b, (union { uint64_t u; double d; }){ a->bits }.d); break;
	default: pack_str(b, a->p, a->len); break;
	}
}

static int set(actor *self, actor_ref who, enum client_keep keep, const char *key,
               struct packed value)
{
	struct keep_task t = { .user = "" };
	int error = say(keep_write(who, keep, key, value, &t), key);

	if (error || !(t.save || t.tell))
		return error;
	if (t.save)
		return save(self, &t);
	return share(self, &t, value.at ? "HSET" : "HDEL", key, value);
}

int client_set_(actor *self, actor_ref who, enum client_keep keep, const char *key,
                const struct actor_site *s, const uint64_t *values)
{
	struct buf b = { 0 };
	struct arg arg;
	int error = key_fits(keep, key);

	if (error)
		return error;
	args_of_site(&arg, s->types, values, 1);
	if (arg.type == VALUE_NULL)
		return client_drop(self, who, keep, key);
	pack_arg(&b, &arg);
	error = b.len <= KEEP_VALUE_MOST ? set(self, who, keep, key, packed_of(&b))
	        : why_set(&kin_why, ACTOR_EARGS, "the value of %s takes %zu bytes, %d may be", key,
	                  b.len, KEEP_VALUE_MOST);
	buf_fini(&b);
	return error;
}

int client_drop(actor *self, actor_ref who, enum client_keep keep, const char *key)
{
	int error = key_fits(keep, key);

	return error ? error : set(self, who, keep, key, (struct packed){ NULL, NULL });
}

int client_add(actor *self, actor_ref who, enum client_keep keep, const char *key, int64_t by,
               int64_t *total)
{
	struct keep_task t = { .user = "" };
	struct buf b = { 0 };
	int64_t sum = 0;
	int error = key_fits(keep, key);

	error = error ? error : say(keep_add(who, keep, key, by, &sum, &t), key);
	if (error)
		return error;
	if (total)
		*total = sum;
	if (!t.tell)
		return t.save ? save(self, &t) : 0;
	pack_int(&b, by);
	error = share(self, &t, "HINCRBY", key, packed_of(&b));
	buf_fini(&b);
	return error;
}

int64_t client_int(actor_ref who, enum client_keep keep, const char *key)
{
	struct value v = keep_look(who, keep, key, NULL, 0);

	if (v.type == VALUE_NUM && v.num > -9e18 && v.num < 9e18)
		return (int64_t)v.num;
	return v.type == VALUE_INT || v.type == VALUE_BOOL ? v.i : 0;
}

double client_num(actor_ref who, enum client_keep keep, const char *key)
{
	struct value v = keep_look(who, keep, key, NULL, 0);

	return v.type == VALUE_NUM ? v.num : v.type == VALUE_INT ? (double)v.i : 0;
}

size_t client_str(actor_ref who, enum client_keep keep, const char *key, char *out, size_t size)
{
	struct value v = keep_look(who, keep, key, out, size);

	return v.type == VALUE_STR ? v.len : 0;
}

enum msg_type client_type(actor_ref who, enum client_keep keep, const char *key)
{
	struct value v = keep_look(who, keep, key, NULL, 0);

	return v.type == VALUE_UINT ? MSG_INT : (enum msg_type)v.type;
}

size_t client_user(actor_ref who, char *out, size_t size)
{
	return keep_user(who, out, size);
}
