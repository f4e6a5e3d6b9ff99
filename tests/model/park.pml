/* SPDX-License-Identifier: MIT
 * park.pml - pool.c and queue.c: a worker that has searched in vain parks; another one wakes now
 * and then, adds work to its ring and wakes whoever is parked.
 *
 * Holds: the work is done; nobody sleeps beside it. What the adder stores lies in its store buffer
 * until it happens to get out, or until its next locked instruction, with which it counts itself
 * among the idle or out of them. Who parks and finds all counted there needs no fence.
 * NO_HEAVY: who parks never asks the kernel for the fence.
 * NOT_COUNTED: the adder wakes without taking itself out of idle.
 * TOO_EARLY: who parks looks whether all are idle while it still counts as searching. */
#define WORK 2

byte shared, done;
bool parked;
byte idle = 1;                          /* the adder sleeps */
byte searching = 1;
chan buffer = [4] of { byte };

proctype getting_out()
{
	byte v;

end:	do
	:: atomic { buffer?v -> shared = shared + v }
	od
}

inline drain()
{
	do
	:: nempty(buffer) -> buffer?v; shared = shared + v
	:: empty(buffer) -> break
	od
}

proctype worker()
{
	byte v;
	bool all;

	do
	:: atomic { shared -> shared--; done++ }
	:: !shared ->
		parked = true;
		idle++;                         /* locked, as is the next */
#ifdef TOO_EARLY
		all = (idle == 2);
		searching--;
#else
		searching--;
		all = (idle == 2);
#endif
#ifndef NO_HEAVY
		if
		:: all
		:: !all -> atomic { drain() }
		fi;
#endif
		if
		:: shared ->
			if
			:: d_step { parked -> parked = false; searching++ }
			:: d_step { !parked -> skip }
			fi
		:: !shared
		fi;
end:		!parked;
		idle--
	od
}

proctype adder()
{
	byte added, v;

	do
	:: added == WORK -> break
	:: else ->
#ifndef NOT_COUNTED
		idle--;                         /* locked */
#endif
		buffer!1;
		added++;
		if
		:: idle && !searching ->
			if
			:: d_step { searching == 0 -> searching = 1 };
				if
				:: d_step { parked -> parked = false }
				:: d_step { !parked -> searching-- }
				fi
			:: d_step { searching -> skip }
			fi
		:: else
		fi;
#ifndef NOT_COUNTED
		atomic { drain(); idle++ }      /* locked */
#endif
	od
}

init {
	atomic { run getting_out(); run worker(); run adder() }
	timeout;
	assert(done == WORK)
}
