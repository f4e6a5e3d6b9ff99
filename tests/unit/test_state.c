/* SPDX-License-Identifier: MIT
 * test_state.c - one folder, one runtime at a time, one name for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

struct folder { char top[64], deep[96]; };

static int folder_make(void **state)
{
	struct folder *f = mem_alloc(sizeof *f);

	strcpy(f->top, "/tmp/test_state.XXXXXX");
	if (!mkdtemp(f->top))
		return -1;
	snprintf(f->deep, sizeof f->deep, "%s/a/b", f->top);
	*state = f;
	return 0;
}

static int folder_remove(void **state)
{
	struct folder *f = *state;
	char command[128];
	int status;

	snprintf(command, sizeof command, "rm -rf '%s'", f->top);
	status = system(command);
	mem_free(f);
	return status;
}

static struct state *opened(const char *path)
{
	struct why why = { "" };
	struct state *s = state_open(path, &why);

	if (!s)
		fail_msg("%s", why.text);
	return s;
}

static void made_for_us_alone(void **state)
{
	struct folder *f = *state;
	struct state *s = opened(f->deep);
	struct stat st;

	assert_string_equal(state_path(s), f->deep);
	assert_int_equal(stat(f->deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	state_close(s);
}

static void one_at_a_time(void **state)
{
	struct folder *f = *state;
	struct state *s = opened(f->deep);
	struct why why = { "" };
	char process[32];

	snprintf(process, sizeof process, "process %d;", (int)getpid());
	assert_null(state_open(f->deep, &why));
	assert_non_null(strstr(why.text, "in use"));
	assert_non_null(strstr(why.text, process));
	assert_non_null(strstr(why.text, f->deep));
	state_close(s);
	state_close(opened(f->deep));
}

static void the_name_is_kept(void **state)
{
	struct folder *f = *state;
	struct state *s = opened(f->deep);
	struct why why = { "" };
	char first[256];

	snprintf(first, sizeof first, "%s", state_node(s, &why));
	assert_true(strlen(first) > 6);
	state_close(s);
	s = opened(f->deep);
	assert_string_equal(state_node(s, &why), first);
	state_close(s);
}

static void a_folder_that_is_none(void **state)
{
	const struct passwd *user = getpwuid(geteuid());
	struct why why = { "" };

	(void)state;
	assert_null(state_open("/dev/null/state", &why));
	assert_non_null(strstr(why.text, "--state /dev/null/state"));
	if (user)
		assert_non_null(strstr(why.text, user->pw_name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_for_us_alone), cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(the_name_is_kept), cmocka_unit_test(a_folder_that_is_none),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
