/* SPDX-License-Identifier: MIT */
#define DESK_SIZE 100
