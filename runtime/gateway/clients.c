/* SPDX-License-Identifier: MIT
 * clients.c - the actor `clients`: what actors say to many clients, or to one by its name.
 *
 *   join room:str who:int?     who: a session, as msg_from() gives it; 0 or none: the sender. Of a
 *   leave room:str who:int?    client of another node: its user's sessions on all other nodes, by
 *                              their `seat` and `unseat`
 *   room room:str func:str ... to all in the room     } on all nodes of this Redis; the answer
 *   user user:str func:str ... to one user's sessions } says how many it was sent to on this one
 *   all  func:str ...          to everybody           }
 *   count room:str             how many of this node are in the room
 *   users                      how many names are logged in on this node
 *   close user:str reason:str  its sessions end, on all nodes; the answer: how many on this one
 *   share, changed, unread, connected   what users share: share.c
 *
 * The idea: all that is said once is encoded once (session_tell; once a thread, where --ws-threads
 * says several), and PUBLISHed once for the other nodes, whose own `clients` hear it by `heard` and
 * pass it on no further. The bus is reached by its name; where there is none, this node is alone.
 * A room is a name and nothing else: who may join and speak is up to the actors that call.
 *
 * It lives on the gateway's first thread and does for the sessions there what their keeper does for
 * each other thread's (keeper.c), which is sent the same; an answer is the sum. Messages from one
 * actor to another keep their order, so who joins a room hears what is said there next.
 * Keeps what the keepers were asked. */
#include "clients.h"

#include "keeper.h"
#include "log.h"
#include "ports.h"
#include "share.h"
#include "users.h"

enum { KEEPER_MS = 10000, SAY_MS = 10000 };

static actor_ref bus;
static struct { struct sessions *const *at; int n; int64_t said_ms; } threads;

/* Questions to keepers, the oldest first, as the answers of each come; and what they are parts of.
 */
struct sum { msg_caller caller; unsigned left; int64_t total; bool may_miss; int error; };
static struct part { struct part *next; int64_t ask; struct sum *of; } *parts, **parts_end = &parts;

/* --- the gateway's threads ---------------------------------------------------------------- */

/* What the other keepers are sent: texts, `who` if it is not 0, and m's values from `first` on. */
struct request {
	const char *what, *text[2];
	actor_ref who;
	const msg *m; int first;
};

static msg_out *values_of(actor *self, const struct request *r)
{
	msg_out *o = msg_values(self);

	for (int i = 0; i < 2 && r->text[i]; i++)
		out_str(o, r->text[i]);
	if (r->who)
		out_int(o, (int64_t)r->who);
	for (int i = r->first; r->m && i < msg_count(r->m); i++)
		out_value(o, r->m, i);
	return o;
}

/* The sessions of a thread that is so far behind miss it. */
static void note_full(int error)
{
	if (error >= 0 || now_ms() - threads.said_ms < SAY_MS)
		return;
	threads.said_ms = now_ms();
	log_line(LOG_WARN, "gateway", "a thread of clients is too busy: some "
	         "miss what is said");
}

/* False: it could not even be sent. */
static bool ask_keeper(actor *self, actor_id keeper, const struct request *r, struct sum *sum)
{
	int64_t ask = actor_ask_out(self, keeper, r->what, "summed", KEEPER_MS, values_of(self, r));

	if (ask < 0)
		return !actor_send_out(self, keeper, r->what, values_of(self, r));
	*parts_end = mem_alloc(sizeof **parts_end);
	**parts_end = (struct part){ NULL, ask, sum };
	parts_end = &(*parts_end)->next;
	sum->left++;
	return true;
}

/* What is said may miss a thread that is far behind; all else is done everywhere, or is to be asked
 * for again. */
static void answer_sum(actor *self, struct sum *sum)
{
	static const struct packed nothing;

	if (sum->error && !sum->may_miss)
		core_answer(self, sum->caller, nothing, 0, sum->error,
		            "a thread of clients is too busy: try again");
	else
		actor_answer(self, sum->caller, sum->total);
	mem_free(sum);
}

/* Has the other threads do it too; m is answered with the sum, mine being this one's part. */
static int do_elsewhere(actor *self, const msg *m, unsigned mine, const struct request *r)
{
	struct sum *sum;
	msg_caller caller;

	if (threads.n == 1)
		return msg_reply(m, mine);
	caller = msg_defer(m);
	if (!caller) {
		for (int i = 1; i < threads.n; i++)
			note_full(actor_send_out(self, threads.at[i]->keeper, r->what,
			                         values_of(self, r)));
		return 0;
	}
	sum = mem_alloc(sizeof *sum);
	*sum = (struct sum){ caller, 0, mine, strcmp(r->what, "say") == 0, 0 };
	for (int i = 1; i < threads.n; i++)
		if (!ask_keeper(self, threads.at[i]->keeper, r, sum))
			note_full(sum->error = ACTOR_EFULL);
	if (!sum->left)
		answer_sum(self, sum);
	return 0;
}

static int summed(actor *self, const msg *m)
{
	struct part **at = &parts, *p;
	struct sum *sum;

	while (*at && (*at)->ask != msg_ask(m))         /* one of the first, most often */
		at = &(*at)->next;
	p = *at;
	if (!p)
		return 0;
	sum = p->of;
	*at = p->next;
	if (parts_end == &p->next)
		parts_end = at;
	mem_free(p);
	if (msg_error(m))
		sum->error = msg_error(m);
	else
		sum->total += msg_int(m, 0);
	if (!--sum->left)
		answer_sum(self, sum);
	return 0;
}

