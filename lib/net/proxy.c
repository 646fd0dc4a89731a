/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/proxy.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/base/util.h"
#include "lib/net/bridge.h"
#include "lib/net/rtnl.h"
#include "lib/net/veth.h"

static const char tried[] = "have the host answer for the VE's addresses";

static int failed(struct error *e, int r, const struct net_address *a, const char *link)
{
	char subject[NET_ADDRESS_TEXT + IF_NAMESIZE + 8];
	net_address_text(a, 0, subject);
	strcat(strcat(subject, " on "), link);
	return error_sys(e, -r, tried, subject);
}

static size_t size_of(const struct net_address *a)
{
	return a->family == AF_INET ? 4 : 16;
}

/* ---- where its neighbours are */

struct on_link {
	uint32_t index;
};

static int on_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *a;
	struct on_link *found = arg;
	uint32_t index = 0;
	int by_way_of = 0;
	mnl_attr_for_each(a, h, sizeof *m)
	{
		int type = mnl_attr_get_type(a);
		if (type == RTA_OIF)
			index = mnl_attr_get_u32(a);
		by_way_of |= type == RTA_GATEWAY || type == RTA_VIA || type == RTA_MULTIPATH;
	}
	if (m->rtm_type == RTN_UNICAST && m->rtm_dst_len && !by_way_of && m->rtm_protocol != RTPROT_VECTL)
		found->index = index;
	return MNL_CB_OK;
}

/* Where nobody asks for addresses nothing has to be answered. */
static int has_neighbours(const char *name)
{
	struct ifreq f = {0};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(f.ifr_name, sizeof f.ifr_name, "%s", name);
	return fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &f) && !(f.ifr_flags & (IFF_NOARP | IFF_LOOPBACK));
}

static void find(struct rtnl *rtnl, const struct net_address *a, struct net_uplink *ret)
{
	struct nlmsghdr *h;
	struct on_link found = {0};
	struct net_uplink up = {0};
	struct rtmsg *m = rtnl_request(rtnl, RTM_GETROUTE, 0, sizeof *m, &h);
	m->rtm_family = (unsigned char)a->family;
	m->rtm_dst_len = (unsigned char)net_address_bits(a);
	m->rtm_flags = RTM_F_FIB_MATCH; /* the route as it is, not what it comes to for this address */
	mnl_attr_put(h, RTA_DST, size_of(a), a->byte);
	/* That the host has no way there is no failure. */
	if (rtnl_ask(rtnl, h, on_route, &found) || !found.index)
		return;
	up.index = found.index;
	if (if_indextoname(up.index, up.name) && has_neighbours(up.name))
		*ret = up;
}

/* This host's own end gets it, which would take it from the machine that has it. */
static int check_gateway(
	struct rtnl *rtnl, const struct net_interface *i, const struct net_address *gateway, struct error *e)
{
	char text[NET_ADDRESS_TEXT];
	struct net_uplink near = {0};
	if (net_address_is_link_local(gateway))
		return 0;
	find(rtnl, gateway, &near);
	if (!near.index)
		return 0;
	net_address_text(gateway, 0, text);
	return error_set(e, VE_E_HOST, EADDRINUSE, "find the way out of the VE",
		"unset it: what the VE sends goes this host's own way then",
		"net.%s.gateway: %s is on the network of %s, and with type routed the gateway is this host itself",
		i->name, text, near.name);
}

int proxy_find(struct net_interface *i, size_t n, struct error *e)
{
	cleanup_rtnl struct rtnl rtnl = {0};
	for (size_t k = 0; k < n; k++) {
		struct net_uplink named = {0};
		if (i[k].type != NET_ROUTED)
			continue;
		FORMAT(named.name, "%s", i[k].link);
		if (*named.name && !(named.index = if_nametoindex(named.name)))
			return error_set(e, VE_E_HOST, ENODEV, tried,
				"`ip link` shows those that there are: name one of them, or unset it",
				"net.%s.link: this host has no device %s", i[k].name, named.name);
		int r = rtnl.nl ? 0 : rtnl_open(&rtnl);
		if (r)
			return error_sys(e, -r, tried, "netlink");
		for (unsigned j = 0; j < i[k].naddresses; j++) {
			/* On each link there may be somebody who has that one. */
			if (net_address_is_link_local(&i[k].address[j]))
				continue;
			i[k].uplink[j] = named;
			if (!named.index)
				find(&rtnl, &i[k].address[j], &i[k].uplink[j]);
		}
		for (unsigned j = 0; j < i[k].ngateways; j++)
			if ((r = check_gateway(&rtnl, &i[k], &i[k].gateway[j], e)))
				return r;
	}
	return 0;
}

/* ---- entries */

static struct ndmsg *request(struct rtnl *rtnl, int type, int flags, const struct net_address *a,
	const struct net_uplink *up, struct nlmsghdr **ret_h)
{
	struct ndmsg *d = rtnl_request(rtnl, type, flags, sizeof *d, ret_h);
	d->ndm_family = (unsigned char)a->family;
	d->ndm_ifindex = (int)up->index;
	d->ndm_flags = NTF_PROXY;
	mnl_attr_put(*ret_h, NDA_DST, size_of(a), a->byte);
	return d;
}

static int on_entry(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *a;
	int *ours = arg;
	mnl_attr_for_each(a, h, sizeof(struct ndmsg))
	{
		if (mnl_attr_get_type(a) == NDA_PROTOCOL)
			*ours = mnl_attr_get_u8(a) == RTPROT_VECTL;
	}
	return MNL_CB_OK;
}

/* 1: ours; 0: somebody else's; -ENOENT. */
static int look(struct rtnl *rtnl, const struct net_address *a, const struct net_uplink *up)
{
	struct nlmsghdr *h;
	int ours = 0;
	request(rtnl, RTM_GETNEIGH, 0, a, up, &h);
	int r = rtnl_ask(rtnl, h, on_entry, &ours);
	return r ? r : ours;
}

int proxy_add(const struct net_address *a, const struct net_uplink *up, struct error *e)
{
	cleanup_rtnl struct rtnl rtnl = {0};
	struct nlmsghdr *h;
	char name[IF_NAMESIZE];
	if (!if_indextoname(up->index, name))
		return failed(e, -errno, a, up->name);
	int r = a->family == AF_INET6 ? net_answer_ipv6(name, e) : 0;
	if (r)
		return r;
	if ((r = rtnl_open(&rtnl)) || (r = look(&rtnl, a, up)) >= 0)
		return r < 0 ? failed(e, r, a, name) : 0;
	if (r == -ENOENT) {
		struct ndmsg *d = request(&rtnl, RTM_NEWNEIGH, NLM_F_CREATE, a, up, &h);
		d->ndm_state = NUD_PERMANENT; /* else it goes when the cable is pulled */
		mnl_attr_put_u8(h, NDA_PROTOCOL, RTPROT_VECTL);
		r = rtnl_talk(&rtnl, h);
	}
	return r ? failed(e, r, a, name) : 0;
}

int proxy_drop(const struct net_address *a, const struct net_uplink *up, struct error *e)
{
	cleanup_rtnl struct rtnl rtnl = {0};
	struct nlmsghdr *h;
	int r = rtnl_open(&rtnl);
	if (!r && (r = look(&rtnl, a, up)) > 0) {
		request(&rtnl, RTM_DELNEIGH, 0, a, up, &h);
		r = rtnl_talk(&rtnl, h);
	}
	return !r || r == -ENOENT || r == -ENODEV || r == -EAFNOSUPPORT ? 0 : failed(e, r, a, up->name);
}
