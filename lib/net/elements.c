/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/elements.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/base/util.h"

/*
 * Kinds of fields: i an interface's name, m a hardware address, 4 and 6 IP addresses, x an IPv6 address that nft takes
 * for a number, p a protocol, s a port.
 */
static const struct {
	char kind;
	unsigned char size;
} fields[] = {{'i', IF_NAMESIZE}, {'m', 6}, {'4', 4}, {'6', 16}, {'x', 16}, {'p', 1}, {'s', 2}};

static size_t field_size(char kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].kind == kind)
			return fields[i].size;
	return 0;
}

static size_t padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* Where an interface's elements go to. */
struct sink {
	const struct net_interface *i;
	element_fn *each;
	void *arg;
	int result; /* of the last each; nothing more is put once it is not 0 */
};

/* `values`: where the fields of `kinds` are, in that order. */
static void put(struct sink *s, int family, const char *set, const char *kinds, const void *const values[])
{
	struct element e = {.family = family, .set = set, .kinds = kinds};
	unsigned char *to = e.key;
	size_t *used = &e.nkey;
	if (s->result)
		return;
	for (const char *k = kinds; *k; k++) {
		if (*k == ':') {
			to = e.data;
			used = &e.ndata;
			continue;
		}
		memcpy(to + *used, *values++, field_size(*k));
		*used += padded(field_size(*k));
	}
	s->result = s->each(s->arg, &e);
}

static void put_name(struct sink *s, int family, const char *set)
{
	put(s, family, set, "i", (const void *[]){s->i->host});
}

static const char *address_kinds(const struct net_address *a)
{
	return a->family == AF_INET ? "4" : "6";
}

/* fe80:: with the hardware address in it (RFC 4291, appendix A): what a guest has before it has any other. */
static void link_local(const unsigned char mac[6], unsigned char ret[16])
{
	const unsigned char all[16] = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
	memcpy(ret, all, sizeof all);
}

static void put_own6(struct sink *s, int family, const unsigned char address[16])
{
	put(s, family, "own_ipv6", "i6", (const void *[]){s->i->host, address});
	put(s, family, "own_target", "ix", (const void *[]){s->i->host, address});
}

static void put_filter(struct sink *s, int family)
{
	static const struct {
		unsigned filter;
		const char *free;
	} exceptions[] = {{NET_FILTER_MAC, "free_mac"}, {NET_FILTER_IPV4, "free_ipv4"}, {NET_FILTER_IPV6, "free_ipv6"},
		{NET_FILTER_DHCP, "free_dhcp"}, {NET_FILTER_RA, "free_ra"}};
	const int arp = family == ELEMENT_ARP;
	unsigned char local[16];

	for (size_t k = 0; k < ARRAY_SIZE(exceptions); k++)
		if (!(s->i->filter & exceptions[k].filter) && (!arp || k < 2))
			put_name(s, family, exceptions[k].free);
	put(s, family, "own_mac", "im", (const void *[]){s->i->host, s->i->mac});
	for (unsigned k = 0; k < s->i->naddresses; k++) {
		const struct net_address *a = &s->i->address[k];
		if (a->family == AF_INET)
			put(s, family, "own_ipv4", "i4", (const void *[]){s->i->host, a->byte});
		else if (!arp)
			put_own6(s, family, a->byte);
	}
	if (!arp) {
		link_local(s->i->mac, local);
		put_own6(s, family, local);
	}
	/* Last: what makes the port a filtered one. */
	put_name(s, family, "ports");
}

static const struct net_address *first_address(const struct net_interface *i, int family)
{
	for (unsigned k = 0; k < i->naddresses; k++)
		if (i->address[k].family == family)
			return &i->address[k];
	return NULL;
}

static void put_port(struct sink *s, const struct net_port *p, const struct net_address *to)
{
	const int is4 = to->family == AF_INET;
	const unsigned char protocol = p->udp ? IPPROTO_UDP : IPPROTO_TCP;
	for (unsigned port = p->first; port <= p->last; port++) {
		const uint16_t on = htons((uint16_t)port), at = htons((uint16_t)(p->to + (port - p->first)));
		if (p->address.family)
			put(s, ELEMENT_INET, is4 ? "ports4_on" : "ports6_on", is4 ? "p4s:4s" : "p6s:6s",
				(const void *[]){&protocol, p->address.byte, &on, to->byte, &at});
		else
			put(s, ELEMENT_INET, is4 ? "ports4" : "ports6", is4 ? "ps:4s" : "ps:6s",
				(const void *[]){&protocol, &on, to->byte, &at});
	}
}

