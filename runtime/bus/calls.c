/* SPDX-License-Identifier: MIT
 * calls.c - from an actor of this node to a list, and the answer back.
 *
 * The idea: what is sent to `list:TOPIC` is RPUSHed on TOPIC as the message that the other side's
 * clients push. A question names this node's reply topic as its ct and its own number as its cb;
 * whoever answers echoes that, on the list or the channel.
 *
 * A place lives until its answer is given and Redis has replied to its RPUSH, whichever is later;
 * its number has a serial in it, so that a late answer finds nobody; it begins anywhere, as a list
 * may still hold answers for the process that had this node's name before. A place that is not
 * answered is given back at the asker's own deadline.
 *
 * The loop's thread only, most of it inside a turn of the bus's actor. */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "envelope.h"
#include "log.h"

enum { SAY_MS = 5000, PLACE_BITS = 16, FULL_LOOK_MS = 100 };

struct place {
	struct calls *of;
	struct place *next;             /* free */
	msg_caller caller;              /* 0: nobody, or answered */
	int64_t due_ms;                 /* its asker waits until then */
	uint32_t at, serial;
	bool pushing;
};

struct calls {
	actor *self;
	const struct redis_port *port;
	char *reply;
	struct place **place;
	struct place *free;
	unsigned n, room, waiting, publishing;
	struct buf values, out;
	char reason[300];
	int64_t said_ms, expired_ms;
};

struct calls *calls_new(actor *self, const struct redis_port *port, const char *reply)
{
	struct calls *c = mem_alloc(sizeof *c);

	c->self = self;
	c->port = port;
	c->reply = mem_string(reply, strlen(reply));
	c->said_ms = -SAY_MS;
	calls_down(c, "not connected yet");
	return c;
}

void calls_free(struct calls *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n; i++)
		mem_free(c->place[i]);
	mem_free(c->place);
	mem_free(c->reply);
	buf_fini(&c->values);
	buf_fini(&c->out);
	mem_free(c);
}

static struct place *place_new(struct calls *c)
{
	struct place *p;

	if (!c->free && c->n == CALLS_MOST && now_ms() - c->expired_ms >= FULL_LOOK_MS)
		calls_expire(c);
	p = c->free;
	if (p) {
		c->free = p->next;
	} else {
		if (c->n == CALLS_MOST)
			return NULL;
		if (c->n == c->room) {
			c->room = c->room ? 2 * c->room : 16;
			c->place = mem_resize(c->place, c->room * sizeof *c->place);
		}
		p = mem_alloc(sizeof *p);
		p->of = c;
		p->serial = (uint32_t)random_u64();
		p->at = c->n;
		c->place[c->n++] = p;
	}
	p->serial++;
	p->caller = 0;
	return p;
}

static void place_free(struct place *p)
{
	if (p->pushing || p->caller)
		return;
	p->next = p->of->free;
	p->of->free = p;
}

static void settle(struct place *p, struct packed args, unsigned count, int code, const char *text)
{
	struct calls *c = p->of;

	if (p->caller) {
		core_answer(c->self, p->caller, args, count, code, text);
		c->waiting--;
	}
	p->caller = 0;
	place_free(p);
}

static void refuse(struct place *p, int code, const char *text)
{
	settle(p, (struct packed){ NULL, NULL }, 0, code, text);
}

/* Of what was sent without a question nobody hears but the log. */
static void complain(struct calls *c, const char *text)
{
	if (now_ms() - c->said_ms < SAY_MS)
		return;
	c->said_ms = now_ms();
	log_line(LOG_WARN, "bus", "a message to a list was lost: %s", text);
}

static void on_pushed(void *arg, const struct redis_reply *r)
{
	struct place *p = arg;
	struct calls *c = p->of;
	char text[256];

	p->pushing = false;
	if (r->type != REDIS_GONE && r->type != REDIS_ERROR) {
		place_free(p);
		return;
	}
	if (r->type == REDIS_GONE)
		snprintf(text, sizeof text,
		         "Redis was lost before it said that it has the message");
	else
		snprintf(text, sizeof text, "Redis refused the message: %.*s", (int)r->len, r->str);
	if (!p->caller)
		complain(c, text);
	refuse(p, ACTOR_EFAIL, text);
}

static struct text trace_here(char out[TRACE_TEXT])
{
	struct trace_link l;

	if (!core_trace_here(&l))
		return (struct text){ NULL, 0 };
	core_trace_text(&l, out);
	return (struct text){ out, TRACE_TEXT - 1 };
}

