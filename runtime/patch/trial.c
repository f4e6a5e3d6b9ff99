/* SPDX-License-Identifier: MIT
 * trial.c - the compiler's first look at a source, where it can harm nobody.
 *
 * libtcc crashes on some broken sources and loops for ever on others. So a process that has nothing
 * to lose compiles each source (tester.c). It is small whatever the runtime has grown to, and
 * serves source after source until one ends it, and then another takes its place. Nothing that it
 * compiles is run there: the code is made for an address that the runtime has free, against the
 * runtime's own symbols, and sent. So the compiler turns once a patch, and on nothing but trusted
 * text in the runtime itself; whoever could take the trial over by a source could as well write
 * what he wants into the patch.
 *
 * Threads: the compile thread, and before it has work the one that starts the node. */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exchange.h"
#include "headers.h"
#include "log.h"
#include "ports.h"
#include "site.h"

enum { REPLY_MAX = 64 << 20 };  /* of each text: more is no compiler's */

static pid_t pid;               /* 0: there is none */
static int fd = -1;
static size_t headers_known;    /* by it */
static size_t symbols_known;

/* Of the environment only what finds libraries, and settles sanitizers: no password. Borrows. */
static char **environment(void)
{
	static const char *const kept[] = { "LD_", "ASAN_", "UBSAN_", "TSAN_", "LSAN_" };
	size_t n = 0;
	char **to;

	while (environ && environ[n])
		n++;
	to = mem_alloc((n + 1) * sizeof *to);
	n = 0;
	for (char **e = environ; e && *e; e++)
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			if (!strncmp(*e, kept[i], strlen(kept[i])))
				to[n++] = *e;
	return to;
}

static int spawn(int its_fd)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char *argv[] = { (char *)tester_name, NULL }, **env = environment();
	sigset_t but, all;
	int error;

	sigfillset(&all);               /* what we ignore it would ignore, too */
	sigfillset(&but);               /* it ends when we do, not by a Ctrl-C */
	sigdelset(&but, SIGPROF);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, its_fd, TESTER_FD);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	posix_spawn_file_actions_addclosefrom_np(&files, TESTER_FD + 1);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &but);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(&pid, "/proc/self/exe", &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	mem_free(env);
	return error;
}

int trial_start(struct why *why)
{
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return why_set(why, ACTOR_EFAIL, "no socket for the trial: %s", strerror(errno));
	error = spawn(pair[1]);
	close(pair[1]);
	if (error) {
		pid = 0;
		close(pair[0]);
		return why_set(why, ACTOR_EFAIL, "no process for the trial: %s", strerror(error));
	}
	fd = pair[0];
	headers_known = 0;
	symbols_known = 0;
	return 0;
}

/* Once it has closed its end, or is killed. 0 where someone else has waited for it (as PID 1 the
 * node waits for all). */
static int end_of(bool kill_it)
{
	int status = 0;

	close(fd);
	fd = -1;
	if (kill_it)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	pid = 0;
	return status;
}

void trial_stop(void)
{
	if (pid)
		end_of(true);
	site_drop();
}

/* Ended without a source to blame. */
static bool gone(void)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) > 0;
}

static bool hand_over(uint32_t kind, void *at, const char *const text[EXCHANGE_TEXTS],
                      const size_t len[EXCHANGE_TEXTS], int64_t until_ms)
{
	struct request r = { .kind = kind, .at = at };
	struct iovec v[EXCHANGE_TEXTS + 1] = { { &r, sizeof r } };

	for (int i = 0; i < EXCHANGE_TEXTS; i++) {
		r.len[i] = (uint32_t)len[i];
		v[i + 1] = (struct iovec){ (char *)text[i], len[i] };
	}
	return exchange_deliver(fd, v, EXCHANGE_TEXTS + 1, until_ms);
}

static bool hand_over_headers(int64_t until_ms)
{
	struct header h;

	for (; headers_kept(headers_known, &h); headers_known++)
		if (!hand_over(EXCHANGE_HEADER, NULL,
		               (const char *[]){ h.name, h.folder, h.text, "" },
		               (size_t[]){ strlen(h.name), strlen(h.folder), h.len, 0 }, until_ms))
			return false;
	return true;
}

