/* SPDX-License-Identifier: MIT
 * exports.c - actor.h's functions, for compiled sources to be linked with. */
#include "core.h"

#define EXPORT(name) { #name, (void *)(uintptr_t)name }

const struct export core_exports[] = {
	EXPORT(msg_count), EXPORT(msg_type), EXPORT(msg_int), EXPORT(msg_num), EXPORT(msg_str), EXPORT(msg_len),
	EXPORT(msg_from), EXPORT(msg_error), EXPORT(msg_error_text), EXPORT(msg_ask), EXPORT(msg_items),
	EXPORT(msg_next), EXPORT(msg_defer), EXPORT(msg_fail), EXPORT(msg_forward), EXPORT(msg_values),
	EXPORT(out_null), EXPORT(out_int), EXPORT(out_num), EXPORT(out_bool), EXPORT(out_str), EXPORT(out_text),
	EXPORT(out_room), EXPORT(out_bytes), EXPORT(out_list), EXPORT(out_map), EXPORT(out_value),
	EXPORT(actor_send_out), EXPORT(actor_ask_out), EXPORT(msg_reply_out), EXPORT(actor_answer_out),
	EXPORT(actor_state), EXPORT(actor_name), EXPORT(actor_self), EXPORT(actor_find), EXPORT(actor_alive),
	EXPORT(actor_refuse),
	EXPORT(actor_become), EXPORT(actor_stash), EXPORT(actor_unstash), EXPORT(actor_join),
	EXPORT(actor_leave), EXPORT(actor_pick), EXPORT(actor_publish_),
	EXPORT(actor_cancel), EXPORT(actor_now), EXPORT(actor_log),
	EXPORT(actor_spawn_), EXPORT(actor_stop), EXPORT(actor_drain), EXPORT(actor_parent), EXPORT(actor_monitor),
	EXPORT(actor_demonitor), EXPORT(actor_link), EXPORT(actor_unlink), EXPORT(actor_why),
	EXPORT(actor_send_), EXPORT(actor_ask_), EXPORT(actor_after_), EXPORT(actor_window_),
	EXPORT(actor_cron_), EXPORT(msg_reply_), EXPORT(actor_answer_),
	{ NULL, NULL },
};
