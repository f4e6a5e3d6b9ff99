/* SPDX-License-Identifier: MIT
 * core.h - what the rooms above use of the core.
 *
 * A room that speaks to the outside (bus, gateway, control) is itself an actor: it asks on behalf
 * of whoever called, and the answer comes back to it as a message, on its own thread. Such an actor
 * lives on a *home*, a thread with an event loop of its own; all others live on the pool. What
 * actor.h offers works for both; here is what only the runtime may do. */
#ifndef CORE_H
#define CORE_H

#include "../actor.h"
#include "value.h"

/* A reference is either a name (top bit set, follows restarts) or one incarnation of an actor. */
typedef actor_ref actor_id;

struct type;    /* an actor type: the handler table in force and what all its actors share */
struct home;
struct code;

/* Who set off what is running now: it goes with each message sent meanwhile, so that a right
 * is never gained by passing a request on. */
enum origin { FROM_NODE, FROM_CONTROL, FROM_REDIS, FROM_CLIENT };
const char *origin_name(enum origin o);         /* "redis" */

/* --- the node's life: main thread --------------------------------------------------------- */
struct core_config {
	int workers;                    /* threads of the pool; 0: none, see core_step() */
	uint32_t max_actors;            /* 0: 16 million */
};
int  core_start(const struct core_config *c, struct why *why);
/* Nothing is waiting in a pool actor's mailbox any more, or ms have passed (false). */
bool core_drain(int ms);
/* Nothing is waiting or being handled now, at homes neither. */
bool core_still(void);
/* Ends the pool's actors in reverse order of their start (their stop is called), then the pool.
 * After that no handler runs, and homes may be freed. False: one does not come back, so nothing
 * may. */
bool core_stop(int ms);
/* More actors of the node failed in a short time than it restarts: the node is to end. From any
 * thread. */
void core_on_give_up(void (*give_up)(void *arg, const char *reason), void *arg);
/* A named actor without a parent has started, for the first time (rc 0), or has not: then it ends.
 * From any thread, so it is set before core_start(); one without a start is not told of. */
void core_on_first_start(void (*tell)(void *arg, const char *name, int rc), void *arg);
/* Without threads the caller's is the one worker: a turn of one actor that is ready, chosen by
 * ports.choice. False: none is. Who calls lets time pass between turns (core_next_timer(),
 * core_run_timers()). */
bool core_step(void);

/* --- homes -------------------------------------------------------------------------------- */
/* wake: called from any thread when the home goes from nothing ready to something ready; it must
 * make the thread call home_run() soon, and may be called spuriously. Gives. */
struct home *home_new(const char *name, void (*wake)(void *arg), void *arg);
void home_enter(struct home *h);        /* by the thread itself, first of all */
/* its thread: runs what is ready, a bounded share; true: there is more */
bool home_run(struct home *h);
bool home_waits(const struct home *h);   /* its thread: something is ready */
void home_leave(struct home *h);        /* its thread, last of all */
/* where actors live that want the I/O loop; NULL: nowhere (any more) */
void core_set_loop(struct home *h);
void home_free(struct home *h);         /* after core_stop */

/* The next moment a timer is due, in ns of now_ns(), or INT64_MAX; and doing what is due by now.
 * Both are the I/O loop's to call; on_earlier is called (any thread) when a timer is set before all
 * others. */
int64_t core_next_timer(void);
void    core_run_timers(void);
void    core_on_earlier_timer(void (*earlier)(void *arg), void *arg);

/* --- types and actors: any thread --------------------------------------------------------- */
struct type_options {
	uint32_t max_count, max_bytes;  /* over what the type's own mailbox says; 0: that */
	bool proxy;                     /* see below */
	bool clients;                   /* a proxy that clients may call, too: see below */
	bool again;                     /* what its actors send is msg_again() */
	bool by_name;                   /* a proxy that by its id stands for nobody: ACTOR_ENOENT */
	/* of the runtime itself: no patch may touch it, and nobody holds it */
	bool native;
	bool topic;                     /* native, and yet a topic: see core_is_topic() */
	/* Of a proxy, in its turn: the monitor of that number (core_down()) is wanted no more. It
	 * may not have come to the message that said it was. */
	void (*unwatched)(actor *self, actor_id who, int64_t number);
	/* Of a proxy, on any thread: why it has no room, where that is not its mailbox's length.
	 * Borrows for ever; NULL: it is. */
	const char *(*shut)(actor *self);
};
/* Borrows t and all it points at (for ever, or as long as code, which may be NULL, is held).
 * NULL with why: a signature that is none, two handlers of one name, a name taken. */
