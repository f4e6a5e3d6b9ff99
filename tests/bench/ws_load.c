/* SPDX-License-Identifier: MIT
 * ws_load.c - load for the gateway: connections that each keep so many calls under way.
 *
 *   ws_load [--rate N] [--pid P] [--users] [--order 01… --other HANDLER --samples FILE]
 *           ADDR:PORT [CONNECTIONS [IN-FLIGHT [SECONDS [json|msgpack [TPC [HANDLER]]]]]]
 *
 * Its own program: plain nonblocking sockets, one epoll, frames by hand, so that it costs less than
 * what it measures. Each call carries its number as `id` and one str, 65 bytes in msgpack; the
 * answer must bring back the number. Calls not answered 5 s after the end count as lost, answers
 * with err as failed, any other as strange. A server that sends back what it gets will do, too.
 * With a rate, so many calls a second go out in all, by one connection after the other, and the
 * time of each counts from when it was due. With a pid, the CPU time of that process for a message
 * and its memory for a connection are told as well. With --users each logs in by its own name.
 * With an order and a rate the time is cut into as many equal phases: those with 1 call the other
 * handler. FILE gets two numbers of 32 bits a call, its phase and its us, but for calls that were
 * due in the first SETTLE_NS of a phase; "cpu_us" is then of 0, "other_cpu_us" of 1.
 * Prints one JSON line: "value" in calls/s, "p50_us", "p99_us", "lost", ... */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_SIZE = 65536, OUT_SIZE = 65536, GRACE_S = 5, LOGIN_S = 60, BUCKETS = 1 << 20 };
static const int64_t SETTLE_NS = 60000000;
enum state { GREETING, LOGGING_IN, CALLING };

struct client {
	int fd;
	enum state state;
	bool wants_out;
	size_t in_len, out_len;
	uint32_t *number;               /* of the calls under way, modulo in_flight; 0: free */
	int64_t *sent_ns;
	uint8_t in[IN_SIZE], out[OUT_SIZE];
};

static struct {
	const char *host, *port, *tpc, *handler;
	int connections, in_flight;
	double seconds, rate;                   /* rate 0: as fast as answers come */
	bool json;
	int pid;                                /* 0: none */
	bool users;                             /* each connection its own */
	const char *order, *other;
	FILE *samples;
} opt = { .host = "127.0.0.1", .port = "8080", .tpc = "echo", .handler = "say",
          .connections = 100, .in_flight = 16, .seconds = 5, .order = "0" };

static int epoll;
static bool measuring, stopping;
static struct client **clients;
static int ready;                       /* clients that are logged in */
static int64_t due_ns;                  /* of the next paced call */
static int64_t begin_ns, phase_ns;      /* of what is measured */
static uint64_t paced;
static uint64_t answers, measured, failed, strange, sent, passed;
static uint64_t histogram[BUCKETS];     /* of microseconds; the last: that and more */

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ws_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- frames ------------------------------------------------------------------------------- */

static void frame(struct client *c, const uint8_t *p, size_t len, bool text)
{
	uint8_t *o = c->out + c->out_len;
	static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };

	if (c->out_len + len + 8 > OUT_SIZE)
		die("too much unsent: fewer calls in flight, please");
	*o++ = text ? 0x81 : 0x82;
	if (len < 126) {
		*o++ = (uint8_t)(0x80 | len);
	} else {
		*o++ = 0x80 | 126;
		*o++ = (uint8_t)(len >> 8);
		*o++ = (uint8_t)len;
	}
	memcpy(o, mask, 4);
	o += 4;
	for (size_t i = 0; i < len; i++)
		*o++ = p[i] ^ mask[i & 3];
	c->out_len = (size_t)(o - c->out);
}

static uint8_t *put(uint8_t *p, const char *s)
{
	size_t len = strlen(s);

	*p++ = (uint8_t)(0xa0 | len);
	memcpy(p, s, len);
	return p + len;
}

static void call_msgpack(struct client *c, uint32_t number, const char *handler)
{
	uint8_t m[256], *p = m;

	*p++ = 0x85;
	p = put(put(p, "tpc"), opt.tpc);
	p = put(put(p, "func"), handler);
	p = put(put(p, "cb"), "done");
	p = put(p, "args");
	*p++ = 0x91;
	p = put(p, "twenty-four bytes of it");
	p = put(p, "id");
	*p++ = 0xce;
	for (int i = 3; i >= 0; i--)
		*p++ = (uint8_t)(number >> 8 * i);
	frame(c, m, (size_t)(p - m), false);
}

static void call_json(struct client *c, uint32_t number, const char *handler)
{
	char m[256];
	int n = snprintf(m, sizeof m, "{\"tpc\":\"%s\",\"func\":\"%s\",\"cb\":\"done\","
	                 "\"args\":[\"twenty-four bytes of it\"],\"id\":%u}", opt.tpc, handler,
	                 number);

	frame(c, (uint8_t *)m, (size_t)n, true);
}

