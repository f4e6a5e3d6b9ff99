/* SPDX-License-Identifier: MIT
 * wire.c - see wire.h. Chooses, and hands on; one Redis has its link's own ports. The loop's
 * thread. */
#include "wire.h"

#include <stdio.h>

#include "cluster.h"

enum { SUBSCRIBE_MOST = 256 };  /* channels in one command */

struct wire { struct link *link; struct cluster *cluster; };    /* one of both */

struct wire *wire_new(struct loop *l, const struct link_config *c, const struct link_events *e,
                      void *arg)
{
	struct wire *w = mem_alloc(sizeof *w);

	if (url_is_cluster(c->url))
		w->cluster = cluster_new(l, c, e, arg);
	else
		w->link = link_new(l, c, e, arg);
	return w;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	link_free(w->link);
	cluster_free(w->cluster);
	mem_free(w);
}

bool wire_up(const struct wire *w)
{
	return w->link ? link_up(w->link) : cluster_up(w->cluster);
}

const struct redis_port *wire_port(struct wire *w, enum link_lane lane)
{
	return w->link ? link_port(w->link, lane) : cluster_port(w->cluster, lane);
}

bool wire_url(const struct wire *w, struct buf *out)
{
	return link_url(w->link ? w->link : cluster_channels(w->cluster), out);
}

const char *wire_warning(const struct wire *w)
{
	return w->link ? link_warning(w->link) : cluster_warning(w->cluster);
}

size_t wire_unsent(const struct wire *w)
{
	return w->link ? link_unsent(w->link) : cluster_unsent(w->cluster);
}

void wire_unblock(struct wire *w, enum link_lane lane, redis_fn *fn, void *arg)
{
	char id[24];
	const char *argv[] = { "CLIENT", "UNBLOCK", id };
	size_t len[] = { 6, 7, 0 };
	const struct redis_port *port;

	if (w->cluster) {
		cluster_stop(w->cluster, lane);
		return;
	}
	port = link_port(w->link, LINK_COMMANDS);
	len[2] = (size_t)snprintf(id, sizeof id, "%lld", (long long)link_id(w->link, lane));
	port->command(port->link, fn, arg, 3, argv, len);
}

static struct link *channels(const struct wire *w)
{
	return w->link ? w->link : cluster_channels(w->cluster);
}

void wire_subscribe(struct wire *w, bool on, int n, const char **names, const size_t *len)
{
	if (channels(w))
		link_subscribe(channels(w), on, n, names, len);
}

int wire_words(const struct redis_port *port, redis_fn *fn, void *arg, int argc, const char **argv)
{
	size_t len[WIRE_WORDS_MOST];

	for (int i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
	return port->command(port->link, fn, arg, argc, argv, len);
}

void wire_subscribe_all(struct wire *w, bool on, const struct topics *topics)
{
	const char *names[SUBSCRIBE_MOST];
	size_t len[SUBSCRIBE_MOST];
	unsigned all = topics_count(topics);
	int n = 0;

	for (unsigned i = 0; i < all; i++) {
		const struct topic *t = topics_get(topics, i);

		if (t->hosted) {
			names[n] = t->name;
			len[n++] = t->len;
		}
		if (n == SUBSCRIBE_MOST || (n && i + 1 == all)) {
			wire_subscribe(w, on, n, names, len);
			n = 0;
		}
	}
}

bool wire_read_channels(struct wire *w)
{
	return !channels(w) || link_read_channels(channels(w));
}

void wire_catch_up(struct wire *w)
{
	if (w->link)
		link_catch_up(w->link);
}

int64_t wire_beat(struct wire *w)
{
	return channels(w) ? link_beat(channels(w)) : 0;
}
