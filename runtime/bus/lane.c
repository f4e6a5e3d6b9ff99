/* SPDX-License-Identifier: MIT
 * lane.c - one connection to a Redis, over hiredis.
 *
 * hiredis's own adapter takes its events off libevent and sets them again with each reply, and
 * waits for the next turn of the loop to write: four and a half calls of epoll_ctl a frame between
 * nodes, a fifteenth of their time (actor-bench redis-call). Here the descriptor is watched for
 * reading for good; what is said goes with one write at the end of the turn, and writing is waited
 * for only where the socket did not take all.
 *
 * Invariants. hiredis frees a context by itself after an error, and may not be asked to from its
 * connect and disconnect callbacks: these only forget the context, and say so. What waits for a
 * reply stands in a ring of our own, in the order of the commands; hiredis's own calls with no
 * reply are passed over, as it loses some: lane_drop() empties the ring.
 *
 * A rest saves a turn of the loop a frame: that Redis has it is told just before the peer's answer
 * comes by another lane, and is read then.
 *
 * TLS, where there is any, is between hiredis and the socket (tls.c), and seen here only by its
 * records.
 *
 * What stands where a Redis should may say that anything follows, and hiredis would wait for it, or
 * make room: a list or a text that no Redis sends ends the connection.
 *
 * The loop's thread only. Limits no time, and does not connect again. */
#include "lane.h"

#include <hiredis/async.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "../actor.h"

enum {
	REST_MS = 5,
	READ_BYTES = 16 << 10, READS_MOST = 16,         /* what hiredis takes at a time; in a row */
	RECORD_LEAST = 22,      /* of TLS, in bytes: a read takes one record, however small */
	/* of a reply: in a list; in a text, as Redis has it (proto-max-bulk-len); in a line */
	ITEMS_MOST = 1 << 24, TEXT_MOST = 512 << 20, LINE_MOST = 1 << 20,
};

#if HIREDIS_MAJOR < 1
typedef int items_n;
#define TASK(r, i) (&(r)->rstack[i])    /* hiredis 0.14 (Debian 12) has the place itself, */
#else
typedef size_t items_n;
#define TASK(r, i) ((r)->task[i])       /* 1.x (Debian 13) a pointer to it */
#endif

static const char too_long[] = "a reply of a length that no Redis sends";

struct waiting { redis_fn *fn; void *arg; bool later; };

struct lane {
	struct loop *loop;
	const struct lane_events *events;
	void *arg;
	redisAsyncContext *ac;          /* NULL: none */
	struct ssl_st *session;   /* of ac; NULL: it is not encrypted */
	struct loop_watch *watch;       /* of its socket */
	bool writing;                   /* hiredis is: what it asks for now is to wait for */
	struct waiting *ring;           /* of room, a power of two: from first to next */
	unsigned room, first, next;
	unsigned due;                   /* of those in the ring, somebody waits for so many */
	bool resting, timed;            /* its socket is not watched; `rested` is set */
	struct loop_timer *rested;
	int64_t heard_ms;
	redisReplyObjectFunctions make; /* hiredis's, with a limit */
	void *(*make_list)(const redisReadTask *, items_n);
	bool too_long;                  /* a list was */
	struct redis_reply *items;      /* of the reply that is handed on, */
	size_t items_room;              /* so many */
};

/* --- the loop ----------------------------------------------------------------------------- */

static bool connected(const redisAsyncContext *ac)
{
	return ac->c.flags & REDIS_CONNECTED;
}

/* All that was read was whole replies. */
static bool is_between(const redisAsyncContext *ac)
{
	const redisReader *r = ac->c.reader;

	return r->pos == r->len && (r->ridx < 0 || (!r->ridx && TASK(r, 0)->type < 0));
}

