/* SPDX-License-Identifier: MIT
 * signature.h - what a handler takes: "by:int who:str? tags:list ...", read once, interned.
 *
 * Types: int num str bytes bool list map any; `?` after a type: may be absent (or null), and so
 * must all after it be; `...` last: any further values. Two signatures are the same (same id) when
 * types, `?` and `...` agree; parameter names do not count and belong to the handler's own text.
 * A num takes any number, an int an integral one (3.0 too, in 64 bits); nothing else converts. */
#ifndef SIGNATURE_H
#define SIGNATURE_H

#include "value.h"

enum param_type {
	PARAM_INT, PARAM_NUM, PARAM_STR, PARAM_BYTES, PARAM_BOOL, PARAM_LIST, PARAM_MAP, PARAM_ANY,
};
enum { PARAM_MAX = 32, VALUES_MAX = 255 };      /* values in one message; more go in a list */

struct signature {
	uint16_t id;            /* 1 and up */
	uint8_t min, max;       /* values that must, and that may be there, `...` apart */
	bool rest;
	uint8_t type[PARAM_MAX];        /* enum param_type, max of them */
	char text[232];         /* canonical, without names: "int str? ..." */
};

/* Any thread. NULL with why when text is no signature or the table is full (65,535). Lives for
 * ever. NULL is read as "": nothing is taken. */
const struct signature *signature_read(const char *text, struct why *why);
const struct signature *signature_get(uint16_t id);

/* The name of parameter i in a handler's text ("by"), for error messages; of what `...` takes,
 * "value 4". Writes at most size bytes. */
void signature_param(const char *text, int i, char *name, size_t size);
const char *param_name(enum param_type t);      /* "int" */
const char *value_name(enum value_type t);      /* "str"; what a person calls a value's type */

/* May this value stand at parameter i (beyond max: in the rest)? Turns it into what the parameter
 * takes (an int from 3.0, a num from 3). `i` counts from 0. False when it does not fit. */
bool signature_fit(const struct signature *s, int i, struct value *v);

#endif
