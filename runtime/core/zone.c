/* SPDX-License-Identifier: MIT
 * zone.c - see zone.h. The C library does the rest, but never says that it did not understand. */
#include "zone.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "../actor.h"
#include "log.h"

#define NAME "([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
#define TIME "[+-]?([01]?[0-9]|2[0-4])(:[0-5]?[0-9]){0,2}"
#define DATE "(J?[0-9]{1,3}|M[0-9]{1,2}\\.[1-5]\\.[0-6])(/[+-]?[0-9]{1,3}(:[0-5]?[0-9]){0,2})?"

/* As in tzset(3), whole: what does not fit the C library takes for UTC, or leaves away. */
static bool is_rule(const char *text)
{
	static const char rule[] = "^" NAME TIME "(" NAME "(" TIME ")?(," DATE "," DATE ")?)?$";
	regex_t r;
	bool is;

	if (regcomp(&r, rule, REG_EXTENDED | REG_NOSUB))
		return false;
	is = !regexec(&r, text, 0, NULL, 0);
	regfree(&r);
	return is;
}

static bool is_file(const char *name)
{
	const char *folder = getenv("TZDIR");
	char path[4096], magic[4];
	FILE *f;
	bool is;

	if (*name == '/')
		snprintf(path, sizeof path, "%s", name);
	else
		snprintf(path, sizeof path, "%s/%s", folder && *folder ? folder
		         : "/usr/share/zoneinfo", name);
	f = fopen(path, "re");
	if (!f)
		return false;
	is = fread(magic, 1, sizeof magic, f) == sizeof magic && !memcmp(magic, "TZif", 4);
	fclose(f);
	return is;
}

int zone_check(const char *name, struct why *why)
{
	const char *bare = name + (*name == ':');

	if (!strcmp(bare, "UTC"))       /* it needs no database */
		return 0;
	if (strstr(bare, "..") || (!is_file(bare) && !is_rule(name)))
		return why_set(why, ACTOR_EARGS, "\"%.60s\" is no time zone of this machine (is "
		               "tzdata installed?): write one such as Europe/Berlin or UTC", name);
	return 0;
}

void zone_set(const char *name)
{
	const char *given = getenv("TZ");
	struct why why;

	if (!name && given && *given && zone_check(given, &why)) {
		log_line(LOG_WARN, "node", "TZ: %s; local times are UTC", why.text);
		name = "UTC";
	}
	if (name)
		setenv("TZ", name, 1);
}

const char *zone_name(void)
{
	const char *set = getenv("TZ");

	return set && !*set ? "UTC" : set ? set : "";
}
