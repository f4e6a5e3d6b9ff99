/* SPDX-License-Identifier: MIT
 * ctl_link.h - one connection to a runtime's control socket: a question, its answer. */
#ifndef CTL_LINK_H
#define CTL_LINK_H

#include "ctl.h"
#include "envelope.h"

struct link {
	int fd;
	void *remote;                   /* through Redis: see ctl_redis.h; NULL: fd is a socket */
	int64_t deadline_ms;            /* of link_now_ms() */
	const char *asked;              /* the handler; NULL: nothing was yet */
	struct buf out, in, scratch;
};

int64_t link_now_ms(void);
/* What was asked a node answers at once, unless it stands still: it has no other advice. */
bool link_asked_itself(const struct link *l);
/* Connects. CTL_DONE; CTL_AWAY or CTL_NOT_YET with why. */
int  link_open(struct link *l, const struct ctl *c, int timeout_ms, struct why *why);
/* Asks and waits for the answer, which lives until the next call. CTL_DONE (an answer that is an
 * error, too: see answer->err_code); CTL_AWAY or CTL_LATE with why; CTL_USAGE: over 16 MiB. */
int  link_call(struct link *l, const char *to, const char *what, const struct buf *args,
               unsigned count, struct envelope *answer, struct why *why);
void link_close(struct link *l);

#endif
