/* SPDX-License-Identifier: MIT
 * gateway.c - the gateway's threads, and what the node asks of it.
 *
 * A thread is a home: it turns its connections' loop (ws.c), and each time it is woken it runs the
 * sessions of these connections (session.c), whose answers the loop then sends. Waking is one write
 * to an event descriptor, made only when the home goes from nothing to do to something.
 *
 * There is one thread unless --ws-threads says more. A connection lives on one for life, and so
 * does its session; they are dealt out in turn. What all threads have in common is little: how many
 * there are and what an address may (struct crowd), who is logged in (users.c), and the actor
 * `clients`, which lives on the first and has the others' keepers do the same (keeper.c).
 *
 * Stopping: quiet (no new connections, no new calls), then each client is told 1001 and goes, or is
 * cut off, while the loops still turn: what their going brings about is said by `clients`. Then the
 * loops end. */
#include "gateway.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "clients.h"
#include "conn.h"
#include "gate.h"
#include "heap.h"
#include "keeper.h"
#include "login.h"
#include "proof.h"
#include "slice.h"
#include "ws.h"

enum { ADDRESS_SIZE = 300, NAME_SIZE = 16 };

struct gate {
	struct gateway *of;
	struct ws *ws;
	struct home *home;
	struct sessions *sessions;
	pthread_t thread;
	char name[NAME_SIZE];
};

struct gateway {
	struct gate gate[GATEWAY_THREADS_MOST];
	struct sessions *sessions[GATEWAY_THREADS_MOST];        /* the same, for `clients` */
	int n, running;
	unsigned dealt;                 /* the first thread's */
	struct crowd crowd;
	pthread_mutex_t http_lock;
	struct http_config http;        /* as the node gave it */
	char *origins, *listen;
	char address[ADDRESS_SIZE];
};

static void wake(void *arg)
{
	ws_wake(((struct gate *)arg)->ws);
}

static struct ws *whose(void *arg)
{
	struct gateway *g = ((struct gate *)arg)->of;

	return g->gate[g->dealt++ % (unsigned)g->n].ws;
}

/* What the node shows it makes on one thread at a time. */
static int get(void *arg, const char *path, struct buf *body, const char **type)
{
	struct gateway *g = arg;
	int status;

	pthread_mutex_lock(&g->http_lock);
	status = g->http.get(g->http.arg, path, body, type);
	pthread_mutex_unlock(&g->http_lock);
	return status;
}

static bool turn(void *arg)
{
	struct gate *gate = arg;
	bool more = home_run(gate->home);

	sessions_retry(gate->sessions);
	return more;
}

static void *thread(void *arg)
{
	struct gate *gate = arg;

	pthread_setname_np(pthread_self(), gate->name);
	home_enter(gate->home);
	slice_prompt();
	ws_run(gate->ws);
	home_leave(gate->home);
	return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct gate *gate)
{
	sigset_t all, was;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_create(&gate->thread, NULL, thread, gate);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return err;
}

/* The first, which has the listening socket, comes last: then there is whom to deal to. */
static int start_threads(struct gateway *g, struct why *why)
{
	while (g->running < g->n && !start_thread(&g->gate[g->n - 1 - g->running]))
		g->running++;
	return g->running == g->n ? 0
	       : why_set(why, -1, "no thread for clients could be started");
}

static void join(struct gateway *g)
{
	for (; g->running; g->running--)
		pthread_join(g->gate[g->n - g->running].thread, NULL);
}

/* --- its parts ---------------------------------------------------------------------------- */

static int gate_make(struct gateway *g, int i, struct ws_config *w, struct why *why)
{
	struct gate *gate = &g->gate[i];

	gate->of = g;
	snprintf(gate->name, sizeof gate->name, i ? "gateway %d" : "gateway", i);
	gate->home = home_new(gate->name, wake, gate);
	if (!gate->home)
		return why_set(why, -1, "there are too many threads for one of clients");
	g->sessions[i] = gate->sessions = w->sessions = sessions_new(gate->home);
	w->arg = gate;
	gate->ws = ws_new(w, why);
	if (!gate->ws)
		return -1;
	w->listener = -1;               /* is the first one's now */
	return keeper_new(gate->sessions, why);
}

