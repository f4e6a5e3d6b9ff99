/* SPDX-License-Identifier: MIT
 * log.h - one line an event, on stderr, from any thread. */
#ifndef LOG_H
#define LOG_H

#include "base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_NONE };

/* `2026-11-22T20:12:05.123Z info  bus: connected to 127.0.0.1:6379`. Control characters in what
 * is logged come out escaped: a line is always one line. */
void log_line(enum log_level level, const char *room, const char *fmt, ...) PRINTF(3, 4);
void log_set_level(enum log_level least);
/* How lines look on stderr: as above; time=… level=info from=bus text="…"; or a JSON object with
 * these keys, as `actorctl --json log` has. */
enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON };
void log_set_format(enum log_format format);
const char *log_level_name(enum log_level level);

/* What an actor of this type logs, whose name is title. Lines below the type's level are left out
 * and counted (log_types()); so are those beyond LOG_A_SECOND of all actors, which a line tells. */
enum { LOG_A_SECOND = 1000, LOG_TYPES = 64 };
void log_actor(enum log_level level, const char *type, const char *title, const char *text);
/* From now on actors of this type log this level and above (LOG_NONE: nothing). False: LOG_TYPES
 * have a level of their own already. Any thread. */
bool log_set_type(const char *type, enum log_level least);
/* Those that were given a level: how many lines it has left out. */
void log_types(void (*each)(void *arg, const char *type, enum log_level least, uint64_t left_out),
               void *arg);

/* The last LOG_KEPT lines are kept, numbered from 1; fewer where they are longer than LOG_BYTES
 * altogether. One whose thread could not get at the place has a number, too, once the next is
 * kept. */
enum { LOG_KEPT = 512, LOG_BYTES = 128 << 10, LOG_LINE = 4096, LOG_TIME = 24 };
struct log_kept {
	uint64_t number;
	enum log_level level;
	/* where in line the text begins; the time are its first LOG_TIME bytes */
	size_t text;
	char room[65];
	char line[LOG_LINE];            /* without the newline */
};
uint64_t log_newest(void);              /* 0: none yet */
uint64_t log_oldest(void);              /* of those kept */
bool log_read(uint64_t number, struct log_kept *out);   /* false: gone, or not kept */

#endif
