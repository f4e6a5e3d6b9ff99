/* SPDX-License-Identifier: MIT
 * buried.h - the messages that nodes died of (streams.h), to be looked at and sent again. */
#ifndef BURIED_H
#define BURIED_H

#include "core.h"
#include "ports.h"

struct buried;
/* self: who is asked. port is borrowed. */
struct buried *buried_new(actor *self, const struct redis_port *port);
void buried_free(struct buried *b);     /* when the link is freed */
/* m, which self is handling, asks `what`: dead_list topic:str; dead_show topic:str id:str, answered
 * by a list of maps; or dead_retry topic:str id:str. False: it asks something else. */
bool buried_asked(struct buried *b, const msg *m, const char *what);

#endif
