/* SPDX-License-Identifier: MIT
 * shop: offers two variables and a function to patches. */
#include "actor.h"

static int64_t limit = 5;
static double factor = 1.5;

static int64_t twice(int64_t n)
{
	return 2 * n;
}

static int get(actor *self, const msg *m)
{
	(void)self;
	return msg_reply(m, limit, factor);
}

const struct actor_type shop = {
	.name   = "shop",
	.on     = ON({ "get", "", get, 0 }),
	.offers = OFFERS(OFFER_VAR(limit, 0, 10), OFFER_VAR(factor, -0.5, 2),
	                 OFFER_FUNCTION(twice)),
};
