/* SPDX-License-Identifier: MIT
 * link.h - the connections to one Redis, which come and go together. */
#ifndef LINK_H
#define LINK_H

#include "loop.h"
#include "ports.h"
#include "url.h"

/* Commands are answered at once, but a list's reader blocks and a subscriber may only subscribe: so
 * each has a connection of its own. */
enum link_lane {
	LINK_COMMANDS, LINK_LISTS, LINK_CHANNELS, LINK_INBOX, LINK_STREAMS, LINK_NEWS,
	LINK_LANES
};

/* On the loop's thread, never from inside a call of link.h but link_read_channels(). */
struct link_events {
	/* All lanes are there, and signed in; the pulse is subscribed. */
	void (*up)(void *arg);
	/* They are gone; or: another attempt failed. */
	void (*down)(void *arg, const char *reason);
	void (*message)(void *arg, struct redis_reply channel, struct redis_reply payload);
	void (*pulse)(void *arg, int64_t beat); /* this beat, and all before it, are back */
};
struct link_config {
	const struct url *url;          /* copied, as is all else */
	const char *name;               /* of the connections, for CLIENT LIST */
	const char *pulse;      /* a channel that is always subscribed: shows that the lane lives */
	bool cluster;           /* it is one of a Cluster's masters */
};

struct link;
struct link *link_new(struct loop *l, const struct link_config *c, const struct link_events *e,
                      void *arg);
void link_free(struct link *k);         /* answers what is waiting with REDIS_GONE */
bool link_up(const struct link *k);
/* Lives as long as k. LINK_CHANNELS has none. Not up: ACTOR_EFAIL. */
const struct redis_port *link_port(struct link *k, enum link_lane lane);
int64_t link_id(const struct link *k, enum link_lane lane);     /* CLIENT ID, or 0: not up */
/* Appends a URL, with its password, by which any client reaches the same Redis. False: not up. */
bool link_url(const struct link *k, struct buf *out);
/* What the operator should set, as a failover may lose what was acknowledged; "": nothing. */
const char *link_warning(const struct link *k);
size_t  link_unsent(const struct link *k);      /* bytes of commands that wait for the socket */

/* SUBSCRIBE or UNSUBSCRIBE; what fails drops the link. */
void link_subscribe(struct link *k, bool on, int n, const char **channels, const size_t *len);
/* Reads what the channels' socket holds now, and hands it on. False: it ends in the middle of a
 * message. */
bool link_read_channels(struct link *k);
/* Reads the replies to commands that came while nobody was waiting for them. */
void link_catch_up(struct link *k);
/* What Redis took from others before it takes this reaches message() before pulse() says that
 * this beat is back. */
int64_t link_beat(struct link *k);

#endif
