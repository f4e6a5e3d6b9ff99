/* SPDX-License-Identifier: MIT
 * ring.pml - queue.c: ring_put(), spill(), ring_take() and steal_ring(), with two thieves. A ring
 * of four takes RING + 3 actors, so it spills; what is shared is as good as taken.
 *
 * Holds: every actor is taken once.
 * The ring's beginning changes by locked instructions only, and its end is stored behind what it
 * has (x86 keeps that order), so no store buffers are needed here.
 * SPILL_LOOKS_AGAIN: a ring that was found full is spilled from where it begins by then.
 * READ_LATE: a thief reads the entries after it has moved the beginning. */
#define RING   4
#define ACTORS (RING + 3)
#define MASK   15       /* the counts', which go over, as those of 32 bits do */

byte ring[RING], first, tail, taken[ACTORS + 1], done;

#define HAS(f) ((tail - (f)) & MASK)

inline take(a)
{
	d_step { taken[a]++; assert(a && taken[a] == 1) }
}

/* ok: the beginning was f, and is behind n entries now. */
inline move(f, n, ok)
{
	d_step {
		ok = (first == f);
		if
		:: ok -> first = (f + n) & MASK
		:: else
		fi
	}
}

proctype owner()
{
	byte a, f, x, y;
	bool ok;

	do
	:: a == ACTORS -> break
	:: else ->
		a++;
		f = first;
		if
		:: HAS(f) >= RING ->
#ifdef SPILL_LOOKS_AGAIN
			f = first;
#endif
			d_step { x = ring[f % RING]; y = ring[(f + 1) % RING] };
			move(f, RING / 2, ok);
			if
			:: ok -> take(x); take(y)
			:: else
			fi;
			take(a)
		:: else ->
			ring[tail % RING] = a;
			tail = (tail + 1) & MASK
		fi;
		atomic { f = 0; x = 0; y = 0; ok = false }
	od;
	do
	:: f = first;
		if
		:: !HAS(f) -> break
		:: else ->
			x = ring[f % RING];
			move(f, 1, ok);
			if
			:: ok -> take(x)
			:: else
			fi
		fi
	od;
	done++
}

proctype thief()
{
	byte tries, f, n, i, got[RING / 2];
	bool ok;

	do
	:: tries == 2 -> break
	:: else ->
		tries++;
		f = first;
		n = HAS(f);
		if
		:: n == 0 || n > RING
		:: else ->
			n = n - n / 2;
			i = 0;
#ifdef READ_LATE
			move(f, n, ok);
#endif
			do
			:: i == n -> break
			:: else -> got[i] = ring[(f + i) % RING]; i++
			od;
#ifndef READ_LATE
			move(f, n, ok);
#endif
			do
			:: !ok || i == 0 -> break
			:: else -> i--; take(got[i])
			od
		fi;
		atomic { f = 0; n = 0; i = 0; ok = false; got[0] = 0; got[1] = 0 }
	od;
	done++
}

init {
	byte a;

	/* it has gone round before: what it has taken is still there */
	d_step { first = MASK - 1; tail = MASK - 1 };
	atomic { run owner(); run thief(); run thief() }
	timeout;
	assert(done == 3);
	a = 1;
	do
	:: a > ACTORS -> break
	:: else -> assert(taken[a] == 1); a++
	od
}
