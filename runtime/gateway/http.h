/* SPDX-License-Identifier: MIT
 * http.h - requests and what is answered to them, whatever brings them. */
#ifndef HTTP_H
#define HTTP_H

#include "files.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS, HTTP_OTHER };
struct http_request {
	enum http_method method;
	char path[2048];                /* decoded, without the query; "" where it was too long */
	char origin[256], host[256];    /* "": absent */
	char user[256], proof[2048];    /* Authorization: Basic; of Bearer the user is "bearer" */
	char length[16];                /* Content-Length */
	char trace[64];                 /* W3C's traceparent */
	bool chunked;                   /* it has a Transfer-Encoding */
	bool expects;                   /* 100 Continue, before its body */
	struct file_want want;
	bool near;                      /* from this machine, and by no proxy; host may lie */
};
/* Names in bytes, as the library (4.1 to 4.3) bounds them: one, all. */
enum { HTTP_SUBPROTOCOL_MAX = 62, HTTP_SUBPROTOCOLS_MAX = 126 };
/* The headers of who asks to become a WebSocket (RFC 6455, 4.2.1); "": absent. */
struct http_handshake {
	char connection[128], http[16]; /* http: HTTP/1.1 */
	char key[32], version[8];
	char protocols[HTTP_SUBPROTOCOLS_MAX + 1];      /* a list of what it may speak */
	char subprotocol[HTTP_SUBPROTOCOL_MAX + 1];     /* http_upgrades() sets: the first */
};
struct http_reply {
	int status;                     /* 0: not yet */
	const char *type;
	struct buf body;                /* begins with `space` bytes that are not the body */
	struct file *file;              /* comes instead of it; NULL */
	const char *allow;              /* methods; NULL */
	char origin[256];               /* whose pages may read it; "": only our own */
	bool ask_login;                 /* WWW-Authenticate */
	bool ask_version;               /* Upgrade, Sec-WebSocket-Version */
	bool retry;                     /* Retry-After: a second */
	bool ends;                      /* the connection ends behind it */
};

struct http_config {
	const char *listen, *origins;   /* see gate_admits() */
	const char *files;              /* a folder; NULL: none */
	int most;                       /* descriptors at which files are no longer opened */
	const char *token;              /* opens /debug/ from afar; NULL: nothing does */
	int (*get)(void *arg, const char *path, struct buf *body, const char **type);
	void *arg;
	size_t space;                   /* in front of a body, for whoever sends it */
};

/* A POST of /call/... whose body is to be read, which takes a session; all others http_answer()
 * answers at once. */
bool http_is_call(const struct http_request *r);
/* r->origin may do that, and reads the answer; else out is a refusal. */
bool http_admits(const struct http_config *c, const struct http_request *r,
                 struct http_reply *out);
/* It may become a WebSocket, as it asks; else out is a refusal. */
bool http_upgrades(const struct http_config *c, const struct http_request *r,
                   struct http_handshake *h, struct http_reply *out);
void http_answer(const struct http_config *c, const struct http_request *r,
                 struct http_reply *out);
void http_reply_fini(struct http_reply *r);
/* The Authorization header's text: Basic, or Bearer. Anything else leaves user empty. */
void http_read_login(const char *text, struct http_request *r);
/* The headers of an answer, but for length and type; names end with a colon. */
void http_headers(const struct http_reply *r,
                  void (*add)(void *arg, const char *name, const char *value), void *arg);
/* {"error":words,"path":path}, path may be NULL. */
void http_refuse(const struct http_config *c, struct http_reply *out, int status,
                 const char *words, const char *path);

#endif
