/* SPDX-License-Identifier: MIT
 * session.c - a client: its login, its calls, what comes back.
 *
 * Each connection is an actor on the gateway's home, a proxy: a handler that remembers msg_from()
 * can push to the client, and whatever it sends arrives as a frame. A call from the client becomes
 * an ask of the session; its answer finds the call by the ask's number and goes out as that came.
 *
 *   frame -> login? -> who is meant -> core_ask ... answer() -> frame
 *                                   `-> mailbox full: the frame waits in `held`, order kept
 *
 * Invariants: a frame is handed on only when none is held before it; a call is in `calls` exactly
 * while its answer is due; nothing is sent once a close was asked for.
 * Threads: the gateway's only; others see the counters and `quiet`. It knows no socket: frames go
 * through the port. Login policies are not here: any name that is not empty is let in. */
#include "session.h"

#include "envelope.h"
#include "log.h"
#include "registry.h"
#include "sync.h"

enum {
	ANSWER_MS = 30000,              /* what an actor may take; then it is ACTOR_ETIME */
	FULL_MS = 30000,                /* how long a call waits for room in a mailbox */
	RETRY_MS = 10,
	CALLS_BUSY = 1024,              /* of one client, then it is read no more */
	CALLS_FIRST = 16,
	SESSION_COUNT = 4096, SESSION_BYTES = 8 << 20,  /* its mailbox: pushes at once */
	CLOSE_POLICY = 1008, CLOSE_MALFORMED = 1007,
};

struct waiting {                        /* a call whose answer is due */
	struct waiting *next;           /* in its bucket */
	int64_t ask;
	enum encoding enc;
	uint32_t cb_len, id_len;
	char bytes[];                   /* cb, NUL, id */
};

struct held {
	struct held *next;
	int64_t since_ms;
	size_t len;
	char bytes[];
};

struct session {
	void *conn;
	actor_id id;
	enum encoding enc;              /* of its last message: what is pushed is encoded so */
	bool in, closing;
	uint32_t count, size;           /* calls, and buckets for them */
	struct waiting **calls;
	struct held *held, **held_end;
	struct session *next, **link;   /* among those with a held frame */
	char *guid;                     /* from its login on */
};

static const struct frames_port *port;
static struct home *home;
static struct type *type;
static actor_id keeper;                 /* tries held frames again when nothing else would */
static bool keeping;                    /* it has a message or a timer under way */
static struct session *full, **full_end = &full;        /* those with a held frame, oldest first */
static struct buf scratch, values, frame;       /* of the message at hand */
static _Atomic bool quiet;
static _Atomic uint64_t calls, answers, refused;
static _Atomic unsigned waiting;        /* calls and held frames */

/* --- to the client ----------------------------------------------------------------------- */

static void send_frame(struct session *s, enum encoding enc)
{
	port->send(s->conn, frame.p, frame.len, enc == ENC_JSON);
	buf_clear(&frame);
}

static void close_session(struct session *s, int code, const char *reason)
{
	s->closing = true;
	port->close(s->conn, code, reason);
}

static struct packed packed_values(void)
{
	return (struct packed){ (const uint8_t *)values.p, (const uint8_t *)values.p + values.len };
}

/* n of them, in `values`. */
static void answer_values(struct session *s, const struct envelope *e, unsigned n)
{
	struct packed args = packed_values();

	envelope_answer(&frame, e, &args, n, 0, NULL);
	if (frame.len > MESSAGE_MAX) {
		buf_clear(&frame);
		envelope_answer(&frame, e, NULL, 0, ACTOR_EFAIL, "the answer is over 16 MiB");
	}
	send_frame(s, e->enc);
}

static void answer_error(struct session *s, const struct envelope *e, int code, const char *text)
{
	envelope_answer(&frame, e, NULL, 0, code, text);
	send_frame(s, e->enc);
}

static void refuse(struct session *s, const struct envelope *e, int code, const char *text)
{
	COUNT_UP(&refused, 1);
	answer_error(s, e, code, text);
}

