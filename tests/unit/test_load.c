/* SPDX-License-Identifier: MIT
 * test_load.c - actors from source, their headers, and what is said of those that cannot be. */
#include <glob.h>
#include <unistd.h>

#include "asking.h"

static char folder[] = "/tmp/test_patch.XXXXXX";

static const char *put_file(const char *name, const char *text)
{
	static char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void remove_files(void)
{
	char all[100];
	glob_t g;

	snprintf(all, sizeof all, "%s/*", folder);
	if (!glob(all, 0, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++)
			unlink(g.gl_pathv[i]);
	globfree(&g);
	rmdir(folder);
}

static void not_loaded(const char *path, const char *first, const char *second)
{
	struct why why = { "" };

	if (load_source(path, &why) || !strstr(why.text, first) || !strstr(why.text, second))
		fail_msg("wanted `%s` and `%s` in: %s", first, second, why.text);
}

static void sources_load(void **state)
{
	static const char room[] = HEAD
		"#include \"room_state.h\"\n"
		"static int start(actor *self) { ((struct room *)actor_state(self))->seats = 5; "
	        "return 0; }\n"
		"static int f(actor *self, const msg *m)\n"
		"{ return msg_reply(m, ((struct room *)actor_state(self))->seats); }\n"
		"const struct actor_type room = { .name = \"room\", .state = sizeof(struct room),\n"
		"	.start = start, .on = ON({ \"seats\", \"\", f, 0 }) };\n";
	struct spawn s = { .name = "room" };
	struct why why = { "" };
	actor_id id;

	(void)state;
	refused("#include \"room_state.h\"\n" TABLE("x", "x", ""), "patch.c:1: ", "room_state.h");
	put_file("room_state.h", "struct room { int seats, more; };\n");
	s.type = load_source(put_file("room.c", room), &why);
	assert_string_equal(why.text, "");
	assert_int_equal(core_spawn(&s, &id, &why), 0);
	ask(FROM_CONTROL, "room", "seats", &(struct buf){ 0 }, 0);
	assert_int_equal(number, 5);
	in_force(HEAD "#include \"room_state.h\"\nstatic int f(actor *self, const msg *m)\n"
	              "{ return msg_reply(m, 2 * ((struct room *)actor_state(self))->seats); }\n"
	              "const struct actor_type patch = { \"room\", sizeof(struct room), ON({ "
	              "\"seats\", \"\", f, 0 }) };");
	ask(FROM_CONTROL, "room", "seats", &(struct buf){ 0 }, 0);
	assert_int_equal(number, 10);
}

static void sources_that_do_not(void **state)
{
	(void)state;
	not_loaded("/nowhere/room.c", "/nowhere/room.c", "No such file");
	not_loaded(put_file("my-room.c", HEAD), "my-room.c", "no name in C");
	not_loaded(put_file("7up.c", HEAD), "7up.c", "no name in C");
	not_loaded(put_file("hall.c", HEAD "int x = ;\n"), "hall.c:2: ", "error");
	not_loaded(put_file("hall.c", HEAD), "hall.c: ", "const struct actor_type hall");
	not_loaded(put_file("hall.c", HEAD "int hall;\n"), "hall.c:2: ", "hall");
	not_loaded(put_file("hall.c", "#include \"../etc/passwd\"\n"),
	           "hall.c:1: ", "'../etc/passwd'");
	not_loaded(put_file("hall.c", "#include \"/etc/passwd\"\n"), "hall.c:1: ", "'/etc/passwd'");
	not_loaded(put_file("hall.c",
	                    HEAD "const struct actor_type hall = { .name = \"counter\" };\n"),
	           "hall.c", "counter");
}

static int set_up(void **state)
{
	return mkdtemp(folder) ? start(state) : -1;
}

static int tear_down(void **state)
{
	remove_files();
	return stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_load),
		cmocka_unit_test(sources_that_do_not),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
