/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much an interface lets through in a second. All of it is on the host's side, where the guest has no say: what
 * goes to the VE waits in a token bucket of the host's end; what comes from it is led, before the host looks at it, to
 * a link of its own (an ifb) that has such a bucket, and comes back from there as if nothing had been. A VE that sends
 * more than it may is slowed down, not cut off: its sockets wait with the packets.
 *
 * Shared with static programs, as veth.h.
 */
#ifndef VE_NET_RATE_H
#define VE_NET_RATE_H

#include <stdint.h>

/* The name of the link for what comes from the VE, by that of the host's end. */
void rate_link_name(const char *host, char ret[16]);

/* Bits a second, 0: any number; mtu 0: the kernel's. Both can be called again, for another rate. */
int rate_to_ve(int fd, uint32_t index, uint64_t rate, uint32_t mtu);
int rate_from_ve(int fd, uint32_t index, const char *link, uint64_t rate, uint32_t mtu);

#endif
