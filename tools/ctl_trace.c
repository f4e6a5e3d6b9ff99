/* SPDX-License-Identifier: MIT
 * ctl_trace.c - see ctl_trace.h. The nodes note what happens; here it becomes trees. A tree is
 * printed when all that was sent in it was handled, or when it seems that no more comes. By what
 * a message leaves a node, and comes into another, is left out of it: only --json shows that. */
#include "ctl_trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl_ask.h"
#include "ctl_live.h"
#include "ctl_show.h"

enum { AGAIN_MS = 100, QUIET_LOOKS = 10, DONE_LOOKS = 2, BEGUN_LOOKS = 20 };
enum { GRACE_MS = 3000 };       /* behind its time; in 5 s the node forgets it */
enum { ID = 17, DEPTH_MOST = 64, TEXT_MOST = 60 };

/* One message: sent, then handled or lost. The first of a tree is not sent, or was by somebody that
 * nothing is known of. */
struct step {
	char trace[ID], id[ID], parent[ID];
	struct buf sent, ended;         /* as the node said it; empty: not (yet) */
	int64_t at_us;
	unsigned looks;                 /* since anything of it was heard */
	bool lost, printed;
};

struct view {
	struct live live;
	struct step *step;
	size_t n;
	int64_t number, shown, most;    /* trees */
	int64_t until_ms;
	bool open;
};

/* --- what the node says ------------------------------------------------------------ */

static void get_id(struct packed map, const char *key, char *to)
{
	struct value v = packed_get(map, key);

	snprintf(to, ID, "%.*s", v.type == VALUE_STR ? (int)v.len : 0, v.str);
}

static bool is(struct packed map, const char *key, const char *text)
{
	struct value v = packed_get(map, key);

	return value_is_text(&v, text);
}

static struct step *find_step(const struct view *v, const char *trace, const char *id)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->step[i].id, id) == 0 && strcmp(v->step[i].trace, trace) == 0)
			return &v->step[i];
	return NULL;
}

static bool is_first(const struct view *v, const struct step *s)
{
	return s->sent.len ? !find_step(v, s->trace, s->parent) : s->ended.len > 0 && !s->lost;
}

static struct step *step_of(struct view *v, struct packed row)
{
	struct step new = { .looks = 0 }, *known;

	get_id(row, "trace", new.trace);
	get_id(row, "step", new.id);
	known = find_step(v, new.trace, new.id);
	if (known)
		return known;
	v->step = mem_resize(v->step, (v->n + 1) * sizeof new);
	v->step[v->n] = new;
	return &v->step[v->n++];
}

static void take(struct view *v, struct packed row)
{
	struct step *s = step_of(v, row);
	struct buf *to = is(row, "kind", "sent") ? &s->sent : &s->ended;

	buf_clear(to);
	buf_add(to, row.at, (size_t)(row.end - row.at));
	if (to == &s->sent)
		get_id(row, "parent", s->parent);
	s->lost = is(row, "kind", "lost");
	s->at_us = packed_get(row, "at_us").i;
	s->looks = 0;
}

static void print_json(struct packed row)
{
	struct buf b = { 0 };

	show_json(&b, &row);
	buf_text(&b, "\n");
	print(&b);
}

static void take_all(struct view *v)
{
	struct packed list, row;
	struct value head = { .len = 0 };

	if (!packed_find(v->live.answer.args, "events", &list))
		return;
	packed_next(&list, &head);
	for (; head.len > 0; head.len--) {
		row = list;
		packed_skip(&list);
		row.end = list.at;
		if (v->live.ctl->json)
			print_json(row);
		take(v, row);
	}
}

static int look(struct view *v)
{
	int64_t missed;
	int rc;

	live_int(&v->live, v->number);
	rc = live_ask(&v->live, "traced");
	if (rc != CTL_DONE)
		return rc;
	for (size_t i = 0; i < v->n; i++)
		v->step[i].looks++;
	take_all(v);
	v->open = packed_get(v->live.answer.args, "open").i;
	missed = packed_get(v->live.answer.args, "missed").i;
	if (missed > 0)
		fprintf(stderr, "actorctl: %lld steps came and went unseen\n", (long long)missed);
	return CTL_DONE;
}

/* --- a tree ------------------------------------------------------------------------- */

static void time_of(struct buf *b, const char *what, double us)
{
	if (us >= 10000)
		buf_printf(b, "  %s %.1f ms", what, us / 1000);
	else
		buf_printf(b, "  %s %.1f us", what, us);
}

static void values(struct buf *b, struct packed row)
{
	struct buf text = { 0 };
	struct packed list;
	struct value head = { .len = 0 };
	bool first = true;

	if (packed_find(row, "args", &list))
		packed_next(&list, &head);
	for (; head.len > 0; head.len--, first = false) {
		buf_text(&text, first ? "" : ", ");
		show_json(&text, &list);
	}
	buf_text(b, "(");
	if (text.len > TEXT_MOST) {
		text.len = TEXT_MOST;
		utf8_mend(text.p, text.len);
		buf_text(&text, "...");
	}
	if (text.len)
		buf_add(b, text.p, text.len);
	buf_text(b, ")");
	buf_fini(&text);
}