struct type *core_add_type(const struct actor_type *t, const struct type_options *o,
			   struct code *code, struct why *why);
struct type *core_type(const char *name);       /* NULL: none; "" is the global table's */
const char  *type_name(const struct type *t);   /* "" is the global table's */
/* A type's or an actor's name, for people. */
static inline const char *name_title(const char *name) { return *name ? name : "the global table"; }
size_t       type_state(const struct type *t);  /* bytes */
bool         type_native(const struct type *t);
bool         type_starts(const struct type *t); /* it has a start */

/* A proxy stands for somebody who is no actor here (a client, a list of Redis). Whatever is sent to
 * it, by any handler's name, reaches its first handler, whose signature is "to:str what:str ...":
 * the name it was sent to ("" when by its id), the handler's name, and the values. What a client
 * calls directly reaches its second handler, of the same signature, where the type is for clients:
 * whoever it speaks for has to hold that only ON_CLIENT handlers exist. */

struct spawn {
	struct type *type;
	const char *name;               /* NULL: none; taken: ACTOR_EFAIL */
	struct home *home;              /* NULL: where the type says, mostly the pool */
	const void *init; size_t size;  /* copied to the front of the state before start */
};
/* The actor's start runs as its first turn, before any message. Negative with why, else 0. */
int    core_spawn(const struct spawn *s, actor_id *id, struct why *why);
/* of this very incarnation: only for its own thread. NULL: gone */
actor *core_actor(actor_id id);
/* Any thread, by name or incarnation: its stop is called after its children's; what waits is
 * handled before, for drain_ms at most. It is not restarted. ACTOR_ENOENT; ACTOR_EARGS: it is part
 * of the runtime. */
int    core_stop_actor(actor_ref ref, int drain_ms, struct why *why);
/* Any thread, this very incarnation, the runtime's own too: no more messages; what waits is
 * answered with ACTOR_ENOENT. */
void   core_end(actor_id id);

/* --- calls from outside ------------------------------------------------------------------- */
struct call {
	actor_ref to; const char *what;
	struct packed args; unsigned count;     /* checked by packed_check() before */
	bool client;                    /* only handlers with ON_CLIENT exist for it */
	bool stays;                     /* handled also when its asker has given up */
	enum origin origin;
	uint32_t lease;                 /* of core_lease(): not handled once that has lapsed */
};
/* self: an actor that lives on this thread; NULL from any other thread (send only). Errors are
 * synchronous, with why in words ("counter.hit: by wants int, got str"); after an error no answer
 * comes. */
int     core_send(actor *self, const struct call *c, struct why *why);
int64_t core_ask(actor *self, const struct call *c, const char *then, int ms, struct why *why);
/* Asks nothing but to be told, by `then`, when `to` has handled all that self sent it before, or
 * has ended. Its number, or a negative error. */
int64_t core_reach(actor *self, actor_ref to, const char *then);
/* As core_send(), and to be told by `then` when it is handled (or, with c's lease, CORE_LAPSED,
 * that it is not and will not be): the number of that. 0: `to` has just ended, nobody tells. */
int64_t core_follow(actor *self, const struct call *c, const char *then, struct why *why);
/* The lease (lease.h): it holds until that moment of boot_ms(); 0: no more. The loop's thread. What
 * was sent under one that lapsed is not handled; who asked is told CORE_LAPSED, which handlers may
 * answer with, too: it is true where that lease does not hold. */
enum { CORE_LAPSED = -100 };
void     core_lease_until(int64_t ms);
uint32_t core_lease(void);              /* its number, or that of the last one */
bool     core_lease_holds(uint32_t lease);      /* any thread; false once: false for good */
/* Its own thread: it may have so many questions more. */
bool    core_may_ask(const actor *self, unsigned n);
/* What a home's thread sends, asks and answers between these two, outside of handlers, goes by
 * chains: what is for one actor in a row hangs into its mailbox, and wakes it, at once. */
void    core_gather(void);
void    core_gathered(void);
/* How long m's caller still waits: 0: nobody does; INT_MAX: that is not known. */
int     core_left_ms(const msg *m);
/* An actor elsewhere that `who` watches by monitor `number` has ended. Its proxy got the number
 * as a message from `who` to a handler without a name. */
