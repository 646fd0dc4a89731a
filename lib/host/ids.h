/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_HOST_IDS_H
#define VE_HOST_IDS_H

#include <stdint.h>

#include "lib/host/host.h"

/*
 * Host ids. A VE has 65536 of its own, from `base`, and one more, the owner uid of its user namespace: the kernel
 * counts inotify instances and the like for each owner. The first 65536 of the pool are owner uids, the rest are
 * ranges. What a VE holds is said by the link DATA/ve/NAME/ids -> "BASE OWNER"; picking and linking happen under one
 * lock.
 */
enum { IDS_COUNT = 65536 };

struct id_range {
	uint32_t base, owner;
};

struct id_pool {
	uint32_t base, count; /* count in ids; vectl.conf: idpool.base, idpool.count */
};

/* From vectl.conf; the default is 0x70000000 to 0x7fffffff, which systemd's ranges and Debian's subuids leave alone. */
int id_pool_read(struct ve_host *host, struct id_pool *ret, struct error *e);

/* Held (an fd) while a range is picked and linked. */
int ids_lock(struct ve_host *host, struct error *e);

/*
 * Picks a free range; `want_base` non-zero: that one, or VE_E_BUSY with its holder. `except`: a VE whose own link does
 * not count. Checked against the other VEs of this root, running VEs of all roots, /etc/subuid and the host's users.
 */
int ids_pick(struct ve_host *host, uint32_t want_base, const char *except, struct id_range *ret, struct error *e);

/* VE_E_BUSY, naming who, when /etc/subuid, /etc/subgid or a user of the host has ids of [base, base + count). */
int ids_check_host(uint64_t base, uint64_t count, struct error *e);

/* VEs of this root that have a range. -ENOENT: there is no data folder yet. */
int ids_count(struct ve_host *host, unsigned *ret, struct error *e);

int ids_link(int ve_dir, const struct id_range *ids, struct error *e);
int ids_of(struct ve *ve, struct id_range *ret, struct error *e);

/* Makes the folder of those locks. /run/lock is everybody's: a folder that is not root's alone is refused. */
int ids_lock_folder(struct error *e);

/* The lock file that a running VE holds, over all roots: "/run/lock/vectl/BASE". */
int ids_lock_path(const struct id_range *ids, char *buf, size_t size);

#endif
