/* SPDX-License-Identifier: MIT
 * opinion.c - a second opinion: the warnings of gcc or clang, where this machine has one.
 *
 * libtcc warns of little. For `check`, which changes nothing and may take its time, a compiler on
 * PATH reads the source too, from its standard input, as a process of its own with limits and a
 * deadline; the headers that actors bring lie for it in a private folder that is gone afterwards.
 * Only its warnings count: whether a source compiles, libtcc has said.
 *
 * Threads: any; waits for the compiler. */
#include "opinion.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "headers.h"
#include "ports.h"

enum { PATH_SIZE = 4096, TEXT_MAX = 64 << 10 };

/* $0 is the compiler, the rest its arguments. */
static char limited[] = "ulimit -v 2000000 -t 2 -f 2000 -c 0; exec \"$0\" \"$@\"";

static bool find_compiler(char path[PATH_SIZE])
{
	static const char *const names[] = { "gcc", "clang" };
	const char *folders = getenv("PATH"), *p;

	for (size_t i = 0; folders && i < ARRAY_LEN(names); i++)
		for (p = folders; *p; p += strcspn(p, ":"), p += *p == ':') {
			int len = (int)strcspn(p, ":");
			int n = snprintf(path, PATH_SIZE, "%.*s/%s", len, p, names[i]);

			if (n < PATH_SIZE && *path == '/' && !access(path, X_OK))
				return true;
		}
	return false;
}

/* --- the folder --------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const char *text, size_t len)
{
	char path[PATH_SIZE];
	FILE *f;

	if (strchr(name, '/') || snprintf(path, sizeof path, "%s/%s", folder, name) >= PATH_SIZE)
		return;
	f = fopen(path, "we");
	if (!f)
		return;
	fwrite(text, 1, len, f);
	fclose(f);
}

static void write_header(void *arg, const struct header *h)
{
	write_file(arg, h->name, h->text, h->len);
}

static void remove_file(const char *folder, const char *name)
{
	char path[PATH_SIZE];

	if (snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_SIZE)
		unlink(path);
}

static void remove_header(void *arg, const struct header *h)
{
	remove_file(arg, h->name);
}

static const char source_name[] = "source.c";

static bool folder_make(char folder[PATH_SIZE], const struct source *s)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(folder, PATH_SIZE, "%s/actord-check-XXXXXX", tmp && *tmp ? tmp : "/tmp") >=
	            PATH_SIZE ||
	    !mkdtemp(folder))
		return false;
	headers_of_actors(write_header, folder);
	write_file(folder, source_name, s->text, s->len);
	return true;
}

static void folder_remove(char *folder)
{
	headers_of_actors(remove_header, folder);
	remove_file(folder, source_name);
	rmdir(folder);
}

/* --- the compiler ------------------------------------------------------------------------- */

static pid_t spawn(char *compiler, char *folder, int out)
{
	char *argv[] = { "sh", "-c", limited, compiler, "-x", "c", "-std=gnu11", "-O2", "-Wall",
		"-Wextra", "-Wno-unused-parameter", "-I", folder, "-S", "-o",
		"/dev/null", "-", NULL };
	char path[PATH_SIZE + 8], tmp[PATH_SIZE + 8], source[PATH_SIZE + 16];
	char *env[] = { path, tmp, "LC_ALL=C", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid;
	int error;

	snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
	snprintf(tmp, sizeof tmp, "TMPDIR=%s", folder);
	snprintf(source, sizeof source, "%s/%s", folder, source_name);
	sigemptyset(&none);
	sigfillset(&all);               /* what we ignore it would ignore, too */
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, source, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 2);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	                         POSIX_SPAWN_SETPGROUP);
	error = posix_spawn(&pid, "/bin/sh", &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error ? 0 : pid;
}

/* Until its end, the deadline, or more than anyone reads. */
static void read_all(int fd, struct buf *out)
{
	int64_t until_ms = now_ms() + OPINION_MS;
	struct pollfd p = { fd, POLLIN, 0 };
	ssize_t n = 1;

	while (n > 0 && out->len < TEXT_MAX) {
		int64_t left_ms = until_ms - now_ms();

		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0)
			break;
		buf_reserve(out, 4096);
		n = read(fd, out->p + out->len, 4096);
		out->len += n > 0 ? (size_t)n : 0;
	}
	buf_add(out, "", 1);
}

static void listen_to(char *compiler, char *folder, struct buf *out)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return;
	pid = spawn(compiler, folder, ends[1]);
	close(ends[1]);
	if (pid) {
		read_all(ends[0], out);
		kill(-pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
}

/* `<stdin>:5:3: warning: text` becomes `file:5: warning: text`. */
static void take(const struct source *s, const char *line, size_t len, struct buf *said)
{
	static const char own[] = "<stdin>:";
	const char *text = memmem(line, len, " warning: ", 10);

	if (!text || strncmp(line, own, sizeof own - 1))
		return;
	buf_printf(said, "%s%s:%d:%.*s", said->len ? "\n" : "", s->file,
	           atoi(line + sizeof own - 1), (int)(line + len - text), text);
}

void opinion(const struct source *s, struct buf *said)
{
	char compiler[PATH_SIZE], folder[PATH_SIZE];
	struct buf out = { 0 };

	if (!find_compiler(compiler) || !folder_make(folder, s))
		return;
	listen_to(compiler, folder, &out);
	folder_remove(folder);
	for (const char *p = out.p, *end; p && *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		take(s, p, (size_t)(end - p), said);
	}
	buf_fini(&out);
}