void    core_down(actor_id who, int64_t number, const char *name, const char *reason);
/* What this actor sends may have been handled before (msg_again()); there are AGAIN_MOST such. */
enum { AGAIN_MOST = 2 };
void    core_set_again(int which, actor_id who);
/* It is here, and programs on Redis reach it: all actors but the runtime's own, some aside. */
bool    core_is_topic(actor_ref to);
/* c, which may have been handled before, is for an actor that wants none such: it is a dead letter
 * now, for the reason in why. */
bool    core_too_late(const struct call *c, struct why *why);
/* Answers a caller that msg_defer() kept: values, or code and text. */
int core_answer(actor *self, msg_caller to, struct packed args, unsigned count, int code,
		const char *text);

/* values from first on; their number */
int         msg_pack(const msg *m, int first, struct buf *out);
enum origin msg_origin(const msg *m);

/* To the members of a group; any thread. How many it was sent to, or an error. */
int         core_publish(actor *self, const char *group, struct packed args, unsigned count);

/* --- names -------------------------------------------------------------------------------- */
/* A live actor of this name is here now. */
bool core_alive(actor_ref ref);
/* of all live named actors, "" too */
void core_names(void (*each)(void *arg, const char *name), void *arg);
/* changed: from any thread, when a name appears or goes. */
void core_on_names(void (*changed)(void *arg), void *arg);
/* Where what is sent to names that begin with `list:` goes: a proxy. 0, the default: ACTOR_ENOENT.
 */
void core_set_route(actor_id proxy);
/* What is sent to this name while no actor here bears it goes to a proxy; 0: to nobody. Any thread.
 * ACTOR_ENOMEM: it is no name, or there are too many. */
int  core_set_away(const char *name, actor_id proxy);
bool core_away(actor_ref ref);          /* it does, now */
struct name;
actor_ref core_named(const struct name *n);     /* as actor_find(); NULL: 0 */
/* Its own thread: how many messages its mailbox takes from now on; at 0 senders get ACTOR_EFULL. */
void core_set_room(actor *self, uint32_t messages);
/* A name's owner for `ps` and for error messages. Borrows for ever; NULL: never heard of. */
const char *core_ref_name(actor_ref ref);

/* --- looking inside: any thread, while everything runs ------------------------------------ */
struct handler_info {
	const char *name, *args;        /* borrowed for ever */
	int flags;
	uint32_t version;               /* number of the patch it came with; 0: from the start */
	uint64_t calls, failures, ns;   /* ns: total, from calls that were timed */
	uint32_t slot;
	bool on_probation;              /* that patch is */
	handler *fn;
};
/* How many calls took how long, from those that were timed: places are half octaves. */
enum { TIME_PLACES = 64 };
struct handler_times { uint64_t count[TIME_PLACES]; int64_t most_ns; };
struct actor_info {
	actor_id id;
	const char *name, *type, *home; /* name NULL: none; home "pool" or a home's name */
	/* starting, idle, ready, running, held, stopping, restarting */
	const char *state;
	actor_id parent;                /* 0: the node */
	uint32_t depth, bytes, max_count, max_bytes;
	uint32_t asks, restarts;
	size_t state_size;
	struct type *of;
	const char *held_by;            /* in whose mailbox it waits for room; NULL: it does not */
	uint32_t gone;                  /* messages that have left its mailbox; goes round */
};
/* One of all actors, as little as a million may cost. */
struct cell_info {
	actor_id id;
	struct type *of;
	uint32_t depth, bytes;
	size_t state_bytes;
	uint32_t gone;                  /* as above */
};
struct worker_info {
	const char *name;               /* "worker 0", "io", "gateway" */
	const char *actor, *handler;    /* running now; NULL: none */
	int64_t since_ns;               /* of now_ns(), when that began; 0: idle */
	uint64_t handled, failed;
	int64_t cpu_ns;                 /* of its thread */
};
/* Once nothing runs, sent = handled + expired + dead_letters + waiting: a start and a stop are
 * messages too, what was refused was not sent, and what a handler failed with where nobody waited
 * is a dead letter, not handled. */
struct core_totals {
	uint64_t sent, handled, failed, dead_letters, refused, late_answers;
	uint64_t expired;               /* not handled, as the asker had given up */
	uint32_t actors, waiting;
};

