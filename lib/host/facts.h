/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_HOST_FACTS_H
#define VE_HOST_FACTS_H

#include <stdint.h>

#include "lib/host/host.h"

enum { FACTS_RLIMITS = 16, RLIMIT_NONE = -1 /* RLIM_INFINITY */ };

/* What this host can do, probed, not guessed from version numbers. Tests fill one by hand. */
struct host_facts {
	char kernel[65];
	char cgroup_mount[256];      /* where cgroup2 is mounted; "" where it is not */
	char controllers[256];       /* that it offers, space-separated */
	int cap_sys_resource;        /* rlimits can be raised */
	int64_t hard[FACTS_RLIMITS]; /* hard limits by resource number; RLIMIT_NONE: unlimited */
	int64_t nr_open;             /* fs.nr_open: nobody gets more open files; 0: not known */
	int time_namespace, user_namespace, overlay, mqueue, seccomp, clone_into_cgroup;
};

int facts_probe(struct host_facts *ret, struct error *e);
/* 1 when `word` is one of the space-separated words. */
int facts_has_word(const char *words, const char *word);

#endif
