/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VECTL_WHEN_H
#define VECTL_WHEN_H

#include <stdint.h>
#include <time.h>

struct cli;

/*
 * A point in the past, in seconds since 1970: "10m", "2h", "3d", "1w" or "90s" before `now`, "today", "yesterday",
 * "2026-01-31", "2026-01-31 12:00[:00]" (or with a T), "12:00[:00]" of today, "@SECONDS". 0, or -1.
 */
int when_parse(const char *text, time_t now, int64_t *ret_seconds);
/* Of a --since option; 0, or the exit status. */
int cli_since(struct cli *cli, const char *text, int64_t *ret_seconds);

#endif
