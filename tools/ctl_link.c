/* SPDX-License-Identifier: MIT
 * ctl_link.c - see ctl_link.h. One thread; poll() and a deadline, so nothing here waits for ever,
 * whatever is at the other end. */
#include "ctl_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "ctl_redis.h"
#include "control/path.h"

enum { ANSWER_MAX = 128 << 20, READ_BYTES = 64 << 10 };

int64_t link_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* --- connecting --------------------------------------------------------------- */

bool link_asked_itself(const struct link *l)
{
	return !l->asked || !strcmp(l->asked, "inspect") || !strcmp(l->asked, "nodes");
}

static int late(const struct link *l, struct why *why)
{
	return why_set(why, CTL_LATE, "no answer in time; %s", link_asked_itself(l)
	               ? "the node stands still, or is slow: --timeout MS waits longer"
	               : "--timeout MS waits longer, `actorctl inspect` shows what is busy");
}

/* A runtime that is slow to accept is waited for until the deadline. */
static int dial(struct link *l, const char *path, struct why *why)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int64_t left_ms = l->deadline_ms - link_now_ms();
	struct timeval left = { left_ms / 1000, left_ms % 1000 * 1000 + 1 };

	if (!*path || strlen(path) >= sizeof a.sun_path)
		return why_set(why, CTL_AWAY, "`%s` is no socket's path: those have 1 to %zu bytes",
			path, sizeof a.sun_path - 1);
	memcpy(a.sun_path, path, strlen(path) + 1);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
	if (l->fd >= 0 && connect(l->fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fcntl(l->fd, F_SETFL, O_NONBLOCK) == 0 ? CTL_DONE : CTL_AWAY;
	if (errno == EAGAIN)
		return late(l, why);
	if (errno == EACCES)
		return why_set(why, CTL_AWAY, "%s: permission denied: that runtime is another "
			"user's", path);
	return why_set(why, CTL_NOT_YET, "no runtime answers at %s (%s); start one with "
		"`actord`, or say where it is with --control PATH or ACTORD_CONTROL",
		path, strerror(errno));
}

static int try_place(struct link *l, const struct path_env *env, const char *path, struct why *why)
{
	int rc = dial(l, path, why);

	if (rc != CTL_DONE)
		link_close(l);
	else if (path_folder(env, path, false, why) != 0)
		rc = CTL_AWAY;
	return rc;
}

int link_open(struct link *l, const struct ctl *c, int timeout_ms, struct why *why)
{
	struct path_env env = path_env();
	char path[PATH_SIZE];
	struct why other = { "" };
	int i, rc;

	*l = (struct link){ .fd = -1, .deadline_ms = link_now_ms() + timeout_ms };
	if (c->redis)
		return remote_open(l, c, why);
	if (c->control)
		return try_place(l, &env, c->control, why);
	if (!path_default(&env, 0, path))
		return why_set(why, CTL_AWAY, "$XDG_RUNTIME_DIR is too long for a socket's path");
	rc = try_place(l, &env, path, why);
	for (i = 1; rc == CTL_NOT_YET && path_default(&env, i, path); i++)
		rc = try_place(l, &env, path, &other);
	return rc;
}

void link_close(struct link *l)
{
	remote_close(l);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	buf_fini(&l->out);
	buf_fini(&l->in);
	buf_fini(&l->scratch);
}

/* --- asking ------------------------------------------------------------------- */

static void compose(struct link *l, const char *to, const char *what, const struct buf *args,
                    unsigned count)
{
	static const uint8_t id[] = { 1 };
	struct envelope e = {
		.enc = ENC_JSON, .tpc = { to, strlen(to) }, .func = { what, strlen(what) },
		.cb = { "answer", 6 }, .id = { id, id + 1 }, .count = count,
	};

	if (count)
		e.args = packed_of(args);
	buf_clear(&l->out);
	buf_clear(&l->in);
	envelope_write(&l->out, &e);
	buf_add(&l->out, "\n", 1);
}

static int lost(struct why *why)
{
	return why_set(why, CTL_AWAY, "the runtime ended the connection; its log says more");
}

/* Until the socket takes or has something. */
static int await(struct link *l, bool more_to_write, struct why *why)
{
	struct pollfd p = { l->fd, (short)(POLLIN | (more_to_write ? POLLOUT : 0)), 0 };
	int64_t left_ms = l->deadline_ms - link_now_ms();

	if (left_ms <= 0 || poll(&p, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) == 0)
		return late(l, why);
	return CTL_DONE;
}

/* Where the other side has closed, what it said before may still be read: writing is given up. */
static void push(struct link *l, size_t *sent)
{
	ssize_t n = send(l->fd, l->out.p + *sent, l->out.len - *sent, MSG_NOSIGNAL);

	if (n >= 0)
		*sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		*sent = l->out.len;
}

static int pull(struct link *l, struct why *why)
{
	ssize_t n;

	buf_reserve(&l->in, READ_BYTES);
	n = recv(l->fd, l->in.p + l->in.len, READ_BYTES, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return lost(why);
	l->in.len += n > 0 ? (size_t)n : 0;
	if (l->in.len > ANSWER_MAX)
		return why_set(why, CTL_AWAY, "the answer is over %d MiB: ask for "
			"less", ANSWER_MAX >> 20);
	return CTL_DONE;
}

static int read_answer(struct link *l, size_t len, struct envelope *answer, struct why *why)
{
	struct why why_json;

	if (envelope_read(answer, &l->scratch, l->in.p, len, &why_json) == 0)
		return CTL_DONE;
	return why_set(why, CTL_AWAY, "what answers there is no runtime (%s): say where one is "
		"with --control PATH", why_json.text);
}

int link_call(struct link *l, const char *to, const char *what, const struct buf *args,
              unsigned count, struct envelope *answer, struct why *why)
{
	size_t sent = 0, scanned = 0;
	const char *nl;
	int rc = CTL_DONE;

	l->asked = what;
	if (l->remote)
		return remote_call(l, to, what, args, count, answer, why);
	compose(l, to, what, args, count);
	if (l->out.len > MESSAGE_MAX)
		return why_set(why, CTL_USAGE, "that is %zu bytes as a message; 16 MiB is the most",
			l->out.len);
	while (rc == CTL_DONE) {
		if (sent < l->out.len)
			push(l, &sent);
		nl = l->in.len ? memchr(l->in.p + scanned, '\n', l->in.len - scanned) : NULL;
		if (nl)
			return read_answer(l, (size_t)(nl - l->in.p), answer, why);
		scanned = l->in.len;
		if (rc == CTL_DONE)
			rc = await(l, sent < l->out.len, why);
		if (rc == CTL_DONE)
			rc = pull(l, why);
	}
	return rc;
}
