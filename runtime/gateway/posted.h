/* SPDX-License-Identifier: MIT
 * posted.h - POST /call/ACTOR/HANDLER: a client that logs in, calls once and goes. */
#ifndef POSTED_H
#define POSTED_H

#include "http.h"

struct posted;
struct sessions;
/* Borrows c. posted_login() is to follow, or posted_refuse(). */
struct posted *posted_new(const struct http_config *c, const struct http_request *r);
/* It costs too much now: refused so. */
void posted_refuse(struct posted *p, int status, const char *words);
/* Asks who it is. Its session lives among `here`; conn: what the session's frames name; these are
 * handed on by posted_frame() and posted_close(). */
void posted_login(struct posted *p, struct sessions *here, void *conn);
bool posted_in(const struct posted *p);         /* it may call */
bool posted_is_long(const struct posted *p);    /* not before, its body is to be read */
bool posted_body(struct posted *p, const void *bytes, size_t len);      /* false: too much */
size_t posted_bytes(const struct posted *p);    /* buffered */
void posted_begin(struct posted *p);            /* the body is whole */
void posted_call(struct posted *p);             /* once it is, and it may call; else nothing */
bool posted_begun(const struct posted *p);
void posted_frame(struct posted *p, const void *bytes, size_t len);
void posted_close(struct posted *p, int code, const char *reason);
/* To be sent, once its status is not 0. */
struct http_reply *posted_reply(struct posted *p);
/* Not from within posted_frame(). NULL is fine. */
void posted_free(struct posted *p);

#endif
