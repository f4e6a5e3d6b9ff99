/* SPDX-License-Identifier: MIT
 * ctl_commands.c - see ctl_commands.h. A command asks one actor one question and prints the answer:
 * nothing is known here that the runtime could say itself. */
#include "ctl_commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "actor.h"
#include "ctl_ask.h"
#include "ctl_guess.h"
#include "ctl_help.h"
#include "ctl_keys.h"
#include "ctl_log.h"
#include "ctl_patch.h"
#include "ctl_show.h"
#include "ctl_top.h"
#include "ctl_trace.h"
#include "json.h"
#include "signature.h"

enum { AGAIN_MS = 50, GRACE_MS = 1000 };

/* --- ping, wait --------------------------------------------------------------- */

static int run_ping(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "ping" };
	int rc = ask(c, &q, patience_ms(c, DEFAULT_MS));

	(void)argc, (void)argv;
	question_end(&q);
	return rc ? rc : done(c, "pong");
}

static void pause_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	if (ms > 0)
		nanosleep(&t, NULL);
}

/* Once connected the runtime itself answers when it is ready; until then there is nobody to wait
 * for but a socket that appears. A runtime that goes again is waited for again. */
static int run_wait(const struct ctl *c, int argc, char **argv)
{
	int64_t end_ms = link_now_ms() + patience_ms(c, LONG_MS), left_ms;
	struct envelope answer = { .err_code = 0 };
	struct why why = { "" };
	struct link l;
	int rc;

	(void)argc, (void)argv;
	do {
		left_ms = end_ms - link_now_ms();
		rc = link_open(&l, c, left_ms > 0 ? (int)left_ms : 0, &why);
		if (rc == CTL_AWAY)
			break;
		if (rc == CTL_DONE)
			rc = link_call(&l, "node", "ready", NULL, 0, &answer, &why);
		link_close(&l);
		if (rc == CTL_DONE && answer.err_code == 0)
			return done(c, "ready");
		if (rc == CTL_DONE)
			rc = why_set(&why, CTL_AWAY, "the runtime refuses to say when it is ready");
		if (rc != CTL_LATE)
			pause_ms(left_ms < AGAIN_MS ? left_ms : AGAIN_MS);
	} while (rc != CTL_LATE && link_now_ms() < end_ms);
	return ctl_fail(c, rc == CTL_NOT_YET ? CTL_AWAY : (enum ctl_status)rc, "%s", why.text);
}

static void print_map(const struct ctl *c, struct packed args)
{
	struct buf b = { 0 };

	if (c->json) {
		show_json(&b, &args);
		buf_text(&b, "\n");
	} else {
		show_map(&b, c, args);
	}
	print(&b);
}

/* --- inspect, ps -------------------------------------------------------------- */

static int run_inspect(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = argc ? "inspect_actor" : "inspect" };
	int rc;

	if (argc)
		add_text(&q, argv[0], strlen(argv[0]));
	rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	if (rc == CTL_DONE)
		print_map(c, q.answer.args);
	question_end(&q);
	return rc;
}

static int run_ps(const struct ctl *c, int argc, char **argv)
{
	return show_rows(c, "node", "ps", argc, argv);
}

static int run_nodes(const struct ctl *c, int argc, char **argv)
{
	return show_rows(c, "node", "nodes", argc, argv);
}

static int run_dead_list(const struct ctl *c, int argc, char **argv)
{
	return show_rows(c, "bus", "dead_list", argc, argv);
}

static int run_dead_show(const struct ctl *c, int argc, char **argv)
{
	return show_rows(c, "bus", "dead_show", argc, argv);
}

static int run_dead_retry(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "bus", .what = "dead_retry" };
	int rc;

	(void)argc;
	add_text(&q, argv[0], strlen(argv[0]));
	add_text(&q, argv[1], strlen(argv[1]));
	rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	question_end(&q);
	if (rc == CTL_DONE && c->json)
		puts("{\"sent\":true}");
	return rc;
}

