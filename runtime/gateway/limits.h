/* SPDX-License-Identifier: MIT
 * limits.h - what one client, one address and all of them may cost. */
#ifndef LIMITS_H
#define LIMITS_H

struct gateway_limits {
	int clients;                    /* at once; 0: as many as there are descriptors */
	int address_clients;            /* of one address (IPv6: of one /64); 0: any number */
	int client_rate, address_rate;  /* messages/s, a second's worth at once; 0: any number */
	int login_rate, login_burst;    /* refused logins of an address: /s, at once; 0: any */
	int message_bytes;
	int unsent_bytes;               /* waiting for a client that does not read, and then: */
	int drop_oldest;                /* frames, instead of the client */
	int handshake_s;
	int login_s, idle_s;            /* to log in; between two messages; 0: for ever */
	int ping_s;                     /* silent so long: asked; twice as long: lost; 0: never */
};

#endif
