/* SPDX-License-Identifier: MIT */
struct ledger { int64_t sum; };
