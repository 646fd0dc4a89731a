/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The firewall's data: records of interfaces, the elements that an interface is, and notices of the kernel's. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "lib/net/elements.h"
#include "lib/net/firewall.h"
#include "lib/net/watch.h"

static const char whole[] = "interface eth0 ve1 vebr0 0 1 02:00:00:00:00:0a 31\n"
			    "link 1400 20000000 9223372036854775806\n"
			    "gateway 10.1.0.1/32\n"
			    "address 10.1.0.2/16\n"
			    "address fd00::2/64\n"
			    "port tcp - 8080 8081 80\n"
			    "port udp 192.0.2.1 53 53 5353\n"
			    "interface eth1 ve2 - 1 0 02:00:00:00:00:0b 0\n"
			    "address 10.2.0.2/32\n"
			    "uplink 3 eth0.5\n";

Test(record, comes_back_as_it_was)
{
	cleanup_free struct net_interface *i = NULL;
	cleanup_free char *text = NULL;
	cr_assert(eq(int, firewall_parse(whole, &i), 2));
	cr_assert(eq(str, i[0].host, "ve1"));
	cr_assert(eq(int, i[0].managed, 1));
	cr_assert(eq(uint, i[0].port[1].to, 5353));
	cr_assert(eq(int, i[0].port[1].address.family, AF_INET));
	cr_assert(eq(int, i[0].port[0].address.family, 0));
	cr_assert(eq(str, i[1].link, ""));
	cr_assert(eq(uint, i[0].mtu, 1400));
	cr_assert(eq(ulong, i[0].rate_in, 20000000));
	cr_assert(eq(ulong, i[1].rate_in, 0));
	cr_assert(eq(uint, i[0].ngateways, 1));
	cr_assert(eq(uint, i[0].uplink[0].index, 0));
	cr_assert(eq(uint, i[1].uplink[0].index, 3));
	cr_assert(eq(str, i[1].uplink[0].name, "eth0.5"));
	cr_assert(eq(int, firewall_record(i, 2, &text), 0));
	cr_assert(eq(str, text, (char *)whole));
}

Test(record, is_read_while_it_changes)
{
	cleanup_free struct net_interface *i = NULL;
	cr_assert(eq(int, firewall_parse(FIREWALL_CHANGING "interface e v b 0 1 02:00:00:00:00:0a 31\n", &i), 1));
	cr_assert(eq(str, i[0].host, "v"));
}

Test(record, refuses_what_it_did_not_write)
{
	static const char *const bad[] = {
		"address 10.1.0.2/16\n",                             /* of no interface */
		"interface eth0 ve1 vebr0 0 1 02:00:00:00:00:0a 31", /* cut off */
		"interface eth0 ve1 vebr0 0 1 02:00:00:00:00:0a 32\n",
		"interface eth0 ve1 vebr0 4 1 02:00:00:00:00:0a 31\n",
		"interface eth0 ve1 vebr0 0 1 02:00:00:00:00 31\n",
		"interface eth0 ve1 vebr0 0 1 02:00:00:00:00:0a 31 more\n",
		"interface eth0 a-name-of-sixteen vebr0 0 1 02:00:00:00:00:0a 31\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\naddress 10.1.0/16\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\naddress 10.1.0.0/33\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\nport tcp - 2 1 80\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\nport tcp - 0 1 80\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\nport tcp - 1 2 65535\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\nport sct - 1 2 80\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\nroute\n",
		"interface e v b 0 1 02:00:00:00:00:0a 31\nuplink 3 eth0\n", /* of no address */
		"interface e v b 0 1 02:00:00:00:00:0a 31\naddress 10.1.0.2/16\nuplink 3\n",
	};
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		cleanup_free struct net_interface *i = NULL;
		cr_expect(eq(int, firewall_parse(bad[k], &i), -EBADMSG), "%s", bad[k]);
	}
	cleanup_free struct net_interface *none = NULL;
	cr_expect(eq(int, firewall_parse("", &none), 0));
}

struct written {
	FILE *to;
	int n;
};

static int on_element(void *arg, const struct element *element)
{
	struct written *w = arg;
	w->n++;
	fprintf(w->to, "%d %s ", element->family, element->set);
	element_write(element, w->to);
	fputc('\n', w->to);
	return 0;
}

static char *elements(const struct net_interface *i)
{
	char *text = NULL;
	size_t size;
	struct written w = {.to = open_memstream(&text, &size)};
	cr_assert(ne(ptr, w.to, NULL));
	cr_assert(eq(int, elements_of(i, on_element, &w), 0));
	fclose(w.to);
	return text;
}

