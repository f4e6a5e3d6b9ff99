/* SPDX-License-Identifier: MIT
 * node.c - the whole runtime: builds the rooms in an order in which each finds what it needs, ties
 * them together by callbacks, says that it is ready, and takes all down again.
 *
 * Order: signals blocked (threads made later inherit that, so they come to the main thread), the
 * state folder, the embedded Redis (its parent must be the thread that lives longest), core, loop,
 * the rooms that are actors (patch, bus, control: their names are then taken), the other actors,
 * and last the gateway, as from then on clients come.
 *
 * A stop: nothing new is taken, what is under way is finished, clients leave (stop.c), the loop
 * ends, then all is freed in reverse. What hangs in that is cut off by an alarm: whoever stops us
 * was promised an end.
 *
 * Threads: all of this is the main thread's, which turns the I/O loop, except http(), which the
 * gateway's thread calls. */
#include "node.h"

#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/bus.h"
#include "bus/intake.h"
#include "bus/server.h"
#include "cast.h"
#include "control/control.h"
#include "debug.h"
#include "gateway/gateway.h"
#include "keep.h"
#include "log.h"
#include "loop/loop.h"
#include "metrics.h"
#include "page.h"
#include "patch/patch.h"
#include "ports.h"
#include "report.h"
#include "state.h"
#include "stop.h"
#include "store/store.h"
#include "sync.h"
#include "zone.h"

enum {
	REDIS_MS = 2000,        /* a Redis that is away holds `ready` up so long */
	CORE_STOP_MS = 2000,
	ALARM_S = 9, FILES_MOST = 65536,
	STARTS_LOOK_MS = 5,     /* while an actor is still inside its start */
	COUNT_MS = 1000,        /* how old what is said of Redis on /metrics may be */
};

struct node {
	const struct node_config *config;
	bool embedded, core, patch;
	/* The gateway's thread looks at these, and at the gateway itself. */
	_Atomic bool ready, stopping;
	struct state *state;
	const char *name, *identity;
	struct server *server;
	struct loop *loop;
	struct bus *bus;
	struct control *control;
	_Atomic(struct gateway *) gateway;
	struct loop_timer *redis_late, *starts, *count;
	struct stop *stop;
	pthread_mutex_t counted_lock;
	struct bus_info counted;                /* a copy, for the gateway's threads */
};

static _Atomic int exit_status;

/* --- ready -------------------------------------------------------------------------------- */

/* Those who want to know have joined the groups "started" and "stopped". */
static void tell_group(struct node *n, const char *group)
{
	struct buf b = { 0 };

	pack_text(&b, n->name);
	core_publish(NULL, group, packed_of(&b), 1);
	buf_fini(&b);
}

static void say_ready(struct node *n)
{
	const char *listen = n->gateway ? gateway_address(n->gateway) : "none";
	const char *port = strrchr(listen, ':'), *redis = n->bus ? n->config->redis_url : "none";
	bool all = strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0;
	struct buf now = { 0 };
	int any;                /* as much of it as any client takes */

	n->ready = true;
	if (n->gateway)
		gateway_ready();
	if (n->server)
		redis = server_url(n->server);
	else if (n->bus && (strstr(redis, "sentinel://") || strstr(redis, "cluster://")) &&
	         bus_url(n->bus, &now))
		redis = now.p;
	any = strncmp(redis, "rediss", 6) == 0 ? (int)strcspn(redis, "?") : -1;
	printf("ready listen=%s%s redis=%.*s control=%s node=%s state=%s version=%s\n",
	       all ? "127.0.0.1" : "", all ? port : listen, any, redis, control_path(n->control),
	       n->name, state_path(n->state), ACTORD_VERSION);
	fflush(stdout);
	buf_fini(&now);
	control_ready(n->control);
	tell_group(n, "started");
}

/* All that can be waited for is there, or has been waited for long enough; but the actors. */
static void when_started(void *arg)
{
	struct node *n = arg;

	if (n->ready || n->stopping)
		return;
	if (cast_starting())
		loop_timer_set(n->starts, STARTS_LOOK_MS);
	else if (!exit_status)
		say_ready(n);
}

static void on_redis(void *arg, bool up)
{
	struct node *n = arg;

	keep_shut(up ? NULL : "Redis is away: try again when it is back", 0);
	if (!up)
		return;
	loop_timer_set(n->redis_late, -1);
	core_send(NULL, &(struct call){ .to = actor_find("clients"), .what = "connected" }, NULL);
	when_started(n);
}

static void begin_stop(struct node *n, const char *why);

