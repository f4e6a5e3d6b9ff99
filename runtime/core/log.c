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
#include <unistd.h>

#include "ports.h"
#include "value.h"

enum {
	PATIENCE = 100000,
	HEAD = LOG_TIME + 1 + 5 + 1,    /* the time and the level; then `room: text` */
};

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char cut_mark[] = "[cut]";
static _Atomic int least_level = LOG_INFO;
static enum log_format format;          /* set before there are threads */

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

/* --- what is kept ------------------------------------------------------------------------- */

/* Lines one behind the other, round and round: a page each would be 2 MB. */
static struct place { uint64_t at; uint16_t len, text; uint8_t level; } places[LOG_KEPT];
static char bytes[LOG_BYTES];
static uint64_t end, newest, oldest = 1;        /* end: bytes ever written */
static _Atomic uint32_t unkept;         /* lines since the newest; each takes a number, too */
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

static struct place *place_of(uint64_t number)
{
	return &places[number % LOG_KEPT];
}

/* `bytes` from at on goes round: how much of len is in front of its end. */
static size_t in_front(uint64_t at, size_t len)
{
	size_t left = LOG_BYTES - at % LOG_BYTES;

	return len < left ? len : left;
}

static void keep(enum log_level level, const char *line, size_t len, size_t text)
{
	size_t front;

	/* Who has the flag may have been put aside by the kernel. */
	if (!enter(PATIENCE)) {
		atomic_fetch_add(&unkept, 1);
		return;
	}
	for (uint32_t n = atomic_exchange(&unkept, 0); n; n--)
		*place_of(++newest) = (struct place){ .at = end };
	front = in_front(end, len);
	memcpy(bytes + end % LOG_BYTES, line, front);
	memcpy(bytes, line + front, len - front);
	*place_of(++newest) = (struct place){ end, (uint16_t)len, (uint16_t)text, (uint8_t)level };
	end += len;
	while (newest - oldest >= LOG_KEPT || end - place_of(oldest)->at > LOG_BYTES)
		oldest++;
	leave();
}

static uint64_t look(const uint64_t *number)
{
	uint64_t n;

	while (!enter(PATIENCE))
		sched_yield();
	n = *number;
	leave();
	return n;
}

uint64_t log_newest(void)
{
	return look(&newest);
}

uint64_t log_oldest(void)
{
	return look(&oldest);
}

static void read_place(const struct place *p, struct log_kept *out)
{
	size_t front = in_front(p->at, p->len);

	memcpy(out->line, bytes + p->at % LOG_BYTES, front);
	memcpy(out->line + front, bytes, p->len - front);
	out->line[p->len] = 0;
	out->level = (enum log_level)p->level;
	out->text = p->text;
}

bool log_read(uint64_t number, struct log_kept *out)
{
	bool found;

	while (!enter(PATIENCE))
		sched_yield();
	found = number >= oldest && number <= newest && place_of(number)->len;
	if (found)
		read_place(place_of(number), out);
	leave();
	if (!found)
		return false;
	out->number = number;
	snprintf(out->room, sizeof out->room, "%.*s", (int)out->text - HEAD - 2, out->line + HEAD);
	return true;
}

