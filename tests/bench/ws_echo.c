/* SPDX-License-Identifier: MIT
 * ws_echo.c - the least that libwebsockets can do: each message goes back as it came.
 *
 *   ws_echo [batched]
 *
 * What the gateway is measured beside, with the same event library and one thread. Plain, a message
 * is one lws_write(), as the library's own examples do it. Batched, frames are made by hand and
 * whatever one read brought leaves in one write, which is the most that the library allows. Only
 * for messages below 126 bytes that come whole. Prints `listen=127.0.0.1:PORT`; SIGTERM ends it. */
#include <ev.h>
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { OUT_SIZE = 16384, SMALL = 126 };

/* Grows with what is under way, as 10,000 of them are measured too. */
struct conn { uint8_t *out; size_t len, size; };

static bool batched;

static int keep(struct conn *c, const uint8_t *in, size_t len, bool text)
{
	if (len >= SMALL || c->len + len + 2 > OUT_SIZE)
		return -1;
	if (c->size < c->len + len + 2) {
		c->size = 2 * (c->len + len + 2);
		c->out = realloc(c->out, LWS_PRE + c->size);
		if (!c->out)
			return -1;
	}
	if (batched) {
		c->out[LWS_PRE + c->len++] = text ? 0x81 : 0x82;
		c->out[LWS_PRE + c->len++] = (uint8_t)len;
	}
	memcpy(c->out + LWS_PRE + c->len, in, len);
	c->len += len;
	return 0;
}

static int received(struct lws *wsi, struct conn *c, const uint8_t *in, size_t len)
{
	bool text = !lws_frame_is_binary(wsi);

	if (keep(c, in, len, text))
		return -1;
	if (batched)
		return lws_callback_on_writable(wsi) < 0 ? -1 : 0;
	len = c->len;
	c->len = 0;
	return lws_write(wsi, c->out + LWS_PRE, len, text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) < 0;
}

static int writeable(struct lws *wsi, struct conn *c)
{
	size_t len = c->len;

	c->len = 0;
	return len && lws_write(wsi, c->out + LWS_PRE, len, LWS_WRITE_RAW) < 0 ? -1 : 0;
}

static int happened(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
	struct conn *c = user;

	switch (reason) {
	case LWS_CALLBACK_RECEIVE: return received(wsi, c, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE: return writeable(wsi, c);
	case LWS_CALLBACK_CLOSED:
		free(c->out);
		return 0;
	default: return 0;
	}
}

static void stop(struct ev_loop *loop, ev_signal *s, int events)
{
	(void)s, (void)events;
	ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
	static const struct lws_protocols protocols[] = {
		{ .name = "echo", .callback = happened, .rx_buffer_size = 2048,
		  .per_session_data_size = sizeof(struct conn), .tx_packet_size = 65536 },
		{ 0 },
	};
	struct lws_context_creation_info info = {
		.port = 0, .iface = "127.0.0.1", .protocols = protocols, .alpn = "http/1.1",
		.options = LWS_SERVER_OPTION_LIBEV, .gid = -1u, .uid = -1u,
	};
	struct rlimit files;
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
	struct lws_context *lws;
	ev_signal term;
	void *loops = loop;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &files);
	batched = argc > 1 && !strcmp(argv[1], "batched");
	info.foreign_loops = &loops;
	lws_set_log_level(LLL_ERR, NULL);
	lws = lws_create_context(&info);
	if (!lws)
		return 1;
	ev_signal_init(&term, stop, SIGTERM);
	ev_signal_start(loop, &term);
	printf("listen=127.0.0.1:%d\n",
	       lws_get_vhost_listen_port(lws_get_vhost_by_name(lws, "default")));
	fflush(stdout);
	lws_service(lws, 0);
	lws_context_destroy(lws);
	ev_loop_destroy(loop);
	return 0;
}
