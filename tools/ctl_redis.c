/* SPDX-License-Identifier: MIT
 * ctl_redis.c - see ctl_redis.h.
 *
 * Each node hosts the topic actord:control:NODE, whose handlers are those that the socket reaches.
 * A question is published there, so that none is left behind for a node that has gone, and the
 * answer comes to a list of our own. A wait is never longer than the deadline.
 *
 * In a Cluster any master takes what is published, but counts only who hears it there: whether
 * anybody does is asked of each. The list is popped at the master that Redis says has it (MOVED).
 */
#include "ctl_redis.h"

#include <errno.h>
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "actor.h"
#include "bus/slots.h"
#include "bus/tls.h"

#define TOPIC "actord:control:"
enum { NAME_MOST = 256, ANSWER_MS_MOST = 30000,
       ONE_OF_MANY_S = 1 };             /* so long it may take before the next is tried */

struct conn { redisContext *redis; struct ssl_st *session; };     /* NULL: no TLS */

struct remote {
	struct url url;
	struct tls *tls;                /* NULL: none */
	struct conn to;                 /* in a Cluster: one of the masters */
	char topic[sizeof TOPIC + NAME_MOST], ct[64];
	int64_t number;
};

static struct timeval left(const struct link *l)
{
	int64_t ms = l->deadline_ms - link_now_ms();

	if (ms < 1)
		ms = 1;
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

static struct timeval left_for_one(const struct link *l)
{
	struct timeval t = left(l);

