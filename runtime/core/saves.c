/* SPDX-License-Identifier: MIT
 * saves.c - the users that keep something which the store has not written yet.
 *
 * The store is told of the first alone, and takes all that have come by then: to wake its thread
 * for each costs the worker whose handler has set something more than all else of it does.
 * (What is on probation tells the store by a message of its own, which can be taken back.)
 * Any thread; the lock is a leaf. */
#include "saves.h"

#include <pthread.h>

static struct {
	pthread_mutex_t lock;
	struct buf users;               /* names, a NUL behind each */
	bool told;
} saves = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool add(const char *user, bool telling)
{
	bool told;

	pthread_mutex_lock(&saves.lock);
	buf_add(&saves.users, user, strlen(user) + 1);
	told = saves.told;
	saves.told |= telling;
	pthread_mutex_unlock(&saves.lock);
	return told;
}

bool saves_add(const char *user)
{
	return !add(user, true);
}

void saves_later(const char *user)
{
	add(user, false);
}

void saves_untold(const char *user)
{
	size_t len = strlen(user) + 1;
	char *p, *end;

	pthread_mutex_lock(&saves.lock);
	p = saves.users.p;
	end = p + saves.users.len;
	while (p < end && strcmp(p, user) != 0)
		p += strlen(p) + 1;
	if (p < end) {
		memmove(p, p + len, (size_t)(end - p) - len);
		saves.users.len -= len;
	}
	saves.told = false;
	pthread_mutex_unlock(&saves.lock);
}

bool saves_any(void)
{
	bool any;

	pthread_mutex_lock(&saves.lock);
	any = saves.users.len;
	pthread_mutex_unlock(&saves.lock);
	return any;
}

void saves_take(struct buf *users)
{
	pthread_mutex_lock(&saves.lock);
	buf_add(users, saves.users.p, saves.users.len);
	buf_clear(&saves.users);
	saves.told = false;
	pthread_mutex_unlock(&saves.lock);
}
