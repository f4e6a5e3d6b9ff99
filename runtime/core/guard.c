/* SPDX-License-Identifier: MIT
 * guard.c - faults in compiled code: who gets them, and how the worker goes on.
 *
 * Compiled code runs on a stack of its own, one a worker. Below it 256 MiB cannot be touched, for
 * libtcc probes no stack: a frame of 100 MB jumps over a page. A fault in there sets the thread
 * back to where it went onto that stack (doors.S): no setjmp, nothing a message but the switch.
 *
 *        | 256 MiB no access | 1 MiB stack | page no access | signal stack |
 *
 * Whose fault is it? While compiled code runs it calls the runtime by doors, which note it. A fault
 * with no door open is compiled code's own, or the C library's that it gave a bad pointer (what it
 * may call there keeps no locks): contained. One with a door open is the runtime's, which may hold
 * locks: the process ends at once, with a line that names the suspect. But what compiled code lends
 * the runtime is looked at first, before anything is locked, by functions in a section of their own
 * (LENT; exports.c): a fault in there is compiled code's.
 *
 * A loop without end: the watch sends GUARD_SIGNAL. In compiled code it acts as a fault. Elsewhere
 * the next return into compiled code is bent to guard_ended(): exactly where a door is open, else
 * by what looks like such a return on the stack; one that was none is found out by the next signal,
 * a tick later.
 *
 * Not contained: what compiled code writes where it can, the heap above all. */
#include "guard.h"

#include <execinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "log.h"

#ifdef __has_feature
#define ASAN_CLANG __has_feature(address_sanitizer)
#else
#define ASAN_CLANG 0
#endif
#if defined(__SANITIZE_ADDRESS__) || ASAN_CLANG
void __asan_unpoison_memory_region(const volatile void *at, size_t size);
#define UNPOISON(at, size) __asan_unpoison_memory_region(at, size)
#else
#define UNPOISON(at, size) ((void)(at))
#endif

/* GUARD_SIGNAL is one that TSan delivers at once. */
enum {
	BELOW = 256 << 20,
	PAGE = 4096,
	SIGNAL_STACK = 64 << 10,
	LEAST = 128 << 10,
	KEPT = 64 << 10,
	GUARD_SIGNAL = SIGSYS,
	LAST_WORDS_MS = 1000,
};
enum { MAPPED = BELOW + GUARD_STACK + PAGE + SIGNAL_STACK };

extern const char guard_ended[], guard_fell[], guard_door[];
extern const char __start_guard_lent[], __stop_guard_lent[];
extern _Thread_local struct guard *guard_self;
_Thread_local struct guard *guard_self;

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, GUARD_SIGNAL };
static struct sigaction before[NSIG];

/* --- the end of the process --------------------------------------------------------------- */

static void (*_Atomic dying)(bool inside, uint32_t version, int sig);

void core_on_crash(void (*fn)(bool, uint32_t, int))
{
	STORE(&dying, fn);
}

