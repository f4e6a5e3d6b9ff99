/* SPDX-License-Identifier: MIT
 * ws.c - connections: HTTP and WebSocket on one port. The only file that knows libwebsockets.
 *
 * One thread turns a loop of libev's (turns.c), which the library serves by a plugin (its own
 * poll() costs 200 us a message at 10,000 connections). The loop is ours and outlives the library's
 * context, which is ended once the loop was left: from 4.3 on it unloads the plugin as it ends. (A
 * loop of the library's own would also take SIGINT, and give it back to nobody.)
 *
 * What a connection is to us is conn.c's, what it may, too; here is how the library does it.
 *
 *   other threads -- ws_wake() --> turn: sessions run -> out -> flush() -> library -> socket
 *                                   socket -> library -> conn_read() -> session_frame()
 *
 * There may be several of these, each with a thread, a loop and a context of the library's. The
 * first has the listening socket, and deals out the connections in turn: each lives on one thread.
 *
 * The library's own wake is a call of the kernel's each time, and another turn; without libev it is
 * what there is, under a lock that ends with the context. A timer set, or a read allowed again,
 * outside of the library's callbacks it finds in its next turn: see stir().
 * Deflate is off (ready-made frames, and it stalls with event libraries), HTTP/2 too. */
#include "ws.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <unistd.h>

#include "conn.h"
#include "gate.h"
#include "heap.h"
#include "log.h"
#include "silence.h"
#include "sync.h"
#include "turns.h"
#include "web.h"

/* 4.1 takes for a request's body the piece that its head came in, where that was behind another
 * request's, and frees it while it is read. What was just read is in the context's own memory. */
enum { IS_SOUND = LWS_LIBRARY_VERSION_NUMBER >= 4002000 };
enum {
	READ_SIZE = 2048,               /* a buffer of so much is each connection's */
	WRITE_SIZE = 65536,             /* handed to the library at once, or one frame */
	ACCEPT_MAX = 64,                /* connections taken in one go */
	KEEPALIVE_S = 30,
	HEADERS_SIZE = 12288,           /* of a request, held while it is read; a cookie has 8 KB */
};
_Static_assert((int)LWS_PRE <= (int)WIRE_SPACE, "in front of what is sent");

struct ws {
	struct ws_config config;
	struct lws_context *lws;
	struct lws_protocols protocols[2];
	char subprotocol[HTTP_SUBPROTOCOL_MAX + 1];     /* the name of the first: see upgrade() */
	struct turns *turns;            /* NULL: the library turns poll() */
	struct lws *listener;
	struct door door;
	lws_sorted_usec_list_t sweep;
	struct conns conns;
	struct dealt dealt;             /* connections that another thread has taken in for it */
	pthread_mutex_t lock;           /* of `over`: the library may be woken no more */
	bool over;
	_Atomic enum ws_phase phase;
	_Atomic bool left;              /* LEAVING: nobody is there any more */
};

/* --- a connection's socket ---------------------------------------------------------------- */

static bool wire_busy(void *wsi)
{
	return lws_partial_buffered(wsi);
}

static int wire_write(void *wsi, const char *frames, size_t len)
{
	return lws_write(wsi, (uint8_t *)(uintptr_t)frames, len, LWS_WRITE_RAW) < 0 ? -1 : 0;
}

static void wire_want(void *wsi)
{
	lws_callback_on_writable(wsi);
}

static void stir(struct lws *wsi)
{
	lws_cancel_service(lws_get_context(wsi));
}

static void wire_read(void *wsi, bool on)
{
	lws_rx_flow_control(wsi, on);
	if (on)
		stir(wsi);
}

static void wire_end_in(void *wsi, int seconds)
{
	lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, seconds ? seconds : LWS_TO_KILL_ASYNC);
	stir(wsi);
}

static struct address *wire_from(void *wsi)
{
	return lws_get_opaque_user_data(wsi);
}

static int writeable(struct lws *wsi, struct conn *c)
{
	int then = c->deaf ? 0 : conn_writeable(c);

	if (then > 0)
		lws_close_reason(wsi, (enum lws_close_status)c->code, (unsigned char *)c->reason,
		                 strlen(c->reason));
	return then ? -1 : 0;
}

