/* SPDX-License-Identifier: MIT
 * hold.pml - hold.c: two actors send two messages each to one whose mailbox takes one; who finds it
 * full registers and is not run until it is let go.
 *
 * Holds: all is handled, nobody waits for ever. The count is taken down by a locked instruction
 * and waiters is stored by one (seq_cst): partners, each looks at the other's word afterwards.
 * NO_SECOND_LOOK: who has registered does not look at the mailbox again.
 * BUFFERED: waiters is stored plainly; it may be seen only when the lock is given back. */
#define LIMIT 1
#define EACH  2

byte count, handled;
byte waiting;                   /* of those that wait: a bit each, under the lock */
bool waiters;                   /* as the owner sees it */
bool held[2], lock;
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

proctype sender(byte me)
{
	byte sent; bool no_room;

	do
	:: sent == EACH -> break
	:: else ->
		atomic {
			no_room = count >= LIMIT;
			if
			:: !no_room -> count++; sent++; ready = true
			:: else
			fi
		};
		if
		:: no_room ->
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
			!held[me]
		:: else
		fi
	od
}

proctype receiver()
{
	byte q;

end:	do
	:: ready ->
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
	atomic { run sender(0); run sender(1); run receiver() }
	timeout;
	assert(handled == 2 * EACH && !waiting)
}
