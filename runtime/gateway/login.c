/* SPDX-License-Identifier: MIT
 * login.c - from a client's first message to where its calls may pass.
 *
 *   login -> the actor that --login names -> second login? -> the store, Redis -> loginback
 *
 * Who is let in says an actor, which is asked; what a user keeps (core/keep.h) is loaded by its
 * first session, before the login is answered, so that handlers find it in memory. The store that
 * fails, or a Redis that is away, does not keep anybody out; but what the store did not tell of is
 * not written either (keep_unread()).
 *
 * Only what the actor says of a login is a refusal. Where it is not reached in time, has no room
 * or is gone meanwhile, or the address has had too many refused, the connection is closed with
 * 1013 and without a loginback, and its client tries again: to clients a refusal is final. One
 * counts against the address, as does who leaves before it is told; there the port says who may
 * not try now.
 *
 * Invariants: `asking` from the question to the last answer, frames are held as long; a session has
 * a seat among the users from its login until it is closed, its own, so that no other's end takes
 * it. (One that is only passing, for a call by HTTP, has none.)
 * The session's thread. */
#include "login.h"

#include "keep.h"
#include "log.h"
#include "users.h"

enum {
	LOGIN_MS = 10000,               /* what the login actor may take, */
	LOAD_MS = 5000,                 /* and the store, and Redis */
};

static struct {
	const struct frames_port *port;
	enum same_user same_user;
	const char *name;               /* of the doorkeeper */
	actor_ref doorkeeper, store, bus;
} login;

static struct packed packed(const struct buf *b)
{
	return (struct packed){ (const uint8_t *)b->p, (const uint8_t *)b->p + b->len };
}

/* Those who want to know who comes and goes have joined these groups. A call by HTTP does neither.
 */
static void tell_group(const struct session *s, const char *group)
{
	struct buf b = { 0 };

	if (s->passing)
		return;
	pack_text(&b, s->user);
	core_publish(core_actor(s->id), group, packed(&b), 1);
	buf_fini(&b);
}

static void name_user(struct session *s, const char *name, size_t len)
{
	mem_free(s->user);
	s->user = mem_string(name, len);
}

/* NULL, or why it can be no user's: who is taken for somebody else is worse off than who is out. */
static const char *wrong_name(const char *name, size_t len)
{
	return memchr(name, 0, len) ? "a name has no zero byte"
	     : len > NAME_MAX_LEN ? "a name has 255 bytes at most" : NULL;
}

static void answer_login(struct session *s, const struct envelope *e, const char *refused_because)
{
	const uint8_t code = refused_because != NULL;   /* the number in msgpack, too */

	session_answer(s, e, (struct packed){ &code, &code + 1 }, 1);
	if (refused_because)
		session_close(s, CLOSE_POLICY, refused_because);
}

/* NULL, or nobody says that it may not come in, for that cannot be said now: clients try again. */
static const char *come_again(int error)
{
	return error == ACTOR_EFULL || error == ACTOR_ETIME || error == ACTOR_ENOMEM ?
	       "too many logins at once: try again"
	     : error == ACTOR_ENOENT ? "nobody lets clients in just now: try again" : NULL;
}

static struct envelope login_back(const struct envelope *e)
{
	return (struct envelope){ .enc = e->enc, .cb = { "loginback", 9 }, .id = e->id };
}

static bool login_fits(const struct envelope *e, struct value *user)
{
	struct packed args = e->args;
	struct value proof;

	return e->count == 2 && packed_next(&args, user) > 0 && user->type == VALUE_STR &&
	       user->len && !wrong_name(user->str, user->len) &&
	       packed_next(&args, &proof) > 0 && proof.type == VALUE_STR &&
	       (!e->id.at || e->id.end - e->id.at <= NAME_MAX_LEN);
}