/* Types that came since the last time may offer more. */
static bool hand_over_symbols(int64_t until_ms)
{
	struct export e;
	struct buf b = { 0 };
	size_t n = 0;
	bool sent;

	if (symbols_known && !compile_symbol(symbols_known, &e))
		return true;
	for (; compile_symbol(n, &e); n++) {
		uint64_t addr = (uintptr_t)e.addr;

		if (addr) {
			buf_add(&b, &addr, sizeof addr);
			buf_add(&b, e.name, strlen(e.name) + 1);
		}
	}
	sent = hand_over(EXCHANGE_SYMBOLS, NULL, (const char *[]){ "", "", b.p, "" },
	                 (size_t[]){ 0, 0, b.len, 0 }, until_ms);
	symbols_known = sent ? n : 0;
	buf_fini(&b);
	return sent;
}

/* Its heap may be what the source has made of it. */
static bool makes_sense(const struct reply *r)
{
	return (!r->p.size || (r->p.at == site_at() && r->p.size <= SITE)) &&
	       r->p.text <= r->p.size && r->len <= REPLY_MAX && r->stab <= REPLY_MAX &&
	       r->str <= REPLY_MAX;
}

/* What the reply announces; with a NUL behind each text. */
static bool receive_rest(const struct reply *r, struct image *i, struct buf *said,
                         int64_t until_ms)
{
	struct buf *text[] = { said, &i->stab, &i->str };
	uint32_t len[] = { r->len, r->stab, r->str };
	struct iovec v[ARRAY_LEN(text) + 1];

	for (size_t k = 0; k < ARRAY_LEN(text); k++) {
		buf_reserve(text[k], (size_t)len[k] + 1);
		v[k] = (struct iovec){ text[k]->p + text[k]->len, len[k] };
		text[k]->len += len[k];
		text[k]->p[text[k]->len] = 0;
	}
	v[ARRAY_LEN(text)] = (struct iovec){ i->p.at, i->p.size };
	return exchange_receive(fd, v, ARRAY_LEN(v), until_ms);
}

/* odd: it has replied, but with nonsense. */
static bool try(const struct source *s, struct reply *r, struct image *i, struct buf *said,
                int64_t until_ms, bool *odd)
{
	const char *function = s->function ? s->function : "", *folder = s->folder ? s->folder : "";
	const char *texts[] = { s->file, folder, s->text, function };
	size_t len[] = { strlen(s->file), strlen(folder), s->len, strlen(function) };

	if (!hand_over_symbols(until_ms) || !hand_over_headers(until_ms) ||
	    !hand_over(EXCHANGE_SOURCE, site_at(), texts, len, until_ms) ||
	    !exchange_receive(fd, &(struct iovec){ r, sizeof *r }, 1, until_ms))
		return false;
	*odd = !makes_sense(r);
	if (*odd)
		return false;
	i->p = r->p;
	return site_open(i->p.size) && receive_rest(r, i, said, until_ms);
}

/* How it ended; signo 0: that is not known. */
struct death { int signo; bool hung, odd; };

static struct death died(int64_t began_ms, bool odd)
{
	int64_t took_ms = now_ms() - began_ms;
	int status = end_of(odd || took_ms >= TRIAL_WALL_MS);
	int signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (odd)
		return (struct death){ .odd = true };
	return (struct death){
		.signo = signo, .hung = signo == SIGPROF || took_ms >= TRIAL_WALL_MS ||
		       (!signo && took_ms >= TRIAL_CPU_MS),
	};
}