/* What has begun, and has not ended yet, will be longer than Redis sends. */
static bool is_endless(const redisAsyncContext *ac)
{
	const redisReader *r = ac->c.reader;
	int type = r->ridx < 0 ? -1 : TASK(r, r->ridx)->type;

	if (type < 0 || r->pos == r->len)
		return false;
	return type == REDIS_REPLY_STRING ? strtoll(r->buf + r->pos, NULL, 10) > TEXT_MOST
	                                  : r->len - r->pos > LINE_MOST;
}

static void *make_list(const redisReadTask *task, items_n n)
{
	struct lane *l = task->privdata;

	l->too_long = n > ITEMS_MOST;
	return l->too_long ? NULL : l->make_list(task, n);
}

static void bound(struct lane *l, redisReader *r)
{
	l->make = *r->fn;
	l->make_list = l->make.createArray;
	l->make.createArray = make_list;
	r->fn = &l->make;
	r->privdata = l;
	l->too_long = false;
}

/* What ends in the middle of a reply has more behind it, most likely, which is read at once. */
static void read_on(struct lane *l)
{
	size_t had, have = 0;

	for (int i = 0; i < READS_MOST && l->ac; i++) {
		had = have;
		redisAsyncHandleRead(l->ac);
		if (!l->ac || is_between(l->ac))
			return;
		if (is_endless(l->ac)) {
			l->events->lost(l->arg, too_long);
			return;
		}
		have = l->ac->c.reader->len;
		if (have == had)                /* nothing came */
			return;
	}
}

/* ac may be freed by what it is asked to do here, and the watch with it. */
static void on_watch(void *arg, bool write)
{
	struct lane *l = arg;

	if (!l->ac)
		return;
	if (!write) {
		read_on(l);
		return;
	}
	l->writing = true;
	redisAsyncHandleWrite(l->ac);
	l->writing = false;
}

static void keep_reading(void *arg)
{
	(void)arg;      /* it is watched for good */
}

static void add_write(void *arg)
{
	struct lane *l = arg;

	if (l->writing || !l->ac || !connected(l->ac))
		loop_watch_write(l->watch, true);
	else
		loop_watch_soon(l->watch);
}

static void drop_write(void *arg)
{
	loop_watch_write(((struct lane *)arg)->watch, false);
}

static void cleanup(void *arg)
{
	struct lane *l = arg;

	loop_watch_free(l->watch);
	l->watch = NULL;
}

static void attach(struct lane *l, redisAsyncContext *ac)
{
	l->watch = loop_watch_new(l->loop, ac->c.fd, on_watch, l);
	l->resting = false;
	ac->ev.addRead = ac->ev.delRead = keep_reading;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = drop_write;
	ac->ev.cleanup = cleanup;
	ac->ev.data = l;
	bound(l, ac->c.reader);
}

/* --- replies ------------------------------------------------------------------------------ */

static size_t items_in(const redisReply *r)
{
	size_t n = 0;

	if (r->type != REDIS_REPLY_ARRAY)
		return 0;
	for (size_t i = 0; i < r->elements; i++)
		n += 1 + items_in(r->element[i]);
	return n;
}

/* Redis ends what fails in a script with " script: SHA, on @user_script:LINE.". Of a script of one
 * line, as all of ours are, that tells nobody anything. */
static size_t cut_script(char *error, size_t len)
{
	static const char begin[] = " script: ", end[] = ", on @user_script:1.";
	enum { BEGIN = sizeof begin - 1, SHA = 40, END = sizeof end - 1 };
	size_t cut = len - (BEGIN + SHA + END);

	if (len <= BEGIN + SHA + END || memcmp(error + cut, begin, BEGIN) ||
	    memcmp(error + len - END, end, END))
		return len;
	error[cut] = 0;
	return cut;
}

static struct redis_reply converted(const redisReply *r, struct redis_reply **free)
{
	struct redis_reply out = { .type = REDIS_NIL };
	struct redis_reply *item;

