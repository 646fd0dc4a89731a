/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the interfaces of a VE have carried since it was created: a file in its folder, DATA/ve/NAME/traffic, with a
 * line for each name that an interface has had in the VE. The firewall counts from 0 for each new end on the host. The
 * file has the sum, and how much of what the firewall counts for the present end is in that sum already: so what is
 * saved twice is counted once, and nothing is counted twice, or lost, by who is killed between the saving and the end
 * of the counters. It is saved before counters end: by undo, by changes of a VE that runs, and before the tables are
 * remade.
 */
#ifndef VE_NET_TRAFFIC_H
#define VE_NET_TRAFFIC_H

#include <stdlib.h>

#include "lib/net/firewall.h"

#define TRAFFIC_FILE    "traffic"
#define TRAFFIC_DAMAGED "traffic.damaged" /* one that could not be read, put aside */

struct traffic_total {
	char name[IF_NAMESIZE];              /* in the VE */
	char host[IF_NAMESIZE];              /* the end whose counters were added last; "": it is gone */
	uint64_t table;                      /* of these counters: as struct firewall_counters has it */
	struct firewall_traffic total, seen; /* seen: of these counters, what is in `total` */
};
struct traffic {
	struct traffic_total *of; /* the holder's to free */
	size_t n;
};
static inline void traffic_free_p(struct traffic *t)
{
	free(t->of);
}
#define cleanup_traffic __attribute__((cleanup(traffic_free_p)))

/* -EBADMSG: it is no such text, or not whole. *ret is set when it is, and is to be empty before. */
int traffic_parse(const char *text, struct traffic *ret);
int traffic_text(const struct traffic *t, char **ret);
/* Adds what an interface's counters have more than when they were added before. */
int traffic_add(struct traffic *t, const struct net_interface *i, const struct firewall_counters *now);

/*
 * Adds what these interfaces have counted until now to the VE's file. 1: the file was damaged, and is begun anew; the
 * old one is TRAFFIC_DAMAGED. A VE whose folder is gone has nothing to be saved for. Safe at any time, by anybody.
 * `wait`: until it is on the disk, which a stop has no time for, nor a start that remakes the tables.
 */
int traffic_save(struct ve_host *host, const char *name, const struct net_interface *i, size_t n, int wait);
/* Of all VEs whose interfaces have counters now. What cannot be saved is left, and so is a damaged file, as it is. */
void traffic_save_all(struct ve_host *host);

/* An array, an interface each: what is saved and what was counted since. Null: it cannot be told. Locks nothing. */
void traffic_json(struct ve_host *host, const char *name, struct json_writer *w, const char *key);

#endif
