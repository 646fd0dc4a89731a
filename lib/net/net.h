/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the spec's net.* comes to on this host: plain data, made by net_resolve before a start is planned, used by the
 * plan, the firewall and what shows it. Addresses are in network order.
 */
#ifndef VE_NET_NET_H
#define VE_NET_NET_H

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/host/host.h"
#include "lib/net/veth.h"
#include "lib/spec/interfaces.h"

/*
 * vectl's own network of this root: one bridge, whose addresses are the gateways of the VEs on it. Its names carry the
 * root's short id.
 */
struct net_own {
	char bridge[IF_NAMESIZE]; /* "vebr0"; of another root than the default one "vebr-ID" */
	struct net_address ipv4;  /* the bridge's, with the pool's prefix length */
	struct net_address ipv6;  /* family 0: the host, or vectl.conf, has no IPv6 */
	int no_ipv6;              /* it is vectl.conf */
	int forbid_nat;           /* vectl.conf: the pool's addresses leave the host as they are */
};

/* The next hop of a routed interface that names none: the host's end answers for these. */
#define NET_ROUTED_IPV4 "169.254.1.1"
#define NET_ROUTED_IPV6 "fe80::1"

/* vectl's own network: picked at its first use, so that it overlaps no route of the host's, and kept from then on. */
int net_own(struct ve_host *host, struct net_own *ret, struct error *e);

/* What the names of host's ends of this root's VEs begin with, and no other device's. */
void net_host_prefix(const struct ve_host *host, char buf[IF_NAMESIZE]);

/*
 * All of net.* with what this host adds: leases for `auto`, gateways, a MAC from the uuid, fresh names of the host's
 * ends. An address stays what it is until the VE is destroyed or its key is changed; static ones come first. Takes
 * leases that are not taken yet; -EADDRINUSE and VE_E_BUSY with the holder's name where an address is another VE's.
 * With the VE's change lock held. Returns how many; *ret is the caller's to free.
 */
int net_resolve(struct ve *ve, const struct spec *s, struct net_interface **ret, struct error *e);
/*
 * As net_resolve, but takes nothing and reads leases alone: what has no lease yet stays without an address, and the
 * host's ends are named by their prefix and `*`. Locks nothing.
 */
int net_look(struct ve *ve, const struct spec *s, struct net_interface **ret, struct error *e);

/*
 * Leases alone, of a VE whose folder `dir` may not have its name yet, or no more. Taking takes all or none; nothing is
 * given back by it, so that a VE that runs keeps what it has. Giving back: what is neither in `s` nor in `also`, such
 * as what the VE runs with (NULL: nothing; both NULL: the folder is about to go).
 */
int net_take(struct ve *ve, int dir, const struct spec *s, struct error *e);
int net_release_in(struct ve_host *host, int dir, const struct spec *s, const struct spec *also, struct error *e);
int net_release(struct ve *ve, const struct spec *s, const struct spec *also, struct error *e);
/* The leases say the VE's name, which has changed. */
void net_renamed(struct ve *ve, int dir);

/* All addresses that the VE of that folder has, without prefix lengths, as a list. */
void net_addresses_json(int dir, struct json_writer *w, const char *key);

/* Whether net.* of the two says the same. */
int net_same(const struct spec *a, const struct spec *b);

/* Writes the host's default network into the spec of a new VE that says nothing of its own. */
int net_defaults(struct ve_host *host, struct spec *s, struct error *e);

/* What a VE with network=host is without: sentences for the user, NULL-terminated. */
extern const char *const net_shared_losses[];

/* As programs without a library take it. */
void net_ip(const struct net_address *a, struct veth_ip *ret);

/* Unicast, locally administered, the same each time. */
void net_mac(const char *uuid, const char *interface, unsigned char ret[6]);

#endif
