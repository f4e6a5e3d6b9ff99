/* SPDX-License-Identifier: MIT
 * test_trial.c - sources that crash the compiler, hang it or eat memory: refused in words, and the
 * next one compiles. What passes the trial compiles here. */
#include <glob.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "offers.h"
#include "patch/exchange.h"
#include "patch/headers.h"
#include "patch/trial.h"
#include "ports.h"
#include "resident.h"

static const char fine[] = "#include \"actor.h\"\nint process(actor *self) { return 0; }\n";
static struct buf said;
enum { SANITIZED = RESIDENT_NOISE_KB > 1 << 16 };

static int try(const char *text, size_t len)
{
	struct source s = { .text = text, .len = len, .file = "a.c" };
	struct program *p;

	buf_clear(&said);
	p = trial_compile(&s, &said);
	buf_add(&said, "", 1);
	program_free(p);
	return p ? 0 : ACTOR_EARGS;
}

static void refused(const char *text, const char *words)
{
	assert_int_equal(try(text, strlen(text)), ACTOR_EARGS);
	if (!strstr(said.p, words) || !strstr(said.p, "a.c:"))
		fail_msg("wanted `%s` in: %s", words, said.p);
	assert_int_equal(try(fine, strlen(fine)), 0);
}

static void what_is_right_passes(void **state)
{
	glob_t g;

	(void)state;
	assert_int_equal(glob(SOURCE_DIR "/patches/*.c", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		static char text[65536];
		FILE *f = fopen(g.gl_pathv[i], "r");
		size_t len = fread(text, 1, sizeof text, f);

		fclose(f);
		if (try(text, len))
			fail_msg("%s: %s", g.gl_pathv[i], said.p);
	}
	globfree(&g);
}

static void diagnostics_come_back(void **state)
{
	(void)state;
	refused("int f(void)\n{\n\treturn x;\n}\n", "a.c:3: error: 'x' undeclared");
	refused("int process(void) { return fork_(); }\n", "implicit declaration");
	refused("#include <unistd.h>\n", "a source may include actor.h");
	refused("", "empty");
	assert_int_equal(try("int a;\0", 7), ACTOR_EARGS);
}

static void crashes(void **state)
{
	enum { LEN = SANITIZED ? 200000 : 1000000 };    /* all within a second of CPU */
	static const char *const kinds[] = { "{", "-", "1?", "({", "sizeof(", "(" };
	char *text = malloc(LEN + 1);

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const char *start = *kinds[k] == '{' ? "" : "int x=";
		size_t at = (size_t)sprintf(text, "void f(void) {%s", start);

		for (size_t len = strlen(kinds[k]); at + len <= LEN; at += len)
			strcpy(text + at, kinds[k]);
		refused(text, "error");
	}
	refused(text, "crashed");
	free(text);
	refused("int n(){\"\"1", "error");
	refused("void f(void) { asm(\".globl\"); }\n", "error");
	refused("int x __attribute__((aligned(", "error");
	refused("#pragma comment(option, \"-dumpversion\")\nint x = ;\n", "error");
	refused("int x;\n#include<", "error");
}

/* Not endless, only longer than anyone would wait. Gives. */
static char *endless(void)
{
	enum { TIMES = 30000 };
	static const char again[] = "[0 ... 999999] = 1,";
	char *text = malloc(TIMES * sizeof again + 100);
	size_t at = (size_t)sprintf(text, "char a[1000000] = {");

	for (int i = 0; i < TIMES; i++, at += sizeof again - 1)
		strcpy(text + at, again);
	strcpy(text + at, "};\n");
	return text;
}

static void hangs(void **state)
{
	char *text = endless();

	(void)state;
	refused(text, "the compiler hung on this source");
	free(text);
}

