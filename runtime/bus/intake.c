/* SPDX-License-Identifier: MIT
 * intake.c - messages of Redis become calls of actors.
 *
 * The idea: a message that wants an answer becomes an ask of the bus's own actor; what is needed
 * to answer it (ct, cb, id, the encoding) waits in a place found by the ask's number. One that
 * wants none is sent, and forgotten. What cannot be handed on yet is held, in order, with its
 * topic:
 *
 *      take -> held before it, or a barrier? --no--> handle --taken--> done
 *                     |yes                             | no room
 *                     v                                v
 *                   hold <-----------------------------+    drain: at an answer, or in time
 *
 * A barrier: the call of a handler with ON_BARRIER makes later messages to the same topic wait
 * until its answer has come, or for BARRIER_MS; so the call after a patch meets the patched code.
 * It keeps its caller while it waits for those before it. So what of a stream is a barrier is done
 * with when it is answered; all else when its handler has returned.
 *
 * Invariants: per topic, messages are handled in the order of intake_take(). Nothing that comes in
 * can do worse than be refused; refusals that nobody waits for are logged, but not each.
 * The loop's thread only. Does not read Redis. */
#include "intake.h"

#include <stdio.h>

#include "envelope.h"
#include "log.h"
#include "pending.h"
#include "ports.h"

enum {
	ASK_MS = 30000,
	SURE_MS = 3600000,      /* a barrier's that came by a stream: its entry stays so long */
	BARRIER_MS = 250,
	RETRY_MS = 2,           /* a full mailbox is tried again */
	BARRIERS_MOST = 32,     /* of streams: others want room where patches wait, too */
	SAY_MS = 5000,
};

struct intake {
	struct intake_config c;
	actor *self, *again;
	struct delivery *delivery;      /* what is being handled is of; NULL: of none */
	bool is_again;
	struct text raw;                /* what is being handled, as it came */
	struct buf scratch, values;
	struct pendings asked;
	struct topic *waiting;
	struct loop_timer *timer;
	int64_t armed_ms;
	unsigned barriers;              /* of streams, not answered yet */
	struct intake_info info;
	int64_t said_ms;
	uint64_t unsaid;
};

/* As nodes, streams, claims and rollouts are kept: what is RPUSHed there breaks them. */
static const char our_keys[] = "actord:{";
static const char stopping[] = "the node is stopping";

static actor_ref (*instead)(handler *passes);   /* NULL: nobody is called in another's stead */

void intake_instead(actor_ref (*fn)(handler *passes))
{
	instead = fn;
}

static void complain(struct intake *in, const char *fmt, ...) PRINTF(2, 3);