/* The last one is waited for. */
static int one_less(struct ws *w)
{
	if (LOAD(&w->phase) >= WS_LEAVING)
		ws_wake(w);
	return 0;
}

/* --- HTTP --------------------------------------------------------------------------------- */

struct heads { struct lws *wsi; uint8_t *p, *end; int err; };

static void add_header(void *arg, const char *name, const char *value)
{
	struct heads *h = arg;

	h->err |= lws_add_http_header_by_name(h->wsi, (const unsigned char *)name,
	                                      (const unsigned char *)value, (int)strlen(value),
	                                      &h->p, h->end);
}

static int wire_head(void *wsi, const struct http_reply *r, uint64_t len)
{
	uint8_t space[LWS_PRE + 2048];
	struct heads h = { wsi, space + LWS_PRE, space + sizeof space - 1, 0 };
	bool none = r->status == 304;

	if (r->status == 204 ?          /* RFC 9110, 8.6: without a length */
	    lws_add_http_header_status(wsi, 204, &h.p, h.end) :
	    lws_add_http_common_headers(wsi, (unsigned)r->status, none ? NULL : r->type, len,
	                                &h.p, h.end))
		return -1;
	http_headers(r, add_header, &h);
	return h.err || lws_finalize_write_http_header(wsi, space + LWS_PRE, &h.p, h.end) ? -1 : 0;
}

static int wire_body(void *wsi, char *bytes, size_t len, bool last)
{
	return lws_write(wsi, (uint8_t *)bytes, len,
	                 last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0 ? -1 : 0;
}

static int wire_done(void *wsi)
{
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static void wire_within(void *wsi, int seconds)
{
	lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, seconds);
}

static void copy_header(struct lws *wsi, enum lws_token_indexes token, char *to, size_t size)
{
	if (lws_hdr_copy(wsi, to, (int)size, token) < 0)
		snprintf(to, size, lws_hdr_total_length(wsi, token) ? "too long" : "");
}

static bool is_near(struct lws *wsi)
{
	char peer[64] = "";

	lws_get_peer_simple(wsi, peer, sizeof peer);
	return gate_is_near(peer) && !lws_hdr_total_length(wsi, WSI_TOKEN_X_FORWARDED_FOR) &&
	       lws_hdr_custom_length(wsi, "forwarded:", 10) < 0;
}

static enum http_method method_of(struct lws *wsi)
{
	return lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) ? HTTP_GET :
	       lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) ? HTTP_HEAD :
	       lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) ? HTTP_POST :
	       lws_hdr_total_length(wsi, WSI_TOKEN_OPTIONS_URI) ? HTTP_OPTIONS : HTTP_OTHER;
}

static void read_request(struct lws *wsi, const char *path, struct http_request *r)
{
	char login[2600], expects[16], http[16];

	*r = (struct http_request){ .method = method_of(wsi), .near = is_near(wsi) };
	if (strlen(path) < sizeof r->path)
		strcpy(r->path, path);
	copy_header(wsi, WSI_TOKEN_ORIGIN, r->origin, sizeof r->origin);
	copy_header(wsi, WSI_TOKEN_HOST, r->host, sizeof r->host);
	copy_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, r->length, sizeof r->length);
	r->chunked = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING);
	copy_header(wsi, WSI_TOKEN_HTTP_EXPECT, expects, sizeof expects);
	copy_header(wsi, WSI_TOKEN_HTTP, http, sizeof http);
	r->expects = !strcasecmp(expects, "100-continue") && !strcmp(http, "HTTP/1.1");
	if (r->method == HTTP_GET)      /* RFC 9110, 14.2 */
		copy_header(wsi, WSI_TOKEN_HTTP_RANGE, r->want.range, sizeof r->want.range);
	copy_header(wsi, WSI_TOKEN_HTTP_IF_RANGE, r->want.if_range, sizeof r->want.if_range);
	copy_header(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, r->want.if_none_match,
	            sizeof r->want.if_none_match);
	copy_header(wsi, WSI_TOKEN_HTTP_IF_MODIFIED_SINCE, r->want.if_modified_since,
	            sizeof r->want.if_modified_since);
	if (lws_hdr_custom_copy(wsi, r->trace, sizeof r->trace, "traceparent:", 12) < 0)
		r->trace[0] = 0;
	if (lws_hdr_copy(wsi, login, sizeof login, WSI_TOKEN_HTTP_AUTHORIZATION) > 0)
		http_read_login(login, r);
}

