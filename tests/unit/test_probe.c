/* SPDX-License-Identifier: MIT
 * test_probe.c - guard_probe() reads a text to its end, and no page behind it; soon_ns(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guard.h"
#include "ports.h"

static char *pages, *end;               /* end: of the one that can be read */
static sigjmp_buf back;

static int two_pages(void **state)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	(void)state;
	pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return -1;
	end = pages + size;
	memset(pages, 'x', size);
	return mprotect(end, size, PROT_NONE);
}

static int no_pages(void **state)
{
	(void)state;
	return munmap(pages, 2 * (size_t)(end - pages));
}

static void on_fault(int signo)
{
	(void)signo;
	siglongjmp(back, 1);
}

static bool faults(const char *text)
{
	struct sigaction catch = { .sa_handler = on_fault }, was;
	volatile bool did = false;

	sigaction(SIGSEGV, &catch, &was);
	if (sigsetjmp(back, 1))
		did = true;
	else
		guard_probe(text);
	sigaction(SIGSEGV, &was, NULL);
	return did;
}

/* Wherever it begins, and however long it is. */
static void a_text_may_end_with_its_page(void **state)
{
	(void)state;
	for (int from = 1; from <= 80; from++)
		for (int len = 0; len < from; len++) {
			end[len - from] = 0;
			assert_false(faults(end - from));
			end[len - from] = 'x';
		}
}

static void one_without_an_end_faults(void **state)
{
	(void)state;
	for (int from = 0; from <= 80; from++)
		assert_true(faults(end - from));
	assert_true(faults(NULL));
}

/* What spares looks at the clock keeps what it promises, however it is interrupted. */
static void soon_is_now_or_a_little_later(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		int64_t before = now_ns(), passed, soon = soon_ns(&passed), after = now_ns();

		assert_true(passed <= after);
		assert_true(soon >= before && soon <= after + 50000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_may_end_with_its_page),
		cmocka_unit_test(one_without_an_end_faults),
		cmocka_unit_test(soon_is_now_or_a_little_later),
	};

	return cmocka_run_group_tests(tests, two_pages, no_pages);
}
