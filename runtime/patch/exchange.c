/* SPDX-License-Identifier: MIT
 * exchange.c - records and texts, whole, over a socket. No state; any thread. */
#include "exchange.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "ports.h"

static int64_t left_ms(int64_t until_ms)
{
	int64_t left = until_ms - now_ms();

	return left > 0 ? left : 0;
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
	struct pollfd p = { fd, POLLIN, 0 };

	for (n = after(v, n, 0); n > 0;) {
		ssize_t got;

		if (until_ms >= 0 && poll(&p, 1, (int)left_ms(until_ms)) == 0)
			return false;
		got = readv(fd, v, n);
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		n = after(v, n, got > 0 ? (size_t)got : 0);
	}
	return true;
}

bool exchange_deliver(int fd, struct iovec *v, int n)
{
	for (n = after(v, n, 0); n > 0;) {
		struct msghdr h = { .msg_iov = v, .msg_iovlen = (size_t)n };
		ssize_t sent = sendmsg(fd, &h, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		n = after(v, n, sent > 0 ? (size_t)sent : 0);
	}
	return true;
}
