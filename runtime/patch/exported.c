/* SPDX-License-Identifier: MIT
 * exported.c - what a compiled source exports, held against what runs.
 *
 * A table is what its source made it: `patch` may be an int, a name may point anywhere. So nothing
 * is read before it is known to lie in the program's own data, every text must end inside of it,
 * and every function must lie in its code. Then the actor must be there, not be one of the
 * runtime's own, and have state of the size that the patch was made for. Signatures are the core's
 * to compare, when all tables are put in force at once.
 *
 * Threads: any. */
#include "exported.h"

#include "builds.h"

#include <ctype.h>
#include <stdio.h>

enum { HANDLERS_READ = 1024, NAMES_LISTED = 32 };

/* Of a word of the source. */
static int line_of(const struct exam *x, const char *word)
{
	return source_line(x->source, word, strlen(word));
}

/* The line with this text between quotes, which is where a table names it. */
static int line_quoting(const struct exam *x, const char *text)
{
	char quoted[NAME_MAX_LEN + 3];

	snprintf(quoted, sizeof quoted, "\"%s\"", text);
	return line_of(x, quoted);
}

static int refuse(const struct exam *x, int line, const char *fmt, ...) PRINTF(3, 4);
static int refuse(const struct exam *x, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return diagnose(x->said, x->source->file, line, "%s", text);
}

/* --- reading --------------------------------------------------------------------------- */

static int read_handler(const struct exam *x, const struct actor_type *t, int i)
{
	const struct program *p = x->program;
	const struct actor_handler *h = &t->on[i];

	if (!program_string(p, h->name, NAME_MAX_LEN))
		return refuse(x, line_quoting(x, t->name),
		              "%s: the name of handler %d is no string of at "
		              "most %d bytes",
		              name_title(t->name), i + 1, NAME_MAX_LEN);
	if (!h->args || !program_string(p, h->args, NAME_MAX_LEN))
		return refuse(x, line_quoting(x, h->name),
		              "%s.%s: its signature is no string of at most "
		              "%d bytes",
		              name_title(t->name), h->name, NAME_MAX_LEN);
	if (!program_code(p, (const void *)h->fn))
		return refuse(x, line_quoting(x, h->name),
		              "%s.%s: its function is not one of this source", name_title(t->name),
		              h->name);
	return 0;
}