	switch (r->type) {
	case REDIS_REPLY_INTEGER:
		out.type = REDIS_INT;
		out.integer = r->integer;
		break;
	case REDIS_REPLY_STRING: case REDIS_REPLY_STATUS: case REDIS_REPLY_ERROR:
		out.type = r->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_STR;
		out.str = r->str;
		out.len = out.type == REDIS_ERROR ? cut_script(r->str, r->len) : r->len;
		break;
	case REDIS_REPLY_ARRAY:
		out.type = REDIS_LIST;
		out.items = r->elements;
		out.item = item = *free;
		*free += r->elements;
		for (size_t i = 0; i < r->elements; i++)
			item[i] = converted(r->element[i], free);
	}
	return out;
}

/* Its parts live until the next reply of the same lane. */
static struct redis_reply reply_of(struct lane *l, const redisReply *r)
{
	size_t n = items_in(r);
	struct redis_reply *free;

	if (n > l->items_room) {
		l->items_room = n;
		l->items = mem_resize(l->items, n * sizeof *l->items);
	}
	free = l->items;
	return converted(r, &free);
}

static void on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
	struct lane *l = arg;
	struct redis_reply got;
	struct waiting w;

	(void)ac;
	if (!reply || l->first == l->next)
		return;
	w = l->ring[l->first++ & (l->room - 1)];
	l->due -= !w.later;
	l->heard_ms = now_ms();
	got = reply_of(l, reply);
	w.fn(w.arg, &got);
}

static void on_pushed(redisAsyncContext *ac, void *reply, void *arg)
{
	struct lane *l = arg;
	struct redis_reply got;

	(void)ac;
	if (!reply)
		return;
	l->heard_ms = now_ms();
	got = reply_of(l, reply);
	l->events->pushed(l->arg, &got);
}

/* --- commands ----------------------------------------------------------------------------- */

static void ring_add(struct lane *l, const struct waiting *w)
{
	unsigned n = l->next - l->first;

	if (n == l->room) {
		struct waiting *ring = mem_alloc(2 * (n ? n : 8) * sizeof *ring);

		for (unsigned i = 0; i < n; i++)
			ring[i] = l->ring[(l->first + i) & (l->room - 1)];
		mem_free(l->ring);
		l->ring = ring;
		l->room = 2 * (n ? n : 8);
		l->first = 0;
		l->next = n;
	}
	l->ring[l->next++ & (l->room - 1)] = *w;
}

static int say(struct lane *l, const struct waiting *w, int argc, const char **argv,
               const size_t *len)
{
	if (!l->ac || redisAsyncCommandArgv(l->ac, on_reply, l, argc, argv, len) != REDIS_OK)
		return ACTOR_EFAIL;
	if (l->first == l->next)
		l->heard_ms = now_ms();
	ring_add(l, w);
	return 0;
}

int lane_command(struct lane *l, redis_fn *fn, void *arg, int argc, const char **argv,
                 const size_t *len)
{
	int rc = say(l, &(struct waiting){ fn, arg, false }, argc, argv, len);

	l->due += !rc;
	if (l->resting)
		lane_wake(l);
	return rc;
}

int lane_later(struct lane *l, redis_fn *fn, void *arg, int argc, const char **argv,
               const size_t *len)
{
	return say(l, &(struct waiting){ fn, arg, true }, argc, argv, len);
}

/* --- resting ------------------------------------------------------------------------------ */

/* The timer is set once for all rests that begin before it is due. */
void lane_rest(struct lane *l)
{
	if (!l->ac || l->due || !connected(l->ac))
		return;
	if (!l->resting)
		loop_watch_read(l->watch, false);
	l->resting = true;
	if (!l->timed)
		loop_timer_set(l->rested, REST_MS);
	l->timed = true;
}

void lane_wake(struct lane *l)
{
	for (unsigned i = l->first; i != l->next; i++)
		l->ring[i & (l->room - 1)].later = false;
	l->due = l->next - l->first;
	if (!l->resting)
		return;
	l->resting = false;
	if (l->watch)
		loop_watch_read(l->watch, true);
}

