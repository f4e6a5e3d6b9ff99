/* SPDX-License-Identifier: MIT
 * member.c - see member.h.
 *
 * The idea: first the name, then the inbox, then the topics: nobody reads an inbox whose name is
 * another's, and nobody sends to an inbox that is not there.
 *
 *      link up -> nodes (the name is ours) -> inbox (is there, is read) -> announce -> joined
 *
 * What Redis refuses before that keeps the other nodes from us, no more. When it refuses our beats
 * later, the name may be another's before long: all that is taken in it rests, until a beat is let
 * in again.
 */
#include "member.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "log.h"
#include "nodes.h"

enum { LOOK_MS = 2000, SAY_MS = 60000 };

struct member {
	struct member_config c;
	struct peer_config peer;
	struct nodes *nodes;
	struct peers *peers;
	struct inbox *inbox;
	struct buf info;
	char since[32];
	char rollout[48];
	uint64_t life;
	char life_text[24];             /* as inbox.h has it */
	bool open, quiet;               /* the inbox is read; our topics are withdrawn */
	bool shut;                      /* Redis did not let us have it: tried again at a look */
	_Atomic bool failed;            /* others cannot reach us, which has been said; as rests */
	_Atomic bool rests;             /* others look */
	struct loop_timer *look;        /* at the patches */
	int64_t said_ms;
};

/* --- what we say of ourselves ------------------------------------------------------------- */

static void pack_topics(const struct member *m, struct buf *out)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < topics_count(m->c.topics); i++)
		n += topics_get(m->c.topics, i)->hosted;
	n = m->open && !m->quiet ? n : 0;
	pack_list(out, n);
	for (unsigned i = 0; n && i < topics_count(m->c.topics); i++) {
		const struct topic *t = topics_get(m->c.topics, i);

		if (t->hosted)
			pack_str(out, t->name, t->len);
	}
}

/* "a,b" as a list. */
static void pack_groups(const char *groups, struct buf *out)
{
	const char *p = groups ? groups : "";
	struct buf names = { 0 };
	uint32_t n = 0;

	for (size_t len; *p; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		if (len) {
			pack_str(&names, p, len);
			n++;
		}
	}
	pack_list(out, n);
	buf_add(out, names.p, names.len);
	buf_fini(&names);
}

static void describe(const struct member *m, struct buf *b)
{
	buf_clear(b);
	pack_map(b, 6);
	pack_text(b, "since");
	pack_text(b, m->since);
	pack_text(b, "version");
	pack_text(b, ACTORD_VERSION);
	pack_text(b, "groups");
	pack_groups(m->c.groups, b);
	pack_text(b, "topics");
	pack_topics(m, b);
	pack_text(b, "patches");
	if (m->c.patches)
		m->c.patches(m->c.patches_arg, b);
	else
		pack_list(b, 0);
	pack_text(b, "rollout");
	pack_text(b, m->rollout);
}

static void announce(struct member *m)
{
	struct buf *b = &m->info;

	describe(m, b);
	nodes_announce(m->nodes, (struct packed){ (uint8_t *)b->p, (uint8_t *)b->p + b->len });
}

static void on_look(void *arg)
{
	struct member *m = arg;

	loop_timer_set(m->look, LOOK_MS);
	announce(m);
	if (m->shut)
		inbox_up(m->inbox);
	m->shut = false;
}

/* --- joining ------------------------------------------------------------------------------ */

static void failed(struct member *m, const char *reason)
{
	if (!m->failed || now_ms() - m->said_ms >= SAY_MS) {
		log_line(LOG_WARN, "bus", "other nodes cannot reach this one: %s (the keys are "
		         "actord:{nodes}* and actord:{node:%s}*); trying again", reason,
		         m->c.node);
		m->said_ms = now_ms();
	}
	m->failed = true;
	m->c.joined(m->c.arg, reason);
}

/* Also where a Redis before 7 says that a script met it. */
static bool is_error(const char *text, const char *error)
{
	size_t len = strlen(error);
	const char *at = strncmp(text, "ERR Error running script", 24) ? NULL : strstr(text, "-");

	for (; at && strncmp(at + 1, error, len); at = strstr(at + 1, "-"))
		;
	return at || (!strncmp(text, error, len) && (text[len] == ' ' || !text[len]));
}

/* It is over without anybody's doing; or not by what would be done here. */
static bool passes(const char *text)
{
	static const char *const passing[] = { "BUSY", "LOADING", "READONLY", "CLUSTERDOWN",
	                                       "MASTERDOWN", "NOREPLICAS" };

	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		if (is_error(text, passing[i]))
			return true;
	return false;
}

static const char rests[] = "messages from Redis rest (lists, streams, other nodes')";

/* True: it is to be said, too. */
static bool rest(struct member *m)
{
	if (m->rests && now_ms() - m->said_ms < SAY_MS)
		return false;
	m->rests = true;
	m->said_ms = now_ms();
	return true;
}

