/* SPDX-License-Identifier: MIT
 * server.c - the embedded Redis: a redis-server of this node's own.
 *
 * The idea: an ordinary redis-server from PATH as a child, told all it must know through its
 * standard input, so that the password is in no argument list, environment or file but the one
 * under state (mode 0600). Its data is an append-only file under state/redis, synced each second;
 * as the kernel holds what was written, killing the child loses nothing.
 *
 * It dies with us: the child asks the kernel for SIGKILL at its parent's death, and looks whether
 * the parent died before that. One that lives all the same (of a runtime that was stopped in
 * mid-fork) is known by its pid file and its working folder, and is ended first. It has a session
 * of its own: a terminal's Ctrl-C is ours, and Redis must outlast what we still have to drain.
 *
 * Threads: the one that forks must live as long as the node, as the kernel means that thread by
 * "parent"; it is the main thread, which runs the loop too. Does not speak Redis beyond AUTH and
 * PING: hiredis belongs to lane.c and sentinel.c. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "ports.h"
#include "slice.h"
#include "url.h"

enum {
	READY_MS = 60000,       /* loading a large append-only file takes its time */
	TERM_MS = 4000,         /* then SIGKILL */
	POLL_MS = 2,
	BACKOFF_MS = 100, BACKOFF_MOST_MS = 5000,
	DB_MOST = 1023,         /* Redis takes memory for each up to the one that is used */
	STEADY_MS = 10000,      /* lived so long: the next death is a new story */
};

#define SOCKET "redis.sock"

struct server {
	char dir[PATH_MAX];
	char socket[sizeof ((struct url *)0)->path];
	struct url url;         /* where clients reach it */
	char bind[sizeof ((struct url *)0)->host];
	struct buf text;        /* the URL with the password */
	pid_t pid;              /* 0: not running */
	struct loop *loop;
	struct loop_timer *again;
	int64_t started_ms;
	int backoff_ms;
};

/* --- the password ------------------------------------------------------------------------- */

static int password_make(const char *path, char *out, struct why *why)
{
	unsigned char random[16];
	int fd;

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return why_set(why, ACTOR_EFAIL, "no random numbers for the Redis password: %s",
		               strerror(errno));
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(out + 2 * i, 3, "%02x", random[i]);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, out, 32) != 32 || fsync(fd)) {
		why_set(why, ACTOR_EFAIL, "cannot keep the Redis password in %s: %s", path,
		        strerror(errno));
		if (fd >= 0)
			close(fd), unlink(path);
		return ACTOR_EFAIL;
	}
	close(fd);
	return 0;
}

/* The one kept, or a new one. out: as large as url.password. */
static int password_get(const char *state, char *out, size_t size, struct why *why)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/redis.password", state);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return password_make(path, out, why);
	n = fd < 0 ? -1 : read(fd, out, size - 1);
	if (n < 0) {
		why_set(why, ACTOR_EFAIL, "cannot read the Redis password in %s: %s", path,
		        strerror(errno));
		if (fd >= 0)
			close(fd);
		return ACTOR_EFAIL;
	}
	if (fchmod(fd, 0600))
		log_line(LOG_WARN, "redis", "%s should be readable by its owner only: %s", path,
		         strerror(errno));
	close(fd);
	out[n] = 0;
	out[strcspn(out, "\r\n")] = 0;
	return out[0] ? 0 : why_set(why, ACTOR_EFAIL, "%s has no password in it: remove it, and a "
	                            "new one is made", path);
}

/* --- its socket --------------------------------------------------------------------------- */

/* For this process alone, as a socket costs Redis and us less than TCP; others have the port. "":
 * the folder's path is too long for one. */
static void socket_choose(struct server *s)
{
	if (snprintf(s->socket, sizeof s->socket, "%s/" SOCKET, s->dir) >= (int)sizeof s->socket)
		s->socket[0] = 0;
}

/* --- its configuration -------------------------------------------------------------------- */

/* Redis reads "..." with \xHH in it: then no byte has a meaning of its own. */
static void quoted(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "%s \"", name);
	for (; *value; value++)
		buf_printf(b, "\\x%02x", (unsigned char)*value);
	buf_text(b, "\"\n");
}

