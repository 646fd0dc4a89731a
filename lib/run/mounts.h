/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts of the host about mount.*, gathered when a start is planned. */
#ifndef VE_RUN_MOUNTS_H
#define VE_RUN_MOUNTS_H

#include "lib/spec/spec.h"

/*
 * Sets ret[i] for each mount of spec_mounts, in its order, whose source holds files that the VE can make and any user
 * of the host can execute.
 */
int mounts_exposed(const struct spec *s, unsigned char ret[SPEC_MOUNTS_MAX], struct error *e);

#endif
