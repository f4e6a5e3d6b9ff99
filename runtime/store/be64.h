/* SPDX-License-Identifier: MIT
 * be64.h - numbers as 8 bytes, the greatest first: as keys they sort as they count, from 0 on. */
#ifndef BE64_H
#define BE64_H

#include <stdint.h>

static inline void put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static inline int64_t get_be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

#endif
