/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_CONFINE_PROGRAM_H
#define VE_CONFINE_PROGRAM_H

#include <stdio.h>

#include "lib/base/error.h"
#include "lib/confine/profile.h"

/* Compiles a profile for the native architecture. *ret is the caller's to free. */
int program_compile(const struct profile *profile, void **ret, size_t *ret_size, struct error *e);

/* Everything that the program follows from, as text: for the cache's key. */
void program_render_policy(const struct profile *profile, FILE *f);

#endif
