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

#endif
