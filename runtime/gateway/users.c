/* SPDX-License-Identifier: MIT
 * users.c - who is logged in on this node, by name, whichever thread its connection lives on.
 *
 * The one thing that the gateway's threads share of their sessions: who logs in a second time is
 * found, and refused or let in, in one step (the earlier one, where it is replaced, hears of it on
 * its own thread a moment later). Of a session another thread looks at nothing but who
 * it is and where it lives, which never change, and while it has its seat.
 *
 * A lock, taken at a login, at an end, and where a user is spoken to by name; a leaf. */
#include "users.h"

#include <pthread.h>

static struct { pthread_mutex_t lock; struct rooms by_name; } users = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

bool users_enter(struct session *s, enum same_user policy, struct buf *others)
{
	struct seat *there;
	bool may;

	pthread_mutex_lock(&users.lock);
	there = room_seats(&users.by_name, s->user);
	may = !there || policy != SAME_REFUSE;
	for (; there && policy == SAME_REPLACE; there = there->next_in_room) {
		const struct session *other = there->who;
		struct user_place p = { other->id, other->here };

		buf_add(others, &p, sizeof p);
	}
	if (may)
		room_enter(&users.by_name, s->user, &s->named, s);
	pthread_mutex_unlock(&users.lock);
	return may;
}

void users_leave(struct session *s)
{
	if (!s->named)
		return;
	pthread_mutex_lock(&users.lock);
	rooms_leave(&s->named);
	pthread_mutex_unlock(&users.lock);
}

unsigned users_count(void)
{
	unsigned n;

	pthread_mutex_lock(&users.lock);
	n = users.by_name.count;
	pthread_mutex_unlock(&users.lock);
	return n;
}

unsigned users_named(const char *name)
{
	unsigned n;

	pthread_mutex_lock(&users.lock);
	n = room_count(&users.by_name, name);
	pthread_mutex_unlock(&users.lock);
	return n;
}

void users_here(const char *name, const struct sessions *here, struct buf *out)
{
	pthread_mutex_lock(&users.lock);
	for (struct seat *s = room_seats(&users.by_name, name); s; s = s->next_in_room)
		if (((const struct session *)s->who)->here == here)
			buf_add(out, &s->who, sizeof s->who);
	pthread_mutex_unlock(&users.lock);
}
