/* SPDX-License-Identifier: MIT
 * test_envelope.c - messages in both encodings: read, written, refused, and bent at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "actor.h"
#include "envelope.h"
#include "json.h"
#include "seeded.h"

static struct why why;
static struct envelope e;
static struct buf scratch;

#define READ(bytes) (why.text[0] = 0, envelope_read(&e, &scratch, bytes, sizeof(bytes) - 1, &why))

static void assert_text(struct text t, const char *is)
{
	if (is == NULL) {
		assert_null(t.p);
		return;
	}
	assert_non_null(t.p);
	assert_string_equal(t.p, is);
	assert_int_equal(t.len, strlen(is));
}

static const char *as_json(const struct envelope *from)
{
	static struct buf out;
	struct envelope copy = *from;

	copy.enc = ENC_JSON;
	out.len = 0;
	envelope_write(&out, &copy);
	buf_add(&out, "", 1);
	return out.p;
}

/* Turns e into the same message in msgpack, in memory of its own. */
static void into_msgpack(struct buf *bytes)
{
	e.enc = ENC_MSGPACK;
	envelope_write(bytes, &e);
	assert_int_equal(envelope_read(&e, &scratch, bytes->p, bytes->len, &why), 0);
	assert_int_equal(e.enc, ENC_MSGPACK);
}

static void the_first_byte_tells(void **state)
{
	(void)state;
	assert_true(envelope_is("{", 1));
	assert_true(envelope_is(" \t\r\n{", 5));
	assert_true(envelope_is("\x80", 1));
	assert_true(envelope_is("\x8f", 1));
	assert_true(envelope_is("\xde\0\0", 3));
	assert_true(envelope_is("\xdf\0\0\0\0", 5));
	assert_false(envelope_is("", 0));
	assert_false(envelope_is(NULL, 0));
	assert_false(envelope_is("  ", 2));
	assert_false(envelope_is("[{", 2));
	assert_false(envelope_is("#include \"actor.h\"", 18));
	assert_false(envelope_is("\x90", 1));
	assert_false(envelope_is("\xef\xbb\xbf{", 4));
}

static void all_keys_are_read(void **state)
{
	struct buf bytes = { 0 };
	int i;

	(void)state;
	assert_int_equal(READ("{\"tpc\":\"rpc\",\"func\":\"test\",\"args\":[1,\"two\",[3.5]],"
	                      "\"cb\":\"back\",\"ct\":\"there\",\"id\":7,\"pid\":\"node\","
	                      "\"trace\":\"a1\",\"more\":{\"args\":[[]]}}"), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(e.enc, i ? ENC_MSGPACK : ENC_JSON);
		assert_text(e.tpc, "rpc");
		assert_text(e.func, "test");
		assert_text(e.cb, "back");
		assert_text(e.ct, "there");
		assert_text(e.pid, "node");
		assert_text(e.trace, "a1");
		assert_int_equal(e.count, 3);
		assert_int_equal(packed_check(e.args.at, (size_t)(e.args.end - e.args.at), 3, &why),
		                 3);
		assert_int_equal(e.id.end - e.id.at, 1);
		assert_int_equal(*e.id.at, 7);
		assert_int_equal(e.err_code, 0);
		assert_text(e.err_text, NULL);
		assert_string_equal(as_json(&e),
		                    "{\"tpc\":\"rpc\",\"func\":\"test\",\"args\":[1,\"two\",[3.5]],"
		                    "\"cb\":\"back\",\"ct\":\"there\",\"id\":7,\"pid\":\"node\","
		                    "\"trace\":\"a1\"}");
		if (i == 0)
			into_msgpack(&bytes);
	}
	buf_fini(&bytes);
}

