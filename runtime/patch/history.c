/* SPDX-License-Identifier: MIT
 * history.c - a row of a few bytes for each patch; all else is read from the journal when
 * somebody asks.
 *
 * A patch comes in force between two lines of the journal, `intent` and `in force`. One of which a
 * restart finds only the first is the suspect of what ended the runtime. A revert is `revert` and
 * `reverted`; the first alone is enough to keep the patch out.
 *
 * Whether an applied patch is superseded is a count: how many handlers in force came with it.
 *
 * Threads: any; `lock` for rows and what is shown of them. */
#include "history.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "builds.h"
#include "journal.h"
#include "json.h"
#include "log.h"
#include "rolled.h"
#include "shown.h"
#include "suspect.h"

enum { REASON_MOST = 2000 };     /* bytes, in the journal */

struct row {
	int64_t at;                     /* of its intent in the journal */
	unsigned char digest[8];        /* of its source, the first bytes */
	int32_t live;
	uint8_t state, tried;           /* enum tried */
};
enum tried { TRIED_NOT, TRIED_NOW, TRIED_WELL };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct row *rows;                /* by number; [0] is none */
static uint32_t last, room;

/* --- rows ------------------------------------------------------------------------------- */

static struct row *row_at(uint32_t number)
{
	while (number >= room) {
		uint32_t more = room ? 2 * room : 64;

		rows = mem_resize(rows, more * sizeof *rows);
		memset(rows + room, 0, (more - room) * sizeof *rows);
		room = more;
	}
	last = number > last ? number : last;
	return &rows[number];
}

static enum patch_state state_at(uint32_t number)
{
	return number && number <= last ? (enum patch_state)rows[number].state : PATCH_NONE;
}

static const char *applied_word(const struct row *r)
{
	if (r->live <= 0)
		return "superseded";
	return r->tried == TRIED_NOW ? "probation" : r->tried == TRIED_WELL ? "confirmed"
									    : "in force";
}

static const char *state_word(uint32_t number)
{
	switch (state_at(number)) {
	case PATCH_APPLIED: return applied_word(&rows[number]);
	case PATCH_INTENT: return "on its way";
	case PATCH_RAN: return "ran";
	case PATCH_REVERTED: return "reverted";
	case PATCH_REFUSED: return "refused";
	case PATCH_STALE: return "stale";
	case PATCH_SUSPECT: return "suspect";
	case PATCH_QUARANTINED: return "quarantined";
	case PATCH_NONE: break;
	}
	return "none";
}

static struct row row_of(uint32_t number)
{
	struct row r = { 0 };

	pthread_mutex_lock(&lock);
	if (number && number <= last)
		r = rows[number];
	pthread_mutex_unlock(&lock);
	return r;
}

enum patch_state history_state(uint32_t number)
{
	return (enum patch_state)row_of(number).state;
}

int history_known(uint32_t number, struct why *why)
{
	if (history_state(number) != PATCH_NONE)
		return 0;
	return why_set(why, ACTOR_ENOENT, "no patch %u: see actorctl patch list", number);
}

const char *history_word(uint32_t number)
{
	const char *word;

	pthread_mutex_lock(&lock);
	word = state_word(number);
	pthread_mutex_unlock(&lock);
	return word;
}

int64_t history_place(uint32_t number)
{
	return row_of(number).at;
}

uint32_t history_last(void)
{
	uint32_t n;

	pthread_mutex_lock(&lock);
	n = last;
	pthread_mutex_unlock(&lock);
	return n;
}

static void set_state(uint32_t number, enum patch_state state)
{
	pthread_mutex_lock(&lock);
	row_at(number)->state = (uint8_t)state;
	pthread_mutex_unlock(&lock);
}

static bool is_applied(uint32_t number)
{
	return rows[number].state == PATCH_APPLIED;
}

static bool is_in_force(uint32_t number)
{
	return is_applied(number) && rows[number].live > 0;
}

struct look { void (*each)(void *arg, const struct patch_info *p); void *arg; };

static void look_at(void *arg, const struct shown *s)
{
	const struct look *l = arg;
	struct patch_info p = { s->number, state_word(s->number), is_in_force(s->number),
	                        s->handlers, s->origin, rows[s->number].digest };

	l->each(l->arg, &p);
}

void history_each(void (*each)(void *arg, const struct patch_info *p), void *arg)
{
	pthread_mutex_lock(&lock);
	shown_each(is_in_force, look_at, &(struct look){ each, arg });
	pthread_mutex_unlock(&lock);
}

/* --- what the journal says at the start --------------------------------------------------- */

