/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VE's interfaces in a start and an undo: what root does on the host's side of them. */
#ifndef VE_RUN_NETWORK_H
#define VE_RUN_NETWORK_H

#include <stdlib.h>

#include "lib/net/net.h"
#include "lib/plan/plan.h"

struct network {
	struct net_interface *interfaces; /* the holder's to free */
	size_t n;
	struct net_own own; /* where n is not 0 */
	char *resolver;     /* the guest's resolv.conf; NULL: none */
};
static inline void network_free_p(struct network *n)
{
	free(n->interfaces);
	free(n->resolver);
}
#define cleanup_network __attribute__((cleanup(network_free_p)))

/* What net.* of the spec comes to; `take`: for a start, so leases are taken. */
int network_of(struct ve *ve, const struct spec *s, int take, struct network *ret, struct error *e);

/* The caller's steps BRIDGE, FORWARDING and FIREWALL; `dir`: the VE's runtime folder, where undo's record goes first.
 */
int network_step(struct ve *ve, const struct plan_step *s, const struct network *n, int dir, struct error *e);

/*
 * What these interfaces have counted until now is kept (lib/net/traffic.h); for before their counters end. That it
 * cannot be keeps nobody from anything: it is in the VE's events. As traffic_save.
 */
int network_save_traffic(struct ve *ve, const struct net_interface *i, size_t n, int wait);

/*
 * Nothing of the VE's interfaces is let through any more, so its addresses answer no longer; their links, which end
 * with the VE's network namespace mostly, are left to ve_reap_links. By the record in `dir`; twice does no harm.
 * 1: there is something for ve_reap_links to do.
 */
int network_undo(struct ve *ve, int dir, struct error *e);

#endif
