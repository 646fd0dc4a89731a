/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/macvlan.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "lib/base/hash.h"
#include "lib/net/netlink.h"

uint32_t macvlan_index(const char *host)
{
	uint64_t h = hash_string(host);
	return MACVLAN_INDEX | ((uint32_t)(h ^ h >> 32) & (MACVLAN_INDEX - 1));
}

/*
 * With an index of its own, since a kernel before 6.13 looks for a link that has the new one's name in the host's
 * namespace, where there may well be another eth0.
 */
int macvlan_make(int fd, const struct macvlan *m)
{
	struct netlink n = {0};
	struct ifinfomsg *i = netlink_request(&n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *i);
	i->ifi_index = (int)m->index;
	netlink_put_string(&n, IFLA_IFNAME, m->name);
	netlink_put_u32(&n, IFLA_LINK, m->parent);
	netlink_put_u32(&n, IFLA_NET_NS_FD, m->netns);
	netlink_put(&n, IFLA_ADDRESS, m->mac, sizeof m->mac);
	if (m->mtu)
		netlink_put_u32(&n, IFLA_MTU, m->mtu);
	struct rtattr *info = netlink_nest(&n, IFLA_LINKINFO);
	netlink_put_string(&n, IFLA_INFO_KIND, "macvlan");
	struct rtattr *data = netlink_nest(&n, IFLA_INFO_DATA);
	netlink_put_u32(&n, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	netlink_end(&n, data);
	netlink_end(&n, info);
	return netlink_send(fd, &n);
}

int macvlan_look(int fd, uint32_t index)
{
	struct netlink n = {0};
	struct ifinfomsg *i = netlink_request(&n, RTM_SETLINK, 0, sizeof *i); /* sets nothing */
	i->ifi_index = (int)index;
	return netlink_send(fd, &n);
}

int macvlan_delete(int fd, uint32_t index)
{
	struct netlink n = {0};
	struct ifinfomsg *i = netlink_request(&n, RTM_DELLINK, 0, sizeof *i);
	i->ifi_index = (int)index;
	int r = netlink_send(fd, &n);
	return r == -ENODEV ? 0 : r;
}
