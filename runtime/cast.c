/* SPDX-License-Identifier: MIT
 * cast.c - the actors that play in this node.
 *
 * The idea: who comes first has the name. The command line's actors are loaded before the shipped
 * ones, so that one of them may stand in a shipped one's place; two of one name among them are a
 * mistake, as is one that is named as an actor of the runtime itself. With what it begins the node
 * begins whole: it is not ready before all of them have started, and ends if one does not.
 *
 * Main thread, before the loop turns; one
 * that comes later is loaded on the compile thread. Does not compile: that is patch/'s. */
#include "cast.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core.h"
#include "patch/patch.h"

static bool ends(const char *path, const char *with)
{
	size_t len = strlen(path), tail = strlen(with);

	return len > tail && strcmp(path + len - tail, with) == 0;
}

static struct cast playing;
static bool begun;              /* cast_start() is over; what comes later may fail by itself */

/* --- who has started ---------------------------------------------------------------------- */

struct due { struct due *next; const char *name; };
static struct { pthread_mutex_t lock; struct due *first; } due = {
	.lock = PTHREAD_MUTEX_INITIALIZER
};

static void due_add(const char *name)
{
	struct due *x = mem_alloc(sizeof *x);

	pthread_mutex_lock(&due.lock);
	*x = (struct due){ due.first, name };
	due.first = x;
	pthread_mutex_unlock(&due.lock);
}

static bool due_drop(struct due **at)
{
	struct due *x = *at;

	*at = x->next;
	mem_free(x);
	return true;
}

/* The lock is held until the node has heard: it is not to say that it is ready. */
void cast_first_start(void *arg, const char *name, int rc)
{
	struct due **at = &due.first;
	struct why why;
	bool one;

	(void)arg;
	pthread_mutex_lock(&due.lock);
	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	one = *at && due_drop(at);
	if (one && rc < 0) {
		why_set(&why, rc, "actor %s: its start failed: %s; the log has more", name,
		        error_name(rc));
		playing.failed(playing.arg, why.text);
	}
	pthread_mutex_unlock(&due.lock);
}

bool cast_starting(void)
{
	bool some;

	pthread_mutex_lock(&due.lock);
	for (struct due **at = &due.first; *at; )       /* one may have been stopped before */
		if (core_alive(actor_find((*at)->name)) || !due_drop(at))
			at = &(*at)->next;
	some = due.first;
	pthread_mutex_unlock(&due.lock);
	return some;
}

/* --- who plays ---------------------------------------------------------------------------- */

/* Only rpc goes by another name than its type's: its topic. */
static int spawn(const struct cast *c, struct type *type, struct why *why)
{
	bool rpc = strcmp(type_name(type), "rpc") == 0;
	struct spawn s = { .type = type, .name = rpc ? c->topic : type_name(type) };
	struct why reason = { "" };
	actor_id id;

	if (!begun && type_starts(type))
		due_add(s.name);
	if (core_spawn(&s, &id, &reason) < 0)
		return why_set(why, ACTOR_EFAIL, "%s %s: %s", rpc ? "--topic" : "actor", s.name,
		               reason.text);
	return 0;
}

/* Diagnostics come one a line, each with its file. */
static void one_line(char *text)
{
	for (char *end = text; (end = strchr(end, '\n')); )
		*end = end[1] ? ';' : 0;
}

static int load_file(const struct cast *c, const char *path, struct why *why)
{
	struct why reason = { "" };
	struct type *type;

	type = ends(path, ".so") ? patch_load_object(path, &reason)
	                         : patch_load_source(path, &reason);
	if (!type) {
		one_line(reason.text);
		return why_set(why, ACTOR_EFAIL, "%s", reason.text);
	}
	return spawn(c, type, why);
}

static int is_actor(const struct dirent *d)
{
	return d->d_name[0] != '.' && (ends(d->d_name, ".c") || ends(d->d_name, ".so"));
}