	return t.tv_sec < ONE_OF_MANY_S ? t : (struct timeval){ ONE_OF_MANY_S, 0 };
}

/* Why a command had no answer. */
static const char *trouble(const struct conn *c, struct why *why)
{
	return c->session && tls_trouble(c->session, why) ? why->text : c->redis->errstr;
}

static void hang_up(struct conn *c)
{
	if (c->redis)
		redisFree(c->redis);
	*c = (struct conn){ NULL, NULL };
}

static bool is_late(const struct conn *c)
{
	return c->redis->err == REDIS_ERR_IO && !strcmp(c->redis->errstr, strerror(EAGAIN));
}

static int late_or_away(const struct conn *c)
{
	return is_late(c) ? CTL_LATE : CTL_AWAY;
}

/* What Redis says, or why it does not. NULL with why. */
static redisReply *said(const struct conn *c, redisReply *reply, struct why *why)
{
	struct why words;

	if (reply && reply->type != REDIS_REPLY_ERROR)
		return reply;
	why_set(why, CTL_AWAY, "Redis: %s (`redis-cli -u URL ping` asks it alone)",
		reply ? reply->str : is_late(c) ? "no answer in time; --timeout MS waits longer" :
		trouble(c, &words));
	if (reply)
		freeReplyObject(reply);
	return NULL;
}

static int simple(const struct conn *c, redisReply *reply, struct why *why)
{
	reply = said(c, reply, why);
	if (!reply)
		return late_or_away(c);
	freeReplyObject(reply);
	return CTL_DONE;
}

static int sign_in(const struct conn *c, const struct url *u, struct why *why)
{
	int rc = CTL_DONE;

	if (*u->password && *u->user)
		rc = simple(c, redisCommand(c->redis, "AUTH %s %s", u->user, u->password), why);
	else if (*u->password)
		rc = simple(c, redisCommand(c->redis, "AUTH %s", u->password), why);
	if (rc == CTL_DONE && u->db)
		rc = simple(c, redisCommand(c->redis, "SELECT %d", u->db), why);
	return rc;
}

/* What one Sentinel says; false with why. */
static bool ask_sentinel(struct link *l, struct url *u, const char *host, int port, struct why *why)
{
	const struct tls *tls = ((struct remote *)l->remote)->tls;
	struct timeval t = left_for_one(l);
	struct conn c = { redisConnectWithTimeout(host, port, t), NULL };
	struct why lost = { "" };
	redisReply *r = NULL;
	bool known;

	if (c.redis && !c.redis->err && redisSetTimeout(c.redis, t) == REDIS_OK &&
	    (!tls || !tls_begin(tls, host, c.redis, &c.session, &lost)))
		r = redisCommand(c.redis, "SENTINEL get-master-addr-by-name %s", u->master);
	known = r && r->type == REDIS_REPLY_ARRAY && r->elements == 2;
	if (known) {
		snprintf(u->host, sizeof u->host, "%s", r->element[0]->str);
		u->port = atoi(r->element[1]->str);
	} else {
		why_set(why, CTL_NOT_YET, "no Sentinel says where the master `%s` is; the last "
			"asked, %s:%d: %s", u->master, host, port,
			r && r->type == REDIS_REPLY_ERROR ? r->str :
			r ? "it knows no such master" : *lost.text ? lost.text :
			c.redis ? trouble(&c, &lost) : "out of memory");
	}
	if (r)
		freeReplyObject(r);
	hang_up(&c);
	return known;
}

static int find_master(struct link *l, struct url *u, struct why *why)
{
	char host[sizeof u->host];
	int port;

	for (int at = 0; url_host(u, at, host, sizeof host, &port); at++)
		if (ask_sentinel(l, u, host, port, why))
			return CTL_DONE;
	return CTL_NOT_YET;
}

/* A connection that is signed in, to host ("": the URL's socket), in place of the one *c had. */
static int dial(struct link *l, const char *host, int port, struct conn *c, struct why *why)
{
	const struct remote *r = l->remote;
	const struct url *u = &r->url;
	struct why reason;
	struct timeval t = url_is_cluster(u) ? left_for_one(l) : left(l);

	hang_up(c);
	c->redis = *host ? redisConnectWithTimeout(host, port, t) :
	                   redisConnectUnixWithTimeout(u->path, t);
	if (!c->redis)
		return why_set(why, CTL_AWAY, "Redis: out of memory");
	if (c->redis->err)
		return why_set(why, CTL_NOT_YET, "no Redis answers at %s%s: %s; is it started? "
			"The runtime says where its own is: actorctl inspect, on its machine",
			host, *host ? "" : u->path, c->redis->errstr);
	redisSetTimeout(c->redis, left(l));
	if (r->tls && tls_begin(r->tls, host, c->redis, &c->session, &reason) != 0)
		return why_set(why, CTL_AWAY, "Redis at %s:%d: %s", host, port, reason.text);
	return sign_in(c, u, why);
}

/* --- a Cluster ---------------------------------------------------------------- */

/* One of the URL's nodes that answers: the last's reason, where none does. */
static int dial_any(struct link *l, struct why *why)
{
	struct remote *r = l->remote;
	char host[sizeof r->url.host];
	int port, rc = CTL_NOT_YET;

	for (int at = 0; rc != CTL_DONE && url_host(&r->url, at, host, sizeof host, &port); at++)
		rc = dial(l, host, port, &r->to, why);
	return rc;
}

/* To the master of a row of CLUSTER SLOTS: [first, last, [host, port, ...], replicas...]. */
static bool dial_row(struct link *l, const redisReply *row, struct conn *c, struct why *why)
{
	const redisReply *at = row->elements > 2 ? row->element[2] : row;
	const char *host = ((struct remote *)l->remote)->to.redis->tcp.host;

	if (at->elements < 2)
		return false;
	if (at->element[0]->len)
		host = at->element[0]->str;
	return dial(l, host, (int)at->element[1]->integer, c, why) == CTL_DONE;
}

/* Asks its masters one by one, until one says what is `good`: that; or NULL, with why one of them
 * could not be asked, or "". */
static redisReply *ask_masters(struct link *l, bool (*good)(const redisReply *r), const char *what,
                               const char *of, struct why *why)
{
	struct remote *r = l->remote;
	redisReply *slots, *reply = NULL;
	struct conn c = { NULL, NULL };

	why->text[0] = 0;
	slots = said(&r->to, redisCommand(r->to.redis, "CLUSTER SLOTS"), why);
	for (size_t i = 0; slots && !reply && i < slots->elements; i++) {
		if (!dial_row(l, slots->element[i], &c, why))
			continue;
		reply = said(&c, redisCommand(c.redis, "PUBSUB %s %s", what, of), why);
		if (reply && !good(reply)) {
			freeReplyObject(reply);
			reply = NULL;
		}
	}
	hang_up(&c);
	if (slots)
		freeReplyObject(slots);
	return reply;
}

static bool is_heard(const redisReply *numsub)
{
	return numsub->elements == 2 && numsub->element[1]->integer > 0;
}

static bool has_any(const redisReply *channels)
{
	return channels->type == REDIS_REPLY_ARRAY && channels->elements > 0;
}

/* Where the list of our answers is instead. False: that is not what the error says. */
static bool moved(const redisReply *error, struct redirect *to)
{
	const struct redis_reply e = { .type = REDIS_ERROR, .str = error->str, .len = error->len };

	return error->type == REDIS_REPLY_ERROR && slot_redirect(to, &e);
}

/* --- asking ------------------------------------------------------------------- */

static void compose(struct link *l, const char *to, const char *what, const struct buf *args,
                    unsigned count)
{
	struct remote *r = l->remote;
	struct buf all = { 0 }, id = { 0 };
	int64_t ms = l->deadline_ms - link_now_ms();
	struct envelope e = { .enc = ENC_JSON, .cb = { "answer", 6 },
	                      .ct = { r->ct, strlen(r->ct) },
	                      .func = { what, strlen(what) }, .count = count };

	if (strcmp(to, "node") != 0) {
		pack_text(&all, to);
		pack_text(&all, what);
		pack_int(&all, ms < 1 ? 1 : ms > ANSWER_MS_MOST ? ANSWER_MS_MOST : ms);
		e.func = (struct text){ "pass", 4 };
		e.count = count + 3;
	}
	if (count)
		buf_add(&all, args->p, args->len);
	e.args = packed_of(&all);
	pack_int(&id, ++r->number);
	e.id = packed_of(&id);
	buf_clear(&l->out);
	envelope_write(&l->out, &e);
	buf_fini(&all);
	buf_fini(&id);
}

static int publish(struct link *l, struct why *why)
{
	struct remote *r = l->remote;
	redisReply *reply = said(&r->to, redisCommand(r->to.redis, "PUBLISH %s %b", r->topic,
	                                              l->out.p, l->out.len), why);
	struct why missed = { "" };
	bool heard;

	if (!reply)
		return late_or_away(&r->to);
	heard = reply->integer > 0;
	freeReplyObject(reply);
	if (!heard && url_is_cluster(&r->url)) {
		reply = ask_masters(l, is_heard, "NUMSUB", r->topic, &missed);
		heard = reply;
		if (reply)
			freeReplyObject(reply);
	}
	if (heard)
		return CTL_DONE;
	if (*missed.text)
		return why_set(why, CTL_AWAY, "%s", missed.text);
	return why_set(why, CTL_ABSENT, "no node `%s` on that Redis; `actorctl --redis URL nodes` "
		"lists those that are", r->topic + sizeof TOPIC - 1);
}

static redisReply *blpop(struct link *l)
{
	struct remote *r = l->remote;
	struct timeval t = left(l);

	t.tv_sec += 1;
	redisSetTimeout(r->to.redis, t);
	return redisCommand(r->to.redis, "BLPOP %s %d", r->ct, (int)t.tv_sec);
}

static int late(const struct link *l, struct why *why)
{
	const struct remote *r = l->remote;

	if (!link_asked_itself(l))
		return why_set(why, CTL_LATE, "no answer in time; --timeout MS waits longer, "
			"`actorctl --redis URL nodes` lists the nodes");
	return why_set(why, CTL_LATE, "no answer in time; the node `%s` stands still, or it or "
		"Redis is slow: --timeout MS waits longer, --node NAME asks another",
		r->topic + sizeof TOPIC - 1);
}

/* One answer, or none in time. */
static int pop(struct link *l, struct why *why)
{
	struct remote *r = l->remote;
	redisReply *reply = blpop(l);
	struct redirect to;

	while (reply && moved(reply, &to)) {
		freeReplyObject(reply);
		if (!*to.host)          /* that of whoever says so */
			snprintf(to.host, sizeof to.host, "%s", r->to.redis->tcp.host);
		if (dial(l, to.host, to.port, &r->to, why) != CTL_DONE)
			return CTL_AWAY;
		reply = blpop(l);
	}
	if (!reply && r->to.redis->err == REDIS_ERR_IO)
		return late(l, why);
	reply = said(&r->to, reply, why);
	if (!reply)
		return CTL_AWAY;
	buf_clear(&l->in);
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
		buf_add(&l->in, reply->element[1]->str, reply->element[1]->len);
	freeReplyObject(reply);
	return l->in.len ? CTL_DONE : late(l, why);
}

static bool ours(const struct link *l, const struct envelope *e)
{
	struct packed id = e->id;
	struct value v = { .i = 0 };

	return id.at && packed_next(&id, &v) == 1 && v.i == ((struct remote *)l->remote)->number;
}

static int question(struct link *l, struct envelope *answer, struct why *why)
{
	struct why json;
	int rc = publish(l, why);

	while (rc == CTL_DONE) {
		rc = pop(l, why);
		if (rc != CTL_DONE)
			break;
		if (envelope_read(answer, &l->scratch, l->in.p, l->in.len, &json) != 0)
			return why_set(why, CTL_AWAY, "what answers there is no runtime: %s",
				json.text);
		if (ours(l, answer))
			break;
	}
	return rc;
}

int remote_call(struct link *l, const char *to, const char *what, const struct buf *args,
                unsigned count, struct envelope *answer, struct why *why)
{
	compose(l, to, what, args, count);
	if (l->out.len > MESSAGE_MAX)
		return why_set(why, CTL_USAGE, "that is %zu bytes as a message; 16 MiB is the most",
			l->out.len);
	return question(l, answer, why);
}

/* --- life --------------------------------------------------------------------- */

/* Channels are of all databases of a Redis, nodes of one. Where Redis does not say, it has. */
static bool has_joined(struct remote *r, const char *name)
{
	redisReply *reply = redisCommand(r->to.redis, "ZSCORE actord:{nodes} %s", name);
	bool joined = !reply || reply->type != REDIS_REPLY_NIL;

	if (reply)
		freeReplyObject(reply);
	return joined;
}

/* Who hears one of these channels, and is of our database; NULL: nobody. */
static const char *choose(struct remote *r, const redisReply *channels)
{
	bool all = url_is_cluster(&r->url);     /* there it has one */

	for (size_t i = 0; i < channels->elements; i++)
		if (all || has_joined(r, channels->element[i]->str + sizeof TOPIC - 1))
			return channels->element[i]->str;
	return NULL;
}

/* Any of those that are there. */
static int find_node(struct link *l, struct why *why)
{
	struct remote *r = l->remote;
	bool cluster = url_is_cluster(&r->url);
	struct why missed = { "" };
	redisReply *reply = cluster ? ask_masters(l, has_any, "CHANNELS", TOPIC "*", &missed) :
		said(&r->to, redisCommand(r->to.redis, "PUBSUB CHANNELS " TOPIC "*"), why);
	const char *topic = reply && has_any(reply) ? choose(r, reply) : NULL;
	int rc = CTL_DONE;

	if (!reply && !cluster)
		return late_or_away(&r->to);
	if (topic)
		snprintf(r->topic, sizeof r->topic, "%s", topic);
	else if (reply && has_any(reply))
		rc = why_set(why, CTL_NOT_YET, "no runtime uses database %d of that Redis; those "
			"there (`%s`, say) use another, whose number belongs behind the URL, or "
			"may not write actord:{nodes}: see its log",
			r->url.db, reply->element[0]->str + sizeof TOPIC - 1);
	else if (*missed.text)
		rc = why_set(why, CTL_NOT_YET, "%s", missed.text);
	else
		rc = why_set(why, CTL_NOT_YET, "no runtime is on that Redis; start one with "
			"`actord --redis URL`");
	if (reply)
		freeReplyObject(reply);
	return rc;
}

int remote_open(struct link *l, const struct ctl *c, struct why *why)
{
	struct remote *r = l->remote = mem_alloc(sizeof *r);
	struct url *u = &r->url;
	struct why reason;
	uint64_t own[2];
	int rc;

	if (url_parse(u, c->redis, &reason) != 0)
		return why_set(why, CTL_USAGE, "--redis: %s", reason.text);
	if (u->tls && !(r->tls = tls_new(u, &reason)))
		return why_set(why, CTL_USAGE, "--redis: %s", reason.text);
	if (c->node && strlen(c->node) >= NAME_MOST)
		return why_set(why, CTL_USAGE, "--node: a name has at most %d bytes",
			NAME_MOST - 1);
	if (getrandom(own, sizeof own, 0) != sizeof own)
		return why_set(why, CTL_AWAY, "no random numbers");
	snprintf(r->ct, sizeof r->ct, "actord:answers:%016llx%016llx", (unsigned long long)own[0],
		(unsigned long long)own[1]);
	rc = *u->master ? find_master(l, u, why) : CTL_DONE;
	if (rc == CTL_DONE)
		rc = url_is_cluster(u) ? dial_any(l, why) :
		                         dial(l, u->host, u->port, &r->to, why);
	if (rc != CTL_DONE)
		return rc;
	if (!c->node)
		return find_node(l, why);
	snprintf(r->topic, sizeof r->topic, TOPIC "%s", c->node);
	if (!url_is_cluster(u) && !has_joined(r, c->node))
		return why_set(why, CTL_ABSENT, "no node `%s` in database %d of that Redis; "
			"`actorctl --redis URL nodes` lists those that are", c->node, u->db);
	return CTL_DONE;
}

void remote_close(struct link *l)
{
	struct remote *r = l->remote;

	if (!r)
		return;
	hang_up(&r->to);
	tls_free(r->tls);
	explicit_bzero(&r->url, sizeof r->url);
	mem_free(r);
	l->remote = NULL;
}
