/* SPDX-License-Identifier: MIT
 * portrait.h - what `actorctl inspect NAME` and `actorctl ps` say of actors. */
#ifndef PORTRAIT_H
#define PORTRAIT_H

#include "glance.h"

/* Appends one map. inner: what the actor says of itself (core_look()), empty where it did not in
 * time. circle: "a > b > a", or NULL. */
struct portrait {
	const struct actor_info *of;
	const struct control_sources *sources;
	struct packed inner;
	const char *circle;
};
void portrait_actor(const struct portrait *p, struct buf *out);
/* Whom it has asked first of those it waits for, in inner: its name's bytes, or 0. */
size_t portrait_asked(struct packed inner, char name[NAME_MAX_LEN + 1]);
/* Appends a list of maps, and how many more there are. */
void portrait_rows(struct buf *out);

/* A map: name, type, value, least, most. */
void portrait_var(const struct offer *v, double is, struct buf *out);

#endif
