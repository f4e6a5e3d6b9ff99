/* SPDX-License-Identifier: MIT
 * report.c - what the node says of Redis, of its clients and of its patches, to people and to
 * Prometheus. Any thread but for what it is given. */
#include "report.h"

#include "core/value.h"
#include "metrics.h"
#include "patch/patch.h"

static void pair_int(struct buf *b, const char *name, uint64_t v)
{
	pack_text(b, name);
	pack_uint(b, v);
}

static void pair_text(struct buf *b, const char *name, const char *v)
{
	pack_text(b, name);
	pack_text(b, v);
}

static const char *const trouble[] = {
	[BUS_AWAY] = "Redis does not answer",
	[BUS_RESTS] = "messages from Redis rest, as it refuses what they need, or answers too "
	              "late: see the log",
	[BUS_ALONE] = "other nodes cannot reach this one, as Redis refuses that: see the log",
	[BUS_UP] = NULL,
};

const char *report_trouble(const struct bus *bus)
{
	enum bus_state state = bus ? bus_state(bus) : BUS_UP;

	return state == BUS_ALONE ? NULL : trouble[state];      /* who needs no others is ready */
}

const char *report_redis_state(const struct bus *bus)
{
	return !bus ? "none" : bus_state(bus) == BUS_AWAY ? "away" : "up";
}

void report_redis_metrics(struct buf *b, bool connected, struct bus_info i)
{
	metrics_one(b, "actord_redis_up", "Redis is connected and all topics are subscribed.",
	            connected);
	metrics_one(b, "actord_redis_taken_total", "Messages that came by Redis.", (double)i.taken);
	metrics_one(b, "actord_redis_answered_total", "Of these, those answered.",
	            (double)i.answered);
	metrics_one(b, "actord_redis_published_total", "Messages that left by Redis.",
	            (double)i.published);
	metrics_one(b, "actord_redis_refused_total", "Messages that could not be handed on.",
	            (double)i.refused);
	metrics_one(b, "actord_redis_pending", "Messages and answers under way.", i.pending);
	metrics_one(b, "actord_nodes_taken_total", "Messages from other nodes.",
	            (double)i.node_taken);
	metrics_one(b, "actord_nodes_again_total",
	            "Of these, those that an earlier life of this node may have handled.",
	            (double)i.node_again);
	metrics_one(b, "actord_nodes_doubles_total", "Frames dropped, as they were there already.",
	            (double)i.node_doubles);
	metrics_one(b, "actord_nodes_sent_total", "Messages to other nodes.",
	            (double)i.node_sent);
	metrics_one(b, "actord_nodes_frames_total", "Frames that these went in.",
	            (double)i.node_frames);
}

void report_redis(struct buf *b, const char *kind, const struct bus_info *i)
{
	pack_text(b, "redis");
	pack_map(b, 14 + (*i->warning != 0));
	pair_text(b, "kind", kind);
	pack_text(b, "connected");
	pack_bool(b, i->connected);
	pair_int(b, "taken", i->taken);
	pair_int(b, "answered", i->answered);
	pair_int(b, "published", i->published);
	pair_int(b, "refused", i->refused);
	pair_int(b, "pending", i->pending);
	pair_int(b, "from_nodes", i->node_taken);
	pair_int(b, "again", i->node_again);
	pair_int(b, "doubles", i->node_doubles);
	pair_int(b, "to_nodes", i->node_sent);
	pair_int(b, "topics", i->topics);
	pair_int(b, "streams", i->streams);
	pair_int(b, "elsewhere", i->elsewhere);
	if (*i->warning)
		pair_text(b, "warning", i->warning);
}

void report_warnings(struct buf *b, const struct bus *bus)
{
	const char *text = trouble[bus ? bus_state(bus) : BUS_UP];

	pack_text(b, "warnings");
	pack_list(b, text ? 1 : 0);
	if (text)
		pack_text(b, text);
}