/* What nobody handled, or what a handler failed at: the last few hundred, oldest first. */
struct dead_letter {
	uint64_t number;
	int64_t wall_ms;
	const char *actor, *handler;    /* borrowed for ever; "": not known any more */
	const char *reason;
	struct packed args; unsigned count;     /* none where they are too large to keep */
	uint32_t bytes;                 /* of the whole message's values */
};
void core_dead_letters(void (*each)(void *arg, const struct dead_letter *d), void *arg);

/* Actors that failed, and faults that were contained: the last of them. */
struct crash {
	uint64_t number;                /* from 1 */
	int64_t wall_ms;
	const char *actor, *type, *handler, *from;      /* borrowed for ever; "": nobody */
	struct type *of;
	enum origin origin;
	uint32_t patch;                 /* whose code it was; 0: none's */
	const char *reason;             /* with the places in the code, where known */
	bool ends;                      /* the actor failed of it; else only its message */
	uint32_t restarts, waiting;     /* before; messages behind it */
	struct packed args; unsigned count;     /* of the message; none where too large */
	uint32_t bytes;                 /* that they are */
	const void *state; size_t state_size;   /* 4 KiB of it at most are kept */
	/* What it handled before, the oldest first; noted where its type had failed before. */
	const struct crash_before *before; unsigned befores;
};
struct crash_before {
	const char *handler, *from;     /* as above */
	int64_t ago_ms;                 /* before the crash */
	struct packed args; unsigned count;     /* none where too large */
};
uint64_t core_crash_count(void);        /* ever: the highest number */
/* c is valid in look only. False: gone, or left out. */
bool core_crash(uint64_t number, void (*look)(void *arg, const struct crash *c), void *arg);
/* Its state by fields; see core_set_fields(). How many, or -1. */
int  core_crash_fields(const struct crash *c, struct buf *rows);
/* Who knows what states look like: appends a map a field (field, type, value). Any thread. */
void core_set_fields(int (*of)(struct type *t, const void *state, size_t len, struct buf *rows));

void core_actors(void (*each)(void *arg, const struct actor_info *a), void *arg);
/* The next `most` cells from *at on (0: from the first): false when these were the last.
 * state_bytes: its cell, and a state that does not fit there. */
bool core_cells(uint32_t *at, uint32_t most, void (*each)(void *arg, const struct cell_info *c),
		void *arg);
uint64_t core_allocated(const struct type *t);  /* bytes that its actors have by actor_alloc() */
uint64_t core_code_bytes(void);                 /* of compiled code, what is replaced too */
int  core_inspect(actor_ref ref, struct actor_info *out);       /* ACTOR_ENOENT */
/* What only it knows itself: it is asked, and its answer comes to self's handler `then`: a map of
 * mode, children, links, monitors, monitored_by, timers, waits_for, keeps_waiting, stash, state (as
 * bytes); ACTOR_ETIME where it is inside a handler for so long. The question's number, or
 * ACTOR_ENOENT. */
int64_t core_look(actor *self, actor_ref who, const char *then, int ms);
void core_handlers(struct type *t, void (*each)(void *arg, const struct handler_info *h),
		   void *arg);
bool core_idle(actor_ref who);  /* it is here, runs nothing, and has nothing before it */
int  core_handler(actor_ref to, const char *what, struct handler_info *out);    /* ACTOR_ENOENT */
void core_handler_times(const struct handler_info *h, struct handler_times *out);
/* ns that this part (0.99) stay below */
int64_t core_times_part(const struct handler_times *t, double part);
/* How many took less, between two places in proportion. */
double core_times_below(const struct handler_times *t, int64_t ns);
const char *core_text_handler(actor_ref to);    /* the handler with ON_TEXT, or NULL */
void core_workers(void (*each)(void *arg, const struct worker_info *w), void *arg);
void core_totals(struct core_totals *out);
/* The same, but no actor is looked at: waiting is what was sent and is neither handled nor a dead
 * letter. */
void core_counts(struct core_totals *out);
/* all, in the order they came */
void core_types(void (*each)(void *arg, struct type *t), void *arg);

