/* SPDX-License-Identifier: MIT
 * box.c - libtcc's memory, its variables, and its exits.
 *
 * An error leaves libtcc's variables as they were at that moment: one in the middle of an
 * initializer or of a _Generic makes it refuse every later source, one inside a function with
 * labels leaves pointers to freed memory, and what was being built is not freed. So after an error
 * all is reset: every block that libtcc allocated is in a list here, its variables lie in two
 * sections.
 *
 * The limit stops a macro that grows without end; libtcc then says `memory full`. Where it would
 * end the process (#pragma comment(option, "-dumpversion")), box_run() returns instead. mprotect
 * does nothing: libtcc makes what it relocates writable and executable, compile.c protects it.
 *
 * Threads: one at a time, behind compile.c's lock. A loop without end is not stopped here. */
#include "box.h"

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>

enum { MEMORY_MAX = 256 << 20 };

struct block {
	struct block *prev, *next;
	size_t size;
	size_t unused;          /* what follows is aligned to 16 */
};

extern char __start_tcc_data[], __stop_tcc_data[], __start_tcc_bss[], __stop_tcc_bss[];

static struct block blocks = { &blocks, &blocks, 0, 0 };
static size_t held;
static jmp_buf out;
static char data_at_start[64];
static bool started;

void *box_malloc(size_t size);
void *box_calloc(size_t n, size_t size);
void *box_realloc(void *p, size_t size);
void  box_free(void *p);
int   box_mprotect(void *at, size_t len, int prot);
_Noreturn void box_exit(int status);

static void link_in(struct block *b, size_t size)
{
	b->size = size;
	b->next = &blocks;
	b->prev = blocks.prev;
	b->prev->next = b;
	blocks.prev = b;
	held += size;
}

static void unlink_from(struct block *b)
{
	b->prev->next = b->next;
	b->next->prev = b->prev;
	held -= b->size;
}

void *box_realloc(void *p, size_t size)
{
	struct block *old = p ? (struct block *)p - 1 : NULL, *b;
	size_t had = old ? old->size : 0;

	if (size > MEMORY_MAX || held - had + size > MEMORY_MAX)
		return NULL;
	if (old)
		unlink_from(old);
	b = realloc(old, sizeof *b + size);
	if (!b && old)
		link_in(old, had);
	if (!b)
		return NULL;
	link_in(b, size);
	return b + 1;
}

void *box_malloc(size_t size)
{
	return box_realloc(NULL, size);
}

void *box_calloc(size_t n, size_t size)
{
	void *p = size && n > MEMORY_MAX / size ? NULL : box_realloc(NULL, n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

void box_free(void *p)
{
	if (!p)
		return;
	unlink_from((struct block *)p - 1);
	free((struct block *)p - 1);
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

bool box_run(void (*run)(void *arg), void *arg)
{
	size_t len = (size_t)(__stop_tcc_data - __start_tcc_data);

	assert(len <= sizeof data_at_start);
	if (!started)
		memcpy(data_at_start, __start_tcc_data, len);
	started = true;
	if (setjmp(out))
		return false;
	run(arg);
	return true;
}

void box_reset(void)
{
	while (blocks.next != &blocks)
		box_free(blocks.next + 1);
	memcpy(__start_tcc_data, data_at_start, (size_t)(__stop_tcc_data - __start_tcc_data));
	memset(__start_tcc_bss, 0, (size_t)(__stop_tcc_bss - __start_tcc_bss));
}