static void what_is_absent_stays_absent(void **state)
{
	(void)state;
	assert_int_equal(READ(" {\"func\":\"f\"} "), 0);
	assert_text(e.tpc, NULL);
	assert_text(e.cb, NULL);
	assert_null(e.id.at);
	assert_int_equal(e.count, 0);
	assert_string_equal(as_json(&e), "{\"func\":\"f\",\"args\":[]}");
	assert_int_equal(READ("{\"func\":\"f\",\"args\":null,\"cb\":null,\"id\":null,\"err\":null,"
	                      "\"tpc\":null,\"ct\":\"\"}"), 0);
	assert_text(e.cb, NULL);
	assert_text(e.ct, "");
	assert_null(e.id.at);
	assert_string_equal(as_json(&e), "{\"func\":\"f\",\"args\":[],\"ct\":\"\"}");
	/* A trace of another type is a key that means something else to somebody else. */
	assert_int_equal(READ("{\"func\":\"f\",\"trace\":{\"a\":[1,\"x\"]},\"tpc\":\"t\"}"), 0);
	assert_text(e.trace, NULL);
	assert_text(e.tpc, "t");
}

static void msgpack_is_not_copied(void **state)
{
	static const char bytes[] = "\x83\xa4" "func\xa1" "f\xa4" "args\x92\x01\xa1x\xa2id\xa1i";
	const uint8_t *begin = (const uint8_t *)bytes;

	(void)state;
	assert_int_equal(READ(bytes), 0);
	assert_ptr_equal(e.args.at, begin + 14);
	assert_ptr_equal(e.args.end, begin + 17);
	assert_ptr_equal(e.id.at, begin + 20);
	assert_text(e.func, "f");
}

