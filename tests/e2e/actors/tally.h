/* SPDX-License-Identifier: MIT */
struct tally { int64_t sum; };