static void bombs(void **state)
{
	char text[4096];
	size_t at = (size_t)sprintf(text, "#define M0 1,1,1,1,1,1,1,1,1,1\n");

	(void)state;
	for (int i = 1; i < 12; i++)
		at += (size_t)sprintf(text + at, "#define M%d M%d M%d M%d M%d M%d M%d M%d\n", i,
		                      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	strcpy(text + at, "int a[] = { M11 };\n");
	refused(text, "error");
}

/* What an actor's folder gave is there too, in a process that came after as well. */
static void headers_of_folders(void **state)
{
	static const char text[] = "#include \"mine.h\"\nint process(void) { return MINE; }\n";
	static const char head[] = "#define MINE 3\n";

	(void)state;
	refused(text, "'mine.h'");
	headers_keep(&(struct header){ "mine.h", "/nowhere", head, sizeof head - 1 });
	assert_int_equal(try(text, sizeof text - 1), 0);
	trial_stop();
	assert_int_equal(try(text, sizeof text - 1), 0);
}

static pid_t child(void)
{
	char path[64], line[64] = "";
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "r");
	if (f) {
		if (!fgets(line, sizeof line, f))
			*line = 0;
		fclose(f);
	}
	return (pid_t)atoi(line);
}

static void one_that_was_killed_is_replaced(void **state)
{
	pid_t before = child();
	siginfo_t ended;

	(void)state;
	if (!before)
		skip();
	kill(before, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)before, &ended, WEXITED | WNOWAIT), 0);
	assert_int_equal(try(fine, sizeof fine - 1), 0);
	assert_int_not_equal(child(), before);
}

/* Ticks of CPU time that it has used; 0: it is gone. */
static long used(pid_t p)
{
	char path[64], line[1024] = "";
	long user = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)p);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fgets(line, sizeof line, f) && strrchr(line, ')'))
		sscanf(strrchr(line, ')'),
		       ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld", &user);
	fclose(f);
	return user;
}

enum { BUSY = 3 };      /* ticks more, and it is compiling */
static struct killer { pthread_t thread; pid_t first; long used; _Atomic bool all, over; } killer;

/* The first, once it is at work, and then no other, or all. */
static void *kill_those_at_work(void *arg)
{
	static const struct timespec pause = { 0, 1000000 };

	for (bool any = false; !killer.over && (!any || killer.all); nanosleep(&pause, NULL)) {
		pid_t p = child();

		if (p && used(p) >= (p == killer.first ? killer.used : 0) + BUSY)
			any = !kill(p, SIGKILL);
	}
	return arg;
}

static void refused_while_killed(bool all, const char *words)
{
	char *text = endless();

	killer = (struct killer){ .first = child(), .used = used(child()), .all = all };
	pthread_create(&killer.thread, NULL, kill_those_at_work, NULL);
	assert_int_equal(try(text, strlen(text)), ACTOR_EARGS);
	killer.over = true;
	pthread_join(killer.thread, NULL);
	if (!strstr(said.p, words))
		fail_msg("wanted `%s` in: %s", words, said.p);
	free(text);
}

/* By whom is not the source's fault: once it is tried again, twice it is told so. */
static void one_that_is_killed_at_work_is_no_verdict(void **state)
{
	(void)state;
	if (!child())
		skip();
	refused_while_killed(false, "the compiler hung on this source");
	refused_while_killed(true, "killed twice on this source");
	assert_int_equal(try(fine, sizeof fine - 1), 0);
}

