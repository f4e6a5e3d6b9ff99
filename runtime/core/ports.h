/* SPDX-License-Identifier: MIT
 * ports.h - all that a run does not determine by itself comes through these tables of functions.
 *
 * With others in their place the production code runs in one thread from a seed: the clock, random
 * numbers, the scheduler's next choice, frames to and from clients, and Redis. The real clock and
 * random numbers are here; the other two have their real side in gateway/ and bus/. */
#ifndef PORTS_H
#define PORTS_H

#include "base.h"

struct clock_port {
	int64_t (*mono_ns)(void *arg);          /* only forward */
	int64_t (*boot_ns)(void *arg);          /* as that, and while the machine is suspended */
	int64_t (*wall_ms)(void *arg);          /* since 1970, UTC */
	void (*wait_ms)(void *arg, int ms);     /* lets so much of it pass: nothing else to do */
	void *arg;
};

struct random_port {
	uint64_t (*next)(void *arg);            /* any thread */
	void *arg;
};

/* The scheduler's next choice: which of n ready actors, which victim to steal from. */
struct choice_port {
	uint32_t (*pick)(void *arg, uint32_t n);        /* below n */
	void *arg;
};

/* Frames to clients. What comes from them is given to session_frame() and session_gone(). */
struct frames_port {
	/* borrows the bytes; text: JSON. On the gateway's thread. */
	void (*send)(void *conn, const void *bytes, size_t len, bool text);
	void (*close)(void *conn, int code, const char *reason);
	/* Before a login is asked about: NULL, or why its address may not try. */
	const char *(*barred)(void *conn);
	void (*refused)(void *conn);            /* its login was, or it left before it knew */
};

/* A command to Redis and its reply, on the I/O thread. */
struct redis_reply {
	enum { REDIS_GONE, REDIS_NIL, REDIS_INT, REDIS_STR, REDIS_ERROR, REDIS_LIST } type;
	int64_t integer;
	const char *str; size_t len;            /* REDIS_STR, REDIS_ERROR */
	const struct redis_reply *item; size_t items;   /* REDIS_LIST */
};
/* REDIS_GONE: the link is lost. */
typedef void redis_fn(void *arg, const struct redis_reply *reply);
struct redis_port {
	/* Borrows argv until it returns; fn is called once, later, or never if this fails. */
	int (*command)(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
	               const size_t *len);
	void *link;
	/* The same, where nobody waits for the reply: see rest. Both may be NULL. */
	int (*later)(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
	             const size_t *len);
	/* true: replies are due by another lane of that Redis, and until then, but for some ms at
	 * most, those to what was said later need not wake anybody. false: somebody waits. */
	void (*rest)(void *link, bool on);
	/* As later, of a write that is answered by a text: but where Redis is to have replicas of
	 * what it takes, the answer comes when they have it, or is an error: try again. */
	int (*sure)(void *link, redis_fn *fn, void *arg, int argc, const char **argv,
	            const size_t *len);
};

static inline int redis_later(const struct redis_port *p, redis_fn *fn, void *arg, int argc,
                              const char **argv, const size_t *len)
{
	return (p->later ? p->later : p->command)(p->link, fn, arg, argc, argv, len);
}
static inline int redis_sure(const struct redis_port *p, redis_fn *fn, void *arg, int argc,
                             const char **argv, const size_t *len)
{
	if (!p->sure)
		return redis_later(p, fn, arg, argc, argv, len);
	return p->sure(p->link, fn, arg, argc, argv, len);
}
static inline void redis_rest(const struct redis_port *p, bool on)
{
	if (p->rest)
		p->rest(p->link, on);
}

struct ports {
	struct clock_port clock;
	struct random_port random;
	struct choice_port choice;
};

extern struct ports ports;      /* the real ones, until a test puts others there before the start */

/* Not before now, and at most 50 us after it: cheaper, for deadlines. *passed is not after now. */
int64_t soon_ns(int64_t *passed);

static inline int64_t now_ns(void) { return ports.clock.mono_ns(ports.clock.arg); }
static inline int64_t now_ms(void) { return now_ns() / 1000000; }
/* For what others count, too, as a lease: it may be over when a suspended machine wakes. */
static inline int64_t boot_ms(void) { return ports.clock.boot_ns(ports.clock.arg) / 1000000; }
static inline int64_t wall_ms(void) { return ports.clock.wall_ms(ports.clock.arg); }
/* ms as wall_ms() gives them, as "2006-01-02T15:04:05.000Z". */
enum { WALL_TEXT = 25 };
void wall_text(int64_t ms, char out[WALL_TEXT]);
static inline uint64_t random_u64(void) { return ports.random.next(ports.random.arg); }

#endif