static void configure(const struct server *s, struct buf *b)
{
	quoted(b, "dir", s->dir);
	quoted(b, "bind", s->bind);
	quoted(b, "requirepass", s->url.password);
	if (s->socket[0])
		buf_text(b, "unixsocket " SOCKET "\nunixsocketperm 700\n");
	buf_printf(b, "port %d\ndatabases %d\n", s->url.port, s->url.db < 16 ? 16 : s->url.db + 1);
	buf_text(b, "daemonize no\nsupervised no\nsave \"\"\n"
	         "appendonly yes\nappendfsync everysec\n"
	         "loglevel warning\nlogfile redis.log\npidfile redis.pid\n");
}

/* --- the process -------------------------------------------------------------------------- */

/* In the child: nothing but system calls, as other threads may have held any lock. */
static void become(int in, int null, pid_t parent)
{
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);     /* what we ignore it would ignore, too */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(in, 0);
	dup2(null, 1);
	dup2(null, 2);
	syscall(SYS_close_range, 3, ~0U, 0);
	slice_prompt();         /* as whoever answers; else we interrupt it amid its answers */
	execlp("redis-server", "redis-server", "-", (char *)NULL);
	_exit(127);
}

static int spawn(struct server *s, struct why *why)
{
	struct buf config = { 0 };
	int in[2] = { -1, -1 }, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t parent = getpid(), pid = -1;
	ssize_t n = -1;

	if (null >= 0 && !pipe2(in, O_CLOEXEC))
		pid = fork();
	if (!pid)
		become(in[0], null, parent);
	if (pid > 0) {
		configure(s, &config);
		n = write(in[1], config.p, config.len);         /* less than a pipe holds */
		buf_fini(&config);
	}
	if (pid < 0 || n < 0)
		why_set(why, ACTOR_EFAIL, "redis-server cannot be started: %s", strerror(errno));
	close(null), close(in[0]), close(in[1]);
	if (pid <= 0)
		return ACTOR_EFAIL;
	s->pid = pid;
	s->started_ms = now_ms();
	return 0;
}

/* Has the child ended? Then it is reaped, and how says how. */
static bool ended(struct server *s, char *how, size_t size)
{
	pid_t pid = s->pid;
	int status = 0;

	if (!pid || !(pid = waitpid(pid, &status, WNOHANG)))
		return false;
	s->pid = 0;
	if (pid < 0)
		snprintf(how, size, "is gone: %s", strerror(errno));
	else if (WIFSIGNALED(status))
		snprintf(how, size, "was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 127)
		snprintf(how, size, "could not be run");
	else
		snprintf(how, size, "ended with status %d", WEXITSTATUS(status));
	return true;
}

/* SIGTERM (Redis syncs its file), then SIGKILL. Any process, ours or not; one that is dying already
 * is only waited for. */
static void end(pid_t pid, bool dying)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return;
	if (dying) {
		poll(&p, 1, TERM_MS);
		close(fd);
		return;
	}
	kill(pid, SIGTERM);
	if (poll(&p, 1, TERM_MS) == 0) {
		log_line(LOG_WARN, "redis", "redis-server %d does not end, it is killed", (int)pid);
		kill(pid, SIGKILL);
		poll(&p, 1, TERM_MS);
	}
	close(fd);
}

/* A redis-server whose pid file is in our folder and that works there is one of ours. */
static void end_leftover(const struct server *s)
{
	char path[PATH_MAX + 16], cwd[PATH_MAX], ours[PATH_MAX], comm[32] = "";
	FILE *f;
	int pid = 0;
	ssize_t n;

	snprintf(path, sizeof path, "%s/redis.pid", s->dir);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, "%d", &pid) != 1 || pid <= 1)
		pid = 0;
	fclose(f);
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	f = pid ? fopen(path, "re") : NULL;
	if (!f)
		return;
	n = (ssize_t)fread(comm, 1, sizeof comm - 1, f);
	fclose(f);
	snprintf(path, sizeof path, "/proc/%d/cwd", pid);
	if (n <= 0 || strncmp(comm, "redis-server", 12) || !realpath(s->dir, ours))
		return;
	n = readlink(path, cwd, sizeof cwd - 1);
	if (n < 0 && errno == ENOENT) { /* it has let go of its folder, maybe not yet of its port */
		end(pid, true);
		return;
	}
	if (n <= 0 || (cwd[n] = 0, strcmp(cwd, ours)))
		return;
	log_line(LOG_INFO, "redis", "ending a redis-server that an earlier run left (%d)", pid);
	end(pid, false);
}

