/* SPDX-License-Identifier: MIT
 * inbox.c - see inbox.h.
 *
 *   actord:{node:NAME}        stream of frames (frame.h), field f: just what is not handled yet
 *   actord:{node:NAME}:seen   hash: of each sender, its life and the sequence handled last; \0life:
 *                             of the process that reads it, its life
 *   actord:{node:NAME}:suspect  hash: what was there when this life began (suspects.c)
 *
 * The idea: one reader, so the order of each sender is kept from Redis to the mailbox. What one
 * read brings is a batch. When all mailboxes that got something of it have come so far
 * (arrivals.c), the batch is handled; when those before it are, too, the stream is trimmed so far
 * (acks.c). A process that dies leaves in the stream what it had not handled: its next life
 * reads from the beginning, and marks as msg_again() what was there before it. A stream that is
 * gone looks like one that nothing comes by: where a read brought nothing, it is looked for.
 *
 *      XREAD -> frame -> seen already? --no--> arrivals.c ... all handled -> ack
 *
 * A life that ends before it got through what it found may have died of some of it. The next one
 * takes what it finds one frame at a time, each noted in Redis before; where that life ends, too,
 * the next one takes the frame it had in hand one message at a time. What two of those had in hand
 * becomes a dead letter. So a message that is deadly ends five lives.
 *
 * The loop's thread. Does not know who sends what for what. */
#include "inbox.h"

#include <inttypes.h>
#include <stdio.h>

#include "acks.h"
#include "arrivals.h"
#include "join.h"
#include "log.h"
#include "senders.h"
#include "suspects.h"

enum {
	READ_FRAMES = 32, READ_MS = 2000, PAUSE_MS = 1000, RETRY_MS = 5, SAY_MS = 5000,
	/* Behind actors that do not come back: each costs little here, as mailboxes have limits
	 * of their own, but what they hold stays in Redis. */
	BATCHES_MOST = 12288,   /* core_reach() follows 16,384 */
	LATE_BYTES_MOST = 64 << 20,
	SPLIT_AT = 16,          /* where so many wait, each entry is one, so that few hold others */
	TELL_MS = 3,            /* acknowledgements wait so long, or for so many batches; */
	UNTOLD_MOST = 16, UNTOLD_SOME = 4,      /* for so many, where a frame goes anyway */
};

/* A frame that is taken alone, or one message at a time. */
struct alone {
	bool on;                        /* until `before` */
	bool frame, whole;              /* there is one; all of it at once */
	bool due, asked;                /* part is to be taken; Redis is asked about it */
	struct buf bytes;
	struct packed at;
	struct id id, trim;             /* of the entry; 0 where Redis has lost it meanwhile */
	struct id done;                 /* an earlier life got through it so far: */
	unsigned nth, done_nth;         /* parts, read and done */
	struct part part;
	struct sender *sender; struct peer *peer;
};

struct inbox {
	struct inbox_config c;
	struct alone alone;
	struct suspects suspects;
	const struct redis_port *port, *commands;
	char *key, *seen, *suspect;
	struct senders *senders;
	struct arrivals *arrivals;
	struct id at, before;           /* read so far; what was there before this life */
	struct id joining;              /* `at`, when it was joined last */
	struct id reread;               /* what was read up to here before Redis lost some of it */
	int64_t joined_ms;              /* of Redis's clock, then */
	struct acks *acks;
	struct batch *filling;          /* what is being read */
	bool up, joined_once, reading;
	bool telling;                   /* `tell` is set */
	struct loop_timer *retry, *tell;
	struct inbox_info info;
	int64_t said_ms;
};

static void read_on(void *arg);

static void tell_soon(struct inbox *in)
{
	if (acks_untold(in->acks) >= UNTOLD_MOST)
		acks_tell(in->acks);
	if (in->telling || !in->up || !acks_untold(in->acks))
		return;
	in->telling = true;
	loop_timer_set(in->tell, TELL_MS);
}

static void on_tell(void *arg)
{
	struct inbox *in = arg;

	in->telling = false;
	acks_tell(in->acks);
	tell_soon(in);
}

