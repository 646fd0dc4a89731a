/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc of the host says of a process. Values that a guest chose (its name, its arguments) are hostile text. */
#ifndef VE_RUN_PROC_H
#define VE_RUN_PROC_H

#include <stdint.h>
#include <sys/types.h>

struct proc_status {
	char name[64];
	char state; /* R S D Z T … */
	uint32_t uid;
	pid_t ns_pid; /* in its innermost pid namespace */
	int64_t rss;  /* bytes */
};

int proc_status(pid_t pid, struct proc_status *ret); /* 0 or a negative errno */
uint64_t proc_start_time(pid_t pid);                 /* clock ticks since boot; 0: gone */
int64_t proc_cpu_ns(pid_t pid);                      /* user and system time; -1: gone */
/* Arguments joined by spaces, made printable; "[name]" for those without. */
void proc_command(pid_t pid, char *buf, size_t size);
/* The name as the process has it: of its program, or of its own choice. */
int proc_comm(pid_t pid, char *buf, size_t size);
/* The last part of the path of what it executes, also when that has been replaced since. */
int proc_program(pid_t pid, char *buf, size_t size);
/* Calls fn for each child, the oldest first, at most 1024, until it returns other than 0, which is returned. */
int proc_each_child(pid_t pid, int (*fn)(pid_t child, void *arg), void *arg);
int proc_has_reaped(pid_t pid); /* whether it has waited for a child that ended; 0 also when it is gone */

#endif
