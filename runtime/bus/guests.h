/* SPDX-License-Identifier: MIT
 * guests.h - clients of other nodes whose calls come here: who msg_from() is then. The loop's
 * thread. */
#ifndef GUESTS_H
#define GUESTS_H

#include "peer.h"

struct guests;
struct guest;
struct guests *guests_new(struct loop *l);
void guests_free(struct guests *s);     /* when the core has stopped */
/* That node's client of this name; again: of its calls that may have been handled before. NULL:
 * there is no room for one more. It is borrowed until the next, or as long as it is held. */
struct guest *guests_get(struct guests *s, struct peer *p, const char *user, bool again);
void guest_hold(struct guest *g);       /* NULL is fine, as in the next */
void guest_let_go(struct guest *g);
const char *guest_user(const struct guest *g);
/* Who asks for it, and the table of its questions: see peer_ask(). */
actor *guest_actor(const struct guest *g);
struct places *guest_served(struct guest *g);

#endif
