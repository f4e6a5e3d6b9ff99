/* SPDX-License-Identifier: MIT
 * reclaim.pml - worker_turn_begin(), worker_turn_next(), worker_turn_end() and worker_retire(): a
 * worker that reads the table in force in three turns, with rests between them or straight on, a
 * patch thread that puts two new ones there and frees the old.
 *
 * Holds: a table that was freed is not read. The worker's stores to its turn lie in a store buffer
 * until they happen to get out: that is what x86 allows, and what TSan does not see.
 * NO_HEAVY: the kernel is not asked for the fence. NO_GRACE: freed at once. */
#define TURNS 3

byte table, turn;
bool freed[3];
chan buffer = [6] of { byte };

proctype getting_out()
{
end:	do
	:: buffer?turn
	od
}

proctype worker()
{
	byte t, mine, turns;

	do
	:: turns == TURNS -> break
	:: else ->
		turns++;
		mine = mine + 1 + mine % 2;
		buffer!mine;                    /* odd; only the compiler is held back */
		t = table;
		assert(!freed[t]);
		assert(!freed[t]);
		if
		:: turns < TURNS                /* the next turn ends this one */
		:: mine++; buffer!mine
		fi
	od
}

inline heavy_fence()                            /* every store buffer is emptied */
{
	atomic {
		do
		:: nempty(buffer) -> buffer?turn
		:: empty(buffer) -> break
		od
	}
}

proctype patcher()
{
	byte old, seen;

	do
	:: old == 2 -> break
	:: else ->
		table = old + 1;                /* locked */
#ifndef NO_HEAVY
		heavy_fence();
#endif
		seen = turn;
#ifndef NO_GRACE
		(seen % 2 == 0 || turn != seen);
#endif
		freed[old] = true;
		old++
	od
}

init {
	atomic { run getting_out(); run worker(); run patcher() }
}
