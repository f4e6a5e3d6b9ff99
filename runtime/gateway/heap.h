/* SPDX-License-Identifier: MIT
 * heap.h - what the WebSocket library allocates, counted. */
#ifndef HEAP_H
#define HEAP_H

#include "base.h"

/* As realloc(); size 0 frees. NULL: there is no memory. what: passed over. Any thread. */
void *heap_resize(void *p, size_t size, const char *what);
size_t heap_bytes(void);                /* allocated now; any thread */
bool heap_has(const void *block, const void *at);       /* is that within this block of it? */

#endif
