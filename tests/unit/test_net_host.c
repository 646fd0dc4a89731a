/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a host adds to net.*: vectl.conf, addresses that are one VE's alone, gateways, hardware addresses, resolv.conf.
 */
#include <sys/socket.h>

#include "fixture.h"
#include "lib/host/conf.h"
#include "lib/net/internal.h"
#include "lib/net/lease.h"
#include "lib/net/resolver.h"

static struct fixture f;

static void put(const char *path, const char *text)
{
	char full[256];
	FORMAT(full, "%s/%s", f.folder, path);
	cr_assert_eq(write_file_atomic_at(AT_FDCWD, full, text, strlen(text), 0600), 0);
}

static void setup(void)
{
	fixture_make(&f);
	put("etc/vectl/vectl.conf", "{\"network\": {\"ipv4\": \"10.9.8.0/29\", \"ipv6\": false}}");
}

static void teardown(void)
{
	fixture_remove(&f);
}

TestSuite(net_host, .init = setup, .fini = teardown);

/* ---- vectl.conf */

Test(net_host, conf)
{
	struct host_conf c;
	struct error e = {0};
	char text[NET_ADDRESS_TEXT];

	cr_assert_eq(conf_read(&f.host, &c, &e), 0, "%s", e.wrong);
	net_address_text(&c.network.ipv4, 1, text);
	cr_expect_str_eq(text, "10.9.8.1/29");
	cr_expect(c.network.no_ipv6 && c.network.nat && c.network.type == CONF_BRIDGE && !*c.network.bridge);
	put("etc/vectl/vectl.conf", "{\"network\": {\"type\": \"bridge\", \"bridge\": \"br0\", \"nat\": false, "
				    "\"ipv6\": \"fd12:3456:789a::/64\"}}");
	cr_assert_eq(conf_read(&f.host, &c, &e), 0, "%s", e.wrong);
	cr_expect_str_eq(c.network.bridge, "br0");
	net_address_text(&c.network.ipv6, 1, text);
	cr_expect_str_eq(text, "fd12:3456:789a::1/64");
	cr_expect_eq(c.network.ipv4.family, 0);
	cr_expect_not(c.network.no_ipv6 || c.network.nat);
	put("etc/vectl/vectl.conf", "{\"network\": {\"type\": \"none\"}}");
	cr_assert_eq(conf_read(&f.host, &c, &e), 0, "%s", e.wrong);
	cr_expect_eq(c.network.type, CONF_NONE);
}

Test(net_host, bad_conf)
{
	static const char *const bad[] = {"{\"type\": 5}", "{\"type\": \"Bridge\"}", "{\"bridge\": \"\"}",
		"{\"bridge\": \"..\"}", "{\"bridge\": \"br0\", \"type\": \"routed\"}", "{\"ipv4\": true}",
		"{\"ipv4\": \"10.9.8.1/24\"}", "{\"ipv4\": \"10.9.8.0/30\"}", "{\"ipv4\": \"10.0.0.0/7\"}",
		"{\"ipv4\": \"224.0.0.0/8\"}", "{\"ipv4\": \"0.0.0.0/8\"}", "{\"ipv4\": \"169.254.0.0/16\"}",
		"{\"ipv4\": \"fd00::/64\"}", "{\"ipv6\": true}", "{\"ipv6\": \"ff02::/64\"}",
		"{\"ipv6\": \"fd00::/127\"}", "{\"ipv6\": \"fd00::/15\"}", "{\"nat\": \"false\"}", "[]"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct host_conf c = {.network.type = 77};
		struct error e = {0};
		char text[256];

		FORMAT(text, "{\"network\": %s}", bad[i]);
		put("etc/vectl/vectl.conf", text);
		cr_expect_eq(conf_read(&f.host, &c, &e), -EINVAL, "%s", bad[i]);
		cr_expect_eq(e.code, VE_E_HOST, "%s", bad[i]);
		cr_expect(*e.remedy && strstr(e.wrong, "vectl.conf:1:"), "%s: %s", bad[i], e.wrong);
		cr_expect_eq(c.network.type, 77);
	}
}

/* ---- the own network */

