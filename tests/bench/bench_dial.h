/* SPDX-License-Identifier: MIT
 * bench_dial.h - the Redis of a node that is measured, by hiredis. */
#ifndef BENCH_DIAL_H
#define BENCH_DIAL_H

#include <hiredis/hiredis.h>
#include <sys/types.h>

/* url: as in a ready line. Both end the program where Redis does not answer. */
redisContext *bench_dial(const char *url);
redisReply   *bench_reply(redisContext *c);     /* gives it */
pid_t         bench_redis_pid(redisContext *c);

#endif
