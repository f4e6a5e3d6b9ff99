/* SPDX-License-Identifier: MIT
 * ws.c - connections: HTTP and WebSocket on one port. The only file that knows libwebsockets, and
 * libev.
 *
 * One thread turns a loop of libev's, which the library serves by a plugin (its own poll() costs
 * 200 us a message at 10,000 connections). The loop is ours and outlives the library's context,
 * which is ended once the loop was left: from 4.3 on it unloads the plugin as it ends. (A loop of
 * the library's own would also take SIGINT, and give it back to nobody.)
 *
 * Sessions speak to us through the frames port. What they send in one turn of their home is
 * gathered as ready-made frames in the connection's `out` and handed over in one write, which makes
 * the difference between 0.2 and 1 million messages a second.
 *
 *   other threads -- ws_wake() --> turn: sessions run -> out -> flush() -> library -> socket
 *                                   socket -> library -> received() -> session_frame()
 *
 * Invariants: a close goes out behind everything sent before it, from the writeable callback alone;
 * once one was asked for, nothing is sent or taken any more.
 * From other threads only lws_cancel_service() is called, under a lock that ends with the loop.
 * Deflate is off (ready-made frames, and it stalls with event libraries), HTTP/2 too; TLS is a
 * proxy's business. */
#include "ws.h"

#include <ev.h>
#include <libwebsockets.h>
#include <netinet/tcp.h>
#include <pthread.h>

#include "frames.h"
#include "gate.h"
#include "json.h"
#include "list.h"
#include "log.h"
#include "session.h"
#include "sync.h"

enum {
	READ_SIZE = 2048,               /* a buffer of so much is each connection's */
	WRITE_SIZE = 65536,             /* handed to the library at once, or one frame */
	OUT_BUSY = 1 << 20,             /* unsent bytes before a client is read no more, */
	OUT_MAX = 8 << 20,              /* and before it is given up */
	OUT_KEPT = 2048,
	ACCEPT_MAX = 64,                /* connections taken in one go */
	SPARE_DESCRIPTORS = 64,         /* left for Redis, files, the control socket */
	PING_S = 60, HANGUP_S = 90,     /* silent so long: asked, then given up */
	HANDSHAKE_S = 20, KEEPALIVE_S = 30, CLOSE_S = 5,
	REASON_MAX = 123,
};
enum { CLOSE_GOING = 1001, CLOSE_TOO_BIG = 1009, CLOSE_CUT = -1 };
enum phase { RUNNING, QUIET, LEAVING, ENDING };

struct conn {
	struct lws *wsi;
	struct ws *ws;
	struct session *session;
	struct link all, dirty, paused;
	struct buf in;                  /* a message in pieces, so far */
	struct buf out; size_t at;      /* frames; those before at are the library's */
	size_t handed;                  /* the last write's bytes, which the library may have */
	char *reason;
	int code;                       /* a close was asked for */
	bool deaf;                      /* the client's own close came */
	bool unsent;                    /* counted in ws->unsent */
};

struct ws {
	struct ws_config config;
	struct lws_context *lws;
	struct ev_loop *loop;           /* NULL: the library turns poll() */
	struct lws *listener;
	struct link all, dirty, paused;
	bool in_turn, told_full;
	pthread_mutex_t lock;           /* of `over`: the loop may be woken no more */
	bool over;
	_Atomic enum phase phase;
	_Atomic unsigned clients, unsent;
	_Atomic uint64_t accepted;
};

/* --- frames out --------------------------------------------------------------------------- */

static size_t unsent(const struct conn *c)
{
	return c->out.len - c->at + (lws_partial_buffered(c->wsi) ? c->handed : 0);
}

static void count_unsent(struct conn *c, bool is)
{
	if (is != c->unsent)
		COUNT_UP(&c->ws->unsent, is ? 1u : -1u);
	c->unsent = is;
}

/* At once, whatever is unsent: it does not take it. */
static void cut(struct conn *c)
{
	c->code = CLOSE_CUT;
	c->at = c->out.len;
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
}

static void out_trim(struct conn *c)
{
	size_t left = c->out.len - c->at;

	if (!left && c->out.cap > OUT_KEPT)
		buf_fini(&c->out);
	else if (left && c->at < WRITE_SIZE)
		return;
	else if (left)
		memmove(c->out.p, c->out.p + c->at, left);
	c->out.len = left;
	c->at = 0;
}

/* Hands over what the library takes. 0, or -1: the connection is lost. */
static int flush(struct conn *c)
{
	while (c->at < c->out.len && !lws_partial_buffered(c->wsi)) {
		size_t n = frames_cut(c->out.p + c->at, c->out.len - c->at, WRITE_SIZE);

		if (lws_write(c->wsi, (uint8_t *)c->out.p + c->at, n, LWS_WRITE_RAW) < 0)
			return -1;
		c->at += n;
		c->handed = n;
		if (c->paused.next)     /* its pongs are not read, but it takes what we send */
			lws_validity_confirmed(c->wsi);
	}
	out_trim(c);
	count_unsent(c, unsent(c) > 0);
	return 0;
}

