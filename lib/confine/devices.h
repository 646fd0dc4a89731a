/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_CONFINE_DEVICES_H
#define VE_CONFINE_DEVICES_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

/*
 * The device filter of a cgroup: an eBPF program that the kernel asks before a device is opened or a node of it made.
 * Only what a rule names is allowed. A rule is text, the form that cgroup v1 and OCI made usual: "c 1:3 rwm", type (b
 * or c), MAJOR:MINOR (* is any), access (of r, w and m, which is mknod).
 */
struct device_rule {
	uint32_t type;        /* BPF_DEVCG_DEV_… */
	int64_t major, minor; /* -1: any */
	uint32_t access;      /* BPF_DEVCG_ACC_…, a mask */
};

enum { DEVICE_RULES_MAX = 128, DEVICE_PROGRAM_MAX = 6 + DEVICE_RULES_MAX * 8 + 2 };

/* What a system's programs count on, and what a VE can do no harm with. Text, NULL-terminated. */
extern const char *const device_rules_default[];

int device_rule_parse(const char *text, struct device_rule *ret); /* -EINVAL */

/* The program; returns the number of instructions. -E2BIG: more than DEVICE_RULES_MAX rules. */
int device_program(const struct device_rule *rule, size_t n, struct bpf_insn ret[DEVICE_PROGRAM_MAX]);

/*
 * Attaches the filter to a cgroup, for it and all below, whose processes cannot detach it. `rules`: texts one after the
 * other, each with its NUL but the last (as a plan has lists). It goes with the cgroup; nothing is pinned. One that is
 * there already stays, so that what both allow is allowed.
 */
int device_filter_attach(const char *cgroup, const char *rules, size_t size, struct error *e);

/* The same in place of the one that was attached before, in one step, or of none. rules NULL: there is to be none. */
int device_filter_replace(const char *cgroup, const char *rules, size_t size, struct error *e);

/* The one that is attached, to be put back; -ENOENT (and nothing in `e`): there is none. */
int device_filter_get(const char *cgroup, struct error *e);
/* program negative: there is to be none. */
int device_filter_put(const char *cgroup, int program, struct error *e);

#endif
