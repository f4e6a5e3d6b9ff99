/* SPDX-License-Identifier: MIT
 * cluster.c - see cluster.h.
 *
 * The idea: a link to each of the masters, which live and die as one: who stands above sees all of
 * the Cluster, or nothing. Where slots are says whichever of the URL's nodes is reached first
 * (CLUSTER SLOTS), whenever the links are made.
 *
 *      waiting --> asking (a link to one node) --CLUSTER SLOTS--> joining --all up--> up
 *         ^            |                                             |               |
 *         +---failed---+---------------------------------------------+---------------+
 *
 * A command is an order here: it is kept until it has an answer that is no redirect. MOVED: it
 * goes where Redis says, and the map learns it; ASK: only this once. TRYAGAIN and CLUSTERDOWN: a
 * little later, for a while. A master that the map does not have ends all links, and the map is
 * read again.
 *
 * Invariants: a command was carried out once at most: what is sent again was refused before. Of
 * two for one key the later may overtake one that was redirected: whoever minds sends one at a
 * time. The loop's thread. */
#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../actor.h"
#include "rounds.h"
#include "shards.h"

enum {
	TRIES_MOST = 16, LATER_MS = 50, PATIENCE_MS = 5000,
	AGAIN_MS = 100, AGAIN_MOST_MS = 2000, STEADY_MS = 5000,
};

struct master {
	struct cluster *of;
	struct link *link;
	bool up;
};

struct order {
	struct order *next;             /* for later */
	struct cluster *of;
	struct master *to;
	enum link_lane lane;
	redis_fn *fn;
	void *arg;
	int64_t until_ms;
	unsigned slot, tries;
	bool sure;                      /* see redis_sure() */
	int argc;
	const char **argv;              /* with len and the words behind */
	size_t *len;
};

struct lane_of { struct cluster *of; enum link_lane lane; };

struct cluster {
	struct loop *loop;
	struct url url;
	char *name, *pulse;
	struct link_events events;
	void *arg;
	enum { WAITING, ASKING, KNOWN, JOINING, UP, FAILED } state;
	struct link *asked;
	int node;                       /* of the URL's: the one that is asked */
	bool next_node;                 /* it was no use: the next is tried before anybody hears */
	struct shards shards;
	struct master master[MASTERS_MOST];     /* numbered alike */
	struct order *later, **later_end;
	struct rounds *rounds[LINK_LANES];
	struct lane_of lane[LINK_LANES];
	struct redis_port port[LINK_LANES];
	struct loop_timer *turn, *again;
	unsigned attempts;
	int64_t since_ms;
	char reason[300];
};

static const struct redis_reply gone = { .type = REDIS_GONE };

static void fail(struct cluster *c, const char *fmt, ...) PRINTF(2, 3);

static void fail(struct cluster *c, const char *fmt, ...)
{
	va_list ap;

	if (c->state == FAILED || c->state == WAITING)
		return;
	c->next_node = c->state == ASKING;
	va_start(ap, fmt);
	vsnprintf(c->reason, sizeof c->reason, fmt, ap);
	va_end(ap);
	c->attempts = c->state == UP && now_ms() - c->since_ms > STEADY_MS ? 0 : c->attempts;
	c->state = FAILED;
	loop_timer_set(c->turn, 0);
}

/* --- orders ------------------------------------------------------------------------------- */

static void finish(struct order *o, const struct redis_reply *r)
{
	redis_fn *fn = o->fn;
	void *arg = o->arg;

	mem_free(o);
	fn(arg, r);
}

static void keep_for_later(struct order *o)
{
	struct cluster *c = o->of;

	o->next = NULL;
	*c->later_end = o;
	c->later_end = &o->next;
	if (c->later == o)
		loop_timer_set(c->again, LATER_MS);
}

static void on_answer(void *arg, const struct redis_reply *r);

static void on_asking(void *arg, const struct redis_reply *r)
{
	(void)arg, (void)r;     /* the answer to what it is said for tells */
}

static int send(struct order *o, struct master *to, bool asking)
{
	const char *word = "ASKING";
	const struct redis_port *port = link_port(to->link, o->lane);
	const size_t len = 6;

	o->to = to;
	if (asking && port->command(port->link, on_asking, NULL, 1, &word, &len))
		return ACTOR_EFAIL;
	if (o->sure)
		return redis_sure(port, on_answer, o, o->argc, o->argv, o->len);
	return port->command(port->link, on_answer, o, o->argc, o->argv, o->len);
}

static const char *host_of(const struct master *m)
{
	return m->of->shards.master[m - m->of->master].host;
}

static int port_of(const struct master *m)
{
	return m->of->shards.master[m - m->of->master].port;
}