static void digest_source(struct packed map, unsigned char first[8])
{
	unsigned char d[SEAL_DIGEST] = { 0 };
	struct value v = packed_get(map, "source");

	if (v.type == VALUE_STR)
		seal_digest(NULL, 0, v.str, v.len, d);
	memcpy(first, d, 8);
}

static void replay_intent(uint32_t n, const struct journal_line *l)
{
	char *rollout = journal_text(l->fields, "rollout");
	struct row *r = row_at(n);

	r->at = l->at;
	r->state = PATCH_INTENT;
	digest_source(l->fields, r->digest);
	shown_line(n, l, is_applied);           /* none is live yet: all of those may be */
	rolled_note(rollout, n);
	mem_free(rollout);
}

static const struct { const char *event; enum patch_state state; } becomes[] = {
	{ "in force", PATCH_APPLIED }, { "ran", PATCH_RAN }, { "again", PATCH_INTENT },
	{ "revert", PATCH_REVERTED }, { "reverted", PATCH_REVERTED }, { "lifted", PATCH_REVERTED },
	{ "refused", PATCH_REFUSED }, { "suspect", PATCH_SUSPECT },
	{ "quarantined", PATCH_QUARANTINED },
};

static void replay(void *arg, const struct journal_line *l)
{
	int64_t n = journal_int(l->fields, "patch");

	(void)arg;
	if (n < 1 || n > UINT32_MAX / 4)
		return;
	if (journal_is(l->fields, "intent")) {
		replay_intent((uint32_t)n, l);
		return;
	}
	row_at((uint32_t)n);
	for (size_t i = 0; i < ARRAY_LEN(becomes); i++)
		if (journal_is(l->fields, becomes[i].event))
			rows[n].state = (uint8_t)becomes[i].state;
	if (journal_is(l->fields, "confirmed"))
		rows[n].tried = TRIED_WELL;
}

static void field(struct buf *f, const char *name, const char *text, size_t len)
{
	buf_printf(f, ",\"%s\":", name);
	json_text(f, len ? text : "", len);
}

static void field_text(struct buf *f, const char *name, const char *text)
{
	if (text)
		field(f, name, text, strlen(text));
}

static int event(const char *name, uint32_t number, const char *reason, bool intent,
                 struct why *why)
{
	struct buf f = { 0 };
	int rc;

	buf_printf(&f, "\"event\":\"%s\",\"patch\":%u", name, number);
	if (reason)
		field(&f, "why", reason, strnlen(reason, REASON_MOST));
	rc = journal_add(&f, intent, NULL, why);
	buf_fini(&f);
	return rc;
}

/* What is done is done: that it could not be written is for the log. */
static int outcome(const char *name, uint32_t number, const char *reason)
{
	struct why why;
	int rc = event(name, number, reason, false, &why);

	if (rc < 0)
		log_line(LOG_ERROR, "patch", "%u is %s, but the journal does not say so: %s",
		         number, name, why.text);
	return rc;
}

static int leave_out(uint32_t n, const char *reason)
{
	rows[n].state = PATCH_SUSPECT;
	log_line(LOG_WARN, "patch", "%u is left out: %s", n, reason);
	return outcome("suspect", n, reason);
}

/* The one that the last process died of. Until the disk has its line the next one reads it, too. */
static int open_suspect(const char *folder, struct why *why)
{
	struct suspect s;
	struct why reason;

	if (suspect_open(folder, &s, why) < 0)
		return ACTOR_EFAIL;
	if (!s.number || s.number > last || rows[s.number].state != PATCH_APPLIED)
		return suspect_blank(why);
	why_set(&reason, 0, "the runtime died by signal %d (%s) %s", s.sig, sigabbrev_np(s.sig),
		s.by ? "in its code" : "while it was on probation, and it had run last");
	return leave_out(s.number, reason.text) < 0 || journal_sync() < 0 ? 0 : suspect_blank(why);
}

int history_open(const char *folder, struct why *why)
{
	static const char reason[] = "the runtime ended while it was about to come in force";
	int rc = journal_open(folder, replay, NULL, why);

	if (!rc)
		rc = open_suspect(folder, why);
	for (uint32_t n = 1; !rc && n <= last; n++)
		if (rows[n].state == PATCH_INTENT)
			leave_out(n, reason);
	return rc;
}

void history_close(void)
{
	journal_close();
	suspect_close();
	rolled_forget();
	mem_free(rows);
	rows = NULL;
	last = room = 0;
	shown_forget();
}

/* --- a patch comes in force ----------------------------------------------------------- */

struct find { const char *name; int64_t version; };

static void find_version(void *arg, const struct handler_info *h)
{
	struct find *f = arg;

	if (!strcmp(h->name, f->name))
		f->version = h->version;
}

