/* SPDX-License-Identifier: MIT
 * control.c - the Unix socket of actorctl: lines of JSON in, calls of actors, lines of JSON
 * out.
 *
 * The idea: a nameless actor on the I/O home asks on behalf of whoever is connected; the
 * answer comes back to its handler `answered`, which finds the question and writes the
 * line. Nothing waits, so one slow call holds up nobody, and answers go out in the order
 * they come.
 *
 * Invariants: what one client can hold is bounded. With PENDING_MAX questions or
 * UNSENT_PAUSE bytes unsent it is not read any further; with UNSENT_MAX, or with nothing
 * taken for STUCK_MS, it is dropped. A client outlives its connection until its last
 * question is answered: then it is freed.
 *
 * Threads: all on the loop's. Knows no command: those are handlers, of `node` and of any
 * other actor. */
#include "control.h"
#include "ages.h"
#include "asked.h"
#include "commands.h"
#include "door.h"
#include "envelope.h"
#include "log.h"
#include "loop/stream.h"
#include "ports.h"

#include <stdio.h>

enum {
	CLIENTS_MAX = 256,
	PENDING_MAX = 64,               /* each answer may be of 16 MiB */
	UNSENT_PAUSE = 4 << 20, UNSENT_MAX = 256 << 20,
	TICK_MS = 200, STUCK_MS = 30000,
	ASK_MS = 3660000,               /* above the longest that `call` takes */
};

struct client {
	struct client *next, **prev;    /* of those connected */
	struct control *control;
	struct loop_stream *stream;     /* NULL: gone */
	size_t scanned;                 /* bytes of the line under way known to hold no newline */
	unsigned pending;
	uint64_t taken;                 /* until the last tick, and since when it is no more */
	int64_t stuck_ms;
	bool ending, paused, asked_all;
};

struct control {
	struct loop *loop;
	struct loop_listener *listener;
	struct loop_timer *tick;        /* runs while anybody is_watched() */
	bool ticking;
	struct commands *commands, *remote;
	struct client *clients;
	unsigned client_count;
	actor_id self;
	void *asked;                    /* of struct question */
	struct door door;
	struct buf scratch, line;
};

/* What of a request is needed to answer it; the texts stand behind it. */
struct question {
	struct asked asked;
	struct client *client;
	size_t cb_len, id_len;
	char texts[];                   /* cb, NUL, packed id */
};

/* --- clients ------------------------------------------------------------------ */

static void client_free_if_done(struct client *c)
{
	if (!c->stream && !c->pending)
		mem_free(c);
}

static void question_free(void *arg)
{
	struct question *q = arg;

	q->client->pending--;
	client_free_if_done(q->client);
	mem_free(q);
}

/* The connection ends here and now. */
static void drop(struct client *c)
{
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->control->client_count--;
	loop_stream_free(c->stream);
	c->stream = NULL;
	client_free_if_done(c);
}

static void drop_why(struct client *c, const char *why)
{
	log_line(LOG_WARN, "control", "a client is disconnected: %s", why);
	drop(c);
}

/* From now on the tick looks whether it reads what was sent, and whether it is still there. */
static void watch(struct client *c)
{
	struct control *k = c->control;

	c->taken = loop_stream_taken(c->stream);
	c->stuck_ms = now_ms();
	if (!k->ticking)
		loop_timer_set(k->tick, TICK_MS);
	k->ticking = true;
}

static bool is_watched(const struct client *c)
{
	return c->paused || c->ending || c->asked_all || loop_stream_waiting(c->stream);
}

static void write_line(struct client *c)
{
	struct buf *line = &c->control->line;
	bool watched = is_watched(c);

	buf_add(line, "\n", 1);
	loop_stream_write(c->stream, line->p, line->len);
	buf_clear(line);
	if (!watched && is_watched(c))
		watch(c);
}

static void write_error(struct client *c, const struct envelope *request, int code,
                        const char *text)
{
	envelope_answer(&c->control->line, request, NULL, 0, code, text);
	write_line(c);
}

/* Says why, then closes once that is out. */
static void end(struct client *c, const char *text)
{
	struct envelope nobody = { .enc = ENC_JSON };

	write_error(c, &nobody, ACTOR_EARGS, text);
	loop_stream_end(c->stream);
	c->ending = true;
	watch(c);
}

static void end_if_answered(struct client *c)
{
	if (!c->asked_all || c->pending || c->ending)
		return;
	loop_stream_end(c->stream);
	c->ending = true;
	watch(c);
}

/* --- requests ----------------------------------------------------------------- */