static void conn_send(void *conn, const void *bytes, size_t len, bool text)
{
	struct conn *c = conn;

	if (c->code || c->deaf)
		return;
	if (unsent(c) > OUT_MAX) {
		log_line(LOG_INFO, "gateway", "a client that does not read was given up: %zu bytes",
		         unsent(c));
		cut(c);
		return;
	}
	frames_add(&c->out, bytes, len, text);
	count_unsent(c, true);
	if (c->ws->in_turn)
		list_add(&c->ws->dirty, &c->dirty);
	else
		lws_callback_on_writable(c->wsi);
}

static void conn_close(void *conn, int code, const char *reason)
{
	struct conn *c = conn;

	if (c->code)
		return;
	c->code = code;
	c->reason = mem_string(reason, strnlen(reason, REASON_MAX));
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_S);
	lws_callback_on_writable(c->wsi);
}

const struct frames_port ws_frames = { conn_send, conn_close };

/* --- a connection's life ------------------------------------------------------------------ */

/* Reads on, or not: what the client has under way is bounded by not reading more. */
static void flow(struct conn *c)
{
	bool stop = !c->code && (session_busy(c->session) || unsent(c) > OUT_BUSY);

	if (stop == !!c->paused.next)
		return;
	if (stop)
		list_add(&c->ws->paused, &c->paused);
	else
		list_remove(&c->paused);
	lws_rx_flow_control(c->wsi, !stop);
}

static int opened(struct ws *w, struct conn *c, struct lws *wsi)
{
	*c = (struct conn){ .wsi = wsi, .ws = w };
	c->session = session_new(c);
	if (!c->session)
		return -1;
	list_add(&w->all, &c->all);
	COUNT_UP(&w->clients, 1);
	COUNT_UP(&w->accepted, 1);
	if (LOAD(&w->phase) >= LEAVING)
		conn_close(c, CLOSE_GOING, "the node is stopping");
	return 0;
}

static int closed(struct conn *c)
{
	if (!c->session)
		return 0;
	session_gone(c->session);
	c->session = NULL;
	list_remove(&c->all);
	list_remove(&c->dirty);
	list_remove(&c->paused);
	count_unsent(c, false);
	buf_fini(&c->in);
	buf_fini(&c->out);
	mem_free(c->reason);
	COUNT_UP(&c->ws->clients, -1u);
	if (LOAD(&c->ws->phase) == LEAVING)
		ws_wake(c->ws);
	return 0;
}

static int received(struct conn *c, const char *bytes, size_t len)
{
	size_t rest = lws_remaining_packet_payload(c->wsi);
	bool whole = !rest && lws_is_final_fragment(c->wsi);

	if (c->code || c->deaf)
		return 0;
	if (rest > MESSAGE_MAX || c->in.len + len + rest > MESSAGE_MAX) {
		conn_close(c, CLOSE_TOO_BIG, "a message has 16 MiB at most");
		buf_fini(&c->in);
		return 0;
	}
	if (whole && !c->in.len) {
		session_frame(c->session, bytes, len);
	} else {
		buf_add(&c->in, bytes, len);
		if (whole) {
			session_frame(c->session, c->in.p, c->in.len);
			buf_fini(&c->in);
		}
	}
	flow(c);
	return 0;
}

static int writeable(struct conn *c)
{
	if (c->code == CLOSE_CUT || flush(c))
		return -1;
	if (unsent(c)) {
		lws_callback_on_writable(c->wsi);
	} else if (c->code) {
		lws_close_reason(c->wsi, (enum lws_close_status)c->code, (unsigned char *)c->reason,
		                 strlen(c->reason));
		return -1;
	}
	flow(c);
	return 0;
}

/* What is answered so far goes out before the library answers the client's close. */
static int leaving(struct conn *c)
{
	int lost = flush(c);

	c->deaf = true;
	return lost;
}

/* --- HTTP --------------------------------------------------------------------------------- */

/* body: LWS_PRE bytes, then the text. */
static int reply(struct lws *wsi, int status, const char *type, const struct buf *body, bool head)
{
	uint8_t space[LWS_PRE + 1024], *p = space + LWS_PRE, *end = space + sizeof space - 1;
	uint8_t *text = (uint8_t *)body->p + LWS_PRE;
	size_t len = body->len - LWS_PRE;
	int err = lws_add_http_common_headers(wsi, (unsigned)status, type, len, &p, end);

	if (!err && status == 405)
		err = lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_ALLOW,
		                                   (const unsigned char *)"GET, HEAD", 9, &p, end);
	if (err || lws_finalize_write_http_header(wsi, space + LWS_PRE, &p, end))
		return -1;
	return !head && len && lws_write(wsi, text, len, LWS_WRITE_HTTP_FINAL) < 0 ? -1 : 0;
}

