/* SPDX-License-Identifier: MIT
 * exchange.h - what the runtime and the trial's process say to each other, over a socket that only
 * they have.
 *
 *     SOURCE: file, folder, text, function ->  HEADER: name, folder, text, "" ->
 *     <- reply, diagnostics, types and lines, code
 *                                              SYMBOLS: "", "", addresses and names, "" ->
 *                                              SITE: "", "", "", "" ->
 *
 * Only a SOURCE is replied to. Both ends are the same program, so records go as they lie in
 * memory. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <sys/uio.h>

#include "compile.h"

enum { EXCHANGE_TEXTS = 4 };
/* SITE: the next source's code is to lie there. */
enum exchange { EXCHANGE_SOURCE = 1, EXCHANGE_HEADER, EXCHANGE_SYMBOLS, EXCHANGE_SITE };
/* Followed by its texts. */
struct request { uint32_t kind, len[EXCHANGE_TEXTS]; void *at; };
struct reply { uint32_t passed, len, stab, str; struct program p; };

/* All of v, which is changed. False: closed, broken, or too late. until_ms below 0: waits for
 * ever. */
bool exchange_receive(int fd, struct iovec *v, int n, int64_t until_ms);
bool exchange_deliver(int fd, struct iovec *v, int n, int64_t until_ms);

#endif
