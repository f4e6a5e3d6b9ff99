/* SPDX-License-Identifier: MIT
 * tls.c - see tls.h; with hiredis 1.0 or newer, over OpenSSL.
 *
 * hiredis's own redisSSLContext checks who signed a certificate, but not whom it names, and knows
 * nobody to trust unless it is told: so the sessions are made here. A certificate counts when its
 * chain ends at one of cacert's (or the system's: SSL_CERT_FILE, SSL_CERT_DIR), and when it is for
 * the host that is spoken to (the URL's, or the one that Sentinels or a Cluster name), or the one
 * that sni names; less is asked only where the URL says so.
 *
 * OpenSSL keeps its errors by thread, and takes one that is left there for a later call's: whoever
 * hears of a lost session asks for its trouble, which takes them away. */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

typedef struct redisContext redisContext;       /* which the next header takes for granted */
#include <hiredis/hiredis_ssl.h>

struct tls {
	SSL_CTX *context;
	char sni[256];                  /* whom we mean, whichever the host; "": the host */
	bool check;                     /* the certificate is to be for whom we mean */
};

/* What OpenSSL says last; and it forgets all. */
static const char *reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = !e ? NULL : ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e))
	                   : ERR_reason_error_string(e);

	ERR_clear_error();
	return text ? text : "OpenSSL does not say why";
}

static int refuse(struct why *why, const char *what, const char *path)
{
	int err = access(path, R_OK) ? errno : 0;
	const char *said = reason();

	return why_set(why, ACTOR_EARGS, "the Redis URL's %s=%s: %s", what, path,
	               err ? strerror(err) : said);
}

static int read_files(SSL_CTX *c, const struct url *u, struct why *why)
{
	if (!u->cacert[0])
		SSL_CTX_set_default_verify_paths(c);
	else if (!SSL_CTX_load_verify_locations(c, u->cacert, NULL))
		return refuse(why, "cacert", u->cacert);
	if (!u->cert[0])
		return 0;
	if (SSL_CTX_use_certificate_chain_file(c, u->cert) != 1)
		return refuse(why, "cert", u->cert);
	if (SSL_CTX_use_PrivateKey_file(c, u->key, SSL_FILETYPE_PEM) != 1)
		return refuse(why, "key", u->key);
	return 0;
}

struct tls *tls_new(const struct url *u, struct why *why)
{
	struct tls *t = mem_alloc(sizeof *t);

	t->context = SSL_CTX_new(TLS_client_method());
	if (!t->context) {
		why_set(why, ACTOR_EFAIL, "TLS: %s", reason());
		goto fail;
	}
	snprintf(t->sni, sizeof t->sni, "%s", u->sni);
	t->check = u->verify == URL_VERIFY_FULL;
	SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION);
	/* A Redis that is killed has just gone, and what hiredis writes again may have moved. */
	SSL_CTX_set_options(t->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(t->context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(t->context,
	                   u->verify == URL_VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (read_files(t->context, u, why))
		goto fail;
	return t;
fail:
	tls_free(t);
	return NULL;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	mem_free(t);
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static SSL *session_new(const struct tls *t, const char *host)
{
	SSL *s = SSL_new(t->context);
	X509_VERIFY_PARAM *check = s ? SSL_get0_param(s) : NULL;
	bool named = !is_address(host);

	if (!s)
		return NULL;
	if (named && SSL_set_tlsext_host_name(s, host) != 1)
		goto fail;
	if (t->check && (named ? X509_VERIFY_PARAM_set1_host(check, host, 0)
	                       : X509_VERIFY_PARAM_set1_ip_asc(check, host)) != 1)
		goto fail;
	return s;
fail:
	SSL_free(s);
	return NULL;
}

int tls_begin(const struct tls *t, const char *host, struct redisContext *c,
              struct ssl_st **session, struct why *why)
{
	SSL *s = session_new(t, t->sni[0] ? t->sni : host);

	if (!s)
		return why_set(why, ACTOR_EFAIL, "TLS: %s", reason());
	if (redisInitiateSSL(c, s)) {
		if (!tls_trouble(s, why))
			why_set(why, ACTOR_EFAIL, "TLS: the handshake failed");
		SSL_free(s);            /* hiredis has it only where that went well */
		return ACTOR_EFAIL;
	}
	*session = s;
	return 0;
}

/* Who does not take our certificate says so and is gone: what we wrote fails, and the words are
 * there to be read. */
static void read_last_words(struct ssl_st *session)
{
	char byte;

	ERR_clear_error();
	SSL_peek(session, &byte, 1);
}

bool tls_trouble(struct ssl_st *session, struct why *why)
{
	long wrong = SSL_get_verify_result(session);
	bool any = ERR_peek_last_error() != 0;
	const char *said;

	if (any && ERR_SYSTEM_ERROR(ERR_peek_last_error()))
		read_last_words(session);
	said = reason();
	if (wrong != X509_V_OK && SSL_get_verify_mode(session) != SSL_VERIFY_NONE)
		why_set(why, ACTOR_EFAIL, "its certificate is not taken: %s",
		        X509_verify_cert_error_string(wrong));
	else if (any)
		why_set(why, ACTOR_EFAIL, "TLS: %s", said);
	else
		return false;
	return true;
}
