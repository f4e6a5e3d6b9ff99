/* SPDX-License-Identifier: MIT
 * failover.c - see failover.h.
 *
 * Where Sentinels or a Cluster may put a replica in the master's place, what the master has
 * acknowledged and no replica has yet is lost with it. Redis acknowledges before a replica has it:
 * microseconds, as a rule, but all that is written while the master is cut off from its replicas.
 * min-replicas-to-write ends that after min-replicas-max-lag seconds without a sign of a replica,
 * so it bounds the loss, and does not rule it out: a master that stood still takes what stands in
 * its sockets before it looks at the time. So where a write needs replicas, a frame for another
 * node counts as written when they have it (WAIT, which holds up what goes the same way for as
 * long). Which to have is the operator's to say, so what is done here besides is to tell.
 *
 * CONFIG is often kept from users. INFO says that a write needs replicas, though not how many: one,
 * then. Where that is refused, too, the operator is told what cannot be seen. An answer that is
 * neither, as BUSY for as long as a script runs, says nothing of it: what was known stays. */
#include "failover.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LAG_LEAST_S = 1,        /* that Redis can be set to */
	WAIT_MS = 100,
};

struct failover {
	bool cluster;
	bool no_info, no_config;        /* they are refused */
	bool informed;          /* INFO was answered: */
	bool alone;             /* it has no replica: in a Cluster nobody takes its place */
	bool needs;             /* a write needs some */
	int least, lag_s;       /* min-replicas-to-write, -max-lag; -1: not known */
	char what[300], warning[512];
};

struct failover *failover_new(const struct url *u)
{
	struct failover *f = mem_alloc(sizeof *f);

	f->cluster = !u->master[0];
	f->least = f->lag_s = -1;
	if (f->cluster)
		snprintf(f->what, sizeof f->what, "a failover of %s:%d", u->host, u->port);
	else
		snprintf(f->what, sizeof f->what, "a failover");
	return f;
}

void failover_free(struct failover *f)
{
	mem_free(f);
}

/* That a write needs; as far as is known. */
static int replicas(const struct failover *f)
{
	return f->least >= 0 ? f->least : f->needs;
}

static void judge(struct failover *f)
{
	f->warning[0] = 0;
	if (f->alone)
		return;
	if (f->least < 0 && !f->informed)
		snprintf(f->warning, sizeof f->warning, "%s may lose what was acknowledged last: "
		         "whether a write needs a replica cannot be seen, as this user of Redis "
		         "may ask for neither INFO nor CONFIG GET: ACL SETUSER NAME +info "
		         "+config|get", f->what);
	else if (!replicas(f) || !f->lag_s)
		snprintf(f->warning, sizeof f->warning, "%s may lose what was acknowledged last, "
		         "as a write needs no replica: CONFIG SET min-replicas-to-write 1 "
		         "min-replicas-max-lag 1", f->what);
	else if (f->lag_s > LAG_LEAST_S)
		snprintf(f->warning, sizeof f->warning, "%s may lose what was acknowledged in the "
		         "last %d s, for which a replica may be behind: CONFIG SET "
		         "min-replicas-max-lag 1", f->what, f->lag_s);
}

/* The number behind a name; -1: it is not there. */
static int field(const char *info, const char *name)
{
	const char *at = strstr(info, name);

	return at ? atoi(at + strlen(name)) : -1;
}

/* For good: this user may not, or this Redis has it not. */
static bool is_refused(const struct redis_reply *r)
{
	return r->type == REDIS_ERROR &&
	       (!strncmp(r->str, "NOPERM", 6) || !strncmp(r->str, "ERR ", 4));
}

void failover_see_replicas(struct failover *f, const struct redis_reply *r)
{
	f->no_info = is_refused(r);
	if (r->type != REDIS_STR && !f->no_info)
		return;
	f->informed = !f->no_info;
	f->alone = f->cluster && f->informed && field(r->str, "connected_slaves:") <= 0;
	f->needs = f->informed && field(r->str, "min_slaves_good_slaves:") >= 0;
	judge(f);
}

static int value_of(const struct redis_reply *r, const char *name)
{
	for (size_t i = 0; i + 1 < r->items; i += 2)
		if (r->item[i].type == REDIS_STR && !strcmp(r->item[i].str, name) &&
		    r->item[i + 1].type == REDIS_STR)
			return atoi(r->item[i + 1].str);
	return -1;
}

/* [name, value, ...] */
void failover_see_least(struct failover *f, const struct redis_reply *r)
{
	f->no_config = is_refused(r);
	if (r->type != REDIS_LIST && !f->no_config)
		return;
	f->least = f->no_config ? -1 : value_of(r, "min-replicas-to-write");
	f->lag_s = f->no_config ? -1 : value_of(r, "min-replicas-max-lag");
	judge(f);
}

bool failover_may_ask(const struct failover *f)
{
	return !f->no_info && !f->no_config;
}

/* --- what no replica may have ------------------------------------------------------------- */

struct written { struct failover *of; const struct redis_port *port; redis_fn *fn; void *arg; };

static void done(struct written *w, const struct redis_reply *r)
{
	struct written own = *w;

	mem_free(w);
	own.fn(own.arg, r);
}

/* Who may not WAIT, or has a Redis that knows none, is told what Redis said of the write. Any other
 * error is of a Redis that has just become a replica: it forgets what it took. */
static bool is_taken(const struct written *w, const struct redis_reply *r)
{
	if (r->type != REDIS_ERROR)
		return r->type == REDIS_INT && r->integer >= replicas(w->of);
	return !strncmp(r->str, "NOPERM", 6) || !strncmp(r->str, "ERR unknown command", 19);
}

static void on_waited(void *arg, const struct redis_reply *r)
{
	static const char none[] = "NOREPLICAS no replica has it yet";
	static const struct redis_reply taken = { .type = REDIS_STR, .str = "", .len = 0 };
	static const struct redis_reply late = {
		.type = REDIS_ERROR, .str = none, .len = sizeof none - 1
	};
	struct written *w = arg;

	if (r->type == REDIS_GONE)
		done(w, r);
	else
		done(w, is_taken(w, r) ? &taken : &late);
}

static void on_written(void *arg, const struct redis_reply *r)
{
	static const struct redis_reply gone = { .type = REDIS_GONE };
	struct written *w = arg;
	char number[12], ms[12];
	const char *argv[] = { "WAIT", number, ms };

	if (r->type != REDIS_STR) {
		done(w, r);
		return;
	}
	snprintf(number, sizeof number, "%d", replicas(w->of));
	snprintf(ms, sizeof ms, "%d", WAIT_MS);
	if (w->port->command(w->port->link, on_waited, w, 3, argv,
	                     (const size_t[]){ 4, strlen(number), strlen(ms) }))
		done(w, &gone);
}

int failover_write(struct failover *f, const struct redis_port *port, redis_fn *fn, void *arg,
                   int argc, const char **argv, const size_t *len)
{
	struct written *w;
	int err;

	if (!f || !replicas(f))
		return redis_later(port, fn, arg, argc, argv, len);
	w = mem_alloc(sizeof *w);
	*w = (struct written){ f, port, fn, arg };
	err = redis_later(port, on_written, w, argc, argv, len);
	if (err)
		mem_free(w);
	return err;
}

const char *failover_warning(const struct failover *f)
{
	return f->warning;
}
