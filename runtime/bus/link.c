/* SPDX-License-Identifier: MIT
 * link.c - the connections to one Redis.
 *
 * The idea: six lanes that live and die as one. Whoever stands above sees a link that is up, then
 * down, then up again, and never half of one; whatever went wrong on one lane drops all, once, and
 * after a pause that grows all are made again.
 *
 *      waiting --timer--> resolving --> joining --all greeted--> up
 *         ^                   |            |                     |
 *         +------ failed <----+------------+---------------------+    (until the next turn)
 *
 * Invariant: lanes may not be dropped from inside what they tell, so link_fail() leaves the rest
 * to the next turn.
 *
 * What hiredis 0.14 has not is here: a limit on how long a reply may take (`watch`). Where to go
 * says where.c. The loop's thread only. Does not log, and knows no message. */
#include "link.h"

#include <stdio.h>

#include "../actor.h"
#include "failover.h"
#include "lane.h"
#include "where.h"

enum {
	WATCH_MS = 1000,
	IDLE_MS = 4000,         /* then a lane is asked whether it lives */
	SILENT_MS = 8000,       /* a reply that takes longer does not come; a reader blocks less */
	AGAIN_MS = 50, AGAIN_MOST_MS = 2000,
	STEADY_MS = 5000,       /* a link that was up so long begins with a short pause again */
	SEE_MS = 5000,          /* what a write needs may be set, and a replica come or go */
};

struct end {
	struct link *link;
	enum link_lane which;
	struct lane *lane;
	struct redis_port port;
	int64_t id;
	bool greeted;
};

