/* SPDX-License-Identifier: MIT
 * ctl_patch.c - the life of a patch, as commands. */
#include "ctl_patch.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl_ask.h"
#include "ctl_show.h"
#include "json.h"

enum { VERDICT_MS = 24 * 3600 * 1000, THERE_MS = 3600 * 1000, GRACE_MS = 2000 };

/* The line of the first byte that is no UTF-8, or 0. */
static int bad_line(const struct buf *text)
{
	const char *at = text->p, *end = text->p + text->len, *nl;
	int line;

	for (line = 1; at < end; line++, at = nl + 1) {
		nl = memchr(at, '\n', (size_t)(end - at));
		nl = nl ? nl : end;
		if (!utf8_valid(at, (size_t)(nl - at)))
			return line;
	}
	return 0;
}

static const char *who(const struct ctl *c)
{
	const struct passwd *user = c->author ? NULL : getpwuid(geteuid());

	return c->author ? c->author : user ? user->pw_name : "";
}

/* What goes into the journal beside the patch. */
static void add_options(const struct ctl *c, struct question *q, const char *file)
{
	pack_map(&q->args, c->group ? 7 : 5);
	if (c->group) {
		pack_text(&q->args, "for");
		pack_text(&q->args, c->group);
		pack_text(&q->args, "wait_ms");
		pack_int(&q->args, patience_ms(c, LONG_MS));
	}
	pack_text(&q->args, "probation");
	pack_text(&q->args, c->probation ? c->probation : "");
	pack_text(&q->args, "file");
	pack_text(&q->args, file);
	pack_text(&q->args, "author");
	pack_text(&q->args, who(c));
	pack_text(&q->args, "note");
	pack_text(&q->args, c->note ? c->note : "");
	pack_text(&q->args, "lose_changes");
	pack_bool(&q->args, c->lose);
	q->count++;
}

/* SOURCE and {"file": FILE, ...}, so that diagnostics name it. */
static int add_source(const struct ctl *c, struct question *q, const char *path)
{
	const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
	struct buf text = { 0 };
	char why[64];
	int rc = read_file(c, path, &text), line = rc ? 0 : bad_line(&text);

	if (line) {
		snprintf(why, sizeof why, ":%d: error: a byte that is not UTF-8", line);
		buf_clear(&text);
		buf_printf(&text, "%s%s", name, why);
		rc = ctl_fail_bare(c, CTL_REJECTED, text.p);
	} else if (rc == CTL_DONE) {
		add_text(q, text.p, text.len);
		add_options(c, q, name);
	}
	buf_fini(&text);
	return rc;
}

static int run_patch(const struct ctl *c, const char *what, const char *path, struct question *q)
{
	int rc;

	*q = (struct question){ .to = "patch", .what = what, .patch = true, .link = { .fd = -1 } };
	rc = add_source(c, q, path);
	return rc ? rc : ask(c, q, patience_ms(c, LONG_MS));
}

/* The handlers it would change, and what a compiler beside the runtime warns of. */
static void print_check(const struct ctl *c, struct packed args)
{
	struct packed more = args;
	struct buf out = { 0 }, warnings = { 0 };
	struct value v;

	packed_skip(&more);
	args.end = more.at;
	if (packed_next(&more, &v) == 1 && v.type == VALUE_STR)
		buf_add(&warnings, v.str, v.len);
	if (!c->json) {
		print_values(c, args);
		buf_add(&warnings, "", 1);
		ctl_fail_bare(c, CTL_DONE, warnings.p);
	} else {
		buf_text(&out, "{\"ok\":true");
		if (warnings.len) {
			buf_text(&out, ",\"warnings\":");
			json_text(&out, warnings.p, warnings.len);
		}
		buf_text(&out, "}\n");
	}
	print(&out);
	buf_fini(&warnings);
}

int run_check(const struct ctl *c, int argc, char **argv)
{
	struct question q;
	int rc = run_patch(c, "check", argv[0], &q);

	(void)argc;
	if (rc == CTL_DONE)
		print_check(c, q.answer.args);
	question_end(&q);
	return rc;
}

