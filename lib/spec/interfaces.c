/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net.*: what its keys come to together, checked when they are set and used when a start is planned. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/util.h"
#include "lib/spec/interfaces.h"
#include "lib/spec/internal.h"

enum { KEY = 48 /* "net.IF.gateway" */, MTU_IPV6 = 1280 /* RFC 8200, 5 */ };

static void key_of(const struct net_wish *w, const char *last, char buf[KEY])
{
	snprintf(buf, KEY, "net.%s%s%s", w->i.name, *last ? "." : "", last);
}

static const char *family_name(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

static const char *family_key(int family)
{
	return family == AF_INET ? "ipv4" : "ipv6";
}

static int has_family(const struct net_wish *w, int family)
{
	unsigned i;

	if (family == AF_INET ? w->auto_ipv4 : w->auto_ipv6)
		return 1;
	for (i = 0; i < w->i.naddresses && w->i.address[i].family != family; i++)
		;
	return i < w->i.naddresses;
}

/* ---- addresses */

static int read_addresses(const struct spec *s, const struct place *at, struct net_wish *w, int family)
{
	char key[KEY], text[NET_ADDRESS_TEXT], remedy[160];
	const char *const *item;

	key_of(w, family_key(family), key);
	for (item = spec_list(s, key); item && *item; item++) {
		struct net_address *a = &w->i.address[w->i.naddresses];

		if (!strcmp(*item, "auto")) {
			*(family == AF_INET ? &w->auto_ipv4 : &w->auto_ipv6) = 1;
			continue;
		}
		if (w->i.naddresses == NET_ADDRESSES_MAX || net_address_parse(*item, a) < 0)
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "correct it", "%s: `%.64s`", key, *item);
		net_address_text(a, 1, text);
		if (net_address_is_network(a))
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "give it another one of that network",
				"%s: %s is the address of the network itself", key, text);
		if (net_address_is_broadcast(a))
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "give it another one of that network",
				"%s: %s is the broadcast address of its network", key, text);
		w->i.naddresses++;
	}
	if (!*w->i.link || !(family == AF_INET ? w->auto_ipv4 : w->auto_ipv6))
		return 0;
	snprintf(remedy, sizeof(remedy), "write addresses of that network, or unset %s first: vectl unset NAME %s", key,
		key);
	return spec_fail(at, key, VE_E_SPEC, EINVAL, remedy,
		"%s: auto is an address of vectl's own network, and net.%s.link is %s", key, w->i.name, w->i.link);
}

static int read_gateways(const struct spec *s, const struct place *at, struct net_wish *w)
{
	char key[KEY];
	const char *const *item;

	key_of(w, "gateway", key);
	for (item = spec_list(s, key); item && *item; item++) {
		struct net_address a;

		if (w->i.ngateways == ARRAY_SIZE(w->i.gateway) || net_address_parse(*item, &a) < 0)
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "correct it", "%s: `%.64s`", key, *item);
		if (w->i.ngateways && w->i.gateway[0].family == a.family)
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "take one of them away",
				"%s: two gateways for %s, where one is possible", key, family_name(a.family));
		w->i.gateway[w->i.ngateways++] = a;
	}
	return 0;
}

/* On the VE's link: in one of its networks, or where it has none that says otherwise. */
static int is_reachable(const struct net_wish *w, const struct net_address *gateway, int *ret_bad)
{
	int alone = 1; /* addresses without neighbours: the gateway is on the link all the same */
	unsigned i;

	*ret_bad = 0;
	for (i = 0; i < w->i.naddresses; i++) {
		const struct net_address *a = &w->i.address[i];
		struct net_address there = *gateway;

		if (a->family != gateway->family)
			continue;
		there.prefix = a->prefix;
		if (net_address_within(gateway, a)) {
			*ret_bad = net_address_same(gateway, a) || net_address_is_network(&there) ||
				   net_address_is_broadcast(&there);
			return 1;
		}
		alone &= a->prefix == net_address_bits(a);
	}
	if (gateway->family == AF_INET ? w->auto_ipv4 : w->auto_ipv6)
		return 1; /* looked at again when the network is known */
	return alone || w->i.type == NET_ROUTED || (gateway->family == AF_INET6 && net_address_is_link_local(gateway));
}

