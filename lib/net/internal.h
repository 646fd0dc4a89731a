/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this room share. */
#ifndef VE_NET_INTERNAL_H
#define VE_NET_INTERNAL_H

#include <stddef.h>

#include "lib/net/net.h"

/* DATA/net and its folder of leases, root's alone. */
int net_make_folder(struct ve_host *host, struct error *e);

/* As net_own; with make 0 nothing is picked: -ENOENT, and nothing in `e`, where that was not done before. */
int own_read(struct ve_host *host, int make, struct net_own *ret, struct error *e);
void own_candidate(unsigned n, struct net_address *ret);

/* All bits of a hash in each of its bits (the finisher of MurmurHash3): for taking some of them. */
static inline uint64_t net_mix(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

#endif