static void name(struct buf *b, struct packed row, const char *key)
{
	struct value v = packed_get(row, key);

	show_text(b, v.str, v.type == VALUE_STR ? v.len : 0);
}

static void what(struct buf *b, const struct step *s)
{
	bool answer = s->sent.len && packed_get(packed_of(&s->sent), "answer").i;
	struct packed said = packed_of(s->sent.len ? &s->sent : &s->ended);

	if (answer) {
		buf_text(b, is(said, "result", "error") ? "refuses" : "answers");
		values(b, said);
		buf_text(b, " to ");
	}
	if (s->ended.len && !s->lost)
		said = packed_of(&s->ended);
	name(b, said, "actor");
	if (packed_get(said, "handler").len) {
		buf_text(b, ".");
		name(b, said, "handler");
	}
	if (!answer)
		values(b, packed_of(s->sent.len ? &s->sent : &s->ended));
}

static void outcome(struct buf *b, const struct step *s)
{
	struct packed end = packed_of(&s->ended);

	if (s->lost)
		buf_text(b, "  not handled: ");
	else if (!s->ended.len)
		buf_text(b, "  not handled yet");
	if (s->ended.len && !s->lost) {
		if (s->sent.len)
			time_of(b, "waited", packed_get(end, "wait_us").num);
		time_of(b, "took", packed_get(end, "took_us").num);
	}
	if (s->ended.len && !is(end, "result", "ok") && !is(end, "result", "error")) {
		buf_text(b, s->lost ? "" : "  ");
		name(b, end, "result");
	}
}

/* node: where the tree begins. */
static void one(const struct step *s, const char *before, const struct value *node)
{
	struct packed end = packed_of(&s->ended);
	struct value on = packed_get(end, "node");
	struct buf b = { 0 };

	buf_text(&b, before);
	what(&b, s);
	if (!*before && s->ended.len) {

		buf_text(&b, " from ");
		name(&b, end, packed_get(end, "from").len ? "from" : "origin");
	}
	outcome(&b, s);
	if (s->ended.len && (on.len != node->len || memcmp(on.str, node->str, on.len) != 0)) {
		buf_text(&b, "  on ");
		name(&b, end, "node");
	}
	buf_text(&b, "\n");
	print(&b);
}

static int by_time(const void *a, const void *b)
{
	const struct step *x = *(struct step *const *)a, *y = *(struct step *const *)b;

	return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

/* Does the message only leave its node here, or come into this one? */
static bool passes(const struct step *s)
{
	struct packed end = packed_of(&s->ended);

	return s->ended.len && (is(end, "actor", "peer") || is(end, "actor", "peers")) &&
	       (is(end, "handler", "routed") || is(end, "handler", "answered"));
}

/* Those sent in that step, and in place of one that passes those sent in it, if any were. */
static size_t find_children(const struct view *v, const struct step *of, struct step **child,
                            int depth)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++) {
		struct step *s = &v->step[i];
		size_t inner = 0;

		if (strcmp(s->trace, of->trace) != 0 || strcmp(s->parent, of->id) != 0 || s == of)
			continue;
		if (passes(s) && depth < DEPTH_MOST)
			inner = find_children(v, s, child + n, depth + 1);
		if (!inner)
			child[n++] = s;
		n += inner;
	}
	return n;
}

static void children(const struct view *v, const struct step *of, const char *before, int depth,
                     const struct value *node)
{
	struct step **child = mem_alloc((v->n + 1) * sizeof *child);
	size_t n = find_children(v, of, child, 0), i;
	char line[DEPTH_MOST * 6 + 16], next[DEPTH_MOST * 6 + 16];

	qsort(child, n, sizeof *child, by_time);
	for (i = 0; i < n && depth < DEPTH_MOST; i++) {
		bool last = i + 1 == n;

		snprintf(line, sizeof line, "%s%s", before,
			last ? "\xe2\x94\x94 " : "\xe2\x94\x9c ");
		snprintf(next, sizeof next, "%s%s", before, last ? "  " : "\xe2\x94\x82 ");
		one(child[i], line, node);
		children(v, child[i], next, depth + 1, node);
	}
	mem_free(child);
}

/* --- when --------------------------------------------------------------------------- */

/* Has all happened that was sent in it; or has nothing happened for a while? */
static bool complete(const struct view *v, const char *trace)
{
	bool all = true, quiet = true;

	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->step[i].trace, trace) != 0)
			continue;
		all &= v->step[i].ended.len > 0 && v->step[i].looks > DONE_LOOKS;
		quiet &= v->step[i].looks > QUIET_LOOKS;
	}
	return all || quiet;
}

