/* SPDX-License-Identifier: MIT
 * client.c - actor.h's client_*(): reading is a look into memory (keep.h), and setting is that and
 * a word to those who must know: the store, Redis, and the other nodes, whose users' records it is
 * added to. They are reached by their names; what is not there is an error. Any thread. */
#include <stdio.h>

#include "json.h"
#include "keep.h"
#include "message.h"

static int save(actor *self, const struct keep_task *t)
{
	int error = actor_send(self, actor_find("store"), "save", t->user);

	if (error)
		keep_not_queued(t->user);
	return error;
}

/* The hash in Redis, and the users' records on other nodes. command: HSET, HINCRBY, HDEL. */
static int share(actor *self, const struct keep_task *t, const char *command, const char *key,
                 struct packed value)
{
	actor_ref bus = actor_find("bus");
	struct buf b = { 0 };
	struct packed p = value;
	msg_out *o = msg_values(self);
	int error;

	buf_printf(&b, "actord:user:%s%c", t->user, 0);
	out_str(o, command);
	out_str(o, b.p);
	out_str(o, key);
	buf_clear(&b);
	if (value.at && !json_write(&b, &p))
		out_text(o, b.p, b.len);
	error = actor_send_out(self, bus, "command", o);
	buf_fini(&b);
	return error;
}

/* what: "shared" or "shared_add", of the actor `clients` on each. */
static void tell_nodes(actor *self, const char *what, const struct keep_task *t, const char *key,
                       const struct arg *value)
{
	msg_out *o = msg_values(self);

	out_str(o, "clients");
	out_str(o, what);
	out_str(o, t->user);
	out_str(o, key);
	if (!value)
		out_null(o);
	else if (value->type == VALUE_INT || value->type == VALUE_UINT)
		out_int(o, (int64_t)value->bits);
	else if (value->type == VALUE_BOOL)
		out_bool(o, value->bits != 0);
	else if (value->type == VALUE_NUM)
		out_num(o, (union { uint64_t u; double d; }){ value->bits }.d);
	else
		out_text(o, value->p, value->len);
	actor_send_out(self, actor_find("bus"), "publish", o);
}

static int key_fits(enum client_keep keep, const char *key)
{
	return *key && strlen(key) <= KEEP_KEY_MOST && keep <= KEEP_TODAY ? 0 : ACTOR_EARGS;
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

static struct packed packed(const struct buf *b)
{
	return (struct packed){ (const uint8_t *)b->p, (const uint8_t *)b->p + b->len };
}

static int set(actor *self, actor_ref who, enum client_keep keep, const char *key,
               struct packed value, const struct arg *arg)
{
	struct keep_task t = { .user = "" };
	int error = keep_write(who, keep, key, value, &t);

	if (error || !(t.save || t.tell))
		return error;
	if (t.save)
		return save(self, &t);
	tell_nodes(self, "shared", &t, key, arg);
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
	error = b.len > KEEP_VALUE_MOST ? ACTOR_EARGS : set(self, who, keep, key, packed(&b), &arg);
	buf_fini(&b);
	return error;
}

int client_drop(actor *self, actor_ref who, enum client_keep keep, const char *key)
{
	int error = key_fits(keep, key);

	return error ? error : set(self, who, keep, key, (struct packed){ NULL, NULL }, NULL);
}

int client_add(actor *self, actor_ref who, enum client_keep keep, const char *key, int64_t by,
               int64_t *total)
{
	struct keep_task t = { .user = "" };
	struct arg arg = { .type = VALUE_INT, .bits = (uint64_t)by };
	struct buf b = { 0 };
	int64_t sum = 0;
	int error = key_fits(keep, key);

	error = error ? error : keep_add(who, keep, key, by, &sum, &t);
	if (error)
		return error;
	if (total)
		*total = sum;
	if (!t.tell)
		return t.save ? save(self, &t) : 0;
	pack_int(&b, by);
	tell_nodes(self, "shared_add", &t, key, &arg);
	error = share(self, &t, "HINCRBY", key, packed(&b));
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
