/* SPDX-License-Identifier: MIT
 * sentinel.c - see sentinel.h.
 *
 * The idea: a thread keeps a connection to one Sentinel and asks it twice a second; where it does
 * not answer the next one is asked. What a Sentinel names is asked itself whether it is the master
 * (ROLE), as a Sentinel may be late. The loop looks at what the thread has found, as often as a
 * person would not notice.
 *
 * Threads: `lock` covers what both touch: found, reason, stop. */
#include "sentinel.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "patience.h"
#include "tls.h"

enum { ASK_MS = 500, REPLY_MS = 1000, LOOK_MS = 50 };

/* A connection of the thread's; session NULL: not encrypted. */
struct asked { redisContext *redis; struct ssl_st *session; };

struct sentinel {
	struct url url;
	struct loop_timer *look;
	void (*news)(void *arg);
	void *arg;
	struct master master;           /* the loop's */
	char reason[512];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool stop;
	struct master found;
	char trouble[512];
	/* the thread's */
	char host[256]; int port;       /* of the Sentinel that is asked */
	struct master checked;
};

/* --- the thread --------------------------------------------------------------------------- */

static void tell(struct sentinel *s, const struct master *m, const char *trouble)
{
	pthread_mutex_lock(&s->lock);
	s->found = *m;
	snprintf(s->trouble, sizeof s->trouble, "%s", trouble);
	pthread_mutex_unlock(&s->lock);
}

/* False: it is to end. */
static bool pause_ms(struct sentinel *s, int ms)
{
	const struct timespec until = moment_in(ms);
	bool stop;

	pthread_mutex_lock(&s->lock);
	if (!s->stop)
		wait_until(&s->stopped, &s->lock, &until);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return !stop;
}

/* Certificates are read each time, as they are renewed while a node runs. */
static int encrypt(const struct url *u, const char *host, struct asked *a, struct why *why)
{
	struct tls *tls = u->tls ? tls_new(u, why) : NULL;
	int rc = !u->tls ? 0 : tls ? tls_begin(tls, host, a->redis, &a->session, why) : ACTOR_EFAIL;

	tls_free(tls);
	return rc;
}

static void hang_up(struct asked *a)
{
	if (a->redis)
		redisFree(a->redis);
	*a = (struct asked){ NULL, NULL };
}

static bool dial(const struct url *u, const char *host, int port, struct asked *a, struct why *why)
{
	const struct timeval patience = { REPLY_MS / 1000, REPLY_MS % 1000 * 1000 };
	redisContext *c = redisConnectWithTimeout(host, port, patience);
	struct why reason;

	*a = (struct asked){ c, NULL };
	if (!c || c->err || redisSetTimeout(c, patience) != REDIS_OK)
		why_set(why, 0, "%s:%d does not answer: %s", host, port,
		        c ? c->errstr : "no memory");
	else if (encrypt(u, host, a, &reason))
		why_set(why, 0, "%s:%d: %s", host, port, reason.text);
	else
		return true;
	hang_up(a);
	return false;
}

/* What was answered, if not what was asked for; or why nothing was. */
static const char *instead(const struct asked *a, const redisReply *r, struct why *why)
{
	if (r)
		return r->str ? r->str : "something else";
	return a->session && tls_trouble(a->session, why) ? why->text : a->redis->errstr;
}

/* Text number `at` of a list, or NULL. */
static const char *text_at(const redisReply *r, size_t at)
{
	return r && r->type == REDIS_REPLY_ARRAY && r->elements > at &&
	       (r->element[at]->type == REDIS_REPLY_STRING ||
	        r->element[at]->type == REDIS_REPLY_STATUS) ? r->element[at]->str : NULL;
}

static bool sign_in(const struct asked *a, const struct url *u, struct why *why)
{
	struct why lost;
	redisReply *r;
	bool good;

	if (!*u->password)
		return true;
	r = *u->user ? redisCommand(a->redis, "AUTH %s %s", u->user, u->password)
	             : redisCommand(a->redis, "AUTH %s", u->password);
	good = r && r->type != REDIS_REPLY_ERROR;
	if (!good)
		why_set(why, 0, "the master does not let us in: %s", instead(a, r, &lost));
	if (r)
		freeReplyObject(r);
	return good;
}

