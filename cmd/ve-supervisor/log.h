/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the console printed, in two files that take turns: each begins with "vectl-console SEQUENCE BOOT\n", padded to
 * LOG_HEADER bytes; the higher sequence is the newer. When one is full, the other is emptied and written on, so that
 * between one and two times the limit is kept, across boots and starts. BOOT is the number of the last boot in it, left
 * out before the first: by it boots are counted over stops, also when the lines that mark them are kept no more.
 */
#ifndef VE_SUPERVISOR_LOG_H
#define VE_SUPERVISOR_LOG_H

#include <stddef.h>
#include <stdint.h>

struct log {
	int fd[2];
	int current;
	uint64_t sequence, size, limit;
	int midline;   /* the last byte was no newline */
	unsigned boot; /* the last one's number */
};

enum { LOG_BOOT_MAX = 1000000000 }; /* a greater number is none of ours */

void log_open(struct log *l, const int fd[2], uint64_t limit);
void log_write(struct log *l, const char *data, size_t size);
/* "--- boot NUMBER, 2026-01-31 12:00:00 UTC ---" on a line of its own. */
void log_boot(struct log *l, unsigned number);
/* The number of the last boot that these files know of; 0: none. */
unsigned log_boots(const int fd[2]);

#endif
