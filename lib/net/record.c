/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interfaces that a VE has, and what the firewall has of them, as text of lines, written by root into a folder of
 *root's alone:
 *
 *	interface NAME HOST LINK TYPE MANAGED MAC FILTER	LINK "-": none
 *	link MTU RATE_IN RATE_OUT
 *	vlan ID
 *	address ADDRESS/PREFIX
 *	uplink INDEX NAME	of that address; where there is one
 *	gateway ADDRESS/PREFIX
 *	port tcp|udp ADDRESS|- FIRST LAST TO
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/net/firewall.h"

static void write_address(FILE *f, const struct net_address *a)
{
	char text[INET6_ADDRSTRLEN] = "";
	inet_ntop(a->family, a->byte, text, sizeof text);
	fputs(text, f);
}

static void write_interface(FILE *f, const struct net_interface *i)
{
	const unsigned char *m = i->mac;
	fprintf(f, "interface %s %s %s %d %d %02x:%02x:%02x:%02x:%02x:%02x %u\n", i->name, i->host,
		*i->link ? i->link : "-", i->type, i->managed, m[0], m[1], m[2], m[3], m[4], m[5], i->filter);
	if (i->mtu || i->rate_in || i->rate_out)
		fprintf(f, "link %u %" PRIu64 " %" PRIu64 "\n", i->mtu, i->rate_in, i->rate_out);
	if (i->vlan)
		fprintf(f, "vlan %u\n", i->vlan);
	for (unsigned k = 0; k < i->ngateways; k++) {
		fputs("gateway ", f);
		write_address(f, &i->gateway[k]);
		fprintf(f, "/%u\n", i->gateway[k].prefix);
	}
	for (unsigned k = 0; k < i->naddresses; k++) {
		fputs("address ", f);
		write_address(f, &i->address[k]);
		fprintf(f, "/%u\n", i->address[k].prefix);
		if (i->uplink[k].index)
			fprintf(f, "uplink %u %s\n", i->uplink[k].index, i->uplink[k].name);
	}
	for (unsigned k = 0; k < i->nports; k++) {
		const struct net_port *p = &i->port[k];
		fprintf(f, "port %s ", p->udp ? "udp" : "tcp");
		if (p->address.family)
			write_address(f, &p->address);
		else
			fputc('-', f);
		fprintf(f, " %u %u %u\n", p->first, p->last, p->to);
	}
}

int firewall_record(const struct net_interface *i, size_t n, char **ret)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++)
		write_interface(f, &i[k]);
	if (fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

static int read_address(const char *text, struct net_address *ret)
{
	struct net_address a = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	char alone[64];
	const char *slash = strchr(text, '/');
	a.prefix = a.family == AF_INET ? 32 : 128;
	if (FORMAT(alone, "%.*s", (int)(slash ? slash - text : (ptrdiff_t)strlen(text)), text) < 0 ||
		inet_pton(a.family, alone, a.byte) != 1)
		return -EBADMSG;
	if (slash) {
		char *end;
		unsigned long prefix = strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || *end || prefix > a.prefix)
			return -EBADMSG;
		a.prefix = (unsigned)prefix;
	}
	*ret = a;
	return 0;
}

static int read_interface(const char *line, struct net_interface *i)
{
	unsigned m[6];
	int end = 0;
	if (sscanf(line, "interface %15s %15s %15s %d %d %2x:%2x:%2x:%2x:%2x:%2x %u%n", i->name, i->host, i->link,
		    &i->type, &i->managed, &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &i->filter, &end) != 12 ||
		line[end] || i->type < NET_BRIDGE || i->type > NET_PHYS || i->filter > NET_FILTER_ALL)
		return -EBADMSG;
	for (int k = 0; k < 6; k++)
		i->mac[k] = (unsigned char)m[k];
	if (!strcmp(i->link, "-"))
		i->link[0] = 0;
	return 0;
}

static int read_port(const char *line, struct net_port *ret)
{
	char protocol[4], address[64];
	unsigned first, last, to;
	int end = 0;
	struct net_port p = {0};
	if (sscanf(line, "port %3s %63s %u %u %u%n", protocol, address, &first, &last, &to, &end) != 5 || line[end] ||
		!first || first > last || last > UINT16_MAX || !to || to + (last - first) > UINT16_MAX)
		return -EBADMSG;
	p.udp = !strcmp(protocol, "udp");
	if (!p.udp && strcmp(protocol, "tcp"))
		return -EBADMSG;
	p.first = (uint16_t)first;
	p.last = (uint16_t)last;
	p.to = (uint16_t)to;
	int r = strcmp(address, "-") ? read_address(address, &p.address) : 0;
	if (!r)
		*ret = p;
	return r;
}

static int read_line(const char *line, struct net_interface *all, size_t *n)
{
	if (!strncmp(line, "interface ", 10)) {
		if (*n == FIREWALL_RECORD_MAX)
			return -EBADMSG;
		return read_interface(line, &all[(*n)++]);
	}
	if (!*n)
		return -EBADMSG;
	struct net_interface *i = &all[*n - 1];
	int end = 0;
	if (!strncmp(line, "address ", 8) && i->naddresses < NET_ADDRESSES_MAX)
		return read_address(line + 8, &i->address[i->naddresses++]);
	if (!strncmp(line, "uplink ", 7) && i->naddresses) {
		struct net_uplink *up = &i->uplink[i->naddresses - 1];
		return sscanf(line, "uplink %u %15s%n", &up->index, up->name, &end) == 2 && !line[end] ? 0 : -EBADMSG;
	}
	if (!strncmp(line, "gateway ", 8) && i->ngateways < ARRAY_SIZE(i->gateway))
		return read_address(line + 8, &i->gateway[i->ngateways++]);
	if (!strncmp(line, "link ", 5))
		return sscanf(line, "link %u %" SCNu64 " %" SCNu64 "%n", &i->mtu, &i->rate_in, &i->rate_out, &end) ==
					       3 &&
				       !line[end]
			       ? 0
			       : -EBADMSG;
	if (!strncmp(line, "vlan ", 5))
		return sscanf(line, "vlan %u%n", &i->vlan, &end) == 1 && !line[end] && i->vlan <= VLAN_LAST ? 0
													    : -EBADMSG;
	if (!strncmp(line, "port ", 5) && i->nports < NET_PORTS_MAX)
		return read_port(line, &i->port[i->nports++]);
	return -EBADMSG;
}

int firewall_parse(const char *text, struct net_interface **ret)
{
	cleanup_free struct net_interface *all = calloc(FIREWALL_RECORD_MAX, sizeof *all);
	size_t n = 0;
	if (!all)
		return -ENOMEM;
	if (!strncmp(text, FIREWALL_CHANGING, strlen(FIREWALL_CHANGING)))
		text += strlen(FIREWALL_CHANGING);
	while (*text) {
		char line[256];
		size_t length = strcspn(text, "\n");
		if (!text[length] || FORMAT(line, "%.*s", (int)length, text) < 0)
			return -EBADMSG; /* cut off, too */
		int r = read_line(line, all, &n);
		if (r)
			return r;
		text += length + 1;
	}
	*ret = TAKE_PTR(all);
	return (int)n;
}
