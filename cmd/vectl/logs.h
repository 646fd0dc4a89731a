/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VECTL_LOGS_H
#define VECTL_LOGS_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <ve/ve.h>

/* What of a log is wanted. */
struct selection {
	long lines;    /* the last; negative: all */
	int has_boot;  /* one boot: */
	long boot;     /* 1 is the first that is kept, 0 the last, -1 the one before */
	int64_t since; /* boots that began no earlier; 0: all */
};

/*
 * The last lines of what the console printed in a boot that began at `since` or later, without escape sequences.
 * Says nothing on failure.
 */
void logs_print_last(struct ve *ve, time_t since, int lines, const char *prefix, FILE *out);

#endif
