/* SPDX-License-Identifier: MIT
 * actorctl.c - the tool of a running actord: options, help, which command.
 *
 * stdout has data, stderr the rest; the exit status says what kind of trouble it was. A command
 * that this version does not have is a usage error. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl_commands.h"
#include "ctl_show.h"
#include "json.h"

enum { TIMEOUT_MAX_MS = 3600000, WORDS_MAX = 4096 };

static const char options_text[] =
	"  --control PATH  the runtime's socket; also ACTORD_CONTROL. Without either the\n"
	"                  places where actord listens by default\n"
	"  --redis URL     through that Redis (as actord's --redis) instead of the socket, to\n"
	"                  any node that uses it:\n"
	"  --node NAME     to this one\n"
	"  --json          one JSON object a line, errors too\n"
	"  --note TEXT, --author NAME, --probation TERMS, --group NAME, --wait,\n"
	"                  --lose-changes, --verify: see the patch commands\n"
	"  --timeout MS    how long to wait for the answer: 5000; wait and patch: 30000\n"
	"  --version, --help, --man (this as a man page), --commands (their names)\n";

static const char statuses_text[] =
	"Exit status: 0 done, 1 the actor refused or failed, 2 usage, 3 no such actor,\n"
	"handler or patch, 4 the runtime cannot be reached, 5 no answer in time, 6 the\n"
	"patch was rejected.\n";

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

/* --- help --------------------------------------------------------------------- */

static int help(void)
{
	const struct command *k;
	char form[64];

	puts("actorctl [OPTION...] COMMAND\n\n"
		"Talks to a running actord through its control socket, or through Redis.\n");
	for (k = commands; k->name; k++) {
		snprintf(form, sizeof form, "%s %s", k->name, k->args);
		printf("  %-26s  %s\n", form, k->summary);
	}
	printf("\n%s\n%s\n`actorctl COMMAND --help` tells more of one.\n", options_text,
		statuses_text);
	return CTL_DONE;
}

static int help_of(const struct command *k)
{
	printf("actorctl [OPTION...] %s%s%s - %s\n\n%s\n%s", k->name, *k->args ? " " : "", k->args,
		k->summary, k->help, options_text);
	return CTL_DONE;
}

/* The names alone, for completion. */
static int list(void)
{
	const struct command *k;

	for (k = commands; k->name; k++)
		puts(k->name);
	return CTL_DONE;
}

/* Text for troff: no line of it is a request, no backslash an escape. */
static void man_text(const char *s)
{
	bool begins = true;

	for (; *s; s++) {
		if (begins && (*s == '.' || *s == '\''))
			fputs("\\&", stdout);
		fputs(*s == '\\' ? "\\e" : *s == '-' ? "\\-" : (char[]){ *s, 0 }, stdout);
		begins = *s == '\n';
	}
}

static int man(void)
{
	const struct command *k;

	puts(".TH ACTORCTL 1 \"\" \"actord " ACTORD_VERSION "\"\n.SH NAME\n"
		"actorctl \\- talks to a running actord\n.SH SYNOPSIS\n"
		".B actorctl\n[OPTION...] COMMAND\n.SH OPTIONS\n.nf");
	man_text(options_text);
	puts(".fi\n.SH COMMANDS");
	for (k = commands; k->name; k++) {
		fputs(".SS ", stdout);
		man_text(k->name);
		putchar(' ');
		man_text(k->args);
		puts("\n.nf");
		man_text(k->help);
		puts(".fi");
	}
	puts(".SH EXIT STATUS\n.nf");
	man_text(statuses_text);
	puts(".fi");
	return CTL_DONE;
}

/* --- what was asked for ------------------------------------------------------- */

struct request {
	struct ctl ctl;
	const struct command *command;
	char *words[WORDS_MAX];
	int count;                      /* of words, those of the command's name among them */
	bool help, version, man, list;
};

/* The command that the words so far begin with; *used: how many of them name it. */
static const struct command *find_command(char **words, int count, int *used)
{
	const struct command *k;
	size_t first;

	for (k = commands; count > 0 && k->name; k++) {
		first = strcspn(k->name, " ");
		if (strlen(words[0]) != first || memcmp(words[0], k->name, first) != 0)
			continue;
		*used = k->name[first] ? 2 : 1;
		if (*used == 1 || (count > 1 && strcmp(words[1], k->name + first + 1) == 0))
			return k;
	}
	return NULL;
}

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

static bool is(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && (word[n] == 0 || word[n] == '=');
}

