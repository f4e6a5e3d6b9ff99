/* SPDX-License-Identifier: MIT
 * ctl_help.c - see ctl_help.h. All of it is from the table of commands. */
#include "ctl_help.h"

#include <stdio.h>

#include "ctl_guess.h"

enum { FORM = 26 };             /* columns of a command with its arguments */

static const char options_text[] =
	"  --control PATH  the runtime's socket; also ACTORD_CONTROL. Without either the\n"
	"                  places where actord listens by default\n"
	"  --redis URL     through that Redis (as actord's --redis) instead of the\n"
	"                  socket, to any node that uses it:\n"
	"  --node NAME     to this one\n"
	"  --json          one JSON object a line, errors too\n"
	"  --timeout MS    how long to wait for the answer: 5000; wait and patch: 30000\n"
	"  --version, --help, --man (this as a man page), --commands (their names)\n";

static const char statuses_text[] =
	"Exit status: 0 done, 1 the actor refused or failed, 2 usage, 3 no such actor,\n"
	"handler or patch, 4 the runtime cannot be reached, 5 no answer in time, 6 the\n"
	"patch was rejected.\n";

static void line_of(const struct command *k)
{
	char form[64];

	snprintf(form, sizeof form, "%s %s", k->name, k->args);
	if (strlen(form) > FORM)
		printf("  %s\n  %*s  %s\n", form, FORM, "", k->summary);
	else
		printf("  %-*s  %s\n", FORM, form, k->summary);
}

void help_all(void)
{
	puts("actorctl [OPTION...] COMMAND\n\n"
		"Talks to a running actord through its control socket, or through Redis.\n");
	for (const struct command *k = commands; k->name; k++)
		line_of(k);
	printf("\n%s\n%s\n`actorctl help COMMAND` tells more of one.\n", options_text,
		statuses_text);
}

void help_of(const struct command *k)
{
	printf("actorctl [OPTION...] %s%s%s\n%s\n\n%s\nOptions of all commands:\n\n%s", k->name,
		*k->args ? " " : "", k->args, k->summary, k->help, options_text);
}

void help_names(void)
{
	for (const struct command *k = commands; k->name; k++)
		puts(k->name);
}

int run_help(const struct ctl *c, int argc, char **argv)
{
	const struct command *k;
	struct guess g;
	int used, family = 0;

	if (argc == 0) {
		help_all();
		return CTL_DONE;
	}
	k = command_find(argv, argc, &used);
	if (k && used == argc) {
		help_of(k);
		return CTL_DONE;
	}
	for (k = commands; argc == 1 && k->name; k++)
		if (command_begins(k, argv[0])) {
			line_of(k);
			family++;
		}
	if (family)
		return CTL_DONE;
	g = command_guess(argv, argc);
	return ctl_fail(c, CTL_USAGE, "no command `%s%s%s`%s; `actorctl help` lists them", argv[0],
		argc > 1 ? " " : "", argc > 1 ? argv[1] : "", guess_words(&g));
}

/* --- the man page ------------------------------------------------------------- */

/* Text for troff: no line of it is a request, no backslash an escape. */
static void man_text(const char *s)
{
	bool begins = true;

	for (; *s; s++) {
		if (begins && (*s == '.' || *s == '\''))
			fputs("\\&", stdout);
		fputs(*s == '\\' ? "\\e" : *s == '-' ? "\\-" : (char[]){ *s, 0 }, stdout);
		begins = *s == '\n';
	}
}

void help_man(void)
{
	puts(".TH ACTORCTL 1 \"\" \"actord " ACTORD_VERSION "\"\n.SH NAME\n"
		"actorctl \\- talks to a running actord\n.SH SYNOPSIS\n"
		".B actorctl\n[OPTION...] COMMAND\n.SH OPTIONS\n.nf");
	man_text(options_text);
	puts(".fi\n.SH COMMANDS");
	for (const struct command *k = commands; k->name; k++) {
		fputs(".SS ", stdout);
		man_text(k->name);
		putchar(' ');
		man_text(k->args);
		puts("\n.nf");
		man_text(k->help);
		puts(".fi");
	}
	puts(".SH EXIT STATUS\n.nf");
	man_text(statuses_text);
	puts(".fi");
}
