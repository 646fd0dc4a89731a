/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of VEs that run, for whoever answers questions about names: RUN-hosts/NAME, lines as hosts(5) has them, a small
 * file for each, so that a start costs the same beside a thousand others. Beside RUN and not in it, which is root's
 * alone: a name server reads them as an ordinary user. Nothing that the guest says gets in. None of it fails a start.
 */
#ifndef VE_RUN_HOSTS_H
#define VE_RUN_HOSTS_H

#include "lib/net/net.h"

/* With the change lock held. Where there is no address there is no file. */
void hosts_write(struct ve *ve, const struct net_interface *i, size_t n);
void hosts_forget(struct ve *ve);

#endif