/* "confirmed", or another word and why, which is a failure where the patch is gone again. node:
 * where, or NULL. */
static int print_verdict(const struct ctl *c, const struct value *node, struct packed args)
{
	struct value word, why = { .len = 0 };
	bool gone;
	struct buf b = { 0 };

	if (packed_next(&args, &word) != 1 || word.type != VALUE_STR)
		return ctl_fail(c, CTL_FAILED, "the runtime answers in another way: is it "
			"another version? "
			"actorctl --version and actorctl inspect say");
	if (packed_next(&args, &why) != 1 || why.type != VALUE_STR)
		why.len = 0;
	gone = (word.len == 11 && !memcmp(word.str, "quarantined", 11)) ||
	       (word.len == 8 && !memcmp(word.str, "reverted", 8));
	if (c->json) {
		buf_text(&b, node ? "{\"node\":" : "{");
		if (node)
			json_text(&b, node->str, node->len);
		buf_text(&b, node ? ",\"state\":" : "\"state\":");
		json_text(&b, word.str, word.len);
		buf_text(&b, ",\"why\":");
		json_text(&b, why.len ? why.str : "", why.len);
		buf_text(&b, "}\n");
	} else {
		if (node) {
			bare(&b, c, node->str, node->len);
			buf_text(&b, " ");
		}
		bare(&b, c, word.str, word.len);
		buf_text(&b, why.len ? ": " : "");
		bare(&b, c, why.len ? why.str : "", why.len);
		buf_text(&b, "\n");
	}
	print(&b);
	return gone ? CTL_REJECTED : CTL_DONE;
}

static int await_verdict(const struct ctl *c, struct packed number)
{
	struct question q = { .to = "patch", .what = "wait", .link = { .fd = -1 } };
	const uint8_t *from = number.at;
	int rc;

	packed_skip(&number);
	buf_add(&q.args, from, (size_t)(number.at - from));
	q.count++;
	rc = ask(c, &q, patience_ms(c, VERDICT_MS));
	if (rc == CTL_DONE)
		rc = print_verdict(c, NULL, q.answer.args);
	question_end(&q);
	return rc;
}

/* --- for many nodes ----------------------------------------------------------- */

/* Of the rows node, patch, state, why: the worst that became of it. */
static int rollout_status(struct packed rows)
{
	struct value list, state;
	int worst = CTL_DONE;

	if (packed_next(&rows, &list) != 1 || list.type != VALUE_LIST)
		return CTL_FAILED;
	for (; list.len--; packed_skip(&rows)) {
		state = packed_get(rows, "state");
		if (value_is_text(&state, "refused"))
			worst = CTL_REJECTED;
		else if (value_is_text(&state, "not yet") && worst == CTL_DONE)
			worst = CTL_LATE;
	}
	return worst;
}

/* That node's verdict, from the node itself. */
static int await_there(const struct ctl *c, const struct value *node, int64_t patch)
{
	struct question q = { .to = "node", .what = "call", .link = { .fd = -1 } };
	int ms = patience_ms(c, THERE_MS), rc;
	struct buf name = { 0 };

	buf_printf(&name, "actord:control:%.*s", (int)node->len, node->str);
	add_text(&q, name.p, name.len);
	add_text(&q, "call", 4);
	pack_list(&q.args, 4);
	pack_text(&q.args, "patch");
	pack_text(&q.args, "wait");
	pack_list(&q.args, 1);
	pack_int(&q.args, patch);
	pack_int(&q.args, ms);
	pack_int(&q.args, ms);
	q.count += 2;
	rc = ask(c, &q, ms + GRACE_MS);
	if (rc == CTL_DONE)
		rc = print_verdict(c, node, q.answer.args);
	question_end(&q);
	buf_fini(&name);
	return rc;
}

/* Of each node that has the patch. */
static int await_verdicts(const struct ctl *c, struct packed rows)
{
	struct value list, node, patch;
	int worst = CTL_DONE, rc;

	if (packed_next(&rows, &list) != 1 || list.type != VALUE_LIST)
		return CTL_FAILED;
	for (; list.len--; packed_skip(&rows)) {
		node = packed_get(rows, "node");
		patch = packed_get(rows, "patch");
		if (patch.type != VALUE_INT || patch.i <= 0 || !node.len)
			continue;
		rc = await_there(c, &node, patch.i);
		worst = rc == CTL_REJECTED || worst == CTL_DONE ? rc : worst;
	}
	return worst;
}

