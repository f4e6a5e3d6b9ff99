/* SPDX-License-Identifier: MIT
 * journal.c - a file that only grows.
 *
 * Each line ends with "chain": SHA-256 over the chain of the line before and all of this line in
 * front of that word. So a bit that flips, a line that goes, comes or moves is seen at the line
 * where it is; what is cut off the end is seen while the process runs, which knows how far it has
 * written.
 *
 * What had not been synced a power cut may leave with holes: pages reach the disk in any order,
 * and one that did not is read as NULs, which JSON never has. So a line with a NUL was not
 * finished, as one without its end: what is before it goes on.
 *
 * Adding writes at once and leaves fdatasync to a thread of its own, which is woken when the sender
 * has been told: neither he nor what a patch changes waits for the disk, or for the processor that
 * the thread needs. Before an intent, room for the next line is reserved on the disk: when there is
 * none the line is refused while nothing has been done yet.
 *
 * Threads: any, behind `lock`; the sync thread takes it only to learn that there is something
 * new. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../actor.h"
#include "json.h"
#include "log.h"
#include "ports.h"
#include "seal.h"

#define CHAIN ",\"chain\":\""
enum {
	FORMAT = 1,
	TAIL = sizeof CHAIN - 1 + SEAL_DIGEST_HEX - 1 + 2,   /* `,"chain":"..."}` */
	RESERVE = 4096,
	RESERVE_AT_ONCE = 64 << 10,     /* asking the file system is what a short line would cost */
	LINE_MAX_LEN = 16 << 20,
	CHUNK = 4096,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t syncer;
static bool syncing, dirty;
static int unsynced;            /* errno of the first sync that failed */
static int fd = -1;
static char *path;
static int64_t end;             /* bytes written */
static int64_t reserved;        /* up to there, or less */
static bool torn;               /* behind it are bytes that could not be cut off */
static uint64_t lines;
static unsigned char chain[SEAL_DIGEST];

/* --- lines ------------------------------------------------------------------------------ */

/* The line at `at` with its line break, if it has one. 1, 0 at the end, negative with why. */
static int line_read(int64_t at, struct buf *line, struct why *why)
{
	char *nl = NULL;

	buf_clear(line);
	while (!nl && line->len < LINE_MAX_LEN) {
		ssize_t n;

		buf_reserve(line, CHUNK);
		n = pread(fd, line->p + line->len, CHUNK, at + (int64_t)line->len);
		if (n < 0)
			return why_set(why, ACTOR_EFAIL, "%s: %s", path, strerror(errno));
		if (!n)
			break;
		nl = memchr(line->p + line->len, '\n', (size_t)n);
		line->len += (size_t)n;
	}
	if (nl)
		line->len = (size_t)(nl - line->p) + 1;
	return line->len > 0;
}

/* Takes the line's own chain from *c to the next. False: it does not follow. */
static bool line_follows(const struct buf *line, unsigned char c[SEAL_DIGEST])
{
	const char *tail = line->p + line->len - 1 - TAIL;
	char hex[SEAL_DIGEST_HEX];

	if (line->len < TAIL + 2 || memcmp(tail, CHAIN, sizeof CHAIN - 1) != 0)
		return false;
	seal_digest(c, SEAL_DIGEST, line->p, (size_t)(tail - line->p), c);
	seal_hex(c, SEAL_DIGEST, hex);
	return memcmp(tail + sizeof CHAIN - 1, hex, SEAL_DIGEST_HEX - 1) == 0 &&
	       memcmp(line->p + line->len - 3, "\"}\n", 3) == 0;
}

static int line_hand(const struct buf *line, int64_t at, journal_fn *each, void *arg,
                     struct why *why)
{
	struct journal_line l = { .at = at };
	struct buf packed = { 0 };
	struct why inner;
	int rc = json_read(line->p, line->len, &packed, &inner);

	l.fields = packed_of(&packed);
	if (rc < 0)
		why_set(why, ACTOR_EFAIL, "%s: %.300s", path, inner.text);
	else
		each(arg, &l);
	buf_fini(&packed);
	return rc;
}

char *journal_text(struct packed map, const char *name)
{
	struct value v = packed_get(map, name);

	return v.type == VALUE_STR ? mem_string(v.str, v.len) : NULL;
}