/* --- calls whose answer is due ------------------------------------------------------------ */

static struct waiting **bucket(const struct session *s, int64_t ask)
{
	return &s->calls[(uint64_t)ask * 0x9e3779b97f4a7c15u >> 32 & (s->size - 1)];
}

static void calls_grow(struct session *s)
{
	struct session old = *s;

	s->size = old.size ? 2 * old.size : CALLS_FIRST;
	s->calls = mem_alloc(s->size * sizeof *s->calls);
	for (uint32_t i = 0; i < old.size; i++)
		for (struct waiting *w = old.calls[i], *next; w; w = next) {
			struct waiting **at = bucket(s, w->ask);

			next = w->next;
			w->next = *at;
			*at = w;
		}
	mem_free(old.calls);
}

static void calls_add(struct session *s, const struct envelope *e, int64_t ask)
{
	size_t id_len = e->id.at ? (size_t)(e->id.end - e->id.at) : 0;
	struct waiting *w = mem_alloc(sizeof *w + e->cb.len + 1 + id_len), **at;

	w->ask = ask;
	w->enc = e->enc;
	w->cb_len = (uint32_t)e->cb.len;
	w->id_len = (uint32_t)id_len;
	if (e->cb.len)
		memcpy(w->bytes, e->cb.p, e->cb.len);
	if (id_len)
		memcpy(w->bytes + w->cb_len + 1, e->id.at, id_len);
	if (s->count >= s->size)
		calls_grow(s);
	at = bucket(s, ask);
	w->next = *at;
	*at = w;
	s->count++;
	COUNT_UP(&waiting, 1);
}

static struct waiting *calls_take(struct session *s, int64_t ask)
{
	struct waiting **at = s->size ? bucket(s, ask) : NULL, *w;

	while (at && *at && (*at)->ask != ask)
		at = &(*at)->next;
	if (!at || !*at)
		return NULL;
	w = *at;
	*at = w->next;
	s->count--;
	COUNT_UP(&waiting, -1u);
	return w;
}

static void calls_drop(struct session *s)
{
	for (uint32_t i = 0; i < s->size; i++)
		for (struct waiting *w = s->calls[i], *next; w; w = next) {
			next = w->next;
			mem_free(w);
		}
	COUNT_UP(&waiting, -s->count);
	mem_free(s->calls);
}

static struct envelope request_of(const struct waiting *w)
{
	const uint8_t *id = (const uint8_t *)w->bytes + w->cb_len + 1;

	return (struct envelope){
		.enc = w->enc, .cb = { w->bytes, w->cb_len },
		.id = { w->id_len ? id : NULL, id + w->id_len },
	};
}

/* --- from the client ---------------------------------------------------------------------- */

/* The local actor of that name, else the global table. A client may make up names for ever, so an
 * unknown one is looked up without being remembered. */
static actor_ref whom(const struct text *tpc)
{
	struct name *n = tpc->len ? name_find(tpc->p, tpc->len) : NULL;

	return actor_find(n && name_bearer(n) ? name_text(n) : "");
}

/* Those who want to know who comes and goes have joined these groups. */
static void tell_group(const struct session *s, const char *group)
{
	buf_clear(&values);
	pack_text(&values, s->guid);
	core_publish(core_actor(s->id), group, packed_values(), 1);
}

static void came_in(struct session *s, const struct value *guid)
{
	size_t len = guid->len < NAME_MAX_LEN ? guid->len : NAME_MAX_LEN;

	while (len < guid->len && (guid->str[len] & 0xc0) == 0x80)      /* whole characters */
		len--;
	s->guid = mem_string(guid->str, len);
	tell_group(s, "client in");
}

static int login(struct session *s, const struct envelope *e)
{
	struct envelope back = { .enc = e->enc, .cb = { "loginback", 9 }, .id = e->id };
	struct packed args = e->args;
	struct value guid, hash;

	s->in = e->count == 2 && packed_next(&args, &guid) > 0 && guid.type == VALUE_STR &&
	        guid.len && packed_next(&args, &hash) > 0 && hash.type == VALUE_STR;
	buf_clear(&values);
	pack_int(&values, !s->in);
	answer_values(s, &back, 1);
	if (s->in)
		came_in(s, &guid);
	else
		close_session(s, CLOSE_POLICY, "login takes a GUID and a password's hash");
	return 0;
}