Test(elements, of_a_bridge_port)
{
	cleanup_free struct net_interface *i = NULL;
	cr_assert(eq(int, firewall_parse(whole, &i), 2));
	cleanup_free char *text = elements(&i[0]);
	static const char *const wanted[] = {
		"1 bridged \"ve1\"\n",
		"3 bridged \"ve1\"\n",
		"7 ports \"ve1\"\n",
		"7 own_mac \"ve1\" . 02:00:00:00:00:0a\n",
		"7 own_ipv4 \"ve1\" . 10.1.0.2\n",
		"7 own_ipv6 \"ve1\" . fd00::2\n",
		"7 own_ipv6 \"ve1\" . fe80::ff:fe00:a\n",
		"7 own_target \"ve1\" . 0xfd000000000000000000000000000002\n",
		"7 near4 10.1.0.2\n",
		"1 near6 fd00::2\n",
		"7 received_far \"ve1\"\n",
		"1 ports4 6 . 8080 : 10.1.0.2 . 80\n",
		"1 ports4 6 . 8081 : 10.1.0.2 . 81\n",
		"1 ports6 6 . 8080 : fd00::2 . 80\n",
		"1 ports4_on 17 . 192.0.2.1 . 53 : 10.1.0.2 . 5353\n",
		"1 hairpin4 \"vebr0\" . 10.1.0.2\n",
		"1 hairpin6 \"vebr0\" . fd00::2\n",
	};
	for (size_t k = 0; k < ARRAY_SIZE(wanted); k++)
		cr_expect(ne(ptr, strstr(text, wanted[k]), NULL), "%s in %s", wanted[k], text);
	/* With every filter it is in no set of exceptions. */
	cr_expect(eq(ptr, strstr(text, "free_"), NULL), "%s", text);
	cr_expect(eq(ptr, strstr(text, "ports6_on"), NULL), "%s", text);
}

static void expect(const char *text, const char *const *there, const char *const *absent)
{
	for (; *there; there++)
		cr_expect(ne(ptr, strstr(text, *there), NULL), "%s in %s", *there, text);
	for (; *absent; absent++)
		cr_expect(eq(ptr, strstr(text, *absent), NULL), "%s not in %s", *absent, text);
}
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(elements, of_filters_in_part)
{
	cleanup_free struct net_interface *i = NULL;
	cr_assert(eq(int, firewall_parse(whole, &i), 2));
	i[0].filter = NET_FILTER_MAC | NET_FILTER_RA;
	cleanup_free char *text = elements(&i[0]);
	expect(text, LIST("7 ports ", "free_ipv4", "free_ipv6", "free_dhcp"), LIST("free_mac", "free_ra"));
	i[1].filter = NET_FILTER_IPV4;
	cleanup_free char *routed = elements(&i[1]);
	expect(routed, LIST("1 ports \"ve2\"", "3 ports \"ve2\"", "3 own_ipv4 \"ve2\" . 10.2.0.2", "3 free_mac"),
		LIST("3 free_ipv4", "bridged", "7 ports"));
}

Test(elements, of_no_filter)
{
	cleanup_free struct net_interface *i = NULL;
	cr_assert(eq(int, firewall_parse(whole, &i), 2));
	cleanup_free char *text = elements(&i[1]);
	expect(text, LIST("1 sent_near \"ve2\""), LIST(" ports ", "own_"));
	i[1].type = NET_MACVLAN;
	cleanup_free char *none = elements(&i[1]);
	cr_expect(eq(str, none, ""));
}

/* ---- what of the kernel's notices is heard of */

static size_t put_message(char *to, int type, size_t more)
{
	struct nlmsghdr h = {.nlmsg_len = (uint32_t)(sizeof h + more), .nlmsg_type = (uint16_t)type};
	memset(to, 0xff, NLMSG_ALIGN(h.nlmsg_len));
	memcpy(to, &h, sizeof h);
	return NLMSG_ALIGN(h.nlmsg_len);
}

/* Of `n` messages about elements, with one of `type` behind them, -1: none. */
static int is_heard(int n, int type)
{
	char text[65536];
	int pair[2];
	size_t size = 0;
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0));
	cr_assert(eq(int, watch_filter(pair[1]), 0));
	for (int i = 0; i < n; i++) /* of lengths that have to be aligned, and of more than a byte */
		size += put_message(text + size,
			NFNL_SUBSYS_NFTABLES << 8 | (i % 2 ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM), 250 + i);
	if (type >= 0)
		size += put_message(text + size, NFNL_SUBSYS_NFTABLES << 8 | type, 20);
	(void)!send(pair[0], text, size, MSG_DONTWAIT);
	int heard = watch_drain(pair[1]);
	cr_expect(eq(int, watch_drain(pair[1]), 0));
	close(pair[0]);
	close(pair[1]);
	return heard;
}

Test(watch, hears_of_rules_and_not_of_elements)
{
	for (int n = 0; n < 31; n++) {
		cr_expect(eq(int, is_heard(n, NFT_MSG_DELTABLE), 1));
		cr_expect(eq(int, is_heard(n, NFT_MSG_DELRULE), 1));
		cr_expect(eq(int, is_heard(n, NFT_MSG_NEWTABLE), 1));
		cr_expect(eq(int, is_heard(n, NFT_MSG_NEWGEN), 0));
	}
	for (int n = 1; n < 31; n++)
		cr_expect(eq(int, is_heard(n, -1), 0));
	/* More than it looks at: there may be anything behind them. */
	cr_expect(eq(int, is_heard(40, -1), 1));
}