static int read_handlers(const struct exam *x, const struct actor_type *t)
{
	for (int i = 0; t->on; i++) {
		int rc;

		if (i > HANDLERS_READ || !program_data(x->program, &t->on[i], sizeof t->on[i]))
			return refuse(x, line_quoting(x, t->name),
			              "%s: .on is no table that ends: write it "
			              "with ON(...), at most %d handlers",
			              name_title(t->name), HANDLERS_READ);
		if (!t->on[i].name)
			return 0;
		rc = read_handler(x, t, i);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_type(const struct exam *x, const struct actor_type *t, const char *symbol)
{
	if (!program_data(x->program, t, sizeof *t))
		return refuse(x, line_of(x, symbol), "%s is no struct actor_type", symbol);
	if (!t->name || !program_string(x->program, t->name, NAME_MAX_LEN))
		return refuse(x, line_of(x, symbol), "%s: .name is no string of at most %d bytes",
		              symbol, NAME_MAX_LEN);
	return read_handlers(x, t);
}

static bool no_function(const struct exam *x, const void *fn)
{
	return fn && !program_code(x->program, fn);
}

static bool offers_sound(const struct exam *x, const struct actor_offer *o)
{
	const struct program *p = x->program;

	for (; o; o++) {
		if (!program_data(p, o, sizeof *o))
			return false;
		if (!o->name)
			return true;
		if (!program_string(p, o->name, NAME_MAX_LEN) ||
		    !(o->kind == 'f' ? program_code(p, o->at) : program_data(p, o->at, 8)))
			return false;
	}
	return true;
}

const struct actor_type *exported_actor(const struct exam *x)
{
	const struct actor_type *t = x->program->own;

	if (!t) {
		refuse(x, 0,
		       "it exports no table: write `const struct actor_type %s = { ... };`, named "
		       "as the file is and not static",
		       x->source->own);
		return NULL;
	}
	if (read_type(x, t, x->source->own) < 0)
		return NULL;
	if (no_function(x, (const void *)t->start) || no_function(x, (const void *)t->stop)) {
		refuse(x, line_of(x, x->source->own),
		       "%s: .start or .stop is no function of this source", name_title(t->name));
		return NULL;
	}
	if (!offers_sound(x, t->offers)) {
		refuse(x, line_of(x, "OFFERS"), "%s: .offers is no table of its variables and "
		       "functions that ends: write it with OFFERS(...)", name_title(t->name));
		return NULL;
	}
	return t;
}

/* --- against what runs ----------------------------------------------------------------- */

struct names { struct buf *out; int n; };

static void list_name(void *arg, const struct actor_info *a)
{
	struct names *l = arg;

	if (!a->name || type_native(a->of))
		return;
	if (l->n++ < NAMES_LISTED)
		buf_printf(l->out, "%s%s", l->n > 1 ? ", " : "",
		           *a->name ? a->name : "\"\" (the global table)");
}

static void no_actor(const struct exam *x, const char *name)
{
	struct names l = { x->said, 0 };

	refuse(x, line_quoting(x, name), "there is no actor %s here; there are ", name_title(name));
	core_actors(list_name, &l);
	if (l.n > NAMES_LISTED)
		buf_printf(x->said, " and %d more", l.n - NAMES_LISTED);
}

/* The type of the actor of that name, else the type of that name: rpc may run under another. */
static struct type *target(const struct exam *x, const char *name)
{
	struct actor_info a;
	struct type *type = core_inspect(actor_find(name), &a) ? core_type(name)
	                                                       : core_type(type_name(a.of));

	if (!type) {
		no_actor(x, name);
	} else if (type_native(type)) {
		refuse(x, line_quoting(x, name),
		       "%s is part of the runtime itself: no patch changes it", name);
		type = NULL;
	}
	return type;
}

static void list_change(struct exported *e, const char *name, const struct actor_handler *on)
{
	const char *comma = e->targets.len ? ", " : "";

	name = *name ? name : "\"\"";
	buf_printf(&e->targets, "%s%s", comma, name);
	for (; on->name; on++, comma = ", ")
		buf_printf(&e->handlers, "%s%s.%s", comma, name, on->name);
}

static int other_layout(const struct exam *x, const struct actor_type *t, struct type *type)
{
	const struct view *v = views_of(&x->program->views, t->name);
	const char *layout = builds_layout(type);
	struct buf words = { 0 };
	int rc;

	if (layout && v && v->text)
		layout_difference(layout, v->text, &words);
	buf_add(&words, "", 1);
	rc = refuse(x, line_quoting(x, t->name),
	            "%s: its state is %zu bytes here, the patch's .state is %zu: it "
	            "was made for another layout%s%s; to change it the patch brings "
	            "int migrate(const void *from, void *to)", name_title(t->name),
	            type_state(type), t->state, *words.p ? ": " : "", words.p);
	buf_fini(&words);
	return rc;
}

/* The view of .state is held against what runs, field by field. */
static int hold_layout(const struct exam *x, const struct actor_type *t, struct type *type)
{
	const struct view *v = views_of(&x->program->views, t->name);
	const char *layout = builds_layout(type);

	if (!t->state || !layout)
		return 0;
	if (!v || !v->text || (v->size && v->size != t->state))
		return refuse(x, line_quoting(x, t->name),
		              "%s: it cannot be seen what the patch believes the state to "
		              "be: write .state = sizeof(struct ...) in its table",
		              name_title(t->name));
	return strcmp(layout, v->text) ? other_layout(x, t, type) : 0;
}

/* What handlers take the state for: one of the actors that the patch names must have it so. */
static int hold_uses(const struct exam *x, const struct exported *e)
{
	const struct views *all = &x->program->views;
	struct buf words = { 0 };
	int rc = 0;

	for (int i = 0; !rc && i < all->n; i++) {
		const struct view *v = &all->view[i];
		const char *layout = NULL;
		bool fits = v->name != NULL;

		for (int k = 0; k < e->n && !fits; k++) {
			layout = e->layout[k] ? e->layout[k] : builds_layout(e->change[k].type);
			fits = !layout || (v->text && !strcmp(layout, v->text));
		}
		if (fits || !layout)
			continue;
		if (v->text)
			layout_difference(layout, v->text, &words);
		buf_add(&words, "", 1);
		rc = refuse(x, line_of(x, "actor_state"),
		            "%s: a handler takes its state for something else: %s",
		            name_title(type_name(e->change[e->n - 1].type)),
		            v->text ? words.p : "a type that is not complete, or too large to "
		            "compare");
	}
	if (!rc && all->blind && e->n && builds_layout(e->change[0].type) && !e->stated)
		rc = refuse(
			x, line_of(x, "actor_state"),
			"it uses the state, but does not say as what: write .state = "
			"sizeof(struct ...) in its table, or struct ... *s = actor_state(self)");
	buf_fini(&words);
	return rc;
}

static bool same_layout(const struct exam *x, const struct actor_type *t, struct type *type)
{
	const struct view *v = views_of(&x->program->views, t->name);
	const char *layout = builds_layout(type);

	return !t->state || (t->state == type_state(type) &&
	                     (!layout || (v && v->text && !strcmp(v->text, layout))));
}

typedef int move(const void *from, void *to);

/* What the table itself names, else what a source with one table exports; .move NULL: neither. */
static struct migration ways(const struct exam *x, const struct actor_type *t)
{
	const struct program *p = x->program;

	if (t->migrate || !p->patch)
		return (struct migration){ t, t->migrate, t->migrate_back };
	return (struct migration){ t, (move *)(uintptr_t)p->migrate,
	                           (move *)(uintptr_t)p->migrate_back };
}

/* The state is to have another shape. */
static int hold_migration(const struct exam *x, const struct actor_type *t,
                          const struct migration *m, struct exported *e)
{
	const struct view *v = views_of(&x->program->views, t->name);

	if (no_function(x, (const void *)m->move) || no_function(x, (const void *)m->back))
		return refuse(x, line_of(x, "migrate"),
		              "%s: migrate or migrate_back is no function of this source",
		              name_title(t->name));
	if (no_function(x, (const void *)t->start) || no_function(x, (const void *)t->stop))
		return refuse(x, line_quoting(x, t->name), "%s: .start or .stop is no function of "
		              "this source", name_title(t->name));
	if (!v || !v->text || (v->size && v->size != t->state))
		return refuse(x, line_quoting(x, t->name),
		              "%s: it cannot be seen what the state is to be: write .state = "
		              "sizeof(struct ...) in its table", name_title(t->name));
	e->migration[e->n] = *m;
	e->layout[e->n] = v->text;
	return 0;
}

static int hold_table(const struct exam *x, const struct actor_type *t, struct type *type,
                      struct exported *e)
{
	static const struct actor_mailbox no_mailbox;
	static const struct actor_children no_children;
	struct migration m = ways(x, t);
	bool moves = m.move != NULL;

	if (moves && !same_layout(x, t, type))
		return hold_migration(x, t, &m, e);
	if (t->state && t->state != type_state(type))
		return other_layout(x, t, type);
	if (hold_layout(x, t, type) < 0)
		return ACTOR_EARGS;
	if (moves || (!t->start && !t->stop && !t->restart && !t->offers &&
	              !memcmp(&t->mailbox, &no_mailbox, sizeof no_mailbox) &&
	              !memcmp(&t->children, &no_children, sizeof no_children)))
		return 0;
	return refuse(x, line_quoting(x, t->name),
		      "%s: a patch replaces handlers, it cannot replace "
		      ".start, .stop, .mailbox, .restart, .children or .offers",
		      name_title(t->name));
}

static int hold(const struct exam *x, const struct actor_type *t, struct exported *e)
{
	int line = line_quoting(x, t->name);
	struct type *type = target(x, t->name);

	if (!type)
		return ACTOR_ENOENT;
	if (hold_table(x, t, type, e) < 0)
		return ACTOR_EARGS;
	e->stated |= t->state != 0;
	if (!t->on || !t->on->name)
		return refuse(x, line, "%s: the patch names no handler", name_title(t->name));
	e->change[e->n] = (struct change){
		type, t->on, e->migration[e->n].to ? &e->migration[e->n] : NULL,
	};
	e->n++;
	list_change(e, t->name, t->on);
	return 0;
}

static int take_type(const struct exam *x, const struct actor_type *t, const char *symbol,
                     struct exported *e)
{
	int rc = read_type(x, t, symbol);

	return rc < 0 ? rc : hold(x, t, e);
}

static int take_list(const struct exam *x, struct exported *e)
{
	const struct actor_type *const *list = x->program->patches;

	for (int i = 0, rc = 0; list; i++) {
		if (i == TARGETS_MAX || !program_data(x->program, &list[i], sizeof *list))
			return refuse(x, line_of(x, "patches"),
			              "patches: no NULL ends it, or it has more "
			              "than %d tables",
			              TARGETS_MAX);
		if (!list[i])
			return 0;
		rc = take_type(x, list[i], "patches", e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int take_process(const struct exam *x, struct exported *e)
{
	const void *fn = x->program->process;

	if (!fn)
		return 0;
	if (no_function(x, fn))
		return refuse(x, line_of(x, "process"), "process is no function");
	e->process = (int (*)(actor *))(uintptr_t)fn;
	buf_printf(&e->handlers, "%sprocess()", e->handlers.len ? ", " : "");
	return 0;
}

int exported_read(const struct exam *x, struct exported *e)
{
	const struct program *p = x->program;
	int rc = 0;

	if (p->patch && p->patches)
		return refuse(x, line_of(x, "patches"),
		              "it exports both patch and patches: the one is for "
		              "one actor, the other for several");
	if (p->patches && (p->migrate || p->migrate_back))
		return refuse(x, line_of(x, "migrate"),
		              "migrate is for a patch of one actor: of several each names its "
		              "own in its table, .migrate = ..., .migrate_back = ...");
	if (p->patch)
		rc = take_type(x, p->patch, "patch", e);
	if (!rc)
		rc = take_list(x, e);
	if (!rc)
		rc = hold_uses(x, e);
	if (!rc)
		rc = take_process(x, e);
	if (!rc && !e->n && !e->process)
		rc = refuse(
			x, 0,
			"it exports neither a table nor process: write `const struct actor_type "
			"patch = { ... };` or `int process(actor *self)`, not static");
	return rc;
}

int exported_line(const struct exam *x, const struct exported *e, const char *words)
{
	for (int i = 0; i < e->n; i++)
		for (const struct actor_handler *h = e->change[i].on; h->name; h++) {
			char name[2 * NAME_MAX_LEN + 2];
			int n = snprintf(name, sizeof name, "%s.%s",
			                 name_title(type_name(e->change[i].type)), h->name);

			if (!strncmp(words, name, (size_t)n) && strchr(" :", words[n]))
				return line_quoting(x, h->name);
		}
	return 0;
}

/* --- eval ------------------------------------------------------------------------------ */

static void find_handler(void *arg, const struct handler_info *h)
{
	struct actor_handler *found = arg;

	if (!strcmp(h->name, found->name)) {
		found->args = h->args;
		found->flags = h->flags;
	}
}

int exported_function(const struct exam *x, const char *actor_name, const char *handler_name,
                      struct exported *e)
{
	handler *const *pointer = x->program->function;
	const char *function = x->source->function;
	struct type *type = target(x, actor_name);

	if (!type)
		return ACTOR_ENOENT;
	if (!pointer || !program_data(x->program, pointer, sizeof *pointer) ||
	    !program_code(x->program, (const void *)*pointer))
		return refuse(x, line_of(x, function), "%s is not compiled: is an #if around it?",
		              function);
	e->one[0].name = handler_name;
	e->one[0].args = "...";
	e->one[0].fn = *pointer;
	e->one[0].flags = *type_name(type) ? 0 : ON_CLIENT;
	core_handlers(type, find_handler, &e->one[0]);
	e->change[e->n++] = (struct change){ .type = type, .on = e->one };
	list_change(e, actor_name, e->one);
	return hold_uses(x, e);
}

void exported_fini(struct exported *e)
{
	buf_fini(&e->targets);
	buf_fini(&e->handlers);
}