/* --- the port ----------------------------------------------------------------------------- */

static int address(const char *host, int port, struct sockaddr_storage *a, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;

	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*len = sizeof *v4;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return -1;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	*len = sizeof *v6;
	return 0;
}

/* The port, if it is free, or a free one for 0; negative errno. */
static int port_free(const char *bind_to, int port)
{
	struct sockaddr_storage a;
	socklen_t len;
	int fd, got = -1, one = 1;

	if (address(bind_to, port, &a, &len))
		return -EINVAL;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&a, &len))
		got = -errno;
	else    /* the port stands at the same place in both kinds of address */
		got = ntohs(((struct sockaddr_in *)&a)->sin_port);
	close(fd);
	return got;
}

static int port_choose(struct server *s, const struct server_config *c, struct why *why)
{
	int got = port_free(c->bind, c->port);

	if (got == -EADDRINUSE && !c->port_asked)
		got = port_free(c->bind, 0);
	if (got == -EINVAL)
		return why_set(why, ACTOR_EARGS,
		               "the address for the embedded Redis is no IP address: %s", c->bind);
	if (got < 0)
		return why_set(why, ACTOR_EFAIL, "the embedded Redis cannot listen on %s:%d: %s",
		               c->bind, c->port, strerror(-got));
	s->url.port = got;
	return 0;
}

/* --- is it there? ------------------------------------------------------------------------- */

static int dial(const struct server *s)
{
	struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_storage a;
	socklen_t len;
	int fd;

	if (address(s->url.host, s->url.port, &a, &len))
		return -1;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&a, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool answers(const struct server *s)
{
	static const char pong[] = "+OK\r\n+PONG\r\n";
	struct buf ask = { 0 };
	char got[sizeof pong] = "";
	size_t n = 0;
	ssize_t more = 1;
	int fd = dial(s);

	if (fd < 0)
		return false;
	buf_printf(&ask, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\nPING\r\n", strlen(s->url.password),
	           s->url.password);
	if (send(fd, ask.p, ask.len, MSG_NOSIGNAL) != (ssize_t)ask.len)
		more = 0;
	while (more > 0 && n < sizeof pong - 1 && !memcmp(got, pong, n)) {
		more = recv(fd, got + n, sizeof pong - 1 - n, 0);
		n += more > 0 ? (size_t)more : 0;
	}
	close(fd);
	buf_fini(&ask);
	return !strcmp(got, pong);
}

/* The last line of its log, which is where a redis-server that ends says why. */
static void last_words(const struct server *s, struct buf *out)
{
	char path[PATH_MAX + 16], line[512], last[512] = "";
	FILE *f;

	snprintf(path, sizeof path, "%s/redis.log", s->dir);
	f = fopen(path, "re");
	if (!f)
		return;
	if (!fseek(f, -4096, SEEK_END) || !fseek(f, 0, SEEK_SET)) {
		while (fgets(line, sizeof line, f))
			memcpy(last, line, sizeof last);
	}
	fclose(f);
	last[strcspn(last, "\r\n")] = 0;
	buf_printf(out, "%s", last);
}

static int await(struct server *s, struct why *why)
{
	int64_t until_ms = now_ms() + READY_MS;
	struct buf words = { 0 };
	char how[64];

	while (now_ms() < until_ms) {
		if (ended(s, how, sizeof how)) {
			last_words(s, &words);
			why_set(why, ACTOR_EFAIL,
			        "the embedded redis-server %s; %s/redis.log says: %.*s", how,
			        s->dir, (int)words.len, words.p ? words.p : "");
			buf_fini(&words);
			return ACTOR_EFAIL;
		}
		if (answers(s))
			return 0;
		poll(NULL, 0, POLL_MS);
	}
	end(s->pid, false);
	ended(s, how, sizeof how);
	return why_set(why, ACTOR_EFAIL,
	               "the embedded redis-server does not answer; see %s/redis.log", s->dir);
}

/* --- the face ----------------------------------------------------------------------------- */

bool server_installed(void)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (path = path ? path : "/usr/bin:/bin"; *path; path += *path == ':') {
		size_t len = strcspn(path, ":");

		snprintf(file, sizeof file, "%.*s/redis-server", (int)len, len ? path : ".");
		if (!access(file, X_OK))
			return true;
		path += len;
	}
	return false;
}

