/* SPDX-License-Identifier: MIT
 * share.c - what users share (KEEP_SHARED), to Redis and from there: handlers of `clients`.
 *
 *   share user key command ... what a session of the user has set (core/client.c), to Redis; the
 *   changed user key           other nodes hear of it, and read it there
 *   unread user reason         Redis did not say at its login: it is asked again
 *   connected                  Redis is back: what was said meanwhile is read there
 *
 * Redis decides, so what it has is read where it is not known: of a user by HGET what others have
 * changed, or what it did not take of ours; by HGETALL all of it, some users at a time.
 *
 * Keeps what Redis was asked, and the users of whom all is to be read. */
#include "share.h"

#include "core.h"
#include "keep.h"
#include "log.h"
#include "ports.h"

enum { REDIS_MS = 10000, SAY_MS = 10000, USERS_AT_ONCE = 64, ANEW_MS = 500, SHUT_MS = 1000,
       REFUSED_MS = 5000, REFUSED_SAY_MS = 60000 };

static actor_ref bus;

/* Of Redis, the oldest first, as its answers come. own: a change of ours; sum: that answers it;
 * key NULL: all there is of that user. */
static struct asked {
	struct asked *next;
	int64_t ask;
	char *user, *key;
	bool own, sum;
} *asked, **asked_end = &asked;

/* Users, whose names are in a row, of whom all is read: from `at` on those to be asked for. */
static struct { struct buf names; size_t at; unsigned under_way; bool due; } anew;

/* And those of whom Redis did not say it, perhaps for good: they come behind them after a while. */
static struct { struct buf names; bool due; int64_t said_ms; } refused;

/* Changes that Redis did not take since that was said. */
static struct { bool said, due; unsigned n; } unwritten;

/* --- what Redis is asked ------------------------------------------------------------------ */

/* A command for the hash actord:user:NAME, whose answer comes to `then`; by: m's value i, or -1. */
static int ask_redis(actor *self, const char *command, struct asked a, const msg *m, int i)
{
	const char *then = a.own ? "written" : a.key ? "read" : "all read";
	msg_out *o = msg_values(self);
	struct buf hash = { 0 };

	buf_printf(&hash, "actord:user:%s%c", a.user, 0);
	out_str(o, command);
	out_str(o, hash.p);
	if (a.key)
		out_str(o, a.key);
	if (i >= 0)
		out_value(o, m, i);
	buf_fini(&hash);
	a.ask = actor_ask_out(self, bus, "command", then, REDIS_MS, o);
	if (a.ask < 0)
		return (int)a.ask;
	a.user = mem_string(a.user, strlen(a.user));
	a.key = a.key ? mem_string(a.key, strlen(a.key)) : NULL;
	*asked_end = mem_alloc(sizeof a);
	**asked_end = a;
	asked_end = &(*asked_end)->next;
	return 0;
}

static struct asked asked_take(int64_t ask)
{
	struct asked **at = &asked, a = { .ask = 0 }, *gone;

	while (*at && (*at)->ask != ask)        /* the first, most often */
		at = &(*at)->next;
	gone = *at;
	if (!gone)
		return a;
	a = *gone;
	*at = a.next;
	if (asked_end == &gone->next)
		asked_end = at;
	mem_free(gone);
	return a;
}

static void asked_fini(struct asked *a)
{
	mem_free(a->user);
	mem_free(a->key);
}

/* --- what is not known -------------------------------------------------------------------- */

/* Where as many answers are waited for as may be there is no timer either: with each answer. */
static void look_later(actor *self)
{
	if (anew.at < anew.names.len && !anew.due)
		anew.due = actor_after(self, ANEW_MS, "reread") > 0;
	if (refused.names.len && !refused.due)
		refused.due = actor_after(self, REFUSED_MS, "ask again") > 0;
	if (unwritten.said && !unwritten.due)
		unwritten.due = actor_after(self, SAY_MS, "unsaid") > 0;
}

/* All that the user has: too much is asked now, or Redis did not say one of it. Behind those who
 * wait, so that whoever is refused again and again keeps nobody from being read. */
static void read_later(actor *self, const char *user)
{
	if (keep_stale(user, true))
		buf_add(&anew.names, user, strlen(user) + 1);
	look_later(self);
}

static void ask_again(actor *self, const char *user, const char *reason)
{
	if (keep_stale(user, true)) {
		buf_add(&refused.names, user, strlen(user) + 1);
		if (now_ms() - refused.said_ms >= REFUSED_SAY_MS) {
			log_line(LOG_WARN, "gateway", "what %s shares could not be read from Redis "
			         "(actord:user:%s), and is asked for again every %d s: %s", user,
			         user, REFUSED_MS / 1000, reason);
			refused.said_ms = now_ms();
		}
	}
	look_later(self);
}

static void read_again(actor *self, const char *user, const char *key)
{
	struct asked a = { .user = (char *)(uintptr_t)user, .key = (char *)(uintptr_t)key };

	if (ask_redis(self, "HGET", a, NULL, -1))
		read_later(self, user);
}

/* --- changes of ours ---------------------------------------------------------------------- */

/* One in words, those that follow by their number. */
static void say_unwritten(const char *user, const char *key, const char *reason)
{
	unwritten.n += unwritten.said;
	if (unwritten.said)
		return;
	log_line(LOG_WARN, "gateway", "%s of %s was not written to Redis, and is again as it is "
	         "there: %s", key, user, reason);
	unwritten.said = true;
}

