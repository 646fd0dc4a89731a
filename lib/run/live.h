/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_LIVE_H
#define VE_RUN_LIVE_H

#include "lib/run/run.h"

/*
 * Saves `s` as the VE's spec; of a VE that runs, keys with SPEC_APPLIED are brought into effect first, for this boot
 * and those that follow. Nothing is changed where that fails. With the change lock held.
 */
int live_save(struct ve *ve, const struct spec *s, struct error *e);

/* What a VE runs with. Negative, and nothing said, where that is not known. */
int live_spec(struct ve *ve, struct spec **ret);

#endif
