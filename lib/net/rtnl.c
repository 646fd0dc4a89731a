/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

int rtnl_open(struct rtnl *r)
{
	r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->nl)
		return -errno;
	return mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
}

void rtnl_close(struct rtnl *r)
{
	if (r->nl)
		mnl_socket_close(r->nl);
	r->nl = NULL;
}

void *rtnl_request(struct rtnl *r, int type, int flags, size_t size, struct nlmsghdr **ret_h)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(r->buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++r->sequence;
	*ret_h = h;
	return mnl_nlmsg_put_extra_header(h, size);
}

static int answer(struct rtnl *r, mnl_cb_t cb, void *arg)
{
	char buf[16384];
	int more = MNL_CB_OK;
	while (more > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(r->nl, buf, sizeof buf);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		more = mnl_cb_run(buf, n, r->sequence, mnl_socket_get_portid(r->nl), cb, arg);
		if (more < 0)
			return -errno;
	}
	return 0;
}

int rtnl_ask(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t cb, void *arg)
{
	if (mnl_socket_sendto(r->nl, h, h->nlmsg_len) < 0)
		return -errno;
	return answer(r, cb, arg);
}

int rtnl_talk(struct rtnl *r, struct nlmsghdr *h)
{
	return rtnl_ask(r, h, NULL, NULL);
}

static void look_at_bridge(const struct nlattr *data, struct rtnl_link *l)
{
	const struct nlattr *a;
	mnl_attr_for_each_nested(a, data)
	{
		if (mnl_attr_get_type(a) == IFLA_BR_VLAN_PROTOCOL)
			l->has_vlans = 1; /* a kernel without says that no bridge filters, but not this */
		if (mnl_attr_get_type(a) == IFLA_BR_VLAN_FILTERING)
			l->keeps_vlans = mnl_attr_get_u8(a);
	}
}

static int on_link(const struct nlmsghdr *h, void *arg)
{
	struct rtnl_link *l = arg;
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *k;
	*l = (struct rtnl_link){.index = (uint32_t)i->ifi_index, .flags = i->ifi_flags, .type = i->ifi_type};
	mnl_attr_for_each(a, h, sizeof *i)
	{
		if (mnl_attr_get_type(a) == IFLA_MTU && mnl_attr_get_payload_len(a) == sizeof l->mtu)
			l->mtu = mnl_attr_get_u32(a);
		if (mnl_attr_get_type(a) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(k, a)
		{
			if (mnl_attr_get_type(k) == IFLA_INFO_KIND)
				snprintf(l->kind, sizeof l->kind, "%s", mnl_attr_get_str(k));
			if (mnl_attr_get_type(k) == IFLA_INFO_SLAVE_KIND)
				l->is_port =
					!strcmp(mnl_attr_get_str(k), "bridge") || !strcmp(mnl_attr_get_str(k), "bond");
			if (mnl_attr_get_type(k) == IFLA_INFO_DATA && !strcmp(l->kind, "bridge"))
				look_at_bridge(k, l);
		}
	}
	return MNL_CB_OK;
}

int rtnl_look(struct rtnl *r, const char *name, struct rtnl_link *ret)
{
	struct nlmsghdr *h;
	rtnl_request(r, RTM_GETLINK, 0, sizeof(struct ifinfomsg), &h);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	return rtnl_ask(r, h, on_link, ret);
}

int rtnl_find(struct rtnl *r, const char *name, uint32_t *ret_index, char kind[16])
{
	struct rtnl_link l;
	int e = rtnl_look(r, name, &l);
	if (e)
		return e;
	*ret_index = l.index;
	memcpy(kind, l.kind, sizeof l.kind);
	return 0;
}
