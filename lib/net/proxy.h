/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses of routed interfaces that lie in a network on one of the host's links: whoever asks for them there, by ARP
 * or by neighbour discovery, is answered by the host. One entry of the kernel's for each, and it answers for nothing
 * else. Entries say who made them (NDA_PROTOCOL), so that the administrator's are told from ours.
 */
#ifndef VE_NET_PROXY_H
#define VE_NET_PROXY_H

#include "lib/net/net.h"

/*
 * Fills in `uplink` of each address of the routed ones: `link` where it is named, else the link on whose network the
 * host has it by its routes. A route of a VE's own says nothing of that. -ENODEV, VE_E_HOST: the one that is named is
 * not there.
 */
int proxy_find(struct net_interface *i, size_t n, struct error *e);

/* One that somebody else has made stays as it is. */
int proxy_add(const struct net_address *a, const struct net_uplink *up, struct error *e);
/* What proxy_add made; that it is not there, or its link, is no failure. */
int proxy_drop(const struct net_address *a, const struct net_uplink *up, struct error *e);

#endif
