/* SPDX-License-Identifier: MIT
 * calls.h - what actors of this node say to lists: RPUSHed in JSON, and answered on the node's
 * reply topic. */
#ifndef CALLS_H
#define CALLS_H

#include "core.h"
#include "ports.h"

enum { CALLS_MOST = 16384 };    /* waiting for their answers */

struct calls;
/* self: the actor that is asked, to answer in its name. port is borrowed. */
struct calls *calls_new(actor *self, const struct redis_port *port, const char *reply);
void calls_free(struct calls *c);
/* m, which self is handling: to:str what:str, then the values; to is `list:TOPIC`. */
int  calls_push(struct calls *c, const msg *m);
/* m: to what topic:str func:str, then the values, PUBLISHed for the other nodes that host the
 * topic: node is this one's name, which passes over broadcasts of its own. */
int  calls_publish(struct calls *c, const msg *m, const char *node);
/* An answer to one of them, whose number was the cb; one that nobody waits for is passed over. */
void calls_answered(struct calls *c, const char *cb, struct packed args, unsigned count, int code,
                    const char *text);
void calls_down(struct calls *c, const char *reason);   /* why nothing can be sent, from now on */
void calls_expire(struct calls *c);     /* every few seconds: gives up what waited too long */
void calls_forget(struct calls *c);     /* who waits is gone: the core has stopped */
unsigned calls_waiting(const struct calls *c);
bool calls_said(const struct calls *c); /* Redis has what was published */

#endif
