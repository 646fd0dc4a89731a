/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands on the host's side of interfaces, for as long as it is there: made on demand, in order when it is. */
#ifndef VE_NET_BRIDGE_H
#define VE_NET_BRIDGE_H

#include "lib/base/error.h"

/*
 * vectl's own bridge, up and with `addresses` ("10.0.0.1/16"; NULL-terminated), which is left alone where it is so
 * already. A device of that name that is no bridge: -EEXIST.
 */
int net_bridge_make(const char *name, const char *const *addresses, struct error *e);
/* Of the administrator's: that there is one; with `vlan` not 0 one that keeps VLANs apart. -ENODEV, VE_E_HOST. */
int net_bridge_check(const char *name, unsigned vlan, struct error *e);

/*
 * A device of the host's that macvlans can be on: there, an Ethernet one, up, and of no smaller MTU than theirs (0:
 * they take its). -ENODEV, VE_E_HOST: it is not there, with those that are. ret: may be NULL.
 */
struct ve_host;
struct rtnl_link;
int net_parent(const struct ve_host *host, const char *name, unsigned mtu, struct rtnl_link *ret, struct error *e);

/* The host forwards packets of the families in use; where it takes its own routes from advertisements it goes on to. */
int net_forwarding(int ipv6, struct error *e);

/* Where the kernel has entries for it, the host answers there for IPv6 addresses that are not its own. */
int net_answer_ipv6(const char *device, struct error *e);

/*
 * Connections of the host's to a port published on 127.0.0.1 may leave by that device; what comes in by it for
 * 127.0.0.0/8 the firewall drops (CVE-2020-8558).
 */
int net_loopback_out(const char *device, struct error *e);

/* Deletes a link. 1: it was there; 0: it was not; negative errno. Waits for a grace period of the kernel's, 20 ms. */
int net_link_delete(const char *name);

#endif