static void end_process(int sig, const siginfo_t *info, const ucontext_t *c)
{
	struct worker *w = worker_self;
	struct guard *g = guard_self;
	bool inside = g && (LOAD(&g->seq) & 1);
	void (*tell)(bool, uint32_t, int) = LOAD(&dying);
	const char *in = w && LOAD(&w->handler) ? LOAD(&w->handler) : "none";
	struct pollfd err = { STDERR_FILENO, POLLOUT, 0 };
	char line[512];
	int len;

	len = snprintf(line, sizeof line,
		       "actord: signal %d (%s) at address %p, pc %#llx, in the runtime's own code "
		       "(%s, handler %s): this cannot be contained, the process ends",
		       sig, sigabbrev_np(sig), info->si_code > 0 ? info->si_addr : NULL,
		       (unsigned long long)c->uc_mcontext.gregs[REG_RIP], w ? w->name : "no worker",
		       in);
	if (inside && g->version)
		len += snprintf(line + len, sizeof line - (size_t)len, "; the suspect is patch %u",
				g->version);
	else if (inside)
		len += snprintf(line + len, sizeof line - (size_t)len,
				"; the suspect is the actor's source");
	line[len++] = '\n';
	/* not by kill -SEGV of somebody else */
	if (tell && (info->si_code > 0 || info->si_pid == getpid()))
		tell(inside, inside ? g->version : 0, sig);
	/* a pipe that nobody reads must not hold up the end */
	if (poll(&err, 1, LAST_WORDS_MS) > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
		_exit(1);
	sigaction(sig, &before[sig], NULL);
	if (info->si_code <= 0)         /* it does not come again by itself */
		raise(sig);
}

/* --- a fault ------------------------------------------------------------------------------ */

static bool on_stack(const struct guard *g, uintptr_t at)
{
	return at >= (uintptr_t)g->low && at + sizeof(void *) <= (uintptr_t)g->top &&
	       at % sizeof(void *) == 0;
}

/* An address behind a call in compiled code: e8 rel32, or ff with a register or a place. */
UNCHECKED static bool is_return(const struct guard *g, uintptr_t to)
{
	const unsigned char *p = (const unsigned char *)to;

	if (!code_has(g->code, p) || !code_has(g->code, p - 7))
		return false;
	if (p[-5] == 0xe8)
		return true;
	for (int n = 2; n <= 7; n++)
		if (p[-n] == 0xff && (p[1 - n] & 0x38) == 0x10)
			return true;
	return false;
}

/* The first return into compiled code from `from` upward, or 0. */
UNCHECKED static uintptr_t find_return(const struct guard *g, uintptr_t from)
{
	for (; on_stack(g, from); from += sizeof(void *))
		if (is_return(g, *(uintptr_t *)from))
			return from;
	return 0;
}

/* Where compiled code was last: at the fault, before a door, before a call of what is not there, or
 * where the C library was called, which can be unwound. */
UNCHECKED static const void *first_frame(const struct guard *g, const ucontext_t *c)
{
	uintptr_t rsp = (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
	const void *pc = (const void *)(uintptr_t)c->uc_mcontext.gregs[REG_RIP];
	void *back[48];
	int n;

	if (code_has(g->code, pc))
		return pc;
	if (code_has(g->code, LOAD(&g->door)))
		return (char *)LOAD(&g->door) - 1;
	if (on_stack(g, rsp) && is_return(g, *(uintptr_t *)rsp))
		return (char *)*(uintptr_t *)rsp - 1;
	n = backtrace(back, ARRAY_LEN(back));
	for (int i = 0; i < n; i++)
		if (code_has(g->code, back[i]))
			return (char *)back[i] - 1;
	return NULL;
}

/* libtcc keeps frame pointers, and so do we. */
UNCHECKED static void note_frames(struct guard *g, const ucontext_t *c)
{
	uintptr_t rbp = (uintptr_t)c->uc_mcontext.gregs[REG_RBP], next;

	const void *first = first_frame(g, c);

	if (!first && g->noted == LOAD(&g->seq))        /* bent already */
		return;
	g->noted = LOAD(&g->seq);
	g->frame[0] = first;
	g->frames = first != NULL;
	for (; g->frames < FRAMES_MAX && on_stack(g, rbp) && on_stack(g, rbp + sizeof(void *));
	     rbp = next) {
		const char *to = ((const char **)rbp)[1];

		if (code_has(g->code, to) && to - 1 != g->frame[0])
			g->frame[g->frames++] = to - 1;
		next = *(uintptr_t *)rbp;
		if (next <= rbp)
			break;
	}
}

static enum fault kind_of(const struct guard *g, int sig, uintptr_t address, uintptr_t pc)
{
	switch (sig) {
	case SIGFPE: return FAULT_DIVISION;
	case SIGILL: return FAULT_INSTRUCTION;
	case SIGBUS: return FAULT_BUS;
	}
	if (address >= (uintptr_t)g->map && address < (uintptr_t)g->low)
		return FAULT_STACK;
	return address == pc ? FAULT_JUMP : FAULT_POINTER;
}

static void fall(struct guard *g, ucontext_t *c, enum fault kind)
{
	STORE(&g->fault, kind);
	c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)guard_fell;
}

UNCHECKED static void end_call(struct guard *g, ucontext_t *c)
{
	uintptr_t pc = (uintptr_t)c->uc_mcontext.gregs[REG_RIP], at;

	if (LOAD(&g->end) != LOAD(&g->seq))
		return;
	note_frames(g, c);
	if (LOAD(&g->door)) {
		STORE(&g->door, (void *)(uintptr_t)guard_ended);
	} else if (code_has(g->code, (const void *)pc)) {
		fall(g, c, FAULT_TIME);
	} else if ((at = find_return(g, (uintptr_t)c->uc_mcontext.gregs[REG_RSP]))) {
		*(uintptr_t *)at = (uintptr_t)guard_ended;
	}
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	struct guard *g = guard_self;
	ucontext_t *c = context;
	uintptr_t pc = (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
	bool inside = g && (LOAD(&g->seq) & 1), sent = info->si_code <= 0;
	bool lent = pc >= (uintptr_t)__start_guard_lent && pc < (uintptr_t)__stop_guard_lent;

	if (sig == GUARD_SIGNAL && sent && info->si_pid == getpid()) {
		if (inside)
			end_call(g, c);
	} else if (!inside || sent || sig == SIGABRT || (LOAD(&g->door) && !lent)) {
		end_process(sig, info, c);
	} else {
		g->address = (uintptr_t)info->si_addr;
		note_frames(g, c);
		fall(g, c, kind_of(g, sig, g->address, pc));
	}
}

/* --- making one --------------------------------------------------------------------------- */

void guard_signals(void)
{
	struct sigaction old, a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	void *warm[1];

	backtrace(warm, 1);             /* its first call allocates */
	sigfillset(&a.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		sigaction(faults[i], &a, &old);
		if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != on_signal)
			before[faults[i]] = old;
	}
}

/* What the thread has for a signal stack serves, where it is large enough. */
static bool enter_thread(char *stack)
{
	stack_t is, own = { .ss_sp = stack, .ss_size = SIGNAL_STACK };
	sigset_t set;

	if (sigaltstack(NULL, &is) < 0 ||
	    ((is.ss_flags & SS_DISABLE || is.ss_size < SIGNAL_STACK / 4) &&
	     sigaltstack(&own, NULL) < 0))
		return false;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		sigaddset(&set, faults[i]);
	return !pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static COLD struct guard *guard_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct guard *g = mem_alloc(sizeof *g);
	char *map =
		mmap(NULL, MAPPED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *low = map + BELOW, *stack = low + GUARD_STACK + PAGE;

	if (map == MAP_FAILED) {
		mem_free(g);
		return NULL;
	}
	*g = (struct guard){ .map = map, .low = low, .top = low + GUARD_STACK, .least = low + LEAST,
	                     .thread = pthread_self() };
	pthread_once(&once, guard_signals);
	if (mprotect(low, GUARD_STACK, PROT_READ | PROT_WRITE) ||
	    mprotect(stack, SIGNAL_STACK, PROT_READ | PROT_WRITE) || !enter_thread(stack)) {
		guard_free(g);
		return NULL;
	}
	return g;
}

void guard_free(struct guard *g)
{
	if (g) {
		munmap(g->map, MAPPED);
		draft_free(g->draft);
	}
	mem_free(g);
}

static pthread_mutex_t leaving = PTHREAD_MUTEX_INITIALIZER;

void guard_stay(bool on)
{
	if (on)
		pthread_mutex_lock(&leaving);
	else
		pthread_mutex_unlock(&leaving);
}

void guard_leave(struct worker *w)
{
	struct guard *g = guard_self;
	stack_t is, none = { .ss_flags = SS_DISABLE };

	if (!g)
		return;
	if (!sigaltstack(NULL, &is) && is.ss_sp == g->top + PAGE)
		sigaltstack(&none, NULL);
	guard_self = NULL;
	guard_stay(true);
	STORE(&w->guard, NULL);
	guard_stay(false);
	guard_free(g);
}

/* Said once, tried again with each message. */
static COLD void say_unguarded(const struct worker *w)
{
	static _Thread_local bool said;

	if (!said)
		log_line(LOG_ERROR, "guard",
			 "%s: no memory for a stack for compiled code: it runs unguarded, and its "
			 "faults end the process, until there is some",
			 w->name);
	said = true;
}

struct guard *guard_get(struct worker *w)
{
	struct guard *g = guard_self;

	if (unlikely(!g)) {
		g = guard_new();
		if (!g) {
			say_unguarded(w);
			return NULL;
		}
		guard_self = g;
		STORE_RELEASE(&w->guard, g);    /* partner: the watch */
	}
	return unlikely(LOAD(&g->seq) & 1) ? NULL : g;
}

/* --- time --------------------------------------------------------------------------------- */

void guard_look(struct guard *g, int64_t now, uint32_t ms)
{
	uint64_t seq = LOAD(&g->seq);

	if (!(seq & 1) || seq != g->seen) {
		g->seen = seq;
		g->since_ns = now;
	} else if (now - g->since_ns >= (int64_t)ms * 1000000) {
		STORE(&g->end, seq);
		pthread_kill(g->thread, GUARD_SIGNAL);
	}
}

/* --- after a fault ------------------------------------------------------------------------ */

static void say_fault(const struct guard *g, uint32_t budget_ms, struct buf *out)
{
	switch ((enum fault)LOAD(&g->fault)) {
	case FAULT_NONE:        break;
	case FAULT_POINTER:
		buf_printf(out, "a bad pointer (%#llx)", (unsigned long long)g->address);
		break;
	case FAULT_JUMP: buf_printf(out, "a jump to %#llx", (unsigned long long)g->address); break;
	case FAULT_DIVISION:    buf_text(out, "a division by zero"); break;
	case FAULT_STACK: buf_printf(out, "no stack left of %d KiB", GUARD_STACK >> 10); break;
	case FAULT_INSTRUCTION: buf_text(out, "an illegal instruction"); break;
	case FAULT_BUS:         buf_text(out, "a bus error"); break;
	case FAULT_TIME: buf_printf(out, "longer under way than its %u ms", budget_ms); break;
	}
}

void guard_explain(struct guard *g, uint32_t budget_ms, struct buf *out)
{
	say_fault(g, budget_ms, out);
	for (int i = 0; i < g->frames; i++) {
		if (i && g->frame[i] == g->frame[i - 1])
			continue;
		buf_text(out, i ? ", called at " : " at ");
		code_where(g->code, g->frame[i], out);
	}
	if (LOAD(&g->fault) == FAULT_STACK)
		madvise(g->low, GUARD_STACK - KEPT, MADV_DONTNEED);
	UNPOISON(g->low, GUARD_STACK);
	STORE(&g->fault, FAULT_NONE);
	g->frames = 0;
}

/* --- doors -------------------------------------------------------------------------------- */

/* mov $function, %r11; mov $guard_door, %r10; jmp *%r10 */
static void write_door(unsigned char *at, const void *function)
{
	static const unsigned char text[] = {0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0,    0,    0x49, 0xba,
					     0,    0,    0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xe2};
	const void *door = guard_door;

	memcpy(at, text, sizeof text);
	memcpy(at + 2, &function, sizeof function);
	memcpy(at + 12, &door, sizeof door);
}

char *guard_doors(const struct export *e, size_t n)
{
	char *code = mmap(NULL, n * GUARD_DOOR, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < n; i++)
		write_door((unsigned char *)code + i * GUARD_DOOR, e[i].addr);
	if (!mprotect(code, n * GUARD_DOOR, PROT_READ | PROT_EXEC))
		return code;
	munmap(code, n * GUARD_DOOR);
	return NULL;
}
