/* SPDX-License-Identifier: MIT
 * test_options.c - what the user said, from three places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "options.h"

enum { WORDS_MAX = 16 };

static int read_words(struct options *o, struct why *why, const char *words)
{
	static char text[1024];
	char *argv[WORDS_MAX + 2] = { (char[]){ "actord" } }, *rest = text;
	int argc = 1;

	snprintf(text, sizeof text, "%s", words);
	for (char *word; argc <= WORDS_MAX && (word = strsep(&rest, " ")); )
		if (*word)
			argv[argc++] = word;
	why->text[0] = 0;
	return options_read(o, argc, argv, why);
}

static void good(struct options *o, const char *words)
{
	struct why why;

	if (read_words(o, &why, words) != 0)
		fail_msg("%s", why.text);
}

/* Refused in one line that holds each of the two texts. */
static void bad(const char *words, const char *names, const char *says)
{
	struct options o;
	struct why why;

	assert_true(read_words(&o, &why, words) < 0);
	options_fini(&o);
	assert_null(strchr(why.text, '\n'));
	if (!strstr(why.text, names) || !strstr(why.text, says))
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", why.text, names, says);
}

static void defaults(void **state)
{
	struct options o;

	(void)state;
	good(&o, "");
	assert_int_equal(o.asked, OPTIONS_RUN);
	assert_string_equal(o.node.login, "login");
	assert_string_equal(o.node.listen_addr, "127.0.0.1");
	assert_int_equal(o.node.listen_port, 8080);
	assert_int_equal(o.node.redis, REDIS_IS_DEFAULT);
	assert_string_equal(o.node.redis_bind, "127.0.0.1");
	assert_int_equal(o.node.redis_port, 6379);
	assert_false(o.node.redis_port_asked);
	assert_string_equal(o.node.topic, "rpc");
	assert_int_equal(o.node.unsigned_patches, -1);
	assert_int_equal(o.node.workers, 0);
	assert_int_equal(o.node.actor_count, 0);
	options_fini(&o);
}

static void words_in_any_order(void **state)
{
	struct options o;

	(void)state;
	good(&o, "a.c --listen 0.0.0.0:0 --workers=3 --max-actors 5000 b.so --unsigned-patches "
	         "dir -- --c.c");
	assert_string_equal(o.node.listen_addr, "0.0.0.0");
	assert_int_equal(o.node.listen_port, 0);
	assert_int_equal(o.node.workers, 3);
	assert_int_equal(o.node.max_actors, 5000);
	assert_int_equal(o.node.unsigned_patches, 1);
	assert_int_equal(o.node.actor_count, 4);
	assert_string_equal(o.node.actors[0], "a.c");
	assert_string_equal(o.node.actors[3], "--c.c");
	options_fini(&o);
}

static void listen_addresses(void **state)
{
	struct options o;

	(void)state;
	good(&o, "--listen none");
	assert_null(o.node.listen_addr);
	options_fini(&o);
	good(&o, "--listen [::1]:81");
	assert_string_equal(o.node.listen_addr, "::1");
	assert_int_equal(o.node.listen_port, 81);
	options_fini(&o);
	good(&o, "--listen localhost:82");
	assert_string_equal(o.node.listen_addr, "127.0.0.1");
	options_fini(&o);
	bad("--log-format xml", "--log-format", "logfmt");
	bad("--same-user never", "--same-user", "refuse");
	bad("--listen 8080", "--listen", "ADDR:PORT");
	bad("--listen :8080", "--listen", "ADDR:PORT");
	bad("--listen 127.0.0.1:65536", "--listen", "65536");
	bad("--listen 127.0.0.1:", "--listen", "no number");
	bad("--listen 1.2.3:80", "--listen", "no IP address");
}

