/* SPDX-License-Identifier: MIT
 * gate.h - the way in: the listening socket, how many may come, and from which pages. */
#ifndef GATE_H
#define GATE_H

#include <pthread.h>

#include "base.h"

/* Listens on addr (a name, an IPv4 or an IPv6 address, the latter also in brackets); port 0 takes a
 * free one. Gives the descriptor, nonblocking; -1 with why: "ADDR:PORT: address already in use". */
int gate_open(const char *addr, int port, struct why *why);
/* "127.0.0.1:8080", "[::1]:8080": where it really listens. */
void gate_address(int fd, char *text, size_t size);
/* A listening socket and how many descriptors this process may have; spare is one kept for when
 * there are none. */
struct door { int listener, most, spare; int64_t told_ms; _Atomic uint64_t turned_away; };
enum { DOOR_EMPTY = -1, DOOR_TURNED = -2 };
void door_init(struct door *d, int listener, int most);
/* The next connection, nonblocking; DOOR_EMPTY: nobody waits; DOOR_TURNED: there was no descriptor
 * for one, it is gone and the log says so, now and then. */
int door_accept(struct door *d);
void door_fini(struct door *d);         /* the listener stays open */
/* Connections that one thread has taken in for another. */
struct dealt { pthread_mutex_t lock; struct buf fds; };
void dealt_init(struct dealt *d);
void dealt_put(struct dealt *d, int fd);        /* takes; any thread */
int  dealt_next(struct dealt *d);               /* gives; -1: none; any thread */
void dealt_fini(struct dealt *d);               /* closes what is left */
/* Makes room for clients: the soft limit on descriptors becomes what is allowed, within reason.
 * Returns it. */
enum { GATE_SPARE = 64 };               /* left for Redis, the journal, the control socket */
int gate_descriptors(void);
int gate_room(int descriptors, struct why *why);        /* -1, and why: not even one can come */
bool gate_is_near(const char *peer);     /* an address as text: of this machine, by loopback */
/* Does this Host header name us, and not what somebody else's DNS says is our address (rebinding)?
 * An IP address, localhost, this machine's name, that of --listen, or the host of an origin of the
 * list. "": it is absent, so no browser's. listen, list: may be NULL. */
bool gate_is_ours(const char *host, const char *listen, const char *list);
/* May a page of this origin connect? origin NULL or "": no browser sent it. Our own may: that of
 * host, the Host header, which from near must name us. list: further origins by commas, `*` for
 * any. */
bool gate_admits(const char *origin, const char *host, const char *listen, const char *list,
                 bool near);
/* -1, and why the library could not be started, from what it says itself. */
int gate_trouble(const char *cert, const char *key, const char *said, int descriptors,
                 struct why *why);

#endif
