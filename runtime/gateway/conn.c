/* SPDX-License-Identifier: MIT
 * conn.c - a WebSocket connection as the gateway keeps it: what is sent to it, what it may, when it
 * ends.
 *
 * Sessions speak to us through the frames port. What they send in one turn of their home is
 * gathered as ready-made frames in the connection's `out` and handed over in one write, which makes
 * the difference between 0.2 and 1 million messages a second.
 * What passes with time (a login that does not come, silence) is silence.c's.
 *
 * Invariants: a close goes out behind everything sent before it, from conn_writeable() alone; once
 * one was asked for, nothing is sent or taken any more.
 * A connection's thread, one for life; others see the counters. What counts for all threads, how
 * many there are and what an address may, is crowd.c's. It knows no library: see struct wire. */
#include "conn.h"

#include <stdio.h>

#include "log.h"
#include "posted.h"
#include "session.h"
#include "sync.h"

enum {
	OUT_BUSY = 1 << 20,             /* unsent bytes before a client is read no more */
	CLOSE_S = 5,
	REASON_MAX = 123,
	GATHER_BYTES = 4096,            /* a larger message takes long to read */
	EARLY_FREE = 65536,             /* of a message before login: no login needs more */
	FRAMES_FREE = 16, FRAME_BYTES = 4096,   /* of a message: see counts() */
	SAID_BYTES = 65536,             /* so much of a message is a sign that it comes */
};
enum {
	CLOSE_WRONG = 1002, CLOSE_TOO_BIG = 1009, CLOSE_CUT = -1,
};

/* --- frames out --------------------------------------------------------------------------- */

static size_t unsent(const struct conn *c)
{
	return outgoing_waiting(&c->out) + (c->in->wire->busy(c->wsi) ? c->handed : 0);
}

static void count_unsent(struct conn *c, bool is)
{
	if (is != c->unsent)
		COUNT_UP(&c->in->unsent, is ? 1u : -1u);
	c->unsent = is;
}

static void weigh(struct conn *c)
{
	size_t bytes = c->part.cap + c->out.frames.cap;

	if (bytes != c->bytes)
		COUNT_UP(&c->in->bytes, bytes - c->bytes);
	c->bytes = bytes;
}

static void out_fini(struct conn *c)
{
	outgoing_fini(&c->out);
	weigh(c);
}

void conn_cut(struct conn *c)
{
	c->code = CLOSE_CUT;
	out_fini(c);
	c->in->wire->end_in(c->wsi, 0);
}

/* Hands over what the library takes. 0, or -1: the connection is lost. */
static int flush(struct conn *c)
{
	const struct wire *wire = c->in->wire;
	const char *frames;
	size_t n;

	while (!wire->busy(c->wsi) && (n = outgoing_next(&c->out, &frames))) {
		if (wire->write(c->wsi, frames, n))
			return -1;
		outgoing_handed(&c->out, n);
		c->handed = n;
		if (c->paused.next)     /* its pongs are not read, but it takes what we send */
			c->heard = c->in->tick;
	}
	outgoing_trim(&c->out);
	weigh(c);
	count_unsent(c, unsent(c) > 0);
	return 0;
}

static void send_soon(struct conn *c)
{
	weigh(c);
	count_unsent(c, true);
	if (c->in->in_turn)
		list_add(&c->in->dirty, &c->dirty);
	else
		c->in->wire->want(c->wsi);
}

void conn_ping(struct conn *c)
{
	c->asked = c->in->tick;
	outgoing_ping(&c->out);
	send_soon(c);
}

/* For one more frame, by the policy; false: the client was given up. */
static bool has_room(struct conn *c)
{
	const struct gateway_limits *l = &c->in->limits;

	if (likely(unsent(c) <= (size_t)l->unsent_bytes))
		return true;
	if (!c->overflown)
		COUNT_UP(&c->in->overflown, 1);
	c->overflown = true;
	if (l->drop_oldest) {
		COUNT_UP(&c->in->dropped, outgoing_drop(&c->out, (size_t)l->unsent_bytes));
		return true;
	}
	log_line(LOG_INFO, "gateway", "a client that does not read was given up: %zu bytes",
	         unsent(c));
	conn_cut(c);
	return false;
}

