/* SPDX-License-Identifier: MIT
 * mailbox.pml - cell_push(), lone(), next_lot(), rest(), after_step() and lane(): one actor, two
 * senders, one of the control lane, two workers that may run it. (That it may end meanwhile is in
 * lives.pml.)
 *
 * Holds: the actor has one owner at a time; each sender's messages are handled once and in order;
 * when nothing can happen any more all has been handled and the actor is idle.
 * Words change by locked instructions only, so no store buffers are needed here.
 * NO_SECOND_LOOK: the owner does not look at control after the step to idle.
 * TOUCH_AFTER_IDLE: the owner takes from the mailbox after the step to idle. */
#define SENDERS 2
#define EACH    2

bool idle = true;               /* top is IDLE; else BUSY where nothing hangs */
byte hang[4], n;                /* oldest first */
byte ready, owners, control, controlled, handled;
byte last[SENDERS];

inline look(i, k, t)            /* the word */
{
	d_step { i = idle; k = n; t = (n > 0 -> hang[n - 1] : 0) }
}
#define SAME(i, k, t) (idle == i && n == k && (n == 0 || hang[n - 1] == t))

inline handle(m)
{
	d_step {
		assert(owners == 1);
		assert(last[(m) / 8] < (m) % 8);
		last[(m) / 8] = (m) % 8;
		handled++
	}
}

proctype sender(byte me)
{
	bool i; byte k, t, sent;

	do
	:: sent == EACH -> break
	:: else ->
		look(i, k, t);
		if
		:: d_step { SAME(i, k, t) -> hang[n] = me * 8 + sent + 1; n++; idle =
		           false; sent++ };
			if
			:: i -> d_step { ready++; assert(ready == 1) }
			:: else
			fi
		:: d_step { !SAME(i, k, t) -> skip }
		fi
	od
}

proctype commander()
{
	bool i;

	control = control + 1;          /* locked */
	i = idle;
	do
	:: !i -> break
	:: i ->
		if
		:: d_step { idle -> idle = false }; ready++; break
		:: d_step { !idle -> i = false }
		fi
	od
}

proctype worker()
{
	bool i, mine; byte k, t, q[4], nq, at;

end:	do
	:: d_step { ready > 0 -> ready--; owners++; assert(owners == 1); mine = true };
		look(i, k, t);
		if
		:: k == 1 && !control ->        /* lone */
			handle(t);
			if
			:: d_step { SAME(i, k, t) -> n = 0; idle = true; owners--; mine = false }
			:: d_step { !SAME(i, k, t) ->   /* what came above it */
				at = 1;
				do
				:: at < n -> q[nq] = hang[at]; nq++; at++
				:: else -> break
				od;
				n = 0
			}
			fi;
			if
			:: !mine ->
#ifdef TOUCH_AFTER_IDLE
				if
				:: d_step { n > 0 -> n-- }
				:: d_step { n == 0 -> skip }
				fi;
#endif
#ifndef NO_SECOND_LOOK
				if
				:: control ->
					if
					:: d_step { idle -> idle = false; owners++; mine = true }
					:: d_step { !idle -> skip }
					fi
				:: !control
				fi
#else
				skip
#endif
			:: else
			fi
		:: else
		fi;
		do
		:: !mine -> break
		:: else ->
			if
			:: control ->
				d_step {
					assert(owners == 1);
					controlled = controlled + control;
					control = 0
				}
			:: else
			fi;
			if
			:: nq > 0 ->
				handle(q[0]);
				d_step {
					at = 1;
					do
					:: at < nq -> q[at - 1] = q[at]; at++
					:: else -> break
					od;
					nq--
				}
			:: nq == 0 ->           /* next_lot */
				if
				:: d_step { n == 0 -> idle = true; owners--; mine = false };
#ifndef NO_SECOND_LOOK
					if
					:: control ->
						if
						:: d_step { idle -> idle = false; owners++; mine =
						           true }
						:: d_step { !idle -> skip }
						fi
					:: !control
					fi
#else
					skip
#endif
				:: d_step { n > 0 ->
					do
					:: n > 0 && nq < n -> q[nq] = hang[nq]; nq++
					:: else -> break
					od;
					n = 0
				}
				fi
			fi
		od
	od
}

init {
	atomic { run sender(0); run sender(1); run commander(); run worker(); run worker() }
	timeout;
	assert(handled == SENDERS * EACH && controlled == 1 && idle && !ready && !owners)
}
