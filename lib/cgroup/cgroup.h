/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_CGROUP_H
#define VE_CGROUP_H

#include <stdint.h>

#include "lib/base/error.h"

/*
 * Ends every process in the tree, waits until it is empty and removes it. cgroup.kill comes right before the removal
 * and at no other time: a cgroup that was killed once kills whatever is born into it later (kernels 6.6 to 6.18).
 * Absent is success.
 */
int cgroup_destroy(const char *path, struct error *e);

/* Freezes (1) or thaws (0) the tree and waits until it is so. */
int cgroup_freeze(const char *path, int frozen, int cancel_fd, struct error *e);
int cgroup_is_frozen(const char *path); /* 1, 0, or negative errno */
int cgroup_is_populated(const char *path);

/* A number of a file such as memory.current; -1 where it is not there. */
int64_t cgroup_number(const char *path, const char *file);

/* Beside the VEs of a root; no VE can have that name. */
#define REAPER_CGROUP ".reaper"

/* mkdir; the parent `vectl` is made on demand. */
int cgroup_make(const char *path, struct error *e);

/* Calls `fn` with every pid in the tree, in no order. */
int cgroup_each_pid(const char *path, int (*fn)(pid_t pid, void *arg), void *arg);

#endif
