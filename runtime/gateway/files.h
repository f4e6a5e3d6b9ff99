/* SPDX-License-Identifier: MIT
 * files.h - static files of one folder. */
#ifndef FILES_H
#define FILES_H

#include "base.h"

/* The file that an URL's path names below dir, appended to body; "/" at the end is its index.html.
 * 200 with the content type, or 0: there is none, or none that may be seen. */
int files_read(const char *dir, const char *path, struct buf *body, const char **type);

#endif
