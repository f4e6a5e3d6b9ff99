/* SPDX-License-Identifier: MIT
 * frame.h - what nodes write into each other's inboxes: many messages in one piece of msgpack.
 *
 *   [1, node, life, sequence]           who wrote it, in which of its lives, its how manieth to us
 *   [SEND, to, what, values...]
 *   [ASK, number, ms, to, what, values...]      ms 0: the asker's patience is not known
 *   [ANSWER, number, values...]         to the question with that number, as are:
 *   [REFUSAL, number, code, text]
 *   [WATCH, number, to]                 tell me when that actor ends:
 *   [DOWN, number, name, reason]
 *   [TRACE, trace, step, depth, noted]  the part behind it belongs to that trace (core.h)
 *   [UNWATCH, number]                   I want no DOWN of that number any more
 *   [CLIENT, true]                      the SEND or ASK behind it is what a client called itself
 *
 * A part of another kind is of a later build: it is passed over, with what stands ahead of it
 * (TRACE, CLIENT, USER). So a later kind that is for the part behind it has to come before those,
 * as USER does. Builds before this refuse a frame from there on. So what came to be meanwhile are
 * answers to questions that nobody asks, which all pass over:
 *
 *   [ANSWER, 0, user]                   USER: the SEND or ASK behind it is from the session of
 *                                       that user
 *   [ANSWER, 2^64 - 1, number, name]    ROOM: that actor of mine takes no more (0), or does again
 *
 * What comes from Redis may be forged: reading checks every bound. No state; any thread. */
#ifndef FRAME_H
#define FRAME_H

#include "core.h"

enum part_kind { PART_SEND, PART_ASK, PART_ANSWER, PART_REFUSAL, PART_WATCH, PART_DOWN,
                 PART_TRACE, PART_CLIENT, PART_UNWATCH,
                 PART_ROOM, PART_USER, PART_UNKNOWN };  /* not by these numbers: see above */

/* A node says PART_ROOM so often, as long as an actor of its is full; unsaid for so long, it is not
 * any more: what says so may be lost with a Redis. */
enum { ROOM_TELL_MS = 1000, ROOM_LASTS_MS = 5000 };

struct frame { char node[NAME_MAX_LEN + 1]; uint64_t life, sequence; };

struct part {
	enum part_kind kind;
	uint64_t number;                /* of a question, of a monitor; ROOM: is there some?
	                                 * UNKNOWN: the kind */
	struct trace_link link;         /* TRACE */
	int ms;                         /* ASK */
	bool client;                    /* SEND, ASK: whoever reads says so */
	char user[NAME_MAX_LEN + 1];    /* SEND, ASK: "": not a session */
	int code;                       /* REFUSAL */
	char to[NAME_MAX_LEN + 1];      /* SEND, ASK, WATCH; DOWN, ROOM: the name */
	char what[NAME_MAX_LEN + 1];    /* SEND, ASK */
	const char *text; size_t len;   /* REFUSAL, DOWN: borrowed, no NUL */
	struct packed args; unsigned count;     /* SEND, ASK, ANSWER, UNKNOWN; checked */
};

/* The key of a node's inbox, or of what belongs to it. Gives. */
char *frame_key(const char *node, const char *suffix);

/* Appends. */
void frame_begin(struct buf *out, const char *node, uint64_t life, uint64_t sequence);
/* values values follow, packed by the caller. */
void part_send(struct buf *out, const char *to, const char *what, unsigned values);
void part_ask(struct buf *out, uint64_t number, int ms, const char *to, const char *what,
              unsigned values);
void part_answer(struct buf *out, uint64_t number, unsigned values);
void part_refusal(struct buf *out, uint64_t number, int code, const char *text);
void part_watch(struct buf *out, uint64_t number, const char *to);
void part_unwatch(struct buf *out, uint64_t number);
void part_down(struct buf *out, uint64_t number, const char *name, const char *reason);
void part_trace(struct buf *out, const struct trace_link *l);
void part_client(struct buf *out);
void part_room(struct buf *out, const char *name, bool room);
void part_user(struct buf *out, const char *user);

/* The frame's head; in is left at its first part. ACTOR_EARGS with why. */
int frame_read(struct packed *in, struct frame *f, struct why *why);
/* 1: the next part; 0: there is none; ACTOR_EARGS with why: the rest cannot be read. p begins
 * zeroed, and is the same for all parts of a frame: a name that comes again is not read again. */
int frame_next(struct packed *in, struct part *p, struct why *why);

#endif