/* ACTOR_EFULL: to be tried again. */
int login_ask(struct session *s, const struct envelope *e, bool last)
{
	struct call c = { .to = login.doorkeeper, .what = "login", .args = e->args,
		          .count = e->count, .origin = FROM_CLIENT };
	struct envelope back = login_back(e);
	struct why why = { "" };
	struct value user;
	const char *later;
	int64_t ask;

	if (!login_fits(e, &user)) {
		answer_login(s, &back, "login takes a GUID, of 255 bytes at most, and a password's "
		             "hash");
		return 0;
	}
	later = login.port->barred(s->conn);
	if (later) {
		session_close(s, CLOSE_LATER, later);
		return 0;
	}
	ask = core_ask(core_actor(s->id), &c, "settled", LOGIN_MS, &why);
	if (ask == ACTOR_EFULL && !last)
		return ACTOR_EFULL;
	if (ask < 0) {
		log_line(LOG_WARN, "gateway", "a login could not be asked about: %s", why.text);
		later = ask == ACTOR_ENOENT ? NULL : come_again((int)ask);
		if (later)
			session_close(s, CLOSE_LATER, later);
		else
			answer_login(s, &back, "nobody is here who lets clients in");
		return 0;
	}
	name_user(s, user.str, user.len);
	session_due(s, &back, ask);
	s->asking = true;
	return 0;
}

/* Whose connection lives on another thread is told by that one's keeper. False: that is too
 * busy. */
static bool close_other(struct session *s, const struct user_place *other)
{
	struct call c = { .to = other->here->keeper, .what = "elsewhere", .count = 1 };
	actor *near = other->here == s->here ? core_actor(other->session) : NULL;
	struct buf b = { 0 };
	int error;

	if (near && session_of(near))
		session_close(session_of(near), CLOSE_ELSEWHERE,
		              "this user has logged in elsewhere");
	if (other->here == s->here)
		return true;
	pack_int(&b, (int64_t)other->session);
	c.args = packed(&b);
	error = core_send(core_actor(s->id), &c, NULL);
	buf_fini(&b);
	return !error || error == ACTOR_ENOENT;
}

/* The same user may be here already. NULL: welcome, and it has its seat, or was told to come again
 * later. */
static const char *enter_users(struct session *s)
{
	struct buf others = { 0 };
	const struct user_place *p;
	bool may = s->passing || users_enter(s, login.same_user, &others), closed = true;

	p = (const struct user_place *)(void *)others.p;
	for (size_t i = 0; i < others.len / sizeof *p; i++)
		closed = close_other(s, &p[i]) && closed;
	buf_fini(&others);
	if (!closed) {
		users_leave(s);
		session_close(s, CLOSE_LATER,
		              "this user's earlier session cannot be closed now: try again");
	}
	return may ? NULL : "this user is logged in already";
}

/* --- what is loaded before its calls pass -------------------------------------------------- */

/* The calls that came meanwhile pass from now on. */
static void go_in(struct session *s, const struct envelope *e)
{
	s->asking = false;
	keep_loaded(s->user);
	if (s->closing)
		return;
	s->in = true;
	if (!s->passing)
		list_add(&s->here->in, &s->all);
	answer_login(s, e, NULL);
	tell_group(s, "afterLogin");
}

static void let_held_go(struct session *s)
{
	if (s->held && !s->asking) {
		session_held(s);
		session_go_on(s);
	}
}

/* False: there is nobody to be asked, or no room. */
static bool ask_on(struct session *s, const struct envelope *e, const struct call *c,
                   const char *then)
{
	int64_t ask = core_alive(c->to) ?
	              core_ask(core_actor(s->id), c, then, LOAD_MS, NULL) : -1;

	if (ask >= 0)
		session_due(s, e, ask);
	return ask >= 0;
}

static bool ask_redis(struct session *s, const struct envelope *e)
{
	struct call c = { .to = login.bus, .what = "command", .count = 2 };
	struct buf b = { 0 }, key = { 0 };
	bool asked;

	buf_printf(&key, "actord:user:%s", s->user);
	pack_str(&b, "HGETALL", 7);
	pack_str(&b, key.p, key.len);
	c.args = packed(&b);
	asked = ask_on(s, e, &c, "shared");
	buf_fini(&key);
	buf_fini(&b);
	return asked;
}

static bool ask_store(struct session *s, const struct envelope *e)
{
	struct call c = { .to = login.store, .what = "load", .count = 1 };
	struct buf b = { 0 };
	bool asked;

	pack_text(&b, s->user);
	c.args = packed(&b);
	asked = ask_on(s, e, &c, "loaded");
	if (!asked && core_alive(c.to))
		keep_unread(s->user, true);
	buf_fini(&b);
	return asked;
}