static void go_on(struct member *m)
{
	if (atomic_exchange(&m->rests, false))
		log_line(LOG_INFO, "bus", "messages from Redis go on");
}

static void rest_refused(struct member *m, const char *reason)
{
	if (!rest(m))
		return;
	if (passes(reason))
		log_line(LOG_WARN, "bus", "%s: %s; when Redis takes commands again all goes on by "
		         "itself", rests, reason);
	else if (is_error(reason, "MISCONF"))
		log_line(LOG_WARN, "bus", "%s: %s; when Redis can write to its disk again all goes "
		         "on by itself", rests, reason);
	else
		log_line(LOG_WARN, "bus", "%s: %s; delete what others wrote to actord:{nodes}, "
		         "actord:{nodes}:%s or actord:{nodes}:version, or give this user of Redis "
		         "its rights on them: then all goes on by itself", rests, reason,
		         m->c.node);
}

static void on_refusal(void *arg, const char *reason)
{
	struct member *m = arg;

	if (!nodes_ours(m->nodes))
		rest_refused(m, reason);
	else if (!m->open)              /* else nothing has come of it so far */
		failed(m, reason);
}

static void on_slow(void *arg, int64_t took_ms)
{
	struct member *m = arg;
	struct why why;

	why_set(&why, 0, "Redis takes %.1f s to answer, and who is not heard for %.0f s is gone",
	        (double)took_ms / 1000, NODES_ALIVE_MS / 1000.0);
	if (nodes_ours(m->nodes))       /* it has not joined yet */
		failed(m, why.text);
	else if (rest(m))
		log_line(LOG_WARN, "bus", "%s: %s; look at its load and the way to it: when it "
		         "answers sooner all goes on by itself", rests, why.text);
}

static void on_joined(void *arg)
{
	struct member *m = arg;

	go_on(m);
	inbox_up(m->inbox);
}

static void on_ours(void *arg)
{
	struct member *m = arg;

	go_on(m);
	inbox_up(m->inbox);
	m->c.gate(m->c.arg);
}

static bool is_ours(void *arg)
{
	return member_ours(arg);
}

static void on_doubted(void *arg)
{
	nodes_doubt(((struct member *)arg)->nodes);
}

static void on_opened(void *arg, const char *reason)
{
	struct member *m = arg;

	m->shut = reason;
	if (reason) {
		failed(m, reason);
		return;
	}
	if (m->failed)
		log_line(LOG_INFO, "bus", "other nodes can reach this one");
	m->failed = false;
	if (m->open)
		return;
	m->open = true;
	announce(m);
	peers_up(m->peers);
	m->c.joined(m->c.arg, NULL);
}

static void on_refused(void *arg, const char *reason)
{
	struct member *m = arg;

	m->c.refused(m->c.arg, reason);
}

static void on_seen(void *arg, const char *name, uint64_t life, struct packed info)
{
	struct member *m = arg;

	peers_seen(m->peers, name, life, info);
}

static void on_gone(void *arg, const char *name)
{
	struct member *m = arg;

	log_line(LOG_INFO, "bus", "node %s is gone", name);
	peers_gone(m->peers, name);
	m->c.gone(m->c.arg);
}

/* --- the face ----------------------------------------------------------------------------- */

