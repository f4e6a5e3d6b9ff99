/* SPDX-License-Identifier: MIT
 * ctl_top.c - see ctl_top.h. The node counts and chooses the rows; this shows them again and again.
 */
#include "ctl_top.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_live.h"
#include "ctl_show.h"

enum { ROWS = 20, ROWS_MOST = 1000, LINES_AROUND = 6 };

struct view {
	struct live live;
	struct ctl ctl;
	const char *sort, *filter;
	int64_t rows, pause_ms, refreshes;      /* rows 0: as many as fit */
	int64_t since;
	bool keys;                      /* a person looks on */
};

static int64_t number(struct packed map, const char *key)
{
	struct value v = packed_get(map, key);

	return v.type == VALUE_NUM ? (int64_t)(v.num + 0.5) : v.i;
}

static int64_t rows_that_fit(void)
{
	struct winsize w;
	int rows = ROWS;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 2 * LINES_AROUND)
		rows = (w.ws_row - 2 * LINES_AROUND) * 2 / 3;
	return rows < ROWS_MOST ? rows : ROWS_MOST;
}

/* A window may be made larger or smaller while top runs. */
static int look(struct view *v)
{
	int rc;

	live_int(&v->live, v->since);
	live_text(&v->live, v->sort);
	live_text(&v->live, v->filter);
	live_int(&v->live, v->rows ? v->rows : rows_that_fit());
	rc = live_ask(&v->live, "top");
	if (rc == CTL_DONE)
		v->since = number(v->live.answer.args, "snapshot");
	v->ctl.columns = ctl_columns();
	return rc;
}

static void summary(struct buf *b, const struct view *v)
{
	struct packed m = v->live.answer.args;

	buf_printf(b, "%lld messages/s  cpu %lld %%  %lld actors  %lld waiting  %lld failed  "
		"%lld dead\n", (long long)number(m, "per_s"), (long long)number(m, "cpu"),
		(long long)number(m, "actors"), (long long)number(m, "waiting"),
		(long long)number(m, "failed"), (long long)number(m, "dead_letters"));
}

/* The busiest threads, as many as fit into a line. */
static void threads(struct buf *b, const struct view *v)
{
	size_t room = v->live.ctl->columns ? (size_t)v->live.ctl->columns : 80, at = b->len;
	struct packed list, one;
	struct value head = { .len = 0 }, name;
	char text[64];
	int n;

	if (!packed_find(v->live.answer.args, "threads", &list))
		return;
	for (packed_next(&list, &head); head.len > 0; head.len--, packed_skip(&list)) {
		if (!packed_find(list, "thread", &one) || packed_next(&one, &name) != 1 ||
		    name.type != VALUE_STR)
			continue;
		n = snprintf(text, sizeof text, "%s%.*s %lld %%", b->len > at ? "  " : "",
			(int)name.len, name.str, (long long)number(list, "cpu"));
		if (b->len - at + (size_t)n > room)
			break;
		buf_text(b, text);
	}
	buf_text(b, b->len > at ? "\n" : "");
}

static void table(struct buf *b, const struct view *v, const char *key)
{
	struct packed list, at;
	struct value head = { .len = 0 };

	if (!packed_find(v->live.answer.args, key, &list))
		return;
	at = list;
	packed_next(&at, &head);
	if (!head.len)
		return;
	buf_text(b, "\n");
	show_table(b, v->live.ctl, list, 0);
}

/* Not more lines than there are: the rest of a screen would scroll away what matters. */
static void write_screen(struct buf *b, int lines)
{
	const char *at = b->p, *end = b->p + b->len, *nl;

	fputs("\033[H", stdout);
	for (; at < end && lines > 1; at = nl + 1, lines--) {
		nl = memchr(at, '\n', (size_t)(end - at));
		printf("%.*s\033[K\n", (int)(nl - at), at);
	}
	fputs("\033[J", stdout);
}

static void show(const struct view *v, bool first)
{
	struct packed args = v->live.answer.args;
	struct winsize w = { .ws_row = 0 };
	struct buf b = { 0 };

	if (v->live.ctl->json) {
		show_json(&b, &args);
		buf_text(&b, "\n");
	} else {
		buf_text(&b, first || v->keys ? "" : "\n");
		summary(&b, v);
		threads(&b, v);
		table(&b, v, strcmp(v->sort, "memory") == 0 ? "types" : "handlers");
		table(&b, v, "running");
		table(&b, v, "mailboxes");
	}
	if (v->keys && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row)
		write_screen(&b, w.ws_row);
	else
		fwrite(b.p, 1, b.len, stdout);
	fflush(stdout);
	buf_fini(&b);
}

