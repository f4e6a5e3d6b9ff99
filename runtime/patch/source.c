/* SPDX-License-Identifier: MIT
 * source.c - see source.h. What can be seen in a source without a compiler. Any thread. */
#include "source.h"

#include <ctype.h>
#include <stdio.h>

#include "../actor.h"

int diagnose(struct buf *said, const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	char text[1024];

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_printf(said, "%s%s:", said->len ? "\n" : "", file);
	if (line)
		buf_printf(said, "%d:", line);
	buf_printf(said, " error: %s", text);
	return ACTOR_EARGS;
}

bool c_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

bool c_identifier(const char *s)
{
	if (!c_word(*s) || isdigit((unsigned char)*s))
		return false;
	while (c_word(*s))
		s++;
	return !*s;
}

size_t c_no_code(const char *p, const char *end)
{
	const char *at = p + 1;

	if (*p == '/' && at < end && (*at == '*' || *at == '/')) {
		const char *stop = *at == '*' ? memmem(at + 1, (size_t)(end - at - 1), "*/", 2)
		                              : memchr(at, '\n', (size_t)(end - at));

		return stop ? (size_t)(stop - p) + (*at == '*' ? 2 : 0) : (size_t)(end - p);
	}
	if (*p != '"' && *p != '\'')
		return 0;
	while (at < end && *at != *p && *at != '\n')
		at += *at == '\\' && at + 1 < end ? 2 : 1;
	return (size_t)((at < end ? at + 1 : end) - p);
}

int source_line(const struct source *s, const char *word, size_t len)
{
	int line = 1;

	for (const char *p = s->text, *end = s->text + s->len; p < end; p++) {
		if (*p == '\n')
			line++;
		else if ((size_t)(end - p) >= len && !memcmp(p, word, len) &&
		         (p == s->text || !c_word(p[-1])) &&
		         (p + len == end || !c_word(p[len])))
			return line;
	}
	return 0;
}

bool source_refused(const struct source *s, struct buf *said)
{
	size_t blank = 0;
	int line = 1;

	if (s->len > SOURCE_MAX) {
		for (const char *p = s->text, *end = p + SOURCE_MAX;
		     (p = memchr(p, '\n', (size_t)(end - p))); p++)
			line++;
		diagnose(said, s->file, line, "the source has %zu bytes, at most %d are taken",
		         s->len, SOURCE_MAX);
		return true;
	}
	while (blank < s->len && isspace((unsigned char)s->text[blank]))
		blank++;
	if (blank == s->len) {
		diagnose(said, s->file, 1, "the source is empty");
		return true;
	}
	for (size_t i = 0; i < s->len; line += s->text[i++] == '\n')
		if (!s->text[i]) {
			diagnose(said, s->file, line, "a NUL byte: a source is text");
			return true;
		}
	if (s->function &&
	    (!c_identifier(s->function) || !source_line(s, s->function, strlen(s->function)))) {
		diagnose(said, s->file, 0, "there is no function %.255s in the source",
		         s->function);
		return true;
	}
	return false;
}