static void reachable_at(struct server *s, const char *bind_to)
{
	const char *host = bind_to;

	if (!strcmp(bind_to, "0.0.0.0"))
		host = "127.0.0.1";
	else if (!strcmp(bind_to, "::"))
		host = "::1";
	snprintf(s->url.host, sizeof s->url.host, "%s", host);
	snprintf(s->bind, sizeof s->bind, "%s", bind_to);
}

static int settle(struct server *s, const struct server_config *c, struct why *why)
{
	if (snprintf(s->dir, sizeof s->dir, "%s/redis", c->state) >= (int)sizeof s->dir - 32)
		return why_set(why, ACTOR_EARGS, "the state folder's path is too long");
	if (mkdir(s->dir, 0700) && errno != EEXIST)
		return why_set(why, ACTOR_EFAIL, "cannot make %s: %s", s->dir, strerror(errno));
	if (c->db < 0 || c->db > DB_MOST)
		return why_set(why, ACTOR_EARGS, "the embedded Redis has databases 0 to %d",
		               DB_MOST);
	reachable_at(s, c->bind);
	socket_choose(s);
	s->url.db = c->db;
	strcpy(s->url.user, "default");         /* redis-cli takes no URL with a password alone */
	if (!c->password || !c->password[0])
		return password_get(c->state, s->url.password, sizeof s->url.password, why);
	if (strlen(c->password) >= sizeof s->url.password)
		return why_set(why, ACTOR_EARGS, "the Redis password is longer than %zu bytes",
		               sizeof s->url.password - 1);
	strcpy(s->url.password, c->password);
	return 0;
}

struct server *server_start(const struct server_config *c, struct why *why)
{
	struct server *s = mem_alloc(sizeof *s);
	int tries = c->port_asked ? 1 : 3, err;

	err = settle(s, c, why);
	if (!err) {
		end_leftover(s);
		do {    /* another process may take the free port before Redis does */
			err = port_choose(s, c, why);
			err = err ? err : spawn(s, why);
			err = err ? err : await(s, why);
		} while (err && --tries && port_free(c->bind, s->url.port) == -EADDRINUSE);
	}
	if (err) {
		mem_free(s);
		return NULL;
	}
	url_write(&s->url, true, &s->text);
	buf_add(&s->text, "", 1);
	return s;
}

const char *server_url(const struct server *s)
{
	return s->text.p;
}

const char *server_socket(const struct server *s)
{
	return s->socket;
}

static void start_again(void *arg)
{
	struct server *s = arg;
	struct why why;

	if (!spawn(s, &why))
		return;
	log_line(LOG_ERROR, "redis", "%s", why.text);
	loop_timer_set(s->again, BACKOFF_MOST_MS);
}

static void on_child(void *arg, int signo)
{
	struct server *s = arg;
	char how[64];

	(void)signo;
	if (!ended(s, how, sizeof how))
		return;
	if (now_ms() - s->started_ms > STEADY_MS)
		s->backoff_ms = 0;
	if (s->backoff_ms < BACKOFF_MOST_MS)    /* else it was said often enough */
		log_line(LOG_WARN, "redis", "redis-server %s, it is started again", how);
	loop_timer_set(s->again, s->backoff_ms);
	s->backoff_ms = s->backoff_ms ? 2 * s->backoff_ms : BACKOFF_MS;
	if (s->backoff_ms > BACKOFF_MOST_MS)
		s->backoff_ms = BACKOFF_MOST_MS;
}

void server_watch(struct server *s, struct loop *l)
{
	s->loop = l;
	s->again = loop_timer_new(l, start_again, s);
	loop_signal(l, SIGCHLD, on_child, s);
	on_child(s, SIGCHLD);   /* it may have ended before we looked */
}

void server_stop(struct server *s)
{
	pid_t pid;

	if (!s)
		return;
	loop_timer_free(s->again);
	pid = s->pid;
	s->pid = 0;             /* from now on a SIGCHLD says nothing to us */
	if (pid) {
		end(pid, false);
		waitpid(pid, NULL, 0);
	}
	buf_fini(&s->text);
	explicit_bzero(s, sizeof *s);
	mem_free(s);
}
