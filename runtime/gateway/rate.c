/* SPDX-License-Identifier: MIT
 * rate.c - token buckets, and what the clients of one address do together.
 *
 * An address is remembered while it has connections or a bucket is not full: who hangs up and
 * comes again gains nothing. An IPv6 address counts by its /64, which is what one customer has.
 *
 * Any thread: the table is under a lock, for who comes, who goes and the sweep; a bucket is one
 * word, which whoever takes a token swaps. */
#include "rate.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "ports.h"
#include "sync.h"

enum { SECOND_NS = 1000000000, TABLE = 4096 };

struct addresses {
	pthread_mutex_t lock;
	struct address *in[TABLE];
	unsigned left;                  /* without connections */
	uint64_t salt;
};

bool rate_take(_Atomic int64_t *full_ns, int rate, int64_t now_ns)
{
	int64_t token = rate ? SECOND_NS / rate : 0, was = LOAD(full_ns), full;

	if (!rate)
		return true;
	do {
		full = (was > now_ns ? was : now_ns) + token;
		if (full - now_ns > SECOND_NS)
			return false;
	} while (!CAS(full_ns, &was, full));
	return true;
}

static int64_t with_one_more(int64_t full_ns, int rate, int64_t now_ns)
{
	return (full_ns > now_ns ? full_ns : now_ns) + SECOND_NS / rate;
}

bool rate_has(const _Atomic int64_t *full_ns, int rate, int burst, int64_t now_ns)
{
	return !rate || with_one_more(LOAD(full_ns), rate, now_ns) - now_ns <=
	                (int64_t)(SECOND_NS / rate) * burst;
}

void rate_charge(_Atomic int64_t *full_ns, int rate, int burst, int64_t now_ns)
{
	int64_t was = LOAD(full_ns), full, most;

	if (!rate)
		return;
	most = now_ns + 2 * (int64_t)(SECOND_NS / rate) * burst;
	do {
		full = with_one_more(was, rate, now_ns);
	} while (!CAS(full_ns, &was, full < most ? full : most));
}

struct addresses *addresses_new(void)
{
	struct addresses *all = mem_alloc(sizeof *all);

	pthread_mutex_init(&all->lock, NULL);
	all->salt = random_u64();
	return all;
}

static void key_of(int fd, uint8_t key[16])
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof at;

	memset(key, 0, 16);
	getpeername(fd, (struct sockaddr *)&at, &len);
	if (at.ss_family == AF_INET) {
		memcpy(key + 12, &((struct sockaddr_in *)&at)->sin_addr, 4);
		key[10] = key[11] = 0xff;
	} else if (at.ss_family == AF_INET6) {
		struct in6_addr *six = &((struct sockaddr_in6 *)&at)->sin6_addr;

		memcpy(key, six, IN6_IS_ADDR_V4MAPPED(six) ? 16 : 8);
	}
}

static struct address **place(struct addresses *all, const uint8_t key[16])
{
	uint64_t half[2];
	struct address **at;

	memcpy(half, key, sizeof half);
	half[0] = ((half[0] ^ all->salt) * 0x9e3779b97f4a7c15u ^ half[1]) * 0xd6e8feb86659fd93u;
	at = &all->in[half[0] >> 40 & (TABLE - 1)];
	while (*at && memcmp((*at)->key, key, 16))
		at = &(*at)->next;
	return at;
}

struct address *addresses_hold(struct addresses *all, int fd)
{
	uint8_t key[16];
	struct address **at, *a;

	key_of(fd, key);
	pthread_mutex_lock(&all->lock);
	at = place(all, key);
	a = *at;
	if (!a) {
		a = *at = mem_alloc(sizeof *a);
		memcpy(a->key, key, sizeof key);
	} else if (!LOAD(&a->conns)) {
		all->left--;
	}
	COUNT_UP(&a->conns, 1);
	pthread_mutex_unlock(&all->lock);
	return a;
}

static bool is_even(const struct address *a, int64_t now_ns)
{
	return LOAD(&a->full_ns) <= now_ns && LOAD(&a->logins_full_ns) <= now_ns;
}

static void forget(struct addresses *all, struct address **at)
{
	struct address *a = *at;

	*at = a->next;
	all->left--;
	mem_free(a);
}

void addresses_drop(struct addresses *all, struct address *a, int64_t now_ns)
{
	pthread_mutex_lock(&all->lock);
	COUNT_UP(&a->conns, -1u);
	if (!LOAD(&a->conns)) {
		all->left++;
		if (is_even(a, now_ns))
			forget(all, place(all, a->key));
	}
	pthread_mutex_unlock(&all->lock);
}

void addresses_sweep(struct addresses *all, int64_t now_ns)
{
	pthread_mutex_lock(&all->lock);
	for (int i = 0; all->left && i < TABLE; i++)
		for (struct address **at = &all->in[i]; *at; )
			if (!LOAD(&(*at)->conns) && is_even(*at, now_ns))
				forget(all, at);
			else
				at = &(*at)->next;
	pthread_mutex_unlock(&all->lock);
}

void addresses_free(struct addresses *all)
{
	for (int i = 0; all && i < TABLE; i++)
		while (all->in[i]) {
			all->left++;
			forget(all, &all->in[i]);
		}
	if (all)
		pthread_mutex_destroy(&all->lock);
	mem_free(all);
}
