/* SPDX-License-Identifier: MIT
 * actor.h - the one header that an actor or a patch includes.
 *
 * An actor is a name, private state and a table of named handlers. Handlers of one
 * actor never overlap, so they take no locks. A message is checked against the
 * handler's signature before the handler runs, so reading an argument cannot fail.
 * What a message lends (strings, bytes, lists) lives until the handler returns.
 * Whatever outlives the call - a timer, an awaited answer, a caller kept waiting -
 * names a handler and never points at one, so a patch may replace it meanwhile.
 * Every function here is called from a handler, by the actor that is running. */
#ifndef ACTOR_H
#define ACTOR_H

#include <stddef.h>
#include <stdint.h>

typedef struct actor actor;
typedef struct msg msg;
typedef uint64_t actor_ref;     /* a name, wherever and as often as it is born again */
typedef uint64_t msg_caller;    /* who waits for an answer; zero when nobody does */
typedef int handler(actor *self, const msg *m);

/* 0, or one of these: what calls return, and handlers. */
enum actor_error {
	ACTOR_EARGS  = -1,      /* values do not fit the signature */
	ACTOR_ENOENT = -2,      /* no such actor or handler */
	ACTOR_EFULL  = -3,      /* the mailbox is at its limit */
	ACTOR_ETIME  = -4,      /* no answer in time */
	ACTOR_EFAIL  = -5,      /* the handler refused; the text says why */
	ACTOR_ENOMEM = -6,      /* out of memory, or a fixed limit reached */
};

enum actor_flag {
	ON_CLIENT  = 1,         /* WebSocket clients may call it */
	ON_BARRIER = 2,         /* what the same Redis name brings next waits for its answer */
	ON_TEXT    = 4,         /* takes a Redis payload that is no message, as its one str */
};

struct actor_handler {
	const char *name;       /* "hit" */
	const char *args;       /* "by:int who:str? tags:list ..." */
	handler *fn;
	int flags;
};

/* What happens to a message that finds its mailbox full. */
enum actor_full {
	FULL_REFUSE,            /* the sender gets ACTOR_EFULL */
	/* an actor that sends is not run until there is room; others are refused */
	FULL_HOLD,
	FULL_DROP_NEWEST,       /* it becomes a dead letter; the sender is not told */
	FULL_DROP_OLDEST,       /* the oldest becomes one */
};

struct actor_mailbox {
	/* 0: 1,024; at most 32,767; half of that, and of the bytes, with FULL_DROP_OLDEST */
	unsigned messages;
	/* 0: 256 KiB; at most 32 MiB. An empty mailbox takes any one message */
	unsigned bytes;
	enum actor_full full;
};

enum actor_where {
	ACTOR_POOL,             /* on some worker: handlers compute, and do not block */
	/* on the I/O loop, for what is short and must not wait for a worker */
	ACTOR_LOOP,
	/* on a thread of its own, begun and ended with it: handlers may block */
	ACTOR_THREAD,
};

/* When it ends, whoever spawned it starts it again, or not. Stopped by somebody else, no one is. */
enum actor_restart {
	RESTART_TRANSIENT,      /* after a failure, not after it stopped itself */
	RESTART_PERMANENT,      /* after either */
	RESTART_TEMPORARY,      /* never */
};

enum actor_strategy {           /* who of its children starts again with one that failed */
	ONE_FOR_ONE, ONE_FOR_ALL,
	REST_FOR_ONE,           /* those that were spawned after it */
};

/* What fails more often (0: 10 times in 10 s) takes its parent with it; at the top, where it is one
 * for one, the node. */
struct actor_children { enum actor_strategy strategy; unsigned restarts, seconds; };

/* What patches may use by name. A variable (int64_t, double), which they declare extern, is also
 * `actorctl var set NAME.speed 12`, between two messages; a function they declare and call. */