/* --- stop --------------------------------------------------------------------- */

static int run_stop(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "stop" };
	int rc;

	(void)argc;
	add_text(&q, argv[0], strlen(argv[0]));
	rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	question_end(&q);
	if (rc == CTL_DONE && c->json)
		puts("{\"stopped\":true}");
	return rc;
}

/* --- crash -------------------------------------------------------------------- */

static int run_crash_list(const struct ctl *c, int argc, char **argv)
{
	return show_rows(c, "node", "crash_list", argc, argv);
}

static int run_crash_show(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "crash_show", .link = { .fd = -1 } };
	char *end;
	long long number = strtoll(argv[0], &end, 10);
	int rc;

	(void)argc;
	if (*end || number < 1)
		return ctl_fail(c, CTL_USAGE, "`%s` is no crash's number; `actorctl crash list` "
			"shows them", argv[0]);
	pack_int(&q.args, number);
	q.count++;
	rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	if (rc == CTL_DONE)
		print_map(c, q.answer.args);
	question_end(&q);
	return rc;
}

/* --- log level ---------------------------------------------------------------- */

static int run_log_level(const struct ctl *c, int argc, char **argv)
{
	if (argc == 1)
		return ctl_fail(c, CTL_USAGE, "usage: actorctl log level [TYPE LEVEL]");
	return show_rows(c, "node", "log_level", argc, argv);
}

/* --- start -------------------------------------------------------------------- */

/* A file is named as it is found from here; what is none may be a type's name. */
static int run_start(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "start", .link = { .fd = -1 } };
	char *real = c->redis ? NULL : realpath(argv[0], NULL);
	bool file = strchr(argv[0], '/') || strchr(argv[0], '.');
	int rc;

	(void)argc;
	if (!real && file && !c->redis)
		return ctl_fail(c, CTL_USAGE, "%s: %s; name an ACTOR.c or ACTOR.so that is there",
			argv[0], strerror(errno));
	add_text(&q, real && file ? real : argv[0], strlen(real && file ? real : argv[0]));
	free(real);
	rc = ask(c, &q, patience_ms(c, LONG_MS));
	question_end(&q);
	return rc == CTL_DONE ? done(c, "started") : rc;
}

/* --- var ---------------------------------------------------------------------- */

/* The value, or with --json all that is known of it, which comes behind it. */
static int run_var(const struct ctl *c, const char *what, int argc, char **argv)
{
	struct question q = { .to = "node", .what = what };
	struct packed rest;
	struct buf b = { 0 };
	int rc;

	if (!strchr(argv[0], '.'))
		return ctl_fail(c, CTL_USAGE, "`%s` is no NAME.VAR: an actor and one of its "
		                "variables, which `actorctl inspect NAME` lists", argv[0]);
	for (int i = 0; i < argc; i++)
		add_text(&q, argv[i], strlen(argv[i]));
	rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	rest = q.answer.args;
	if (rc == CTL_DONE) {
		packed_skip(&rest);
		show_json(&b, c->json ? &rest : &q.answer.args);
		buf_text(&b, "\n");
	}
	print(&b);
	question_end(&q);
	return rc;
}

static int run_var_get(const struct ctl *c, int argc, char **argv)
{
	return run_var(c, "var_get", argc, argv);
}

static int run_var_set(const struct ctl *c, int argc, char **argv)
{
	return run_var(c, "var_set", argc, argv);
}

/* --- call, send --------------------------------------------------------------- */

