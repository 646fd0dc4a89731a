/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VE's network interfaces. The keeper makes each pair with its other end in the VE's network namespace from the
 * first moment, while it still has the capability to; each boot's init gives them their addresses. A reboot gets a
 * fresh namespace, as a machine's routes and rules are gone after one, and the interfaces move there: by the VE's own
 * root, which needs no capability on the host. What was changed meanwhile (live_links.h) stands in for the plan then.
 */
#include <linux/if_link.h>
#include <sched.h>
#include <string.h>

#include "cmd/ve-supervisor/keeper.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"
#include "lib/net/macvlan.h"
#include "lib/net/netlink.h"
#include "lib/net/networkd.h"
#include "lib/net/rate.h"

/* By name in the namespace that the caller is in. */
static int open_link(const char *name, uint32_t *ret_index, uint32_t *ret_peer)
{
	int fd = TRY("netlink", netlink_open());
	step_subject = name;
	int r = netlink_find_link(fd, name, ret_index, ret_peer);
	if (!r)
		return fd;
	close(fd);
	return r;
}

static int parse(const char *text, struct veth_ip *ret)
{
	step_subject = text;
	return veth_parse_ip(text, ret);
}

static void mac_bytes(int64_t mac, unsigned char byte[6])
{
	for (int i = 0; i < 6; i++)
		byte[i] = mac >> 8 * (5 - i);
}

static int give_address(const char *name, const char *text, int scope)
{
	struct veth_ip ip;
	uint32_t index, peer;
	int r = parse(text, &ip), fd = r ? r : open_link(name, &index, &peer);
	if (fd < 0)
		return fd;
	step_subject = text;
	r = veth_add_address(fd, index, &ip, scope);
	close(fd);
	return r;
}

static int give_route(const char *name, const char *to, const char *gateway)
{
	struct veth_ip ip;
	uint32_t index, peer;
	const char *text = to ?: gateway;
	int r = parse(text, &ip), fd = r ? r : open_link(name, &index, &peer);
	if (fd < 0)
		return fd;
	step_subject = text;
	r = to ? veth_add_host_route(fd, index, &ip) : veth_add_route(fd, index, NULL, &ip);
	close(fd);
	return r;
}

