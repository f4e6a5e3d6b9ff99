/* SPDX-License-Identifier: MIT
 * path.c - see path.h. Libc only: actorctl compiles it too. No state, any thread. */
#include "path.h"
#include "../actor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct path_env path_env(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	return (struct path_env){ geteuid(), dir && *dir ? dir : NULL };
}

bool path_default(const struct path_env *env, int i, char path[PATH_SIZE])
{
	int n;

	if (env->uid == 0)
		n = i == 0 ? snprintf(path, PATH_SIZE, "/run/actord.sock") : -1;
	else if (env->runtime_dir && i == 0)
		n = snprintf(path, PATH_SIZE, "%s/actord.sock", env->runtime_dir);
	else if (i == (env->runtime_dir != NULL))
		n = snprintf(path, PATH_SIZE, "/tmp/actord-%u/actord.sock", env->uid);
	else
		n = -1;
	return n >= 0 && n < PATH_SIZE;
}

int path_folder(const struct path_env *env, const char *path, bool make, struct why *why)
{
	char folder[PATH_SIZE];
	int n = snprintf(folder, sizeof folder, "/tmp/actord-%u", env->uid);
	struct stat st;

	if (strncmp(path, folder, (size_t)n) != 0 || path[n] != '/' || strchr(path + n + 1, '/'))
		return 0;
	if (make && mkdir(folder, 0700) != 0 && errno != EEXIST)
		return why_set(why, ACTOR_EFAIL, "%s: cannot be made: %s", folder, strerror(errno));
	if (lstat(folder, &st) != 0)
		return why_set(why, ACTOR_EFAIL, "%s: %s", folder, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != env->uid || (st.st_mode & 077))
		return why_set(why, ACTOR_EFAIL, "%s: is not a folder of uid %u's alone (mode "
			"0700), somebody else may have made it; remove it or give --control PATH",
			folder, env->uid);
	return 0;
}
