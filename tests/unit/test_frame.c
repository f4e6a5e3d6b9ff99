/* SPDX-License-Identifier: MIT
 * Tests of bus/frame.c: what is written is read as it was; what is cut off, too large, of another
 * kind or simply noise is refused, and never read past its end. And of bus/places.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../../runtime/actor.h"
#include "bus/frame.h"
#include "bus/places.h"

static struct packed all(const struct buf *b)
{
	return (struct packed){ (const uint8_t *)b->p, (const uint8_t *)b->p + b->len };
}

static void write_one_of_each(struct buf *b)
{
	frame_begin(b, "alpha", UINT64_MAX, 7);
	part_send(b, "counter", "hit", 2);
	pack_int(b, 1);
	pack_text(b, "x");
	part_ask(b, 4711, 250, "counter", "hit", 0);
	part_answer(b, 12, 1);
	pack_num(b, 2.5);
	part_refusal(b, 13, ACTOR_ENOENT, "no \xff such");
	part_watch(b, 14, "counter");
	part_down(b, 15, "counter", "it ended");
	part_room(b, "sink", true);
	part_user(b, "ann");
	part_trace(b, &(struct trace_link){ UINT64_MAX, 16, 255, true });
	part_client(b);
	part_send(b, "counter", "hit", 0);
	part_send(b, "counter", "hit", 0);
}

static void what_is_written_is_read(void **state)
{
	struct buf b = { 0 };
	struct packed in;
	struct frame f;
	struct part p = { .number = 0 };
	struct why why;

	(void)state;
	write_one_of_each(&b);
	in = all(&b);
	assert_int_equal(frame_read(&in, &f, &why), 0);
	assert_string_equal(f.node, "alpha");
	assert_true(f.life == UINT64_MAX && f.sequence == 7);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_int_equal(p.kind, PART_SEND);
	assert_string_equal(p.to, "counter");
	assert_string_equal(p.what, "hit");
	assert_int_equal(p.count, 2);
	assert_int_equal(p.args.end - p.args.at, 3);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_ASK && p.number == 4711 && p.ms == 250 && p.count == 0);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_ANSWER && p.number == 12 && p.count == 1);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_REFUSAL && p.number == 13 && p.code == ACTOR_ENOENT);
	assert_memory_equal(p.text, "no ? such", 9);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_WATCH && p.number == 14);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_DOWN && p.number == 15 && p.len == 8);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_ROOM && p.number == 1 && !strcmp(p.to, "sink"));
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_int_equal(p.kind, PART_USER);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_TRACE && p.link.trace == UINT64_MAX && p.link.step == 16 &&
	            p.link.depth == 255 && p.link.noted);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_int_equal(p.kind, PART_CLIENT);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_int_equal(p.kind, PART_SEND);
	assert_string_equal(p.user, "ann");
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_string_equal(p.user, "");
	assert_int_equal(frame_next(&in, &p, &why), 0);
	buf_fini(&b);
}

/* Reads all there is; how many parts. */
static int read_all(const uint8_t *p, size_t len)
{
	uint8_t *own = malloc(len ? len : 1);   /* so that ASan sees its end */
	struct packed in = { own, own + len };
	struct frame f;
	struct part part = { .number = 0 };
	struct why why = { "" };
	int n = 0, rc;

	memcpy(own, p, len);
	rc = frame_read(&in, &f, &why);
	while (rc >= 0 && (rc = frame_next(&in, &part, &why)) > 0)
		n++;
	if (rc < 0)
		assert_true(why.text[0]);
	free(own);
	return rc < 0 ? rc : n;
}

static void what_is_cut_off_is_refused(void **state)
{
	struct buf b = { 0 };

	(void)state;
	write_one_of_each(&b);
	assert_int_equal(read_all((uint8_t *)b.p, b.len), 12);
	for (size_t len = 0; len < b.len; len++) {
		int n = read_all((uint8_t *)b.p, len);

		assert_true(n < 12);
	}
	buf_fini(&b);
}

