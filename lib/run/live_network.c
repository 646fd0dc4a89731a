/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces of a VE that runs. In this order, so that nothing passes unfiltered and a vectl that is killed anywhere
 * leaves what the next change, or the end of the VE, puts right:
 *   1. RUN/net, the undo record, has the interfaces as they were and as they are to be, which says as well that a
 *      change is under way;
 *   2. RUN/ve.json says the new values;
 *   3. the firewall goes from the ones to the others in one transaction: of a link that is still to come, too, and a
 *      link that it does not know any more is closed;
 *   4. links are made and changed, on the host's side and in the VE, by netlink alone: no process of the VE's is asked;
 *   5. RUN/live has them for the boots that follow (lib/plan/live_links.h);
 *   6. RUN/net has them as they are.
 * All of 3 and 4 can be done again when it is done in part.
 */
#include "lib/run/live_network.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/bridge.h"
#include "lib/net/firewall.h"
#include "lib/net/macvlan.h"
#include "lib/net/netlink.h"
#include "lib/net/proxy.h"
#include "lib/net/rate.h"
#include "lib/net/rtnl.h"
#include "lib/plan/live_links.h"
#include "lib/run/hosts.h"
#include "lib/run/live.h"
#include "lib/run/network.h"

static const char tried[] = "set";
enum { BOOTS_MAX = 5 /* that may begin while we change something */, MTU_USUAL = 1500, RECORD_MAX = 1 << 20 };

struct net_list {
	struct net_interface *i;
	size_t n;
};

struct net_change {
	struct ve *ve;
	int dir, live;
	struct net_list was, want; /* was: an interface may be there twice, when a change was cut short */
	struct net_own own;
	int host, inside, netns;           /* netlink sockets; the VE's network namespace */
	uint32_t peer[NET_INTERFACES_MAX]; /* of each of `want` */
	int unsure;                        /* any of what the interfaces were and are to be may be there or not */
	int again; /* another boot has begun: a link that was made may have gone with the last */
	struct error *e;
};

static void close_change(struct net_change *c)
{
	free(c->was.i);
	free(c->want.i);
	close_fd_p(&c->dir);
	close_fd_p(&c->live);
	close_fd_p(&c->host);
	close_fd_p(&c->inside);
	close_fd_p(&c->netns);
}

/* In builds for the kill tests: VECTL_FAULT=interfaces:N dies at the N-th of these points. */
static void fault_point(unsigned n)
{
#if VE_FAULTS
	const char *v = getenv("VECTL_FAULT");
	if (v && !strncmp(v, "interfaces:", 11) && strtoul(v + 11, NULL, 10) == n)
		raise(SIGKILL);
#else
	(void)n;
#endif
}

/* ---- what is to be */

static int same_text(const struct spec *a, const struct spec *b, const char *path)
{
	cleanup_free char *one = spec_is_set(a, path) ? spec_text(a, path) : NULL,
			  *other = spec_is_set(b, path) ? spec_text(b, path) : NULL;
	return one && other ? !strcmp(one, other) : one == other;
}

static size_t interface_of(const char *path, char name[IF_NAMESIZE])
{
	size_t n = strncmp(path, "net.", 4) ? 0 : strcspn(path + 4, ".");
	if (n >= IF_NAMESIZE)
		n = 0;
	snprintf(name, IF_NAMESIZE, "%.*s", (int)n, n ? path + 4 : "");
	return n;
}

struct looking {
	const char *name;
};

static int is_of(const char *path, const char *text, void *arg)
{
	char name[IF_NAMESIZE];
	return interface_of(path, name) && !strcmp(name, ((const struct looking *)arg)->name);
}

static int has_interface(const struct spec *s, const char *name)
{
	struct looking l = {name};
	return spec_each(s, is_of, &l) != 0;
}

/* Of an interface that is there. */
static int has_to_wait(const struct spec *running, const struct spec *to, const char *name)
{
	static const char *const fixed[] = {"type", "link", "mac", "vlan"};
	char key[48];
	if (!has_interface(running, name) || !has_interface(to, name))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		FORMAT(key, "net.%s.%s", name, fixed[i]);
		if (!same_text(running, to, key))
			return 1;
	}
	return 0;
}

struct merging {
	const struct spec *running, *to;
	struct spec *next;
	struct error *e;
};

