/* SPDX-License-Identifier: MIT
 * envelope.h - a message outside the process: one schema, two encodings, told by the first byte.
 *
 *   tpc func args cb ct id pid err trace
 *
 * All but func may be absent; unknown keys are passed over.
 *
 * Arguments stay packed values; they become typed slots where the handler's signature is known. */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include "value.h"

enum encoding { ENC_JSON, ENC_MSGPACK };

struct text { const char *p; size_t len; };     /* p NULL: absent. A NUL stands behind it */

struct envelope {
	enum encoding enc;
	struct text tpc, func, cb, ct, pid;
	struct text trace;              /* see core_trace_link(); absent where it is no text */
	struct packed id;               /* one packed str or int; at NULL: absent */
	struct packed args; unsigned count;     /* the arguments, the list's head stripped */
	int err_code; struct text err_text;     /* of an answer; 0: none */
	bool formed;                    /* sound bytes: what may be wrong is the schema alone */
};

/* What a message is, by its first byte (white space before `{` is JSON's). */
bool envelope_is(const void *bytes, size_t len);

/* Reads one message. *e points into scratch (cleared first) and, args and id of msgpack, into the
 * bytes themselves: both must outlive it. Whole messages only; nothing may follow.
 * ACTOR_EARGS with why: malformed, no map, a key of the wrong type or twice, no func where there is
 * no err, over MESSAGE_MAX, over VALUES_MAX args. id, cb, ct and pid are filled in even then, as
 * far as they could be read, so that the sender can be told; args are not. "args": null is none;
 * id, cb and the others given as null count as absent. None but err's text holds a NUL. */
int envelope_read(struct envelope *e, struct buf *scratch, const void *bytes, size_t len,
                  struct why *why);

/* Appends the message in e->enc; absent keys are left out, args and func are always there. */
void envelope_write(struct buf *out, const struct envelope *e);

/* The answer to a request: func is its cb, id is echoed; code and text, or 0 and values. */
void envelope_answer(struct buf *out, const struct envelope *request, const struct packed *args,
                     unsigned count, int code, const char *text);

#endif
