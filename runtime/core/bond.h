/* SPDX-License-Identifier: MIT
 * bond.h - what a parent knows of a child, and both hold.
 *
 * The parent writes it; the child only hands its address back in what it tells the parent. The
 * child's hold goes with its last order, FN_ENDED, to whoever takes that: so what the parent finds
 * of a child's orders always has its bond, though it may have parted from that child before. */
#ifndef BOND_H
#define BOND_H

#include "base.h"

/* As the parent knows it. PARTED: a child no more, it did not end in time. */
enum bond_state { BOND_UP, BOND_GOING, BOND_DOWN, BOND_COMING, BOND_TOLD, BOND_PARTED };

struct bond {
	struct bond *prev, *next;       /* in the order of their first start */
	uint64_t born;
	uint32_t cell;
	_Atomic uint16_t holds;
	uint8_t state;                  /* enum bond_state */
	bool cycle;                     /* is to end and start again with the one that failed */
};

struct bond *bond_new(uint32_t cell, uint64_t born);    /* gives two holds */
void bond_drop(struct bond *b);                         /* takes one; NULL is fine */

#endif
