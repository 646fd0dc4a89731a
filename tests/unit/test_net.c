/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What net.* comes to: addresses as data, interfaces, and the checks between their keys. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/util.h"
#include "lib/spec/interfaces.h"

static struct net_address address(const char *text)
{
	struct net_address a = {0};

	cr_assert_eq(net_address_parse(text, &a), 0, "%s", text);
	return a;
}

Test(net, addresses)
{
	static const char *const good[] = {"10.0.0.2/24", "192.0.2.1/32", "2001:db8::2/64", "::1/128", "10.1.2.3/0"};
	static const char *const bad[] = {"", "/", "10.0.0.2/", "10.0.0.2/33", "10.0.0.2/024", "10.0.0.2/2x", "10.0.0",
		"::/129", "2001:db8::2/-1", "fe80::1%eth0", "10.0.0.2/24/8",
		"2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
	struct net_address a;
	char text[NET_ADDRESS_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		a = address(good[i]);
		net_address_text(&a, 1, text);
		cr_expect_str_eq(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(net_address_parse(bad[i], &a), -EINVAL, "%s", bad[i]);
	a = address("10.0.0.2");
	cr_expect_eq(a.prefix, 32);
	net_address_text(&a, 0, text);
	cr_expect_str_eq(text, "10.0.0.2");
	a = address("::a");
	cr_expect_eq(a.prefix, 128);
}

Test(net, networks)
{
	static const struct {
		const char *a, *of;
		int within;
	} cases[] = {{"10.0.0.2", "10.0.0.0/24", 1}, {"10.0.1.2", "10.0.0.0/24", 0}, {"10.0.1.2", "10.0.0.0/23", 1},
		{"10.0.2.2", "10.0.0.0/23", 0}, {"10.0.0.2", "10.0.0.2/32", 1}, {"10.0.0.3", "10.0.0.2/32", 0},
		{"11.0.0.2", "10.0.0.0/0", 1}, {"::2", "10.0.0.0/0", 0}, {"2001:db8::2", "2001:db8::/64", 1},
		{"2001:db8:0:1::2", "2001:db8::/64", 0}, {"2001:db8:0:1::2", "2001:db8::/63", 1},
		{"2001:db8::2", "2001:db8::2/128", 1}, {"2001:db8::3", "2001:db8::2/127", 1},
		{"2001:db8::4", "2001:db8::2/127", 0}};
	static const struct {
		const char *a;
		int network, broadcast, local;
	} ends[] = {{"10.0.0.0/24", 1, 0, 0}, {"10.0.0.255/24", 0, 1, 0}, {"10.0.0.255/23", 0, 0, 0},
		{"10.0.1.255/23", 0, 1, 0}, {"10.0.0.0/23", 1, 0, 0}, {"10.0.1.0/23", 0, 0, 0},
		{"10.0.0.0/31", 0, 0, 0}, {"10.0.0.1/31", 0, 0, 0}, {"10.0.0.0/32", 0, 0, 0}, {"10.0.0.4/30", 1, 0, 0},
		{"10.0.0.7/30", 0, 1, 0}, {"2001:db8::/64", 1, 0, 0}, {"2001:db8::1/64", 0, 0, 0},
		{"2001:db8::/127", 0, 0, 0}, {"2001:db8::/128", 0, 0, 0}, {"2001:db8::ffff:ffff:ffff:ffff/64", 0, 0, 0},
		{"fe80::1/64", 0, 0, 1}, {"febf::1/10", 0, 0, 1}, {"fec0::1/10", 0, 0, 0}, {"169.254.3.4/16", 0, 0, 1},
		{"169.253.3.4/16", 0, 0, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_address a = address(cases[i].a), of = address(cases[i].of);

		cr_expect_eq(net_address_within(&a, &of), cases[i].within, "%s in %s", cases[i].a, cases[i].of);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct net_address a = address(ends[i].a);

		cr_expect_eq(net_address_is_network(&a), ends[i].network, "%s", ends[i].a);
		cr_expect_eq(net_address_is_broadcast(&a), ends[i].broadcast, "%s", ends[i].a);
		cr_expect_eq(net_address_is_link_local(&a), ends[i].local, "%s", ends[i].a);
	}
	struct net_address a = address("10.0.0.2/24"), b = address("10.0.0.2/8"), c = address("10.0.0.3/24"),
			   d = address("a00:2::/24");
	cr_expect(net_address_same(&a, &b));
	cr_expect_not(net_address_same(&a, &c));
	cr_expect_not(net_address_same(&a, &d));
}

/* A spec of these assignments, blanks between. */
static struct spec *spec_of(const char *words)
{
	char text[2048], *save, *word;
	struct spec *s = spec_new();

	snprintf(text, sizeof(text), "%s", words);
	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		struct error e = {0};

		cr_assert_eq(spec_assign(s, word, &e), 0, "%s: %s", word, e.wrong);
	}
	return s;
}

static int wishes(const char *words, struct net_wish **ret)
{
	cleanup_spec struct spec *s = spec_of(words);
	struct error e = {0};
	int n = spec_interfaces(s, ret, &e);

	cr_assert_geq(n, 0, "%s: %s", words, e.wrong);
	cr_assert_eq(spec_check(s, &e), 0);
	return n;
}

Test(net, nothing_and_the_least)
{
	cleanup_free struct net_wish *none = NULL, *least = NULL;

	cr_expect_eq(wishes("network=none dns.servers=10.0.0.53", &none), 0);
	cr_assert_eq(wishes("net.eth0.mtu=1500", &least), 1);
	cr_expect_str_eq(least->i.name, "eth0");
	cr_expect_str_eq(least->i.link, "");
	cr_expect_eq(least->i.type, NET_BRIDGE);
	cr_expect(least->i.managed);
	cr_expect_eq(least->i.mtu, 1500);
	cr_expect_eq(least->i.filter, NET_FILTER_ALL);
	cr_expect_not(least->has_mac || least->auto_ipv4 || least->auto_ipv6);
	cr_expect_eq(least->i.naddresses + least->i.ngateways + least->i.nports, 0);
}

static void expect_address(const struct net_address *a, const char *text)
{
	char got[NET_ADDRESS_TEXT];

	net_address_text(a, 1, got);
	cr_expect_str_eq(got, text);
}

Test(net, everything)
{
	cleanup_free struct net_wish *w = NULL;

	cr_assert_eq(
		wishes("net.wan.type=routed net.wan.ipv4=192.0.2.7/32 net.wan.gateway=203.0.113.1 net.wan.link=eno1 "
		       "net.wan.filter=off "
		       "net.eth0.type=bridge net.eth0.mac=02:00:5e:10:00:0a "
		       "net.eth0.ipv4=auto,10.0.0.2/24,10.0.1.2/24 net.eth0.ipv6=2001:db8::2/64,auto "
		       "net.eth0.gateway=fe80::1,10.0.1.1 net.eth0.filter=mac,ra "
		       "net.eth0.ports=8080:80,53:53/udp,8000-8010:9000-9010,192.0.2.1:22:2222,[2001:db8::1]:22:22",
			&w),
		2);
	const struct net_interface *i = &w[0].i;
	cr_expect_str_eq(i->name, "eth0");
	cr_expect(i->managed && w[0].auto_ipv4 && w[0].auto_ipv6 && w[0].has_mac);
	cr_expect_arr_eq(i->mac, ((unsigned char[]){2, 0, 0x5e, 0x10, 0, 0x0a}), 6);
	cr_expect_eq(i->filter, NET_FILTER_MAC | NET_FILTER_RA);
	cr_assert_eq(i->naddresses, 3);
	expect_address(&i->address[0], "10.0.0.2/24");
	expect_address(&i->address[1], "10.0.1.2/24");
	expect_address(&i->address[2], "2001:db8::2/64");
	cr_assert_eq(i->ngateways, 2);
	expect_address(&i->gateway[0], "fe80::1/128");
	expect_address(&i->gateway[1], "10.0.1.1/32");
	cr_assert_eq(i->nports, 5);
	const struct {
		int udp, family;
		unsigned first, last, to;
	} port[] = {{0, 0, 8080, 8080, 80}, {1, 0, 53, 53, 53}, {0, 0, 8000, 8010, 9000}, {0, AF_INET, 22, 22, 2222},
		{0, AF_INET6, 22, 22, 22}};
	for (size_t k = 0; k < ARRAY_SIZE(port); k++) {
		cr_expect_eq(i->port[k].udp, port[k].udp, "%zu", k);
		cr_expect_eq(i->port[k].address.family, port[k].family, "%zu", k);
		cr_expect_eq(i->port[k].first, port[k].first, "%zu", k);
		cr_expect_eq(i->port[k].last, port[k].last, "%zu", k);
		cr_expect_eq(i->port[k].to, port[k].to, "%zu", k);
	}
	expect_address(&i->port[3].address, "192.0.2.1/32");
	expect_address(&i->port[4].address, "2001:db8::1/128");
	i = &w[1].i;
	cr_expect_str_eq(i->name, "wan");
	cr_expect_str_eq(i->link, "eno1");
	cr_expect_eq(i->type, NET_ROUTED);
	cr_expect_eq(i->filter, 0);
	cr_expect_not(i->managed || w[1].has_mac);
	expect_address(&i->gateway[0], "203.0.113.1/32");
}

/* What may look wrong and is not. */
Test(net, allowed)
{
	static const char *const cases[] = {
		"net.a.link=br0",
		"net.a.link=br0 net.a.ipv4=10.0.0.0/31 net.b.link=br0 net.b.ipv4=10.0.0.1/31",
		"net.a.link=br0 net.a.ipv4=192.0.2.7/32 net.a.gateway=203.0.113.1",
		"net.a.link=br0 net.a.ipv6=2001:db8::7/64 net.a.gateway=fe80::1",
		"net.a.ipv4=auto net.a.gateway=203.0.113.1",
		"net.a.type=routed net.a.ipv4=auto",
		"net.a.mtu=68 net.a.ipv4=auto",
		"net.a.mtu=1280 net.a.ipv6=auto",
		"net.a.ipv4=auto net.a.ports=80:80,80:80/udp,81:80",
		"net.a.ipv4=auto net.a.ports=192.0.2.1:80:80,192.0.2.2:80:80",
		"net.a.link=br0 net.a.ipv6=fe80::7/64 net.b.link=br1 net.b.ipv6=fe80::7/64",
		"net.abcdefghijklmno.link=abcdefghijklmno",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free struct net_wish *w = NULL;

		wishes(cases[i], &w);
	}
}

static const struct {
	const char *words, *wrong, *remedy;
} refused[] = {
	{"network=none net.eth0.mtu=1500", "net.eth0.mtu: a VE with network=none has no interfaces of its own",
		"unset them first (vectl unset NAME net), or leave network private"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.0/24", "net.a.ipv4: 10.0.0.0/24 is the address of the network itself",
		"give it another one of that network"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.255/24", "net.a.ipv4: 10.0.0.255/24 is the broadcast address of its network",
		"give it another one of that network"},
	{"net.a.link=br0 net.a.ipv6=2001:db8::/64", "net.a.ipv6: 2001:db8::/64 is the address of the network itself",
		"give it another one of that network"},
	{"net.a.link=br0 net.a.ipv4=auto",
		"net.a.ipv4: auto is an address of vectl's own network, and net.a.link is br0",
		"write addresses of that network, or unset net.a.ipv4 first: vectl unset NAME net.a.ipv4"},
	{"net.a.type=routed net.a.link=eno1 net.a.ipv6=auto",
		"net.a.ipv6: auto is an address of vectl's own network, and net.a.link is eno1", NULL},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24 net.a.gateway=10.0.0.1,10.0.0.3",
		"net.a.gateway: two gateways for IPv4, where one is possible", "take one of them away"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24 net.a.gateway=2001:db8::1",
		"net.a.gateway: 2001:db8::1 is of IPv6, and the interface has no address of that",
		"set net.a.ipv6 too"},
	{"net.a.link=br0 net.a.gateway=10.0.0.1",
		"net.a.gateway: 10.0.0.1 is of IPv4, and the interface has no address of that", "set net.a.ipv4 too"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24 net.a.gateway=10.0.1.1",
		"net.a.gateway: 10.0.1.1 is in none of the interface's networks",
		"name a router in one of them, or check the addresses' prefix lengths"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24,192.0.2.7/32 net.a.gateway=10.0.1.1",
		"net.a.gateway: 10.0.1.1 is in none of the interface's networks", NULL},
	{"net.a.link=br0 net.a.ipv6=2001:db8::7/64 net.a.gateway=2001:db8:1::1",
		"net.a.gateway: 2001:db8:1::1 is in none of the interface's networks", NULL},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24 net.a.gateway=10.0.0.2",
		"net.a.gateway: 10.0.0.2 is no router's address: it is the VE's own, the network's or the broadcast "
		"address",
		"name the router's"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24 net.a.gateway=10.0.0.0", "net.a.gateway: 10.0.0.0 is no router's",
		NULL},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24 net.a.gateway=10.0.0.255", "net.a.gateway: 10.0.0.255 is no router's",
		NULL},
	{"net.a.mtu=1279 net.a.ipv6=auto", "net.a.mtu: 1279 is less than IPv6 needs",
		"set 1280 or more, or unset the IPv6 addresses"},
	{"net.a.filter=mac,off", "net.a.filter: off is there beside others", "write off alone, or leave it out"},
	{"net.a.type=routed", "net.a.type: a routed interface is nothing without an address",
		"set net.a.ipv4 or net.a.ipv6 too"},
	{"net.a.ports=80:80", "net.a.ports: `80:80/tcp` goes to no address: the interface has none",
		"set net.a.ipv4 too"},
	{"net.a.ipv4=auto net.a.ports=[2001:db8::1]:80:80",
		"net.a.ports: `[2001:db8::1]:80:80/tcp` goes to no address: the interface has no IPv6 one",
		"set net.a.ipv6 too"},
	{"net.a.ipv4=auto net.a.ports=80:80,80:81",
		"net.a.ports: `80:81/tcp` takes a port of the host's that net.a.ports takes already",
		"publish it once"},
	{"net.a.ipv4=auto net.a.ports=8000-8010:1000-1010,8010-8020:2000-2010",
		"net.a.ports: `8010-8020:2000-2010/tcp` takes a port of the host's that net.a.ports takes already",
		NULL},
	{"net.a.ipv4=auto net.a.ports=192.0.2.1:80:80,80:81",
		"net.a.ports: `80:81/tcp` takes a port of the host's that net.a.ports takes already", NULL},
	{"net.a.ipv4=auto net.b.ipv4=auto net.a.ports=80:80 net.b.ports=80:80",
		"net.b.ports: `80:80/tcp` takes a port of the host's that net.a.ports takes already", NULL},
	{"net.a.mac=02:00:5e:10:00:01 net.b.mac=02:00:5E:10:00:01", "net.b.mac: net.a has that hardware address",
		"unset one of them, and it gets one of its own"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24 net.b.link=br1 net.b.ipv4=10.0.0.2/16",
		"net.b.ipv4: 10.0.0.2 is that of net.a already", "give it once"},
	{"net.a.link=br0 net.a.ipv4=10.0.0.2/24,10.0.0.2/16", "net.a.ipv4: 10.0.0.2 is that of net.a already", NULL},
	{"net.a.link=br0 net.a.ipv6=fe80::7/64,fe80::7/10", "net.a.ipv6: fe80::7 is that of net.a already", NULL},
};