static int http(struct ws *w, struct lws *wsi, struct conn *c, const char *path)
{
	struct http_request r;

	read_request(wsi, path, &r);
	return web_request(c, &w->conns, wsi, &w->config.http, &r);
}

static const struct wire wire = {
	wire_busy, wire_write, wire_want, wire_read, wire_end_in, wire_from,
	wire_head, wire_body, wire_done, wire_within, LWS_PRE,
};

static void read_handshake(struct lws *wsi, struct http_handshake *h)
{
	copy_header(wsi, WSI_TOKEN_CONNECTION, h->connection, sizeof h->connection);
	copy_header(wsi, WSI_TOKEN_HTTP, h->http, sizeof h->http);
	copy_header(wsi, WSI_TOKEN_KEY, h->key, sizeof h->key);
	copy_header(wsi, WSI_TOKEN_VERSION, h->version, sizeof h->version);
	copy_header(wsi, WSI_TOKEN_PROTOCOL, h->protocols, sizeof h->protocols);
}

/* Who asks to become a WebSocket. 0: let in; 1: answered. `to` the library goes by afterwards:
 * empty, the request is as any other. Of a name that it does not know it has answered 403 itself
 * (4.1 to 4.3): the headers are gone, and `to` with them. Who offers subprotocols it lets in only
 * for one of its own, so ours is called as the first of them until it has been found, and then has
 * no name to answer (RFC 6455, 4.2.2). */
static int upgrade(struct ws *w, struct lws *wsi, char *to)
{
	struct http_reply out = { 0 };
	struct http_request r;
	struct http_handshake h = { 0 };
	int err = 0;

	if (!lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE))
		return -1;
	if (strcasecmp(to, "websocket"))
		return *to = 0;         /* h2c, which many ask for first */
	read_request(wsi, "", &r);
	read_handshake(wsi, &h);
	if (http_upgrades(&w->config.http, &r, &h, &out))
		strcpy(w->subprotocol, h.subprotocol);
	else
		err = web_reply(&wire, wsi, &out, false) || out.ends ? -1 : 1;
	http_reply_fini(&out);
	return err;
}

/* --- the listening socket ----------------------------------------------------------------- */

static void adopt(struct ws *w, int fd)
{
	struct address *from = conns_admit(&w->conns, fd);
	struct lws_vhost *vhost = lws_get_vhost_by_name(w->lws, "default");
	struct lws *wsi = from ? lws_adopt_socket_vhost(vhost, fd) : NULL;

	if (!from)
		close(fd);
	else if (wsi)
		lws_set_opaque_user_data(wsi, from);
	else
		crowd_bye(w->conns.crowd, from);
}

static int take_in(struct ws *w)
{
	if (LOAD(&w->phase) != WS_RUNNING)
		return -1;
	for (int i = 0, fd; i < ACCEPT_MAX && (fd = door_accept(&w->door)) != DOOR_EMPTY; i++) {
		struct ws *to = fd < 0 ? NULL : w->config.whose(w->config.arg);

		if (to == w)
			adopt(w, fd);
		else if (to)
			ws_take(to, fd);
	}
	return 0;
}

static void take_dealt(struct ws *w)
{
	for (int fd; (fd = dealt_next(&w->dealt)) >= 0; )
		if (LOAD(&w->phase) == WS_RUNNING)
			adopt(w, fd);
		else
			close(fd);
}

/* --- the loop ----------------------------------------------------------------------------- */

static void end(struct ws *w)
{
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_mutex_unlock(&w->lock);
	if (w->turns)
		turns_leave(w->turns);
}

static void follow_phase(struct ws *w)
{
	enum ws_phase phase = LOAD(&w->phase);
	const struct link *calls = &w->conns.calls;

	if (phase >= WS_QUIET && w->listener)
		wire_end_in(w->listener, 0);
	if (phase >= WS_LEAVING && !LOAD(&w->left)) {
		conns_leave(&w->conns, phase >= WS_CUTTING);
		web_leave(&w->conns);
		/* release: what its sessions told, leaving; partner: ws_left() */
		STORE_RELEASE(&w->left, !LOAD(&w->conns.clients) && calls->next == calls);
	}
	if (phase == WS_ENDING)
		end(w);
}