static int64_t version_of(struct type *type, const char *name)
{
	struct find f = { name, -1 };

	core_handlers(type, find_version, &f);
	return f.version;
}

void history_before(const struct exported *e, struct before *b)
{
	*b = (struct before){ 0 };
	for (int i = 0; i < e->n; i++)
		for (const struct actor_handler *h = e->change[i].on; h->name; h++) {
			b->was = mem_resize(b->was, (b->n + 1) * sizeof *b->was);
			b->was[b->n++] = version_of(e->change[i].type, h->name);
		}
}

/* "on":[{"type":"counter","build":"9f86...","migrates":1,"on":[["hit",0]]}] */
static void field_on(struct buf *f, const struct exported *e, const struct before *b)
{
	size_t k = 0;

	buf_text(f, ",\"on\":[");
	for (int i = 0; i < e->n; i++) {
		char hex[SEAL_DIGEST_HEX];
		const char *comma = "";

		builds_of(e->change[i].type, hex);
		buf_text(f, i ? ",{\"type\":" : "{\"type\":");
		json_text(f, type_name(e->change[i].type), strlen(type_name(e->change[i].type)));
		buf_printf(f, ",\"build\":\"%s\",%s\"on\":[", hex,
		           e->change[i].migration ? "\"migrates\":1," : "");
		for (const struct actor_handler *h = e->change[i].on; h->name; h++, comma = ",") {
			buf_printf(f, "%s[", comma);
			json_text(f, h->name, strlen(h->name));
			buf_printf(f, ",%lld]", (long long)b->was[k++]);
		}
		buf_text(f, "]}");
	}
	buf_text(f, "]");
}

static void intent_fields(struct buf *f, uint32_t n, const struct patch_source *s,
                          const struct exported *e, const struct before *b)
{
	char hex[SEAL_DIGEST_HEX];

	seal_digest_hex(s->text, s->len, hex);
	buf_printf(f, "\"event\":\"intent\",\"patch\":%u,\"sha256\":\"%s\",\"bytes\":%zu", n, hex,
	           s->len);
	field_text(f, "origin", s->origin);
	field_text(f, "author", s->author);
	field_text(f, "note", s->note);
	field_text(f, "file", s->file);
	field(f, "targets", e->targets.p, e->targets.len);
	field(f, "handlers", e->handlers.p, e->handlers.len);
	field_text(f, "topic", s->topic);
	field_text(f, "handler", s->handler);
	field_text(f, "function", s->function);
	field_text(f, "probation", s->probation);
	field_text(f, "rollout", s->rollout);
	field_on(f, e, b);
	field(f, "source", s->text, s->len);
}

int64_t history_intent(const struct patch_source *s, const struct exported *e, struct before *b,
                       struct why *why)
{
	uint32_t n = history_last() + 1;
	unsigned char d[SEAL_DIGEST];
	struct buf f = { 0 };
	int64_t at = 0;
	int rc;

	history_before(e, b);
	intent_fields(&f, n, s, e, b);
	rc = journal_add(&f, true, &at, why);
	buf_fini(&f);
	if (rc < 0) {
		mem_free(b->was);
		return rc;
	}
	seal_digest(NULL, 0, s->text, s->len, d);
	rolled_note(s->rollout, n);
	pthread_mutex_lock(&lock);
	row_at(n)->at = at;
	rows[n].state = PATCH_INTENT;
	memcpy(rows[n].digest, d, 8);
	shown_add(n, e->handlers.p, e->handlers.len, s->origin, is_in_force);
	pthread_mutex_unlock(&lock);
	return n;
}

void history_laid(uint32_t number, struct before *b)
{
	pthread_mutex_lock(&lock);
	rows[number].state = PATCH_APPLIED;
	rows[number].live += (int32_t)b->n;
	for (size_t i = 0; i < b->n; i++)
		if (b->was[i] > 0)
			rows[b->was[i]].live--;
	pthread_mutex_unlock(&lock);
	mem_free(b->was);
}

void history_done(uint32_t number, bool table, const char *failed)
{
	if (!table)
		set_state(number, PATCH_RAN);
	outcome(table ? "in force" : "ran", number, failed);
}

int history_again(uint32_t number, struct why *why)
{
	return event("again", number, NULL, true, why);
}

void history_refused(uint32_t number, const char *reason)
{
	set_state(number, PATCH_REFUSED);
	outcome("refused", number, reason);
}

/* --- and goes again ------------------------------------------------------------------- */

static int by_somebody(const char *name, uint32_t number, const char *author, const char *origin,
                       bool intent, struct why *why)
{
	struct buf f = { 0 };
	int rc;

	buf_printf(&f, "\"event\":\"%s\",\"patch\":%u", name, number);
	field_text(&f, "origin", origin);
	field_text(&f, "author", author);
	rc = journal_add(&f, intent, NULL, why);
	buf_fini(&f);
	return rc;
}

