/* SPDX-License-Identifier: MIT
 * actorctl.c - the tool of a running actord: options, which command.
 *
 * stdout has data, stderr the rest; the exit status says what kind of trouble it was. A command
 * that this version does not have is a usage error. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl_commands.h"
#include "ctl_guess.h"
#include "ctl_help.h"
#include "ctl_show.h"
#include "json.h"

enum { TIMEOUT_MAX_MS = 3600000, WORDS_MAX = 4096 };

/* --- errors ------------------------------------------------------------------- */

static void fail_json(enum ctl_status status, const char *text)
{
	struct buf b = { 0 };

	buf_printf(&b, "{\"error\":{\"code\":%d,\"text\":", (int)status);
	json_text(&b, text, strlen(text));
	buf_text(&b, "}}\n");
	fwrite(b.p, 1, b.len, stdout);
	buf_fini(&b);
}

/* Line by line, as names and sources in it may hold anything. */
static void fail_words(const char *before, const char *text)
{
	struct buf b = { 0 };
	size_t n;

	buf_text(&b, before);
	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (n)
			show_text(&b, text, n);
		buf_text(&b, "\n");
	}
	if (b.len)
		fwrite(b.p, 1, b.len, stderr);
	buf_fini(&b);
}

int ctl_fail_bare(const struct ctl *c, enum ctl_status status, const char *text)
{
	if (c->json)
		fail_json(status, text);
	else
		fail_words("", text);
	return (int)status;
}

int ctl_fail(const struct ctl *c, enum ctl_status status, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->json)
		fail_json(status, text);
	else
		fail_words("actorctl: ", text);
	return (int)status;
}

/* --- what was asked for ------------------------------------------------------- */

struct request {
	struct ctl ctl;
	const struct command *command;
	char *words[WORDS_MAX];
	int count;                      /* of words, those of the command's name among them */
	bool help, version, man, list;
};

/* The value of an option: behind `=`, or the next word. */
static const char *value_of(const struct ctl *c, char **argv, int *i, const char *name)
{
	const char *eq = strchr(argv[*i], '=');

	if (eq)
		return eq + 1;
	if (argv[*i + 1])
		return argv[++*i];
	ctl_fail(c, CTL_USAGE, "%s needs a value; see actorctl --help", name);
	return NULL;
}

static int read_timeout(struct ctl *c, const char *text)
{
	char *end;
	long ms = strtol(text, &end, 10);

	if (*end || end == text || ms < 1 || ms > TIMEOUT_MAX_MS)
		return ctl_fail(c, CTL_USAGE, "--timeout: `%s` is not 1 to %d milliseconds", text,
			TIMEOUT_MAX_MS);
	c->timeout_ms = (int)ms;
	return CTL_DONE;
}

/* Where the value goes: a bool, a text, or for MS timeout_ms. */
static const struct option {
	const char *name;
	enum { FLAG, TEXT, MS } kind;
	size_t at;
} options[] = {
	{ "--control", TEXT, offsetof(struct request, ctl.control) },
	{ "--redis", TEXT, offsetof(struct request, ctl.redis) },
	{ "--node", TEXT, offsetof(struct request, ctl.node) },
	{ "--json", FLAG, offsetof(struct request, ctl.json) },
	{ "--timeout", MS, 0 },
	{ "--help", FLAG, offsetof(struct request, help) },
	{ "-h", FLAG, offsetof(struct request, help) },
	{ "--version", FLAG, offsetof(struct request, version) },
	{ "--man", FLAG, offsetof(struct request, man) },
	{ "--commands", FLAG, offsetof(struct request, list) },
	{ "--probation", TEXT, offsetof(struct request, ctl.probation) },
	{ "--group", TEXT, offsetof(struct request, ctl.group) },
	{ "--note", TEXT, offsetof(struct request, ctl.note) },
	{ "--author", TEXT, offsetof(struct request, ctl.author) },
	{ "--wait", FLAG, offsetof(struct request, ctl.wait) },
	{ "--lose-changes", FLAG, offsetof(struct request, ctl.lose) },
	{ "--verify", FLAG, offsetof(struct request, ctl.verify) },
};

static const struct option *find_option(const char *word, struct guess *g)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		size_t n = strlen(options[i].name);

		if (strncmp(word, options[i].name, n) == 0 && (!word[n] || word[n] == '='))
			return &options[i];
		guess_offer(g, options[i].name);
	}
	return NULL;
}

