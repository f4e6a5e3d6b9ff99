/* SPDX-License-Identifier: MIT
 * share.h - what users share (KEEP_SHARED), to Redis and from there. */
#ifndef SHARE_H
#define SHARE_H

#include "../actor.h"

void share_setup(void);                 /* before `clients` lives */
/* Handlers of the actor `clients`: a change of ours, and what Redis said to it; one of another
 * node's, and what Redis has; all that users have, read anew. */
int share_set(actor *self, const msg *m);
int share_written(actor *self, const msg *m);
int share_unsaid(actor *self, const msg *m);
int share_changed(actor *self, const msg *m);
int share_read(actor *self, const msg *m);
int share_unread(actor *self, const msg *m);
int share_ask_again(actor *self, const msg *m);
int share_connected(actor *self, const msg *m);
int share_reread(actor *self, const msg *m);
int share_all_read(actor *self, const msg *m);

#endif