static int drop_key(const char *path, const char *text, void *arg)
{
	struct merging *m = arg;
	char name[IF_NAMESIZE];
	if (!interface_of(path, name) || has_to_wait(m->running, m->to, name))
		return 0;
	return spec_unset(m->next, path, m->e);
}

static int copy_key(const char *path, const char *text, void *arg)
{
	struct merging *m = arg;
	char name[IF_NAMESIZE];
	if (!interface_of(path, name) || has_to_wait(m->running, m->to, name))
		return 0;
	return spec_put(m->next, path, text, m->e);
}

/* What the VE runs with after the change. 1: none of net.* can be changed now. */
static int merge(const struct spec *running, const struct spec *to, struct spec **ret, struct error *e)
{
	cleanup_free char *text = NULL;
	cleanup_spec struct spec *next = NULL;
	struct error ignored = {0};
	int r;
	if (!same_text(running, to, "network"))
		return 1;
	if ((r = spec_write(running, &text, e)) ||
		(r = spec_parse(text, strlen(text), "what the VE runs with", &next, e)))
		return r;
	struct merging m = {running, to, next, e};
	if ((r = spec_each(running, drop_key, &m)) || (r = spec_each(to, copy_key, &m)))
		return r;
	/* What waits and what does not may not go together, such as an address that changes its interface. */
	if (spec_check(next, &ignored))
		return 1;
	*ret = TAKE_PTR(next);
	return 0;
}

static const struct net_interface *find(const struct net_list *l, const char *name, int nth)
{
	for (size_t k = 0; k < l->n; k++)
		if (!strcmp(l->i[k].name, name) && !nth--)
			return &l->i[k];
	return NULL;
}

static int read_was(struct net_change *c)
{
	cleanup_free char *text = NULL;
	int r = read_file_at(c->dir, FIREWALL_RECORD, RECORD_MAX, &text, NULL);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = firewall_parse(text, &c->was.i);
	if (r < 0)
		return error_sys(c->e, -r, tried, FIREWALL_RECORD);
	c->unsure = !strncmp(text, FIREWALL_CHANGING, strlen(FIREWALL_CHANGING));
	c->was.n = (size_t)r;
	return 0;
}

/* Of an address that it has already the host's routes say nothing but that. */
static void keep_uplinks(const struct net_change *c, struct net_interface *want)
{
	char name[IF_NAMESIZE];
	for (unsigned k = 0; want->type == NET_ROUTED && k < want->naddresses; k++)
		for (size_t m = 0; m < c->was.n && !want->uplink[k].index; m++)
			for (unsigned j = 0; j < c->was.i[m].naddresses; j++)
				/* A device that has gone has taken its entries with it. */
				if (net_address_same(&c->was.i[m].address[j], &want->address[k]) &&
					if_indextoname(c->was.i[m].uplink[j].index, name))
					want->uplink[k] = c->was.i[m].uplink[j];
}

static int read_want(struct net_change *c, const struct spec *next)
{
	cleanup_network struct network n = {0};
	int r = network_of(c->ve, next, 1, &n, c->e);
	if (r)
		return r;
	for (size_t k = 0; k < n.n; k++) {
		const struct net_interface *was = find(&c->was, n.interfaces[k].name, 0);
		if (was)
			FORMAT(n.interfaces[k].host, "%s", was->host);
		keep_uplinks(c, &n.interfaces[k]);
	}
	c->want = (struct net_list){TAKE_PTR(n.interfaces), n.n};
	c->own = n.own;
	/* Also for a VE that loses its last interface: the tables stay as they are made. */
	return n.n ? 0 : net_own(c->ve->host, &c->own, c->e);
}

/* ---- records */

static int write_net(const struct net_change *c, const struct net_list *one, const struct net_list *other)
{
	cleanup_free char *a = NULL, *b = NULL, *both = NULL;
	int r = firewall_record(one->i, one->n, &a);
	if (r >= 0 && other)
		r = firewall_record(other->i, other->n, &b);
	if (r >= 0 && asprintf(&both, "%s%s%s", other ? FIREWALL_CHANGING : "", a, b ?: "") < 0)
		r = -ENOMEM;
	/* Without an interface there is nothing to be undone, so its names go first. */
	if (r >= 0 && !*both) {
		hosts_forget(c->ve);
		r = unlinkat(c->dir, FIREWALL_RECORD, 0) && errno != ENOENT ? -errno : 0;
	} else if (r >= 0)
		r = write_file_atomic_at(c->dir, FIREWALL_RECORD, both, strlen(both), 0600);
	if (r < 0)
		return error_sys(c->e, -r, tried, FIREWALL_RECORD);
	if (!other)
		hosts_write(c->ve, one->i, one->n);
	return 0;
}

