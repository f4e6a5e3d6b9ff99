/* SPDX-License-Identifier: MIT
 * ctl_commands.c - see ctl_commands.h. A command asks one actor one question and prints the answer:
 * nothing is known here that the runtime could say itself. */
#include "ctl_commands.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "actor.h"
#include "ctl_link.h"
#include "ctl_show.h"
#include "json.h"
#include "signature.h"

enum { DEFAULT_MS = 5000, LONG_MS = 30000, AGAIN_MS = 50, GRACE_MS = 1000 };

/* A question to an actor, and what it takes to print the answer. */
struct question {
	const char *to, *what;
	struct buf args;
	unsigned count;
	bool patch;                     /* a refusal means that the patch is rejected */
	struct link link;
	struct envelope answer;
};

static int patience_ms(const struct ctl *c, int otherwise)
{
	return c->timeout_ms ? c->timeout_ms : otherwise;
}

/* --- asking ------------------------------------------------------------------- */

static int refused(const struct ctl *c, const struct question *q)
{
	int code = q->answer.err_code;
	const char *text = q->answer.err_text.len ? q->answer.err_text.p : error_name(code);

	if (code == ACTOR_ETIME)
		return ctl_fail(c, CTL_LATE, "%s", text);
	if (q->patch && code != ACTOR_EFULL)
		return ctl_fail_bare(c, CTL_REJECTED, text);
	return ctl_fail(c, code == ACTOR_ENOENT ? CTL_ABSENT : CTL_FAILED, "%s", text);
}

/* Asks, and says what went wrong; CTL_DONE: q->answer has values, and q is to be ended. */
static int ask(const struct ctl *c, struct question *q, int ms)
{
	struct why why = { "" };
	int rc = link_open(&q->link, c, ms, &why);

	if (rc == CTL_DONE)
		rc = link_call(&q->link, q->to, q->what, &q->args, q->count, &q->answer, &why);
	if (rc == CTL_DONE)
		return q->answer.err_code ? refused(c, q) : CTL_DONE;
	if (rc == CTL_NOT_YET)
		rc = CTL_AWAY;
	else if (rc == CTL_USAGE && q->patch)
		rc = CTL_REJECTED;
	return ctl_fail(c, (enum ctl_status)rc, "%s", why.text);
}

static void question_end(struct question *q)
{
	link_close(&q->link);
	buf_fini(&q->args);
}

static void add_text(struct question *q, const char *s, size_t len)
{
	pack_str(&q->args, s, len);
	q->count++;
}

/* --- printing ----------------------------------------------------------------- */

static void print(struct buf *b)
{
	if (b->len)
		fwrite(b->p, 1, b->len, stdout);
	buf_fini(b);
}

/* A str as it is; on a terminal without what would drive it, but with its lines and tabs. */
static void bare(struct buf *out, const struct ctl *c, const char *s, size_t len)
{
	size_t n;

	if (!c->columns) {
		buf_add(out, s, len);
		return;
	}
	while (len > 0) {
		for (n = 0; n < len && s[n] != '\n' && s[n] != '\t'; n++)
			;
		if (n)
			show_text(out, s, n);
		if (n < len)
			buf_add(out, s + n, 1);
		n += n < len;
		s += n;
		len -= n;
	}
}

static void print_values(const struct ctl *c, struct packed args)
{
	struct buf b = { 0 };
	struct packed at = args;
	struct value v;

	while (packed_next(&at, &v) == 1) {
		if (v.type == VALUE_STR) {
			bare(&b, c, v.str, v.len);
			args = at;
		} else {
			show_json(&b, &args);
			at = args;
		}
		buf_text(&b, "\n");
	}
	print(&b);
}

static void print_args_json(struct packed args)
{
	struct buf b = { 0 };
	bool first = true;

	buf_text(&b, "{\"args\":[");
	for (; args.at < args.end; first = false) {
		if (!first)
			buf_text(&b, ",");
		show_json(&b, &args);
	}
	buf_text(&b, "]}\n");
	print(&b);
}

/* The first value of an answer: a list of maps; an object a line, or a table. */
static void print_rows(const struct ctl *c, struct packed args)
{
	struct packed list = args;
	struct buf b = { 0 };
	struct value head = { .len = 0 };

	if (c->json && packed_next(&list, &head) == 1 && head.type == VALUE_LIST) {
		while (head.len-- > 0) {
			show_json(&b, &list);
			buf_text(&b, "\n");
		}
	} else if (!c->json) {
		show_table(&b, c, args, 0);
	}
	print(&b);
}

/* --- files -------------------------------------------------------------------- */

/* 0, or CTL_USAGE, said. "-" is stdin. */
static int read_file(const struct ctl *c, const char *path, struct buf *out)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t n = 1;
	int error;

	if (!f)
		return ctl_fail(c, CTL_USAGE, "%s: %s", path, strerror(errno));
	while (n > 0 && out->len <= MESSAGE_MAX) {
		buf_reserve(out, 1 << 16);
		n = fread(out->p + out->len, 1, 1 << 16, f);
		out->len += n;
	}
	error = ferror(f) ? errno : 0;
	if (f != stdin)
		fclose(f);
	if (error)
		return ctl_fail(c, CTL_USAGE, "%s: %s", path, strerror(error));
	if (out->len > MESSAGE_MAX)
		return ctl_fail(c, CTL_USAGE, "%s: has more than the 16 MiB of a message", path);
	return 0;
}

