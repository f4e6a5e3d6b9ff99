/* SPDX-License-Identifier: MIT
 * gateway.c - the gateway's thread, and what the node asks of it.
 *
 * The thread is a home: it turns the connections' loop (ws.c), and each time it is woken it runs
 * the sessions (session.c), whose answers the loop then sends. Waking is one write to an event
 * descriptor, made only when the home goes from nothing to do to something.
 * Stopping: quiet (no new connections, no new calls), then each client is told 1001, then the loop
 * ends. */
#include "gateway.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "clients.h"
#include "conn.h"
#include "gate.h"
#include "patience.h"
#include "proof.h"
#include "slice.h"
#include "ws.h"

enum { FAREWELL_MS = 1000, ADDRESS_SIZE = 300 };

struct gateway {
	struct ws *ws;
	struct home *home;
	pthread_t thread;
	char *origins;
	char address[ADDRESS_SIZE];
};

static void wake(void *arg)
{
	ws_wake(((struct gateway *)arg)->ws);
}

static bool turn(void *arg)
{
	bool more = home_run(((struct gateway *)arg)->home);

	session_retry();
	return more;
}

static void *thread(void *arg)
{
	struct gateway *g = arg;

	pthread_setname_np(pthread_self(), "gateway");
	home_enter(g->home);
	slice_prompt();
	ws_run(g->ws);
	home_leave(g->home);
	return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct gateway *g)
{
	sigset_t all, was;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_create(&g->thread, NULL, thread, g);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return err;
}

/* What the library would only fail at. */
static int readable(const char *option, const char *path, struct why *why)
{
	FILE *f = path ? fopen(path, "re") : NULL;

	if (path && !f)
		return why_set(why, -1, "%s %s: %s", option, path, strerror(errno));
	if (f)
		fclose(f);
	return 0;
}

struct gateway *gateway_new(const struct gateway_config *c, struct why *why)
{
	struct gateway *g = mem_alloc(sizeof *g);
	struct ws_config config = {
		.turn = turn, .turn_arg = g,
		.http = { .get = c->http, .arg = c->arg, .files = c->files, .token = c->token },
		.cert = c->cert, .key = c->key, .limits = c->limits,
	};
	struct session_config sessions = {
		.port = &conn_frames, .login = c->login, .same_user = c->same_user,
	};

	if (readable("--tls-cert", c->cert, why) || readable("--tls-key", c->key, why))
		goto fail;
	config.listener = gate_open(c->addr, c->port, why);
	if (config.listener < 0)
		goto fail;
	gate_address(config.listener, g->address, sizeof g->address);
	config.descriptors = gate_descriptors();
	if (c->origins)
		config.http.origins = g->origins = mem_string(c->origins, strlen(c->origins));
	g->ws = ws_new(&config, why);
	if (!g->ws) {
		close(config.listener);
		goto fail;
	}
	g->home = sessions.home = home_new("gateway", wake, g);
	if (clients_setup(g->home, why) || proof_start(c->token_key, why) ||
	    session_setup(&sessions, why))
		goto fail_home;
	if (!start_thread(g))
		return g;
	why_set(why, -1, "no thread for clients could be started");
fail_home:
	home_free(g->home);             /* may wake once more */
	ws_free(g->ws);
fail:
	mem_free(g->origins);
	mem_free(g);
	return NULL;
}

const char *gateway_address(const struct gateway *g)
{
	return g->address;
}

void gateway_info(const struct gateway *g, struct gateway_info *out)
{
	struct session_info s;
	struct ws_info w;

	session_info(&s);
	ws_info(g->ws, &w);
	*out = (struct gateway_info){
		.clients = w.clients, .accepted = w.accepted,
		.calls = s.calls, .answers = s.answers, .refused = s.refused,
		.pushed = s.pushed, .encoded = s.encoded,
		.turned_away = w.turned_away, .limited = w.limited, .late = w.late,
		.bytes = w.bytes, .lost = w.lost, .overflown = w.overflown, .dropped = w.dropped,
	};
}

void gateway_quiet(struct gateway *g)
{
	session_quiet();
	ws_quiet(g->ws);
}

bool gateway_idle(const struct gateway *g)
{
	struct session_info s;
	struct ws_info w;

	session_info(&s);
	ws_info(g->ws, &w);
	return !s.waiting && !w.unsent;
}

void gateway_stop(struct gateway *g)
{
	gateway_quiet(g);
	ws_leave(g->ws);
	if (join_within(g->thread, FAREWELL_MS))
		return;
	ws_end(g->ws);
	pthread_join(g->thread, NULL);
}

void gateway_free(struct gateway *g)
{
	if (!g)
		return;
	home_free(g->home);             /* may wake once more */
	ws_free(g->ws);
	mem_free(g->origins);
	mem_free(g);
}