static int write_running(const struct net_change *c, const struct spec *s)
{
	cleanup_free char *text = NULL;
	int r = spec_write(s, &text, c->e);
	if (r)
		return r;
	r = write_file_atomic_at(c->dir, "ve.json", text, strlen(text), 0600);
	return r < 0 ? error_sys(c->e, -r, tried, "ve.json") : 0;
}

static int write_live(const struct net_change *c)
{
	cleanup_free struct live_links *l = calloc(1, sizeof *l);
	if (!l)
		return error_sys(c->e, ENOMEM, tried, "memory");
	uint64_t sequence[2] = {live_links_sequence(c->live, 0), live_links_sequence(c->live, 1)};
	l->magic = LIVE_LINKS_MAGIC;
	l->sequence = (sequence[0] > sequence[1] ? sequence[0] : sequence[1]) + 1;
	l->nlinks = (uint32_t)c->want.n;
	for (size_t k = 0; k < c->want.n; k++) {
		const struct net_interface *i = &c->want.i[k];
		struct live_link *to = &l->link[k];
		FORMAT(to->name, "%s", i->name);
		memcpy(to->mac, i->mac, sizeof to->mac);
		to->index = c->peer[k];
		for (; to->naddresses < i->naddresses; to->naddresses++)
			net_ip(&i->address[to->naddresses], &to->address[to->naddresses]);
		for (; to->ngateways < i->ngateways; to->ngateways++)
			net_ip(&i->gateway[to->ngateways], &to->gateway[to->ngateways]);
	}
	l->sum = live_links_sum(l);
	/* In turn, so that one that is whole stays. */
	const off_t at = LIVE_LINKS_AT + (off_t)(l->sequence & 1) * LIVE_LINKS_SLOT;
	ssize_t n = pwrite(c->live, l, sizeof *l, at);
	return n == sizeof *l ? 0 : error_sys(c->e, n < 0 ? errno : ENOSPC, tried, "live");
}

/* ---- links */

static int failed(const struct net_change *c, const struct net_interface *i, int r, const char *what)
{
	if (r == -EEXIST)
		return error_set(c->e, VE_E_BUSY, EEXIST, tried, "rename that one inside, or choose another name",
			"net.%s: the VE has made an interface of that name itself", i->name);
	if (r == -ENODEV)
		return error_set(c->e, VE_E_STATE, ENODEV, tried, "restart the VE, or have it put back inside",
			"net.%s: the VE has moved that interface away", i->name);
	return error_set(c->e, VE_E_FAILED, -r, tried, "nothing was changed; set it while the VE is stopped",
		"net.%s: %s: %s", i->name, what, strerror(-r));
}

static int has_address(const struct net_address *list, unsigned n, const struct net_address *a)
{
	for (unsigned k = 0; k < n; k++)
		if (net_address_same(&list[k], a) && list[k].prefix == a->prefix)
			return 1;
	return 0;
}

/* The host's place for it: a bridge, or that it forwards. */
static int prepare_host(const struct net_change *c, const struct net_interface *i)
{
	char text[2][NET_ADDRESS_TEXT];
	const char *list[3] = {0};
	if (i->type == NET_ROUTED) {
		int ipv6 = 0;
		for (unsigned k = 0; k < i->naddresses; k++)
			ipv6 |= i->address[k].family == AF_INET6;
		return net_forwarding(ipv6, c->e);
	}
	if (!i->managed)
		return net_bridge_check(i->link, i->vlan, c->e);
	net_address_text(&c->own.ipv4, 1, text[0]);
	list[0] = text[0];
	if (c->own.ipv6.family) {
		net_address_text(&c->own.ipv6, 1, text[1]);
		list[1] = text[1];
	}
	return net_bridge_make(i->link, list, c->e);
}

