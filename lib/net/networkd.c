/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/networkd.h"

#include <arpa/inet.h>
#include <string.h>

struct out {
	char *at, *end;
};

static void add(struct out *o, const char *text)
{
	while (*text && o->at < o->end)
		*o->at++ = *text++;
	*o->at = 0;
}

static void add_ip(struct out *o, const struct veth_ip *ip, int with_prefix)
{
	char text[INET6_ADDRSTRLEN] = "",
	     number[] = {'/', '0' + ip->prefix / 100, '0' + ip->prefix / 10 % 10, '0' + ip->prefix % 10, 0};
	inet_ntop(ip->family, ip->byte, text, sizeof text);
	add(o, text);
	if (!with_prefix)
		return;
	add(o, "/");
	add(o, number + (ip->prefix >= 100 ? 1 : ip->prefix >= 10 ? 2 : 3));
}

void networkd_name(const char *interface, char buf[NETWORKD_NAME])
{
	struct out o = {buf, buf + NETWORKD_NAME - 1};
	add(&o, "systemd/network/00-vectl-");
	add(&o, interface);
	add(&o, ".network");
}

void networkd_text(const char *interface, const struct veth_ip *address, unsigned naddresses,
	const struct veth_ip *gateway, unsigned ngateways, char buf[NETWORKD_TEXT])
{
	struct out o = {buf, buf + NETWORKD_TEXT - 1};
	add(&o, "# Written by vectl at each boot. A file of this name in /etc/systemd/network takes its place.\n"
		"[Match]\nName=");
	add(&o, interface);
	add(&o, "\n[Network]\nKeepConfiguration=yes\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n");
	for (unsigned i = 0; i < naddresses; i++) {
		add(&o, "[Address]\nAddress=");
		add_ip(&o, &address[i], 1);
		add(&o, "\nDuplicateAddressDetection=none\n");
	}
	for (unsigned i = 0; i < ngateways; i++) {
		add(&o, "[Route]\nGateway=");
		add_ip(&o, &gateway[i], 0);
		add(&o, "\nGatewayOnLink=yes\n");
	}
}
