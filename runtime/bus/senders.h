/* SPDX-License-Identifier: MIT
 * senders.h - how far the frames of each other node have come. One thread. */
#ifndef SENDERS_H
#define SENDERS_H

#include "base.h"

enum { SENDER_LIVES = 4, SENDER_TRUSTED = 64 };  /* so many in a row are no forger's */
struct sender {
	struct sender *next;
	char *name;
	uint64_t life, last;
	uint64_t read;                  /* the sequence of the frame that was read last */
	uint64_t early, early_to;       /* these came before those between them and last; 0: none */
	struct { uint64_t life, last; } other[SENDER_LIVES];    /* before that one, */
	unsigned others;                                        /* and how many */
	uint64_t done_life, done_last;  /* handled; */
	uint64_t gone_life, gone_last;  /* so far some behind that are gone (acks.c) */
	bool dirty;                     /* that Redis does not know */
	bool newer;                     /* it writes what this build does not know: said */
};

struct senders;
struct senders *senders_new(void);
void            senders_free(struct senders *s);
struct sender  *sender_of(struct senders *s, const char *name);  /* makes one */
struct sender  *senders_first(const struct senders *s);

enum sender_said { SENDER_NEXT, SENDER_SEEN, SENDER_GAP };
/* A frame has come. SEEN: it has before. GAP: others should have come before it. reread: it is of
 * a part of the stream that was read before. */
enum sender_said sender_frame(struct sender *s, uint64_t life, uint64_t sequence, bool reread);

#endif
