/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_PROBE_H
#define VE_PROBE_H

#include <linux/sched.h>
#include <sys/types.h>

/* What a probe may use. All of it is made anew for one run and removed after it. */
struct ground {
	const char *folder; /* on the file system of the VEs' disks */
	const char *cgroup; /* a fresh cgroup; "" where none could be made */
};

/* Each runs in a process of its own, so it may leave namespaces, mounts and fds behind. 0, or a negative errno. */
typedef int probe_fn(const struct ground *g);

probe_fn probe_user_namespace, probe_namespaces, probe_time_namespace, probe_nested_user_namespace;
probe_fn probe_idmap, probe_overlay;
probe_fn probe_seccomp, probe_seccomp_notify;
probe_fn probe_clone_into_cgroup, probe_cgroup_kill, probe_cgroup_freeze, probe_cgroup_bpf;
probe_fn probe_nftables, probe_veth, probe_bridge, probe_macvlan;

/*
 * A child in a new user namespace with a VE's kind of map, waiting until `go` gets a byte or is closed; then it runs fn
 * as that namespace's root. Returns its pid; probe_end is its result.
 */
pid_t probe_in_userns(int (*fn)(const struct ground *g), const struct ground *g, int *ret_go, int *ret_userns);
int probe_end(pid_t pid);

#endif
