/* SPDX-License-Identifier: MIT
 * link.c - the connections to one Redis, over hiredis, which no other file includes.
 *
 * The idea: five lanes that live and die as one. Whoever stands above sees a link that is up, then
 * down, then up again, and never half of one; whatever went wrong on one lane drops all, once, and
 * after a pause that grows all are made again.
 *
 *      waiting --timer--> resolving --> joining --all greeted--> up
 *         ^                   |            |                     |
 *         +------ failed <----+------------+---------------------+    (until the next turn)
 *
 * Invariants. hiredis frees a context by itself after an error, and may not be asked to from its
 * connect and disconnect callbacks: so these only forget the context, and link_fail() leaves the
 * rest to the next turn. What waits for a reply stands in a ring of our own, in the order of the
 * commands; hiredis's own calls with no reply are passed over, as it loses some: drop() empties
 * the ring.
 *
 * What hiredis 0.14 has not is here: a limit on how long a reply may take (`watch`). Where to go
 * says where.c. The loop's thread only. Does not log, and knows no message. */
#include "link.h"

#include <hiredis/async.h>
#include <hiredis/adapters/libevent.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "../actor.h"
#include "where.h"

enum {
	WATCH_MS = 1000,
	IDLE_MS = 4000,         /* then a lane is asked whether it lives */
	SILENT_MS = 8000,       /* a reply that takes longer does not come; a reader blocks less */
	AGAIN_MS = 50, AGAIN_MOST_MS = 2000,
	STEADY_MS = 5000,       /* a link that was up so long begins with a short pause again */
	READ_BYTES = 16 << 10,  /* what hiredis takes at a time */
};

struct waiting { redis_fn *fn; void *arg; };

struct lane {
	struct link *link;
	enum link_lane which;
	redisAsyncContext *ac;          /* NULL: none */
	struct redis_port port;
	struct waiting *ring;           /* of room, a power of two: from first to next */
	unsigned room, first, next;
	int64_t heard_ms;               /* the last reply; or the first command after a silence */
	int64_t id;
	bool greeted;
	struct redis_reply *items;      /* of the reply that is handed on, */
	size_t items_room;              /* so many */
};

struct link {
	enum { WAITING, RESOLVING, JOINING, UP, FAILED } state;
	struct loop *loop;
	struct url url;
	char *name, *pulse;
	struct link_events events;
	void *arg;
	struct lane lane[LINK_LANES];
	struct where *where;            /* it is; NULL: at a socket */
	struct addresses addresses;
	int address, port;              /* the ones that are tried */
	struct loop_timer *turn, *watch;
	int64_t since_ms, watched_ms;   /* of the state; the last look */
	int64_t beats, beats_back;
	unsigned attempts;
	char reason[256];
};

static void link_fail(struct link *k, const char *fmt, ...) PRINTF(2, 3);

static void link_fail(struct link *k, const char *fmt, ...)
{
	va_list ap;

	if (k->state == FAILED || k->state == WAITING)
		return;
	va_start(ap, fmt);
	vsnprintf(k->reason, sizeof k->reason, fmt, ap);
	va_end(ap);
	k->attempts = k->state == UP && now_ms() - k->since_ms > STEADY_MS ? 0 : k->attempts;
	k->state = FAILED;
	loop_timer_set(k->turn, 0);
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
		out.len = r->len;
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
	l->heard_ms = now_ms();
	got = reply_of(l, reply);
	w.fn(w.arg, &got);
}

static void ring_add(struct lane *l, redis_fn *fn, void *arg)
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
	l->ring[l->next++ & (l->room - 1)] = (struct waiting){ fn, arg };
}

static int lane_command(struct lane *l, redis_fn *fn, void *arg, int argc, const char **argv,
                        const size_t *len)
{
	if (!l->ac || redisAsyncCommandArgv(l->ac, on_reply, l, argc, argv, len) != REDIS_OK)
		return ACTOR_EFAIL;
	if (l->first == l->next)
		l->heard_ms = now_ms();
	ring_add(l, fn, arg);
	return 0;
}

/* --- joining: each lane signs in, and greets last ----------------------------------------- */

static void lane_greeted(struct lane *l)
{
	struct link *k = l->link;

	l->greeted = true;
	for (int i = 0; i < LINK_LANES; i++) {
		if (!k->lane[i].greeted)
			return;
	}
	if (k->state != JOINING)
		return;
	k->state = UP;
	k->since_ms = now_ms();
	k->events.up(k->arg);
}

