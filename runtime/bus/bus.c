/* SPDX-License-Identifier: MIT
 * bus.c - messages between processes, through Redis: the actor `bus`, and what ties its parts
 * together.
 *
 *              wire (a link, a Cluster): commands        lists           channels
 *                                        ^   ^            |                |
 *                                   outbox   calls      lists           on_message
 *                                        ^   ^            |                |
 *      actors --list:TOPIC, bus.answer---+---+            +--> intake <----+   core_ask, core_send
 *      actors --answers of asks----------> intake --> outbox
 *      actors --names of other nodes--> peers --XADD--> a node's inbox --XREAD--> inbox --> actors
 *
 * The idea: the bus is one actor on the I/O loop. What Redis brings it asks in its own name, so
 * that the answer comes back to it as a message; and as a proxy it is sent all that is for lists.
 *
 * Invariants: nothing is popped before the channels are subscribed, as a patch that is PUBLISHed
 * must not be missed by whoever takes the calls after it. A change of the link is one line in the
 * log. The loop's thread, except names_changed(), which may be anybody's. */
#include "bus.h"

#include <stdatomic.h>
#include <stdio.h>

#include "buried.h"
#include "calls.h"
#include "claims.h"
#include "envelope.h"
#include "errand.h"
#include "intake.h"
#include "wire.h"
#include "lists.h"
#include "log.h"
#include "member.h"
#include "nodes.h"
#include "outbox.h"
#include "reply.h"
#include "rollouts.h"
#include "streams.h"
#include "topic.h"
#include "url.h"

enum {
	PENDING_MOST = 4096,    /* asks under way: more stays on the lists */
	UNSENT_MOST = 8 << 20,  /* bytes that Redis does not take from us fast enough */
	ANSWERS_MOST = 8192,
	TICK_MS = 5000, SWEEP_MS = 250,
	SAY_MS = 10000,         /* while it is down: a reason that changes is news so often */
	MAILBOX_COUNT = 32767, MAILBOX_BYTES = 32 << 20,
};

struct bus {
	struct loop *loop;
	actor *self;
	actor *again;                   /* asks what may have been handled before: msg_again() */
	struct url url;
	struct buf shown;               /* the URL without the password */
	char *node, *reply;
	struct wire *wire;
	struct topics *topics;
	struct outbox *outbox;
	struct intake *intake;
	struct lists *lists;
	struct calls *calls;
	struct streams *streams;
	struct buried *buried;
	struct claims *claims;
	struct rollouts *rollouts;
	struct member *member;          /* among the nodes on this Redis */
	struct loop_timer *tick, *sweep;
	struct buf scratch;
	atomic_bool looking;            /* a look at the names is under way to the loop */
	_Atomic bool ready;             /* others look */
	bool quiet;
	int64_t ready_beat;             /* when it is back, all is subscribed */
	bool subscribed, joined;        /* so it is; the other nodes can find us, or never will */
	void (*refused)(void *arg, const char *reason);
	void *refused_arg;
	char said[256];                 /* of the link, last */
	char warned[512];               /* of the link that is up */
	int64_t said_ms;
	void (*changed)(void *arg, bool up);
	void *arg;
};

/* --- the actor ---------------------------------------------------------------------------- */

/* to:str what:str, then the values: what an actor sent to us, or to a list. */
static int routed(actor *self, const msg *m)
{
	struct bus *b = *(struct bus **)actor_state(self);
	const char *to = msg_str(m, 0), *what = msg_str(m, 1);
	struct why why;

	if (!strncmp(to, "list:", 5))
		return calls_push(b->calls, m);
	if (buried_asked(b->buried, m, what) || claims_asked(b->claims, m, what) ||
	    rollouts_asked(b->rollouts, m, what))
		return 0;
	if (reply_names(m) && !strcmp(what, "answer"))
		return reply_values(b->intake, m);
	if (reply_names(m) && !strcmp(what, "refuse"))
		return reply_error(b->intake, m);
	if (reply_names(m) && !strcmp(what, "publish"))
		return calls_publish(b->calls, m, b->node);
	if (!strcmp(what, "command"))
		return errand_run(wire_port(b->wire, LINK_COMMANDS), self, m);
	why_set(&why, ACTOR_ENOENT, "%s.%s: there is no such handler that takes these values", to,
	        what);
	core_answer(self, msg_defer(m), (struct packed){ NULL, NULL }, 0, ACTOR_ENOENT, why.text);
	return 0;
}

