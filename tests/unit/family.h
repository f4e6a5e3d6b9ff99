/* SPDX-License-Identifier: MIT
 * family.h - for tests of how actors live together: one that does what it is told and says what
 * happens to it, and the lines that were said, which tests wait for. */
#ifndef FAMILY_H
#define FAMILY_H

#include <stdio.h>

#include "waiting.h"

/* --- what the tests wait for: lines, in the order they were said ---------- */

enum { LINES = 4096 };
static char said[LINES][160];
static int lines;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&lock);
	if (lines < LINES)
		vsnprintf(said[lines++], sizeof said[0], fmt, ap);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	va_end(ap);
}

static int find(const char *line, int from)
{
	for (int i = from; i < lines; i++)
		if (!strcmp(said[i], line))
			return i;
	return -1;
}

static int so_far(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = lines;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Where the line stands, from a line on; fails if it does not come. */
static int expect_from(const char *line, int from)
{
	const struct timespec until = moment_in(20000);
	int rc = 0, at;

	pthread_mutex_lock(&lock);
	while ((at = find(line, from)) < 0 && !rc)
		rc = wait_until(&changed, &lock, &until);
	pthread_mutex_unlock(&lock);
	if (at < 0) {
		for (int i = 0; i < lines; i++)
			print_message("%d: %s\n", i, said[i]);
		fail_msg("nobody said: %s", line);
	}
	return at;
}

static int expect(const char *line)
{
	return expect_from(line, 0);
}

static int count_of(const char *line)
{
	int n = 0;

	pthread_mutex_lock(&lock);
	for (int at = -1; (at = find(line, at + 1)) >= 0;)
		n++;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Has any line the word in it? */
static __attribute__((unused)) bool said_of(const char *word)
{
	bool any = false;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < lines; i++)
		any |= strstr(said[i], word) != NULL;
	pthread_mutex_unlock(&lock);
	return any;
}

static int setup(void **state)
{
	(void)state;
	pthread_mutex_lock(&lock);
	lines = 0;
	pthread_mutex_unlock(&lock);
	return 0;
}

static _Atomic bool given_up;
static char reason_given[512];

static void give_up(void *arg, const char *reason)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	snprintf(reason_given, sizeof reason_given, "%s", reason);
	pthread_mutex_unlock(&lock);
	given_up = true;
	say("x starts");
}

static int group_setup(void **state)
{
	(void)state;
	core_on_give_up(give_up, NULL);
	return pool_begin(&(struct core_config){ .workers = 2, .max_actors = 2000 });
}

static int group_teardown(void **state)
{
	(void)state;
	return pool_end();
}

/* --- an actor that does what it is told ---------- */

struct who {
	int64_t hits, plan;
	msg_caller kept;
	int64_t watching;
};

static struct actor_type types[];
enum { PLAIN, PERMANENT, TEMPORARY, ALL, REST, STRICT, BRITTLE };

static int start(actor *self)
{
	say("%s starts", actor_name(self));
	return 0;
}

static void stop(actor *self)
{
	say("%s stops", actor_name(self));
}

static int init(actor *self, const msg *m)
{
	struct who *x = actor_state(self);

	x->plan = msg_int(m, 0);
	say("%s init %d", actor_name(self), (int)x->plan);
	return 0;
}

static int hit(actor *self, const msg *m)
{
	struct who *x = actor_state(self);

	x->hits += msg_int(m, 0);
	say("%s hits %d", actor_name(self), (int)x->hits);
	return msg_reply(m, x->hits);
}

static int fail_now(actor *self, const msg *m)
{
	(void)self;
	(void)m;
	return ACTOR_EFAIL;
}

static int refuse(actor *self, const msg *m)
{
	(void)self;
	return msg_fail(m, "no seat");
}

static int in_vain(actor *self, const msg *m)
{
	(void)m;
	return actor_send(self, actor_find("nobody"), "hit", 1);
}

static int fail_like_it(actor *self, const msg *m)
{
	(void)self, (void)m;
	return ACTOR_ENOENT;
}

static int bear(actor *self, const msg *m)
{
	actor_ref child = actor_spawn(self, &types[msg_int(m, 0)], msg_str(m, 1));

	say("%s bears %s", actor_name(self), child ? msg_str(m, 1) : actor_why(self));
	return 0;
}

static int bear_with(actor *self, const msg *m)
{
	actor_ref child = actor_spawn(self, &types[PLAIN], msg_str(m, 0), msg_int(m, 1));

	say("%s bears %s", actor_name(self), child ? msg_str(m, 0) : actor_why(self));
	return 0;
}

static int end(actor *self, const msg *m)
{
	int rc = actor_stop(self, actor_find(msg_str(m, 0)));

	say("%s ends %s: %d", actor_name(self), msg_str(m, 0), rc);
	return 0;
}

static int end_self(actor *self, const msg *m)
{
	(void)m;
	actor_stop(self, actor_self(self));
	say("%s goes", actor_name(self));
	return 0;
}

static int drain(actor *self, const msg *m)
{
	return actor_drain(self, actor_find(msg_str(m, 0)), (int)msg_int(m, 1));
}

static int watch(actor *self, const msg *m)
{
	struct who *x = actor_state(self);

	x->watching = actor_monitor(self, actor_find(msg_str(m, 0)), "down");
	say("%s watches %s: %s", actor_name(self), msg_str(m, 0),
	    x->watching > 0 ? "yes" : actor_why(self));
	return 0;
}

static int unwatch(actor *self, const msg *m)
{
	struct who *x = actor_state(self);

	(void)m;
	say("%s unwatches: %d", actor_name(self), actor_demonitor(self, x->watching));
	return 0;
}

