/* SPDX-License-Identifier: MIT
 * options.c - what the user said, from three places with one table (option.c).
 *
 * The idea: the command line, the environment and a file say the same options. All three are
 * applied in that order backwards, so the last word is the command line's.
 *
 * Invariant: an option that is not in the table does not exist anywhere, --help included.
 *
 * Main thread, before any other. Opens no file but --config. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/url.h"
#include "option.h"

enum { LISTEN_PORT = 8080, FILE_MAX = 1 << 20 };        /* bytes of --config */

/* --- the three places --------------------------------------------------------------------- */

static int apply(struct options *o, const struct option *option, const char *given_as,
                 const char *value, struct why *why)
{
	struct why reason = { "" };

	if (option->set(&o->node, value, &reason) < 0)
		return why_set(why, ACTOR_EARGS, "%s: %s", given_as, reason.text);
	return 0;
}

static void variable_of(const struct option *option, char name[64])
{
	int n = snprintf(name, 64, "ACTORD_%s", option->name);

	for (int i = 0; i < n; i++)
		name[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
}

static int read_environment(struct options *o, struct why *why)
{
	const struct option *option;
	const char *value;
	char name[64];

	for (size_t i = 0; (option = option_at(i)); i++) {
		variable_of(option, name);
		value = getenv(name);
		if (value && *value && apply(o, option, name, value, why) < 0)
			return ACTOR_EARGS;
	}
	value = getenv("ACTORD_REDIS_PASSWORD");
	o->node.redis_password = value && *value ? value : NULL;
	return 0;
}

static bool is_config(const struct option *option)
{
	return !strcmp(option->name, "config");
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = 0;
	return text + strspn(text, " \t");
}

static int file_line(struct options *o, const char *place, char *line, struct why *why)
{
	char *equals = strchr(line, '='), given_as[512];
	const struct option *option;
	const char *name;

	if (!*line || *line == '#')
		return 0;
	if (!equals)
		return why_set(why, ACTOR_EARGS, "%s: no `=` in it; write name = value", place);
	*equals = 0;
	name = trim(line);
	option = option_of(name, strlen(name));
	if (!option || is_config(option))
		return why_set(why, ACTOR_EARGS, "%s: no option \"%s\" for a file; see "
		               "actord --help", place, name);
	snprintf(given_as, sizeof given_as, "%s: %s", place, name);
	return apply(o, option, given_as, trim(equals + 1), why);
}

static char *file_text(const char *path, struct why *why)
{
	FILE *f = fopen(path, "re");
	char *text = mem_alloc(FILE_MAX + 1);
	size_t len = f ? fread(text, 1, FILE_MAX, f) : 0;

	if (!f || ferror(f) || len == FILE_MAX) {
		why_set(why, ACTOR_EARGS, "--config %s: %s", path,
		        f && len == FILE_MAX ? "too large" : strerror(errno));
		mem_free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

static int read_file(struct options *o, const char *path, struct why *why)
{
	char place[400], *rest, *line;
	int number_of = 0, error = 0;

	o->file = rest = file_text(path, why);
	if (!rest)
		return ACTOR_EARGS;
	while (!error && (line = strsep(&rest, "\n"))) {
		snprintf(place, sizeof place, "%s:%d", path, ++number_of);
		error = file_line(o, place, trim(line), why);
	}
	return error;
}

struct given { const struct option *option; const char *value; };

static int unknown(const char *arg, struct why *why)
{
	return why_set(why, ACTOR_EARGS, "%.*s: no such option; see actord --help",
	               (int)strcspn(arg, "="), arg);
}

/* One word of the command line that begins with --; returns how many words it took. */
static int read_option(struct options *o, char **argv, struct given *given, struct why *why)
{
	const char *name = argv[0] + 2, *value = strchr(name, '=');

	if (strcmp(name, "help") == 0 || strcmp(name, "version") == 0) {
		o->asked = *name == 'h' ? OPTIONS_HELP : OPTIONS_VERSION;
		return 1;
	}
	given->option = option_of(name, value ? (size_t)(value - name) : strlen(name));
	if (!given->option)
		return unknown(argv[0], why);
	given->value = value ? value + 1 : given->option->arg ? argv[1] : "yes";
	if (!given->value)
		return why_set(why, ACTOR_EARGS, "%s: it needs a value, %s", argv[0],
		               given->option->arg);
	return !value && given->option->arg ? 2 : 1;
}

static int read_words(struct options *o, char **argv, struct given *given, struct why *why)
{
	bool words_only = false;
	int took;

	for (argv++; *argv; argv += took) {
		took = 1;
		if (words_only || **argv != '-')
			o->actors[o->node.actor_count++] = *argv;
		else if (strcmp(*argv, "--") == 0)
			words_only = true;
		else if ((*argv)[1] != '-')
			return unknown(*argv, why);
		else if ((took = read_option(o, argv, given, why)) < 0)
			return took;
		if (given->option)
			given++;
	}
	return 0;
}

static int apply_all(struct options *o, const struct given *given, struct why *why)
{
	const char *config = getenv("ACTORD_CONFIG");
	char given_as[64];

	for (const struct given *g = given; g->option; g++)
		if (is_config(g->option))
			config = g->value;
	if (config && *config && read_file(o, config, why) < 0)
		return ACTOR_EARGS;
	if (read_environment(o, why) < 0)
		return ACTOR_EARGS;
	for (; given->option; given++) {
		snprintf(given_as, sizeof given_as, "--%s", given->option->name);
		if (apply(o, given->option, given_as, given->value, why) < 0)
			return ACTOR_EARGS;
	}
	return 0;
}

int options_read(struct options *o, int argc, char **argv, struct why *why)
{
	struct given *given = mem_alloc(((size_t)argc + 1) * sizeof *given);
	int error;

	*o = (struct options){ .node = {
		.listen_addr = "127.0.0.1", .listen_port = LISTEN_PORT, .ws_threads = 1,
		.redis_bind = "127.0.0.1", .redis_port = REDIS_PORT,
		.topic = "rpc", .login = "login", .unsigned_patches = -1,
		.limits = {
			.message_bytes = MESSAGE_MAX, .unsent_bytes = 8 << 20, .handshake_s = 20,
			.login_s = 30, .ping_s = 60, .login_rate = 5, .login_burst = 100,
		},
	} };
	o->actors = mem_alloc(((size_t)argc + 1) * sizeof *o->actors);
	o->node.actors = o->actors;
	error = read_words(o, argv, given, why);
	if (!error && o->asked == OPTIONS_RUN)
		error = apply_all(o, given, why);
	if (!error && !o->node.tls_cert != !o->node.tls_key)
		error = why_set(why, ACTOR_EARGS, "--tls-cert and --tls-key: one needs the other");
	mem_free(given);
	return error;
}

void options_fini(struct options *o)
{
	mem_free(o->file);
	mem_free(o->actors);
}

/* --- help --------------------------------------------------------------------------------- */

static void help_line(struct buf *out, const char *name, const char *arg, const char *help)
{
	char left[40];

	snprintf(left, sizeof left, "--%s%s%s", name, arg ? " " : "", arg ? arg : "");
	buf_printf(out, "  %-22s ", left);
	for (; *help; help++) {
		buf_add(out, help, 1);
		if (*help == '\n')
			buf_printf(out, "%25s", "");
	}
	buf_text(out, "\n");
}

void options_help(struct buf *out)
{
	const struct option *option;

	buf_text(out, "usage: actord [options] [ACTOR.c | ACTOR.so | DIR ...]\n\n"
	              "Runs the actors it ships with, and those named.\n\n");
	for (size_t i = 0; (option = option_at(i)); i++)
		help_line(out, option->name, option->arg, option->help);
	help_line(out, "version", NULL, "says the version");
	help_line(out, "help", NULL, "says this");
	buf_text(out, "\nEach may stand in the environment too (ACTORD_REDIS_PORT=6380), over the\n"
	              "file; the command line goes over both. ACTORD_REDIS_PASSWORD sets the\n"
	              "embedded Redis's password.\n");
}
