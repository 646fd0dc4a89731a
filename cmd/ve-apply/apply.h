/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_APPLY_APPLY_H
#define VE_APPLY_APPLY_H

#include "lib/run/apply_wire.h"

/* One change, checked; strings point into the mapped request, or to a default that was found. */
struct change {
	const struct apply_change *asked;
	const char *name, *value;
};

/* Shared by the processes. */
struct apply {
	int privileged, nchanges;
	int sysctls; /* /proc/sys of the host's, or one that only we see */
	struct change change[APPLY_CHANGES_MAX];
	struct apply_report report;
	int reported;
	int32_t pid; /* of the process in the VE */
};

/* "net.ipv4.ip_forward" as a path below /proc/sys; 0, or a negative errno. */
int sysctl_path(const char *name, char buf[APPLY_NAME_MAX]);
/* The text without its last newline. */
int sysctl_get(int sysctls, const char *name, char buf[APPLY_VALUE_MAX]);

/* The process in the VE's pid namespace: all of the changes, or none. */
_Noreturn void apply_inside(struct apply *a);

#endif
