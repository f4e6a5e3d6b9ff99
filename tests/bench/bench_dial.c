/* SPDX-License-Identifier: MIT
 * bench_dial.c - see bench_dial.h. */
#include "bench_dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

redisReply *bench_reply(redisContext *c)
{
	void *r = NULL;

	if (redisGetReply(c, &r) != REDIS_OK || !r)
		bench_fail("Redis: %s", c->errstr);
	return r;
}

redisContext *bench_dial(const char *url)
{
	char password[128] = "", host[64] = "";
	redisContext *c;
	redisReply *r;
	int port = 0, db = 0;

	if (sscanf(url, "redis://default:%127[^@]@%63[^:]:%d/%d", password, host, &port, &db) != 4)
		bench_fail("a Redis URL of an unknown shape");
	c = redisConnect(host, port);
	if (!c || c->err)
		bench_fail("cannot connect to Redis");
	redisAppendCommand(c, "AUTH %s", password);
	redisAppendCommand(c, "SELECT %d", db);
	r = bench_reply(c);
	if (r->type == REDIS_REPLY_ERROR)
		bench_fail("Redis does not let us in");
	freeReplyObject(r);
	freeReplyObject(bench_reply(c));
	return c;
}

pid_t bench_redis_pid(redisContext *c)
{
	redisReply *r;
	const char *at;
	pid_t pid;

	redisAppendCommand(c, "INFO server");
	r = bench_reply(c);
	at = r->type == REDIS_REPLY_STRING ? strstr(r->str, "process_id:") : NULL;
	pid = at ? (pid_t)atoi(at + strlen("process_id:")) : 0;
	freeReplyObject(r);
	return pid;
}