static void turn(void *arg)
{
	struct ws *w = arg;
	bool more;

	if (w->over)
		return;
	take_dealt(w);
	conns_turn_begins(&w->conns);
	more = w->config.turn(w->config.arg);
	conns_turn_ends(&w->conns);
	if (more)
		ws_wake(w);
	follow_phase(w);
}

static void waits(void *arg)
{
	struct ws *w = arg;

	conns_gathered(&w->conns);
}

static void sweep(lws_sorted_usec_list_t *sul)
{
	struct ws *w = lws_container_of(sul, struct ws, sweep);

	lws_sul_schedule(w->lws, 0, sul, sweep, silence_sweep(&w->conns) * LWS_US_PER_MS);
}

static int happened(struct lws *wsi, enum lws_callback_reasons reason, void *conn, void *in,
                    size_t len)
{
	struct ws *w = lws_context_user(lws_get_context(wsi));
	struct conn *c = conn;

	if (reason != LWS_CALLBACK_RECEIVE)
		conns_gathered(&w->conns);
	switch (reason) {
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		if (!w->turns)
			turn(w);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		conn_read(c, in, len, lws_remaining_packet_payload(wsi),
		          lws_is_final_fragment(wsi));
		return 0;
	case LWS_CALLBACK_RECEIVE_PONG:
		conn_heard(c);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE: return writeable(wsi, c);
	case LWS_CALLBACK_ESTABLISHED: return conn_open(c, &w->conns, wsi);
	case LWS_CALLBACK_CLOSED:
		conn_gone(c);
		return one_less(w);
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL: return conn_over(c);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		conn_leaving(c, in, len);
		return -1;
	case LWS_CALLBACK_HTTP: return http(w, wsi, c, in);
	case LWS_CALLBACK_HTTP_BODY:
		return IS_SOUND || !len || heap_has(w->lws, in) ? web_body(c, in, len) : -1;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION: return web_body_whole(c);
	case LWS_CALLBACK_HTTP_WRITEABLE: return web_writeable(c);
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		web_gone(c);
		return one_less(w);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return upgrade(w, wsi, in);
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		w->subprotocol[0] = 0;
		return 0;
	case LWS_CALLBACK_RAW_RX_FILE: return take_in(w);
	case LWS_CALLBACK_RAW_CLOSE_FILE:
		w->listener = NULL;
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		crowd_bye(w->conns.crowd, wire_from(wsi));
		return 0;
	case LWS_CALLBACK_RAW_ADOPT:    /* a method that the library does not know, or CONNECT */
		return web_no_request(&wire, wsi);
	case LWS_CALLBACK_RAW_RX:
		return -1;
	default:
		return 0;
	}
}

/* --- from outside ------------------------------------------------------------------------- */

