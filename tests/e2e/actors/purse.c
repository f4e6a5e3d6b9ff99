/* SPDX-License-Identifier: MIT
 * purse: what the client that calls keeps, in each of the four places. */
#include "actor.h"

static int set(actor *self, const msg *m)
{
	const char *key = msg_str(m, 1);
	enum client_keep keep = (enum client_keep)msg_int(m, 0);
	actor_ref who = msg_from(m);
	int rc = msg_type(m, 2) == MSG_STR   ? client_set(self, who, keep, key, msg_str(m, 2))
		 : msg_type(m, 2) == MSG_NUM ? client_set(self, who, keep, key, msg_num(m, 2))
		                             : client_set(self, who, keep, key, msg_int(m, 2));

	return rc ? msg_fail(m, "set: %d: %s", rc, actor_why(self)) : 0;
}

static int add(actor *self, const msg *m)
{
	int64_t total;
	int rc = client_add(self, msg_from(m), (enum client_keep)msg_int(m, 0), msg_str(m, 1),
			    msg_int(m, 2), &total);

	return rc ? msg_fail(m, "add: %d: %s", rc, actor_why(self)) : msg_reply(m, total);
}

static int drop(actor *self, const msg *m)
{
	int rc = client_drop(self, msg_from(m), (enum client_keep)msg_int(m, 0), msg_str(m, 1));

	return rc ? msg_fail(m, "drop: %d: %s", rc, actor_why(self)) : 0;
}

static int get(actor *self, const msg *m)
{
	enum client_keep keep = (enum client_keep)msg_int(m, 0);
	const char *key = msg_str(m, 1);
	char text[64], user[64];

	(void)self;
	client_str(msg_from(m), keep, key, text, sizeof text);
	client_user(msg_from(m), user, sizeof user);
	return msg_reply(m, (int)client_type(msg_from(m), keep, key),
			 client_int(msg_from(m), keep, key), client_num(msg_from(m), keep, key),
			 text, user);
}

/* To whoever calls, wherever that is: what came of it. */
static int push(actor *self, const msg *m)
{
	int rc = actor_send(self, msg_from(m), "pushed", msg_str(m, 0));

	return msg_reply(m, rc, rc ? actor_why(self) : "");
}

/* The same, and who it was, after the call. */
static int later(actor *self, const msg *m)
{
	return actor_after(self, 1, "now", (int64_t)msg_from(m)) < 0 ? ACTOR_EFAIL : 0;
}

static int now(actor *self, const msg *m)
{
	char user[64];

	client_user((actor_ref)msg_int(m, 0), user, sizeof user);
	return actor_send(self, (actor_ref)msg_int(m, 0), "pushed", user);
}

const struct actor_type purse = {
	.name = "purse",
	.on   = ON({ "set",  "keep:int key:str value:any", set,  ON_CLIENT },
	           { "add",  "keep:int key:str by:int",    add,  ON_CLIENT },
	           { "drop", "keep:int key:str",           drop, ON_CLIENT },
	           { "get",  "keep:int key:str",           get,  ON_CLIENT },
	           { "push", "text:str?",                  push, ON_CLIENT },
	           { "later", "",                          later, ON_CLIENT },
	           { "now",  "who:int",                    now,  0 }),
};
