/* SPDX-License-Identifier: MIT
 * trial.c - the compiler's first look at a source, where it can harm nobody.
 *
 * libtcc crashes on some broken sources and loops for ever on others. So a process that has nothing
 * to lose compiles each source before we do: this program once more (/proc/self/exe), which finds
 * by its name that it is the trial and never comes to main(). It is small whatever the runtime has
 * grown to, it has no thread, no file, no network, and no way to get any; it serves source after
 * source until one ends it, and then another takes its place. Nothing that it compiles is run
 * there: the code is made for an address that the runtime has free, against the runtime's own
 * symbols, and sent. So the compiler turns once a patch, and on nothing but trusted text in the
 * runtime itself; whoever could take the trial over by a source could as well write what he wants
 * into the patch.
 *
 *     request, file, folder, text, function ->   a header, or the symbols ->
 *     <- reply, diagnostics, types and lines, code        (no reply)
 *
 * The limits: CPU time by a timer that kills, address space and stack by rlimits, system calls by a
 * filter; where a kernel grants no filter, rlimits keep files and processes away.
 *
 * Threads: the compile thread, and before it has work the one that starts the node. */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "headers.h"
#include "log.h"
#include "ports.h"
#include "slice.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = true };      /* they need terabytes of addresses, and more system calls */
#else
enum { SANITIZED = false };
#endif

enum { FD = 3, TEXTS = 4 };
static const char trial_name[] = "actord-trial";

/* Followed by its texts. SOURCE: file, folder, text, function; HEADER: name, folder, text, "";
 * SYMBOLS: "", "", addresses and names, "". */
enum kind { SOURCE = 1, HEADER, SYMBOLS };
struct request { uint32_t kind, len[TEXTS]; void *at; };
struct reply { uint32_t passed, len, stab, str; struct program p; };

/* --- both ends ------------------------------------------------------------------------- */

static int64_t left_ms(int64_t until_ms)
{
	int64_t left = until_ms - now_ms();

	return left > 0 ? left : 0;
}

/* What is done of v; the rest of it. */
static int after(struct iovec *v, int n, size_t done)
{
	int from = 0;

	while (from < n && done >= v[from].iov_len)
		done -= v[from++].iov_len;
	memmove(v, v + from, (size_t)(n - from) * sizeof *v);
	if (from < n) {
		v->iov_base = (char *)v->iov_base + done;
		v->iov_len -= done;
	}
	return n - from;
}

/* False: closed, broken, or too late. until_ms below 0: waits for ever. */
static bool receive(int fd, struct iovec *v, int n, int64_t until_ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	for (n = after(v, n, 0); n > 0;) {
		ssize_t got;

		if (until_ms >= 0 && poll(&p, 1, (int)left_ms(until_ms)) == 0)
			return false;
		got = readv(fd, v, n);
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		n = after(v, n, got > 0 ? (size_t)got : 0);
	}
	return true;
}

static bool deliver(int fd, struct iovec *v, int n)
{
	for (n = after(v, n, 0); n > 0;) {
		struct msghdr h = { .msg_iov = v, .msg_iovlen = (size_t)n };
		ssize_t sent = sendmsg(fd, &h, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		n = after(v, n, sent > 0 ? (size_t)sent : 0);
	}
	return true;
}

/* --- the trial's end ------------------------------------------------------------------- */

static void limit(int what, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(what, &r))
		return;
	if (r.rlim_max > most)
		r.rlim_max = most;
	r.rlim_cur = r.rlim_max;
	setrlimit(what, &r);
}

#define ALLOW(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What a compile takes; anything else fails. */
static void filter_calls(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(readv), ALLOW(sendmsg), ALLOW(mmap), ALLOW(munmap), ALLOW(mremap),
		ALLOW(madvise), ALLOW(mincore), ALLOW(brk), ALLOW(rt_sigprocmask),
		ALLOW(setitimer), ALLOW(futex), ALLOW(gettimeofday), ALLOW(time),
		ALLOW(clock_gettime), ALLOW(exit_group),
		ALLOW(mprotect),        /* code is made executable, though it is not run */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void give_up_rights(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_STACK, TRIAL_STACK);
	if (SANITIZED)
		return;
	limit(RLIMIT_AS, TRIAL_MEMORY);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_NOFILE, 0);        /* no more than are open */
	limit(RLIMIT_NPROC, 0);
	filter_calls();
}

static void timer_set(int ms)
{
	struct itimerval t = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	setitimer(ITIMER_PROF, &t, NULL);       /* SIGPROF ends the process */
}

