/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VE's event log: JSON Lines in two files that take turns, each begun by a line that numbers it; the higher number is
 * the newer. Written by libve for what commands do and by the keeper for what happens by itself, each line by one
 * write with O_APPEND. Shared with static programs: no allocation, no stdio.
 */
#ifndef VE_PLAN_EVENT_LOG_H
#define VE_PLAN_EVENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_LOG_MAGIC "{\"vectl-events\":1,\"file\":"

enum {
	EVENT_LOG_LIMIT = 65536, /* bytes a file: the last few hundred events are kept */
	EVENT_LINE_MAX = 2048,   /* with its newline; longer ones are not written, and skipped where they are read */
	EVENT_SPAN = 1 << 20,    /* an event's number: that of its file times this, plus where it stands in there */
};

/* Of an open file; 0: none, it is empty or something else. */
uint64_t event_log_file_number(int fd);
/* One line with its newline. 0, or a negative errno: an event that cannot be written is lost, and nothing else is. */
int event_log_append(const int fd[2], const char *line, size_t size);

#endif
