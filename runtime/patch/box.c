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
 * Threads: one at a time, behind compile.c's lock. A loop without end is not stopped here. */
#include "box.h"

#include <assert.h>
#include <setjmp.h>
#include <sys/mman.h>

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

void *box_malloc(size_t size);
void *box_calloc(size_t n, size_t size);
void *box_realloc(void *p, size_t size);
void  box_free(void *p);
int   box_mprotect(void *at, size_t len, int prot);
_Noreturn void box_exit(int status);

void *box_malloc(size_t size)
{
	struct block *b = (struct block *)(region + used);

	if (size > REGION - 64 - used)
		return NULL;
	used += sizeof *b + ((size + 15) & ~(size_t)15);
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

bool box_run(void (*run)(void *arg), void *arg)
{
	if (!region && !region_make())
		return false;
	memcpy(__start_tcc_data, data_at_start, (size_t)(__stop_tcc_data - __start_tcc_data));
	memset(__start_tcc_bss, 0, (size_t)(__stop_tcc_bss - __start_tcc_bss));
	if (used > KEPT)
		madvise(region + KEPT, used - KEPT, MADV_DONTNEED);
	used = 0;
	if (setjmp(out))
		return false;
	run(arg);
	return true;
}
