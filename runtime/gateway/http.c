/* SPDX-License-Identifier: MIT
 * http.c - requests and what is answered to them, whatever brings them.
 *
 * The folder of --files first, then what the node itself has. Pages of other origins read answers
 * and post calls only where --allow-origin names them, the list that WebSockets go by too.
 * /debug/ opens to this machine (not through a proxy: that would be everybody; nor to a page whose
 * name somebody has lead here) and to who has the token. No state; any thread. It knows no library
 * and no socket. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>

#include "gate.h"
#include "json.h"
#include "seal.h"

static bool begins(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

static void make_space(const struct http_config *c, struct http_reply *out)
{
	buf_clear(&out->body);
	buf_reserve(&out->body, c->space);
	out->body.len = c->space;
}

void http_refuse(const struct http_config *c, struct http_reply *out, int status,
                 const char *words, const char *path)
{
	make_space(c, out);
	out->status = status;
	out->type = "application/json";
	buf_text(&out->body, "{\"error\":");
	json_text(&out->body, words, strlen(words));
	if (path) {
		buf_text(&out->body, ",\"path\":");
		json_text(&out->body, path, strlen(path));
	}
	buf_text(&out->body, "}\n");
}

static bool for_an_actor(const struct http_request *r)
{
	return r->method == HTTP_POST && begins(r->path, "/call/");
}

static bool fits(const struct http_request *r)
{
	return r->length[0] && !r->length[strspn(r->length, "0123456789")] &&
	       atoll(r->length) <= MESSAGE_MAX;
}

/* It is not read: in its buffer libwebsockets 4.1 looks for the end for ever. */
static bool has_body(const struct http_request *r)
{
	return r->chunked || (r->length[0] && strcmp(r->length, "0"));
}

bool http_is_call(const struct http_request *r)
{
	return for_an_actor(r) && fits(r) && !r->chunked;
}

bool http_admits(const struct http_config *c, const struct http_request *r,
                 struct http_reply *out)
{
	if (!gate_admits(r->origin, r->host, c->listen, c->origins, r->near)) {
		http_refuse(c, out, 403, "pages of this origin may not do that; --allow-origin "
		            "lets them", NULL);
		return false;
	}
	snprintf(out->origin, sizeof out->origin, "%s", r->origin);
	return true;
}

/* Base64 of 16 bytes; of bits that are left over some clients set a few. */
static bool is_key(const char *key)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";

	return strspn(key, digits) == 22 && !strcmp(key + 22, "==");
}

/* Of subprotocols that are offered we speak none, which is for the client to judge (RFC 6455, 4.1).
 * But the library drops who offers more than it takes in, or first what it takes for a number. */
