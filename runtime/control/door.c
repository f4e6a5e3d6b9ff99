/* SPDX-License-Identifier: MIT
 * door.c - see door.h.
 *
 * Who holds the lock on PATH.lock owns PATH, so that two runtimes that start at once cannot
 * both take a stale socket for theirs. The lock ends with its process, however that ends.
 * Connecting is tried first: it tells which process is there, and finds one that is not
 * ours. Between bind and listen nobody can connect, which is when the mode is set. No
 * threads: whoever opens it owns it. */
#include "door.h"
#include "../actor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, LOCK_PATH_SIZE = PATH_SIZE + 8 };

static void lock_path(const struct door *d, char path[LOCK_PATH_SIZE])
{
	snprintf(path, LOCK_PATH_SIZE, "%s.lock", d->path);
}

static struct sockaddr_un address(const struct door *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, d->path, sizeof d->path);
	return a;
}

/* Is somebody listening there? */
static int probe(const struct door *d, struct why *why)
{
	struct sockaddr_un a = address(d);
	struct ucred peer = { 0 };
	socklen_t size = sizeof peer;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return why_set(why, ACTOR_EFAIL, "control: no socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0 || errno == EAGAIN) {
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
		rc = why_set(why, ACTOR_EFAIL, "%s: a runtime is already running there "
			"(process %d); end it, or give another --control PATH",
			d->path, (int)peer.pid);
	}
	close(fd);
	return rc;
}

static int cannot(const struct door *d, int error, struct why *why)
{
	return why_set(why, ACTOR_EFAIL, "%s: the control socket cannot be made there: %s; "
		"give another --control PATH", d->path, strerror(error));
}

/* The lock is ours only if the file that we locked is still the one of that name. */
static int lock(struct door *d, struct why *why)
{
	char path[LOCK_PATH_SIZE];
	struct stat ours, there;

	lock_path(d, path);
	for (;;) {
		d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (d->lock < 0)
			return cannot(d, errno, why);
		if (flock(d->lock, LOCK_EX | LOCK_NB) != 0)
			break;
		if (fstat(d->lock, &ours) == 0 && lstat(path, &there) == 0 &&
		    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
			return 0;
		close(d->lock);
	}
	close(d->lock);
	d->lock = -1;
	return why_set(why, ACTOR_EFAIL, "%s: another runtime is starting or stopping there; "
		"give another --control PATH, or try again", d->path);
}

static int clear_stale(const struct door *d, struct why *why)
{
	struct stat st;

	if (lstat(d->path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return why_set(why, ACTOR_EFAIL, "%s: something is there that is no socket; "
			"remove it, or give another --control PATH", d->path);
	return unlink(d->path) == 0 ? 0 : cannot(d, errno, why);
}

static int make(struct door *d, struct why *why)
{
	struct sockaddr_un a = address(d);
	char real[PATH_MAX];
	struct stat st;

	d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0 || bind(d->fd, (struct sockaddr *)&a, sizeof a) != 0)
		return cannot(d, errno, why);
	if (lstat(d->path, &st) != 0)
		return cannot(d, errno, why);
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	if (chmod(d->path, 0600) != 0 || listen(d->fd, BACKLOG) != 0)
		return cannot(d, errno, why);
	if (realpath(d->path, real) && strlen(real) < PATH_SIZE)
		memcpy(d->path, real, strlen(real) + 1);
	return 0;
}

static int choose(struct door *d, const char *path, struct why *why)
{
	struct path_env env = path_env();

	if (!path && !path_default(&env, 0, d->path))
		return why_set(why, ACTOR_EFAIL, "$XDG_RUNTIME_DIR is too long for a socket's path "
			"(%d bytes); give --control PATH", PATH_SIZE - 1);
	if (path && (!*path || strlen(path) >= PATH_SIZE))
		return why_set(why, ACTOR_EFAIL, "a socket's path has 1 to %d bytes, "
			"this one has %zu", PATH_SIZE - 1, strlen(path));
	if (path)
		memcpy(d->path, path, strlen(path) + 1);
	return path_folder(&env, d->path, true, why);
}

int door_open(struct door *d, const char *path, struct why *why)
{
	memset(d, 0, sizeof *d);
	d->fd = d->lock = -1;
	if (choose(d, path, why) == 0 && probe(d, why) == 0 && lock(d, why) == 0 &&
	    clear_stale(d, why) == 0 && make(d, why) == 0)
		return 0;
	door_close(d);
	return ACTOR_EFAIL;
}

bool door_admits(int connection, unsigned *uid)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof peer;

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		peer.uid = (uid_t)-1;
	*uid = peer.uid;
	return peer.uid == geteuid() || peer.uid == 0;
}

void door_close(struct door *d)
{
	char path[LOCK_PATH_SIZE];
	struct stat st;

	if (d->ino && lstat(d->path, &st) == 0 && st.st_ino == d->ino && st.st_dev == d->dev)
		unlink(d->path);
	if (d->lock >= 0) {
		lock_path(d, path);
		unlink(path);
		close(d->lock);
	}
	if (d->fd >= 0)
		close(d->fd);
	d->fd = d->lock = -1;
	d->ino = 0;
}
