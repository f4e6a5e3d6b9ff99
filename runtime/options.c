/* SPDX-License-Identifier: MIT
 * options.c - what the user said, from three places with one table.
 *
 * The idea: an option is a name and a function that checks a value and sets it; the name makes the
 * command line's --redis-port, the environment's ACTORD_REDIS_PORT and the file's redis-port. All
 * three are applied in that order backwards, so the last word is the command line's.
 *
 * Invariant: an option that is not in the table does not exist anywhere, --help included.
 *
 * Main thread, before any other. Opens no file but --config; what a value means for the machine
 * (is the port free, may the folder be written) the rooms find out. */
#include "options.h"
#include "bus/tls.h"
#include "core/log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LISTEN_PORT = 8080, WORKERS_MAX = 100, WS_THREADS_MAX = 16, DATABASES = 1024,
       ACTORS_LEAST = 100, ACTORS_MOST = 200000000 };
enum { FILE_MAX = 1 << 20 };    /* bytes of --config */

struct option {
	const char *name, *arg, *help;          /* arg NULL: a flag, whose value is yes or no */
	int (*set)(struct node_config *c, const char *value, struct why *why);
};

static int number(const char *text, int min, int max, int *out, struct why *why)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || n < min || n > max)
		return why_set(why, ACTOR_EARGS, "\"%s\" is no number from %d to %d", text, min,
		               max);
	*out = (int)n;
	return 0;
}

static bool address_is(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

/* A topic or a node's name: it becomes a Redis key and a word in lines of text. */
static int word(const char *text, struct why *why)
{
	size_t len = strlen(text);

	if (!len || len > NAME_MAX_LEN)
		return why_set(why, ACTOR_EARGS, "a name has 1 to %d bytes", NAME_MAX_LEN);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 127)
			return why_set(why, ACTOR_EARGS, "a name has no spaces or controls");
	return 0;
}

static int filled(const char *text, const char **out, struct why *why)
{
	if (!*text)
		return why_set(why, ACTOR_EARGS, "it is empty; leave it away for its default");
	*out = text;
	return 0;
}

/* --- one function an option --------------------------------------------------------------- */

static int set_listen(struct node_config *c, const char *value, struct why *why)
{
	static char addr[INET6_ADDRSTRLEN + 1];
	const char *colon = strrchr(value, ':');
	size_t len = colon ? (size_t)(colon - value) : 0;

	if (strcmp(value, "none") == 0) {
		c->listen_addr = NULL;
		return 0;
	}
	if (len > 2 && value[0] == '[' && value[len - 1] == ']')
		value++, len -= 2;
	if (!colon || !len || len >= sizeof addr)
		return why_set(why, ACTOR_EARGS, "write ADDR:PORT (127.0.0.1:8080, or 0.0.0.0:8080 "
		               "for all addresses) or none");
	memcpy(addr, value, len);
	addr[len] = 0;
	if (strcmp(addr, "localhost") == 0)
		strcpy(addr, "127.0.0.1");
	if (!address_is(addr))
		return why_set(why, ACTOR_EARGS, "\"%s\" is no IP address; e.g. 127.0.0.1:8080",
		               addr);
	c->listen_addr = addr;
	return number(colon + 1, 0, 65535, &c->listen_port, why);
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static int set_redis(struct node_config *c, const char *value, struct why *why)
{
	struct url url;

	if (strcmp(value, "none") == 0) {
		c->redis = REDIS_IS_NONE;
	} else if (strcmp(value, "embedded") == 0) {
		c->redis = REDIS_IS_EMBEDDED;
		c->redis_db = 0;
	} else if (starts(value, "embedded/")) {
		c->redis = REDIS_IS_EMBEDDED;
		return number(value + 9, 0, DATABASES - 1, &c->redis_db, why);
	} else if (strstr(value, "://")) {
		c->redis = REDIS_IS_ELSEWHERE;
		c->redis_url = value;
		return url_parse(&url, value, why) ? ACTOR_EARGS : tls_check(&url, why);
	} else {
		return why_set(why, ACTOR_EARGS, "\"%s\" is no Redis; write embedded, embedded/DB, "
		               "redis://[user:password@]host:port/db or another URL "
		               "(actord --help), or none", value);
	}
	return 0;
}

static int set_redis_bind(struct node_config *c, const char *value, struct why *why)
{
	if (!address_is(value))
		return why_set(why, ACTOR_EARGS, "\"%s\" is no IP address; e.g. 127.0.0.1, or "
		               "0.0.0.0 for all", value);
	c->redis_bind = value;
	return 0;
}

static int set_redis_port(struct node_config *c, const char *value, struct why *why)
{
	c->redis_port_asked = true;
	return number(value, 0, 65535, &c->redis_port, why);
}

#define WORD(name) \
	static int set_##name(struct node_config *c, const char *value, struct why *why) \
	{ \
		c->name = value; \
		return word(value, why); \
	}
WORD(topic)
WORD(node)
WORD(login)

#define TEXT(name, field) \
	static int set_##name(struct node_config *c, const char *value, struct why *why) \
	{ \
		return filled(value, &c->field, why); \
	}
TEXT(control, control)
TEXT(state, state)
TEXT(patch_keys, patch_keys)
TEXT(group, groups)
TEXT(probation, probation)
TEXT(token_key, token_key)
TEXT(tls_cert, tls_cert)
TEXT(files, files)
TEXT(tls_key, tls_key)

/* Browsers say http://host or http://host:port, and nothing behind that. */
static int set_allow_origin(struct node_config *c, const char *value, struct why *why)
{
	size_t len;

	for (const char *p = value; *(p += strspn(p, ", \t")); p += len) {
		const char *host = strstr(p, "://");

		len = strcspn(p, ", \t");
		if (len == 1 && *p == '*')
			continue;
		if (!host || host == p || host + 3 >= p + len ||
		    strcspn(host + 3, "/, \t") < (size_t)(p + len - host - 3))
			return why_set(why, ACTOR_EARGS, "\"%.*s\" is no origin: write "
			               "http://host or https://host:port, without a path",
			               (int)len, p);
	}
	return filled(value, &c->origins, why);
}

static int yes_or_no(const char *value, struct why *why)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return why_set(why, ACTOR_EARGS, "\"%s\" is neither yes nor no", value);
	return value[0] == 'y';
}

