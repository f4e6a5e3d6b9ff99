/* SPDX-License-Identifier: MIT
 * ctl_patch.h - the commands `patch ...`; see struct command. */
#ifndef CTL_PATCH_H
#define CTL_PATCH_H

#include "ctl.h"

int run_check(const struct ctl *c, int argc, char **argv);
int run_apply(const struct ctl *c, int argc, char **argv);
int run_list(const struct ctl *c, int argc, char **argv);
int run_show(const struct ctl *c, int argc, char **argv);
int run_rollouts(const struct ctl *c, int argc, char **argv);
int run_revert(const struct ctl *c, int argc, char **argv);
int run_lift(const struct ctl *c, int argc, char **argv);
int run_verdict(const struct ctl *c, int argc, char **argv);
int run_log(const struct ctl *c, int argc, char **argv);

#endif
