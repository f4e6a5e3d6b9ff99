/* SPDX-License-Identifier: MIT
 * test_url.c - Redis URLs: every form, escapes, and what each refusal says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/actor.h"
#include "../../runtime/bus/url.h"

static struct url parsed(const char *text)
{
	struct url u;
	struct why why = { "" };

	if (url_parse(&u, text, &why))
		fail_msg("%s: %s", text, why.text);
	return u;
}

static void refused(const char *text, const char *because)
{
	struct url u = { .port = 7 };
	struct why why = { "" };

	assert_int_equal(url_parse(&u, text, &why), ACTOR_EARGS);
	if (!strstr(why.text, because))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why.text, because);
	assert_null(strstr(why.text, "hunter2"));
	assert_int_equal(u.port, 7);
}

static void written(const char *text, bool secret, const char *expected)
{
	struct url u = parsed(text);
	struct buf b = { 0 };

	url_write(&u, secret, &b);
	assert_int_equal(b.len, strlen(expected));
	assert_memory_equal(b.p, expected, b.len);
	buf_fini(&b);
}

static void hosts_ports_and_databases(void **state)
{
	struct url u = parsed("redis://example.org:7000/12");

	(void)state;
	assert_string_equal(u.host, "example.org");
	assert_int_equal(u.port, 7000);
	assert_int_equal(u.db, 12);
	assert_string_equal(u.password, "");
	u = parsed("redis://10.0.0.1");
	assert_string_equal(u.host, "10.0.0.1");
	assert_int_equal(u.port, REDIS_PORT);
	assert_int_equal(u.db, 0);
	u = parsed("redis://[::1]:6380/?db=3");
	assert_string_equal(u.host, "::1");
	assert_int_equal(u.port, 6380);
	assert_int_equal(u.db, 3);
}

static void users_and_passwords(void **state)
{
	struct url u = parsed("redis://:hunter2@h:1/0");

	(void)state;
	assert_string_equal(u.user, "");
	assert_string_equal(u.password, "hunter2");
	u = parsed("redis://al%20ice:p%40ss%2Fw:%3Fx@h/1");
	assert_string_equal(u.user, "al ice");
	assert_string_equal(u.password, "p@ss/w:?x");
	assert_string_equal(u.host, "h");
	assert_int_equal(u.db, 1);
	u = parsed("redis://:p@ss@h");
	assert_string_equal(u.password, "p@ss");
}

static void sockets(void **state)
{
	struct url u = parsed("unix:///run/red%20is.sock?db=4");

	(void)state;
	assert_string_equal(u.path, "/run/red is.sock");
	assert_string_equal(u.host, "");
	assert_int_equal(u.db, 4);
	u = parsed("unix://:hunter2@/tmp/s");
	assert_string_equal(u.path, "/tmp/s");
	assert_string_equal(u.password, "hunter2");
}

static void sentinels(void **state)
{
	struct url u = parsed("sentinel://u:hunter2@a:1,[::1]:2,c/my%20master/3");
	char host[64];
	int port;

	(void)state;
	assert_string_equal(u.master, "my master");
	assert_string_equal(u.password, "hunter2");
	assert_int_equal(u.db, 3);
	assert_true(url_host(&u, 0, host, sizeof host, &port));
	assert_string_equal(host, "a");
	assert_int_equal(port, 1);
	assert_true(url_host(&u, 1, host, sizeof host, &port));
	assert_string_equal(host, "::1");
	assert_int_equal(port, 2);
	assert_true(url_host(&u, 2, host, sizeof host, &port));
	assert_string_equal(host, "c");
	assert_int_equal(port, SENTINEL_PORT);
	assert_false(url_host(&u, 3, host, sizeof host, &port));
}

static void encrypted(void **state)
{
	struct url u = parsed("rediss://:hunter2@h:1/2?cacert=/a%26b&cert=/c&key=/k&sni=n"
	                      "&verify=ca");

	(void)state;
	assert_true(u.tls);
	assert_string_equal(u.host, "h");
	assert_int_equal(u.db, 2);
	assert_string_equal(u.cacert, "/a&b");
	assert_string_equal(u.cert, "/c");
	assert_string_equal(u.key, "/k");
	assert_string_equal(u.sni, "n");
	assert_int_equal(u.verify, URL_VERIFY_CA);
	u = parsed("rediss://h?");
	assert_int_equal(u.verify, URL_VERIFY_FULL);
	assert_string_equal(u.cacert, "");
	assert_false(parsed("redis://h").tls);
	u = parsed("rediss-sentinel://:hunter2@a:1,b/m/3?cacert=/c&sni=n");
	assert_true(u.tls);
	assert_string_equal(u.master, "m");
	assert_string_equal(u.hosts, "a:1,b");
	assert_int_equal(u.db, 3);
	assert_string_equal(u.sni, "n");
	u = parsed("rediss-cluster://a:1,b?verify=none");
	assert_true(u.tls && url_is_cluster(&u));
	assert_int_equal(u.verify, URL_VERIFY_NONE);
	assert_false(parsed("cluster://h").tls);
}

static void refusals_say_why(void **state)
{
	char longest[600] = "redis://";

	(void)state;
	refused("", "begin with");
	refused("http://h", "begin with");
	refused("sentinel://h:1,h:2", "MASTER");
	refused("sentinel://h:1,h:2/", "MASTER");
	refused("sentinel:///m", "MASTER");
	refused("sentinel://h:1,:2/m", "no host");
	refused("sentinel://h:1/m/x", "database");
	refused("cluster://", "no hosts");
	refused("cluster://h:1,:2", "no host");
	refused("cluster://h:1/3", "database 0 only");
	refused("redis://", "no host");
	refused("redis://:hunter2@", "no host");
	refused("redis://:hunter2@:6379", "no host");
	refused("redis://hunter2@h", "no password");
	refused("redis://h:0", "port");
	refused("redis://h:", "port");
	refused("redis://h:65536", "port");
	refused("redis://h:99999999999999999999", "port");
	refused("redis://h:80x", "port");
	refused("redis://h/x", "database");
	refused("redis://h/-1", "database");
	refused("redis://h/0?ssl=1", "db=N");
	refused("redis://h/0?cacert=/a", "rediss://");
	refused("rediss+sentinel://h:1/m", "rediss-sentinel://");
	refused("sentinel://h:1/m?cacert=/a", "rediss-sentinel://");
	refused("cluster://h:1?cacert=/a", "rediss-cluster://");
	refused("rediss-sentinel://h:1/m?db=1", "cacert=FILE");
	refused("rediss-sentinel://h:1", "MASTER");
	refused("rediss-cluster://h:1/3", "database 0 only");
	refused("rediss://h/0?ssl=1", "cacert=FILE");
	refused("rediss://h/0?cacert", "cacert=FILE");
	refused("rediss://h?db=1", "cacert=FILE");
	refused("rediss://h/0?cert=/a", "cert and key");
	refused("rediss://h/0?verify=no", "verify is full");
	refused("rediss://h/0?verify=", "verify is full");
	refused("rediss://h/0?cacert=%", "hexadecimal");
	refused("redis://[::1", "]");
	refused("redis://[::1]x:1", "]");
	refused("redis://:hunter2%4@h", "hexadecimal");
	refused("redis://:hunter2%00@h", "NUL");
	refused("unix://run/s", "absolute");
	refused("unix://", "absolute");
	memset(longest + 8, 'a', sizeof longest - 9);
	refused(longest, "longer");
}

static void writes_what_it_reads(void **state)
{
	(void)state;
	written("redis://:p%40ss@h:1/2", true, "redis://:p%40ss@h:1/2");
	written("redis://u:p%40ss@h:1/2", false, "redis://h:1/2");
	written("redis://[::1]", true, "redis://[::1]:6379/0");
	written("rediss://:x@h?cacert=/a", true, "rediss://:x@h:6379/0");
	written("unix:///a%20b?db=1", true, "unix:///a%20b?db=1");
	written("unix://:x@/a", true, "unix://:x@/a");
	written("cluster://u:x@a:1,b:2", true, "cluster://u:x@a:1,b:2");
	written("cluster://u:x@a:1,b:2/0", false, "cluster://a:1,b:2");
	written("sentinel://:x@a:1,b:2/m", true, "sentinel://:x@a:1,b:2/m/0");
	written("rediss-sentinel://:x@a:1,b:2/m?sni=n", true, "rediss-sentinel://:x@a:1,b:2/m/0");
	written("rediss-cluster://:x@a:1?cacert=/a", false, "rediss-cluster://a:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_ports_and_databases),
		cmocka_unit_test(users_and_passwords),
		cmocka_unit_test(sockets),
		cmocka_unit_test(sentinels),
		cmocka_unit_test(encrypted),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
