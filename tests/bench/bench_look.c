/* SPDX-License-Identifier: MIT
 * bench_look.c - what looking costs: a scrape, and a refresh of top, at many actors. */
#include <stdlib.h>

#include "bench.h"
#include "control/top.h"
#include "metrics.h"

enum { ROUNDS = 21 };

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_ms(void (*once)(void *arg, struct buf *out), void *arg)
{
	double ms[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double began = bench_now();
		struct buf b = { 0 };

		once(arg, &b);
		buf_fini(&b);
		ms[i] = (bench_now() - began) * 1e3;
	}
	qsort(ms, ROUNDS, sizeof *ms, by_size);
	return ms[ROUNDS / 2];
}

static void scrape(void *arg, struct buf *out)
{
	(void)arg;
	metrics_process(out, "bench");
	metrics_core(out);
}

static void refresh(void *top, struct buf *out)
{
	struct top_query q = { .sort = "rate", .filter = "", .rows = 20 };
	struct census census;
	uint32_t at = 0;

	census_init(&census, 20, "");
	core_cells(&at, UINT32_MAX, census_cell, &census);
	top_answer(top, &q, &census, out);
	census_fini(&census);
}

int bench_look(const struct bench_options *o)
{
	struct top *top = top_new();
	double top_ms = median_ms(refresh, top);

	bench_print("scrape", median_ms(scrape, NULL), "ms", o, "\"top_ms\":%.3f", top_ms);
	top_free(top);
	return 0;
}
