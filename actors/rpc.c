/* SPDX-License-Identifier: MIT
 * rpc: what the processes that share a Redis may ask of a node, and clients may not.
 *
 * `exec` and `eval` bring patches and are passed on to the actor `patch`, which answers the sender.
 * `callOther` calls another actor for the sender and has the bus carry the answer, or the refusal,
 * to the handler CB of topic CT; until then where it goes to is kept here, in one of a fixed number
 * of places. A topic that no actor here has gets the call in the global table; the runtime's own
 * rooms, which are no topics, are not there for the sender. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "actor.h"

enum { WAITING_MAX = 512, WAIT_MS = 30000, TOPIC_SIZE = 256 };

struct rpc {
	actor_ref patch, bus, global;
	int64_t ask[WAITING_MAX];       /* 0: a free place */
	struct { char ct[TOPIC_SIZE], cb[TOPIC_SIZE]; } to[WAITING_MAX];
};

static int start(actor *self)
{
	struct rpc *r = actor_state(self);

	r->patch = actor_find("patch");
	r->bus = actor_find("bus");
	r->global = actor_find("");
	return 0;
}

static int test(actor *self, const msg *m)
{
	size_t first = msg_len(m, 0), second = msg_len(m, 1);
	msg_out *answer = msg_values(self);
	char *at = out_room(answer, 6 + first + 2 + second + 1);

	memcpy(at, "args: ", 6);
	memcpy(at + 6, msg_str(m, 0), first);
	memcpy(at + 6 + first, ", ", 2);
	memcpy(at + 8 + first, msg_str(m, 1), second);
	at[8 + first + second] = '.';
	return msg_reply_out(m, answer);
}

static int exec(actor *self, const msg *m)
{
	struct rpc *r = actor_state(self);

	return msg_forward(m, r->patch, "exec");
}

static int eval(actor *self, const msg *m)
{
	struct rpc *r = actor_state(self);

	return msg_forward(m, r->patch, "eval");
}

/* --- calls for others --------------------------------------------------------------------- */

enum { TEXT_SIZE = 3 * TOPIC_SIZE };

static bool is_list(const msg *m)
{
	return strncmp(msg_str(m, 1), "list:", 5) == 0;
}

/* Who is called says himself what he does not take. That nobody is there the global table would
 * say, which was not meant. */
static void explain(actor *self, const msg *m, int error, char *text)
{
	if (error == ACTOR_ENOENT && !is_list(m))
		snprintf(text, TEXT_SIZE, "%.200s.%.200s: there is no such actor or handler",
		         msg_str(m, 1), msg_str(m, 0));
	else
		snprintf(text, TEXT_SIZE, "%s", actor_why(self));
}

static int place(const struct rpc *r, int64_t ask)
{
	for (int i = 0; i < WAITING_MAX; i++)
		if (r->ask[i] == ask)
			return i;
	return -1;
}

static msg_out *values_from(actor *self, const msg *m, int first)
{
	msg_out *o = msg_values(self);

	for (int i = first; i < msg_count(m); i++)
		out_value(o, m, i);
	return o;
}

/* Both who asked us and who waits at ct hear of it. */
static int refuse(actor *self, const msg *m, int code, const char *text)
{
	struct rpc *r = actor_state(self);

	actor_send(self, r->bus, "refuse", msg_str(m, 2), msg_str(m, 3), code, text);
	return msg_fail(m, "%s", text);
}

/* then NULL: it is told, not asked. A topic that neither this node has nor another one is the
 * global table's; of one that is here only its own handlers count. */
static int64_t call(actor *self, const msg *m, const char *then, int first)
{
	struct rpc *r = actor_state(self);
	actor_ref to = actor_find(msg_str(m, 1));
	int64_t rc;

	for (;; to = r->global) {
		bool here = actor_alive(to);
		msg_out *o = values_from(self, m, first);

		rc = here && !actor_is_topic(to) ? ACTOR_ENOENT :
		     then ? actor_ask_out(self, to, msg_str(m, 0), then, WAIT_MS, o)
		          : actor_send_out(self, to, msg_str(m, 0), o);
		if (rc != ACTOR_ENOENT || here || is_list(m))
			return rc;
	}
}

static int tell_other(actor *self, const msg *m, int first)
{
	int error = (int)call(self, m, NULL, first);
	char text[TEXT_SIZE];

	if (!error)
		return 0;
	explain(self, m, error, text);
	return msg_fail(m, "%s", text);
}

static int call_other_nr(actor *self, const msg *m)
{
	return tell_other(self, m, 2);
}

static int call_other(actor *self, const msg *m)
{
	struct rpc *r = actor_state(self);
	int at = place(r, 0);
	char text[TEXT_SIZE];
	int64_t ask;

	if (!msg_len(m, 2) || !msg_len(m, 3))
		return tell_other(self, m, 4);
	if (msg_len(m, 2) >= TOPIC_SIZE || msg_len(m, 3) >= TOPIC_SIZE)
		return msg_fail(m, "ct and cb may have %d bytes each", TOPIC_SIZE - 1);
	if (at < 0) {
		snprintf(text, TEXT_SIZE, "%.200s.%.200s: too many calls for others are waiting",
		         msg_str(m, 1), msg_str(m, 0));
		return refuse(self, m, ACTOR_EFULL, text);
	}
	ask = call(self, m, "answered", 4);
	if (ask < 0) {
		explain(self, m, (int)ask, text);
		return refuse(self, m, (int)ask, text);
	}
	r->ask[at] = ask;
	memcpy(r->to[at].ct, msg_str(m, 2), msg_len(m, 2) + 1);
	memcpy(r->to[at].cb, msg_str(m, 3), msg_len(m, 3) + 1);
	return 0;
}

static int answered(actor *self, const msg *m)
{
	struct rpc *r = actor_state(self);
	int at = msg_ask(m) ? place(r, msg_ask(m)) : -1;
	msg_out *o;

	if (at < 0)
		return msg_fail(m, "nothing was asked");
	r->ask[at] = 0;
	if (msg_error(m))
		return actor_send(self, r->bus, "refuse", r->to[at].ct, r->to[at].cb, msg_error(m),
		                  msg_error_text(m));
	o = msg_values(self);
	out_str(o, r->to[at].ct);
	out_str(o, r->to[at].cb);
	for (int i = 0; i < msg_count(m); i++)
		out_value(o, m, i);
	return actor_send_out(self, r->bus, "answer", o);
}

const struct actor_type rpc = {
	.name  = "rpc",
	.state = sizeof(struct rpc),
	.start = start,
	.on    = ON({ "test", "arg1:str arg2:str", test, 0 },
	            { "exec", "source:str", exec, ON_BARRIER },
	            { "eval", "topic:str handler:str source:str function:str", eval, ON_BARRIER },
	            { "callOther", "handler:str topic:str ct:str cb:str ...", call_other, 0 },
	            { "callOtherNR", "handler:str topic:str ...", call_other_nr, 0 },
	            { "answered", "...", answered, 0 }),
	.mailbox = { .bytes = 16 << 20 },       /* it carries sources */
};