int64_t journal_int(struct packed map, const char *name)
{
	struct value v = packed_get(map, name);

	return v.type == VALUE_INT ? v.i : 0;
}

bool journal_is(struct packed map, const char *event)
{
	struct value v = packed_get(map, "event");

	return value_is_text(&v, event);
}

/* --- reading it all ----------------------------------------------------------------------- */

struct scan {
	int64_t limit;                  /* what follows is still being written */
	int64_t end; uint64_t lines; unsigned char chain[SEAL_DIGEST];
	bool torn, other;
};

static void look_at_first(void *arg, const struct journal_line *l)
{
	((struct scan *)arg)->other = journal_int(l->fields, "format") != FORMAT;
}

/* A page that never came to the disk reads as zeros. (One zero is damage.) */
static bool unfinished(const struct buf *line)
{
	static const char zeros[32];

	return line->p[line->len - 1] != '\n' || memmem(line->p, line->len, zeros, sizeof zeros);
}

/* As far as it verifies. Negative with why: where it does not. */
static int scan(struct scan *s, journal_fn *each, void *arg, struct why *why)
{
	struct buf line = { 0 };
	int rc = 0;

	while (s->end < s->limit && (rc = line_read(s->end, &line, why)) > 0) {
		s->torn = unfinished(&line);
		if (s->torn)
			break;
		if (!s->lines)
			line_hand(&line, 0, look_at_first, s, NULL);
		if (s->other)
			rc = why_set(why, ACTOR_EFAIL,
			             "%s was not written by this version of actord", path);
		else if (!line_follows(&line, s->chain))
			rc = why_set(why, ACTOR_EFAIL,
			             "%s, line %lu: it has been changed, or lines "
			             "before it are missing", path, (unsigned long)s->lines + 1);
		if (rc > 0 && each)
			rc = line_hand(&line, s->end, each, arg, why);
		if (rc < 0)
			break;
		s->end += (int64_t)line.len;
		s->lines++;
	}
	buf_fini(&line);
	return rc < 0 ? rc : 0;
}

int journal_each(journal_fn *each, void *arg, struct journal_end *e, struct why *why)
{
	struct scan s = { .end = 0 };
	unsigned char last[SEAL_DIGEST];
	int rc;

	pthread_mutex_lock(&lock);
	s.limit = end;
	e->lines = lines;
	memcpy(last, chain, SEAL_DIGEST);
	pthread_mutex_unlock(&lock);
	seal_hex(last, SEAL_DIGEST, e->chain);
	rc = scan(&s, each, arg, why);
	if (!rc && (s.lines != e->lines || memcmp(s.chain, last, SEAL_DIGEST) != 0))
		rc = why_set(why, ACTOR_EFAIL, "%s ends after %lu lines, %lu were written", path,
		             (unsigned long)s.lines, (unsigned long)e->lines);
	return rc;
}

int journal_line_at(int64_t at, journal_fn *each, void *arg, struct why *why)
{
	struct buf line = { 0 };
	int rc = line_read(at, &line, why);

	if (!rc)
		rc = why_set(why, ACTOR_EFAIL, "%s: it ends before byte %lld", path, (long long)at);
	if (rc > 0)
		rc = line_hand(&line, at, each, arg, why);
	buf_fini(&line);
	return rc < 0 ? rc : 0;
}

/* --- adding ------------------------------------------------------------------------------- */

