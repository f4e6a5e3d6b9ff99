/* SPDX-License-Identifier: MIT
 * park.pml - pool.c and queue.c: a worker that has searched in vain parks; somebody adds work to
 * the
 * shared list and wakes whoever is parked.
 *
 * Holds: the work is done; nobody sleeps beside it. What the adder stores lies in its store
 * buffer until it
 * happens to get out.
 * NO_HEAVY: who parks does not ask the kernel for the fence. */
#define WORK 2

byte shared, done;
bool parked;
byte idle;
byte searching = 1;
chan buffer = [4] of { byte };

proctype getting_out()
{
	byte v;

end:	do
	:: atomic { buffer?v -> shared = shared + v }
	od
}

proctype worker()
{
	byte v;

	do
	:: atomic { shared -> shared--; done++ }
	:: !shared ->
		parked = true;
		idle++;                         /* locked */
		searching--;
#ifndef NO_HEAVY
		atomic {
			do
			:: nempty(buffer) -> buffer?v; shared = shared + v
			:: empty(buffer) -> break
			od
		};
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
	byte added;

	do
	:: added == WORK -> break
	:: else ->
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
		fi
	od
}

init {
	atomic { run getting_out(); run worker(); run adder() }
	timeout;
	assert(done == WORK)
}
