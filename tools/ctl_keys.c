/* SPDX-License-Identifier: MIT
 * ctl_keys.c - keygen and sign: what needs no runtime.
 *
 * A key is a file of one line, `actord-secret-key HEX`, mode 0600; who has it can change every node
 * that knows the public half. */
#include "ctl_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl_ask.h"
#include "json.h"
#include "patch/signed.h"

enum { EXPIRES_S = 3600, SOURCE_MAX = 1 << 20 };

static const char secret_word[] = "actord-secret-key ";
static const char default_file[] = "patch.key";

const char keygen_help[] =
	"Makes a pair of Ed25519 keys: FILE (patch.key where none is named), which is\n"
	"secret and signs, and its public half, printed, which is a line of actord's\n"
	"--patch-keys. Never writes over a file that is there.\n\n"
	"  actorctl keygen ~/patch.key >>patch-keys && actord --patch-keys patch-keys\n";

const char sign_help[] =
	"Prints FILE with a signature above it: a patch that nodes with the public half\n"
	"of KEY take from Redis, once each, until it expires. FILE - is stdin.\n\n"
	"  --key KEY         a file that keygen made\n"
	"  --target NAME     the node or group (actord's --node, --group) it is for; any\n"
	"  --actors LIST     all that it may change: counter,rpc; any\n"
	"  --expires TIME    how long it is valid: 90s, 15m, 1h, 7d (at most 30d); 1h\n"
	"  --author NAME     who says so; $USER\n"
	"  --note TEXT       why\n\n"
	"  actorctl sign fix.c --key ~/patch.key | redis-cli -x publish patch\n";

/* --- keygen ------------------------------------------------------------------------------- */

static int write_secret(const struct ctl *c, const char *path, const struct buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool whole;

	if (fd < 0 && errno == EEXIST)
		return ctl_fail(c, CTL_USAGE, "%s: there is such a file, which is left as it "
			"is: name another",
		                path);
	if (fd < 0)
		return ctl_fail(c, CTL_USAGE, "%s: %s", path, strerror(errno));
	whole = write(fd, text->p, text->len) == (ssize_t)text->len && !fsync(fd);
	if (close(fd) == 0 && whole)
		return CTL_DONE;
	unlink(path);
	return ctl_fail(c, CTL_FAILED, "%s: %s", path, strerror(errno));
}

int run_keygen(const struct ctl *c, int argc, char **argv)
{
	const char *path = argc ? argv[0] : default_file, *user = getenv("USER");
	uint8_t key[KEY_LEN], secret[SECRET_LEN];
	struct buf text = { 0 }, line = { 0 };
	int rc;

	signed_keys(key, secret);
	buf_text(&text, secret_word);
	hex_add(&text, secret, SECRET_LEN);
	buf_text(&text, "\n");
	rc = write_secret(c, path, &text);
	hex_add(&line, key, KEY_LEN);
	buf_add(&line, "", 1);
	if (rc == CTL_DONE && c->json)
		printf("{\"key\":\"%s\"}\n", line.p);
	else if (rc == CTL_DONE)
		printf("%s%s%s\n", line.p, user ? " " : "", user ? user : "");
	if (rc == CTL_DONE && !c->json)
		fprintf(stderr, "actorctl: %s has the secret half: keep it where you sign; the "
		        "line is for the nodes' --patch-keys\n", path);
	explicit_bzero(text.p, text.len);
	explicit_bzero(secret, sizeof secret);
	buf_fini(&text);
	buf_fini(&line);
	return rc;
}

/* --- sign --------------------------------------------------------------------------------- */

static int read_secret(const struct ctl *c, const char *path, uint8_t secret[SECRET_LEN])
{
	enum { WORD = sizeof secret_word - 1 };
	char line[WORD + 2 * SECRET_LEN + 2] = "";
	FILE *f = fopen(path, "re");
	struct stat st;
	bool good;

	if (!f)
		return ctl_fail(c, CTL_USAGE, "%s: %s", path, strerror(errno));
	good = fgets(line, sizeof line, f) && !strncmp(line, secret_word, WORD) &&
	       strlen(line) >= WORD + 2 * SECRET_LEN && hex_read(line + WORD, secret, SECRET_LEN);
	if (!fstat(fileno(f), &st) && good && st.st_mode & 077)
		fprintf(stderr, "actorctl: %s can be read by others: chmod 600 it\n", path);
	fclose(f);
	explicit_bzero(line, sizeof line);
	return good ? CTL_DONE : ctl_fail(c, CTL_USAGE, "%s: is no key that `actorctl keygen` "
		"made", path);
}

/* 0: not understood. */
static int64_t seconds(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	int64_t unit = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400
	                                                                                     : 0;

	return n > 0 && n < 100000000 && unit && !end[1] ? n * unit : 0;
}