static int answered(actor *self, const msg *m)
{
	return intake_answered((*(struct bus **)actor_state(self))->intake, self, m);
}

static int rolled(actor *self, const msg *m)
{
	rollouts_answered((*(struct bus **)actor_state(self))->rollouts, m);
	return 0;
}

static const struct actor_type bus_type = {
	.name  = "bus",
	.state = sizeof(struct bus *),
	.on    = ON({ "routed",   "to:str what:str ...", routed,   0 },
	            { "answered", "...",                 answered, 0 },
	            { "rolled",   "...",                 rolled,   0 }),
};

static int actor_start(struct bus *b, struct why *why)
{
	static const struct type_options options = {
		.max_count = MAILBOX_COUNT, .max_bytes = MAILBOX_BYTES,
		.proxy = true, .by_name = true, .native = true,
	};
	struct spawn s = { .type = core_type("bus"), .name = "bus", .home = loop_home(b->loop),
	                   .init = &b, .size = sizeof b };
	actor_id id = 0;
	int err;

	if (!s.type)
		s.type = core_add_type(&bus_type, &options, NULL, why);
	err = s.type ? core_spawn(&s, &id, why) : ACTOR_EFAIL;
	if (err)
		return err;
	b->self = core_actor(id);
	core_set_route(id);
	s.name = NULL;
	err = core_spawn(&s, &id, why);
	if (err)
		return err;
	b->again = core_actor(id);
	core_set_again(1, id);
	return 0;
}

/* --- what comes --------------------------------------------------------------------------- */

/* On our reply topic: an answer to what an actor of ours asked. func is the number it was given. */
static void on_reply(struct bus *b, const char *bytes, size_t len)
{
	struct envelope e;
	struct why why;

	if (envelope_read(&e, &b->scratch, bytes, len, &why) || !e.func.p)
		log_line(LOG_DEBUG, "bus", "what came for %s is no answer: %s", b->reply, why.text);
	else
		calls_answered(b->calls, e.func.p, e.args, e.count, e.err_code, e.err_text.p);
}

static void on_listed(void *arg, struct topic *t, const char *bytes, size_t len)
{
	struct bus *b = arg;

	if (t)
		intake_take(b->intake, t, bytes, len, false);
	else
		on_reply(b, bytes, len);
}

static void on_message(void *arg, struct redis_reply channel, struct redis_reply payload)
{
	struct bus *b = arg;
	struct topic *t = topics_find(b->topics, channel.str);

	if (payload.type != REDIS_STR)
		return;
	if (t && !b->quiet)
		intake_take(b->intake, t, payload.str, payload.len, true);
	else if (!t && !strcmp(channel.str, b->reply) &&
	         !lists_heard(b->lists, payload.str, payload.len))
		on_reply(b, payload.str, payload.len);
	else if (!t && !strcmp(channel.str, NODES_CHANNEL))
		rollouts_heard(b->rollouts);
}

static bool own(void *arg, const char *ct, const char *cb, struct packed args, unsigned count,
                int code, const char *text)
{
	struct bus *b = arg;

	if (strcmp(ct, b->reply))
		return false;
	calls_answered(b->calls, cb, args, count, code, text);
	return true;
}

static bool room(void *arg)
{
	struct bus *b = arg;
	struct intake_info in;
	struct outbox_info out;

	intake_info(b->intake, &in);
	outbox_info(b->outbox, &out);
	return b->ready && member_ours(b->member) && in.pending < PENDING_MOST &&
	       out.waiting < ANSWERS_MOST && out.bytes < OUTBOX_BYTES_MOST / 2 &&
	       wire_unsent(b->wire) < UNSENT_MOST;
}

static void go_on(void *arg)
{
	struct bus *b = arg;

	lists_go(b->lists);
	streams_go(b->streams);
}