static int check_gateways(const struct place *at, const struct net_wish *w)
{
	char key[KEY], text[NET_ADDRESS_TEXT], remedy[128];
	unsigned i;
	int bad;

	key_of(w, "gateway", key);
	for (i = 0; i < w->i.ngateways; i++) {
		const struct net_address *g = &w->i.gateway[i];

		net_address_text(g, 0, text);
		if (!has_family(w, g->family)) {
			snprintf(remedy, sizeof(remedy), "set net.%s.%s too", w->i.name, family_key(g->family));
			return spec_fail(at, key, VE_E_SPEC, EINVAL, remedy,
				"%s: %s is of %s, and the interface has no address of that", key, text,
				family_name(g->family));
		}
		if (!is_reachable(w, g, &bad))
			return spec_fail(at, key, VE_E_SPEC, EINVAL,
				"name a router in one of them, or check the addresses' prefix lengths",
				"%s: %s is in none of the interface's networks", key, text);
		if (bad)
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "name the router's",
				"%s: %s is no router's address: it is the VE's own, the network's or the broadcast "
				"address",
				key, text);
	}
	return 0;
}

/* ---- ports */

/* The form is right: lib/spec/address.c has seen to it. */
static void parse_port(const char *text, struct net_port *ret)
{
	char address[NET_ADDRESS_TEXT];
	const char *p = text, *end = *p == '[' ? strchr(p, ']') : strchr(p, '.') ? strchr(p, ':') : NULL;

	*ret = (struct net_port){0};
	if (end) {
		p += *p == '[';
		snprintf(address, sizeof(address), "%.*s", (int)(end - p), p);
		net_address_parse(address, &ret->address);
		p = end + (*end == ']') + 1;
	}
	ret->first = ret->last = (uint16_t)strtoul(p, (char **)&p, 10);
	if (*p == '-')
		ret->last = (uint16_t)strtoul(p + 1, (char **)&p, 10);
	ret->to = (uint16_t)strtoul(p + 1, (char **)&p, 10);
	ret->udp = strstr(p, "/udp") != NULL;
}

static int overlap(const struct net_port *a, const struct net_port *b)
{
	return a->udp == b->udp && a->first <= b->last && b->first <= a->last &&
	       (!a->address.family || !b->address.family || net_address_same(&a->address, &b->address));
}

static int read_ports(
	const struct spec *s, const struct place *at, struct net_wish *w, const struct net_wish *before, size_t n)
{
	char key[KEY], remedy[128];
	const char *const *item;

	key_of(w, "ports", key);
	for (item = spec_list(s, key); item && *item; item++) {
		struct net_port p;

		if (w->i.nports == NET_PORTS_MAX)
			return spec_fail(at, key, VE_E_SPEC, E2BIG, "use ranges: 8000-8010:8000-8010",
				"%s: more than %d", key, NET_PORTS_MAX);
		parse_port(*item, &p);
		if (p.address.family ? !has_family(w, p.address.family)
				     : !has_family(w, AF_INET) && !has_family(w, AF_INET6)) {
			snprintf(remedy, sizeof(remedy), "set net.%s.%s too", w->i.name,
				family_key(p.address.family ? p.address.family : AF_INET));
			return spec_fail(at, key, VE_E_SPEC, EINVAL, remedy,
				"%s: `%.64s` goes to no address: the interface has %s%s%s", key, *item,
				p.address.family ? "no " : "none",
				p.address.family ? family_name(p.address.family) : "", p.address.family ? " one" : "");
		}
		for (size_t k = 0; k <= n; k++) {
			const struct net_wish *o = k < n ? &before[k] : w;

			for (unsigned i = 0; i < o->i.nports; i++)
				if (overlap(&p, &o->i.port[i]))
					return spec_fail(at, key, VE_E_SPEC, EEXIST, "publish it once",
						"%s: `%.64s` takes a port of the host's that net.%s.ports takes "
						"already",
						key, *item, o->i.name);
		}
		w->i.port[w->i.nports++] = p;
	}
	return 0;
}

/* ---- one interface */

static const struct {
	const char *word;
	unsigned bit;
} filters[] = {{"mac", NET_FILTER_MAC}, {"ipv4", NET_FILTER_IPV4}, {"ipv6", NET_FILTER_IPV6}, {"dhcp", NET_FILTER_DHCP},
	{"ra", NET_FILTER_RA}, {"off", 0}};