static void redirect(struct order *o, const struct redirect *to)
{
	struct cluster *c = o->of;
	int m = shards_find(&c->shards, to->host[0] ? to->host : host_of(o->to), to->port);

	if (m < 0) {
		fail(c, "slot %u has moved to %s:%d, which was no master before", to->slot,
		     to->host, to->port);
		keep_for_later(o);      /* until all is dropped */
		return;
	}
	if (!to->ask)
		c->shards.at[to->slot] = (uint8_t)m;
	if (send(o, &c->master[m], to->ask))
		finish(o, &gone);
}

static bool begins(const struct redis_reply *r, const char *with)
{
	return r->len >= strlen(with) && !memcmp(r->str, with, strlen(with));
}

static void on_answer(void *arg, const struct redis_reply *r)
{
	struct order *o = arg;
	struct redirect to;

	if (r->type != REDIS_ERROR || o->of->state != UP)
		finish(o, r);
	else if (slot_redirect(&to, r) && o->tries++ < TRIES_MOST)
		redirect(o, &to);
	else if ((begins(r, "TRYAGAIN") || begins(r, "CLUSTERDOWN")) && now_ms() < o->until_ms)
		keep_for_later(o);
	else
		finish(o, r);
}

static void on_again(void *arg)
{
	struct cluster *c = arg;
	struct order *o = c->later, *next;

	c->later = NULL;
	c->later_end = &c->later;
	for (; o; o = next) {
		next = o->next;
		if (c->state != UP || send(o, &c->master[c->shards.at[o->slot]], false))
			finish(o, &gone);
	}
}

static struct order *order_new(struct lane_of *l, int argc, const char **argv, const size_t *len)
{
	size_t words = (size_t)argc, bytes = 0;
	struct order *o;
	char *p;

	for (int i = 0; i < argc; i++)
		bytes += len[i] + 1;
	o = mem_alloc(sizeof *o + words * (sizeof *argv + sizeof *len) + bytes);
	o->of = l->of;
	o->lane = l->lane == LINK_INBOX ? LINK_INBOX : LINK_COMMANDS;
	o->argc = argc;
	o->argv = (const char **)(o + 1);
	o->len = (size_t *)(o->argv + argc);
	p = (char *)(o->len + argc);
	for (int i = 0; i < argc; p += len[i++] + 1) {
		o->argv[i] = memcpy(p, argv[i], len[i]);
		o->len[i] = len[i];
	}
	o->until_ms = now_ms() + PATIENCE_MS;
	return o;
}

/* --- PUBLISH ------------------------------------------------------------------------------ */

/* Who hears it at the other masters is asked first: one who has heard it may be gone after. */
struct heard { struct order *order; int64_t elsewhere; int open; };

static void heard_end(struct heard *h, const struct redis_reply *r)
{
	struct order *o = h->order;

	mem_free(h);
	finish(o, r);
}

static void on_published(void *arg, const struct redis_reply *r)
{
	struct heard *h = arg;
	struct redis_reply all = *r;

	if (r->type == REDIS_INT)
		all.integer += h->elsewhere;
	heard_end(h, &all);
}

static int publish_now(struct heard *h)
{
	struct order *o = h->order;
	const struct redis_port *port = link_port(o->of->master[0].link, LINK_COMMANDS);

	return port->command(port->link, on_published, h, o->argc, o->argv, o->len);
}

/* [channel, n] */
static void on_heard(void *arg, const struct redis_reply *r)
{
	struct heard *h = arg;

	if (r->type == REDIS_LIST && r->items == 2)
		h->elsewhere += r->item[1].integer;
	if (--h->open)
		return;
	if (h->order->of->state != UP || publish_now(h))
		heard_end(h, &gone);
}

static int publish(struct order *o)
{
	const char *ask[] = { "PUBSUB", "NUMSUB", o->argv[1] };
	const size_t len[] = { 6, 6, o->len[1] };
	struct cluster *c = o->of;
	struct heard *h = mem_alloc(sizeof *h);

	h->order = o;
	for (int i = 1; i < c->shards.masters; i++) {
		const struct redis_port *port = link_port(c->master[i].link, LINK_COMMANDS);

		h->open += !port->command(port->link, on_heard, h, 3, ask, len);
	}
	if (h->open || !publish_now(h))
		return 0;
	mem_free(h);
	return ACTOR_EFAIL;
}

