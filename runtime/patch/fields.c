/* SPDX-License-Identifier: MIT
 * fields.c - see fields.h. A layout's line is `hits 0 64 long int`: name, first bit, bits, type.
 * What is inside an array of structs is not shown, a pointer is shown as a number. No state. */
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS_MOST = 32, FIELDS_MOST = 200 };

struct field { const char *name, *type; size_t name_len, type_len; long bit, bits; };

/* False: the line is of another kind. */
static bool read_line(const char *line, size_t len, struct field *f)
{
	char *end;

	*f = (struct field){ .name = line, .name_len = strcspn(line, " ") };
	if (f->name_len >= len)
		return false;
	f->bit = strtol(line + f->name_len, &end, 10);
	f->bits = strtol(end, &end, 10);
	if (*end != ' ')
		return false;
	f->type = end + 1;
	f->type_len = (size_t)(line + len - f->type);
	return !memmem(f->name, f->name_len, "[]", 2);
}

static bool is(const struct field *f, const char *type)
{
	return f->type_len == strlen(type) && memcmp(f->type, type, f->type_len) == 0;
}

static bool has(const struct field *f, const char *word)
{
	return memmem(f->type, f->type_len, word, strlen(word)) != NULL;
}

/* Bits of a little-endian integer. */
static uint64_t bits_at(const unsigned char *state, long bit, long bits)
{
	uint64_t v = 0;

	for (long i = 0; i < bits; i += 8 - (bit + i) % 8) {
		long from = (bit + i) % 8;

		v |= (uint64_t)(state[(bit + i) / 8] >> from) << i;
	}
	return bits < 64 ? v & ((1ull << bits) - 1) : v;
}

static void write_integer(const struct field *f, const unsigned char *state, long bit, long bits,
                          struct buf *out)
{
	uint64_t v = bits_at(state, bit, bits);

	if (has(f, "unsigned") || bits == 64)
		has(f, "unsigned") ? pack_uint(out, v) : pack_int(out, (int64_t)v);
	else
		pack_int(out, (int64_t)(v << (64 - bits)) >> (64 - bits));
}

static void write_text(const char *s, size_t most, struct buf *out)
{
	size_t len = strnlen(s, most);

	if (utf8_valid(s, len))
		pack_str(out, s, len);
	else
		pack_bytes(out, s, len);
}

static void write_one(const struct field *f, const unsigned char *state, long bit, long bits,
                      struct buf *out)
{
	char hex[20];
	double num;
	float less;

	if (has(f, "*") || has(f, "function")) {
		snprintf(hex, sizeof hex, "0x%llx",
		         (unsigned long long)bits_at(state, bit, 64));
		pack_text(out, hex);
	} else if (has(f, "double") && bits == 64) {
		memcpy(&num, state + bit / 8, sizeof num);
		pack_num(out, num);
	} else if (has(f, "float") && bits == 32) {
		memcpy(&less, state + bit / 8, sizeof less);
		pack_num(out, (double)less);
	} else if (has(f, "_Bool")) {
		pack_bool(out, bits_at(state, bit, bits) != 0);
	} else if (bits >= 1 && bits <= 64) {
		write_integer(f, state, bit, bits, out);
	} else {
		pack_null(out);
	}
}

/* Items of `long int[8]`; of what has more than one dimension the first counts. */
static void write_array(const struct field *f, const unsigned char *state, struct buf *out)
{
	const char *mark = memchr(f->type, '[', f->type_len);
	long n = strtol(mark + 1, NULL, 10), each = n > 0 ? f->bits / n : 0;
	long shown = n < ITEMS_MOST ? n : ITEMS_MOST;
	struct field item = *f;

	item.type_len = (size_t)(mark - f->type);
	if (is(&item, "char")) {
		write_text((const char *)state + f->bit / 8, (size_t)n, out);
	} else if (each < 1 || each > 64 || has(&item, "struct") || has(&item, "union")) {
		pack_null(out);
	} else {
		pack_list(out, (uint32_t)shown);
		for (long i = 0; i < shown; i++)
			write_one(&item, state, f->bit + i * each, each, out);
	}
}

static void write_field(const struct field *f, const unsigned char *state, struct buf *rows)
{
	pack_map(rows, 3);
	pack_text(rows, "field");
	pack_str(rows, f->name, f->name_len);
	pack_text(rows, "type");
	pack_str(rows, f->type, f->type_len);
	pack_text(rows, "value");
	if (memchr(f->type, '[', f->type_len) && !has(f, "*"))
		write_array(f, state, rows);
	else
		write_one(f, state, f->bit, f->bits, rows);
}

/* A struct is shown by the fields in it, whose lines follow. */
static bool opened(const struct field *f)
{
	return (has(f, "struct ") || has(f, "union ")) && !has(f, "*") && !has(f, "[");
}

int fields_write(const char *layout, const void *state, size_t len, struct buf *rows)
{
	const char *line = layout;
	int n = 0;

	for (; *line && n < FIELDS_MOST; line += strcspn(line, "\n"), line += *line == '\n') {
		struct field f;

		if (!read_line(line, strcspn(line, "\n"), &f) || opened(&f) ||
		    f.bit < 0 || f.bits < 0 || (size_t)(f.bit + f.bits + 7) / 8 > len)
			continue;
		write_field(&f, state, rows);
		n++;
	}
	return n;
}
