/* SPDX-License-Identifier: MIT */
#ifndef ACTORD_STDDEF_H
#define ACTORD_STDDEF_H
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef __WCHAR_TYPE__ wchar_t;
typedef union { long long ll; long double ld; } max_align_t;
#define NULL ((void *)0)
#define offsetof(type, field) ((size_t)&((type *)0)->field)
#endif
