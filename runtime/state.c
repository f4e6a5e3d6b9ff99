/* SPDX-License-Identifier: MIT
 * state.c - the folder of what must outlast a restart.
 *
 * The idea: one folder, mode 0700, that belongs to one process at a time. The lock is flock() on a
 * file in it, so it ends with the process however that ends and nothing stale is left.
 *
 * Main thread. Knows nothing of what the rooms keep in the folder. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "ports.h"
#include "state.h"

struct state { char *path; int lock; char node[NAME_MAX_LEN + 1], identity[40]; };

static char *joined(const char *a, const char *b)
{
	struct buf out = { 0 };

	buf_printf(&out, "%s/%s", a, b);
	return out.p;
}

static char *default_path(void)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct passwd *user;

	if (geteuid() == 0)
		return mem_string("/var/lib/actord", strlen("/var/lib/actord"));
	if (base && *base == '/')
		return joined(base, "actord");
	if (!home || *home != '/')
		home = (user = getpwuid(geteuid())) ? user->pw_dir : "/";
	return joined(home, ".local/state/actord");
}

static int refuse(const char *path, int error, struct why *why)
{
	const struct passwd *user = getpwuid(geteuid());

	return why_set(why, ACTOR_EFAIL, "--state %s: user %s%s%u%s cannot write there: %s; "
	               "name another folder with --state DIR, or give this one to the user",
	               path, user ? user->pw_name : "", user ? " (" : "", (unsigned)geteuid(),
	               user ? ")" : "", strerror(error));
}

/* Each folder on the way that is missing is made for us alone. */
static int make_folder(const char *path, struct why *why)
{
	char *way = mem_string(path, strlen(path));
	int error = 0;

	for (char *slash = way + 1; !error && (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		if (mkdir(way, 0700) < 0 && errno != EEXIST)
			error = errno;
	}
	if (!error && mkdir(way, 0700) < 0 && errno != EEXIST)
		error = errno;
	mem_free(way);
	return error ? refuse(path, error, why) : 0;
}

static int take_lock(struct state *s, struct why *why)
{
	char *file = joined(s->path, "lock"), owner[24] = "";

	s->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	mem_free(file);
	if (s->lock < 0)
		return refuse(s->path, errno, why);
	if (flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
		if (read(s->lock, owner, sizeof owner - 1) < 0)
			owner[0] = 0;
		owner[strcspn(owner, "\n")] = 0;
		return why_set(why, ACTOR_EFAIL, "--state %s: in use by the runtime of process %s; "
		               "stop it, or name another folder with --state DIR",
		               s->path, owner[0] ? owner : "unknown");
	}
	if (ftruncate(s->lock, 0) < 0 || dprintf(s->lock, "%d\n", (int)getpid()) < 0)
		return refuse(s->path, errno, why);
	return 0;
}

struct state *state_open(const char *path, struct why *why)
{
	struct state *s = mem_alloc(sizeof *s);
	char whole[PATH_MAX];

	s->lock = -1;
	s->path = path ? mem_string(path, strlen(path)) : default_path();
	if (make_folder(s->path, why) < 0 || take_lock(s, why) < 0) {
		state_close(s);
		return NULL;
	}
	if (realpath(s->path, whole)) {
		mem_free(s->path);
		s->path = mem_string(whole, strlen(whole));
	}
	return s;
}

const char *state_path(const struct state *s)
{
	return s->path;
}

/* The host's name tells people where it runs, the number tells two on one host apart. */
static void make_name(char name[NAME_MAX_LEN + 1])
{
	char host[64] = "";

	gethostname(host, sizeof host - 1);
	host[strcspn(host, ".")] = 0;
	for (char *c = host; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			*c = '-';
	snprintf(name, NAME_MAX_LEN + 1, "%s-%06x", host[0] ? host : "node",
	         (unsigned)(random_u64() & 0xffffff));
}

static int read_line(const char *file, char *line, int size)
{
	FILE *f = fopen(file, "re");
	bool read = f && fgets(line, size, f);

	if (f)
		fclose(f);
	if (read)
		line[strcspn(line, "\n")] = 0;
	return read && line[0] ? 0 : ACTOR_ENOENT;
}

/* Under another name first: a name half written would be another node's. */
static int keep_line(const char *folder, const char *file, const char *name)
{
	char *new = joined(folder, "new");
	FILE *f = fopen(new, "we");
	bool kept = f && fprintf(f, "%s\n", name) > 0 && fflush(f) == 0 && fsync(fileno(f)) == 0;

	if (f)
		fclose(f);
	kept = kept && rename(new, file) == 0;
	mem_free(new);
	return kept ? 0 : ACTOR_EFAIL;
}

/* The line kept in a file of the folder; the one that is there already, if there is one. */
static const char *kept(const struct state *s, const char *name, char *line, int size,
                        struct why *why)
{
	char *file = joined(s->path, name), *made = mem_string(line, strlen(line));
	int error = 0;

	if (read_line(file, line, size) < 0) {
		memcpy(line, made, strlen(made) + 1);
		error = keep_line(s->path, file, line);
	}
	mem_free(file);
	mem_free(made);
	return error ? refuse(s->path, errno, why), NULL : line;
}

const char *state_node(struct state *s, struct why *why)
{
	make_name(s->node);
	return kept(s, "node", s->node, sizeof s->node, why);
}

const char *state_identity(struct state *s, struct why *why)
{
	snprintf(s->identity, sizeof s->identity, "%016llx%016llx",
	         (unsigned long long)random_u64(), (unsigned long long)random_u64());
	return kept(s, "identity", s->identity, sizeof s->identity, why);
}

void state_close(struct state *s)
{
	if (!s)
		return;
	if (s->lock >= 0)
		close(s->lock);
	mem_free(s->path);
	mem_free(s);
}
