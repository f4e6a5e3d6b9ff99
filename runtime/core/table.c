/* SPDX-License-Identifier: MIT
 * table.c - registering types, and putting new tables in force. */
#include "table.h"

#include <pthread.h>

enum { MESSAGES_DEFAULT = 1024, BYTES_DEFAULT = 256 << 10 };
enum { RESTARTS_DEFAULT = 10, SECONDS_DEFAULT = 10, RESTARTS_LIMIT = 1000 };

static _Atomic(struct type *) types[TYPES_MAX + 1];
static _Atomic uint32_t type_count;
static _Atomic uint32_t next_count;             /* handlers' places in the workers' calls */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct type *type_at(uint32_t id)
{
	return id <= TYPES_MAX ? LOAD_ACQUIRE(&types[id]) : NULL;
}

const char *type_title(const struct type *t)
{
	return *t->name ? t->name : "the global table";
}

/* --- tables ------------------------------------------------------------------------------- */

int table_find(const struct table *t, const char *name, size_t len)
{
	for (uint32_t at = text_hash(name, len);; at++) {
		uint16_t i = t->index[at & t->mask];
		const char *text;

		if (!i)
			return -1;
		text = t->entry[i - 1].name;
		if (!strncmp(text, name, len) && !text[len])
			return i - 1;
	}
}

int table_missing(const struct type *type, const struct table *t, const char *what, struct why *why)
{
	struct why has = { "" };
	size_t at = 0;

	for (uint32_t i = 0; i < t->n && at < sizeof has.text - 64; i++) {
		struct why one;

		if (entry_gone(&t->entry[i]))
			continue;
		why_set(&one, 0, "%s%s", at ? ", " : "", t->entry[i].name);
		if (at + strlen(one.text) >= sizeof has.text - 64)
			break;
		strcpy(has.text + at, one.text);
		at += strlen(one.text);
	}
	return why_set(why, ACTOR_ENOENT, "%s has no handler %.64s (it has: %s)", type_title(type),
		       what, has.text);
}

static struct table *table_new(uint32_t n)
{
	struct table *t = mem_alloc(sizeof *t + n * sizeof t->entry[0]);
	uint32_t size = 4;

	while (size < 2 * n)
		size *= 2;
	t->mask = size - 1;
	t->index = mem_alloc(size * sizeof *t->index);
	return t;
}

/* A handler that a revert took away keeps its place, for messages that are on their way to it. */
static int gone(actor *self, const msg *m)
{
	(void)self, (void)m;
	return ACTOR_ENOENT;
}

bool entry_gone(const struct entry *e)
{
	return e->fn == gone;
}

static void table_index(struct table *t, uint32_t i)
{
	uint32_t at = text_hash(t->entry[i].name, strlen(t->entry[i].name));

	if (entry_gone(&t->entry[i]))
		return;
	while (t->index[at & t->mask])
		at++;
	t->index[at & t->mask] = (uint16_t)(i + 1);
}

static void table_add(struct table *t, const struct entry *e)
{
	t->entry[t->n] = *e;
	code_hold(e->code);
	table_index(t, t->n++);
}

static void table_reindex(struct table *t)
{
	memset(t->index, 0, (t->mask + 1) * sizeof *t->index);
	for (uint32_t i = 0; i < t->n; i++)
		table_index(t, i);
}

/* Puts another entry in a place, which keeps its count. */
static void table_put(struct table *t, int at, const struct entry *e)
{
	struct entry *old = &t->entry[at];
	uint32_t count = old->count;

	code_hold(e->code);
	code_drop(old->code);
	*old = *e;
	old->count = count;
}

static int table_find_gone(const struct table *t, const struct entry *e)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (entry_gone(&t->entry[i]) && t->entry[i].name == e->name &&
		    t->entry[i].sig == e->sig)
			return (int)i;
	return -1;
}

static void table_free(void *arg)
{
	struct table *t = arg;

	for (uint32_t i = 0; i < t->n; i++)
		code_drop(t->entry[i].code);
	mem_free(t->index);
	mem_free(t);
}

/* Names and signatures as they will stand in a table. */
static int entry_read(struct entry *e, const struct actor_handler *h, const char *title,
		      struct why *why)
{
	struct why inner;
	const struct signature *sig = signature_read(h->args ? h->args : "", &inner);
	struct name *name = h->name ? name_of(h->name, strlen(h->name)) : NULL;
	struct name *args = name_of(h->args ? h->args : "", h->args ? strlen(h->args) : 0);

