/* SPDX-License-Identifier: MIT
 * argument.c - see argument.h. No state, any thread. */
#include "argument.h"
#include "../actor.h"
#include "json.h"
#include "seal.h"

enum { SHOWN = 40 };            /* bytes of a word in an error */

static enum param_type type_at(const struct signature *s, int i)
{
	return s && i < s->max ? (enum param_type)s->type[i] : PARAM_ANY;
}

/* A JSON string becomes the bytes that it spells in base64, as json_write() makes it; null and what
 * is no string stay as they are. */
static bool bytes_pack(const struct buf *json, struct buf *out)
{
	struct packed in = packed_of(json);
	struct buf bytes = { 0 };
	struct value v;
	bool ok = true;

	if (packed_next(&in, &v) == 1 && v.type == VALUE_STR) {
		buf_reserve(&bytes, v.len + 1);
		ok = seal_base64(v.str, v.len, bytes.p, bytes.cap, &bytes.len);
		if (ok)
			pack_bytes(out, bytes.p, bytes.len);
	} else {
		buf_add(out, json->p, json->len);
	}
	buf_fini(&bytes);
	return ok;
}

static int refuse(const char *takes, int i, enum param_type type, const char *word, size_t len,
                  const struct why *why_json, struct why *why)
{
	size_t shown = len > SHOWN ? SHOWN : len;
	char name[64];

	while (shown < len && ((unsigned char)word[shown] & 0xc0) == 0x80)
		shown--;
	signature_param(takes, i, name, sizeof name);
	return why_set(why, ACTOR_EARGS, "%s takes %s, written as %s; `%.*s%s` is none%s%s%s",
		*name ? name : "it", param_name(type),
		type == PARAM_BYTES ? "a JSON string of base64" : "JSON",
		(int)shown, word, shown < len ? "..." : "",
		*why_json->text ? " (" : "", why_json->text, *why_json->text ? ")" : "");
}

int argument_read(const char *takes, int i, const char *word, size_t len, struct buf *out,
                  struct why *why)
{
	enum param_type type = type_at(signature_read(takes, NULL), i);
	struct buf json = { 0 };
	struct why why_json = { "" };
	int rc = 0;

	if (type == PARAM_STR) {
		pack_str(out, word, len);
		return 0;
	}
	if (json_read(word, len, &json, &why_json) == 0) {
		if (type != PARAM_BYTES)
			buf_add(out, json.p, json.len);
		else if (!bytes_pack(&json, out))
			rc = refuse(takes, i, type, word, len, &why_json, why);
	} else if (type == PARAM_ANY) {
		pack_str(out, word, len);
	} else {
		rc = refuse(takes, i, type, word, len, &why_json, why);
	}
	buf_fini(&json);
	return rc;
}