/* In which a call is due; the first before there are any. */
static unsigned phase(int64_t due)
{
	return due >= begin_ns && phase_ns ? (unsigned)((due - begin_ns) / phase_ns) : 0;
}

static const char *handler_at(int64_t due)
{
	unsigned i = phase(due);

	return opt.other && i < strlen(opt.order) && opt.order[i] == '1' ? opt.other : opt.handler;
}

static void call(struct client *c, uint32_t number, int64_t due)
{
	uint32_t at = number % (uint32_t)opt.in_flight;

	if (stopping)
		return;
	c->number[at] = number;
	c->sent_ns[at] = due;
	sent++;
	if (opt.json)
		call_json(c, number, handler_at(due));
	else
		call_msgpack(c, number, handler_at(due));
}

/* --- answers ------------------------------------------------------------------------------ */

/* The number in an answer, 0 where there is none. Looks for the key, as both encodings write it. */
static uint32_t number_in(const uint8_t *p, size_t len)
{
	const uint8_t *at;
	uint32_t n = 0;

	if (opt.json) {
		at = memmem(p, len, "\"id\":", 5);
		return at ? (uint32_t)strtoul((const char *)at + 5, NULL, 10) : 0;
	}
	at = memmem(p, len, "\xa2id", 3);
	if (!at)
		return 0;
	at += 3;
	if (*at < 0x80)
		return *at;
	for (int bytes = *at == 0xcc ? 1 : *at == 0xcd ? 2 : 4; bytes; bytes--)
		n = n << 8 | *++at;
	return n;
}

static void sample(int64_t due, int64_t us)
{
	uint32_t two[2] = { phase(due), us < UINT32_MAX ? (uint32_t)us : UINT32_MAX };

	if (opt.samples && due >= begin_ns && (due - begin_ns) % phase_ns >= SETTLE_NS &&
	    fwrite(two, sizeof two, 1, opt.samples) != 1)
		die("samples");
}

static void answered(struct client *c, const uint8_t *p, size_t len)
{
	uint32_t number = number_in(p, len), at = number % (uint32_t)opt.in_flight;
	int64_t us;

	if (!number || c->number[at] != number) {
		if (!strange++)
			fprintf(stderr, "ws_load: not due: %.*s\n", (int)len, (const char *)p);
		return;
	}
	if (memmem(p, len, opt.json ? "\"err\":" : "\xa3" "err", opt.json ? 6 : 4) && !failed++)
		fprintf(stderr, "ws_load: %.*s\n", (int)len, (const char *)p);
	us = (now() - c->sent_ns[at]) / 1000;
	c->number[at] = 0;
	answers++;
	if (measuring) {
		measured++;
		histogram[us < BUCKETS ? us : BUCKETS - 1]++;
		sample(c->sent_ns[at], us);
	}
	if (!opt.rate)
		call(c, number + (uint32_t)opt.in_flight, now());
}

static void message(struct client *c, const uint8_t *p, size_t len)
{
	if (c->state == CALLING) {
		answered(c, p, len);
		return;
	}
	if (!memmem(p, len, "login", 5))
		die("login refused");
	c->state = CALLING;
	ready++;
	for (int i = 1; i <= opt.in_flight && !opt.rate; i++)
		call(c, (uint32_t)i, now());
}

static size_t frame_in(struct client *c, const uint8_t *p, size_t left)
{
	size_t head = 2, len;

	if (left < 2)
		return 0;
	len = p[1] & 127;
	if (len == 126) {
		head = 4;
		len = left < 4 ? left : (size_t)p[2] << 8 | p[3];
	}
	if (left < head + len)
		return 0;
	if ((p[0] & 15) == 8) {
		fprintf(stderr, "ws_load: closed by the server: %u %.*s\n",
		        (unsigned)p[head] << 8 | p[head + 1], (int)len - 2,
		        (const char *)p + head + 2);
		exit(1);
	}
	if ((p[0] & 15) < 3)
		message(c, p + head, len);
	return head + len;
}

static void login(struct client *c)
{
	static int number;
	char user[16] = "load", json[64];
	uint8_t m[64], *p = m;

	if (opt.users)
		snprintf(user, sizeof user, "load%d", number++);
	c->state = LOGGING_IN;
	*p++ = 0x82;
	p = put(put(p, "func"), "login");
	p = put(p, "args");
	*p++ = 0x92;
	p = put(put(p, user), "hash");
	if (opt.json)
		frame(c, (const uint8_t *)json, (size_t)snprintf(json, sizeof json,
		      "{\"func\":\"login\",\"args\":[\"%s\",\"hash\"]}", user), true);
	else
		frame(c, m, (size_t)(p - m), false);
}

