/* SPDX-License-Identifier: MIT
 * portrait.h - what `actorctl inspect NAME` and `actorctl ps` say of actors. */
#ifndef PORTRAIT_H
#define PORTRAIT_H

#include "glance.h"
#include "rows.h"

/* Appends one map. inner: what the actor says of itself (core_look()), empty where it did not in
 * time. circle: "a > b > a", or NULL. */
struct portrait {
	const struct actor_info *of;
	const struct control_sources *sources;
	struct packed inner;
	const char *circle;
};
void portrait_actor(const struct portrait *p, struct buf *out);
/* Whom it has asked first of those it waits for, in inner; false: it waits for nobody, or for one
 * without a name. */
bool portrait_asked(struct packed inner, char name[NAME_MAX_LEN + 1]);
/* One of all actors, if it is still there; beyond so many they are counted only. */
void portrait_row(actor_id id, struct rows *out);

/* Of a variable what it is, an int or a num; and a map: name, type, value, least, most. */
void portrait_value(const struct offer *v, double is, struct buf *out);
void portrait_var(const struct offer *v, double is, struct buf *out);

#endif