static int read_option(struct request *r, char **argv, int *i)
{
	const char *word = argv[*i], *value;
	struct guess g = guess_begin(word);
	const struct option *o = find_option(word, &g);
	void *to = (char *)r + (o ? o->at : 0);

	if (!o)
		return ctl_fail(&r->ctl, CTL_USAGE, "no option `%s`%s; see actorctl --help", word,
			guess_words(&g));
	if (o->kind == FLAG && strchr(word, '='))
		return ctl_fail(&r->ctl, CTL_USAGE, "%s takes no value; see actorctl --help",
			o->name);
	if (o->kind == FLAG) {
		*(bool *)to = true;
		return CTL_DONE;
	}
	value = value_of(&r->ctl, argv, i, o->name);
	if (!value)
		return CTL_USAGE;
	if (o->kind == MS)
		return read_timeout(&r->ctl, value);
	*(const char **)to = value;
	return CTL_DONE;
}

/* Is the word an argument of the command, whatever it looks like? A command that has options of its
 * own still has help. */
static bool is_argument(struct request *r, const char *word)
{
	int used;
	const struct command *k = command_find(r->words, r->count, &used);

	if (k && k->options_until == 0 && (!strcmp(word, "--help") || !strcmp(word, "--json")))
		return false;
	return k && k->options_until >= 0 && r->count >= used + k->options_until;
}

static int read_words(struct request *r, int argc, char **argv)
{
	bool more = true;
	int i, rc = CTL_DONE;

	for (i = 1; i < argc && rc == CTL_DONE; i++) {
		bool option = more && argv[i][0] == '-' && argv[i][1] &&
		              !is_argument(r, argv[i]);

		if (option && strcmp(argv[i], "--") == 0)
			more = false;
		else if (option)
			rc = read_option(r, argv, &i);
		else if (r->count == WORDS_MAX)
			rc = ctl_fail(&r->ctl, CTL_USAGE, "over %d words; @FILE passes a "
				"file's text as one", WORDS_MAX);
		else
			r->words[r->count++] = argv[i];
	}
	return rc;
}

static int no_command(const struct request *r)
{
	bool two = r->count > 1, family = false;
	struct guess g = command_guess((char **)r->words, r->count);

	for (const struct command *k = commands; k->name; k++)
		family |= command_begins(k, r->words[0]);
	if (family && !two)
		return ctl_fail(&r->ctl, CTL_USAGE, "`%s` wants a second word; `actorctl help %s` "
			"lists them", r->words[0], r->words[0]);
	return ctl_fail(&r->ctl, CTL_USAGE, "no command `%s%s%s`%s; see actorctl %s%s",
		r->words[0], two && family ? " " : "", two && family ? r->words[1] : "",
		guess_words(&g), family ? "help " : "--help", family ? r->words[0] : "");
}

static int run_command(const struct request *r, const struct command *k, int used)
{
	int count = r->count - used;

	if (r->ctl.node && !r->ctl.redis)
		return ctl_fail(&r->ctl, CTL_USAGE, "--node goes with --redis URL: actorctl "
			"--redis URL --node NAME COMMAND");
	if (count < k->min || (k->max >= 0 && count > k->max))
		return ctl_fail(&r->ctl, CTL_USAGE, "usage: actorctl %s%s%s; actorctl help %s "
			"tells more", k->name, *k->args ? " " : "", k->args, k->name);
	return k->run(&r->ctl, count, (char **)r->words + used);
}

static int run(const struct request *r)
{
	const struct command *k;
	int used = 0;

	if (r->version)
		return puts("actorctl " ACTORD_VERSION) < 0;
	if (r->man || r->list) {
		(r->man ? help_man : help_names)();
		return CTL_DONE;
	}
	k = command_find((char **)r->words, r->count, &used);
	if (r->help)
		return run_help(&r->ctl, k ? used : r->count, (char **)r->words);
	if (r->count == 0)
		return ctl_fail(&r->ctl, CTL_USAGE, "which command? See actorctl --help");
	return k ? run_command(r, k, used) : no_command(r);
}

int ctl_columns(void)
{
	struct winsize w;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 80;
}

static void look_at_terminal(struct ctl *c)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	c->columns = ctl_columns();
	if (!c->columns)
		return;
	c->colour = !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0);
}

int main(int argc, char **argv)
{
	static struct request r;
	const char *control = getenv("ACTORD_CONTROL");
	int rc;

	r.ctl.control = control && *control ? control : NULL;
	look_at_terminal(&r.ctl);
	rc = read_words(&r, argc, argv);
	if (rc == CTL_DONE)
		rc = run(&r);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "actorctl: cannot write the answer: %s\n", strerror(errno));
		return rc ? rc : CTL_FAILED;
	}
	return rc;
}
