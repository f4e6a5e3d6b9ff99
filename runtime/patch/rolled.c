/* SPDX-License-Identifier: MIT
 * rolled.c - see rolled.h.
 *
 * The idea: a rollout comes at least once, as a node may end after a patch is in force and before
 * Redis knows. The journal has its id beside the patch, so what comes again is found there, and is
 * not put in force twice, whatever has become of it meanwhile. */
#include "rolled.h"

#include <stdio.h>

#include "builds.h"

static struct rolled { char id[ROLLOUT_ID]; uint32_t number; } *all;
static size_t count, room;

void rolled_note(const char *id, uint32_t number)
{
	if (!id || !*id || strlen(id) >= ROLLOUT_ID)
		return;
	if (count == room) {
		room = room ? 2 * room : 16;
		all = mem_resize(all, room * sizeof *all);
	}
	all[count].number = number;
	strcpy(all[count++].id, id);
}

void rolled_forget(void)
{
	mem_free(all);
	all = NULL;
	count = room = 0;
}

uint32_t rolled_find(const char *id)
{
	for (size_t i = count; i-- > 0; )
		if (!strcmp(all[i].id, id))
			return all[i].number;
	return 0;
}

bool rolled_reverts(const char *source, size_t len, char id[ROLLOUT_ID])
{
	static const char begin[] = "//revert ";
	size_t skip = sizeof begin - 1, n;

	while (len && (source[len - 1] == '\n' || source[len - 1] == '\r'))
		len--;
	if (len <= skip || memcmp(source, begin, skip))
		return false;
	n = strspn(source + skip, "0123456789-");
	if (n != len - skip || n >= ROLLOUT_ID)
		return false;
	memcpy(id, source + skip, n);
	id[n] = 0;
	return true;
}

void rolled_builds(const struct exported *e, struct buf *out)
{
	char hex[SEAL_DIGEST_HEX];

	for (int i = 0; i < e->n; i++) {
		builds_of(e->change[i].type, hex);
		buf_printf(out, "%s %s\n", hex, type_name(e->change[i].type));
	}
}

int rolled_same(const char *builds, const struct exported *e, struct why *why)
{
	struct buf here = { 0 };
	int rc = 0;

	if (!builds || !*builds)
		return 0;
	for (int i = 0; !rc && i < e->n; i++) {
		const char *name = type_name(e->change[i].type);
		char hex[SEAL_DIGEST_HEX];

		builds_of(e->change[i].type, hex);
		buf_clear(&here);
		buf_printf(&here, "%s %s\n%c", hex, name, 0);
		if (!strstr(builds, here.p))
			rc = why_set(why, ACTOR_EARGS, "it is stale here: it was made for another "
			             "build of %s than this node has", name_title(name));
	}
	buf_fini(&here);
	return rc;
}
