/* SPDX-License-Identifier: MIT
 * vars.h - public variables: see core.h. */
#ifndef VARS_H
#define VARS_H

#include "table.h"

void vars_set(struct actor *a, const struct msg *m);    /* its owner: the order to set one */

#endif