/* The reply to AUTH, SELECT or PING, without which a lane is of no use. */
static bool accepted(struct lane *l, const struct redis_reply *r)
{
	if (r->type == REDIS_ERROR)
		link_fail(l->link, "%.*s", (int)r->len, r->str);
	return r->type != REDIS_ERROR && r->type != REDIS_GONE;
}

static void on_signed(void *arg, const struct redis_reply *r)
{
	accepted(arg, r);
}

static void on_named(void *arg, const struct redis_reply *r)
{
	(void)arg, (void)r;     /* a name is for people; a Redis may not give any */
}

static void on_id(void *arg, const struct redis_reply *r)
{
	((struct lane *)arg)->id = r->type == REDIS_INT ? r->integer : 0;
}

static void on_pong(void *arg, const struct redis_reply *r)
{
	struct lane *l = arg;

	if (!accepted(l, r) || l->greeted)
		return;
	if (l->which == LINK_CHANNELS)
		link_beat(l->link);     /* greeted when it is back */
	else
		lane_greeted(l);
}

static void lane_words(struct lane *l, redis_fn *fn, int argc, const char *a, const char *b,
                       const char *c)
{
	const char *argv[] = { a, b, c };
	size_t len[] = { strlen(a), b ? strlen(b) : 0, c ? strlen(c) : 0 };

	lane_command(l, fn, l, argc, argv, len);
}

static void lane_sign_in(struct lane *l)
{
	static const char *const suffix[] = { "", ":lists", ":channels", ":inbox", ":streams" };
	const struct url *u = &l->link->url;
	char text[128];

	if (u->password[0])
		lane_words(l, on_signed, u->user[0] ? 3 : 2, "AUTH",
		           u->user[0] ? u->user : u->password, u->password);
	snprintf(text, sizeof text, "%d", u->db);
	if (u->db)
		lane_words(l, on_signed, 2, "SELECT", text, NULL);
	snprintf(text, sizeof text, "%s%s", l->link->name, suffix[l->which]);
	lane_words(l, on_named, 3, "CLIENT", "SETNAME", text);
	lane_words(l, on_id, 2, "CLIENT", "ID", NULL);
	lane_words(l, on_pong, 1, "PING", NULL, NULL);
}

/* --- contexts ----------------------------------------------------------------------------- */

static void on_connect(const redisAsyncContext *ac, int status)
{
	struct lane *l = ac->data;

	if (status == REDIS_OK)
		return;
	l->ac = NULL;           /* hiredis frees it when this returns */
	link_fail(l->link, "%s", ac->c.errstr[0] ? ac->c.errstr : "it cannot be connected to");
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	struct lane *l = ac->data;

	(void)status;
	l->ac = NULL;
	link_fail(l->link, "%s", ac->c.errstr[0] ? ac->c.errstr : "it closed the connection");
}

static void lane_join(struct lane *l)
{
	struct link *k = l->link;
	redisAsyncContext *ac = k->where
		? redisAsyncConnect(k->addresses.text[k->address], k->port)
		: redisAsyncConnectUnix(k->url.path);

	if (!ac || ac->err || redisLibeventAttach(ac, loop_base(k->loop)) != REDIS_OK) {
		link_fail(k, "%s",
		          ac && ac->c.errstr[0] ? ac->c.errstr : "no memory for a connection");
		if (ac)
			redisAsyncFree(ac);
		return;
	}
	ac->data = l;
	l->ac = ac;
	redisAsyncSetConnectCallback(ac, on_connect);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	lane_sign_in(l);
}

static void link_join(struct link *k)
{
	k->state = JOINING;
	k->since_ms = now_ms();
	for (int i = 0; i < LINK_LANES && k->state == JOINING; i++)
		lane_join(&k->lane[i]);
}

static void on_found(void *arg, const struct addresses *a, int port, const char *error)
{
	struct link *k = arg;

	k->addresses = a ? *a : (struct addresses){ .n = 0 };
	k->port = port;
	k->address = 0;
	if (error)
		link_fail(k, "%s", error);
	else
		link_join(k);
}

static void on_moved(void *arg, const char *reason)
{
	link_fail(arg, "%s", reason);
}

static const struct where_events where = { on_found, on_moved };

