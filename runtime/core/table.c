/* SPDX-License-Identifier: MIT
 * table.c - making tables, and registering types. What comes in force later is switch.c's. */
#include "table.h"

#include "offers.h"
#include "worker.h"

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
	return name_title(t->name);
}

const char *type_title_of(const struct actor *a)
{
	struct name *name = LOAD(&a->name);     /* once: who looks on may meet another birth */

	return name && *name_text(name) ? name_text(name) : type_title(cell_type(a));
}

const char *type_title_at(uint64_t id)
{
	struct actor *a = cell_at((uint32_t)id);

	return id && LOAD_ACQUIRE(&a->gen) == id >> 32 ? type_title_of(a) : "";
}

/* --- tables ------------------------------------------------------------------------------- */

/* Is text, which ends with a NUL, name? Inline, as names are short. */
static inline bool is_name(const char *text, const char *name, size_t len)
{
	for (; len && *text == *name && *text; len--)
		text++, name++;
	return !len && !*text;
}

int table_find(const struct table *t, const char *name, size_t len)
{
	for (uint32_t at = text_hash(name, len);; at++) {
		uint16_t i = t->index[at & t->mask];

		if (!i)
			return -1;
		if (is_name(t->entry[i - 1].name, name, len))
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

/* Refuses as msg_fail() does: who went on sending to it is no reason for the actor to fail. */
int table_gone(actor *self, const msg *m)
{
	static const char reason[] = "it went with the patch that brought it";
	struct worker *w = worker_self;

	(void)self, (void)m;
	memcpy(w->failure, reason, sizeof reason);
	w->in_handler |= IN_REFUSAL;
	return ACTOR_ENOENT;
}

bool entry_gone(const struct entry *e)
{
	return e->fn == table_gone;
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

void table_reindex(struct table *t)
{
	memset(t->index, 0, (t->mask + 1) * sizeof *t->index);
	for (uint32_t i = 0; i < t->n; i++)
		table_index(t, i);
}

void table_put(struct table *t, int at, const struct entry *e)
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

void table_free(void *arg)
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

struct table *table_make(const struct table *old, const struct actor_handler *on,
			 const char *title, uint32_t version, struct code *code, struct why *why)
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

void table_number(struct table *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (!t->entry[i].count)
			t->entry[i].count = (atomic_fetch_add(&next_count, 1) + 1) % CALL_SLOTS;
}

/* --- types -------------------------------------------------------------------------------- */

struct type *type_newest(struct type *t)
{
	struct type *next;

	while ((next = type_newer(t)))
		t = next;
	return t;
}

struct type *core_type(const char *name)
{
	for (uint32_t id = LOAD_ACQUIRE(&type_count); id; id--)
		if (!strcmp(type_at(id)->name, name))
			return type_newest(type_at(id));
	return NULL;
}

void types_lock(void)
{
	pthread_mutex_lock(&lock);
}

void types_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

uint32_t type_place(uint32_t ahead)
{
	uint32_t id = LOAD(&type_count) + 1 + ahead;

	return id <= TYPES_MAX ? id : 0;
}

void type_put(struct type *t, uint32_t id)
{
	t->id = id;
	STORE_RELEASE(&types[id], t);
}

void type_show(uint32_t id)
{
	STORE_RELEASE(&type_count, id);
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

bool type_starts(const struct type *t)
{
	return t->start;
}

/* One that drops its oldest takes twice as much until its owner looks. */
static void bound_mailbox(struct type *t)
{
	uint32_t part = t->full == FULL_DROP_OLDEST ? 2 : 1;

	if (t->max_count > COUNT_LIMIT / part)
		t->max_count = COUNT_LIMIT / part;
	if (t->max_units > UNITS_LIMIT / part)
		t->max_units = UNITS_LIMIT / part;
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
			      .clients = o->clients,
			      .by_name = o->by_name,
			      .again = o->again,
			      .native = o->native,
			      .topic = o->topic,
			      .unwatched = o->unwatched,
			      .shut = o->shut,
			      .full = t->mailbox.full,
			      .budget_ms = t->budget_ms,
			      .retry = t->retry != 0,
			      .at_most_once = t->at_most_once != 0,
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
	bound_mailbox(type);
	table = table_make(NULL, t->on, type_title(type), 0, code, why);
	if (!table) {
		mem_free(type);
		return NULL;
	}
	table_number(table);
	STORE(&type->table_or_gate, table);
	type->first = table;
	type->code = code_hold(code);
	return type;
}

/* Under the lock, as tables are copied there. What stays as it is is not written to. */
void type_look(struct type *t, enum entry_looked why,
	       bool (*at)(const struct type *t, const char *name))
{
	struct table *tab;

	pthread_mutex_lock(&lock);
	tab = type_table(t);
	for (uint32_t i = 0; i < tab->n; i++) {
		struct entry *e = &tab->entry[i];
		bool on = at && at(t, e->name);

		if (on && !(LOAD(&e->looked) & why))
			atomic_fetch_or(&e->looked, why);
		else if (!on && LOAD(&e->looked) & why)
			atomic_fetch_and(&e->looked, ~why);
	}
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
	else if (!type_place(0))
		why_set(why, ACTOR_ENOMEM, "%d actor types are the limit", TYPES_MAX);
	else
		type = type_make(t, o, name, code, why);
	if (type && offers_add(type->name, t->offers, why) < 0) {
		table_free(LOAD(&type->table_or_gate));
		code_drop(type->code);
		mem_free(type);
		type = NULL;
	}
	if (type) {
		type_put(type, type_place(0));
		type_show(type->id);
	}
	pthread_mutex_unlock(&lock);
	return type;
}