/* --- telling ------------------------------------------------------------------------------ */

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

static void pass_on_texts(actor *self, const char *func, const char *first, const char *second)
{
	if (actor_alive(bus))
		actor_send(self, bus, "publish", "clients", func, first, second);
}

/* On all threads of this node. m from `first` on: the handler and its values. */
static int say_here(actor *self, const msg *m, const char *what, const char *name, int first)
{
	struct request r = { "say", { what, name }, 0, m, first };

	return do_elsewhere(self, m, keeper_say(threads.at[0], what, name, m, first), &r);
}

static int say(actor *self, const msg *m, const char *what, const char *name, int first)
{
	pass_on(self, what, name, m, first);
	return say_here(self, m, what, name, first);
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
	return say_here(self, m, msg_str(m, 0), msg_str(m, 1), 2);
}

/* --- rooms and users ---------------------------------------------------------------------- */

static actor_ref who(const msg *m, int i)
{
	int64_t ref = msg_int(m, i);

	return ref ? (actor_ref)ref : msg_from(m);
}

static int count(actor *self, const msg *m)
{
	struct request r = { .what = "count", .text = { msg_str(m, 0) } };

	return do_elsewhere(self, m, keeper_count(threads.at[0], r.text[0]), &r);
}

static int seat_here(actor *self, const msg *m, bool in)
{
	struct request r = { .what = in ? "seat" : "unseat",
	                     .text = { msg_str(m, 0), msg_str(m, 1) } };

	return do_elsewhere(self, m, keeper_seat(threads.at[0], r.text[0], r.text[1], in), &r);
}

static int seat(actor *self, const msg *m)
{
	return seat_here(self, m, true);
}

static int unseat(actor *self, const msg *m)
{
	return seat_here(self, m, false);
}

/* Of a client of another node: its user's sessions there. False: it is none. */
static bool seat_there(actor *self, const msg *m, const char *what, actor_ref client)
{
	char user[NAME_MAX_LEN + 1];

	if (session_is(client) || !client_user(client, user, sizeof user))
		return false;
	pass_on_texts(self, what, msg_str(m, 0), user);
	return true;
}

static int join(actor *self, const msg *m)
{
	struct request r = { .what = "join", .text = { msg_str(m, 0) }, .who = who(m, 1) };

	if (seat_there(self, m, "seat", r.who))
		return count(self, m);
	if (!session_is(r.who))
		return msg_fail(m, "join: no client is behind that reference");
	return do_elsewhere(self, m, keeper_join(threads.at[0], r.text[0], r.who), &r);
}

static int leave(actor *self, const msg *m)
{
	struct request r = { .what = "leave", .text = { msg_str(m, 0) }, .who = who(m, 1) };

	if (seat_there(self, m, "unseat", r.who))
		return count(self, m);
	return do_elsewhere(self, m, keeper_leave(threads.at[0], r.text[0], r.who), &r);
}

static int users(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, users_count());
}

/* As `close`, which another node was told. */
static int closed(actor *self, const msg *m)
{
	struct request r = { .what = "close", .text = { msg_str(m, 0), msg_str(m, 1) } };

	return do_elsewhere(self, m, keeper_close(threads.at[0], r.text[0], r.text[1]), &r);
}

static int close_user(actor *self, const msg *m)
{
	pass_on_texts(self, "closed", msg_str(m, 0), msg_str(m, 1));
	return closed(self, m);
}

/* --- its life ----------------------------------------------------------------------------- */

static const struct actor_type clients_type = {
	.name = "clients",
	.on = ON({ "room",  "room:str func:str ...",          to_room,    0 },
	         { "user",  "user:str func:str ...",          to_user,    0 },
	         { "all",   "func:str ...",                   to_all,     0 },
	         { "heard", "what:str name:str func:str ...", heard,      0 },
	         { "summed", "part:int?",                     summed,     0 },
	         { "join",  "room:str who:int?",              join,       0 },
	         { "leave", "room:str who:int?",              leave,      0 },
	         { "seat",  "room:str user:str",              seat,       0 },
	         { "unseat", "room:str user:str",             unseat,     0 },
	         { "count", "room:str",                       count,      0 },
	         { "users", "",                               users,      0 },
	         { "close", "user:str reason:str",            close_user, 0 },
	         { "closed", "user:str reason:str",           closed,     0 },
	         { "share", "user:str key:str command:str value:str?", share_set, 0 },
	         { "written", "answer:any?",                  share_written, 0 },
	         { "unsaid", "",                              share_unsaid, 0 },
	         { "changed", "user:str key:str",             share_changed, 0 },
	         { "read", "answer:any?",                     share_read, 0 },
	         { "unread", "user:str reason:str",           share_unread, 0 },
	         { "ask again", "",                           share_ask_again, 0 },
	         { "connected", "",                           share_connected, 0 },
	         { "reread", "",                              share_reread, 0 },
	         { "all read", "answer:any?",                 share_all_read, 0 }),
};

int clients_setup(struct sessions *const *all, int n, struct why *why)
{
	struct type_options options = { .max_count = 32767, .max_bytes = 32 << 20,
	                                .native = true, .topic = true };
	struct spawn s = { .home = all[0]->home, .name = "clients" };
	actor_id id;

	bus = actor_find("bus");
	share_setup();
	threads.at = all;
	threads.n = n;
	threads.said_ms = now_ms() - SAY_MS;
	s.type = core_add_type(&clients_type, &options, NULL, why);
	return s.type ? core_spawn(&s, &id, why) : ACTOR_EFAIL;
}