static void put_ports(struct sink *s)
{
	static const int families[] = {AF_INET, AF_INET6};
	/* Where the VE's own packets come in: a bridge that is routed, or its link. */
	char where[IF_NAMESIZE] = "";
	FORMAT(where, "%s", s->i->type == NET_BRIDGE ? s->i->link : s->i->host);
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		const struct net_address *to = first_address(s->i, families[f]);
		int any = 0;
		for (unsigned k = 0; to && k < s->i->nports; k++) {
			const struct net_port *p = &s->i->port[k];
			if (p->address.family && p->address.family != families[f])
				continue;
			put_port(s, p, to);
			any = 1;
		}
		if (any)
			put(s, ELEMENT_INET, to->family == AF_INET ? "hairpin4" : "hairpin6",
				to->family == AF_INET ? "i4" : "i6", (const void *[]){where, to->byte});
	}
}

int elements_counting(const struct net_interface *i, element_fn *each, void *arg)
{
	struct sink s = {.i = i, .each = each, .arg = arg};
	const int family = i->type == NET_BRIDGE ? ELEMENT_BRIDGE : ELEMENT_INET;
	put_name(&s, family, "sent_near");
	put_name(&s, family, "sent_far");
	put_name(&s, family, "received_near");
	put_name(&s, family, "received_far");
	return s.result;
}

int elements_of(const struct net_interface *i, element_fn *each, void *arg)
{
	struct sink s = {.i = i, .each = each, .arg = arg};
	const int bridged = i->type == NET_BRIDGE;

	if (i->type != NET_BRIDGE && i->type != NET_ROUTED)
		return 0;
	if (bridged) {
		put_name(&s, ELEMENT_INET, "bridged");
		put_name(&s, ELEMENT_ARP, "bridged");
	}
	put_name(&s, bridged ? ELEMENT_BRIDGE : ELEMENT_INET, "links");
	if (!bridged)
		put_name(&s, ELEMENT_ARP, "links");
	if (i->filter) {
		put_filter(&s, bridged ? ELEMENT_BRIDGE : ELEMENT_INET);
		if (!bridged)
			put_filter(&s, ELEMENT_ARP);
	}
	/* Each family tells near from far by all VEs' addresses, wherever they are. */
	for (unsigned k = 0; k < i->naddresses; k++) {
		const struct net_address *a = &i->address[k];
		const char *near = a->family == AF_INET ? "near4" : "near6";
		put(&s, ELEMENT_BRIDGE, near, address_kinds(a), (const void *[]){a->byte});
		put(&s, ELEMENT_INET, near, address_kinds(a), (const void *[]){a->byte});
	}
	if (!s.result)
		s.result = elements_counting(i, each, arg);
	put_ports(&s);
	return s.result;
}

static void write_field(char kind, const unsigned char *value, FILE *to)
{
	char text[INET6_ADDRSTRLEN] = "";
	switch (kind) {
	case 'i':
		fprintf(to, "\"%.*s\"", IF_NAMESIZE - 1, (const char *)value);
		break;
	case 'm':
		fprintf(to, "%02x:%02x:%02x:%02x:%02x:%02x", value[0], value[1], value[2], value[3], value[4],
			value[5]);
		break;
	case '4':
	case '6':
		inet_ntop(kind == '4' ? AF_INET : AF_INET6, value, text, sizeof text);
		fputs(text, to);
		break;
	case 'x':
		fputs("0x", to);
		for (int k = 0; k < 16; k++)
			fprintf(to, "%02x", value[k]);
		break;
	case 'p':
		fprintf(to, "%u", value[0]);
		break;
	case 's':
		fprintf(to, "%u", value[0] << 8 | value[1]);
		break;
	default:
		break;
	}
}

void element_write(const struct element *element, FILE *to)
{
	const unsigned char *at = element->key;
	for (const char *k = element->kinds; *k; k++) {
		if (*k == ':') {
			fputs(" : ", to);
			at = element->data;
			continue;
		}
		if (at != element->key && at != element->data)
			fputs(" . ", to);
		write_field(*k, at, to);
		at += padded(field_size(*k));
	}
}