static void complain(void *arg, const char *about, const char *text)
{
	struct inbox *in = arg;

	in->info.refused++;
	if (now_ms() - in->said_ms < SAY_MS)
		return;
	in->said_ms = now_ms();
	log_line(LOG_WARN, "bus", "%s was refused: %s", about, text);
}

/* --- frames ------------------------------------------------------------------------------- */

static void pass_over(struct inbox *in, struct sender *s, const struct part *part)
{
	in->info.refused++;
	if (!s->newer)
		log_line(LOG_WARN, "bus", "node %s: its frames have parts of kind %" PRIu64
		         ", which this build does not know and passes over: another version?",
		         s->name, part->number);
	s->newer = true;
}

static void take_part(struct inbox *in, struct peer *p, const struct part *part, bool again,
                      const struct id *id)
{
	in->info.taken++;
	in->info.again += again;
	if (again && part->kind == PART_ASK && part->ms &&
	    (int64_t)id->ms + part->ms < in->joined_ms)
		return;                 /* whoever asked has given up */
	arrivals_take(in->arrivals, p, part, again);
}

/* The frame's head; at is left at its parts. NULL: it is passed over. */
static struct peer *frame_open(struct inbox *in, const struct id *id, struct packed *at,
                               struct sender **sender)
{
	struct sender *s;
	struct frame f;
	struct peer *p;
	struct why why = { "" };
	int rc = frame_read(at, &f, &why);

	p = rc ? NULL : peers_get(in->c.peers, f.node);
	if (!p) {
		complain(in, "a frame in the inbox", rc ? why.text : "there are too many nodes");
		return NULL;
	}
	s = *sender = sender_of(in->senders, f.node);
	switch (sender_frame(s, f.life, f.sequence, !id_after(id, &in->reread))) {
	case SENDER_SEEN:
		in->info.doubles++;
		acks_double(in->acks, in->filling, id, s, f.life, f.sequence);
		return NULL;
	case SENDER_GAP:
		log_line(LOG_WARN, "bus", "node %s: frame %" PRIu64 " came after %" PRIu64 ": "
		         "Redis has lost those between, or it is forged", f.node, f.sequence,
		         s->last);
		in->info.refused++;
		break;
	case SENDER_NEXT:
		break;
	}
	peer_speaks(p, f.life);
	return p;
}

/* Whose it is; NULL: it is passed over. */
static struct sender *take_frame(struct inbox *in, const struct id *id,
                                 const struct redis_reply *bytes)
{
	const uint8_t *begin = (const uint8_t *)bytes->str;
	struct packed at = { begin, begin + bytes->len };
	bool again = !id_after(id, &in->before);
	struct part part = { .number = 0 };
	struct trace_link link = { .trace = 0 };
	bool client = false;
	struct sender *s = NULL;
	struct peer *p = frame_open(in, id, &at, &s);
	struct why why = { "" };
	int rc;

	if (!p)
		return NULL;
	while ((rc = frame_next(&at, &part, &why)) > 0) {
		if (part.kind == PART_TRACE)
			link = part.link;
		if (part.kind == PART_TRACE || part.kind == PART_USER)
			continue;
		part.client = client;
		client = part.kind == PART_CLIENT;
		if (client)
			continue;
		core_trace_enter(&link);
		if (part.kind == PART_UNKNOWN)
			pass_over(in, s, &part);
		else
			take_part(in, p, &part, again, id);
		core_trace_leave();
		link = (struct trace_link){ .trace = 0 };
	}
	if (rc < 0)
		complain(in, "a part of a frame in the inbox", why.text);
	return s;
}

static void alone_frame(struct inbox *in, const struct id *id, const struct redis_reply *bytes)
{
	struct alone *a = &in->alone;

	buf_clear(&a->bytes);
	buf_add(&a->bytes, bytes->str, bytes->len);
	a->at = (struct packed){ (uint8_t *)a->bytes.p, (uint8_t *)a->bytes.p + bytes->len };
	a->id = a->trim = *id;
	a->nth = 0;
	a->due = a->asked = false;
	a->part = (struct part){ .number = 0 };
	a->peer = frame_open(in, id, &a->at, &a->sender);
	a->frame = a->peer != NULL;
	a->whole = id_after(id, &a->done);
}

