/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/bridge.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/util.h"
#include "lib/net/net.h"
#include "lib/net/rtnl.h"

static const char tried[] = "set up the network";

static int failed(struct error *e, int r, const char *name, const char *what)
{
	return error_set(e, VE_E_FAILED, -r, tried, "`ip link` and the kernel's log may tell more", "%s: %s: %s", name,
		what, strerror(-r));
}

static int no_bridge(struct error *e, const char *name, const char *kind)
{
	return error_set(e, VE_E_HOST, EEXIST, tried,
		"remove or rename it, or name another bridge as network.bridge in vectl.conf",
		"%s: there is a device of that name, and it is %s%s", name, *kind ? "of the kind " : "no bridge", kind);
}

/*
 * Its hardware address is its own: one that it took from its ports would change with them. Group membership is not
 * tracked, which for lack of a querier would lose IPv6 neighbours.
 */
static int add_bridge(struct rtnl *r, const char *name)
{
	struct nlmsghdr *h;
	uint64_t hash = hash_string(name);
	const unsigned char mac[6] = {0x02, 0x76, hash >> 24, hash >> 16, hash >> 8, hash};
	rtnl_request(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg), &h);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put(h, IFLA_ADDRESS, sizeof mac, mac);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u8(h, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return rtnl_talk(r, h);
}

static int set_up(struct rtnl *r, uint32_t index)
{
	struct nlmsghdr *h;
	struct ifinfomsg *i = rtnl_request(r, RTM_SETLINK, 0, sizeof *i, &h);
	i->ifi_index = (int)index;
	i->ifi_flags = i->ifi_change = IFF_UP;
	return rtnl_talk(r, h);
}

static int add_address(struct rtnl *r, uint32_t index, const struct net_address *address)
{
	struct nlmsghdr *h;
	size_t size = address->family == AF_INET ? 4 : 16;
	struct ifaddrmsg *a = rtnl_request(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *a, &h);
	a->ifa_family = (unsigned char)address->family;
	a->ifa_prefixlen = (unsigned char)address->prefix;
	a->ifa_index = index;
	if (address->family == AF_INET6)
		a->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(h, IFA_LOCAL, size, address->byte);
	mnl_attr_put(h, IFA_ADDRESS, size, address->byte);
	int e = rtnl_talk(r, h);
	return e == -EEXIST ? 0 : e;
}

int net_bridge_make(const char *name, const char *const *addresses, struct error *e)
{
	cleanup_rtnl struct rtnl rtnl = {0};
	char kind[16];
	uint32_t index;
	int r = rtnl_open(&rtnl);
	if (r)
		return failed(e, r, name, "netlink");
	r = rtnl_find(&rtnl, name, &index, kind);
	if (r == -ENODEV) {
		r = add_bridge(&rtnl, name);
		if (r == -EOPNOTSUPP)
			return error_set(e, VE_E_HOST, -r, tried, "load it: modprobe bridge; or set network=none",
				"this kernel has no bridges");
		if (!r || r == -EEXIST) /* another vectl was faster */
			r = rtnl_find(&rtnl, name, &index, kind);
	}
	if (r)
		return failed(e, r, name, "make the bridge");
	if (strcmp(kind, "bridge"))
		return no_bridge(e, name, kind);
	if ((r = set_up(&rtnl, index)))
		return failed(e, r, name, "bring the bridge up");
	int ipv6 = 0;
	for (; *addresses; addresses++) {
		struct net_address a;
		r = net_address_parse(*addresses, &a) ?: add_address(&rtnl, index, &a);
		if (r)
			return failed(e, r, name, *addresses);
		ipv6 |= a.family == AF_INET6;
	}
	return net_forwarding(ipv6, e);
}

int net_bridge_check(const char *name, unsigned vlan, struct error *e)
{
	cleanup_rtnl struct rtnl rtnl = {0};
	struct rtnl_link l;
	char remedy[128];
	int r = rtnl_open(&rtnl);
	if (!r)
		r = rtnl_look(&rtnl, name, &l);
	if (r == -ENODEV)
		return error_set(e, VE_E_HOST, ENODEV, tried,
			"make it: ip link add NAME type bridge; or name another as net.IF.link",
			"%s: this host has no such bridge", name);
	if (r)
		return failed(e, r, name, "look for the bridge");
	if (strcmp(l.kind, "bridge"))
		return no_bridge(e, name, l.kind);
	if (!vlan || l.keeps_vlans)
		return 0;
	if (l.has_vlans)
		FORMAT(remedy, "ip link set %s type bridge vlan_filtering 1", name);
	else
		FORMAT(remedy, "this kernel lacks CONFIG_BRIDGE_VLAN_FILTERING: use a bridge for each VLAN");
	return error_set(e, VE_E_HOST, EOPNOTSUPP, tried, remedy,
		"%s: the bridge does not keep VLANs apart (vlan_filtering), and net.IF.vlan is %u", name, vlan);
}

/* ---- parents of macvlans */

static int can_be_parent(const struct rtnl_link *l)
{
	return l->type == ARPHRD_ETHER && !(l->flags & IFF_LOOPBACK);
}