static void expect(struct client *c, const struct envelope *e, int64_t number)
{
	size_t id_len = e->id.at ? (size_t)(e->id.end - e->id.at) : 0;
	struct question *q = mem_alloc(sizeof *q + e->cb.len + 1 + id_len);

	q->asked.number = number;
	q->client = c;
	q->cb_len = e->cb.len;
	q->id_len = id_len;
	memcpy(q->texts, e->cb.p, e->cb.len);
	if (id_len)
		memcpy(q->texts + q->cb_len + 1, e->id.at, id_len);
	asked_add(&c->control->asked, &q->asked);
	c->pending++;
}

static void call(struct client *c, const struct envelope *e)
{
	struct call call = {
		.to = actor_find(e->tpc.p ? e->tpc.p : "node"), .what = e->func.p,
		.args = e->args, .count = e->count, .origin = FROM_CONTROL,
	};
	actor *self = core_actor(c->control->self);
	struct trace_link link = core_trace_link(e->trace.p);
	struct why why = { "" };
	int64_t rc;

	core_trace_enter(&link);
	rc = e->cb.len ? core_ask(self, &call, "answered", ASK_MS, &why)
	               : core_send(self, &call, &why);
	core_trace_leave();
	if (!e->cb.len)
		return;
	if (rc < 0)
		write_error(c, e, (int)rc, why.text);
	else
		expect(c, e, rc);
}

static void request(struct client *c, const char *p, size_t len)
{
	struct envelope e, nobody = { .enc = ENC_JSON };
	struct why why = { "" };
	int rc;

	if (len == 0 || (len == 1 && *p == '\r'))
		return;
	if (!envelope_is(p, len) || (unsigned char)*p >= 0x80) {
		write_error(c, &nobody, ACTOR_EARGS, "a request is one JSON object a line");
		return;
	}
	rc = envelope_read(&e, &c->control->scratch, p, len, &why);
	if (rc < 0)
		write_error(c, &e, rc, why.text);
	else
		call(c, &e);
}

static bool full(const struct client *c)
{
	return c->pending >= PENDING_MAX || loop_stream_waiting(c->stream) >= UNSENT_PAUSE;
}

static void pause_if_full(struct client *c)
{
	bool paused = full(c);

	if (paused && !c->paused)
		watch(c);
	c->paused = paused;
	loop_stream_pause(c->stream, paused);
}

/* The loop keeps what is not used and brings it again with more behind it, or after a pause. */
static size_t on_read(void *arg, const char *p, size_t len)
{
	struct client *c = arg;
	const char *nl;
	size_t used = 0;

	while (!c->ending && !full(c)) {
		nl = memchr(p + used + c->scanned, '\n', len - used - c->scanned);
		if (!nl) {
			c->scanned = len - used;
			break;
		}
		request(c, p + used, (size_t)(nl - p) - used);
		used = (size_t)(nl - p) + 1;
		c->scanned = 0;
	}
	if (c->ending)
		return len;
	if (c->scanned > MESSAGE_MAX) {
		end(c, "a request has at most 16 MiB");
		return len;
	}
	pause_if_full(c);
	return used;
}

/* It has asked all it wants to (`nc -N`), the last without a newline perhaps, and waits for the
 * answers. */
static void on_ended(void *arg, const char *p, size_t len)
{
	struct client *c = arg;

	request(c, p, len);
	c->asked_all = true;
	watch(c);
	end_if_answered(c);
}

static void on_closed(void *arg)
{
	drop(arg);
}

/* --- answers ------------------------------------------------------------------ */

static void answer(struct client *c, const struct question *q, const msg *m)
{
	const uint8_t *id = (const uint8_t *)q->texts + q->cb_len + 1;
	struct envelope e = { .enc = ENC_JSON, .cb = { q->texts, q->cb_len } };
	struct buf values = { 0 };
	struct packed args;
	int code = msg_error(m), count = code ? 0 : msg_pack(m, 0, &values);

	if (q->id_len)
		e.id = (struct packed){ id, id + q->id_len };
	args = packed_of(&values);
	envelope_answer(&c->control->line, &e, &args, (unsigned)count, code, msg_error_text(m));
	buf_fini(&values);
	write_line(c);
}

static void go_on(struct client *c)
{
	if (c->paused)
		pause_if_full(c);
	end_if_answered(c);
}