static bool is_empty(struct packed list)
{
	struct value v;

	return packed_next(&list, &v) == 1 && v.type == VALUE_LIST && !v.len;
}

/* The rollout's id, then each node's outcome. */
static int print_rollout(const struct ctl *c, struct packed args)
{
	struct packed rows = args;
	struct buf b = { 0 };
	int rc;

	packed_skip(&rows);
	buf_text(&b, c->json ? "{\"rollout\":" : "");
	if (c->json) {
		show_json(&b, &args);
		buf_text(&b, ",\"nodes\":");
		show_json(&b, &args);
		buf_text(&b, "}\n");
		print(&b);
	} else {
		struct packed one = { args.at, rows.at };

		print_values(c, one);
		print_rows(c, rows);
	}
	fflush(stdout);
	if (!c->json && is_empty(rows))
		fprintf(stderr, "actorctl: no node that is there now is in group `%s`, or has "
		        "that name; those that come take it\n", c->group);
	rc = c->wait ? await_verdicts(c, rows) : CTL_DONE;
	return rc ? rc : rollout_status(rows);
}

/* An empty variable in a script must not reach all nodes, nor a list of groups nobody. */
static int check_group(const struct ctl *c)
{
	if (!*c->group)
		return ctl_fail(c, CTL_USAGE, "--group: it is empty; write '*' for all nodes");
	if (strchr(c->group, ','))
		return ctl_fail(c, CTL_USAGE, "--group: `%s` is a list, and a rollout is for one "
		                "group or node; send it to each, or to '*' (all nodes)", c->group);
	return CTL_DONE;
}

static int roll_out(const struct ctl *c, struct question *q)
{
	int ms = patience_ms(c, LONG_MS), rc;

	q->to = "bus";
	q->what = "rollout";
	rc = ask(c, q, ms + GRACE_MS);
	return rc ? rc : print_rollout(c, q->answer.args);
}

static int apply_rollout(const struct ctl *c, const char *path)
{
	struct question q = { .patch = true, .link = { .fd = -1 } };
	int rc = check_group(c);

	rc = rc ? rc : add_source(c, &q, path);
	rc = rc ? rc : roll_out(c, &q);
	question_end(&q);
	return rc;
}

static int revert_rollout(const struct ctl *c, const char *id)
{
	struct question q = { .link = { .fd = -1 } };
	char line[64];
	int rc = check_group(c);

	if (rc)
		return rc;
	if (strlen(id) > 43 || strspn(id, "0123456789-") != strlen(id) || !strchr(id, '-'))
		return ctl_fail(c, CTL_USAGE, "`%s` is no id; see actorctl patch rollouts",
		                id);
	snprintf(line, sizeof line, "//revert %s\n", id);
	add_text(&q, line, strlen(line));
	add_options(c, &q, "");
	rc = roll_out(c, &q);
	question_end(&q);
	return rc;
}

int run_rollouts(const struct ctl *c, int argc, char **argv)
{
	return show_rows(c, "bus", "rollouts", argc, argv);
}

/* --- a patch's life ----------------------------------------------------------- */

static int apply_here(const struct ctl *c, char **argv)
{
	struct question q;
	int rc = run_patch(c, "apply", argv[0], &q);
	struct packed number = q.answer.args;
	struct buf b = { 0 }, warnings = { 0 };
	struct value v;

	if (rc == CTL_DONE) {
		buf_text(&b, c->json ? "{\"patch\":" : "");
		show_json(&b, &q.answer.args);
		buf_text(&b, c->json ? "}\n" : "\n");
	}
	print(&b);
	if (rc == CTL_DONE && !c->json && packed_next(&q.answer.args, &v) == 1 &&
	    v.type == VALUE_STR) {
		buf_add(&warnings, v.str, v.len);
		buf_add(&warnings, "", 1);
		ctl_fail_bare(c, CTL_DONE, warnings.p);
	}
	if (rc == CTL_DONE && c->wait) {
		fflush(stdout);
		rc = await_verdict(c, number);
	}
	buf_fini(&warnings);
	question_end(&q);
	return rc;
}

