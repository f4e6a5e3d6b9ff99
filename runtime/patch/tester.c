/* SPDX-License-Identifier: MIT
 * tester.c - the trial's process: compiles each source that comes, and ends of what ends the
 * compiler.
 *
 * It is this program once more, which finds by its name that it is the trial and never comes to
 * main(). It has no thread, no file, no network, and no way to get any. What comes before a source
 * is done before it comes (image_ready), and so are the pages that its code is to lie in.
 *
 * The limits: CPU time by a timer that kills, address space and stack by rlimits, system calls by a
 * filter; where a kernel grants no filter, rlimits keep files and processes away. */
#include "tester.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "exchange.h"
#include "headers.h"
#include "site.h"
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

enum { FD = TESTER_FD };
const char tester_name[] = "actord-trial";

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
	r.passed = image_make(s, at, SITE, &i, &said);
	timer_set(0);
	r.len = (uint32_t)said.len;
	r.stab = (uint32_t)i.stab.len;
	r.str = (uint32_t)i.str.len;
	r.p = i.p;
	sent = exchange_deliver(FD, (struct iovec[]){ { &r, sizeof r }, { said.p, said.len },
	                                     { i.stab.p, i.stab.len }, { i.str.p, i.str.len },
	                                     { i.p.at, i.p.size } }, 5, -1);
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
	struct iovec v[EXCHANGE_TEXTS];
	char *text[EXCHANGE_TEXTS] = { NULL };
	bool more = exchange_receive(FD, &(struct iovec){ &r, sizeof r }, 1, -1);

	for (int i = 0; more && i < EXCHANGE_TEXTS; i++) {
		text[i] = mem_alloc((size_t)r.len[i] + 1);
		v[i] = (struct iovec){ text[i], r.len[i] };
	}
	more = more && exchange_receive(FD, v, EXCHANGE_TEXTS, -1);
	if (more && r.kind == EXCHANGE_HEADER)
		headers_keep(&(struct header){ text[0], text[1], text[2], r.len[2] });
	else if (more && r.kind == EXCHANGE_SYMBOLS)
		keep_symbols(text[2], r.len[2]);
	else if (more && r.kind == EXCHANGE_SITE)
		image_site(r.at, SITE_READY);
	else if (more)
		more = answer(&(struct source){ .text = text[2], .len = r.len[2], .file = text[0],
		                                .folder = r.len[1] ? text[1] : NULL,
		                                .function = r.len[3] ? text[3] : NULL }, r.at);
	for (int i = 0; i < EXCHANGE_TEXTS; i++)
		mem_free(text[i]);
	return more;
}

/* Runs before main(), in every program that has this file, and returns in all but the trial. */
__attribute__((constructor)) static void become_trial(int argc, char **argv)
{
	if (argc != 1 || strcmp(argv[0], tester_name))
		return;
	slice_prompt();
	warm_up();
	give_up_rights();
	do
		get_ready();
	while (serve());
	_exit(0);
}
