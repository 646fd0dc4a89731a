/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_STATE_H
#define VE_RUN_STATE_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/host/host.h"

/* What /run/vectl/NAME says. Written by unprivileged processes: verify before acting on it (runtime_open_init). */
struct runtime {
	const struct ve_host *host;
	char name[64];
	int present;                       /* the runtime folder is there */
	int alive;                         /* its lock is held: a keeper lives */
	int state;                         /* enum ve_state */
	int ready;                         /* the guest said READY=1 in this boot */
	int again;                         /* it ended with a reboot that its keeper could not carry out */
	pid_t keeper, server, init;        /* 0: none yet */
	uint64_t keeper_start, init_start; /* start times, clock ticks since boot, as /proc/PID/stat field 22 */
	uint32_t owner, base;
	int privileged;     /* started without a user namespace; root's own record, unlike what is above */
	unsigned boot;      /* 1 is the first boot since `vectl start` */
	unsigned boots;     /* its number over all starts, as the console's log has it */
	int64_t started;    /* seconds since 1970, of this boot */
	int64_t started_ns; /* CLOCK_BOOTTIME, of this boot */
	char cgroup[512];   /* absolute path of the VE's cgroup folder NAME */
	char status[128];   /* the guest's last STATUS= line, sanitised */
};

/* Fills *ret; absent or stale files are no failure (present or alive is 0 then). */
int runtime_read(struct ve_host *host, const char *name, struct runtime *ret, struct error *e);

/*
 * A pidfd of the VE's init, after checking through /proc that it is pid 1 of a pid namespace, that its cgroup lies
 * beneath this VE's, and that its user namespace is owned by the VE's owner uid, or, of a privileged VE, is the host's.
 * Fails closed with VE_E_STATE.
 */
int runtime_open_init(struct ve *ve, const struct runtime *rt, struct error *e);

/*
 * A namespace ("mnt", "user") of the VE's init, or of its keeper, whose pidfd, opened and checked before, is `process`.
 * -ESRCH, and nothing in `e`: it has ended. Of the keeper's mounts: the host's root owns them, or it fails.
 */
int runtime_open_namespace(
	struct ve *ve, const struct runtime *rt, int process, int keeper, const char *name, struct error *e);

/* The folder of this boot's guest root cgroup (NAME/ve/rootN), O_DIRECTORY. */
int runtime_open_root_cgroup(const struct runtime *rt, struct error *e);

/* /run/vectl/NAME, O_PATH | O_DIRECTORY; -ENOENT when it is not there. */
int runtime_open_dir(struct ve_host *host, const char *name);

/*
 * The lock under which changes to one VE are serialised. Returns the fd (closing it unlocks). change_lock waits, but
 * for a cancelled host handle, and fails with VE_E_NO_VE when the VE has gone; _new does not ask whether it is there;
 * _try does not wait: -EAGAIN, and nothing in `e`.
 */
int change_lock(struct ve *ve, struct error *e);
int change_lock_new(struct ve *ve, struct error *e);
int change_lock_try(struct ve *ve, struct error *e);

#endif
