/* SPDX-License-Identifier: MIT
 * page.h - the page at `/`: its files, and what it shows of the node. */
#ifndef PAGE_H
#define PAGE_H

#include "base.h"

/* Appends the file at this path and says its type. Returns 200, or 0: there is none. Any thread. */
int page_file(const char *path, struct buf *body, const char **type);
/* What the page shows, in JSON; of the gateway's thread only. */
struct page_node { const char *name, *redis; unsigned clients; uint64_t calls; };
void page_status(const struct page_node *n, struct buf *body);

#endif