#define FLAG(name) \
	static int set_##name(struct node_config *c, const char *value, struct why *why) \
	{ \
		int rc = yes_or_no(value, why); \
		c->name = rc > 0; \
		return rc < 0 ? rc : 0; \
	}
FLAG(unsigned_patches)
FLAG(fail_fast)

/* The number of value among n words, which said has as people read them. */
static int choose(const char *value, const char *const *words, int n, const char *said, int *out,
                  struct why *why)
{
	for (*out = 0; *out < n; ++*out)
		if (strcmp(value, words[*out]) == 0)
			return 0;
	return why_set(why, ACTOR_EARGS, "\"%.60s\" is none of %s", value, said);
}

static int set_same_user(struct node_config *c, const char *value, struct why *why)
{
	static const char *const words[] = { "both", "replace", "refuse" };

	return choose(value, words, 3, "both, replace, refuse", &c->same_user, why);
}

static int set_log_format(struct node_config *c, const char *value, struct why *why)
{
	static const char *const words[] = { [LOG_TEXT] = "text", "logfmt", "json" };

	return choose(value, words, 3, "text, logfmt, json", &c->log_format, why);
}

static int set_debug_token(struct node_config *c, const char *value, struct why *why)
{
	if (*value && strlen(value) < 16)
		return why_set(why, ACTOR_EARGS, "it has %zu characters, and 16 at least make it "
		               "hard to guess", strlen(value));
	return filled(value, &c->debug_token, why);
}

static int set_when_unread(struct node_config *c, const char *value, struct why *why)
{
	static const char *const words[] = { "close", "drop-oldest" };
	int which, rc = choose(value, words, 2, "close, drop-oldest", &which, why);

	c->limits.drop_oldest = which == 1;
	return rc;
}

#define NUMBER(name, field, min, max) \
	static int set_##name(struct node_config *c, const char *value, struct why *why) \
	{ \
		return number(value, min, max, &c->field, why); \
	}
NUMBER(workers, workers, 1, WORKERS_MAX)
NUMBER(ws_threads, ws_threads, 1, WS_THREADS_MAX)
NUMBER(max_actors, max_actors, ACTORS_LEAST, ACTORS_MOST)
NUMBER(clients, limits.clients, 0, 1000000)
NUMBER(address_clients, limits.address_clients, 0, 1000000)
NUMBER(client_rate, limits.client_rate, 0, 1000000)
NUMBER(address_rate, limits.address_rate, 0, 1000000)

/* N, or N:BURST. */
static int set_login_rate(struct node_config *c, const char *value, struct why *why)
{
	const char *colon = strchr(value, ':');
	char rate[16];

	snprintf(rate, sizeof rate, "%.*s", (int)strcspn(value, ":"), value);
	if (number(rate, 0, 1000000, &c->limits.login_rate, why))
		return ACTOR_EARGS;
	c->limits.login_burst = c->limits.login_rate;
	return colon ? number(colon + 1, 1, 1000000, &c->limits.login_burst, why) : 0;
}

