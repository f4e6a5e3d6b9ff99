/* SPDX-License-Identifier: MIT
 * message.h - a message in memory: a header, typed slots, and behind them what does not fit a slot.
 *
 *   +------ header, 32 bytes ------+---- slot 0..3, 32 bytes ----+-- more slots, types, text --+
 *   | next gen from fn sig n corr  | int, bits of a num, a place | only in larger classes      |
 *   +------------------------------+-----------------------------+-----------------------------+
 *
 * Messages are units of 64 bytes in one reserved region, so that a mailbox word can hold an index
 * instead of a pointer. Classes of 1 to 16 units are pooled in magazines a thread, exchanged whole
 * with a depot; what is larger has its body on the heap. The region is never given back: it is as
 * large as the most that ever was under way, which the mailboxes' limits bound. A str, bytes, list
 * or map is a place in the body: offset:32 | length:32, lists and maps as msgpack. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "../actor.h"
#include "signature.h"

enum {
	MSG_CLASS   = 7,        /* mask: log2 of its units */
	MSG_HEAP    = 8,        /* slot[0] points to the body, slot[1] is its size in bytes */
	MSG_ERR     = 16,       /* an answer that is none: value 0 the code, value 1 the text */
	MSG_ANSWER  = 32,       /* corr is the number of the question that the receiver asked */
	MSG_ORIGIN_SHIFT = 6,   /* enum origin, two bits */
};
enum { /* instead of a handler's index in fn: */
       FN_SPECIAL = 0xff00,
       FN_ANSWER = 0xff01, /* to the ask corr */
       FN_LATE = 0xff02,   /* the ask corr has waited long enough */
       FN_TIMER = 0xff03,  /* the timer corr is due */
       FN_DOWN = 0xff04,   /* a monitored actor has ended: number, name, reason */
       FN_TRACED = 0xff05, /* any of a handler's, or an answer: see trace.h */
       /* Those from here on call no handler: see message_is_order(). */
       FN_START = 0xff06,
       FN_STOP = 0xff07,    /* corr: until that moment (ms) what waits may be handled; 0: at once */
       FN_REACH = 0xff08,   /* to be answered when it is reached, or cannot be any more */
       FN_SET = 0xff0e,     /* the control lane: the variable named so becomes corr (a double) */
       FN_MIGRATE = 0xff0f, /* the control lane: its type is followed by another */
       /* Orders, which go by the control lane: value 0 says whom they are meant for, value 1 is a
	  text. See supervise.c */
       FN_ORDER = 0xff10,
       FN_RESTART = 0xff10, /* parent to child, after corr ms */
       FN_CYCLE = 0xff11,   /* parent to child: end, and wait for FN_RESTART */
       /* child to parent (corr: its cell): I wait for FN_RESTART or FN_STOP */
       FN_FAILED = 0xff12,
       FN_CYCLED = 0xff13,   /* the same, as told */
       FN_UP = 0xff14,       /* child to parent: I have started again */
       FN_ENDED = 0xff15,    /* child to parent: I was */
       FN_PATIENCE = 0xff16, /* to oneself: a child may have taken too long to end */
       FN_MONITOR = 0xff17,  /* corr: the monitor's number */
       FN_DEMONITOR = 0xff18,
       FN_LINK = 0xff19,
       FN_UNLINK = 0xff1a,
       FN_LOOK = 0xff1c, /* the answer to corr says what it is like inside: see look.h */
       FN_EXIT = 0xff1b, /* a linked actor has ended; corr: 1 when by a failure */
};
enum { MSG_UNITS = 1 << 28 };           /* that the region has room for */
enum { CLASSES = 5, MAGAZINE = 128, MAGAZINE_SMALL = 16, MSG_FIRST = 8, SLOTS_INLINE = 4 };

struct msg {
	uint32_t next;          /* index of the next in a chain; 0: none */
	uint32_t gen;           /* the incarnation it is meant for */
	uint64_t from;          /* who sent it, who gets the answer */
	/* handler's index in its type; the signature it was checked against */
	uint16_t fn, sig;
	uint8_t  flags, n;      /* n values */
	/* four bits each (enum value_type), when n <= 4; else bytes behind the slots */
	uint16_t types;
	/* of a request: the asker's number, 0 when no answer is wanted (any more) */
	uint64_t corr;
	uint64_t slot[SLOTS_INLINE];
};
_Static_assert(sizeof(struct msg) == 64, "one cache line");

struct magazine { uint32_t list, n; };

extern char *message_region;

