/* SPDX-License-Identifier: MIT
 * refusal.c - see refusal.h. An error of Redis begins with its name. */
#include "refusal.h"

#include <string.h>

#include "log.h"
#include "ports.h"

static const struct { const char *name, *words; } known[] = {
	{ "OOM", "Redis is out of memory (OOM) and takes nothing for its node" },
	{ "NOREPLICAS", "Redis lacks replicas (NOREPLICAS) and takes nothing for its node" },
	{ "READONLY", "Redis is a replica (READONLY) and takes nothing for its node" },
	{ "MISCONF", "Redis cannot write to its disk (MISCONF) and takes nothing for its node" },
	{ "CLUSTERDOWN", "the Cluster of Redis is down (CLUSTERDOWN)" },
	{ "MASTERDOWN", "the master of Redis is down (MASTERDOWN)" },
	{ "NOPERM", "Redis lets its user here write nothing for its node (NOPERM)" },
	{ "WRONGTYPE", "the inbox of its node is no stream (WRONGTYPE)" },
};

const char *refusal_words(const char *error)
{
	size_t len = strcspn(error, " ");

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i].name) == len && !memcmp(known[i].name, error, len))
			return known[i].words;
	return "Redis refuses what is for its node, for a reason that is in the log";
}

void refusal_say(int64_t *said_ms, const char *node, const char *what, const char *detail)
{
	if (now_ms() - *said_ms < REFUSAL_SAY_MS)
		return;
	*said_ms = now_ms();
	log_line(LOG_WARN, "bus", "node %s: %s%s%s", node, what, detail ? ": " : "",
	         detail ? detail : "");
}
