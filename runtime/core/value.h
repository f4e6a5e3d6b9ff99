/* SPDX-License-Identifier: MIT
 * value.h - values in msgpack: written with msgpack-c, read by a cursor that checks every bound.
 *
 * A declared length is believed only after it was held against the bytes that are left (msgpack-c
 * reserves what five hostile bytes declare), and nesting ends at VALUE_DEPTH. */
#ifndef VALUE_H
#define VALUE_H

#include "base.h"

enum {
	VALUE_DEPTH = 32,
	MESSAGE_DEPTH = VALUE_DEPTH + 2,        /* a map, its args a list, then the values */
};

enum value_type {       /* the order of enum msg_type in actor.h, then what only the core sees */
	VALUE_NULL, VALUE_INT, VALUE_NUM, VALUE_BOOL, VALUE_STR, VALUE_BYTES, VALUE_LIST, VALUE_MAP,
	VALUE_UINT,     /* an integer above INT64_MAX: fits any and num, not int */
};

struct value {
	enum value_type type;
	int64_t i;                      /* INT, BOOL; UINT: the bits */
	double num;                     /* NUM; INT and UINT: the same as a number */
	const char *str; size_t len;    /* STR, BYTES: borrowed. LIST, MAP: len items or pairs, */
	const uint8_t *inside;          /*   which begin here */
};

struct packed { const uint8_t *at, *end; };     /* values one after the other, borrowed */

static inline struct packed packed_of(const struct buf *b)
{
	return (struct packed){ (const uint8_t *)b->p, (const uint8_t *)b->p + b->len };
}

/* Reads the next value; of a list or map only its head (its items are the next values). Returns 1,
 * 0 at the end, -1 where the bytes are no msgpack. What packed_check() passed never gives -1. */
int packed_next(struct packed *in, struct value *v);
/* Passes over one whole value, ext types too. 0, or -1. */
int packed_skip(struct packed *in);
/* Where the value under that key of a map lies; false: there is none, or it is no map. */
bool packed_find(struct packed map, const char *key, struct packed *found);
/* The same, read; VALUE_NULL with an empty str: there is none. */
struct value packed_get(struct packed map, const char *key);
bool value_is_text(const struct value *v, const char *text);    /* a str, and this one */
/* Are these exactly `values` whole values (any number when negative), each str UTF-8, no deeper
 * than VALUE_DEPTH, and nothing behind them? Returns how many, or ACTOR_EARGS with why. */
int packed_check(const void *p, size_t len, int values, struct why *why);
/* The same for one value at the front of the bytes, whatever follows, with at most depth lists and
 * maps in each other (MESSAGE_DEPTH: a message as it came): its size in bytes, or ACTOR_EARGS. */
int64_t packed_first(const void *p, size_t len, int depth, struct why *why);

bool utf8_valid(const char *s, size_t len);
void utf8_mend(char *s, size_t len);     /* each byte that is no UTF-8 becomes a `?` */

void pack_null(struct buf *b);
void pack_int(struct buf *b, int64_t v);
void pack_uint(struct buf *b, uint64_t v);
void pack_num(struct buf *b, double v);
void pack_bool(struct buf *b, bool v);
void pack_str(struct buf *b, const char *s, size_t len);
void pack_text(struct buf *b, const char *s);           /* a C string; NULL packs as null */
void pack_bytes(struct buf *b, const void *p, size_t len);
void pack_list(struct buf *b, uint32_t items);
void pack_map(struct buf *b, uint32_t pairs);

#endif
