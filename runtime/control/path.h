/* SPDX-License-Identifier: MIT
 * path.h - where the control socket stands when nobody says: the runtime and actorctl agree here.
 *
 * As root /run/actord.sock; else $XDG_RUNTIME_DIR/actord.sock; without that variable
 * /tmp/actord-UID/actord.sock, in a folder that must be ours alone, as anybody may have made it. */
#ifndef PATH_H
#define PATH_H

#include "base.h"

enum { PATH_SIZE = 108 };       /* of sockaddr_un: the path and its NUL */

struct path_env { unsigned uid; const char *runtime_dir; };     /* $XDG_RUNTIME_DIR or NULL */
struct path_env path_env(void);

/* The default place number i of those that actorctl tries (0: where a runtime started in the same
 * surroundings listens). False: there are no more, or it would not fit. */
bool path_default(const struct path_env *env, int i, char path[PATH_SIZE]);
/* Is the folder that path stands in safe from others? Asked only of one under /tmp that is
 * made by us: a folder, not a link, owned by uid, closed to others. make: makes it first.
 * 0, or ACTOR_EFAIL with why. */
int path_folder(const struct path_env *env, const char *path, bool make, struct why *why);

#endif
