/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.* and device.* of the spec, at a start (mounts.c, init.c) and in a VE that runs (ve-apply): how a tree of the
 * host's is made one of the VE's, and how it is shown there. Negative errno; step_subject says of what.
 */
#ifndef VE_SUPERVISOR_TREE_H
#define VE_SUPERVISOR_TREE_H

#include <stdint.h>

#include "cmd/ve-supervisor/step.h"

/* The folder layout of the minimal root that the keeper lives in; each boot's mount namespace starts as a copy of it.
 */
#define MIN_LOWER  "/l0"
#define MIN_UPPER  "/u"
#define MIN_ROOT   "/m"
#define MIN_HOST   "/host"
#define MIN_MOUNTS "/b"
#define MIN_FIRST  "/f"

/* A detached tree, as an fd. */
int tree_open(const char *path, int recursive);
int tree_make(const char *type, const char *source, const char *options);
int tree_make_inside(const char *type, const char *options, unsigned attr); /* by the VE's root: in no minimal root */
/* Attributes and owners; flags: enum attach_flags. -EOPNOTSUPP: its owners cannot be mapped. */
int tree_own(int tree, const char *subject, unsigned attr, int flags, int userns);
/* Where tree `number` waits in the minimal root. */
struct tree_path {
	char s[32];
};
struct tree_path tree_path(int64_t number);
int tree_attach(int tree, int64_t number);
/* A copy of the one that waits there, from a mount namespace that is a copy of the minimal root's. */
int tree_copy(int64_t number);

/* The node `at` in the minimal root, whose mount opens devices. numbers: "c 10:200". */
int node_make(const char *at, const char *subject, const char *numbers, unsigned mode, uint32_t uid, uint32_t gid);

/* The VE, seen from where we are: its root, a proc that the guest has no hand in, and what its paths begin with there.
 */
struct inside {
	int root, proc;
	const char *prefix;
};
int open_inside(const struct inside *in, const char *path); /* O_PATH; links lead nowhere but into it */
/* -EXDEV: there nothing is mounted; else the path of what is open, as the VE has it, in `buf`. */
int path_inside(const struct inside *in, int fd, char *buf, int size, const char **ret);
int tree_show(int tree, const struct inside *in, const char *target);
/* At `path` beneath the folder `dev`, through no link at all. */
int node_show(int tree, int dev, const char *path);

#endif