static int read_filter(const struct spec *s, const struct place *at, struct net_wish *w)
{
	const char *const *words, *const *item;
	char key[KEY];
	size_t i;

	key_of(w, "filter", key);
	words = spec_list(s, key);
	if (!words)
		w->i.filter = NET_FILTER_ALL;
	for (item = words; item && *item; item++) {
		for (i = 0; i < ARRAY_SIZE(filters); i++)
			if (!strcmp(filters[i].word, *item))
				w->i.filter |= filters[i].bit;
		if (!strcmp(*item, "off") && words[1])
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "write off alone, or leave it out",
				"%s: off is there beside others", key);
	}
	return 0;
}

static uint64_t read_rate(const struct spec *s, const struct net_wish *w, const char *last)
{
	char key[KEY];
	int64_t rate;

	key_of(w, last, key);
	rate = spec_integer(s, key, SPEC_MAX);
	return rate == SPEC_MAX ? 0 : (uint64_t)rate;
}

static int read_vlan(const struct spec *s, const struct place *at, struct net_wish *w)
{
	char key[KEY], remedy[128];

	key_of(w, "vlan", key);
	w->i.vlan = (unsigned)spec_integer(s, key, 0);
	if (!w->i.vlan || (w->i.type == NET_BRIDGE && *w->i.link))
		return 0;
	snprintf(
		remedy, sizeof(remedy), "name a bridge of the host's: net.%s.link=BRIDGE, or unset %s", w->i.name, key);
	return spec_fail(
		at, key, VE_E_SPEC, EINVAL, remedy, "%s: only a bridge of the host's has VLANs to choose from", key);
}

static const struct {
	const char *word;
	int type;
} types[] = {{"bridge", NET_BRIDGE}, {"routed", NET_ROUTED}, {"macvlan", NET_MACVLAN}};

/* It has no end on the host: what would be kept to there is refused, not left out. */
static int check_macvlan(const struct spec *s, const struct place *at, const struct net_wish *w)
{
	static const char *const on_host[] = {"ports", "rate_in", "rate_out"};
	char key[KEY], remedy[160];

	if (!*w->i.link) {
		key_of(w, "link", key);
		snprintf(remedy, sizeof(remedy), "set it too: %s=DEVICE; `ip link` shows those of the host", key);
		return spec_fail(at, key, VE_E_SPEC, EINVAL, remedy,
			"%s: not set, and an interface of type macvlan is on a device of the host's", key);
	}
	if (w->i.filter) {
		key_of(w, "filter", key);
		snprintf(remedy, sizeof(remedy),
			"set %s=off if the guest may send what it likes there, or use bridge or routed", key);
		return spec_fail(at, key, VE_E_SPEC, EOPNOTSUPP, remedy,
			"%s: a macvlan has no end on the host, so nothing keeps its guest from taking others' "
			"addresses",
			key);
	}
	for (size_t i = 0; i < ARRAY_SIZE(on_host); i++) {
		key_of(w, on_host[i], key);
		if (!spec_is_set(s, key))
			continue;
		snprintf(remedy, sizeof(remedy), "unset it (vectl unset NAME %s), or use bridge or routed", key);
		return spec_fail(at, key, VE_E_SPEC, EOPNOTSUPP, remedy,
			"%s: a macvlan has no end on the host where that could be done", key);
	}
	return 0;
}

