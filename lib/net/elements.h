/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an interface is in the firewall's tables: pure, for libve, which speaks netlink, and ve-firewall, which writes
 * text. */
#ifndef VE_NET_ELEMENTS_H
#define VE_NET_ELEMENTS_H

#include <stdio.h>

#include "lib/net/net.h"

/* NFPROTO_… of linux/netfilter.h. */
enum element_family { ELEMENT_INET = 1, ELEMENT_ARP = 3, ELEMENT_BRIDGE = 7 };

struct element {
	int family;
	const char *set;
	const char *kinds;     /* a letter a field, see elements.c; the data's after ':' */
	unsigned char key[48]; /* as the kernel has it: each field padded to 4 bytes */
	unsigned char data[24];
	size_t nkey, ndata; /* ndata 0: of a set, not of a map */
};

/* Stops when `each` returns non-zero, and returns that. */
typedef int element_fn(void *arg, const struct element *element);
int elements_of(const struct net_interface *i, element_fn *each, void *arg);

/* The counters' elements alone: four, in the order of struct firewall_traffic. */
int elements_counting(const struct net_interface *i, element_fn *each, void *arg);

/* "KEY : DATA" or "KEY", as nft has them between the braces. */
void element_write(const struct element *element, FILE *to);

#endif