struct actor_offer { const char *name; void *at; char kind; double least, most; };
#define OFFER_VAR(v, least, most) \
	{ #v, &v, _Generic(&v, int64_t *: 'i', double *: 'd'), least, most }
#define OFFER_FUNCTION(f) { #f, (void *)f, 'f', 0, 0 }
#define OFFERS(...) (const struct actor_offer[]){ __VA_ARGS__, { 0, 0, 0, 0, 0 } }

struct actor_type {
	const char *name;
	size_t state;           /* bytes, zeroed before start; 0: this source touches none */
	const struct actor_handler *on;         /* ends with a NULL name */
	int (*start)(actor *self);              /* may be NULL, as may stop */
	void (*stop)(actor *self);
	struct actor_mailbox mailbox;
	enum actor_where where;
	enum actor_restart restart;
	struct actor_children children;
	/* a handler of compiled code is ended after; 0: 1,000 */
	unsigned budget_ms;
	/* 1: the message at which a patch is taken back by itself is handled again, by the code
	 * before it; 0: it fails. The actor's own counts, not the patch's */
	int retry;
	/* nonzero: what its node had when it died is not sent to it again (see msg_again) */
	int at_most_once;
	const struct actor_offer *offers;       /* ends with a NULL name; may be NULL */
	/* a patch's: fills its state, zeroed, from what was; and the way back. Nonzero: cannot */
	int (*migrate)(const void *from, void *to), (*migrate_back)(const void *from, void *to);
};
#define ON(...) (const struct actor_handler[]){ __VA_ARGS__, { 0, 0, 0, 0 } }

/* --- reading a message ---------------------------------------------------- */
enum msg_type { MSG_NULL, MSG_INT, MSG_NUM, MSG_BOOL, MSG_STR, MSG_BYTES, MSG_LIST, MSG_MAP };

int         msg_count(const msg *m);
enum msg_type msg_type(const msg *m, int i);
int64_t     msg_int(const msg *m, int i);   /* 0 where the value is absent; so are these: */
double      msg_num(const msg *m, int i);
const char *msg_str(const msg *m, int i);   /* ends with NUL; may hold more before it: */
size_t      msg_len(const msg *m, int i);   /* bytes of a str or bytes, items of a list or map */
/* The sender: an actor or a client's session here. A client of another node has a reference, too:
 * client_user() names it, and what is sent to it goes to that user's sessions there. Who else calls
 * from there, or from Redis, can be answered, and no more: all else is ACTOR_ENOENT. */
actor_ref   msg_from(const msg *m);
int         msg_error(const msg *m);        /* of an answer: 0, or why there is none, */
const char *msg_error_text(const msg *m);   /* in words */
int64_t     msg_ask(const msg *m);          /* of an answer: what actor_ask returned */
/* It came from elsewhere and may have been handled before, as the node that had it died. */
int         msg_again(const msg *m);

/* Items of a list, or keys and values of a map in turn. */
struct msg_items { const unsigned char *at, *end; };
struct msg_item {
	enum msg_type type;
	size_t len;                             /* as msg_len */
	int64_t i;                              /* MSG_INT, MSG_BOOL */
	double num;                             /* MSG_NUM; of MSG_INT the same number */
	/* MSG_STR and MSG_BYTES: len bytes, no NUL after them */
	const char *str;
	struct msg_items items;                 /* MSG_LIST and MSG_MAP */
};
struct msg_items msg_items(const msg *m, int i);        /* none of what is no list or map */
int              msg_next(struct msg_items *from, struct msg_item *item);   /* 0 at the end */

/* --- asking and telling: values as they are, msg_reply(m, total, name, 2.5) --
 * A value's type is taken at compile time: integers, floating point, strings, bool;
 * anything else does not compile. Up to eight; for more, and for lists and maps, see
 * msg_out. All return 0 or an error; an error means that nothing was sent. */
#define actor_send(self, to, what, ...)                                                            \
	SITE_(actor_send_(self, to, what, SITE_OF_(what), VALUES_(0, ##__VA_ARGS__)), 0,           \
	      ##__VA_ARGS__)
/* The answer, or its absence after ms, comes as a message to the handler named then.
 * Returns the question's number, or a negative error. */
#define actor_ask(self, to, what, then, ms, ...)                                                   \
	SITE_(actor_ask_(self, to, what, SITE_OF_(what), then, ms, VALUES_(0, ##__VA_ARGS__)), 0,  \
	      ##__VA_ARGS__)
/* A message to self in ms. Returns the timer's number (actor_cancel), or a negative error. */
#define actor_after(self, ms, what, ...)                                                           \
	SITE_(actor_after_(self, ms, what, SITE_OF_(what), VALUES_(0, ##__VA_ARGS__)), 0,          \
	      ##__VA_ARGS__)
/* Every ms; times missed come once. */
#define actor_every(self, ms, what, ...) actor_window(self, ms, 0, 0, what, ##__VA_ARGS__)
/* Every ms from the first moment to the last, "2006-01-02 15:04:05" each; ACTOR_ETIME: that is
 * over. */
#define actor_window(self, ms, first, last, what, ...)                                             \
	SITE_(actor_window_(self, ms, first, last, what, SITE_OF_(what),                           \
			    VALUES_(0, ##__VA_ARGS__)),                                            \
	      0, ##__VA_ARGS__)
/* When a line of crontab says, "0,30 8-18 * * mon-fri", in the node's time zone (--time-zone). */
#define actor_cron(self, when, what, ...)                                                          \
	SITE_(actor_cron_(self, when, what, SITE_OF_(what), VALUES_(0, ##__VA_ARGS__)), 0,         \
	      ##__VA_ARGS__)
#define msg_reply(m, ...) \
	SITE_(msg_reply_(m, &s_, VALUES_(0, ##__VA_ARGS__)), 0, ##__VA_ARGS__)
/* Instead of answering now: keep the caller, and answer from a later handler. */
#define actor_answer(self, to, ...) \
	SITE_(actor_answer_(self, to, &s_, VALUES_(0, ##__VA_ARGS__)), 0, ##__VA_ARGS__)
msg_caller msg_defer(const msg *m);
#define msg_fail(m, ...) msg_fail_as(m, ACTOR_EFAIL, __VA_ARGS__)
#define actor_refuse(self, to, ...) actor_refuse_as(self, to, ACTOR_EFAIL, __VA_ARGS__)
/* By another code than a refusal's, as ACTOR_EFULL: there is no room now. Returns it. */
int  msg_fail_as(const msg *m, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int  actor_refuse_as(actor *self, msg_caller to, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The message as it is to another handler, which answers the caller in our place. */
int  msg_forward(const msg *m, actor_ref to, const char *what);

/* Values one after the other, for lists, maps and whatever has more than eight. One lives
 * until it is sent, or until the handler returns; a new one may be begun meanwhile. */
typedef struct msg_out msg_out;
msg_out *msg_values(actor *self);
void out_null(msg_out *o);
void out_int(msg_out *o, int64_t v);
void out_num(msg_out *o, double v);
void out_bool(msg_out *o, int v);
void out_str(msg_out *o, const char *s);
void out_text(msg_out *o, const char *s, size_t len);
/* a str to be written in place, before the next value; NULL: over 16 MiB, and o will be refused */
char *out_room(msg_out *o, size_t len);
void out_bytes(msg_out *o, const void *p, size_t len);
void out_list(msg_out *o, unsigned items);              /* the items follow */
void out_map(msg_out *o, unsigned pairs);               /* pairs times key, value follow */
void out_value(msg_out *o, const msg *m, int i);        /* value i of m, whatever it is */
int     actor_send_out(actor *self, actor_ref to, const char *what, msg_out *o);
int64_t actor_ask_out(actor *self, actor_ref to, const char *what, const char *then, int ms,
		      msg_out *o);
int     msg_reply_out(const msg *m, msg_out *o);
int     actor_answer_out(actor *self, msg_caller to, msg_out *o);

/* Groups, by name: what is published is sent to each member's handler `then`; one member can be
 * picked, to send to. The node's own: "started" and "stopped" (node:str), "afterLogin" and
 * "beforeQuit" (user:str, from the session; a call by POST is neither), "patches" (number:int
 * word:str why:str, when one's probation is over). Return 0, how many it was sent to, or an error.
 */
enum actor_choice {
	PICK_TURN,              /* one after the other */
	PICK_IDLEST,            /* the one with the fewest messages */
	PICK_KEY,               /* for one key the same one, as long as it is there */
};
int       actor_join(actor *self, const char *group, const char *then);
int       actor_leave(actor *self, const char *group);
actor_ref actor_pick(const char *group, enum actor_choice by, const char *key);  /* 0: nobody */
#define actor_publish(self, group, ...) \
	SITE_(actor_publish_(self, group, &s_, VALUES_(0, ##__VA_ARGS__)), 0, ##__VA_ARGS__)

/* What a client keeps, read at once and without waiting; who: its session, as msg_from() gives it.
 * 0 where there is nothing of that type, and of a client of another node, whose name alone is known
 * (setting is ACTOR_ENOENT). Texts are cut to size; their length is returned.
 * Of each kind 256 keys (ACTOR_ENOMEM: one more), of 128 bytes, with values of 64 KiB at most,
 * as msgpack has them. */
enum client_keep {
	KEEP_TEMP,              /* the session's own, gone with it */
	KEEP_LOCAL,             /* the user's, on this node's disk, at most some 20 ms after it is
	                         * set: kill -9 can lose those */
	KEEP_SHARED,            /* the user's, in Redis, on all nodes: what it does not take after
	                         * all (a link that is lost) is as it is there again, and logged */
	KEEP_TODAY,             /* as local, but gone at midnight, local time */
};
int64_t       client_int(actor_ref who, enum client_keep keep, const char *key);
double        client_num(actor_ref who, enum client_keep keep, const char *key);
size_t        client_str(actor_ref who, enum client_keep keep, const char *key, char *out,
			 size_t size);
enum msg_type client_type(actor_ref who, enum client_keep keep, const char *key);
size_t        client_user(actor_ref who, char *out, size_t size);       /* its name */
/* One value; adding begins at 0, total may be NULL. 0 or an error (ACTOR_ENOENT: it has left;
 * ACTOR_ETIME: its disk's part could not be read, and is left alone; ACTOR_EFULL: 64 MiB wait for
 * the disk, which is full or slow; ACTOR_EFAIL: Redis, which has what is shared, is away or refuses
 * to write: actor_why() says so). */
#define client_set(self, who, keep, key, value) \
	SITE_(client_set_(self, who, keep, key, &s_, VALUES_(0, value)), 0, value)
int client_add(actor *self, actor_ref who, enum client_keep keep, const char *key, int64_t by,
	       int64_t *total);
int client_drop(actor *self, actor_ref who, enum client_keep keep, const char *key);

/* After actor_become(self, "shut") a message for hit runs the handler named "shut.hit", if there is
 * one; NULL: as at first. Stash keeps a message and its caller; unstash brings them all back,
 * before what waits, and returns their number. */
int actor_become(actor *self, const char *mode);
int actor_stash(actor *self, const msg *m);
int actor_unstash(actor *self);

void       *actor_state(actor *self);
/* Memory of its own: zeroed, freed when it ends or starts again; NULL: no more (64 MiB). */
void       *actor_alloc(actor *self, size_t size);
void        actor_free(actor *self, void *p);
const char *actor_name(actor *self);
actor_ref   actor_self(actor *self);
actor_ref   actor_find(const char *name);   /* once, in start: sends take the reference */
int         actor_alive(actor_ref ref);     /* an actor of this name is here now */
int         actor_is_topic(actor_ref ref);  /* it is, and programs on Redis may call it */
int         actor_cancel(actor *self, int64_t timer);
int64_t     actor_now(void);                /* ms, of a clock that only goes forward */
void        actor_log(actor *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- children, and who is told of an end ------------------------------------------
 * A handler refuses by msg_fail(): its caller is told (or it is a dead letter), the actor goes on
 * as it is; so it does after ACTOR_ENOENT or ACTOR_EFULL that a send of the handler was told. Any
 * other negative return is told to who waits for an answer; where nobody does, the actor has
 * FAILED: its stop is called, its children end, and it starts again: same name, zeroed state,
 * mailbox kept, the message in the dead letters. */
/* type: &its_table, or its name. name: NULL for none. Values go to its handler `init`, after each
 * start. Returns a reference (by name it follows restarts), or 0: see actor_why. Children end
 * before their parent, the youngest first. */
#define actor_spawn(self, type, name, ...)                                                         \
	SITE_(actor_spawn_(self, type, BY_NAME_(type), name, &s_, VALUES_(0, ##__VA_ARGS__)), 0,   \
	      ##__VA_ARGS__)
/* itself too: when the handler returns */
int       actor_stop(actor *self, actor_ref who);
/* what waits is handled before, for ms at most */
int       actor_drain(actor *self, actor_ref who, int ms);
actor_ref actor_parent(actor *self);                        /* 0: the node */
/* When `who` ends or fails: then(number:int name:str reason:str), once. The number, or an error. */
int64_t   actor_monitor(actor *self, actor_ref who, const char *then);
int       actor_demonitor(actor *self, int64_t number);
int       actor_link(actor *self, actor_ref with);          /* when one fails, so does the other */
int       actor_unlink(actor *self, actor_ref with);
/* In words, why one of these, a send, an ask or a timer has just returned an error. */
const char *actor_why(actor *self);

/* --- how values keep their types, and how a call site remembers what it resolved to:
 * a static record a call, bound at the first message and checked at each by one compare. */
struct actor_site { uint64_t bound; const char *types; int n; unsigned tags; };

#define T_(x) _Generic((x), \
	char *: 's', const char *: 's', float: 'd', double: 'd', _Bool: 'b', \
	char: 'i', signed char: 'i', short: 'i', int: 'i', long: 'i', long long: 'i', \
	unsigned char: 'i', unsigned short: 'i', unsigned: 'i', \
	unsigned long: 'u', unsigned long long: 'u')
#define V_(x) _Generic((x), float: v_num_, double: v_num_, \
	char *: v_str_, const char *: v_str_, default: v_int_)(x)
static inline uint64_t v_int_(uint64_t v) { return v; }
static inline uint64_t v_str_(const char *v) { return (uint64_t)(uintptr_t)v; }
static inline uint64_t v_num_(double v) { union { double d; uint64_t u; } x; x.d = v; return x.u; }

#define EACH0_(F, z)
#define EACH1_(F, z, a)      , F(a)
#define EACH2_(F, z, a, ...) , F(a) EACH1_(F, z, __VA_ARGS__)
#define EACH3_(F, z, a, ...) , F(a) EACH2_(F, z, __VA_ARGS__)
#define EACH4_(F, z, a, ...) , F(a) EACH3_(F, z, __VA_ARGS__)
#define EACH5_(F, z, a, ...) , F(a) EACH4_(F, z, __VA_ARGS__)
#define EACH6_(F, z, a, ...) , F(a) EACH5_(F, z, __VA_ARGS__)
#define EACH7_(F, z, a, ...) , F(a) EACH6_(F, z, __VA_ARGS__)
#define EACH8_(F, z, a, ...) , F(a) EACH7_(F, z, __VA_ARGS__)
#define EACHN_(F, z, ...)    , eight_values_at_most__for_more_see_msg_out
#define PICK_(_0, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, N, ...) N
#define EACH_(F, ...) PICK_(__VA_ARGS__, EACHN_, EACHN_, EACHN_, EACHN_, EACH8_, EACH7_, EACH6_, \
	EACH5_, EACH4_, EACH3_, EACH2_, EACH1_, EACH0_, ~)(F, __VA_ARGS__)
#define VALUES_(...)  ((const uint64_t[]){ 0 EACH_(V_, __VA_ARGS__) } + 1)
/* Only a literal names the same handler at every call (tcc has no __builtin_constant_p for it). */
#define LITERAL_(what) ((#what)[0] == '"' && (#what)[sizeof #what - 2] == '"')
#define SITE_OF_(what) (LITERAL_(what) ? &s_ : &(struct actor_site){ 0, s_.types, s_.n, 0 })
#define SITE_(call, ...) __extension__ ({ \
	static const char t_[] = { 'v' EACH_(T_, __VA_ARGS__), 0 }; \
	static struct actor_site s_ = { 0, t_ + 1, (int)sizeof t_ - 2, 0 }; \
	call; })

#define BY_NAME_(type) _Generic((type), char *: 1, const char *: 1, \
	struct actor_type *: 0, const struct actor_type *: 0)

actor_ref actor_spawn_(actor *, const void *, int, const char *, const struct actor_site *,
		       const uint64_t *);
int     actor_send_(actor *, actor_ref, const char *, struct actor_site *, const uint64_t *);
int64_t actor_ask_(actor *, actor_ref, const char *, struct actor_site *, const char *, int,
		   const uint64_t *);
int64_t actor_after_(actor *, int64_t, const char *, struct actor_site *, const uint64_t *);
int64_t actor_window_(actor *, int64_t, const char *, const char *, const char *,
		      struct actor_site *, const uint64_t *);
int64_t actor_cron_(actor *, const char *, const char *, struct actor_site *, const uint64_t *);
int     client_set_(actor *, actor_ref, enum client_keep, const char *, const struct actor_site *,
		    const uint64_t *);
int     actor_publish_(actor *, const char *, const struct actor_site *, const uint64_t *);
int     msg_reply_(const msg *, const struct actor_site *, const uint64_t *);
int     actor_answer_(actor *, msg_caller, const struct actor_site *, const uint64_t *);

#endif
