/* SPDX-License-Identifier: MIT
 * keys.c - whose signatures this node takes, and which it has taken already.
 *
 * The file of --patch-keys has a public key a line, 64 hex digits and, after a space, whose it is;
 * # begins a comment. It is read once, at the start.
 *
 * A signed patch is taken once. Its nonce is noted down in the state folder, on disk before the
 * patch is in force. A clock may be set ahead and back again, so what has expired by it is not
 * forgotten for that, but when a patch has been taken that was signed after it had expired. The
 * file is a line a nonce, `expiry nonce`, appended to, and written anew, without what is forgotten,
 * at each start. A line cut short by a crash belongs to a patch that was not in force yet.
 *
 * Threads: the compile thread, and before it is there the one that starts it. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actor.h"
#include "ports.h"

enum { KEYS_MAX = 1000, PATH_SIZE = 4096, LINE_SIZE = 1024 };

struct spent { int64_t expires_s; uint8_t nonce[NONCE_LEN]; };

static struct keys_config config;
static uint8_t (*known)[KEY_LEN];
static size_t knowns, spents;
static struct spent *spent;
static int noted = -1;                  /* the file of nonces */

static int64_t now_s(void)
{
	return wall_ms() / 1000;
}

bool keys_given(void)
{
	return config.file != NULL;
}

/* --- the file of keys ------------------------------------------------------------------- */

static int add_key(const char *line, int number, struct why *why)
{
	size_t len = strcspn(line, " \t\r\n#");

	if (!len)
		return 0;
	known = mem_resize(known, (knowns + 1) * sizeof *known);
	if (len != 2 * KEY_LEN || !hex_read(line, known[knowns], KEY_LEN))
		return why_set(why, ACTOR_EARGS, "%s:%d: this is no public key: 64 digits and "
		               "small letters, as `actorctl keygen` prints them",
		               config.file, number);
	if (knowns == KEYS_MAX)
		return why_set(why, ACTOR_EARGS, "%s: more than %d keys", config.file, KEYS_MAX);
	knowns++;
	return 0;
}

static int read_keys(struct why *why)
{
	FILE *f = fopen(config.file, "re");
	char line[LINE_SIZE];
	int rc = 0;

	if (!f)
		return why_set(why, ACTOR_ENOENT, "%s: %s", config.file, strerror(errno));
	for (int number = 1; !rc && fgets(line, sizeof line, f); number++)
		rc = add_key(line, number, why);
	if (!rc && ferror(f))
		rc = why_set(why, ACTOR_EFAIL, "%s: %s", config.file, strerror(errno));
	else if (!rc && !knowns)
		rc = why_set(why, ACTOR_EARGS, "%s: there is no key in it", config.file);
	fclose(f);
	return rc;
}

/* --- the file of nonces ----------------------------------------------------------------- */

/* None is valid for longer than EXPIRES_MAX_S: so late the newest was signed, or later. */
static void remember(int64_t expires_s, const uint8_t nonce[NONCE_LEN])
{
	int64_t newest_s = expires_s;
	size_t kept = 0;

	for (size_t i = 0; i < spents; i++)
		newest_s = spent[i].expires_s > newest_s ? spent[i].expires_s : newest_s;
	for (size_t i = 0; i < spents; i++)
		if (spent[i].expires_s >= newest_s - EXPIRES_MAX_S)
			spent[kept++] = spent[i];
	spents = kept;
	spent = mem_resize(spent, (spents + 1) * sizeof *spent);
	spent[spents].expires_s = expires_s;
	memcpy(spent[spents++].nonce, nonce, NONCE_LEN);
}

static void read_nonces(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[LINE_SIZE], *end;
	uint8_t nonce[NONCE_LEN];

	while (f && fgets(line, sizeof line, f)) {
		long long expires_s = strtoll(line, &end, 10);

		if (*end == ' ' && strlen(end) == 2 * NONCE_LEN + 2 &&
		    hex_read(end + 1, nonce, NONCE_LEN))
			remember(expires_s, nonce);
	}
	if (f)
		fclose(f);
}

static void add_line(struct buf *out, const struct spent *s)
{
	buf_printf(out, "%lld ", (long long)s->expires_s);
	hex_add(out, s->nonce, NONCE_LEN);
	buf_text(out, "\n");
}

static bool write_whole(int fd, const struct buf *b)
{
	return write(fd, b->p, b->len) == (ssize_t)b->len && !fdatasync(fd);
}

