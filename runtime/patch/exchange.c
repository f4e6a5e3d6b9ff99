/* SPDX-License-Identifier: MIT
 * exchange.c - records and texts, whole, over a socket. No state; any thread. */
#include "exchange.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "ports.h"

/* False: not by then. */
static bool can(short events, int fd, int64_t until_ms)
{
	struct pollfd p = { fd, events, 0 };
	int n;

	do {
		int64_t left = until_ms - now_ms();

		n = poll(&p, 1, until_ms < 0 ? -1 : left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/* What is done of v; the rest of it. */
static int after(struct iovec *v, int n, size_t done)
{
	int from = 0;

	while (from < n && done >= v[from].iov_len)
		done -= v[from++].iov_len;
	memmove(v, v + from, (size_t)(n - from) * sizeof *v);
	if (from < n) {
		v->iov_base = (char *)v->iov_base + done;
		v->iov_len -= done;
	}
	return n - from;
}

bool exchange_receive(int fd, struct iovec *v, int n, int64_t until_ms)
{
	for (n = after(v, n, 0); n > 0;) {
		ssize_t got;

		if (until_ms >= 0 && !can(POLLIN, fd, until_ms))
			return false;
		got = readv(fd, v, n);
		if (got == 0 || (got < 0 && errno != EINTR))
			return false;
		n = after(v, n, got > 0 ? (size_t)got : 0);
	}
	return true;
}

bool exchange_deliver(int fd, struct iovec *v, int n, int64_t until_ms)
{
	int flags = MSG_NOSIGNAL | (until_ms < 0 ? 0 : MSG_DONTWAIT);

	for (n = after(v, n, 0); n > 0;) {
		struct msghdr h = { .msg_iov = v, .msg_iovlen = (size_t)n };
		ssize_t sent = sendmsg(fd, &h, flags);

		if (sent < 0 && errno != EINTR &&
		    (errno != EAGAIN || !can(POLLOUT, fd, until_ms)))
			return false;
		n = after(v, n, sent > 0 ? (size_t)sent : 0);
	}
	return true;
}