NUMBER(message_bytes, limits.message_bytes, 1024, MESSAGE_MAX)
NUMBER(unsent_bytes, limits.unsent_bytes, 1024, 1 << 30)
NUMBER(handshake_s, limits.handshake_s, 1, 3600)
NUMBER(login_s, limits.login_s, 0, 86400)
NUMBER(idle_s, limits.idle_s, 0, 1000000)
NUMBER(ping_s, limits.ping_s, 0, 86400)

/* Where it stands is read before all others are applied. */
static int set_config(struct node_config *c, const char *value, struct why *why)
{
	const char *any;

	(void)c;
	return filled(value, &any, why);
}

static const struct option table[] = {
	{ "listen", "ADDR:PORT", "WebSocket and HTTP (127.0.0.1:8080); port 0 takes a free one;\n"
	  "none for none", set_listen },
	{ "ws-threads", "N", "threads that serve WebSocket and HTTP clients (1): more where one\n"
	  "thread's time is what limits them", set_ws_threads },
	{ "redis", "URL", "redis://[user:password@]host:port/db, unix:///path?db=N,\n"
	  "sentinel://[user:password@]host:port,host:port/master/db,\n"
	  "cluster://[user:password@]host:port,host:port; with TLS rediss://,\n"
	  "rediss-sentinel://, rediss-cluster://, ...?cacert=FILE (see README);\n"
	  "embedded or embedded/DB starts a private redis-server (the\n"
	  "default where one is installed); none runs alone", set_redis },
	{ "fail-fast", NULL, "end with exit status 2 where Redis does not answer at the start,\n"
	  "instead of starting without it", set_fail_fast },
	{ "redis-bind", "ADDR", "where the embedded Redis listens (127.0.0.1)", set_redis_bind },
	{ "redis-port", "PORT", "and at which port (6379, where that is taken a free one);\n"
	  "0 takes a free one", set_redis_port },
	{ "topic", "NAME", "the topic of the rpc actor (rpc)", set_topic },
	{ "control", "PATH", "the Unix socket for actorctl (as root /run/actord.sock, else\n"
	  "$XDG_RUNTIME_DIR/actord.sock)", set_control },
	{ "log-format", "WORD", "how stderr's lines look: text (the default), logfmt or json,\n"
	  "with the keys time, level, from and text", set_log_format },
	{ "workers", "N", "worker threads (the number of processors)", set_workers },
	{ "max-actors", "N", "actors there may be at once (16777216)", set_max_actors },
	{ "state", "DIR", "what must outlast a restart (as root /var/lib/actord, else\n"
	  "$XDG_STATE_HOME/actord or ~/.local/state/actord)", set_state },
	{ "node", "NAME", "this node's name (made at the first start and kept)", set_node },
	{ "patch-keys", "FILE", "take patches from Redis that are signed by one of these keys: a\n"
	  "line each, as actorctl keygen prints them", set_patch_keys },
	{ "group", "LIST", "groups that this node is in, separated by commas: a signed\n"
	  "patch may be for one of them", set_group },
	{ "unsigned-patches", NULL, "take unsigned patches from this Redis (the default only with\n"
	  "the embedded one); =no refuses them", set_unsigned_patches },
	{ "probation", "TERMS", "how long a patch is watched, and what ends it (off, or some of\n"
	  "messages=1000,seconds=60,faults=0,state=65536)", set_probation },
	{ "allow-origin", "LIST", "other origins than its own that browsers may connect from, by\n"
	  "commas; from this machine itself its own is an IP address,\n"
	  "localhost or the name of --listen", set_allow_origin },
	{ "login", "ACTOR", "who says which clients may come in (login, which lets in all;\n"
	  "login_password, login_token, or an actor of yours)", set_login },
	{ "token-key", "FILE", "the secret that login_token's tokens are signed with",
	  set_token_key },
	{ "same-user", "WORD", "who logs in a second time on this node: both stay (both), the\n"
	  "first one goes (replace), the second one is refused (refuse)", set_same_user },
	{ "files", "DIR", "serve this folder's files by HTTP; over the page at /", set_files },
	{ "debug-token", "TOKEN", "opens /debug/actors and /debug/stacks to others than this\n"
	  "machine (Authorization: Bearer TOKEN)", set_debug_token },
	{ "tls-cert", "FILE", "the certificate (PEM, the chain behind it) for wss:// and https://",
	  set_tls_cert },
	{ "tls-key", "FILE", "and its private key (PEM)", set_tls_key },
	{ "max-clients", "N", "WebSocket clients at once (0: as many as there are descriptors);\n"
	  "whoever is too many is closed with 1013", set_clients },
	{ "max-address-clients", "N", "and of one address, or one IPv6 /64 (0: any number);\n"
	  "it may have 16 connections more, whatever for",
	  set_address_clients },
	{ "client-rate", "N", "messages a second of one client, then it is closed with 1008 (0:\n"
	  "any number; one that floods is read more slowly anyway)",
	  set_client_rate },
	{ "address-rate", "N", "and of all of one address, new clients counted in, then 1013 (0)",
	  set_address_rate },
	{ "login-rate", "N[:BURST]", "logins a second of one address that may be refused, and as\n"
	  "many at once; then 1013, or 429, and nobody is asked (5:100; 0: any\n"
	  "number: a proxy's clients have its address)", set_login_rate },
	{ "max-message", "BYTES", "of a client's message, then 1009 (16777216)",
	  set_message_bytes },
	{ "max-unread", "BYTES", "kept for a client that does not read (8388608), and what\n"
	  "then becomes of it:", set_unsent_bytes },
	{ "when-unread", "WHAT", "close, or drop-oldest messages (close)", set_when_unread },
	{ "handshake-timeout", "S", "seconds for a request or a handshake (20)",
	  set_handshake_s },
	{ "login-timeout", "S", "seconds until a client must have logged in, then 1008 (30; 0:\n"
	  "for ever)", set_login_s },
	{ "idle-timeout", "S", "seconds between two messages of a client, then 1008 (0: for ever)",
	  set_idle_s },
	{ "ping-interval", "S", "seconds of silence after which a client is asked, and after as\n"
	  "many more given up (60; 0: never)", set_ping_s },
	{ "config", "FILE", "lines of `name = value` with these names; # begins a comment",
	  set_config },
};