Test(net_host, candidates_are_private_and_apart)
{
	static const char *const private[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"};

	for (unsigned i = 0; i < 528; i++) {
		struct net_address a, b;
		int within = 0;

		own_candidate(i, &a);
		for (size_t k = 0; k < ARRAY_SIZE(private); k++) {
			cr_assert_eq(net_address_parse(private[k], &b), 0);
			within |= net_address_within(&a, &b);
		}
		cr_expect(within, "%u", i);
		for (unsigned k = 0; k < i; k++) {
			own_candidate(k, &b);
			cr_expect_not(net_address_within(&a, &b), "%u %u", i, k);
		}
	}
}

Test(net_host, own_network_is_picked_once)
{
	struct net_own own, again;
	struct error e = {0};

	put("etc/vectl/vectl.conf", "{}");
	cr_expect_eq(own_read(&f.host, 0, &own, &e), -ENOENT);
	cr_expect_eq(e.code, 0);
	cr_assert_eq(net_own(&f.host, &own, &e), 0, "%s", e.wrong);
	cr_expect_str_eq(own.bridge, "vebr-0badcafe");
	cr_expect_eq(own.ipv4.family, AF_INET);
	cr_assert_eq(net_own(&f.host, &again, &e), 0);
	cr_expect(net_address_same(&own.ipv4, &again.ipv4));
	f.host.id[0] = '\0';
	cr_assert_eq(own_read(&f.host, 0, &again, &e), 0);
	cr_expect_str_eq(again.bridge, "vebr0");
	put("var/lib/vectl/net/own", "{\"ipv4\": \"10.0.0.1/16\"}");
	cr_expect_eq(net_own(&f.host, &again, &e), -EBADMSG);
	cr_expect(strstr(e.wrong, "net/own: damaged"));
}

/* ---- VEs */

/* The n-th, with a folder. */
static struct ve ve_of(unsigned n)
{
	struct ve ve = {.host = &f.host};
	char path[256];

	FORMAT(ve.name, "ve%u", n);
	FORMAT(path, "%s/var/lib/vectl/ve/%s", f.folder, ve.name);
	cr_assert_eq(mkdir_parents(path, 0700), 0);
	return ve;
}

static struct spec *spec_of(unsigned n, const char *words)
{
	char text[512], *save, *word;
	struct spec *s = spec_new();
	struct error e = {0};

	FORMAT(text, "01234567-89ab-4def-8123-%012u", n);
	cr_assert_eq(spec_put(s, "uuid", text, &e), 0);
	FORMAT(text, "%s", words);
	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		cr_assert_eq(spec_assign(s, word, &e), 0, "%s: %s", word, e.wrong);
	return s;
}

/* The addresses of all interfaces, blanks between; "!" and what was said. */
static const char *resolve(unsigned n, const char *words, int look)
{
	static char text[512];
	cleanup_spec struct spec *s = spec_of(n, words);
	cleanup_free struct net_interface *list = NULL;
	struct ve ve = ve_of(n);
	struct error e = {0};
	int k = look ? net_look(&ve, s, &list, &e) : net_resolve(&ve, s, &list, &e);

	*text = '\0';
	if (k < 0)
		FORMAT(text, "!%s", e.wrong);
	for (int i = 0; i < k; i++)
		for (unsigned a = 0; a < list[i].naddresses; a++) {
			char one[NET_ADDRESS_TEXT];

			net_address_text(&list[i].address[a], 1, one);
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "", one);
		}
	return text;
}

Test(net_host, all_of_a_pool)
{
	char first[5][64];

	for (unsigned i = 0; i < 5; i++) {
		FORMAT(first[i], "%s", resolve(i, "net.eth0.ipv4=auto", 0));
		cr_expect_eq(strncmp(first[i], "10.9.8.", 7), 0, "%s", first[i]);
		cr_expect(strstr(first[i], "/29") && !strstr(first[i], ".0/") && !strstr(first[i], ".1/") &&
				  !strstr(first[i], ".7/"),
			"%s", first[i]);
		for (unsigned k = 0; k < i; k++)
			cr_expect_str_neq(first[i], first[k]);
	}
	cr_expect_str_eq(resolve(5, "net.eth0.ipv4=auto", 0),
		"!net.eth0.ipv4: all addresses of vectl's own network are taken (10.9.8.1/29)");
	for (unsigned i = 0; i < 5; i++) {
		cr_expect_str_eq(resolve(i, "net.eth0.ipv4=auto", 0), first[i], "the same again");
		cr_expect_str_eq(resolve(i, "net.eth0.ipv4=auto", 1), first[i], "by looking");
	}
	cr_expect_str_eq(resolve(5, "net.eth0.ipv4=auto", 1), "", "what has none");
	/* One that its VE gives back. */
	struct ve ve = ve_of(2);
	struct error e = {0};
	cr_assert_eq(net_release(&ve, NULL, NULL, &e), 0);
	cr_expect_str_eq(resolve(5, "net.eth0.ipv4=auto", 0), first[2]);
}

