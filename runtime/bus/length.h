/* SPDX-License-Identifier: MIT
 * length.h - is there too much in another node's inbox? The loop's thread. */
#ifndef LENGTH_H
#define LENGTH_H

#include "ports.h"

struct length {
	const struct redis_port *port;  /* borrowed, as is all else */
	const char *key;                /* of the stream */
	void (*looked)(void *arg);
	void *arg;
	bool crowded;                   /* as Redis said last */
};

void length_ask(struct length *l);      /* looked() follows, but where the link is lost */

#endif
