/* SPDX-License-Identifier: MIT
 * files.c - static files of one folder, as a page and its scripts are: whole, a part, or not at all
 * where the client has it already.
 *
 * A file is read piece by piece as its client takes it, and costs a descriptor meanwhile. Its tag
 * is made of its time, size and inode: a new file, a new tag. Of ranges there is one a request; who
 * asks for several gets it whole, as RFC 9110 lets a server do.
 *
 * Names that begin with a dot are nobody's business, `..` among them, so no path leads out of the
 * folder but by links that lie in it. What is no regular file is not there.
 * No state; each of the gateway's threads. A disk that is slow holds up the clients of that thread:
 * large things belong to a web server. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct file {
	int fd;
	uint64_t at, end, size;         /* what is to be sent, of how much */
	const char *type;
	char tag[64], modified[40], part[80];
};

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" }, { ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".json", "application/json" }, { ".map", "application/json" },
		{ ".txt", "text/plain; charset=utf-8" }, { ".md", "text/plain; charset=utf-8" },
		{ ".csv", "text/csv; charset=utf-8" }, { ".svg", "image/svg+xml" },
		{ ".png", "image/png" }, { ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" },
		{ ".gif", "image/gif" }, { ".webp", "image/webp" }, { ".ico", "image/x-icon" },
		{ ".woff2", "font/woff2" }, { ".wasm", "application/wasm" },
		{ ".mp3", "audio/mpeg" }, { ".ogg", "audio/ogg" }, { ".mp4", "video/mp4" },
		{ ".pdf", "application/pdf" },
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < ARRAY_LEN(types); i++)
		if (!strcasecmp(dot, types[i][0]))
			return types[i][1];
	return "application/octet-stream";
}

static bool is_hidden(const char *path)
{
	return strstr(path, "/.") != NULL;
}

/* --- what the client has, and wants ------------------------------------------------------- */

/* A list of tags, or *; weak ones count, as nothing is made anew of what is kept (13.1.2). */
static bool names_tag(const char *list, const char *tag)
{
	size_t len = strlen(tag);

	while (*list) {
		list += strspn(list, " \t,");
		list += strncmp(list, "W/", 2) ? 0 : 2;
		if (*list == '*' || (!strncmp(list, tag, len) && strchr(" \t,", list[len])))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static bool is_kept(const struct file *f, const struct file_want *w, time_t modified)
{
	struct tm tm = { 0 };
	const char *end;

	if (w->if_none_match[0])
		return names_tag(w->if_none_match, f->tag);
	end = strptime(w->if_modified_since, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end && !*end && modified <= timegm(&tm);
}

/* "bytes=A-B", "bytes=A-", "bytes=-LAST". False: it says nothing that we go by. */
static bool read_range(const char *text, uint64_t size, uint64_t *from, uint64_t *to)
{
	bool last = !strncmp(text, "bytes=-", 7);
	char *end = NULL;

	if (strncmp(text, "bytes=", 6) || text[6 + last] < '0' || text[6 + last] > '9')
		return false;
	*from = strtoull(text + 6 + last, &end, 10);
	*to = UINT64_MAX;
	if (last) {
		*from = *from ? size - (*from < size ? *from : size) : size;
		return !*end;
	}
	if (*end++ != '-')
		return false;
	if (*end >= '0' && *end <= '9')
		*to = strtoull(end, &end, 10);
	return !*end && *from <= *to;
}

/* 200, 206, 416. */
static int take_part(struct file *f, const struct file_want *w)
{
	bool same = !w->if_range[0] || !strcmp(w->if_range, f->tag) ||
	            !strcmp(w->if_range, f->modified);
	uint64_t from, to;

	if (!same || !read_range(w->range, f->size, &from, &to))
		return 200;
	if (from >= f->size) {
		f->at = f->end;
		snprintf(f->part, sizeof f->part, "bytes */%ju", (uintmax_t)f->size);
		return 416;
	}
	f->at = from;
	f->end = to < f->size ? to + 1 : f->size;
	snprintf(f->part, sizeof f->part, "bytes %ju-%ju/%ju", (uintmax_t)f->at,
	         (uintmax_t)f->end - 1, (uintmax_t)f->size);
	return 206;
}

/* --- a file ------------------------------------------------------------------------------- */

static struct file *file_new(int fd, const char *name, const struct stat *st)
{
	struct file *f = mem_alloc(sizeof *f);
	struct tm tm;

	f->fd = fd;
	f->size = f->end = (uint64_t)st->st_size;
	f->type = type_of(name);
	snprintf(f->tag, sizeof f->tag, "\"%jx.%lx-%jx-%jx\"", (uintmax_t)st->st_mtim.tv_sec,
	         st->st_mtim.tv_nsec, (uintmax_t)st->st_size, (uintmax_t)st->st_ino);
	if (gmtime_r(&st->st_mtim.tv_sec, &tm))
		strftime(f->modified, sizeof f->modified, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return f;
}

int file_open(const char *dir, int most, const char *path, const struct file_want *want,
              struct file **file)
{
	char name[4096];
	struct stat st;
	size_t len = strlen(path);
	struct file *f;
	int fd;

	if (path[0] != '/' || is_hidden(path) ||
	    snprintf(name, sizeof name, "%s%s%s", dir, path,
	             path[len - 1] == '/' ? "index.html" : "") >= (int)sizeof name)
		return 0;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? 503 : 0;
	if (fd >= most || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return fd >= most ? 503 : 0;
	}
	*file = f = file_new(fd, name, &st);
	return is_kept(f, want, st.st_mtim.tv_sec) ? 304 : take_part(f, want);
}

const char *file_type(const struct file *f)
{
	return f->type;
}

uint64_t file_length(const struct file *f)
{
	return f->end - f->at;
}

void file_headers(const struct file *f,
                  void (*add)(void *arg, const char *name, const char *value), void *arg)
{
	add(arg, "etag:", f->tag);
	if (f->modified[0])
		add(arg, "last-modified:", f->modified);
	add(arg, "cache-control:", "no-cache");         /* kept, but asked about each time */
	add(arg, "accept-ranges:", "bytes");
	if (f->part[0])
		add(arg, "content-range:", f->part);
}

ssize_t file_read(struct file *f, char *to, size_t size)
{
	size_t most = file_length(f) < size ? (size_t)file_length(f) : size;
	ssize_t n;

	if (!most)
		return 0;
	n = pread(f->fd, to, most, (off_t)f->at);
	if (n <= 0)
		return -1;
	f->at += (uint64_t)n;
	return n;
}

void file_close(struct file *f)
{
	if (!f)
		return;
	close(f->fd);
	mem_free(f);
}
