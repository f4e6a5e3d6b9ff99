/* SPDX-License-Identifier: MIT
 * test_path.c - the default places of the control socket, and whose folder may hold it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/path.h"

static void places_of(const struct path_env *env, const char *first, const char *second)
{
	char path[PATH_SIZE];

	assert_true(path_default(env, 0, path));
	assert_string_equal(path, first);
	assert_int_equal(path_default(env, 1, path), second != NULL);
	if (second)
		assert_string_equal(path, second);
	assert_false(path_default(env, 2, path));
}

static void places(void **state)
{
	(void)state;
	places_of(&(struct path_env){ 0, NULL }, "/run/actord.sock", NULL);
	places_of(&(struct path_env){ 0, "/run/user/0" }, "/run/actord.sock", NULL);
	places_of(&(struct path_env){ 1000, NULL }, "/tmp/actord-1000/actord.sock", NULL);
	places_of(&(struct path_env){ 1000, "/run/user/1000" }, "/run/user/1000/actord.sock",
		"/tmp/actord-1000/actord.sock");
}

static void too_long_is_none(void **state)
{
	char folder[PATH_SIZE + 1], path[PATH_SIZE];

	(void)state;
	memset(folder, 'x', PATH_SIZE);
	folder[0] = '/';
	folder[PATH_SIZE] = 0;
	assert_false(path_default(&(struct path_env){ 1000, folder }, 0, path));
	folder[PATH_SIZE - 1 - strlen("/actord.sock")] = 0;
	assert_true(path_default(&(struct path_env){ 1000, folder }, 0, path));
	assert_int_equal(strlen(path), PATH_SIZE - 1);
}

/* A user that cannot be: its folder is this test's alone. */
static struct path_env nobody(void)
{
	return (struct path_env){ 4000000000u + (unsigned)getpid() % 100000, NULL };
}

static void other_folders_are_not_ours_to_judge(void **state)
{
	struct path_env env = nobody();
	struct why why = { "" };

	(void)state;
	assert_int_equal(path_folder(&env, "/tmp/somewhere.sock", false, &why), 0);
	assert_int_equal(path_folder(&env, "/nonexistent/actord.sock", false, &why), 0);
	assert_string_equal(why.text, "");
}

static void the_folder_under_tmp_must_be_ours(void **state)
{
	struct path_env env = nobody();
	char path[PATH_SIZE], folder[PATH_SIZE];
	struct why why = { "" };
	struct stat st;

	(void)state;
	assert_true(path_default(&env, 0, path));
	snprintf(folder, sizeof folder, "/tmp/actord-%u", env.uid);
	assert_int_not_equal(path_folder(&env, path, false, &why), 0);
	assert_non_null(strstr(why.text, folder));
	/* Made by us, not by that user: somebody else's. */
	assert_int_not_equal(path_folder(&env, path, true, &why), 0);
	assert_non_null(strstr(why.text, "alone"));
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(rmdir(folder), 0);
	/* A link is refused, wherever it leads. */
	assert_int_equal(symlink("/tmp", folder), 0);
	assert_int_not_equal(path_folder(&env, path, true, &why), 0);
	assert_int_equal(unlink(folder), 0);
}

static void a_folder_of_that_user_and_closed_is_fine(void **state)
{
	struct path_env env = nobody();
	char path[PATH_SIZE], folder[32];
	struct why why = { "" };

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(folder, sizeof folder, "/tmp/actord-%u", env.uid);
	snprintf(path, sizeof path, "%s/actord.sock", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(chown(folder, env.uid, (gid_t)-1), 0);
	assert_int_equal(path_folder(&env, path, true, &why), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_not_equal(path_folder(&env, path, true, &why), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(too_long_is_none),
		cmocka_unit_test(other_folders_are_not_ours_to_judge),
		cmocka_unit_test(the_folder_under_tmp_must_be_ours),
		cmocka_unit_test(a_folder_of_that_user_and_closed_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
