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

#endif
