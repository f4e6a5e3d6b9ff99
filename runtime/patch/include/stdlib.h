/* SPDX-License-Identifier: MIT */
#ifndef ACTORD_STDLIB_H
#define ACTORD_STDLIB_H
#include <stddef.h>
int abs(int v);
long labs(long v);
long long llabs(long long v);
void *bsearch(const void *key, const void *base, size_t n, size_t size,
	int (*compare)(const void *, const void *));
void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *));
double strtod(const char *s, char **end);
float strtof(const char *s, char **end);
long double strtold(const char *s, char **end);
long strtol(const char *s, char **end, int base);
long long strtoll(const char *s, char **end, int base);
unsigned long strtoul(const char *s, char **end, int base);
unsigned long long strtoull(const char *s, char **end, int base);
#endif