static void take_entry(struct inbox *in, const struct id *id, const struct redis_reply *fields)
{
	struct sender *s = NULL;

	in->alone.on = in->alone.on && !id_after(id, &in->before);
	if (fields->items != 2 || fields->item[1].type != REDIS_STR)
		complain(in, "an entry of the inbox", "it has no field f alone");
	else if (in->alone.on)
		alone_frame(in, id, &fields->item[1]);
	else
		s = take_frame(in, id, &fields->item[1]);
	if (!in->alone.frame)
		batch_entry(in->filling, id, s);
}

static void batch_begin(struct inbox *in)
{
	in->filling = acks_begin(in->acks);
	arrivals_begin(in->arrivals, in->filling);
}

static void take_entries(struct inbox *in, const struct redis_reply *entry, size_t n)
{
	struct id id = in->at;
	uint64_t taken = in->info.taken;
	struct batch *b;

	batch_begin(in);
	for (size_t i = 0; i < n; i++) {
		if (i && acks_count(in->acks) >= SPLIT_AT) {
			arrivals_end(in->arrivals);
			acks_close(in->acks, in->filling);
			batch_begin(in);
		}
		if (entry[i].items == 2 && id_read(&id, entry[i].item[0].str))
			take_entry(in, &id, &entry[i].item[1]);
	}
	b = in->filling;
	in->at = id;
	arrivals_end(in->arrivals);
	in->filling = NULL;
	acks_close(in->acks, b);
	if (in->info.taken - taken == 1)
		loop_expect(in->c.loop);
}

/* --- one at a time ------------------------------------------------------------------------ */

static void alone_end(struct inbox *in)
{
	struct batch *b = acks_begin(in->acks);

	in->alone.frame = false;
	batch_entry(b, &in->alone.trim, in->alone.sender);
	acks_close(in->acks, b);
}

/* An earlier life got through it. */
static bool is_done(const struct alone *a)
{
	return id_after(&a->done, &a->id) ||
	       (!id_after(&a->id, &a->done) && a->nth <= a->done_nth);
}

/* The next part that is to be taken. False: there is none. It is traced no more. */
static bool alone_part(struct inbox *in)
{
	struct alone *a = &in->alone;
	bool client = false;
	struct why why;
	int rc;

	while ((rc = frame_next(&a->at, &a->part, &why)) > 0) {
		a->part.client = client;
		client = a->part.kind == PART_CLIENT;
		a->nth++;
		if (a->part.kind == PART_UNKNOWN)
			pass_over(in, a->sender, &a->part);
		else if (!client && a->part.kind != PART_TRACE && a->part.kind != PART_USER &&
		    !is_done(a))
			return true;
	}
	if (rc < 0)
		complain(in, "a part of a frame in the inbox", why.text);
	return false;
}

static void alone_hand(struct inbox *in)
{
	struct alone *a = &in->alone;
	struct batch *b = acks_begin(in->acks);

	arrivals_begin(in->arrivals, b);
	if (!a->whole)
		take_part(in, a->peer, &a->part, true, &a->id);
	while (a->whole && alone_part(in))
		take_part(in, a->peer, &a->part, true, &a->id);
	a->due = a->whole = false;
	arrivals_end(in->arrivals);
	acks_close(in->acks, b);
}

static void on_noted(void *arg, int64_t deaths, const char *failed)
{
	struct inbox *in = arg;
	struct alone *a = &in->alone;

	a->asked = false;
	if (!in->c.ours(in->c.arg))
		return;
	if (failed) {
		complain(in, "that a message is handled alone", failed);
		loop_timer_set(in->retry, PAUSE_MS);
	} else if (a->whole || deaths < SUSPECTS_DEATHS) {
		alone_hand(in);
	} else {
		a->asked = true;
		suspects_bury(&in->suspects, &a->id, &a->part);
	}
}

