/* SPDX-License-Identifier: MIT
 * gather.c - see gather.h.
 *
 * The idea: the node that is asked for a trace asks the `node` actors of all others, by the names
 * that actorctl reaches them by through Redis, for their part of it, and answers when all have, or
 * when GATHER_MS are over. So whoever looks, at whichever node, sees one tree. */
#include "gather.h"

#include <stdio.h>

#include "answers.h"
#include "asked.h"

enum { GATHER_MS = 1000 };

struct gather {
	struct traces_news news;
	msg_caller caller;
	unsigned waiting;
};

struct gather_ask { struct asked asked; struct gather *of; };

static void end(actor *self, struct gather *g)
{
	struct pairs p = { 0 };
	struct buf b = { 0 };

	pairs_bool(&p, "open", g->news.open);
	pairs_uint(&p, "missed", g->news.missed);
	rows_close(&g->news.events, pairs_key(&p, "events"));
	pairs_close(&p, &b);
	core_answer(self, g->caller, packed_of(&b), 1, 0, NULL);
	buf_fini(&b);
	mem_free(g);
}

/* --- asking ------------------------------------------------------------------------- */

static void pack_question(struct buf *b, const char *node, int64_t number,
                          const struct traces_news *news)
{
	char text[NAME_MAX_LEN + 32];

	snprintf(text, sizeof text, "%s#%lld", node, (long long)number);
	text[NAME_MAX_LEN] = 0;
	pack_text(b, text);
	pack_list(b, (uint32_t)news->ids);
	for (int i = 0; i < news->ids; i++)
		pack_uint(b, news->id[i]);
}

static void ask(struct gathers *g, actor *self, struct gather *of,
                const struct value *node, const struct buf *question)
{
	struct call c = { .what = "trace_part", .args = packed_of(question), .count = 2 };
	char name[NAME_MAX_LEN + 1];
	struct gather_ask *a;
	struct why why;
	int64_t number;

	snprintf(name, sizeof name, "actord:control:%.*s", (int)node->len, node->str);
	c.to = actor_find(name);
	number = core_away(c.to) ? core_ask(self, &c, "trace_came", GATHER_MS, &why) : -1;
	if (number < 0)
		return;
	a = mem_alloc(sizeof *a);
	a->asked.number = number;
	a->of = of;
	asked_add(&g->tree, &a->asked);
	of->waiting++;
}

static void ask_all(struct gathers *g, actor *self, int64_t number, struct gather *of)
{
	const struct control_sources *s = g->sources;
	struct buf rows = { 0 }, question = { 0 };
	const char *but = NULL;
	unsigned n = s->nodes ? s->nodes(s->arg, &rows, &but) : 0;
	struct packed at = packed_of(&rows);

	pack_question(&question, s->node, number, &of->news);
	for (; n > 0; n--) {
		struct value name = packed_get(at, "name");

		packed_skip(&at);
		if (name.type == VALUE_STR && !value_is_text(&name, s->node))
			ask(g, self, of, &name, &question);
	}
	buf_fini(&question);
	buf_fini(&rows);
}

void gather_begin(struct gathers *g, actor *self, int64_t number, struct traces_news *news,
                  msg_caller caller)
{
	struct gather *of = mem_alloc(sizeof *of);

	of->news = *news;
	of->caller = caller;
	ask_all(g, self, number, of);
	if (!of->waiting)
		end(self, of);
}

/* --- hearing ------------------------------------------------------------------------ */

static void take(struct gather *g, const msg *m)
{
	struct buf b = { 0 };
	struct packed in;
	struct value list;

	msg_pack(m, 0, &b);
	in = packed_of(&b);
	if (packed_next(&in, &list) == 1 && list.type == VALUE_LIST) {
		struct packed rows = in;

		for (size_t left = list.len; left > 0; left--)
			packed_skip(&in);
		buf_add(&g->news.events.b, rows.at, (size_t)(in.at - rows.at));
		g->news.events.n += (unsigned)list.len;
	}
	g->news.missed += (uint64_t)msg_int(m, 1);
	buf_fini(&b);
}

bool gather_came(struct gathers *g, actor *self, const msg *m)
{
	struct gather_ask *a = asked_take(&g->tree, msg_ask(m));
	struct gather *of = a ? a->of : NULL;

	if (!a)
		return false;
	mem_free(a);
	if (!msg_error(m))
		take(of, m);
	if (--of->waiting == 0)
		end(self, of);
	return true;
}

static void drop(void *arg)
{
	struct gather_ask *a = arg;

	if (--a->of->waiting == 0) {
		buf_fini(&a->of->news.events.b);
		mem_free(a->of);
	}
	mem_free(a);
}

void gathers_fini(struct gathers *g)
{
	asked_free(&g->tree, drop);
}
