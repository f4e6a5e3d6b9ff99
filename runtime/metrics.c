/* SPDX-License-Identifier: MIT
 * metrics.c - see metrics.h.
 *
 * Labels are worker, type and handler, whose number is bounded by the code that is loaded; never an
 * actor. Counters are the workers' own, read as they are: nothing is locked or stopped for them. */
#include "metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/ages.h"
#include "control/glance.h"
#include "core.h"
#include "ports.h"

/* --- the format --------------------------------------------------------------------------- */

static void head(struct buf *out, const char *name, const char *help)
{
	size_t n = strlen(name);
	bool counter = n > 6 && strcmp(name + n - 6, "_total") == 0;

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		   counter ? "counter" : "gauge");
}

/* Names come from sources: what is no UTF-8 would spoil the whole page. */
static void label(struct buf *out, const char *name, const char *value)
{
	bool text = utf8_valid(value, strlen(value));

	buf_printf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_printf(out, "\\%c", *value);
		else if (*value == '\n')
			buf_text(out, "\\n");
		else
			buf_add(out, text || (unsigned char)*value < 0x80 ? value : "?", 1);
	}
	buf_text(out, "\"");
}

void metrics_one(struct buf *out, const char *name, const char *help, double value)
{
	head(out, name, help);
	buf_printf(out, "%s %.16g\n", name, value);
}

void metrics_by(struct buf *out, const char *name, const char *help, const char *by,
		const char *const *value, const uint32_t *sample, int n)
{
	head(out, name, help);
	for (int i = 0; i < n; i++) {
		buf_printf(out, "%s{", name);
		label(out, by, value[i]);
		buf_printf(out, "} %u\n", sample[i]);
	}
}

/* --- the process -------------------------------------------------------------------------- */

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0;       /* ., .., and the folder's own */
}

void metrics_process(struct buf *out, const char *node)
{
	struct rlimit files = { 0 };

	head(out, "actord_build_info", "Which version runs, and on which node.");
	buf_text(out, "actord_build_info{");
	label(out, "version", ACTORD_VERSION);
	buf_text(out, ",");
	label(out, "node", node);
	buf_text(out, "} 1\n");
	getrlimit(RLIMIT_NOFILE, &files);
	metrics_one(out, "process_cpu_seconds_total", "CPU time used, in user and system mode.",
	            (double)glance_cpu_ns() / 1e9);
	metrics_one(out, "process_resident_memory_bytes", "Memory in RAM.",
	            (double)glance_resident_bytes());
	metrics_one(out, "process_open_fds", "Open file descriptors.", open_files());
	metrics_one(out, "process_max_fds", "The limit of open file descriptors.",
		    (double)files.rlim_cur);
}

/* --- the core ----------------------------------------------------------------------------- */

static void worker_handled(void *arg, const struct worker_info *w)
{
	buf_text(arg, "actord_worker_handled_total{");
	label(arg, "worker", w->name);
	buf_printf(arg, "} %llu\n", (unsigned long long)w->handled);
}

static void worker_busy(void *arg, const struct worker_info *w)
{
	int64_t ns = w->since_ns ? now_ns() - w->since_ns : 0;

	buf_text(arg, "actord_worker_turn_seconds{");
	label(arg, "worker", w->name);
	buf_printf(arg, "} %.9g\n", ns > 0 ? (double)ns / 1e9 : 0.0);
}

static void workers(struct buf *out)
{
	head(out, "actord_worker_handled_total",
	     "Messages handled by each thread that runs actors.");
	core_workers(worker_handled, out);
	head(out, "actord_worker_turn_seconds",
	     "How long what runs there now has been running; 0: nothing that lasts.");
	core_workers(worker_busy, out);
}

struct row { const char *type; struct handler_info h; };
struct rows { struct row *row; size_t n, cap; const char *type; };

static void add_handler(void *arg, const struct handler_info *h)
{
	struct rows *r = arg;

	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->row = mem_resize(r->row, r->cap * sizeof *r->row);
	}
	r->row[r->n++] = (struct row){ r->type, *h };
}

static void add_type(void *arg, struct type *t)
{
	struct rows *r = arg;

	r->type = type_name(t);
	core_handlers(t, add_handler, r);
}

static double calls(const struct handler_info *h) { return (double)h->calls; }
static double failures(const struct handler_info *h) { return (double)h->failures; }
static double run_seconds(const struct handler_info *h) { return (double)h->ns / 1e9; }
static double patch_number(const struct handler_info *h) { return h->version; }

static void family(struct buf *out, const struct rows *r, const char *name, const char *help,
                   double (*of)(const struct handler_info *h))
{
	head(out, name, help);
	for (size_t i = 0; i < r->n; i++) {
		buf_printf(out, "%s{", name);
		label(out, "type", r->row[i].type);
		buf_text(out, ",");
		label(out, "handler", r->row[i].h.name);
		buf_printf(out, "} %.16g\n", of(&r->row[i].h));
	}
}

