/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What net.* says, as data: addresses in network order. What a host adds to it is in lib/net/net.h. */
#ifndef VE_SPEC_INTERFACES_H
#define VE_SPEC_INTERFACES_H

#include <net/if.h>
#include <stdint.h>

#include "lib/spec/spec.h"

enum {
	NET_INTERFACES_MAX = 16, /* of one VE */
	NET_ADDRESSES_MAX = 32,  /* of one interface, both families */
	NET_PORTS_MAX = 64,      /* published by one interface; a range is one */
};

enum net_type { NET_BRIDGE, NET_ROUTED, NET_MACVLAN, NET_PHYS };

/* What an interface's guest is kept from sending. */
enum net_filter {
	NET_FILTER_MAC = 1,  /* from another hardware address */
	NET_FILTER_IPV4 = 2, /* from, or claiming by ARP, an IPv4 address that is not its own */
	NET_FILTER_IPV6 = 4, /* from, or claiming by ND, an IPv6 address that is not its own */
	NET_FILTER_DHCP = 8, /* what a DHCP server alone sends */
	NET_FILTER_RA = 16,  /* router advertisements and redirects */
	NET_FILTER_ALL = 31,
};

struct net_address {
	int family;             /* AF_INET or AF_INET6; 0: none */
	unsigned prefix;        /* length of the network's, in bits */
	unsigned char byte[16]; /* the first 4 for AF_INET */
};

struct net_port {
	int udp;                    /* else TCP */
	struct net_address address; /* the host's, that it is published on; family 0: on all, of both families */
	uint16_t first, last;       /* on the host, both included */
	uint16_t to;                /* of the VE: what `first` goes to; a range goes on from there */
};

/* A link of the host's; index 0: none. By its index, since the administrator may rename it. */
struct net_uplink {
	unsigned index;
	char name[IF_NAMESIZE];
};

struct net_interface {
	char name[IF_NAMESIZE]; /* inside */
	char host[IF_NAMESIZE]; /* the host's end: another one at each start */
	char link[IF_NAMESIZE]; /* BRIDGE: the bridge; MACVLAN, PHYS: the device; ROUTED: the device whose neighbours
				   are answered for the VE's addresses, or "" */
	int type;               /* enum net_type */
	int managed;            /* BRIDGE: `link` is vectl's own bridge, made on demand */
	unsigned char mac[6];
	unsigned mtu;               /* 0: as the link has it */
	unsigned vlan;              /* BRIDGE: the one VLAN of it that the port is in; 0: as the bridge has it */
	unsigned filter;            /* NET_FILTER_... */
	uint64_t rate_in, rate_out; /* bit/s as the VE sees them; 0: no limit */
	struct net_address address[NET_ADDRESSES_MAX];
	unsigned naddresses;
	struct net_uplink uplink[NET_ADDRESSES_MAX]; /* ROUTED, by address: where the host answers for it */
	struct net_address gateway[2];               /* one a family; the next hop of its default route */
	unsigned ngateways;
	struct net_port port[NET_PORTS_MAX];
	unsigned nports;
};

/* One interface as the spec has it: `i` without what the host adds. */
struct net_wish {
	struct net_interface i;
	int auto_ipv4, auto_ipv6; /* an address of vectl's own network is asked for, besides those in `i` */
	int has_mac;
};

/*
 * All of net.*, in the order of names, with the checks between keys (spec_check calls it). Pure. Returns how many;
 * *ret is the caller's to free.
 */
int spec_interfaces(const struct spec *s, struct net_wish **ret, struct error *e);

/* "10.0.0.2/24", and without the prefix length. Buffers of NET_ADDRESS_TEXT bytes. */
enum { NET_ADDRESS_TEXT = 64 };
void net_address_text(const struct net_address *a, int with_prefix, char *buf);
int net_address_parse(const char *text, struct net_address *ret); /* -EINVAL; prefix: that of the text, else all bits */
unsigned net_address_bits(const struct net_address *a);           /* 32 or 128 */
int net_address_same(const struct net_address *a, const struct net_address *b);    /* prefix lengths aside */
int net_address_within(const struct net_address *a, const struct net_address *of); /* in the network of `of` */
int net_address_is_network(const struct net_address *a);   /* the first of its network, where that is no host's */
int net_address_is_broadcast(const struct net_address *a); /* IPv4: the last of its network */
int net_address_is_link_local(const struct net_address *a);

#endif
