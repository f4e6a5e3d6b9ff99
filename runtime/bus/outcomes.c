/* SPDX-License-Identifier: MIT
 * outcomes.c - see outcomes.h.
 *
 *      asked -> patch.check here, where this node is in the group -> XADD -> HGETALL ... answered
 *
 * The idea: what is to be known of a rollout stands in Redis, so any node can say it, also later
 * and when who sent it is gone. The check before it is sent finds what does not compile before
 * anybody has it, and the builds that the patch is made for. While somebody waits for the outcomes,
 * a rollout that Redis has lost (a failover) is sent again under its id, by which those that have
 * it know it. The loop's thread. */
#include "outcomes.h"

#include <stdio.h>

#include "envelope.h"
#include "json.h"

enum { LOOK_MS = 25, CHECK_MS = 60000, WAIT_MS = 10000, LIST_MOST = 1000, WORDS = 24 };
enum { FOR, FILE_, AUTHOR, NOTE, PROBATION, LOSE, OPTIONS };
static const char *const option_name[OPTIONS] = { "for", "file", "author", "note", "probation",
                                                  "lose_changes" };

struct sent {
	struct sent *next;
	struct outcomes *of;
	msg_caller caller;
	int64_t check;                  /* the question whether it could be in force here */
	char *source, *option[OPTIONS];
	size_t len;
	struct buf builds;
	char id[ROLLOUT_SIZE];          /* "": not sent yet */
	int64_t until_ms;
	bool looking;
};

struct outcomes {
	struct outcomes_config c;
	struct sent *first;
	struct loop_timer *timer;
};

static const char add_script[] =
	"local id = redis.call('XADD', KEYS[1], ARGV[3], unpack(ARGV, 4))"
	" if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], id, ARGV[2]) end"
	" redis.call('PUBLISH', ARGV[1], '')"
	" return id";

/* Whether there is anything as new, then the outcomes. */
static const char look_script[] =
	"local out = redis.call('HGETALL', KEYS[2])"
	" table.insert(out, 1, #redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 1))"
	" return out";

/* --- answering ---------------------------------------------------------------------------- */

static void end(struct sent *s)
{
	struct sent **at = &s->of->first;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	for (int i = 0; i < OPTIONS; i++)
		mem_free(s->option[i]);
	mem_free(s->source);
	buf_fini(&s->builds);
	mem_free(s);
}

static void refuse(struct sent *s, int code, const char *text)
{
	core_answer(s->of->c.self, s->caller, (struct packed){ NULL, NULL }, 0, code, text);
	end(s);
}

struct rows { struct buf rows; uint32_t n, open; const struct redis_reply *said; };

static void add_row(struct rows *x, const struct redis_reply *json)
{
	struct why why;

	x->n += json->type == REDIS_STR && !json_read(json->str, json->len, &x->rows, &why);
}

static void see_node(void *of, const char *node)
{
	struct rows *x = of;

	for (size_t i = 1; i + 1 < x->said->items; i += 2)
		if (x->said->item[i].type == REDIS_STR && !strcmp(x->said->item[i].str, node))
			return;
	pack_map(&x->rows, 4);
	pack_text(&x->rows, "node");
	pack_text(&x->rows, node);
	pack_text(&x->rows, "patch");
	pack_null(&x->rows);
	pack_text(&x->rows, "state");
	pack_text(&x->rows, "not yet");
	pack_text(&x->rows, "why");
	pack_text(&x->rows, "it takes it when it can; see `actorctl patch rollouts ID`");
	x->n++;
	x->open++;
}

static void add(struct sent *s);

static void on_outcomes(void *arg, const struct redis_reply *reply)
{
	struct sent *s = arg;
	struct outcomes *o = s->of;
	struct rows x = { .said = reply };
	struct buf out = { 0 };

	s->looking = false;
	if (reply->type != REDIS_LIST && now_ms() < s->until_ms)
		return;
	if (reply->type == REDIS_LIST && reply->items && !reply->item[0].integer &&
	    now_ms() < s->until_ms) {
		add(s);
		return;
	}
	for (size_t i = 2; i < reply->items; i += 2)
		add_row(&x, &reply->item[i]);
	o->c.group(o->c.arg, s->option[FOR], see_node, &x);
	if (!x.open || now_ms() >= s->until_ms) {
		pack_text(&out, s->id);
		pack_list(&out, x.n);
		buf_add(&out, x.rows.p, x.rows.len);
		core_answer(o->c.self, s->caller,
		            (struct packed){ (uint8_t *)out.p, (uint8_t *)out.p + out.len }, 2, 0,
		            NULL);
		end(s);
	}
	buf_fini(&x.rows);
	buf_fini(&out);
}

