/* SPDX-License-Identifier: MIT
 * zone.h - the time zone that local times are of: a crontab's lines, the day of a daily counter. */
#ifndef ZONE_H
#define ZONE_H

#include "base.h"

/* "Europe/Berlin" as in the system's time zone database (tzdata, or $TZDIR), a file's absolute
 * path, or a rule as in tzset(3), "CET-1CEST,M3.5.0,M10.5.0/3". ACTOR_EARGS with why: none of
 * these, which the C library would take for UTC. Any thread. */
int zone_check(const char *name, struct why *why);
/* name: one that was checked; NULL: what TZ says, or else the system; a TZ of no sense is logged.
 * Main thread, before any other and before the core starts. */
void zone_set(const char *name);
/* As it was set. "": it is the system's, /etc/localtime. Lives on. Any thread. */
const char *zone_name(void);

#endif