Test(net, refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		cleanup_spec struct spec *s = spec_of(refused[i].words);
		struct net_wish *w = NULL;
		struct error e = {0};

		cr_expect_lt(spec_check(s, &e), 0, "%s", refused[i].words);
		cr_expect_eq(e.code, VE_E_SPEC);
		cr_expect_eq(strncmp(e.wrong, refused[i].wrong, strlen(refused[i].wrong)), 0, "%s: %s",
			refused[i].words, e.wrong);
		if (refused[i].remedy)
			cr_expect_str_eq(e.remedy, refused[i].remedy, "%s", refused[i].words);
		cr_expect_neq(e.remedy[0], '\0');
		cr_expect_lt(spec_interfaces(s, &w, NULL), 0);
		cr_expect_null(w);
	}
}

Test(net, too_many)
{
	cleanup_spec struct spec *s = spec_new();
	struct net_wish *w = NULL;
	struct error e = {0};
	char text[64];

	for (int i = 0; i < NET_INTERFACES_MAX; i++) {
		snprintf(text, sizeof(text), "net.e%d.mtu=1500", i);
		cr_assert_eq(spec_assign(s, text, NULL), 0);
	}
	cr_expect_eq(spec_interfaces(s, &w, NULL), NET_INTERFACES_MAX);
	free(w);
	cr_assert_eq(spec_assign(s, "net.one.mtu=1500", NULL), 0);
	cr_expect_eq(spec_interfaces(s, &w, &e), -E2BIG);
	cr_expect_str_eq(e.wrong, "net: more than 16 interfaces");
}

Test(net, words_that_are_not_carried_out)
{
	static const char *const words[] = {"net.a.type=phys"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		cleanup_spec struct spec *s = spec_new();
		struct error e = {0};

		cr_expect_lt(spec_assign(s, words[i], &e), 0, "%s", words[i]);
		cr_expect_eq(e.code, VE_E_UNSUPPORTED, "%s", words[i]);
	}
}

Test(net, rates)
{
	cleanup_spec struct spec *s = spec_new();
	struct net_wish *w = NULL;

	cr_assert_eq(spec_assign(s, "net.eth0.rate_in=20m", NULL), 0);
	cr_assert_eq(spec_assign(s, "net.eth0.rate_out=max", NULL), 0);
	cr_assert_eq(spec_interfaces(s, &w, NULL), 1);
	cr_expect_eq(w->i.rate_in, 20000000);
	cr_expect_eq(w->i.rate_out, 0, "max is no limit");
	free(w);
}