/* What a sender got wrong is his to hear; where he cannot, a line now and then. */
static void complain(struct intake *in, const char *fmt, ...)
{
	int64_t now = now_ms();
	char text[512];
	va_list ap;

	in->info.refused++;
	in->unsaid++;
	if (now - in->said_ms < SAY_MS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (in->unsaid > 1)
		log_line(LOG_WARN, "bus", "%s (and %llu more messages were refused)", text,
		         (unsigned long long)in->unsaid - 1);
	else
		log_line(LOG_WARN, "bus", "%s", text);
	in->said_ms = now;
	in->unsaid = 0;
}

/* --- asks under way ----------------------------------------------------------------------- */

static struct pending *add(struct intake *in, int64_t ask, struct topic *t,
                           const struct envelope *e, struct delivery *of)
{
	bool wanted = e->cb.len && e->ct.len;
	struct pending *p = pending_add(&in->asked, ask);

	p->topic = t;
	t->uses++;
	p->delivery = of;
	p->sure = in->delivery != NULL;
	p->enc = e->enc;
	p->ct = wanted ? e->ct.len : 0;
	p->cb = wanted ? e->cb.len : 0;
	p->id = wanted && e->id.at ? (size_t)(e->id.end - e->id.at) : 0;
	if (wanted) {
		buf_add(&p->bytes, e->ct.p, e->ct.len + 1);
		buf_add(&p->bytes, e->cb.p, e->cb.len + 1);
		buf_add(&p->bytes, e->id.at, p->id);
	}
	return p;
}

static struct envelope request_of(const struct pending *p)
{
	const char *cb = p->bytes.p + p->ct + 1;
	const uint8_t *id = (const uint8_t *)cb + p->cb + 1;

	return (struct envelope){
		.enc = p->enc, .ct = { p->bytes.p, p->ct }, .cb = { cb, p->cb },
		.id = { p->id ? id : NULL, p->id ? id + p->id : NULL },
	};
}

/* --- answering ---------------------------------------------------------------------------- */

/* ct is an actor of this node: what would be published is handed over. */
static void hand_over(struct intake *in, const struct topic *t, const struct envelope *e,
                      struct packed args, unsigned count, int code, const char *text)
{
	struct call c = {
		.to = t->ref, .what = e->cb.p, .args = args, .count = count, .origin = FROM_REDIS
	};
	struct why why;

	if (code)
		complain(in, "the answer for %s.%s is an error: %s", t->name, e->cb.p, text);
	else if (core_send(in->self, &c, &why) < 0)
		complain(in, "an answer was not taken: %s", why.text);
	else
		in->info.answered++;
}

/* sure: what asked came by a stream, and is not asked again once it is handled. */
static void answer(struct intake *in, const struct envelope *e, struct packed args, unsigned count,
                   int code, const char *text, bool sure)
{
	struct topic *t = topics_find(in->c.topics, e->ct.p);
	struct buf *out;
	size_t at;

	if (in->c.own(in->c.arg, e->ct.p, e->cb.p, args, count, code, text))
		return;
	if (!strncmp(e->ct.p, our_keys, sizeof our_keys - 1)) {
		complain(in, "an answer was wanted on %.200s, one of actord's own keys", e->ct.p);
		return;
	}
	if (t) {
		hand_over(in, t, e, args, count, code, text);
		return;
	}
	out = outbox_write(in->c.outbox, e->ct.p, e->ct.len);
	at = out->len;
	envelope_answer(out, e, &args, count, code, text);
	if (out->len - at > MESSAGE_MAX) {
		out->len = at;
		envelope_answer(out, e, NULL, 0, ACTOR_EFAIL, "the answer is over 16 MiB");
	}
	outbox_send(in->c.outbox, sure);
	in->info.answered++;
}

void intake_tell(struct intake *in, const char *ct, const char *cb, struct packed args,
                 unsigned count, int code, const char *text)
{
	struct envelope e = { .enc = ENC_JSON, .ct = { ct, strlen(ct) }, .cb = { cb, strlen(cb) } };

	if (e.ct.len && e.cb.len)
		answer(in, &e, args, count, code, text, false);
}

static void refuse(struct intake *in, const struct topic *t, const struct envelope *e, int code,
                   const char *text)
{
	if (!e->cb.len || !e->ct.len) {
		complain(in, "a message to %s was refused: %s", t->name, text);
		return;
	}
	in->info.refused++;
	answer(in, e, (struct packed){ NULL, NULL }, 0, code, text, in->delivery != NULL);
}

/* --- waiting ------------------------------------------------------------------------------ */

static void wait_for(struct intake *in, struct topic *t, int ms)
{
	t->until_ms = now_ms() + ms;
	if (!t->waiting) {
		t->waiting = true;
		t->next_waiting = in->waiting;
		in->waiting = t;
	}
	if (t->until_ms < in->armed_ms) {
		in->armed_ms = t->until_ms;
		loop_timer_set(in->timer, ms);
	}
}

/* --- handling ----------------------------------------------------------------------------- */

/* Two actors ask, so a number is not enough. */
static int64_t key_of(const struct intake *in, const actor *self, int64_t number)
{
	return self == in->again ? -number : number;
}

/* What came by a stream is acknowledged when it has been handled, whoever waits for an answer, and
 * for how long. There is a place for the question (call()), and marks always fit: so a refusal says
 * that t has ended. */
static void follow(struct intake *in, struct topic *t, int64_t mark, uint32_t lease, bool asked)
{
	struct pending *p;

	if (!mark) {
		in->c.delivered(in->delivery);
		return;
	}
	p = add(in, mark, t, &(struct envelope){ .enc = ENC_JSON }, in->delivery);
	p->lease = lease;
	p->asked = asked;
}

/* Whoever asked is told. What nobody asked, and came by a stream, is not lost for that. */
static void refuse_call(struct intake *in, struct topic *t, const struct envelope *e, int code,
                        const char *text)
{
	if (in->delivery && !(e->cb.len && e->ct.len)) {
		in->info.refused++;
		in->c.set_aside(in->delivery, in->raw.p, in->raw.len, e->func.len, text);
		return;
	}
	refuse(in, t, e, code, text);
	if (in->delivery)
		in->c.delivered(in->delivery);
}

/* One that has nothing to do would pass it on now: a worker less to wake, for a patch. Not above 0:
 * ask itself, which tells what is wrong in its own name. */
static int64_t ask_instead(actor *self, const struct call *c, actor_ref to, int ms)
{
	struct call direct = *c;
	struct why why;

	if (!to || !core_idle(c->to))
		return 0;
	direct.to = to;
	return core_ask(self, &direct, "answered", ms, &why);
}

/* False: there is no room for it now. */
static bool call(struct intake *in, struct topic *t, const struct envelope *e)
{
	struct call c = { .to = t->ref, .what = e->func.p, .args = e->args, .count = e->count,
	                  .origin = FROM_REDIS };
	actor *self = in->is_again ? in->again : in->self;
	bool wanted = e->cb.len && e->ct.len, barrier, followed;
	struct trace_link link = core_trace_link(e->trace.p);
	struct handler_info info;
	actor_ref passed;
	struct why why;
	int64_t ask, mark = 0;
	struct pending *p;
	int ms;

	barrier = !core_handler(t->ref, c.what, &info) && info.flags & ON_BARRIER;
	passed = barrier && instead ? instead(info.fn) : 0;
	if (in->is_again && core_too_late(&c, &why)) {
		refuse_call(in, t, e, ACTOR_EFAIL, why.text);
		return true;
	}
	/* What would be acknowledged before it is handled, as nobody could follow it, waits. */
	if (in->delivery && (!core_may_ask(self, 1 + wanted) ||
	                     (barrier && in->barriers >= BARRIERS_MOST)))
		return false;
	followed = in->delivery && !barrier;
	c.lease = in->delivery ? in->c.lease(in->delivery) : 0;
	c.stays = followed;
	ms = in->delivery && barrier ? SURE_MS : ASK_MS;
	core_trace_enter(&link);
	if (barrier && (ask = ask_instead(self, &c, passed, ms)) > 0)
		;
	else if (wanted || barrier)
		ask = core_ask(self, &c, "answered", ms, &why);
	else if (followed)
		ask = core_follow(self, &c, "answered", &why);
	else
		ask = core_send(self, &c, &why);
	core_trace_leave();
	if (ask == ACTOR_EFULL || ask == ACTOR_ENOMEM)
		return false;
	if (ask == ACTOR_ENOENT && in->delivery && !core_is_topic(t->ref))
		in->c.returned(in->delivery, in->raw.p, in->raw.len);
	else if (ask < 0)
		refuse_call(in, t, e, (int)ask, why.text);
	if (ask >= 0 && followed)
		mark = wanted ? core_reach(self, t->ref, "answered") : ask;
	mark = mark > 0 ? key_of(in, self, mark) : 0;
	if (ask > 0 && (wanted || barrier)) {
		p = add(in, key_of(in, self, ask), t, e, barrier ? in->delivery : NULL);
		p->mark = mark;
		p->lease = barrier ? c.lease : 0;
		p->barrier = p->delivery != NULL;
		p->passed = passed != 0;
		in->barriers += p->barrier;
	}
	if (ask > 0 && wanted && !barrier && in->asked.n == 1)
		loop_expect(in->c.loop);
	if (ask >= 0 && followed)
		follow(in, t, mark, c.lease, wanted);
	if (ask > 0 && barrier) {
		t->barrier = key_of(in, self, ask);
		wait_for(in, t, BARRIER_MS);
	}
	return true;
}

/* What is no message is text, for who takes text. */
static bool text(struct intake *in, struct topic *t, const char *bytes, size_t len)
{
	const char *what = core_text_handler(t->ref);
	struct envelope e = { .enc = ENC_JSON, .count = 1 };

	if (!what || len > MESSAGE_MAX || !utf8_valid(bytes, len)) {
		refuse_call(in, t, &e, ACTOR_EARGS, !what ? "neither JSON nor a msgpack map" :
		            len > MESSAGE_MAX ? "text over 16 MiB" : "text that is not UTF-8");
		return true;
	}
	buf_clear(&in->scratch);
	pack_str(&in->scratch, bytes, len);
	e.func = (struct text){ what, strlen(what) };
	e.args = packed_of(&in->scratch);
	return call(in, t, &e);
}

/* A broadcast of this node's: it comes back to whoever sent it, too. */
static bool is_ours(const struct intake *in, const struct envelope *e, bool channel)
{
	return channel && e->pid.len && !strcmp(e->pid.p, in->c.node);
}

static bool handle(struct intake *in, struct topic *t, const char *bytes, size_t len, bool channel)
{
	struct envelope e;
	struct why why;

	in->raw = (struct text){ bytes, len };
	if (!envelope_is(bytes, len))
		return text(in, t, bytes, len);
	if (envelope_read(&e, &in->scratch, bytes, len, &why)) {
		e.func.len = 0;
		refuse_call(in, t, &e, ACTOR_EARGS, why.text);
		return true;
	}
	if (is_ours(in, &e, channel))
		return true;
	if (!e.err_code)
		return call(in, t, &e);
	why_set(&why, 0, "an error for an answer: %.*s", (int)e.err_text.len,
	        e.err_text.p ? e.err_text.p : "");
	e.cb.len = 0;
	refuse_call(in, t, &e, ACTOR_EARGS, why.text);
	return true;
}

static void drain(struct intake *in, struct topic *t)
{
	while (t->first && !t->barrier) {
		in->delivery = t->first->as.delivery;
		in->is_again = t->first->as.again;
		if (!handle(in, t, t->first->bytes, t->first->len, t->first->as.channel)) {
			wait_for(in, t, RETRY_MS);
			break;
		}
		in->info.held--;
		topic_let_go(t);
	}
	in->delivery = NULL;
	in->is_again = false;
}

static void on_timer(void *arg)
{
	struct intake *in = arg;
	struct topic *t = in->waiting, *next;
	int64_t now = now_ms();

	in->waiting = NULL;
	in->armed_ms = INT64_MAX;
	for (; t; t = next) {
		next = t->next_waiting;
		t->waiting = false;
		if (t->until_ms > now) {
			if (t->barrier || t->first)
				wait_for(in, t, (int)(t->until_ms - now));
			continue;
		}
		if (t->barrier)
			log_line(LOG_WARN, "bus", "a patch by %s is under way for %d ms; what came "
			         "behind it waits no longer for it", t->name, BARRIER_MS);
		t->barrier = 0;
		drain(in, t);
	}
	in->c.settled(in->c.arg);
}

static void too_many(struct intake *in, const struct topic *t, const char *bytes, size_t len)
{
	struct envelope e = { .enc = ENC_JSON };
	struct why why;

	if (envelope_is(bytes, len))
		envelope_read(&e, &in->scratch, bytes, len, &why);
	why_set(&why, ACTOR_EFULL, "%s: %u messages wait already: try again later", t->name,
	        t->held);
	refuse(in, t, &e, ACTOR_EFULL, why.text);
}

/* --- the face ----------------------------------------------------------------------------- */

struct intake *intake_new(const struct intake_config *c, actor *self, actor *again)
{
	struct intake *in = mem_alloc(sizeof *in);

	in->c = *c;
	in->self = self;
	in->again = again;
	in->asked.free = PENDING_NONE;
	in->armed_ms = INT64_MAX;
	in->said_ms = -SAY_MS;
	in->timer = loop_timer_new(c->loop, on_timer, in);
	return in;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	loop_timer_free(in->timer);
	pending_fini(&in->asked);
	buf_fini(&in->scratch);
	buf_fini(&in->values);
	mem_free(in);
}

/* False: it was refused, for there are too many. */
static bool take(struct intake *in, struct topic *t, const char *bytes, size_t len, bool channel)
{
	in->info.taken++;
	if (!t->first && !t->barrier && handle(in, t, bytes, len, channel))
		return true;
	if (!topic_hold(t, bytes, len, &(struct held_as){ channel, in->is_again, in->delivery })) {
		too_many(in, t, bytes, len);
		return false;
	}
	in->info.held++;
	if (!t->waiting)
		wait_for(in, t, RETRY_MS);
	return true;
}

void intake_take(struct intake *in, struct topic *t, const char *bytes, size_t len, bool channel)
{
	take(in, t, bytes, len, channel);
}

bool intake_deliver(struct intake *in, struct topic *t, const char *bytes, size_t len,
                    struct delivery *d, bool again)
{
	bool taken;

	in->delivery = d;
	in->is_again = again;
	taken = take(in, t, bytes, len, false);
	in->delivery = NULL;
	in->is_again = false;
	return taken;
}

/* m, the answer to p, tells that what p is of is not handled, as its lease has lapsed: the core
 * says so; or m is a mark behind what nobody answered who had it. As a question that is over is
 * told nothing, that may be either, and comes once more. */
static bool lapsed(struct intake *in, struct pending *p, const msg *m)
{
	struct pending *behind = p->mark ? pending_find(&in->asked, p->mark) : NULL;
	struct pending *mark = behind ? behind : p;
	bool told = msg_error(m) == CORE_LAPSED;

	if (mark->lease && (told || (mark == p && p->asked)) && !core_lease_holds(mark->lease))
		return true;
	if (mark != p)
		mark->asked = msg_error(m) == ACTOR_ETIME;
	return false;
}

int intake_answered(struct intake *in, actor *self, const msg *m)
{
	struct pending *p = pending_take(&in->asked, key_of(in, self, msg_ask(m)));
	struct topic *t;
	struct envelope e;
	unsigned n = 0;
	bool is_void;

	if (!p)
		return 0;
	t = p->topic;
	e = request_of(p);
	buf_clear(&in->values);
	in->barriers -= p->barrier;
	is_void = lapsed(in, p, m);
	if (is_void && p->delivery)
		in->c.lapsed(p->delivery);
	else if (p->barrier && in->c.again(p->delivery, msg_error(m), p->passed))
		is_void = true;
	if (p->cb && !msg_error(m))
		n = (unsigned)msg_pack(m, 0, &in->values);
	if (p->cb && !is_void)
		answer(in, &e, packed_of(&in->values), n, msg_error(m), msg_error_text(m), p->sure);
	else if (!is_void)
		in->info.refused += msg_error(m) != 0;  /* the core has said why */
	if (t->barrier == p->ask)
		t->barrier = 0;
	if (p->delivery)
		in->c.delivered(p->delivery);
	p->topic->uses--;
	pending_free(&in->asked, p);
	drain(in, t);
	in->c.settled(in->c.arg);
	return 0;
}

/* Behind it come those that must keep their order, by streams; or nothing. */
static void give_up_held(struct intake *in, struct topic *t)
{
	struct envelope e;
	struct why why;

	for (; t->first && !t->first->as.delivery; topic_let_go(t)) {
		if (!envelope_read(&e, &in->scratch, t->first->bytes, t->first->len, &why) &&
		    !e.err_code && !is_ours(in, &e, t->first->as.channel))
			refuse(in, t, &e, ACTOR_EFAIL, stopping);
		in->info.held--;
	}
}

void intake_give_up(struct intake *in)
{
	for (struct topic *t = in->waiting; t; t = t->next_waiting)
		give_up_held(in, t);
	for (uint32_t i = 0; i < in->asked.room; i++) {
		struct pending *p = &in->asked.place[i];
		struct envelope e;

		if (!p->cb || p->sure)
			continue;
		e = request_of(p);
		refuse(in, p->topic, &e, ACTOR_EFAIL, stopping);
		p->cb = 0;
	}
}

void intake_info(const struct intake *in, struct intake_info *out)
{
	*out = in->info;
	out->pending = in->asked.n;
}