/* --- sockets ------------------------------------------------------------------------------ */

static void flush(struct client *c)
{
	ssize_t n = c->out_len ? send(c->fd, c->out, c->out_len, MSG_NOSIGNAL) : 0;
	bool wants;

	if (n < 0 && errno != EAGAIN)
		die("send");
	if (n > 0) {
		c->out_len -= (size_t)n;
		memmove(c->out, c->out + n, c->out_len);
	}
	wants = c->out_len > 0;
	if (wants != c->wants_out) {
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

		e.events |= wants ? EPOLLOUT : 0;
		epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
		c->wants_out = wants;
	}
}

static void readable(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, IN_SIZE - c->in_len, 0);
	size_t at = 0, used;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		die(n ? "recv" : "the server hung up");
	if (n < 0)
		return;
	c->in_len += (size_t)n;
	if (c->state == GREETING) {
		uint8_t *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);

		if (!end)
			return;
		if (memcmp(c->in, "HTTP/1.1 101", 12))
			die("no upgrade");
		at = (size_t)(end + 4 - c->in);
		login(c);
	}
	while ((used = frame_in(c, c->in + at, c->in_len - at)))
		at += used;
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

static struct client *client_new(const struct addrinfo *to)
{
	struct client *c = calloc(1, sizeof *c);
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	if (!c)
		die("memory");
	c->sent_ns = calloc((size_t)opt.in_flight, sizeof *c->sent_ns);
	c->number = calloc((size_t)opt.in_flight, sizeof *c->number);
	c->fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, to->ai_addr, to->ai_addrlen))
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
	c->out_len = (size_t)snprintf((char *)c->out, OUT_SIZE, "GET / HTTP/1.1\r\nHost: %s:%s\r\n"
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", opt.host, opt.port);
	flush(c);
	return c;
}

static void turn_for(int64_t ns)
{
	struct timespec most = { ns / 1000000000, ns % 1000000000 };
	struct epoll_event e[256];
	int n = epoll_pwait2(epoll, e, 256, &most, NULL);

	for (int i = 0; i < n; i++) {
		struct client *c = e[i].data.ptr;

		if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			readable(c);
		flush(c);
	}
}

/* What is due by now, by one connection after the other. A call whose place is taken by an earlier
 * one without an answer is passed over: it would be lost in the numbers as well. */
static int64_t pace(void)
{
	int64_t t = now();

	for (; opt.rate && !stopping && due_ns <= t; due_ns += (int64_t)(1e9 / opt.rate)) {
		uint64_t turn = paced++;
		struct client *c = clients[turn % (uint64_t)opt.connections];
		uint32_t number = (uint32_t)(turn / (uint64_t)opt.connections) + 1;

		if (c->number[number % (uint32_t)opt.in_flight]) {
			passed++;
			continue;
		}
		call(c, number, due_ns);
		flush(c);
	}
	return opt.rate && !stopping && due_ns - t < 10000000 ? due_ns - t : 10000000;
}

/* --- the run ------------------------------------------------------------------------------ */

static void turn_until(int64_t when)
{
	while (now() < when)
		turn_for(pace());
}

/* CPU time that the process has used, in us; -1: not told. */
static double cpu_us(void)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", opt.pid);
	f = opt.pid ? fopen(path, "r") : NULL;
	if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
	                &user, &system) != 2)
		die("what /proc says of that process");
	if (f)
		fclose(f);
	return f ? (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK) : -1;
}

