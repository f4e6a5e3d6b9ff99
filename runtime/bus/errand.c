/* SPDX-License-Identifier: MIT
 * errand.c - commands to Redis on behalf of actors.
 *
 * Only what answers once and at once: what blocks, subscribes or changes the connection would take
 * it from the bus, and is refused. The loop's thread; nothing is kept but who waits. */
#include "errand.h"

#include <stdio.h>
#include <strings.h>

enum { PARTS_MOST = 64, NUMBER_SIZE = 32 };

struct asked { actor *self; msg_caller caller; };

/* And all that end in SUBSCRIBE. */
static const char *const refused[] = {
	"MONITOR", "SELECT", "MULTI", "EXEC", "WATCH", "AUTH", "HELLO", "RESET", "QUIT", "CLIENT",
	"SHUTDOWN", "SYNC", "PSYNC", "REPLCONF", "REPLICAOF", "SLAVEOF", "FAILOVER", "BLPOP",
	"BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD",
	"XREADGROUP", "WAIT", "WAITAOF", NULL,
};

static void pack_reply(struct buf *b, const struct redis_reply *r)
{
	switch (r->type) {
	case REDIS_INT: pack_int(b, r->integer); break;
	case REDIS_STR:
		if (utf8_valid(r->str, r->len))
			pack_str(b, r->str, r->len);
		else
			pack_bytes(b, r->str, r->len);
		break;
	case REDIS_LIST:
		pack_list(b, (uint32_t)r->items);
		for (size_t i = 0; i < r->items; i++)
			pack_reply(b, &r->item[i]);
		break;
	default: pack_null(b); break;
	}
}

static void on_reply(void *arg, const struct redis_reply *r)
{
	struct asked *a = arg;
	struct packed none = { NULL, NULL };
	struct buf b = { 0 };

	if (r->type == REDIS_GONE) {
		core_answer(a->self, a->caller, none, 0, ACTOR_EFAIL,
		            "Redis was lost before it replied");
	} else if (r->type == REDIS_ERROR) {
		buf_printf(&b, "%.*s%c", (int)r->len, r->str, 0);
		core_answer(a->self, a->caller, none, 0, ACTOR_EFAIL, b.p);
	} else {
		pack_reply(&b, r);
		core_answer(a->self, a->caller,
		            (struct packed){ (uint8_t *)b.p, (uint8_t *)b.p + b.len }, 1, 0, NULL);
	}
	buf_fini(&b);
	mem_free(a);
}

/* NULL: a value that is no part of a command. */
static const char *part(const msg *m, int i, char number[NUMBER_SIZE], size_t *len)
{
	switch (msg_type(m, i)) {
	case MSG_STR:
	case MSG_BYTES: *len = msg_len(m, i); return msg_str(m, i);
	case MSG_INT:
		*len = (size_t)snprintf(number, NUMBER_SIZE, "%lld", (long long)msg_int(m, i));
		return number;
	case MSG_NUM:
		*len = (size_t)snprintf(number, NUMBER_SIZE, "%.17g", msg_num(m, i));
		return number;
	default: return NULL;
	}
}

static bool is_refused(const char *command, size_t len)
{
	static const char behind[] = "SUBSCRIBE";
	enum { BEHIND = sizeof behind - 1 };

	if (len >= BEHIND && !strncasecmp(command + len - BEHIND, behind, BEHIND))
		return true;
	for (const char *const *r = refused; *r; r++)
		if (strlen(*r) == len && !strncasecmp(*r, command, len))
			return true;
	return false;
}

int errand_run(const struct redis_port *port, actor *self, const msg *m)
{
	char number[PARTS_MOST][NUMBER_SIZE];
	const char *argv[PARTS_MOST];
	size_t len[PARTS_MOST];
	int n = msg_count(m) - 2;
	struct asked *a;

	if (n < 1 || n > PARTS_MOST)
		return msg_fail(m, "bus.command takes 1 to %d parts of a command", PARTS_MOST);
	for (int i = 0; i < n; i++)
		if (!(argv[i] = part(m, i + 2, number[i], &len[i])))
			return msg_fail(m, "bus.command: part %d is no text or number", i + 1);
	if (is_refused(argv[0], len[0]))
		return msg_fail(m, "bus.command: %s would take the connection from the others",
		                argv[0]);
	if (!port)
		return msg_fail(m, "Redis is away");
	a = mem_alloc(sizeof *a);
	a->self = self;
	a->caller = msg_defer(m);
	if (!port->command(port->link, on_reply, a, n, argv, len))
		return 0;
	core_answer(self, a->caller, (struct packed){ NULL, NULL }, 0, ACTOR_EFAIL,
	            "Redis is away");
	mem_free(a);
	return 0;
}