/* While an HTTP connection is not read the library (4.1) writes nothing to it either. */
void conn_news(struct conn *c)
{
	if (c->waits)
		c->in->wire->read(c->wsi, true);
	c->waits = false;
	c->in->wire->want(c->wsi);
}

static void conn_send(void *conn, const void *bytes, size_t len, bool text)
{
	struct conn *c = conn;

	if (c->posted) {
		posted_frame(c->posted, bytes, len);
		conn_news(c);
		return;
	}
	if (c->code || c->deaf || !has_room(c))
		return;
	outgoing_add(&c->out, bytes, len, text);
	send_soon(c);
}

static void conn_close(void *conn, int code, const char *reason)
{
	struct conn *c = conn;
	size_t len = strlen(reason);

	if (c->posted) {
		posted_close(c->posted, code, reason);
		conn_news(c);
		return;
	}
	if (c->code)
		return;
	c->code = code;
	c->reason = mem_string(reason, len < REASON_MAX ? len : REASON_MAX);
	c->in->wire->end_in(c->wsi, CLOSE_S);
	c->in->wire->want(c->wsi);
}

static const char *conn_barred(void *conn)
{
	struct conn *c = conn;
	const char *why = c->from ? crowd_barred(c->in->crowd, c->from) : NULL;

	COUNT_UP(&c->in->limited, why != NULL);
	return why;
}

static void conn_refused(void *conn)
{
	struct conn *c = conn;

	if (c->from)
		crowd_refused(c->in->crowd, c->from);
}

const struct frames_port conn_frames = { conn_send, conn_close, conn_barred, conn_refused };

/* --- what it may -------------------------------------------------------------------------- */

static size_t early(const struct conn *c)
{
	size_t has = c->posted ? posted_bytes(c->posted)
	           : c->session && !session_in(c->session) ? c->part.cap : 0;

	return has > EARLY_FREE ? has : 0;
}

bool conn_early(struct conn *c)
{
	size_t was = c->early;

	c->early = early(c);
	return crowd_early(c->in->crowd, c->from, was, c->early);
}

static void part_fini(struct conn *c)
{
	buf_fini(&c->part);
	weigh(c);
	conn_early(c);
}

/* Reads on, or not: what the client has under way is bounded by not reading more. */
static void flow(struct conn *c)
{
	bool asking = c->part.len > EARLY_FREE && session_asking(c->session);
	bool stop = !c->code && !c->deaf &&
	            (session_busy(c->session) || unsent(c) > OUT_BUSY || asking);

	if (stop == !!c->paused.next)
		return;
	if (stop)
		list_add(&c->in->paused, &c->paused);
	else
		list_remove(&c->paused);
	c->in->wire->read(c->wsi, !stop);
}

/* Over a rate, and told so. To come counts as a message of the address. */
static bool limited(struct conn *c, bool coming)
{
	const struct gateway_limits *l = &c->in->limits;
	int64_t now;

	if (likely(!l->client_rate && !l->address_rate))
		return false;
	now = now_ns();
	if (!coming && !rate_take(&c->full_ns, l->client_rate, now))
		conn_close(c, CLOSE_POLICY, "too many messages a second");
	else if (!rate_take(&c->from->full_ns, l->address_rate, now))
		conn_close(c, CLOSE_LATER, "too many messages a second from your address");
	COUNT_UP(&c->in->limited, c->code != 0);
	return c->code;
}

static void too_big(struct conn *c)
{
	char words[64];

	snprintf(words, sizeof words, "a message has %d bytes at most",
	         c->in->limits.message_bytes);
	conn_close(c, CLOSE_TOO_BIG, words);
	part_fini(c);
}

/* A piece of a message. What a client says behind its login, before that was answered, waits: see
 * flow(). */
