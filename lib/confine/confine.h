/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_CONFINE_H
#define VE_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/host/host.h"

/*
 * A seccomp program as struct sock_filter[]; `profile` is "default" (for VEs), "privileged" or "supervisor". Taken from
 * the cache (RUN/.cache/seccomp-HASH, 0600, root's) when there; the file begins with its full key, length-prefixed
 * fields, and is used only when that is equal. A broken entry is made again; the 16 newest ones are kept. *ret is the
 * caller's to free. Fails closed.
 */
int confine_seccomp(struct ve_host *host, const char *profile, void **ret, size_t *ret_size, struct error *e);

/* Mask of the capabilities that a VE's processes may have (bit n: CAP n). Privileged: there is no user namespace. */
uint64_t confine_default_caps(int privileged);
/* With those that `keep` names, without those that `drop` does; each NULL or NULL-terminated, checked before. */
uint64_t confine_caps(const char *const *keep, const char *const *drop, int privileged);
/* What the keeper of a privileged VE needs for a reboot in place. */
uint64_t confine_keeper_caps(void);
/* What a privileged VE is without: sentences for the user, NULL-terminated. */
extern const char *const confine_privileged_losses[];

#endif
