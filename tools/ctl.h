/* SPDX-License-Identifier: MIT
 * ctl.h - what every file of actorctl needs: the options given, exit statuses, errors in words. */
#ifndef CTL_H
#define CTL_H

#include "base.h"

enum ctl_status {
	CTL_DONE, CTL_FAILED, CTL_USAGE, CTL_ABSENT, CTL_AWAY, CTL_LATE, CTL_REJECTED,
	CTL_NOT_YET = -1,       /* internal: nobody answers there, which `wait` waits for */
};

struct ctl {
	const char *control;    /* --control or $ACTORD_CONTROL; NULL: the default places */
	const char *redis, *node;       /* through that Redis, instead; NULL: any node there */
	bool json;
	int timeout_ms;         /* 0: the command's own default */
	int columns;            /* of the terminal on stdout; 0: it is none */
	bool colour;
	const char *note, *author;      /* of a patch; NULL: none given */
	bool verify;                    /* of patch log */
	bool lose;                      /* --lose-changes, of patch revert */
	const char *probation;          /* its terms, of patch apply; NULL: the node's */
	bool wait;                      /* of patch apply: until its probation is over */
	const char *group;              /* of patch apply and revert: the nodes; NULL: this one */
};

/* Says it on stderr, or with --json as {"error":{"code":STATUS,"text":...}} on stdout; returns
 * status. What begins with a file and line (bare) is printed without our name before it. */
int ctl_fail(const struct ctl *c, enum ctl_status status, const char *fmt, ...) PRINTF(3, 4);
int ctl_fail_bare(const struct ctl *c, enum ctl_status status, const char *text);

/* Of the terminal on stdout, as wide as it is now; 0: it is none. */
int ctl_columns(void);

#endif
