/* SPDX-License-Identifier: MIT
 * test_slice.c - slices: what answers has a short one, who computes for a while a long one. On a
 * kernel that has none (before 6.12) only that nothing else changes. */
#include "slice.h"
#include "running.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static uint64_t slice_ns(void)
{
	struct attributes a;

	assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0), 0);
	return a.runtime;
}

static bool kernel_has(void)
{
	slice_set(0, 1234);
	return slice_ns() == 1234000;
}

static void test_prompt(void **state)
{
	int nice = getpriority(PRIO_PROCESS, 0);

	(void)state;
	slice_prompt();
	assert_int_equal(getpriority(PRIO_PROCESS, 0), nice);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	if (kernel_has()) {
		slice_prompt();
		assert_int_equal(slice_ns(), SLICE_PROMPT_US * 1000);
	}
}

static int compute(actor *self, const msg *m)
{
	int64_t until = now_ms() + 10000;

	(void)self, (void)m;
	while (slice_ns() != SLICE_LONG_US * 1000 && now_ms() < until)
		;
	happened((int64_t)slice_ns(), "compute");
	return 0;
}

static const struct actor_type busy = { .name = "busy", .on = ON({ "go", "", compute, 0 }) };

static void test_busy(void **state)
{
	(void)state;
	if (!kernel_has())
		skip();
	assert_int_equal(actor_send(NULL, spawn(add(&busy), NULL), "go"), 0);
	expect_events(1);
	assert_int_equal(last, SLICE_LONG_US * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_prompt, setup),
		cmocka_unit_test_setup(test_busy, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
