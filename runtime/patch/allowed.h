/* SPDX-License-Identifier: MIT
 * allowed.h - what compiled code may call besides actor.h. */
#ifndef ALLOWED_H
#define ALLOWED_H

#include "core.h"

extern const struct export allowed[];   /* ends with NULL */

#endif
