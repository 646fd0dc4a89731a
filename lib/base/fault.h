/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_BASE_FAULT_H
#define VE_BASE_FAULT_H

#include "config.h"

#if VE_FAULTS
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#endif

/* In builds for the kill tests: VECTL_FAULT=ACTOR:N dies at the N-th of its points. */
static inline void fault_point(const char *actor, unsigned n)
{
#if VE_FAULTS
	const char *v = getenv("VECTL_FAULT");
	size_t length = strlen(actor);
	if (v && !strncmp(v, actor, length) && v[length] == ':' && strtoul(v + length + 1, NULL, 10) == n)
		raise(SIGKILL);
#else
	(void)actor;
	(void)n;
#endif
}

#endif