static void tell_since(struct member *m)
{
	time_t now = wall_ms() / 1000;
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(m->since, sizeof m->since, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void on_going(void *arg)
{
	inbox_tell(((struct member *)arg)->inbox);
}

static int parts_new(struct member *m, struct why *why)
{
	struct nodes_config nodes = {
		.loop = m->c.loop, .port = wire_port(m->c.wire, LINK_COMMANDS), .node = m->c.node,
		.identity = m->c.identity, .life = m->life, .joined = on_joined, .ours = on_ours,
		.refused = on_refused, .failed = on_refusal, .slow = on_slow,
		.seen = on_seen, .gone = on_gone, .arg = m,
	};
	struct inbox_config inbox = {
		.loop = m->c.loop, .wire = m->c.wire, .node = m->c.node, .life = m->life_text,
		.opened = on_opened, .ours = is_ours, .doubted = on_doubted, .arg = m,
	};

	m->peer = (struct peer_config){
		.loop = m->c.loop, .port = nodes.port, .node = m->c.node, .life = m->life,
		.gate = m->c.gate, .arg = m->c.arg, .going = on_going, .going_arg = m,
	};
	m->peers = peers_new(&m->peer, why);
	inbox.peers = m->peers;
	m->inbox = m->peers ? inbox_new(&inbox, why) : NULL;
	m->nodes = nodes_new(&nodes);
	return m->inbox ? 0 : ACTOR_EFAIL;
}

struct member *member_new(const struct member_config *c, struct why *why)
{
	struct member *m = mem_alloc(sizeof *m);

	m->c = *c;
	m->life = random_u64() >> 1 | 1;
	snprintf(m->life_text, sizeof m->life_text, "%" PRIu64 " 0", m->life);
	tell_since(m);
	m->look = loop_timer_new(c->loop, on_look, m);
	if (parts_new(m, why)) {
		member_free(m);
		return NULL;
	}
	announce(m);
	loop_timer_set(m->look, LOOK_MS);
	return m;
}

void member_free(struct member *m)
{
	if (!m)
		return;
	loop_timer_free(m->look);
	nodes_free(m->nodes);
	inbox_free(m->inbox);
	peers_free(m->peers);
	buf_fini(&m->info);
	mem_free(m);
}

void member_up(struct member *m)
{
	m->open = m->shut = false;
	announce(m);
	nodes_up(m->nodes);
}

void member_down(struct member *m)
{
	m->shut = false;
	m->rests = false;
	nodes_down(m->nodes);
	inbox_down(m->inbox);
}

void member_changed(struct member *m)
{
	announce(m);
}

void member_rolled(struct member *m, const char *id)
{
	snprintf(m->rollout, sizeof m->rollout, "%s", id);
	announce(m);
}

struct grouped {
	const char *group;
	void (*each)(void *arg, const char *node);
	void *arg;
};

/* Is that the map of a node that takes patches, and is it in the group? */
static bool in_group(struct packed info, const char *node, const char *group)
{
	struct value map, key, v;

	if (packed_next(&info, &map) != 1 || map.type != VALUE_MAP)
		return false;
	for (size_t i = 0; i < map.len && packed_next(&info, &key) == 1; i++) {
		struct packed list = info;

		packed_skip(&info);
		if (key.type != VALUE_STR || key.len != 6 || memcmp(key.str, "groups", 6) ||
		    packed_next(&list, &v) != 1 || v.type != VALUE_LIST)
			continue;
		if (!strcmp(group, "*") || !strcmp(group, node))
			return true;
		for (size_t left = v.len; left && packed_next(&list, &key) == 1; left--)
			if (key.type == VALUE_STR && key.len == strlen(group) &&
			    !memcmp(key.str, group, key.len))
				return true;
	}
	return false;
}

static void look_at_group(void *arg, const char *node, struct packed info)
{
	const struct grouped *g = arg;

	if (in_group(info, node, g->group))
		g->each(g->arg, node);
}

void member_group(const struct member *m, const char *group,
                  void (*each)(void *arg, const char *node), void *arg)
{
	struct grouped g = { group, each, arg };

	look_at_group(&g, m->c.node, (struct packed){ (uint8_t *)m->info.p,
	                                              (uint8_t *)m->info.p + m->info.len });
	nodes_each(m->nodes, look_at_group, &g);
}

void member_heard(struct member *m)
{
	nodes_look(m->nodes);
}

void member_quiet(struct member *m)
{
	m->quiet = true;
	announce(m);
	inbox_quiet(m->inbox);
}

bool member_idle(const struct member *m)
{
	struct peer_info out;

	peers_info(m->peers, &out);
	return !out.waiting && inbox_idle(m->inbox);
}

bool member_leave(struct member *m)
{
	nodes_leave(m->nodes);
	return nodes_left(m->nodes);
}

bool member_ours(const struct member *m)
{
	return nodes_ours(m->nodes);
}

bool member_alone(const struct member *m)
{
	return m->failed;
}

bool member_rests(const struct member *m)
{
	return m->rests;
}

int member_knows(const struct member *m, const char *node)
{
	return !strcmp(node, m->c.node) ? 1 : nodes_knows(m->nodes, node);
}

void member_info(const struct member *m, struct member_info *out)
{
	peers_info(m->peers, &out->out);
	inbox_info(m->inbox, &out->in);
	out->elsewhere = peers_names(m->peers);
}

struct rows { struct buf *out; unsigned n; };

/* The map with two pairs more in front. */
static void row(struct rows *r, const char *name, bool self, struct packed info)
{
	struct value map;

	if (packed_next(&info, &map) != 1 || map.type != VALUE_MAP)
		return;
	pack_map(r->out, (uint32_t)map.len + 2);
	pack_text(r->out, "name");
	pack_text(r->out, name);
	pack_text(r->out, "self");
	pack_bool(r->out, self);
	buf_add(r->out, info.at, (size_t)(info.end - info.at));
	r->n++;
}

static void other_row(void *arg, const char *name, struct packed info)
{
	row(arg, name, false, info);
}

unsigned member_rows(const struct member *m, struct buf *out)
{
	struct rows r = { .out = out };
	struct buf own = { 0 };

	describe(m, &own);              /* it may not have been announced yet */
	row(&r, m->c.node, true, (struct packed){ (uint8_t *)own.p,
	                                          (uint8_t *)own.p + own.len });
	buf_fini(&own);
	nodes_each(m->nodes, other_row, &r);
	return r.n;
}