/* --- keys that ask for a name ------------------------------------------------- */

/* A line typed at the foot of the screen; false: none. */
static bool ask_for(const char *what, char *line, size_t size)
{
	char *got;

	live_end();
	printf("\033[2J\033[H%s: ", what);
	fflush(stdout);
	got = fgets(line, (int)size, stdin);
	line[got ? strcspn(line, "\n") : 0] = 0;
	clearerr(stdin);
	return *line;
}

/* This tool once more, with another command, on the same node; then any key goes on. */
static void run_beside(const struct ctl *c, const char *command, char *name)
{
	char *argv[12];
	int n = 0, status;
	pid_t child;

	argv[n++] = (char *)(uintptr_t)"actorctl";
	if (c->redis) {
		argv[n++] = (char *)(uintptr_t)"--redis";
		argv[n++] = (char *)(uintptr_t)c->redis;
	} else if (c->control) {
		argv[n++] = (char *)(uintptr_t)"--control";
		argv[n++] = (char *)(uintptr_t)c->control;
	}
	if (c->redis && c->node) {
		argv[n++] = (char *)(uintptr_t)"--node";
		argv[n++] = (char *)(uintptr_t)c->node;
	}
	argv[n++] = (char *)(uintptr_t)command;
	argv[n++] = name;
	argv[n] = NULL;
	child = fork();
	if (child == 0) {
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, &status, 0);
	printf("\n(a key goes on)");
	fflush(stdout);
}

/* True: the key was one of these. */
static bool key_asks(struct view *v, int key)
{
	static const struct { char key; const char *command; } commands[] = {
		{ 'i', "inspect" }, { 't', "trace" }, { 's', "stop" },
	};
	static char filter[256];
	char name[256];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (key != commands[i].key)
			continue;
		if (ask_for(commands[i].command, name, sizeof name))
			run_beside(v->live.ctl, commands[i].command, name);
		live_begin(v->keys);
		if (*name)
			live_pause(3600000, true);
		fputs("\033[2J", stdout);
		return true;
	}
	if (key != '/')
		return false;
	ask_for("only what has", filter, sizeof filter);
	v->filter = filter;
	live_begin(v->keys);
	fputs("\033[2J", stdout);
	return true;
}

/* Until the next refresh. False: the end. */
static bool wait_on(struct view *v)
{
	static const struct { char key; const char *sort; } sorts[] = {
		{ 'r', "rate" }, { 'c', "cpu" }, { 'm', "mean" }, { 'p', "p99" },
		{ 'f', "failures" }, { 'w', "waiting" }, { 'b', "memory" },
	};
	int64_t until_ms = link_now_ms() + v->pause_ms, left_ms;

	while ((left_ms = until_ms - link_now_ms()) > 0 && !live_ended()) {
		int key = live_pause((int)left_ms, v->keys);

		if (key == 'q')
			return false;
		if (v->keys && key_asks(v, key))
			return !live_ended();
		for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
			v->sort = key == sorts[i].key ? sorts[i].sort : v->sort;
	}
	return !live_ended() && !ferror(stdout);
}

int run_top(const struct ctl *c, int argc, char **argv)
{
	struct view v = { .ctl = *c, .sort = "rate", .filter = "", .pause_ms = 1000 };
	const struct live_option options[] = {
		{ .name = "--sort", .text = &v.sort },
		{ .name = "--filter", .text = &v.filter },
		{ .name = "--rows", .number = &v.rows, .least = 1, .most = ROWS_MOST },
		{ .name = "-d", .number = &v.pause_ms, .least = 10, .most = 3600000 },
		{ .name = "-n", .number = &v.refreshes, .least = 1, .most = INT32_MAX },
		{ .name = NULL },
	};
	int64_t shown = 0;
	int rc = live_options(c, "top", options, argc, argv, NULL);

	if (rc != CTL_DONE)
		return rc;
	rc = live_open(&v.live, &v.ctl);
	if (rc == CTL_DONE)
		rc = look(&v);
	v.keys = c->columns && !c->json && isatty(STDIN_FILENO);
	live_begin(v.keys);
	if (rc == CTL_DONE && v.keys)
		fputs("\033[2J", stdout);
	while (rc == CTL_DONE && wait_on(&v)) {
		rc = look(&v);
		if (rc == CTL_DONE)
			show(&v, shown == 0);
		if (++shown == v.refreshes)
			break;
	}
	live_end();
	live_close(&v.live);
	return rc;
}
