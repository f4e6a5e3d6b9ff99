/* SPDX-License-Identifier: MIT
 * rooms: actors with names of their own that come and go, and how much was said in them. */
#include <stdio.h>
#include "actor.h"

struct rooms { int64_t said, again; };

static int say(actor *self, const msg *m)
{
	return actor_send(self, actor_find("rooms"), "heard", msg_again(m));
}

static const struct actor_type room = {
	.name = "room", .on = ON({ "say", "", say, 0 }),
};

static const char *name(const msg *m, int64_t i)
{
	static char text[64];

	snprintf(text, sizeof text, "room:%lld", (long long)(msg_int(m, 0) + i));
	return text;
}

static int open_(actor *self, const msg *m)
{
	int64_t n = 0;

	for (int64_t i = 0; i < msg_int(m, 1); i++)
		n += actor_spawn(self, &room, name(m, i)) != 0;         /* 0: it is there */
	return msg_reply(m, n);
}

static int close_(actor *self, const msg *m)
{
	for (int64_t i = 0; i < msg_int(m, 1); i++)
		actor_stop(self, actor_find(name(m, i)));
	return 0;
}

static int heard(actor *self, const msg *m)
{
	struct rooms *s = actor_state(self);

	s->said++;
	s->again += msg_int(m, 0);
	return 0;
}

static int told(actor *self, const msg *m)
{
	struct rooms *s = actor_state(self);

	return msg_reply(m, s->said, s->again);
}

const struct actor_type rooms = {
	.name = "rooms", .state = sizeof(struct rooms), .mailbox = { .messages = 32767 },
	.on = ON({ "open", "from:int n:int", open_, 0 }, { "close", "from:int n:int", close_, 0 },
	         { "heard", "again:int", heard, 0 }, { "told", "", told, 0 }),
};