static void on_buried(void *arg, const char *failed)
{
	struct inbox *in = arg;
	struct alone *a = &in->alone;

	a->asked = false;
	if (failed)
		complain(in, "a dead letter", failed);
	else if (a->part.kind == PART_ASK)
		peer_refuse(a->peer, NULL, a->part.number, ACTOR_EFAIL,
		            "its node died of it, three times: see actorctl dead list");
	a->due = failed != NULL;
	loop_timer_set(in->retry, failed ? PAUSE_MS : 0);
}

/* What comes next, when what came before it is handled. */
static void alone_next(struct inbox *in)
{
	struct alone *a = &in->alone;

	if (a->asked || acks_count(in->acks))
		return;
	a->due = a->due || a->whole || alone_part(in);
	if (!a->due) {
		alone_end(in);
	} else if (a->whole || a->part.kind == PART_SEND || a->part.kind == PART_ASK) {
		a->asked = true;
		suspects_note(&in->suspects, &a->id, a->nth, in->joined_ms);
	} else {
		alone_hand(in);
	}
}

/* --- reading ------------------------------------------------------------------------------ */

static void on_looked(void *arg, const struct redis_reply *r)
{
	struct inbox *in = arg;

	if (r->type != REDIS_INT || r->integer || !in->up)
		return;
	log_line(LOG_WARN, "bus", "Redis has lost %s; it is made again", in->key);
	inbox_up(in);
}

static void on_read(void *arg, const struct redis_reply *r)
{
	struct inbox *in = arg;

	in->reading = false;
	if (r->type == REDIS_GONE || !in->c.ours(in->c.arg))
		return;                 /* what it brought is read again */
	if (r->type == REDIS_ERROR) {
		complain(in, "the inbox", r->str);
		loop_timer_set(in->retry, PAUSE_MS);
		return;
	}
	wire_catch_up(in->c.wire);
	if (r->type == REDIS_LIST && r->items == 1 && r->item[0].items == 2)
		take_entries(in, r->item[0].item[1].item, r->item[0].item[1].items);
	else
		wire_words(in->commands, on_looked, in, 2, (const char *[]){ "EXISTS", in->key });
	loop_timer_set(in->retry, 0);   /* behind what is answered at once */
}

static void read_on(void *arg)
{
	struct inbox *in = arg;
	char id[48], count[16], ms[16];
	const char *argv[] = { "XREAD", "COUNT", count, "BLOCK", ms, "STREAMS", in->key, id };

	if (in->reading || in->filling || !in->up || !in->c.ours(in->c.arg))
		return;
	if (in->alone.frame) {
		alone_next(in);
		return;
	}
	if (acks_count(in->acks) >= BATCHES_MOST ||
	    arrivals_late_bytes(in->arrivals) > LATE_BYTES_MOST) {
		loop_timer_set(in->retry, RETRY_MS);
		return;
	}
	snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, in->at.ms, in->at.number);
	snprintf(count, sizeof count, "%d", in->alone.on ? 1 : READ_FRAMES);
	snprintf(ms, sizeof ms, "%d", READ_MS);
	in->reading = !wire_words(in->port, on_read, in, ARRAY_LEN(argv), argv);
}

/* --- joining ------------------------------------------------------------------------------ */

static void first_time(struct inbox *in, const struct joined *j)
{
	struct alone *a = &in->alone;

	in->joined_once = true;
	in->before = j->last;
	in->joined_ms = j->redis_ms;
	a->on = j->suspect;
	a->done = j->done;
	a->done_nth = j->done_nth;
	if (a->on)
		log_line(LOG_WARN, "bus", "the last lives of this node did not get through %s: "
		         "what is there is taken one after the other", in->key);
}

