/* SPDX-License-Identifier: MIT
 * url.c - reads and writes the URL of a Redis.
 *
 * The idea: what is left of the text moves from part to part, each part taking its own. A URL is
 * refused whole, with the words of what is wrong, and never quoted in them, as it may hold a
 * password. Does not resolve names. Any thread. */
#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "../actor.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes into out of size bytes; what names the part in the refusal. */
static int decode(const char *p, const char *end, char *out, size_t size, const char *what,
                  struct why *why)
{
	size_t n = 0;

	while (p < end) {
		int c = (unsigned char)*p++;

		if (c == '%') {
			if (end - p < 2 || hex(p[0]) < 0 || hex(p[1]) < 0)
				return why_set(why, ACTOR_EARGS, "a %% in the Redis URL's %s needs "
				               "two hexadecimal digits behind it", what);
			c = hex(p[0]) << 4 | hex(p[1]);
			p += 2;
		}
		if (!c)
			return why_set(why, ACTOR_EARGS, "the Redis URL's %s has a NUL in it",
			               what);
		if (n + 1 >= size)
			return why_set(why, ACTOR_EARGS,
			               "the Redis URL's %s is longer than %zu bytes", what,
			               size - 1);
		out[n++] = (char)c;
	}
	out[n] = 0;
	return 0;
}

static int number(const char *p, const char *end, int most, int *out, const char *what,
                  struct why *why)
{
	long v = 0;

	if (p == end)
		return why_set(why, ACTOR_EARGS, "the Redis URL's %s is missing", what);
	for (; p < end; p++) {
		if (!isdigit((unsigned char)*p) || (v = v * 10 + (*p - '0')) > most)
			return why_set(why, ACTOR_EARGS,
			               "the Redis URL's %s must be a number up to %d", what, most);
	}
	*out = (int)v;
	return 0;
}

static int credentials(struct url *u, const char *p, const char *end, struct why *why)
{
	const char *colon = memchr(p, ':', (size_t)(end - p));

	if (!colon)
		return why_set(why, ACTOR_EARGS, "the Redis URL names a user but no password: "
		               "write user:password@, or :password@ for the default user");
	if (decode(p, colon, u->user, sizeof u->user, "user", why))
		return ACTOR_EARGS;
	return decode(colon + 1, end, u->password, sizeof u->password, "password", why);
}

static int host_port(struct url *u, const char *p, const char *end, struct why *why)
{
	const char *colon, *host = p, *host_end;

	if (p < end && *p == '[') {
		host_end = memchr(p, ']', (size_t)(end - p));
		if (!host_end)
			return why_set(why, ACTOR_EARGS,
			               "the Redis URL's address begins with [ and has no ]");
		host = p + 1;
		colon = host_end + 1;
	} else {
		colon = memrchr(p, ':', (size_t)(end - p));
		host_end = colon ? colon : end;
		colon = host_end;
	}
	if (host == host_end)
		return why_set(why, ACTOR_EARGS,
		               "the Redis URL names no host: redis://host:port/db");
	if (decode(host, host_end, u->host, sizeof u->host, "host", why))
		return ACTOR_EARGS;
	if (colon == end)
		return 0;
	if (*colon != ':')
		return why_set(why, ACTOR_EARGS,
		               "the Redis URL has something between ] and the port");
	if (number(colon + 1, end, 65535, &u->port, "port", why))
		return ACTOR_EARGS;
	return u->port ? 0 : why_set(why, ACTOR_EARGS, "the Redis URL's port cannot be 0");
}

static bool is(const char *p, size_t n, const char *word)
{
	return n == strlen(word) && !memcmp(p, word, n);
}

