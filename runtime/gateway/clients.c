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
 *   share user key command ... what a session of the user has set (core/client.c), to Redis; the
 *   changed user key           other nodes hear of it, and read it there
 *
 * The idea: all that is said once is encoded once (session_tell), and PUBLISHed once for the other
 * nodes, whose own `clients` hear it by `heard` and pass it on no further. The bus is reached by
 * its name; where there is none, this node is alone.
 * A room is a name and nothing else: who may join and speak is up to the actors that call.
 * The sessions' thread. Keeps what Redis was asked: rooms are in session_rooms, users in
 * session_users. */
#include "clients.h"

#include "keep.h"
#include "log.h"
#include "session.h"

enum { REDIS_MS = 10000 };

static actor_ref bus;

/* Of Redis, the oldest first, as its answers come. own: a change of ours; sum: that answers it. */
static struct asked {
	struct asked *next;
	int64_t ask;
	char *user, *key;
	bool own, sum;
} *asked, **asked_end = &asked;

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

/* --- what users share --------------------------------------------------------------------- */

/* A command for the hash actord:user:NAME, whose answer comes to `then`; by: m's value i, or -1. */
static int ask_redis(actor *self, const char *command, struct asked a, const msg *m, int i)
{
	const char *then = a.own ? "written" : "read";
	msg_out *o = msg_values(self);
	struct buf hash = { 0 };

	buf_printf(&hash, "actord:user:%s%c", a.user, 0);
	out_str(o, command);
	out_str(o, hash.p);
	out_str(o, a.key);
	if (i >= 0)
		out_value(o, m, i);
	buf_fini(&hash);
	a.ask = actor_ask_out(self, bus, "command", then, REDIS_MS, o);
	if (a.ask < 0)
		return (int)a.ask;
	a.user = mem_string(a.user, strlen(a.user));
	a.key = mem_string(a.key, strlen(a.key));
	*asked_end = mem_alloc(sizeof a);
	**asked_end = a;
	asked_end = &(*asked_end)->next;
	return 0;
}

static struct asked asked_take(int64_t ask)
{
	struct asked **at = &asked, a = { .ask = 0 }, *gone;

	while (*at && (*at)->ask != ask)        /* the first, most often */
		at = &(*at)->next;
	gone = *at;
	if (!gone)
		return a;
	a = *gone;
	*at = a.next;
	if (asked_end == &gone->next)
		asked_end = at;
	mem_free(gone);
	return a;
}

static void asked_fini(struct asked *a)
{
	mem_free(a->user);
	mem_free(a->key);
}

/* A client's variable was set here: the command that says so to Redis. */
static int share(actor *self, const msg *m)
{
	char *user = (char *)(uintptr_t)msg_str(m, 0), *key = (char *)(uintptr_t)msg_str(m, 1);
	struct asked a = { .user = user, .key = key, .own = true,
		           .sum = strcmp(msg_str(m, 2), "HINCRBY") == 0 };
	int error = ask_redis(self, msg_str(m, 2), a, m, msg_count(m) > 3 ? 3 : -1);

	if (error)
		keep_written(user, key, NULL);
	return error ? msg_fail(m, "share: Redis cannot be asked (%d)", error) : 0;
}

/* The other nodes read there what it is now: as Redis has it already, at least as new as this. */
static void tell_changed(actor *self, const struct asked *a)
{
	msg_out *o = msg_values(self);

	out_str(o, "clients");
	out_str(o, "changed");
	out_str(o, a->user);
	out_str(o, a->key);
	actor_send_out(self, bus, "publish", o);
}

static void read_again(actor *self, const char *user, const char *key)
{
	struct asked a = { .user = (char *)(uintptr_t)user, .key = (char *)(uintptr_t)key };

	ask_redis(self, "HGET", a, NULL, -1);
}

static int written(actor *self, const msg *m)
{
	struct asked a = asked_take(msg_ask(m));
	int64_t total = msg_int(m, 0);

	if (!a.ask)
		return 0;
	keep_written(a.user, a.key, !msg_error(m) && a.sum ? &total : NULL);
	if (msg_error(m)) {
		log_line(LOG_WARN, "gateway", "%s of %s was not written to Redis: %s", a.key,
		         a.user, msg_error_text(m));
		read_again(self, a.user, a.key);
	} else {
		tell_changed(self, &a);
	}
	asked_fini(&a);
	return 0;
}

static int changed(actor *self, const msg *m)
{
	if (keep_is_here(msg_str(m, 0)))
		read_again(self, msg_str(m, 0), msg_str(m, 1));
	return 0;
}

static int read_one(actor *self, const msg *m)
{
	struct asked a = asked_take(msg_ask(m));
	bool is_text = !msg_error(m) && msg_type(m, 0) == MSG_STR;

	(void)self;
	if (a.ask && (is_text || !msg_error(m)))
		keep_shared(a.user, a.key, is_text ? msg_str(m, 0) : NULL, msg_len(m, 0));
	asked_fini(&a);
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
	         { "share", "user:str key:str command:str value:str?", share, 0 },
	         { "written", "answer:any?",                  written,    0 },
	         { "changed", "user:str key:str",             changed,    0 },
	         { "read",  "answer:any?",                    read_one,   0 },
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