/* May it be a message's place at all? */
static inline bool msg_is(const void *p)
{
	size_t at = (size_t)((const char *)p - message_region);

	return at < (size_t)MSG_UNITS * sizeof(struct msg) && at % sizeof(struct msg) == 0;
}
static inline struct msg *msg_at(uint32_t i)
{
	return (struct msg *)(message_region + ((size_t)i << 6));
}
static inline uint32_t msg_index(const struct msg *m)
{
	return (uint32_t)(((const char *)m - message_region) >> 6);
}
/* A chain as it hangs, newest first, down to `end` (which is not of it), in the order it came. */
static inline uint32_t msg_in_order(uint32_t top, uint32_t end)
{
	uint32_t out = 0;

	while (top >= MSG_FIRST && top != end) {
		struct msg *m = msg_at(top);
		uint32_t next = m->next;

		m->next = out;
		out = top;
		top = next;
	}
	return out;
}
static inline char *msg_body(const struct msg *m)
{
	return unlikely(m->flags & MSG_HEAP) ? (char *)(uintptr_t)m->slot[0] : (char *)m->slot;
}
static inline uint64_t *msg_slots(const struct msg *m) { return (uint64_t *)(void *)msg_body(m); }
static inline enum value_type msg_tag(const struct msg *m, unsigned i)
{
	if (likely(m->n <= SLOTS_INLINE))
		return (enum value_type)(m->types >> 4 * i & 15);
	return (enum value_type)((uint8_t *)msg_body(m))[8 * m->n + i];
}
static inline void message_set_tag(struct msg *m, unsigned i, enum value_type t)
{
	if (m->n <= SLOTS_INLINE)
		m->types = (uint16_t)((m->types & ~(15u << 4 * i)) | (unsigned)t << 4 * i);
	else
		((uint8_t *)msg_body(m))[8 * m->n + i] = (uint8_t)t;
}
/* Is it the core's own affair? Then an actor takes it that is held, or ends. */
static inline bool message_is_order(const struct msg *m) { return m->fn >= FN_START; }
/* What it takes of a mailbox, in units of 64 bytes. */
static inline uint32_t msg_units(const struct msg *m)
{
	uint32_t units = 1u << (m->flags & MSG_CLASS);

	return likely(!(m->flags & MSG_HEAP)) ? units : units + (uint32_t)((m->slot[1] + 63) >> 6);
}

int message_init(struct why *why);      /* reserves the region */

/* Of a thread: two magazines a class, worked from `free`. */
struct message_pool { struct magazine free[CLASSES], spare[CLASSES]; };

COLD struct msg *message_refill(struct message_pool *p, int cls);
COLD void        message_give_back(struct message_pool *p, int cls);

static inline uint32_t magazine_size(int cls)
{
	return cls ? MAGAZINE_SMALL : MAGAZINE;
}

/* Its header is not set, but for its class. */
static inline struct msg *message_new(struct message_pool *p, int cls)
{
	struct magazine *mag = &p->free[cls];
	struct msg *m;

	if (unlikely(!mag->n))
		return message_refill(p, cls);
	m = msg_at(mag->list);
	mag->list = m->next;
	mag->n--;
	m->flags = (uint8_t)cls;
	return m;
}

static inline void message_put(struct message_pool *p, struct msg *m, int cls)
{
	struct magazine *mag = &p->free[cls];

	if (unlikely(mag->n >= magazine_size(cls)))
		message_give_back(p, cls);
	m->next = mag->list;
	mag->list = msg_index(m);
	mag->n++;
}

void message_free_large(struct message_pool *p, struct msg *m);

static inline void message_free(struct message_pool *p, struct msg *m)
{
	if (unlikely(m->flags & (MSG_CLASS | MSG_HEAP)))
		message_free_large(p, m);
	else
		message_put(p, m, 0);
}

/* A value on its way into a message. */
struct arg {
	enum value_type type;
	uint32_t len;                   /* bytes at p */
	uint64_t bits;                  /* INT, UINT, BOOL; NUM: of the double */
	/* STR and BYTES: borrowed; LIST and MAP: the msgpack of the whole */
	const void *p;
};

/* The values of a call site, by the letters of its types. */
void args_of_site(struct arg *args, const char *types, const uint64_t *values, int n);
/* count values that packed_check() passed. ACTOR_EARGS when there are more than VALUES_MAX. */
int  args_of_packed(struct arg *args, struct packed in, unsigned count, struct why *why);
/* Value i of a message. */
void arg_of_message(struct arg *a, const struct msg *m, unsigned i);
/* Do they fit? Turns each into what the parameter takes. who and text name the handler in why. */
int args_fit(struct arg *args, unsigned n, const struct signature *s, const char *who,
	     const char *text, struct why *why);

/* Bytes that these values take behind a header. */
size_t message_size(const struct arg *args, unsigned n);
/* Of a message with so many bytes of values: as msg_units(). */
uint32_t message_units(size_t size);
/* A message with these values; the header's other fields are the caller's to set. NULL: over
 * MESSAGE_MAX, or there is no memory for a large one; up to 900 bytes of values always go in. */
struct msg *message_make(struct message_pool *p, const struct arg *args, unsigned n);
/* NULL: there is no memory for a large one. */
struct msg *message_copy(struct message_pool *p, const struct msg *m);
void        message_pack_one(const struct msg *m, unsigned i, struct buf *out);
void        message_pack(const struct msg *m, unsigned first, struct buf *out);

#endif
