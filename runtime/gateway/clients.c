/* SPDX-License-Identifier: MIT
 * clients.c - the actor `clients`: what actors say to many clients, or to one by its name.
 *
 *   join room:str who:int?     who: a session, as msg_from() gives it; 0 or none: the sender
 *   leave room:str who:int?
 *   room room:str func:str ... to all in the room     } on all nodes of this Redis; the answer
 *   user user:str func:str ... to one user's sessions } says how many it was sent to on this one
 *   all  func:str ...          to everybody           }
 *   count room:str             how many of this node are in the room
 *   users                      how many names are logged in on this node
 *   close user:str reason:str  its sessions end
 *
 * The idea: all that is said once is encoded once (session_tell), and PUBLISHed once for the other
 * nodes, whose own `clients` hear it by `heard` and pass it on no further. The bus is reached by
 * its name; where there is none, this node is alone.
 * A room is a name and nothing else: who may join and speak is up to the actors that call.
 * The sessions' thread. Keeps nothing: rooms are in session_rooms, users in session_users. */
#include "clients.h"

#include "keep.h"
#include "session.h"

static actor_ref bus;

/* --- telling ------------------------------------------------------------------------------ */

static void tell_one(void *arg, void *who)
{
	session_tell(who, arg);
}

/* what: "all", or "room" or "user" with a name; m from `first` on: the handler and its values. */
static int tell(const char *what, const char *name, const msg *m, int first)
{
	const struct rooms *in = strcmp(what, "room") == 0 ? &session_rooms : &session_users;
	struct news n = { .m = m, .first = first + 1,
		          .func = { msg_str(m, first), msg_len(m, first) } };

	if (strcmp(what, "all") == 0)
		rooms_each(in, tell_one, &n);
	else
		for (struct seat *s = room_seats(in, name); s; s = s->next_in_room)
			session_tell(s->who, &n);
	news_fini(&n);
	return (int)n.told;
}

/* The other nodes' clients hear the same. */
static void pass_on(actor *self, const char *what, const char *name, const msg *m, int first)
{
	msg_out *o;

	if (!actor_alive(bus))
		return;
	o = msg_values(self);
	out_str(o, "clients");
	out_str(o, "heard");
	out_str(o, what);
	out_str(o, name);
	for (int i = first; i < msg_count(m); i++)
		out_value(o, m, i);
	actor_send_out(self, bus, "publish", o);
}

static int say(actor *self, const msg *m, const char *what, const char *name, int first)
{
	pass_on(self, what, name, m, first);
	return msg_reply(m, tell(what, name, m, first));
}

static int to_room(actor *self, const msg *m)
{
	return say(self, m, "room", msg_str(m, 0), 1);
}

static int to_user(actor *self, const msg *m)
{
	return say(self, m, "user", msg_str(m, 0), 1);
}

static int to_all(actor *self, const msg *m)
{
	return say(self, m, "all", "", 0);
}

static int heard(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, tell(msg_str(m, 0), msg_str(m, 1), m, 2));
}

/* What a user keeps was changed on another node: shared user key value, shared_add user key by. */
static int shared(actor *self, const msg *m)
{
	struct buf b = { 0 };
	struct packed value = { NULL, NULL };

	(void)self;
	if (msg_type(m, 2) != MSG_NULL) {
		msg_pack(m, 2, &b);
		value = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	}
	keep_shared(msg_str(m, 0), msg_str(m, 1), value);
	buf_fini(&b);
	return 0;
}

static int shared_add(actor *self, const msg *m)
{
	(void)self;
	keep_shared_add(msg_str(m, 0), msg_str(m, 1), msg_int(m, 2));
	return 0;
}

/* --- rooms -------------------------------------------------------------------------------- */

static struct session *who(const msg *m, int i)
{
	int64_t ref = msg_int(m, i);

	return session_find(ref ? (actor_ref)ref : msg_from(m));
}

static int join(actor *self, const msg *m)
{
	struct session *s = who(m, 1);

	(void)self;
	if (!s)
		return msg_fail(m, "join: no client is behind that reference");
	room_enter(&session_rooms, msg_str(m, 0), session_seats(s), s);
	return msg_reply(m, room_count(&session_rooms, msg_str(m, 0)));
}

static int leave(actor *self, const msg *m)
{
	struct session *s = who(m, 1);

	(void)self;
	if (s)
		room_leave(&session_rooms, msg_str(m, 0), session_seats(s));
	return msg_reply(m, room_count(&session_rooms, msg_str(m, 0)));
}

static int count(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, room_count(&session_rooms, msg_str(m, 0)));
}

static int users(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, session_users.count);
}

static int close_user(actor *self, const msg *m)
{
	struct seat *s = room_seats(&session_users, msg_str(m, 0));

	(void)self;
	for (; s; s = s->next_in_room)
		session_end(s->who, msg_str(m, 1));
	return msg_reply(m, room_count(&session_users, msg_str(m, 0)));
}

/* --- its life ----------------------------------------------------------------------------- */

static const struct actor_type clients_type = {
	.name = "clients",
	.on = ON({ "room",  "room:str func:str ...",          to_room,    0 },
	         { "user",  "user:str func:str ...",          to_user,    0 },
	         { "all",   "func:str ...",                   to_all,     0 },
	         { "heard", "what:str name:str func:str ...", heard,      0 },
	         { "shared", "user:str key:str value:any",    shared,     0 },
	         { "shared_add", "user:str key:str by:int",   shared_add, 0 },
	         { "join",  "room:str who:int?",              join,       0 },
	         { "leave", "room:str who:int?",              leave,      0 },
	         { "count", "room:str",                       count,      0 },
	         { "users", "",                               users,      0 },
	         { "close", "user:str reason:str",            close_user, 0 }),
};

int clients_setup(struct home *home, struct why *why)
{
	struct type_options options = { .max_count = 32767, .max_bytes = 32 << 20, .native = true };
	struct spawn s = { .home = home, .name = "clients" };
	actor_id id;

	bus = actor_find("bus");
	s.type = core_add_type(&clients_type, &options, NULL, why);
	return s.type ? core_spawn(&s, &id, why) : ACTOR_EFAIL;
}
