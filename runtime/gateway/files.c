/* SPDX-License-Identifier: MIT
 * files.c - static files of one folder, as a page and its scripts are: read whole, small.
 *
 * Names that begin with a dot are nobody's business, `..` among them, so no path leads out of the
 * folder but by links that lie in it. What is no regular file, or over 16 MiB, is not there.
 * No state; each of the gateway's threads. A disk that is slow holds up the clients of that thread:
 * large things belong to a web server. */
#include "files.h"

#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int read_all(int fd, size_t size, struct buf *body)
{
	size_t begin = body->len;
	ssize_t n = 1;

	buf_reserve(body, size);
	while (n > 0 && body->len - begin < size) {
		n = read(fd, body->p + body->len, size - (body->len - begin));
		body->len += n > 0 ? (size_t)n : 0;
	}
	if (body->len - begin == size)
		return 200;
	body->len = begin;
	return 0;
}

int files_read(const char *dir, const char *path, struct buf *body, const char **type)
{
	char name[4096];
	struct stat st;
	size_t len = strlen(path);
	int fd, status = 0;

	if (path[0] != '/' || is_hidden(path) ||
	    snprintf(name, sizeof name, "%s%s%s", dir, path,
	             path[len - 1] == '/' ? "index.html" : "") >= (int)sizeof name)
		return 0;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MESSAGE_MAX)
		status = read_all(fd, (size_t)st.st_size, body);
	close(fd);
	*type = type_of(name);
	return status;
}
