/* SPDX-License-Identifier: MIT
 * test_guard.c - where the kernel gives no memory for doors the start fails in words; where it
 * gives none for a stack, compiled code runs unguarded, which is said once, and guarded when there
 * is. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asking.h"
#include "guard.h"
#include "log.h"

static _Atomic bool no_code, no_stacks;
static _Atomic int refused_stacks;

int __real_mprotect(void *at, size_t len, int prot);
int __wrap_mprotect(void *at, size_t len, int prot);
int __wrap_mprotect(void *at, size_t len, int prot)
{
	if (no_stacks && len == GUARD_STACK) {
		refused_stacks++;
		return -1;
	}
	return no_code && prot & PROT_EXEC ? -1 : __real_mprotect(at, len, prot);
}

/* In a process of its own, as doors are made once. */
static void no_doors_no_start(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct core_config c = { .workers = 1 };
		struct why why = { "" };

		no_code = true;
		_exit(core_start(&c, &why) == ACTOR_ENOMEM &&
		      strstr(why.text, "no memory can be made executable") &&
		      !core_doors()->name ? 7 : 8);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void say(int times)
{
	struct buf args = { 0 };

	for (int i = 0; i < times; i++) {
		pack_int(&args, 1);
		ask(FROM_CONTROL, "counter", "hit", &args, 1);
		assert_int_equal(code, 0);
	}
}

static int lines_said(void)
{
	struct log_kept line;
	int n = 0;

	for (uint64_t i = log_oldest(); i && i <= log_newest(); i++)
		n += log_read(i, &line) && strstr(line.line, "it runs unguarded");
	return n;
}

/* By each thread that runs compiled code: two workers, and the compile thread. */
static void no_stack_is_said_once(void **state)
{
	int said;

	start(state);
	say(50);
	said = lines_said();
	assert_in_range(said, 1, 3);
	assert_true(refused_stacks > said);
	no_stacks = false;
	load(SOURCE_DIR "/tests/unit/faulty.c", "faulty");
	guard_signals();                        /* cmocka took them for this test */
	for (int i = 0; i < 20; i++) {
		struct buf args = { 0 };

		pack_int(&args, 0);
		ask(FROM_CONTROL, "faulty", "fault", &args, 1);
		assert_int_equal(code, ACTOR_EFAIL);
		assert_non_null(strstr(words, "a bad pointer (0)"));
	}
	assert_in_range(lines_said(), said, 3);
	stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_doors_no_start),
		cmocka_unit_test(no_stack_is_said_once),
	};

	no_stacks = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
