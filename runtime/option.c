/* SPDX-License-Identifier: MIT
 * option.c - the table of all options, and what checks a value of each.
 *
 * Opens no file: what a value means for the machine (is the port free, may the folder be written)
 * the rooms find out. Main thread, before any other. */
#include "option.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "bus/rollout.h"
#include "bus/tls.h"
#include "core/log.h"
#include "core/zone.h"

enum { WORKERS_MAX = 100, WS_THREADS_MAX = 16, DATABASES = 1024, ACTORS_LEAST = 100,
       ACTORS_MOST = 200000000, NODE_NAME_MOST = 240 };

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
WORD(login)

/* Of which the topic actord:control:NAME is made, too. */
static int set_node(struct node_config *c, const char *value, struct why *why)
{
	c->node = value;
	if (strlen(value) > NODE_NAME_MOST)
		return why_set(why, ACTOR_EARGS, "a node's name has 1 to %d bytes", NODE_NAME_MOST);
	return word(value, why);
}

#define TEXT(name, field) \
	static int set_##name(struct node_config *c, const char *value, struct why *why) \
	{ \
		return filled(value, &c->field, why); \
	}
TEXT(control, control)
TEXT(state, state)
TEXT(patch_keys, patch_keys)
TEXT(probation, probation)
TEXT(token_key, token_key)
TEXT(tls_cert, tls_cert)
TEXT(files, files)
TEXT(tls_key, tls_key)

/* "a, b" becomes "a,b": each is a word, and is compared as one. */
static int set_group(struct node_config *c, const char *value, struct why *why)
{
	static char names[ROLLOUT_GROUPS_MOST * (NAME_MAX_LEN + 1)];
	char one[NAME_MAX_LEN + 2];
	size_t at = 0;
	int n = 0;

	for (const char *p = value; ; p++) {
		size_t len = strcspn(p += strspn(p, " \t"), ","), is = len;

		while (is && (p[is - 1] == ' ' || p[is - 1] == '\t'))
			is--;
		snprintf(one, sizeof one, "%.*s", (int)is, p);
		if (word(one, why))
			return ACTOR_EARGS;
		if (strchr(one, '*'))
			return why_set(why, ACTOR_EARGS, "\"%s\" is no group: * means all nodes",
			               one);
		if (++n > ROLLOUT_GROUPS_MOST)
			return why_set(why, ACTOR_EARGS, "a node is in %d groups at most",
			               ROLLOUT_GROUPS_MOST);
		at += (size_t)sprintf(names + at, "%s%s", n > 1 ? "," : "", one);
		p += len;
		if (!*p)
			break;
	}
	c->groups = names;
	return 0;
}

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

static int set_time_zone(struct node_config *c, const char *value, struct why *why)
{
	if (filled(value, &c->time_zone, why))
		return ACTOR_EARGS;
	return zone_check(value, why);
}

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
	{ "time-zone", "NAME", "what local times are of: cron's, and the midnight at which daily\n"
	  "values end; as Europe/Berlin (TZ, else the machine's)", set_time_zone },
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

const struct option *option_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

const struct option *option_at(size_t i)
{
	return i < ARRAY_LEN(table) ? &table[i] : NULL;
}
