/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has which address, over all VEs of a root: DATA/net/leases/ADDRESS -> "UUID NAME INTERFACE", a link for each,
 * which symlink() makes whole or, where there is one, not at all. What a VE holds is said once more in its own folder,
 * in the file `leases`. A lease counts as long as it is in that file of its holder's, or its holder is being changed:
 * a create, set or destroy that was killed leaves some that do not, which whoever wants the address takes over, and
 * which go with what else a create or destroy left.
 */
#ifndef VE_NET_LEASE_H
#define VE_NET_LEASE_H

#include "lib/net/net.h"

enum { LEASE_UUID = 37, LEASES_MAX = 2 * NET_INTERFACES_MAX * NET_ADDRESSES_MAX };

struct lease {
	char interface[IF_NAMESIZE];
	int is_auto; /* leased from the pool, not written in the spec */
	struct net_address address;
};

struct lease_file {
	char uuid[LEASE_UUID];
	unsigned n;
	struct lease lease[LEASES_MAX];
};

/* `dir`: the VE's folder. Absent: no leases. */
int lease_read(int dir, struct lease_file *ret, struct error *e);
int lease_write(int dir, const struct lease_file *f, struct error *e);
const struct lease *lease_find(const struct lease_file *f, const struct net_address *a);

/*
 * 1 taken now, 0 it was this VE's already. -EADDRINUSE: another VE's, whose name is in ret_holder ("": the lease is
 * damaged), and nothing in `e`. With the change lock of `ve` held. take_over: look whether the holder is still there,
 * which costs more.
 */
int lease_take(struct ve *ve, const char *uuid, const char *interface, const struct net_address *a, int take_over,
	char ret_holder[64], struct error *e);
/* Gives it back if it is that VE's. */
void lease_drop(struct ve_host *host, const char *uuid, const struct net_address *a);

/*
 * Those that a create or destroy of a VE of that name left when it was killed, and that no VE has. With the lock of the
 * name held, so that nobody is about to find one its own.
 */
void lease_drop_stale(struct ve_host *host, const char *name);

/* For doctor: 1 when the lease of that file name is nobody's, with the name of who had it; looks alone, locks nothing.
 */
int lease_is_stale(struct ve_host *host, const char *file, char ret_holder[64]);

#endif
