/* SPDX-License-Identifier: MIT
 * box.c - libtcc's memory, its variables, and its exits.
 *
 * An error leaves libtcc's variables as they were at that moment: one in the middle of an
 * initializer or of a _Generic makes it refuse every later source, one inside a function with
 * labels leaves pointers to freed memory, and what was being built is not freed. So each source
 * meets libtcc as new: its variables lie in two sections that are set back, and its memory is a
 * region that is begun anew: taking is adding to a number, freeing is nothing, and pages once
 * touched stay for the next source.
 *
 * The region's end stops a macro that grows without end; libtcc then says `memory full`. Where it
 * would end the process (#pragma comment(option, "-dumpversion")), box_run() returns instead.
 * mprotect does nothing: libtcc makes what it relocates writable and executable, compile.c
 * protects it.
 *
 * A run can be had again from its middle. It has a stack of its own then, and stops at a mark,
 * where all that it is made of is copied: its variables, those pages of the region that it has
 * touched, its stack down to there. Copied back, to the same addresses, they are that run again.
 *
 * Threads: one at a time, behind compile.c's lock. A loop without end is not stopped here. */
#include "box.h"

#include <assert.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
	REGION = 256 << 20,     /* bytes of address space */
	KEPT = 4 << 20,         /* of them stay in memory between sources */
};

struct block { size_t size, unused; };  /* in front of each, which is aligned to 16 */

extern char __start_tcc_data[], __stop_tcc_data[], __start_tcc_bss[], __stop_tcc_bss[];

static char *region;
static size_t used;
static jmp_buf out;
static char data_at_start[64];

enum { PAGE = 4096, PARTS = 512, STACK_KEPT = 64 << 10 };
static struct {
	void (*run)(void *arg); void *arg;
	char *stack; size_t stack_size;
	ucontext_t outside, inside;     /* inside: at the mark, again and again */
	bool reached, clean, whole;     /* clean: all is as it was at the mark */
	size_t used;
	jmp_buf out;
	struct part { char *at, *copy; size_t len; } part[PARTS];
	int parts;
} mark;

void *box_malloc(size_t size);
void *box_calloc(size_t n, size_t size);
void *box_realloc(void *p, size_t size);
void  box_free(void *p);
int   box_mprotect(void *at, size_t len, int prot);
_Noreturn void box_exit(int status);

void *box_malloc(size_t size)
{
	struct block *b = (struct block *)(region + used);
	size_t whole = sizeof *b + ((size + 15) & ~(size_t)15);

	if (size > REGION || whole > REGION - used)
		return NULL;
	used += whole;
	b->size = size;
	return b + 1;
}

