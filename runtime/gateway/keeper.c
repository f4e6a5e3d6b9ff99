/* SPDX-License-Identifier: MIT
 * keeper.c - the actor of one of the gateway's threads that does for the sessions there what others
 * ask.
 *
 *   again                      tries held frames, when nothing else would
 *   say what name func ...     as `heard` of the actor `clients`, as are join, leave, count and
 *   ...                        close, seat and unseat (join and leave of a user): each answers the
 *                              number for this thread's sessions
 *   elsewhere who:int          that session's user has logged in elsewhere
 *
 * Only who lives on a thread touches the sessions there, so whoever else wants something of them
 * asks this actor; `clients`, which lives on the first thread, calls the functions there.
 * Each on its own thread. */
#include "keeper.h"

#include "users.h"

enum { RETRY_MS = 10 };

static struct type *type;

static struct sessions *here_of(actor *self)
{
	return *(struct sessions **)actor_state(self);
}

static int again(actor *self, const msg *m)
{
	struct sessions *here = here_of(self);

	(void)m;
	here->keeping = sessions_retry_all(here) && actor_after(self, RETRY_MS, "again") > 0;
	return 0;
}

static int elsewhere(actor *self, const msg *m)
{
	struct session *s = session_find(here_of(self), (actor_ref)msg_int(m, 0));

	if (s)
		session_close(s, CLOSE_ELSEWHERE, "this user has logged in elsewhere");
	return 0;
}

/* --- telling ------------------------------------------------------------------------------ */

static void say_to_all(struct sessions *here, struct news *n)
{
	for (struct link *l = here->in.next; l != &here->in; l = l->next)
		session_tell(LINKED(l, struct session, all), n);
}

static void say_to_room(struct sessions *here, const char *name, struct news *n)
{
	for (struct seat *s = room_seats(&here->rooms, name); s; s = s->next_in_room)
		session_tell(s->who, n);
}

/* Those of this user, to mem_free() by the buf; how many. */
static struct session *const *of_user(struct sessions *here, const char *name, struct buf *b,
                                      size_t *n)
{
	users_here(name, here, b);
	*n = b->len / sizeof(struct session *);
	return (struct session *const *)(void *)b->p;
}

static void say_to_user(struct sessions *here, const char *name, struct news *n)
{
	struct buf b = { 0 };
	size_t count;
	struct session *const *s = of_user(here, name, &b, &count);

	for (size_t i = 0; i < count; i++)
		session_tell(s[i], n);
	buf_fini(&b);
}

/* what: "all", or "room" or "user" with a name; m from `first` on: the handler and its values. */
unsigned keeper_say(struct sessions *here, const char *what, const char *name, const msg *m,
                    int first)
{
	struct news n = { .m = m, .first = first + 1,
		          .func = { msg_str(m, first), msg_len(m, first) } };

	if (strcmp(what, "all") == 0)
		say_to_all(here, &n);
	else if (strcmp(what, "room") == 0)
		say_to_room(here, name, &n);
	else
		say_to_user(here, name, &n);
	news_fini(&n);
	return n.told;
}

static int say(actor *self, const msg *m)
{
	return msg_reply(m, keeper_say(here_of(self), msg_str(m, 0), msg_str(m, 1), m, 2));
}

/* --- rooms and users ---------------------------------------------------------------------- */

unsigned keeper_count(const struct sessions *here, const char *room)
{
	return room_count(&here->rooms, room);
}

unsigned keeper_join(struct sessions *here, const char *room, actor_ref who)
{
	struct session *s = session_find(here, who);

	if (s)
		room_enter(&here->rooms, room, &s->seats, s);
	return keeper_count(here, room);
}

unsigned keeper_leave(struct sessions *here, const char *room, actor_ref who)
{
	struct session *s = session_find(here, who);

	if (s)
		room_leave(&here->rooms, room, &s->seats);
	return keeper_count(here, room);
}

unsigned keeper_seat(struct sessions *here, const char *room, const char *user, bool in)
{
	struct buf b = { 0 };
	size_t n;
	struct session *const *s = of_user(here, user, &b, &n);

	for (size_t i = 0; i < n; i++)
		if (in)
			room_enter(&here->rooms, room, &s[i]->seats, s[i]);
		else
			room_leave(&here->rooms, room, &s[i]->seats);
	buf_fini(&b);
	return keeper_count(here, room);
}

unsigned keeper_close(struct sessions *here, const char *user, const char *reason)
{
	struct buf b = { 0 };
	size_t n;
	struct session *const *s = of_user(here, user, &b, &n);

	for (size_t i = 0; i < n; i++)
		session_close(s[i], CLOSE_POLICY, reason);
	buf_fini(&b);
	return (unsigned)n;
}

static int join(actor *self, const msg *m)
{
	return msg_reply(m, keeper_join(here_of(self), msg_str(m, 0), (actor_ref)msg_int(m, 1)));
}

static int leave(actor *self, const msg *m)
{
	return msg_reply(m, keeper_leave(here_of(self), msg_str(m, 0), (actor_ref)msg_int(m, 1)));
}

static int seat(actor *self, const msg *m)
{
	return msg_reply(m, keeper_seat(here_of(self), msg_str(m, 0), msg_str(m, 1), true));
}

static int unseat(actor *self, const msg *m)
{
	return msg_reply(m, keeper_seat(here_of(self), msg_str(m, 0), msg_str(m, 1), false));
}

static int count(actor *self, const msg *m)
{
	return msg_reply(m, keeper_count(here_of(self), msg_str(m, 0)));
}

static int close_user(actor *self, const msg *m)
{
	return msg_reply(m, keeper_close(here_of(self), msg_str(m, 0), msg_str(m, 1)));
}

/* --- its life ----------------------------------------------------------------------------- */

static const struct actor_type keeper_type = {
	.name = "gateway",
	.state = sizeof(struct sessions *),
	.on = ON({ "again",     "",                              again,      0 },
	         { "elsewhere", "who:int",                       elsewhere,  0 },
	         { "say",       "what:str name:str func:str ...", say,       0 },
	         { "join",      "room:str who:int",              join,       0 },
	         { "leave",     "room:str who:int",              leave,      0 },
	         { "seat",      "room:str user:str",             seat,       0 },
	         { "unseat",    "room:str user:str",             unseat,     0 },
	         { "count",     "room:str",                      count,      0 },
	         { "close",     "user:str reason:str",           close_user, 0 }),
};

int keeper_setup(struct why *why)
{
	struct type_options options = { .max_count = 32767, .max_bytes = 32 << 20, .native = true };

	type = core_add_type(&keeper_type, &options, NULL, why);
	return type ? 0 : ACTOR_EFAIL;
}

int keeper_new(struct sessions *here, struct why *why)
{
	struct spawn s = { .type = type, .home = here->home, .init = &here, .size = sizeof here };
	struct actor_info i;
	int error = core_spawn(&s, &here->keeper, why);

	if (!error && !core_inspect(here->keeper, &i))
		here->title = i.home;
	return error;
}