/* --- waiting ------------------------------------------------------------------------------ */

static int get_outcomes(struct outcomes *o, redis_fn *fn, void *arg, const char *id)
{
	char key[sizeof ROLLOUTS_KEY + ROLLOUT_SIZE];
	const char *argv[] = { "HGETALL", key };
	size_t len[] = { 7, 0 };

	len[1] = (size_t)snprintf(key, sizeof key, ROLLOUTS_KEY ":%.*s", ROLLOUT_SIZE - 1, id);
	return o->c.port->command(o->c.port->link, fn, arg, 2, argv, len);
}

static int look(struct sent *s)
{
	char key[sizeof ROLLOUTS_KEY + ROLLOUT_SIZE];
	const struct redis_port *port = s->of->c.port;
	const char *argv[] = { "EVAL", look_script, "2", ROLLOUTS_KEY, key, s->id };
	size_t len[ARRAY_LEN(argv)];

	snprintf(key, sizeof key, ROLLOUTS_KEY ":%s", s->id);
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = strlen(argv[i]);
	return port->command(port->link, on_outcomes, s, ARRAY_LEN(argv), argv, len);
}

/* While somebody waits; who is away from Redis waits no longer than he said. */
static void on_timer(void *arg)
{
	static const struct redis_reply nothing = { .type = REDIS_NIL };
	struct outcomes *o = arg;
	struct sent *s, *next;

	for (s = o->first; s; s = next) {
		next = s->next;
		if (!*s->id || s->looking)
			continue;
		s->looking = !look(s);
		if (!s->looking && now_ms() >= s->until_ms)
			on_outcomes(s, &nothing);
	}
	if (o->first)
		loop_timer_set(o->timer, LOOK_MS);
}

/* --- sending ------------------------------------------------------------------------------ */

static void on_added(void *arg, const struct redis_reply *reply)
{
	struct sent *s = arg;

	s->looking = false;
	if (reply->type != REDIS_STR && *s->id)
		return;                 /* it is there again, or on_timer() looks again */
	if (reply->type != REDIS_STR) {
		refuse(s, ACTOR_EFAIL, reply->type == REDIS_ERROR ? reply->str :
		       "Redis was lost before it replied: it may have been sent; see `actorctl "
		       "patch rollouts`");
		return;
	}
	snprintf(s->id, sizeof s->id, "%s", reply->str);
	loop_timer_set(s->of->timer, LOOK_MS);
}

/* Again, where it has an id. */
static void add(struct sent *s)
{
	struct outcomes *o = s->of;
	const char *argv[WORDS] = { "EVAL", add_script, "2", ROLLOUTS_KEY, ROLLOUTS_BUILDS,
	                            o->c.channel, s->builds.len ? s->builds.p : "",
	                            *s->id ? s->id : "*", "source", s->source };
	size_t len[WORDS];
	int n = 10;

	for (int i = 0; i < OPTIONS; i++)
		if (s->option[i]) {
			argv[n++] = option_name[i];
			argv[n++] = s->option[i];
		}
	for (int i = 0; i < n; i++)
		len[i] = i == 6 ? s->builds.len : i == 9 ? s->len : strlen(argv[i]);
	s->looking = !o->c.port->command(o->c.port->link, on_added, s, n, argv, len);
	if (!s->looking && !*s->id)
		refuse(s, ACTOR_EFAIL, "Redis is away, and the other nodes are reached by it: see "
		       "`actorctl inspect`, and send it again when it is back");
}

/* Elsewhere it might do well. */
static void not_sent(struct sent *s, int code, const char *text)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s\nnothing was sent: this node, one of `%s`, does not take it", text,
	           s->option[FOR]);
	refuse(s, code, b.p);
	buf_fini(&b);
}

