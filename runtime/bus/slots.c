/* SPDX-License-Identifier: MIT
 * slots.c - see slots.h. Computes; asks nobody and keeps nothing. */
#include "slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static unsigned crc16(const char *p, size_t len)
{
	unsigned crc = 0;

	while (len--) {
		crc ^= (unsigned)(unsigned char)*p++ << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
	}
	return crc & 0xffff;
}

unsigned slot_of(const char *key, size_t len)
{
	const char *open = memchr(key, '{', len), *close = NULL;

	if (open)
		close = memchr(open + 1, '}', (size_t)(key + len - open - 1));
	if (close && close > open + 1)
		return crc16(open + 1, (size_t)(close - open - 1)) % SLOTS;
	return crc16(key, len) % SLOTS;
}

static int behind(const char *word, int argc, const char **argv, const size_t *len)
{
	for (int i = 1; i + 1 < argc; i++)
		if (len[i] == strlen(word) && !strncasecmp(argv[i], word, len[i]))
			return i + 1;
	return -1;
}

int slot_key(int argc, const char **argv, const size_t *len)
{
	static const struct { const char *name; int key; } known[] = {
		{ "PUBLISH", -1 }, { "PUBSUB", -1 }, { "PING", -1 }, { "ECHO", -1 }, { "INFO", -1 },
		{ "SCRIPT", -1 }, { "FUNCTION", -1 }, { "CONFIG", -1 }, { "CLUSTER", -1 },
		{ "COMMAND", -1 }, { "EVAL", 3 }, { "EVALSHA", 3 }, { "EVAL_RO", 3 },
		{ "EVALSHA_RO", 3 }, { "FCALL", 3 }, { "FCALL_RO", 3 }, { "LMPOP", 2 },
		{ "ZMPOP", 2 }, { "SINTERCARD", 2 }, { "ZDIFF", 2 }, { "ZINTER", 2 },
		{ "ZUNION", 2 }, { "XGROUP", 2 }, { "XINFO", 2 }, { "OBJECT", 2 }, { "MEMORY", 2 },
		{ "BITOP", 2 },
	};
	int key = 1;

	if (!strncasecmp(argv[0], "XREAD", 5))
		return behind("STREAMS", argc, argv, len);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i].name) == len[0] && !strncasecmp(argv[0], known[i].name, len[0]))
			key = known[i].key;
	if (key == 3 && argc > 2 && len[2] == 1 && argv[2][0] == '0')
		return -1;
	return key < argc ? key : -1;
}

bool slot_redirect(struct redirect *out, const struct redis_reply *error)
{
	struct redirect r = { .ask = error->len > 4 && !memcmp(error->str, "ASK ", 4) };
	const char *p = error->str + (r.ask ? 4 : 6), *colon;
	char *end;

	if (error->len <= 6 || (!r.ask && memcmp(error->str, "MOVED ", 6) != 0))
		return false;
	r.slot = (unsigned)strtoul(p, &end, 10);
	colon = strrchr(end, ':');
	if (*end != ' ' || !colon || r.slot >= SLOTS)
		return false;
	snprintf(r.host, sizeof r.host, "%.*s", (int)(colon - end - 1), end + 1);
	r.port = atoi(colon + 1);
	*out = r;
	return true;
}