/* What is wrong with it, and that whoever sent it can be told. */
static void refusals_say_why(void **state)
{
	static const struct { const char *bytes, *says, *cb; } cases[] = {
		{ "", "it is empty", NULL },
		{ "hello", "neither a JSON object nor a msgpack map", NULL },
		{ "[1]", "neither", NULL },
		{ "{", "JSON, line 1", NULL },
		{ "{\"cb\":\"c\"}", "func is missing", "c" },
		{ "{\"func\":\"\",\"cb\":\"c\"}", "func is missing or empty", "c" },
		{ "{\"func\":1,\"cb\":\"c\"}", "func must be a str, got int", "c" },
		{ "{\"func\":[[1]],\"cb\":\"c\"}", "func must be a str, got list", "c" },
		{ "{\"args\":{\"a\":1},\"func\":\"f\",\"cb\":\"c\"}",
		  "args must be a list, got map", "c" },
		{ "{\"id\":1.5,\"func\":\"f\",\"cb\":\"c\"}", "id must be a str or an int, got num",
		  "c" },
		{ "{\"id\":[],\"func\":\"f\",\"cb\":\"c\"}", "id must be a str or an int, got list",
		  "c" },
		{ "{\"err\":[],\"cb\":\"c\"}", "err must be a map, got list", "c" },
		{ "{\"err\":{\"code\":\"x\"},\"cb\":\"c\"}", "err.code must be an int", "c" },
		{ "{\"err\":{\"code\":9999999999},\"cb\":\"c\"}", "err.code must be an int", "c" },
		{ "{\"ct\":\"a\\u0000b\",\"func\":\"f\",\"cb\":\"c\"}",
		  "ct must be UTF-8 without NUL", "c" },
		{ "{\"func\":\"f\",\"func\":\"g\"}", "duplicate", NULL },
		{ "\x82\xa2" "cb\xa1" "c\xa2" "cb\xa1" "d", "the key cb comes twice", "c" },
		{ "\x81\xa4" "func\xc4\x01" "f", "func must be a str, got bytes", NULL },
		{ "\x81\xa4" "func\xa1\xff", "func must be UTF-8", NULL },
		{ "\x83\xa4" "func\xa1" "f\xa4" "args\x91\xc7\x01\x05\x01\xa2" "cb\xa1" "c",
		  "argument 1: msgpack, byte 0: ext types", "c" },
		{ "\x83\xa4" "func\xa1" "f\xa2" "cb\xa1" "c\xa4" "args\x92\x01\xa1",
		  "argument 2: msgpack, byte 0: the bytes end in the middle", "c" },
		{ "\x83\xa4" "func\xa1" "f\xa2" "cb\xa1" "c\xa4" "args\xdd\xff\xff\xff\xff",
		  "broken", "c" },
		{ "\x82\xa4" "func\xa1" "f", "broken or cut off at byte 8 of 8", NULL },
		{ "\xdf\xff\xff\xff\xff", "declares more than the 5 bytes", NULL },
		{ "\x82\xa2" "cb\xa1" "c\xa4" "func\xa1" "f\xc3", "the map ends at byte 13 of 14",
		  "c" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(envelope_read(&e, &scratch, cases[i].bytes, strlen(cases[i].bytes),
		                               &why),
		                 ACTOR_EARGS);
		if (strstr(why.text, cases[i].says) == NULL)
			fail_msg("case %zu says: %s", i, why.text);
		assert_text(e.cb, cases[i].cb);
		assert_int_equal(e.count, 0);
	}
}

static void unknown_keys_are_passed_over(void **state)
{
	static const char bytes[] = "\x85\x01\x02\x91\xa1k\x91\xc0"
	                            "\xa4" "more\xd6\xff\0\0\0\0\xc0\xc0\xa4" "func\xa1" "f";

	(void)state;
	assert_int_equal(READ(bytes), 0);
	assert_text(e.func, "f");
}

static void errors_of_answers(void **state)
{
	struct buf bytes = { 0 };
	int i;

	(void)state;
	assert_int_equal(READ("{\"id\":\"q\",\"args\":[],\"err\":{\"code\":-2,"
	                      "\"text\":\"no a\\u0000b\",\"more\":[1]}}"), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(e.err_code, ACTOR_ENOENT);
		assert_int_equal(e.err_text.len, 6);
		assert_memory_equal(e.err_text.p, "no a\0b", 7);
		if (i == 0)
			into_msgpack(&bytes);
	}
	assert_int_equal(READ("{\"err\":{}}"), 0);
	assert_int_equal(e.err_code, ACTOR_EFAIL);
	assert_int_equal(READ("{\"err\":{\"code\":0,\"text\":\"x\"}}"), 0);
	assert_int_equal(e.err_code, ACTOR_EFAIL);
	buf_fini(&bytes);
}

static void answers_echo_the_id(void **state)
{
	struct buf answer = { 0 };
	struct packed args;

	(void)state;
	assert_int_equal(READ("{\"func\":\"f\",\"args\":[1,true],\"cb\":\"back\",\"ct\":\"t\","
	                      "\"tpc\":\"a\",\"id\":\"x\"}"), 0);
	args = e.args;
	envelope_answer(&answer, &e, &args, 2, 0, NULL);
	envelope_answer(&answer, &e, &args, 2, ACTOR_EFAIL, "no\xff\n");
	envelope_answer(&answer, &e, NULL, 0, 0, NULL);
	buf_add(&answer, "", 1);
	assert_string_equal(answer.p, "{\"func\":\"back\",\"args\":[1,true],\"id\":\"x\"}"
	                    "{\"func\":\"back\",\"args\":[],\"id\":\"x\","
	                    "\"err\":{\"code\":-5,\"text\":\"no?\\n\"}}"
	                    "{\"func\":\"back\",\"args\":[],\"id\":\"x\"}");
	answer.len = 0;
	e.enc = ENC_MSGPACK;
	envelope_answer(&answer, &e, &args, 2, ACTOR_EARGS, "no\xff\n");
	assert_int_equal(envelope_read(&e, &scratch, answer.p, answer.len, &why), 0);
	assert_text(e.err_text, "no?\n");
	assert_text(e.func, "back");
	assert_int_equal(e.err_code, ACTOR_EARGS);
	buf_fini(&answer);
}

static int read_args(unsigned count, int depth, enum encoding enc)
{
	struct buf bytes = { 0 };
	unsigned i;
	int j, failed;

	e = (struct envelope){ .enc = enc, .func = { "f", 1 }, .count = count };
	for (i = 0; i < count; i++) {
		for (j = 0; j < depth; j++)
			pack_list(&bytes, 1);
		pack_int(&bytes, i);
	}
	e.args = (struct packed){ (uint8_t *)bytes.p, (uint8_t *)bytes.p + bytes.len };
	bytes = (struct buf){ 0 };
	envelope_write(&bytes, &e);
	mem_free((void *)(uintptr_t)e.args.at);
	failed = envelope_read(&e, &scratch, bytes.p, bytes.len, &why);
	buf_fini(&bytes);
	return failed;
}

static void limits_are_the_same_in_both(void **state)
{
	static char big[MESSAGE_MAX + 1];
	int enc;

	(void)state;
	for (enc = ENC_JSON; enc <= ENC_MSGPACK; enc++) {
		assert_int_equal(read_args(255, 0, (enum encoding)enc), 0);
		assert_int_equal(e.count, 255);
		assert_int_equal(read_args(256, 0, (enum encoding)enc), ACTOR_EARGS);
		assert_non_null(strstr(why.text, "256 values, a message takes 255"));
		assert_int_equal(read_args(2, VALUE_DEPTH, (enum encoding)enc), 0);
		assert_int_equal(read_args(2, VALUE_DEPTH + 1, (enum encoding)enc), ACTOR_EARGS);
		assert_non_null(strstr(why.text, "nested too deep"));
	}
	memset(big, '{', sizeof big);
	assert_int_equal(envelope_read(&e, &scratch, big, sizeof big, &why), ACTOR_EARGS);
	assert_non_null(strstr(why.text, "16777217 bytes"));
}

/* --- at random --------------------------------------------------------------------- */
static void random_text(struct buf *to, unsigned most)
{
	static const char *const pieces[] = { "a", "b\"", "\\", "\n", "\xc3\xa4",
		"\xf0\x9f\x92\xa9", "{",
	                                      "longer text, so that heads grow to two bytes" };
	unsigned n = seeded(most + 1);

	to->len = 0;
	for (; n > 0; n--)
		buf_text(to, pieces[seeded(ARRAY_LEN(pieces))]);
}

static void random_value(struct buf *out, int depth);

static void random_items(struct buf *out, int depth, bool map)
{
	unsigned i, n = seeded(4);
	char key[24];

	(map ? pack_map : pack_list)(out, n);
	for (i = 0; i < n; i++) {
		snprintf(key, sizeof key, "key \"%u\"", i);
		if (map)
			pack_text(out, key);
		random_value(out, depth - 1);
	}
}

static void random_value(struct buf *out, int depth)
{
	struct buf text = { 0 };

	random_text(&text, 4);
	switch (seeded(depth > 0 ? 9 : 7)) {
	case 0: pack_null(out); break;
	case 1: pack_int(out, (int64_t)(seeded_u64() >> (1 + seeded(63)))); break;
	case 2: pack_int(out, -(int64_t)(seeded_u64() >> (1 + seeded(63)))); break;
	case 3: pack_num(out, (double)seeded_u64() / (1 + seeded(1000))); break;
	case 4: pack_bool(out, seeded(2)); break;
	case 5: pack_str(out, text.p, text.len); break;
	case 6: pack_bytes(out, text.p, text.len); break;
	case 7: random_items(out, depth, false); break;
	case 8: random_items(out, depth, true); break;
	}
	buf_fini(&text);
}

/* The texts of one message, its id and its arguments. */
static struct buf texts[7], id, args;

static struct envelope random_envelope(void)
{
	struct envelope m = { .enc = (enum encoding)seeded(2), .count = seeded(4) };
	struct text *all[] = { &m.func, &m.tpc, &m.cb, &m.ct, &m.pid, &m.err_text, &m.trace };
	unsigned i;

	for (i = 0; i < ARRAY_LEN(all); i++) {
		random_text(&texts[i], 3);
		buf_text(&texts[i], "f");
		if (i == 0 || seeded(2))
			*all[i] = (struct text){ texts[i].p, texts[i].len };
	}
	m.err_code = m.err_text.p ? -(int)seeded(8) - 1 : 0;
	id.len = args.len = 0;
	buf_reserve(&args, 1);
	if (seeded(2))
		pack_int(&id, (int64_t)seeded_u64());
	else
		pack_str(&id, texts[0].p, texts[0].len);
	if (seeded(3))
		m.id = (struct packed){ (uint8_t *)id.p, (uint8_t *)id.p + id.len };
	for (i = 0; i < m.count; i++)
		random_value(&args, 4);
	m.args = (struct packed){ (uint8_t *)args.p, (uint8_t *)args.p + args.len };
	return m;
}

static void forget_random(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++)
		buf_fini(&texts[i]);
	buf_fini(&id);
	buf_fini(&args);
	buf_fini(&scratch);
}