/* Does it say itself that it is the master? */
static bool check(struct sentinel *s, const struct master *m, struct why *why)
{
	struct asked a;
	struct why lost;
	redisReply *r = NULL;
	const char *role = NULL;
	bool good = false;

	if (dial(&s->url, m->host, m->port, &a, why) && sign_in(&a, &s->url, why)) {
		r = redisCommand(a.redis, "ROLE");
		role = text_at(r, 0);
		good = role && !strcmp(role, "master");
		if (!good)
			why_set(why, 0, "%s:%d, which is said to be the master, says that it is "
			        "%s", m->host, m->port, role ? role : instead(&a, r, &lost));
	}
	if (r)
		freeReplyObject(r);
	hang_up(&a);
	return good;
}

/* False: this Sentinel is of no use. */
static bool ask(struct sentinel *s, const struct asked *a)
{
	redisReply *r = redisCommand(a->redis, "SENTINEL get-master-addr-by-name %s",
	                             s->url.master);
	struct master m = { .port = 0 };
	struct why why = { "" }, lost;
	bool good = r && r->type != REDIS_REPLY_ERROR;

	if (text_at(r, 0) && text_at(r, 1)) {
		snprintf(m.host, sizeof m.host, "%s", text_at(r, 0));
		m.port = atoi(text_at(r, 1));
	} else if (good) {
		why_set(&why, 0, "the Sentinel at %s:%d knows no master named %s", s->host, s->port,
		        s->url.master);
		good = false;
	} else {
		why_set(&why, 0, "the Sentinel at %s:%d: %s", s->host, s->port,
		        instead(a, r, &lost));
	}
	if (r)
		freeReplyObject(r);
	if (m.port && (m.port != s->checked.port || strcmp(m.host, s->checked.host)) &&
	    !check(s, &m, &why))
		m.port = 0;
	s->checked = m;
	tell(s, &m, why.text);
	return good;
}

static void serve(struct sentinel *s)
{
	static const struct master none;
	struct why why, reason;
	struct asked a;

	if (!dial(&s->url, s->host, s->port, &a, &reason)) {
		why_set(&why, 0, "the Sentinel at %s", reason.text);
		if (!s->checked.port)
			tell(s, &none, why.text);
		return;
	}
	while (ask(s, &a) && pause_ms(s, ASK_MS))
		;
	hang_up(&a);
}

static void *run(void *arg)
{
	struct sentinel *s = arg;
	int at = 0;

	do {
		if (!url_host(&s->url, at, s->host, sizeof s->host, &s->port)) {
			at = 0;
			continue;
		}
		serve(s);
		at++;
	} while (pause_ms(s, at ? LOOK_MS : ASK_MS));
	return NULL;
}

/* --- the loop ----------------------------------------------------------------------------- */

static void on_look(void *arg)
{
	struct sentinel *s = arg;
	bool other;

	loop_timer_set(s->look, LOOK_MS);
	pthread_mutex_lock(&s->lock);
	other = s->found.port != s->master.port || strcmp(s->found.host, s->master.host) ||
	        strcmp(s->trouble, s->reason);
	s->master = s->found;
	snprintf(s->reason, sizeof s->reason, "%s", s->trouble);
	pthread_mutex_unlock(&s->lock);
	if (other)
		s->news(s->arg);
}

const struct master *sentinel_master(const struct sentinel *s)
{
	return &s->master;
}

const char *sentinel_reason(const struct sentinel *s)
{
	return s->reason;
}

struct sentinel *sentinel_new(struct loop *l, const struct url *u, void (*news)(void *arg),
                              void *arg, struct why *why)
{
	struct sentinel *s = mem_alloc(sizeof *s);
	int err;

	s->url = *u;
	s->news = news;
	s->arg = arg;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->stopped, NULL);
	err = pthread_create(&s->thread, NULL, run, s);
	if (err) {
		mem_free(s);
		why_set(why, ACTOR_ENOMEM, "no thread to ask Sentinel: %s", strerror(err));
		return NULL;
	}
	pthread_setname_np(s->thread, "sentinel");
	s->look = loop_timer_new(l, on_look, s);
	loop_timer_set(s->look, LOOK_MS);
	return s;
}

void sentinel_free(struct sentinel *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->stopped);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	loop_timer_free(s->look);
	pthread_cond_destroy(&s->stopped);
	pthread_mutex_destroy(&s->lock);
	explicit_bzero(&s->url, sizeof s->url);
	mem_free(s);
}
