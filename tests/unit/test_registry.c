/* SPDX-License-Identifier: MIT
 * test_registry.c - names that are asked for without end take no place from those that are given.
 * A program of its own: names are kept for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "actor.h"
#include "registry.h"

static void asked_without_end(void **state)
{
	char text[32];
	size_t len;

	(void)state;
	assert_non_null(name_asked("early", 5));
	for (uint32_t i = 0; i <= NAMES_ASKED; i++) {
		len = (size_t)snprintf(text, sizeof text, "room-%u", i);
		if (!name_asked(text, len))
			break;
	}
	assert_int_equal(name_count(), NAMES_ASKED);
	assert_null(name_asked("late", 4));
	assert_int_equal(actor_find("late"), 0);
	assert_ptr_equal(name_asked("early", 5), name_find("early", 5));
	assert_non_null(name_of("late", 4));
	assert_ptr_equal(name_asked("late", 4), name_find("late", 4));
	assert_int_not_equal(actor_find("late"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
