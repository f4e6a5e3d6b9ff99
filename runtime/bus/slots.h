/* SPDX-License-Identifier: MIT
 * slots.h - which of a Redis Cluster's 16,384 slots a command belongs to, and where Redis says that
 * one is. Any thread. */
#ifndef SLOTS_H
#define SLOTS_H

#include "ports.h"

enum { SLOTS = 16384 };

/* CRC16 (XMODEM) of the key, or of what stands between its first { and the next }, if anything
 * does: https://redis.io/docs/reference/cluster-spec, "Hash tags". */
unsigned slot_of(const char *key, size_t len);
/* The argument that is the (first) key; -1: any master will do. What is unknown has it behind its
 * name; where that is wrong, Redis says MOVED. */
int slot_key(int argc, const char **argv, const size_t *len);

/* "MOVED 3999 10.0.0.1:6381" or "ASK ...". False: it is another error. host "": that of whoever
 * said so. */
struct redirect { bool ask; unsigned slot; char host[256]; int port; };
bool slot_redirect(struct redirect *out, const struct redis_reply *error);

#endif
