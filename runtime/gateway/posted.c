/* SPDX-License-Identifier: MIT
 * posted.c - POST /call/ACTOR/HANDLER: a client that logs in, calls once and goes.
 *
 * It is a session like any other, so its rights are those of a WebSocket client, but for that it is
 * only passing: the login of the Authorization header is its first frame, before the body is read,
 * the call its second. What the session sends back comes here: first how the login went, then the
 * answer. The body of who is refused is not kept, nor looked at. /call/HANDLER calls the global
 * table. A traceparent is the call's `trace`, as in a message.
 * The connection's thread. */
#include "posted.h"

#include <stdio.h>
#include <stdlib.h>

#include "envelope.h"
#include "json.h"
#include "session.h"

enum { LONG_BODY = 16384 };

struct posted {
	const struct http_config *config;
	struct http_request request;
	struct http_reply reply;
	struct session *session;
	struct buf body;
	bool begun, in, called;
};

struct posted *posted_new(const struct http_config *c, const struct http_request *r)
{
	struct posted *p = mem_alloc(sizeof *p);

	p->config = c;
	p->request = *r;
	if (http_admits(c, r, &p->reply) && !r->user[0]) {
		http_refuse(c, &p->reply, 401, "log in: Authorization: Basic, or Bearer", NULL);
		p->reply.ask_login = true;
	}
	return p;
}

void posted_refuse(struct posted *p, int status, const char *words)
{
	http_refuse(p->config, &p->reply, status, words, NULL);
	p->reply.retry = true;
	p->reply.ask_login = false;
	buf_fini(&p->body);
}

bool posted_is_long(const struct posted *p)
{
	return atoll(p->request.length) > LONG_BODY;
}

bool posted_body(struct posted *p, const void *bytes, size_t len)
{
	if (p->reply.status)
		return true;
	if (p->body.len + len > MESSAGE_MAX)
		return false;
	buf_add(&p->body, bytes, len);
	return true;
}

size_t posted_bytes(const struct posted *p)
{
	return p->body.cap;
}

struct http_reply *posted_reply(struct posted *p)
{
	return &p->reply;
}

void posted_free(struct posted *p)
{
	if (!p)
		return;
	if (p->session)
		session_gone(p->session);
	buf_fini(&p->body);
	http_reply_fini(&p->reply);
	mem_free(p);
}

/* --- the call ----------------------------------------------------------------------------- */

static void say_login(struct posted *p, struct buf *frame)
{
	struct buf args = { 0 };
	struct envelope e = { .enc = ENC_MSGPACK, .func = { "login", 5 }, .count = 2 };

	pack_text(&args, p->request.user);
	pack_text(&args, p->request.proof);
	e.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
	envelope_write(frame, &e);
	buf_fini(&args);
}

/* values: the body, read. -1: it is no list. The name of an actor may have slashes (%2F is one by
 * now). */
static int say_call(struct posted *p, const struct buf *values, struct buf *frame)
{
	struct envelope e = { .enc = ENC_MSGPACK, .cb = { "answer", 6 } };
	const char *name = p->request.path + strlen("/call/"), *slash = strrchr(name, '/');
	struct packed in = { (uint8_t *)values->p, (uint8_t *)values->p + values->len };
	struct value v = { .type = VALUE_LIST };

	if (values->len && (packed_next(&in, &v) != 1 || v.type != VALUE_LIST))
		return -1;
	if (values->len && v.len) {
		e.args = (struct packed){ v.inside, in.end };
		e.count = (unsigned)v.len;
	}
	if (slash)
		e.tpc = (struct text){ name, (size_t)(slash - name) };
	e.func.p = slash ? slash + 1 : name;
	e.func.len = strlen(e.func.p);
	if (p->request.trace[0])
		e.trace = (struct text){ p->request.trace, strlen(p->request.trace) };
	envelope_write(frame, &e);
	return 0;
}

void posted_login(struct posted *p, struct sessions *here, void *conn)
{
	struct buf login = { 0 };

	if (p->reply.status)
		return;
	p->session = session_new(here, conn, true);
	if (!p->session) {
		http_refuse(p->config, &p->reply, 503, "there is no room for another client",
		            NULL);
		return;
	}
	say_login(p, &login);
	session_frame(p->session, login.p, login.len);
	buf_fini(&login);
}

bool posted_in(const struct posted *p)
{
	return p->in;
}

void posted_begin(struct posted *p)
{
	p->begun = true;
}

void posted_call(struct posted *p)
{
	struct buf values = { 0 }, call = { 0 };
	struct why why = { "" };

	if (!p->in || !p->begun || p->called || p->reply.status)
		return;
	p->called = true;
	if (p->body.len && json_read(p->body.p, p->body.len, &values, &why))
		http_refuse(p->config, &p->reply, 400, why.text, NULL);
	else if (say_call(p, &values, &call))
		http_refuse(p->config, &p->reply, 400, "the body is the arguments: a JSON list",
		            NULL);
	else
		session_frame(p->session, call.p, call.len);
	buf_fini(&call);
	buf_fini(&values);
	buf_fini(&p->body);
}

bool posted_begun(const struct posted *p)
{
	return p->begun;
}

/* --- the answer --------------------------------------------------------------------------- */

static int status_of(int code)
{
	switch (code) {
	case 0: return 200;
	case ACTOR_EARGS: return 400;
	case ACTOR_ENOENT: return 404;
	case ACTOR_ETIME: return 504;
	case ACTOR_EFULL: case ACTOR_ENOMEM: return 503;
	default: return 422;
	}
}

static void answer(struct posted *p, struct envelope *e)
{
	struct buf *out = &p->reply.body;

	http_refuse(p->config, &p->reply, status_of(e->err_code), "", NULL);
	out->len = p->config->space;
	if (e->err_code) {
		buf_printf(out, "{\"err\":{\"code\":%d,\"text\":", e->err_code);
		json_text(out, e->err_text.p ? e->err_text.p : "", e->err_text.len);
		buf_text(out, "}}\n");
		return;
	}
	buf_text(out, "{\"args\":[");
	for (unsigned i = 0; i < e->count; i++) {
		buf_text(out, i ? "," : "");
		if (json_write(out, &e->args))
			buf_text(out, "null");
	}
	buf_text(out, "]}\n");
}

static bool is_func(const struct envelope *e, const char *name)
{
	return e->func.len == strlen(name) && memcmp(e->func.p, name, e->func.len) == 0;
}

void posted_frame(struct posted *p, const void *bytes, size_t len)
{
	struct buf scratch = { 0 };
	struct envelope e;
	struct value v;

	if (p->reply.status || envelope_read(&e, &scratch, bytes, len, NULL)) {
		buf_fini(&scratch);
		return;
	}
	if (!p->in && is_func(&e, "loginback"))
		p->in = packed_next(&e.args, &v) == 1 && v.type == VALUE_INT && v.i == 0;
	else if (is_func(&e, "answer"))         /* what is pushed meanwhile has nobody to go to */
		answer(p, &e);
	buf_fini(&scratch);
}

void posted_close(struct posted *p, int code, const char *reason)
{
	bool later = code == CLOSE_LATER || code == CLOSE_GOING;
	bool refused = !p->in && !later;

	if (p->reply.status)
		return;
	http_refuse(p->config, &p->reply, refused ? 401 : code == CLOSE_MALFORMED ? 400 : 503,
	            reason, NULL);
	buf_fini(&p->body);
	p->reply.ask_login = refused;
	p->reply.retry = later;
}
