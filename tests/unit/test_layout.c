/* SPDX-License-Identifier: MIT
 * test_layout.c - patches that take an actor's state for something else: 300 generated edits of
 * state structs, each of which is refused, or changes nothing and is taken. */
#include <unistd.h>

#include "asking.h"
#include "seeded.h"

enum { EDITS = 300, FIELDS = 8 };

struct field { char type[48], name[16], tail[16]; };
struct shape { struct field f[FIELDS + 1]; int n; char inner[200]; };

static const char *const types[][3] = {         /* of one size each */
	{ "int64_t", "double", "char *" },
	{ "int", "float", "enum colour" },
	{ "short", "unsigned short", "bool2" },
	{ "struct inner", "struct twin", "struct inner" },
	{ "uint64_t", "struct shape *", "void *" },
	{ "unsigned char", "signed char", "_Bool" },
};

static unsigned pick(unsigned n)
{
	return seeded(n);
}

static void shape_make(struct shape *s)
{
	*s = (struct shape){ .n = 2 + (int)pick(FIELDS - 2) };
	strcpy(s->inner, "int x; short y[2];");
	for (int i = 0; i < s->n; i++) {
		strcpy(s->f[i].type, types[pick(ARRAY_LEN(types))][0]);
		sprintf(s->f[i].name, "f%d", i);
		if (!pick(3))
			sprintf(s->f[i].tail, "[%u]", 2 + pick(4));
		else if (!strcmp(s->f[i].type, "int") && !pick(2))
			strcpy(s->f[i].tail, ":5");
	}
	strcpy(s->f[0].type, "struct inner");
	*s->f[0].tail = 0;
}

static void shape_text(const struct shape *s, const char *space, char *out)
{
	out += sprintf(
		out,
		HEAD "enum colour { RED, BLUE };\ntypedef short bool2;\n"
		     "struct inner { %s };\nstruct twin { int x; short y[2]; };\nstruct shape {%s",
		s->inner, space);
	for (int i = 0; i < s->n; i++)
		out += sprintf(out, "%s %s%s;%s", s->f[i].type, s->f[i].name, s->f[i].tail, space);
	strcpy(out, "};\n");
}

/* True: the layout is another. what: for the message. */
static bool edit(struct shape *s, const char **what, const char **space)
{
	int at = (int)pick((unsigned)s->n), other = (at + 1) % s->n;
	struct field keep = s->f[at];

	switch (pick(10)) {
	case 0:
		*what = "a field is renamed";
		strcat(s->f[at].name, "x");
		return true;
	case 1:
		*what = "a type of the same size";
		for (size_t k = 0; k < ARRAY_LEN(types); k++)
			if (!strcmp(types[k][0], s->f[at].type)) {
				strcpy(s->f[at].type, types[k][1]);
				if (*s->f[at].tail == ':')
					*s->f[at].tail = 0;
				return true;
			}
		return false;
	case 2:
		*what = "two fields change places";
		s->f[at] = s->f[other];
		s->f[other] = keep;
		return true;
	case 3:
		*what = "a field more";
		strcpy(s->f[s->n].type, "char");
		strcpy(s->f[s->n].name, "more");
		*s->f[s->n++].tail = 0;
		return true;
	case 4:
		*what = "a field less";
		s->n--;
		return true;
	case 5:
		*what = "an array of another length";
		strcpy(s->f[at].tail, *s->f[at].tail == '[' ? "" : "[9]");
		return true;
	case 6:
		*what = "inside a struct inside";
		strcpy(s->inner, pick(2) ? "int x; short z[2];" : "unsigned x; short y[2];");
		return true;
	case 7:
		*what = "only white space and comments";
		*space = "\n\t/* sizeof(int); */ ";
		return false;
	case 8:
		*what = "a qualifier";
		memmove(s->f[at].type + 9, s->f[at].type, strlen(s->f[at].type) + 1);
		memcpy(s->f[at].type, "volatile ", 9);
		return false;
	default:
		*what = "nothing";
		return false;
	}
}

static void actor_load(const char *folder, int i, const char *text)
{
	char path[200], name[32];
	FILE *f;

	sprintf(name, "gen%d", i);
	snprintf(path, sizeof path, "%s/%s.c", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%sstatic int f(actor *self, const msg *m) { return msg_reply(m, 1); }\n"
	        "const struct actor_type %s = { .name = \"%s\", .state = sizeof(struct shape), "
	        ".on = ON({ \"f\", \"\", f, 0 }) };\n", text, name, name);
	fclose(f);
	load(path, name);
	unlink(path);
}