/* The compiler touches its memory for the first time: no patch should pay for that. */
static void warm_up(void)
{
	static const char text[] = "#include \"actor.h\"\n"
	        "int process(actor *self) { return actor_after(self, 1, \"x\", 1) < 0; }";
	struct source s = { .text = text, .len = sizeof text - 1, .file = "warm-up.c" };
	struct buf said = { 0 };

	program_free(program_compile(&s, &said));
	buf_fini(&said);
}

static void get_ready(void)
{
	if (!SANITIZED)                 /* they take one stack for the other */
		image_ready();
}

static bool answer(const struct source *s, void *at)
{
	struct buf said = { 0 };
	struct image i = { .p = { 0 } };
	struct reply r = { 0 };
	bool sent;

	timer_set(TRIAL_CPU_MS);
	r.passed = image_make(s, at, TRIAL_ROOM, &i, &said);
	timer_set(0);
	r.len = (uint32_t)said.len;
	r.stab = (uint32_t)i.stab.len;
	r.str = (uint32_t)i.str.len;
	r.p = i.p;
	sent = deliver(FD, (struct iovec[]){ { &r, sizeof r }, { said.p, said.len },
	                                     { i.stab.p, i.stab.len }, { i.str.p, i.str.len },
	                                     { i.p.at, i.p.size } }, 5);
	image_drop(&i);
	buf_fini(&said);
	return sent;
}

/* The texts that are kept: an address, then its name, again and again. */
static void keep_symbols(const char *p, size_t len)
{
	const char *end = p + len;
	struct export *all = NULL;
	size_t n = 0;

	for (p = mem_string(p, len), end = p + len; p < end; n++) {
		uint64_t addr;

		all = mem_resize(all, (n + 2) * sizeof *all);
		memcpy(&addr, p, sizeof addr);
		all[n] = (struct export){ p + sizeof addr, (void *)(uintptr_t)addr };
		p += sizeof addr + strlen(p + sizeof addr) + 1;
		all[n + 1] = (struct export){ NULL, NULL };
	}
	compile_against(all);
}

/* One request; false: the runtime has gone. */
static bool serve(void)
{
	struct request r;
	struct iovec v[TEXTS];
	char *text[TEXTS] = { NULL };
	bool more = receive(FD, &(struct iovec){ &r, sizeof r }, 1, -1);

	for (int i = 0; more && i < TEXTS; i++) {
		text[i] = mem_alloc((size_t)r.len[i] + 1);
		v[i] = (struct iovec){ text[i], r.len[i] };
	}
	more = more && receive(FD, v, TEXTS, -1);
	if (more && r.kind == HEADER)
		headers_keep(&(struct header){ text[0], text[1], text[2], r.len[2] });
	else if (more && r.kind == SYMBOLS)
		keep_symbols(text[2], r.len[2]);
	else if (more)
		more = answer(&(struct source){ .text = text[2], .len = r.len[2], .file = text[0],
		                                .folder = r.len[1] ? text[1] : NULL,
		                                .function = r.len[3] ? text[3] : NULL }, r.at);
	for (int i = 0; i < TEXTS; i++)
		mem_free(text[i]);
	return more;
}

/* Runs before main(), in every program that has this file, and returns in all but the trial. */
__attribute__((constructor)) static void become_trial(int argc, char **argv)
{
	if (argc != 1 || strcmp(argv[0], trial_name))
		return;
	slice_prompt();
	warm_up();
	give_up_rights();
	do
		get_ready();
	while (serve());
	_exit(0);
}

/* --- the runtime's end ----------------------------------------------------------------- */

static pid_t pid;               /* 0: there is none */
static int fd = -1;
static size_t headers_known;    /* by it */
static size_t symbols_known;

/* Of the environment only what finds libraries, and settles sanitizers: no password. Borrows. */
static char **environment(void)
{
	static const char *const kept[] = { "LD_", "ASAN_", "UBSAN_", "TSAN_", "LSAN_" };
	size_t n = 0;
	char **to;

	while (environ && environ[n])
		n++;
	to = mem_alloc((n + 1) * sizeof *to);
	n = 0;
	for (char **e = environ; e && *e; e++)
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			if (!strncmp(*e, kept[i], strlen(kept[i])))
				to[n++] = *e;
	return to;
}

