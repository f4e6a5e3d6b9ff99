/* SPDX-License-Identifier: MIT
 * alarm.c - timers: a message to the actor itself that waits in its table of what it waits
 * for.
 *
 * One that comes again is set again when it is handled, by the actor's own thread: so there
 * is never more than one of it in the mailbox, an actor that is late gets one for all that
 * it missed, and cancelling is a matter of the actor alone. The wheel may call too early
 * (the wall clock was set): the plan knows. */
#include "alarm.h"

#include "calendar.h"
#include "life.h"
#include "log.h"
#include "ports.h"

static int64_t refused(actor *self, const char *what, int code, const struct why *why)
{
	log_line(LOG_WARN, "actor", "%s: no timer for %s: %s", life_title(self), what, why->text);
	kin_why = *why;
	return code;
}

/* plan: taken; NULL: once, at due_ms. */
static int64_t alarm_set(actor *self, const char *what, struct actor_site *s,
                         const uint64_t *values, int64_t due_ms, struct plan *plan)
{
	struct worker *w = worker_acquire();
	struct arg args[16];
	struct wait *x = NULL;
	struct msg *m;
	int64_t number;

	args_of_site(args, s->types, values, s->n);
	number = send_prepare(w, self, what, args, (unsigned)s->n, &kin_why, &m);
	if (!number)
		x = wait_new(self, WAIT_TIMER, 0);
	if (x) {
		number = x->number;
		x->msg = m;
		x->plan = plan;
		x->timer = deadline_set(self, number, FN_TIMER, due_ms, plan && plan->wall_ms);
	} else if (!number) {
		message_free(&w->pool, m);
		number = why_set(&kin_why, ACTOR_ENOMEM, "%s waits for %d answers and timers "
		                 "already", life_title(self), ASKS_MAX);
	}
	worker_release(w);
	if (number < 0)
		mem_free(plan);
	return number;
}

int64_t actor_after_(actor *self, int64_t ms, const char *what, struct actor_site *s,
                     const uint64_t *values)
{
	return alarm_set(self, what, s, values, deadline_in(ms), NULL);
}

static int64_t plan_set(actor *self, const struct plan *plan, const char *what,
                        struct actor_site *s, const uint64_t *values)
{
	struct plan *mine = mem_alloc(sizeof *mine);

	*mine = *plan;
	if (plan_begin(mine, deadline_in(0), wall_ms()) != PLAN_OVER)
		return alarm_set(self, what, s, values, mine->due_ms, mine);
	mem_free(mine);
	return why_set(&kin_why, ACTOR_ETIME, "the last moment of %s is over", what);
}

int64_t actor_window_(actor *self, int64_t ms, const char *first, const char *last,
                      const char *what, struct actor_site *s, const uint64_t *values)
{
	struct plan plan = { .period_ms = ms };
	struct why why;
	int rc = moment_parse(first, INT64_MIN, &plan.first_ms, &why);

	if (!rc)
		rc = moment_parse(last, INT64_MAX, &plan.last_ms, &why);
	if (!rc && ms < 1)
		rc = why_set(&why, ACTOR_EARGS, "a period is 1 ms at least");
	if (!rc && plan.first_ms > plan.last_ms)
		rc = why_set(&why, ACTOR_EARGS, "its last moment, %s, is before its first, %s",
		             last, first);
	return rc < 0 ? refused(self, what, rc, &why) : plan_set(self, &plan, what, s, values);
}

int64_t actor_cron_(actor *self, const char *when, const char *what, struct actor_site *s,
                    const uint64_t *values)
{
	struct plan plan = { .period_ms = 0 };
	struct why why;
	int rc = cron_parse(&plan.cron, when ? when : "", &why);

	return rc < 0 ? refused(self, what, rc, &why) : plan_set(self, &plan, what, s, values);
}

int actor_cancel(actor *self, int64_t timer)
{
	struct worker *w = worker_acquire();
	struct wait *x = ask_find(self, timer, WAIT_TIMER);

	if (x) {
		if (x->msg)
			message_free(&w->pool, x->msg);
		mem_free(x->plan);
		ask_done(self, x);
	}
	worker_release(w);
	return x ? 0 : ACTOR_ENOENT;
}

int64_t actor_now(void)
{
	return now_ms();
}

/* --- when it comes ------------------------------------------------------------ */

struct msg *alarm_begin(struct actor *a, int64_t number)
{
	struct wait *x = ask_find(a, number, WAIT_TIMER);
	struct msg *m = x ? x->msg : NULL;
	int look;

	if (!m)
		return NULL;
	if (!x->plan) {
		ask_done(a, x);
		return m;
	}
	look = plan_look(x->plan, now_ms(), wall_ms());
	if (look == PLAN_OVER) {
		actor_cancel(a, number);
		return NULL;
	}
	deadline_again(x->timer, x->plan->due_ms);
	if (look == PLAN_EARLY)
		return NULL;
	x->msg = NULL;
	return m;
}

void alarm_end(struct worker *w, struct actor *a, int64_t number, struct msg *m)
{
	struct wait *x = ask_find(a, number, WAIT_TIMER);

	if (!x) {
		message_free(&w->pool, m);
		return;
	}
	x->msg = m;
	if (entry_gone(&type_table(cell_type(a))->entry[m->fn]))
		actor_cancel(a, number);        /* what it came to is told once */
}
