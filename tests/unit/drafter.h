/* SPDX-License-Identifier: MIT */
struct drafter { int64_t timer; msg_caller caller; int open; int64_t value; void *block; };
