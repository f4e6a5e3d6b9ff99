/* SPDX-License-Identifier: MIT
 * argument.h - a word of a command line to a value, by what the handler takes there. */
#ifndef ARGUMENT_H
#define ARGUMENT_H

#include "signature.h"

/* Appends argument i (from 0) of a handler whose signature is `takes` ("by:int who:str?"):
 * a str takes the word as text, bytes a JSON string of base64 (as answers show bytes), any
 * and `...` JSON or, where it is none, text; every other type JSON. Whether the value's
 * type fits is for the call to say. 0, or ACTOR_EARGS with why ("by takes int, written as
 * JSON; `x` is none"), out as it was. */
int argument_read(const char *takes, int i, const char *word, size_t len, struct buf *out,
                  struct why *why);

#endif
