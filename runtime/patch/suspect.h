/* SPDX-License-Identifier: MIT
 * suspect.h - which patch the process died of, told to the next one.
 *
 * The journal cannot be written while the process dies: another thread may be in the middle of it.
 * So a small file beside it is held open, its bytes on the disk already, and a signal handler
 * writes a number into it. The next start reads it, says so in the journal, and blanks it. */
#ifndef SUSPECT_H
#define SUSPECT_H

#include "value.h"

/* by: it was inside the patch's code; else the patch was on probation and had run last. */
struct suspect { uint32_t number; int sig; bool by; };
/* folder NULL: nothing outlasts the process. number 0: the last process did not die so. Negative
 * with why. */
int  suspect_open(const char *folder, struct suspect *last, struct why *why);
/* What the journal says by now need not be read again. Negative with why. */
int  suspect_blank(struct why *why);
void suspect_close(void);

#endif