/* --- streams of topics -------------------------------------------------------------------- */

static bool on_entry(void *arg, struct topic *t, const char *bytes, size_t len,
                     struct delivery *d, bool again)
{
	return intake_deliver(((struct bus *)arg)->intake, t, bytes, len, d, again);
}

static int is_there(void *arg, const char *node)
{
	return member_knows(((struct bus *)arg)->member, node);
}

static bool is_ours(void *arg)
{
	return member_ours(((struct bus *)arg)->member);
}

static void on_gone(void *arg)
{
	streams_gone(((struct bus *)arg)->streams);
}

/* --- topics ------------------------------------------------------------------------------- */

static void on_topic(void *arg, struct topic *t)
{
	struct bus *b = arg;

	if (wire_up(b->wire) && !b->quiet)
		wire_subscribe(b->wire, t->hosted, 1, (const char *[]){ t->name }, &t->len);
}

static void look(void *arg)
{
	struct bus *b = arg;

	atomic_store(&b->looking, false);
	topics_look(b->topics, on_topic, b);
	lists_changed(b->lists);
	streams_changed(b->streams);
	member_changed(b->member);
	loop_timer_set(b->sweep, 0);
}

/* What names that have gone leave behind, until it is gone, too. */
static void on_sweep(void *arg)
{
	struct bus *b = arg;

	streams_sweep(b->streams);
	if (topics_sweep(b->topics, lists_use, b->lists))
		loop_timer_set(b->sweep, SWEEP_MS);
}

static void names_changed(void *arg)
{
	struct bus *b = arg;

	if (!atomic_exchange(&b->looking, true))
		loop_post(b->loop, look, b);
}

/* --- the link ----------------------------------------------------------------------------- */

static void on_up(void *arg)
{
	static const size_t len = sizeof NODES_CHANNEL - 1;
	const char *nodes = NODES_CHANNEL;
	struct bus *b = arg;

	wire_subscribe(b->wire, true, 1, &nodes, &len);
	if (!b->quiet)
		wire_subscribe_all(b->wire, true, b->topics);
	b->subscribed = b->joined = false;
	b->ready_beat = wire_beat(b->wire);
	member_up(b->member);
}

static void see_warning(struct bus *b)
{
	const char *warning = wire_warning(b->wire);

	if (!b->ready || !strcmp(b->warned, warning))
		return;
	snprintf(b->warned, sizeof b->warned, "%s", warning);
	log_line(*warning ? LOG_WARN : LOG_INFO, "bus", "%s",
	         *warning ? warning : "what was warned of a failover is no more");
}

static void on_ready(struct bus *b)
{
	if (b->ready || !b->subscribed || !b->joined)
		return;
	b->ready = true;
	log_line(LOG_INFO, "bus", "connected to %s", b->shown.p);
	b->warned[0] = 0;
	see_warning(b);
	outbox_up(b->outbox);
	if (b->changed)
		b->changed(b->arg, true);
}

static void on_joined(void *arg, const char *failed)
{
	struct bus *b = arg;

	/* What failed is in the log: what needs no other node goes on, and is not told it again. */
	if (!b->joined || !failed)
		rollouts_up(b->rollouts);
	b->joined = true;
	if (!failed)
		streams_up(b->streams);
	on_ready(b);
	lists_go(b->lists);
}

static void on_refused(void *arg, const char *reason)
{
	struct bus *b = arg;

	b->refused(b->refused_arg, reason);
}

static void on_pulse(void *arg, int64_t beat)
{
	struct bus *b = arg;

	b->subscribed = b->subscribed || beat >= b->ready_beat;
	on_ready(b);
	lists_beat(b->lists, beat);
}

static void say_down(struct bus *b, const char *reason)
{
	if (!b->ready && (!strcmp(b->said, reason) || now_ms() - b->said_ms < SAY_MS))
		return;
	log_line(LOG_WARN, "bus", b->ready ? "lost %s: %s; trying again" :
	         "%s cannot be reached: %s; trying again", b->shown.p, reason);
	snprintf(b->said, sizeof b->said, "%s", reason);
	b->said_ms = now_ms();
}