static void redis_urls(void **state)
{
	struct options o;

	(void)state;
	good(&o, "--redis embedded/7");
	assert_int_equal(o.node.redis, REDIS_IS_EMBEDDED);
	assert_int_equal(o.node.redis_db, 7);
	options_fini(&o);
	good(&o, "--redis none");
	assert_int_equal(o.node.redis, REDIS_IS_NONE);
	options_fini(&o);
	good(&o, "--redis cluster://h:1,h:2");
	assert_int_equal(o.node.redis, REDIS_IS_ELSEWHERE);
	options_fini(&o);
	good(&o, "--redis sentinel://h:1,h:2/m/0 --fail-fast");
	assert_int_equal(o.node.redis, REDIS_IS_ELSEWHERE);
	assert_true(o.node.fail_fast);
	options_fini(&o);
	good(&o, "--redis redis://h:1/2 --redis-port 0");
	assert_int_equal(o.node.redis, REDIS_IS_ELSEWHERE);
	assert_string_equal(o.node.redis_url, "redis://h:1/2");
	assert_true(o.node.redis_port_asked);
	options_fini(&o);
	bad("--redis embedded/x", "--redis", "no number");
	bad("--fail-fast=maybe", "--fail-fast", "yes nor no");
	bad("--redis rediss://h?cacert=/no/rediss", "--redis", "rediss");
	bad("--redis-bind everywhere", "--redis-bind", "everywhere");
	bad("--redis-port -1", "--redis-port", "-1");
}

static void refusals(void **state)
{
	(void)state;
	bad("--bogus", "--bogus", "no such option");
	bad("--bogus=1", "--bogus:", "no such option");
	bad("-x", "-x", "no such option");
	bad("--topic", "--topic", "needs a value");
	bad("--topic=", "--topic", "1 to 255 bytes");
	bad("--node a\tb", "--node", "spaces");
	bad("--workers 0", "--workers", "\"0\"");
	bad("--max-actors 0", "--max-actors", "\"0\"");
	bad("--workers two", "--workers", "\"two\"");
	bad("--workers 99999999999999999999", "--workers", "no number");
	bad("--unsigned-patches=perhaps", "--unsigned-patches", "perhaps");
	bad("--state=", "--state", "empty");
	bad("--config /nowhere/actord.conf", "--config", "No such file");
}

static void asked_for_words(void **state)
{
	struct buf help = { 0 };
	struct options o;

	(void)state;
	good(&o, "--help");
	assert_int_equal(o.asked, OPTIONS_HELP);
	options_fini(&o);
	good(&o, "--listen nonsense --version");
	assert_int_equal(o.asked, OPTIONS_VERSION);
	options_fini(&o);
	options_help(&help);
	buf_add(&help, "", 1);
	assert_non_null(strstr(help.p, "--redis-port PORT"));
	assert_non_null(strstr(help.p, "patch-keys"));
	buf_fini(&help);
}

static void make_file(char path[], const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void precedence(void **state)
{
	char path[] = "/tmp/test_options.XXXXXX", words[256];
	struct options o;

	(void)state;
	make_file(path, "# a comment\n\ntopic = filed \r\n\tworkers=5\nredis-port = 1\n"
	                "unsigned-patches = no\n");
	snprintf(words, sizeof words, "--config %s --redis-port 3", path);
	setenv("ACTORD_WORKERS", "6", 1);
	setenv("ACTORD_REDIS_PORT", "2", 1);
	setenv("ACTORD_NODE", "", 1);
	good(&o, words);
	unlink(path);
	assert_string_equal(o.node.topic, "filed");
	assert_int_equal(o.node.workers, 6);
	assert_int_equal(o.node.redis_port, 3);
	assert_int_equal(o.node.unsigned_patches, 0);
	assert_null(o.node.node);
	options_fini(&o);
	setenv("ACTORD_WORKERS", "many", 1);
	bad("", "ACTORD_WORKERS", "many");
	unsetenv("ACTORD_WORKERS");
	unsetenv("ACTORD_REDIS_PORT");
	unsetenv("ACTORD_NODE");
}

static void bad_file(const char *text, const char *line, const char *says)
{
	char path[] = "/tmp/test_options.XXXXXX", words[256];

	make_file(path, text);
	snprintf(words, sizeof words, "--config %s", path);
	bad(words, line, says);
	unlink(path);
}

static void bad_files(void **state)
{
	(void)state;
	bad_file("topic = a\nbogus = 1\n", ":2:", "bogus");
	bad_file("topic\n", ":1:", "name = value");
	bad_file("\n\nworkers = none", ":3: workers:", "none");
	bad_file("config = other\n", ":1:", "config");
	bad_file("help = yes\n", ":1:", "help");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(words_in_any_order),
		cmocka_unit_test(listen_addresses), cmocka_unit_test(redis_urls),
		cmocka_unit_test(refusals), cmocka_unit_test(asked_for_words),
		cmocka_unit_test(precedence), cmocka_unit_test(bad_files),
	};

	clearenv();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
