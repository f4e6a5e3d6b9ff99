/* SPDX-License-Identifier: MIT
 * buried.c - see buried.h. Each question is one command, and its reply the answer; so any node
 * answers for any topic, whoever buried it. The loop's thread. */
#include "buried.h"

#include <stdio.h>
#include <stdlib.h>

#include "envelope.h"

enum { LIST_MOST = 1000 };

struct buried { actor *self; const struct redis_port *port; };

struct asked { struct buried *of; msg_caller caller; bool show; char id[48]; };

/* What may have been handled before is marked. -1: nobody died of it, as it is no message; it
 * stays. */
static const char retry_script[] =
	"local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]"
	" if not e then return 0 end"
	" local again = '0'"
	" for i = 1, #e[2], 2 do"
	"  local name, value = e[2][i], e[2][i + 1]"
	"  if name == 'deaths' and value == '0' then return -1 end"
	"  if name == 'again' and value == '1' or name == 'deaths' and value ~= '' then"
	"   again = '1' end"
	" end"
	" for i = 1, #e[2], 2 do if e[2][i] == 'm' then"
	" redis.call('XADD', KEYS[2], '*', 'm', e[2][i + 1], 'again', again) end end"
	" return redis.call('XDEL', KEYS[1], ARGV[1])";

struct buried *buried_new(actor *self, const struct redis_port *port)
{
	struct buried *b = mem_alloc(sizeof *b);

	b->self = self;
	b->port = port;
	return b;
}

void buried_free(struct buried *b)
{
	mem_free(b);
}

static void answer(struct asked *a, const struct buf *values, int code, const char *text)
{
	struct packed in = { NULL, NULL };

	if (values)
		in = (struct packed){ (uint8_t *)values->p, (uint8_t *)values->p + values->len };
	core_answer(a->of->self, a->caller, in, values && values->len ? 1 : 0, code, text);
	mem_free(a);
}

static void refuse(struct asked *a, const struct redis_reply *r)
{
	struct why why;

	if (r->type == REDIS_INT && r->integer < 0)
		why_set(&why, 0, "%s is no message, which to send again: see actorctl dead show",
		        a->id);
	else if (r->type == REDIS_ERROR)
		why_set(&why, 0, "Redis says: %.*s", (int)r->len, r->str);
	else
		why_set(&why, 0, "there is no dead letter %s there: see actorctl dead list", a->id);
	answer(a, NULL, r->type == REDIS_ERROR || (r->type == REDIS_INT && r->integer < 0) ?
	       ACTOR_EARGS :
	       r->type == REDIS_GONE ? ACTOR_EFAIL : ACTOR_ENOENT,
	       r->type == REDIS_GONE ? "Redis is away: try again when it is back" : why.text);
}

/* --- rows --------------------------------------------------------------------------------- */

static const struct redis_reply *field(const struct redis_reply *entry, const char *name)
{
	static const struct redis_reply none = { .type = REDIS_STR, .str = "" };
	const struct redis_reply *f = entry->items == 2 ? &entry->item[1] : &none;

	for (size_t i = 0; i + 1 < f->items; i += 2)
		if (!strcmp(f->item[i].str, name))
			return &f->item[i + 1];
	return &none;
}

static void pair(struct buf *out, const char *name, const char *text, size_t len)
{
	pack_text(out, name);
	pack_str(out, text, len);
	utf8_mend(out->p + out->len - len, len);
}

/* id deaths reason func, and args where they are wanted, of one message. */
static void row(struct buf *out, const struct redis_reply *entry, struct packed one, bool args)
{
	const struct redis_reply *reason = field(entry, "reason");
	struct buf scratch = { 0 };
	struct envelope e;
	struct why why = { "" };
	int rc = envelope_read(&e, &scratch, one.at, (size_t)(one.end - one.at), &why);

	pack_map(out, args ? 5 : 4);
	pair(out, "id", entry->item[0].str, entry->item[0].len);
	pack_text(out, "deaths");
	pack_int(out, strtoll(field(entry, "deaths")->str, NULL, 10));
	pair(out, "func", e.func.p ? e.func.p : "", e.func.len);
	if (args) {
		pack_text(out, "args");
		pack_list(out, rc ? 0 : e.count);
		buf_add(out, e.args.at, rc ? 0 : (size_t)(e.args.end - e.args.at));
	}
	if (reason->len)
		pair(out, "reason", reason->str, reason->len);
	else
		pair(out, "reason", rc ? why.text : "", rc ? strlen(why.text) : 0);
	buf_fini(&scratch);
}