/* Where the step at that place stands then; or, if it is one of them, the one behind it. */
static size_t forget(struct view *v, const char *trace, size_t place)
{
	size_t to = 0, stands = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (i == place)
			stands = to;
		if (strcmp(v->step[i].trace, trace) == 0) {
			buf_fini(&v->step[i].sent);
			buf_fini(&v->step[i].ended);
		} else {
			v->step[to++] = v->step[i];
		}
	}
	v->n = to;
	return stands;
}

/* A request's id may have come with several of its messages: each is the first of a tree. */
static void tree(const struct view *v, const struct step *s)
{
	struct value node = packed_get(packed_of(&s->ended), "node");

	if (v->live.ctl->json)
		return;
	one(s, "", &node);
	children(v, s, "", 0, &node);
}

/* force: also what is not complete. True: all is printed. */
static bool show(struct view *v, bool force)
{
	char trace[ID];
	size_t i = 0, first;

	while (i < v->n) {
		struct step *s = &v->step[i];

		if (!is_first(v, s) || (!force && !complete(v, s->trace))) {
			i++;
			continue;
		}
		memcpy(trace, s->trace, ID);
		if (!v->live.ctl->json)
			printf("%s%s\n", v->shown ? "\n" : "", s->trace);
		v->shown++;
		for (first = i; i < v->n; i++)
			if (is_first(v, &v->step[i]) && strcmp(v->step[i].trace, trace) == 0)
				tree(v, &v->step[i]);
		i = forget(v, trace, first);
	}
	fflush(stdout);
	return v->n == 0;
}

/* --- the command -------------------------------------------------------------------- */

static int begin(struct view *v, const char *name, const char *const filter[5],
                 const int64_t count[3])
{
	struct value number = { .i = 0 };
	struct packed at;
	int rc;

	live_text(&v->live, name ? name : "*");
	for (int i = 0; i < 3; i++)
		live_text(&v->live, filter[i]);
	live_int(&v->live, count[0]);
	live_int(&v->live, count[1]);
	live_int(&v->live, count[2] * 1000);
	live_text(&v->live, filter[3]);
	live_text(&v->live, filter[4]);
	v->most = count[1];
	v->until_ms = link_now_ms() + count[2] * 1000;
	rc = live_ask(&v->live, "trace");
	if (rc != CTL_DONE)
		return rc;
	at = v->live.answer.args;
	packed_next(&at, &number);
	v->number = number.i;
	v->open = true;
	return CTL_DONE;
}

static void end(struct view *v)
{
	live_int(&v->live, v->number);
	live_ask(&v->live, "trace_end");
}

/* Until all trees are seen, or its time is over. What has begun may not have been heard of yet, as
 * a handler says what it did when it returns: for that there is a while. */
static int follow(struct view *v)
{
	int rc = CTL_DONE, late = 0;
	bool done = false;

	while (rc == CTL_DONE && !done && !live_ended() && !ferror(stdout)) {
		int64_t over_ms;
		bool all;

		live_pause(AGAIN_MS, false);
		rc = look(v);
		if (rc != CTL_DONE)
			break;
		late += !v->open;
		all = show(v, false);
		over_ms = link_now_ms() - v->until_ms;
		done = (all && (v->shown >= v->most || late > (over_ms < 0 ? BEGUN_LOOKS : 1))) ||
		       over_ms > GRACE_MS;
	}
	if (rc == CTL_DONE)
		show(v, true);
	return rc;
}

int run_trace(const struct ctl *c, int argc, char **argv)
{
	const char *name = NULL, *filter[5] = { "", "", "", "", "" };
	int64_t count[3] = { 1, 0, 60 };
	const struct live_option options[] = {
		{ .name = "--handler", .text = &filter[0] },
		{ .name = "--arg", .text = &filter[1] },
		{ .name = "--from", .text = &filter[2] },
		{ .name = "--client", .text = &filter[3] },
		{ .name = "--id", .text = &filter[4] },
		{ .name = "--every", .number = &count[0], .least = 1, .most = 1000000 },
		{ .name = "-n", .number = &count[1], .least = 1, .most = 1000000 },
		{ .name = "--for", .number = &count[2], .least = 1, .most = 3600 },
		{ .name = NULL },
	};
	struct view v = { .n = 0 };
	int rc = live_options(c, "trace", options, argc, argv, &name);

	if (rc == CTL_DONE && *filter[4] && (name || *filter[0] || *filter[1] || *filter[2] ||
	                                     *filter[3] || count[0] > 1))
		rc = ctl_fail(c, CTL_USAGE, "trace --id ID goes with -n and --for only: an id says "
			"which messages, whoever they are to");
	if (!count[1])
		count[1] = *filter[4] ? 1 : 20;
	if (rc == CTL_DONE)
		rc = live_open(&v.live, c);
	if (rc == CTL_DONE)
		rc = begin(&v, name, filter, count);
	live_begin(false);
	if (rc == CTL_DONE) {
		fprintf(stderr, "actorctl: tracing\n");
		rc = follow(&v);
		if (rc == CTL_DONE)
			end(&v);
	}
	while (v.n > 0)
		forget(&v, v.step[0].trace, 0);
	mem_free(v.step);
	live_close(&v.live);
	return rc;
}