static int order(struct lane_of *l, bool sure, redis_fn *fn, void *fn_arg, int argc,
                 const char **argv, const size_t *len)
{
	struct cluster *c = l->of;
	int key = slot_key(argc, argv, len);
	struct order *o;

	if (c->state != UP)
		return ACTOR_EFAIL;
	o = order_new(l, argc, argv, len);
	o->fn = fn;
	o->arg = fn_arg;
	o->sure = sure;
	o->slot = key < 0 ? 0 : slot_of(argv[key], len[key]);
	if (argc == 3 && len[0] == 7 && !strncasecmp(argv[0], "PUBLISH", 7)) {
		if (!publish(o))
			return 0;
	} else if (!send(o, &c->master[c->shards.at[o->slot]], false)) {
		return 0;
	}
	mem_free(o);
	return ACTOR_EFAIL;
}

static int port_command(void *arg, redis_fn *fn, void *fn_arg, int argc, const char **argv,
                        const size_t *len)
{
	return order(arg, false, fn, fn_arg, argc, argv, len);
}

static int port_sure(void *arg, redis_fn *fn, void *fn_arg, int argc, const char **argv,
                     const size_t *len)
{
	return order(arg, true, fn, fn_arg, argc, argv, len);
}

/* --- the masters' links ------------------------------------------------------------------- */

static void on_master_up(void *arg)
{
	struct master *m = arg;
	struct cluster *c = m->of;

	m->up = true;
	for (int i = 0; i < c->shards.masters; i++)
		if (!c->master[i].up)
			return;
	if (c->state != JOINING)
		return;
	c->state = UP;
	c->since_ms = now_ms();
	c->events.up(c->arg);
}

static void on_master_down(void *arg, const char *reason)
{
	struct master *m = arg;

	fail(m->of, "the master %s:%d: %s", host_of(m), port_of(m), reason);
}

static void on_message(void *arg, struct redis_reply channel, struct redis_reply payload)
{
	struct master *m = arg;

	if (m == m->of->master && m->of->state == UP)
		m->of->events.message(m->of->arg, channel, payload);
}

static void on_pulse(void *arg, int64_t beat)
{
	struct master *m = arg;

	if (m == m->of->master && m->of->state == UP)
		m->of->events.pulse(m->of->arg, beat);
}

static struct link *link_to(struct cluster *c, const char *host, int port,
                            const struct link_events *events, void *arg)
{
	struct url url = c->url;
	struct link *k;

	url.hosts[0] = 0;
	snprintf(url.host, sizeof url.host, "%s", host);
	url.port = port;
	k = link_new(c->loop, &(struct link_config){ &url, c->name, c->pulse, true }, events, arg);
	explicit_bzero(url.password, sizeof url.password);
	return k;
}

static void join(struct cluster *c)
{
	static const struct link_events events = { on_master_up, on_master_down, on_message,
	                                           on_pulse };

	link_free(c->asked);
	c->asked = NULL;
	c->state = JOINING;
	for (int i = 0; i < c->shards.masters; i++)
		c->master[i] = (struct master){ c, link_to(c, c->shards.master[i].host,
		                                           c->shards.master[i].port, &events,
		                                           &c->master[i]), false };
}

/* --- which they are ----------------------------------------------------------------------- */

static void on_slots(void *arg, const struct redis_reply *r)
{
	struct cluster *c = arg;
	int64_t covered;
	char host[256] = "";
	int port;

	if (c->state != ASKING || r->type == REDIS_GONE)
		return;
	url_host(&c->url, c->node, host, sizeof host, &port);
	covered = shards_read(&c->shards, r, host);
	if (r->type == REDIS_ERROR) {
		fail(c, "%s:%d: %s", host, port, r->str);
	} else if (covered != SLOTS) {
		fail(c, "the Cluster has masters for %lld of its %d slots", (long long)covered,
		     SLOTS);
	} else {
		c->state = KNOWN;
		loop_timer_set(c->turn, 0);
	}
}

static void on_asked_up(void *arg)
{
	const char *argv[] = { "CLUSTER", "SLOTS" };
	const size_t len[] = { 7, 5 };
	struct cluster *c = arg;
	const struct redis_port *port = link_port(c->asked, LINK_COMMANDS);

	if (c->state == ASKING && port->command(port->link, on_slots, c, 2, argv, len))
		fail(c, "it was lost again");
}

static void on_asked_down(void *arg, const char *reason)
{
	struct cluster *c = arg;
	char host[256] = "";
	int port = 0;

	url_host(&c->url, c->node, host, sizeof host, &port);
	fail(c, "%s:%d: %s", host, port, reason);
}

/* What one hears there before it is known which masters there are is missed by nobody. */
static void on_nothing(void *arg, struct redis_reply channel, struct redis_reply payload)
{
	(void)arg, (void)channel, (void)payload;
}