struct link {
	enum { WAITING, RESOLVING, JOINING, UP, FAILED } state;
	struct loop *loop;
	struct url url;
	char *name, *pulse;
	struct link_events events;
	void *arg;
	struct end end[LINK_LANES];
	struct where *where;            /* it is; NULL: at a socket */
	struct addresses addresses;
	int address, port;              /* the ones that are tried */
	struct failover *failover;      /* NULL: nobody takes its place */
	struct loop_timer *turn, *watch;
	int64_t since_ms, watched_ms;   /* of the state; the last look */
	int64_t seen_ms;                /* that failover was told, last */
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

/* --- joining: each lane signs in, and greets last ----------------------------------------- */

static void end_greeted(struct end *e)
{
	struct link *k = e->link;

	e->greeted = true;
	for (int i = 0; i < LINK_LANES; i++) {
		if (!k->end[i].greeted)
			return;
	}
	if (k->state != JOINING)
		return;
	k->state = UP;
	k->since_ms = now_ms();
	k->events.up(k->arg);
}

/* The reply to AUTH, SELECT or PING, without which a lane is of no use. */
static bool accepted(struct end *e, const struct redis_reply *r)
{
	if (r->type == REDIS_ERROR)
		link_fail(e->link, "%.*s", (int)r->len, r->str);
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
	((struct end *)arg)->id = r->type == REDIS_INT ? r->integer : 0;
}

static void on_replication(void *arg, const struct redis_reply *r)
{
	failover_see_replicas(((struct end *)arg)->link->failover, r);
}

static void on_least(void *arg, const struct redis_reply *r)
{
	failover_see_least(((struct end *)arg)->link->failover, r);
}

static void on_pong(void *arg, const struct redis_reply *r)
{
	struct end *e = arg;

	if (!accepted(e, r) || e->greeted)
		return;
	if (e->which == LINK_CHANNELS)
		link_beat(e->link);     /* greeted when it is back */
	else
		end_greeted(e);
}

static void end_words(struct end *e, redis_fn *fn, int argc, const char *a, const char *b,
                      const char *c)
{
	const char *argv[] = { a, b, c };
	size_t len[] = { strlen(a), b ? strlen(b) : 0, c ? strlen(c) : 0 };

	lane_command(e->lane, fn, e, argc, argv, len);
}

static void see_failover(struct end *e)
{
	e->link->seen_ms = now_ms();
	end_words(e, on_replication, 2, "INFO", "replication", NULL);
	end_words(e, on_least, 3, "CONFIG", "GET", "min-replicas-*");
}

static void end_sign_in(struct end *e)
{
	static const char *const suffix[] = { "", ":lists", ":channels", ":inbox", ":streams",
	                                     ":news" };
	const struct url *u = &e->link->url;
	char text[128];

	if (u->password[0])
		end_words(e, on_signed, u->user[0] ? 3 : 2, "AUTH",
		          u->user[0] ? u->user : u->password, u->password);
	snprintf(text, sizeof text, "%d", u->db);
	if (u->db)
		end_words(e, on_signed, 2, "SELECT", text, NULL);
	snprintf(text, sizeof text, "%s%s", e->link->name, suffix[e->which]);
	end_words(e, on_named, 3, "CLIENT", "SETNAME", text);
	end_words(e, on_id, 2, "CLIENT", "ID", NULL);
	if (e->link->failover && e->which == LINK_COMMANDS)
		see_failover(e);        /* known before anything is sent */
	end_words(e, on_pong, 1, "PING", NULL, NULL);
}

static void on_lost(void *arg, const char *reason)
{
	link_fail(((struct end *)arg)->link, "%s", reason);
}

static void end_join(struct end *e, const struct tls *tls)
{
	struct link *k = e->link;
	const struct lane_to to = { k->where ? k->addresses.text[k->address] : NULL, k->port,
	                            k->url.path, tls, k->where ? where_host(k->where) : NULL };
	struct why why;

	if (lane_join(e->lane, &to, &why))
		link_fail(k, "%s", why.text);
	else
		end_sign_in(e);
}

/* Certificates are read each time, as they are renewed while a node runs. */
static void link_join(struct link *k)
{
	struct tls *tls = NULL;
	struct why why;

	k->state = JOINING;
	k->since_ms = now_ms();
	if (k->url.tls && !(tls = tls_new(&k->url, &why)))
		link_fail(k, "%s", why.text);
	for (int i = 0; i < LINK_LANES && k->state == JOINING; i++)
		end_join(&k->end[i], tls);
	tls_free(tls);
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

static void end_drop(struct end *e)
{
	e->greeted = false;
	e->id = 0;
	lane_drop(e->lane);
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
	bool other = !k->end[LINK_COMMANDS].greeted && k->address + 1 < k->addresses.n;

	for (int i = 0; i < LINK_LANES; i++)
		end_drop(&k->end[i]);
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

static bool end_waits(const struct end *e)
{
	if (e->which == LINK_CHANNELS)
		return e->link->beats != e->link->beats_back;
	return lane_waits(e->lane);
}

static void end_watch(struct end *e, int64_t now)
{
	int64_t silent_ms = now - lane_heard_ms(e->lane);

	if (!end_waits(e)) {
		if (silent_ms < IDLE_MS)
			return;
		if (e->which == LINK_CHANNELS)
			link_beat(e->link);
		else            /* a Redis's `timeout`, or a NAT's, would end it */
			end_words(e, on_pong, 1, "PING", NULL, NULL);
	} else if (silent_ms > SILENT_MS) {
		link_fail(e->link, "no answer in %d s", SILENT_MS / 1000);
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
		end_watch(&k->end[i], now);
	/* Refusals would fill Redis's log of them: they are asked for at a connect only. */
	if (k->state == UP && k->failover && failover_may_ask(k->failover) &&
	    now - k->seen_ms >= SEE_MS)
		see_failover(&k->end[LINK_COMMANDS]);
}

/* --- channels ----------------------------------------------------------------------------- */

static void on_pulse(struct link *k)
{
	k->beats_back++;
	if (k->state == JOINING)
		end_greeted(&k->end[LINK_CHANNELS]);
	else if (k->state == UP)
		k->events.pulse(k->arg, k->beats_back);
}

static void on_channel(void *arg, const struct redis_reply *r)
{
	struct link *k = ((struct end *)arg)->link;
	const struct redis_reply *kind = r->item;

	if (r->type != REDIS_LIST || r->items != 3 || kind->type != REDIS_STR ||
	    kind[1].type != REDIS_STR)
		return;
	if (!strcmp(kind->str, "message") && k->state == UP)
		k->events.message(k->arg, kind[1], kind[2]);
	else if (!strcmp(kind->str, "subscribe") && !strcmp(kind[1].str, k->pulse))
		on_pulse(k);
}

void link_subscribe(struct link *k, bool on, int n, const char **channels, const size_t *len)
{
	const char **argv = mem_alloc((size_t)(n + 1) * sizeof *argv);
	size_t *lens = mem_alloc((size_t)(n + 1) * sizeof *lens);

	argv[0] = on ? "SUBSCRIBE" : "UNSUBSCRIBE";
	lens[0] = strlen(argv[0]);
	memcpy(argv + 1, channels, (size_t)n * sizeof *argv);
	memcpy(lens + 1, len, (size_t)n * sizeof *lens);
	lane_subscribe(k->end[LINK_CHANNELS].lane, n + 1, argv, lens);
	mem_free(argv);
	mem_free(lens);
}

int64_t link_beat(struct link *k)
{
	const char *channel = k->pulse;
	size_t len = strlen(channel);

	if (k->beats == k->beats_back)
		lane_expect(k->end[LINK_CHANNELS].lane);
	link_subscribe(k, true, 1, &channel, &len);
	return ++k->beats;
}

bool link_read_channels(struct link *k)
{
	return lane_read(k->end[LINK_CHANNELS].lane);
}

void link_catch_up(struct link *k)
{
	lane_catch_up(k->end[LINK_COMMANDS].lane);
}

static const struct lane_events lanes = { on_lost, on_channel };

/* --- the face ----------------------------------------------------------------------------- */

static int port_command(void *arg, redis_fn *fn, void *fn_arg, int argc, const char **argv,
                        const size_t *len)
{
	struct end *e = arg;

	if (e->link->state != UP)
		return ACTOR_EFAIL;
	return lane_command(e->lane, fn, fn_arg, argc, argv, len);
}

static int port_later(void *arg, redis_fn *fn, void *fn_arg, int argc, const char **argv,
                      const size_t *len)
{
	struct end *e = arg;

	if (e->link->state != UP)
		return ACTOR_EFAIL;
	return lane_later(e->lane, fn, fn_arg, argc, argv, len);
}

static int port_sure(void *arg, redis_fn *fn, void *fn_arg, int argc, const char **argv,
                     const size_t *len)
{
	struct end *e = arg;

	return failover_write(e->link->failover, &e->port, fn, fn_arg, argc, argv, len);
}

static void port_rest(void *arg, bool on)
{
	struct end *e = arg;

	if (on)
		lane_rest(e->lane);
	else
		lane_wake(e->lane);
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
		k->end[i] = (struct end){ .link = k, .which = (enum link_lane)i,
		                          .lane = lane_new(l, &lanes, &k->end[i]),
		                          .port = { port_command, &k->end[i], port_later,
		                                    port_rest, port_sure } };
	if (c->cluster || k->url.master[0])
		k->failover = failover_new(&k->url);
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
	for (int i = 0; i < LINK_LANES; i++)
		lane_free(k->end[i].lane);
	failover_free(k->failover);
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
	return &k->end[lane].port;
}

int64_t link_id(const struct link *k, enum link_lane lane)
{
	return k->state == UP ? k->end[lane].id : 0;
}

bool link_url(const struct link *k, struct buf *out)
{
	struct url url;

	if (!k || k->state != UP)
		return false;
	url = k->url;
	url.hosts[0] = url.master[0] = 0;
	if (k->where)
		snprintf(url.host, sizeof url.host, "%s", where_host(k->where));
	url.port = k->port;
	url_write(&url, true, out);
	explicit_bzero(url.password, sizeof url.password);
	return true;
}

const char *link_warning(const struct link *k)
{
	return k->state == UP && k->failover ? failover_warning(k->failover) : "";
}

size_t link_unsent(const struct link *k)
{
	size_t n = 0;

	for (int i = 0; i < LINK_LANES; i++)
		n += lane_unsent(k->end[i].lane);
	return n;
}