static void add_part(struct conn *c, const void *bytes, size_t len)
{
	buf_add(&c->part, bytes, len);
	weigh(c);
	if (likely(c->part.cap <= EARLY_FREE) || conn_early(c))
		return;
	conn_close(c, CLOSE_LATER, "too many long messages before a login: try again");
	part_fini(c);
}

/* Bytes of a message of which so many are to come. */
static size_t sum(size_t have, size_t len, size_t rest)
{
	return rest > SIZE_MAX / 2 ? SIZE_MAX : have + len + rest;
}

/* --- its life ----------------------------------------------------------------------------- */

static void enter(struct conn *c)
{
	c->from = c->in->wire->from(c->wsi);
	crowd_enter(c->in->crowd, c->from);
}

static void leave(struct conn *c)
{
	crowd_leave(c->in->crowd, c->from);
	c->from = NULL;
}

int conn_open(struct conn *c, struct conns *all, void *wsi)
{
	const char *words;

	*c = (struct conn){
		.in = all, .wsi = wsi, .born = all->tick, .heard = all->tick, .said = all->tick,
	};
	c->session = session_new(all->sessions, c, false);
	if (!c->session)
		return -1;
	sweep_put(&all->sweep, &c->all, 1);
	COUNT_UP(&all->clients, 1);
	enter(c);
	if (all->leaving) {
		conn_close(c, CLOSE_GOING, "the node is stopping");
	} else if ((words = crowd_full(all->crowd, c->from))) {
		conn_close(c, CLOSE_LATER, words);
		COUNT_UP(&all->turned_away, 1);
	} else if (!limited(c, true)) {
		COUNT_UP(&all->accepted, 1);
	}
	return 0;
}

int conn_post(struct conn *c, const char **words)
{
	struct conns *all = c->in;
	int status = 0;

	enter(c);
	if (all->leaving) {
		*words = "the node is stopping";
		status = 503;
	} else if ((*words = crowd_full(all->crowd, c->from))) {
		COUNT_UP(&all->turned_away, 1);
		status = 503;
	} else if ((*words = crowd_barred(all->crowd, c->from))) {
		COUNT_UP(&all->limited, 1);
		status = 429;
	} else if (!rate_take(&c->from->full_ns, all->limits.address_rate, now_ns())) {
		*words = "too many messages a second from your address";
		COUNT_UP(&all->limited, 1);
		status = 429;
	}
	if (status)
		conn_posted(c);
	return status;
}

void conn_posted(struct conn *c)
{
	conn_early(c);
	if (!c->from)
		return;
	COUNT_UP(&c->in->bodies, -c->body);
	leave(c);
}

void conn_gone(struct conn *c)
{
	if (!c->session)
		return;
	session_gone(c->session);
	c->session = NULL;
	list_remove(&c->all);
	list_remove(&c->dirty);
	list_remove(&c->paused);
	count_unsent(c, false);
	part_fini(c);
	out_fini(c);
	leave(c);
	mem_free(c->reason);
	COUNT_UP(&c->in->clients, -1u);
}

/* Small messages of one round of reads go to their actors together: each wake of a worker for one
 * of them costs as much as ten of them (actor-bench ws-echo, 100 one at a time). */
static void gather(struct conns *all, size_t len)
{
	if (len > GATHER_BYTES)
		conns_gathered(all);
	else if (all->gathers && !all->gathering)
		core_gather();
	all->gathering = all->gathers && len <= GATHER_BYTES;
}

void conns_gathered(struct conns *all)
{
	if (all->gathering)
		core_gathered();
	all->gathering = false;
}

/* A message counts once for the rates. One of many small frames counts more often. */
static bool counts(struct conn *c, bool final)
{
	c->frames = final ? 0 : c->frames + 1;
	return final || c->frames > FRAMES_FREE + c->part.len / FRAME_BYTES;
}

