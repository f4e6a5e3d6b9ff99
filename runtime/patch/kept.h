/* SPDX-License-Identifier: MIT
 * kept.h - a patch's source with all that goes with it, as it came and as the journal keeps it. */
#ifndef KEPT_H
#define KEPT_H

#include "core.h"
#include "journal.h"

/* What a patch is made of. Borrowed. */
struct patch_source {
	const char *text; size_t len;
	const char *file, *author, *note, *origin;
	const char *topic, *handler, *function;         /* of an eval; else NULL */
	const char *probation;          /* its terms, see watched.h; NULL: none */
	const char *rollout;            /* that it came by, see rolled.h; NULL: none */
};

/* A patch as the journal has it. */
struct patch_kept {
	struct patch_source source;
	/* list of maps: type, build, migrates (1: its state has another shape since), on: list of
	 * [handler, was] */
	struct packed on;
	struct buf own;
};
journal_fn kept_take;           /* arg: a patch_kept, zeroed; of its line `intent` */
void       kept_free(struct patch_kept *k);

/* What the patch changes: each handler, with what that came with before. */
struct one { struct type *type; char type_name[NAME_MAX_LEN + 1],
            name[NAME_MAX_LEN + 1]; int64_t was; bool migrates; };
/* Goes through "on":[{"type":..,"build":..,"on":[["hit",0],..]},..]. False from each ends it. */
struct walk {
	bool (*type)(void *arg, const char *name, const char *build);   /* may be NULL */
	bool (*each)(void *arg, const struct one *one);
	void *arg;
};
/* False: somebody said so, or it is no such list. */
bool kept_walk(const struct walk *w, struct packed on);

#endif