static void fail_fast(struct node *n)
{
	struct bus_info i;

	bus_info(n->bus, &i);
	fprintf(stderr, "actord: --redis %s: %s; start it, or leave --fail-fast away to have its "
	        "return waited for\n", i.url, *i.trouble ? i.trouble : "it does not answer");
	exit_status = 2;
	begin_stop(n, "no Redis");
}

static void on_redis_late(void *arg)
{
	struct node *n = arg;

	if (n->bus && n->config->fail_fast) {
		fail_fast(n);
		return;
	}
	if (n->bus)
		log_line(LOG_WARN, "node", "ready without Redis, which does not answer yet");
	when_started(n);
}

/* --- what the rooms ask ------------------------------------------------------------------- */

static void on_count(void *arg)
{
	struct node *n = arg;
	struct bus_info i;

	bus_info(n->bus, &i);
	pthread_mutex_lock(&n->counted_lock);
	n->counted = i;
	pthread_mutex_unlock(&n->counted_lock);
	loop_timer_set(n->count, COUNT_MS);
}

/* A copy: this is one of the gateway's threads. */
static struct bus_info counted(struct node *n)
{
	struct bus_info i;

	pthread_mutex_lock(&n->counted_lock);
	i = n->counted;
	pthread_mutex_unlock(&n->counted_lock);
	return i;
}

static int say_metrics(struct node *n, struct buf *b, const char **type)
{
	struct gateway_info clients;

	*type = METRICS_TYPE;
	metrics_process(b, n->name);
	metrics_one(b, "actord_ready", "The node has started and is not stopping.",
	            n->ready && !n->stopping);
	metrics_core(b);
	report_patch_metrics(b);
	if (n->bus)
		report_redis_metrics(b, bus_state(n->bus) != BUS_AWAY, counted(n));
	if (n->gateway) {
		gateway_info(n->gateway, &clients);
		metrics_clients(b, &clients);
	}
	return 200;
}

/* NULL: it serves. Any thread. */
static const char *unready(void *arg)
{
	const struct node *n = arg;

	return n->stopping ? "stopping" : !n->ready ? "starting" : report_trouble(n->bus);
}

static int say_status(struct buf *b, const char **type, const char *trouble)
{
	*type = "application/json";
	buf_printf(b, "{\"status\":\"%s\"}\n", trouble ? trouble : "ok");
	return trouble ? 503 : 200;
}

static int say_page_status(struct node *n, struct buf *b, const char **type)
{
	struct page_node p = { .name = n->name, .redis = report_redis_state(n->bus) };
	struct gateway_info i = { 0 };
	struct gateway *g = n->gateway;

	if (g)
		gateway_info(g, &i);
	p.clients = i.clients;
	p.calls = i.calls;
	page_status(&p, b);
	*type = "application/json";
	return 200;
}

static int http(void *arg, const char *path, struct buf *body, const char **type)
{
	struct node *n = arg;

	if (strcmp(path, "/metrics") == 0)
		return say_metrics(n, body, type);
	if (strcmp(path, "/status") == 0)
		return say_page_status(n, body, type);
	if (strcmp(path, "/healthz") == 0)
		return say_status(body, type, NULL);
	if (strcmp(path, "/readyz") == 0)
		return say_status(body, type, unready(n));
	return debug_page(path, body, type) ? 200 : page_file(path, body, type);
}

static int start_actor(void *arg, const char *what,
                       void (*done)(void *of, int rc, const char *text), void *of,
                       struct why *why)
{
	return cast_begin(what, ((struct node *)arg)->loop, done, of, why);
}

static unsigned sections(void *arg, struct buf *b)
{
	struct node *n = arg;
	struct bus_info i;
	unsigned pairs = 2;

	if (n->bus) {
		bus_info(n->bus, &i);
		report_redis(b, n->embedded ? "embedded" : "elsewhere", &i);
		pairs++;
	}
	if (n->gateway) {
		report_clients(b, n->gateway);
		pairs++;
	}
	report_patches(b);
	report_warnings(b, n->bus);
	return pairs;
}

static unsigned memory(void *arg, struct buf *b)
{
	const struct node *n = arg;

	return report_memory(b, n->gateway, n->bus);
}

static unsigned nodes(void *arg, struct buf *rows, const char **but)
{
	const struct node *n = arg;

	return report_nodes(rows, n->bus, n->name, but);
}

/* --- the start ---------------------------------------------------------------------------- */