/* What a message sets off. At most TRACES_MAX at a time; begin, end and read by one thread. */
enum { TRACES_MAX = 8, TRACE_SAMPLED = 64, TRACES_MET_MOST = 32 };
struct trace_query {
	struct type *type;              /* NULL: any but the runtime's own */
	const char *actor, *handler, *from;     /* by name, or its type's; NULL or "": any */
	int arg; const char *value;     /* value number arg, from 0, is so, in words; -1: any */
	/* who sent it is so; NULL: any */
	bool (*sender)(actor_id from, const char *client); const char *client;
	int64_t every;                  /* one in so many of those */
	int64_t most;                   /* so many begin, no more */
};
enum trace_kind { TRACE_SENT, TRACE_HANDLED, TRACE_LOST };
struct trace_event {
	uint64_t trace, step, parent;   /* parent: of SENT, the step it was sent in */
	/* each step is sent (but the first), then handled or lost */
	enum trace_kind kind;
	const char *actor, *handler;    /* "": an answer */
	const char *from, *worker;
	uint32_t cell;
	bool answer, error;
	int rc;                         /* HANDLED: what the handler returned */
	enum origin origin;
	int64_t at_ns;                  /* since 1970 */
	int64_t wait_ns, took_ns;       /* HANDLED: in the mailbox, in the handler */
	struct packed args; unsigned count;     /* SENT and the first; empty where too long */
};
/* A number, or an error with why. One for which neither type nor handler is given, and one in
 * TRACE_SAMPLED or more, costs others nothing. */
int      core_trace_begin(const struct trace_query *q, struct why *why);
void     core_trace_end(int trace);
void     core_trace_close(int trace);           /* none begins any more; those that have, go on */
int64_t  core_trace_left(int trace);            /* so many may still begin */
void     core_trace_look(void);                 /* at handlers that patches brought, too */
/* Of all that it begins: their upper half, with 0 below. */
uint64_t core_trace_id(int trace);
/* Those that began otherwise and came to what it asks about; how many. */
int      core_trace_met(int trace, uint64_t ids[TRACES_MET_MOST]);

/* Reads what this node has noted of one trace, or of all with that upper half: first what is still
 * known, then what happened since. Gives. Any one thread. */
struct trace_reader;
struct trace_reader *core_trace_reader(uint64_t id);
void     core_trace_reader_free(struct trace_reader *t);        /* NULL is fine */
/* What happened since it was last read; each thread's in order. How many were lost unread. */
uint64_t core_trace_read(struct trace_reader *t,
			 void (*each)(void *arg, const struct trace_event *e), void *arg);

/* A trace that comes from outside, or goes there. */
struct trace_link {
	uint64_t trace, step;           /* trace 0: none */
	uint8_t depth;
	bool noted;                     /* step is the message itself, noted as sent where it was */
};
/* As the key `trace` of a message from outside has it: up to 16 hex digits, or W3C's traceparent,
 * of whose trace-id the lower half counts. Another text, or NULL: none. */
enum { TRACE_TEXT = 56 };
struct trace_link core_trace_link(const char *text);
void core_trace_text(const struct trace_link *l, char out[TRACE_TEXT]); /* a traceparent */
/* What this thread, a home's, sends until it leaves belongs to that. It does not nest. */
void core_trace_enter(const struct trace_link *l);
void core_trace_leave(void);
/* Is this thread in a step of a trace? What it sends outside is sent in that step. */
bool core_trace_here(struct trace_link *out);
/* The same, and m (routed to a proxy: its values are behind name and handler; to "": an answer) is
 * noted as sent: a node that enters out goes on from there. */
bool core_trace_goes(const msg *m, const char *to, const char *what, struct trace_link *out);

/* --- patches: any thread that is no worker and no home ------------------------------------ */
/* Compiled code that tables may point into. It is freed, through the function given, when the maker
 * has dropped it, no table holds it and no thread can be inside it. */
struct code *code_new(void (*free)(void *arg), void *arg);      /* gives one hold */
/* Where it lies (types that its handlers spawn hold it too), and how places in it are called
 * ("fix.c:12 in hit()"): for faults in it. */
void code_lies(struct code *c, const void *at, size_t size);
void code_tells(struct code *c, void (*where)(void *arg, const void *at, struct buf *out));
void code_drop(struct code *c);                                 /* takes the hold; NULL is fine */

/* A state of another shape: move (NULL: the actors begin anew) makes the new state, zeroed, from
 * the old one, for each actor between two of its messages, before any that new code sends it. `to`
 * brings all handlers of the type, its new size, and start and stop where it has them. */
struct migration {
	const struct actor_type *to;
	int (*move)(const void *from, void *to), (*back)(const void *, void *);
};
/* migration NULL: the state stays as it is. */
struct change {
	struct type *type; const struct actor_handler *on; const struct migration *migration;
};
/* Checks all (known types, signatures as before, new names free), then puts all in force between
 * two messages: each handler replaces the one of its name or joins the table. All at one point,
 * however many types: no message meets half of it, and who gets a message that new code has sent
 * has the new code. version: the patch's number. Names and signatures are copied. 0, or ACTOR_EARGS
 * with why ("counter.hit takes int, the patch has str"), nothing changed. check_only: checks. A
 * type with a migration is followed by another, which core_type() has from now on. */