static int make(struct net_change *c, const struct net_interface *i, uint32_t *ret_index, uint32_t *ret_peer)
{
	struct veth v = {.host = i->host,
		.name = i->name,
		.mtu = i->mtu,
		.netns = c->netns,
		.vlan = i->vlan,
		.filtered = i->type == NET_BRIDGE && i->filter & NET_FILTER_MAC,
		.loopback = i->type == NET_ROUTED && i->nports};
	uint32_t unused;
	int r = prepare_host(c, i);
	if (r)
		return r;
	memcpy(v.mac, i->mac, sizeof v.mac);
	if (i->type == NET_BRIDGE && (r = netlink_find_link(c->host, i->link, &v.master, &unused)))
		return failed(c, i, r == -ENODEV ? -ENOENT : r, i->link);
	r = veth_make(c->host, &v, ret_index, ret_peer);
	if (!r)
		r = veth_begin_inside(c->inside, *ret_peer, i->mac);
	return r ? failed(c, i, r, "make the link") : 0;
}

/* Of what one has that is to be no more: those that another interface has from now on are its. */
static int drop_proxies(const struct net_change *c, const struct net_interface *was)
{
	int r = 0;
	for (unsigned k = 0; k < was->naddresses && !r; k++) {
		int wanted = !was->uplink[k].index;
		for (size_t m = 0; m < c->want.n; m++)
			for (unsigned j = 0; j < c->want.i[m].naddresses; j++)
				wanted |= c->want.i[m].uplink[j].index == was->uplink[k].index &&
					  net_address_same(&c->want.i[m].address[j], &was->address[k]);
		if (!wanted)
			r = proxy_drop(&was->address[k], &was->uplink[k], c->e);
	}
	return r;
}

/* The address of the host's end that a routed VE's default route leads to. */
static void next_hop(const struct net_address *gateway, struct veth_ip *ret)
{
	net_ip(gateway, ret);
	if (net_address_is_link_local(gateway) && gateway->family == AF_INET6)
		ret->prefix = 64;
}

static int route_host(
	const struct net_change *c, const struct net_interface *was, const struct net_interface *want, uint32_t index)
{
	struct veth_ip ip;
	int r = 0;
	for (unsigned k = 0; !r && k < want->ngateways; k++) {
		next_hop(&want->gateway[k], &ip);
		r = veth_add_address(c->host, index, &ip, RT_SCOPE_LINK);
	}
	for (unsigned k = 0; !r && k < want->naddresses; k++) {
		net_ip(&want->address[k], &ip);
		ip.prefix = ip.size * 8;
		r = veth_add_host_route(c->host, index, &ip);
	}
	for (unsigned k = 0; was && !r && k < was->naddresses; k++) {
		net_ip(&was->address[k], &ip);
		ip.prefix = ip.size * 8;
		if (!has_address(want->address, want->naddresses, &was->address[k]))
			r = veth_drop_host_route(c->host, index, &ip);
	}
	for (unsigned k = 0; was && !r && k < was->ngateways; k++) {
		next_hop(&was->gateway[k], &ip);
		if (!has_address(want->gateway, want->ngateways, &was->gateway[k]))
			r = veth_drop_address(c->host, index, &ip);
	}
	return r;
}

/*
 * First what comes, then what goes: the VE is never without an address. With the first of a network the kernel takes
 * the others of it away, and with the last one all routes, so those are given again.
 */
static int give_addresses(
	const struct net_change *c, const struct net_interface *was, const struct net_interface *want, uint32_t peer)
{
	struct veth_ip ip;
	int r = 0, gone = 0;
	for (int turn = 0; !r && turn < 2; turn++) {
		for (unsigned k = 0; !r && k < want->naddresses; k++) {
			net_ip(&want->address[k], &ip);
			if (turn ? gone
				 : c->unsure || !was || !has_address(was->address, was->naddresses, &want->address[k]))
				r = veth_add_address(c->inside, peer, &ip, RT_SCOPE_UNIVERSE);
		}
		for (unsigned k = 0; !turn && was && !r && k < was->naddresses; k++) {
			if (has_address(want->address, want->naddresses, &was->address[k]))
				continue;
			net_ip(&was->address[k], &ip);
			r = veth_drop_address(c->inside, peer, &ip);
			gone = 1;
		}
	}
	for (unsigned k = 0; !r && k < want->ngateways; k++) {
		net_ip(&want->gateway[k], &ip);
		if (gone || c->unsure || !was || !has_address(was->gateway, was->ngateways, &want->gateway[k]))
			r = veth_add_route(c->inside, peer, NULL, &ip);
	}
	for (unsigned k = 0; was && !r && k < was->ngateways; k++) {
		net_ip(&was->gateway[k], &ip);
		if (!has_address(want->gateway, want->ngateways, &was->gateway[k]))
			r = veth_drop_route(c->inside, peer, NULL, &ip);
	}
	return r;
}

