/* SPDX-License-Identifier: MIT
 * web.c - a connection's HTTP requests, from their headers to the end of the answer.
 *
 *   request -> http_answer() -> headers, body                      done
 *                           `-> headers, file: a piece each time the socket takes one
 *           -> /call/: 100, where it is waited for, its body -> posted.c ... the session's answer
 *
 * A file costs a descriptor and a piece, however slowly it is taken; who takes nothing for three
 * times as long as a handshake may take is dropped. Of a long body, or one that waits to be asked
 * for, nothing is read before its login is settled; of who is refused then the rest goes nowhere,
 * for a while, so that no reset takes the answer away. What is asked meanwhile is answered behind
 * it; should the library bring it before, the connection ends.
 * A connection's thread. It knows no library: see struct wire. */
#include "web.h"

#include "posted.h"
#include "session.h"
#include "sync.h"

enum {
	PIECE = 16384, PIECES = 16,     /* read and written at once; in one go */
	CALL_S = 60, BODY_S = 120, TAKES = 3, LINGER_S = 5,
};

int web_reply(const struct wire *wire, void *wsi, struct http_reply *r, bool head)
{
	size_t len = r->body.len - wire->space;

	if (wire->head(wsi, r, r->file ? file_length(r->file) : len))
		return -1;
	return !head && !r->file && len ? wire->body(wsi, r->body.p + wire->space, len, true) : 0;
}

int web_no_request(const struct wire *wire, void *wsi)
{
	static const char words[] =
		"HTTP/1.1 501 Not Implemented\r\ncontent-type: application/json\r\n"
		"content-length: 70\r\nconnection: close\r\n\r\n"
		"{\"error\":\"this method is not known here, or this is no HTTP request\"}\n";

	wire->write(wsi, words, sizeof words - 1);
	return -1;
}

/* --- files -------------------------------------------------------------------------------- */

static int sent(struct conn *c)
{
	file_close(c->file);
	c->file = NULL;
	return c->ends ? -1 : c->in->wire->done(c->wsi);
}

/* Of a file that is shorter by now the connection ends, as its length was said. */
static int send_file(struct conn *c)
{
	const struct wire *wire = c->in->wire;
	char piece[WIRE_SPACE + PIECE];
	ssize_t n;

	wire->within(c->wsi, TAKES * c->in->limits.handshake_s);
	for (int i = 0; i < PIECES && !wire->busy(c->wsi) && file_length(c->file); i++) {
		n = file_read(c->file, piece + wire->space, PIECE);
		if (n < 0 || wire->body(c->wsi, piece + wire->space, (size_t)n,
		                        !file_length(c->file)))
			return -1;
	}
	if (!file_length(c->file))
		return sent(c);
	wire->want(c->wsi);
	return 0;
}

/* --- calls -------------------------------------------------------------------------------- */

/* It may call: so it does, or who waits to be asked for the body is asked. */
static int go_on(struct conn *c)
{
	static const char words[] = "HTTP/1.1 100 Continue\r\n\r\n";

	posted_call(c->posted);
	if (posted_reply(c->posted)->status)
		c->in->wire->want(c->wsi);
	if (!c->expects || !posted_in(c->posted))
		return 0;
	c->expects = false;
	return c->in->wire->write(c->wsi, words, sizeof words - 1);
}

static int begin_call(struct conn *c, const struct http_config *h, const struct http_request *r)
{
	const char *words;
	int status = conn_post(c, &words);

	c->posted = posted_new(h, r);
	list_add(&c->in->calls, &c->all);
	c->expects = r->expects;
	if (status)
		posted_refuse(c->posted, status, words);
	posted_login(c->posted, c->in->sessions, c);
	if (posted_reply(c->posted)->status) {
		c->at_once = r->expects;
		c->in->wire->want(c->wsi);
		return 0;
	}
	c->waits = posted_is_long(c->posted);
	if (c->waits)
		c->in->wire->read(c->wsi, false);
	c->in->wire->within(c->wsi, CALL_S);
	return 0;
}

