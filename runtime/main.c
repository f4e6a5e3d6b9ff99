/* SPDX-License-Identifier: MIT
 * main.c - flags and signals only. */
#include <signal.h>
#include <stdio.h>

#include "options.h"

static int say(const struct options *o)
{
	struct buf out = { 0 };

	if (o->asked == OPTIONS_HELP)
		options_help(&out);
	else
		buf_text(&out, "actord " ACTORD_VERSION "\n");
	fwrite(out.p, 1, out.len, stdout);
	buf_fini(&out);
	return 0;
}

/* What supervisors and log rotators send ("reopen your logs") must not end it. */
static const int ignored[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM };

int main(int argc, char **argv)
{
	struct options o;
	struct why why = { "" };
	int status;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	if (options_read(&o, argc, argv, &why) < 0) {
		fprintf(stderr, "actord: %s\n", why.text);
		status = 2;
	} else {
		status = o.asked == OPTIONS_RUN ? node_run(&o.node) : say(&o);
	}
	options_fini(&o);
	return status;
}