/* Of one that was there: one that was made is as it is to be. */
static int change_link(const struct net_change *c, const struct net_interface *was, const struct net_interface *want,
	uint32_t index, uint32_t peer)
{
	const int filtered = (want->filter & NET_FILTER_MAC) != 0;
	const uint32_t mtu = want->mtu ?: MTU_USUAL;
	int r = 0;
	if ((c->unsure || (was->mtu ?: MTU_USUAL) != mtu) && !(r = veth_set_mtu(c->host, index, mtu)))
		r = veth_set_mtu(c->inside, peer, mtu);
	if (!r && want->type == NET_BRIDGE && (c->unsure || filtered != ((was->filter & NET_FILTER_MAC) != 0)))
		r = veth_set_filtered(c->host, index, want->mac, filtered);
	if (!r && want->type == NET_ROUTED && (c->unsure || !want->nports != !was->nports))
		r = veth_set_loopback(c->host, index, want->nports > 0);
	return r;
}

static int change_rates(
	const struct net_change *c, const struct net_interface *was, const struct net_interface *want, uint32_t index)
{
	const int all = c->unsure || (was && was->mtu != want->mtu);
	char link[IF_NAMESIZE];
	int r = 0;
	rate_link_name(want->host, link);
	if (want->rate_in != (was ? was->rate_in : 0) || all)
		r = rate_to_ve(c->host, index, want->rate_in, want->mtu);
	if (!r && (want->rate_out != (was ? was->rate_out : 0) || all))
		r = rate_from_ve(c->host, index, link, want->rate_out, want->mtu);
	return r;
}

static int make_macvlan(
	const struct net_change *c, const struct net_interface *i, const struct rtnl_link *parent, uint32_t index)
{
	struct macvlan m = {.name = i->name, .parent = parent->index, .index = index, .mtu = i->mtu, .netns = c->netns};
	memcpy(m.mac, i->mac, sizeof m.mac);
	int r = macvlan_make(c->host, &m), op = r ? OP_MACVLAN : OP_LINK_UP;
	if (!r && (r = veth_begin_inside(c->inside, index, i->mac)))
		macvlan_delete(c->inside, index);
	const char *remedy = r ? start_remedy(op, -r) : NULL;
	if (remedy)
		return error_set(c->e, VE_E_HOST, -r, tried, remedy, "net.%s: a macvlan on %s: %s", i->name, i->link,
			strerror(-r));
	return r ? failed(c, i, r, "make the link") : 0;
}

/* As change_one. Whether it is there the VE's namespace alone can say. */
static int change_macvlan(const struct net_change *c, const struct net_interface *was, const struct net_interface *want,
	uint32_t *ret_peer)
{
	const uint32_t index = macvlan_index(want->host);
	struct rtnl_link parent;
	int r = macvlan_look(c->inside, index);
	*ret_peer = index;
	if (r && r != -ENODEV)
		return failed(c, want, r, "look for the link");
	if (!was && !r && (r = macvlan_delete(c->inside, index))) /* of a turn before, or of a boot since */
		return failed(c, want, r, "make the link anew");
	if (!was)
		r = -ENODEV;
	if (was && !r && !c->unsure && !memcmp(was, want, sizeof *was))
		return 0;
	if (r)
		was = NULL;
	if ((!was || c->unsure || was->mtu != want->mtu) &&
		(r = net_parent(c->ve->host, want->link, want->mtu, &parent, c->e)))
		return r;
	if (!was && (r = make_macvlan(c, want, &parent, index)))
		return r;
	if (was && (c->unsure || was->mtu != want->mtu) &&
		(r = veth_set_mtu(c->inside, index, want->mtu ?: parent.mtu)))
		return failed(c, want, r, "change the link");
	r = give_addresses(c, was, want, index);
	return r ? failed(c, want, r, "give it its addresses") : 0;
}

/* The last that is done to a link that is made: one that is not was left by who was killed over it. */
static int is_up(const char *name)
{
	struct ifreq f = {0};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(f.ifr_name, sizeof f.ifr_name, "%s", name);
	return fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &f) && f.ifr_flags & IFF_UP;
}

