/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What systemd-networkd in a VE is told of an interface. It takes away what it did not set of an interface that it has
 * a file for, and its wait-online waits in vain where it has none. The first file that matches counts, so this one is
 * found before any of the guest's own, but for one of this very name.
 *
 * Shared with static programs, as veth.h.
 */
#ifndef VE_NET_NETWORKD_H
#define VE_NET_NETWORKD_H

#include <stddef.h>

#include "lib/net/veth.h"

enum { NETWORKD_NAME = 64, NETWORKD_TEXT = 8192 };

/* Its name beneath /run, and its text, which fits where addresses are 32 at most. */
void networkd_name(const char *interface, char buf[NETWORKD_NAME]);
void networkd_text(const char *interface, const struct veth_ip *address, unsigned naddresses,
	const struct veth_ip *gateway, unsigned ngateways, char buf[NETWORKD_TEXT]);

#endif