static void any_message_comes_back(void **state)
{
	unsigned rounds = seeded_begin(__func__, 5000);
	struct buf bytes = { 0 };
	struct envelope m;
	char *json;

	(void)state;
	while (rounds-- > 0) {
		m = random_envelope();
		bytes.len = 0;
		envelope_write(&bytes, &m);
		json = mem_string(as_json(&m), strlen(as_json(&m)));
		if (envelope_read(&e, &scratch, bytes.p, bytes.len, &why) != 0)
			fail_msg("%s: %s", why.text, json);
		assert_int_equal(e.enc, m.enc);
		assert_string_equal(as_json(&e), json);
		mem_free(json);
	}
	buf_fini(&bytes);
	forget_random();
}

static void bend(struct buf *b)
{
	unsigned at = seeded((unsigned)b->len), n;

	switch (seeded(5)) {
	case 0: b->p[at] = (char)seeded(256); break;
	case 1: b->p[at] = (char)(0x80 + seeded(96)); break;
	case 2: b->p[at] ^= (char)(1 << seeded(8)); break;
	case 3: b->len = at + 1; break;
	case 4:         /* a piece of it comes again */
		n = seeded((unsigned)b->len - at) + 1;
		buf_reserve(b, n);
		memmove(b->p + at + n, b->p + at, b->len - at);
		b->len += n;
		break;
	}
}