static int spawn(int its_fd)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char *argv[] = { (char *)trial_name, NULL }, **env = environment();
	sigset_t none, prof;
	int error;

	sigemptyset(&prof);
	sigaddset(&prof, SIGPROF);
	sigfillset(&none);              /* it ends when we do, not by a Ctrl-C */
	sigdelset(&none, SIGPROF);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, its_fd, FD);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	posix_spawn_file_actions_addclosefrom_np(&files, FD + 1);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &prof);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(&pid, "/proc/self/exe", &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	mem_free(env);
	return error;
}

int trial_start(struct why *why)
{
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return why_set(why, ACTOR_EFAIL, "no socket for the trial: %s", strerror(errno));
	error = spawn(pair[1]);
	close(pair[1]);
	if (error) {
		pid = 0;
		close(pair[0]);
		return why_set(why, ACTOR_EFAIL, "no process for the trial: %s", strerror(error));
	}
	fd = pair[0];
	headers_known = 0;
	symbols_known = 0;
	return 0;
}

/* Once it has closed its end, or is killed. 0 where someone else has waited for it (as PID 1 the
 * node waits for all). */
static int end_of(bool kill_it)
{
	int status = 0;

	close(fd);
	fd = -1;
	if (kill_it)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	pid = 0;
	return status;
}

void trial_stop(void)
{
	if (pid)
		end_of(false);
}

/* Ended without a source to blame. */
static bool gone(void)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) > 0;
}

static bool hand_over(uint32_t kind, void *at, const char *const text[TEXTS],
                      const size_t len[TEXTS])
{
	struct request r = { .kind = kind, .at = at };
	struct iovec v[TEXTS + 1] = { { &r, sizeof r } };

	for (int i = 0; i < TEXTS; i++) {
		r.len[i] = (uint32_t)len[i];
		v[i + 1] = (struct iovec){ (char *)text[i], len[i] };
	}
	return deliver(fd, v, TEXTS + 1);
}

static bool hand_over_headers(void)
{
	struct header h;

	for (; headers_kept(headers_known, &h); headers_known++)
		if (!hand_over(HEADER, NULL, (const char *[]){ h.name, h.folder, h.text, "" },
		               (size_t[]){ strlen(h.name), strlen(h.folder), h.len, 0 }))
			return false;
	return true;
}

/* Types that came since the last time may offer more. */
static bool hand_over_symbols(void)
{
	struct export e;
	struct buf b = { 0 };
	size_t n = 0;
	bool sent;

	if (symbols_known && !compile_symbol(symbols_known, &e))
		return true;
	for (; compile_symbol(n, &e); n++) {
		uint64_t addr = (uintptr_t)e.addr;

		if (addr) {
			buf_add(&b, &addr, sizeof addr);
			buf_add(&b, e.name, strlen(e.name) + 1);
		}
	}
	sent = hand_over(SYMBOLS, NULL, (const char *[]){ "", "", b.p, "" },
	                 (size_t[]){ 0, 0, b.len, 0 });
	symbols_known = sent ? n : 0;
	buf_fini(&b);
	return sent;
}

/* Addresses for what comes back; whoever takes that sets size to 0. */
struct room { char *at; size_t size; };

static bool room_new(struct room *r)
{
	void *at = mmap(NULL, TRIAL_ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	                -1, 0);

	*r = (struct room){ at, at == MAP_FAILED ? 0 : TRIAL_ROOM };
	return r->size;
}

static void room_shrink(struct room *r, size_t size)
{
	if (size < r->size)
		munmap(r->at + size, r->size - size);
	r->size = size;
}

/* Pages for the code, all at once. */
static bool room_open(struct image *i, struct room *room)
{
	size_t whole = (i->p.size + 4095) & ~(size_t)4095;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;

	if (i->p.size && (i->p.at != room->at || i->p.size > room->size))
		return false;
	room_shrink(room, whole);
	return !whole || mmap(room->at, whole, PROT_READ | PROT_WRITE, flags, -1, 0) == room->at;
}

/* What the reply announces. */
static bool receive_rest(const struct reply *r, struct image *i, struct buf *said,
                         int64_t until_ms)
{
	struct buf *text[] = { said, &i->stab, &i->str };
	uint32_t len[] = { r->len, r->stab, r->str };
	struct iovec v[ARRAY_LEN(text) + 1];

	for (size_t k = 0; k < ARRAY_LEN(text); k++) {
		buf_reserve(text[k], len[k]);
		v[k] = (struct iovec){ text[k]->p + text[k]->len, len[k] };
		text[k]->len += len[k];
	}
	v[ARRAY_LEN(text)] = (struct iovec){ i->p.at, i->p.size };
	return receive(fd, v, ARRAY_LEN(v), until_ms);
}