static void blame(const struct source *s, struct death d, struct buf *said)
{
	if (d.hung)
		diagnose(said, s->file, 0, "the compiler hung on this source (over %d ms of CPU "
		         "time): it is refused", TRIAL_CPU_MS);
	else if (d.odd)
		diagnose(said, s->file, 0, "the compiler lost its memory on this source, as it "
		         "does on some broken code: it is refused");
	else if (d.signo == SIGKILL)
		diagnose(said, s->file, 0, "the compiler was killed twice on this source: by the "
		         "kernel, as memory is short (dmesg), or by somebody; send it again");
	else
		diagnose(said, s->file, 0, "the compiler crashed on this source (%s), as it does "
		         "on some broken code and on brackets nested by the thousand: it is "
		         "refused",
		         d.signo ? strsignal(d.signo) : "it ended");
}

enum outcome { SURVIVED, DIED, UNTRIED };

/* What was killed from outside has no source to blame, nor has what ended and nobody can say how:
 * another process tries it once more. (A compiler does not send itself SIGKILL.) */
static bool worth_another(struct death d)
{
	return !d.hung && !d.odd && (!d.signo || d.signo == SIGKILL);
}

static bool is_there(struct why *why)
{
	if (pid && gone())
		end_of(true);
	if (!site_at())
		return why_set(why, ACTOR_ENOMEM, "there is no room for it") == 0;
	return pid || !trial_start(why);
}

static enum outcome trial(const struct source *s, struct reply *r, struct image *i,
                          struct buf *said)
{
	size_t said_len = said->len;
	struct death d;
	struct why why;

	for (int attempt = 1;; attempt++) {
		int64_t began_ms = now_ms();
		bool odd = false;

		if (!is_there(&why)) {
			diagnose(said, s->file, 0, "it cannot be tried out now: %s", why.text);
			return UNTRIED;
		}
		if (try(s, r, i, said, began_ms + TRIAL_WALL_MS, &odd))
			return SURVIVED;
		d = died(began_ms, odd);
		said->len = said_len;           /* what came of it goes */
		*i = (struct image){ .stab = i->stab, .str = i->str };
		buf_clear(&i->stab);
		buf_clear(&i->str);
		site_drop();
		if (attempt == 2 || !worth_another(d))
			break;
		log_line(LOG_WARN, "patch", "%s: the trial was killed, once more", s->file);
	}
	blame(s, d, said);
	if (trial_start(&why) < 0)      /* the next source tries again */
		log_line(LOG_ERROR, "patch", "%s", why.text);
	return DIED;
}

/* What it wrote where the code is to lie is the program's, or goes. */
static struct program *take(const struct source *s, const struct reply *r, const struct image *i)
{
	if (!r->passed) {
		if (i->p.size)
			site_drop();
		return NULL;
	}
	site_take(i->p.size);
	return image_take(s, i);
}

struct program *trial_compile(const struct source *s, struct buf *said)
{
	struct image i = { .p = { 0 } };
	struct program *p = NULL;
	struct reply r = { 0 };

	if (s->len > SOURCE_MAX)                /* the compiler itself says so, unread */
		return program_compile(s, said);
	if (trial(s, &r, &i, said) == SURVIVED) {
		p = r.passed && !i.p.size ? program_compile(s, said) : take(s, &r, &i);
		if (!p && !said->len)
			diagnose(said, s->file, 0, "the compiler gave up");
	}
	buf_fini(&i.stab);
	buf_fini(&i.str);
	return p;
}

bool trial_survived(const struct source *s, struct buf *said)
{
	struct image i = { .p = { 0 } };
	struct reply r = { 0 };
	enum outcome o;

	if (s->len > SOURCE_MAX)
		return true;
	o = trial(s, &r, &i, said);
	if (i.p.size)
		site_drop();
	buf_fini(&i.stab);
	buf_fini(&i.str);
	return o != DIED;
}

void trial_ready(void)
{
	static const char *const no_text[EXCHANGE_TEXTS] = { "", "", "", "" };

	if (pid && site_at() && site_open(SITE_READY) &&
	    !hand_over(EXCHANGE_SITE, site_at(), no_text, (size_t[EXCHANGE_TEXTS]){ 0 },
	               now_ms() + TRIAL_WALL_MS))
		end_of(true);           /* half a record may be on its way */
}
