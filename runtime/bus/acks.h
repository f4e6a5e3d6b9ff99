/* SPDX-License-Identifier: MIT
 * acks.h - which entries of an inbox are handled, told to Redis in order. The loop's thread. */
#ifndef ACKS_H
#define ACKS_H

#include "ports.h"
#include "senders.h"

struct id { uint64_t ms, number; };     /* of an entry of a stream */
bool id_read(struct id *id, const char *s);     /* "ms-number" */
bool id_after(const struct id *a, const struct id *b);

struct acks;
struct batch;   /* what one read brought */
/* All is borrowed. life: of who reads the inbox, as Redis has it; for another nothing is trimmed.
 * handled: a batch was (trouble NULL), or Redis does not take that (its words); others: as another
 * life has opened the inbox. */
struct acks *acks_new(const struct redis_port *port, const char *key, const char *seen,
                      const char *life, struct senders *senders,
                      void (*handled)(void *arg, const char *trouble, bool others), void *arg);
void acks_free(struct acks *a);
struct batch *acks_begin(struct acks *a);       /* gives it opened once */
void acks_close(struct acks *a, struct batch *b);       /* as often as it was opened */
void batch_open(struct batch *b);
/* Its next entry; how far its sender has come with it, or NULL: nothing of it is handed on. */
void batch_entry(struct batch *b, const struct id *id, struct sender *s);
/* That entry, which b gets by batch_entry(), too, has a frame that was read before, of an entry of
 * its own. While that one is open, b is. */
void acks_double(struct acks *a, struct batch *b, const struct id *id, const struct sender *s,
                 uint64_t life, uint64_t sequence);
unsigned acks_count(const struct acks *a);      /* batches that are not handled */
void acks_tell(struct acks *a);         /* Redis, of what has been handled and it has not heard */
unsigned acks_untold(const struct acks *a);     /* batches of that kind */
bool acks_idle(const struct acks *a);   /* none, and Redis knows */
void acks_up(struct acks *a);
void acks_down(struct acks *a);
void acks_anew(struct acks *a);         /* Redis has lost the stream: what is known is of another */

#endif
