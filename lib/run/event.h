/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing to a VE's event log (lib/plan/event_log.h). Nothing here fails: what cannot be said does not keep anything
 * from being done. The names of events and their members are a promise: vectl-inspect(1) lists them.
 */
#ifndef VE_RUN_EVENT_H
#define VE_RUN_EVENT_H

#include "lib/base/json.h"
#include "lib/host/host.h"

/* An event with nothing more to say. */
void event_log(struct ve *ve, const char *event);

/* One with members: begin, jw_... on the writer, end. NULL: memory is out; all of jw_ and event_end take it. */
struct json_writer *event_begin(const char *event);
void event_end(struct ve *ve, struct json_writer *w);
/* Into the log of a VE's folder that has another name still. */
void event_end_in(const char *folder, struct json_writer *w);

/* The two files of a folder, for reading and appending, made where they are not there. -1: cannot be had. */
void event_open(const char *folder, int ret_fd[2]);

#endif
