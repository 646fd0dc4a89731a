/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of init programs: how each is asked to shut down, and what tells that it is ready. */
#ifndef VE_RUN_INIT_KIND_H
#define VE_RUN_INIT_KIND_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/host/host.h"

enum init_ready {
	READY_UNKNOWN,  /* nothing to be seen from outside */
	READY_NOTIFY,   /* it says READY=1 itself */
	READY_INITTAB,  /* what /etc/inittab makes it wait for has ended */
	READY_NO_CHILD, /* its children called `child`, one after the other, have ended */
	READY_CHILD,    /* a child called `child` is there */
};

enum init_stop {
	STOP_SIGNAL,
	STOP_INITCTL,    /* a request for runlevel 0 into the FIFO that it reads; the signal where it has none open */
	STOP_RUNLEVEL_0, /* /sbin/init 0, executed inside, and the signal */
};

struct init_kind {
	const char *program; /* the last part of its executable's path */
	enum init_ready ready;
	const char *child;
	enum init_stop stop;
	int signal; /* from SIGRTMIN when `realtime` */
	int realtime;
	int not_early; /* asked in the middle of its boot it may come to a halt for good */
};

/* Of a process; never NULL: programs that are not known are a kind of their own, called "". */
const struct init_kind *init_kind_of(pid_t init);
const struct init_kind *init_kind_by_name(const char *program);

/*
 * 1: what it starts at boot has been started; 0: not yet, or not any more; -1: of this one it cannot be told. disk: the
 * VE's data folder.
 */
int init_is_ready(const struct init_kind *kind, pid_t init, const char *disk);

/*
 * Asks the init that `pidfd` is to shut the machine down, and does not wait for it. May fail where it is too early in
 * its boot: ask again. asking_ms: for how long it has been asked.
 */
int init_ask_to_stop(const struct init_kind *kind, struct ve *ve, pid_t init, int pidfd, int64_t asking_ms);

/* ---- pure parts */

enum { INIT_BOOT_NAMES = 32, INIT_NAME_MAX = 16, INITTAB_MAX = 16384 };
struct init_boot_names {
	int waits; /* there is such an entry */
	size_t n;
	char name[INIT_BOOT_NAMES][INIT_NAME_MAX]; /* as /proc/PID/comm shows them: 15 bytes of the program's name */
};
/*
 * The programs that init starts and waits for before its boot is over, from the text of an inittab (NULL: there is
 * none). Programs that it also starts without waiting are left out: seeing one would tell nothing.
 */
void init_boot_names(const char *inittab, struct init_boot_names *ret);

/* Whether a process of this name is among them. */
int init_is_boot_name(const struct init_boot_names *names, const char *comm);

#endif