	if (!name || !*h->name)
		return why_set(why, ACTOR_EARGS, "%s: a handler's name has 1 to %d bytes", title,
			       NAME_MAX_LEN);
	if (!sig || !args)
		return why_set(why, ACTOR_EARGS, "%s.%s: %s", title, h->name,
			       sig ? "signature too long" : inner.text);
	if (!h->fn)
		return why_set(why, ACTOR_EARGS, "%s.%s: no function", title, h->name);
	*e = (struct entry){ .fn = h->fn, .sig = sig->id, .flags = (uint16_t)h->flags,
	                     .name = name_text(name), .args = name_text(args) };
	return 0;
}

static uint32_t handler_count(const struct actor_handler *on)
{
	uint32_t n = 0;

	while (on && n <= HANDLERS_MAX && on[n].name)
		n++;
	return n;
}

/* The table that `on` makes of old (NULL: from nothing). NULL with why; nothing has changed. */
static struct table *table_make(const struct table *old, const struct actor_handler *on,
				const char *title, uint32_t version, struct code *code,
				struct why *why)
{
	uint32_t more = handler_count(on);
	struct table *t;

	if (more + (old ? old->n : 0) > HANDLERS_MAX) {
		why_set(why, ACTOR_EARGS, "%s: more than %d handlers", title, HANDLERS_MAX);
		return NULL;
	}
	t = table_new(more + (old ? old->n : 0));
	for (uint32_t i = 0; old && i < old->n; i++)
		table_add(t, &old->entry[i]);
	for (uint32_t i = 0; i < more; i++) {
		struct entry e;
		int at;

		if (entry_read(&e, &on[i], title, why) < 0)
			goto fail;
		e.version = version;
		e.code = code;
		at = table_find(t, e.name, strlen(e.name));
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(on[k].name, on[i].name)) {
				why_set(why, ACTOR_EARGS, "%s.%s stands there twice", title,
					on[i].name);
				goto fail;
			}
		if (at < 0 && (at = table_find_gone(t, &e)) >= 0) {
			table_put(t, at, &e);
			table_index(t, (uint32_t)at);
			continue;
		}
		if (at < 0) {
			table_add(t, &e);
			continue;
		}
		if (t->entry[at].sig != e.sig) {
			why_set(why, ACTOR_EARGS,
				"%s.%s takes (%s), the new one would take (%s): a handler keeps "
				"its "
				"signature, give the new one another name",
				title, e.name, t->entry[at].args, e.args);
			goto fail;
		}
		table_put(t, at, &e);
	}
	return t;
fail:
	table_free(t);
	return NULL;
}

/* Places for counting, for entries that have none yet: only what will be in force uses some up. */
static void number_entries(struct table *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (!t->entry[i].count)
			t->entry[i].count = (atomic_fetch_add(&next_count, 1) + 1) % CALL_SLOTS;
}

/* --- types -------------------------------------------------------------------------------- */

struct type *core_type(const char *name)
{
	for (uint32_t id = LOAD_ACQUIRE(&type_count); id; id--)
		if (!strcmp(type_at(id)->name, name))
			return type_at(id);
	return NULL;
}

const char *type_name(const struct type *t)
{
	return t->name;
}

size_t type_state(const struct type *t)
{
	return t->state;
}

bool type_native(const struct type *t)
{
	return t->native;
}

static struct type *type_make(const struct actor_type *t, const struct type_options *o,
			      struct name *name, struct code *code, struct why *why)
{
	static const struct type_options none;
	struct type *type = mem_alloc(sizeof *type);
	struct table *table;
	uint32_t bytes;

	o = o ? o : &none;
	*type = (struct type){.state = t->state,
			      .name = name_text(name),
			      .start = t->start,
			      .stop = t->stop,
			      .proxy = o->proxy,
			      .native = o->native,
			      .full = t->mailbox.full,
			      .budget_ms = t->budget_ms,
			      .where = t->where};
	type->restart = t->restart;
	type->strategy = t->children.strategy;
	type->restarts = t->children.restarts ? t->children.restarts : RESTARTS_DEFAULT;
	type->seconds = t->children.seconds ? t->children.seconds : SECONDS_DEFAULT;
	if (type->restarts > RESTARTS_LIMIT)
		type->restarts = RESTARTS_LIMIT;
	type->max_count = o->max_count          ? o->max_count
			  : t->mailbox.messages ? t->mailbox.messages
						: MESSAGES_DEFAULT;
	bytes = o->max_bytes ? o->max_bytes : t->mailbox.bytes ? t->mailbox.bytes : BYTES_DEFAULT;
	type->max_units = bytes / (uint32_t)sizeof(struct msg);
	if (type->max_count > COUNT_LIMIT)
		type->max_count = COUNT_LIMIT;
	if (type->max_units > UNITS_LIMIT)
		type->max_units = UNITS_LIMIT;
	table = table_make(NULL, t->on, type_title(type), 0, code, why);
	if (!table) {
		mem_free(type);
		return NULL;
	}
	number_entries(table);
	STORE(&type->table, table);
	type->first = table;
	type->code = code_hold(code);
	return type;
}