static int make_parts(struct gateway *g, const struct gateway_config *c, struct ws_config *w,
                      struct why *why)
{
	struct session_config sessions = {
		.port = &conn_frames, .login = c->login, .same_user = c->same_user,
	};

	if (session_setup(&sessions, why) || keeper_setup(why))
		return -1;
	for (int i = 0; i < g->n; i++)
		if (gate_make(g, i, w, why))
			return -1;
	return clients_setup(g->sessions, g->n, why) || proof_start(c->token_key, why) ? -1 : 0;
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

static int folder(const char *option, const char *path, struct why *why)
{
	DIR *d = path ? opendir(path) : NULL;

	if (path && !d)
		return why_set(why, -1, "%s %s: %s", option, path, strerror(errno));
	if (d)
		closedir(d);
	return 0;
}

struct gateway *gateway_new(const struct gateway_config *c, struct why *why)
{
	struct gateway *g = mem_alloc(sizeof *g);
	struct ws_config w = {
		.listener = -1, .turn = turn, .whose = whose, .crowd = &g->crowd,
		.http = { .get = get, .arg = g, .files = c->files, .token = c->token },
		.cert = c->cert, .key = c->key,
	};

	g->n = c->threads;
	g->http = (struct http_config){ .get = c->http, .arg = c->arg };
	pthread_mutex_init(&g->http_lock, NULL);
	crowd_init(&g->crowd, &c->limits);
	w.http.listen = g->listen = mem_string(c->addr, strlen(c->addr));
	if (c->origins)
		w.http.origins = g->origins = mem_string(c->origins, strlen(c->origins));
	if (readable("--tls-cert", c->cert, why) || readable("--tls-key", c->key, why) ||
	    folder("--files", c->files, why))
		goto fail;
	w.listener = gate_open(c->addr, c->port, why);
	if (w.listener < 0)
		goto fail;
	gate_address(w.listener, g->address, sizeof g->address);
	w.descriptors = gate_descriptors();
	w.http.most = w.descriptors - 2 * GATE_SPARE;
	if (!make_parts(g, c, &w, why) && !gate_room(w.descriptors, why) && !start_threads(g, why))
		return g;
fail:
	if (w.listener >= 0)
		close(w.listener);
	gateway_free(g);
	return NULL;
}

/* --- from outside ------------------------------------------------------------------------- */

void gateway_ready(void)
{
	login_look();
}

const char *gateway_address(const struct gateway *g)
{
	return g->address;
}

static void count(const struct gateway *g, struct session_info *s, struct ws_info *w)
{
	*s = (struct session_info){ 0 };
	*w = (struct ws_info){ .bytes = heap_bytes() };
	for (int i = 0; i < g->n; i++) {
		sessions_count(g->sessions[i], s);
		ws_count(g->gate[i].ws, w);
	}
}

void gateway_info(const struct gateway *g, struct gateway_info *out)
{
	struct session_info s;
	struct ws_info w;

	count(g, &s, &w);
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
	for (int i = 0; i < g->n; i++)
		ws_enter(g->gate[i].ws, WS_QUIET);
}

bool gateway_idle(const struct gateway *g)
{
	struct session_info s;
	struct ws_info w;

	count(g, &s, &w);
	return !s.waiting && !w.unsent;
}

void gateway_leave(struct gateway *g, bool cut)
{
	for (int i = 0; i < g->n; i++)
		ws_enter(g->gate[i].ws, cut ? WS_CUTTING : WS_LEAVING);
}

bool gateway_left(const struct gateway *g)
{
	for (int i = 0; i < g->n; i++)
		if (!ws_left(g->gate[i].ws))
			return false;
	return true;
}

void gateway_stop(struct gateway *g)
{
	for (int i = 0; i < g->n; i++)
		if (g->running > g->n - 1 - i)  /* it has begun, but not all have */
			ws_enter(g->gate[i].ws, WS_ENDING);
	join(g);
}

void gateway_free(struct gateway *g)
{
	if (!g)
		return;
	gateway_stop(g);
	for (int i = 0; i < g->n; i++) {
		home_free(g->gate[i].home);     /* may wake once more */
		ws_free(g->gate[i].ws);
		sessions_free(g->sessions[i]);
	}
	crowd_fini(&g->crowd);
	pthread_mutex_destroy(&g->http_lock);
	mem_free(g->origins);
	mem_free(g->listen);
	mem_free(g);
}