static void link_begin(struct link *k)
{
	k->since_ms = now_ms();
	k->state = RESOLVING;
	if (k->where)
		where_ask(k->where);
	else
		link_join(k);
}

/* --- dropping ----------------------------------------------------------------------------- */

static void lane_drop(struct lane *l)
{
	static const struct redis_reply gone = { .type = REDIS_GONE };
	redisAsyncContext *ac = l->ac;

	l->ac = NULL;
	l->greeted = false;
	l->id = 0;
	if (ac)
		redisAsyncFree(ac);
	while (l->first != l->next) {
		struct waiting w = l->ring[l->first++ & (l->room - 1)];

		w.fn(w.arg, &gone);
	}
}

static int pause_ms(struct link *k)
{
	int ms = AGAIN_MS << (k->attempts < 6 ? k->attempts : 6);

	k->attempts++;
	ms = ms < AGAIN_MOST_MS ? ms : AGAIN_MOST_MS;
	return ms / 2 + (int)(random_u64() % (uint64_t)(ms / 2 + 1));
}

static void link_drop(struct link *k)
{
	bool other = !k->lane[LINK_COMMANDS].greeted && k->address + 1 < k->addresses.n;

	for (int i = 0; i < LINK_LANES; i++)
		lane_drop(&k->lane[i]);
	k->beats = k->beats_back = 0;
	if (other) {            /* a name's next address is tried before anybody hears of it */
		k->address++;
		link_join(k);
		return;
	}
	k->addresses.n = 0;
	k->state = WAITING;
	loop_timer_set(k->turn, pause_ms(k));
	k->events.down(k->arg, k->reason);
}

static void on_turn(void *arg)
{
	struct link *k = arg;

	if (k->state == FAILED)
		link_drop(k);
	else if (k->state == WAITING)
		link_begin(k);
}

/* --- silence ------------------------------------------------------------------------------ */

static bool lane_waits(const struct lane *l)
{
	if (l->which == LINK_CHANNELS)
		return l->link->beats != l->link->beats_back;
	return l->first != l->next;
}

static void lane_watch(struct lane *l, int64_t now)
{
	if (!lane_waits(l)) {
		if (now - l->heard_ms < IDLE_MS)
			return;
		if (l->which == LINK_CHANNELS)
			link_beat(l->link);
		else if (l->which == LINK_COMMANDS)
			lane_words(l, on_pong, 1, "PING", NULL, NULL);
	} else if (now - l->heard_ms > SILENT_MS) {
		link_fail(l->link, "no answer in %d s", SILENT_MS / 1000);
	}
}

static void on_watch(void *arg)
{
	struct link *k = arg;
	int64_t now = now_ms(), late_ms = now - k->watched_ms - WATCH_MS;

	k->watched_ms = now;
	loop_timer_set(k->watch, WATCH_MS);
	if (late_ms > WATCH_MS)
		return;         /* it is we who were asleep: what came meanwhile is not read yet */
	if (k->state == JOINING && now - k->since_ms > SILENT_MS)
		link_fail(k, "no answer in %d s", SILENT_MS / 1000);
	for (int i = 0; i < LINK_LANES && k->state == UP; i++)
		lane_watch(&k->lane[i], now);
}

/* --- channels ----------------------------------------------------------------------------- */

static void on_pulse(struct link *k)
{
	k->beats_back++;
	if (k->state == JOINING)
		lane_greeted(&k->lane[LINK_CHANNELS]);
	else if (k->state == UP)
		k->events.pulse(k->arg, k->beats_back);
}

static void on_channel(redisAsyncContext *ac, void *reply, void *arg)
{
	struct lane *l = arg;
	struct link *k = l->link;
	const redisReply *r = reply;
	struct redis_reply got;
	const struct redis_reply *kind;

	(void)ac;
	if (!r || r->type != REDIS_REPLY_ARRAY || r->elements != 3)
		return;
	l->heard_ms = now_ms();
	got = reply_of(l, r);
	kind = &got.item[0];
	if (kind->type != REDIS_STR || got.item[1].type != REDIS_STR)
		return;
	if (!strcmp(kind->str, "message") && k->state == UP)
		k->events.message(k->arg, got.item[1], got.item[2]);
	else if (!strcmp(kind->str, "subscribe") && !strcmp(got.item[1].str, k->pulse))
		on_pulse(k);
}

