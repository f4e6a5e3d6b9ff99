/* SPDX-License-Identifier: MIT
 * arrivals.c - see arrivals.h.
 *
 * The idea: what comes for one actor goes into its mailbox in the order in which it came, whatever
 * it is. Where the mailbox is full, it waits in a queue of that actor's (late.c); whatever comes
 * for the actor then waits behind it, so that no question overtakes what its sender has sent
 * before. A question's deadline runs meanwhile. Where such a queue is long, the nodes it comes from
 * are told, and refuse what is for that actor, and nothing else. The batch it came in is open until
 * each actor that got something of it has come so far (core_reach).
 *
 * The loop's thread. Does not know how frames come. */
#include "arrivals.h"

#include <stdio.h>

#include "guests.h"
#include "late.h"
#include "places.h"

enum { TARGETS_MOST = 32, ANSWERS_FEW = 4 };

struct mark { struct place place; struct batch *batch; };

struct arrivals {
	struct arrivals_config c;
	actor *self;
	actor_id id;
	struct late *late;
	struct guests *guests;
	struct batch *filling;          /* what is being taken belongs to it */
	actor_ref target[TARGETS_MOST]; /* that got something of it */
	unsigned targets;
	char name[NAME_MAX_LEN + 1];    /* looked for last, and what it is */
	actor_ref found;
	actor_id answered;              /* by this batch, last; */
	unsigned answers, stirring;     /* so many were; batches whose answers are being handled */
	struct places marks, served, monitors;
};

/* --- following ---------------------------------------------------------------------------- */

/* False: more marks than it takes wait there already. */
static bool mark(struct arrivals *s, struct batch *b, actor_ref to)
{
	int64_t number = core_reach(s->self, to, "reached");
	struct mark *x;

	if (number < 0)
		return number != ACTOR_EFULL && number != ACTOR_ENOMEM;
	x = places_make(&s->marks, sizeof *x);
	x->place.number = (uint64_t)number;
	x->batch = b;
	batch_open(b);
	places_add(&s->marks, &x->place);
	return true;
}

static void mark_targets(struct arrivals *s)
{
	for (unsigned i = 0; i < s->targets; i++)
		if (!mark(s, s->filling, s->target[i])) {
			batch_open(s->filling);
			late_keep(s->late, s->target[i],
			          &(struct late_message){ .owner = s->filling });
		}
	s->targets = 0;
}

static void note_target(struct arrivals *s, actor_ref to)
{
	for (unsigned i = s->targets; i-- > 0; )
		if (s->target[i] == to)
			return;
	if (s->targets == TARGETS_MOST)
		mark_targets(s);
	s->target[s->targets++] = to;
}

/* --- handing on --------------------------------------------------------------------------- */

/* What comes in a row is for few. No node sends to what is no topic: that is forged. */
static actor_ref find(struct arrivals *s, const char *name)
{
	if (strcmp(s->name, name)) {
		snprintf(s->name, sizeof s->name, "%s", name);
		s->found = actor_find(name);
		if (core_alive(s->found) && !core_is_topic(s->found))
			s->found = 0;
	}
	return s->found;
}

static int hand(struct arrivals *s, actor_ref to, const struct late_message *m, struct why *why)
{
	bool by_client = m->client || m->guest;
	struct call c = { .to = to, .what = m->what, .args = m->args, .count = m->count,
	                  .client = m->client, .origin = by_client ? FROM_CLIENT : FROM_REDIS };

	return core_send(m->guest ? guest_actor(m->guest) : m->again ? s->self :
	                 peer_actor(m->peer), &c, why);
}

static int ask(struct arrivals *s, actor_ref to, struct peer *p, const struct part *part,
               bool again, struct guest *g)
{
	struct why why;
	int rc = g ? peer_ask(p, guest_actor(g), to, guest_served(g), part, &why)
	           : peer_ask(p, again ? s->self : peer_actor(p), to,
	                      again ? &s->served : peer_served(p), part, &why);

	if (rc < 0 && rc != ACTOR_EFULL && rc != ACTOR_ENOMEM)
		peer_refuse(p, NULL, part->number, rc, why.text);
	return rc;
}

