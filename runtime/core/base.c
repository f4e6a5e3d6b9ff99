/* SPDX-License-Identifier: MIT
 * base.c - errors in words, memory that is there, byte buffers that grow.
 *
 * No state and no locks: any thread. Where small memory is gone nothing sensible can be done
 * by the callers either, so the end of the process is written here once, not at each of them. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../actor.h"

enum { BUF_FIRST = 64, BUF_KEPT = 1 << 20 };

int why_set(struct why *why, int code, const char *fmt, ...)
{
	va_list ap;

	if (why == NULL)
		return code;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof why->text, fmt, ap);
	va_end(ap);
	return code;
}

const char *error_name(int code)
{
	switch (code) {
	case 0: return "OK";
	case ACTOR_EARGS: return "EARGS";
	case ACTOR_ENOENT: return "ENOENT";
	case ACTOR_EFULL: return "EFULL";
	case ACTOR_ETIME: return "ETIME";
	case ACTOR_EFAIL: return "EFAIL";
	case ACTOR_ENOMEM: return "ENOMEM";
	default: return "EUNKNOWN";
	}
}

static COLD _Noreturn void out_of_memory(size_t size)
{
	char line[96];
	int n = snprintf(line, sizeof line, "actord: out of memory (%zu bytes asked for)\n", size);

	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(71);
	abort();
}

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (unlikely(p == NULL))
		out_of_memory(size);
	return p;
}

bool (*mem_refuse)(void);

void *mem_try(size_t size)
{
	return mem_refused() ? NULL : calloc(1, size ? size : 1);
}

void *mem_room(size_t size)
{
	return mem_refused() ? NULL : malloc(size);
}

void *mem_resize(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (unlikely(p == NULL))
		out_of_memory(size);
	return p;
}

char *mem_string(const char *s, size_t len)
{
	char *copy = mem_resize(NULL, len + 1);

	if (len > 0)
		memcpy(copy, s, len);
	copy[len] = 0;
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

static COLD void buf_grow(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : BUF_FIRST, need = b->len + more;

	if (need < more)
		out_of_memory(more);
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	b->p = mem_resize(b->p, cap);
	b->cap = cap;
}

void buf_reserve(struct buf *b, size_t more)
{
	if (unlikely(b->cap - b->len < more))
		buf_grow(b, more);
}

void buf_add(struct buf *b, const void *p, size_t len)
{
	if (len == 0)
		return;
	buf_reserve(b, len);
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

void buf_text(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	buf_reserve(b, BUF_FIRST);
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(b->p + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n >= b->cap - b->len) {
		buf_reserve(b, (size_t)n + 1);
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
	}
	b->len += n > 0 ? (size_t)n : 0;
	va_end(again);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->cap > BUF_KEPT)
		buf_fini(b);
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}
