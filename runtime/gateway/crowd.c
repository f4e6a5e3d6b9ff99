/* SPDX-License-Identifier: MIT
 * crowd.c - what counts for all connections together, and for those of one address.
 *
 * Of logins those count that were refused, or whose client left before it was told: who guesses is
 * soon out, and a house full of users behind one address comes in all at once. While an address is
 * barred nobody is asked about its logins.
 *
 * Any thread: numbers that are added to, and rate.c's. No state of its own; it knows no connection.
 */
#include "crowd.h"

#include "ports.h"
#include "sync.h"

enum {
	SPARE_CONNS = 16,               /* of an address, for GETs, and to hear why not */
	EARLY_ALL = 64 << 20,           /* of all together; half of an address */
};

void crowd_init(struct crowd *c, const struct gateway_limits *l)
{
	c->limits = *l;
	c->addresses = addresses_new();
}

void crowd_fini(struct crowd *c)
{
	addresses_free(c->addresses);
}

struct address *crowd_admit(struct crowd *c, int fd)
{
	struct address *from = addresses_hold(c->addresses, fd);
	int most = c->limits.address_clients;

	if (!most || LOAD(&from->conns) <= (unsigned)most + SPARE_CONNS)
		return from;
	crowd_bye(c, from);
	return NULL;
}

void crowd_bye(struct crowd *c, struct address *from)
{
	if (from)
		addresses_drop(c->addresses, from, now_ns());
}

void crowd_enter(struct crowd *c, struct address *from)
{
	atomic_fetch_add(&c->present, 1);
	atomic_fetch_add(&from->clients, 1);
}

void crowd_leave(struct crowd *c, struct address *from)
{
	atomic_fetch_sub(&from->clients, 1);
	atomic_fetch_sub(&c->present, 1);
}

const char *crowd_full(const struct crowd *c, const struct address *from)
{
	const struct gateway_limits *l = &c->limits;

	return l->clients && LOAD(&c->present) > (unsigned)l->clients ?
	       "there are as many clients as may be"
	     : l->address_clients && LOAD(&from->clients) > (unsigned)l->address_clients ?
	       "there are as many clients of your address as may be" : NULL;
}

bool crowd_early(struct crowd *c, struct address *from, size_t was, size_t now)
{
	size_t more = now - was, all, own = 0;

	if (!more)
		return true;
	all = atomic_fetch_add(&c->early, more) + more;
	if (from)
		own = atomic_fetch_add(&from->early, more) + more;
	return !now || (all <= EARLY_ALL && own <= EARLY_ALL / 2);
}

const char *crowd_barred(const struct crowd *c, const struct address *from)
{
	const struct gateway_limits *l = &c->limits;

	return rate_has(&from->logins_full_ns, l->login_rate, l->login_burst, now_ns()) ? NULL :
	       "too many logins of your address were refused: try again later";
}

void crowd_refused(struct crowd *c, struct address *from)
{
	rate_charge(&from->logins_full_ns, c->limits.login_rate, c->limits.login_burst, now_ns());
}
