/* SPDX-License-Identifier: MIT
 * slice.c - see slice.h; sched_setattr(2), which glibc has no function for before 2.41. */
#include "slice.h"

#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TIMER_SLACK_NS = 1000 };

/* struct sched_attr, as the kernel has had it from the first day. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void slice_set(pid_t tid, unsigned us)
{
	struct attributes a = {
		.size = sizeof a, .policy = SCHED_OTHER,
		.nice = getpriority(PRIO_PROCESS, (id_t)tid), .runtime = us * UINT64_C(1000),
	};

	syscall(SYS_sched_setattr, tid, &a, 0);
}

void slice_prompt(void)
{
	slice_set(0, SLICE_PROMPT_US);
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
}