/* From one that may have been there (NULL: it was not). */
static int change_one(
	struct net_change *c, const struct net_interface *was, const struct net_interface *want, uint32_t *ret_peer)
{
	const struct net_interface *had =
		was; /* what the host answers for, also where the guest has deleted the link */
	uint32_t index;
	int r;
	if (want->type == NET_MACVLAN)
		return change_macvlan(c, was, want, ret_peer);
	if (!was && c->again && (r = net_link_delete(want->host)) < 0)
		return failed(c, want, r, "make the link anew");
	r = netlink_find_link(c->host, want->host, &index, ret_peer);
	if (r && r != -ENODEV)
		return failed(c, want, r, want->host);
	if (!r && c->unsure && !is_up(want->host)) {
		if ((r = net_link_delete(want->host)) < 0)
			return failed(c, want, r, "make the link anew");
		r = -ENODEV;
	}
	if (was && !r && !c->unsure && !memcmp(was, want, sizeof *was))
		return 0;
	if (r) {
		was = NULL;
		if ((r = make(c, want, &index, ret_peer)))
			return r;
	}
	if (was && (r = change_link(c, was, want, index, *ret_peer)))
		return failed(c, want, r, "change the link");
	if ((r = change_rates(c, was, want, index)))
		return r == -ENOENT || r == -EOPNOTSUPP
			       ? error_set(c->e, VE_E_HOST, -r, tried, "modprobe sch_tbf, cls_u32, act_mirred and ifb",
					 "net.%s: this kernel lacks what limits a rate", want->name)
			       : failed(c, want, r, "limit the rate");
	if (want->type == NET_ROUTED && (r = route_host(c, was, want, index)))
		return failed(c, want, r, "route to its addresses");
	for (unsigned k = 0; k < want->naddresses; k++)
		if (want->uplink[k].index && (r = proxy_add(&want->address[k], &want->uplink[k], c->e)))
			return r;
	if (had && (r = drop_proxies(c, had)))
		return r;
	r = give_addresses(c, was, want, *ret_peer);
	return r ? failed(c, want, r, "give it its addresses") : 0;
}

static int remove_one(const struct net_change *c, const struct net_interface *was)
{
	char link[IF_NAMESIZE];
	if (was->type == NET_MACVLAN) {
		int gone = macvlan_delete(c->inside, macvlan_index(was->host));
		return gone ? failed(c, was, gone, "remove the link") : 0;
	}
	rate_link_name(was->host, link);
	int r = net_link_delete(was->host);
	if (r >= 0)
		r = net_link_delete(link);
	return r < 0 ? failed(c, was, r, "remove the link") : drop_proxies(c, was);
}

static int has_host(const struct net_list *l, const char *host)
{
	for (size_t k = 0; k < l->n; k++)
		if (!strcmp(l->i[k].host, host))
			return 1;
	return 0;
}

static int change_links(struct net_change *c)
{
	int r = 0;
	for (size_t k = 0; !r && k < c->want.n; k++) {
		const struct net_interface *want = &c->want.i[k], *was = find(&c->was, want->name, 0), *more;
		r = change_one(c, was, want, &c->peer[k]);
		/* A change that was cut short: from each state that it may be in. */
		for (int nth = 1; !r && (more = find(&c->was, want->name, nth)); nth++)
			r = change_one(c, more, want, &c->peer[k]);
	}
	for (size_t k = 0; !r && k < c->was.n; k++)
		if (!has_host(&c->want, c->was.i[k].host))
			r = remove_one(c, &c->was.i[k]);
	return r;
}

/* ---- the VE's namespace */

/* As in lib/net/links.c: a thread of its own goes there, and its socket stays there. */
struct visit {
	int netns, fd;
};

static void *visit_main(void *arg)
{
	struct visit *v = arg;
	v->fd = setns(v->netns, CLONE_NEWNET) ? -1 : netlink_open();
	return NULL;
}

static int open_namespace(struct net_change *c, const struct runtime *rt)
{
	char path[64];
	pthread_t t;
	cleanup_fd int init = runtime_open_init(c->ve, rt, c->e);
	if (init < 0)
		return init;
	FORMAT(path, "/proc/%d/ns/net", rt->init);
	close_fd_p(&c->netns);
	close_fd_p(&c->inside);
	c->netns = open(path, O_RDONLY | O_CLOEXEC);
	/* Its number was its own only if it is there still. */
	if (c->netns < 0 || syscall(SYS_pidfd_send_signal, init, 0, NULL, 0))
		return -ESRCH;
	struct visit v = {.netns = c->netns, .fd = -1};
	int r = pthread_create(&t, NULL, visit_main, &v);
	if (r)
		return error_sys(c->e, r, tried, "thread");
	pthread_join(t, NULL);
	c->inside = v.fd;
	return v.fd < 0 ? error_sys(c->e, EIO, tried, "the VE's network namespace") : 0;
}