static int write_whole(const char *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = pwrite(fd, p + at, len - at, end + (int64_t)at);

		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A file system that cannot reserve is written to as it is. */
static bool room_for(size_t len)
{
	int64_t need = end + (int64_t)len + RESERVE;

	if (need <= reserved)
		return true;
	if (!fallocate(fd, FALLOC_FL_KEEP_SIZE, end, need - end + RESERVE_AT_ONCE)) {
		reserved = need + RESERVE_AT_ONCE;
		return true;
	}
	if (!fallocate(fd, FALLOC_FL_KEEP_SIZE, end, need - end))
		return true;
	return errno == EOPNOTSUPP || errno == ENOSYS;
}

/* What is written to a file without a name is gone with the process. (Without a folder it is to be
 * so.) */
static int removed(void)
{
	struct stat st;

	return strchr(path, '/') && !fstat(fd, &st) && !st.st_nlink ? ENOENT : 0;
}

static int put(const struct buf *line, bool intent, struct why *why)
{
	struct stat st;
	int error;

	if (torn && ftruncate(fd, end) < 0)
		return why_set(why, ACTOR_EFAIL, "%s ends in half a line that cannot be cut off: "
		               "%s", path, strerror(errno));
	torn = false;
	if (intent && removed())
		return why_set(why, ACTOR_EFAIL, "%s has been removed: a patch would be gone with "
		               "this process; restart actord", path);
	if (fstat(fd, &st) == 0 && st.st_size != end)
		return why_set(why, ACTOR_EFAIL,
		               "%s has been changed by somebody else: it has %lld bytes, %lld "
		               "were written; restart actord, which puts it aside", path,
		               (long long)st.st_size, (long long)end);
	if (intent && unsynced)
		return why_set(why, ACTOR_EFAIL, "%s could not be synced (%s): restart actord when "
		               "its disk is well", path, strerror(unsynced));
	if (intent && !room_for(line->len))
		return why_set(why, ACTOR_EFAIL, "%s cannot be written: %s", path, strerror(errno));
	if (write_whole(line->p, line->len) == 0)
		return 0;
	error = errno;
	reserved = 0;
	torn = ftruncate(fd, end) < 0;
	return why_set(why, ACTOR_EFAIL, "%s cannot be written: %s", path, strerror(error));
}

static void line_make(struct buf *line, const struct buf *fields, unsigned char next[SEAL_DIGEST])
{
	char when[WALL_TEXT], hex[SEAL_DIGEST_HEX];

	wall_text(wall_ms(), when);
	buf_printf(line, "{\"line\":%lu,\"time\":\"%s\",", (unsigned long)lines + 1, when);
	buf_add(line, fields->p, fields->len);
	seal_digest(chain, SEAL_DIGEST, line->p, line->len, next);
	seal_hex(next, SEAL_DIGEST, hex);
	buf_printf(line, CHAIN "%s\"}\n", hex);
}

static int add(const struct buf *fields, bool intent, int64_t *at, struct why *why)
{
	unsigned char next[SEAL_DIGEST];
	struct buf line = { 0 };
	int rc;

	line_make(&line, fields, next);
	rc = line.len > LINE_MAX_LEN ? why_set(why, ACTOR_EARGS, "too long for the journal") :
	                               put(&line, intent, why);
	if (!rc) {
		if (at)
			*at = end;
		end += (int64_t)line.len;
		lines++;
		memcpy(chain, next, SEAL_DIGEST);
		dirty = true;
	}
	buf_fini(&line);
	return rc;
}

bool journal_is_well(void)
{
	bool well;

	pthread_mutex_lock(&lock);
	well = !unsynced;
	pthread_mutex_unlock(&lock);
	return well;
}

int journal_add(const struct buf *fields, bool intent, int64_t *at, struct why *why)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = add(fields, intent, at, why);
	pthread_mutex_unlock(&lock);
	return rc;
}

void journal_settle(void)
{
	bool wanted;

	pthread_mutex_lock(&lock);
	wanted = dirty;
	pthread_mutex_unlock(&lock);
	if (wanted)
		pthread_cond_signal(&changed);
}

int journal_sync(void)
{
	int error = fdatasync(fd) < 0 ? errno : removed();

	pthread_mutex_lock(&lock);
	if (error && !unsynced) {
		unsynced = error;
		log_line(LOG_ERROR, "patch", "%s: what was written last may not be on the disk, "
		         "and no more patches are taken: %s", path, strerror(error));
	}
	pthread_mutex_unlock(&lock);
	return error ? -1 : 0;
}

