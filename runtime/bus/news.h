/* SPDX-License-Identifier: MIT
 * news.h - waits for the first entry of streams that are empty, or not there yet. The loop's
 * thread. */
#ifndef NEWS_H
#define NEWS_H

#include "wire.h"

struct awaited {                /* the owner's; zero: it is not awaited */
	struct awaited *next, **at;
	const char *key;
};
struct news_config {
	struct loop *loop;
	struct wire *wire;
	/* It has an entry. To be left then, or it is told again. */
	void (*came)(void *arg, const char *key);
	void (*odd)(void *arg);         /* one of the keys is no stream: to be left soon */
	void *arg;
};

struct news;
struct news *news_new(const struct news_config *c);
void news_free(struct news *n);
void news_await(struct news *n, struct awaited *a, const char *key);    /* borrows both */
void news_leave(struct news *n, struct awaited *a);     /* nothing if it is not awaited */
void news_up(struct news *n);
void news_down(struct news *n);
void news_quiet(struct news *n);        /* waits for nothing more */
bool news_idle(const struct news *n);

#endif
