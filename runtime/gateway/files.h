/* SPDX-License-Identifier: MIT
 * files.h - static files of one folder. */
#ifndef FILES_H
#define FILES_H

#include <sys/types.h>

#include "base.h"

/* What a request says of the file, its headers (RFC 9110, 13 and 14); "": nothing. */
struct file_want {
	char range[64], if_range[64], if_none_match[256], if_modified_since[40];
};
struct file;
/* The file that an URL's path names below dir; "/" at its end is its index.html. The status: 200,
 * 206 for a part, 304, 416; 503: no descriptor below `most` is left; 0: there is none, or none that
 * may be seen. Gives *file, but with the last two. */
int  file_open(const char *dir, int most, const char *path, const struct file_want *want,
               struct file **file);
const char *file_type(const struct file *f);
uint64_t file_length(const struct file *f);     /* what Content-Length says */
void file_headers(const struct file *f,
                  void (*add)(void *arg, const char *name, const char *value), void *arg);
/* The next bytes that are to be sent, at most size. 0: they were all; -1: it is shorter now. */
ssize_t file_read(struct file *f, char *to, size_t size);
void file_close(struct file *f);                /* NULL is fine */

#endif
