/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnetlink requests in the network namespace that the caller is in, one at a time, with libmnl: of libve alone. What
 * the keeper, which is static and without libraries, asks for as well is written with lib/net/netlink.h.
 */
#ifndef VE_NET_RTNL_H
#define VE_NET_RTNL_H

#include <libmnl/libmnl.h>
#include <stdint.h>

enum { RTNL_BYTES = 2048 };
struct rtnl {
	struct mnl_socket *nl;
	unsigned sequence;
	char buf[RTNL_BYTES] __attribute__((aligned(8)));
};

int rtnl_open(struct rtnl *r);   /* negative errno */
void rtnl_close(struct rtnl *r); /* of a zeroed one too */
#define cleanup_rtnl __attribute__((cleanup(rtnl_close)))

/* A request with its fixed header of `size` bytes, zeroed, in r->buf; *ret_h for the attributes that follow. */
void *rtnl_request(struct rtnl *r, int type, int flags, size_t size, struct nlmsghdr **ret_h);
int rtnl_talk(struct rtnl *r, struct nlmsghdr *h); /* sends it and waits for its answer: 0 or a negative errno */
/* As that, and calls cb with what is answered before. */
int rtnl_ask(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t cb, void *arg);

struct rtnl_link {
	uint32_t index, flags, mtu;
	int type; /* ARPHRD_... */
	char kind[16];
	int is_port;                /* of a bridge or a bond */
	int has_vlans, keeps_vlans; /* of a bridge: the kernel can, and it does, keep VLANs apart (vlan_filtering) */
};
int rtnl_look(struct rtnl *r, const char *name, struct rtnl_link *ret); /* -ENODEV: there is none */
/* Of a link, by name: its index, and its kind ("bridge", "veth", "" for a device without). -ENODEV: there is none. */
int rtnl_find(struct rtnl *r, const char *name, uint32_t *ret_index, char kind[16]);

#endif