/* --- the three places --------------------------------------------------------------------- */

static const struct option *option_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

static int apply(struct options *o, const struct option *option, const char *given_as,
                 const char *value, struct why *why)
{
	struct why reason = { "" };

	if (option->set(&o->node, value, &reason) < 0)
		return why_set(why, ACTOR_EARGS, "%s: %s", given_as, reason.text);
	return 0;
}

static void variable_of(const struct option *option, char name[64])
{
	int n = snprintf(name, 64, "ACTORD_%s", option->name);

	for (int i = 0; i < n; i++)
		name[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
}

static int read_environment(struct options *o, struct why *why)
{
	const char *value;
	char name[64];

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		variable_of(&table[i], name);
		value = getenv(name);
		if (value && *value && apply(o, &table[i], name, value, why) < 0)
			return ACTOR_EARGS;
	}
	value = getenv("ACTORD_REDIS_PASSWORD");
	o->node.redis_password = value && *value ? value : NULL;
	return 0;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = 0;
	return text + strspn(text, " \t");
}

static int file_line(struct options *o, const char *place, char *line, struct why *why)
{
	char *equals = strchr(line, '='), given_as[512];
	const struct option *option;
	const char *name;

	if (!*line || *line == '#')
		return 0;
	if (!equals)
		return why_set(why, ACTOR_EARGS, "%s: no `=` in it; write name = value", place);
	*equals = 0;
	name = trim(line);
	option = option_of(name, strlen(name));
	if (!option || option->set == set_config)
		return why_set(why, ACTOR_EARGS, "%s: no option \"%s\" for a file; see "
		               "actord --help", place, name);
	snprintf(given_as, sizeof given_as, "%s: %s", place, name);
	return apply(o, option, given_as, trim(equals + 1), why);
}

