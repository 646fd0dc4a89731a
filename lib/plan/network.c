/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net.*: the pair of each interface is made by the keeper with its other end in the VE's network namespace from the
 * start; nothing is moved. What the VE may send is let through before that, by the names of the host's ends: what the
 * firewall does not know it drops. A macvlan has no such end, and nothing of the firewall's.
 */
#include <string.h>

#include "lib/base/util.h"
#include "lib/net/macvlan.h"
#include "lib/net/networkd.h"
#include "lib/net/rate.h"
#include "lib/net/resolver.h"
#include "lib/plan/build.h"

/* Also where there is no interface yet: one may come while the VE runs, and stay over a reboot. */
int plan_has_links(const struct builder *b)
{
	return !strcmp(spec_string(b->in->spec, "network"), "private");
}

/* It has the host's network namespace, over which its root has no say. */
int plan_shares_network(const struct builder *b)
{
	return !strcmp(spec_string(b->in->spec, "network"), "host");
}

static void bridge(struct builder *b, const struct net_interface *i)
{
	const struct net_own *own = i->managed ? b->in->own : NULL;
	char text[2][NET_ADDRESS_TEXT];
	const char *list[3] = {0};
	struct plan_step *s = plan_add(b, OP_BRIDGE);
	plan_set_text(b, s, 0, "%s", i->link);
	s->n[0] = own != NULL;
	s->n[1] = i->vlan;
	if (!own)
		return;
	net_address_text(&own->ipv4, 1, text[0]);
	list[0] = text[0];
	if (own->ipv6.family) {
		net_address_text(&own->ipv6, 1, text[1]);
		list[1] = text[1];
	}
	plan_set_list(b, s, 1, list);
}

static void parent(struct builder *b, const struct net_interface *i)
{
	struct plan_step *s = plan_add(b, OP_PARENT);
	plan_set_text(b, s, 0, "%s", i->link);
	s->n[0] = i->mtu;
}

/* Behind the step FIREWALL, which writes down what is to be undone. */
static void proxies(struct builder *b, const struct net_interface *i)
{
	char text[NET_ADDRESS_TEXT];
	for (unsigned k = 0; k < i->naddresses; k++) {
		if (!i->uplink[k].index)
			continue;
		struct plan_step *s = plan_add(b, OP_PROXY);
		net_address_text(&i->address[k], 0, text);
		plan_set_text(b, s, 0, "%s", text);
		plan_set_text(b, s, 1, "%s", i->uplink[k].name);
		s->n[0] = i->uplink[k].index;
	}
}

void plan_network_host(struct builder *b)
{
	const char *links[NET_INTERFACES_MAX + 1] = {0};
	size_t n = 0;
	int routed = 0;
	for (size_t k = 0; k < b->in->ninterfaces; k++) {
		const struct net_interface *i = &b->in->interfaces[k];
		int seen = 0;
		routed |= i->type == NET_ROUTED;
		if (i->type == NET_MACVLAN) {
			parent(b, i);
			continue;
		}
		links[n++] = i->host;
		for (size_t j = 0; j < k; j++)
			seen |= b->in->interfaces[j].type == i->type && !b->in->interfaces[j].vlan == !i->vlan &&
				!strcmp(b->in->interfaces[j].link, i->link);
		if (i->type == NET_BRIDGE && !seen)
			bridge(b, i);
	}
	if (routed)
		plan_add(b, OP_FORWARDING);
	if (b->in->ninterfaces)
		plan_set_list(b, plan_add(b, OP_FIREWALL), 0, links);
	for (size_t k = 0; k < b->in->ninterfaces; k++)
		proxies(b, &b->in->interfaces[k]);
}

static int64_t mac_number(const unsigned char mac[6])
{
	int64_t n = 0;
	for (int i = 0; i < 6; i++)
		n = n << 8 | mac[i];
	return n;
}

static void rate(struct builder *b, const struct net_interface *i)
{
	char name[IF_NAMESIZE];
	if (!i->rate_in && !i->rate_out)
		return;
	struct plan_step *s = plan_add(b, OP_LINK_RATE);
	rate_link_name(i->host, name);
	plan_set_text(b, s, 0, "%s", i->host);
	plan_set_text(b, s, 1, "%s", name);
	s->n[0] = (int64_t)i->rate_in;
	s->n[1] = (int64_t)i->rate_out;
	s->n[2] = i->mtu;
}

static void host_end(struct builder *b, const struct net_interface *i, enum plan_op op, const char *address)
{
	struct plan_step *s = plan_add(b, op);
	plan_set_text(b, s, 0, "%s", i->host);
	plan_set_text(b, s, 1, "%s", address);
}

static void routed(struct builder *b, const struct net_interface *i)
{
	char text[NET_ADDRESS_TEXT];
	/* The next hop, the same for all of them. With its network where it is link-local: answers go that way. */
	for (unsigned k = 0; k < i->ngateways; k++) {
		struct net_address a = i->gateway[k];
		if (a.family == AF_INET6 && a.byte[0] == 0xfe && (a.byte[1] & 0xc0) == 0x80)
			a.prefix = 64;
		net_address_text(&a, 1, text);
		host_end(b, i, OP_LINK_ADDRESS, text);
	}
	for (unsigned k = 0; k < i->naddresses; k++) {
		net_address_text(&i->address[k], 0, text);
		host_end(b, i, OP_LINK_ROUTE, text);
	}
}