static void on_no_pulse(void *arg, int64_t beat)
{
	(void)arg, (void)beat;
}

static void begin(struct cluster *c)
{
	static const struct link_events events = { on_asked_up, on_asked_down, on_nothing,
	                                           on_no_pulse };
	char host[256] = "";
	int port = 0;

	if (!url_host(&c->url, c->node, host, sizeof host, &port))
		url_host(&c->url, c->node = 0, host, sizeof host, &port);
	c->state = ASKING;
	c->asked = link_to(c, host, port, &events, c);
}

/* --- dropping ----------------------------------------------------------------------------- */

static void drop_all(struct cluster *c)
{
	struct order *o, *next;

	link_free(c->asked);
	c->asked = NULL;
	for (int i = 0; i < c->shards.masters; i++) {
		link_free(c->master[i].link);
		c->master[i].link = NULL;
	}
	c->shards.masters = 0;
	o = c->later;
	c->later = NULL;
	c->later_end = &c->later;
	for (; o; o = next) {
		next = o->next;
		finish(o, &gone);
	}
	for (int i = 0; i < LINK_LANES; i++)
		if (c->rounds[i])
			rounds_down(c->rounds[i]);
}

static int pause_ms(struct cluster *c)
{
	int ms = AGAIN_MS << (c->attempts < 5 ? c->attempts : 5);

	c->attempts++;
	ms = ms < AGAIN_MOST_MS ? ms : AGAIN_MOST_MS;
	return ms / 2 + (int)(random_u64() % (uint64_t)(ms / 2 + 1));
}

static void on_turn(void *arg)
{
	struct cluster *c = arg;
	char host[256];
	int port;

	if (c->state == KNOWN) {
		join(c);
	} else if (c->state == WAITING) {
		begin(c);
	} else if (c->state == FAILED) {
		drop_all(c);
		c->node++;
		if (c->next_node && url_host(&c->url, c->node, host, sizeof host, &port)) {
			begin(c);
			return;
		}
		c->state = WAITING;
		loop_timer_set(c->turn, pause_ms(c));
		c->events.down(c->arg, c->reason);
	}
}

/* --- the face ----------------------------------------------------------------------------- */

struct cluster *cluster_new(struct loop *l, const struct link_config *config,
                            const struct link_events *e, void *arg)
{
	struct cluster *c = mem_alloc(sizeof *c);

	c->loop = l;
	c->url = *config->url;
	c->name = mem_string(config->name, strlen(config->name));
	c->pulse = mem_string(config->pulse, strlen(config->pulse));
	c->events = *e;
	c->arg = arg;
	c->later_end = &c->later;
	c->turn = loop_timer_new(l, on_turn, c);
	c->again = loop_timer_new(l, on_again, c);
	for (int i = 0; i < LINK_LANES; i++) {
		c->lane[i] = (struct lane_of){ c, (enum link_lane)i };
		c->port[i] = (struct redis_port){ .command = port_command, .link = &c->lane[i],
		                                  .sure = port_sure };
		if (i == LINK_LISTS || i == LINK_STREAMS || i == LINK_NEWS)
			c->rounds[i] = rounds_new(l, &c->port[LINK_COMMANDS], CLUSTER_LATE_MS);
	}
	loop_timer_set(c->turn, 0);
	return c;
}

void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	c->state = FAILED;      /* whoever is told that it is gone cannot begin anew */
	drop_all(c);
	loop_timer_free(c->turn);
	loop_timer_free(c->again);
	for (int i = 0; i < LINK_LANES; i++)
		rounds_free(c->rounds[i]);
	explicit_bzero(&c->url, sizeof c->url);
	mem_free(c->name);
	mem_free(c->pulse);
	mem_free(c);
}

bool cluster_up(const struct cluster *c)
{
	return c->state == UP;
}

const struct redis_port *cluster_port(struct cluster *c, enum link_lane lane)
{
	return c->rounds[lane] ? rounds_port(c->rounds[lane]) : &c->port[lane];
}

size_t cluster_unsent(const struct cluster *c)
{
	size_t n = 0;

	for (int i = 0; i < c->shards.masters && c->state == UP; i++)
		n += link_unsent(c->master[i].link);
	return n;
}

const char *cluster_warning(const struct cluster *c)
{
	const char *text = "";

	for (int i = 0; i < c->shards.masters && c->state == UP && !*text; i++)
		text = link_warning(c->master[i].link);
	return text;
}

void cluster_stop(struct cluster *c, enum link_lane lane)
{
	rounds_stop(c->rounds[lane]);
}

struct link *cluster_channels(const struct cluster *c)
{
	return c->shards.masters ? c->master[0].link : NULL;
}
