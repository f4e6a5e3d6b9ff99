/* SPDX-License-Identifier: MIT
 * ctl_log.c - see ctl_log.h. Who follows asks again and again for what came after the last line. */
#include "ctl_log.h"

#include <stdio.h>

#include "ctl_live.h"
#include "ctl_show.h"

enum { AGAIN_MS = 100, LINES_MOST = 512 };

static void field(struct buf *b, struct packed row, const char *key)
{
	struct value v = packed_get(row, key);

	if (v.type == VALUE_STR && v.len)
		show_text(b, v.str, v.len);
}

/* As on the node's stderr. */
static void line(struct buf *b, struct packed row)
{
	struct buf level = { 0 };

	field(b, row, "time");
	field(&level, row, "level");
	buf_printf(b, " %-5.*s ", (int)level.len, level.p);
	field(b, row, "from");
	buf_text(b, ": ");
	field(b, row, "text");
	buf_text(b, "\n");
	buf_fini(&level);
}

/* The lines of an answer; returns what to ask after next. */
static int64_t show(const struct live *l)
{
	struct packed next, missed, list, row;
	struct value v = { .i = 0 }, gone = { .i = 0 }, head = { .len = 0 };
	struct buf b = { 0 };

	if (!packed_find(l->answer.args, "next", &next) ||
	    !packed_find(l->answer.args, "missed", &missed) ||
	    !packed_find(l->answer.args, "lines", &list))
		return 0;
	packed_next(&next, &v);
	packed_next(&missed, &gone);
	packed_next(&list, &head);
	if (gone.i > 0)
		fprintf(stderr, "actorctl: %lld lines came and went unseen\n", (long long)gone.i);
	for (; head.len > 0; head.len--) {
		row = list;
		packed_skip(&list);
		row.end = list.at;
		if (l->ctl->json) {
			show_json(&b, &row);
			buf_text(&b, "\n");
		} else {
			line(&b, row);
		}
	}
	if (b.len)
		fwrite(b.p, 1, b.len, stdout);
	fflush(stdout);
	buf_fini(&b);
	return v.i;
}

int run_log_lines(const struct ctl *c, int argc, char **argv)
{
	const char *name = NULL, *level = "debug";
	int64_t most = 100, after = -1;
	bool follow = false;
	const struct live_option options[] = {
		{ .name = "-f", .flag = &follow },
		{ .name = "-n", .number = &most, .least = 1, .most = LINES_MOST },
		{ .name = "--level", .text = &level },
		{ .name = NULL },
	};
	struct live l;
	int rc = live_options(c, "log", options, argc, argv, &name);

	if (rc == CTL_DONE)
		rc = live_open(&l, c);
	if (rc != CTL_DONE)
		return rc;
	if (follow)
		live_begin(false);
	do {
		live_int(&l, after);
		live_text(&l, name ? name : "");
		live_text(&l, level);
		live_int(&l, after < 0 ? most : LINES_MOST);
		rc = live_ask(&l, "log");
		if (rc == CTL_DONE)
			after = show(&l);
		if (follow)
			live_pause(AGAIN_MS, false);
	} while (follow && rc == CTL_DONE && !live_ended() && !ferror(stdout));
	live_close(&l);
	return rc;
}
