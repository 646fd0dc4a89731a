/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_APPLY_H
#define VE_APPLY_H

#include "lib/run/apply_wire.h"

/* One change, checked; strings point into the mapped request, or to a default that was found. */
struct change {
	const struct apply_change *asked;
	const char *name, *value;
};

/* A mount or a device, checked; "" where there is no such string. */
struct shown {
	const struct apply_shown *asked;
	const char *target, *type, *source, *options;
};
struct place {
	int stays, may_wait, attached;
	struct shown was, want;
	/* Said before it is done, so that who undoes it needs no word from who was killed in the middle. */
	int gone, shown;
};

/* Shared by the processes. */
struct apply {
	int privileged, nchanges, nplaces;
	int proc;    /* a proc of the host's, or one that only we see */
	int sysctls; /* its sys */
	struct change change[APPLY_CHANGES_MAX];
	struct place place[APPLY_PLACES_MAX];
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

/*
 * Waits for a child, for a limited time; one that takes longer is killed. 0, or -ETIMEDOUT, -EIO: it ended before it
 * was done.
 */
int await_child(int pid, const int *done);

/* Mounts and devices (places.c): 0, or a negative errno, the report says of which, and all is as it was. */
int places_apply(struct apply *a, int again);
void places_undo(struct apply *a);
int places_drop(const struct apply_request *r);

#endif
