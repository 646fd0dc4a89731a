/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper's steps that have to do with mounts and namespaces (namespaces.c, mounts.c), and with interfaces
 * (network.c). Negative errno; step_subject says of what. */
#ifndef VE_SUPERVISOR_KEEPER_H
#define VE_SUPERVISOR_KEEPER_H

#include <stdint.h>
#include <sys/types.h>

#include "cmd/ve-supervisor/supervisor.h"

int mount_fs(const char *type, const char *options[][2], unsigned attr, int *ret); /* detached; options end with NULL */
int private_mounts(uint32_t base);
int host_release(const char *path, const char *other);
int run_host(const char *manager, const char *uuid, uint32_t base, int credentials, int *ret_notify);
int user_namespace(uint32_t base, uint32_t count, int network, struct boot *b, pid_t *ret_entrant);
int attach_layer(int tree, int userns, const char *at, int read_only);
int open_mount(const struct wire_step *s);
int make_mount(const struct wire_step *s);
int device_node(const struct wire_step *s);
int attach_mount(const struct wire_step *s, int userns);
int network_namespace(struct boot *b);
int make_link(const struct wire_step *s, struct boot *b);
int make_macvlan(const struct wire_step *s, struct boot *b);
int has_macvlans(const struct boot *b);
int delete_macvlans(const struct boot *b); /* of a VE that ends, in its user namespace */
int link_rate(const struct wire_step *s);
int link_address(const struct wire_step *s);
int link_route(const struct wire_step *s);
int remove_cgroup_tree(int dir, const char *name, int depth);

#endif