static bool first_subprotocol(struct http_handshake *h)
{
	static const char token[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "abcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`|~";
	const char *list = h->protocols;
	size_t number = strspn(list, "0123456789"), len = strspn(list, token);
	size_t next = len + strspn(list + len, " \t");

	if (!*list)
		return true;
	if (!len || len > HTTP_SUBPROTOCOL_MAX || (list[next] && list[next] != ',') ||
	    number == len || (number && list[number] == '.'))
		return false;
	memcpy(h->subprotocol, list, len);
	return true;
}

bool http_upgrades(const struct http_config *c, const struct http_request *r,
                   struct http_handshake *h, struct http_reply *out)
{
	if (r->method != HTTP_GET)
		http_refuse(c, out, 405, "a handshake is a GET", NULL);
	else if (strcmp(h->http, "HTTP/1.1") || !r->host[0] ||
	         !strcasestr(h->connection, "upgrade"))
		http_refuse(c, out, 400, "a handshake is of HTTP/1.1, with Host and Connection: "
		            "Upgrade", NULL);
	else if ((out->ask_version = strcmp(h->version, "13")))
		http_refuse(c, out, 426, "a handshake has Sec-WebSocket-Version: 13", NULL);
	else if (!is_key(h->key))
		http_refuse(c, out, 400, "a Sec-WebSocket-Key is base64 of 16 bytes", NULL);
	else if (!first_subprotocol(h))
		http_refuse(c, out, 400, "a Sec-WebSocket-Protocol (there is none here) has 126 "
		            "bytes at most, and begins with a name, no number, of 62", NULL);
	else
		return http_admits(c, r, out);
	out->ends = has_body(r);
	return false;
}

/* Takes as long whatever the two differ in. */
static bool is_token(const struct http_config *c, const struct http_request *r)
{
	size_t len = c->token ? strlen(c->token) : 0;
	unsigned char other = 0;

	if (!len || strcmp(r->user, "bearer") || strlen(r->proof) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		other |= (unsigned char)(c->token[i] ^ r->proof[i]);
	return !other;
}

static void get(const struct http_config *c, const struct http_request *r,
                struct http_reply *out)
{
	bool near = r->near && gate_is_ours(r->host, c->listen, c->origins);

	if (begins(r->path, "/debug/") && !near && !is_token(c, r)) {
		http_refuse(c, out, 403, "only from this machine, by an address, localhost or a "
		            "name of --allow-origin, or with the token of --debug-token", r->path);
		return;
	}
	make_space(c, out);
	out->type = "text/plain";
	if (c->files)
		out->status = file_open(c->files, c->most, r->path, &r->want, &out->file);
	if (!out->status && c->get)
		out->status = c->get(c->arg, r->path, &out->body, &out->type);
	if (out->file)
		out->type = file_type(out->file);
	if (!out->status)
		http_refuse(c, out, 404, "not found", r->path);
	else if (out->status == 503 && !out->file && out->body.len == c->space)
		http_refuse(c, out, 503, "descriptors have run out", r->path);
}

void http_answer(const struct http_config *c, const struct http_request *r,
                 struct http_reply *out)
{
	bool admitted = http_admits(c, r, out);

	out->ends = has_body(r);
	if (!r->path[0]) {
		http_refuse(c, out, 414, "a path has 2047 bytes at most", NULL);
		return;
	}
	if (r->chunked && r->length[0]) {       /* where it ends two may see differently */
		http_refuse(c, out, 400, "Content-Length or Transfer-Encoding, not both", NULL);
		return;
	}
	switch (r->method) {
	case HTTP_GET: case HTTP_HEAD:          /* a page that may not is kept from reading it */
		get(c, r, out);
		break;
	case HTTP_OPTIONS:
		if (!admitted)
			break;
		make_space(c, out);
		out->status = 204;
		out->allow = "GET, HEAD, POST, OPTIONS";
		break;
	default:
		if (for_an_actor(r)) {
			http_refuse(c, out, r->length[0] ? 413 : 411,
			            "a call has a Content-Length, of 16 MiB at most", NULL);
			break;
		}
		http_refuse(c, out, 405, "only GET and HEAD here; POST is for /call/ACTOR/HANDLER",
		            r->path);
		out->allow = "GET, HEAD";
	}
}

void http_reply_fini(struct http_reply *r)
{
	buf_fini(&r->body);
	file_close(r->file);
	r->file = NULL;
}

/* --- headers ------------------------------------------------------------------------------ */

/* Basic: base64 of USER:PROOF (RFC 7617); Bearer: a token (RFC 6750). */
void http_read_login(const char *text, struct http_request *r)
{
	char plain[sizeof r->user + sizeof r->proof] = "", *colon;
	size_t len;

	if (!strncasecmp(text, "bearer ", 7) && strlen(text + 7) < sizeof r->proof) {
		strcpy(r->user, "bearer");
		strcpy(r->proof, text + 7);
	} else if (!strncasecmp(text, "basic ", 6) &&
	           seal_base64(text + 6, strlen(text + 6), plain, sizeof plain - 1, &len) &&
	           (colon = strchr(plain, ':')) && strlen(colon + 1) < sizeof r->proof &&
	           colon - plain < (ptrdiff_t)sizeof r->user) {
		*colon = 0;
		strcpy(r->user, plain);
		strcpy(r->proof, colon + 1);
	}
}

void http_headers(const struct http_reply *r,
                  void (*add)(void *arg, const char *name, const char *value), void *arg)
{
	add(arg, "x-content-type-options:", "nosniff");
	if (r->file)
		file_headers(r->file, add, arg);
	if (r->allow)
		add(arg, "allow:", r->allow);
	if (r->retry)
		add(arg, "retry-after:", "1");
	if (r->ends)
		add(arg, "connection:", "close");
	else if (r->ask_version)
		add(arg, "connection:", "upgrade");
	if (r->ask_version) {
		add(arg, "upgrade:", "websocket");
		add(arg, "sec-websocket-version:", "13");
	}
	if (r->ask_login)
		add(arg, "www-authenticate:", "Basic realm=\"actord\"");
	if (!r->origin[0])
		return;
	add(arg, "vary:", "origin");
	add(arg, "access-control-allow-origin:", r->origin);
	if (r->status != 204)
		return;
	add(arg, "access-control-allow-methods:", r->allow);
	add(arg, "access-control-allow-headers:",
	    "authorization, content-type, traceparent, range, if-none-match");
	add(arg, "access-control-max-age:", "600");
}