void log_set_level(enum log_level least)
{
	atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

void log_set_format(enum log_format as)
{
	format = as;
}

static size_t put_head(char *to, size_t size, enum log_level level, const char *room)
{
	char time[WALL_TEXT];

	wall_text(wall_ms(), time);
	return (size_t)snprintf(to, size, "%s %-5s %.64s: ", time, level_names[level], room);
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

/* --- for programs that read it ------------------------------------------------------------ */

/* As in JSON, which logfmt's readers take, too. */
static size_t put_quoted(char *to, size_t size, const char *s)
{
	const unsigned char *in = (const unsigned char *)s;
	size_t n = 0;

	to[n++] = '"';
	for (; *in && n + sizeof cut_mark + 8 < size; in++) {
		if (*in == '"' || *in == '\\')
			n += (size_t)sprintf(to + n, "\\%c", *in);
		else if (likely(!is_control(in)))
			to[n++] = (char)*in;
		else if (*in == '\n' || *in == '\t')
			n += (size_t)sprintf(to + n, "\\%c", *in == '\n' ? 'n' : 't');
		else
			n += (size_t)sprintf(to + n, "\\u%04x", *in == 0xc2 ? *++in : *in);
	}
	if (*in)
		n += (size_t)sprintf(to + n, "%s", cut_mark);
	to[n++] = '"';
	return n;
}

static size_t put_word(char *to, size_t size, const char *s)
{
	size_t plain = strcspn(s, " =\"\\"), n = 0;

	for (size_t i = 0; i < plain; i++)
		plain = is_control((const unsigned char *)s + i) ? i : plain;
	if (!*s || s[plain] || format == LOG_JSON)
		return put_quoted(to, size, s);
	while (n < plain && n < size)
		to[n] = s[n], n++;
	return n;
}

/* text: may be changed to be UTF-8. line has the time. */
static size_t put_fields(char *to, size_t size, enum log_level level, const char *room,
                         char *text, const char *line)
{
	static const char *const keys[][4] = {
		[LOG_LOGFMT] = { "time=", " level=", " from=", " text=" },
		[LOG_JSON] = { "{\"time\":", ",\"level\":", ",\"from\":", ",\"text\":" },
	};
	char time[LOG_TIME + 1], from[65];
	const char *value[] = { time, level_names[level], from };
	size_t n = 0;

	snprintf(time, sizeof time, "%.*s", LOG_TIME, line);
	snprintf(from, sizeof from, "%s", room);
	utf8_mend(from, strlen(from));
	utf8_mend(text, strlen(text));
	for (int i = 0; i < 3; i++) {
		n += (size_t)sprintf(to + n, "%s", keys[format][i]);
		n += put_word(to + n, size - n, value[i]);
	}
	n += (size_t)sprintf(to + n, "%s", keys[format][3]);
	n += put_quoted(to + n, size - n - 1, text);
	if (format == LOG_JSON)
		to[n++] = '}';
	return n;
}

void log_line(enum log_level level, const char *room, const char *fmt, ...)
{
	char text[PIPE_BUF], line[PIPE_BUF];
	size_t n, head;
	int saved = errno;
	va_list ap;

	if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	n = head = put_head(line, sizeof line, level, room);
	n += put_escaped(line + n, sizeof line - 1 - n, text);
	keep(level, line, n, head);
	if (format != LOG_TEXT)
		n = put_fields(line, sizeof line - 1, level, room, text, line);
	line[n++] = '\n';
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;
	errno = saved;
}

/* --- what actors say ---------------------------------------------------------------------- */

static struct {
	char name[256];
	_Atomic int least;
	_Atomic uint64_t left_out;
} types[LOG_TYPES];
static _Atomic int type_count;          /* release: an entry before it is there */

static int type_find(const char *type)
{
	int n = atomic_load_explicit(&type_count, memory_order_acquire);

	while (n-- > 0 && strcmp(types[n].name, type) != 0)
		;
	return n;
}

bool log_set_type(const char *type, enum log_level least)
{
	int at;

	while (!enter(PATIENCE))
		sched_yield();
	at = type_find(type);
	if (at < 0 && type_count < LOG_TYPES) {
		at = type_count;
		snprintf(types[at].name, sizeof types[at].name, "%s", type);
		atomic_store_explicit(&type_count, at + 1, memory_order_release);
	}
	if (at >= 0)
		atomic_store(&types[at].least, (int)least);
	leave();
	return at >= 0;
}

void log_types(void (*each)(void *, const char *, enum log_level, uint64_t), void *arg)
{
	int n = atomic_load_explicit(&type_count, memory_order_acquire);

	for (int i = 0; i < n; i++)
		each(arg, types[i].name, (enum log_level)atomic_load(&types[i].least),
		     atomic_load(&types[i].left_out));
}

static _Atomic int64_t second;
static _Atomic uint32_t said;
static _Atomic uint64_t unsaid;

/* One that is too many in this second is left out; how many there were is said in the next. */
static bool too_many(void)
{
	int64_t now = now_ms() / 1000;
	uint64_t n;

	if (atomic_exchange(&second, now) != now) {
		atomic_store(&said, 0);
		n = atomic_exchange(&unsaid, 0);
		if (n)
			log_line(LOG_WARN, "actor", "%llu lines of actors were left out, as there "
			         "were more than %d a second", (unsigned long long)n, LOG_A_SECOND);
	}
	if (atomic_fetch_add(&said, 1) < LOG_A_SECOND)
		return false;
	atomic_fetch_add(&unsaid, 1);
	return true;
}

void log_actor(enum log_level level, const char *type, const char *title, const char *text)
{
	int at = type_find(type);

	if (at >= 0 && (int)level < atomic_load(&types[at].least)) {
		atomic_fetch_add(&types[at].left_out, 1);
		return;
	}
	if (!too_many())
		log_line(level, title, "%s", text);
}
