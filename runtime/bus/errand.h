/* SPDX-License-Identifier: MIT
 * errand.h - a command to Redis on behalf of an actor: bus.command(name argument...). */
#ifndef ERRAND_H
#define ERRAND_H

#include "core.h"
#include "ports.h"

/* m, which self is handling: to:str what:str, then what the command is made of: str, int, num or
 * bytes each. It is answered with what Redis replies: an int, a str, null or a list of these. */
int errand_run(const struct redis_port *port, actor *self, const msg *m);

#endif
