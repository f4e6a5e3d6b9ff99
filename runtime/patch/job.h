/* SPDX-License-Identifier: MIT
 * job.h - what is asked of the compile thread, and doing it. */
#ifndef JOB_H
#define JOB_H

#include "keys.h"
#include "revert.h"

enum kind {
	APPLY, CHECK, EVAL, REVERT, LIFT, PROCESSED, LIST, SHOW, LOG, VERIFY, WAIT, BRING_BACK,
	ASIDE,
};

struct job {
	struct job *next;
	enum kind kind;
	enum origin origin;
	msg_caller caller;
	char *text; size_t len;
	char *file, *note, *author;
	char *topic, *handler, *function;       /* EVAL */
	char *probation;                        /* its terms; NULL: the node's */
	char *rollout, *builds;                 /* that it came by, and is for; NULL: none */
	struct signed_terms *terms;             /* of its signature; NULL: it has none */
	uint32_t number;                        /* given; of what is asked for: REVERT, SHOW */
	bool lose;                              /* REVERT: also what cannot migrate back */
	/* what came of it */
	int code;                               /* 0, or an error with the diagnostics in said */
	struct buf said; /* of a CHECK that passed: the handlers it would change */
	struct buf warnings;                    /* of a CHECK that passed */
	struct buf out;                         /* LIST, SHOW, LOG: the answer, packed */
	struct buf line;                        /* for the log */
	/* of a rollout: the builds of the types that it changes, the one that it takes back */
	struct buf made_for, reverts;
	struct stages at;
	struct code *hold;                      /* as long as process is to run */
	int (*process)(actor *self);
	bool table;                             /* besides its process */
	bool again;                             /* after a restart */
	char *failed;                           /* PROCESSED: how, in words; NULL: well */
	bool waits;                             /* WAIT: it is on probation still */
	void (*aside)(void *arg);               /* ASIDE: this is all of it */
	void *aside_arg;
};

/* Some, in their order. No lock. */
struct jobs { struct job *first, **last; int n; };
void        jobs_push(struct jobs *l, struct job *j);
void        jobs_push_first(struct jobs *l, struct job *j);
struct job *jobs_pop(struct jobs *l);           /* NULL: there is none */

/* Of a message whose argument `source` (-1: none) is the text. */
struct job *job_new(const msg *m, enum kind kind, int source, const char *file);
void job_options(struct job *j, const msg *m);  /* its second argument, a map */
void job_free(struct job *j);
char *job_text(const msg *m, int i);            /* gives */
/* The compile thread: all of it but running its process and answering. 0, or an error with said. */
int  job_work(struct job *j);
void job_warm_up(void);                 /* its thread, first of all */
void job_release_stack(void);           /* its thread, between two */
/* "; us: waiting 12, trial 240, ...", of one that came in force. */
void job_times(const struct job *j, struct buf *out);

#endif
