/* SPDX-License-Identifier: MIT
 * metrics.h - what the node counts, as Prometheus text (exposition format 0.0.4). Any thread. */
#ifndef METRICS_H
#define METRICS_H

#include "base.h"
#include "gateway/gateway.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* HELP, TYPE (a counter where the name ends with _total, else a gauge) and one sample without
 * labels. */
void metrics_one(struct buf *out, const char *name, const char *help, double value);
/* A gauge by one label, which has these n values. */
void metrics_by(struct buf *out, const char *name, const char *help, const char *by,
		const char *const *value, const uint32_t *sample, int n);
/* Of the process, and of the core: actors, messages, workers, handlers. No actor is looked at, so
 * it costs the same at a million of them, and no worker is asked for anything. */
void metrics_process(struct buf *out, const char *node);
void metrics_core(struct buf *out);
void metrics_clients(struct buf *out, const struct gateway_info *i);

#endif