/* 1: it has ended meanwhile, and all of it is for the next start. */
static int change_boots(struct net_change *c)
{
	struct runtime rt, after;
	int r = runtime_read(c->ve->host, c->ve->name, &rt, c->e);
	for (int i = 0; !r && i < BOOTS_MAX; i++) {
		if ((r = settle(c->ve, &rt, c->e)))
			return r;
		if (!rt.alive)
			return 1;
		struct error first = *c->e;
		if (!rt.init || (r = open_namespace(c, &rt)) == -ESRCH)
			r = 0;
		else if (!r)
			r = change_links(c);
		fault_point(4);
		if (!r && (r = write_live(c)))
			return r;
		struct error ignored = {0};
		int looked =
			runtime_read(c->ve->host, c->ve->name, &after, &ignored) ?: settle(c->ve, &after, &ignored);
		if (!looked && !after.alive)
			return 1;
		if (!looked && after.boot == rt.boot && after.init == rt.init && rt.init)
			return r;
		/* Whatever failed did so because that boot ended. */
		r = 0;
		*c->e = first;
		c->again = c->unsure = 1;
		rt = after;
	}
	return r ? r
		 : error_set(c->e, VE_E_BUSY, EAGAIN, tried, "try again when it does not reboot all the time",
			   "the VE rebooted while it was changed");
}

/* ---- all */

static int go(struct net_change *c)
{
	/* Of an interface that may go. One that may come back under the name of the same end counts from 0 then. */
	network_save_traffic(c->ve, c->was.i, c->was.n, 1);
	if (c->unsure)
		network_save_traffic(c->ve, c->want.i, c->want.n, 1);
	int r = firewall_change(c->ve->host, c->was.i, c->was.n, c->want.i, c->want.n, c->e);
	fault_point(3);
	if (!r)
		r = change_boots(c);
	/* The bridges are there by now. */
	for (size_t k = 0; !r && k < c->want.n; k++)
		if (c->want.i[k].managed && c->want.i[k].nports)
			r = net_loopback_out(c->want.i[k].link, c->e);
	return r;
}

static void go_back(struct net_change *c, const struct spec *running)
{
	struct error ignored = {0}, *e = c->e;
	struct net_list was = c->was;
	c->e = &ignored;
	c->was = c->want;
	c->want = was;
	c->again = 0;
	c->unsure = 1;
	/* Where not even that can be done the record of both stays, and the next change goes on from there. */
	if (go(c) >= 0 && !write_running(c, running))
		write_net(c, &c->want, NULL);
	c->e = e;
}

int live_network(struct ve *ve, const struct spec *to, struct error *e)
{
	__attribute__((cleanup(close_change))) struct net_change c = {
		.ve = ve, .dir = -1, .live = -1, .host = -1, .inside = -1, .netns = -1, .e = e};
	cleanup_spec struct spec *running = NULL, *next = NULL;
	int r;
	c.dir = runtime_open_dir(ve->host, ve->name);
	c.live = c.dir < 0 ? -1 : openat(c.dir, "live", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	/* One that an earlier version started, or that ends. */
	if (c.live < 0 || live_spec(ve, &running))
		return 0;
	if ((r = read_was(&c)))
		return r;
	const int cut_short = c.unsure;
	if (net_same(running, to) && !cut_short)
		return 0;
	if ((r = merge(running, to, &next, e)))
		return r < 0 ? r : 0;
	if (net_same(running, next) && !cut_short)
		return 0;
	if ((r = read_want(&c, next)))
		return r;
	c.host = netlink_open();
	if (c.host < 0)
		return error_sys(e, errno, tried, "netlink");
	if ((r = firewall_ready(ve->host, &c.own, e)) || (r = write_net(&c, &c.was, &c.want)))
		return r;
	fault_point(1);
	r = write_running(&c, next);
	fault_point(2);
	if (!r)
		r = go(&c);
	fault_point(5);
	if (r < 0) {
		go_back(&c, running);
		return r;
	}
	/* Of a VE that has ended the record of both is what undoes it. */
	return r ? 0 : write_net(&c, &c.want, NULL);
}