static int stranger(struct session *s, const struct envelope *e)
{
	if (e->func.len == 5 && !memcmp(e->func.p, "login", 5))
		return login(s, e);
	refuse(s, e, ACTOR_EFAIL, "log in first: {\"func\":\"login\",\"args\":[GUID,HASH]}");
	close_session(s, CLOSE_POLICY, "log in first");
	return 0;
}

static int call(struct session *s, const struct envelope *e, struct why *why)
{
	struct call c = {
		.to = whom(&e->tpc), .what = e->func.p, .args = e->args, .count = e->count,
		.client = true, .origin = FROM_CLIENT,
	};
	actor *self = core_actor(s->id);
	int64_t ask;

	if (!e->func.len)
		return why_set(why, ACTOR_ENOENT, "func names no handler");
	if (!e->cb.len && !e->id.at)
		return core_send(self, &c, why);
	if (e->cb.len > NAME_MAX_LEN || (e->id.at && e->id.end - e->id.at > NAME_MAX_LEN))
		return why_set(why, ACTOR_EARGS, "cb and id have %d bytes at most", NAME_MAX_LEN);
	ask = core_ask(self, &c, "answer", ANSWER_MS, why);
	if (ask < 0)
		return (int)ask;
	calls_add(s, e, ask);
	return 0;
}

/* ACTOR_EFULL: try again later, nothing was done. last: do not. */
static int take(struct session *s, const void *bytes, size_t len, bool last)
{
	struct why why = { "" };
	struct envelope e;
	int err = envelope_read(&e, &scratch, bytes, len, &why);

	if (err) {
		COUNT_UP(&refused, 1);
		close_session(s, CLOSE_MALFORMED, why.text);
		return 0;
	}
	s->enc = e.enc;
	if (!s->in)
		return stranger(s, &e);
	if (LOAD(&quiet))
		err = why_set(&why, ACTOR_EFAIL, "the node is stopping");
	else
		err = call(s, &e, &why);
	if (err == ACTOR_EFULL && !last)
		return err;
	COUNT_UP(&calls, 1);
	if (err)
		refuse(s, &e, err, why.text);
	return 0;
}

/* --- frames that found a mailbox full ----------------------------------------------------- */

static void full_add(struct session *s)
{
	struct call c = { .to = keeper, .what = "again" };

	s->held_end = &s->held;
	s->next = NULL;
	s->link = full_end;
	*full_end = s;
	full_end = &s->next;
	if (!keeping)
		keeping = !core_send(core_actor(s->id), &c, NULL);
}

static void full_remove(struct session *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	else
		full_end = s->link;
}

static void hold(struct session *s, const void *bytes, size_t len)
{
	struct held *h = mem_alloc(sizeof *h + len);

	h->since_ms = now_ms();
	h->len = len;
	memcpy(h->bytes, bytes, len);
	if (!s->held)
		full_add(s);
	*s->held_end = h;
	s->held_end = &h->next;
	COUNT_UP(&waiting, 1);
}

static void held_drop(struct session *s)
{
	struct held *h = s->held;

	s->held = h->next;
	mem_free(h);
	COUNT_UP(&waiting, -1u);
	if (!s->held)
		full_remove(s);
}

static bool held_retry(struct session *s)       /* none is left */
{
	while (s->held) {
		bool last = now_ms() - s->held->since_ms > FULL_MS;

		if (!s->closing && take(s, s->held->bytes, s->held->len, last))
			return false;
		held_drop(s);
	}
	return true;
}

/* Most often all wait for the same actor, and each try reads the message again: the first that
 * fails ends it. Those that wait for another actor are the keeper's. */
void session_retry(void)
{
	while (full && held_retry(full))
		;
}