/* A row for each message of the entry, or only for the first. */
static unsigned rows(struct buf *out, const struct redis_reply *entry, bool all)
{
	const struct redis_reply *m = field(entry, "m");
	struct packed in = { (const uint8_t *)m->str, (const uint8_t *)m->str + m->len };
	unsigned n = 0;
	struct why why;

	do {
		int64_t size = in.at < in.end && *in.at & 0x80
			? packed_first(in.at, (size_t)(in.end - in.at), MESSAGE_DEPTH, &why) : -1;

		if (size < 0)
			size = in.end - in.at;
		row(out, entry, (struct packed){ in.at, in.at + size }, all);
		in.at += size;
		n++;
	} while (all && in.at < in.end);
	return n;
}

static void on_range(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;
	struct buf all = { 0 }, out = { 0 };
	unsigned n = 0;

	if (r->type != REDIS_LIST || (a->show && !r->items)) {
		refuse(a, r);
		return;
	}
	for (size_t i = 0; i < r->items; i++)
		n += rows(&all, &r->item[i], a->show);
	pack_list(&out, n);
	buf_add(&out, all.p, all.len);
	answer(a, &out, 0, NULL);
	buf_fini(&all);
	buf_fini(&out);
}

static void on_retried(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;

	if (r->type != REDIS_INT || r->integer < 1)
		refuse(a, r);
	else
		answer(a, NULL, 0, NULL);
}

/* --- the face ----------------------------------------------------------------------------- */

static void look(struct buried *b, struct asked *a, const char *topic)
{
	struct buf dead = { 0 };
	char most[16];
	const char *argv[] = { "XRANGE", NULL, a->show ? a->id : "-", a->show ? a->id : "+",
	                       "COUNT", most };
	size_t len[ARRAY_LEN(argv)];

	buf_printf(&dead, "actord:{%s}:dead%c", topic, 0);
	argv[1] = dead.p;
	snprintf(most, sizeof most, "%d", LIST_MOST);
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = strlen(argv[i]);
	if (b->port->command(b->port->link, on_range, a, ARRAY_LEN(argv), argv, len))
		refuse(a, &(struct redis_reply){ .type = REDIS_GONE });
	buf_fini(&dead);
}

static void retry(struct buried *b, struct asked *a, const char *topic)
{
	struct buf dead = { 0 }, key = { 0 };
	const char *argv[] = { "EVAL", retry_script, "2", NULL, NULL, a->id };
	size_t len[ARRAY_LEN(argv)];

	buf_printf(&dead, "actord:{%s}:dead%c", topic, 0);
	buf_printf(&key, "actord:{%s}%c", topic, 0);
	argv[3] = dead.p;
	argv[4] = key.p;
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		len[i] = strlen(argv[i]);
	if (b->port->command(b->port->link, on_retried, a, ARRAY_LEN(argv), argv, len))
		refuse(a, &(struct redis_reply){ .type = REDIS_GONE });
	buf_fini(&dead);
	buf_fini(&key);
}

bool buried_asked(struct buried *b, const msg *m, const char *what)
{
	bool again = !strcmp(what, "dead_retry"), show = !strcmp(what, "dead_show");
	int values = msg_count(m) - 2;
	struct asked *a;

	if (!again && !show && strcmp(what, "dead_list"))
		return false;
	if (values != (again || show ? 2 : 1) || msg_type(m, 2) != MSG_STR ||
	    (values == 2 && msg_type(m, 3) != MSG_STR))
		return false;
	a = mem_alloc(sizeof *a);
	a->of = b;
	a->show = show;
	snprintf(a->id, sizeof a->id, "%s", values == 2 ? msg_str(m, 3) : "");
	a->caller = msg_defer(m);
	if (again)
		retry(b, a, msg_str(m, 2));
	else
		look(b, a, msg_str(m, 2));
	return true;
}