static int ask_late(struct arrivals *s, actor_ref to, const struct late_message *m)
{
	struct part part = { .kind = PART_ASK, .number = m->number, .client = m->client,
	                     .args = m->args, .count = m->count };
	int64_t left_ms = m->until_ms - now_ms();

	if (m->until_ms)
		part.ms = left_ms > 0 ? (int)left_ms : 1;
	snprintf(part.what, sizeof part.what, "%s", m->what);
	if (m->guest)
		snprintf(part.user, sizeof part.user, "%s", guest_user(m->guest));
	return ask(s, to, m->peer, &part, m->again, m->guest);
}

static bool hand_late(void *arg, actor_ref to, struct late_message *m)
{
	struct arrivals *s = arg;
	struct why why = { "" };
	int rc = !m->what ? 0 : m->number ? ask_late(s, to, m) : hand(s, to, m, &why);

	if (rc == ACTOR_EFULL || rc == ACTOR_ENOMEM)
		return false;
	if (rc < 0 && !m->number)
		s->c.refused(s->c.arg, "a message from another node", why.text);
	else
		m->what = NULL;
	if (!m->what && !mark(s, m->owner, to))
		return false;
	guest_let_go(m->guest);
	acks_close(s->c.acks, m->owner);
	return true;
}

static void give_up(void *arg, struct late_message *m)
{
	struct arrivals *s = arg;

	peer_refuse(m->peer, NULL, m->number, ACTOR_ETIME,
	            "no answer in time: there was no room in the mailbox there");
	guest_let_go(m->guest);
	acks_close(s->c.acks, m->owner);
}

static void on_room(void *arg, actor_ref to, void *peer, bool there)
{
	(void)arg;
	peer_tell_room(peer, core_ref_name(to), there);
}

static void keep(struct arrivals *s, actor_ref to, const struct part *part, struct late_message *m)
{
	if (part->kind == PART_ASK) {
		m->number = part->number;
		m->until_ms = part->ms ? now_ms() + part->ms : 0;
	}
	m->owner = s->filling;
	guest_hold(m->guest);
	batch_open(s->filling);
	late_keep(s->late, to, m);
}

static void call(struct arrivals *s, struct peer *p, const struct part *part, bool again)
{
	actor_ref to = find(s, part->to);
	struct late_message m = {
		.what = part->what, .args = part->args, .count = part->count,
		.peer = p, .again = again, .client = part->client,
		.guest = *part->user ? guests_get(s->guests, p, part->user, again) : NULL };
	struct why why;
	int rc = late_waits(s->late, to) ? ACTOR_EFULL
	         : part->kind == PART_ASK ? ask(s, to, p, part, again, m.guest)
	                                  : hand(s, to, &m, &why);

	if (rc == ACTOR_EFULL || rc == ACTOR_ENOMEM)
		keep(s, to, part, &m);
	else if (rc == 0)
		note_target(s, to);
	else if (part->kind == PART_SEND)
		s->c.refused(s->c.arg, "a message from another node", why.text);
}

/* It was here before, for an actor that may not get it again: who asked is told. */
static bool too_late(struct arrivals *s, struct peer *p, const struct part *part)
{
	struct call c = { .to = find(s, part->to), .what = part->what, .args = part->args,
	                  .count = part->count };
	struct why why;

	if (!core_too_late(&c, &why))
		return false;
	if (part->kind == PART_ASK)
		peer_refuse(p, NULL, part->number, ACTOR_EFAIL, why.text);
	else
		s->c.refused(s->c.arg, "a message from another node", why.text);
	return true;
}

void arrivals_take(struct arrivals *s, struct peer *p, const struct part *part, bool again)
{
	switch (part->kind) {
	case PART_SEND:
	case PART_ASK:
		if (!again || !too_late(s, p, part))
			call(s, p, part, again);
		break;
	case PART_WATCH:
	case PART_UNWATCH:
		peer_watch(p, s->self, &s->monitors, part);
		break;
	case PART_ROOM:
		peers_room(s->c.peers, p, part->to, part->number);
		break;
	default:
		s->answered = peer_came(p, part);
		s->answers++;
	}
}