static void patch_text(char *out, const char *text, int i, int how)
{
	static const char *const bodies[] = {
		"struct shape *s = actor_state(self); return msg_reply(m, (int)sizeof *s);",
		"return msg_reply(m, (int)sizeof *(struct shape *)actor_state(self));",
		"return msg_reply(m, 2);",
	};
	static const char *const states[] = { ".state = sizeof(struct shape), ", "" };

	sprintf(out,
		"%sstatic int f(actor *self, const msg *m) { %s }\n"
		"const struct actor_type patch = { .name = \"gen%d\", %s.on = ON({ \"f\", \"\", f, "
		"0 }) };\n",
		text, bodies[how % 3], i, states[how == 0 || how == 1]);
	if (how == 2)
		sprintf(out, "%sstatic int f(actor *self, const msg *m) { %s }\n"
		        "const struct actor_type patch = { \"gen%d\", sizeof (struct shape), "
		        "ON({ \"f\", \"\", f, 0 }) };\n", text, bodies[2], i);
}

static void generated_edits(void **state)
{
	char folder[] = "/tmp/layoutXXXXXX", text[2000], source[4000];
	int taken = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (int i = 0, rounds = (int)seeded_begin("layout", EDITS); i < rounds; i++) {
		const char *what = "", *space = " ";
		struct shape s;
		bool other;

		shape_make(&s);
		shape_text(&s, space, text);
		actor_load(folder, i, text);
		other = edit(&s, &what, &space);
		shape_text(&s, space, text);
		patch_text(source, text, i, (int)pick(5));
		apply_from(FROM_CONTROL, "apply", source);
		taken += !code;
		if (other ? !code : code)
			fail_msg("edit %d: %s: %s\n%s", i, what,
			         code ? words : "taken", source);
		if (other && !strstr(words, "was ") && !strstr(words, "is new"))
			fail_msg("%s: %s", what, words);
	}
	rmdir(folder);
	assert_true(taken > EDITS / 10 && taken < EDITS * 9 / 10);
}

#define COUNTER "#include \"counter.h\"\n"
#define HIT                                                                                        \
	"const struct actor_type patch = { .name = \"counter\", .on = ON({ \"hit\", \"by:int\", "  \
	"f, 0 }) };\n"

static void words_and_ways(void **state)
{
	(void)state;
	refused(HEAD "struct counter { double hits; };\nstatic int f(actor *self, const msg *m)\n"
	        "{ struct counter *c = actor_state(self); return msg_reply(m, c->hits); }\n" HIT,
	        "patch.c:4: error: counter: a handler takes its state for something else: ",
	        "hits: was long int at byte 0, is double at byte 0");
	refused(ANSWER("1") "struct counter { int a, b; };\nconst struct actor_type patch = { "
			    ".name = \"counter\", "
			    ".state = sizeof(struct counter), .on = ON({ \"hit\", \"by:int\", f, 0 "
			    "}) };",
		"hits: is gone, was long int at byte 0; a: is new, int at byte 0; b: is new, int "
		"at byte 4",
		"8 bytes here");
	refused(HEAD "static int f(actor *self, const msg *m) { return msg_reply(m, "
		     "(uint64_t)(uintptr_t)actor_state(self)); }\n" HIT,
		"does not say as what", ".state = sizeof(struct ...)");
	refused(ANSWER("1") "const struct actor_type patch = { .name = \"counter\", .state = 8, "
			    ".on = ON({ \"hit\", "
			    "\"by:int\", f, 0 }) };",
		"cannot be seen", "sizeof(struct ...)");
	eval(FROM_CONTROL, "counter", "hit",
	     HEAD "struct c { float a, b; };\nint f(actor *self, const msg *m)\n"
		  "{ struct c *c = actor_state(self); return msg_reply(m, c->a); }\n",
	     "f");
	assert_non_null(strstr(words, "takes its state for something else"));
	eval(FROM_CONTROL, "counter", "hit", HEAD COUNTER "int f(actor *self, const msg *m)\n"
	     "{ struct counter *c = actor_state(self); return msg_reply(m, c->hits); }\n", "f");
	assert_int_equal(code, 0);
}

/* 8 to the 12th lines, told of in two thousand bytes: they are not written down. */
static void unions_of_unions(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_text(&b, HEAD "union u0 { char c; };\n");
	for (int i = 1; i <= 12; i++) {
		buf_printf(&b, "union u%d {", i);
		for (int k = 0; k < 8; k++)
			buf_printf(&b, " union u%d f%d;", i - 1, k);
		buf_text(&b, " };\n");
	}
	buf_text(&b, "static int f(actor *self, const msg *m)\n{ union u12 *c = actor_state(self); "
	         "return msg_reply(m, c != 0); }\n" HIT);
	buf_add(&b, "", 1);
	refused(b.p, "takes its state for something else", "too large to compare");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unions_of_unions),
		cmocka_unit_test(words_and_ways),
		cmocka_unit_test(generated_edits),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
