/* SPDX-License-Identifier: MIT
 * penpal: asks the twin, and passes its answer on to whoever asked us. */
#include "actor.h"

enum { SLOTS = 1024 };
struct penpal {
	actor_ref twin, nobody;
	msg_caller waiting[SLOTS];
	int64_t question[SLOTS];
	msg_caller many;
	int64_t waited, in_vain;
};

static int start(actor *self)
{
	struct penpal *p = actor_state(self);

	p->twin = actor_find("list:pyRpc");
	p->nobody = actor_find("list:nobody home");
	return 0;
}

static int keep(struct penpal *p, const msg *m, int64_t question)
{
	int i;

	if (question < 0)
		return msg_fail(m, "not asked: %d", (int)question);
	for (i = 0; i < SLOTS; i++)
		if (!p->waiting[i]) {
			p->waiting[i] = msg_defer(m);
			p->question[i] = question;
			return 0;
		}
	return msg_fail(m, "too many letters");
}

static int ask(actor *self, const msg *m)
{
	struct penpal *p = actor_state(self);

	return keep(p, m, actor_ask(self, p->twin, "test", "answered", 10000,
	                            msg_str(m, 0), msg_str(m, 1)));
}

static int ask_nobody(actor *self, const msg *m)
{
	struct penpal *p = actor_state(self);

	return keep(p, m, actor_ask(self, p->nobody, "test", "answered", 200, "a", "b"));
}

/* So many questions at once that nobody answers: how many waited until their time was over. */
static int ask_nobody_often(actor *self, const msg *m)
{
	struct penpal *p = actor_state(self);
	int64_t n = msg_int(m, 0);

	p->many = msg_defer(m);
	p->waited = p->in_vain = 0;
	for (int64_t i = 0; i < n; i++)
		p->waited += actor_ask(self, p->nobody, "test", "gave_up", 200, "a", "b") > 0;
	return 0;
}

static int gave_up(actor *self, const msg *m)
{
	struct penpal *p = actor_state(self);

	p->in_vain += msg_error(m) == ACTOR_ETIME;
	if (!--p->waited)
		actor_answer(self, p->many, p->in_vain);
	return 0;
}

static int answered(actor *self, const msg *m)
{
	struct penpal *p = actor_state(self);
	int i;

	for (i = 0; i < SLOTS; i++)
		if (p->waiting[i] && p->question[i] == msg_ask(m)) {
			if (msg_error(m))
				actor_refuse(self, p->waiting[i], "%d: %s", msg_error(m),
				             msg_error_text(m));
			else
				actor_answer(self, p->waiting[i], msg_str(m, 0));
			p->waiting[i] = 0;
			return 0;
		}
	actor_log(self, "nobody waits for %d", (int)msg_ask(m));
	return 0;
}

static int tell(actor *self, const msg *m)
{
	struct penpal *p = actor_state(self);

	return actor_send(self, p->twin, "callback", msg_str(m, 0), 1, 2.5);
}

const struct actor_type penpal = {
	.name  = "penpal",
	.state = sizeof(struct penpal),
	.start = start,
	.budget_ms = 60000,     /* ten thousand questions in one message */
	.on    = ON({ "ask",        "a:str b:str",  ask,        ON_CLIENT },
	            { "ask_nobody", "",             ask_nobody, 0 },
	            { "ask_nobody_often", "n:int",  ask_nobody_often, 0 },
	            { "gave_up",    "...",          gave_up,    0 },
	            { "answered",   "value:str",    answered,   0 },
	            { "tell",       "text:str",     tell,       0 }),
};
