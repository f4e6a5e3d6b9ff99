/* SPDX-License-Identifier: MIT
 * hold.pml - hold.c: two actors send two messages each to one whose mailbox takes one; who finds it
 * full registers and is not run until it is let go, or until an order, which overtakes, wakes it:
 * it is told to stop then, and what it has kept is pushed beyond the limit.
 *
 * Holds: all that was sent is handled, nobody waits for ever, with an order or without. The count
 * is taken down by a locked instruction and waiters is stored by one (seq_cst): partners, each
 * looks at the other's word afterwards. So are the lane and held_on: who holds says so before it
 * looks at its lane, who brings an order pushes it before it looks at held_on.
 * NO_SECOND_LOOK: who has registered does not look at the mailbox again.
 * NO_LANE_LOOK: nor at its lane.
 * NO_WAKE: who brings an order does not look whether it is held.
 * LATE_HELD: that it holds is said when it has looked at its lane.
 * BUFFERED: waiters is stored plainly; it may be seen only when the lock is given back. */
#define LIMIT 1
#define EACH  2

byte count, handled, sent[2];
byte waiting;                   /* of those that wait: a bit each, under the lock */
bool waiters;                   /* as the owner sees it */
bool held[2], lock;
bool order[2], held_on[2];      /* something is in its lane; as who brings that sees it */
bool ready;                     /* the receiver is in a queue, or runs */

inline release()
{
	if
	:: waiters ->
		atomic { !lock -> lock = true };
		if
		:: (waiting & 1) && count < LIMIT -> waiting = waiting & 2; held[0] = false
		:: else
		fi;
		if
		:: (waiting & 2) && count < LIMIT && (held[0] || !(waiting & 1)) ->
			waiting = waiting & 1; held[1] = false
		:: else
		fi;
		waiters = waiting > 0;
		lock = false
	:: else
	fi
}

inline push(me)
{
	count++; sent[me]++; ready = true
}

/* wait_for(): sets no_room to whether it waits, or has waited. */
inline wait_for_room(me)
{
	atomic { !lock -> lock = true };
	held[me] = true;
	waiting = waiting | (1 << me);
#ifndef BUFFERED
	waiters = true;
#endif
#ifdef NO_SECOND_LOOK
	no_room = true;
#else
	no_room = count >= LIMIT;
#endif
#ifndef NO_LANE_LOOK
	no_room = no_room && !order[me];
#endif
#ifdef BUFFERED
	waiters = true;
#endif
	if
	:: !no_room ->
		held[me] = false;
		waiting = waiting & ~(1 << me);
		waiters = waiting > 0
	:: else
	fi;
	lock = false;
#ifdef LATE_HELD
	held_on[me] = true;
#endif
	!held[me]
}

proctype sender(byte me)
{
	bool no_room;

	do
	:: sent[me] == EACH || order[me] -> break
	:: else ->
		atomic {
			no_room = count >= LIMIT;
			if
			:: !no_room -> push(me)
			:: else
			fi
		};
		if
		:: no_room ->
#ifndef LATE_HELD
			held_on[me] = true;
#endif
			do
			:: order[me] -> atomic { push(me) }; break      /* it ends: beyond */
			:: else ->
				atomic {
					no_room = count >= LIMIT;
					if
					:: !no_room -> push(me)
					:: else
					fi
				};
				if
				:: no_room -> wait_for_room(me)
				:: else -> break
				fi
			od;
			held_on[me] = false
		:: else
		fi
	od
}

proctype stopper(byte who)
{
	order[who] = true;
#ifndef NO_WAKE
	if
	:: held_on[who] ->
		atomic { !lock -> lock = true };
		if
		:: waiting & (1 << who) ->
			waiting = waiting & ~(1 << who);
			waiters = waiting > 0;
			held[who] = false
		:: else
		fi;
		lock = false
	:: else
	fi
#endif
}

/* Its handler does not come back while it is jammed. */
bool jammed;

proctype receiver()
{
	byte q;

end:	do
	:: ready && !jammed ->
		q = count;
		do
		:: q > 0 -> handled++; q--; count--; release()
		:: else -> break
		od;
		atomic {
			if
			:: count == 0 -> ready = false
			:: else
			fi
		};
		release()
	od
}

init {
	if
	:: jammed = true        /* for ever, as far as those who hold can tell: both are stopped */
	:: skip
	fi;
	atomic {
		run sender(0); run sender(1); run receiver(); run stopper(0);
		if
		:: jammed -> run stopper(1)
		:: else
		fi
	};
	timeout;
	assert(!waiting && !held[0] && !held[1]);
	jammed = false;
	timeout;
	assert(handled == sent[0] + sent[1] && !waiting);
	assert((sent[0] == EACH || order[0]) && (sent[1] == EACH || order[1]))
}