static int down(actor *self, const msg *m)
{
	struct who *x = actor_state(self);

	say("%s hears of %s (%s): %s", actor_name(self), msg_str(m, 1),
	    msg_int(m, 0) == x->watching ? "as asked" : "unasked", msg_str(m, 2));
	return 0;
}

static int tie(actor *self, const msg *m)
{
	say("%s linked to %s: %d", actor_name(self), msg_str(m, 0),
	    actor_link(self, actor_find(msg_str(m, 0))));
	return 0;
}

static int untie(actor *self, const msg *m)
{
	say("%s unlinked: %d", actor_name(self), actor_unlink(self, actor_find(msg_str(m, 0))));
	return 0;
}

static int keep(actor *self, const msg *m)
{
	((struct who *)actor_state(self))->kept = msg_defer(m);
	say("%s keeps", actor_name(self));
	return 0;
}

static int ask(actor *self, const msg *m)
{
	int64_t rc = actor_ask(self, actor_find(msg_str(m, 0)), msg_str(m, 1), "answered", 10000);

	say("%s asks %s: %s", actor_name(self), msg_str(m, 0), rc > 0 ? "yes" : "no");
	return 0;
}

static int answered(actor *self, const msg *m)
{
	say("%s was answered %d", actor_name(self), msg_error(m));
	return 0;
}

/* One after the other into one mailbox: n hits, a failure, n hits. */
static int burst(actor *self, const msg *m)
{
	actor_ref to = actor_find(msg_str(m, 0));

	for (int i = 0; i < msg_int(m, 1); i++)
		actor_send(self, to, "hit", 1);
	actor_send(self, to, "fail");
	for (int i = 0; i < msg_int(m, 1); i++)
		actor_send(self, to, "hit", 1);
	return 0;
}

static int parent(actor *self, const msg *m)
{
	(void)m;
	say("%s has parent %s", actor_name(self),
	    actor_parent(self) == actor_find("top") ? "top" : "another");
	return 0;
}

static int tell_in(actor *self, const msg *m)
{
	return (int)actor_after(self, msg_int(m, 0), "told") < 0 ? ACTOR_EFAIL : 0;
}

static int told(actor *self, const msg *m)
{
	(void)m;
	say("%s was told", actor_name(self));
	return 0;
}

/* Does not come back before the gate opens. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static int block(actor *self, const msg *m)
{
	(void)m;
	say("%s blocks", actor_name(self));
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

#define ACTS                                                                                       \
	.state = sizeof(struct who), .start = start, .stop = stop,                                 \
	.on = ON({ "init", "plan:int", init, 0 }, { "hit", "by:int", hit, 0 },                     \
	         { "fail", "", fail_now, 0 }, { "refuse", "", refuse, 0 },                         \
	         { "in_vain", "", in_vain, 0 }, { "fail_like_it", "", fail_like_it, 0 },           \
	         { "bear", "type:int name:str", bear, 0 },                                         \
	         { "bear_with", "name:str plan:int", bear_with, 0 }, { "end", "who:str", end, 0 }, \
	         { "end_self", "", end_self, 0 }, { "drain", "who:str ms:int", drain, 0 },         \
	         { "watch", "who:str", watch, 0 }, { "unwatch", "", unwatch, 0 },                  \
	         { "down", "number:int name:str reason:str", down, 0 },                            \
	         { "tie", "who:str", tie, 0 }, { "untie", "who:str", untie, 0 },                   \
	         { "keep", "", keep, 0 }, { "ask", "who:str what:str", ask, 0 },                   \
	         { "answered", "...", answered, 0 }, { "burst", "to:str n:int", burst, 0 },        \
	         { "parent", "", parent, 0 }, { "block", "", block, 0 },                        \
	         { "tell_in", "ms:int", tell_in, 0 }, { "told", "", told, 0 })

static struct actor_type types[] = {
	[PLAIN] = { .name = "plain", ACTS },
	[PERMANENT] = { .name = "permanent", ACTS, .restart = RESTART_PERMANENT },
	[TEMPORARY] = { .name = "temporary", ACTS, .restart = RESTART_TEMPORARY },
	[ALL] = { .name = "all", ACTS, .children = { ONE_FOR_ALL, 3, 60 } },
	[REST] = { .name = "rest", ACTS, .children = { REST_FOR_ONE, 3, 60 } },
	[STRICT] = { .name = "strict", ACTS, .children = { ONE_FOR_ONE, 2, 60 } },
	[BRITTLE] = { .name = "brittle",
	              ACTS,
	              .restart = RESTART_TEMPORARY,
	              .children = { ONE_FOR_ONE, 2, 60 } },
};

static actor_ref top(int type)
{
	assert_true(actor_spawn(NULL, &types[type], "top") != 0);
	expect("top starts");
	return actor_find("top");
}

static actor_ref child(int type, const char *name)
{
	char line[80];

	assert_int_equal(actor_send(NULL, actor_find("top"), "bear", type, name), 0);
	snprintf(line, sizeof line, "top bears %s", name);
	expect(line);
	snprintf(line, sizeof line, "%s starts", name);
	expect(line);
	return actor_find(name);
}

/* It says that it stops a little before it is not there any more. */
static void gone(const char *name)
{
	UNTIL(!core_alive(actor_find(name)));
}

static void put_away(void)
{
	int before = so_far();
	struct why why = { "" };

	assert_int_equal(core_stop_actor(actor_find("top"), 0, &why), 0);
	expect_from("top stops", before);
	gone("top");
}

static void three(int type)
{
	top(type);
	child(PLAIN, "a");
	child(PLAIN, "b");
	child(PLAIN, "c");
}

#endif