/* The builds that the check has found, as apply() of rollout.c gets them. */
bool outcomes_checked(struct outcomes *o, const msg *m)
{
	struct msg_items map = msg_items(m, 0);
	struct msg_item key, value, builds = { .str = "" };
	struct sent *s = o->first;

	while (s && (*s->id || s->check != msg_ask(m)))
		s = s->next;
	if (!s)
		return false;
	while (msg_next(&map, &key) && msg_next(&map, &value))
		if (key.type == MSG_STR && key.len == 6 && !memcmp(key.str, "builds", 6) &&
		    value.type == MSG_STR)
			builds = value;
	s->check = 0;
	if (msg_error(m)) {
		not_sent(s, msg_error(m), msg_error_text(m));
		return true;
	}
	buf_add(&s->builds, builds.str, builds.len);
	add(s);
	return true;
}

static void check(struct sent *s)
{
	struct call call = { .to = actor_find("patch"), .what = "check", .count = 2,
	                     .origin = FROM_REDIS };
	struct buf args = { 0 };
	struct why why = { "" };

	pack_str(&args, s->source, s->len);
	pack_map(&args, 2);
	pack_text(&args, "file");
	pack_text(&args, s->option[FILE_] ? s->option[FILE_] : "");
	pack_text(&args, "rollout");
	pack_text(&args, "checked");
	call.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
	s->check = core_ask(s->of->c.self, &call, "rolled", CHECK_MS, &why);
	buf_fini(&args);
	if (s->check < 0)
		refuse(s, (int)s->check, why.text);
}

static void read_options(struct sent *s, const msg *m)
{
	struct msg_items map = msg_items(m, 3);
	struct msg_item key, value;

	while (msg_next(&map, &key) && msg_next(&map, &value)) {
		for (int i = 0; i < OPTIONS; i++) {
			if (key.type != MSG_STR || key.len != strlen(option_name[i]) ||
			    memcmp(key.str, option_name[i], key.len) || s->option[i])
				continue;
			if (value.type == MSG_STR && value.len)
				s->option[i] = mem_string(value.str, value.len);
			else if (i == LOSE && value.type == MSG_BOOL && value.i)
				s->option[i] = mem_string("1", 1);
		}
		if (key.type == MSG_STR && key.len == 7 && !memcmp(key.str, "wait_ms", 7) &&
		    value.type == MSG_INT && value.i >= 0 && value.i < INT32_MAX)
			s->until_ms = now_ms() + value.i;
	}
}

struct finding { const char *node; bool found; };

static void find_self(void *of, const char *node)
{
	struct finding *f = of;

	f->found |= !strcmp(node, f->node);
}

static void send(struct outcomes *o, const msg *m)
{
	struct finding f = { .node = o->c.node };
	struct sent *s = mem_alloc(sizeof *s);
	const char *wrong;

	s->of = o;
	s->next = o->first;
	o->first = s;
	s->len = msg_len(m, 2);
	s->source = mem_string(msg_str(m, 2), s->len);
	s->until_ms = now_ms() + WAIT_MS;
	read_options(s, m);
	s->caller = msg_defer(m);
	wrong = rollout_for_wrong(s->option[FOR]);
	if (wrong) {
		refuse(s, ACTOR_EARGS, wrong);
		return;
	}
	o->c.group(o->c.arg, s->option[FOR], find_self, &f);
	if (f.found)
		check(s);
	else
		add(s);
}

/* --- listing ------------------------------------------------------------------------------ */

struct listing { struct outcomes *of; msg_caller caller; char id[ROLLOUT_SIZE]; };

static void list_done(struct listing *l, const struct rows *x, const struct redis_reply *reply)
{
	struct packed none = { NULL, NULL };
	struct buf out = { 0 };

	pack_list(&out, x->n);
	buf_add(&out, x->rows.p, x->rows.len);
	if (reply->type == REDIS_LIST)
		core_answer(l->of->c.self, l->caller,
		            (struct packed){ (uint8_t *)out.p, (uint8_t *)out.p + out.len }, 1, 0,
		            NULL);
	else
		core_answer(l->of->c.self, l->caller, none, 0, ACTOR_EFAIL,
		            reply->type == REDIS_ERROR ? reply->str :
		            "Redis is away: try again when it is back");
	buf_fini(&out);
	mem_free(l);
}

