/* SPDX-License-Identifier: MIT
 * ctl_commands.h - the commands of actorctl: their words, their help, what they do. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl.h"

struct guess;

struct command {
	const char *name;               /* "ping", or two words: "patch apply" */
	const char *args;               /* "NAME HANDLER [ARG...]" */
	int min, max;                   /* words behind the name; max below 0: any number */
	int options_until;              /* behind so many no word is an option; -1: anywhere */
	const char *summary;            /* a line of --help */
	const char *help;               /* more, with examples */
	int (*run)(const struct ctl *c, int argc, char **argv);
};

extern const struct command commands[];         /* ends with a NULL name */

/* The one that these words begin with, or NULL; *used: how many of them are its name. */
const struct command *command_find(char **words, int count, int *used);
/* Is it one of several whose first word this is, as in `patch apply`? */
bool command_begins(const struct command *k, const char *first);
struct guess command_guess(char **words, int count);

#endif
