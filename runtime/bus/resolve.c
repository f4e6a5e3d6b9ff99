/* SPDX-License-Identifier: MIT
 * resolve.c - getaddrinfo() on a thread of its own, as it may take a minute.
 *
 * The idea: one short thread a question, which posts the answer to the loop. Whoever asked may be
 * gone by then: the record belongs to the thread until it posts, then to the posted call, and
 * `arg` is cleared by a cancel. Text that is an address already is answered in the next turn.
 *
 * Threads: `lock` covers `cancelled`, and holds the post: after resolve_cancel() has returned the
 * loop is not touched any more. */
#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

struct resolve {
	pthread_mutex_t lock;
	bool cancelled;
	struct loop *loop;
	void (*done)(void *arg, const struct addresses *a, const char *error);
	void *arg;
	char *host;
	struct addresses got;
	char error[160];
};

static void forget(struct resolve *r)
{
	pthread_mutex_destroy(&r->lock);
	mem_free(r->host);
	mem_free(r);
}

static void on_done(void *arg)
{
	struct resolve *r = arg;

	pthread_mutex_lock(&r->lock);   /* the thread that posted this lets go of it last of all */
	pthread_mutex_unlock(&r->lock);
	if (!r->cancelled)
		r->done(r->arg, r->got.n ? &r->got : NULL, r->got.n ? NULL : r->error);
	forget(r);
}

static void look_up(struct resolve *r, int flags)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL, *a;
	int err = getaddrinfo(r->host, NULL, &hints, &list);

	for (a = list; a && r->got.n < RESOLVE_MOST; a = a->ai_next) {
		if (!getnameinfo(a->ai_addr, a->ai_addrlen, r->got.text[r->got.n], RESOLVE_TEXT,
		                 NULL, 0, NI_NUMERICHOST))
			r->got.n++;
	}
	snprintf(r->error, sizeof r->error, "%s", err == EAI_SYSTEM ? strerror(errno) :
	         err ? gai_strerror(err) : "it has no address");
	if (list)
		freeaddrinfo(list);
}

static void *run(void *arg)
{
	struct resolve *r = arg;
	bool cancelled;

	look_up(r, 0);
	pthread_mutex_lock(&r->lock);
	cancelled = r->cancelled;
	if (!cancelled)
		loop_post(r->loop, on_done, r);
	pthread_mutex_unlock(&r->lock);
	if (cancelled)
		forget(r);
	return NULL;
}

struct resolve *resolve_start(struct loop *l, const char *host,
                              void (*done)(void *arg, const struct addresses *a, const char *error),
                              void *arg)
{
	struct resolve *r = mem_alloc(sizeof *r);
	pthread_t thread;
	int err;

	pthread_mutex_init(&r->lock, NULL);
	r->loop = l;
	r->done = done;
	r->arg = arg;
	r->host = mem_string(host, strlen(host));
	look_up(r, AI_NUMERICHOST);
	if (r->got.n) {
		loop_post(l, on_done, r);
		return r;
	}
	err = pthread_create(&thread, NULL, run, r);
	if (!err) {
		pthread_detach(thread);
		return r;
	}
	snprintf(r->error, sizeof r->error, "no thread to look it up: %s", strerror(err));
	loop_post(l, on_done, r);
	return r;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->cancelled = true;
	pthread_mutex_unlock(&r->lock);
}
