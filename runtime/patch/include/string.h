/* SPDX-License-Identifier: MIT */
#ifndef ACTORD_STRING_H
#define ACTORD_STRING_H
#include <stddef.h>
void *memchr(const void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memmem(const void *in, size_t len, const void *what, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *mempcpy(void *to, const void *from, size_t n);
void *memrchr(const void *p, int c, size_t n);
void *memset(void *p, int c, size_t n);
char *stpcpy(char *to, const char *from);
char *stpncpy(char *to, const char *from, size_t n);
int strcasecmp(const char *a, const char *b);
char *strcasestr(const char *in, const char *what);
char *strcat(char *to, const char *from);
char *strchr(const char *s, int c);
char *strchrnul(const char *s, int c);
int strcmp(const char *a, const char *b);
int strcoll(const char *a, const char *b);
char *strcpy(char *to, const char *from);
size_t strcspn(const char *s, const char *reject);
char *strerror(int code);
size_t strlen(const char *s);
int strncasecmp(const char *a, const char *b, size_t n);
char *strncat(char *to, const char *from, size_t n);
int strncmp(const char *a, const char *b, size_t n);
char *strncpy(char *to, const char *from, size_t n);
size_t strnlen(const char *s, size_t max);
char *strpbrk(const char *s, const char *accept);
char *strrchr(const char *s, int c);
char *strsep(char **s, const char *delim);
size_t strspn(const char *s, const char *accept);
char *strstr(const char *in, const char *what);
char *strtok(char *s, const char *delim);
char *strtok_r(char *s, const char *delim, char **save);
size_t strxfrm(char *to, const char *from, size_t n);
#endif