/* A word of the command line: text; @FILE is that file's, @@TEXT is @TEXT. */
static int add_word(const struct ctl *c, struct question *q, const char *word)
{
	struct buf text = { 0 };
	int rc = 0;

	if (word[0] == '@' && word[1] == '@')
		buf_text(&text, word + 1);
	else if (word[0] == '@')
		rc = read_file(c, word + 1, &text);
	else
		buf_text(&text, word);
	if (rc == 0 && !utf8_valid(text.p, text.len))
		rc = ctl_fail(c, CTL_USAGE, "argument `%s`: is not UTF-8; bytes are passed as "
			"base64", word);
	if (rc == 0)
		pack_str(&q->args, text.p, text.len);
	buf_fini(&text);
	return rc;
}

/* NAME HANDLER [ARG...] as node's `call` and `send` take them. */
static int add_call(const struct ctl *c, struct question *q, int argc, char **argv)
{
	int i, rc = 0;

	if (argc - 2 > VALUES_MAX)
		return ctl_fail(c, CTL_USAGE, "a message has at most %d arguments", VALUES_MAX);
	add_text(q, argv[0], strlen(argv[0]));
	add_text(q, argv[1], strlen(argv[1]));
	pack_list(&q->args, (uint32_t)(argc - 2));
	q->count++;
	for (i = 2; i < argc && rc == 0; i++)
		rc = add_word(c, q, argv[i]);
	return rc;
}

static int run_call(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "call", .link = { .fd = -1 } };
	int ms = patience_ms(c, DEFAULT_MS), rc = add_call(c, &q, argc, argv);

	pack_int(&q.args, ms);
	q.count++;
	if (rc == CTL_DONE)
		rc = ask(c, &q, ms + GRACE_MS);
	if (rc == CTL_DONE && c->json)
		print_args_json(q.answer.args);
	else if (rc == CTL_DONE)
		print_values(c, q.answer.args);
	question_end(&q);
	return rc;
}

static int run_send(const struct ctl *c, int argc, char **argv)
{
	struct question q = { .to = "node", .what = "send", .link = { .fd = -1 } };
	int rc = add_call(c, &q, argc, argv);

	if (rc == CTL_DONE)
		rc = ask(c, &q, patience_ms(c, DEFAULT_MS));
	if (rc == CTL_DONE && c->json)
		puts("{\"sent\":true}");
	question_end(&q);
	return rc;
}

/* --- all of them -------------------------------------------------------------- */

#define WORDS \
	"A str parameter takes ARG as it is. Another takes it as JSON: 5, true, [1,2],\n" \
	"{\"a\":1}, null; bytes as a JSON string of base64. A parameter of any type and\n" \
	"those beyond the named ones take JSON and, where it is none, text. @FILE is\n" \
	"the text of FILE, @- that of stdin, @@TEXT is @TEXT. All that follows HANDLER\n" \
	"are arguments: options come before NAME. The global table is the actor ''.\n"

