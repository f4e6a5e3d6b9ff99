/* SPDX-License-Identifier: MIT
 * failover.c - see failover.h.
 *
 * Where Sentinels or a Cluster may put a replica in the master's place, what the master has
 * acknowledged and no replica has yet is lost with it. Redis acknowledges before a replica has it:
 * microseconds, as a rule, but all that is written while the master is cut off from its replicas.
 * min-replicas-to-write ends that after min-replicas-max-lag seconds without a sign of a replica,
 * so it bounds the loss, and does not rule it out: a master that stood still takes what stands in
 * its sockets before it looks at the time. So where Sentinels watch and a write needs replicas, a
 * frame for another node counts as written when they have it (WAIT, which holds up what goes the
 * same way for as long). In a Cluster WAIT has no key to find its master by. Which to have is the
 * operator's to say, so what is done here besides is to tell. Of a Cluster one master is asked, as
 * they are set alike.
 *
 * A Redis that does not let us ask (CONFIG is often kept from users) is taken as it is. */
#include "failover.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"

enum {
	LAG_LEAST_S = 1,        /* that Redis can be set to */
	WAIT_MS = 100,
};

struct failover {
	const struct redis_port *port;
	bool sentinel, cluster;
	int replicas;           /* that a write needs, where Sentinels watch; 0: none */
	char warning[192];
};

struct failover *failover_new(const struct url *u, const struct redis_port *port)
{
	struct failover *f = mem_alloc(sizeof *f);

	f->port = port;
	f->cluster = url_is_cluster(u);
	f->sentinel = u->master[0];
	return f;
}

void failover_free(struct failover *f)
{
	mem_free(f);
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
static void on_least(void *arg, const struct redis_reply *r)
{
	struct failover *f = arg;
	int least, lag_s;

	if (r->type != REDIS_LIST)
		return;
	least = value_of(r, "min-replicas-to-write");
	lag_s = value_of(r, "min-replicas-max-lag");
	f->replicas = f->sentinel && least > 0 ? least : 0;
	if (!least || !lag_s)
		snprintf(f->warning, sizeof f->warning, "a failover may lose what was acknowledged "
		         "last, as a write needs no replica: CONFIG SET min-replicas-to-write 1 "
		         "min-replicas-max-lag 1");
	else if (lag_s > LAG_LEAST_S)
		snprintf(f->warning, sizeof f->warning, "a failover may lose what was acknowledged "
		         "in the last %d s, for which a replica may be behind: CONFIG SET "
		         "min-replicas-max-lag 1", lag_s);
	else
		return;
	log_line(LOG_WARN, "bus", "%s", f->warning);
}

static void ask(struct failover *f, redis_fn *fn, int argc, const char **argv)
{
	size_t len[3];

	for (int i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
	f->port->command(f->port->link, fn, f, argc, argv, len);
}

static void ask_least(struct failover *f)
{
	const char *argv[] = { "CONFIG", "GET", "min-replicas-*" };

	ask(f, on_least, 3, argv);
}

/* A Cluster's master that has no replica is not replaced. */
static void on_replication(void *arg, const struct redis_reply *r)
{
	const char *n = r->type == REDIS_STR ? strstr(r->str, "connected_slaves:") : NULL;

	if (n && atoi(n + strlen("connected_slaves:")) > 0)
		ask_least(arg);
}

void failover_check(struct failover *f)
{
	const char *argv[] = { "INFO", "replication" };

	f->warning[0] = 0;
	if (f->sentinel)
		ask_least(f);
	else if (f->cluster)
		ask(f, on_replication, 2, argv);
}

/* --- what no replica may have ------------------------------------------------------------- */

struct written { struct failover *of; const struct redis_port *port; redis_fn *fn; void *arg; };

static void done(struct written *w, const struct redis_reply *r)
{
	struct written own = *w;

	mem_free(w);
	own.fn(own.arg, r);
}

/* Who may not WAIT is told what Redis said of the write. */
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
		done(w, r->type != REDIS_INT || r->integer >= w->of->replicas ? &taken : &late);
}

static void on_written(void *arg, const struct redis_reply *r)
{
	static const struct redis_reply gone = { .type = REDIS_GONE };
	struct written *w = arg;
	char replicas[12], ms[12];
	const char *argv[] = { "WAIT", replicas, ms };

	if (r->type != REDIS_STR) {
		done(w, r);
		return;
	}
	snprintf(replicas, sizeof replicas, "%d", w->of->replicas);
	snprintf(ms, sizeof ms, "%d", WAIT_MS);
	if (w->port->command(w->port->link, on_waited, w, 3, argv,
	                     (const size_t[]){ 4, strlen(replicas), strlen(ms) }))
		done(w, &gone);
}

int failover_write(struct failover *f, const struct redis_port *port, redis_fn *fn, void *arg,
                   int argc, const char **argv, const size_t *len)
{
	struct written *w;
	int err;

	if (!f || !f->replicas)
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
