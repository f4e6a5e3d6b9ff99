/* SPDX-License-Identifier: MIT
 * counter.h - the state of counter, for the patches that touch it. */
struct counter { int64_t hits; };