const struct command commands[] = {
	{"help", "[COMMAND]", 0, 2, -1, "the commands, or more of one",
	 "Also of those that begin alike: `actorctl help patch` lists them.\n\n"
	 "  actorctl help\n  actorctl help trace\n  actorctl help patch apply\n", run_help},
	{"ping", "", 0, 0, -1, "answers when the runtime does", "Prints pong.\n", run_ping},
	{"wait", "", 0, 0, -1, "waits until the runtime is ready",
	 "Waits for 30 s, or as --timeout says, also for a runtime that is yet to start.\n\n"
	 "  actord & actorctl wait && actorctl inspect\n",
	 run_wait},
	{"inspect", "[NAME]", 0, 1, -1, "the node at a glance, or one actor",
	 "Without NAME: workers, actors, mailboxes, memory by owner, messages, Redis,\n"
	 "clients, patches. With NAME: that actor's state, mailbox, timers, whom it waits\n"
	 "for, handlers. Answers also while every worker is busy. How long a mailbox's\n"
	 "oldest message has been there is known to a second, or to a tenth of it (where\n"
	 "there are many actors, to a second for each 100,000): at least `oldest`, at\n"
	 "most `oldest most`. The one that is being handled counts, as it does in\n"
	 "`waiting`.\n\n"
	 "  actorctl inspect\n"
	 "  actorctl --json inspect counter\n"
	 "  actorctl --json inspect counter | jq .mailbox.oldest_ms\n",
	 run_inspect},
	{"ps", "", 0, 0, -1, "a row per actor",
	 "With --json an object a line. At most 10,000 rows.\n\n"
	 "  actorctl ps\n  actorctl --json ps | jq -r .name\n",
	 run_ps},
	{"nodes", "", 0, 0, -1, "the nodes that share this Redis",
	 "The node that is asked comes first. Topics are the actors that can be called\n"
	 "there; of the patches those in force: number, handlers, and how the source's\n"
	 "SHA-256 begins. Rollout is the last one that it has taken. With --json an\n"
	 "object a line.\n\n"
	 "  actorctl nodes\n"
	 "  actorctl --json nodes | jq -r .name\n",
	 run_nodes},
	{"dead list", "TOPIC", 1, 1, -1, "the messages that nodes died of",
	 "Three nodes died while they had one; it waits in the stream\n"
	 "actord:{TOPIC}:dead.\n\n"
	 "  actorctl dead list orders\n",
	 run_dead_list},
	{"dead show", "TOPIC ID", 2, 2, -1, "one of them, with its arguments",
	 "A row for each message, if several came in one piece.\n\n"
	 "  actorctl --json dead show orders 1790000000000-0\n",
	 run_dead_show},
	{"dead retry", "TOPIC ID", 2, 2, -1, "sends one of them again",
	 "It is no longer a dead letter then, and may become one again.\n\n"
	 "  actorctl dead retry orders 1790000000000-0\n",
	 run_dead_retry},
	{"top", "[OPTION...]", 0, -1, 0, "what is busy, live", TOP_HELP, run_top},
	{"trace", "[NAME] [OPTION...]", 0, -1, 0, "what messages set off, from actor to actor",
	 TRACE_HELP, run_trace},
	{"crash list", "", 0, 0, -1, "what actors failed at, and faults",
	 "An actor whose handler failed, where nobody waited for an answer, ended and\n"
	 "began again; a fault in compiled code ended its message. The last 64, the\n"
	 "newest last; the log has a line for each, too. A restart of the node forgets\n"
	 "them.\n\n"
	 "  actorctl crash list\n"
	 "  actorctl --json crash list | jq -r .reason\n",
	 run_crash_list},
	{"crash show", "N", 1, 1, -1, "one of them: why, where, the message, the state",
	 "The reason, for compiled code with the calls that led there; the message with\n"
	 "its arguments; the state's fields as they stood; the last messages that it had\n"
	 "handled, and those that it had failed at. To note the last messages costs, so\n"
	 "that begins with the first failure of its type, and ends ten minutes after the\n"
	 "last.\n\n"
	 "  actorctl crash show 3\n"
	 "  actorctl --json crash show 3 | jq .fields\n",
	 run_crash_show},
	{"log level", "[TYPE LEVEL]", 0, 2, -1, "what actors of a type may log",
	 "Actors of TYPE log LEVEL and above from now on: debug, info, warn, error, none.\n"
	 "What an actor says by actor_log() is info. Without TYPE, and after it: the\n"
	 "types that were given a level, and how many lines it has left out. Beyond 1,000\n"
	 "lines a second of all actors the rest is left out, too, and counted.\n\n"
	 "  actorctl log level\n"
	 "  actorctl log level counter none\n",
	 run_log_level},
	{"log", "[-f] [NAME]", 0, -1, 0, "what the runtime has logged", LOG_HELP, run_log_lines},
	{"stop", "NAME", 1, 1, -1, "ends an actor",
	 "What waits in its mailbox is handled, for a second at most, and the rest\n"
	 "answered as if there were no such actor. Its children end before it, its name\n"
	 "is free. It is not restarted. The runtime's own actors are not stopped.\n\n"
	 "  actorctl stop counter\n",
	 run_stop},
	{"start", "FILE", 1, 1, -1, "loads and starts an actor",
	 "As on actord's command line: ACTOR.c is compiled, ACTOR.so is loaded, a folder\n"
	 "has several of them; the actor's name is the file's. What is wrong is said as\n"
	 "FILE:LINE: TEXT. Also an actor that was stopped, by its type's name. It is not\n"
	 "there after a restart of the node. Through Redis FILE is one of the node's\n"
	 "machine.\n\n"
	 "  actorctl start greeter.c\n"
	 "  actorctl stop greeter && actorctl start greeter\n",
	 run_start},
	{"call", "NAME HANDLER [ARG...]", 2, -1, 2, "sends, waits, prints the answer",
	 "Prints the answer, one value a line: a str as it is, the rest as JSON; with\n"
	 "--json {\"args\":[...]}.\n\n" WORDS "\n"
	 "  actorctl call counter hit 1\n"
	 "  actorctl call echo say text '{\"a\":1}' @notes.txt\n"
	 "  actorctl --timeout 60000 --json call '' test a b\n",
	 run_call},
	{"send", "NAME HANDLER [ARG...]", 2, -1, 2, "sends, does not wait",
	 "Prints nothing; done means that the message is in the mailbox.\n\n" WORDS "\n"
	 "  actorctl send counter hit 1\n",
	 run_send},
	{"var get", "NAME.VAR", 1, 1, -1, "a public variable of an actor",
	 "With --json an object: name, type, value, least, most. `inspect NAME` has them\n"
	 "all.\n\n"
	 "  actorctl var get arena.speed\n",
	 run_var_get},
	{"var set", "NAME.VAR VALUE", 2, 2, 1, "sets a public variable",
	 "Between two messages of the actor, before all that is sent to it afterwards.\n"
	 "Out of its range it is refused. Prints the new value; a restart of the node\n"
	 "forgets it.\n\n"
	 "  actorctl var set arena.speed 20\n",
	 run_var_set},
	{"patch check", "FILE", 1, 1, -1, "compiles a patch and checks it against what runs",
	 "Changes nothing. What is wrong comes on stderr as FILE:LINE: TEXT, exit 6;\n"
	 "where the runtime finds gcc or clang, its warnings too. FILE - is stdin.\n\n"
	 "  actorctl patch check fix.c\n",
	 run_check},
	{"patch apply", "FILE [OPTION...]", 1, 1, -1, "puts a patch in force, prints its number",
	 "Between two messages each handler that the patch names is replaced. What is\n"
	 "wrong comes on stderr as FILE:LINE: TEXT, exit 6. FILE - is stdin. For its\n"
	 "first messages it is on probation: what goes wrong is undone, and too much of\n"
	 "it takes the patch back.\n\n"
	 "  --note TEXT, --author NAME (else the user's) are kept with it\n"
	 "  --probation TERMS  how long and how much: off, or some of\n"
	 "                     messages=1000,seconds=60,faults=0,state=65536\n"
	 "  --wait             waits for its end, prints confirmed, or quarantined and\n"
	 "                     why, exit 6\n"
	 "  --group NAME       sends it to a group of nodes (actord --group), to the node\n"
	 "                     of that name, or with '*' to all on this Redis\n\n"
	 "With --group each takes it, also those that come later. Prints its id and each\n"
	 "node's outcome; exit 6 where one refused it, 5 where one has not answered in\n"
	 "time, which takes it as soon as it can. With --wait a line (an object) more for\n"
	 "each node that has it, when its probation is over there.\n\n"
	 "  actorctl patch apply fix.c\n"
	 "  actorctl patch apply - <fix.c\n"
	 "  actorctl patch apply fix.c --group canary\n"
	 "  actorctl patch apply fix.c --note 'ticket 4711'\n"
	 "  actorctl patch apply fix.c --probation messages=100,seconds=10 --wait\n",
	 run_apply},
	{"patch rollouts", "[ID]", 0, 1, -1, "the patches sent to many nodes, or one's outcomes",
	 "A rollout is what `patch apply FILE --group NAME` sends. With ID a row for each\n"
	 "node that has taken it: the patch's number there, its state, and why it was\n"
	 "refused. Those that were taken back are not among them. With --json an object a\n"
	 "line.\n\n"
	 "  actorctl patch rollouts\n"
	 "  actorctl patch rollouts 1790000000000-0\n",
	 run_rollouts},
	{"patch list", "", 0, 0, -1, "the patches there have been, and their states",
	 "With --json an object a line. At most the newest 10,000.\n\n"
	 "  actorctl patch list\n"
	 "  actorctl --json patch list | jq 'select(.state == \"probation\")'\n",
	 run_list},
	{"patch show", "N", 1, 1, -1, "one patch, with its source",
	 "With --json an object.\n\n"
	 "  actorctl patch show 3\n  actorctl --json patch show 3 | jq -r .source\n",
	 run_show},
	{"patch revert", "N | ID --group NAME", 1, 1, -1, "takes a patch back",
	 "Each handler is again what it was before the patch; one that came with it goes.\n"
	 "A patch that is superseded has to wait for those that came after it.\n"
	 "--lose-changes also takes back one that cannot migrate the state back, with\n"
	 "--group on each node. With --group the rollout ID is taken back on all nodes of\n"
	 "the group, also on those that come later. Where patches must be signed, sign a\n"
	 "file that is the one line `//revert ID`, and apply that with --group.\n\n"
	 "  actorctl patch revert 3\n"
	 "  actorctl patch revert 1790000000000-0 --group canary\n",
	 run_revert},
	{"patch wait", "N", 1, 1, -1, "waits until a patch's probation is over",
	 "Prints confirmed, or what else became of it and why; exit 6 where it was taken\n"
	 "back.\n\n"
	 "  actorctl patch wait 3\n",
	 run_verdict},
	{"patch lift", "N", 1, 1, -1, "lets a quarantined source be sent again",
	 "A patch that failed its probation is in quarantine: its very source is refused.\n\n"
	 "  actorctl patch lift 3\n",
	 run_lift},
	{"patch log", "", 0, 0, -1, "the journal of all that was done with patches",
	 "The newest 1,000 lines. With --verify, whether each line follows from the one\n"
	 "before and none is missing; exit 1 where not, with the line.\n\n"
	 "  actorctl patch log --verify\n",
	 run_log},
	{"keygen", "[FILE]", 0, 1, -1, "makes a pair of keys to sign patches with", keygen_help,
	 run_keygen},
	{"sign", "FILE --key KEY [OPTION...]", 0, -1, 0, "signs a patch, prints it", sign_help,
	 run_sign},
	{NULL, NULL, 0, 0, 0, NULL, NULL, NULL},
};

/* --- which one ---------------------------------------------------------------- */

const struct command *command_find(char **words, int count, int *used)
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

bool command_begins(const struct command *k, const char *first)
{
	size_t n = strlen(first);

	return strncmp(k->name, first, n) == 0 && k->name[n] == ' ';
}

/* By its first word, or by two. */
struct guess command_guess(char **words, int count)
{
	static char two[2 * GUESS_LONGEST + 2];
	struct guess one = guess_begin(words[0]), both;

	snprintf(two, sizeof two, "%.*s %.*s", GUESS_LONGEST, words[0], GUESS_LONGEST - 1,
		count > 1 ? words[1] : "");
	both = guess_begin(count > 1 ? two : words[0]);
	for (const struct command *k = commands; k->name; k++) {
		if (!strchr(k->name, ' '))
			guess_offer(&one, k->name);
		guess_offer(&both, k->name);
	}
	return both.meant ? both : one;
}
