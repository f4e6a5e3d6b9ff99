/* SPDX-License-Identifier: MIT
 * test_journal.c - a disk that does not take what was written: the kernel is told to say so. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "actor.h"
#include "patch/journal.h"

/* For this thread. */
static bool refuse(int call)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { ARRAY_LEN(f), f };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
}

static int add(bool intent, struct why *why)
{
	struct buf f = { 0 };
	int rc;

	buf_text(&f, "\"event\":\"x\"");
	rc = journal_add(&f, intent, NULL, why);
	buf_fini(&f);
	return rc;
}

static void none(void *arg, const struct journal_line *l)
{
	(void)arg;
	(void)l;
}

static void what_cannot_be_synced_is_the_last(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(journal_open(NULL, none, NULL, &why), 0);
	assert_int_equal(add(true, &why), 0);
	assert_int_equal(journal_sync(), 0);
	assert_int_equal(add(true, &why), 0);
	if (!refuse(SYS_fdatasync))
		skip();
	assert_int_equal(journal_sync(), -1);
	assert_int_equal(add(true, &why), ACTOR_EFAIL);
	assert_non_null(strstr(why.text, "could not be synced (Input/output error)"));
	assert_int_equal(add(false, &why), 0);
	journal_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_synced_is_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
