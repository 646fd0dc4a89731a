/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of what interfaces have carried, and how counters are added to it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "lib/net/traffic.h"

#define ZEROS " 0 0 0 0 0 0 0 0"
static const char whole[] = "traffic 1 2\n"
			    "eth0 vectl-aaaaaaaaa 7 80 8 70 7 60 6 9223372036854775807 5 40 4 30 3 20 2 10 1\n"
			    "lan - 0 1 2 3 4 5 6 7 8" ZEROS "\n";

static struct net_interface end(const char *name, const char *host)
{
	struct net_interface i = {.type = NET_BRIDGE};
	FORMAT(i.name, "%s", name);
	FORMAT(i.host, "%s", host);
	return i;
}

static struct firewall_counters counters(uint64_t table, uint64_t far_sent, uint64_t near_received)
{
	struct firewall_counters c = {.table = table};
	c.traffic.sent[FIREWALL_FAR].bytes = far_sent;
	c.traffic.received[FIREWALL_NEAR].bytes = near_received;
	return c;
}

static void add(struct traffic *t, const char *name, const char *host, struct firewall_counters now)
{
	struct net_interface i = end(name, host);
	cr_assert(eq(int, traffic_add(t, &i, &now), 0));
}

Test(traffic, comes_back_as_it_was)
{
	cleanup_traffic struct traffic t = {0};
	cleanup_free char *text = NULL;
	cr_assert(eq(int, traffic_parse(whole, &t), 0));
	cr_assert(eq(sz, t.n, 2));
	cr_assert(eq(str, t.of[0].host, "vectl-aaaaaaaaa"));
	cr_assert(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 70));
	cr_assert(eq(u64, t.of[0].total.received[FIREWALL_FAR].bytes, INT64_MAX));
	cr_assert(eq(str, t.of[1].host, ""));
	cr_assert(eq(int, traffic_text(&t, &text), 0));
	cr_assert(eq(str, text, (char *)whole));
}

Test(traffic, refuses_what_it_did_not_write)
{
	static const char *const bad[] = {
		"",
		"\n",
		"traffic 1 0",
		"traffic 1  0\n",
		"traffic 1 -0\n",
		"traffic 2 0\n",
		"traffic 1 1\n",
		"traffic 1 1\neth0 - 0" ZEROS ZEROS,
		"traffic 1 1\neth0 - 0" ZEROS " 0 0 0 0 0 0 0\n",
		"traffic 1 1\neth0 - 0" ZEROS ZEROS " 0\n",
		"traffic 1 1\neth0 - 0" ZEROS ZEROS " \n",
		"traffic 1 1\n eth0 - 0" ZEROS ZEROS "\n",
		"traffic 1 1\neth0 -" ZEROS ZEROS "\n",
		"traffic 1 1\neth0 0" ZEROS ZEROS "\n",
		"traffic 1 1\neth0 - -1" ZEROS ZEROS "\n",
		"traffic 1 1\neth0 - 0 -1 0 0 0 0 0 0 0" ZEROS "\n",
		"traffic 1 1\neth0 - 0 0x1 0 0 0 0 0 0 0" ZEROS "\n",
		"traffic 1 1\neth0 - 0 9223372036854775808 0 0 0 0 0 0 0" ZEROS "\n",
		"traffic 1 1\neth0 - 0 99999999999999999999999 0 0 0 0 0 0 0" ZEROS "\n",
		"traffic 1 1\neth0 v 1" ZEROS " 1 0 0 0 0 0 0 0\n", /* more in it than there is */
		"traffic 1 1\na-name-of-16-byte - 0" ZEROS ZEROS "\n",
		"traffic 1 2\neth0 - 0" ZEROS ZEROS "\neth0 - 0" ZEROS ZEROS "\n",
		"traffic 1 1\neth0 - 0" ZEROS ZEROS "\nlan - 0" ZEROS ZEROS "\n",
		"traffic 1 1\n\neth0 - 0" ZEROS ZEROS "\n",
		"\xff\xfe\x01",
	};
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		struct traffic t = {0};
		cr_expect(eq(int, traffic_parse(bad[k], &t), -EBADMSG), "%s", bad[k]);
		cr_expect(eq(ptr, t.of, NULL), "%s", bad[k]);
	}
	/* Whatever is cut off, or another byte. */
	for (size_t length = 0; length < sizeof whole - 1; length++) {
		char text[sizeof whole];
		struct traffic t = {0};
		memcpy(text, whole, length);
		text[length] = 0;
		cr_expect(eq(int, traffic_parse(text, &t), -EBADMSG), "%zu", length);
		memcpy(text, whole, sizeof text);
		text[length] = '\x80';
		if (!traffic_parse(text, &t)) /* in a name */
			free(t.of);
	}
}

