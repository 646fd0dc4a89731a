/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hears of changes of nftables' rules that were not made by starts and stops. */
#ifndef VE_NET_WATCH_H
#define VE_NET_WATCH_H

/*
 * A socket of the kernel's notices, which can be polled and does not block; a negative errno. Elements that come and go
 * are left out in the kernel, since each start and stop is some: what is heard of are tables, chains and rules.
 */
int watch_open(void);
/* Reads it empty; 1 when there was something, also something that was lost for want of room. */
int watch_drain(int fd);

/* The filter alone, for any socket that messages as netlink's come from: 0 or a negative errno. */
int watch_filter(int fd);

#endif
