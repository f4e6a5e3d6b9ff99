/* SPDX-License-Identifier: MIT
 * base.h - what every room stands on: errors in words, memory, byte buffers.
 *
 * Memory: allocation of small things does not fail here, it ends the process with a line
 * that says so; what the world can make large (a message, a source) has limits of its own. */
#ifndef BASE_H
#define BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define INLINE      static inline __attribute__((always_inline))
#define COLD        __attribute__((noinline, cold))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof(a)[0])

enum {
	MESSAGE_MAX  = 16 << 20,        /* bytes of one message, in whatever encoding */
	NAME_MAX_LEN = 255,             /* bytes of an actor's or a handler's name */
};

/* Why something was refused, in words for the one who asked; empty when all went well. */
struct why { char text[512]; };

/* Writes the words and returns code, so that `return why_set(why, ACTOR_EARGS, ...)` reads well.
 * why may be NULL. */
int why_set(struct why *why, int code, const char *fmt, ...) PRINTF(3, 4);

/* "ENOENT" of ACTOR_ENOENT; for logs and for people. */
const char *error_name(int code);

void *mem_alloc(size_t size);           /* zeroed; gives; ends the process when there is none */
/* The same for what the world makes large: NULL where there is none. */
void *mem_try(size_t size);
void *mem_room(size_t size);            /* as mem_try(), but whatever was there before */
/* A test's: true where this one is to fail, in those two and where a limit may be reached.
 * NULL outside tests. */
extern bool (*mem_refuse)(void);
static inline bool mem_refused(void) { return unlikely(mem_refuse != NULL) && mem_refuse(); }
void *mem_resize(void *p, size_t size);
char *mem_string(const char *s, size_t len);    /* gives a copy with a NUL after it */
void  mem_free(void *p);

/* Bytes that grow. Zero-initialised is empty. */
struct buf { char *p; size_t len, cap; };

void buf_add(struct buf *b, const void *p, size_t len);
void buf_text(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_reserve(struct buf *b, size_t more);   /* room for so many bytes behind len */
void buf_clear(struct buf *b);                  /* keeps the memory, but not a megabyte of it */
void buf_fini(struct buf *b);

#endif
