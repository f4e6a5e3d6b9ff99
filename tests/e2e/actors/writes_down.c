/* SPDX-License-Identifier: MIT
 * writes_down: the actor `ledger` of test_history, which writes down what it is sent, outside of
 * its process, before it returns. Compiled by the test (an ACTOR.so), as it writes to a file. */
#include "actor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int put(actor *self, const msg *m)
{
	int *fd = actor_state(self);
	char line[80];
	int n = snprintf(line, sizeof line, "%lld %lld %d\n", (long long)msg_int(m, 0),
	                 (long long)msg_int(m, 1), msg_again(m));

	if (!*fd)
		*fd = open(getenv("LEDGER"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return write(*fd, line, (size_t)n) == n ? 0 : msg_fail(m, "cannot write");
}

static void stop(actor *self)
{
	int *fd = actor_state(self);

	if (*fd)
		close(*fd);
}

const struct actor_type ledger = {
	.name = "ledger",
	.state = sizeof(int),
	.stop = stop,
	.on = ON({ "put", "who:int n:int", put, 0 }),
};
