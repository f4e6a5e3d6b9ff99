/* SPDX-License-Identifier: MIT
 * web.h - a connection's HTTP requests, from their headers to the end of the answer. */
#ifndef WEB_H
#define WEB_H

#include "conn.h"
#include "http.h"

/* Each returns 0, or -1: the connection is to be dropped; *c may be gone when it returns. */
int  web_request(struct conn *c, struct conns *all, void *wsi, const struct http_config *h,
                 const struct http_request *r);
int  web_body(struct conn *c, const void *bytes, size_t len);
int  web_body_whole(struct conn *c);
int  web_writeable(struct conn *c);
/* The node stops: calls are over, with 503, and their connections. */
void web_leave(struct conns *all);
/* The transaction is over, however it ended. NULL is fine. */
void web_gone(struct conn *c);
/* Instead of web_request(): it was none that is known here. Says so; -1. */
int  web_no_request(const struct wire *wire, void *wsi);
/* All of r but its file. */
int  web_reply(const struct wire *wire, void *wsi, struct http_reply *r, bool head);

#endif
