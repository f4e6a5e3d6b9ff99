/* SPDX-License-Identifier: MIT
 * hijack.pml - queue.c: the place for the actor to run next. Its owner swaps what lies there
 * with plain stores
 * between own = 1 and own = 0; a hijacker says hijacked, has the kernel fence all, and takes
 * what is
 * there if the owner is not at it.
 *
 * Holds: every actor put there is taken once. The owner's stores lie in its store buffer until
 * they happen
 * to get out; its own loads see them before.
 * NO_HEAVY: the hijacker does not ask the kernel for the fence. */
#define ACTORS 3
mtype = { OWN, NEXT };

bool own, hijacked;
byte next, taken[ACTORS + 1], done;
/* stores to next in the buffer, and the last of them */
byte pending, newest;
chan buffer = [8] of { mtype, byte };

inline get_out()
{
	if
	:: buffer?OWN,v -> own = v
	:: buffer?NEXT,v -> next = v; pending--
	fi;
	v = 0
}

proctype getting_out()
{
	byte v;

end:	do
	:: atomic { nempty(buffer) -> get_out() }
	od
}

proctype owner()
{
	byte a, was;

	do
	:: a > ACTORS -> break
	:: else ->
		a++;
		buffer!OWN,1;
		!hijacked;
		atomic { was = (pending -> newest : next) };
		atomic { newest = a % (ACTORS + 1); pending++; buffer!NEXT,newest };
		buffer!OWN,0;
		if
		:: was -> d_step { taken[was]++; assert(taken[was] == 1) }
		:: else
		fi;
		was = 0
	od;
	done++
}

proctype hijacker()
{
	byte tries, i, v;

	do
	:: tries == 2 -> break
	:: else ->
		tries++;
		hijacked = true;
#ifndef NO_HEAVY
		atomic {
			do
			:: nempty(buffer) -> get_out()
			:: empty(buffer) -> break
			od
		};
#endif
		if
		:: !own ->
			i = next;
			next = 0;
			if
			:: i -> d_step { taken[i]++; assert(taken[i] == 1) }
			:: else
			fi
		:: else
		fi;
		hijacked = false
	od;
	done++
}

init {
	atomic { run getting_out(); run owner(); run hijacker() }
	timeout;
	assert(done == 2 && taken[1] == 1 && taken[2] == 1 && taken[3] == 1)
}