void report_clients(struct buf *b, struct gateway *g)
{
	struct gateway_info i;

	gateway_info(g, &i);
	pack_text(b, "clients");
	pack_map(b, 6);
	pair_text(b, "listen", gateway_address(g));
	pair_int(b, "connected", i.clients);
	pair_int(b, "accepted", i.accepted);
	pair_int(b, "calls", i.calls);
	pair_int(b, "answers", i.answers);
	pair_int(b, "refused", i.refused);
}

unsigned report_memory(struct buf *b, const struct gateway *g, const struct bus *bus)
{
	struct gateway_info clients = { .bytes = 0 };
	struct bus_info redis = { .bytes = 0 };

	if (g)
		gateway_info(g, &clients);
	if (bus)
		bus_info(bus, &redis);
	pair_int(b, "clients_bytes", clients.bytes);
	pair_int(b, "redis_bytes", redis.bytes);
	return 2;
}

struct patches { struct buf rows; uint32_t count; };

static void patch_row(void *arg, const struct patch_info *p)
{
	struct patches *all = arg;

	all->count++;
	pack_map(&all->rows, 4);
	pair_int(&all->rows, "number", p->number);
	pair_text(&all->rows, "state", p->state);
	pair_text(&all->rows, "handlers", p->handlers);
	pair_text(&all->rows, "origin", p->origin);
}

void report_patches(struct buf *b)
{
	struct patches all = { .count = 0 };

	patch_each(patch_row, &all);
	pack_text(b, "patches");
	pack_list(b, all.count);
	buf_add(b, all.rows.p, all.rows.len);
	buf_fini(&all.rows);
}

void report_patch_metrics(struct buf *b)
{
	static const char *const words[] = {
		"probation", "confirmed", "in force", "superseded", "ran", "reverted", "refused",
		"quarantined", "stale", "suspect",
	};
	uint32_t count[ARRAY_LEN(words)] = { 0 };

	for (uint32_t n = history_last(); n; n--) {
		const char *word = history_word(n);

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			count[i] += !strcmp(words[i], word);
	}
	metrics_by(b, "actord_patches", "Patches, by what became of them.", "state", words, count,
	           (int)ARRAY_LEN(words));
}

static void patch_text(void *arg, const struct patch_info *p)
{
	struct patches *all = arg;
	struct buf text = { 0 };

	if (!p->in_force)
		return;
	all->count++;
	buf_printf(&text, "%u %s %02x%02x%02x%02x", p->number, p->handlers, p->digest[0],
	           p->digest[1], p->digest[2], p->digest[3]);
	pack_str(&all->rows, text.p, text.len);
	buf_fini(&text);
}

void report_in_force(void *arg, struct buf *out)
{
	struct patches all = { .count = 0 };

	(void)arg;
	patch_each(patch_text, &all);
	pack_list(out, all.count);
	buf_add(out, all.rows.p, all.rows.len);
	buf_fini(&all.rows);
}

static void alone(struct buf *out, const char *node)
{
	pack_map(out, 8);
	pair_text(out, "name", node);
	pack_text(out, "self");
	pack_bool(out, true);
	pair_text(out, "since", NULL);
	pair_text(out, "version", ACTORD_VERSION);
	pack_text(out, "groups");
	pack_list(out, 0);
	pack_text(out, "topics");
	pack_list(out, 0);
	pack_text(out, "patches");
	report_in_force(NULL, out);
	pair_text(out, "rollout", "");
}

unsigned report_nodes(struct buf *out, const struct bus *bus, const char *node, const char **but)
{
	if (!bus) {
		*but = "this node runs without a Redis, by which nodes find each other: actord "
		       "--redis URL";
		alone(out, node);
		return 1;
	}
	if (bus_state(bus) == BUS_AWAY)
		*but = "Redis does not answer: of other nodes this is what was known before";
	else if (bus_state(bus) == BUS_ALONE)
		*but = trouble[BUS_ALONE];
	else if (bus_state(bus) == BUS_RESTS)
		*but = "Redis refuses to list this node (its log says how): of other nodes this "
		       "is what was known before";
	return bus_nodes(bus, out);
}