static int verify(struct url *u, const char *p, const char *end, struct why *why)
{
	static const char *const words[] = { "full", "ca", "none" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (is(p, (size_t)(end - p), words[i])) {
			u->verify = (typeof(u->verify))i;
			return 0;
		}
	return why_set(why, ACTOR_EARGS, "the Redis URL's verify is full (the certificate names "
	               "the host), ca (an authority has signed it) or none");
}

/* NAME=VALUE, of what stands behind the question mark. */
static int setting(struct url *u, const char *p, const char *end, struct why *why)
{
	const struct { const char *name; char *out; } texts[] = {
		{ "cacert", u->cacert }, { "cert", u->cert }, { "key", u->key }, { "sni", u->sni },
	};
	const char *sign = memchr(p, '=', (size_t)(end - p)), *v = sign ? sign + 1 : end;
	size_t n = sign ? (size_t)(sign - p) : 0;

	if (!u->tls && is(p, n, "db"))
		return number(v, end, INT32_MAX, &u->db, "database", why);
	if (u->tls && is(p, n, "verify"))
		return verify(u, v, end, why);
	for (size_t i = 0; u->tls && i < ARRAY_LEN(texts); i++)
		if (is(p, n, texts[i].name))
			return decode(v, end, texts[i].out, sizeof u->cacert, texts[i].name, why);
	return why_set(why, ACTOR_EARGS, "after ? the Redis URL takes %s", u->tls ?
	               "cacert=FILE, cert=FILE, key=FILE, sni=NAME and verify=full|ca|none" :
	               "db=N only (certificates are of rediss://, rediss-sentinel:// and "
	               "rediss-cluster://)");
}

static int query(struct url *u, const char *p, const char *end, struct why *why)
{
	const char *next;

	for (p += p < end; p < end; p = next + (next < end)) {
		next = memchr(p, '&', (size_t)(end - p));
		next = next ? next : end;
		if (setting(u, p, next, why))
			return ACTOR_EARGS;
	}
	if (!u->cert[0] != !u->key[0])
		return why_set(why, ACTOR_EARGS, "the Redis URL's cert and key go together");
	return 0;
}

enum kind { TCP, LOCAL, SENTINEL, CLUSTER };
static const struct { const char *begins; enum kind kind; bool tls; } schemes[] = {
	{ "redis://", TCP, false }, { "rediss://", TCP, true },
	{ "unix://", LOCAL, false },
	{ "sentinel://", SENTINEL, false }, { "rediss-sentinel://", SENTINEL, true },
	{ "cluster://", CLUSTER, false }, { "rediss-cluster://", CLUSTER, true },
};

static int scheme(const char *text, enum kind *kind, bool *tls, const char **rest, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (!strncmp(text, schemes[i].begins, strlen(schemes[i].begins))) {
			*kind = schemes[i].kind;
			*tls = schemes[i].tls;
			*rest = text + strlen(schemes[i].begins);
			return 0;
		}
	return why_set(why, ACTOR_EARGS,
	               "the Redis URL begins with %.*s, but must begin with redis://, unix://, "
	               "sentinel:// or cluster://; or, for TLS, with rediss://, "
	               "rediss-sentinel:// or rediss-cluster://", (int)strcspn(text, ":/"), text);
}

bool url_host(const struct url *u, int i, char *host, size_t size, int *port)
{
	const char *p = u->hosts, *end;
	struct url one = { .port = u->master[0] ? SENTINEL_PORT : REDIS_PORT };

	for (; i && *p; i--) {
		p += strcspn(p, ",");
		p += *p == ',';
	}
	end = p + strcspn(p, ",");
	if (i || p == end || host_port(&one, p, end, &(struct why){ "" }))
		return false;
	snprintf(host, size, "%s", one.host);
	*port = one.port;
	return true;
}

/* host:port,... of Sentinels, or of a Cluster. */
static int hosts(struct url *u, const char *p, const char *end, struct why *why)
{
	const char *at, *comma;

	if (p == end || (size_t)(end - p) >= sizeof u->hosts)
		return why_set(why, ACTOR_EARGS, "the Redis URL names no hosts, or more than fit "
		               "%zu bytes: host:port,host:port", sizeof u->hosts - 1);
	for (at = p; at < end; at = comma + 1) {
		struct url one = { .port = REDIS_PORT };

		comma = memchr(at, ',', (size_t)(end - at));
		comma = comma ? comma : end;
		if (host_port(&one, at, comma, why))
			return ACTOR_EARGS;
	}
	memcpy(u->hosts, p, (size_t)(end - p));
	return 0;
}

/* hosts, up to slash, then /master[/db]. */
static int sentinels(struct url *u, const char *p, const char *slash, const char *end,
                     struct why *why)
{
	const char *master = slash < end ? slash + 1 : end;
	const char *db = memchr(master, '/', (size_t)(end - master));

	if (p == slash || master == (db ? db : end))
		return why_set(why, ACTOR_EARGS, "write sentinel://host:port,host:port/MASTER/db: "
		               "the Sentinels, and the name that they know the master by");
	if (hosts(u, p, slash, why) ||
	    decode(master, db ? db : end, u->master, sizeof u->master, "master", why))
		return ACTOR_EARGS;
	if (db && end - db > 1)
		return number(db + 1, end, INT32_MAX, &u->db, "database", why);
	return 0;
}

static int cluster(struct url *u, const char *p, const char *slash, const char *end,
                   struct why *why)
{
	if (end - slash > 1 && (end - slash > 2 || slash[1] != '0'))
		return why_set(why, ACTOR_EARGS, "a Redis Cluster has database 0 only: write "
		               "cluster://host:port,host:port");
	return hosts(u, p, slash, why);
}

int url_parse(struct url *u, const char *text, struct why *why)
{
	struct url got = { .port = REDIS_PORT };
	const char *p = NULL, *end, *ask, *at, *slash;
	enum kind kind = TCP;

	if (scheme(text, &kind, &got.tls, &p, why))
		return ACTOR_EARGS;
	ask = p + strcspn(p, "?");
	end = p + strlen(p);
	if (query(&got, ask, end, why))
		return ACTOR_EARGS;
	slash = memchr(p, '/', (size_t)(ask - p));
	slash = slash ? slash : ask;
	at = memrchr(p, '@', (size_t)(slash - p));
	if (at && credentials(&got, p, at, why))
		return ACTOR_EARGS;
	p = at ? at + 1 : p;
	if (kind == SENTINEL) {
		if (sentinels(&got, p, slash, ask, why))
			return ACTOR_EARGS;
	} else if (kind == CLUSTER) {
		if (cluster(&got, p, slash, ask, why))
			return ACTOR_EARGS;
	} else if (kind == LOCAL) {
		if (slash != p || slash == ask)
			return why_set(why, ACTOR_EARGS,
			               "the Redis URL's socket must be an absolute path: "
			               "unix:///path?db=N");
		if (decode(slash, ask, got.path, sizeof got.path, "path", why))
			return ACTOR_EARGS;
	} else {
		if (host_port(&got, p, slash, why))
			return ACTOR_EARGS;
		if (ask - slash > 1 && number(slash + 1, ask, INT32_MAX, &got.db, "database", why))
			return ACTOR_EARGS;
	}
	*u = got;
	return 0;
}

static const char *scheme_of(const struct url *u)
{
	enum kind kind = u->master[0] ? SENTINEL : url_is_cluster(u) ? CLUSTER :
	                 u->host[0] ? TCP : LOCAL;
	size_t i = 0;

	while (schemes[i].kind != kind || schemes[i].tls != u->tls)
		i++;
	return schemes[i].begins;
}

static void encode(struct buf *out, const char *s, const char *also)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr(also, *s))
			buf_add(out, s, 1);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
	}
}

void url_write(const struct url *u, bool secret, struct buf *out)
{
	bool v6 = strchr(u->host, ':');

	buf_text(out, scheme_of(u));
	if (secret && u->password[0]) {
		encode(out, u->user, "-._~");
		buf_text(out, ":");
		encode(out, u->password, "-._~");
		buf_text(out, "@");
	}
	if (u->master[0]) {
		buf_printf(out, "%s/", u->hosts);
		encode(out, u->master, "-._~");
		buf_printf(out, "/%d", u->db);
		return;
	}
	if (url_is_cluster(u)) {
		buf_text(out, u->hosts);
		return;
	}
	if (u->host[0]) {
		buf_printf(out, v6 ? "[%s]:%d/%d" : "%s:%d/%d", u->host, u->port, u->db);
		return;
	}
	encode(out, u->path, "-._~/");
	if (u->db)
		buf_printf(out, "?db=%d", u->db);
}