int run_apply(const struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return c->group ? apply_rollout(c, argv[0]) : apply_here(c, argv);
}

int run_list(const struct ctl *c, int argc, char **argv)
{
	return show_rows(c, "patch", "list", argc, argv);
}

static int add_number(const struct ctl *c, struct question *q, const char *word)
{
	char *end;
	long long n = strtoll(word, &end, 10);

	if (*end || end == word || n < 0)
		return ctl_fail(c, CTL_USAGE, "`%s` is no patch's number; see actorctl patch list",
		                word);
	pack_int(&q->args, n);
	q->count++;
	return CTL_DONE;
}

/* Asks for something to be done with the patch of that number; said is what has become of it. */
static int with_number(const struct ctl *c, const char *number, const char *what, const char *said)
{
	struct question q = { .to = "patch", .what = what, .link = { .fd = -1 } };
	int rc = add_number(c, &q, number);

	if (rc == CTL_DONE) {
		add_options(c, &q, "");
		rc = ask(c, &q, patience_ms(c, LONG_MS));
	}
	if (rc == CTL_DONE)
		done(c, said);
	question_end(&q);
	return rc;
}

int run_revert(const struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return c->group ? revert_rollout(c, argv[0])
			: with_number(c, argv[0], "revert", "reverted");
}

int run_lift(const struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return with_number(c, argv[0], "lift", "lifted");
}

int run_verdict(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .link = { .fd = -1 } };
	int rc = add_number(c, &q, argv[0]);

	(void)argc;
	if (rc == CTL_DONE)
		rc = await_verdict(c, packed_of(&q.args));
	question_end(&q);
	return rc;
}

/* A line a field, then the source as it is. */
static void print_patch(const struct ctl *c, struct packed map)
{
	struct buf b = { 0 }, source = { 0 };
	struct value head, key, v;

	if (packed_next(&map, &head) != 1 || head.type != VALUE_MAP)
		return;
	for (size_t i = 0; i < head.len && packed_next(&map, &key) == 1; i++) {
		struct packed at = map;

		if (packed_next(&at, &v) != 1 || packed_skip(&map) < 0)
			break;
		if (key.len == 6 && !memcmp(key.str, "source", 6)) {
			bare(&source, c, v.str, v.len);
			continue;
		}
		buf_printf(&b, "%-10.*s", (int)key.len, key.str);
		if (v.type == VALUE_STR)
			bare(&b, c, v.str, v.len);
		else
			buf_printf(&b, "%lld", (long long)v.i);
		buf_text(&b, "\n");
	}
	buf_text(&b, "\n");
	print(&b);
	print(&source);
}

int run_show(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "patch", .what = "show", .link = { .fd = -1 } };
	int rc = add_number(c, &q, argv[0]);
	struct buf b = { 0 };

	(void)argc;
	if (rc == CTL_DONE)
		rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	if (rc == CTL_DONE && c->json) {
		show_json(&b, &q.answer.args);
		buf_text(&b, "\n");
	} else if (rc == CTL_DONE) {
		print_patch(c, q.answer.args);
	}
	print(&b);
	question_end(&q);
	return rc;
}

int run_log(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "patch", .what = "log", .link = { .fd = -1 } };
	struct buf b = { 0 };
	int rc;

	(void)argc, (void)argv;
	pack_bool(&q.args, c->verify);
	q.count++;
	rc = ask(c, &q, patience_ms(c, LONG_MS));
	if (rc == CTL_DONE && !c->verify) {
		print_rows(c, q.answer.args);
	} else if (rc == CTL_DONE && c->json) {
		show_json(&b, &q.answer.args);
		buf_text(&b, "\n");
	} else if (rc == CTL_DONE) {
		show_map(&b, c, q.answer.args);
	}
	print(&b);
	question_end(&q);
	return rc;
}
