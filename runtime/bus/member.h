/* SPDX-License-Identifier: MIT
 * member.h - this node among those that share its Redis. The loop's thread. */
#ifndef MEMBER_H
#define MEMBER_H

#include "inbox.h"
#include "topic.h"

struct member_config {
	struct loop *loop;
	struct wire *wire;
	const struct topics *topics;
	const char *node, *identity;    /* see nodes.h; borrowed, as is all else */
	const char *groups;             /* that it is in, "a,b"; NULL: none */
	/* The others can find us, after each member_up(); or, failed is why not. */
	void (*joined)(void *arg, const char *failed);
	void (*refused)(void *arg, const char *reason); /* somebody else has our name */
	void (*gate)(void *arg);        /* others take messages again, or no more; or we do */
	void (*gone)(void *arg);        /* some node is */
	/* Appends one packed list of texts: the patches in force. May be NULL. */
	void (*patches)(void *arg, struct buf *out);
	void *patches_arg;
	void *arg;
};
struct member_info { struct peer_info out; struct inbox_info in; unsigned elsewhere; };

struct member;
struct member *member_new(const struct member_config *c, struct why *why);      /* makes actors */
void member_free(struct member *m);     /* when the core has stopped */
void member_up(struct member *m);
void member_down(struct member *m);
void member_changed(struct member *m);  /* our topics */
void member_rolled(struct member *m, const char *id);   /* the rollout that was taken last */
/* Those that are there, and are in this group or have this name; "*": all that take patches. */
void member_group(const struct member *m, const char *group,
                  void (*each)(void *arg, const char *node), void *arg);
void member_heard(struct member *m);    /* on NODES_CHANNEL */
void member_quiet(struct member *m);    /* nothing new is to be sent to us */
/* After member_quiet(): what came is handled, what goes has gone. */
bool member_idle(const struct member *m);
bool member_leave(struct member *m);    /* then; again and again until true: the others know */
/* While that cannot be said, after a sleep, nothing is taken in its name; then gate() is called. */
bool member_ours(const struct member *m);
/* So it is for longer, as Redis refuses to let us say that we are there. Any thread. */
bool member_rests(const struct member *m);
bool member_alone(const struct member *m);      /* others cannot reach us; as member_rests() */
/* 1: it is there, or we are it; else as nodes_knows(). */
int member_knows(const struct member *m, const char *node);
void member_info(const struct member *m, struct member_info *out);
/* Appends a map a node, ours first: name self since version groups topics patches rollout. Their
 * number. */
unsigned member_rows(const struct member *m, struct buf *out);

#endif
