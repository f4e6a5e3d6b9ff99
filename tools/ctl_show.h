/* SPDX-License-Identifier: MIT
 * ctl_show.h - values for people: aligned words and tables, 80 columns on a terminal. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include "ctl.h"
#include "value.h"

/* A value as one line of JSON. */
void show_json(struct buf *out, struct packed *in);
/* Text with what would move a terminal's cursor (or hide) escaped; "" as two quotes. */
void show_text(struct buf *out, const char *s, size_t len);
/* A list of maps as a table; its columns are the first map's keys. indent: columns to the left. */
void show_table(struct buf *out, const struct ctl *c, struct packed list, int indent);
/* A map as `key  value` lines; maps in it as words, lists of maps as tables, all under
 * their key. */
void show_map(struct buf *out, const struct ctl *c, struct packed map);

#endif