void conn_read(struct conn *c, const void *bytes, size_t len, size_t rest, bool final)
{
	size_t all = sum(c->part.len, len, rest);
	bool whole = final && !rest;

	c->heard = c->in->tick;
	if (c->code || c->deaf)
		return;
	if (all > (size_t)c->in->limits.message_bytes) {
		too_big(c);
		return;
	}
	if (!rest && counts(c, final) && limited(c, false))
		return;
	gather(c->in, len);
	if (whole || (c->part.len + len) / SAID_BYTES != c->part.len / SAID_BYTES)
		c->said = c->heard;             /* a long one is worth its time */
	if (whole && !c->part.len) {
		session_frame(c->session, bytes, len);
	} else {
		add_part(c, bytes, len);
		if (whole && !c->code) {
			session_frame(c->session, c->part.p, c->part.len);
			part_fini(c);
		}
	}
	flow(c);
}

void conn_heard(struct conn *c)
{
	c->heard = c->in->tick;
}

int conn_writeable(struct conn *c)
{
	if (c->code == CLOSE_CUT || flush(c))
		return -1;
	if (unsent(c))
		c->in->wire->want(c->wsi);
	else if (c->code)
		return 1;
	flow(c);
	return 0;
}

/* RFC 6455, 7.4, and IANA's registry of what came later: what a close may carry; without a code,
 * none goes back. (What is no UTF-8 behind it the library has refused; of 1012 to 1014 it makes
 * 1002, 4.1.6.) */
static int close_code(const uint8_t *payload, size_t len)
{
	int code = len > 1 ? payload[0] << 8 | payload[1] : 0;
	bool known = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	             (code >= 3000 && code < 5000);

	return !len || known ? code : CLOSE_WRONG;
}

/* Answered here: the library would do so at its next turn, and drop the connection without an
 * answer where more came behind the close (4.1.6). */
void conn_leaving(struct conn *c, const void *payload, size_t len)
{
	int code = close_code(payload, len);
	char frame[4] = { (char)0x88, code ? 2 : 0, (char)(code >> 8), (char)code };

	c->deaf = true;
	if (!flush(c))
		c->in->wire->write(c->wsi, frame, code ? 4 : 2);
}

int conn_over(struct conn *c)
{
	if (!c || !c->session)
		return 0;
	c->deaf = true;
	out_fini(c);
	part_fini(c);
	count_unsent(c, false);
	return 0;
}

/* --- all of them -------------------------------------------------------------------------- */

void conns_init(struct conns *all, const struct wire *wire, struct crowd *crowd,
                struct sessions *sessions)
{
	all->wire = wire;
	all->limits = crowd->limits;
	all->crowd = crowd;
	all->sessions = sessions;
	sweep_init(&all->sweep);
	list_init(&all->dirty);
	list_init(&all->paused);
	list_init(&all->calls);
	all->began_ms = now_ms();
}

bool conns_over(const struct conns *all, uint32_t since, int seconds)
{
	return seconds && all->tick - since > (uint32_t)seconds * CONN_TICKS;
}

void conns_turn_begins(struct conns *all)
{
	conns_gathered(all);
	all->in_turn = true;
}

void conns_turn_ends(struct conns *all)
{
	all->in_turn = false;
	while (all->dirty.next != &all->dirty) {
		struct conn *c = LINKED(all->dirty.next, struct conn, dirty);

		list_remove(&c->dirty);
		if (flush(c))
			conn_cut(c);
	}
	for (struct link *l = all->paused.next, *next; l != &all->paused; l = next) {
		next = l->next;
		flow(LINKED(l, struct conn, paused));
	}
}

struct address *conns_admit(struct conns *all, int fd)
{
	struct address *from = crowd_admit(all->crowd, fd);

	COUNT_UP(&all->turned_away, !from);
	return from;
}

static void close_going(struct link *l)
{
	conn_close(LINKED(l, struct conn, all), CLOSE_GOING, "the node is stopping");
}

static void cut_going(struct link *l)
{
	conn_cut(LINKED(l, struct conn, all));
}

void conns_leave(struct conns *all, bool cut)
{
	all->leaving = true;
	sweep_all(&all->sweep, cut ? cut_going : close_going);
}