/* ---- the keeper */
/* Without a user namespace; else it is born with that. */
int network_namespace(struct boot *b)
{
	int host = TRY("/proc/self/ns/net", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	TRY("network namespace", unshare(CLONE_NEWNET));
	b->netns = TRY("/proc/self/ns/net", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	TRY("the host's network namespace", setns(host, CLONE_NEWNET));
	close(host);
	return 0;
}

int make_link(const struct wire_step *s, struct boot *b)
{
	struct veth v = {.host = wire_string(plan, s, 0),
		.name = wire_string(plan, s, 1),
		.mtu = s->n[0],
		.netns = b->netns,
		.vlan = (uint16_t)(s->n[2] >> LINK_VLAN_SHIFT),
		.filtered = (s->n[2] & LINK_FILTERED) != 0,
		.loopback = (s->n[2] & LINK_LOOPBACK) != 0};
	const char *bridge = wire_string(plan, s, 2);
	uint32_t unused;
	if (b->nlinks == sizeof b->link / sizeof *b->link)
		return -E2BIG;
	struct boot_link *l = &b->link[b->nlinks];
	int fd = *bridge ? open_link(bridge, &v.master, &unused) : netlink_open();
	if (fd < 0)
		return *bridge ? fd : -errno;
	mac_bytes(s->n[1], v.mac);
	step_subject = v.host;
	int r = veth_make(fd, &v, &unused, &l->index);
	close(fd);
	if (r)
		return r;
	memcpy(l->mac, v.mac, sizeof l->mac);
	l->name = v.name;
	b->nlinks++;
	return 0;
}

int make_macvlan(const struct wire_step *s, struct boot *b)
{
	const char *parent = wire_string(plan, s, 0);
	struct macvlan m = {.name = wire_string(plan, s, 1), .mtu = s->n[0], .index = s->n[2], .netns = b->netns};
	uint32_t unused;
	if (b->nlinks == sizeof b->link / sizeof *b->link)
		return -E2BIG;
	struct boot_link *l = &b->link[b->nlinks];
	int fd = open_link(parent, &m.parent, &unused);
	if (fd < 0)
		return fd;
	mac_bytes(s->n[1], m.mac);
	int r = macvlan_make(fd, &m);
	close(fd);
	if (r)
		return r;
	*l = (struct boot_link){.name = m.name, .index = m.index};
	memcpy(l->mac, m.mac, sizeof l->mac);
	b->nlinks++;
	return 0;
}

int has_macvlans(const struct boot *b)
{
	int any = 0;
	for (unsigned i = 0; !live_links && i < b->nlinks; i++)
		any |= b->link[i].index & MACVLAN_INDEX;
	for (unsigned i = 0; live_links && i < live_links->nlinks; i++)
		any |= live_links->link[i].index & MACVLAN_INDEX;
	return any;
}

/*
 * The firewall cannot close what has no end on the host, and a connection that nobody reads from keeps the namespace,
 * and what is in it, alive: so they are deleted, by the VE's root, which the keeper can still be.
 */
int delete_macvlans(const struct boot *b)
{
	TRY("network namespace", setns(b->netns, CLONE_NEWNET));
	int fd = TRY("netlink", netlink_open()), r = 0;
	for (unsigned i = 0; !live_links && i < b->nlinks; i++)
		if (b->link[i].index & MACVLAN_INDEX)
			r = macvlan_delete(fd, b->link[i].index) ?: r;
	for (unsigned i = 0; live_links && i < live_links->nlinks; i++)
		if (live_links->link[i].index & MACVLAN_INDEX)
			r = macvlan_delete(fd, live_links->link[i].index) ?: r;
	return r;
}

int link_rate(const struct wire_step *s)
{
	const char *name = wire_string(plan, s, 0);
	uint32_t index, peer;
	int fd = open_link(name, &index, &peer), r = fd < 0 ? fd : 0;
	if (!r && s->n[0]) {
		step_subject = "tbf";
		r = rate_to_ve(fd, index, s->n[0], s->n[2]);
	}
	if (!r && s->n[1]) {
		step_subject = "ifb, u32, mirred and tbf";
		r = rate_from_ve(fd, index, wire_string(plan, s, 1), s->n[1], s->n[2]);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

int link_address(const struct wire_step *s)
{
	return give_address(wire_string(plan, s, 0), wire_string(plan, s, 1), RT_SCOPE_LINK);
}

int link_route(const struct wire_step *s)
{
	return give_route(wire_string(plan, s, 0), wire_string(plan, s, 1), NULL);
}

/* ---- the entrant */

/*
 * By index, since the guest may have renamed it; with name and hardware address as they were at the start. One that is
 * gone (the guest deleted it) cannot come back without the host's root.
 */
static int take_along(int old, int fresh, const char *name, uint32_t index, const unsigned char mac[6])
{
	struct netlink n = {0};
	struct ifinfomsg *i = netlink_request(&n, RTM_SETLINK, 0, sizeof *i);
	step_subject = name;
	i->ifi_index = (int)index;
	netlink_put_u32(&n, IFLA_NET_NS_FD, fresh);
	netlink_put_u32(&n, IFLA_NEW_IFINDEX, index); /* else the kernel takes another where this one is in use */
	netlink_put_string(&n, IFLA_IFNAME, name);
	netlink_put(&n, IFLA_ADDRESS, mac, 6);
	return netlink_send(old, &n);
}

static int take_all(int old, int fresh, const struct boot *b)
{
	int r = 0;
	for (unsigned i = 0; !live_links && !r && i < b->nlinks; i++)
		r = take_along(old, fresh, b->link[i].name, b->link[i].index, b->link[i].mac);
	for (unsigned i = 0; live_links && !r && i < live_links->nlinks; i++)
		r = take_along(
			old, fresh, live_links->link[i].name, live_links->link[i].index, live_links->link[i].mac);
	return r;
}

int join_network(struct boot *b)
{
	if (b->number == 1) {
		if (!plan->base)
			TRY("network namespace", setns(b->netns, CLONE_NEWNET));
		return 0;
	}
	TRY("network namespace", setns(b->netns, CLONE_NEWNET));
	int old = TRY("netlink", netlink_open());
	TRY("network namespace", unshare(CLONE_NEWNET));
	int fresh = TRY("/proc/self/ns/net", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	int r = take_all(old, fresh, b);
	if (r)
		return r;
	struct sync_message m = {.kind = SYNC_NETNS};
	r = sync_send(b->sync, &m, fresh);
	close(old);
	close(fresh);
	return r;
}

/* ---- init */

int address(const struct wire_step *s)
{
	return give_address(wire_string(plan, s, 0), wire_string(plan, s, 1), RT_SCOPE_UNIVERSE);
}

int link_up(const struct wire_step *s)
{
	unsigned char mac[6];
	uint32_t index, peer;
	int fd = open_link(wire_string(plan, s, 0), &index, &peer);
	if (fd < 0)
		return fd;
	mac_bytes(s->n[1], mac);
	int r = veth_begin_inside(fd, index, mac);
	close(fd);
	return r;
}

int route(const struct wire_step *s)
{
	return give_route(wire_string(plan, s, 0), NULL, wire_string(plan, s, 1));
}

int live_network(int run)
{
	static char text[NETWORKD_TEXT];
	char name[NETWORKD_NAME];
	int fd = TRY("netlink", netlink_open()), r = 0;
	for (unsigned i = 0; !r && i < live_links->nlinks; i++) {
		const struct live_link *l = &live_links->link[i];
		step_subject = l->name;
		r = veth_begin_inside(fd, l->index, l->mac);
		for (unsigned k = 0; !r && k < l->naddresses; k++)
			r = veth_add_address(fd, l->index, &l->address[k], RT_SCOPE_UNIVERSE);
		for (unsigned k = 0; !r && k < l->ngateways; k++)
			r = veth_add_route(fd, l->index, NULL, &l->gateway[k]);
		if (r)
			break;
		networkd_name(l->name, name);
		networkd_text(l->name, l->address, l->naddresses, l->gateway, l->ngateways, text);
		r = run_file(run, name, text);
	}
	close(fd);
	return r;
}