static _Thread_local char trouble[256];         /* why there is no context: what came first */
static void note(int level, const char *line)
{
	(void)level;
	if (!trouble[0])
		snprintf(trouble, sizeof trouble, "%.*s", (int)strcspn(line, "\n"), line);
	log_line(LOG_DEBUG, "gateway", "libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

static struct lws_context *start_lws(struct ws *w)
{
	static const lws_retry_bo_t silent = { .secs_since_valid_ping = 0 };   /* sweep() asks */
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER, .protocols = w->protocols, .user = w,
		.options = LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_LIBEV |
		           LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG,
		.alpn = "http/1.1", .retry_and_idle_policy = &silent,
		.timeout_secs = (unsigned)w->conns.limits.handshake_s,
		.timeout_secs_ah_idle = (unsigned)w->conns.limits.handshake_s,
		.max_http_header_data = HEADERS_SIZE,
		.keepalive_timeout = KEEPALIVE_S, .gid = -1u, .uid = -1u,
		.ssl_cert_filepath = w->config.cert, .ssl_private_key_filepath = w->config.key,
		.ssl_private_key_password = w->config.key ? "" : NULL,  /* asks no terminal */
	};
	struct lws_context *lws = NULL;
	struct turns_config turns = { .waits = waits, .turn = turn, .arg = w };
	void *loop;

	strcpy(w->subprotocol, "actord");
	w->protocols[0] = (struct lws_protocols){
		.name = w->subprotocol, .callback = happened,
		.per_session_data_size = sizeof(struct conn),
		.rx_buffer_size = READ_SIZE, .tx_packet_size = WRITE_SIZE,
	};
	trouble[0] = 0;
	if (w->config.cert)
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	lws_set_log_level(LLL_ERR, note);
	lws_set_allocator(heap_resize);
	w->turns = turns_new(&turns);
	if (w->turns) {
		loop = turns_loop(w->turns);
		info.foreign_loops = &loop;
		lws = lws_create_context(&info);
	}
	w->conns.gathers = lws;
	if (lws)
		return lws;
	turns_free(w->turns);
	w->turns = NULL;
	info.foreign_loops = NULL;
	info.options &= ~(uint64_t)LWS_SERVER_OPTION_LIBEV;
	lws = lws_create_context(&info);
	if (lws)
		log_line(LOG_WARN, "gateway", "slower with many clients: libwebsockets has no "
		         "libev plugin here (Debian: libwebsockets-evlib-ev)");
	return lws;
}

static void end_lws(struct ws *w)
{
	if (w->lws)
		lws_context_destroy(w->lws);
	w->lws = NULL;
}

static bool adopt_listener(struct ws *w)
{
	lws_sock_file_fd_type fd = { .filefd = w->config.listener };
	struct lws_vhost *vhost = lws_get_vhost_by_name(w->lws, "default");

	if (vhost)
		w->listener = lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, fd,
		                                         w->subprotocol, NULL);
	return w->listener;
}

struct ws *ws_new(const struct ws_config *c, struct why *why)
{
	struct ws *w = mem_alloc(sizeof *w);

	w->config = *c;
	w->config.http.space = LWS_PRE;
	conns_init(&w->conns, &wire, c->crowd, c->sessions);
	pthread_mutex_init(&w->lock, NULL);
	dealt_init(&w->dealt);
	door_init(&w->door, c->listener, c->descriptors);
	w->lws = start_lws(w);
	if (w->lws && (c->listener < 0 || adopt_listener(w)))
		return w;
	gate_trouble(c->cert, c->key, trouble, c->descriptors, why);
	ws_free(w);
	return NULL;
}

void ws_run(struct ws *w)
{
	sweep(&w->sweep);
	ws_wake(w);
	while (!w->over && lws_service(w->lws, 0) >= 0)
		;
	conns_gathered(&w->conns);
	end(w);                         /* where the library gave up: nobody wakes it any more */
	end_lws(w);                     /* here, as connections end in the thread they lived in */
}

void ws_wake(struct ws *w)
{
	if (w->turns) {
		turns_wake(w->turns);
		return;
	}
	pthread_mutex_lock(&w->lock);
	if (!w->over)
		lws_cancel_service(w->lws);
	pthread_mutex_unlock(&w->lock);
}

void ws_take(struct ws *w, int fd)
{
	dealt_put(&w->dealt, fd);
	ws_wake(w);
}

void ws_enter(struct ws *w, enum ws_phase phase)
{
	enum ws_phase was = LOAD(&w->phase);

	while (was < phase && !CAS(&w->phase, &was, phase))
		;
	ws_wake(w);
}

bool ws_left(const struct ws *w)
{
	return LOAD_ACQUIRE(&w->left);
}

void ws_count(const struct ws *w, struct ws_info *add)
{
	const struct conns *all = &w->conns;

	add->clients += LOAD(&all->clients);
	add->unsent += LOAD(&all->unsent);
	add->bytes += LOAD(&all->bytes) + LOAD(&all->bodies);
	add->accepted += LOAD(&all->accepted);
	add->turned_away += LOAD(&all->turned_away) + LOAD(&w->door.turned_away);
	add->limited += LOAD(&all->limited);
	add->late += LOAD(&all->late);
	add->lost += LOAD(&all->lost);
	add->overflown += LOAD(&all->overflown);
	add->dropped += LOAD(&all->dropped);
}

void ws_free(struct ws *w)
{
	if (!w)
		return;
	end_lws(w);
	turns_free(w->turns);
	door_fini(&w->door);
	dealt_fini(&w->dealt);
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
}