Test(net_host, static_ones)
{
	char text[128];

	cr_expect_str_eq(resolve(1, "net.a.link=br0 net.a.ipv4=192.0.2.7/24 net.a.ipv6=fe80::7/64,2001:db8::7/64", 0),
		"192.0.2.7/24 fe80::7/64 2001:db8::7/64");
	cr_expect_str_eq(resolve(2, "net.a.link=br1 net.a.ipv4=192.0.2.8/24,192.0.2.7/32", 0),
		"!net.a.ipv4: 192.0.2.7 is the address of VE 've1'");
	cr_expect_str_eq(resolve(2, "net.a.link=br1 net.a.ipv6=fe80::7/64", 0), "fe80::7/64", "of each link");
	/* Nothing is left of what was refused. */
	char path[256];
	struct stat st;
	FORMAT(path, "%s/var/lib/vectl/net/leases/192.0.2.8", f.folder);
	cr_expect(lstat(path, &st) != 0);
	cr_expect_str_eq(resolve(3, "net.a.link=br1 net.a.ipv4=192.0.2.8/24", 0), "192.0.2.8/24");
	/* A name that is taken is one that is not picked, and one's own is no conflict. */
	FORMAT(text, "%s", resolve(4, "net.a.ipv4=auto", 0));
	char words[160];
	FORMAT(words, "net.a.ipv4=auto net.b.ipv4=%s", text);
	const char *both = resolve(4, words, 0);
	cr_expect(strstr(both, text) && strlen(both) > strlen(text), "%s", both);
	cr_expect(strstr(strstr(both, text) + 1, text) == NULL, "%s: once", both);
}

Test(net_host, own_network_is_kept_to)
{
	cr_expect_str_eq(resolve(1, "net.a.ipv4=10.9.8.1/29", 0),
		"!net.a.ipv4: 10.9.8.1/29 is the host's own in vectl's network");
	cr_expect_str_eq(resolve(1, "net.a.ipv4=10.9.8.2/24", 0),
		"!net.a.ipv4: 10.9.8.2/24 is not of vectl's own network, 10.9.8.0/29");
	cr_expect_str_eq(resolve(1, "net.a.ipv4=auto net.a.gateway=10.9.9.1", 0),
		"!net.a.gateway: 10.9.9.1 is not of vectl's own network, 10.9.8.0/29");
	cr_expect_str_eq(
		resolve(1, "net.a.ipv6=auto", 0), "!net.a.ipv6: vectl.conf says that vectl's own network has no IPv6");
	cr_expect_str_eq(resolve(1, "net.a.type=routed net.a.ipv4=198.51.100.7/32", 0), "198.51.100.7/32");
}

Test(net_host, what_is_added)
{
	cleanup_spec struct spec *s = spec_of(1, "net.a.ipv4=auto net.b.type=routed net.b.ipv4=auto net.c.link=br0 "
						 "net.c.ipv4=192.0.2.7/24 net.c.mac=02:00:5e:10:00:01");
	cleanup_free struct net_interface *one = NULL, *two = NULL;
	struct ve ve = ve_of(1);
	struct error e = {0};
	char text[NET_ADDRESS_TEXT];
	unsigned char other[6];
	char prefix[IF_NAMESIZE];

	net_host_prefix(&f.host, prefix);
	cr_assert_eq(net_resolve(&ve, s, &one, &e), 3, "%s", e.wrong);
	cr_assert_eq(net_resolve(&ve, s, &two, &e), 3, "%s", e.wrong);
	cr_expect_str_eq(one[0].link, "vebr-0badcafe");
	cr_expect_str_eq(one[1].link, "");
	cr_expect_str_eq(one[2].link, "br0");
	cr_assert_eq(one[0].ngateways, 1);
	net_address_text(&one[0].gateway[0], 1, text);
	cr_expect_str_eq(text, "10.9.8.1/32");
	cr_assert_eq(one[1].ngateways, 1);
	net_address_text(&one[1].gateway[0], 1, text);
	cr_expect_str_eq(text, "169.254.1.1/32");
	cr_expect_eq(one[1].address[0].prefix, 32);
	cr_expect_eq(one[2].ngateways, 0);
	for (int i = 0; i < 3; i++) {
		cr_expect_arr_eq(one[i].mac, two[i].mac, 6);
		cr_expect_eq(one[i].mac[0] & 3, 2);
		cr_expect_eq(strncmp(one[i].host, prefix, strlen(prefix)), 0, "%s", one[i].host);
		cr_expect_lt(strlen(one[i].host), IF_NAMESIZE);
		cr_expect_str_neq(one[i].host, two[i].host);
	}
	cr_expect_arr_neq(one[0].mac, one[1].mac, 6);
	cr_expect_arr_eq(one[2].mac, ((unsigned char[]){2, 0, 0x5e, 0x10, 0, 1}), 6);
	net_mac("01234567-89ab-4def-8123-000000000002", "a", other);
	cr_expect_arr_neq(one[0].mac, other, 6);
}

