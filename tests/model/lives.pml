/* SPDX-License-Identifier: MIT
 * lives.pml - after_step(), park() and post_stays(): a cell whose first actor lives in the pool and
 * ends with the first order that it gets; the next one in it lives at a home. Two workers of the
 * pool, the home's thread, three that bring an order each and then look whether to wake.
 *
 * Idle and parked are one here: nobody runs what lives there, and a locked step takes it back. Who
 * has let go of it looks at the lane once more, and may win that step. Left out: the moment at which
 * the cell is dead, and who sweeps its lane then.
 *
 * Holds: what lives there is run by one thread at a time, of where it lives; when nothing can happen
 * any more all orders have been taken and it is idle.
 * NO_SECOND_LOOK: who has let go does not look at the lane.
 * NO_HOME_LOOK: who has won the step does not look where the one lives that is there by now. */
#define POOL 0
#define HOME 1

bool idle;
byte home = POOL, ready[2], owners, lane;

proctype bringer()
{
	lane = lane + 1;                /* locked */
	if
	:: d_step { idle -> idle = false; ready[home]++ }
	:: d_step { !idle -> skip }
	fi
}

proctype runner(byte here)
{
	bool mine;

end:	do
	:: d_step { ready[here] > 0 -> ready[here]--; owners++; mine = true };
		do
		:: !mine -> break
		:: mine && lane ->
			d_step { assert(owners == 1 && home == here); lane = 0 }
			if
			:: d_step { home == POOL -> /* its end, and a birth; what comes late is swept */
				lane = 0; home = HOME; idle = true; owners--; mine = false
			}
			:: home == HOME
			fi
		:: mine && !lane ->
			d_step { assert(owners == 1); idle = true; owners--; mine = false }
#ifndef NO_SECOND_LOOK
			if
			:: lane ->
				if
				:: d_step { idle -> idle = false; owners++; mine = true }
				:: d_step { !idle -> skip }
				fi
			:: !lane
			fi;
#endif
#ifndef NO_HOME_LOOK
			if
			:: mine && home != here ->
				d_step { owners--; mine = false; ready[home]++ }
			:: else
			fi
#endif
		od
	od
}

init {
	ready[POOL] = 1;
	atomic {
		run bringer(); run bringer(); run bringer();
		run runner(POOL); run runner(POOL); run runner(HOME)
	}
	timeout;
	assert(idle && !lane && !owners && !ready[POOL] && !ready[HOME])
}
