/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/rate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#include "lib/net/netlink.h"
#include "lib/net/veth.h"

enum {
	FRAME = 68 * 1024,      /* the largest that a sender hands over as one: 64 KiB and headers */
	SMALL = 20 * 1024,      /* some packets of any link's */
	QUEUE = 256 * 1024,     /* some frames, so that several flows share them */
	BUCKET_TOP = 256 << 20, /* the kernel takes 32 bits */
	FILTER = 0x80000800,    /* the first entry of the first hash table of u32 */
};

void rate_link_name(const char *host, char ret[16])
{
	size_t n = strnlen(host, 15);
	memcpy(ret, host, n);
	ret[n] = 0;
	ret[0] = 'i'; /* no host's end begins so, and two that differ do so further on */
}

static uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * The bucket holds what is sent in 10 ms, as late as timers may be on a busy machine, and a whole frame of the sender's
 * where that is no more than 50 ms of the rate: larger ones are cut (tbf_segment), not dropped. The queue is 50 ms, and
 * room for several flows.
 */
static void sizes(uint64_t bytes, uint32_t mtu, uint32_t *ret_bucket, uint32_t *ret_queue)
{
	uint64_t bucket =
		at_least(at_least(bytes / 100, at_most(FRAME, bytes / 20)), at_least(SMALL, 2 * (mtu + 64ull)));
	uint64_t queue = bucket + at_least(bytes / 20, at_most(QUEUE, bytes / 5));
	*ret_bucket = (uint32_t)at_most(bucket, BUCKET_TOP);
	*ret_queue = (uint32_t)at_most(queue, 2u * BUCKET_TOP);
}

static int put_bucket(int fd, uint32_t index, uint64_t rate, uint32_t mtu)
{
	const uint64_t bytes = at_least(rate / 8, 1);
	uint32_t bucket, queue;
	struct netlink n = {0};
	sizes(bytes, mtu, &bucket, &queue);
	struct tc_tbf_qopt q = {.limit = queue,
		.rate = {.rate = (uint32_t)at_most(bytes, UINT32_MAX), .linklayer = TC_LINKLAYER_ETHERNET}};
	struct tcmsg *t = netlink_request(&n, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, sizeof *t);
	*t = (struct tcmsg){.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)index,
		.tcm_parent = TC_H_ROOT,
		.tcm_handle = TC_H_MAKE(1u << 16, 0)};
	netlink_put_string(&n, TCA_KIND, "tbf");
	struct rtattr *options = netlink_nest(&n, TCA_OPTIONS);
	netlink_put(&n, TCA_TBF_PARMS, &q, sizeof q);
	netlink_put(&n, TCA_TBF_RATE64, &bytes, sizeof bytes);
	netlink_put_u32(&n, TCA_TBF_BURST, bucket);
	netlink_end(&n, options);
	return netlink_send(fd, &n);
}

static int drop_qdisc(int fd, uint32_t index, uint32_t parent)
{
	struct netlink n = {0};
	struct tcmsg *t = netlink_request(&n, RTM_DELQDISC, 0, sizeof *t);
	*t = (struct tcmsg){.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)index, .tcm_parent = parent};
	int r = netlink_send(fd, &n);
	return r == -ENOENT || r == -EINVAL ? 0 : r; /* there is none */
}

int rate_to_ve(int fd, uint32_t index, uint64_t rate, uint32_t mtu)
{
	return rate ? put_bucket(fd, index, rate, mtu) : drop_qdisc(fd, index, TC_H_ROOT);
}

static int make_link(int fd, const char *name)
{
	struct netlink n = {0};
	netlink_request(&n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	netlink_put_string(&n, IFLA_IFNAME, name);
	netlink_put_u32(&n, IFLA_NUM_TX_QUEUES, 1);
	struct rtattr *info = netlink_nest(&n, IFLA_LINKINFO);
	netlink_put_string(&n, IFLA_INFO_KIND, "ifb");
	netlink_end(&n, info);
	return netlink_send(fd, &n);
}

static int drop_link(int fd, const char *name)
{
	struct netlink n = {0};
	netlink_request(&n, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	netlink_put_string(&n, IFLA_IFNAME, name);
	int r = netlink_send(fd, &n);
	return r == -ENODEV ? 0 : r;
}

/* All that comes in by `from` goes to `to` instead. Where `to` ends, it goes nowhere. */
static int lead(int fd, uint32_t from, uint32_t to)
{
	struct netlink n = {0};
	/* No condition: there is no packet that is too short for it. */
	const struct tc_u32_sel all = {.flags = TC_U32_TERMINAL};
	const struct tc_mirred there = {.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = to};
	struct tcmsg *t = netlink_request(&n, RTM_NEWQDISC, NLM_F_CREATE, sizeof *t);
	*t = (struct tcmsg){.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)from,
		.tcm_parent = TC_H_INGRESS,
		.tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0)};
	netlink_put_string(&n, TCA_KIND, "ingress");
	int r = netlink_send(fd, &n);
	if (r && r != -EEXIST)
		return r;
	t = netlink_request(&n, RTM_NEWTFILTER, NLM_F_CREATE, sizeof *t);
	*t = (struct tcmsg){.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)from,
		.tcm_parent = TC_H_MAKE(TC_H_INGRESS, 0),
		.tcm_handle = FILTER,
		.tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL))};
	netlink_put_string(&n, TCA_KIND, "u32");
	struct rtattr *options = netlink_nest(&n, TCA_OPTIONS);
	netlink_put(&n, TCA_U32_SEL, &all, sizeof all);
	struct rtattr *actions = netlink_nest(&n, TCA_U32_ACT), *first = netlink_nest(&n, 1);
	netlink_put_string(&n, TCA_ACT_KIND, "mirred");
	struct rtattr *mirred = netlink_nest(&n, TCA_ACT_OPTIONS);
	netlink_put(&n, TCA_MIRRED_PARMS, &there, sizeof there);
	netlink_end(&n, mirred);
	netlink_end(&n, first);
	netlink_end(&n, actions);
	netlink_end(&n, options);
	return netlink_send(fd, &n);
}

int rate_from_ve(int fd, uint32_t index, const char *link, uint64_t rate, uint32_t mtu)
{
	uint32_t at, unused;
	int r;
	if (!rate)
		return (r = drop_qdisc(fd, index, TC_H_INGRESS)) ? r : drop_link(fd, link);
	r = netlink_find_link(fd, link, &at, &unused);
	if (r == -ENODEV && !(r = make_link(fd, link)))
		r = netlink_find_link(fd, link, &at, &unused);
	if (r || (r = veth_silence(fd, at)) || (r = put_bucket(fd, at, rate, mtu)) || (r = veth_set_up(fd, at)))
		return r;
	return lead(fd, index, at);
}