static int load_folder(const struct cast *c, const char *path, struct why *why)
{
	struct dirent **found;
	int count = scandir(path, &found, is_actor, alphasort), error = 0;
	struct buf file = { 0 };

	if (count < 0)
		return why_set(why, ACTOR_EFAIL, "actor %s: %s", path, strerror(errno));
	if (!count)
		error = why_set(why, ACTOR_EFAIL, "actor %s: no .c or .so file in that folder",
		                path);
	for (int i = 0; i < count; i++) {
		buf_clear(&file);
		buf_printf(&file, "%s/%s", path, found[i]->d_name);
		if (!error)
			error = load_file(c, file.p, why);
		free(found[i]);
	}
	free(found);
	buf_fini(&file);
	return error;
}

static int load(const struct cast *c, const char *path, struct why *why)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return why_set(why, ACTOR_ENOENT, "actor %s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return load_folder(c, path, why);
	if (!ends(path, ".c") && !ends(path, ".so"))
		return why_set(why, ACTOR_EARGS, "actor %s: its name ends neither in .c nor .so",
		               path);
	return load_file(c, path, why);
}

static int load_shipped(const struct cast *c, const struct shipped_actor *s, struct why *why)
{
	struct type *type;

	if (core_type(s->type->name))
		return 0;       /* the command line's stands in its place */
	type = core_add_type(s->type, NULL, NULL, why);
	if (type)
		patch_shipped(type, s->name);
	return type ? spawn(c, type, why) : ACTOR_EFAIL;
}

int cast_start(const struct cast *c, struct why *why)
{
	int error = 0;

	playing = *c;
	for (int i = 0; !error && i < c->actor_count; i++)
		error = load(c, c->actors[i], why);
	for (const struct shipped_actor *s = shipped_actors; !error && s->name; s++)
		error = load_shipped(c, s, why);
	begun = true;
	return error;
}

actor_ref cast_instead(handler *fn)
{
	const struct shipped_actor *s = shipped_actors;
	const struct actor_handler *h;

	if (patch_takes(fn))
		return actor_find("patch");
	while (s->name && strcmp(s->name, "rpc"))
		s++;
	for (h = s->name ? s->type->on : NULL; h && h->name; h++)
		if (h->fn == fn && (!strcmp(h->name, "exec") || !strcmp(h->name, "eval")))
			return actor_find("patch");
	return 0;
}

/* --- while the node runs ------------------------------------------------------------------ */

struct later {
	char *what;
	struct loop *loop;
	void (*done)(void *arg, int rc, const char *text);
	void *arg;
	int rc;
	struct why why;
};

static void later_done(void *arg)
{
	struct later *x = arg;

	x->done(x->arg, x->rc, x->why.text);
	mem_free(x->what);
	mem_free(x);
}

/* The type that a file would bring, if it is here already. */
static struct type *type_of_file(const char *path)
{
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
	char name[NAME_MAX_LEN + 1];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file);
	return core_type(name);
}

static int load_new(const char *path, struct why *why)
{
	struct type *type = type_of_file(path);

	if (type)
		return why_set(why, ACTOR_EFAIL, "%s: there is an actor type %s already: "
		               "`actorctl start %s` starts an actor of it, a patch changes its "
		               "code", path, type_name(type), type_name(type));
	return load(&playing, path, why);
}

static void later_load(void *arg)
{
	struct later *x = arg;
	struct type *type = strchr(x->what, '/') ? NULL : core_type(x->what);

	if (type && type_native(type))
		x->rc = why_set(&x->why, ACTOR_EFAIL, "%s is part of the runtime", x->what);
	else if (type)
		x->rc = spawn(&playing, type, &x->why);
	else
		x->rc = load_new(x->what, &x->why);
	loop_post(x->loop, later_done, x);
}

int cast_begin(const char *what, struct loop *l, void (*done)(void *arg, int rc, const char *text),
               void *arg, struct why *why)
{
	struct later *x = mem_alloc(sizeof *x);
	int rc;

	*x = (struct later){ .what = mem_string(what, strlen(what)), .loop = l, .done = done,
	                     .arg = arg };
	rc = patch_aside(later_load, x, why);
	if (rc < 0) {
		mem_free(x->what);
		mem_free(x);
	}
	return rc;
}
