/* SPDX-License-Identifier: MIT
 * gate.c - the way in: the listening socket, how many may come, and from which pages.
 *
 * The socket is opened here and not by the WebSocket library, so that what is wrong with an address
 * is said in words, port 0 can be read back and draining really closes the door.
 * No state but what is handed in; the thread that starts the gateway, and behind the door the
 * gateway's own. */
#include "gate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "ports.h"
#include "sync.h"

enum {
	TELL_MS = 10000,
	BACKLOG = 1024,
	DESCRIPTORS_MAX = 65536,        /* the library's tables are so long: not 2^30 */
	ADDR_SIZE = 256,
};

static int listen_at(const struct addrinfo *at)
{
	int type = at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(at->ai_family, type, at->ai_protocol), on = 1, err;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (!bind(fd, at->ai_addr, at->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static int refuse(const char *addr, int port, struct why *why)
{
	const char *words = strerror(errno);
	const char *next = errno == EACCES ? "ports below 1024 are for root" :
	                   errno == EADDRNOTAVAIL ? "this machine does not have that address" :
	                   "name another with --listen ADDR:PORT, port 0 takes a free one";

	return why_set(why, -1, "%s:%d: %c%s; %s", addr, port, tolower(words[0]), words + 1, next);
}

int gate_open(const char *addr, int port, struct why *why)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found;
	char host[ADDR_SIZE], service[16];
	int err, fd;

	snprintf(host, sizeof host, "%s", addr[0] == '[' ? addr + 1 : addr);
	if (addr[0] == '[')
		host[strcspn(host, "]")] = 0;
	snprintf(service, sizeof service, "%d", port);
	err = getaddrinfo(host, service, &hints, &found);
	if (err)
		return why_set(why, -1, "%s:%d: no such address (%s); --listen takes ADDR:PORT",
		               addr, port, gai_strerror(err));
	fd = listen_at(found);
	freeaddrinfo(found);
	return fd < 0 ? refuse(addr, port, why) : fd;
}

void gate_address(int fd, char *text, size_t size)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "0";

	if (!getsockname(fd, (struct sockaddr *)&at, &len))
		getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
		            NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int gate_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return 1024;
	l.rlim_cur = l.rlim_max < DESCRIPTORS_MAX ? l.rlim_max : DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &l);
	getrlimit(RLIMIT_NOFILE, &l);
	return (int)l.rlim_cur;
}

int gate_room(int descriptors, struct why *why)
{
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (next >= 0)
		close(next);
	if (next >= 0 && next < descriptors - GATE_SPARE)
		return 0;
	return why_set(why, -1, "no client could be let in: of %d descriptors %d are kept for what "
	               "is no client; raise the limit (ulimit -n)", descriptors, GATE_SPARE);
}

/* --- who comes in ------------------------------------------------------------------------- */

void door_init(struct door *d, int listener, int most)
{
	*d = (struct door){ listener, most, open("/dev/null", O_RDONLY | O_CLOEXEC), 0, 0 };
}

void door_fini(struct door *d)
{
	if (d->spare >= 0)
		close(d->spare);
}

static int turned(struct door *d)
{
	COUNT_UP(&d->turned_away, 1);
	if (!d->told_ms || now_ms() - d->told_ms > TELL_MS) {
		log_line(LOG_WARN, "gateway", "descriptors have run out (%d): new clients are "
		         "turned away; raise the limit (ulimit -n)", d->most);
		d->told_ms = now_ms();
	}
	return DOOR_TURNED;
}

/* A connection that is left waiting would wake the loop for ever: the spare descriptor lets it in,
 * to close it. */
static int turn_away(struct door *d)
{
	int fd;

	close(d->spare);
	fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return turned(d);
}