int core_change(const struct change *c, int n, uint32_t version, struct code *code, bool check_only,
		struct why *why);
/* Takes back: each handler gets that function again, with version and code that it had; on NULL: it
 * is as when its type was added, and goes if the type had none of its name then (what is on its way
 * to it fails with ACTOR_ENOENT; its place is kept for the next of its name and signature).
 * Signatures stay. name NULL: the whole type as it was before its migration, by that one's `back`
 * or (lose) begun anew. All in force at one point, or none, with why. */
struct back {
	struct type *type; const char *name;
	const struct actor_handler *on; uint32_t version; struct code *code;
	bool lose;
};
int core_restore(const struct back *b, int n, struct why *why);
bool         core_can_go_back(const struct type *t);     /* by a `back` */
struct type *core_before(const struct type *t);         /* NULL: none */
/* --- probation: any thread that is no worker ----------------------------------------------- */
/* What handlers of a patch do to others leaves when they have returned, and is undone, their state
 * put back, where they fault or fail. It ends after so many messages or seconds; with more faults
 * than that, or far more failures or time than before, it has failed. */
struct probation_terms {
	uint32_t messages, seconds, faults;
	uint32_t state;                 /* bytes of a state that are put back, at most */
};
struct probation;
/* Before the change is in force. Gives, to probation_end(). */
struct probation *probation_begin(struct code *code, uint32_t number,
				  const struct probation_terms *t, const struct change *c, int n);
enum probation_word { PROBATION_RUNS, PROBATION_FAILED, PROBATION_PASSED };
struct probation_info {
	enum probation_word word;
	struct probation_terms terms;
	uint64_t messages, faults, failures;
	int64_t left_ms;                /* of its seconds */
	int64_t first_ns;               /* of now_ns(), when it went wrong first; 0: never */
	bool large;                     /* a state was larger: it was not put back */
	const char *reason;             /* FAILED: in words, until the end; else "" */
};
void probation_at(const struct probation *p, struct probation_info *out);
void probation_pass(struct probation *p);       /* its seconds are over */
/* Takes. After it failed, actors that came to its code wait until this: whatever is in force now
 * handles their messages. back: it has been taken back. */
void probation_end(struct probation *p, bool back);
/* decided: from any thread, when one has failed or passed. */
void core_on_probation(void (*decided)(void));
/* dying: in a signal handler, when the process is about to end by a fault that cannot be contained.
 * inside: compiled code was under way, patch number `version` (0: an actor's source). */
void core_on_crash(void (*dying)(bool inside, uint32_t version, int sig));
/* The patch on probation that ran last, or 0. Also in a signal handler. */
uint32_t core_ran_on_probation(void);

/* Bytes that actors hold and that this patch's code has allocated. */
uint64_t core_patch_memory(uint32_t version);
/* Frees what was replaced and what no thread can be inside any more. Does not wait: what a handler
 * that runs long still needs is freed by a later call. */
void core_grace(void);
/* C functions that a source may call, ends with a NULL name: actor.h's, at the addresses that
 * compiled code must use. None where no memory can be made executable; core_start() says so. */
struct export { const char *name; void *addr; };
const struct export *core_doors(void);
/* What types offer to patches by name; i from 0, in the order they came. False: no more. Borrowed
 * for ever. */
struct offer {
	const char *name; void *at;
	char kind;                      /* 'i' int64_t, 'd' double, 'f' a function */
	double least, most;
	const char *type;
};
bool core_offer(size_t i, struct offer *out);
/* The variable of that actor; ACTOR_ENOENT with why, which has the names there are. */
int  core_var(actor_ref ref, const char *name, struct offer *out, struct why *why);
double core_var_get(const struct offer *v);
/* Between two of the actor's messages, before all that is sent to it after this. ACTOR_EARGS with
 * why: out of range. */
int  core_var_set(actor_ref ref, const struct offer *v, double to, struct why *why);
/* Compiled code on this thread, on behalf of self: a fault in it is ACTOR_EFAIL with why. What it
 * does to others leaves when it has returned 0, or not at all. */
int core_run(actor *self, int (*fn)(actor *self), const struct code *code, struct why *why);

#endif
