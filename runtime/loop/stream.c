/* SPDX-License-Identifier: MIT
 * stream.c - a connected socket on the loop.
 *
 * Input is collected in one piece by large reads (a bufferevent of libevent 2.1 reads 4 KiB at a
 * time), output in an evbuffer that is written once a turn.
 *
 * Invariants: closed() is called once, never from inside a function of stream.h, and nothing is
 * called after it. Does not retry, time out or limit. */
#include "stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10 };

struct loop_stream {
	int fd;
	struct loop_watch *watch;
	struct buf in;
	struct evbuffer *out;
	uint64_t taken;
	const struct loop_stream_ops *ops;
	void *arg;
	bool paused, resumed;   /* resumed: what a pause left comes again */
	bool ended, ending, closed;
	bool *freed;            /* while a function of ops runs: says that it freed the stream */
};

static void close_stream(struct loop_stream *s)
{
	loop_watch_read(s->watch, false);
	loop_watch_write(s->watch, false);
	s->closed = true;
	s->ops->closed(s->arg);
}

/* false: the stream is gone */
static bool deliver(struct loop_stream *s)
{
	bool freed = false;
	size_t used;

	s->freed = &freed;
	used = s->ops->read(s->arg, s->in.p, s->in.len);
	if (freed)
		return false;
	s->freed = NULL;
	s->in.len -= used;
	if (s->in.len)
		memmove(s->in.p, s->in.p + used, s->in.len);
	else
		buf_clear(&s->in);
	return true;
}

/* Or has it shut only the side that it writes (`nc -N`)? */
bool loop_stream_gone(const struct loop_stream *s)
{
	struct pollfd p = { .fd = s->fd };

	return poll(&p, 1, 0) != 0;
}

static void last_byte(struct loop_stream *s)
{
	size_t rest = s->in.len;

	if (loop_stream_gone(s)) {
		close_stream(s);
		return;
	}
	s->ended = true;
	s->in.len = 0;
	loop_watch_read(s->watch, false);
	s->ops->ended(s->arg, s->in.p, rest);
}

/* What a pause left comes first. false: the stream is gone */
static bool resume(struct loop_stream *s)
{
	bool resumed = s->resumed;

	s->resumed = false;
	return !resumed || s->paused || !s->in.len || deliver(s);
}

static void on_readable(struct loop_stream *s)
{
	ssize_t n;

	if (!resume(s) || s->paused || s->ending)
		return;
	buf_reserve(&s->in, READ_BYTES);
	n = read(s->fd, s->in.p + s->in.len, s->in.cap - s->in.len);
	if (n > 0) {
		s->in.len += (size_t)n;
		deliver(s);
	} else if (n == 0) {
		last_byte(s);
	} else if (errno != EAGAIN && errno != EINTR) {
		close_stream(s);
	}
}

static void on_writable(struct loop_stream *s)
{
	int n = 0;

	if (!resume(s))
		return;
	if (evbuffer_get_length(s->out))
		n = evbuffer_write(s->out, s->fd);
	s->taken += n > 0 ? (unsigned)n : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		close_stream(s);
	else if (evbuffer_get_length(s->out))
		loop_watch_write(s->watch, true);
	else if (s->ending)
		close_stream(s);
}

static void on_ready(void *arg, bool write)
{
	struct loop_stream *s = arg;

	if (s->closed)
		return;
	if (write)
		on_writable(s);
	else
		on_readable(s);
}

struct loop_stream *loop_stream_new(struct loop *l, int fd,
                                    const struct loop_stream_ops *ops, void *arg)
{
	struct loop_stream *s = mem_alloc(sizeof *s);

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	s->fd = fd;
	s->ops = ops;
	s->arg = arg;
	s->out = evbuffer_new();
	s->watch = loop_watch_new(l, fd, on_ready, s);
	return s;
}

void loop_stream_write(struct loop_stream *s, const void *p, size_t len)
{
	if (s->closed || s->ending || !len)
		return;
	evbuffer_add(s->out, p, len);
	loop_watch_soon(s->watch);
}

size_t loop_stream_waiting(const struct loop_stream *s)
{
	return evbuffer_get_length(s->out);
}

uint64_t loop_stream_taken(const struct loop_stream *s)
{
	return s->taken;
}

void loop_stream_pause(struct loop_stream *s, bool paused)
{
	if (s->closed || s->ending || s->paused == paused)
		return;
	s->paused = paused;
	if (!s->ended)
		loop_watch_read(s->watch, !paused);
	if (!paused && s->in.len) {
		s->resumed = true;
		loop_watch_soon(s->watch);
	}
}

void loop_stream_end(struct loop_stream *s)
{
	if (s->closed || s->ending)
		return;
	s->ending = true;
	loop_watch_read(s->watch, false);
	loop_watch_soon(s->watch);
}

void loop_stream_free(struct loop_stream *s)
{
	if (!s)
		return;
	if (s->freed)
		*s->freed = true;
	loop_watch_free(s->watch);
	evbuffer_free(s->out);
	buf_fini(&s->in);
	close(s->fd);
	mem_free(s);
}