int share_unsaid(actor *self, const msg *m)
{
	(void)m;
	if (unwritten.n)
		log_line(LOG_WARN, "gateway", "%u more values of users were not written to Redis",
		         unwritten.n);
	unwritten.said = unwritten.n;
	unwritten.due = false;
	unwritten.n = 0;
	look_later(self);
	return 0;
}

/* A client's variable was set here: the command that says so to Redis. */
int share_set(actor *self, const msg *m)
{
	char *user = (char *)(uintptr_t)msg_str(m, 0), *key = (char *)(uintptr_t)msg_str(m, 1);
	struct asked a = { .user = user, .key = key, .own = true,
		           .sum = strcmp(msg_str(m, 2), "HINCRBY") == 0 };

	if (!ask_redis(self, msg_str(m, 2), a, m, msg_count(m) > 3 ? 3 : -1))
		return 0;
	keep_written(user, key, NULL);
	say_unwritten(user, key, "too many questions wait for it");
	read_later(self, user);
	return 0;
}

/* It would refuse all others, too, not just a slot's: who sets one is told so for a while. */
static void look_at_refusal(const char *reason)
{
	static const char *const words[] = { "OOM ", "NOREPLICAS ", "READONLY ", "MISCONF ",
		                             "CLUSTERDOWN The cluster is down" };
	struct why why;

	why_set(&why, 0, "Redis refuses to write: %s", reason);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strncmp(reason, words[i], strlen(words[i])))
			keep_shut(why.text, SHUT_MS);
}

int share_written(actor *self, const msg *m)
{
	struct asked a = asked_take(msg_ask(m));
	int64_t total = msg_int(m, 0);

	if (!a.ask)
		return 0;
	keep_written(a.user, a.key, !msg_error(m) && a.sum ? &total : NULL);
	if (msg_error(m)) {
		say_unwritten(a.user, a.key, msg_error_text(m));
		look_at_refusal(msg_error_text(m));
		read_again(self, a.user, a.key);
	} else {        /* the other nodes read it there, which is at least as new as this */
		actor_send(self, bus, "publish", "clients", "changed", a.user, a.key);
	}
	look_later(self);
	asked_fini(&a);
	return 0;
}

/* --- what Redis has ----------------------------------------------------------------------- */

int share_changed(actor *self, const msg *m)
{
	if (keep_is_here(msg_str(m, 0)))
		read_again(self, msg_str(m, 0), msg_str(m, 1));
	return 0;
}

int share_read(actor *self, const msg *m)
{
	struct asked a = asked_take(msg_ask(m));
	bool is_text = !msg_error(m) && msg_type(m, 0) == MSG_STR;

	if (a.ask && msg_error(m))
		read_later(self, a.user);
	else if (a.ask)
		keep_shared(a.user, a.key, is_text ? msg_str(m, 0) : NULL, msg_len(m, 0));
	look_later(self);
	asked_fini(&a);
	return 0;
}

/* Some at a time: `bus` has other questions too. Where it takes none, they are asked later. */
static void read_users(actor *self)
{
	while (anew.at < anew.names.len && anew.under_way < USERS_AT_ONCE) {
		struct asked a = { .user = anew.names.p + anew.at };

		if (keep_stale(a.user, false)) {
			if (ask_redis(self, "HGETALL", a, NULL, -1)) {
				keep_stale(a.user, true);
				break;
			}
			anew.under_way++;
		}
		anew.at += strlen(a.user) + 1;
	}
	look_later(self);
}

static void drop_those_asked_for(void)
{
	anew.names.len -= anew.at;
	if (anew.at)
		memmove(anew.names.p, anew.names.p + anew.at, anew.names.len);
	anew.at = 0;
}

int share_reread(actor *self, const msg *m)
{
	(void)m;
	anew.due = false;
	drop_those_asked_for();
	read_users(self);
	return 0;
}

int share_ask_again(actor *self, const msg *m)
{
	(void)m;
	refused.due = false;
	drop_those_asked_for();
	buf_add(&anew.names, refused.names.p, refused.names.len);
	buf_clear(&refused.names);
	read_users(self);
	return 0;
}

int share_unread(actor *self, const msg *m)
{
	ask_again(self, msg_str(m, 0), msg_str(m, 1));
	return 0;
}

int share_connected(actor *self, const msg *m)
{
	(void)m;
	buf_clear(&refused.names);
	buf_clear(&anew.names);
	anew.at = 0;
	keep_names(&anew.names);
	read_users(self);
	return 0;
}

int share_all_read(actor *self, const msg *m)
{
	struct asked a = asked_take(msg_ask(m));
	struct buf b = { 0 };
	struct packed in;
	struct value list;

	if (!a.ask)
		return 0;
	anew.under_way--;
	msg_pack(m, 0, &b);
	in = (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len };
	if (!msg_error(m) && packed_next(&in, &list) > 0 && list.type == VALUE_LIST)
		keep_shared_all(a.user, in, list.len);
	if (msg_error(m))
		ask_again(self, a.user, msg_error_text(m));
	else
		read_users(self);
	buf_fini(&b);
	asked_fini(&a);
	return 0;
}

void share_setup(void)
{
	bus = actor_find("bus");
	refused.said_ms = now_ms() - REFUSED_SAY_MS;
}