static int on_answered(actor *self, const msg *m)
{
	struct control *k = *(struct control **)actor_state(self);
	struct question *q = asked_take(&k->asked, msg_ask(m));
	struct client *c;

	if (!q)
		return 0;
	c = q->client;
	if (!c->stream) {
		question_free(q);
		return 0;
	}
	answer(c, q, m);
	question_free(q);
	if (loop_stream_waiting(c->stream) > UNSENT_MAX)
		drop_why(c, "256 MiB of answers are unread");
	else
		go_on(c);
	return 0;
}

/* Nobody says when a client has read what was unsent, nor when one that has asked all it wants to
 * is gone: it is looked at. */
static void on_tick(void *arg)
{
	struct control *k = arg;
	struct client *c, *next;
	uint64_t taken;

	k->ticking = false;
	for (c = k->clients; c; c = next) {
		next = c->next;
		taken = loop_stream_taken(c->stream);
		if (!is_watched(c))
			continue;
		if (c->asked_all && !c->ending && loop_stream_gone(c->stream)) {
			drop(c);
			continue;
		}
		if (taken != c->taken || !loop_stream_waiting(c->stream))
			c->stuck_ms = now_ms();
		c->taken = taken;
		if (now_ms() - c->stuck_ms > STUCK_MS) {
			drop_why(c, "it has not read for 30 s");
			continue;
		}
		if (!c->ending)
			pause_if_full(c);
		k->ticking |= is_watched(c);
	}
	if (k->ticking)
		loop_timer_set(k->tick, TICK_MS);
}

/* --- connections, life -------------------------------------------------------- */

static void on_accepted(void *arg, int fd)
{
	static const struct loop_stream_ops ops = { on_read, on_ended, on_closed };
	struct control *k = arg;
	struct client *c = mem_alloc(sizeof *c);
	unsigned uid;
	bool admitted = door_admits(fd, &uid);

	c->control = k;
	c->stream = loop_stream_new(k->loop, fd, &ops, c);
	c->next = k->clients;
	c->prev = &k->clients;
	if (c->next)
		c->next->prev = &c->next;
	k->clients = c;
	k->client_count++;
	if (!admitted) {
		log_line(LOG_WARN, "control", "user %u is refused", uid);
		end(c, "this runtime belongs to another user");
	} else if (k->client_count > CLIENTS_MAX) {
		end(c, "too many connections");
	}
}

static const struct actor_type control_type = {
	.name  = "control",
	.state = sizeof(struct control *),
	.on    = ON({ "answered", "...", on_answered, 0 }),
};

static int make_actor(struct control *k, struct why *why)
{
	struct type_options options = { .max_count = 32767, .max_bytes = 32 << 20, .native = true };
	struct spawn s = { .home = loop_home(k->loop), .init = &k, .size = sizeof k };

	s.type = core_add_type(&control_type, &options, NULL, why);
	return s.type ? core_spawn(&s, &k->self, why) : ACTOR_EFAIL;
}

/* The same commands under a name of this node's alone: a topic, for actorctl --redis. */
static int make_remote(struct control *k, const struct control_sources *sources, struct why *why)
{
	char name[NAME_MAX_LEN + 1];

	snprintf(name, sizeof name, "actord:control:%s", sources->node);
	k->remote = commands_new(loop_home(k->loop), name, sources, why);
	return k->remote ? 0 : ACTOR_EFAIL;
}

struct control *control_new(struct loop *l, const char *path, const struct control_sources *sources,
                            struct why *why)
{
	struct control *k = mem_alloc(sizeof *k);

	k->loop = l;
	if (door_open(&k->door, path, why) != 0)
		goto fail;
	k->commands = commands_new(loop_home(l), "node", sources, why);
	if (!k->commands || make_actor(k, why) != 0 || make_remote(k, sources, why) != 0)
		goto fail;
	k->tick = loop_timer_new(l, on_tick, k);
	ages_begin(l);
	k->listener = loop_listen(l, k->door.fd, on_accepted, k);
	k->door.fd = -1;
	return k;
fail:
	control_free(k);
	return NULL;
}

const char *control_path(const struct control *c)
{
	return c->door.path;
}

void control_ready(struct control *c)
{
	commands_ready(c->commands);
	commands_ready(c->remote);
}

void control_free(struct control *c)
{
	if (!c)
		return;
	loop_listener_free(c->listener);
	door_close(&c->door);
	while (c->clients)
		drop(c->clients);
	asked_free(&c->asked, question_free);
	ages_end();
	loop_timer_free(c->tick);
	commands_free(c->commands);
	commands_free(c->remote);
	buf_fini(&c->scratch);
	buf_fini(&c->line);
	mem_free(c);
}