/* No node has said anything of it: there may be none that takes it, or it is none. */
static void on_looked_for(void *arg, const struct redis_reply *reply)
{
	struct listing *l = arg;
	struct why why;

	if (reply->type == REDIS_ERROR ? strstr(reply->str, "Invalid stream ID") != NULL :
	    reply->type == REDIS_LIST && !reply->items) {
		why_set(&why, 0, "there is no rollout %s; see `actorctl patch rollouts`", l->id);
		core_answer(l->of->c.self, l->caller, (struct packed){ NULL, NULL }, 0,
		            ACTOR_ENOENT, why.text);
		mem_free(l);
		return;
	}
	list_done(l, &(struct rows){ .n = 0 }, reply);
}

static int look_for(struct listing *l)
{
	const char *argv[] = { "XRANGE", ROLLOUTS_KEY, l->id, l->id };
	size_t len[] = { 6, sizeof ROLLOUTS_KEY - 1, strlen(l->id), strlen(l->id) };
	const struct redis_port *port = l->of->c.port;

	return port->command(port->link, on_looked_for, l, ARRAY_LEN(argv), argv, len);
}

static void on_shown(void *arg, const struct redis_reply *reply)
{
	struct rows x = { .n = 0 };

	if (reply->type == REDIS_LIST && !reply->items && !look_for(arg))
		return;
	for (size_t i = 1; i < reply->items; i += 2)
		add_row(&x, &reply->item[i]);
	list_done(arg, &x, reply);
	buf_fini(&x.rows);
}

static void pair(struct buf *out, const char *name, const char *text, size_t len)
{
	pack_text(out, name);
	pack_str(out, text, len);
	utf8_mend(out->p + out->len - len, len);
}

static void on_listed(void *arg, const struct redis_reply *reply)
{
	struct rows x = { .n = 0 };

	for (size_t i = 0; i < reply->items; i++) {
		const struct redis_reply *e = reply->item[i].item;
		struct buf row = { 0 };
		uint32_t n = 1;

		if (reply->item[i].items != 2 || e[0].type != REDIS_STR)
			continue;
		pair(&row, "id", e[0].str, e[0].len);
		for (size_t k = 0; k + 1 < e[1].items; k += 2) {
			const struct redis_reply *f = &e[1].item[k];

			if (!strcmp(f->str, "source"))
				continue;
			pair(&row, f->str, f[1].str, f[1].len);
			n++;
		}
		pack_map(&x.rows, n);
		buf_add(&x.rows, row.p, row.len);
		buf_fini(&row);
		x.n++;
	}
	list_done(arg, &x, reply);
	buf_fini(&x.rows);
}

static void list(struct outcomes *o, const msg *m)
{
	struct listing *l = mem_alloc(sizeof *l);
	char most[16];
	const char *argv[] = { "XRANGE", ROLLOUTS_KEY, "-", "+", "COUNT", most };
	size_t len[ARRAY_LEN(argv)];
	int rc;

	l->of = o;
	l->caller = msg_defer(m);
	snprintf(most, sizeof most, "%d", LIST_MOST);
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = strlen(argv[i]);
	snprintf(l->id, sizeof l->id, "%s", msg_count(m) == 3 ? msg_str(m, 2) : "");
	if (msg_count(m) == 3)
		rc = get_outcomes(o, on_shown, l, msg_str(m, 2));
	else
		rc = o->c.port->command(o->c.port->link, on_listed, l, ARRAY_LEN(argv), argv, len);
	if (rc)
		list_done(l, &(struct rows){ .n = 0 },
		          &(struct redis_reply){ .type = REDIS_GONE });
}

/* --- the face ----------------------------------------------------------------------------- */

bool outcomes_asked(struct outcomes *o, const msg *m, const char *what)
{
	int n = msg_count(m);

	if (!strcmp(what, "rollout") && n == 4 && msg_type(m, 2) == MSG_STR &&
	    msg_type(m, 3) == MSG_MAP)
		send(o, m);
	else if (!strcmp(what, "rollouts") && (n == 2 || (n == 3 && msg_type(m, 2) == MSG_STR)))
		list(o, m);
	else
		return false;
	return true;
}

struct outcomes *outcomes_new(const struct outcomes_config *c)
{
	struct outcomes *o = mem_alloc(sizeof *o);

	o->c = *c;
	o->timer = loop_timer_new(c->loop, on_timer, o);
	return o;
}

void outcomes_free(struct outcomes *o)
{
	if (!o)
		return;
	while (o->first)
		end(o->first);
	loop_timer_free(o->timer);
	mem_free(o);
}