/* --- ping, wait --------------------------------------------------------------- */

static int done(const struct ctl *c, const char *word)
{
	if (c->json)
		printf("{\"%s\":true}\n", word);
	else
		puts(word);
	return CTL_DONE;
}

static int run_ping(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "ping" };
	int rc = ask(c, &q, patience_ms(c, DEFAULT_MS));

	(void)argc, (void)argv;
	question_end(&q);
	return rc ? rc : done(c, "pong");
}

static void pause_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	if (ms > 0)
		nanosleep(&t, NULL);
}

/* Once connected the runtime itself answers when it is ready; until then there is nobody to wait
 * for but a socket that appears. A runtime that goes again is waited for again. */
static int run_wait(const struct ctl *c, int argc, char **argv)
{
	int64_t end_ms = link_now_ms() + patience_ms(c, LONG_MS), left_ms;
	struct envelope answer = { .err_code = 0 };
	struct why why = { "" };
	struct link l;
	int rc;

	(void)argc, (void)argv;
	do {
		left_ms = end_ms - link_now_ms();
		rc = link_open(&l, c, left_ms > 0 ? (int)left_ms : 0, &why);
		if (rc == CTL_AWAY)
			break;
		if (rc == CTL_DONE)
			rc = link_call(&l, "node", "ready", NULL, 0, &answer, &why);
		link_close(&l);
		if (rc == CTL_DONE && answer.err_code == 0)
			return done(c, "ready");
		if (rc == CTL_DONE)
			rc = why_set(&why, CTL_AWAY, "the runtime refuses to say when it is ready");
		if (rc != CTL_LATE)
			pause_ms(left_ms < AGAIN_MS ? left_ms : AGAIN_MS);
	} while (rc != CTL_LATE && link_now_ms() < end_ms);
	return ctl_fail(c, rc == CTL_NOT_YET ? CTL_AWAY : (enum ctl_status)rc, "%s", why.text);
}

/* --- inspect, ps -------------------------------------------------------------- */

static int run_inspect(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = argc ? "inspect_actor" : "inspect" };
	struct buf b = { 0 };
	int rc;

	if (argc)
		add_text(&q, argv[0], strlen(argv[0]));
	rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	if (rc == CTL_DONE && c->json) {
		show_json(&b, &q.answer.args);
		buf_text(&b, "\n");
	} else if (rc == CTL_DONE) {
		show_map(&b, c, q.answer.args);
	}
	print(&b);
	question_end(&q);
	return rc;
}

static int run_ps(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "ps" };
	int rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	struct packed more;
	struct value v;

	(void)argc, (void)argv;
	if (rc == CTL_DONE) {
		print_rows(c, q.answer.args);
		more = q.answer.args;
		packed_skip(&more);
		if (packed_next(&more, &v) == 1 && v.i > 0)
			fprintf(stderr, "actorctl: and %lld more\n", (long long)v.i);
	}
	question_end(&q);
	return rc;
}

/* --- call, send --------------------------------------------------------------- */

/* A word of the command line: text; @FILE is that file's, @@TEXT is @TEXT. */
static int add_word(const struct ctl *c, struct question *q, const char *word)
{
	struct buf text = { 0 };
	int rc = 0;

	if (word[0] == '@' && word[1] == '@')
		buf_text(&text, word + 1);
	else if (word[0] == '@')
		rc = read_file(c, word + 1, &text);
	else
		buf_text(&text, word);
	if (rc == 0 && !utf8_valid(text.p, text.len))
		rc = ctl_fail(c, CTL_USAGE, "argument `%s`: is not UTF-8", word);
	if (rc == 0)
		pack_str(&q->args, text.p, text.len);
	buf_fini(&text);
	return rc;
}

/* NAME HANDLER [ARG...] as node's `call` and `send` take them. */
static int add_call(const struct ctl *c, struct question *q, int argc, char **argv)
{
	int i, rc = 0;

	if (argc - 2 > VALUES_MAX)
		return ctl_fail(c, CTL_USAGE, "a message has at most %d arguments", VALUES_MAX);
	add_text(q, argv[0], strlen(argv[0]));
	add_text(q, argv[1], strlen(argv[1]));
	pack_list(&q->args, (uint32_t)(argc - 2));
	q->count++;
	for (i = 2; i < argc && rc == 0; i++)
		rc = add_word(c, q, argv[i]);
	return rc;
}

static int run_call(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "call", .link = { .fd = -1 } };
	int ms = patience_ms(c, DEFAULT_MS), rc = add_call(c, &q, argc, argv);

	pack_int(&q.args, ms);
	q.count++;
	if (rc == CTL_DONE)
		rc = ask(c, &q, ms + GRACE_MS);
	if (rc == CTL_DONE && c->json)
		print_args_json(q.answer.args);
	else if (rc == CTL_DONE)
		print_values(c, q.answer.args);
	question_end(&q);
	return rc;
}

