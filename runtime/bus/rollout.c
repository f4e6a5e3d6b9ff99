/* SPDX-License-Identifier: MIT
 * rollout.c - see rollout.h.
 *
 *      look (XRANGE behind what was seen) -> patch.apply -> tell (outcome, seen) -> look ...
 *
 * The idea: each node goes through the stream for itself, one rollout after the other, and notes in
 * Redis how far it came, under the identity of its state folder, which is where the patches are. So
 * a node that was away finds its place, and a folder that is new begins at the beginning. What is
 * noted last may come again; the patches' journal knows it then (patch/rolled.c).
 *
 * A node that was made from other sources than those the patch was made for finds the builds beside
 * the rollout: those of the sender, or else of the first node that has it in force.
 *
 * A failover may lose a rollout that is in force here already, and who comes later would never have
 * it. So the last one is kept, and put back under its id when Redis comes back with nothing as new:
 * where anything is, also where it has been taken back since, Redis refuses that id.
 *
 * It looks twice a second, and at once when somebody says that there is one. The loop's thread. */
#include "rollout.h"

#include <stdio.h>

#include "json.h"
#include "log.h"

enum {
	LOOK_MS = 500, SAY_MS = 60000, APPLY_MS = 120000, WORDS = 10 + ROLLOUT_GROUPS_MOST,
	KEPT_MOST = 24,                 /* words of a rollout */
	KEEP_MS = 1 << 30,              /* outcomes: twelve days */
};

struct rollout {
	struct rollout_config c;
	enum { IDLE, LOOKING, APPLYING, TELLING, UNTOLD } state;
	bool up, quiet, again;          /* again: look once more behind the look under way */
	char at[ROLLOUT_SIZE];          /* seen so far; "": Redis knows */
	char id[ROLLOUT_SIZE];          /* the one that is under way */
	int64_t ask;
	char *ct, *cb;
	struct buf outcome, made_for, reverts;
	struct buf kept;                /* the words of `id`, one after the other */
	size_t kept_len[KEPT_MOST];
	int kept_count;
	char *groups, *group[ROLLOUT_GROUPS_MOST];
	int group_count;
	struct loop_timer *timer;
	int64_t said_ms;
};

/* The first behind what was seen that is for this node, or does not say for whom: its id, builds,
 * fields; or how far there is none. Of two fields `for` the first counts, as in field(). */
static const char look_script[] =
	"local at = ARGV[2] ~= '' and ARGV[2] or redis.call('HGET', KEYS[2], ARGV[1]) or '0-0'"
	" while true do"
	"  local some = redis.call('XRANGE', KEYS[1], '(' .. at, '+', 'COUNT', 64)"
	"  if #some == 0 then return {at} end"
	"  for _, e in ipairs(some) do"
	"   at = e[1]"
	"   local to = ''"
	"   for i = #e[2] - 1, 1, -2 do if e[2][i] == 'for' then to = e[2][i + 1] end end"
	"   for i = 3, #ARGV do if ARGV[i] == to or to == '' or to:find(',', 1, true) then"
	"    return {at, redis.call('HGET', KEYS[3], at) or '', e[2]}"
	"   end end"
	"  end"
	" end";

static const char tell_script[] =
	"redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])"
	" redis.call('PEXPIRE', KEYS[4], ARGV[5])"
	" if ARGV[6] ~= '' then redis.call('HSETNX', KEYS[3], ARGV[2], ARGV[6]) end"
	" if ARGV[7] ~= '' then redis.call('XDEL', KEYS[1], ARGV[7]) end"
	" return redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])";

/* The id, builds, then the words of the entry. */
static const char put_back_script[] =
	"local r = redis.pcall('XADD', KEYS[1], ARGV[1], unpack(ARGV, 3))"
	" if type(r) == 'table' then return r end"
	" if ARGV[2] ~= '' then redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) end"
	" return r";

static void look(struct rollout *r);

/* Twice a second it may be tried; once in a while it is news. */
static void complain(struct rollout *r, const char *what, const struct redis_reply *reply)
{
	if (now_ms() - r->said_ms < SAY_MS)
		return;
	r->said_ms = now_ms();
	log_line(LOG_WARN, "bus", "%s: %.*s", what, (int)reply->len, reply->str);
}