static void on_joined(void *arg, const struct redis_reply *r)
{
	struct inbox *in = arg;
	struct joined j;

	if (r->type == REDIS_GONE)
		return;
	if (!join_read(r, &j, in->joined_once ? NULL : in->senders)) {
		in->c.opened(in->c.arg, r->type == REDIS_ERROR ? r->str : "an answer of no sense");
		return;
	}
	if (!in->joined_once) {
		first_time(in, &j);
	} else if (id_after(&in->joining, &j.last)) {
		in->reread = id_after(&in->at, &in->reread) ? in->at : in->reread;
		in->at = (struct id){ 0, 0 };   /* Redis has lost it all, or the last of it */
		in->alone.trim = in->at;
		acks_anew(in->acks);
	}
	in->up = true;                  /* it may have been: the key alone was gone, say */
	in->c.opened(in->c.arg, NULL);
	acks_up(in->acks);
	read_on(in);
}

void inbox_up(struct inbox *in)
{
	const struct join join = { in->key, in->seen, in->suspect, in->c.life, in->joined_once };

	in->joining = in->at;
	join_ask(in->commands, on_joined, in, &join);
}

void inbox_down(struct inbox *in)
{
	acks_down(in->acks);
	in->up = in->reading = in->alone.asked = false;
}

/* --- the face ----------------------------------------------------------------------------- */

/* A batch was: there may be room for more. */
static void handled(void *arg, const char *trouble, bool others)
{
	struct inbox *in = arg;

	if (trouble) {          /* a failover, a full Redis: it is said again */
		complain(in, "that an inbox is handled", trouble);
		in->telling = true;
		loop_timer_set(in->tell, PAUSE_MS);
		if (others)
			in->c.doubted(in->c.arg);
	} else if (in->alone.frame) {
		loop_timer_set(in->retry, 0);   /* not out of what closes the batch */
	} else {
		read_on(in);
	}
	tell_soon(in);
	arrivals_look(in->arrivals);
}

struct inbox *inbox_new(const struct inbox_config *c, struct why *why)
{
	struct inbox *in = mem_alloc(sizeof *in);
	struct arrivals_config arrivals = { .loop = c->loop, .peers = c->peers,
	                                    .refused = complain, .arg = in };

	in->c = *c;
	in->port = wire_port(c->wire, LINK_INBOX);
	in->commands = wire_port(c->wire, LINK_COMMANDS);
	in->key = frame_key(c->node, "");
	in->seen = frame_key(c->node, ":seen");
	in->suspect = frame_key(c->node, ":suspect");
	in->suspects = (struct suspects){ in->commands, in->suspect, on_noted, on_buried, in };
	in->said_ms = -SAY_MS;
	in->senders = senders_new();
	in->acks = acks_new(in->commands, in->key, in->seen, c->life, in->senders, handled, in);
	in->retry = loop_timer_new(c->loop, read_on, in);
	in->tell = loop_timer_new(c->loop, on_tell, in);
	arrivals.acks = in->acks;
	in->arrivals = arrivals_new(&arrivals, why);
	if (in->arrivals)
		return in;
	inbox_free(in);
	return NULL;
}

void inbox_free(struct inbox *in)
{
	if (!in)
		return;
	arrivals_free(in->arrivals);
	loop_timer_free(in->retry);
	loop_timer_free(in->tell);
	acks_free(in->acks);
	senders_free(in->senders);
	mem_free(in->key);
	mem_free(in->seen);
	mem_free(in->suspect);
	buf_fini(&in->alone.bytes);
	mem_free(in);
}

static void on_tidy(void *arg, const struct redis_reply *r)
{
	(void)arg, (void)r;
}

void inbox_quiet(struct inbox *in)
{
	if (in->up)
		wire_words(in->commands, on_tidy, in, 2,
		           (const char *[]){ "DEL", in->suspect });
}

void inbox_tell(struct inbox *in)
{
	if (acks_untold(in->acks) >= UNTOLD_SOME)
		acks_tell(in->acks);
}

bool inbox_idle(const struct inbox *in)
{
	return acks_idle(in->acks);
}

void inbox_info(const struct inbox *in, struct inbox_info *out)
{
	*out = in->info;
	out->pending = arrivals_pending(in->arrivals);
	out->held = arrivals_late(in->arrivals);
}
