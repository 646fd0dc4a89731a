/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan under construction: the first failure is kept, later calls do nothing. */
#ifndef VE_PLAN_BUILD_H
#define VE_PLAN_BUILD_H

#include <limits.h>

#include "lib/plan/plan.h"

enum { LIST_BYTES = 32768 };

struct builder {
	const struct plan_input *in;
	struct plan *plan;
	struct error *e;
	int failed;
	char cgroup[512]; /* the VE's folder NAME, absolute */
	struct spec_mount *mounts;
	int nmounts;
};

/* The next step, with its actor; never NULL. */
struct plan_step *plan_add(struct builder *b, enum plan_op op);
/* String `i` of a step. */
void plan_set_bytes(struct builder *b, struct plan_step *s, int i, const char *text, size_t len);
void plan_set_text(struct builder *b, struct plan_step *s, int i, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Strings one after the other, each with its NUL but the last. */
void plan_set_list(struct builder *b, struct plan_step *s, int i, const char *const *list);
/* A sentence for the user: what was left out, and why. */
void plan_note(struct builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parts of the plan, each in a file of its own. */
void plan_host_rlimits(struct builder *b);
void plan_rlimits(struct builder *b);
void plan_check_rlimits(struct builder *b); /* what was asked for can be had on this host */
void plan_sysctls(struct builder *b);
void plan_hostname(struct builder *b);
void plan_on_exit(struct builder *b);
void plan_open_mounts(struct builder *b);
void plan_attach_mounts(struct builder *b);
void plan_bind_mounts(struct builder *b);
void plan_device_filter(struct builder *b, const char *cgroup); /* where it is needed */
void plan_make_devices(struct builder *b);
void plan_show_devices(struct builder *b);
void plan_guest_open(struct builder *b);
void plan_guest_attach(struct builder *b);
void plan_first_boot_open(struct builder *b);
void plan_first_boot(struct builder *b);
int plan_shares_network(const struct builder *b);
int plan_has_links(const struct builder *b); /* the VE has, or may get, interfaces of vectl's making */
void plan_network_host(struct builder *b);
void plan_links(struct builder *b);
void plan_network_inside(struct builder *b);
void plan_networkd(struct builder *b);
void plan_resolver(struct builder *b);

#endif
