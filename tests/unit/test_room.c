/* SPDX-License-Identifier: MIT
 * test_room.c - who is where: against a plain matrix, by random steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../runtime/gateway/room.h"
#include "ports.h"

enum { MEMBERS = 20, NAMES = 300, STEPS = 50000 };

static struct rooms rooms;
static struct seat *seats[MEMBERS];
static bool in[MEMBERS][NAMES];

static const char *name_of(unsigned i)
{
	static char text[16];

	snprintf(text, sizeof text, "room %u", i);
	return text;
}

static void check(void)
{
	unsigned used = 0;

	for (unsigned n = 0; n < NAMES; n++) {
		unsigned count = 0, listed = 0;

		for (unsigned i = 0; i < MEMBERS; i++)
			count += in[i][n];
		assert_int_equal(room_count(&rooms, name_of(n)), count);
		for (struct seat *s = room_seats(&rooms, name_of(n)); s; s = s->next_in_room)
			listed += in[(struct seat **)s->who - seats][n];
		assert_int_equal(listed, count);
		used += count > 0;
	}
	assert_int_equal(rooms.count, used);
}

static void members_come_and_go(void **state)
{
	uint64_t seed = random_u64() | 1, x = seed;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int step = 0; step < STEPS; step++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		unsigned i = x % MEMBERS, n = x / MEMBERS % NAMES, what = x >> 40 & 63;

		if (!what) {
			rooms_leave(&seats[i]);
			memset(in[i], 0, sizeof in[i]);
		} else if (what & 1) {
			assert_true(room_enter(&rooms, name_of(n), &seats[i], &seats[i]) !=
			            in[i][n]);
			in[i][n] = true;
		} else {
			assert_true(room_leave(&rooms, name_of(n), &seats[i]) == in[i][n]);
			in[i][n] = false;
		}
		if (step % 1000 == 0)
			check();
	}
	for (int i = 0; i < MEMBERS; i++)
		rooms_leave(&seats[i]);
	assert_int_equal(rooms.count, 0);
	assert_null(rooms.bucket);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(members_come_and_go) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
