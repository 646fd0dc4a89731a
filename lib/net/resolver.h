/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's /etc/resolv.conf. */
#ifndef VE_NET_RESOLVER_H
#define VE_NET_RESOLVER_H

#include "lib/host/host.h"

/* How a file begins that is ours to replace; what the guest makes of its own begins otherwise, and stays. */
#define NET_RESOLVER_MARK "# vectl:"
/* What to tell where there is none. */
#define NET_RESOLVER_NOTE                                                                                              \
	"the VE has no name servers: the host's are reachable by the host alone: set dns.servers=ADDRESS"

/* A list of search domains is cut after so many characters: the guest's file must fit in a page. What it says then. */
enum { NET_RESOLVER_SEARCH = 2048 };
#define NET_RESOLVER_CUT "# the list of search domains was too long: the last ones are left out"
#define NET_RESOLVER_CUT_NOTE                                                                                          \
	"the list of search domains is too long, and the VE gets the first ones: set a shorter one with dns.search"

/*
 * From dns.*, else the host's; *ret_text is the caller's to free, and NULL when no server is left that the guest could
 * reach.
 */
int net_resolver(struct ve_host *host, const struct spec *s, char **ret_text, struct error *e);

/* The same of given texts, NULL where there is no such file: the host's, and what systemd-resolved asks itself. Pure.
 */
int resolver_text(const char *etc, const char *resolved, const struct spec *s, char **ret_text);

#endif