void link_subscribe(struct link *k, bool on, int n, const char **channels, const size_t *len)
{
	struct lane *l = &k->lane[LINK_CHANNELS];
	const char **argv = mem_alloc((size_t)(n + 1) * sizeof *argv);
	size_t *lens = mem_alloc((size_t)(n + 1) * sizeof *lens);

	argv[0] = on ? "SUBSCRIBE" : "UNSUBSCRIBE";
	lens[0] = strlen(argv[0]);
	memcpy(argv + 1, channels, (size_t)n * sizeof *argv);
	memcpy(lens + 1, len, (size_t)n * sizeof *lens);
	if (l->ac)
		redisAsyncCommandArgv(l->ac, on_channel, l, n + 1, argv, lens);
	mem_free(argv);
	mem_free(lens);
}

int64_t link_beat(struct link *k)
{
	struct lane *l = &k->lane[LINK_CHANNELS];
	const char *channel = k->pulse;
	size_t len = strlen(channel);

	if (k->beats == k->beats_back)
		l->heard_ms = now_ms();
	link_subscribe(k, true, 1, &channel, &len);
	return ++k->beats;
}

/* hiredis 0.14 (Debian 12) has the place itself, 1.x (Debian 13) a pointer to it. */
#if HIREDIS_MAJOR < 1
#define OUTERMOST(r) (&(r)->rstack[0])
#else
#define OUTERMOST(r) ((r)->task[0])
#endif

bool link_read_channels(struct link *k)
{
	struct lane *l = &k->lane[LINK_CHANNELS];
	const redisReader *r;
	int bytes = 0;

	if (l->ac)
		ioctl(l->ac->c.fd, FIONREAD, &bytes);
	for (; l->ac && bytes > 0; bytes -= READ_BYTES)
		redisAsyncHandleRead(l->ac);
	if (!l->ac)
		return true;    /* what it held came too late to be heard */
	r = l->ac->c.reader;
	return r->pos == r->len && (r->ridx < 0 || (!r->ridx && OUTERMOST(r)->type < 0));
}

/* --- the face ----------------------------------------------------------------------------- */

static int port_command(void *arg, redis_fn *fn, void *fn_arg, int argc, const char **argv,
                        const size_t *len)
{
	struct lane *l = arg;

	return l->link->state == UP ? lane_command(l, fn, fn_arg, argc, argv, len) : ACTOR_EFAIL;
}

struct link *link_new(struct loop *l, const struct link_config *c, const struct link_events *e,
                      void *arg)
{
	struct link *k = mem_alloc(sizeof *k);

	k->loop = l;
	k->url = *c->url;
	k->name = mem_string(c->name, strlen(c->name));
	k->pulse = mem_string(c->pulse, strlen(c->pulse));
	k->events = *e;
	k->arg = arg;
	if (!k->url.path[0])
		k->where = where_new(l, &k->url, &where, k);
	for (int i = 0; i < LINK_LANES; i++)
		k->lane[i] = (struct lane){ .link = k, .which = (enum link_lane)i,
		                            .port = { port_command, &k->lane[i] } };
	k->turn = loop_timer_new(l, on_turn, k);
	k->watch = loop_timer_new(l, on_watch, k);
	k->watched_ms = now_ms();
	loop_timer_set(k->turn, 0);
	loop_timer_set(k->watch, WATCH_MS);
	return k;
}

void link_free(struct link *k)
{
	if (!k)
		return;
	k->state = FAILED;      /* whoever is told that it is gone cannot begin anew */
	where_free(k->where);
	loop_timer_free(k->turn);
	loop_timer_free(k->watch);
	for (int i = 0; i < LINK_LANES; i++) {
		lane_drop(&k->lane[i]);
		mem_free(k->lane[i].ring);
		mem_free(k->lane[i].items);
	}
	explicit_bzero(k->url.password, sizeof k->url.password);
	mem_free(k->name);
	mem_free(k->pulse);
	mem_free(k);
}

bool link_up(const struct link *k)
{
	return k->state == UP;
}

const struct redis_port *link_port(struct link *k, enum link_lane lane)
{
	return &k->lane[lane].port;
}

int64_t link_id(const struct link *k, enum link_lane lane)
{
	return k->state == UP ? k->lane[lane].id : 0;
}

size_t link_unsent(const struct link *k)
{
	size_t n = 0;

	for (int i = 0; i < LINK_LANES; i++)
		n += k->lane[i].ac ? sdslen(k->lane[i].ac->c.obuf) : 0;
	return n;
}