/* Its session may still tell of it. */
static void end_call(struct conn *c)
{
	posted_free(c->posted);
	c->posted = NULL;
	list_remove(&c->all);
	conn_posted(c);
}

void web_leave(struct conns *all)
{
	for (struct link *l = all->calls.next; l != &all->calls; l = l->next) {
		struct conn *c = LINKED(l, struct conn, all);

		posted_close(c->posted, CLOSE_GOING, "the node is stopping");
		posted_reply(c->posted)->ends = true;
		conn_news(c);
	}
}

/* Of a call. What stands behind it the library (4.1) brings as more of it, and again as its end,
 * until the answer is there. */
int web_body(struct conn *c, const void *bytes, size_t len)
{
	if (!c->posted || posted_begun(c->posted) ||
	    conns_over(c->in, c->born, c->ends ? LINGER_S : BODY_S) ||
	    !posted_body(c->posted, bytes, len))
		return -1;
	if (!conn_early(c)) {
		posted_refuse(c->posted, 503, "too many long calls at once: try again");
		conn_early(c);
		c->in->wire->want(c->wsi);
	}
	COUNT_UP(&c->in->bodies, posted_bytes(c->posted) - c->body);
	c->body = posted_bytes(c->posted);
	return 0;
}

int web_body_whole(struct conn *c)
{
	if (!c->posted || posted_begun(c->posted) || c->ends)
		return -1;
	posted_begin(c->posted);
	conn_early(c);
	c->in->wire->want(c->wsi);
	c->in->wire->within(c->wsi, CALL_S);
	return 0;
}

/* The body is not whole. One that is short is waited for: the connection goes on behind it. */
static int answer_early(struct conn *c)
{
	const struct wire *wire = c->in->wire;
	struct http_reply *r = posted_reply(c->posted);

	if (c->ends)
		return c->in->leaving ? -1 : 0;
	if (!(posted_is_long(c->posted) || c->expects || r->ends))
		return 0;
	c->ends = r->ends = true;
	if (web_reply(wire, c->wsi, r, false) || c->at_once || c->in->leaving)
		return -1;
	c->born = c->in->tick;
	wire->within(c->wsi, LINGER_S);
	return 0;
}

static int answer_call(struct conn *c)
{
	const struct wire *wire = c->in->wire;
	struct http_reply *r = posted_reply(c->posted);
	void *wsi = c->wsi;
	bool ends;

	if (!r->status)
		return go_on(c);
	if (!posted_begun(c->posted))
		return answer_early(c);
	ends = web_reply(wire, wsi, r, false) || r->ends;
	end_call(c);
	return ends || wire->done(wsi) ? -1 : 0;
}

/* --- a transaction ------------------------------------------------------------------------ */

int web_request(struct conn *c, struct conns *all, void *wsi, const struct http_config *h,
                const struct http_request *r)
{
	struct http_reply out = { 0 };
	bool head = r->method == HTTP_HEAD;
	int err;

	if (c->file || c->posted)
		return -1;
	*c = (struct conn){ .in = all, .wsi = wsi, .born = all->tick };
	if (http_is_call(r))
		return begin_call(c, h, r);
	http_answer(h, r, &out);
	err = web_reply(all->wire, wsi, &out, head);
	if (!err && out.file && !head && out.status != 304) {
		c->file = out.file;
		c->ends = out.ends;
		out.file = NULL;
		err = send_file(c);
	} else if (!err) {
		err = out.ends ? -1 : all->wire->done(wsi);
	}
	http_reply_fini(&out);
	return err;
}

int web_writeable(struct conn *c)
{
	return c->file ? send_file(c) : c->posted ? answer_call(c) : 0;
}

void web_gone(struct conn *c)
{
	if (!c)
		return;
	file_close(c->file);
	c->file = NULL;
	if (c->posted)
		end_call(c);
}
