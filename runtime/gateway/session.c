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
 * Frames behind a login are held until it is settled (login.c); what is held then is tried by
 * whoever settles it, not by the keeper.
 *
 * Invariants: a frame is handed on only when none is held before it; a call is in `due` exactly
 * while its answer is due; nothing is sent once a close was asked for.
 * Threads: a session has one for life, its connection's, and with the others on it a struct
 * sessions; other threads see the counters and `quiet`, and its place among the users (users.c). It
 * knows no socket: frames go through the port. */
#include "session.h"

#include "log.h"
#include "login.h"
#include "registry.h"
#include "sync.h"
#include "users.h"

enum {
	ANSWER_MS = 30000,              /* what an actor may take; then it is ACTOR_ETIME */
	FULL_MS = 30000,                /* how long a call waits for room in a mailbox */
	CALLS_BUSY = 1024,              /* of one client, then it is read no more */
	SESSION_COUNT = 4096, SESSION_BYTES = 8 << 20,  /* its mailbox: pushes at once */
};

struct held {
	struct held *next;
	int64_t since_ms;
	size_t len;
	char bytes[];
};

static const struct frames_port *port;
static struct type *type;
static _Atomic bool quiet;

/* --- to the client ----------------------------------------------------------------------- */

static void send_frame(struct session *s, enum encoding enc)
{
	struct buf *frame = &s->here->frame;

	port->send(s->conn, frame->p, frame->len, enc == ENC_JSON);
	buf_clear(frame);
}

void session_close(struct session *s, int code, const char *reason)
{
	if (s->closing)
		return;
	s->closing = true;
	users_leave(s);
	port->close(s->conn, code, reason);
}

static struct packed packed_values(const struct sessions *here)
{
	const uint8_t *p = (const uint8_t *)here->values.p;

	return (struct packed){ p, p + here->values.len };
}

void session_answer(struct session *s, const struct envelope *e, struct packed args, unsigned n)
{
	struct buf *frame = &s->here->frame;

	envelope_answer(frame, e, &args, n, 0, NULL);
	if (frame->len > MESSAGE_MAX) {
		buf_clear(frame);
		envelope_answer(frame, e, NULL, 0, ACTOR_EFAIL, "the answer is over 16 MiB");
	}
	send_frame(s, e->enc);
}

static void answer_error(struct session *s, const struct envelope *e, int code, const char *text)
{
	envelope_answer(&s->here->frame, e, NULL, 0, code, text);
	send_frame(s, e->enc);
}

static void refuse(struct session *s, const struct envelope *e, int code, const char *text)
{
	COUNT_UP(&s->here->refused, 1);
	answer_error(s, e, code, text);
}

void session_due(struct session *s, const struct envelope *e, int64_t ask)
{
	due_add(&s->due, &s->here->spare, e, ask);
	COUNT_UP(&s->here->waiting, 1);
}

struct due_call *session_due_take(struct session *s, int64_t ask)
{
	struct due_call *d = due_take(&s->due, ask);

	if (d)
		COUNT_UP(&s->here->waiting, -1u);
	return d;
}

void session_due_free(struct session *s, struct due_call *d)
{
	due_free(d, &s->here->spare);
}

/* --- from the client ---------------------------------------------------------------------- */

/* The actor of that name, here or on another node, else the global table. A client may make up
 * names for ever, so an unknown one is looked up without being remembered. */
static actor_ref whom(const struct text *tpc)
{
	struct name *n = tpc->len ? name_find(tpc->p, tpc->len) : NULL;

	return n && (name_bearer(n) || name_away(n)) ? core_named(n) : actor_find("");
}

static int stranger(struct session *s, const struct envelope *e, bool last)
{
	if (e->func.len == 5 && !memcmp(e->func.p, "login", 5))
		return login_ask(s, e, last);
	refuse(s, e, ACTOR_EFAIL, "log in first: {\"func\":\"login\",\"args\":[GUID,HASH]}");
	session_close(s, CLOSE_POLICY, "log in first");
	return 0;
}

static int call_in_trace(struct session *s, const struct envelope *e, struct why *why)
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
	session_due(s, e, ask);
	return 0;
}

static int call(struct session *s, const struct envelope *e, struct why *why)
{
	struct trace_link link = core_trace_link(e->trace.p);
	int rc;

	core_trace_enter(&link);
	rc = call_in_trace(s, e, why);
	core_trace_leave();
	return rc;
}

