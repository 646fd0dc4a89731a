/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_SPAWN_H
#define VE_RUN_SPAWN_H

/*
 * Starts a program that outlives the caller, straight in a cgroup (-1: the caller's own; moving it afterwards would
 * cost 9 ms). fds[0..2] become its standard streams, fds[i] its fd i; -1 leaves a number closed; nothing else is
 * inherited and the environment is empty. The caller's memory is shared until the exec, so a panel's heap is not copied
 * and its threads do not matter, and the program is no child of the caller's: nobody need reap it. 0, or a negative
 * errno, the exec's too.
 */
int spawn_detached(int cgroup, const char *path, const char *const *argv, const int *fds, int nfds);

/*
 * The same, with the program on a read-only mount that nobody else has. It is what root in a privileged VE finds behind
 * /proc/PID/exe of a process that enters, and behind an interpreter of /proc/self/exe; root of the host, it could write
 * to the program's file otherwise (CVE-2019-5736).
 */
int spawn_detached_read_only(int cgroup, const char *path, const char *const *argv, const int *fds, int nfds);

#endif