static bool sync_folder(void)
{
	int folder = open(config.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = folder >= 0 && !fsync(folder);

	if (folder >= 0)
		close(folder);
	return synced;
}

/* Anew, under another name first: a crash leaves the old one or the new one. */
static int write_nonces(const char *path, struct why *why)
{
	char other[PATH_SIZE + 8];
	struct buf all = { 0 };
	bool whole;

	for (size_t i = 0; i < spents; i++)
		add_line(&all, &spent[i]);
	snprintf(other, sizeof other, "%s.new", path);
	noted = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	whole = noted >= 0 && write_whole(noted, &all) && !rename(other, path) &&
		sync_folder();
	buf_fini(&all);
	return whole ? 0 : why_set(why, ACTOR_EFAIL, "%s: %s", path, strerror(errno));
}

int keys_open(const struct keys_config *c, struct why *why)
{
	char path[PATH_SIZE];
	int rc;

	config = *c;
	if (!c->file)
		return 0;
	if ((rc = read_keys(why)))
		return rc;
	snprintf(path, sizeof path, "%s/nonces", c->state);
	read_nonces(path);
	return write_nonces(path, why);
}

void keys_close(void)
{
	if (noted >= 0)
		close(noted);
	mem_free(known);
	mem_free(spent);
	noted = -1;
	known = NULL;
	spent = NULL;
	knowns = spents = 0;
	config = (struct keys_config){ .state = NULL };
}

/* --- the check -------------------------------------------------------------------------- */

/* Is the word one of "a, b"? */
static bool listed(const char *list, const char *word, size_t len)
{
	for (const char *p = list; p && *p; p += strcspn(p, ",")) {
		p += strspn(p, ", ");
		if (strcspn(p, ", ") == len && !memcmp(p, word, len))
			return true;
	}
	return false;
}

static bool for_us(const char *target)
{
	size_t len = strlen(target);

	return !strcmp(target, "*") || !strcmp(target, config.node) ||
	       (len && listed(config.groups, target, len));
}

static bool is_known(const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < knowns; i++)
		if (!memcmp(known[i], key, KEY_LEN))
			return true;
	return false;
}

static bool is_spent(const uint8_t nonce[NONCE_LEN])
{
	for (size_t i = 0; i < spents; i++)
		if (!memcmp(spent[i].nonce, nonce, NONCE_LEN))
			return true;
	return false;
}

int keys_check(const char *text, size_t len, struct signed_terms *t, const char **source,
               size_t *source_len, struct why *why)
{
	int rc = signed_read(text, len, t, source, source_len, why);

	if (rc)
		return rc;
	if (!is_known(t->key))
		return why_set(why, ACTOR_EARGS, "the key that signed it (%02x%02x%02x%02x..., "
		               "%.80s) is none of %.200s: have its line added there, and restart",
		               t->key[0], t->key[1], t->key[2], t->key[3], t->author, config.file);
	if (t->expires_s <= now_s())
		return why_set(why, ACTOR_EARGS, "it expired %lld s ago: sign it again",
		               (long long)(now_s() - t->expires_s));
	if (t->expires_s > now_s() + EXPIRES_MAX_S)
		return why_set(why, ACTOR_EARGS, "it is valid for more than %d days: sign it again "
		               "with a shorter --expires", EXPIRES_MAX_S / 86400);
	if (!for_us(t->target))
		return why_set(why, ACTOR_EARGS, "it is for %.200s; this node is %.200s", t->target,
		               config.node);
	if (is_spent(t->nonce))
		return why_set(why, ACTOR_EARGS, "it was taken before: a signed patch is taken "
		               "once; sign it again");
	return 0;
}

int keys_allow(const struct signed_terms *t, const char *actors, struct why *why)
{
	if (!strcmp(t->actors, "*"))
		return 0;
	for (const char *p = actors; *p; p += strspn(p, ", ")) {
		size_t len = strcspn(p, ", ");

		if (!listed(t->actors, p, len))
			return why_set(why, ACTOR_EARGS, "it changes %.*s, and was signed for "
			               "%.200s only: sign it again with --actors", (int)len, p,
			               t->actors);
		p += len;
	}
	return 0;
}

int keys_spend(const struct signed_terms *t, struct why *why)
{
	struct spent s = { .expires_s = t->expires_s };
	struct buf line = { 0 };
	bool whole;

	memcpy(s.nonce, t->nonce, NONCE_LEN);
	buf_text(&line, "\n");          /* ends one that was cut short */
	add_line(&line, &s);
	whole = write_whole(noted, &line);
	buf_fini(&line);
	if (!whole)
		return why_set(why, ACTOR_EFAIL, "that it was taken cannot be noted in "
		               "%.200s/nonces (%s), so it is not taken", config.state,
		               strerror(errno));
	remember(s.expires_s, s.nonce);
	return 0;
}