/* Of a call that breaks only the schema (256 values, say) the caller is told, and stays. */
static int malformed(struct session *s, const struct envelope *e, const char *why)
{
	if (s->in && e->formed && e->cb.len && e->cb.len <= NAME_MAX_LEN) {
		s->enc = e->enc;
		refuse(s, e, ACTOR_EARGS, why);
		return 0;
	}
	COUNT_UP(&s->here->refused, 1);
	session_close(s, CLOSE_MALFORMED, why);
	return 0;
}

/* ACTOR_EFULL: try again later, nothing was done. last: do not. */
static int take(struct session *s, const void *bytes, size_t len, bool last)
{
	struct why why = { "" };
	struct envelope e;
	int err;

	if (s->asking && !last)
		return ACTOR_EFULL;
	err = envelope_read(&e, &s->here->scratch, bytes, len, &why);
	if (err)
		return malformed(s, &e, why.text);
	s->enc = e.enc;
	if (!s->in)
		return stranger(s, &e, last);
	if (LOAD(&quiet))
		err = why_set(&why, ACTOR_EFAIL, "the node is stopping");
	else
		err = call(s, &e, &why);
	if (err == ACTOR_EFULL && !last)
		return err;
	COUNT_UP(&s->here->calls, 1);
	if (err)
		refuse(s, &e, err, why.text);
	return 0;
}

/* --- frames that found a mailbox full ----------------------------------------------------- */

void session_held(struct session *s)
{
	struct sessions *here = s->here;
	struct call c = { .to = here->keeper, .what = "again" };

	s->next = NULL;
	s->link = here->full_end;
	*here->full_end = s;
	here->full_end = &s->next;
	if (!here->keeping)
		here->keeping = !core_send(core_actor(s->id), &c, NULL);
}

static void full_remove(struct session *s)
{
	if (!s->link)
		return;
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	else
		s->here->full_end = s->link;
	s->link = NULL;
}

static void hold(struct session *s, const void *bytes, size_t len)
{
	struct held *h = mem_alloc(sizeof *h + len);

	h->since_ms = now_ms();
	h->len = len;
	memcpy(h->bytes, bytes, len);
	if (!s->held) {
		s->held_end = &s->held;
		if (!s->asking)
			session_held(s);
	}
	*s->held_end = h;
	s->held_end = &h->next;
	COUNT_UP(&s->here->waiting, 1);
}

static void held_drop(struct session *s)
{
	struct held *h = s->held;

	s->held = h->next;
	mem_free(h);
	COUNT_UP(&s->here->waiting, -1u);
	if (!s->held)
		full_remove(s);
}

bool session_go_on(struct session *s)       /* nothing is left to try */
{
	while (s->held) {
		bool last = now_ms() - s->held->since_ms > FULL_MS;

		if (!s->closing && take(s, s->held->bytes, s->held->len, last)) {
			if (s->asking)
				full_remove(s);         /* settled() brings it back */
			return s->asking;
		}
		held_drop(s);
	}
	return true;
}

/* Most often all wait for the same actor, and each try reads the message again: the first that
 * fails ends it. Those that wait for another actor are the keeper's. */
void sessions_retry(struct sessions *here)
{
	while (here->full && session_go_on(here->full))
		;
}

bool sessions_retry_all(struct sessions *here)
{
	for (struct session *s = here->full, *next; s; s = next) {
		next = s->next;
		session_go_on(s);
	}
	return here->full;
}

/* --- what actors send to it --------------------------------------------------------------- */

/* Func and the values of m from first on, in this client's encoding; made once for all of one. */
void session_tell(struct session *s, struct news *n)
{
	struct buf *made = &n->frame[s->enc], *values = &s->here->values;
	struct envelope e = { .enc = s->enc, .func = n->func };

	if (!s->in || s->closing)
		return;
	if (!made->len) {
		buf_clear(values);
		e.count = (unsigned)msg_pack(n->m, n->first, values);
		e.args = packed_values(s->here);
		envelope_write(made, &e);
		COUNT_UP(&s->here->encoded, 1);
	}
	COUNT_UP(&s->here->pushed, 1);
	port->send(s->conn, made->p, made->len, s->enc == ENC_JSON);
	n->told++;
}

void news_fini(struct news *n)
{
	buf_fini(&n->frame[ENC_JSON]);
	buf_fini(&n->frame[ENC_MSGPACK]);
}