static int refuse(struct lws *wsi, int status, const char *words, const char *path, bool head)
{
	struct buf body = { 0 };
	int err;

	buf_add(&body, (char[LWS_PRE]){ 0 }, LWS_PRE);
	buf_printf(&body, "{\"error\":\"%s\"", words);
	if (path) {
		buf_text(&body, ",\"path\":");
		json_text(&body, path, strlen(path));
	}
	buf_text(&body, "}\n");
	err = reply(wsi, status, "application/json", &body, head);
	buf_fini(&body);
	return err;
}

static int get(struct ws *w, struct lws *wsi, const char *path, bool head)
{
	const char *type = "text/plain";
	struct buf body = { 0 };
	int status = 0, err;

	buf_add(&body, (char[LWS_PRE]){ 0 }, LWS_PRE);
	if (w->config.http)
		status = w->config.http(w->config.http_arg, path, &body, &type);
	err = status ? reply(wsi, status, type, &body, head) :
	               refuse(wsi, 404, "not found", path, head);
	buf_fini(&body);
	return err;
}

static int http(struct ws *w, struct lws *wsi, const char *path)
{
	bool head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
	bool known = head || lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
	int err = known ? get(w, wsi, path, head) :
	                  refuse(wsi, 405, "only GET and HEAD here", path, false);

	return err || lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* Who asks to become a WebSocket. 0: let in; 1: answered. (What the callback has as `in` may be
 * gone by then, in 4.1.6.) */
static int upgrade(struct ws *w, struct lws *wsi)
{
	const char *words = "pages of this origin may not connect; --allow-origin lets them";
	char to[16] = "", origin[256] = "", host[256] = "";

	if (lws_hdr_copy(wsi, to, sizeof to, WSI_TOKEN_UPGRADE) <= 0)
		return -1;
	if (strcasecmp(to, "websocket"))
		return refuse(wsi, 400, "no other upgrade than to websocket", NULL, false) ? -1 : 1;
	if (lws_hdr_copy(wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) < 0)
		strcpy(origin, "too long");
	if (lws_hdr_copy(wsi, host, sizeof host, WSI_TOKEN_HOST) < 0)
		host[0] = 0;
	if (gate_admits(origin, host, w->config.origins))
		return 0;
	return refuse(wsi, 403, words, NULL, false) ? -1 : 1;
}

/* --- the listening socket ----------------------------------------------------------------- */

static int take_in(struct ws *w)
{
	struct lws_vhost *vhost = lws_get_vhost_by_name(w->lws, "default");
	int on = 1;

	if (LOAD(&w->phase) != RUNNING)
		return -1;
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(w->config.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return 0;
		if (fd >= w->config.descriptors - SPARE_DESCRIPTORS) {
			if (!w->told_full)
				log_line(LOG_WARN, "gateway", "full: new clients are turned away");
			w->told_full = true;
			close(fd);
			continue;
		}
		w->told_full = false;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		lws_adopt_socket_vhost(vhost, fd);
	}
	return 0;
}

/* --- the loop ----------------------------------------------------------------------------- */

static void leave_all(struct ws *w)
{
	for (struct link *l = w->all.next; l != &w->all; l = l->next)
		conn_close(LINKED(l, struct conn, all), CLOSE_GOING, "the node is stopping");
}

static void end(struct ws *w)
{
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_mutex_unlock(&w->lock);
	if (w->loop)
		ev_break(w->loop, EVBREAK_ALL);
}

static void follow_phase(struct ws *w)
{
	enum phase phase = LOAD(&w->phase);

	if (phase >= QUIET && w->listener)
		lws_set_timeout(w->listener, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
	if (phase == LEAVING)
		leave_all(w);
	if (!w->over && (phase == ENDING || (phase == LEAVING && !LOAD(&w->clients))))
		end(w);
}

static void turn(struct ws *w)
{
	bool more;

	w->in_turn = true;
	more = w->config.turn(w->config.turn_arg);
	w->in_turn = false;
	while (w->dirty.next != &w->dirty) {
		struct conn *c = LINKED(w->dirty.next, struct conn, dirty);

		list_remove(&c->dirty);
		if (flush(c))
			cut(c);
	}
	for (struct link *l = w->paused.next, *next; l != &w->paused; l = next) {
		next = l->next;
		flow(LINKED(l, struct conn, paused));
	}
	if (more)
		lws_cancel_service(w->lws);
	follow_phase(w);
}

static int happened(struct lws *wsi, enum lws_callback_reasons reason, void *conn, void *in,
                    size_t len)
{
	struct ws *w = lws_context_user(lws_get_context(wsi));
	struct conn *c = conn;

	switch (reason) {
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		if (!w->over)
			turn(w);
		return 0;
	case LWS_CALLBACK_RECEIVE: return received(c, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE: return writeable(c);
	case LWS_CALLBACK_ESTABLISHED: return opened(w, c, wsi);
	case LWS_CALLBACK_CLOSED: return closed(c);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return leaving(c);
	case LWS_CALLBACK_HTTP: return http(w, wsi, in);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return upgrade(w, wsi);
	case LWS_CALLBACK_RAW_RX_FILE: return take_in(w);
	case LWS_CALLBACK_RAW_CLOSE_FILE:
		w->listener = NULL;
		return 0;
	case LWS_CALLBACK_RAW_ADOPT:    /* of CONNECT the library makes a raw connection */
	case LWS_CALLBACK_RAW_RX:
		return -1;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{ .name = "actord", .callback = happened, .per_session_data_size = sizeof(struct conn),
	  .rx_buffer_size = READ_SIZE, .tx_packet_size = WRITE_SIZE },
	{ 0 },
};

static const lws_retry_bo_t keepalive = {
	.secs_since_valid_ping = PING_S, .secs_since_valid_hangup = HANGUP_S,
};

/* --- from outside ------------------------------------------------------------------------- */

static void note(int level, const char *line)
{
	(void)level;
	log_line(LOG_DEBUG, "gateway", "libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

static struct lws_context *start_lws(struct ws *w)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER, .protocols = protocols, .user = w,
		.options = LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_LIBEV,
		.alpn = "http/1.1", .retry_and_idle_policy = &keepalive,
		.timeout_secs = HANDSHAKE_S, .keepalive_timeout = KEEPALIVE_S,
		.gid = -1u, .uid = -1u,
	};
	struct lws_context *lws = NULL;
	void *loop = ev_loop_new(EVFLAG_NOENV);

	lws_set_log_level(LLL_ERR, note);
	info.foreign_loops = &loop;
	w->loop = loop;
	if (loop)
		lws = lws_create_context(&info);
	if (lws)
		return lws;
	log_line(LOG_WARN, "gateway", "slower with many clients: libwebsockets has no libev plugin "
	         "here (Debian: libwebsockets-evlib-ev)");
	ev_loop_destroy(loop);
	w->loop = NULL;
	info.foreign_loops = NULL;
	info.options &= ~(uint64_t)LWS_SERVER_OPTION_LIBEV;
	return lws_create_context(&info);
}

/* Not within the loop. */
static void end_lws(struct ws *w)
{
	if (w->lws)
		lws_context_destroy(w->lws);
	w->lws = NULL;
	ev_loop_destroy(w->loop);
	w->loop = NULL;
}

static bool adopt_listener(struct ws *w)
{
	lws_sock_file_fd_type fd = { .filefd = w->config.listener };
	struct lws_vhost *vhost = lws_get_vhost_by_name(w->lws, "default");

	if (vhost)
		w->listener = lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, fd,
		                                         protocols[0].name, NULL);
	return w->listener;
}

struct ws *ws_new(const struct ws_config *c, struct why *why)
{
	struct ws *w = mem_alloc(sizeof *w);

	w->config = *c;
	list_init(&w->all);
	list_init(&w->dirty);
	list_init(&w->paused);
	pthread_mutex_init(&w->lock, NULL);
	w->lws = start_lws(w);
	if (w->lws && adopt_listener(w))
		return w;
	why_set(why, -1, "libwebsockets could not be started; is there memory for %d descriptors?",
	        c->descriptors);
	end_lws(w);
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
	return NULL;
}

void ws_run(struct ws *w)
{
	ws_wake(w);
	while (!w->over && lws_service(w->lws, 0) >= 0)
		;
	end(w);                         /* where the library gave up: nobody wakes it any more */
	end_lws(w);                     /* here, as connections end in the thread they lived in */
}

void ws_wake(struct ws *w)
{
	pthread_mutex_lock(&w->lock);
	if (!w->over)
		lws_cancel_service(w->lws);
	pthread_mutex_unlock(&w->lock);
}

static void advance(struct ws *w, enum phase to)
{
	enum phase was = LOAD(&w->phase);

	while (was < to && !CAS(&w->phase, &was, to))
		;
	ws_wake(w);
}

void ws_quiet(struct ws *w)
{
	advance(w, QUIET);
}

void ws_leave(struct ws *w)
{
	advance(w, LEAVING);
}

void ws_end(struct ws *w)
{
	advance(w, ENDING);
}

void ws_info(const struct ws *w, struct ws_info *out)
{
	*out = (struct ws_info){ LOAD(&w->clients), LOAD(&w->unsent), LOAD(&w->accepted) };
}

void ws_free(struct ws *w)
{
	end_lws(w);
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
}
