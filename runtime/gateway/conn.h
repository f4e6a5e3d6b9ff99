/* SPDX-License-Identifier: MIT
 * conn.h - a WebSocket connection as the gateway keeps it: what is sent to it, what it may, when
 * it ends. All on one thread for each struct conns, but where it says otherwise. */
#ifndef CONN_H
#define CONN_H

#include "crowd.h"
#include "list.h"
#include "outgoing.h"
#include "ports.h"
#include "sweep.h"

struct http_reply;
enum { WIRE_SPACE = 32 };               /* as much as struct wire's space may be */
enum { CONN_TICKS = 2 };                /* a second */
/* What the WebSocket library does with its side of a connection. */
struct wire {
	bool (*busy)(void *wsi);        /* it still has bytes that it was given */
	int (*write)(void *wsi, const char *frames, size_t len);        /* 0, or -1: it is lost */
	void (*want)(void *wsi);        /* conn_writeable() soon, from its loop */
	void (*read)(void *wsi, bool on);
	void (*end_in)(void *wsi, int seconds);         /* 0: in the next turn, come what may */
	struct address *(*from)(void *wsi);     /* what conns_admit() gave */
	/* HTTP: 0, or -1: it is lost */
	int (*head)(void *wsi, const struct http_reply *r, uint64_t len);
	int (*body)(void *wsi, char *bytes, size_t len, bool last);     /* behind its space */
	int (*done)(void *wsi);         /* the transaction; what it keeps for us may be gone */
	void (*within)(void *wsi, int seconds);         /* something happens, or it is dropped */
	size_t space;                   /* bytes */
};

struct sessions;
struct conns {
	const struct wire *wire;
	struct gateway_limits limits;   /* the crowd's */
	struct crowd *crowd;
	struct sessions *sessions;      /* of these connections */
	struct link dirty, paused, calls;
	bool in_turn, leaving;
	bool gathers, gathering;        /* gathers: whoever turns the loop calls conns_gathered() */
	uint32_t tick;                  /* what messages are stamped by: see silence.c */
	int64_t began_ms;
	struct sweep sweep;             /* all connections, but for those of HTTP */
	_Atomic unsigned clients, unsent;       /* these are read by any thread */
	_Atomic uint64_t bytes, bodies; /* buffered for them; of posted calls */
	_Atomic uint64_t accepted, turned_away, limited, late, lost, overflown, dropped;
};
/* Borrows crowd and sessions. */
void conns_init(struct conns *all, const struct wire *wire, struct crowd *crowd,
                struct sessions *sessions);
/* What the sessions send between these two is gathered, and leaves with the second. */
void conns_turn_begins(struct conns *all);
void conns_turn_ends(struct conns *all);
/* What clients called meanwhile, gathered by actor, goes: before the loop waits, and before
 * anything but a read is done for a client. */
void conns_gathered(struct conns *all);
/* A connection has come: whose it is, for wire.from(); until crowd_bye(). NULL: it is to be closed.
 */
struct address *conns_admit(struct conns *all, int fd);
/* Has so much time passed since that tick? 0 s: never. */
bool conns_over(const struct conns *all, uint32_t since, int seconds);
/* Closes each, and whoever still comes, with 1001; cut: does not wait for theirs. */
void conns_leave(struct conns *all, bool cut);

/* Also what HTTP has of one: then only in, wsi, from, and posted (in conns' calls by `all`) or file
 * are set. */
struct conn {
	struct conns *in;
	void *wsi;
	struct session *session;
	struct link all, dirty, paused;
	struct buf part;                /* a message in pieces, so far, */
	size_t early;                   /* what it counts for in the crowd, */
	unsigned frames;                /* and how many of its frames came whole */
	struct outgoing out;
	size_t handed;                  /* the last write's bytes, which the library may have */
	size_t bytes;                   /* what it counts for in conns */
	struct address *from;
	_Atomic int64_t full_ns;        /* its bucket: see rate.h */
	char *reason;
	int code;                       /* a close was asked for */
	/* ticks: of the last sign of life, of the last message, of the last ping */
	uint32_t born, heard, said, asked;
	bool deaf;                      /* a close came, or is going out */
	bool unsent;                    /* counted in conns */
	bool overflown;
	struct posted *posted;          /* not a WebSocket: a call by HTTP, its body's bytes; */
	size_t body;
	struct file *file;              /* or what it is sent, */
	bool ends;                      /* and the connection ends behind it, or behind the body */
	bool waits;                     /* its body is not read until its login is settled, */
	bool expects;                   /* nor asked for: it waits for 100, */
	bool at_once;                   /* refused when nothing of that can have come */
};
/* It may be closed at once, with words. -1: there is no session for it. */
int  conn_open(struct conn *c, struct conns *all, void *wsi);
/* len bytes of a message, of whose frame `rest` are to come; final: of its last frame. */
void conn_read(struct conn *c, const void *bytes, size_t len, size_t rest, bool final);
void conn_heard(struct conn *c);        /* a pong */
void conn_ping(struct conn *c);
void conn_cut(struct conn *c);          /* ends it at once, whatever is unsent */
/* 0; -1: it is to be dropped; 1: all is out, and it is to be closed with code and reason. */
int  conn_writeable(struct conn *c);
/* A call by HTTP: it counts as a client and as a message of its address, until conn_posted(). 0, or
 * the HTTP status that refuses it, with words: then it is over. */
int  conn_post(struct conn *c, const char **words);
void conn_posted(struct conn *c);
void conn_news(struct conn *c);         /* of its call: read on, and answer */
/* What is there of a long message, or of a call's body, counts until its client has logged in, or
 * the call is answered. False: all those have too much of them. */
bool conn_early(struct conn *c);
/* Its close came, with this payload: what is answered so far goes out, and then ours. The
 * connection is to be dropped. */
void conn_leaving(struct conn *c, const void *payload, size_t len);
int  conn_over(struct conn *c);         /* 0. Its close is next: nothing else goes out, or in */
void conn_gone(struct conn *c);

extern const struct frames_port conn_frames;

#endif