/* The session that an answer is for, and its login's envelope: NULL, it is not waited for. */
static struct session *waiting_one(actor *self, const msg *m, struct due_call **d,
                                   struct envelope *e)
{
	struct session *s = session_of(self);

	*d = s ? session_due_take(s, msg_ask(m)) : NULL;
	if (!*d)
		return NULL;
	*e = due_request(*d);
	return s;
}

int login_settled(actor *self, const msg *m)
{
	struct due_call *d;
	struct envelope e;
	struct session *s = waiting_one(self, m, &d, &e);
	const char *no, *later = come_again(msg_error(m));

	if (!s)
		return 0;
	no = msg_error(m) ? msg_error_text(m) : wrong_name(msg_str(m, 0), msg_len(m, 0));
	if (!no && msg_len(m, 0))
		name_user(s, msg_str(m, 0), msg_len(m, 0));
	if (!no && !s->closing)
		no = enter_users(s);
	if (s->closing || no) {
		s->asking = false;
		if (msg_error(m) && !later)
			login.port->refused(s->conn);
		if (later)
			session_close(s, CLOSE_LATER, later);
		else if (!s->closing)
			answer_login(s, &e, no);
	} else if (!keep_open(s->id, s->user) || (!ask_store(s, &e) && !ask_redis(s, &e))) {
		go_in(s, &e);
	}
	session_due_free(s, d);
	let_held_go(s);
	return 0;
}

int login_loaded(actor *self, const msg *m)
{
	struct due_call *d;
	struct envelope e;
	struct session *s = waiting_one(self, m, &d, &e);

	if (!s)
		return 0;
	keep_unread(s->user, msg_error(m) != 0);
	if (msg_error(m))
		log_line(LOG_WARN, "gateway", "what %s keeps was not loaded, and is not written "
		         "until its next login: %s", s->user, msg_error_text(m));
	if (!ask_redis(s, &e))
		go_in(s, &e);
	session_due_free(s, d);
	let_held_go(s);
	return 0;
}

/* Fields and values in turn. */
static void take_shared(const char *user, const msg *m)
{
	struct msg_items in = msg_items(m, 0);
	struct msg_item key, value;

	while (msg_next(&in, &key) > 0 && msg_next(&in, &value) > 0) {
		char *name = mem_string(key.str, key.len);

		keep_shared(user, name, value.str, value.len);
		mem_free(name);
	}
}

int login_shared(actor *self, const msg *m)
{
	struct due_call *d;
	struct envelope e;
	struct session *s = waiting_one(self, m, &d, &e);

	if (!s)
		return 0;
	if (msg_error(m))
		actor_send(self, actor_find("clients"), "unread", s->user, msg_error_text(m));
	else if (msg_type(m, 0) == MSG_LIST)
		take_shared(s->user, m);
	go_in(s, &e);
	session_due_free(s, d);
	let_held_go(s);
	return 0;
}

void login_gone(struct session *s)
{
	if (s->in)
		tell_group(s, "beforeQuit");
	else if (s->asking)
		login.port->refused(s->conn);
	keep_close(s->id);
	users_leave(s);
	rooms_leave(&s->seats);
	list_remove(&s->all);
	mem_free(s->user);
}

/* It may come later; who misspelt it wants to know before the first client does. */
void login_look(void)
{
	struct handler_info h;

	if (core_away(login.doorkeeper))
		return;
	if (!core_alive(login.doorkeeper))
		log_line(LOG_WARN, "gateway", "--login %s: there is no actor of that name, so "
		         "nobody can log in until there is; `actorctl ps` lists those that are",
		         login.name);
	else if (core_handler(login.doorkeeper, "login", &h))
		log_line(LOG_WARN, "gateway", "--login %s: that actor has no handler `login`, so "
		         "nobody can log in until a patch gives it one", login.name);
}

void login_setup(const struct session_config *c)
{
	login.port = c->port;
	login.same_user = c->same_user;
	login.name = c->login;
	login.doorkeeper = actor_find(c->login);
	login.store = actor_find("store");
	login.bus = actor_find("bus");
}