static void what_declares_more_than_there_is_is_refused(void **state)
{
	static const struct { size_t len; uint8_t bytes[40]; } bad[] = {
		{ 5, { 0xdd, 0xff, 0xff, 0xff, 0xff } },
		{ 5, { 0xdb, 0xff, 0xff, 0xff, 0xff } },
		{ 6, { 0x94, 1, 0xdb, 0xff, 0xff, 0xff } },
		{ 5, { 0x94, 1, 0xa0, 1, 1 } },                 /* nobody's */
		{ 6, { 0x94, 2, 0xa1, 'a', 1, 1 } },            /* another version */
		{ 6, { 0x94, 1, 0xa1, 'a', 1, 0 } },            /* no sequence */
		{ 6, { 0x94, 1, 0xa1, 'a', 0xff, 1 } },         /* a negative life */
		{ 6, { 0x94, 1, 0xa1, 0, 1, 1 } },              /* a NUL in a name */
		{ 7, { 0x94, 1, 0xa1, 'a', 1, 1, 0xc0 } },      /* a part that is no list */
		{ 7, { 0x94, 1, 0xa1, 'a', 1, 1, 0x90 } },      /* of no kind */
		{ 8, { 0x94, 1, 0xa1, 'a', 1, 1, 0x91, 0xff } },
		{ 8, { 0x94, 1, 0xa1, 'a', 1, 1, 0x92, 99 } },  /* of an unknown kind, cut off */
		{ 12, { 0x94, 1, 0xa1, 'a', 1, 1, 0xdd, 0xff, 0xff, 0xff, 0xff, 99 } },
		{ 8, { 0x94, 1, 0xa1, 'a', 1, 1, 0x91, 0 } },   /* of too few words */
		{ 10, { 0x94, 1, 0xa1, 'a', 1, 1, 0x93, 3, 1, 0 } },
		{ 11, { 0x94, 1, 0xa1, 'a', 1, 1, 0x94, 3, 1, 5, 0xa0 } },     /* a good error */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(read_all(bad[i].bytes, bad[i].len), ACTOR_EARGS);
}

/* Of a later build: it is passed over whole, with what stands ahead of it. */
static void what_is_not_known_yet_is_passed_over(void **state)
{
	struct buf b = { 0 };
	struct packed in;
	struct frame f;
	struct part p = { .number = 0 };
	struct why why;

	(void)state;
	frame_begin(&b, "alpha", 1, 1);
	part_user(&b, "ann");
	pack_list(&b, 3);
	pack_uint(&b, UINT64_MAX);
	pack_list(&b, 1);
	pack_text(&b, "x");
	pack_num(&b, 2.5);
	part_send(&b, "counter", "hit", 0);
	pack_list(&b, 1);
	pack_uint(&b, PART_UNWATCH + 1);
	in = all(&b);
	assert_int_equal(frame_read(&in, &f, &why), 0);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_int_equal(p.kind, PART_USER);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_UNKNOWN && p.number == UINT64_MAX);
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_int_equal(p.kind, PART_SEND);
	assert_string_equal(p.user, "");
	assert_int_equal(frame_next(&in, &p, &why), 1);
	assert_true(p.kind == PART_UNKNOWN && p.number == PART_UNWATCH + 1);
	assert_int_equal(frame_next(&in, &p, &why), 0);
	buf_fini(&b);
}

static void noise_is_refused(void **state)
{
	struct buf b = { 0 };

	(void)state;
	write_one_of_each(&b);
	srandom(4711);
	for (int i = 0; i < 200000; i++) {
		size_t at = (size_t)random() % b.len;
		char was = b.p[at];

		b.p[at] = (char)random();
		read_all((uint8_t *)b.p, b.len);
		b.p[at] = was;
	}
	buf_fini(&b);
}

static void places_are_found_once(void **state)
{
	enum { MANY = 10000 };
	static struct place place[MANY];
	struct places s = { 0 };

	(void)state;
	assert_null(places_take(&s, 1));
	assert_null(places_any(&s));
	for (uint64_t i = 0; i < MANY; i++) {
		place[i].number = i * 0x100000001ull;
		places_add(&s, &place[i]);
	}
	for (uint64_t i = 0; i < MANY; i += 2) {
		assert_ptr_equal(places_take(&s, i * 0x100000001ull), &place[i]);
		assert_null(places_take(&s, i * 0x100000001ull));
	}
	for (int i = 0; i < MANY / 2; i++) {
		struct place *any = places_any(&s);

		assert_non_null(any);
		assert_null(places_take(&s, any->number));
		places_add(&s, any);    /* where places_any() has been */
		assert_ptr_equal(places_any(&s), any);
	}
	assert_null(places_any(&s));
	places_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_cut_off_is_refused),
		cmocka_unit_test(what_declares_more_than_there_is_is_refused),
		cmocka_unit_test(what_is_not_known_yet_is_passed_over),
		cmocka_unit_test(noise_is_refused),
		cmocka_unit_test(places_are_found_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
