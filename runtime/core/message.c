/* SPDX-License-Identifier: MIT
 * message.c - the pool of messages, and values into and out of them. */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sync.h"

char *message_region;

/* index 0 means none; below MSG_FIRST are mailbox states */
static _Atomic uint32_t next_unit = 64;
/* Full magazines, chained by the first message of each, which has the next one in its slots. */
static struct {
	spinlock lock;
	struct magazine top[CLASSES];
} depot;

int message_init(struct why *why)
{
	if (message_region)
		return 0;
	message_region =
		mmap(NULL, (size_t)MSG_UNITS * sizeof(struct msg), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (message_region == MAP_FAILED) {
		message_region = NULL;
		return why_set(why, ACTOR_ENOMEM,
			       "cannot reserve address space for messages (16 GiB; is "
			       "there a limit, ulimit -v?)");
	}
	return 0;
}

/* New units, never used before. Out of region means 16 GiB of messages under way: the limits of
 * millions of mailboxes added up. There is nothing left to save then. */
static struct magazine carve(int cls)
{
	uint32_t units = 1u << cls, n = magazine_size(cls);
	uint32_t at = atomic_fetch_add(&next_unit, units * n);

	if (at > MSG_UNITS - units * n) {
		fputs("actord: out of memory for messages (16 GiB under way)\n", stderr);
		abort();
	}
	for (uint32_t i = 0; i < n; i++)
		msg_at(at + i * units)->next = i + 1 < n ? at + (i + 1) * units : 0;
	return (struct magazine){ at, n };
}

static struct magazine depot_take(int cls)
{
	struct magazine mag;

	spin_lock(&depot.lock);
	mag = depot.top[cls];
	if (mag.n) {
		const uint64_t *next = msg_at(mag.list)->slot;

		depot.top[cls] = (struct magazine){ (uint32_t)next[0], (uint32_t)next[1] };
	}
	spin_unlock(&depot.lock);
	return mag;
}

static void depot_give(int cls, struct magazine mag)
{
	uint64_t *next = msg_at(mag.list)->slot;

	spin_lock(&depot.lock);
	next[0] = depot.top[cls].list;
	next[1] = depot.top[cls].n;
	depot.top[cls] = mag;
	spin_unlock(&depot.lock);
}

COLD struct msg *message_refill(struct message_pool *p, int cls)
{
	if (p->spare[cls].n) {
		p->free[cls] = p->spare[cls];
		p->spare[cls] = (struct magazine){ 0, 0 };
	} else {
		p->free[cls] = depot_take(cls);
		if (!p->free[cls].n)
			p->free[cls] = carve(cls);
	}
	return message_new(p, cls);
}

COLD void message_give_back(struct message_pool *p, int cls)
{
	if (p->spare[cls].n)
		depot_give(cls, p->spare[cls]);
	p->spare[cls] = p->free[cls];
	p->free[cls] = (struct magazine){ 0, 0 };
}

void message_free_large(struct message_pool *p, struct msg *m)
{
	if (m->flags & MSG_HEAP)
		mem_free((void *)(uintptr_t)m->slot[0]);
	message_put(p, m, m->flags & MSG_CLASS);
}

/* --- values ------------------------------------------------------------------------------- */

void args_of_site(struct arg *args, const char *types, const uint64_t *values, int n)
{
	for (int i = 0; i < n; i++) {
		struct arg *a = &args[i];

		*a = (struct arg){ .type = VALUE_INT, .bits = values[i] };
		switch (types[i]) {
		case 'd': a->type = VALUE_NUM; break;
		case 'b': a->type = VALUE_BOOL; break;
		case 'u': a->type = values[i] > INT64_MAX ? VALUE_UINT : VALUE_INT; break;
		case 's':
			a->p = (const char *)(uintptr_t)values[i];
			a->type = a->p ? VALUE_STR : VALUE_NULL;
			a->len = a->p ? (uint32_t)strlen(a->p) : 0;
			break;
		}
	}
}

static uint64_t bits_of(double num)
{
	uint64_t bits;

	memcpy(&bits, &num, sizeof bits);
	return bits;
}

static double num_of(uint64_t bits)
{
	double num;

	memcpy(&num, &bits, sizeof num);
	return num;
}

int args_of_packed(struct arg *args, struct packed in, unsigned count, struct why *why)
{
	if (count > VALUES_MAX)
		return why_set(why, ACTOR_EARGS,
			       "%u values: a message takes %d at most, put them in a list", count,
			       VALUES_MAX);
	for (unsigned i = 0; i < count; i++) {
		struct arg *a = &args[i];
		struct packed whole = in;
		struct value v;

		if (packed_next(&in, &v) != 1)
			return why_set(why, ACTOR_EARGS, "%u values announced, %u there", count, i);
		*a = (struct arg){
			.type = v.type, .bits = (uint64_t)v.i, .p = v.str, .len = (uint32_t)v.len};
		if (v.type == VALUE_NUM)
			a->bits = bits_of(v.num);
		if (v.type == VALUE_LIST || v.type == VALUE_MAP) {
			in = whole;
			packed_skip(&in);
			a->p = whole.at;
			a->len = (uint32_t)(in.at - whole.at);
		}
	}
	return 0;
}

void arg_of_message(struct arg *a, const struct msg *m, unsigned i)
{
	uint64_t slot = msg_slots(m)[i];

	*a = (struct arg){ .type = msg_tag(m, i), .bits = slot };
	if (a->type >= VALUE_STR && a->type <= VALUE_MAP) {
		a->p = msg_body(m) + (slot >> 32);
		a->len = (uint32_t)slot;
	}
}

static int misfit(const struct arg *a, unsigned i, const struct signature *s, const char *who,
		  const char *text, struct why *why)
{
	char param[64];

	signature_param(text, (int)i, param, sizeof param);
	return why_set(why, ACTOR_EARGS, "%s: argument %u (%s) wants %s, got %s", who, i + 1, param,
	               param_name(s->type[i]), value_name(a->type));
}

int args_fit(struct arg *args, unsigned n, const struct signature *s, const char *who,
	     const char *text, struct why *why)
{
	if (n < s->min || (n > s->max && !s->rest))
		return why_set(why, ACTOR_EARGS, "%s takes (%s), got %u argument%s", who, text, n,
			       n == 1 ? "" : "s");
	for (unsigned i = 0; i < n && i < s->max; i++) {
		struct arg *a = &args[i];
		struct value v = { .type = a->type, .i = (int64_t)a->bits };

		v.num = a->type == VALUE_NUM ? num_of(a->bits)
		      : a->type == VALUE_UINT ? (double)a->bits : (double)(int64_t)a->bits;
		if (!signature_fit(s, (int)i, &v))
			return misfit(a, i, s, who, text, why);
		a->type = v.type;
		a->bits = v.type == VALUE_NUM ? bits_of(v.num) : (uint64_t)v.i;
	}
	return 0;
}

size_t message_size(const struct arg *args, unsigned n)
{
	size_t size = 8 * n + (n > SLOTS_INLINE ? n : 0);

	for (unsigned i = 0; i < n; i++)
		if (args[i].type >= VALUE_STR && args[i].type <= VALUE_MAP)
			size += args[i].len + 1;
	return size;
}

/* The class whose messages hold so many bytes of values; CLASSES: they are on the heap. */
static int class_of(size_t size)
{
	int cls = 0;

	while (cls < CLASSES && offsetof(struct msg, slot) + size > sizeof(struct msg) << cls)
		cls++;
	return cls;
}

uint32_t message_units(size_t size)
{
	int cls = class_of(size);

	return cls < CLASSES ? 1u << cls : 1 + (uint32_t)((size + 63) >> 6);
}

static void fill(char *body, const struct arg *args, unsigned n)
{
	size_t at = 8 * n + (n > SLOTS_INLINE ? n : 0);

	for (unsigned i = 0; i < n; i++) {
		uint64_t slot = args[i].bits;

		if (n > SLOTS_INLINE)
			body[8 * n + i] = (char)args[i].type;
		if (args[i].type >= VALUE_STR && args[i].type <= VALUE_MAP) {
			slot = (uint64_t)at << 32 | args[i].len;
			if (args[i].len)
				memcpy(body + at, args[i].p, args[i].len);
			body[at + args[i].len] = 0;
			at += args[i].len + 1;
		}
		memcpy(body + 8 * i, &slot, sizeof slot);
	}
}

struct msg *message_make(struct message_pool *p, const struct arg *args, unsigned n)
{
	size_t size = message_size(args, n);
	int cls = class_of(size);
	struct msg *m;
	void *body;

	if (size > MESSAGE_MAX)
		return NULL;
	if (cls < CLASSES) {
		m = message_new(p, cls);
	} else {
		body = mem_room(size);
		if (!body)
			return NULL;
		m = message_new(p, 0);
		m->flags |= MSG_HEAP;
		m->slot[0] = (uint64_t)(uintptr_t)body;
		m->slot[1] = size;
	}
	m->n = (uint8_t)n;
	m->types = 0;
	for (unsigned i = 0; i < n && n <= SLOTS_INLINE; i++)
		m->types |= (uint16_t)(args[i].type << 4 * i);
	fill(msg_body(m), args, n);
	return m;
}

struct msg *message_copy(struct message_pool *p, const struct msg *m)
{
	int cls = m->flags & MSG_CLASS;
	void *body = m->flags & MSG_HEAP ? mem_room(m->slot[1]) : NULL;
	struct msg *copy;

	if (m->flags & MSG_HEAP && !body)
		return NULL;
	copy = message_new(p, cls);
	memcpy(copy, m, sizeof *m << cls);
	if (body) {
		memcpy(body, msg_body(m), m->slot[1]);
		copy->slot[0] = (uint64_t)(uintptr_t)body;
	}
	return copy;
}

void message_pack_one(const struct msg *m, unsigned i, struct buf *out)
{
	struct arg a;

	arg_of_message(&a, m, i);
	switch (a.type) {
	case VALUE_NULL:  pack_null(out); break;
	case VALUE_INT:   pack_int(out, (int64_t)a.bits); break;
	case VALUE_UINT:  pack_uint(out, a.bits); break;
	case VALUE_NUM:   pack_num(out, num_of(a.bits)); break;
	case VALUE_BOOL:  pack_bool(out, a.bits); break;
	case VALUE_STR:   pack_str(out, a.p, a.len); break;
	case VALUE_BYTES: pack_bytes(out, a.p, a.len); break;
	case VALUE_LIST:
	case VALUE_MAP:   buf_add(out, a.p, a.len); break;
	}
}

void message_pack(const struct msg *m, unsigned first, struct buf *out)
{
	for (unsigned i = first; i < m->n; i++)
		message_pack_one(m, i, out);
}