static int command(struct rollout *r, redis_fn *fn, int argc, const char **argv)
{
	size_t len[WORDS];

	for (int i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
	return r->c.port->command(r->c.port->link, fn, r, argc, argv, len);
}

/* --- telling ------------------------------------------------------------------------------ */

static void hear_outcome(struct rollout *r)
{
	struct buf value = { 0 };
	struct why why;

	if (r->ct && r->cb && !json_read(r->outcome.p, r->outcome.len - 1, &value, &why))
		r->c.tell(r->c.arg, r->ct, r->cb,
		          (struct packed){ (uint8_t *)value.p, (uint8_t *)value.p + value.len });
	buf_fini(&value);
}

static void on_told(void *arg, const struct redis_reply *reply)
{
	struct rollout *r = arg;

	if (r->state != TELLING)
		return;
	r->state = UNTOLD;
	if (reply->type == REDIS_ERROR)
		complain(r, "the outcome of a rollout cannot be noted", reply);
	if (reply->type == REDIS_ERROR || reply->type == REDIS_GONE)
		return;                 /* on_timer() tries again */
	hear_outcome(r);
	snprintf(r->at, sizeof r->at, "%s", r->id);
	r->state = IDLE;
	r->c.taken(r->c.arg, r->id);
	look(r);
}

static void tell(struct rollout *r)
{
	char keep[16], outcomes[sizeof ROLLOUTS_KEY + ROLLOUT_SIZE];
	const char *argv[] = { "EVAL", tell_script, "4", ROLLOUTS_KEY, ROLLOUTS_KEY ":seen",
	                       ROLLOUTS_BUILDS, outcomes, r->c.identity, r->id, r->c.node,
	                       r->outcome.p, keep, r->made_for.p, r->reverts.p };

	snprintf(keep, sizeof keep, "%d", KEEP_MS);
	snprintf(outcomes, sizeof outcomes, ROLLOUTS_KEY ":%s", r->id);
	r->state = TELLING;
	if (command(r, on_told, ARRAY_LEN(argv), argv))
		r->state = UNTOLD;
}

/* number 0: there is none. */
static void note_outcome(struct rollout *r, int64_t number, const char *state, const char *why)
{
	struct buf *b = &r->outcome;

	buf_clear(b);
	buf_text(b, "{\"node\":");
	json_text(b, r->c.node, strlen(r->c.node));
	buf_printf(b, number ? ",\"patch\":%lld" : ",\"patch\":null", (long long)number);
	buf_text(b, ",\"state\":");
	json_text(b, state, strlen(state));
	buf_text(b, ",\"why\":");
	json_text(b, why, strlen(why));
	buf_add(b, "}", 2);
	tell(r);
}

/* --- keeping ------------------------------------------------------------------------------ */

static void keep(struct rollout *r, const struct redis_reply *fields)
{
	buf_clear(&r->kept);
	r->kept_count = fields->items > KEPT_MOST ? 0 : (int)fields->items;
	for (int i = 0; i < r->kept_count; i++) {
		const struct redis_reply *f = &fields->item[i];

		r->kept_len[i] = f->type == REDIS_STR ? f->len : 0;
		buf_add(&r->kept, f->str, r->kept_len[i]);
	}
}

static void on_put_back(void *arg, const struct redis_reply *reply)
{
	struct rollout *r = arg;

	if (reply->type == REDIS_STR)
		log_line(LOG_WARN, "bus", "rollout %s was lost by Redis (a failover?) after it "
		         "was taken here; it is put back", reply->str);
	else if (reply->type == REDIS_ERROR && !strstr(reply->str, "equal or smaller"))
		complain(r, "a rollout that Redis may have lost cannot be put back", reply);
}

static void put_back(struct rollout *r)
{
	enum { FIXED = 7 };
	const char *argv[FIXED + KEPT_MOST] = { "EVAL", put_back_script, "2", ROLLOUTS_KEY,
	                                        ROLLOUTS_BUILDS, r->id,
	                                        r->made_for.len ? r->made_for.p : "" };
	size_t len[FIXED + KEPT_MOST], at = 0;

	for (int i = 0; i < FIXED; i++)
		len[i] = strlen(argv[i]);
	for (int i = 0; i < r->kept_count; at += r->kept_len[i++]) {
		argv[FIXED + i] = r->kept.p + at;
		len[FIXED + i] = r->kept_len[i];
	}
	if (r->kept_count)
		r->c.port->command(r->c.port->link, on_put_back, r, FIXED + r->kept_count, argv,
		                   len);
}

/* --- applying ----------------------------------------------------------------------------- */

static bool is_field(const struct redis_reply *name, const char *wanted)
{
	return name->type == REDIS_STR && !strcmp(name->str, wanted);
}

static const struct redis_reply *field(const struct redis_reply *fields, const char *name)
{
	static const struct redis_reply none = { .type = REDIS_NIL };

	for (size_t i = 0; i + 1 < fields->items; i += 2)
		if (is_field(&fields->item[i], name) && fields->item[i + 1].type == REDIS_STR)
			return &fields->item[i + 1];
	return &none;
}

static void pack_option(struct buf *out, const char *name, const struct redis_reply *value)
{
	bool good = value->type == REDIS_STR && utf8_valid(value->str, value->len);

	pack_text(out, name);
	pack_str(out, good ? value->str : "", good ? value->len : 0);
}

static void pack_call(struct rollout *r, struct buf *out, const struct redis_reply *source,
                      const struct redis_reply *builds, const struct redis_reply *fields)
{
	static const char *const texts[] = { "file", "author", "note", "probation" };
	const struct redis_reply *lose = field(fields, "lose_changes");

	pack_str(out, source->str, source->len);
	pack_map(out, 3 + ARRAY_LEN(texts));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		pack_option(out, texts[i], field(fields, texts[i]));
	pack_option(out, "builds", builds);
	pack_text(out, "lose_changes");
	pack_bool(out, lose->type == REDIS_STR && lose->len == 1 && *lose->str == '1');
	pack_text(out, "rollout");
	pack_text(out, r->id);
}

static char *text_of(const struct redis_reply *value)
{
	return value->type == REDIS_STR && value->len ? mem_string(value->str, value->len) : NULL;
}

static void begin(struct rollout *r, const struct redis_reply *fields)
{
	mem_free(r->ct);
	mem_free(r->cb);
	r->ct = text_of(field(fields, "ct"));
	r->cb = text_of(field(fields, "cb"));
	buf_clear(&r->made_for);
	buf_add(&r->made_for, "", 1);
	buf_clear(&r->reverts);
	buf_add(&r->reverts, "", 1);
}

/* A word misspelt must not reach all nodes. */
const char *rollout_for_wrong(const char *to)
{
	if (!to || !*to)
		return "it has no field `for`, a group or a node; '*' is all nodes";
	return strchr(to, ',') ? "its field `for` is a list; send it to each group or node, or to "
	                         "'*' (all nodes)" : NULL;
}

static const char *wrong(const struct redis_reply *fields)
{
	const struct redis_reply *source = field(fields, "source"), *to = field(fields, "for");

	if (source->type != REDIS_STR)
		return "it has no field `source`";
	if (!utf8_valid(source->str, source->len))
		return "its source is not UTF-8";
	return rollout_for_wrong(to->type == REDIS_STR ? to->str : NULL);
}

/* found: id, builds, fields. */
static void apply(struct rollout *r, const struct redis_reply *found)
{
	const struct redis_reply *source = field(&found[2], "source");
	struct call call = { .to = actor_find("patch"), .what = "apply", .count = 2,
	                     .origin = FROM_REDIS };
	struct buf args = { 0 };
	struct why why = { "" };
	int64_t rc;

	begin(r, &found[2]);
	keep(r, &found[2]);
	if (wrong(&found[2])) {
		note_outcome(r, 0, "refused", wrong(&found[2]));
		return;
	}
	pack_call(r, &args, source, &found[1], &found[2]);
	call.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
	rc = core_ask(r->c.self, &call, "rolled", APPLY_MS, &why);
	buf_fini(&args);
	r->ask = rc;
	r->state = rc == ACTOR_EFULL ? IDLE : APPLYING;
	if (rc < 0 && rc != ACTOR_EFULL)
		note_outcome(r, 0, "refused", why.text);
}

/* The value of that key of the map that patch.apply answers to a rollout. */
static struct msg_item answered(const msg *m, const char *name)
{
	struct msg_items map = msg_items(m, 0);
	struct msg_item key, value = { .type = MSG_NULL };

	while (msg_next(&map, &key) && msg_next(&map, &value))
		if (key.type == MSG_STR && key.len == strlen(name) &&
		    !memcmp(key.str, name, key.len))
			return value;
	return (struct msg_item){ .type = MSG_STR, .str = "" };
}

static void keep_text(struct buf *b, const struct msg_item *text)
{
	buf_clear(b);
	if (text->type == MSG_STR)
		buf_add(b, text->str, text->len);
	buf_add(b, "", 1);
}

bool rollout_answered(struct rollout *r, const msg *m)
{
	struct msg_item state, text;
	struct buf word = { 0 };
	int error = msg_error(m);

	if (r->state != APPLYING || msg_ask(m) != r->ask)
		return false;
	if (error == ACTOR_EFULL || error == ACTOR_ETIME || (error && r->quiet)) {
		r->state = IDLE;        /* it is not said that it will not be taken */
		return true;
	}
	if (error) {
		note_outcome(r, 0, "refused", msg_error_text(m));
		return true;
	}
	text = answered(m, "builds");
	keep_text(&r->made_for, &text);
	text = answered(m, "reverts");
	keep_text(&r->reverts, &text);
	state = answered(m, "state");
	keep_text(&word, &state);
	note_outcome(r, answered(m, "patch").i, word.p, "");
	buf_fini(&word);
	return true;
}

/* --- looking ------------------------------------------------------------------------------ */

static void on_look(void *arg, const struct redis_reply *reply)
{
	struct rollout *r = arg;
	const struct redis_reply *found = reply->item;

	if (r->state != LOOKING)
		return;
	r->state = IDLE;
	if (reply->type == REDIS_ERROR)
		complain(r, "rollouts cannot be read", reply);
	if (reply->type != REDIS_LIST || !reply->items || found->type != REDIS_STR)
		return;
	if (reply->items == 3 && found[2].type == REDIS_LIST && !r->quiet) {
		snprintf(r->id, sizeof r->id, "%s", found->str);
		apply(r, found);
	} else {
		snprintf(r->at, sizeof r->at, "%s", found->str);
	}
	if (r->again)
		look(r);
}

static void look(struct rollout *r)
{
	const char *argv[WORDS] = { "EVAL", look_script, "3", ROLLOUTS_KEY, ROLLOUTS_KEY ":seen",
	                            ROLLOUTS_BUILDS, r->c.identity, r->at, "*" };
	int n = 9;

	r->again = r->state != IDLE;
	if (!r->up || r->quiet || r->again)
		return;
	argv[n++] = r->c.node;
	for (int i = 0; i < r->group_count && n < WORDS; i++)
		argv[n++] = r->group[i];
	r->state = command(r, on_look, n, argv) ? IDLE : LOOKING;
}

void rollout_look(struct rollout *r)
{
	look(r);
}

static void on_timer(void *arg)
{
	struct rollout *r = arg;

	loop_timer_set(r->timer, LOOK_MS);
	if (r->up && r->state == UNTOLD)
		tell(r);
	look(r);
}

/* --- the face ----------------------------------------------------------------------------- */

static void read_groups(struct rollout *r)
{
	char *at = r->groups, *name;

	while ((name = strsep(&at, ",")) && r->group_count < ROLLOUT_GROUPS_MOST)
		if (*name)
			r->group[r->group_count++] = name;
}

struct rollout *rollout_new(const struct rollout_config *c)
{
	const char *groups = c->groups ? c->groups : "";
	struct rollout *r = mem_alloc(sizeof *r);

	r->c = *c;
	r->groups = mem_string(groups, strlen(groups));
	read_groups(r);
	r->said_ms = -SAY_MS;
	r->timer = loop_timer_new(c->loop, on_timer, r);
	return r;
}

void rollout_free(struct rollout *r)
{
	if (!r)
		return;
	loop_timer_free(r->timer);
	buf_fini(&r->outcome);
	buf_fini(&r->made_for);
	buf_fini(&r->reverts);
	buf_fini(&r->kept);
	mem_free(r->groups);
	mem_free(r->ct);
	mem_free(r->cb);
	mem_free(r);
}

/* Where it stands Redis says anew: it may have lost what came last. */
void rollout_up(struct rollout *r)
{
	r->up = true;
	r->at[0] = 0;
	put_back(r);
	on_timer(r);
}

void rollout_down(struct rollout *r)
{
	r->up = false;
	if (r->state == LOOKING)
		r->state = IDLE;
	if (r->state == TELLING)
		r->state = UNTOLD;
}

void rollout_quiet(struct rollout *r)
{
	r->quiet = true;
}