static int redis_start(struct node *n, struct why *why)
{
	const struct node_config *c = n->config;
	struct server_config s = {
		.state = state_path(n->state), .bind = c->redis_bind, .db = c->redis_db,
		.port = c->redis_port, .port_asked = c->redis_port_asked,
		.password = c->redis_password,
	};
	struct why reason = { "" };

	n->embedded = c->redis == REDIS_IS_EMBEDDED || c->redis == REDIS_IS_DEFAULT;
	if (n->embedded && !server_installed()) {
		if (c->redis == REDIS_IS_EMBEDDED)
			return why_set(why, ACTOR_ENOENT, "--redis embedded: no redis-server is on "
			               "PATH; install it, or write --redis URL or --redis none");
		log_line(LOG_WARN, "node", "no redis-server is on PATH: running alone");
		n->embedded = false;
	}
	if (!n->embedded)
		return 0;
	n->server = server_start(&s, &reason);
	return n->server ? 0 : why_set(why, ACTOR_EFAIL, "--redis embedded: %s", reason.text);
}

static int core_and_loop(struct node *n, struct why *why)
{
	struct core_config core = { .workers = n->config->workers,
		                    .max_actors = (uint32_t)n->config->max_actors };
	cpu_set_t cpus;

	if (!core.workers)
		core.workers = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	if (core_start(&core, why) < 0)
		return ACTOR_EFAIL;
	n->core = true;
	n->loop = loop_new(why);
	return n->loop ? 0 : ACTOR_EFAIL;
}

static void on_name_refused(void *arg, const char *reason);
static void on_give_up(void *arg, const char *reason);

static int rooms_start(struct node *n, struct why *why)
{
	const struct node_config *c = n->config;
	struct patch_config patch = {
		.unsigned_redis = n->embedded, .state = state_path(n->state),
		.keys = c->patch_keys, .node = n->name, .groups = c->groups,
		.probation = c->probation,
	};
	struct control_sources sources = {
		.node = n->name, .unready = unready, .sections = sections, .memory = memory,
		.nodes = nodes, .fields = patch_fields, .start = start_actor, .arg = n };
	struct bus_config bus = {
		.node = n->name, .identity = n->identity, .groups = c->groups,
		.patches = report_in_force, .refused = on_name_refused, .arg = n,
	};
	struct store_config store = { .state = state_path(n->state) };
	struct cast cast = { c->topic, c->actors, c->actor_count, on_give_up, n };
	struct why reason = { "" };

	if (c->unsigned_patches >= 0)
		patch.unsigned_redis = c->unsigned_patches;
	sources.unsigned_redis = patch.unsigned_redis;
	core_set_fields(patch_fields);
	if (patch_start(&patch, why) < 0 || store_start(&store, why) < 0)
		return ACTOR_EFAIL;
	n->patch = true;
	intake_instead(cast_instead);
	bus.url = n->server ? server_url(n->server) : c->redis_url;
	bus.socket = n->server ? server_socket(n->server) : NULL;
	if (bus.url && !(n->bus = bus_new(n->loop, &bus, &reason)))
		return why_set(why, ACTOR_EARGS, "--redis: %s", reason.text);
	n->control = control_new(n->loop, c->control, &sources, &reason);
	if (!n->control)
		return why_set(why, ACTOR_EFAIL, "--control: %s", reason.text);
	if (cast_start(&cast, why) < 0)
		return ACTOR_EFAIL;
	patch_bring_back();
	return 0;
}

static int gateway_start(struct node *n, struct why *why)
{
	const struct node_config *c = n->config;
	struct gateway_config g = {
		.addr = c->listen_addr, .port = c->listen_port, .threads = c->ws_threads,
		.origins = c->origins, .login = c->login, .token_key = c->token_key,
		.same_user = (enum same_user)c->same_user, .http = http, .arg = n,
		.cert = c->tls_cert, .key = c->tls_key, .limits = c->limits,
		.files = c->files, .token = c->debug_token,
	};
	struct why reason = { "" };

	if (!c->listen_addr)
		return 0;
	n->gateway = gateway_new(&g, &reason);
	if (n->gateway)
		return 0;
	return why_set(why, ACTOR_EFAIL, "%s%s", reason.text[0] == '-' ? "" : "--listen: ",
	               reason.text);
}

static int start(struct node *n, struct why *why)
{
	if (!(n->state = state_open(n->config->state, why)))
		return ACTOR_EFAIL;
	n->name = n->config->node ? n->config->node : state_node(n->state, why);
	n->identity = state_identity(n->state, why);
	if (!n->name || !n->identity || redis_start(n, why) < 0 ||
	    core_and_loop(n, why) < 0 || rooms_start(n, why) < 0)
		return ACTOR_EFAIL;
	return gateway_start(n, why);
}

/* --- the stop ----------------------------------------------------------------------------- */

