/* SPDX-License-Identifier: MIT
 * ctl_help.h - actorctl's help, on stdout: of all, of one command, as a man page. No line of it has
 * over 80 columns. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include "ctl_commands.h"

void help_all(void);
void help_of(const struct command *k);
void help_names(void);          /* the commands' names alone, a line each: for completion */
void help_man(void);            /* for troff */

/* `help [COMMAND]`; of `patch` and its like, those that begin with it. */
int run_help(const struct ctl *c, int argc, char **argv);

#endif
