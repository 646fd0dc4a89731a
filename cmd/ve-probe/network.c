/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network devices and the firewall, in a network namespace of the probe's own. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/ve-probe/probe.h"

/* Sends one request and reads what the kernel makes of it. */
static int ask(int family, struct nlmsghdr *request)
{
	char answer[8192];
	struct mnl_socket *s = mnl_socket_open(family);
	if (!s)
		return -errno;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(s, request, request->nlmsg_len) < 0)
		return -errno;
	ssize_t n = mnl_socket_recvfrom(s, answer, sizeof answer);
	if (n < 0)
		return -errno;
	const struct nlmsghdr *h = (void *)answer;
	if (!mnl_nlmsg_ok(h, (int)n))
		return -EBADMSG;
	return h->nlmsg_type == NLMSG_ERROR ? ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error : 0;
}

static int make_link(const char *kind, const char *name, unsigned below)
{
	char buf[1024] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = RTM_NEWLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	if (below)
		mnl_attr_put_u32(h, IFLA_LINK, below);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(h, info);
	return ask(NETLINK_ROUTE, h);
}

static int own_network(void)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

int probe_veth(const struct ground *g)
{
	int r = own_network();
	return r ? r : make_link("veth", "probe0", 0);
}

int probe_bridge(const struct ground *g)
{
	int r = own_network();
	return r ? r : make_link("bridge", "probe0", 0);
}

int probe_macvlan(const struct ground *g)
{
	int r = own_network();
	if (r || (r = make_link("veth", "probe0", 0)))
		return r;
	return make_link("macvlan", "probe1", if_nametoindex("probe0"));
}

int probe_nftables(const struct ground *g)
{
	char buf[256] = {0};
	int r = own_network();
	if (r)
		return r;
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->nfgen_family = AF_UNSPEC;
	m->version = NFNETLINK_V0;
	return ask(NETLINK_NETFILTER, h);
}
