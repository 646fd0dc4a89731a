/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links that have no end on the host: macvlans, made in the VE's network namespace on a device of the host's. With
 * nothing on the host's side to find them by, each has an index that is known before it is made, and that a guest
 * cannot change. Shared with static programs, as veth.h.
 */
#ifndef VE_NET_MACVLAN_H
#define VE_NET_MACVLAN_H

#include <stdint.h>

/* Set in the index of each of them, and of no other link: the kernel counts from 1. */
enum { MACVLAN_INDEX = 1 << 30 };
/* That of an interface, by its name among the host's ends, which no other has. */
uint32_t macvlan_index(const char *host);

struct macvlan {
	const char *name;            /* in the VE */
	uint32_t parent, index, mtu; /* the host's device; its own, in the VE; 0: the parent's */
	unsigned char mac[6];
	int netns; /* the VE's */
};
/* `fd`: a netlink socket of the host's namespace. One message; mode bridge. */
int macvlan_make(int fd, const struct macvlan *m);

/* `fd`: of the VE's namespace. -ENODEV: there is none. */
int macvlan_look(int fd, uint32_t index);
/* 0 as well where there is none. */
int macvlan_delete(int fd, uint32_t index);

#endif
