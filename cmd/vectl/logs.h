/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VECTL_LOGS_H
#define VECTL_LOGS_H

#include <stdio.h>
#include <time.h>

#include <ve/ve.h>

/*
 * The last lines of what the console printed in a boot that began at `since` or later, without escape sequences.
 * Says nothing on failure.
 */
void logs_print_last(struct ve *ve, time_t since, int lines, const char *prefix, FILE *out);

#endif