Test(traffic, is_counted_once)
{
	cleanup_traffic struct traffic t = {0};
	add(&t, "eth0", "va", counters(1, 100, 10));
	add(&t, "eth0", "va", counters(1, 100, 10));
	add(&t, "eth0", "va", counters(1, 150, 10));
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 150));
	cr_expect(eq(u64, t.of[0].total.received[FIREWALL_NEAR].bytes, 10));
	/* Its counters are gone, and it was saved before. */
	add(&t, "eth0", "va", counters(0, 0, 0));
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 150));
	cr_expect(eq(sz, t.n, 1));
}

Test(traffic, goes_on_behind_another_end)
{
	cleanup_traffic struct traffic t = {0};
	add(&t, "eth0", "va", counters(1, 100, 10));
	add(&t, "eth0", "vb", counters(1, 200, 10)); /* a start */
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 300));
	add(&t, "eth0", "vb", counters(2, 250, 20)); /* the tables were made anew */
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 550));
	cr_expect(eq(u64, t.of[0].total.received[FIREWALL_NEAR].bytes, 40));
	add(&t, "eth0", "vb", counters(2, 300, 5)); /* one was reset, and the other one was not */
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 600));
	cr_expect(eq(u64, t.of[0].total.received[FIREWALL_NEAR].bytes, 45));
	/* Taken away and put back in one change that failed. */
	add(&t, "eth0", "vb", counters(0, 0, 0));
	add(&t, "eth0", "vb", counters(2, 400, 50));
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 1000));
	/* What somebody else's end lacks says nothing of this one. */
	add(&t, "eth0", "vc", counters(0, 0, 0));
	add(&t, "eth0", "vb", counters(2, 400, 50));
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 1000));
	add(&t, "lan", "vd", counters(2, 1, 1));
	cr_expect(eq(sz, t.n, 2));
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 1000));
	/* Bytes and packets are reset as one, whichever of them shows it. */
	struct firewall_counters large = counters(2, 500, 50), fewer = counters(2, 600, 50);
	large.traffic.sent[FIREWALL_FAR].packets = 5;
	fewer.traffic.sent[FIREWALL_FAR].packets = 1;
	add(&t, "eth0", "vb", large);
	add(&t, "eth0", "vb", fewer);
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].bytes, 1700));
	cr_expect(eq(u64, t.of[0].total.sent[FIREWALL_FAR].packets, 6));
	cr_expect(eq(u64, t.of[0].total.received[FIREWALL_NEAR].bytes, 95));
}

Test(traffic, keeps_what_is_damaged)
{
	struct fixture f;
	cleanup_free char *kept = NULL;
	fixture_make(&f);
	cr_expect(eq(int, traffic_save(&f.host, "web1", NULL, 0, 1), 0), "no such VE");
	cr_assert(eq(int, mkdir_parents(under(&f, "var/lib/vectl/ve/web1"), 0700), 0));
	cr_expect(eq(int, traffic_save(&f.host, "web1", NULL, 0, 1), 0), "no file");
	put_text(under(&f, "var/lib/vectl/ve/web1/traffic"), whole);
	cr_expect(eq(int, traffic_save(&f.host, "web1", NULL, 0, 1), 0), "a whole one");
	put_text(under(&f, "var/lib/vectl/ve/web1/traffic"), "garbage\n");
	cr_expect(eq(int, traffic_save(&f.host, "web1", NULL, 0, 1), 1), "garbage");
	cr_expect(eq(int, traffic_save(&f.host, "web1", NULL, 0, 1), 0), "once");
	cr_assert(read_file_at(AT_FDCWD, under(&f, "var/lib/vectl/ve/web1/traffic.damaged"), 100, &kept, NULL) >= 0);
	cr_expect(eq(str, kept, "garbage\n"));
	cr_assert(eq(int, mkdir_parents(under(&f, "var/lib/vectl/ve/web1/traffic"), 0700), 0));
	cr_expect(lt(int, traffic_save(&f.host, "web1", NULL, 0, 1), 0), "a folder does not replace a file");
	fixture_remove(&f);
}