/* It has nothing: no file but its socket and /dev/null, no way to more. */
static void it_is_shut_in(void **state)
{
	char path[64], line[256], all[4096] = "";
	FILE *f;

	(void)state;
	assert_int_equal(try(fine, sizeof fine - 1), 0);        /* it has come so far */
	if (!child() || SANITIZED)
		skip();
	snprintf(path, sizeof path, "/proc/%d/status", (int)child());
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		strncat(all, line, sizeof all - strlen(all) - 1);
	fclose(f);
	assert_non_null(strstr(all, "Threads:\t1\n"));
	assert_non_null(strstr(all, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(all, "Seccomp:\t2\n"));
}

static void interrupted(int signo)
{
	(void)signo;
}

/* Neither one that does not read nor one that does not answer holds the compile thread, whatever
 * signals come. */
static void the_other_end_is_not_waited_for(void **state)
{
	static const struct itimerval soon = { .it_value = { 0, 10000 } };
	struct sigaction a = { .sa_handler = interrupted };
	static char much[4 << 20];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_false(exchange_receive(pair[0], &(struct iovec){ much, 1 }, 1, now_ms() + 100));
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_false(exchange_deliver(pair[0], &(struct iovec){ much, sizeof much }, 1,
	                              now_ms() + 100));
	close(pair[0]);
	close(pair[1]);
}

/* --- a trial that has lost its memory --------------------------------------------------- */

/* "LD_": what the trial gets of the environment. */
#define SAYS "LD_TRIAL_SAYS"

/* In the trial's place: nonsense to the first source, and then it neither reads nor ends. Before
 * tester.c's constructor. */
__attribute__((constructor(200))) static void say_nonsense(int argc, char **argv)
{
	const char *says = getenv(SAYS);
	struct reply r = { .passed = 1 };
	struct request q;

	if (argc != 1 || strcmp(argv[0], tester_name) || !says)
		return;
	do {
		exchange_receive(TESTER_FD, &(struct iovec){ &q, sizeof q }, 1, -1);
		for (int i = 0; i < EXCHANGE_TEXTS; i++) {
			void *text = malloc(q.len[i] + 1);

			exchange_receive(TESTER_FD, &(struct iovec){ text, q.len[i] }, 1, -1);
			free(text);
		}
	} while (q.kind != EXCHANGE_SOURCE);
	if (*says == 'p')
		r.p = (struct program){ .at = (char *)4096, .size = 4096 };
	else
		*(*says == 'l' ? &r.len : *says == 's' ? &r.stab : &r.str) = UINT32_MAX;
	exchange_deliver(TESTER_FD, &(struct iovec){ &r, sizeof r }, 1, -1);
	for (;;)
		pause();
}

static void nonsense_is_neither_believed_nor_waited_for(void **state)
{
	static const char *const says[] = { "place", "len", "stab", "texts" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(says); i++) {
		trial_stop();
		setenv(SAYS, says[i], 1);
		assert_int_equal(try(fine, sizeof fine - 1), ACTOR_EARGS);
		unsetenv(SAYS);
		if (!strstr(said.p, "lost its memory on this source"))
			fail_msg("%s: %s", says[i], said.p);
		trial_stop();
	}
	assert_int_equal(try(fine, sizeof fine - 1), 0);
}

static double took_us(int times, bool trial)
{
	struct source s = { .text = fine, .len = sizeof fine - 1, .file = "a.c" };
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < times; i++) {
		if (trial)
			assert_int_equal(try(fine, sizeof fine - 1), 0);
		else
			program_free(program_compile(&s, &said));
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e6 +
	        (double)(to.tv_nsec - from.tv_nsec) / 1e3) / times;
}

static void what_it_costs(void **state)
{
	enum { TIMES = SANITIZED ? 200 : 1000 };
	long before;

	(void)state;
	took_us(TIMES, true);
	before = resident_kb();
	print_message("a trial: %.0f us, the compile alone %.0f us\n", took_us(TIMES, true),
	              took_us(TIMES, false));
	assert_true(resident_kb() - before < RESIDENT_NOISE_KB);
}

static int start(void **state)
{
	static int64_t speed;           /* as the arena offers it: patches/arena_fast.c */
	struct why why;

	(void)state;
	if (offers_add("arena", OFFERS(OFFER_VAR(speed, 0, 40)), &why) < 0)
		return -1;
	return trial_start(&why);
}

static int stop(void **state)
{
	(void)state;
	trial_stop();
	buf_fini(&said);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right_passes),
		cmocka_unit_test(diagnostics_come_back),
		cmocka_unit_test(crashes),
		cmocka_unit_test(hangs),
		cmocka_unit_test(bombs),
		cmocka_unit_test(headers_of_folders),
		cmocka_unit_test(one_that_was_killed_is_replaced),
		cmocka_unit_test(one_that_is_killed_at_work_is_no_verdict),
		cmocka_unit_test(it_is_shut_in),
		cmocka_unit_test(the_other_end_is_not_waited_for),
		cmocka_unit_test(nonsense_is_neither_believed_nor_waited_for),
		cmocka_unit_test(what_it_costs),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
