/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vectl.conf: what holds for all VEs of a root. Read anew by whoever needs a setting. */
#ifndef VE_HOST_CONF_H
#define VE_HOST_CONF_H

#include "lib/host/host.h"
#include "lib/spec/interfaces.h"

/* What `create` writes into the spec of a VE for whose network nothing is said. */
enum conf_network { CONF_BRIDGE, CONF_ROUTED, CONF_NONE };

struct host_conf {
	struct {
		uint32_t base, count;
	} idpool;
	struct {
		int type;                      /* enum conf_network */
		char bridge[IF_NAMESIZE];      /* of the host's; "": vectl's own */
		struct net_address ipv4, ipv6; /* vectl's own network; family 0: nothing is said */
		int no_ipv6;                   /* false is said */
		int nat;
	} network;
};

/* A file that is not there says nothing; one with an error is refused as a whole. */
int conf_read(struct ve_host *host, struct host_conf *ret, struct error *e);

#endif