static char *file_text(const char *path, struct why *why)
{
	FILE *f = fopen(path, "re");
	char *text = mem_alloc(FILE_MAX + 1);
	size_t len = f ? fread(text, 1, FILE_MAX, f) : 0;

	if (!f || ferror(f) || len == FILE_MAX) {
		why_set(why, ACTOR_EARGS, "--config %s: %s", path,
		        f && len == FILE_MAX ? "too large" : strerror(errno));
		mem_free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

static int read_file(struct options *o, const char *path, struct why *why)
{
	char place[400], *rest, *line;
	int number_of = 0, error = 0;

	o->file = rest = file_text(path, why);
	if (!rest)
		return ACTOR_EARGS;
	while (!error && (line = strsep(&rest, "\n"))) {
		snprintf(place, sizeof place, "%s:%d", path, ++number_of);
		error = file_line(o, place, trim(line), why);
	}
	return error;
}

struct given { const struct option *option; const char *value; };

static int unknown(const char *arg, struct why *why)
{
	return why_set(why, ACTOR_EARGS, "%.*s: no such option; see actord --help",
	               (int)strcspn(arg, "="), arg);
}

/* One word of the command line that begins with --; returns how many words it took. */
static int read_option(struct options *o, char **argv, struct given *given, struct why *why)
{
	const char *name = argv[0] + 2, *value = strchr(name, '=');

	if (strcmp(name, "help") == 0 || strcmp(name, "version") == 0) {
		o->asked = *name == 'h' ? OPTIONS_HELP : OPTIONS_VERSION;
		return 1;
	}
	given->option = option_of(name, value ? (size_t)(value - name) : strlen(name));
	if (!given->option)
		return unknown(argv[0], why);
	given->value = value ? value + 1 : given->option->arg ? argv[1] : "yes";
	if (!given->value)
		return why_set(why, ACTOR_EARGS, "%s: it needs a value, %s", argv[0],
		               given->option->arg);
	return !value && given->option->arg ? 2 : 1;
}

static int read_words(struct options *o, char **argv, struct given *given, struct why *why)
{
	bool words_only = false;
	int took;

	for (argv++; *argv; argv += took) {
		took = 1;
		if (words_only || **argv != '-')
			o->actors[o->node.actor_count++] = *argv;
		else if (strcmp(*argv, "--") == 0)
			words_only = true;
		else if ((*argv)[1] != '-')
			return unknown(*argv, why);
		else if ((took = read_option(o, argv, given, why)) < 0)
			return took;
		if (given->option)
			given++;
	}
	return 0;
}

static int apply_all(struct options *o, const struct given *given, struct why *why)
{
	const char *config = getenv("ACTORD_CONFIG");
	char given_as[64];

	for (const struct given *g = given; g->option; g++)
		if (g->option->set == set_config)
			config = g->value;
	if (config && *config && read_file(o, config, why) < 0)
		return ACTOR_EARGS;
	if (read_environment(o, why) < 0)
		return ACTOR_EARGS;
	for (; given->option; given++) {
		snprintf(given_as, sizeof given_as, "--%s", given->option->name);
		if (apply(o, given->option, given_as, given->value, why) < 0)
			return ACTOR_EARGS;
	}
	return 0;
}

int options_read(struct options *o, int argc, char **argv, struct why *why)
{
	struct given *given = mem_alloc(((size_t)argc + 1) * sizeof *given);
	int error;

	*o = (struct options){ .node = {
		.listen_addr = "127.0.0.1", .listen_port = LISTEN_PORT, .ws_threads = 1,
		.redis_bind = "127.0.0.1", .redis_port = REDIS_PORT,
		.topic = "rpc", .login = "login", .unsigned_patches = -1,
		.limits = {
			.message_bytes = MESSAGE_MAX, .unsent_bytes = 8 << 20, .handshake_s = 20,
			.login_s = 30, .ping_s = 60, .login_rate = 5, .login_burst = 100,
		},
	} };
	o->actors = mem_alloc(((size_t)argc + 1) * sizeof *o->actors);
	o->node.actors = o->actors;
	error = read_words(o, argv, given, why);
	if (!error && o->asked == OPTIONS_RUN)
		error = apply_all(o, given, why);
	if (!error && !o->node.tls_cert != !o->node.tls_key)
		error = why_set(why, ACTOR_EARGS, "--tls-cert and --tls-key: one needs the other");
	mem_free(given);
	return error;
}

void options_fini(struct options *o)
{
	mem_free(o->file);
	mem_free(o->actors);
}

/* --- help --------------------------------------------------------------------------------- */

static void help_line(struct buf *out, const char *name, const char *arg, const char *help)
{
	char left[40];

	snprintf(left, sizeof left, "--%s%s%s", name, arg ? " " : "", arg ? arg : "");
	buf_printf(out, "  %-22s ", left);
	for (; *help; help++) {
		buf_add(out, help, 1);
		if (*help == '\n')
			buf_printf(out, "%25s", "");
	}
	buf_text(out, "\n");
}

void options_help(struct buf *out)
{
	buf_text(out, "usage: actord [options] [ACTOR.c | ACTOR.so | DIR ...]\n\n"
	              "Runs the actors it ships with, and those named.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		help_line(out, table[i].name, table[i].arg, table[i].help);
	help_line(out, "version", NULL, "says the version");
	help_line(out, "help", NULL, "says this");
	buf_text(out, "\nEach may stand in the environment too (ACTORD_REDIS_PORT=6380), over the\n"
	              "file; the command line goes over both. ACTORD_REDIS_PASSWORD sets the\n"
	              "embedded Redis's password.\n");
}