static void compose(struct calls *c, const msg *m, const struct place *p)
{
	struct envelope e = { .enc = ENC_JSON, .ct = { "", 0 }, .cb = { "", 0 } };
	char cb[24], trace[TRACE_TEXT];

	buf_clear(&c->values);
	buf_clear(&c->out);
	e.count = (unsigned)msg_pack(m, 2, &c->values);
	e.args.at = (const uint8_t *)c->values.p;
	e.args.end = e.args.at + c->values.len;
	e.func = (struct text){ msg_str(m, 1), msg_len(m, 1) };
	e.trace = trace_here(trace);
	if (p->caller) {
		e.ct = (struct text){ c->reply, strlen(c->reply) };
		e.cb.len = (size_t)snprintf(cb, sizeof cb, "%llx",
		                            (unsigned long long)p->serial << PLACE_BITS | p->at);
		e.cb.p = cb;
	}
	envelope_write(&c->out, &e);
}

int calls_push(struct calls *c, const msg *m)
{
	const char *topic = msg_str(m, 0) + sizeof "list:" - 1;
	const char *argv[] = { "RPUSH", topic, NULL };
	size_t len[] = { 5, strlen(topic), 0 };
	struct place *p = place_new(c);
	int left_ms = core_left_ms(m);
	char text[400];

	if (!p)
		return msg_fail(m, "%d messages to lists wait already: try again later",
		                CALLS_MOST);
	p->caller = msg_defer(m);
	p->due_ms = now_ms() + left_ms;
	c->waiting += p->caller != 0;
	compose(c, m, p);
	argv[2] = c->out.p;
	len[2] = c->out.len;
	if (!len[1] || c->out.len > MESSAGE_MAX) {
		refuse(p, ACTOR_EARGS,
		       len[1] ? "a message is at most 16 MiB" : "list: names no list");
		return 0;
	}
	p->pushing = true;
	if (!c->port->command(c->port->link, on_pushed, p, 3, argv, len))
		return 0;
	p->pushing = false;
	snprintf(text, sizeof text, "Redis is away: %s", c->reason);
	if (!p->caller)
		complain(c, text);
	refuse(p, ACTOR_EFAIL, text);
	return 0;
}

static void on_published(void *arg, const struct redis_reply *r)
{
	((struct calls *)arg)->publishing--;
	if (r->type == REDIS_ERROR)
		complain(arg, "Redis refused to publish it");
}

int calls_publish(struct calls *c, const msg *m, const char *node)
{
	struct envelope e = { .enc = ENC_MSGPACK, .func = { msg_str(m, 3), msg_len(m, 3) },
	                      .pid = { node, strlen(node) } };
	const char *argv[] = { "PUBLISH", msg_str(m, 2), NULL };
	size_t len[] = { 7, msg_len(m, 2), 0 };
	char trace[TRACE_TEXT];

	e.trace = trace_here(trace);
	buf_clear(&c->values);
	buf_clear(&c->out);
	e.count = (unsigned)msg_pack(m, 4, &c->values);
	e.args.at = (const uint8_t *)c->values.p;
	e.args.end = e.args.at + c->values.len;
	envelope_write(&c->out, &e);
	argv[2] = c->out.p;
	len[2] = c->out.len;
	if (c->port->command(c->port->link, on_published, c, 3, argv, len))
		return msg_fail(m, "Redis is away: %s", c->reason);
	c->publishing++;
	return 0;
}

void calls_answered(struct calls *c, const char *cb, struct packed args, unsigned count, int code,
                    const char *text)
{
	unsigned long long number = strtoull(cb, NULL, 16);
	uint32_t at = number & ((1u << PLACE_BITS) - 1);
	struct place *p = at < c->n ? c->place[at] : NULL;

	if (p && p->serial == (uint32_t)(number >> PLACE_BITS) && p->caller)
		settle(p, args, count, code, text);
}

void calls_down(struct calls *c, const char *reason)
{
	snprintf(c->reason, sizeof c->reason, "%s", reason);
}

void calls_expire(struct calls *c)
{
	int64_t now = c->expired_ms = now_ms();

	for (unsigned i = 0; i < c->n && c->waiting; i++) {
		if (c->place[i]->caller && now >= c->place[i]->due_ms)
			refuse(c->place[i], ACTOR_ETIME, "no answer in time");
	}
}

void calls_forget(struct calls *c)
{
	for (unsigned i = 0; i < c->n; i++)
		c->place[i]->caller = 0;
	c->waiting = 0;
}

unsigned calls_waiting(const struct calls *c)
{
	return c->waiting;
}

bool calls_said(const struct calls *c)
{
	return !c->publishing;
}