static int run_send(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "send", .link = { .fd = -1 } };
	int rc = add_call(c, &q, argc, argv);

	if (rc == CTL_DONE)
		rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	if (rc == CTL_DONE && c->json)
		puts("{\"sent\":true}");
	question_end(&q);
	return rc;
}

/* --- patch -------------------------------------------------------------------- */

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

/* SOURCE and {"file": FILE}, so that diagnostics name it. */
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
		pack_map(&q->args, 1);
		pack_text(&q->args, "file");
		pack_text(&q->args, name);
		q->count++;
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

static int run_check(const struct ctl *c, int argc, char **argv)
{
	struct question q;
	int rc = run_patch(c, "check", argv[0], &q);

	(void)argc;
	if (rc == CTL_DONE)
		print_check(c, q.answer.args);
	question_end(&q);
	return rc;
}

static int run_apply(const struct ctl *c, int argc, char **argv)
{
	struct question q;
	int rc = run_patch(c, "apply", argv[0], &q);
	struct buf b = { 0 };

	(void)argc;
	if (rc == CTL_DONE) {
		buf_text(&b, c->json ? "{\"patch\":" : "");
		show_json(&b, &q.answer.args);
		buf_text(&b, c->json ? "}\n" : "\n");
	}
	print(&b);
	question_end(&q);
	return rc;
}

static int run_list(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "patch", .what = "list" };
	int rc = ask(c, &q, patience_ms(c, DEFAULT_MS));

	(void)argc, (void)argv;
	if (rc == CTL_DONE)
		print_rows(c, q.answer.args);
	question_end(&q);
	return rc;
}

/* --- all of them -------------------------------------------------------------- */

#define WORDS \
	"A str parameter takes ARG as it is. Another takes it as JSON: 5, true, [1,2],\n" \
	"{\"a\":1}, null; bytes as a JSON string of base64. A parameter of any type and\n" \
	"those beyond the named ones take JSON and, where it is none, text. @FILE is\n" \
	"the text of FILE, @- that of stdin, @@TEXT is @TEXT. All that follows HANDLER\n" \
	"are arguments: options come before NAME. The global table is the actor ''.\n"

const struct command commands[] = {
	{ "ping", "", 0, 0, -1, "answers when the runtime does",
		"Prints pong.\n", run_ping },
	{ "wait", "", 0, 0, -1, "waits until the runtime is ready",
		"Waits for 30 s, or as --timeout says, also for a runtime that is yet to start.\n\n"
		"  actord & actorctl wait && actorctl inspect\n", run_wait },
	{ "inspect", "[NAME]", 0, 1, -1, "the node at a glance, or one actor",
		"Without NAME: workers, actors, mailboxes, messages, Redis, clients, patches.\n"
		"With NAME: that actor's state, mailbox and handlers. Answers also while every\n"
		"worker is busy.\n\n"
		"  actorctl inspect\n  actorctl --json inspect counter\n", run_inspect },
	{ "ps", "", 0, 0, -1, "a row per actor",
		"With --json an object a line. At most 10,000 rows.\n\n"
		"  actorctl ps\n  actorctl --json ps | jq -r .name\n", run_ps },
	{ "call", "NAME HANDLER [ARG...]", 2, -1, 2, "sends, waits, prints the answer",
		"Prints the answer, one value a line: a str as it is, the rest as JSON; with\n"
		"--json {\"args\":[...]}.\n\n" WORDS "\n"
		"  actorctl call counter hit 1\n"
		"  actorctl call echo say text '{\"a\":1}' @notes.txt\n"
		"  actorctl --timeout 60000 --json call '' test a b\n", run_call },
	{ "send", "NAME HANDLER [ARG...]", 2, -1, 2, "sends, does not wait",
		"Prints nothing; done means that the message is in the mailbox.\n\n" WORDS "\n"
		"  actorctl send counter hit 1\n", run_send },
	{ "patch check", "FILE", 1, 1, -1, "compiles a patch and checks it against what runs",
		"Changes nothing. What is wrong comes on stderr as FILE:LINE: TEXT, exit 6;\n"
		"where the runtime finds gcc or clang, its warnings too. FILE - is stdin.\n\n"
		"  actorctl patch check fix.c\n", run_check },
	{ "patch apply", "FILE", 1, 1, -1, "puts a patch in force, prints its number",
		"Between two messages each handler that the patch names is replaced. What is\n"
		"wrong comes on stderr as FILE:LINE: TEXT, exit 6. FILE - is stdin.\n\n"
		"  actorctl patch apply fix.c\n  actorctl patch apply - <fix.c\n", run_apply },
	{ "patch list", "", 0, 0, -1, "the patches since the start",
		"With --json an object a line.\n", run_list },
	{ NULL, NULL, 0, 0, 0, NULL, NULL, NULL },
};