/* Of a timed call counts for those beside it that were not timed, so sums are estimates, too. */
static void duration(struct buf *out, const struct row *r)
{
	static const int64_t limit_ns[] = { 1000, 10000, 100000, 1000000, 10000000, 100000000,
	                                    1000000000 };
	struct handler_times t;
	double all;

	core_handler_times(&r->h, &t);
	all = core_times_below(&t, INT64_MAX);
	for (size_t i = 0; all > 0 && i <= ARRAY_LEN(limit_ns) + 1; i++) {
		const char *part = i <= ARRAY_LEN(limit_ns) ? "bucket" : "count";

		buf_printf(out, "actord_handler_duration_seconds_%s{", part);
		label(out, "type", r->type);
		buf_text(out, ",");
		label(out, "handler", r->h.name);
		if (i < ARRAY_LEN(limit_ns))
			buf_printf(out, ",le=\"%g\"} %.0f\n", (double)limit_ns[i] / 1e9,
			           core_times_below(&t, limit_ns[i]));
		else
			buf_printf(out, "%s} %.0f\n",
			           i == ARRAY_LEN(limit_ns) ? ",le=\"+Inf\"" : "", all);
	}
	if (all > 0) {
		buf_text(out, "actord_handler_duration_seconds_sum{");
		label(out, "type", r->type);
		buf_text(out, ",");
		label(out, "handler", r->h.name);
		buf_printf(out, "} %.16g\n", (double)r->h.ns / 1e9);
	}
}

static void durations(struct buf *out, const struct rows *r)
{
	buf_text(out, "# HELP actord_handler_duration_seconds How long calls took, of handlers "
	              "that were called.\n# TYPE actord_handler_duration_seconds histogram\n");
	for (size_t i = 0; i < r->n; i++)
		duration(out, &r->row[i]);
}

static void handlers(struct buf *out)
{
	struct rows r = { 0 };

	core_types(add_type, &r);
	family(out, &r, "actord_handler_calls_total", "Calls of each handler.", calls);
	family(out, &r, "actord_handler_failures_total", "Calls that failed.", failures);
	family(out, &r, "actord_handler_seconds_total",
	       "Time spent in each handler, from the calls that were timed (one in 64 at least).",
	       run_seconds);
	family(out, &r, "actord_handler_patch_number",
	       "The patch that each handler came with; 0: it is the original.", patch_number);
	durations(out, &r);
	mem_free(r.row);
}

void metrics_core(struct buf *out)
{
	struct core_totals t;

	core_counts(&t);
	metrics_one(out, "actord_actors", "Actors that live now.", t.actors);
	metrics_one(out, "actord_mailbox_messages", "Messages in all mailboxes.", t.waiting);
	metrics_one(out, "actord_mailbox_oldest_seconds",
	            "How long the oldest message of all mailboxes has waited, to a second.",
	            (double)ages_longest_ms() / 1e3);
	metrics_one(out, "actord_messages_sent_total", "Messages that went into a mailbox.",
	            (double)t.sent);
	metrics_one(out, "actord_messages_handled_total", "Messages that were handled.",
	            (double)t.handled);
	metrics_one(out, "actord_messages_failed_total", "Handled ones that the handler failed at.",
	            (double)t.failed);
	metrics_one(out, "actord_messages_refused_total", "Messages that a full mailbox refused.",
	            (double)t.refused);
	metrics_one(out, "actord_dead_letters_total",
	            "Messages that nobody handled, or failed where nobody waited.",
	            (double)t.dead_letters);
	metrics_one(out, "actord_expired_total",
		    "Messages passed over, as their sender had given up by then.",
		    (double)t.expired);
	metrics_one(out, "actord_late_answers_total",
		    "Answers that came when nobody waited any more.", (double)t.late_answers);
	workers(out);
	handlers(out);
}

/* --- clients ------------------------------------------------------------------------------ */

void metrics_clients(struct buf *out, const struct gateway_info *i)
{
	const struct { const char *name, *help; double value; } lines[] = {
		{ "clients", "WebSocket clients connected.", i->clients },
		{ "clients_bytes", "Memory of the connections, and of what is buffered for them.",
		  (double)i->bytes },
		{ "clients_accepted_total", "Clients ever let in.", (double)i->accepted },
		{ "clients_turned_away_total", "Clients for whom there was no place or descriptor.",
		  (double)i->turned_away },
		{ "clients_limited_total", "Clients closed as they or their address sent too much.",
		  (double)i->limited },
		{ "clients_late_total", "Clients closed as no login or message came in time.",
		  (double)i->late },
		{ "clients_lost_total", "Clients that were pinged in vain.", (double)i->lost },
		{ "clients_overflown_total", "Clients that did not read what was sent to them.",
		  (double)i->overflown },
		{ "client_dropped_total", "Messages dropped as their client did not read.",
		  (double)i->dropped },
		{ "client_calls_total", "Calls by clients.", (double)i->calls },
		{ "client_answers_total", "Answers to clients.", (double)i->answers },
		{ "client_refused_total", "Clients' calls refused.", (double)i->refused },
		{ "client_pushes_total", "Messages that actors told clients.", (double)i->pushed },
		{ "client_encodings_total", "How often those were encoded: once for all that are "
		  "told the same.", (double)i->encoded },
	};
	char name[64];

	for (size_t k = 0; k < ARRAY_LEN(lines); k++) {
		snprintf(name, sizeof name, "actord_%s", lines[k].name);
		metrics_one(out, name, lines[k].help, lines[k].value);
	}
}