int history_reverting(uint32_t number, const char *author, const char *origin, struct why *why)
{
	return by_somebody("revert", number, author, origin, journal_is_well(), why);
}

static void show_line(void *arg, const struct journal_line *l)
{
	pthread_mutex_lock(&lock);
	shown_line(*(const uint32_t *)arg, l, is_in_force);
	pthread_mutex_unlock(&lock);
}

/* It was superseded, and maybe long ago. */
static void show_again(uint32_t number)
{
	struct why why;

	if (journal_line_at(history_place(number), show_line, &number, &why))
		log_line(LOG_WARN, "patch", "%u is in force again unseen: %s", number, why.text);
}

void history_reverted(uint32_t number, const struct before *now)
{
	pthread_mutex_lock(&lock);
	rows[number].state = PATCH_REVERTED;
	rows[number].live = 0;
	for (size_t i = 0; now && i < now->n; i++)
		if (now->was[i] > 0)
			rows[now->was[i]].live++;
	pthread_mutex_unlock(&lock);
	outcome("reverted", number, NULL);
	for (size_t i = 0; now && i < now->n; i++)
		if (now->was[i] > 0 && (!i || now->was[i] != now->was[i - 1]))
			show_again((uint32_t)now->was[i]);
}

void history_stale(uint32_t number, const char *reason)
{
	set_state(number, PATCH_STALE);
	outcome("stale", number, reason);
	log_line(LOG_WARN, "patch", "%u is stale and left out: %s", number, reason);
}

/* --- on probation --------------------------------------------------------------------- */

static void set_tried(uint32_t number, enum tried tried)
{
	pthread_mutex_lock(&lock);
	rows[number].tried = (uint8_t)tried;
	pthread_mutex_unlock(&lock);
}

bool history_is_confirmed(uint32_t number)
{
	return row_of(number).tried == TRIED_WELL;
}

void history_tried(uint32_t number, bool now)
{
	set_tried(number, now ? TRIED_NOW : TRIED_NOT);
}

void history_confirmed(uint32_t number)
{
	set_tried(number, TRIED_WELL);
	outcome("confirmed", number, NULL);
}

void history_failed(uint32_t number, const char *reason)
{
	set_tried(number, TRIED_NOT);
	outcome("failed", number, reason);
}

void history_quarantine(uint32_t number, const char *reason)
{
	set_state(number, PATCH_QUARANTINED);
	outcome("quarantined", number, reason);
}

uint32_t history_quarantined(const char *source, size_t len)
{
	unsigned char d[SEAL_DIGEST];
	uint32_t number = 0;

	seal_digest(NULL, 0, source, len, d);
	pthread_mutex_lock(&lock);
	for (uint32_t n = last; n && !number; n--)
		if (rows[n].state == PATCH_QUARANTINED && !memcmp(rows[n].digest, d, 8))
			number = n;
	pthread_mutex_unlock(&lock);
	return number;
}

int history_lift(uint32_t number, const char *author, const char *origin, struct why *why)
{
	int rc = by_somebody("lifted", number, author, origin, false, why);

	if (!rc)
		set_state(number, PATCH_REVERTED);
	return rc;
}

/* --- from the journal ----------------------------------------------------------------- */

int history_read(uint32_t number, struct patch_kept *k, struct why *why)
{
	unsigned char d[SEAL_DIGEST];
	struct row r;
	int rc;

	*k = (struct patch_kept){ .own = { 0 } };
	if (history_known(number, why) < 0)
		return ACTOR_ENOENT;
	r = row_of(number);
	rc = journal_line_at(r.at, kept_take, k, why);
	if (!rc && k->source.text) {
		seal_digest(NULL, 0, k->source.text, k->source.len, d);
		if (!memcmp(d, r.digest, 8))
			return 0;
	}
	kept_free(k);
	return rc ? rc : why_set(why, ACTOR_EFAIL,
	                         "%s has lost patch %u: actorctl patch log --verify tells more",
	                         journal_path(), number);
}

struct applied { history_fn *each; void *arg; };

static void applied_line(void *arg, const struct journal_line *l)
{
	struct applied *a = arg;
	uint32_t n = (uint32_t)journal_int(l->fields, "patch");
	struct packed on;

	if (journal_is(l->fields, "intent") && history_state(n) == PATCH_APPLIED &&
	    packed_find(l->fields, "on", &on))
		a->each(a->arg, n, on);
}

int history_applied(history_fn *each, void *arg, struct why *why)
{
	struct applied a = { each, arg };
	struct journal_end end;

	return journal_each(applied_line, &a, &end, why);
}