static int read_option(struct request *r, char **argv, int *i)
{
	const char *word = argv[*i], *value;

	if (strcmp(word, "--json") == 0)
		r->ctl.json = true;
	else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		r->help = true;
	else if (strcmp(word, "--man") == 0)
		r->man = true;
	else if (strcmp(word, "--commands") == 0)
		r->list = true;
	else if (strcmp(word, "--version") == 0)
		r->version = true;
	else if (is(word, "--control"))
		return (r->ctl.control = value_of(&r->ctl, argv, i, "--control")) ? 0 : CTL_USAGE;
	else if (is(word, "--redis"))
		return (r->ctl.redis = value_of(&r->ctl, argv, i, "--redis")) ? 0 : CTL_USAGE;
	else if (is(word, "--node"))
		return (r->ctl.node = value_of(&r->ctl, argv, i, "--node")) ? 0 : CTL_USAGE;
	else if (is(word, "--timeout"))
		return (value = value_of(&r->ctl, argv, i, "--timeout")) ?
			read_timeout(&r->ctl, value) : CTL_USAGE;
	else if (strcmp(word, "--verify") == 0)
		r->ctl.verify = true;
	else if (strcmp(word, "--lose-changes") == 0)
		r->ctl.lose = true;
	else if (strcmp(word, "--wait") == 0)
		r->ctl.wait = true;
	else if (is(word, "--probation"))
		return (r->ctl.probation = value_of(&r->ctl, argv, i, "--probation")) ? 0
										      : CTL_USAGE;
	else if (is(word, "--group"))
		return (r->ctl.group = value_of(&r->ctl, argv, i, "--group")) ? 0 : CTL_USAGE;
	else if (is(word, "--note"))
		return (r->ctl.note = value_of(&r->ctl, argv, i, "--note")) ? 0 : CTL_USAGE;
	else if (is(word, "--author"))
		return (r->ctl.author = value_of(&r->ctl, argv, i, "--author")) ? 0 : CTL_USAGE;
	else
		return ctl_fail(&r->ctl, CTL_USAGE, "no option `%s`; see actorctl --help", word);
	return CTL_DONE;
}

/* Is the word an argument of the command, whatever it looks like? A command that has options of its
 * own still has help. */
static bool is_argument(struct request *r, const char *word)
{
	int used;
	const struct command *k = find_command(r->words, r->count, &used);

	if (k && k->options_until == 0 && (!strcmp(word, "--help") || !strcmp(word, "--json")))
		return false;
	return k && k->options_until >= 0 && r->count >= used + k->options_until;
}

static int read_words(struct request *r, int argc, char **argv)
{
	bool options = true;
	int i, rc = CTL_DONE;

	for (i = 1; i < argc && rc == CTL_DONE; i++) {
		bool option = options && argv[i][0] == '-' && argv[i][1] &&
		              !is_argument(r, argv[i]);

		if (option && strcmp(argv[i], "--") == 0)
			options = false;
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

static int run(struct request *r)
{
	const struct command *k;
	int used = 0, count;
	bool two;

	if (r->version)
		return puts("actorctl " ACTORD_VERSION) < 0;
	if (r->man || r->list)
		return r->man ? man() : list();
	k = find_command(r->words, r->count, &used);
	if (r->help)
		return k ? help_of(k) : help();
	if (r->ctl.node && !r->ctl.redis)
		return ctl_fail(&r->ctl, CTL_USAGE, "--node goes with --redis URL: actorctl "
			"--redis "
			"URL --node NAME COMMAND");
	if (r->count == 0)
		return ctl_fail(&r->ctl, CTL_USAGE, "which command? See actorctl --help");
	two = r->count > 1 && strcmp(r->words[0], "patch") == 0;
	if (!k)
		return ctl_fail(&r->ctl, CTL_USAGE, "no command `%s%s%s`; see actorctl --help",
			r->words[0], two ? " " : "", two ? r->words[1] : "");
	count = r->count - used;
	if (count < k->min || (k->max >= 0 && count > k->max))
		return ctl_fail(&r->ctl, CTL_USAGE, "usage: actorctl %s%s%s; actorctl %s "
			"--help tells "
			"more", k->name, *k->args ? " " : "", k->args, k->name);
	return k->run(&r->ctl, count, r->words + used);
}

static void look_at_terminal(struct ctl *c)
{
	const char *no_colour = getenv("NO_COLOR");
	struct winsize w;

	if (!isatty(STDOUT_FILENO))
		return;
	c->columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 80;
	c->colour = !(no_colour && *no_colour);
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
