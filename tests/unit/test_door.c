/* SPDX-License-Identifier: MIT
 * test_door.c - the control socket: made, refused, taken over, removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/door.h"

static char folder[] = "/tmp/test_door.XXXXXX", path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/sock", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int bound(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void is_private_and_goes_again(void **state)
{
	struct door d;
	struct why why = { "" };
	struct stat st;

	(void)state;
	assert_int_equal(door_open(&d, path, &why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	door_close(&d);
	assert_int_not_equal(stat(path, &st), 0);
	door_close(&d);
}

static void a_second_one_is_refused(void **state)
{
	struct door first, second;
	struct why why = { "" };
	struct stat st;

	(void)state;
	assert_int_equal(door_open(&first, path, &why), 0);
	assert_int_not_equal(door_open(&second, path, &why), 0);
	assert_non_null(strstr(why.text, path));
	assert_non_null(strstr(why.text, "already running"));
	assert_int_equal(stat(path, &st), 0);
	door_close(&first);
}

static void one_that_nobody_serves_is_taken_over(void **state)
{
	struct door d;
	struct why why = { "" };

	(void)state;
	close(bound());
	assert_int_equal(door_open(&d, path, &why), 0);
	door_close(&d);
}

static void so_is_one_of_a_killed_process(void **state)
{
	struct door d;
	struct why why = { "" };
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(door_open(&d, path, &why) != 0);
	waitpid(child, NULL, 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(door_open(&d, path, &why), 0);
	door_close(&d);
}

static void another_programs_is_refused(void **state)
{
	struct door d;
	struct why why = { "" };
	int fd;

	(void)state;
	fd = bound();
	assert_int_equal(listen(fd, 1), 0);
	assert_int_not_equal(door_open(&d, path, &why), 0);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	unlink(path);
}

static void a_file_is_left_alone(void **state)
{
	struct door d;
	struct why why = { "" };

	(void)state;
	fclose(fopen(path, "w"));
	assert_int_not_equal(door_open(&d, path, &why), 0);
	assert_non_null(strstr(why.text, "no socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void paths_that_cannot_be(void **state)
{
	char longest[200];
	struct door d;
	struct why why = { "" };

	(void)state;
	assert_int_not_equal(door_open(&d, "/nonexistent/folder/sock", &why), 0);
	assert_non_null(strstr(why.text, "/nonexistent/folder/sock"));
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	assert_int_not_equal(door_open(&d, longest, &why), 0);
	assert_non_null(strstr(why.text, "107"));
	assert_int_not_equal(door_open(&d, "", &why), 0);
}

/* Of many that start at once over a stale socket one gets it. */
static void only_one_of_many_wins(void **state)
{
	enum { MANY = 16 };
	struct door d;
	struct why why = { "" };
	int start[2], end[2], status, won = 0, i;
	char c;

	(void)state;
	close(bound());
	assert_int_equal(pipe(start) | pipe(end), 0);
	for (i = 0; i < MANY; i++) {
		if (fork() != 0)
			continue;
		close(start[1]);
		close(end[1]);
		(void)!read(start[0], &c, 1);
		status = door_open(&d, path, &why) != 0;
		if (status == 0)
			(void)!read(end[0], &c, 1);
		_exit(status);
	}
	close(start[1]);
	for (i = 0; i < MANY - 1; i++) {
		assert_true(wait(&status) > 0);
		won += status == 0;
	}
	assert_int_equal(won, 0);
	close(end[1]);
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
	close(start[0]);
	close(end[0]);
	assert_int_equal(door_open(&d, path, &why), 0);
	door_close(&d);
}

static void lets_its_own_user_in(void **state)
{
	int pair[2];
	unsigned uid = 12345;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_true(door_admits(pair[0], &uid));
	assert_int_equal(uid, geteuid());
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(pipe(pair), 0);
	assert_false(door_admits(pair[0], &uid));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_private_and_goes_again),
		cmocka_unit_test(a_second_one_is_refused),
		cmocka_unit_test(one_that_nobody_serves_is_taken_over),
		cmocka_unit_test(so_is_one_of_a_killed_process),
		cmocka_unit_test(another_programs_is_refused),
		cmocka_unit_test(a_file_is_left_alone),
		cmocka_unit_test(paths_that_cannot_be),
		cmocka_unit_test(only_one_of_many_wins),
		cmocka_unit_test(lets_its_own_user_in),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