static void macvlan(struct builder *b, const struct net_interface *i)
{
	struct plan_step *s = plan_add(b, OP_MACVLAN);
	plan_set_text(b, s, 0, "%s", i->link);
	plan_set_text(b, s, 1, "%s", i->name);
	s->n[0] = i->mtu;
	s->n[1] = mac_number(i->mac);
	s->n[2] = macvlan_index(i->host);
}

void plan_links(struct builder *b)
{
	if (plan_has_links(b) && spec_integer(b->in->spec, "privileged", 0))
		plan_add(b, OP_NETWORK_NAMESPACE);
	for (size_t k = 0; k < b->in->ninterfaces; k++) {
		const struct net_interface *i = &b->in->interfaces[k];
		if (i->type == NET_MACVLAN) {
			macvlan(b, i);
			continue;
		}
		struct plan_step *s = plan_add(b, OP_LINK);
		plan_set_text(b, s, 0, "%s", i->host);
		plan_set_text(b, s, 1, "%s", i->name);
		plan_set_text(b, s, 2, "%s", i->type == NET_BRIDGE ? i->link : "");
		s->n[0] = i->mtu;
		s->n[1] = mac_number(i->mac);
		s->n[2] = (i->type == NET_BRIDGE ? LINK_BRIDGED : 0) |
			  (i->type == NET_BRIDGE && i->filter & NET_FILTER_MAC ? LINK_FILTERED : 0) |
			  (i->type == NET_ROUTED && i->nports ? LINK_LOOPBACK : 0) |
			  (i->vlan ? LINK_VLAN | (int64_t)i->vlan << LINK_VLAN_SHIFT : 0);
		rate(b, i);
		if (i->type == NET_ROUTED)
			routed(b, i);
	}
}

static void gateway(struct builder *b, const struct net_interface *i, const char *address)
{
	struct plan_step *s = plan_add(b, OP_ROUTE);
	plan_set_text(b, s, 0, "%s", i->name);
	plan_set_text(b, s, 1, "%s", address);
}

/* Each boot: what its init finds is there, whatever network service the guest has. */
void plan_network_inside(struct builder *b)
{
	char text[NET_ADDRESS_TEXT];
	for (size_t k = 0; k < b->in->ninterfaces; k++) {
		const struct net_interface *i = &b->in->interfaces[k];
		struct plan_step *s = plan_add(b, OP_LINK_UP);
		plan_set_text(b, s, 0, "%s", i->name);
		s->n[1] = mac_number(i->mac);
		for (unsigned j = 0; j < i->naddresses; j++) {
			s = plan_add(b, OP_ADDRESS);
			plan_set_text(b, s, 0, "%s", i->name);
			net_address_text(&i->address[j], 1, text);
			plan_set_text(b, s, 1, "%s", text);
		}
		for (unsigned j = 0; j < i->ngateways; j++) {
			net_address_text(&i->gateway[j], 0, text);
			gateway(b, i, text);
		}
	}
}

void plan_networkd(struct builder *b)
{
	for (size_t k = 0; k < b->in->ninterfaces; k++) {
		const struct net_interface *i = &b->in->interfaces[k];
		struct veth_ip address[NET_ADDRESSES_MAX], gateway[ARRAY_SIZE(i->gateway)];
		char name[NETWORKD_NAME], text[NETWORKD_TEXT];
		for (unsigned j = 0; j < i->naddresses; j++)
			net_ip(&i->address[j], &address[j]);
		for (unsigned j = 0; j < i->ngateways; j++)
			net_ip(&i->gateway[j], &gateway[j]);
		networkd_name(i->name, name);
		networkd_text(i->name, address, i->naddresses, gateway, i->ngateways, text);
		struct plan_step *s = plan_add(b, OP_RUN_FILE);
		plan_set_text(b, s, 0, "%s", name);
		plan_set_text(b, s, 1, "%s", text);
	}
	if (plan_has_links(b))
		plan_add(b, OP_LIVE_LINKS);
}

void plan_resolver(struct builder *b)
{
	if (!b->in->resolver) {
		if (b->in->ninterfaces || plan_shares_network(b))
			plan_note(b, "%s", NET_RESOLVER_NOTE);
		return;
	}
	struct plan_step *s = plan_add(b, OP_RESOLVER);
	plan_set_text(b, s, 0, "%s", NET_RESOLVER_MARK);
	plan_set_text(b, s, 1, "%s", b->in->resolver);
	if (strstr(b->in->resolver, "\n" NET_RESOLVER_CUT "\n"))
		plan_note(b, "%s", NET_RESOLVER_CUT_NOTE);
	s->n[0] = spec_is_set(b->in->spec, "dns.servers") || spec_is_set(b->in->spec, "dns.search");
	s->optional = 1;
}
