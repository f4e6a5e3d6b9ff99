/* SPDX-License-Identifier: MIT
 * ctl_keys.h - keygen and sign: what needs no runtime. */
#ifndef CTL_KEYS_H
#define CTL_KEYS_H

#include "ctl.h"

extern const char keygen_help[], sign_help[];
int run_keygen(const struct ctl *c, int argc, char **argv);
/* FILE and its options, as --key KEY. */
int run_sign(const struct ctl *c, int argc, char **argv);

#endif
