/* SPDX-License-Identifier: MIT
 * outbox.h - answers on their way to a topic: to those who are subscribed, else onto the list of
 * that name. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "ports.h"

enum {
	OUTBOX_MOST = 16384, OUTBOX_BYTES_MOST = 64 << 20,      /* what waits while Redis is away */
	OUTBOX_EXPIRE_S = 3600,         /* of a list that an answer made and nobody reads */
};

struct outbox;
struct outbox_info { uint64_t sent, dropped; unsigned waiting; size_t bytes; };

/* spare: called when an answer has gone its way. port: borrowed. scripts: a script there knows of
 * all who are subscribed (not in a Cluster). */
struct outbox *outbox_new(const struct redis_port *port, bool scripts, void (*spare)(void *arg),
                          void *arg);
void outbox_free(struct outbox *o);
/* Gives the buffer to which the message is to be appended; then outbox_send(), before anything
 * else. */
struct buf *outbox_write(struct outbox *o, const char *to, size_t len);
/* sure: it may come twice where a link is lost, rather than not at all. */
void outbox_send(struct outbox *o, bool sure);
void outbox_up(struct outbox *o);       /* Redis is there (again): sends what waited */
void outbox_info(const struct outbox *o, struct outbox_info *out);

#endif