static void on_down(void *arg, const char *reason)
{
	struct bus *b = arg;

	if (b->ready && b->changed)     /* before it is said: who reads the log may rely on it */
		b->changed(b->arg, false);
	say_down(b, reason);
	b->ready = false;
	calls_down(b->calls, reason);
	member_down(b->member);
	rollouts_down(b->rollouts);
	streams_down(b->streams);
	lists_down(b->lists);
}

static void on_tick(void *arg)
{
	struct bus *b = arg;

	loop_timer_set(b->tick, TICK_MS);
	see_warning(b);
	calls_expire(b->calls);
}

/* --- the face ----------------------------------------------------------------------------- */

static int member_start(struct bus *b, const struct bus_config *c, struct why *why)
{
	struct member_config m = {
		.loop = b->loop, .wire = b->wire, .topics = b->topics, .node = b->node,
		.identity = c->identity, .groups = c->groups, .joined = on_joined,
		.refused = on_refused, .gate = go_on, .gone = on_gone,
		.patches = c->patches, .patches_arg = c->arg, .arg = b,
	};

	b->refused = c->refused;
	b->refused_arg = c->arg;
	b->member = member_new(&m, why);
	if (!b->member)
		return ACTOR_EFAIL;
	b->rollouts = rollouts_new(&(struct rollouts_config){
		.loop = b->loop, .self = b->self, .port = wire_port(b->wire, LINK_COMMANDS),
		.member = b->member, .intake = b->intake, .node = b->node, .identity = c->identity,
		.groups = c->groups });
	return 0;
}

static void parts_new(struct bus *b)
{
	static const struct link_events events = {
		.up = on_up, .down = on_down, .message = on_message, .pulse = on_pulse,
	};
	struct buf name = { 0 };
	struct intake_config in = { .lease = shared_lease, .lapsed = shared_lapsed,
		.loop = b->loop, .node = b->node, .own = own, .settled = go_on,
		.delivered = shared_delivered, .returned = shared_returned,
		.set_aside = shared_set_aside, .again = shared_again, .arg = b
	};
	struct streams_config streams = {
		.loop = b->loop, .node = b->node, .entry = on_entry, .room = room,
		.there = is_there, .ours = is_ours, .arg = b,
	};
	struct lists_config lists = {
		.loop = b->loop, .reply = b->reply, .echoes = !url_is_cluster(&b->url),
		.message = on_listed, .room = room, .arg = b
	};

	buf_printf(&name, "actord:%s%c", b->node, 0);
	b->wire = wire_new(b->loop, &(struct link_config){ &b->url, name.p, b->reply, false },
	                   &events, b);
	buf_fini(&name);
	b->topics = topics_new(url_is_cluster(&b->url));
	b->outbox = outbox_new(wire_port(b->wire, LINK_COMMANDS), !url_is_cluster(&b->url),
	                       go_on, b);
	in.outbox = b->outbox;
	in.topics = b->topics;
	b->intake = intake_new(&in, b->self, b->again);
	lists.wire = b->wire;
	lists.topics = b->topics;
	b->lists = lists_new(&lists);
	streams.wire = b->wire;
	streams.topics = b->topics;
	b->streams = streams_new(&streams);
	b->buried = buried_new(b->self, wire_port(b->wire, LINK_COMMANDS));
	b->claims = claims_new(b->loop, b->self, wire_port(b->wire, LINK_COMMANDS), b->node);
	b->calls = calls_new(b->self, wire_port(b->wire, LINK_COMMANDS), b->reply);
	b->tick = loop_timer_new(b->loop, on_tick, b);
	b->sweep = loop_timer_new(b->loop, on_sweep, b);
}

struct bus *bus_new(struct loop *l, const struct bus_config *c, struct why *why)
{
	struct bus *b = mem_alloc(sizeof *b);
	struct buf reply = { 0 };