void *box_calloc(size_t n, size_t size)
{
	void *p = size && n > REGION / size ? NULL : box_malloc(n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

void *box_realloc(void *p, size_t size)
{
	struct block *old = p ? (struct block *)p - 1 : NULL;
	void *to;

	if (old && size <= old->size)
		return p;
	to = box_malloc(size);
	return to && old ? memcpy(to, p, old->size) : to;
}

void box_free(void *p)
{
	(void)p;
}

int box_mprotect(void *at, size_t len, int prot)
{
	(void)at;
	(void)len;
	(void)prot;
	return 0;
}

_Noreturn void box_exit(int status)
{
	(void)status;
	longjmp(out, 1);
}

static bool region_make(void)
{
	size_t len = (size_t)(__stop_tcc_data - __start_tcc_data);
	void *at = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return false;
	region = at;
	assert(len <= sizeof data_at_start);
	memcpy(data_at_start, __start_tcc_data, len);
	return true;
}

static bool begin_anew(void)
{
	if (!region && !region_make())
		return false;
	memcpy(__start_tcc_data, data_at_start, (size_t)(__stop_tcc_data - __start_tcc_data));
	memset(__start_tcc_bss, 0, (size_t)(__stop_tcc_bss - __start_tcc_bss));
	if (used > KEPT)
		madvise(region + KEPT, used - KEPT, MADV_DONTNEED);
	used = 0;
	mark.clean = false;
	return true;
}

bool box_run(void (*run)(void *arg), void *arg)
{
	if (!begin_anew() || setjmp(out))
		return false;
	run(arg);
	return true;
}

/* --- from the middle --------------------------------------------------------------------- */

static void keep_part(char *at, size_t len)
{
	struct part *p = &mark.part[mark.parts];

	if (mark.parts && p[-1].at + p[-1].len == at)
		p[-1].len += len;
	else if (mark.parts < PARTS)
		mark.part[mark.parts++] = (struct part){ .at = at, .len = len };
	else
		mark.reached = false;
}

/* What it has not touched it has nothing in. */
static void find_parts(void)
{
	size_t pages = (used + PAGE - 1) / PAGE;
	unsigned char *touched = mem_alloc(pages);
	char *sp = (char *)mark.inside.uc_mcontext.gregs[REG_RSP];

	if (mincore(region, pages * PAGE, touched))
		memset(touched, 1, pages);
	for (size_t i = 0; i < pages; i++)
		if (touched[i] & 1)
			keep_part(region + i * PAGE, PAGE);
	mem_free(touched);
	keep_part(__start_tcc_data, (size_t)(__stop_tcc_data - __start_tcc_data));
	keep_part(__start_tcc_bss, (size_t)(__stop_tcc_bss - __start_tcc_bss));
	keep_part(sp, (size_t)(mark.stack + mark.stack_size - sp));
}

static void keep_all(void)
{
	while (mark.parts)
		mem_free(mark.part[--mark.parts].copy);
	find_parts();
	for (int i = 0; i < mark.parts; i++) {
		mark.part[i].copy = mem_alloc(mark.part[i].len);
		memcpy(mark.part[i].copy, mark.part[i].at, mark.part[i].len);
	}
	mark.used = used;
	memcpy(&mark.out, &out, sizeof out);
	mark.clean = true;
}

static void enter(void)
{
	mark.whole = false;
	if (!setjmp(out)) {
		mark.run(mark.arg);
		mark.whole = true;
	}
	setcontext(&mark.outside);
}

static bool make_stack(size_t size)
{
	void *at = mark.stack ? mark.stack :
		mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (at == MAP_FAILED || (!mark.stack && mprotect(at, PAGE, PROT_NONE)))
		return false;
	mark.stack = at;
	mark.stack_size = size;
	return true;
}

bool box_begin(void (*run)(void *arg), void *arg, size_t stack)
{
	ucontext_t first;

	mark.reached = false;
	if (!make_stack(stack) || !begin_anew())
		return false;
	madvise(region, REGION, MADV_NOHUGEPAGE);
	madvise(region, REGION, MADV_DONTNEED);
	mark.run = run;
	mark.arg = arg;
	getcontext(&first);
	first.uc_stack.ss_sp = mark.stack;
	first.uc_stack.ss_size = mark.stack_size;
	makecontext(&first, enter, 0);
	swapcontext(&mark.outside, &first);
	if (mark.reached)
		keep_all();
	return mark.reached;
}

void box_mark(void)
{
	mark.reached = true;
	swapcontext(&mark.inside, &mark.outside);
}

void box_back(void)
{
	if (!mark.reached || mark.clean)
		return;
	if (used > KEPT)
		madvise(region + KEPT, used - KEPT, MADV_DONTNEED);
	for (int i = 0; i < mark.parts; i++)
		memcpy(mark.part[i].at, mark.part[i].copy, mark.part[i].len);
	madvise(mark.stack + PAGE, mark.stack_size - STACK_KEPT - PAGE, MADV_DONTNEED);
	used = mark.used;
	memcpy(&out, &mark.out, sizeof out);
	mark.clean = true;
}

bool box_go_on(void)
{
	if (!mark.reached)
		return false;
	box_back();
	mark.clean = false;
	swapcontext(&mark.outside, &mark.inside);
	return mark.whole;
}
