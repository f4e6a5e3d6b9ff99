/* SPDX-License-Identifier: MIT
 * suspect.c - a line of fixed length: "patch 0000000003 signal 11 i". */
#include "suspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core.h"

#define FORM "patch %u signal %u %c"
enum { LEN = sizeof "patch 0000000000 signal 00 b\n" - 1, NUMBER = 6, SIG = 24, BY = 27 };

static int fd = -1;

static void digits(char *at, int n, uint32_t v)
{
	while (n--) {
		at[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* In a signal handler. */
static void dying(bool inside, uint32_t version, int sig)
{
	char line[] = "patch 0000000000 signal 00 b\n";
	uint32_t number = inside ? version : core_ran_on_probation();

	if (!number)
		return;
	digits(line + NUMBER, 10, number);
	digits(line + SIG, 2, (uint32_t)sig);
	line[BY] = inside ? 'i' : 'o';
	if (pwrite(fd, line, LEN, 0) == LEN)
		fdatasync(fd);
}

int suspect_blank(struct why *why)
{
	char line[LEN];

	memset(line, ' ', sizeof line);
	line[LEN - 1] = '\n';
	if (fd < 0 || (pwrite(fd, line, LEN, 0) == LEN && !ftruncate(fd, LEN) && !fdatasync(fd)))
		return 0;
	return why_set(why, ACTOR_EFAIL, "patches.suspect: %s", strerror(errno));
}

int suspect_open(const char *folder, struct suspect *last, struct why *why)
{
	struct buf path = { 0 };
	char line[LEN + 1] = "";
	unsigned sig = 0;
	char by = 0;
	int rc = 0;

	*last = (struct suspect){ 0 };
	if (!folder)
		return 0;
	buf_printf(&path, "%s/patches.suspect", folder);
	fd = open(path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && pread(fd, line, LEN, 0) == LEN &&
	    sscanf(line, FORM, &last->number, &sig, &by) == 3) {
		last->sig = (int)sig;
		last->by = by == 'i';
	} else {
		last->number = 0;
	}
	if (fd < 0)
		rc = why_set(why, ACTOR_EFAIL, "%s: %s", path.p, strerror(errno));
	else
		core_on_crash(dying);
	buf_fini(&path);
	return rc;
}

void suspect_close(void)
{
	if (fd < 0)
		return;
	core_on_crash(NULL);
	close(fd);
	fd = -1;
}
