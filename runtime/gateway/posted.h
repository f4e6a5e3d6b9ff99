/* SPDX-License-Identifier: MIT
 * posted.h - POST /call/ACTOR/HANDLER: a client that logs in, calls once and goes. */
#ifndef POSTED_H
#define POSTED_H

#include "http.h"

struct posted;
struct sessions;
/* Borrows c. The body is to come. */
struct posted *posted_new(const struct http_config *c, const struct http_request *r);
/* It costs too much now: answered so when the body has come, to which nobody listens. */
void posted_refuse(struct posted *p, int status, const char *words);
bool posted_body(struct posted *p, const void *bytes, size_t len);      /* false: too much */
size_t posted_bytes(const struct posted *p);    /* buffered */
/* The body is whole. Its session lives among `here`; conn: what the session's frames name; these
 * are handed on by the next two. */
void posted_begin(struct posted *p, struct sessions *here, void *conn);
bool posted_begun(const struct posted *p);
void posted_frame(struct posted *p, const void *bytes, size_t len);
void posted_close(struct posted *p, int code, const char *reason);
/* To be sent, once its status is not 0. */
struct http_reply *posted_reply(struct posted *p);
/* Not from within posted_frame(). NULL is fine. */
void posted_free(struct posted *p);

#endif
