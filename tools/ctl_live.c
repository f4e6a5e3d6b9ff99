/* SPDX-License-Identifier: MIT
 * ctl_live.c - see ctl_live.h. What the node keeps for a live view ends by itself, so it does not
 * matter how this process ends. */
#include "ctl_live.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "actor.h"
#include "ctl_guess.h"

enum { DEFAULT_MS = 5000 };

/* --- options ------------------------------------------------------------------ */

static const struct live_option *find(const struct live_option *o, const char *word,
                                      struct guess *g)
{
	for (; o->name; o++) {
		size_t n = strlen(o->name);

		if (strncmp(word, o->name, n) == 0 && (!word[n] || word[n] == '='))
			return o;
		guess_offer(g, o->name);
	}
	return NULL;
}

static int read_value(const struct ctl *c, const struct live_option *o, const char *value)
{
	char *end;
	long long v;

	if (o->text) {
		*o->text = value;
		return CTL_DONE;
	}
	v = strtoll(value, &end, 10);
	if (*end || end == value || v < o->least || v > o->most)
		return ctl_fail(c, CTL_USAGE, "%s: `%s` is not %lld to %lld", o->name, value,
			(long long)o->least, (long long)o->most);
	*o->number = v;
	return CTL_DONE;
}

int live_options(const struct ctl *c, const char *command, const struct live_option *o, int argc,
                 char **argv, const char **word)
{
	const struct live_option *found;
	struct guess g;
	const char *eq;
	int i, rc = CTL_DONE;

	for (i = 0; i < argc && rc == CTL_DONE; i++) {
		if (argv[i][0] != '-' || !argv[i][1]) {
			if (!word || *word)
				return ctl_fail(c, CTL_USAGE, "%s: what is `%s`? See actorctl %s "
					"--help", command, argv[i], command);
			*word = argv[i];
			continue;
		}
		g = guess_begin(argv[i]);
		found = find(o, argv[i], &g);
		eq = strchr(argv[i], '=');
		if (!found)
			return ctl_fail(c, CTL_USAGE,
					"%s has no option `%s`%s; see actorctl %s --help "
					"(options of actorctl itself come before the command)",
					command, argv[i], guess_words(&g), command);
		if (found->flag)
			*found->flag = true;
		else if (!eq && i + 1 == argc)
			return ctl_fail(c, CTL_USAGE, "%s needs a value; see actorctl %s --help",
					found->name, command);
		else
			rc = read_value(c, found, eq ? eq + 1 : argv[++i]);
	}
	return rc;
}

/* --- asking ------------------------------------------------------------------- */

static int patience(const struct live *l)
{
	return l->ctl->timeout_ms ? l->ctl->timeout_ms : DEFAULT_MS;
}

int live_open(struct live *l, const struct ctl *c)
{
	struct why why = { "" };
	int rc;

	*l = (struct live){ .ctl = c, .link = { .fd = -1 } };
	rc = link_open(&l->link, c, patience(l), &why);
	if (rc == CTL_DONE)
		return rc;
	return ctl_fail(c, rc == CTL_NOT_YET ? CTL_AWAY : (enum ctl_status)rc, "%s", why.text);
}

int live_ask(struct live *l, const char *what)
{
	struct why why = { "" };
	int rc;

	l->link.deadline_ms = link_now_ms() + patience(l);
	rc = link_call(&l->link, "node", what, &l->args, l->count, &l->answer, &why);
	buf_clear(&l->args);
	l->count = 0;
	if (rc != CTL_DONE)
		return ctl_fail(l->ctl, (enum ctl_status)rc, "%s", why.text);
	if (!l->answer.err_code)
		return CTL_DONE;
	return ctl_fail(l->ctl, l->answer.err_code == ACTOR_ENOENT ? CTL_ABSENT :
		l->answer.err_code == ACTOR_EARGS ? CTL_USAGE : CTL_FAILED, "%s",
		l->answer.err_text.len ? l->answer.err_text.p : "refused");
}

void live_close(struct live *l)
{
	link_close(&l->link);
	buf_fini(&l->args);
}

void live_text(struct live *l, const char *s)
{
	pack_text(&l->args, s);
	l->count++;
}

void live_int(struct live *l, int64_t v)
{
	pack_int(&l->args, v);
	l->count++;
}

/* --- the terminal ------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;
static struct termios before;
static bool changed;

static void on_signal(int signo)
{
	(void)signo;
	interrupted = 1;
}

bool live_ended(void)
{
	return interrupted;
}

int live_pause(int ms, bool keys)
{
	struct pollfd in = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
	unsigned char key;

	if (interrupted || poll(&in, 1, ms) <= 0)
		return 0;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key;
	interrupted = 1;                /* the terminal is gone */
	return 0;
}

void live_begin(bool keys)
{
	struct sigaction s = { .sa_handler = on_signal };
	struct termios t;

	sigaction(SIGINT, &s, NULL);
	sigaction(SIGTERM, &s, NULL);
	if (!keys || tcgetattr(STDIN_FILENO, &before) != 0)
		return;
	t = before;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	changed = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

void live_end(void)
{
	if (changed)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	changed = false;
}