static int again(actor *self, const msg *m)
{
	(void)m;
	for (struct session *s = full, *next; s; s = next) {
		next = s->next;
		held_retry(s);
	}
	keeping = full && actor_after(self, RETRY_MS, "again") > 0;
	return 0;
}

/* --- what actors send to it --------------------------------------------------------------- */

/* Holds NULL when the connection is closed: until the actor has ended, messages still arrive. */
static struct session **session_of(actor *self)
{
	return actor_state(self);
}

/* to, what, values: a handler remembered msg_from(). */
static int push(actor *self, const msg *m)
{
	struct session *s = *session_of(self);
	struct envelope e = { .func = { msg_str(m, 1), msg_len(m, 1) } };

	if (!s || s->closing)
		return ACTOR_ENOENT;
	e.enc = s->enc;
	buf_clear(&values);
	e.count = (unsigned)msg_pack(m, 2, &values);
	e.args = packed_values();
	envelope_write(&frame, &e);
	send_frame(s, e.enc);
	return 0;
}

static int answer(actor *self, const msg *m)
{
	struct session *s = *session_of(self);
	struct waiting *w = s ? calls_take(s, msg_ask(m)) : NULL;
	struct envelope e;
	int n;

	if (!w)
		return 0;
	e = request_of(w);
	COUNT_UP(&answers, 1);
	if (s->closing) {
		mem_free(w);
		return 0;
	}
	buf_clear(&values);
	if (msg_error(m))
		answer_error(s, &e, msg_error(m), msg_error_text(m));
	else if ((n = msg_pack(m, 0, &values)) >= 0)
		answer_values(s, &e, (unsigned)n);
	mem_free(w);
	return 0;
}

/* --- its life ----------------------------------------------------------------------------- */

static const struct actor_type session_type = {
	.name = "session",
	.state = sizeof(struct session *),
	.on = ON({ "push", "to:str what:str ...", push, 0 }, { "answer", "...", answer, 0 }),
};

static const struct actor_type keeper_type = {
	.name = "gateway",
	.on = ON({ "again", "", again, 0 }),
};

int session_setup(struct home *h, const struct frames_port *p, struct why *why)
{
	struct type_options proxy = {
		.max_count = SESSION_COUNT, .max_bytes = SESSION_BYTES,
		.proxy = true, .native = true,
	};
	struct type_options native = { .native = true };
	struct spawn s = { .home = h };

	home = h;
	port = p;
	type = core_add_type(&session_type, &proxy, NULL, why);
	s.type = type ? core_add_type(&keeper_type, &native, NULL, why) : NULL;
	if (!s.type)
		return ACTOR_EFAIL;
	return core_spawn(&s, &keeper, why);
}

struct session *session_new(void *conn)
{
	struct session *s = mem_alloc(sizeof *s);
	struct spawn spawn = { .type = type, .home = home, .init = &s, .size = sizeof s };
	struct why why;

	s->conn = conn;
	if (!core_spawn(&spawn, &s->id, &why))
		return s;
	log_line(LOG_WARN, "gateway", "a client was turned away: %s", why.text);
	mem_free(s);
	return NULL;
}

void session_frame(struct session *s, const void *bytes, size_t len)
{
	if (s->closing)
		return;
	if (s->held || take(s, bytes, len, false))
		hold(s, bytes, len);
}

bool session_busy(const struct session *s)
{
	return s->held || s->count > CALLS_BUSY;
}

void session_gone(struct session *s)
{
	actor *self = core_actor(s->id);

	if (s->guid)
		tell_group(s, "client out");
	mem_free(s->guid);
	if (self) {
		*session_of(self) = NULL;
		core_end(self);
	}
	while (s->held)
		held_drop(s);
	calls_drop(s);
	mem_free(s);
}

void session_quiet(void)
{
	STORE(&quiet, true);
}

void session_info(struct session_info *out)
{
	*out = (struct session_info){
		.calls = LOAD(&calls), .answers = LOAD(&answers),
		.refused = LOAD(&refused), .waiting = LOAD(&waiting),
	};
}