static void *sync_thread(void *arg)
{
	pthread_mutex_lock(&lock);
	while (syncing || dirty) {
		while (syncing && !dirty)
			pthread_cond_wait(&changed, &lock);
		dirty = false;
		pthread_mutex_unlock(&lock);
		journal_sync();
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return arg;
}

/* --- its life ------------------------------------------------------------------------- */

static int cannot(struct why *why)
{
	return why_set(why, ACTOR_EFAIL, "%s: %s", path, strerror(errno));
}

static int file_open(const char *folder, struct why *why)
{
	struct buf p = { 0 };

	if (folder) {
		buf_printf(&p, "%s/patches.journal", folder);
		path = p.p;
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	} else {
		path = mem_string("journal", 7);
		fd = memfd_create("journal", MFD_CLOEXEC);
	}
	return fd < 0 ? cannot(why) : 0;
}

static void aside_name(struct buf *aside)
{
	buf_printf(aside, "%s.aside-%lld", path, (long long)wall_ms());
}

/* The file as it is goes aside, for a person to look at; a new one is begun. */
static int put_aside(const char *folder, struct buf *first, const struct why *reason,
                     struct why *why)
{
	struct buf aside = { 0 };
	int rc;

	aside_name(&aside);
	log_line(LOG_ERROR, "patch",
	         "%s: it is put aside as %s, and none of its patches is brought back",
	         reason->text, aside.p);
	rc = rename(path, aside.p) < 0 ? cannot(why) : 0;
	buf_text(first, ",\"aside\":");
	json_text(first, aside.p, aside.len);
	buf_text(first, ",\"why\":");
	json_text(first, reason->text, strlen(reason->text));
	buf_fini(&aside);
	if (rc)
		return rc;
	close(fd);
	mem_free(path);
	return file_open(folder, why);
}

/* What does not verify is kept for a person to look at, where there is room for it. */
static int cut_off(struct why *why)
{
	struct buf aside = { 0 };
	off64_t at = end;
	ssize_t n = -1;
	int to;

	aside_name(&aside);
	to = open(aside.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (to >= 0 && (n = copy_file_range(fd, &at, to, NULL, LINE_MAX_LEN, 0)) > 0)
		;
	if (n || fdatasync(to) < 0)
		log_line(LOG_ERROR, "patch", "%s is not whole: %s", aside.p, strerror(errno));
	if (to >= 0)
		close(to);
	log_line(LOG_WARN, "patch",
	         "%s: line %lu was not finished: it is cut off, with what follows, and kept as "
	         "%s", path, (unsigned long)lines + 1, aside.p);
	buf_fini(&aside);
	return ftruncate(fd, end) < 0 ? cannot(why) : 0;
}

static int begin(const struct scan *s, const struct buf *first, struct why *why)
{
	end = s->end;
	reserved = 0;
	lines = s->lines;
	memcpy(chain, s->chain, SEAL_DIGEST);
	if (s->torn && cut_off(why) < 0)
		return ACTOR_EFAIL;
	return lines ? 0 : add(first, true, NULL, why);
}

int journal_open(const char *folder, journal_fn *each, void *arg, struct why *why)
{
	struct buf first = { 0 };
	struct why reason = { "" };
	struct scan s = { .limit = INT64_MAX }, again = s;
	int rc = file_open(folder, why);

	buf_printf(&first, "\"event\":\"begin\",\"format\":%d,\"version\":\"" ACTORD_VERSION "\"",
	           FORMAT);
	if (!rc && scan(&s, NULL, NULL, &reason) < 0) {
		rc = put_aside(folder, &first, &reason, why);
		s = again;
	}
	if (!rc)
		rc = begin(&s, &first, why);
	if (!rc)
		rc = scan(&again, each, arg, why);
	buf_fini(&first);
	if (rc)
		return rc;
	unsynced = 0;
	syncing = true;
	dirty = true;
	if (pthread_create(&syncer, NULL, sync_thread, NULL))
		return why_set(why, ACTOR_ENOMEM, "no thread for the journal");
	pthread_setname_np(syncer, "journal");
	return 0;
}

void journal_close(void)
{
	if (fd < 0)
		return;
	pthread_mutex_lock(&lock);
	syncing = false;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(syncer, NULL);
	close(fd);
	fd = -1;
	mem_free(path);
	path = NULL;
}

const char *journal_path(void)
{
	return path;
}

uint64_t journal_lines(void)
{
	uint64_t n;

	pthread_mutex_lock(&lock);
	n = lines;
	pthread_mutex_unlock(&lock);
	return n;
}