/* Under the lock, as tables are copied there. */
void type_trace(struct type *t, const char *what, bool on)
{
	struct table *tab;

	pthread_mutex_lock(&lock);
	tab = LOAD_ACQUIRE(&t->table);
	for (uint32_t i = 0; i < tab->n; i++)
		if (!what || tab->entry[i].name == what)
			STORE(&tab->entry[i].traced, on);
	pthread_mutex_unlock(&lock);
}

struct type *core_add_type(const struct actor_type *t, const struct type_options *o,
			   struct code *code, struct why *why)
{
	struct name *name = t->name ? name_of(t->name, strlen(t->name)) : NULL;
	struct type *type = NULL;

	if (!name) {
		why_set(why, ACTOR_EARGS, "an actor type's name has at most %d bytes",
			NAME_MAX_LEN);
		return NULL;
	}
	pthread_mutex_lock(&lock);
	if (core_type(t->name))
		why_set(why, ACTOR_EFAIL, "there is an actor type %s already", t->name);
	else if (LOAD(&type_count) == TYPES_MAX)
		why_set(why, ACTOR_ENOMEM, "%d actor types are the limit", TYPES_MAX);
	else
		type = type_make(t, o, name, code, why);
	if (type) {
		type->id = LOAD(&type_count) + 1;
		STORE_RELEASE(&types[type->id], type);
		STORE_RELEASE(&type_count, type->id);
	}
	pthread_mutex_unlock(&lock);
	return type;
}

/* --- patches ------------------------------------------------------------------------------ */

/* From here on in force; the type's first table is kept, for what is taken back. */
static void publish(struct type *type, struct table *t)
{
	number_entries(t);
	/* release: the table; partner: ordinary() in run.c */
	t = atomic_exchange(&type->table, t);
	if (t != type->first)
		worker_retire(table_free, t);
}

int core_change(const struct change *c, int n, uint32_t version, struct code *code, bool check_only,
                struct why *why)
{
	struct table **fresh = mem_alloc((size_t)n * sizeof *fresh);
	int made = 0, rc = 0;

	pthread_mutex_lock(&lock);
	for (; made < n; made++) {
		for (int k = 0; k < made; k++)
			if (c[k].type == c[made].type)
				rc = why_set(why, ACTOR_EARGS, "%s stands there twice",
					     type_title(c[k].type));
		if (rc)
			break;
		fresh[made] = table_make(LOAD(&c[made].type->table), c[made].on,
					 type_title(c[made].type), version, code, why);
		if (!fresh[made]) {
			rc = ACTOR_EARGS;
			break;
		}
	}
	for (int i = 0; i < made; i++) {
		struct table *out = fresh[i];

		if (!rc && !check_only)
			publish(c[i].type, out);
		else
			table_free(out);
	}
	pthread_mutex_unlock(&lock);
	mem_free(fresh);
	return rc;
}

/* One handler of t as it is to be again. */
static int put_back(struct table *t, const struct back *b, struct why *why)
{
	int at = table_find(t, b->name, strlen(b->name));
	struct entry e;
	int first;

	if (at < 0)
		return why_set(why, ACTOR_ENOENT, "%s has no handler %s", type_title(b->type),
			       b->name);
	first = table_find(b->type->first, b->name, strlen(b->name));
	e = t->entry[at];
	if (b->on)
		e.fn = b->on->fn, e.flags = (uint16_t)b->on->flags;
	else if (first >= 0)
		e = b->type->first->entry[first];
	else
		e.fn = gone;
	if (b->on || first < 0) {
		e.code = b->on ? b->code : NULL;
		e.version = b->on ? b->version : 0;
	}
	table_put(t, at, &e);
	if (entry_gone(&e))
		table_reindex(t);
	return 0;
}

int core_restore(const struct back *b, int n, struct why *why)
{
	struct table **fresh = mem_alloc(((size_t)n + 1) * sizeof *fresh);
	int rc = 0;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < n && !rc; i++) {
		int k = 0;

		while (b[k].type != b[i].type)
			k++;
		if (k == i)
			fresh[i] = table_make(LOAD(&b[i].type->table), NULL, type_title(b[i].type),
					      0, NULL, why);
		rc = fresh[k] ? put_back(fresh[k], &b[i], why) : ACTOR_ENOMEM;
	}
	for (int i = 0; i < n; i++)
		if (fresh[i] && !rc)
			publish(b[i].type, fresh[i]);
		else if (fresh[i])
			table_free(fresh[i]);
	pthread_mutex_unlock(&lock);
	mem_free(fresh);
	return rc;
}

