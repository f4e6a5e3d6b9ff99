/* SPDX-License-Identifier: MIT
 * debug.c - /debug/actors and /debug/stacks: what is going on inside, in JSON.
 *
 * Actors: all of them, up to a number, as `actorctl ps` has them. Stacks: what each thread that
 * runs actors is at (actor, handler, for how long), and what the kernel says of each thread; the
 * frames below are gdb's business. Who may see them the gateway decides. */
#include "debug.h"

#include <dirent.h>
#include <stdio.h>

#include "core.h"
#include "json.h"
#include "ports.h"

enum { ACTORS_SHOWN = 10000 };

static void pair(struct buf *b, const char *before, const char *key, const char *text)
{
	buf_printf(b, "%s\"%s\":", before, key);
	if (text)
		json_text(b, text, strlen(text));
	else
		buf_text(b, "null");
}

struct rows { struct buf *out; unsigned n; };

static void actor_row(void *arg, const struct actor_info *a)
{
	struct rows *r = arg;

	if (r->n++ >= ACTORS_SHOWN)
		return;
	pair(r->out, r->n > 1 ? ",\n{" : "{", "name", a->name);
	pair(r->out, ",", "type", a->type);
	pair(r->out, ",", "home", a->home);
	pair(r->out, ",", "state", a->state);
	buf_printf(r->out, ",\"id\":%llu,\"parent\":%llu,\"mailbox\":%u,\"bytes\":%u,\"asks\":%u,"
	           "\"restarts\":%u}", (unsigned long long)a->id, (unsigned long long)a->parent,
	           a->depth, a->bytes, a->asks, a->restarts);
}

static void actors(struct buf *out)
{
	struct rows r = { .out = out };

	buf_text(out, "{\"actors\":[");
	core_actors(actor_row, &r);
	buf_printf(out, "],\"count\":%u}\n", r.n);
}

static void worker_row(void *arg, const struct worker_info *w)
{
	struct rows *r = arg;
	int64_t ns = w->since_ns ? now_ns() - w->since_ns : 0;

	pair(r->out, r->n++ ? ",\n{" : "{", "name", w->name);
	pair(r->out, ",", "actor", w->actor);
	pair(r->out, ",", "handler", w->handler);
	buf_printf(r->out, ",\"ms\":%.3f,\"handled\":%llu}", ns > 0 ? (double)ns / 1e6 : 0,
	           (unsigned long long)w->handled);
}

/* One line of a file of /proc; "" where there is none. */
static void line_of(const char *task, const char *file, char *line, int size)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%s/%s", task, file);
	f = fopen(path, "re");
	if (!f || !fgets(line, size, f))
		line[0] = 0;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
}

static void thread_row(struct rows *r, const char *task)
{
	char name[64], stat[512], at[128], state[2] = "";
	const char *end;

	line_of(task, "comm", name, sizeof name);
	line_of(task, "stat", stat, sizeof stat);
	line_of(task, "wchan", at, sizeof at);
	end = strrchr(stat, ')');
	if (end && end[1])
		state[0] = end[2];
	pair(r->out, r->n++ ? ",\n{" : "{", "thread", task);
	pair(r->out, ",", "name", name);
	pair(r->out, ",", "state", state);
	pair(r->out, ",", "waits_in", at);
	buf_text(r->out, "}");
}

static void stacks(struct buf *out)
{
	struct rows workers = { .out = out }, threads = { .out = out };
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	buf_text(out, "{\"workers\":[");
	core_workers(worker_row, &workers);
	buf_text(out, "],\"threads\":[");
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			thread_row(&threads, e->d_name);
	if (d)
		closedir(d);
	buf_text(out, "]}\n");
}

bool debug_page(const char *path, struct buf *body, const char **type)
{
	void (*write)(struct buf *out) = strcmp(path, "/debug/actors") == 0 ? actors :
	                                 strcmp(path, "/debug/stacks") == 0 ? stacks : NULL;

	if (!write)
		return false;
	*type = "application/json";
	write(body);
	return true;
}
