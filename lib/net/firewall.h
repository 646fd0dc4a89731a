/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The firewall: what VEs may send, which of the host's ports are theirs, NAT of vectl's own network, and counters.
 *
 * One table "vectl" (of another root than the default one "vectl-ID") in each of the families bridge, inet and arp,
 * whose rules are fixed (cmd/ve-firewall/ruleset.nft) and made once a boot by ve-firewall. An interface is elements of
 * sets and maps there, keyed by the name of its host end, put and taken by one transaction without running anything.
 *
 * A start calls, in this order: firewall_ready; its record (firewall_record) written to RUN/NAME/FIREWALL_RECORD;
 * firewall_add; the links, whose ports on a bridge the keeper closes to what rules do not see; then the guest. Whatever
 * fails, or any end: firewall_remove with what the record says (firewall_parse), then the record removed. Whoever
 * remakes the tables puts back what records say.
 */
#ifndef VE_NET_FIREWALL_H
#define VE_NET_FIREWALL_H

#include <stddef.h>

#include "lib/net/net.h"

#define FIREWALL_RECORD "net"
/* While a VE's interfaces are changed they are there twice: as they were, and as they are to be. */
#define FIREWALL_CHANGING "changing\n" /* its first line then */
enum { FIREWALL_RECORD_MAX = 2 * NET_INTERFACES_MAX };

/*
 * The tables are there, whole and of this version, with NAT for `own` (NULL, or forbid_nat: none); made, or remade with
 * the elements of all VEs that have a record, when not. -EOPNOTSUPP with VE_E_HOST: this kernel has no nftables.
 */
int firewall_ready(struct ve_host *host, const struct net_own *own, struct error *e);
/* The same where a VE has a record: 1; where none has nothing is made: 0. */
int firewall_repair(struct ve_host *host, const struct net_own *own, struct error *e);

/*
 * All or none, and what is there already stays. Before the links are made, so that no frame goes round the filter.
 * -EADDRINUSE with VE_E_BUSY: another VE, or a process of the host, has one of the ports; -EOPNOTSUPP with VE_E_HOST:
 * a filter or ports for a type that has no host end, MACVLAN and PHYS; -EINVAL with VE_E_SPEC: a port published in a
 * family that the interface has no address of.
 */
int firewall_add(struct ve_host *host, const struct net_interface *i, size_t n, struct error *e);

/*
 * From what the ones have to what the others have, in one transaction: firewall_add of interfaces that are new,
 * firewall_remove of those that are no more, and of those that stay what is different. What `was` has may be there in
 * part only. Ports that stay are not looked for among the host's own.
 */
int firewall_change(struct ve_host *host, const struct net_interface *was, size_t nwas,
	const struct net_interface *want, size_t nwant, struct error *e);

/*
 * Can be called twice, and after any failure; a port that another VE has stays that one's. *ret_socket, when it is
 * wanted: the caller's to have closed by somebody whom nobody waits for, since the kernel holds up whoever closes a
 * socket of nftables until all that was removed is freed (nft_rcv_nl_event), which is some 10 ms. It may be negative.
 */
int firewall_remove(struct ve_host *host, const struct net_interface *i, size_t n, int *ret_socket, struct error *e);
/*
 * The same, of interfaces that have a record: *ret_lock is to be held (and closed then) until the record is removed,
 * since tables that are made anew in between would have again what it says, for good. It may be negative.
 */
int firewall_leave(
	struct ve_host *host, const struct net_interface *i, size_t n, int *ret_lock, int *ret_socket, struct error *e);

/* Whether a VE has a record. */
int firewall_is_used(const struct ve_host *host);

/*
 * Removes the tables unless a VE has a record. Not at each stop: making them anew costs the next start some 20 ms that
 * it need not have. For destroy of the last VE, and doctor.
 */
int firewall_gone(struct ve_host *host, struct error *e);

/* What firewall_remove needs, as text, a line each; *ret is the caller's to free. */
int firewall_record(const struct net_interface *i, size_t n, char **ret);
/* Returns how many; *ret is the caller's to free. -EBADMSG: it is no such text. */
int firewall_parse(const char *text, struct net_interface **ret);

/* As the VE sees it: what it sent and received. Near: other VEs, and this host where it is routed or the gateway. */
enum { FIREWALL_NEAR, FIREWALL_FAR };
struct firewall_traffic {
	struct {
		uint64_t bytes, packets;
	} sent[2], received[2];
};
struct firewall_counters {
	uint64_t
		table; /* which of the tables that were ever made: others begin at 0. 0 itself: there are no counters */
	struct firewall_traffic traffic;
};
/* Of each of n. They begin at 0 with firewall_add, and when the tables had to be made anew. lib/net/traffic.h adds up.
 */
int firewall_traffic(struct ve_host *host, const struct net_interface *i, size_t n, struct firewall_counters *ret);

/* Shared with ve-firewall, which makes the tables. */
enum { FIREWALL_TABLE_MAX = 32 };
void firewall_table(const char *root_id, char buf[FIREWALL_TABLE_MAX]);

#endif
