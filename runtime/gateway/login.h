/* SPDX-License-Identifier: MIT
 * login.h - from a client's first message to where its calls may pass. */
#ifndef LOGIN_H
#define LOGIN_H

#include "visit.h"

void login_setup(const struct session_config *c);       /* borrows c->login */
void login_look(void);  /* warns where nobody can log in; any thread, once all actors are there */
/* e is a login. ACTOR_EFULL: it is to be tried again, unless it is the last time. */
int  login_ask(struct session *s, const struct envelope *e, bool last);
void login_gone(struct session *s);     /* the session ends */
/* Handlers of the session's actor: what the login actor said, the store, and Redis. */
int  login_settled(actor *self, const msg *m);
int  login_loaded(actor *self, const msg *m);
int  login_shared(actor *self, const msg *m);

#endif
