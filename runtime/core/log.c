/* SPDX-License-Identifier: MIT
 * log.c - one line an event, built on the stack and written by one write(2).
 *
 * The invariant: a line is at most PIPE_BUF bytes and leaves in one system call, so lines of
 * different threads, and of processes that share a pipe, never mix; longer ones are cut and say
 * so. No lock. What cannot be written (a closed stderr, a full disk) is dropped: a log line is
 * never the reason that something else fails. */
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ports.h"

enum { PATIENCE = 100000 };

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char cut_mark[] = "[cut]";
static _Atomic int least_level = LOG_INFO;

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

/* --- what is kept ------------------------------------------------------------------------- */

static struct log_kept places[LOG_KEPT];
static uint64_t newest;
static atomic_flag busy = ATOMIC_FLAG_INIT;

static bool enter(int patience)
{
	while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) {
		if (!--patience)
			return false;
		__builtin_ia32_pause();
	}
	return true;
}

static void leave(void)
{
	atomic_flag_clear_explicit(&busy, memory_order_release);
}

static void keep(enum log_level level, const char *room, const char *line, size_t len, size_t text)
{
	struct log_kept *p;

	if (!enter(PATIENCE))
		return;
	p = &places[++newest % LOG_KEPT];
	p->number = newest;
	p->level = level;
	p->text = text;
	snprintf(p->room, sizeof p->room, "%s", room);
	memcpy(p->line, line, len);
	p->line[len] = 0;
	leave();
}

uint64_t log_newest(void)
{
	uint64_t number;

	while (!enter(PATIENCE))
		sched_yield();
	number = newest;
	leave();
	return number;
}

bool log_read(uint64_t number, struct log_kept *out)
{
	const struct log_kept *p = &places[number % LOG_KEPT];
	bool found;

	while (!enter(PATIENCE))
		sched_yield();
	found = number && p->number == number;
	if (found)
		*out = *p;
	leave();
	return found;
}

void log_set_level(enum log_level least)
{
	atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

static size_t put_head(char *to, size_t size, enum log_level level, const char *room)
{
	int64_t ms = wall_ms();
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(to + n, size - n, ".%03dZ %-5s %.64s: ", (int)(ms % 1000),
	                      level_names[level], room);
	return n;
}

/* Terminals obey C1 controls too, which are C2 80 to C2 9F in UTF-8. */
static bool is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0);
}

/* Appends s with its control characters escaped, at most size bytes of it. */
static size_t put_escaped(char *to, size_t size, const char *s)
{
	const unsigned char *in = (const unsigned char *)s;
	size_t n = 0;

	for (; *in; in++) {
		if (n + sizeof cut_mark + 4 > size) {
			memcpy(to + n, cut_mark, sizeof cut_mark - 1);
			return n + sizeof cut_mark - 1;
		}
		if (likely(!is_control(in)))
			to[n++] = (char)*in;
		else if (*in == '\n' || *in == '\t')
			n += (size_t)sprintf(to + n, "\\%c", *in == '\n' ? 'n' : 't');
		else
			n += (size_t)sprintf(to + n, "\\x%02x", *in == 0xc2 ? *++in : *in);
	}
	return n;
}

void log_vline(enum log_level level, const char *room, const char *fmt, va_list ap)
{
	char text[PIPE_BUF], line[PIPE_BUF];
	size_t n, head;
	int saved = errno;

	if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	n = head = put_head(line, sizeof line, level, room);
	n += put_escaped(line + n, sizeof line - 1 - n, text);
	keep(level, room, line, n, head);
	line[n++] = '\n';
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;
	errno = saved;
}

void log_line(enum log_level level, const char *room, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, room, fmt, ap);
	va_end(ap);
}
