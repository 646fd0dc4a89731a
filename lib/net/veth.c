/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/veth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/netlink.h"

static void set_link(struct netlink *n, uint32_t index, unsigned flags)
{
	struct ifinfomsg *i = netlink_request(n, RTM_SETLINK, 0, sizeof *i);
	i->ifi_index = (int)index;
	i->ifi_flags = i->ifi_change = flags;
}

/* A link-local address of the kernel's choice is tentative for a second, and one of a bridge's port a way around it. */
int veth_silence(int fd, uint32_t index)
{
	const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
	struct netlink n = {0};
	set_link(&n, index, 0);
	struct rtattr *spec = netlink_nest(&n, IFLA_AF_SPEC), *inet6 = netlink_nest(&n, AF_INET6);
	netlink_put(&n, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
	netlink_end(&n, inet6);
	netlink_end(&n, spec);
	int r = netlink_send(fd, &n);
	return r == -EAFNOSUPPORT ? 0 : r; /* a kernel without IPv6 has nothing to be switched off */
}

int veth_set_up(int fd, uint32_t index)
{
	struct netlink n = {0};
	set_link(&n, index, IFF_UP);
	return netlink_send(fd, &n);
}

int veth_set_mtu(int fd, uint32_t index, uint32_t mtu)
{
	struct netlink n = {0};
	set_link(&n, index, 0);
	netlink_put_u32(&n, IFLA_MTU, mtu);
	return netlink_send(fd, &n);
}

/* ---- making */

static void other_end(struct netlink *n, const struct veth *v)
{
	struct rtattr *info = netlink_nest(n, IFLA_LINKINFO);
	netlink_put_string(n, IFLA_INFO_KIND, "veth");
	struct rtattr *data = netlink_nest(n, IFLA_INFO_DATA), *peer = netlink_nest(n, VETH_INFO_PEER);
	netlink_put_raw(n, sizeof(struct ifinfomsg));
	netlink_put_string(n, IFLA_IFNAME, v->name);
	netlink_put(n, IFLA_ADDRESS, v->mac, sizeof v->mac);
	netlink_put_u32(n, IFLA_NET_NS_FD, v->netns);
	if (v->mtu)
		netlink_put_u32(n, IFLA_MTU, v->mtu);
	netlink_end(n, peer);
	netlink_end(n, data);
	netlink_end(n, info);
}

/*
 * What a firewall's rules cannot do: the bridge learns from frames for its own groups before any rule sees them, so it
 * knows the one address that lives there and learns no other.
 */
int veth_set_filtered(int fd, uint32_t index, const unsigned char mac[6], int filtered)
{
	const uint8_t learning = !filtered;
	struct netlink n = {0};
	struct ifinfomsg *i = netlink_request(&n, RTM_SETLINK, 0, sizeof *i);
	i->ifi_family = AF_BRIDGE;
	i->ifi_index = (int)index;
	struct rtattr *port = netlink_nest(&n, IFLA_PROTINFO | NLA_F_NESTED);
	netlink_put(&n, IFLA_BRPORT_LEARNING, &learning, sizeof learning);
	netlink_end(&n, port);
	int r = netlink_send(fd, &n);
	if (r)
		return r;
	struct ndmsg *d = netlink_request(
		&n, filtered ? RTM_NEWNEIGH : RTM_DELNEIGH, filtered ? NLM_F_CREATE | NLM_F_REPLACE : 0, sizeof *d);
	*d = (struct ndmsg){.ndm_family = AF_BRIDGE,
		.ndm_ifindex = (int)index,
		.ndm_state = NUD_NOARP,
		.ndm_flags = NTF_MASTER | NTF_STICKY};
	netlink_put(&n, NDA_LLADDR, mac, 6);
	r = netlink_send(fd, &n);
	return r == -ENOENT && !filtered ? 0 : r;
}

/* The port is never the way to a multicast router, and a BPDU from it closes it. */
static int close_port(int fd, uint32_t index)
{
	const uint8_t guard = 1, router = 0;
	struct netlink n = {0};
	struct ifinfomsg *i = netlink_request(&n, RTM_SETLINK, 0, sizeof *i);
	i->ifi_family = AF_BRIDGE;
	i->ifi_index = (int)index;
	struct rtattr *port = netlink_nest(&n, IFLA_PROTINFO | NLA_F_NESTED);
	netlink_put(&n, IFLA_BRPORT_GUARD, &guard, sizeof guard);
	netlink_put(&n, IFLA_BRPORT_MULTICAST_ROUTER, &router, sizeof router);
	netlink_end(&n, port);
	return netlink_send(fd, &n);
}

static void vlan_info(struct netlink *n, uint16_t vlan, unsigned flags)
{
	const struct bridge_vlan_info i = {.vid = vlan, .flags = (uint16_t)flags};
	netlink_put(n, IFLA_BRIDGE_VLAN_INFO, &i, sizeof i);
}

/* Out of the VLANs that the bridge gives a new port, whichever they are, and into that one, untagged both ways. */
static int set_vlan(int fd, uint32_t index, uint16_t vlan)
{
	struct netlink n = {0};
	for (int turn = 0; turn < 2; turn++) {
		struct ifinfomsg *i = netlink_request(&n, turn ? RTM_SETLINK : RTM_DELLINK, 0, sizeof *i);
		i->ifi_family = AF_BRIDGE;
		i->ifi_index = (int)index;
		struct rtattr *spec = netlink_nest(&n, IFLA_AF_SPEC);
		if (turn)
			vlan_info(&n, vlan, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
		else {
			vlan_info(&n, 1, BRIDGE_VLAN_INFO_RANGE_BEGIN);
			vlan_info(&n, VLAN_LAST, BRIDGE_VLAN_INFO_RANGE_END);
		}
		netlink_end(&n, spec);
		int r = netlink_send(fd, &n);
		if (r)
			return r;
	}
	return 0;
}

/* Connections to a port published on 127.0.0.1 leave by this link; the firewall lets nobody in for 127.0.0.0/8. */
int veth_set_loopback(int fd, uint32_t index, int on)
{
	struct netlink n = {0};
	set_link(&n, index, 0);
	struct rtattr *spec = netlink_nest(&n, IFLA_AF_SPEC), *inet = netlink_nest(&n, AF_INET),
		      *conf = netlink_nest(&n, IFLA_INET_CONF);
	netlink_put_u32(&n, IPV4_DEVCONF_ROUTE_LOCALNET, on);
	netlink_end(&n, conf);
	netlink_end(&n, inet);
	netlink_end(&n, spec);
	return netlink_send(fd, &n);
}

int veth_make(int fd, const struct veth *v, uint32_t *ret_index, uint32_t *ret_peer)
{
	struct netlink n = {0};
	uint32_t index;
	netlink_request(&n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	netlink_put_string(&n, IFLA_IFNAME, v->host);
	if (v->master)
		netlink_put_u32(&n, IFLA_MASTER, v->master);
	if (v->mtu)
		netlink_put_u32(&n, IFLA_MTU, v->mtu);
	other_end(&n, v);
	int r = netlink_send(fd, &n);
	if (r || (r = netlink_find_link(fd, v->host, &index, ret_peer)) || (r = veth_silence(fd, index)) ||
		(v->master && (r = close_port(fd, index))) ||
		(v->master && v->vlan && (r = set_vlan(fd, index, v->vlan))) ||
		(v->master && v->filtered && (r = veth_set_filtered(fd, index, v->mac, 1))) ||
		(v->loopback && (r = veth_set_loopback(fd, index, 1))))
		return r;
	*ret_index = index;
	return veth_set_up(fd, index);
}

/* ---- addresses and routes */

int veth_parse_ip(const char *text, struct veth_ip *ret)
{
	char alone[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "/");
	if (n >= sizeof alone)
		return -EINVAL;
	memcpy(alone, text, n);
	alone[n] = 0;
	*ret = (struct veth_ip){.family = strchr(alone, ':') ? AF_INET6 : AF_INET};
	ret->size = ret->family == AF_INET ? 4 : 16;
	ret->prefix = text[n] ? atoi(text + n + 1) : ret->size * 8;
	return inet_pton(ret->family, alone, ret->byte) == 1 && ret->prefix <= ret->size * 8 ? 0 : -EINVAL;
}

static void put_address(struct netlink *n, int type, int flags, uint32_t index, const struct veth_ip *ip, int scope)
{
	struct ifaddrmsg *a = netlink_request(n, type, flags, sizeof *a);
	*a = (struct ifaddrmsg){
		.ifa_family = ip->family, .ifa_prefixlen = ip->prefix, .ifa_scope = scope, .ifa_index = index};
	/* Its uniqueness is looked after by who gave it; the guest's first packet does not wait for a detection. */
	if (ip->family == AF_INET6)
		a->ifa_flags = IFA_F_NODAD;
	netlink_put(n, IFA_LOCAL, ip->byte, ip->size);
	netlink_put(n, IFA_ADDRESS, ip->byte, ip->size);
	if (type == RTM_NEWADDR && ip->family == AF_INET && ip->prefix < 31) {
		uint32_t broadcast;
		memcpy(&broadcast, ip->byte, 4);
		broadcast |= htonl(ip->prefix ? 0xffffffffu >> ip->prefix : 0xffffffffu);
		netlink_put(n, IFA_BROADCAST, &broadcast, sizeof broadcast);
	}
}

int veth_add_address(int fd, uint32_t index, const struct veth_ip *ip, int scope)
{
	struct netlink n = {0};
	put_address(&n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, ip, scope);
	return netlink_send(fd, &n);
}

int veth_drop_address(int fd, uint32_t index, const struct veth_ip *ip)
{
	struct netlink n = {0};
	put_address(&n, RTM_DELADDR, 0, index, ip, 0);
	int r = netlink_send(fd, &n);
	return r == -EADDRNOTAVAIL ? 0 : r;
}

static void put_route(struct netlink *n, int type, int flags, uint32_t index, const struct veth_ip *to,
	const struct veth_ip *gateway, int protocol)
{
	struct rtmsg *m = netlink_request(n, type, flags, sizeof *m);
	*m = (struct rtmsg){.rtm_family = to ? to->family : gateway->family,
		.rtm_dst_len = to ? to->prefix : 0,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = (unsigned char)protocol,
		.rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		/* A gateway may lie outside the interface's own network, as that of a /32 does. */
		.rtm_flags = gateway ? RTNH_F_ONLINK : 0};
	if (m->rtm_family == AF_INET6)
		m->rtm_scope = RT_SCOPE_UNIVERSE;
	if (to)
		netlink_put(n, RTA_DST, to->byte, to->size);
	if (gateway)
		netlink_put(n, RTA_GATEWAY, gateway->byte, gateway->size);
	if (index)
		netlink_put_u32(n, RTA_OIF, index);
}

int veth_add_route(int fd, uint32_t index, const struct veth_ip *to, const struct veth_ip *gateway)
{
	struct netlink n = {0};
	put_route(&n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, to, gateway, RTPROT_STATIC);
	return netlink_send(fd, &n);
}

int veth_drop_route(int fd, uint32_t index, const struct veth_ip *to, const struct veth_ip *gateway)
{
	struct netlink n = {0};
	put_route(&n, RTM_DELROUTE, 0, index, to, gateway, RTPROT_STATIC);
	int r = netlink_send(fd, &n);
	return r == -ESRCH ? 0 : r;
}

int veth_add_host_route(int fd, uint32_t index, const struct veth_ip *to)
{
	struct netlink n = {0};
	put_route(&n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, to, NULL, RTPROT_VECTL);
	int r = netlink_send(fd, &n);
	if (r != -EEXIST)
		return r;
	/* That of a link whose VE has ended just now goes with it; by whatever link it leads. */
	put_route(&n, RTM_DELROUTE, 0, 0, to, NULL, RTPROT_VECTL);
	r = netlink_send(fd, &n);
	if (r)
		return r == -ESRCH ? -EEXIST : r;
	put_route(&n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, to, NULL, RTPROT_VECTL);
	return netlink_send(fd, &n);
}

int veth_drop_host_route(int fd, uint32_t index, const struct veth_ip *to)
{
	struct netlink n = {0};
	put_route(&n, RTM_DELROUTE, 0, index, to, NULL, RTPROT_VECTL);
	int r = netlink_send(fd, &n);
	return r == -ESRCH ? 0 : r;
}

/* ---- inside */

/* fe80:: and the EUI-64 of the hardware address, RFC 4291: what the filter on the host's side expects. */
void veth_link_local(const unsigned char mac[6], struct veth_ip *ret)
{
	*ret = (struct veth_ip){.family = AF_INET6,
		.prefix = 64,
		.size = 16,
		.byte = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};
}

int veth_begin_inside(int fd, uint32_t index, const unsigned char mac[6])
{
	struct veth_ip own;
	int r = veth_silence(fd, index);
	if (r || (r = veth_set_up(fd, index)))
		return r;
	veth_link_local(mac, &own);
	r = veth_add_address(fd, index, &own, RT_SCOPE_LINK);
	/* IPv6 is switched off on this host, or the MTU is less than it needs */
	return r == -EOPNOTSUPP || r == -EAFNOSUPPORT || r == -EACCES || r == -EINVAL ? 0 : r;
}
