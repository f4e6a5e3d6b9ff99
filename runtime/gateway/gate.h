/* SPDX-License-Identifier: MIT
 * gate.h - the way in: the listening socket, how many may come, and from which pages. */
#ifndef GATE_H
#define GATE_H

#include "base.h"

/* Listens on addr (a name, an IPv4 or an IPv6 address, the latter also in brackets); port 0 takes a
 * free one. Gives the descriptor, nonblocking; -1 with why: "ADDR:PORT: address already in use". */
int gate_open(const char *addr, int port, struct why *why);
/* "127.0.0.1:8080", "[::1]:8080": where it really listens. */
void gate_address(int fd, char *text, size_t size);
/* Makes room for clients: the soft limit on descriptors becomes what is allowed, within reason.
 * Returns it. */
int gate_descriptors(void);
/* May a page of this origin connect? origin NULL or "": no browser sent it. host: the Host header;
 * list: further origins by commas, `*` for any, may be NULL. */
bool gate_admits(const char *origin, const char *host, const char *list);

#endif
