/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_NET_LISTENERS_H
#define VE_NET_LISTENERS_H

#include "lib/net/net.h"

/*
 * Is a process of this network namespace listening where `port` is to be published, in one of the families? 0: no; 1:
 * yes, with which port and "nginx, pid 123", or "" where that cannot be found.
 */
enum { LISTENERS_IPV4 = 1, LISTENERS_IPV6 = 2 };
int listeners_find(const struct net_port *port, int families, unsigned *ret_port, char *ret_who, size_t size);

#endif
