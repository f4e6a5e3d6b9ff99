/* SPDX-License-Identifier: MIT
 * failover.c - see failover.h.
 *
 * Where Sentinels or a Cluster may put a replica in the master's place, what the master has
 * acknowledged and no replica has yet is lost with it, by microseconds as a rule: unless it takes
 * writes only while a replica keeps up (min-replicas-to-write). That is the operator's to say, so
 * what is done here is to tell. Of a Cluster one master is asked, as they are set alike.
 *
 * A Redis that does not let us ask (CONFIG is often kept from users) is taken as it is. */
#include "failover.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"

struct failover {
	const struct redis_port *port;
	bool sentinel, cluster;
	char warning[160];
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

/* [name, value] */
static void on_least(void *arg, const struct redis_reply *r)
{
	struct failover *f = arg;

	if (r->type != REDIS_LIST || r->items != 2 || r->item[1].type != REDIS_STR ||
	    atoi(r->item[1].str) > 0)
		return;
	snprintf(f->warning, sizeof f->warning, "a failover may lose what was acknowledged last, "
	         "as a write needs no replica: CONFIG SET min-replicas-to-write 1");
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
	const char *argv[] = { "CONFIG", "GET", "min-replicas-to-write" };

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

const char *failover_warning(const struct failover *f)
{
	return f->warning;
}