/* What was taken is sound: it can be written, and read again. */
static void check_taken(void)
{
	struct buf again = { 0 };
	char *json = mem_string(as_json(&e), strlen(as_json(&e)));

	assert_int_equal(packed_check(e.args.at, (size_t)(e.args.end - e.args.at), -1, &why),
	                 e.count);
	assert_true(e.func.len > 0 || e.err_code != 0);
	into_msgpack(&again);
	assert_string_equal(as_json(&e), json);
	buf_fini(&again);
	mem_free(json);
}

static void no_bytes_harm_the_reader(void **state)
{
	unsigned rounds = seeded_begin(__func__, 20000), n, taken = 0;
	struct buf bytes = { 0 };
	struct envelope m;
	char *exact;

	(void)state;
	while (rounds-- > 0) {
		m = random_envelope();
		bytes.len = 0;
		envelope_write(&bytes, &m);
		for (n = 1 + seeded(4); n > 0; n--)
			bend(&bytes);
		exact = mem_resize(NULL, bytes.len);    /* a sanitizer sees a read behind these */
		memcpy(exact, bytes.p, bytes.len);
		why.text[0] = 0;
		if (envelope_read(&e, &scratch, exact, bytes.len, &why) == 0) {
			check_taken();
			taken++;
		} else {
			assert_true(why.text[0] != 0 && e.count == 0);
		}
		mem_free(exact);
	}
	assert_true(taken > 0);
	buf_fini(&bytes);
	forget_random();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_byte_tells),
		cmocka_unit_test(all_keys_are_read),
		cmocka_unit_test(what_is_absent_stays_absent),
		cmocka_unit_test(msgpack_is_not_copied),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(unknown_keys_are_passed_over),
		cmocka_unit_test(errors_of_answers),
		cmocka_unit_test(answers_echo_the_id),
		cmocka_unit_test(limits_are_the_same_in_both),
		cmocka_unit_test(any_message_comes_back),
		cmocka_unit_test(no_bytes_harm_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
