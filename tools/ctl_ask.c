/* SPDX-License-Identifier: MIT
 * ctl_ask.c - see ctl_ask.h. */
#include "ctl_ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actor.h"
#include "ctl_show.h"

int patience_ms(const struct ctl *c, int otherwise)
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
	if (code == ACTOR_ENOENT && !strcmp(q->to, "bus") && strstr(text, " named bus "))
		return ctl_fail(c, CTL_FAILED, "this node runs without a Redis, which that is "
		                "about: actord --redis URL");
	if (q->patch && code != ACTOR_EFULL)
		return ctl_fail_bare(c, CTL_REJECTED, text);
	return ctl_fail(c, code == ACTOR_ENOENT ? CTL_ABSENT : CTL_FAILED, "%s", text);
}

int ask(const struct ctl *c, struct question *q, int ms)
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

void question_end(struct question *q)
{
	link_close(&q->link);
	buf_fini(&q->args);
}

void add_text(struct question *q, const char *s, size_t len)
{
	pack_str(&q->args, s, len);
	q->count++;
}

/* --- printing ----------------------------------------------------------------- */

void print(struct buf *b)
{
	if (b->len)
		fwrite(b->p, 1, b->len, stdout);
	buf_fini(b);
}

void bare(struct buf *out, const struct ctl *c, const char *s, size_t len)
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

void print_values(const struct ctl *c, struct packed args)
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

void print_args_json(struct packed args)
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

void print_rows(const struct ctl *c, struct packed args)
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
		if (!b.len)
			fputs("none\n", stderr);
	}
	print(&b);
}

void print_besides(struct packed args)
{
	struct value v;

	packed_skip(&args);
	if (args.at == args.end || packed_next(&args, &v) != 1)
		return;
	if (v.type == VALUE_INT && v.i > 0)
		fprintf(stderr, "actorctl: and %lld more\n", (long long)v.i);
	else if (v.type == VALUE_STR)
		fprintf(stderr, "actorctl: %.*s\n", (int)v.len, v.str);
}

/* --- files -------------------------------------------------------------------- */

int read_file(const struct ctl *c, const char *path, struct buf *out)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t n = 1;
	int error;

	if (!f)
		return ctl_fail(c, CTL_USAGE, "%s: %s; name a file that can be read, or - for "
			"stdin", path, strerror(errno));
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

int show_rows(const struct ctl *c, const char *to, const char *what, int argc, char **argv)
{
	struct question q = { .to = to, .what = what };
	int rc;

	for (int i = 0; i < argc; i++)
		add_text(&q, argv[i], strlen(argv[i]));
	rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	if (rc == CTL_DONE) {
		print_rows(c, q.answer.args);
		print_besides(q.answer.args);
	}
	question_end(&q);
	return rc;
}

int done(const struct ctl *c, const char *word)
{
	if (c->json)
		printf("{\"%s\":true}\n", word);
	else
		puts(word);
	return CTL_DONE;
}