static bool try(const struct source *s, struct reply *r, struct image *i, struct room *room,
                struct buf *said, int64_t until_ms)
{
	const char *function = s->function ? s->function : "", *folder = s->folder ? s->folder : "";

	if (!hand_over_symbols() || !hand_over_headers() ||
	    !hand_over(SOURCE, room->at, (const char *[]){ s->file, folder, s->text, function },
	               (size_t[]){ strlen(s->file), strlen(folder), s->len, strlen(function) }) ||
	    !receive(fd, &(struct iovec){ r, sizeof *r }, 1, until_ms))
		return false;
	i->p = r->p;
	return room_open(i, room) && receive_rest(r, i, said, until_ms);
}

/* How it ended; signo 0: that is not known. */
struct death { int signo; bool hung; };

static struct death died(int64_t began_ms)
{
	int64_t took_ms = now_ms() - began_ms;
	int status = end_of(took_ms >= TRIAL_WALL_MS);
	int signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	return (struct death){
		signo, signo == SIGPROF || took_ms >= TRIAL_WALL_MS ||
		       (!signo && took_ms >= TRIAL_CPU_MS),
	};
}

static void blame(const struct source *s, struct death d, struct buf *said)
{
	if (d.hung)
		diagnose(said, s->file, 0, "the compiler hung on this source (over %d ms of CPU "
		         "time): it is refused", TRIAL_CPU_MS);
	else if (d.signo == SIGKILL)
		diagnose(said, s->file, 0, "the compiler was killed twice on this source: by the "
		         "kernel, as memory is short (dmesg), or by somebody; send it again");
	else
		diagnose(said, s->file, 0, "the compiler crashed on this source (%s), as it does "
		         "on some broken code and on brackets nested by the thousand: it is "
		         "refused",
		         d.signo ? strsignal(d.signo) : "it ended");
}

enum outcome { SURVIVED, DIED, UNTRIED };

/* What is killed from outside has no source to blame: another process tries it once more. (A
 * compiler does not send itself SIGKILL.) */
static enum outcome trial(const struct source *s, struct reply *r, struct image *i,
                          struct room *room, struct buf *said)
{
	size_t said_len = said->len;
	struct death d;
	struct why why;

	for (int attempt = 1;; attempt++) {
		int64_t began_ms = now_ms();

		if (pid && gone())
			end_of(false);
		if (!pid && trial_start(&why) < 0) {
			diagnose(said, s->file, 0, "it cannot be tried out now: %s", why.text);
			return UNTRIED;
		}
		if (try(s, r, i, room, said, began_ms + TRIAL_WALL_MS))
			return SURVIVED;
		d = died(began_ms);
		said->len = said_len;           /* what came of it goes */
		buf_clear(&i->stab);
		buf_clear(&i->str);
		room_shrink(room, 0);
		room_new(room);
		if (attempt == 2 || d.hung || (d.signo && d.signo != SIGKILL))
			break;
		log_line(LOG_WARN, "patch", "%s: the trial was killed, once more", s->file);
	}
	blame(s, d, said);
	if (trial_start(&why) < 0)      /* the next source tries again */
		log_line(LOG_ERROR, "patch", "%s", why.text);
	return DIED;
}

struct program *trial_compile(const struct source *s, struct buf *said)
{
	struct image i = { .p = { 0 } };
	struct program *p = NULL;
	struct reply r = { 0 };
	struct room room;

	if (s->len > SOURCE_MAX)                /* the compiler itself says so, unread */
		return program_compile(s, said);
	if (!room_new(&room)) {
		diagnose(said, s->file, 0, "there is no room for it");
	} else if (trial(s, &r, &i, &room, said) == SURVIVED && r.passed) {
		p = i.p.size ? image_take(s, &i) : program_compile(s, said);
		room.size = 0;
		if (!p && !said->len)
			diagnose(said, s->file, 0, "the compiler gave up");
	}
	room_shrink(&room, 0);
	buf_fini(&i.stab);
	buf_fini(&i.str);
	return p;
}

bool trial_survived(const struct source *s, struct buf *said)
{
	struct image i = { .p = { 0 } };
	struct reply r = { 0 };
	struct room room;
	bool survived;

	if (s->len > SOURCE_MAX)
		return true;
	room_new(&room);
	survived = trial(s, &r, &i, &room, said) != DIED;
	room_shrink(&room, 0);
	buf_fini(&i.stab);
	buf_fini(&i.str);
	return survived;
}
