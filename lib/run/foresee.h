/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_FORESEE_H
#define VE_RUN_FORESEE_H

#include "lib/plan/plan.h"
#include "lib/plan/wire.h"

/*
 * The first step of the supervisor's that is bound to fail, as far as that is seen from here without doing anything: 1,
 * and what it would report. What only the kernel or the guest's own files could tell is not foreseen.
 */
int foresee(const struct plan *p, struct wire_report *ret);

#endif
