/* SPDX-License-Identifier: MIT
 * peers.h - all other nodes, and which of them a name leads to. The loop's thread. */
#ifndef PEERS_H
#define PEERS_H

#include "peer.h"

struct peers;
/* c: its gate is ours; all else is borrowed. Makes a proxy for names that several nodes host. */
struct peers *peers_new(const struct peer_config *c, struct why *why);
void          peers_free(struct peers *s);      /* when the core has stopped */
/* It is there; info: the map that it announced, of which its topics become reachable. A life
 * that has none yet keeps those of the one before, if that was there until now. */
void peers_seen(struct peers *s, const char *name, uint64_t life, struct packed info);
void peers_gone(struct peers *s, const char *name);
/* That actor of its takes nothing more, so senders get ACTOR_EFULL; or it does again. That is so of
 * the life that says it (peer_speaks()). */
void peers_room(struct peers *s, struct peer *p, const char *name, bool room);
void peers_up(struct peers *s);
/* What other nodes sent is being handled, and may be answered soon; or it all is. */
void peers_busy(struct peers *s, bool busy);
/* Known or not. NULL: there are too many. */
struct peer *peers_get(struct peers *s, const char *name);
unsigned     peers_names(const struct peers *s);        /* that lead to other nodes */
struct peer *peers_find(const struct peers *s, const char *name);       /* NULL: not known */
void peers_info(const struct peers *s, struct peer_info *out);  /* of all together */

#endif