/* --- types that follow others ------------------------------------------------------------- */

/* What a type for a state of another shape has to bring: everything that may touch it. */
static int whole(const struct type *t, const struct actor_type *to, const struct table *made,
		 uint32_t version, struct why *why)
{
	for (uint32_t i = 0; i < made->n; i++)
		if (!entry_gone(&made->entry[i]) && made->entry[i].version != version)
			return why_set(why, ACTOR_EARGS,
				       "%s.%s is not in the patch: one that changes the state has "
				       "to bring "
				       "all handlers",
				       type_title(t), made->entry[i].name);
	if ((t->start && !to->start) || (t->stop && !to->stop))
		return why_set(why, ACTOR_EARGS,
			       "%s has a .%s: a patch that changes the state has to bring one",
			       type_title(t), t->start && !to->start ? "start" : "stop");
	return 0;
}

static struct type *succeed_with(struct type *t, const struct succession *s, struct why *why)
{
	struct table *made =
		table_make(LOAD(&t->table), s->to->on, type_title(t), s->version, s->code, why);
	struct type *next;

	if (!made)
		return NULL;
	if (whole(t, s->to, made, s->version, why) < 0) {
		table_free(made);
		return NULL;
	}
	next = mem_alloc(sizeof *next);
	*next = (struct type){
		.state = s->to->state, .start = s->to->start, .stop = s->to->stop, .back = s->back};
	next->code = code_hold(s->code);
	STORE(&next->table, made);
	return next;
}

/* As the one before t was, with t's places: those that came since are gone. */
static struct type *succeed_back(struct type *t)
{
	const struct type *old = t->before;
	struct table *made = table_make(LOAD(&t->table), NULL, "", 0, NULL, NULL);
	struct type *next = mem_alloc(sizeof *next);

	for (uint32_t i = 0; i < made->n; i++) {
		struct entry e = made->entry[i];

		if (i < old->was->n)
			e = old->was->entry[i];
		else
			e.fn = gone, e.code = NULL, e.version = 0;
		table_put(made, (int)i, &e);
	}
	table_reindex(made);
	*next = (struct type){
		.state = old->state, .start = old->start, .stop = old->stop, .back = old->back};
	next->before = old->before;
	next->code = code_hold(old->code);
	STORE(&next->table, made);
	return next;
}

static struct table *all_first(const struct table *of, handler *first)
{
	struct table *t = table_make(of, NULL, "", 0, NULL, NULL);

	for (uint32_t i = 0; i < t->n; i++)
		if (!entry_gone(&t->entry[i])) {
			struct entry e = t->entry[i];

			e.fn = first;
			e.code = NULL;
			table_put(t, (int)i, &e);
		}
	return t;
}

static void put_behind(struct type *t, struct type *next, const struct succession *s)
{
	next->name = t->name;
	next->max_count = t->max_count;
	next->max_units = t->max_units;
	next->full = t->full;
	next->where = t->where;
	next->restart = t->restart;
	next->strategy = t->strategy;
	next->restarts = t->restarts;
	next->seconds = t->seconds;
	next->move = s->move;
	number_entries(LOAD(&next->table));
	next->first = s->to ? LOAD(&next->table) : t->before->first;
	if (s->to)
		next->before = t;
	next->id = LOAD(&type_count) + 1;
	STORE_RELEASE(&types[next->id], next);
	t->was = LOAD(&t->table);
	STORE_RELEASE(&t->newer, next);
	STORE_RELEASE(&t->table, all_first(LOAD(&next->table), s->first));
	STORE_RELEASE(&type_count, next->id);
}

struct type *type_succeed(struct type *t, const struct succession *s, struct why *why)
{
	struct type *next = NULL;

	pthread_mutex_lock(&lock);
	if (LOAD(&type_count) == TYPES_MAX)
		why_set(why, ACTOR_ENOMEM, "%d actor types are the limit", TYPES_MAX);
	else
		next = s->to ? succeed_with(t, s, why) : succeed_back(t);
	if (next && s->check_only) {
		table_free(LOAD(&next->table));
		code_drop(next->code);
		mem_free(next);
		next = t;
	} else if (next) {
		put_behind(t, next, s);
	}
	pthread_mutex_unlock(&lock);
	return next;
}

void core_grace(void)
{
	worker_reclaim();
}
