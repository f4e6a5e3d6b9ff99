/* SPDX-License-Identifier: MIT
 * said.c - see said.h. Before what is said stands who says it, where that is a client, and the
 * trace it belongs to. Knows no node. */
#include "said.h"

#include <limits.h>

void said_trace(struct buf *out, const msg *m, const char *to, const char *what)
{
	struct trace_link l;

	if (m ? core_trace_goes(m, to, what, &l) : core_trace_here(&l))
		part_trace(out, &l);
}

/* What clients set off alone is looked at, so that all else costs nothing. */
static void ahead(struct buf *out, const msg *m, bool client)
{
	char user[NAME_MAX_LEN + 1];

	if (msg_origin(m) == FROM_CLIENT && client_user(msg_from(m), user, sizeof user))
		part_user(out, user);
	said_trace(out, m, msg_str(m, 0), msg_str(m, 1));
	if (client)
		part_client(out);
}

void said_send(struct buf *out, const msg *m, bool client)
{
	ahead(out, m, client);
	part_send(out, msg_str(m, 0), msg_str(m, 1), (unsigned)msg_count(m) - 2);
	msg_pack(m, 2, out);
}

void said_ask(struct buf *out, const msg *m, bool client, uint64_t number, int left_ms)
{
	ahead(out, m, client);
	part_ask(out, number, left_ms == INT_MAX ? 0 : left_ms, msg_str(m, 0), msg_str(m, 1),
	         (unsigned)msg_count(m) - 2);
	msg_pack(m, 2, out);
}

void said_push(struct buf *out, const msg *m, const char *user)
{
	said_trace(out, m, "clients", "heard");
	part_send(out, "clients", "heard", (unsigned)msg_count(m) + 1);
	pack_text(out, "user");
	pack_text(out, user);
	pack_text(out, msg_str(m, 1));
	msg_pack(m, 2, out);
}