	b->loop = l;
	b->said_ms = -SAY_MS;
	if (url_parse(&b->url, c->url, why) || actor_start(b, why)) {
		mem_free(b);
		return NULL;
	}
	buf_printf(&reply, "actord:reply:%s%c", c->node, 0);
	b->reply = reply.p;
	b->node = mem_string(c->node, strlen(c->node));
	url_write(&b->url, false, &b->shown);
	buf_add(&b->shown, "", 1);
	if (c->socket)
		snprintf(b->url.path, sizeof b->url.path, "%s", c->socket);
	parts_new(b);
	if (member_start(b, c, why)) {
		bus_free(b);
		return NULL;
	}
	loop_timer_set(b->tick, TICK_MS);
	core_on_names(names_changed, b);
	names_changed(b);
	return b;
}

void bus_on_change(struct bus *b, void (*fn)(void *arg, bool up), void *arg)
{
	b->changed = fn;
	b->arg = arg;
}

void bus_info(const struct bus *b, struct bus_info *out)
{
	struct intake_info in;
	struct outbox_info answers;
	struct member_info nodes;

	member_info(b->member, &nodes);
	intake_info(b->intake, &in);
	outbox_info(b->outbox, &answers);
	*out = (struct bus_info){
		.connected = b->ready, .url = b->shown.p, .trouble = b->said,
		.warning = wire_warning(b->wire),
		.taken = in.taken, .answered = in.answered, .published = answers.sent,
		.refused = in.refused + answers.dropped + nodes.in.refused,
		.pending = in.pending + in.held + answers.waiting + calls_waiting(b->calls) +
		           nodes.in.pending + nodes.in.held + nodes.out.waiting,
		.bytes = wire_unsent(b->wire) + answers.bytes + nodes.out.bytes,
		.node_taken = nodes.in.taken, .node_again = nodes.in.again,
		.node_doubles = nodes.in.doubles, .node_sent = nodes.out.sent,
		.node_frames = nodes.out.frames, .elsewhere = nodes.elsewhere,
		.topics = topics_count(b->topics), .streams = streams_read(b->streams),
	};
}

bool bus_url(const struct bus *b, struct buf *out)
{
	return b->ready && wire_url(b->wire, out);
}

unsigned bus_nodes(const struct bus *b, struct buf *rows)
{
	return member_rows(b->member, rows);
}

enum bus_state bus_state(const struct bus *b)
{
	return !b->ready ? BUS_AWAY : member_rests(b->member) ? BUS_RESTS
	       : member_alone(b->member) ? BUS_ALONE : BUS_UP;
}

void bus_quiet(struct bus *b)
{
	b->quiet = true;
	if (wire_up(b->wire))
		wire_subscribe_all(b->wire, false, b->topics);
	lists_quiet(b->lists);
	streams_quiet(b->streams);
	rollouts_quiet(b->rollouts);
	member_quiet(b->member);
}

bool bus_idle(struct bus *b)
{
	struct intake_info in;
	struct outbox_info out;

	streams_sweep(b->streams);
	intake_info(b->intake, &in);
	outbox_info(b->outbox, &out);
	return !in.pending && !in.held && lists_idle(b->lists) && streams_idle(b->streams) &&
	       (!out.waiting || !b->ready) && calls_said(b->calls) && member_idle(b->member);
}

void bus_give_up(struct bus *b)
{
	intake_give_up(b->intake);
}

bool bus_leave(struct bus *b)
{
	bool released = claims_leave(b->claims);

	return member_leave(b->member) && released;
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	core_on_names(NULL, NULL);
	core_set_route(0);
	calls_forget(b->calls);
	wire_free(b->wire);
	loop_timer_free(b->tick);
	loop_timer_free(b->sweep);
	member_free(b->member);
	lists_free(b->lists);
	streams_free(b->streams);
	buried_free(b->buried);
	claims_free(b->claims);
	rollouts_free(b->rollouts);
	calls_free(b->calls);
	intake_free(b->intake);
	outbox_free(b->outbox);
	topics_free(b->topics);
	buf_fini(&b->scratch);
	buf_fini(&b->shown);
	mem_free(b->node);
	mem_free(b->reply);
	explicit_bzero(&b->url, sizeof b->url);
	mem_free(b);
}
