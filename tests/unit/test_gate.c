/* SPDX-License-Identifier: MIT
 * test_gate.c - where the gateway listens, and which pages may come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../runtime/gateway/gate.h"

static int port_of(int fd)
{
	char text[300];

	gate_address(fd, text, sizeof text);
	return atoi(strrchr(text, ':') + 1);
}

static void a_free_port(void **state)
{
	struct why why = { "" };
	char text[300];
	int fd = gate_open("127.0.0.1", 0, &why);

	(void)state;
	assert_true(fd >= 0);
	gate_address(fd, text, sizeof text);
	assert_memory_equal(text, "127.0.0.1:", 10);
	assert_true(port_of(fd) > 0);
	close(fd);
	fd = gate_open("localhost", 0, &why);
	assert_true(fd >= 0);
	close(fd);
}

static void six(void **state)
{
	struct why why = { "" };
	char text[300];
	int fd = gate_open("[::1]", 0, &why);

	(void)state;
	if (fd < 0)
		skip();                 /* no IPv6 on this machine */
	gate_address(fd, text, sizeof text);
	assert_memory_equal(text, "[::1]:", 6);
	close(fd);
}

static void taken(void **state)
{
	struct why why = { "" };
	char want[100];
	int fd = gate_open("127.0.0.1", 0, &why), port = port_of(fd);

	(void)state;
	assert_int_equal(gate_open("127.0.0.1", port, &why), -1);
	snprintf(want, sizeof want, "127.0.0.1:%d: address already in use; ", port);
	assert_memory_equal(why.text, want, strlen(want));
	assert_non_null(strstr(why.text, "--listen"));
	close(fd);
	fd = gate_open("127.0.0.1", port, &why);        /* at once: no TIME_WAIT in the way */
	assert_true(fd >= 0);
	close(fd);
}

static void no_address(void **state)
{
	struct why why = { "" };

	(void)state;
	assert_int_equal(gate_open("192.0.2.1", 8080, &why), -1);
	assert_non_null(strstr(why.text, "192.0.2.1:8080: "));
	assert_int_equal(gate_open("not an address", 8080, &why), -1);
	assert_non_null(strstr(why.text, "not an address:8080: "));
}

static void descriptors(void **state)
{
	struct rlimit l, was;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &was);
	l = was;
	l.rlim_cur = 256;
	setrlimit(RLIMIT_NOFILE, &l);
	assert_int_equal(gate_descriptors(), was.rlim_max < 65536 ? was.rlim_max : 65536);
	setrlimit(RLIMIT_NOFILE, &was);
}

static void own_pages(void **state)
{
	(void)state;
	assert_true(gate_admits(NULL, "a:80", NULL, NULL, true));
	assert_true(gate_admits("", "a:80", NULL, NULL, true));
	assert_true(gate_admits("http://a:80", "a:80", "a", NULL, true));
	assert_true(gate_admits("https://A.example", "a.EXAMPLE", "a.example", NULL, true));
	assert_false(gate_admits("http://a:81", "a:80", "a", NULL, true));
	assert_false(gate_admits("http://a", "a:80", "a", "", true));
	assert_false(gate_admits("http://a.evil", "a", "a", NULL, true));
	assert_false(gate_admits("null", "null", "null", NULL, true));
	assert_false(gate_admits("://", "", NULL, NULL, true));
	assert_false(gate_admits("http://a", NULL, "a", NULL, true));
}

/* A page whose name leads to us, as its owner says so. */
static void rebound_pages(void **state)
{
	static const char *const ours[] = {
		"127.0.0.1", "127.0.0.1:8080", "192.0.2.7:80", "[::1]", "[2001:db8::1]:8080",
		"localhost", "LOCALHOST:8080", "app.localhost:80", "node.example",
		"Node.Example:8080",
	}, *const others[] = {
		"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil",
		"[evil]:80", "1.2.3", "0x7f000001", "node.example.evil", "xnode.example", ":8080",
		"too long",
	};
	char origin[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		snprintf(origin, sizeof origin, "http://%s", ours[i]);
		assert_true(gate_admits(origin, ours[i], "node.example", NULL, true));
		assert_true(gate_is_ours(ours[i], "node.example", NULL));
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		snprintf(origin, sizeof origin, "http://%s", others[i]);
		assert_false(gate_admits(origin, others[i], "node.example", "https://b", true));
		assert_false(gate_is_ours(others[i], "node.example", "https://b"));
		assert_true(gate_admits(origin, others[i], NULL, "*", true));
	}
	assert_true(gate_is_ours("", "node.example", NULL));
	assert_true(gate_is_ours("b:81", NULL, "https://a, https://b:81"));
	assert_false(gate_is_ours("b", NULL, "https://a, https://b:81"));
	/* from elsewhere: no page's trick can bring it here */
	assert_true(gate_admits("http://b", "b", NULL, NULL, false));
	assert_false(gate_admits("http://b", "a", NULL, NULL, false));
	assert_true(gate_admits("https://b:81", "b:81", NULL, "https://b:81", true));
	assert_false(gate_admits("http://b:81", "b:81", NULL, "https://b:81", true));
}

static void other_pages(void **state)
{
	const char *list = "https://one.example, http://two.example:81";

	(void)state;
	assert_true(gate_admits("https://one.example", "a", NULL, list, true));
	assert_true(gate_admits("HTTP://two.example:81", "a", NULL, list, true));
	assert_false(gate_admits("http://one.example", "a", NULL, list, true));
	assert_false(gate_admits("https://one.example.evil", "a", NULL, list, true));
	assert_false(gate_admits("https://one", "a", NULL, list, true));
	assert_false(gate_admits("null", "a", NULL, list, true));
	assert_true(gate_admits("null", "a", NULL, "x,*", true));
	assert_false(gate_admits("http://b", "a", NULL, "*.b", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_port),
		cmocka_unit_test(six),
		cmocka_unit_test(taken),
		cmocka_unit_test(no_address),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(own_pages),
		cmocka_unit_test(rebound_pages),
		cmocka_unit_test(other_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