static char socket_path[sizeof ((struct why *)0)->text];

static void on_alarm(int signo)
{
	(void)signo;
	unlink(socket_path);
	_exit(exit_status);
}

static void begin_stop(struct node *n, const char *why)
{
	n->stopping = true;
	signal(SIGALRM, on_alarm);
	alarm(ALARM_S);
	log_line(LOG_INFO, "node", "stopping (%s)", why);
	patch_quiet();
	stop_begin(n->stop, n->gateway, n->bus);
	tell_group(n, "stopped");
}

static void on_stop(void *arg, int signo)
{
	struct node *n = arg;

	if (!n->stopping)
		begin_stop(n, strsignal(signo));
	else
		stop_hurry(n->stop);
}

static void end_given_up(void *arg)
{
	struct node *n = arg;

	if (!n->stopping)
		begin_stop(n, "given up");
}

/* Any thread. Once: what fails while the node ends is of no more interest. */
static void on_give_up(void *arg, const char *reason)
{
	struct node *n = arg;

	if (atomic_exchange(&exit_status, 1))
		return;
	fprintf(stderr, "actord: %s\n", reason);
	loop_post(n->loop, end_given_up, n);
}

static void on_name_refused(void *arg, const char *reason)
{
	struct node *n = arg;

	if (n->stopping)
		return;
	fprintf(stderr, "actord: --node %s: %s\n", n->name, reason);
	exit_status = 2;
	begin_stop(n, "its name is another's");
}

/* A worker is still inside a handler: what it may touch stays as it is until the process ends. */
static void abandon(struct node *n)
{
	unlink(socket_path);
	server_stop(n->server);
	_exit(exit_status);
}

static void finish(struct node *n)
{
	if (n->gateway)
		gateway_stop(n->gateway);
	if (n->core && !core_stop(CORE_STOP_MS))
		abandon(n);
	if (n->patch && !patch_stop(CORE_STOP_MS))
		abandon(n);
	store_stop();
	control_free(n->control);
	gateway_free(n->gateway);
	bus_free(n->bus);
	loop_timer_free(n->redis_late);
	loop_timer_free(n->starts);
	stop_free(n->stop);
	loop_timer_free(n->count);
	server_stop(n->server);
	loop_free(n->loop);
	state_close(n->state);
}

/* --- the run ------------------------------------------------------------------------------ */

/* As PID 1 the orphans of the container are ours. The embedded Redis, if it is among them, was
 * looked at before: handlers of one signal run last come first. */
static void on_child(void *arg, int signo)
{
	(void)arg, (void)signo;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void run(struct node *n)
{
	if (getpid() == 1)
		loop_signal(n->loop, SIGCHLD, on_child, n);
	if (n->server)
		server_watch(n->server, n->loop);
	loop_signal(n->loop, SIGTERM, on_stop, n);
	loop_signal(n->loop, SIGINT, on_stop, n);
	snprintf(socket_path, sizeof socket_path, "%s", control_path(n->control));
	n->stop = stop_new(n->loop);
	n->redis_late = loop_timer_new(n->loop, on_redis_late, n);
	n->starts = loop_timer_new(n->loop, when_started, n);
	if (n->bus) {
		bus_on_change(n->bus, on_redis, n);
		on_redis(n, false);
		n->count = loop_timer_new(n->loop, on_count, n);
		on_count(n);
	}
	loop_timer_set(n->redis_late, n->bus ? REDIS_MS : 0);
}

/* Clients are descriptors; Redis, a child, wants ten thousand. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MOST)
		return;
	limit.rlim_cur = limit.rlim_max < FILES_MOST ? limit.rlim_max : FILES_MOST;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* All but what the thread that runs does to itself. */
static void block_signals(sigset_t *before)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(&set, own[i]);
	pthread_sigmask(SIG_SETMASK, &set, before);
}

/* A signal more must not end a process that is about to end well. */
static void block_stops(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int node_run(const struct node_config *c)
{
	struct node n = { .config = c, .counted_lock = PTHREAD_MUTEX_INITIALIZER };
	struct why why = { "" };
	sigset_t before;
	int error;

	log_set_format((enum log_format)c->log_format);
	zone_set(c->time_zone);
	raise_limit();
	block_signals(&before);
	core_on_give_up(on_give_up, &n);
	core_on_first_start(cast_first_start, NULL);
	error = start(&n, &why);
	if (error) {
		fprintf(stderr, "actord: %s\n", why.text);
	} else {
		run(&n);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		loop_run(n.loop);
		block_stops();
	}
	finish(&n);
	return error ? 2 : exit_status;
}
