/* SPDX-License-Identifier: MIT
 * reply.c - answers that actors have the bus give: bus.answer(ct cb ...), bus.refuse(ct cb code
 * text). Who kept ct and cb of a request answers so whenever it likes. The loop's thread. */
#include "reply.h"

static bool is_text(const msg *m, int i)
{
	return msg_type(m, i) == MSG_STR && strlen(msg_str(m, i)) == msg_len(m, i);
}

bool reply_names(const msg *m)
{
	return msg_count(m) >= 4 && is_text(m, 2) && is_text(m, 3);
}

int reply_values(struct intake *in, const msg *m)
{
	struct buf b = { 0 };
	int n = msg_pack(m, 4, &b);

	intake_tell(in, msg_str(m, 2), msg_str(m, 3), packed_of(&b), (unsigned)n, 0, NULL);
	buf_fini(&b);
	return 0;
}

int reply_error(struct intake *in, const msg *m)
{
	int64_t code = msg_int(m, 4);

	if (msg_count(m) != 6 || msg_type(m, 4) != MSG_INT || msg_type(m, 5) != MSG_STR)
		return msg_fail(m, "bus.refuse takes ct:str cb:str code:int text:str");
	intake_tell(in, msg_str(m, 2), msg_str(m, 3), (struct packed){ NULL, NULL }, 0,
	            code < 0 && code > INT32_MIN ? (int)code : ACTOR_EFAIL, msg_str(m, 5));
	return 0;
}
