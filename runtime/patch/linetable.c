/* SPDX-License-Identifier: MIT
 * linetable.c - which line of its source a place in compiled code is.
 *
 * libtcc says so in stabs: a record a line, by its distance from where its function begins, which
 * the record before tells as the lower half of an address. What is kept is a few bytes a line: the
 * stabs themselves go with the compiler's state.
 *
 * Threads: made once, then any may look. */
#include "linetable.h"

struct stab { uint32_t name; uint8_t type, other; uint16_t line; uint32_t value; };
enum { FUNCTION = 0x24, LINE = 0x44, FILE_BEGINS = 0x84 };

/* texts: where they begin in names */
struct line { uint32_t offset, line; uint32_t function, file; };
struct linetable {
	size_t n, room;
	struct line *line;
	struct buf names;
};

static uint32_t keep(struct linetable *l, const char *text, size_t len)
{
	uint32_t at = (uint32_t)l->names.len;

	buf_add(&l->names, text, len);
	buf_add(&l->names, "", 1);
	return at;
}

static void add(struct linetable *l, const struct line *line)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 32;
		l->line = mem_resize(l->line, l->room * sizeof *l->line);
	}
	l->line[l->n++] = *line;
}

struct linetable *linetable_read(const void *stab, size_t size, const char *str, size_t str_size,
                                 const void *at)
{
	struct linetable *l = mem_alloc(sizeof *l);
	struct line now = { 0 };
	uint32_t begin = 0;

	keep(l, "", 0);
	for (size_t i = 0; i < size / sizeof(struct stab); i++) {
		struct stab s;
		const char *name;

		memcpy(&s, (const char *)stab + i * sizeof s, sizeof s);
		name = s.name < str_size ? str + s.name : "";
		if (s.type == FILE_BEGINS) {
			now.file = keep(l, name, strlen(name));
		} else if (s.type == FUNCTION && *name) {
			now.function = keep(l, name, strcspn(name, ":"));
			begin = s.value - (uint32_t)(uintptr_t)at;
		} else if (s.type == LINE) {
			now.line = s.line;
			now.offset = begin + s.value;
			add(l, &now);
		}
	}
	if (l->n)
		return l;
	linetable_free(l);
	return NULL;
}

void linetable_free(struct linetable *l)
{
	if (!l)
		return;
	buf_fini(&l->names);
	mem_free(l->line);
	mem_free(l);
}

bool linetable_where(const struct linetable *l, size_t offset, struct buf *out)
{
	const struct line *best = NULL;

	for (size_t i = 0; l && i < l->n; i++)
		if (l->line[i].offset <= offset && (!best || l->line[i].offset >= best->offset))
			best = &l->line[i];
	if (best)
		buf_printf(out, "%s:%u in %s()", l->names.p + best->file, best->line,
		           l->names.p + best->function);
	return best != NULL;
}