static long resident(void)
{
	char path[64];
	long pages = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/statm", opt.pid);
	f = opt.pid ? fopen(path, "r") : NULL;
	if (f && fscanf(f, "%*s %ld", &pages) != 1)
		die("what /proc says of that process");
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static unsigned percentile(double p)
{
	uint64_t want = (uint64_t)((double)measured * p), seen = 0;

	want -= want && want >= measured;       /* the most */
	for (unsigned us = 0; us < BUCKETS; us++) {
		seen += histogram[us];
		if (seen > want)
			return us;
	}
	return BUCKETS - 1;
}

/* Calls/s. cpu_each: of calls of the handler, and of the other. */
static double measure(double cpu_each[2])
{
	double cpu[2] = { 0 }, was, is;
	uint64_t calls[2] = { 0 }, before;
	size_t phases = strlen(opt.order);
	int64_t took;

	phase_ns = (int64_t)(opt.seconds * 1e9 / (double)phases);
	begin_ns = INT64_MAX;
	due_ns = now();
	turn_until(now() + 500000000);          /* warm */
	measuring = true;
	begin_ns = now();
	was = cpu_us();
	for (size_t i = 0; i < phases; i++, was = is) {
		before = measured;
		turn_until(begin_ns + (int64_t)(i + 1) * phase_ns);
		is = cpu_us();
		cpu[opt.order[i] == '1'] += is - was;
		calls[opt.order[i] == '1'] += measured - before;
	}
	took = now() - begin_ns;
	stopping = true;
	measuring = opt.samples;                /* those that are late count there */
	for (int64_t last = now(); answers < sent && now() - last < GRACE_S * INT64_C(1000000000); )
		turn_for(10000000);
	for (int i = 0; i < 2; i++)
		cpu_each[i] = calls[i] ? cpu[i] / (double)calls[i] : 0;
	return (double)(calls[0] + calls[1]) * 1e9 / (double)took;
}

/* All of them, logged in. Returns bytes that each made the server's process larger. */
static long connect_all(const struct addrinfo *to)
{
	int64_t limit = now() + LOGIN_S * INT64_C(1000000000);
	long before = resident();

	clients = calloc((size_t)opt.connections, sizeof *clients);
	if (!clients)
		die("memory");
	for (int i = 0; i < opt.connections; i++) {
		clients[i] = client_new(to);
		turn_for(0);
	}
	while (ready < opt.connections && now() < limit)
		turn_for(10000000);
	errno = ETIMEDOUT;
	if (ready < opt.connections)
		die("not all clients are logged in");
	return (resident() - before) / opt.connections;
}

static void arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rate", required_argument, NULL, 'r' }, { "pid", required_argument, NULL, 'p' },
		{ "users", no_argument, NULL, 'u' }, { "order", required_argument, NULL, 'o' },
		{ "other", required_argument, NULL, 'h' },
		{ "samples", required_argument, NULL, 's' }, { 0 },
	};
	static char address[256];
	char *colon;

	for (int o; (o = getopt_long(argc, argv, "+", options, NULL)) != -1; )
		if (o == 'r')
			opt.rate = atof(optarg);
		else if (o == 'p')
			opt.pid = atoi(optarg);
		else if (o == 'u')
			opt.users = true;
		else if (o == 'o' && *optarg)
			opt.order = optarg;
		else if (o == 'h')
			opt.other = optarg;
		else if (o == 's' && (opt.samples = fopen(optarg, "w")))
			;
		else
			exit(2);
	argc -= optind - 1;
	argv += optind - 1;
	if (argc < 2 || !(colon = strrchr(argv[1], ':'))) {
		fprintf(stderr, "usage: ws_load [--rate N] [--pid P] [--users] "
		        "[--order 01... --other HANDLER --samples FILE] ADDR:PORT "
		        "[CONNECTIONS [IN-FLIGHT [SECONDS [json|msgpack [TPC [HANDLER]]]]]]\n");
		exit(2);
	}
	snprintf(address, sizeof address, "%.*s", (int)(colon - argv[1]), argv[1]);
	opt.host = address;
	opt.port = colon + 1;
	opt.connections = argc > 2 ? atoi(argv[2]) : opt.connections;
	opt.in_flight = argc > 3 ? atoi(argv[3]) : opt.in_flight;
	opt.seconds = argc > 4 ? atof(argv[4]) : opt.seconds;
	opt.json = argc > 5 && !strcmp(argv[5], "json");
	opt.tpc = argc > 6 ? argv[6] : opt.tpc;
	opt.handler = argc > 7 ? argv[7] : opt.handler;
	if (opt.connections < 1 || opt.in_flight < 1) {
		fprintf(stderr, "ws_load: connections and in-flight are at least 1\n");
		exit(2);
	}
	if (strlen(opt.tpc) > 31 || strlen(opt.handler) > 31) {
		fprintf(stderr, "ws_load: names have 31 bytes at most\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *to;
	struct rlimit files;
	double rate, cpu_each[2];
	long bytes_each;

	arguments(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (getaddrinfo(opt.host, opt.port, &hints, &to))
		die("address");
	bytes_each = connect_all(to);
	rate = measure(cpu_each);
	printf("{\"workload\":\"ws-echo\",\"value\":%.0f,\"unit\":\"calls/s\",\"connections\":%d,"
	       "\"in_flight\":%d,\"encoding\":\"%s\",\"p50_us\":%u,\"p99_us\":%u,", rate,
	       opt.connections, opt.in_flight, opt.json ? "json" : "msgpack", percentile(0.5),
	       percentile(0.99));
	printf("\"p90_us\":%u,\"p999_us\":%u,\"max_us\":%u,", percentile(0.9), percentile(0.999),
	       percentile(1));
	if (opt.pid)
		printf("\"cpu_us\":%.2f,\"other_cpu_us\":%.2f,\"connection_bytes\":%ld,",
		       cpu_each[0], cpu_each[1], bytes_each);
	printf("\"passed\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"strange\":%" PRIu64 "}\n", passed, sent - answers, failed, strange);
	if (opt.samples && fclose(opt.samples))
		die("samples");
	freeaddrinfo(to);
	return sent != answers || failed || strange;
}
