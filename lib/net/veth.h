/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pairs of links, one end on the host and one in a VE, by index and on a netlink socket of the namespace in question.
 * Shared with static programs: no libc beyond memory, strings and sockets. All return 0 or a negative errno.
 */
#ifndef VE_NET_VETH_H
#define VE_NET_VETH_H

#include <stdint.h>

enum { RTPROT_VECTL = 0x76 }; /* of routes and entries on the host: which are vectl's to take away */

struct veth_ip {
	unsigned char family, prefix, size, byte[16];
};
int veth_parse_ip(const char *text, struct veth_ip *ret); /* "10.0.0.2/24"; without a length: all bits */
void veth_link_local(const unsigned char mac[6], struct veth_ip *ret);

enum { VLAN_LAST = 4094 };
struct veth {
	const char *host, *name; /* the host's end; the one in the VE */
	uint32_t master, mtu;    /* 0: none; the kernel's */
	uint16_t vlan;           /* the only one of the bridge's that the port is in; 0: as the bridge has it */
	unsigned char mac[6];    /* inside */
	int netns;               /* the VE's, where the other end is born */
	int filtered, loopback;  /* a bridge's port that learns nothing; the host's 127.0.0.1 may leave here */
};
/* Made, set up for its place and brought up on the host's side. *ret_index: the host's end, *ret_peer: the other. */
int veth_make(int fd, const struct veth *v, uint32_t *ret_index, uint32_t *ret_peer);

int veth_set_mtu(int fd, uint32_t index, uint32_t mtu);
int veth_set_up(int fd, uint32_t index);
/* Whether addresses of the host's loopback may be routed there. */
int veth_set_loopback(int fd, uint32_t index, int on);
/* Of a bridge's port: that the bridge knows this address there and learns no other, or that it learns. */
int veth_set_filtered(int fd, uint32_t index, const unsigned char mac[6], int filtered);
/* The kernel gives it no link-local address of its own accord. */
int veth_silence(int fd, uint32_t index);

/* scope: enum rt_scope_t. An address that is there, or is not, is no failure. */
int veth_add_address(int fd, uint32_t index, const struct veth_ip *ip, int scope);
int veth_drop_address(int fd, uint32_t index, const struct veth_ip *ip);
/* The route to `to` on the link; NULL: the default route, by way of `gateway` (else NULL). */
int veth_add_route(int fd, uint32_t index, const struct veth_ip *to, const struct veth_ip *gateway);
int veth_drop_route(int fd, uint32_t index, const struct veth_ip *to, const struct veth_ip *gateway);

/* On the host, which may have a route of its own to that address: -EEXIST then, and it stays. */
int veth_add_host_route(int fd, uint32_t index, const struct veth_ip *to);
int veth_drop_host_route(int fd, uint32_t index, const struct veth_ip *to);

/* The VE's end: up, with the link-local address that the filter on the host's side expects. */
int veth_begin_inside(int fd, uint32_t index, const unsigned char mac[6]);

#endif