void arrivals_begin(struct arrivals *s, struct batch *b)
{
	s->filling = b;
	core_gather();
}

void arrivals_end(struct arrivals *s)
{
	mark_targets(s);
	if (s->answers >= ANSWERS_FEW && s->answered)
		s->stirring += core_reach(s->self, s->answered, "settled") >= 0;
	s->answers = 0;
	core_gathered();
	s->filling = NULL;
	peers_busy(s->c.peers, true);
}

void arrivals_look(struct arrivals *s)
{
	if (!s->stirring && !acks_count(s->c.acks))
		peers_busy(s->c.peers, false);
}

/* --- the actor ---------------------------------------------------------------------------- */

static struct arrivals *arrivals_of(actor *self)
{
	return *(struct arrivals **)actor_state(self);
}

static int routed(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "the inbox takes no messages from here");
}

static int reached(actor *self, const msg *m)
{
	struct arrivals *s = arrivals_of(self);
	struct mark *x = (struct mark *)places_take(&s->marks, (uint64_t)msg_ask(m));

	if (x)
		acks_close(s->c.acks, x->batch);
	places_drop(&s->marks, x);
	return 0;
}

static int settled(actor *self, const msg *m)
{
	struct arrivals *s = arrivals_of(self);

	(void)m;
	s->stirring--;
	arrivals_look(s);
	return 0;
}

static int answered(actor *self, const msg *m)
{
	peer_answered(&arrivals_of(self)->served, m);
	return 0;
}

static int down(actor *self, const msg *m)
{
	peer_tell_down(&arrivals_of(self)->monitors, m);
	return 0;
}

static const struct actor_type inbox_type = {
	.name = "inbox",
	.state = sizeof(struct arrivals *),
	.on = ON({ "routed", "to:str what:str ...", routed, 0 },
	         { "reached", "", reached, 0 },
	         { "settled", "", settled, 0 },
	         { "answered", "...", answered, 0 },
	         { "down", "number:int name:str reason:str", down, 0 }),
};

static int make_actor(struct arrivals *s, struct why *why)
{
	static const struct type_options options = { .proxy = true, .by_name = true,
	                                           .native = true };
	struct spawn spawn = { .type = core_type("inbox"), .home = loop_home(s->c.loop),
	                       .init = &s, .size = sizeof s };
	int rc;

	if (!spawn.type)
		spawn.type = core_add_type(&inbox_type, &options, NULL, why);
	rc = spawn.type ? core_spawn(&spawn, &s->id, why) : ACTOR_EFAIL;
	if (rc)
		return rc;
	s->self = core_actor(s->id);
	core_set_again(0, s->id);
	return 0;
}

/* --- the face ----------------------------------------------------------------------------- */

struct arrivals *arrivals_new(const struct arrivals_config *c, struct why *why)
{
	struct arrivals *s = mem_alloc(sizeof *s);

	s->c = *c;
	if (make_actor(s, why)) {
		mem_free(s);
		return NULL;
	}
	s->found = actor_find(s->name);
	s->guests = guests_new(c->loop);
	s->late = late_new(&(struct late_config){ c->loop, hand_late, give_up, on_room, s });
	return s;
}

void arrivals_free(struct arrivals *s)
{
	if (!s)
		return;
	late_free(s->late);
	guests_free(s->guests);
	places_forget(&s->marks);
	places_forget(&s->served);
	places_fini(&s->monitors);      /* they are the peers' */
	mem_free(s);
}

size_t arrivals_late_bytes(const struct arrivals *s)
{
	return late_bytes(s->late);
}

unsigned arrivals_late(const struct arrivals *s)
{
	return late_count(s->late);
}

unsigned arrivals_pending(const struct arrivals *s)
{
	return s->marks.n;
}
