/* SPDX-License-Identifier: MIT
 * bench_node.c - starting and stopping the actord that is measured. */
#include "bench_node.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void word(const char *line, const char *key, char *out, size_t size)
{
	const char *at = strstr(line, key);
	size_t len;

	if (!at)
		bench_fail("actord's ready line lacks %s: %s", key, line);
	at += strlen(key);
	len = strcspn(at, " \n");
	snprintf(out, size, "%.*s", (int)len, at);
}

static void become_actord(struct bench_node *n, int workers, const char *redis,
                          const char *source, int out)
{
	char program[4096], count[16], state[80], control[80], log[80];
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);

	program[len < 0 ? 0 : len] = 0;
	snprintf(strrchr(program, '/') + 1, 16, "actord");
	snprintf(count, sizeof count, "%d", workers);
	snprintf(state, sizeof state, "%s/state", n->folder);
	snprintf(control, sizeof control, "%s/control", n->folder);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(out, STDOUT_FILENO);
	snprintf(log, sizeof log, "%s/log", n->folder);
	if (!freopen(log, "w", stderr))         /* a line a patch is not what is measured */
		_exit(127);
	execl(program, program, "--redis", redis ? redis : "embedded/0", "--redis-port", "0",
	      "--listen", "127.0.0.1:0", "--workers", count, "--state", state, "--control",
	      control, source, (char *)NULL);
	_exit(127);
}

void bench_node_start(struct bench_node *n, int workers)
{
	bench_node_start_with(n, workers, NULL, NULL);
}

void bench_node_start_with(struct bench_node *n, int workers, const char *redis,
                           const char *source)
{
	char line[1024];
	int out[2];
	FILE *f;

	snprintf(n->folder, sizeof n->folder, "/tmp/actor-bench-XXXXXX");
	if (!mkdtemp(n->folder) || pipe(out) < 0)
		bench_fail("cannot make a folder or a pipe");
	n->pid = fork();
	if (n->pid == 0)
		become_actord(n, workers, redis, source, out[1]);
	close(out[1]);
	f = fdopen(out[0], "r");
	if (!f || !fgets(line, sizeof line, f) || strncmp(line, "ready", 5))
		bench_fail("the actord beside this program did not start");
	word(line, "listen=", n->listen, sizeof n->listen);
	word(line, "redis=", n->redis, sizeof n->redis);
	word(line, "control=", n->control, sizeof n->control);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void bench_node_stop(struct bench_node *n)
{
	kill(n->pid, SIGTERM);
	waitpid(n->pid, NULL, 0);
	nftw(n->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
