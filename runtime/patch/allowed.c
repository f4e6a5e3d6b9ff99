/* SPDX-License-Identifier: MIT
 * allowed.c - the C functions that sources may call, and those that libtcc's code calls by itself.
 *
 * libtcc finds no symbol but those given to it, so this table is the whole of it, with
 * core_doors(). Left out on purpose: allocation, files, and all that can end the process.
 * include/ declares the same functions.
 *
 * Threads: all are reentrant; strtok keeps its place by thread, which serves a handler as it never
 * moves to another thread before it returns. */
#include "allowed.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static char *token(char *s, const char *delim)
{
	static _Thread_local char *place;

	return strtok_r(s, delim, &place);
}

/* --- what libtcc emits calls to, with the names of its libtcc1.a ----------------------- */

static uint64_t fix_float(float v) { return (uint64_t)v; }
static uint64_t fix_double(double v) { return (uint64_t)v; }
static uint64_t fix_long_double(long double v) { return (uint64_t)v; }
static float to_float(uint64_t v) { return (float)v; }
static double to_double(uint64_t v) { return (double)v; }
static long double to_long_double(uint64_t v) { return (long double)v; }

/* The System V x86-64 va_list. */
struct va_place {
	unsigned gp_offset, fp_offset;
	char *overflow, *saved;
};
enum va_class { VA_INTEGER, VA_FLOAT, VA_STACK };
enum { GP_END = 6 * 8, FP_END = GP_END + 8 * 16 };

static void *va_next(struct va_place *ap, enum va_class class, int size, int align)
{
	char *at;

	size = (size + 7) & ~7;
	align = (align + 7) & ~7;
	if (class == VA_INTEGER && ap->gp_offset + (unsigned)size <= GP_END) {
		ap->gp_offset += (unsigned)size;
		return ap->saved + ap->gp_offset - size;
	}
	if (class == VA_FLOAT && ap->fp_offset < FP_END) {
		ap->fp_offset += 16;
		return ap->saved + ap->fp_offset - 16;
	}
	at = (char *)(((uintptr_t)ap->overflow + (uintptr_t)align - 1) & -(uintptr_t)align);
	ap->overflow = at + size;
	return at;
}

#define C(f) { #f, (void *)f }
const struct export allowed[] = {
	{ "__va_arg", (void *)va_next },
	{ "__fixunssfdi", (void *)fix_float },
	{ "__fixunsdfdi", (void *)fix_double },
	{ "__fixunsxfdi", (void *)fix_long_double },
	{ "__floatundisf", (void *)to_float },
	{ "__floatundidf", (void *)to_double },
	{ "__floatundixf", (void *)to_long_double },
	{ "strtok", (void *)token },
	/* string.h */
	C(memchr), C(memcmp), C(memcpy), C(memmem), C(memmove), C(mempcpy), C(memrchr),
	C(memset), C(stpcpy), C(stpncpy), C(strcasecmp), C(strcasestr), C(strcat), C(strchr),
	C(strchrnul), C(strcmp), C(strcoll), C(strcpy), C(strcspn), C(strerror), C(strlen),
	C(strncasecmp), C(strncat), C(strncmp), C(strncpy), C(strnlen), C(strpbrk),
	C(strrchr), C(strsep), C(strspn), C(strstr), C(strtok_r), C(strxfrm),
	/* stdlib.h */
	C(abs), C(labs), C(llabs), C(bsearch), C(qsort), C(strtod), C(strtof), C(strtold),
	C(strtol), C(strtoll), C(strtoul), C(strtoull),
	/* inttypes.h */
	C(imaxabs), C(strtoimax), C(strtoumax),
	/* stdio.h */
	C(snprintf), C(vsnprintf),
	/* ctype.h */
	C(isalnum), C(isalpha), C(isblank), C(iscntrl), C(isdigit), C(isgraph), C(islower),
	C(isprint), C(ispunct), C(isspace), C(isupper), C(isxdigit), C(tolower), C(toupper),
	/* math.h */
	C(__finite), C(__fpclassify), C(__isinf), C(__isnan), C(__signbit), C(acos), C(acosf),
	C(acosh), C(acoshf), C(asin), C(asinf), C(asinh), C(asinhf), C(atan), C(atanf),
	C(atanh), C(atanhf), C(cbrt), C(cbrtf), C(ceil), C(ceilf), C(cos), C(cosf), C(cosh),
	C(coshf), C(erf), C(erff), C(erfc), C(erfcf), C(exp), C(expf), C(exp2), C(exp2f),
	C(expm1), C(expm1f), C(fabs), C(fabsf), C(floor), C(floorf), C(lgamma), C(lgammaf),
	C(log), C(logf), C(log10), C(log10f), C(log1p), C(log1pf), C(log2), C(log2f), C(logb),
	C(logbf), C(nearbyint), C(nearbyintf), C(rint), C(rintf), C(round), C(roundf), C(sin),
	C(sinf), C(sinh), C(sinhf), C(sqrt), C(sqrtf), C(tan), C(tanf), C(tanh), C(tanhf),
	C(tgamma), C(tgammaf), C(trunc), C(truncf), C(atan2), C(atan2f), C(copysign),
	C(copysignf), C(fdim), C(fdimf), C(fmax), C(fmaxf), C(fmin), C(fminf), C(fmod),
	C(fmodf), C(hypot), C(hypotf), C(nextafter), C(nextafterf), C(pow), C(powf),
	C(remainder), C(remainderf), C(fma), C(fmaf), C(frexp), C(frexpf), C(ldexp),
	C(ldexpf), C(scalbn), C(scalbnf), C(modf), C(modff), C(ilogb), C(ilogbf), C(lrint),
	C(lrintf), C(lround), C(lroundf), C(llrint), C(llrintf), C(llround), C(llroundf),
	{ NULL, NULL },
};
