/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_LIVE_NETWORK_H
#define VE_RUN_LIVE_NETWORK_H

#include "lib/run/run.h"

/*
 * Brings the interfaces of a VE that runs to what `to` says, all or none, and RUN/ve.json with them. What cannot be
 * done while it runs (another type, link or hardware address of an interface that is there) waits, and with it all of
 * that interface. With the change lock held.
 */
int live_network(struct ve *ve, const struct spec *to, struct error *e);

#endif