static void on_rested(void *arg)
{
	struct lane *l = arg;

	l->timed = false;
	lane_wake(l);
}

void lane_catch_up(struct lane *l)
{
	if (l->resting && l->first != l->next)
		lane_read(l);
}

void lane_subscribe(struct lane *l, int argc, const char **argv, const size_t *len)
{
	if (l->ac)
		redisAsyncCommandArgv(l->ac, on_pushed, l, argc, argv, len);
}

static int held(const struct lane *l)
{
	int bytes = 0;

	if (l->ac)
		ioctl(l->ac->c.fd, FIONREAD, &bytes);
	return bytes;
}

bool lane_read(struct lane *l)
{
	int least = l->session ? RECORD_LEAST : READ_BYTES;

	for (int bytes = held(l); l->ac && bytes > 0; bytes -= least) {
		redisAsyncHandleRead(l->ac);
		if (l->session && !held(l))
			break;
	}
	return !l->ac || is_between(l->ac);     /* none: what it held came too late to be heard */
}

/* --- there and gone ----------------------------------------------------------------------- */

static void lost(const redisAsyncContext *ac, const char *otherwise)
{
	struct lane *l = ac->data;
	const char *reason = ac->c.errstr[0] ? ac->c.errstr : otherwise;
	struct why why;

	if (l->too_long)
		reason = too_long;
	if (l->session && tls_trouble(l->session, &why))
		reason = why.text;
	l->ac = NULL;           /* hiredis frees it when this returns */
	l->session = NULL;
	l->events->lost(l->arg, reason);
}

static void on_connect(const redisAsyncContext *ac, int status)
{
	if (status != REDIS_OK)
		lost(ac, "it cannot be connected to");
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	(void)status;
	lost(ac, "it closed the connection");
}

int lane_join(struct lane *l, const struct lane_to *to, struct why *why)
{
	redisAsyncContext *ac = to->address ? redisAsyncConnect(to->address, to->port)
	                                    : redisAsyncConnectUnix(to->path);

	if (!ac || ac->err) {
		why_set(why, ACTOR_EFAIL, "%s",
		        ac && ac->c.errstr[0] ? ac->c.errstr : "no memory for a connection");
		goto fail;
	}
	if (to->tls && tls_begin(to->tls, to->host, &ac->c, &l->session, why))
		goto fail;
	ac->data = l;
	l->ac = ac;
	attach(l, ac);
	redisAsyncSetConnectCallback(ac, on_connect);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	return 0;
fail:
	if (ac)
		redisAsyncFree(ac);
	return ACTOR_EFAIL;
}

void lane_drop(struct lane *l)
{
	static const struct redis_reply gone = { .type = REDIS_GONE };
	redisAsyncContext *ac = l->ac;

	l->ac = NULL;
	l->session = NULL;
	l->due = 0;
	if (ac)
		redisAsyncFree(ac);
	while (l->first != l->next) {
		struct waiting w = l->ring[l->first++ & (l->room - 1)];

		w.fn(w.arg, &gone);
	}
}

/* --- the face ----------------------------------------------------------------------------- */

struct lane *lane_new(struct loop *loop, const struct lane_events *events, void *arg)
{
	struct lane *l = mem_alloc(sizeof *l);

	l->loop = loop;
	l->events = events;
	l->arg = arg;
	l->rested = loop_timer_new(loop, on_rested, l);
	return l;
}

void lane_free(struct lane *l)
{
	lane_drop(l);
	loop_timer_free(l->rested);
	mem_free(l->ring);
	mem_free(l->items);
	mem_free(l);
}

bool lane_waits(const struct lane *l)
{
	return l->first != l->next;
}

int64_t lane_heard_ms(const struct lane *l)
{
	return l->heard_ms;
}

void lane_expect(struct lane *l)
{
	l->heard_ms = now_ms();
}

size_t lane_unsent(const struct lane *l)
{
	return l->ac ? sdslen(l->ac->c.obuf) : 0;
}