static int read_one(
	const struct spec *s, const struct place *at, struct net_wish *w, const struct net_wish *before, size_t n)
{
	char key[KEY], remedy[128];
	const char *text;
	int r;

	key_of(w, "type", key);
	text = spec_string(s, key);
	w->i.type = NET_BRIDGE;
	for (size_t i = 0; text && i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].word, text))
			w->i.type = types[i].type;
	key_of(w, "link", key);
	text = spec_string(s, key);
	snprintf(w->i.link, sizeof(w->i.link), "%s", text ? text : "");
	w->i.managed = w->i.type == NET_BRIDGE && !text;
	key_of(w, "mac", key);
	text = spec_string(s, key);
	w->has_mac = text != NULL;
	for (size_t i = 0; text && i < sizeof(w->i.mac); i++)
		w->i.mac[i] = (unsigned char)strtoul(text + 3 * i, NULL, 16);
	w->i.rate_in = read_rate(s, w, "rate_in");
	w->i.rate_out = read_rate(s, w, "rate_out");
	key_of(w, "mtu", key);
	w->i.mtu = (unsigned)spec_integer(s, key, 0);
	if ((r = read_vlan(s, at, w)) < 0)
		return r;
	if ((r = read_filter(s, at, w)) < 0 || (r = read_addresses(s, at, w, AF_INET)) < 0 ||
		(r = read_addresses(s, at, w, AF_INET6)) < 0 || (r = read_gateways(s, at, w)) < 0 ||
		(r = check_gateways(at, w)) < 0 || (r = read_ports(s, at, w, before, n)) < 0)
		return r;
	if (w->i.type == NET_MACVLAN && (r = check_macvlan(s, at, w)) < 0)
		return r;
	if (w->i.mtu && w->i.mtu < MTU_IPV6 && has_family(w, AF_INET6))
		return spec_fail(at, key, VE_E_SPEC, EINVAL, "set 1280 or more, or unset the IPv6 addresses",
			"%s: %u is less than IPv6 needs", key, w->i.mtu);
	if (w->i.type == NET_ROUTED && !has_family(w, AF_INET) && !has_family(w, AF_INET6)) {
		key_of(w, "type", key);
		snprintf(remedy, sizeof(remedy), "set net.%s.ipv4 or net.%s.ipv6 too", w->i.name, w->i.name);
		return spec_fail(at, key, VE_E_SPEC, EINVAL, remedy,
			"%s: a routed interface is nothing without an address", key);
	}
	return 0;
}

/* An address that two have is nobody's; one of a link alone may be on each link. */
static int check_pair(const struct place *at, const struct net_wish *a, const struct net_wish *b)
{
	char key[KEY], text[NET_ADDRESS_TEXT];
	unsigned i, k;

	key_of(b, "mac", key);
	if (a != b && a->has_mac && b->has_mac && !memcmp(a->i.mac, b->i.mac, sizeof(a->i.mac)))
		return spec_fail(at, key, VE_E_SPEC, EEXIST, "unset one of them, and it gets one of its own",
			"%s: net.%s has that hardware address", key, a->i.name);
	for (i = 0; i < b->i.naddresses; i++)
		for (k = 0; k < (a == b ? i : a->i.naddresses); k++) {
			const struct net_address *x = &b->i.address[i];

			if (!net_address_same(x, &a->i.address[k]) || (a != b && net_address_is_link_local(x)))
				continue;
			key_of(b, family_key(x->family), key);
			net_address_text(x, 0, text);
			return spec_fail(at, key, VE_E_SPEC, EEXIST, "give it once", "%s: %s is that of net.%s already",
				key, text, a->i.name);
		}
	return 0;
}

/* ---- all */

static int collect(const struct spec *s, const struct place *at, struct net_wish *list)
{
	const char *network = spec_string(s, "network");
	size_t i, k, n = 0;
	int r;

	for (i = 0; i < s->n; i++) {
		const char *path = s->values[i].path, *name = path + strlen("net.");
		size_t length = spec_component(name);

		if (strncmp(s->values[i].row->key, "net.*.", 6) != 0)
			continue;
		if (network && strcmp(network, "private") != 0)
			return spec_fail(at, path, VE_E_SPEC, EINVAL,
				"unset them first (vectl unset NAME net), or leave network private",
				"%s: a VE with network=%s has no interfaces of its own", path, network);
		if (n > 0 && strlen(list[n - 1].i.name) == length && !memcmp(list[n - 1].i.name, name, length))
			continue;
		if (n == NET_INTERFACES_MAX)
			return spec_fail(at, path, VE_E_SPEC, E2BIG, "unset what is not needed",
				"net: more than %d interfaces", NET_INTERFACES_MAX);
		snprintf(list[n++].i.name, sizeof(list->i.name), "%.*s", (int)length, name);
	}
	for (i = 0; i < n; i++) {
		r = read_one(s, at, &list[i], list, i);
		for (k = 0; k <= i && r >= 0; k++)
			r = check_pair(at, &list[k], &list[i]);
		if (r < 0)
			return r;
	}
	return (int)n;
}

int spec_interfaces(const struct spec *s, struct net_wish **ret, struct error *e)
{
	const struct place at = {.tried = "check the spec", .error = e};
	struct net_wish *list = calloc(NET_INTERFACES_MAX, sizeof(*list));
	int n;

	if (!list)
		return spec_fail_memory(&at);
	n = collect(s, &at, list);
	if (n < 0) {
		free(list);
		return n;
	}
	*ret = list;
	return n;
}
