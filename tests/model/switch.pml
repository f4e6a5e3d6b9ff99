/* SPDX-License-Identifier: MIT
 * switch.pml - switch.c and migrate.c: two actors of two types that are patched at one point while
 * they send to each other; one's state changes its shape, the other's does or does not. Whose does
 * rehearses between two messages; what comes then waits; when all have, two gates come in force,
 * then the one word that says so for both, then the tables themselves. Or one cannot, and the
 * tables of before are in force again.
 *
 * Holds: what new code has sent meets new code; who has rehearsed has the state that it rehearsed
 * with until it is decided; nobody goes over who did not, and none does where one cannot; at the
 * end both are the same.
 * NO_WORD: the tables are exchanged one after the other.
 * NO_WAIT: what comes to one that has rehearsed is handled by the old code.
 * NO_AWAIT: the tables come in force before both have rehearsed.
 * HALF_BACK: where one cannot, only its own table is put back. */
#define OLD   0
#define FIRST 1                 /* rehearse, and wait */
#define GATE  2
#define NEW   3
#define MESSAGES 3
#define FIRST_IN(t) (moves[me] && (t == FIRST || (t == GATE && !passed)))

byte table[2];
bool moves[2], passed, decided, cannot[2], failed, ready[2], over[2];
chan box[2] = [2] of { bool };  /* each message: was it sent by new code? */

inline rehearse(me)
{
	if
	:: cannot[me] -> failed = true
	:: else
	fi;
	ready[me] = true
}

/* One message, by whatever is in force. */
inline handle(me, by_new)
{
	do
	:: atomic {     /* the table is read once a message */
		t = table[me];
		is_new = t == NEW || (t == GATE && passed);
		waits = FIRST_IN(t);
		if
		:: waits && !ready[me]
#ifndef NO_WAIT
		:: waits && ready[me] -> !FIRST_IN(table[me])
#endif
		:: else -> break
		fi
	   };
	   if
	   :: waits && !ready[me] -> rehearse(me)
	   :: else
	   fi
	od;
	if
	:: is_new ->
		assert((ready[me] || !moves[me]) && !failed);
		over[me] = true
	:: else ->
		assert(!by_new && !over[me]);
		assert(!ready[me] || decided)
	fi;
	if
	:: nfull(box[1 - me]) -> box[1 - me] ! is_new
	:: full(box[1 - me])
	fi
}

proctype actor_of(byte me)
{
	byte t, n;
	bool is_new, by_new, waits;

	do
	:: n < MESSAGES && nempty(box[me]) -> n++; box[me] ? by_new; handle(me, by_new)
	:: moves[me] && table[me] == FIRST && !ready[me] -> rehearse(me)     /* the order */
	:: (n == MESSAGES || empty(box[me])) && decided && table[me] != FIRST -> break
	od
}

init
{
	moves[0] = true;
	if
	:: moves[1] = true
	:: skip
	fi;
	if
	:: cannot[0] = true
	:: cannot[1] = moves[1]
	:: skip
	fi;
	box[0] ! false; box[1] ! false;
	run actor_of(0); run actor_of(1);
	table[0] = FIRST;
	if
	:: moves[1] -> table[1] = FIRST
	:: else
	fi;
#ifndef NO_AWAIT
	(ready[0] && (ready[1] || !moves[1])) || failed;
#endif
	if
	:: failed ->
		decided = true;
#ifdef HALF_BACK
		table[cannot[1]] = OLD
#else
		table[0] = OLD; table[1] = OLD
#endif
	:: else ->
#ifndef NO_WORD
		table[0] = GATE; table[1] = GATE;
		passed = true;
#endif
		table[0] = NEW; table[1] = NEW;
		decided = true
	fi;
	_nr_pr == 1;
	assert(table[0] == table[1] && (table[0] == OLD || table[0] == NEW))
}
