/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtnetlink requests without a library, for static programs too: one after the other in a buffer of the caller's, sent
 * together, each answered. Nothing is allocated.
 */
#ifndef VE_NET_NETLINK_H
#define VE_NET_NETLINK_H

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

struct netlink {
	_Alignas(struct nlmsghdr) char b[2048];
	unsigned used;
	struct nlmsghdr *h; /* the request in hand */
	unsigned count, full;
	_Alignas(struct nlmsghdr) char nowhere[512];
};

int netlink_open(void); /* in the network namespace that the caller is in; -1 and errno */

/* The next request, with its fixed header of `size` bytes, zeroed; never NULL. */
void *netlink_request(struct netlink *n, int type, int flags, size_t size);
void netlink_put(struct netlink *n, int type, const void *data, size_t size);
void netlink_put_u32(struct netlink *n, int type, uint32_t value);
void netlink_put_string(struct netlink *n, int type, const char *text);
/* What follows is inside, until netlink_end with what this returned. */
struct rtattr *netlink_nest(struct netlink *n, int type);
void *netlink_put_raw(struct netlink *n, size_t size); /* a fixed header within a nest */
void netlink_end(struct netlink *n, struct rtattr *nest);

/* Sends what there is and waits for its answers. 0, or the first failure as a negative errno. Empties `n`. */
int netlink_send(int fd, struct netlink *n);
/* One request for one link; *ret_index its own, *ret_peer that of a veth's other end (0: not known). */
int netlink_find_link(int fd, const char *name, uint32_t *ret_index, uint32_t *ret_peer);

#endif