/* to, what, values: a handler remembered msg_from(). */
static int push(actor *self, const msg *m)
{
	struct session *s = session_of(self);
	struct news n = { .m = m, .first = 2, .func = { msg_str(m, 1), msg_len(m, 1) } };

	if (!s || s->closing)
		return ACTOR_ENOENT;
	session_tell(s, &n);
	news_fini(&n);
	return 0;
}

static bool inspected(actor_ref ref, struct actor_info *i)
{
	return !core_inspect(ref, i) && i->of == type;
}

bool session_is(actor_ref ref)
{
	struct actor_info i;

	return inspected(ref, &i);
}

/* Its state is looked at by its own thread alone. */
struct session *session_find(const struct sessions *here, actor_ref ref)
{
	struct actor_info i;
	actor *self;

	if (!inspected(ref, &i) || i.home != here->title)
		return NULL;
	self = core_actor(ref);
	return self ? session_of(self) : NULL;
}

static int answer(actor *self, const msg *m)
{
	struct session *s = session_of(self);
	struct due_call *d = s ? session_due_take(s, msg_ask(m)) : NULL;
	struct envelope e;
	int n;

	if (!d)
		return 0;
	e = due_request(d);
	COUNT_UP(&s->here->answers, 1);
	if (s->closing) {
		session_due_free(s, d);
		return 0;
	}
	buf_clear(&s->here->values);
	if (msg_error(m))
		answer_error(s, &e, msg_error(m), msg_error_text(m));
	else if ((n = msg_pack(m, 0, &s->here->values)) >= 0)
		session_answer(s, &e, packed_values(s->here), (unsigned)n);
	session_due_free(s, d);
	return 0;
}

/* --- its life ----------------------------------------------------------------------------- */

static const struct actor_type session_type = {
	.name = "session",
	.state = sizeof(struct session *),
	.on = ON({ "push", "to:str what:str ...", push, 0 }, { "answer", "...", answer, 0 },
	         { "settled", "user:str?", login_settled, 0 },
	         { "loaded", "", login_loaded, 0 }, { "shared", "hash:any?", login_shared, 0 }),
};

int session_setup(const struct session_config *c, struct why *why)
{
	struct type_options proxy = {
		.max_count = SESSION_COUNT, .max_bytes = SESSION_BYTES,
		.proxy = true, .native = true,
	};

	port = c->port;
	login_setup(c);
	type = core_add_type(&session_type, &proxy, NULL, why);
	return type ? 0 : ACTOR_EFAIL;
}

struct sessions *sessions_new(struct home *home)
{
	struct sessions *here = mem_alloc(sizeof *here);

	here->home = home;
	here->full_end = &here->full;
	list_init(&here->in);
	return here;
}

void sessions_free(struct sessions *here)
{
	if (!here)
		return;
	buf_fini(&here->scratch);
	buf_fini(&here->values);
	buf_fini(&here->frame);
	due_spare_fini(&here->spare);
	mem_free(here);
}

struct session *session_new(struct sessions *here, void *conn, bool passing)
{
	struct session *s = mem_alloc(sizeof *s);
	struct spawn spawn = { .type = type, .home = here->home, .init = &s, .size = sizeof s };
	struct why why;

	s->here = here;
	s->conn = conn;
	s->passing = passing;
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
	return s->held || s->due.count > CALLS_BUSY;
}

bool session_in(const struct session *s)
{
	return s->in;
}

bool session_asking(const struct session *s)
{
	return s->asking || s->held;
}

void session_gone(struct session *s)
{
	actor *self = core_actor(s->id);

	login_gone(s);
	if (self) {
		*(struct session **)actor_state(self) = NULL;
		core_end(s->id);
	}
	while (s->held)
		held_drop(s);
	COUNT_UP(&s->here->waiting, -s->due.count);
	due_fini(&s->due, &s->here->spare);
	mem_free(s);
}

void session_quiet(void)
{
	STORE(&quiet, true);
}

void sessions_count(const struct sessions *here, struct session_info *add)
{
	add->calls += LOAD(&here->calls);
	add->answers += LOAD(&here->answers);
	add->refused += LOAD(&here->refused);
	add->pushed += LOAD(&here->pushed);
	add->encoded += LOAD(&here->encoded);
	add->waiting += LOAD(&here->waiting);
}