/* An end of a VE's, or the link of its rate (rate_link_name): not the administrator's to name. */
static int is_of_ve(const struct ve_host *host, const char *name)
{
	char prefix[IF_NAMESIZE];
	net_host_prefix(host, prefix);
	return (*name == *prefix || *name == 'i') && !strncmp(name + 1, prefix + 1, strlen(prefix + 1));
}

/* "a, b", as many as fit. */
static void name_parents(const struct ve_host *host, struct rtnl *r, char *buf, size_t size)
{
	struct if_nameindex *all = if_nameindex();
	size_t used = 0;
	buf[0] = 0;
	for (const struct if_nameindex *i = all; i && i->if_index; i++) {
		struct rtnl_link l;
		if (is_of_ve(host, i->if_name) || rtnl_look(r, i->if_name, &l) || !can_be_parent(&l) || l.is_port ||
			used + IF_NAMESIZE + 2 >= size)
			continue;
		used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "", i->if_name);
	}
	if_freenameindex(all);
}

int net_parent(const struct ve_host *host, const char *name, unsigned mtu, struct rtnl_link *ret, struct error *e)
{
	cleanup_rtnl struct rtnl rtnl = {0};
	struct rtnl_link l;
	char there[128], remedy[192];
	int r = rtnl_open(&rtnl);
	if (!r)
		r = rtnl_look(&rtnl, name, &l);
	if (r && r != -ENODEV)
		return failed(e, r, name, "look for the device");
	if (r || !can_be_parent(&l)) {
		name_parents(host, &rtnl, there, sizeof there);
		FORMAT(remedy,
			*there ? "set net.IF.link to one that there is: %s" : "this host has none: use another type",
			there);
		return error_set(e, VE_E_HOST, r ? ENODEV : EOPNOTSUPP, tried, remedy,
			r ? "%s: this host has no such device" : "%s: no Ethernet device, so there is no macvlan on it",
			name);
	}
	if (!(l.flags & IFF_UP)) {
		FORMAT(remedy, "ip link set %s up", name);
		return error_set(e, VE_E_HOST, ENETDOWN, tried, remedy, "%s: the device is down", name);
	}
	if (mtu > l.mtu)
		return error_set(e, VE_E_HOST, EINVAL, tried, "set net.IF.mtu to that or less, or unset it",
			"%s: its MTU is %u, and net.IF.mtu of the interface on it %u", name, l.mtu, mtu);
	if (ret)
		*ret = l;
	return 0;
}

/* ---- forwarding */

static int is_one(int dir, const char *path)
{
	char b[8] = "";
	cleanup_fd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, b, sizeof b - 1) > 0 && b[0] == '1';
}

/*
 * A host that forwards stops to take routes from router advertisements, its default route perhaps, unless accept_ra is
 * 2 (Documentation/networking/ip-sysctl.rst).
 */
static void keep_advertised_routes(void)
{
	DIR *d = opendir("/proc/sys/net/ipv6/conf");
	struct dirent *de;
	while (d && (de = readdir(d))) {
		char path[300];
		snprintf(path, sizeof path, "%s/accept_ra", de->d_name);
		if (de->d_name[0] != '.' && is_one(dirfd(d), path))
			write_string_at(dirfd(d), path, "2");
	}
	if (d)
		closedir(d);
}

static int switch_on(const char *path, struct error *e)
{
	if (is_one(AT_FDCWD, path))
		return 0;
	if (strstr(path, "ipv6/conf/all/forwarding"))
		keep_advertised_routes();
	int r = write_string_at(AT_FDCWD, path, "1");
	if (r == -ENOENT && strstr(path, "ipv6/conf/all/"))
		return error_set(e, VE_E_HOST, ENOENT, tried, "unset net.IF.ipv6", "IPv6 is switched off on this host");
	return r < 0 ? error_set(e, VE_E_HOST, -r, tried, "write 1 there", "%s: %s", path, strerror(-r)) : 0;
}

int net_forwarding(int ipv6, struct error *e)
{
	int r = switch_on("/proc/sys/net/ipv4/ip_forward", e);
	return r || !ipv6 ? r : switch_on("/proc/sys/net/ipv6/conf/all/forwarding", e);
}

int net_answer_ipv6(const char *device, struct error *e)
{
	char path[128];
	FORMAT(path, "/proc/sys/net/ipv6/conf/%s/proxy_ndp", device);
	if (access(path, F_OK) && errno == ENOENT)
		return error_set(e, VE_E_HOST, ENOENT, tried,
			"unset net.IF.ipv6, or name another device as net.IF.link", "%s: IPv6 is off on this device",
			device);
	return switch_on(path, e);
}

int net_loopback_out(const char *device, struct error *e)
{
	char path[128];
	FORMAT(path, "/proc/sys/net/ipv4/conf/%s/route_localnet", device);
	return switch_on(path, e);
}

int net_link_delete(const char *name)
{
	cleanup_rtnl struct rtnl rtnl = {0};
	struct nlmsghdr *h;
	int r = rtnl_open(&rtnl);
	if (r)
		return r;
	rtnl_request(&rtnl, RTM_DELLINK, 0, sizeof(struct ifinfomsg), &h);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	r = rtnl_talk(&rtnl, h);
	return r == -ENODEV ? 0 : r ? r : 1;
}