Test(net_host, defaults)
{
	static const struct {
		const char *conf, *words, *want;
	} cases[] = {
		{"{\"ipv6\": false}", "", "net.eth0.type=bridge net.eth0.ipv4=auto "},
		{"{\"ipv6\": false, \"type\": \"routed\"}", "", "net.eth0.type=routed net.eth0.ipv4=auto "},
		{"{\"type\": \"none\"}", "", ""},
		{"{\"bridge\": \"br0\"}", "", "net.eth0.type=bridge net.eth0.link=br0 net.eth0.filter=mac,dhcp,ra "},
		{"{}", "network=none", ""},
		{"{}", "net.a.mtu=1500", "net.a.mtu=1500 "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_spec struct spec *s = spec_of(1, cases[i].words), *same = spec_of(2, cases[i].want),
					 *other = spec_of(2, "net.a.mtu=1400");
		struct error e = {0};
		char text[256];

		FORMAT(text, "{\"network\": %s}", cases[i].conf);
		put("etc/vectl/vectl.conf", text);
		cr_assert_eq(net_defaults(&f.host, s, &e), 0, "%s", e.wrong);
		cr_expect(net_same(s, same) && net_same(same, s), "%zu", i);
		cr_expect_not(net_same(s, other) || net_same(other, s), "%zu", i);
		cr_expect_eq(spec_check(s, &e), 0, "%s", e.wrong);
	}
}

Test(net_host, stale_leases)
{
	char folder[256], path[512], holder[64];

	cr_expect_str_eq(resolve(1, "net.a.link=br0 net.a.ipv4=192.0.2.7/24", 0), "192.0.2.7/24");
	cr_expect_not(lease_is_stale(&f.host, "192.0.2.7", holder));
	FORMAT(folder, "%s/var/lib/vectl/net/leases", f.folder);
	FORMAT(path, "%s/192.0.2.8", folder);
	cr_assert_eq(symlink("01234567-89ab-4def-8123-000000000009 ve9 a", path), 0);
	cr_expect(lease_is_stale(&f.host, "192.0.2.8", holder));
	cr_expect_str_eq(holder, "ve9");
	cr_expect_str_eq(resolve(2, "net.a.link=br0 net.a.ipv4=192.0.2.8/24", 0), "192.0.2.8/24");
	cr_expect_not(lease_is_stale(&f.host, "192.0.2.8", holder));
	/* While somebody works on its holder it counts. */
	FORMAT(path, "%s/192.0.2.9", folder);
	cr_assert_eq(symlink("01234567-89ab-4def-8123-000000000009 ve9 a", path), 0);
	struct error e = {0};
	FORMAT(path, "%s/run/vectl/.lock/ve9", f.folder);
	int lock = lock_file(path, &e, "lock");
	cr_assert_geq(lock, 0);
	cr_expect_str_eq(resolve(2, "net.a.link=br0 net.a.ipv4=192.0.2.9/24", 0),
		"!net.a.ipv4: 192.0.2.9 is the address of VE 've9'");
	close(lock);
	cr_expect_str_eq(resolve(2, "net.a.link=br0 net.a.ipv4=192.0.2.9/24", 0), "192.0.2.9/24");
	cr_expect(access(path, F_OK) != 0, "a lock file of no VE");
	/* Of a VE that a rename, killed half-way, gave another name. */
	char from[512], to[512];
	FORMAT(from, "%s/var/lib/vectl/ve/ve1", f.folder);
	FORMAT(to, "%s/var/lib/vectl/ve/renamed", f.folder);
	cr_assert_eq(rename(from, to), 0);
	cr_expect_not(lease_is_stale(&f.host, "192.0.2.7", holder));
	cr_expect_str_eq(resolve(3, "net.a.link=br0 net.a.ipv4=192.0.2.7/24", 0),
		"!net.a.ipv4: 192.0.2.7 is the address of VE 'renamed'");
	/* What is none. */
	FORMAT(path, "%s/192.0.2.10", folder);
	cr_assert_eq(symlink("../../../etc", path), 0);
	cr_expect(lease_is_stale(&f.host, "192.0.2.10", holder));
	cr_expect_str_eq(holder, "");
	cr_expect_str_eq(resolve(3, "net.a.link=br0 net.a.ipv4=192.0.2.10/24", 0),
		"!net.a.ipv4: the lease of 192.0.2.10 is damaged");
	FORMAT(path, "%s/192.0.2.11", folder);
	cr_assert_eq(symlink("01234567-89ab-4def-8123-000000000009 ../../../../etc a", path), 0);
	cr_expect(lease_is_stale(&f.host, "192.0.2.11", holder));
	cr_expect_str_eq(holder, "");
}

/* ---- resolv.conf */

static void expect_resolver(const char *etc, const char *resolved, const char *words, const char *want)
{
	cleanup_spec struct spec *s = spec_of(1, words);
	cleanup_free char *text = NULL;

	cr_assert_eq(resolver_text(etc, resolved, s, &text), 0);
	if (!want) {
		cr_expect_null(text, "%s", text);
		return;
	}
	cr_assert_not_null(text, "%s", want);
	cr_expect_eq(strncmp(text, NET_RESOLVER_MARK " ", strlen(NET_RESOLVER_MARK) + 1), 0, "%s", text);
	cr_expect_str_eq(strchr(text, '\n') + 1, want);
}

Test(net_host, resolver)
{
	static const char stub[] = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n";

	expect_resolver("nameserver 192.0.2.53\n", NULL, "", "nameserver 192.0.2.53\n");
	expect_resolver("# a\n;b\nnameserver\t192.0.2.53 # x\nnameserver 127.0.0.1\nnameserver 2001:db8::53\n"
			"domain old\nsearch  a.example b.example\noptions rotate",
		NULL, "", "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch a.example b.example\n");
	expect_resolver(stub, "nameserver 192.0.2.53\nsearch real\n", "", "nameserver 192.0.2.53\nsearch real\n");
	expect_resolver(stub, "nameserver 192.0.2.53\n", "", "nameserver 192.0.2.53\nsearch lan\n");
	expect_resolver("nameserver ::1\n", "nameserver 127.0.0.1\n", "", NULL);
	expect_resolver(stub, NULL, "", NULL);
	/* On the host's own network its loopback is the VE's. */
	expect_resolver(stub, "nameserver 192.0.2.53\n", "network=host", "nameserver 127.0.0.53\nsearch lan\n");
	expect_resolver(NULL, NULL, "", NULL);
	expect_resolver("", "", "dns.search=x.example", NULL);
	expect_resolver("nameserver fe80::1%eth0\nnameserver fe80::1\nnameserver nonsense\nnameserver 10.0.0.1/8\n"
			"nameserver\nnameserver 0.0.0.0\nnameserver ::\n",
		NULL, "", NULL);
	expect_resolver(
		stub, NULL, "dns.servers=127.0.0.1,2001:db8::53", "nameserver 127.0.0.1\nnameserver 2001:db8::53\n");
	expect_resolver("nameserver 192.0.2.53\nsearch lan\n", NULL, "dns.search=a.example,b.example",
		"nameserver 192.0.2.53\nsearch a.example b.example\n");
	expect_resolver("nameserver 192.0.2.1\nsearch lan\n", NULL, "dns.servers=192.0.2.53 dns.search=a.example",
		"nameserver 192.0.2.53\nsearch a.example\n");
}

/* Whatever the host's file is like, the VE starts: whole domains are kept, as many as fit. */
Test(net_host, resolver_long_search)
{
	enum { DOMAIN = 250, FIT = NET_RESOLVER_SEARCH / (DOMAIN + 1) };
	char etc[8192] = "nameserver 192.0.2.53\nsearch", want[4096] = "nameserver 192.0.2.53\nsearch";

	for (int i = 0; i < 20; i++) {
		char word[DOMAIN + 2] = " ";
		memset(word + 1, 'a' + i, DOMAIN);
		strcat(etc, word);
		if (i < FIT)
			strcat(want, word);
	}
	strcat(etc, "\n");
	strcat(want, "\n" NET_RESOLVER_CUT "\n");
	expect_resolver(etc, NULL, "", want);
	cr_expect(strlen(want) < 4000);
}
