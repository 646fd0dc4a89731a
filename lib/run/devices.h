/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_DEVICES_H
#define VE_RUN_DEVICES_H

#include "lib/plan/plan.h"

/* What device.* and features ask for, with the host's numbers. `ret`: PLAN_DEVICES_MAX of them; refers to the spec. */
int devices_of(const struct spec *s, struct plan_device *ret, size_t *ret_n, struct error *e);

/* Of a VE that runs: its cgroup lets it use what the spec asks for, and nothing else. */
int devices_filter(const struct spec *s, const char *cgroup, struct error *e);

#endif