static int set(const struct ctl *c, char to[TERM_MAX + 1], const char *name, const char *value)
{
	if (strlen(value) > TERM_MAX)
		return ctl_fail(c, CTL_USAGE, "--%s: at most %d bytes", name, TERM_MAX);
	strcpy(to, value);
	return CTL_DONE;
}

struct wanted { struct signed_terms terms; const char *file, *key; };

static int option(const struct ctl *c, struct wanted *w, const char *name, const char *value)
{
	int64_t s;

	if (!strcmp(name, "key")) {
		w->key = value;
		return CTL_DONE;
	}
	if (!strcmp(name, "target"))
		return set(c, w->terms.target, name, value);
	if (!strcmp(name, "actors"))
		return set(c, w->terms.actors, name, value);
	if (!strcmp(name, "author"))
		return set(c, w->terms.author, name, value);
	if (!strcmp(name, "note"))
		return set(c, w->terms.note, name, value);
	if (strcmp(name, "expires"))
		return ctl_fail(c, CTL_USAGE, "no option `--%s`; see actorctl sign --help", name);
	s = seconds(value);
	if (!s)
		return ctl_fail(c, CTL_USAGE, "--expires: `%s` is no time like 90s, 15m, 1h, 7d",
		                value);
	w->terms.expires_s = (int64_t)time(NULL) + s;
	return CTL_DONE;
}

/* FILE among options, each `--NAME VALUE` or `--NAME=VALUE`. */
static int read_words(const struct ctl *c, struct wanted *w, int argc, char **argv)
{
	int rc = CTL_DONE;

	for (int i = 0; i < argc && rc == CTL_DONE; i++) {
		char *eq = strchr(argv[i], '=');
		char name[16];

		if (strncmp(argv[i], "--", 2)) {
			rc = w->file ? ctl_fail(c, CTL_USAGE, "one FILE is signed, not two")
			             : CTL_DONE;
			w->file = argv[i];
		} else if (!eq && i + 1 == argc) {
			rc = ctl_fail(c, CTL_USAGE, "%s needs a value", argv[i]);
		} else {
			snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[i] + 2, "="),
			         argv[i] + 2);
			rc = option(c, w, name, eq ? eq + 1 : argv[++i]);
		}
	}
	if (rc == CTL_DONE && (!w->file || !w->key))
		rc = ctl_fail(c, CTL_USAGE, "usage: actorctl sign FILE --key KEY [OPTION...]");
	return rc;
}

static int read_source(const struct ctl *c, const char *path, struct buf *out)
{
	int rc = read_file(c, path, out);

	if (rc == CTL_DONE && out->len > SOURCE_MAX)
		rc = ctl_fail(c, CTL_USAGE, "%s: has more than the 1 MiB of a source", path);
	if (rc == CTL_DONE && signed_looks(out->p, out->len))
		rc = ctl_fail(c, CTL_USAGE, "%s: is signed already: sign the source",
			path);
	return rc;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(path, "-") ? "stdin" : slash ? slash + 1 : path;
}

static int sign(const struct ctl *c, struct wanted *w)
{
	uint8_t secret[SECRET_LEN];
	struct buf source = { 0 }, out = { 0 };
	struct why why;
	int rc = read_secret(c, w->key, secret);

	if (rc == CTL_DONE)
		rc = read_source(c, w->file, &source);
	if (rc == CTL_DONE)
		rc = set(c, w->terms.file, "file", base_name(w->file));
	if (rc == CTL_DONE && signed_make(&w->terms, secret, source.p, source.len, &out, &why))
		rc = ctl_fail(c, CTL_USAGE, "%s", why.text);
	if (rc == CTL_DONE && c->json) {
		fputs("{\"signed\":", stdout);
		buf_clear(&source);
		json_text(&source, out.p, out.len);
		fwrite(source.p, 1, source.len, stdout);
		puts("}");
	} else if (rc == CTL_DONE) {
		fwrite(out.p, 1, out.len, stdout);
	}
	explicit_bzero(secret, sizeof secret);
	buf_fini(&source);
	buf_fini(&out);
	return rc;
}

int run_sign(const struct ctl *c, int argc, char **argv)
{
	struct wanted w = { .terms = { .target = "*", .actors = "*" } };
	const char *user = getenv("USER"), *author = c->author ? c->author : user ? user : "";
	int rc = set(c, w.terms.author, "author", author);

	w.terms.expires_s = (int64_t)time(NULL) + EXPIRES_S;
	if (rc == CTL_DONE)
		rc = set(c, w.terms.note, "note", c->note ? c->note : "");
	if (rc == CTL_DONE)
		rc = read_words(c, &w, argc, argv);
	return rc ? rc : sign(c, &w);
}
