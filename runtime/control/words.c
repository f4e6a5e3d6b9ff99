/* SPDX-License-Identifier: MIT
 * words.c - see words.h. Any thread. */
#include "words.h"

#include "argument.h"
#include "signature.h"

static void name_handler(void *arg, const struct handler_info *h)
{
	struct buf *b = arg;

	buf_printf(b, "%s%s", b->len ? ", " : "", h->name);
}

/* Some of the runtime's own take whatever actors say to them, and tell who said it by its id. */
static int no_handler(struct why *why, const char *name, const char *what,
                      const struct actor_info *a)
{
	struct handler_info h;
	struct buf b = { 0 };

	if (type_native(a->of) && !core_handler(a->id, "routed", &h))
		return why_set(why, ACTOR_ENOENT, "`%s` is asked by actors, from C "
		               "(actor_ask(self, actor_find(\"%s\"), \"%s\", ...)), not from here",
		               name, name, what);
	core_handlers(a->of, name_handler, &b);
	why_set(why, ACTOR_ENOENT, "%s has no handler `%s`; it has: %s",
		name_title(name), what, b.len ? b.p : "none");
	buf_fini(&b);
	return ACTOR_ENOENT;
}

/* What the handler takes. A list of Redis (`list:TOPIC`) takes whatever it is given, as does what
 * lives on another node. */
static int find_handler(const char *name, const char *what, const char **takes, actor_ref *to,
                        struct why *why)
{
	struct handler_info h;
	struct actor_info a;

	*to = actor_find(name);
	*takes = "...";
	if (strncmp(name, "list:", 5) == 0)
		return 0;
	if (core_inspect(*to, &a) != 0)
		return core_away(*to) ? 0 : why_set(why, ACTOR_ENOENT, "no actor named `%s` here; "
			"`actorctl ps` lists those that are", name);
	if (core_handler(*to, what, &h) != 0)
		return no_handler(why, name, what, &a);
	*takes = h.args;
	return 0;
}

/* Words are converted; what comes as another type (from Redis, say) is passed on as it is. */
static int convert(struct packed list, const char *takes, struct buf *out, struct why *why)
{
	struct packed at = list;
	struct value v;
	size_t i, items;
	int rc;

	packed_next(&list, &v);
	items = v.len;
	if (items > VALUES_MAX)
		return why_set(why, ACTOR_EARGS, "%zu arguments; a message has at most %d", items,
			VALUES_MAX);
	for (i = 0; i < items; i++) {
		at = list;
		packed_skip(&list);
		packed_next(&(struct packed){ at.at, list.at }, &v);
		if (v.type != VALUE_STR)
			buf_add(out, at.at, (size_t)(list.at - at.at));
		else if ((rc = argument_read(takes, (int)i, v.str, v.len, out, why)) < 0)
			return rc;
	}
	return (int)items;
}

int words_call(const msg *m, struct call *c, struct buf *values, struct why *why)
{
	const char *name = msg_str(m, 0), *takes;
	struct buf list = { 0 };
	struct why reason;
	int rc;

	c->what = msg_str(m, 1);
	c->origin = msg_origin(m);
	rc = find_handler(name, c->what, &takes, &c->to, why);
	if (rc < 0)
		return rc;
	msg_pack(m, 2, &list);
	rc = convert(packed_of(&list), takes, values, &reason);
	buf_fini(&list);
	if (rc < 0)
		return why_set(why, rc, "%s.%s: %s", name, c->what, reason.text);
	c->count = (unsigned)rc;
	c->args = packed_of(values);
	return 0;
}