int door_accept(struct door *d)
{
	int on = 1, fd;

	do
		fd = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == ECONNABORTED || errno == EINTR));
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? turn_away(d) : DOOR_EMPTY;
	if (fd >= d->most - GATE_SPARE) {
		close(fd);
		return turned(d);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* --- and to which thread ------------------------------------------------------------------ */

void dealt_init(struct dealt *d)
{
	*d = (struct dealt){ .fds = { 0 } };
	pthread_mutex_init(&d->lock, NULL);
}

void dealt_put(struct dealt *d, int fd)
{
	pthread_mutex_lock(&d->lock);
	buf_add(&d->fds, &fd, sizeof fd);
	pthread_mutex_unlock(&d->lock);
}

int dealt_next(struct dealt *d)
{
	int fd = -1;

	pthread_mutex_lock(&d->lock);
	if (d->fds.len) {
		d->fds.len -= sizeof fd;
		memcpy(&fd, d->fds.p + d->fds.len, sizeof fd);
	}
	pthread_mutex_unlock(&d->lock);
	return fd;
}

void dealt_fini(struct dealt *d)
{
	for (int fd; (fd = dealt_next(d)) >= 0; )
		close(fd);
	buf_fini(&d->fds);
	pthread_mutex_destroy(&d->lock);
}

/* --- from which pages --------------------------------------------------------------------- */

bool gate_is_near(const char *peer)
{
	return !strncmp(peer, "127.", 4) || !strcmp(peer, "::1") ||
	       !strncmp(peer, "::ffff:127.", 11);
}

/* Is it in the list? hosts: by what stands behind :// alone. */
static bool listed(const char *what, const char *list, bool hosts)
{
	size_t len;

	for (; *list; list += len) {
		const char *host;
		size_t scheme = 0;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		host = hosts ? memmem(list, len, "://", 3) : NULL;
		if (host)
			scheme = (size_t)(host + 3 - list);
		if (len == 1 && *list == '*')
			return true;
		if (len && len - scheme == strlen(what) &&
		    !strncasecmp(list + scheme, what, len - scheme))
			return true;
	}
	return false;
}

/* Of HOST or HOST:PORT; [::1] without its brackets. */
static void name_of(const char *host, char *name, size_t size)
{
	bool six = *host == '[';

	host += six;
	snprintf(name, size, "%.*s", (int)strcspn(host, six ? "]" : ":"), host);
}

bool gate_is_ours(const char *host, const char *listen, const char *list)
{
	char name[ADDR_SIZE], own[ADDR_SIZE], machine[ADDR_SIZE] = "";
	struct in6_addr any;
	size_t len;

	name_of(host, name, sizeof name);
	name_of(listen ? listen : "", own, sizeof own);
	gethostname(machine, sizeof machine - 1);
	len = strlen(name);
	return !*host || !strcasecmp(name, "localhost") ||
	       (len > 10 && !strcasecmp(name + len - 10, ".localhost")) ||
	       (*machine && !strcasecmp(name, machine)) ||
	       (*own && !strcasecmp(name, own)) ||
	       inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1 ||
	       (list && listed(host, list, true));
}

bool gate_admits(const char *origin, const char *host, const char *listen, const char *list,
                 bool near)
{
	const char *own;

	if (!origin || !*origin)
		return true;
	own = strstr(origin, "://");
	if (own && host && *host && !strcasecmp(own + 3, host) &&
	    (!near || gate_is_ours(host, listen, NULL)))
		return true;
	return list && listed(origin, list, false);
}

/* OpenSSL's reason is what stands last. */
int gate_trouble(const char *cert, const char *key, const char *said, int descriptors,
                 struct why *why)
{
	const char *colon = strrchr(said, ':'), *reason = colon ? colon + 1 : said;

	if (key && strstr(said, "getting key"))
		return why_set(why, -1, "--tls-key %s: %s (it is to be the certificate's, as PEM, "
		               "without a passphrase)", key, reason);
	if (cert && strstr(said, "getting cert"))
		return why_set(why, -1, "--tls-cert %s: %s (it is to be PEM, the chain behind it)",
		               cert, reason);
	return why_set(why, -1, "libwebsockets could not be started (%s); is there memory for %d "
	               "descriptors?", said, descriptors);
}
