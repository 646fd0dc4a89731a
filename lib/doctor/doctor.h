/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this host can and cannot do, and what a crash left. The one room that looks into all the others. */
#ifndef VE_DOCTOR_H
#define VE_DOCTOR_H

#include <stdint.h>

#include "lib/base/json.h"
#include "lib/host/facts.h"

enum doctor_status { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	struct ve_host *host;
	struct host_facts facts;
	int flags; /* VE_DOCTOR_... */
	int64_t ves;
	int worst;      /* enum doctor_status */
	int unrepaired; /* findings that stay */
	const char *group;
	struct json_writer *checks; /* the document; first its checks, then its leftovers */
};

/*
 * One line: what was looked at and how it is. `remedy` is for a shell: commands, and comments where no command helps;
 * NULL where nothing is wrong.
 */
void doctor_say(struct doctor *d, int status, const char *name, const char *remedy, const char *what, ...)
	__attribute__((format(printf, 5, 6)));

/* The parts. They fail only when memory is out; what they cannot find out is a line of its own. */
int doctor_kernel(struct doctor *d, struct error *e);
void doctor_cgroups(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_ids(struct doctor *d);
void doctor_storage(struct doctor *d);
void doctor_installation(struct doctor *d);
void doctor_programs(struct doctor *d);
void doctor_ves(struct doctor *d);
void doctor_leftovers(struct doctor *d);
void doctor_image_leftovers(struct doctor *d);

/* The nearest folder above (or at) a path that is there. */
void doctor_nearest(const char *path, char *buf, size_t size);

/* ---- what a crash left (leftovers.c) */

struct finding {
	const char *kind; /* runtime, cgroup, lock, … */
	const char *ve;   /* or NULL */
	const char *path;
	const char *what;
	/* Takes the lock first, and does nothing when it is held (-EAGAIN) or there is nothing any more (0). NULL: by
	 * hand, as `remedy` says. */
	int (*mend)(struct doctor *d, const struct finding *f, struct error *e);
	const char *action; /* "remove it": what mend does */
	const char *remedy;
	const void *arg;
};
void doctor_found(struct doctor *d, const struct finding *f);

/* 1: somebody holds the lock of this file. One that is not there is held by nobody; it is not made. */
int doctor_is_held(const char *path);

/* ---- thresholds (limits.c; pure) */

struct sysctl_rule {
	const char *name;
	int64_t least, per_ve;
	const char *bites; /* what goes wrong below that */
};
int64_t sysctl_wanted(const struct sysctl_rule *rule, int64_t ves);
int64_t sysctl_advised(const struct sysctl_rule *rule, int64_t ves);
/* The line for a value; DOCTOR_OK or DOCTOR_WARN, and DOCTOR_FAIL for namespaces that are switched off. */
int sysctl_judge(const struct sysctl_rule *rule, int64_t ves, int64_t have);

#endif
